/// A time found in a line.
struct LineTime: Equatable {
  /// µs since 1970.
  var timeUs: Int64
  /// Behind its last byte.
  var end: Int
  /// It has no date, or is nothing but a number. Durations and counts look the same, so it counts only where a level stands beside it.
  var isDayless = false
}

/// Reads the times that logs begin with. An engine: now and the host's time zone are passed in.
///
/// - Source: RFC 3339 and ISO 8601; RFC 3164 4.1.2 and RFC 5424; ctime(3); RFC 9110 5.6.7; Apache "Common Log Format"; Python's
///   `logging` (`asctime`, and `datefmt` as Hugging Face, rich and Spark set it); glog "Log line prefix"; java.util.logging.
struct LineTimeReader {
  /// Local times that occur twice, when clocks are set back, are the later ones unless that is further ahead of now than a clock errs.
  private static let aheadSeconds: Int64 = 300
  /// A number without signs that means an older time is more likely an identifier.
  private static let bareAgeSecondsMax: Int64 = 3650 * 86_400
  /// Time zones change at full quarters of an hour: the offset is looked up once for each.
  private static let quarterSeconds: Int64 = 900

  private let zone: ZoneOffset
  private var day = (key: 0, days: 0)
  /// The quarters last looked up, by their day: a time without a day is tried on several.
  private var quarters = [Quarter](repeating: Quarter(), count: 4)

  private struct Quarter {
    var number = Int64.min
    var first = 0
    var second = 0
  }

  init(zone: @escaping ZoneOffset) { self.zone = zone }

  // MARK: Forms

  /// `YYYY-MM-DD[ T]HH:MM:SS[.,fraction][zone]`, also with slashes: what nearly all logs have, tried first.
  mutating func common(_ bytes: Span<UInt8>, _ range: Range<Int>, at: Int, nowNs: Int64) -> LineTime? {
    guard at >= range.lowerBound, at + 19 <= range.upperBound, bytes[at + 13] == UInt8(ascii: ":"),
      bytes[at + 16] == UInt8(ascii: ":")
    else { return nil }
    let dash = bytes[at + 4]
    guard dash == UInt8(ascii: "-") || dash == UInt8(ascii: "/"), bytes[at + 7] == dash,
      bytes[at + 10] == UInt8(ascii: " ") || bytes[at + 10] == UInt8(ascii: "T")
    else { return nil }
    var digits = FixedDigits()
    let year = digits.two(bytes, at) * 100 + digits.two(bytes, at + 2)
    let month = digits.two(bytes, at + 5)
    let date = digits.two(bytes, at + 8)
    let second = digits.seconds(bytes, at + 11)
    guard !digits.isBad, let days = days(year, month, date), let second else { return nil }
    var cursor = TimeCursor(bytes.count, at + 19, range.upperBound)
    let microseconds = cursor.fraction(bytes)
    return finish(bytes, Int64(days) * 86_400 + Int64(second), microseconds, &cursor, nowNs: nowNs)
  }

  /// Any form that may stand at `at`.
  mutating func any(_ bytes: Span<UInt8>, _ range: Range<Int>, at: Int, nowNs: Int64) -> LineTime? {
    guard at >= range.lowerBound, at < range.upperBound else { return nil }
    switch ByteClass.of(bytes[at]) {
    case ByteClass.digit:
      return common(bytes, range, at: at, nowNs: nowNs) ?? numeric(bytes, range, at: at, nowNs: nowNs)
    case ByteClass.upper: return named(bytes, range, at: at, nowNs: nowNs)
    default: return nil
    }
  }

  /// Forms that begin with a number; distinguished by its length and by what follows it.
  private mutating func numeric(_ bytes: Span<UInt8>, _ range: Range<Int>, at: Int, nowNs: Int64) -> LineTime? {
    var cursor = TimeCursor(bytes.count, at, range.upperBound)
    guard let first = cursor.number(bytes, digits: 10), cursor.at < cursor.end else {
      return bareEpoch(bytes, range, at: at, nowNs: nowNs)
    }
    let separator = bytes[cursor.at]
    switch (cursor.at - at, separator) {
    case (10, UInt8(ascii: ".")): return epoch(bytes, first, &cursor)
    case (8, _): return packed(bytes, &cursor, first / 10_000, first / 100 % 100, first % 100, nowNs: nowNs)
    case (6, UInt8(ascii: " ")):
      return packed(bytes, &cursor, 2000 + first / 10_000, first / 100 % 100, first % 100, nowNs: nowNs)
    case (4, UInt8(ascii: "-")), (4, UInt8(ascii: "/")), (4, UInt8(ascii: ".")):
      guard let month = cursor.part(bytes, separator), let date = cursor.part(bytes, separator) else { return nil }
      return dated(bytes, &cursor, first, month, date, nowNs: nowNs)
    case (1...2, UInt8(ascii: ":")): return dayless(bytes, &cursor, at: at, nowNs: nowNs)
    case (1...2, UInt8(ascii: "/")), (1...2, UInt8(ascii: "-")), (1...2, UInt8(ascii: ".")), (1...2, UInt8(ascii: " ")):
      cursor.at += 1
      if let month = cursor.month(bytes) { return dayFirst(bytes, &cursor, first, month, separator, nowNs: nowNs) }
      if separator == UInt8(ascii: " ") { return nil }
      return short(bytes, &cursor, first, separator, from: at, nowNs: nowNs)
    default: return nil
    }
  }

  /// Seconds with a fraction, as of ROS and of Squid.
  private func epoch(_ bytes: Span<UInt8>, _ seconds: Int, _ cursor: inout TimeCursor) -> LineTime? {
    let start = cursor.at
    let microseconds = cursor.fraction(bytes)
    guard cursor.at - start >= 4, seconds >= 1_000_000_000 else { return nil }
    return LineTime(timeUs: Int64(seconds) * 1_000_000 + Int64(microseconds), end: cursor.at)
  }

  /// `1795914123000`: milli-, micro- or nanoseconds, within the years in which a line may have been written.
  @inline(never) private func bareEpoch(_ bytes: Span<UInt8>, _ range: Range<Int>, at: Int, nowNs: Int64) -> LineTime? {
    // 19 digits that begin with 1 fit into 63 bits; so times do until 2033.
    guard bytes[at] == UInt8(ascii: "1") else { return nil }
    var cursor = TimeCursor(bytes.count, at, range.upperBound)
    guard let number = cursor.number(bytes, digits: 19), cursor.at < cursor.end, !ByteClass.isName(bytes[cursor.at]),
      bytes[cursor.at] != UInt8(ascii: ".")
    else { return nil }
    let timeUs: Int64
    switch cursor.at - at {
    case 13: timeUs = Int64(number) * 1000
    case 16: timeUs = Int64(number)
    case 19: timeUs = Int64(number) / 1000
    default: return nil
    }
    let ageSeconds = nowNs / 1_000_000_000 - timeUs / 1_000_000
    guard ageSeconds >= -Self.aheadSeconds, ageSeconds <= Self.bareAgeSecondsMax else { return nil }
    return LineTime(timeUs: timeUs, end: cursor.at, isDayless: true)
  }

  /// `20261129 01:02:03`, `20261129-01:02:03`, `20261129T010203Z`, Tornado's `261129 01:02:03`.
  private mutating func packed(
    _ bytes: Span<UInt8>, _ cursor: inout TimeCursor, _ year: Int, _ month: Int, _ date: Int, nowNs: Int64
  ) -> LineTime? {
    guard cursor.skipsSeparator(bytes) else { return nil }
    let start = cursor.at
    if let number = cursor.number(bytes, digits: 6), cursor.at - start == 6 {
      let (hour, minute, second) = (number / 10_000, number / 100 % 100, number % 100)
      guard hour < 24, minute < 60, second <= 60, let days = days(year, month, date) else { return nil }
      let microseconds = cursor.fraction(bytes)
      return finish(
        bytes, Int64(days) * 86_400 + Int64(hour * 3600 + minute * 60 + second), microseconds, &cursor, nowNs: nowNs)
    }
    cursor.at = start
    guard let clock = cursor.clock(bytes), let days = days(year, month, date) else { return nil }
    return finish(bytes, Int64(days) * 86_400 + Int64(clock.seconds), clock.microseconds, &cursor, nowNs: nowNs)
  }

  /// The rest of a date with its year.
  private mutating func dated(
    _ bytes: Span<UInt8>, _ cursor: inout TimeCursor, _ year: Int, _ month: Int, _ date: Int, nowNs: Int64
  ) -> LineTime? {
    guard cursor.skipsSeparator(bytes), let clock = cursor.clock(bytes), let days = days(year, month, date) else {
      return nil
    }
    return finish(bytes, Int64(days) * 86_400 + Int64(clock.seconds), clock.microseconds, &cursor, nowNs: nowNs)
  }

  /// `29/Nov/2026:01:02:03 +0000`, `29-Nov-2026 01:02:03`, `29 Nov 2026 01:02:03.456`, and without a year.
  private mutating func dayFirst(
    _ bytes: Span<UInt8>, _ cursor: inout TimeCursor, _ date: Int, _ month: Int, _ separator: UInt8, nowNs: Int64
  ) -> LineTime? {
    let start = cursor.at
    if cursor.skips(bytes, separator), let year = cursor.number(bytes, digits: 4), year >= 1970 {
      return dated(bytes, &cursor, year, month, date, nowNs: nowNs)
    }
    cursor.at = start
    return yearless(bytes, &cursor, month, date, nowNs: nowNs)
  }

  /// `11/29/2026 01:02:03`, `26/11/29 01:02:03`, `[11/29/26 01:02:03]`, `29.11.2026 01:02:03`, `11-29 01:02:03`.
  private mutating func short(
    _ bytes: Span<UInt8>, _ cursor: inout TimeCursor, _ first: Int, _ separator: UInt8, from start: Int, nowNs: Int64
  ) -> LineTime? {
    guard let second = cursor.number(bytes, digits: 2) else { return nil }
    let behind = cursor.at
    if cursor.skips(bytes, separator), let third = cursor.number(bytes, digits: 4) {
      guard cursor.skipsSeparator(bytes), let clock = cursor.clock(bytes) else { return nil }
      var found: LineTime?
      for (year, month, date) in Self.readings(first, second, third, separator) {
        guard let days = days(year, month, date) else { continue }
        var end = cursor
        let local = Int64(days) * 86_400 + Int64(clock.seconds)
        guard let time = finish(bytes, local, clock.microseconds, &end, nowNs: nowNs) else { continue }
        if found.map({ Self.distance($0, nowNs) > Self.distance(time, nowNs) }) ?? true { found = time }
      }
      return found
    }
    cursor.at = behind
    // Both padded: "1/10 00:12:34" counts epochs.
    guard separator != UInt8(ascii: "."), behind - start == 5 else { return nil }
    return yearless(bytes, &cursor, first, second, nowNs: nowNs)
  }

  /// What the three numbers of a date may mean; among several the nearest to now counts. With dots the day comes first, as on the
  /// continent. With four digits at the end the month does, as in `%m/%d/%Y`, unless it is none. Two digits at the end are the day's
  /// (Spark's `yy/MM/dd`) or the year's (rich's `%m/%d/%y`).
  private static func readings(_ first: Int, _ second: Int, _ third: Int, _ separator: UInt8) -> [(Int, Int, Int)] {
    if third >= 1000 {
      let isDayFirst = separator == UInt8(ascii: ".") || first > 12
      return [isDayFirst ? (third, second, first) : (third, first, second)]
    }
    if separator == UInt8(ascii: ".") { return [(2000 + third, second, first)] }
    return [(2000 + first, second, third), (2000 + third, first, second)]
  }

  private static func distance(_ time: LineTime, _ nowNs: Int64) -> Int64 { abs(time.timeUs - nowNs / 1000) }

  /// A date without its year.
  private mutating func yearless(
    _ bytes: Span<UInt8>, _ cursor: inout TimeCursor, _ month: Int, _ date: Int, nowNs: Int64
  ) -> LineTime? {
    guard cursor.skipsSeparator(bytes), let clock = cursor.clock(bytes) else { return nil }
    return nearest(bytes, &cursor, month, date, clock, nowNs: nowNs)
  }

  /// The year that puts the date nearest before now, or a little ahead of it.
  private mutating func nearest(
    _ bytes: Span<UInt8>, _ cursor: inout TimeCursor, _ month: Int, _ date: Int, _ clock: TimeCursor.Clock, nowNs: Int64
  ) -> LineTime? {
    let nowSeconds = nowNs / 1_000_000_000
    let year = Calendar.year(ofDay: Int(nowSeconds / 86_400))
    // February 29 may lie eight years back.
    for candidate in stride(from: year + 1, through: year - 8, by: -1) {
      guard let days = days(candidate, month, date) else { continue }
      let time = Int64(days) * 86_400 + Int64(clock.seconds)
      // Local time may be 14 hours ahead of UTC.
      if time <= nowSeconds + 2 * 86_400 { return finish(bytes, time, clock.microseconds, &cursor, nowNs: nowNs) }
    }
    return nil
  }

  /// `01:02:03.456`: of the day that puts it nearest before now, or a little ahead of it.
  private mutating func dayless(
    _ bytes: Span<UInt8>, _ cursor: inout TimeCursor, at: Int, nowNs: Int64
  ) -> LineTime? {
    cursor.at = at
    guard let clock = cursor.clock(bytes), clock.hasSeconds else { return nil }
    let today = nowNs / 86_400_000_000_000
    let latestUs = nowNs / 1000 + Self.aheadSeconds * 1_000_000
    var found: LineTime?
    for day in stride(from: today + 1, through: today - 2, by: -1) {
      var end = cursor
      found = finish(bytes, day * 86_400 + Int64(clock.seconds), clock.microseconds, &end, nowNs: nowNs)
      if let found, found.timeUs <= latestUs { break }
    }
    found?.isDayless = true
    return found
  }

  /// Forms that begin with a month or a day of the week.
  private mutating func named(_ bytes: Span<UInt8>, _ range: Range<Int>, at: Int, nowNs: Int64) -> LineTime? {
    var cursor = TimeCursor(bytes.count, at, range.upperBound)
    if cursor.weekday(bytes) {
      _ = cursor.skips(bytes, UInt8(ascii: ","))
      guard cursor.skips(bytes, UInt8(ascii: " ")) else { return nil }
      if cursor.at < cursor.end, ByteClass.of(bytes[cursor.at]) == ByteClass.digit {
        return numeric(bytes, range, at: cursor.at, nowNs: nowNs)
      }
    }
    guard let month = cursor.month(bytes), cursor.skips(bytes, UInt8(ascii: " ")) else { return nil }
    _ = cursor.skips(bytes, UInt8(ascii: " "))
    guard let date = cursor.number(bytes, digits: 2) else { return nil }
    _ = cursor.skips(bytes, UInt8(ascii: ","))
    guard cursor.skips(bytes, UInt8(ascii: " ")) else { return nil }
    return monthFirst(bytes, &cursor, month, date, nowNs: nowNs)
  }

  /// `Nov 29 01:02:03`, `Nov 29 2026 01:02:03`, `Nov 29, 2026 1:02:03 AM`, `Nov 29 01:02:03.456 2026`, `Nov 29 01:02:03 UTC 2026`.
  private mutating func monthFirst(
    _ bytes: Span<UInt8>, _ cursor: inout TimeCursor, _ month: Int, _ date: Int, nowNs: Int64
  ) -> LineTime? {
    let start = cursor.at
    if let year = cursor.number(bytes, digits: 4), cursor.at - start == 4, year >= 1970 {
      return dated(bytes, &cursor, year, month, date, nowNs: nowNs)
    }
    cursor.at = start
    guard let clock = cursor.clock(bytes) else { return nil }
    var behind = cursor
    _ = behind.zone(bytes)
    if behind.skips(bytes, UInt8(ascii: " ")), let year = behind.year(bytes), let days = days(year, month, date) {
      let local = Int64(days) * 86_400 + Int64(clock.seconds)
      var time = finish(bytes, local, clock.microseconds, &cursor, nowNs: nowNs)
      time?.end = behind.at
      return time
    }
    return nearest(bytes, &cursor, month, date, clock, nowNs: nowNs)
  }

  /// `1129 01:02:03.456`, `20261129 01:02:03.456` and, before the clock is known, `0000 00:00:1764378123.456`: what follows the letter
  /// of glog, klog and Abseil.
  mutating func glog(_ bytes: Span<UInt8>, _ range: Range<Int>, at: Int, nowNs: Int64) -> LineTime? {
    var cursor = TimeCursor(bytes.count, at, range.upperBound)
    guard let number = cursor.number(bytes, digits: 8) else { return nil }
    let count = cursor.at - at
    guard count == 4 || count == 8, cursor.skips(bytes, UInt8(ascii: " ")) else { return nil }
    if number == 0 {
      guard bytes.holds("00:00:", at: cursor.at) else { return nil }
      cursor.at += 6
      guard let seconds = cursor.number(bytes, digits: 10) else { return nil }
      return epoch(bytes, seconds, &cursor)
    }
    guard let clock = cursor.clock(bytes), clock.hasSeconds else { return nil }
    if count == 8 {
      guard let days = days(number / 10_000, number / 100 % 100, number % 100) else { return nil }
      return finish(bytes, Int64(days) * 86_400 + Int64(clock.seconds), clock.microseconds, &cursor, nowNs: nowNs)
    }
    return nearest(bytes, &cursor, number / 100, number % 100, clock, nowNs: nowNs)
  }

  // MARK: Zones

  private mutating func finish(
    _ bytes: Span<UInt8>, _ local: Int64, _ microseconds: Int, _ cursor: inout TimeCursor, nowNs: Int64
  ) -> LineTime? {
    let offset = cursor.zone(bytes) ?? localOffset(local, nowNs: nowNs)
    return LineTime(timeUs: (local - Int64(offset)) * 1_000_000 + Int64(microseconds), end: cursor.at)
  }

  /// The host's offset at a local time. Where clocks were set back there are two: the later time counts unless it has not come yet. A
  /// time that was skipped is read with the offset before.
  private mutating func localOffset(_ local: Int64, nowNs: Int64) -> Int {
    let number = local / Self.quarterSeconds
    let slot = Int(truncatingIfNeeded: local / 86_400) & 3
    if quarters[slot].number != number { quarters[slot] = quarter(number, local) }
    let quarter = quarters[slot]
    let second = local - Int64(quarter.second)
    return second <= nowNs / 1_000_000_000 + Self.aheadSeconds ? quarter.second : quarter.first
  }

  private func quarter(_ number: Int64, _ local: Int64) -> Quarter {
    // No zone is 15 hours off UTC: one before any change near this time, one after it.
    let (before, after) = (offset(local - 54_000), offset(local + 54_000))
    let isBefore = offset(local - Int64(before)) == before
    let isAfter = offset(local - Int64(after)) == after
    return Quarter(number: number, first: isBefore || !isAfter ? before : after, second: isAfter ? after : before)
  }

  private func offset(_ utcSeconds: Int64) -> Int {
    zone(utcSeconds.multipliedReportingOverflow(by: 1_000_000_000).partialValue)
  }

  private mutating func days(_ year: Int, _ month: Int, _ date: Int) -> Int? {
    let key = (year * 16 + month) * 32 + date
    if key == day.key { return day.days }
    guard (1970..<2262).contains(year), (1...12).contains(month), (1...31).contains(date),
      date <= Calendar.length(year, month)
    else { return nil }
    day = (key, Calendar.days(year, month, date))
    return day.days
  }
}

/// Decimal digits at fixed positions; what is no digit is remembered instead of being tested for each time.
struct FixedDigits {
  private(set) var isBad = false

  @inline(__always) mutating func one(_ bytes: Span<UInt8>, _ at: Int) -> Int {
    let digit = bytes[at] &- 48
    if digit > 9 { isBad = true }
    return Int(digit)
  }

  @inline(__always) mutating func two(_ bytes: Span<UInt8>, _ at: Int) -> Int {
    one(bytes, at) * 10 + one(bytes, at + 1)
  }

  /// `HH:MM:SS` at `at`, as seconds of the day.
  mutating func seconds(_ bytes: Span<UInt8>, _ at: Int) -> Int? {
    let (hour, minute, second) = (two(bytes, at), two(bytes, at + 3), two(bytes, at + 6))
    return hour < 24 && minute < 60 && second <= 60 ? hour * 3600 + minute * 60 + second : nil
  }
}

/// Days since 1970 of the proleptic Gregorian calendar. Source: Hinnant, "chrono-Compatible Low-Level Date Algorithms".
enum Calendar {
  static func days(_ year: Int, _ month: Int, _ date: Int) -> Int {
    let y = month <= 2 ? year - 1 : year
    let era = y / 400
    let ofEra = y - era * 400
    let ofYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + date - 1
    return era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
  }

  /// Days of a month.
  static func length(_ year: Int, _ month: Int) -> Int {
    month == 12 ? 31 : days(year, month + 1, 1) - days(year, month, 1)
  }

  static func year(ofDay day: Int) -> Int {
    var year = 1970 + day / 366
    while days(year + 1, 1, 1) <= day { year += 1 }
    return year
  }
}
