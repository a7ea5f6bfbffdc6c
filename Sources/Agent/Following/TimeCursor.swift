/// Reads the parts of a time one behind the other. Never behind `end`, whatever stands there.
struct TimeCursor {
  struct Clock {
    /// Of the day.
    var seconds: Int
    var microseconds: Int
    var hasSeconds: Bool
  }

  var at: Int
  let end: Int

  init(_ count: Int, _ at: Int, _ end: Int) {
    self.at = at
    self.end = min(count, end)
  }

  private func byte(_ bytes: Span<UInt8>, _ offset: Int = 0) -> UInt8 {
    at + offset < end && at + offset >= 0 ? bytes[at + offset] : 0
  }

  mutating func skips(_ bytes: Span<UInt8>, _ wanted: UInt8) -> Bool {
    guard byte(bytes) == wanted else { return false }
    at += 1
    return true
  }

  /// What stands between date and time: `T`, blanks, `-`, `_`, `:`, or a comma and a blank.
  mutating func skipsSeparator(_ bytes: Span<UInt8>) -> Bool {
    switch byte(bytes) {
    case UInt8(ascii: ","):
      at += 1
      return skips(bytes, UInt8(ascii: " "))
    case UInt8(ascii: " "):
      at += 1
      // MariaDB pads the hour.
      _ = skips(bytes, UInt8(ascii: " "))
      return true
    case UInt8(ascii: ":"):
      at += 1
      // Erlang's reports have two.
      _ = skips(bytes, UInt8(ascii: ":"))
      return true
    case UInt8(ascii: "T"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "|"):
      at += 1
      return true
    default: return false
    }
  }

  /// - Returns: nil where there is no digit, or there are more than `digits`.
  mutating func number(_ bytes: Span<UInt8>, digits: Int) -> Int? {
    let start = at
    var value = 0
    while at < end, bytes[at] &- 48 <= 9 {
      guard at - start < digits else { return nil }
      value = value * 10 + Int(bytes[at] &- 48)
      at += 1
    }
    return at > start ? value : nil
  }

  /// The separator and a number of one or two digits.
  mutating func part(_ bytes: Span<UInt8>, _ separator: UInt8) -> Int? {
    skips(bytes, separator) ? number(bytes, digits: 2) : nil
  }

  /// Four digits and no more.
  mutating func year(_ bytes: Span<UInt8>) -> Int? {
    let start = at
    guard let year = number(bytes, digits: 4), at - start == 4, year >= 1970 else { return nil }
    return year
  }

  /// `H:MM[:SS[.,fraction]][ AM|PM]`.
  mutating func clock(_ bytes: Span<UInt8>) -> Clock? {
    guard var hour = number(bytes, digits: 2), skips(bytes, UInt8(ascii: ":")) else { return nil }
    let start = at
    guard let minute = number(bytes, digits: 2), at - start == 2, hour < 24, minute < 60 else { return nil }
    var clock = Clock(seconds: 0, microseconds: 0, hasSeconds: false)
    var second = 0
    if byte(bytes) == UInt8(ascii: ":"), byte(bytes, 1) &- 48 <= 9, byte(bytes, 2) &- 48 <= 9 {
      second = Int(byte(bytes, 1) &- 48) * 10 + Int(byte(bytes, 2) &- 48)
      at += 3
      clock.hasSeconds = true
      clock.microseconds = fraction(bytes)
    }
    guard second <= 60, byte(bytes) &- 48 > 9 else { return nil }
    if let isAfternoon = halfDay(bytes) {
      guard (1...12).contains(hour) else { return nil }
      hour = hour % 12 + (isAfternoon ? 12 : 0)
    }
    clock.seconds = hour * 3600 + minute * 60 + second
    return clock
  }

  /// Digits behind a point or comma, cut to µs; behind a colon exactly three.
  mutating func fraction(_ bytes: Span<UInt8>) -> Int {
    let isColon = byte(bytes) == UInt8(ascii: ":")
    guard isColon || byte(bytes) == UInt8(ascii: ",") || byte(bytes) == UInt8(ascii: "."), byte(bytes, 1) &- 48 <= 9
    else { return 0 }
    if isColon, byte(bytes, 2) &- 48 > 9 || byte(bytes, 3) &- 48 > 9 || byte(bytes, 4) &- 48 <= 9 { return 0 }
    at += 1
    var (value, scale) = (0, 100_000)
    while at < end, bytes[at] &- 48 <= 9 {
      value += Int(bytes[at] &- 48) * scale
      scale /= 10
      at += 1
    }
    return value
  }

  /// - Returns: whether it is PM; nil where the clock has 24 hours.
  private mutating func halfDay(_ bytes: Span<UInt8>) -> Bool? {
    let offset = byte(bytes) == UInt8(ascii: " ") ? 1 : 0
    let letter = byte(bytes, offset) | 0x20
    guard letter == UInt8(ascii: "a") || letter == UInt8(ascii: "p"),
      byte(bytes, offset + 1) | 0x20 == UInt8(ascii: "m"),
      !ByteClass.isWord(byte(bytes, offset + 2))
    else { return nil }
    at += offset + 2
    return letter == UInt8(ascii: "p")
  }

  private static let months = Array("JanFebMarAprMayJunJulAugSepOctNovDec".utf8)
  private static let weekdays = Array("SunMonTueWedThuFriSat".utf8)

  /// The English name of a month in three letters.
  mutating func month(_ bytes: Span<UInt8>) -> Int? { name(bytes, Self.months).map { $0 + 1 } }

  mutating func weekday(_ bytes: Span<UInt8>) -> Bool { name(bytes, Self.weekdays) != nil }

  private mutating func name(_ bytes: Span<UInt8>, _ names: [UInt8]) -> Int? {
    guard at + 3 <= end else { return nil }
    let found = (0..<names.count / 3).first { index in
      bytes[at] == names[index * 3] && bytes[at + 1] == names[index * 3 + 1] && bytes[at + 2] == names[index * 3 + 2]
    }
    if found != nil { at += 3 }
    return found
  }

  // MARK: Zones

  /// `Z`, `+02:00`, `-0700`, `+09`, ` +0000`, ` UTC`, ` CET`; nil where the line names no zone.
  /// - Returns: seconds ahead of UTC.
  mutating func zone(_ bytes: Span<UInt8>) -> Int? {
    let start = at
    if byte(bytes) == UInt8(ascii: " ") { at += 1 }
    if let offset = numericZone(bytes, isSpaced: at > start) { return offset }
    if byte(bytes) == UInt8(ascii: "Z"), !ByteClass.isWord(byte(bytes, 1)) {
      at += 1
      return 0
    }
    if let offset = TimeZoneNames.offset(bytes, at..<end) {
      at += offset.length
      // "UTC+2" counts from there.
      return offset.seconds + (offset.seconds == 0 ? numericZone(bytes, isSpaced: false) ?? 0 : 0)
    }
    at = start
    return nil
  }

  private mutating func numericZone(_ bytes: Span<UInt8>, isSpaced: Bool) -> Int? {
    let sign = byte(bytes)
    guard sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") else { return nil }
    var cursor = self
    cursor.at += 1
    let start = cursor.at
    guard let number = cursor.number(bytes, digits: 4) else { return nil }
    var (hours, minutes) = (number, 0)
    switch cursor.at - start {
    case 4: (hours, minutes) = (number / 100, number % 100)
    case 2:
      if cursor.byte(bytes) == UInt8(ascii: ":"), cursor.byte(bytes, 1) &- 48 <= 9, cursor.byte(bytes, 2) &- 48 <= 9 {
        cursor.at += 1
        minutes = cursor.number(bytes, digits: 2) ?? 60
      }
    case 1 where !isSpaced: break
    default: return nil
    }
    let next = cursor.byte(bytes)
    // "- 10.5 dB" and "-10%" are the message's.
    guard hours < 15, minutes < 60, !ByteClass.isWord(next), next != UInt8(ascii: "."), next != UInt8(ascii: "%") else {
      return nil
    }
    at = cursor.at
    return (hours * 3600 + minutes * 60) * (sign == UInt8(ascii: "-") ? -1 : 1)
  }
}

/// Time zones by their abbreviation. Most are ambiguous; these are read as follows, and every other one is taken for a word.
///
/// - Source: the tz database's `zone1970.tab` and its abbreviations. Where several places share one, the place with the most machines
///   counts: CST, EST, MST and PST are those of North America, IST is India's, BST Britain's summer, SST Singapore's.
enum TimeZoneNames {
  private static let minutes: [(String, Int)] = [
    ("UTC", 0), ("GMT", 0), ("WET", 0), ("WEST", 60), ("BST", 60), ("CET", 60), ("CEST", 120), ("MET", 60),
    ("MEST", 120),
    ("EET", 120), ("EEST", 180), ("SAST", 120), ("WAT", 60), ("CAT", 120), ("EAT", 180), ("MSK", 180), ("TRT", 180),
    ("IST", 330), ("PKT", 300), ("NPT", 345), ("ICT", 420), ("WIB", 420), ("HKT", 480), ("SGT", 480), ("SST", 480),
    ("PHT", 480), ("AWST", 480), ("KST", 540), ("JST", 540), ("ACST", 570), ("ACDT", 630), ("AEST", 600), ("AEDT", 660),
    ("NZST", 720), ("NZDT", 780), ("EST", -300), ("EDT", -240), ("CST", -360), ("CDT", -300), ("MST", -420),
    ("MDT", -360), ("PST", -480), ("PDT", -420), ("AKST", -540), ("AKDT", -480), ("HST", -600), ("AST", -240),
    ("ADT", -180), ("NST", -210), ("NDT", -150), ("BRT", -180), ("ART", -180), ("CLT", -240), ("COT", -300),
  ]

  private static let bySpelling: [UInt32: Int] = Dictionary(
    minutes.map { (packed($0.0.utf8), $0.1 * 60) }, uniquingKeysWith: { first, _ in first })

  private static func packed(_ letters: some Sequence<UInt8>) -> UInt32 {
    letters.reduce(0) { $0 << 8 | UInt32($1) }
  }

  /// The zone whose abbreviation begins the range and ends a word there.
  static func offset(_ bytes: Span<UInt8>, _ range: Range<Int>) -> (seconds: Int, length: Int)? {
    var end = range.lowerBound
    var spelling: UInt32 = 0
    while end < range.upperBound, end - range.lowerBound < 5, ByteClass.of(bytes[end]) == ByteClass.upper {
      spelling = spelling << 8 | UInt32(bytes[end])
      end += 1
    }
    let length = end - range.lowerBound
    guard length == 3 || length == 4,
      end == range.upperBound || !ByteClass.isName(bytes[end]) || bytes[end] == UInt8(ascii: "-"),
      let seconds = bySpelling[spelling]
    else { return nil }
    return (seconds, length)
  }
}
