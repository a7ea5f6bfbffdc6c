/// Times as text in UTC, after RFC 3339, without Foundation.
package enum Timestamp {
  /// - Parameters:
  ///   - ns: ns since 1970.
  ///   - digits: of the second's fraction, 0…9.
  /// - Returns: `2026-11-21T03:25:53.123456Z`.
  package static func text(_ ns: Int64, digits: Int = 6) -> String {
    let (seconds, nanoseconds) = floorDivide(ns, 1_000_000_000)
    let (days, second) = floorDivide(seconds, 86_400)
    let date = civil(fromDays: days)
    var text: [UInt8] = []
    text.reserveCapacity(32)
    func put(_ value: Int64, _ width: Int, then end: UInt8) {
      append(value, width, to: &text)
      text.append(end)
    }
    put(date.year, 4, then: UInt8(ascii: "-"))
    put(date.month, 2, then: UInt8(ascii: "-"))
    put(date.day, 2, then: UInt8(ascii: "T"))
    put(second / 3600, 2, then: UInt8(ascii: ":"))
    put(second / 60 % 60, 2, then: UInt8(ascii: ":"))
    append(second % 60, 2, to: &text)
    if digits > 0 {
      text.append(UInt8(ascii: "."))
      let start = text.count
      append(nanoseconds, 9, to: &text)
      text.removeLast(max(0, text.count - start - digits))
    }
    text.append(UInt8(ascii: "Z"))
    return String(decoding: text, as: UTF8.self)
  }

  /// Reads RFC 3339, with `T` or a space, fraction and zone optional (UTC without), and a date alone.
  /// - Returns: ns since 1970; nil where the text is none, or names a day that its month does not have.
  package static func parse(_ text: String) -> Int64? {
    var bytes = Array(text.utf8)[...]
    guard let year = number(&bytes, 4), skip(&bytes, "-"), let month = number(&bytes, 2), skip(&bytes, "-"),
      let day = number(&bytes, 2), (1...12).contains(month), (1...31).contains(day)
    else { return nil }
    let days = days(year: year, month: month, day: day)
    // February has no 30th: taken as the 2nd of March, it would silence or hand over another day than was meant.
    guard civil(fromDays: days).day == day else { return nil }
    var seconds = days * 86_400
    var nanoseconds: Int64 = 0
    if skip(&bytes, "T") || skip(&bytes, "t") || skip(&bytes, " ") {
      guard let hour = number(&bytes, 2), skip(&bytes, ":"), let minute = number(&bytes, 2), hour < 24, minute < 60
      else { return nil }
      seconds += hour * 3600 + minute * 60
      if skip(&bytes, ":") {
        guard let second = number(&bytes, 2), second <= 60 else { return nil }
        seconds += second
        if skip(&bytes, ".") || skip(&bytes, ",") { nanoseconds = fraction(&bytes) }
      }
      guard let offset = zone(&bytes) else { return nil }
      seconds -= offset
    }
    let (total, isTooFar) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (ns, isSumTooFar) = total.addingReportingOverflow(nanoseconds)
    return bytes.isEmpty && !isTooFar && !isSumTooFar ? ns : nil
  }

  /// Days since 1970 of a date of the proleptic Gregorian calendar.
  /// Source: Howard Hinnant, chrono-compatible low-level date algorithms.
  package static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
    let shifted = month <= 2 ? year - 1 : year
    let era = floorDivide(shifted, 400).quotient
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  private static func civil(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let (era, dayOfEra) = floorDivide(days + 719_468, 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthIndex = (5 * dayOfYear + 2) / 153
    let month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthIndex + 2) / 5 + 1)
  }

  private static func floorDivide(_ value: Int64, _ by: Int64) -> (quotient: Int64, remainder: Int64) {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: by)
    return remainder < 0 ? (quotient - 1, remainder + by) : (quotient, remainder)
  }

  private static func append(_ number: Int64, _ width: Int, to text: inout [UInt8]) {
    if number < 0 { text.append(UInt8(ascii: "-")) }
    let start = text.count
    var rest = number.magnitude
    repeat {
      text.append(UInt8(ascii: "0") + UInt8(rest % 10))
      rest /= 10
    } while rest > 0 || text.count - start < width
    text[start...].reverse()
  }

  private static func number(_ bytes: inout ArraySlice<UInt8>, _ digits: Int) -> Int64? {
    guard bytes.count >= digits else { return nil }
    var value: Int64 = 0
    for _ in 0..<digits {
      guard let byte = bytes.popFirst(), byte >= 0x30, byte <= 0x39 else { return nil }
      value = value * 10 + Int64(byte - 0x30)
    }
    return value
  }

  private static func skip(_ bytes: inout ArraySlice<UInt8>, _ character: Unicode.Scalar) -> Bool {
    guard bytes.first == UInt8(ascii: character) else { return false }
    bytes.removeFirst()
    return true
  }

  private static func fraction(_ bytes: inout ArraySlice<UInt8>) -> Int64 {
    var value: Int64 = 0
    var digits = 0
    while let byte = bytes.first, byte >= 0x30, byte <= 0x39 {
      if digits < 9 { value = value * 10 + Int64(byte - 0x30) }
      digits += 1
      bytes.removeFirst()
    }
    while digits < 9 {
      value *= 10
      digits += 1
    }
    return value
  }

  /// Seconds east of UTC; nil where the zone is none.
  private static func zone(_ bytes: inout ArraySlice<UInt8>) -> Int64? {
    if bytes.isEmpty || skip(&bytes, "Z") || skip(&bytes, "z") { return 0 }
    let sign: Int64 = skip(&bytes, "+") ? 1 : skip(&bytes, "-") ? -1 : 0
    guard sign != 0, let hour = number(&bytes, 2) else { return nil }
    _ = skip(&bytes, ":")
    guard let minute = bytes.isEmpty ? 0 : number(&bytes, 2), hour < 24, minute < 60 else { return nil }
    return sign * (hour * 3600 + minute * 60)
  }
}
