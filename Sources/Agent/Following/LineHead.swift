internal import FleetModel

/// What the start of a line tells: when and how grave.
struct LineHead: Equatable {
  /// µs since 1970; nil where the line has no time.
  var timeUs: Int64?
  var level: Level = .unknown
}

/// Reads time and level from lines of Python's logging (`%(asctime)s`, docs.python.org/3/library/logging.html), ISO 8601, RFC 3164 syslog,
/// glog and klog, JSON lines, and from `[2025-…] [INFO]`, `INFO:root:`, `level=info` and the like.
///
/// Where the last line of the file had its time is tried first: a file keeps its pattern.
struct LineHeadParser {
  private let zone: ZoneOffset
  /// Where the last line had its time, from its start.
  private var timeOffset = 0
  private var day = (key: 0, days: 0)
  private var zoneHour = (hour: Int.min, offset: 0)

  init(zone: @escaping ZoneOffset) { self.zone = zone }

  mutating func parse(_ bytes: Span<UInt8>, _ range: Range<Int>, nowNs: Int64) -> LineHead {
    guard let start = firstByte(bytes, range) else { return LineHead() }
    if bytes[start] == UInt8(ascii: "{") {
      if let head = json(bytes, start..<range.upperBound, nowNs: nowNs) { return head }
    }
    if let found = isoTime(bytes, range, at: range.lowerBound + timeOffset) {
      return head(bytes, range, found)
    }
    switch ByteClass.of(bytes[start]) {
    case ByteClass.digit:
      if let found = isoTime(bytes, range, at: start) { return timed(bytes, range, found, at: start) }
    case ByteClass.upper:
      if let head = glog(bytes, start..<range.upperBound, nowNs: nowNs) { return head }
      if let head = syslog(bytes, start..<range.upperBound, nowNs: nowNs) { return head }
      return afterFirstWord(bytes, range, from: start)
    default:
      if bytes[start] == UInt8(ascii: "[") || bytes[start] == UInt8(ascii: "(") {
        if let found = isoTime(bytes, range, at: start + 1) { return timed(bytes, range, found, at: start + 1) }
        return afterFirstWord(bytes, range, from: start)
      }
    }
    return LineHead(timeUs: nil, level: LineLevel.find(bytes, start..<range.upperBound, words: 1))
  }

  /// Leading blanks belong to continuation lines: those have no head.
  private func firstByte(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
    guard !range.isEmpty, bytes[range.lowerBound] > UInt8(ascii: " ") else { return nil }
    return range.lowerBound
  }

  private mutating func timed(_ bytes: Span<UInt8>, _ range: Range<Int>, _ found: (timeUs: Int64, end: Int), at: Int)
    -> LineHead
  {
    timeOffset = at - range.lowerBound
    return head(bytes, range, found)
  }

  private func head(_ bytes: Span<UInt8>, _ range: Range<Int>, _ found: (timeUs: Int64, end: Int)) -> LineHead {
    var level = LineLevel.find(bytes, found.end..<range.upperBound, words: 4)
    if level == .unknown, timeOffset > 1 {
      level = LineLevel.find(bytes, range.lowerBound..<range.lowerBound + timeOffset, words: 2)
    }
    return LineHead(timeUs: found.timeUs, level: level)
  }

  /// `INFO 2025-…`, `[INFO] 2025-…`, `(RolloutWorker pid=1) 2025-…`: the time follows the first blank-separated parts.
  private mutating func afterFirstWord(_ bytes: Span<UInt8>, _ range: Range<Int>, from start: Int) -> LineHead {
    var at = start
    let stop = min(range.upperBound, start + 48)
    while at < stop {
      let byte = bytes[at]
      if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "[") || byte == UInt8(ascii: "\t"), at + 1 < stop,
        ByteClass.of(bytes[at + 1]) == ByteClass.digit, let found = isoTime(bytes, range, at: at + 1)
      {
        return timed(bytes, range, found, at: at + 1)
      }
      at += 1
    }
    return LineHead(timeUs: nil, level: LineLevel.find(bytes, start..<range.upperBound, words: 1))
  }

  // MARK: Times

  /// `YYYY-MM-DD[ T]HH:MM:SS[.,fraction][zone]`, also with slashes. RFC 3339 and Python's `asctime`.
  mutating func isoTime(_ bytes: Span<UInt8>, _ range: Range<Int>, at: Int) -> (timeUs: Int64, end: Int)? {
    guard at + 19 <= range.upperBound, bytes[at + 13] == UInt8(ascii: ":"), bytes[at + 16] == UInt8(ascii: ":") else {
      return nil
    }
    let dash = bytes[at + 4]
    guard dash == UInt8(ascii: "-") || dash == UInt8(ascii: "/"), bytes[at + 7] == dash,
      bytes[at + 10] == UInt8(ascii: " ") || bytes[at + 10] == UInt8(ascii: "T")
    else { return nil }
    var digits = FixedDigits()
    let year = digits.two(bytes, at) * 100 + digits.two(bytes, at + 2)
    let month = digits.two(bytes, at + 5)
    let date = digits.two(bytes, at + 8)
    let second = seconds(bytes, at + 11, &digits)
    guard !digits.isBad, let days = days(year, month, date), let second else { return nil }
    var end = at + 19
    let microseconds = fraction(bytes, range, &end)
    let local = Int64(days) * 86_400 + Int64(second)
    let utc = local - Int64(zoneSeconds(bytes, range, &end) ?? localOffset(local))
    return (utc * 1_000_000 + Int64(microseconds), end)
  }

  private func seconds(_ bytes: Span<UInt8>, _ at: Int, _ digits: inout FixedDigits) -> Int? {
    let (hour, minute, second) = (digits.two(bytes, at), digits.two(bytes, at + 3), digits.two(bytes, at + 6))
    return hour < 24 && minute < 60 && second <= 60 ? hour * 3600 + minute * 60 + second : nil
  }

  /// Up to nine digits behind a point or comma, cut to µs.
  private func fraction(_ bytes: Span<UInt8>, _ range: Range<Int>, _ at: inout Int) -> Int {
    guard at + 1 < range.upperBound, bytes[at] == UInt8(ascii: ",") || bytes[at] == UInt8(ascii: "."),
      ByteClass.of(bytes[at + 1]) == ByteClass.digit
    else { return 0 }
    at += 1
    var (value, scale) = (0, 100_000)
    while at < range.upperBound, bytes[at] &- 48 <= 9 {
      value += Int(bytes[at] &- 48) * scale
      scale /= 10
      at += 1
    }
    return value
  }

  /// `Z`, `+02:00`, `-0700`; nil where the line tells no zone.
  private func zoneSeconds(_ bytes: Span<UInt8>, _ range: Range<Int>, _ at: inout Int) -> Int? {
    guard at < range.upperBound else { return nil }
    if bytes[at] == UInt8(ascii: "Z") {
      at += 1
      return 0
    }
    let start = bytes[at] == UInt8(ascii: " ") && at + 5 < range.upperBound ? at + 1 : at
    let sign = bytes[start]
    guard sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-"), start + 5 <= range.upperBound else { return nil }
    var digits = FixedDigits()
    let hours = digits.two(bytes, start + 1)
    let isSplit = bytes[start + 3] == UInt8(ascii: ":") && start + 6 <= range.upperBound
    let minutes = digits.two(bytes, start + (isSplit ? 4 : 3))
    guard !digits.isBad, hours < 15, minutes < 60 else { return nil }
    at = start + (isSplit ? 6 : 5)
    return (hours * 3600 + minutes * 60) * (sign == UInt8(ascii: "-") ? -1 : 1)
  }

  /// Asked once an hour of log time: time zones change at full hours (or so).
  private mutating func localOffset(_ localSeconds: Int64) -> Int {
    let hour = Int(localSeconds / 3600)
    if zoneHour.hour != hour {
      let first = Int64(zone(clampedNs(localSeconds)))
      zoneHour = (hour, zone(clampedNs(localSeconds - first)))
    }
    return zoneHour.offset
  }

  private func clampedNs(_ seconds: Int64) -> Int64 {
    seconds.multipliedReportingOverflow(by: 1_000_000_000).partialValue
  }

  private mutating func days(_ year: Int, _ month: Int, _ date: Int) -> Int? {
    let key = (year * 16 + month) * 32 + date
    if key == day.key { return day.days }
    guard (1970..<2262).contains(year), (1...12).contains(month), (1...31).contains(date) else { return nil }
    day = (key, Calendar.days(year, month, date))
    return day.days
  }

  // MARK: syslog, glog

  private static let months = Array("JanFebMarAprMayJunJulAugSepOctNovDec".utf8)

  /// `May 14 22:06:26 host program[1]: …`; RFC 3164 4.1.2. It has no year: the one that puts it nearest before now.
  private mutating func syslog(_ bytes: Span<UInt8>, _ range: Range<Int>, nowNs: Int64) -> LineHead? {
    let at = range.lowerBound
    guard range.count >= 15, bytes[at + 3] == UInt8(ascii: " "), bytes[at + 6] == UInt8(ascii: " "),
      let month = (0..<12).first(where: { index in
        (0..<3).allSatisfy { bytes[at + $0] == Self.months[index * 3 + $0] }
      })
    else { return nil }
    var digits = FixedDigits()
    let date = bytes[at + 4] == UInt8(ascii: " ") ? digits.one(bytes, at + 5) : digits.two(bytes, at + 4)
    guard let second = seconds(bytes, at + 7, &digits), !digits.isBad else { return nil }
    guard let local = nearest(month + 1, date, second, nowNs: nowNs) else { return nil }
    let timeUs = (local - Int64(localOffset(local))) * 1_000_000
    return LineHead(timeUs: timeUs, level: LineLevel.find(bytes, at + 15..<range.upperBound, words: 6))
  }

  /// `I0514 22:06:26.210000 12345 file.cc:12] …`; glog "Log line prefix", klog the same.
  private mutating func glog(_ bytes: Span<UInt8>, _ range: Range<Int>, nowNs: Int64) -> LineHead? {
    let at = range.lowerBound
    guard range.count >= 14, bytes[at + 5] == UInt8(ascii: " "), let level = LineLevel.ofLetter(bytes[at]) else {
      return nil
    }
    var digits = FixedDigits()
    let (month, date) = (digits.two(bytes, at + 1), digits.two(bytes, at + 3))
    guard bytes[at + 8] == UInt8(ascii: ":"), let second = seconds(bytes, at + 6, &digits), !digits.isBad,
      let local = nearest(month, date, second, nowNs: nowNs)
    else { return nil }
    var end = at + 14
    let microseconds = fraction(bytes, range, &end)
    return LineHead(timeUs: (local - Int64(localOffset(local))) * 1_000_000 + Int64(microseconds), level: level)
  }

  /// The last such date that is at most a day ahead of now.
  private mutating func nearest(_ month: Int, _ date: Int, _ second: Int, nowNs: Int64) -> Int64? {
    let nowSeconds = nowNs / 1_000_000_000
    let year = Calendar.year(ofDay: Int(nowSeconds / 86_400))
    for candidate in [year + 1, year, year - 1] {
      guard let days = days(candidate, month, date) else { continue }
      let time = Int64(days) * 86_400 + Int64(second)
      if time <= nowSeconds + 2 * 86_400 { return time }
    }
    return nil
  }

  private mutating func json(_ bytes: Span<UInt8>, _ range: Range<Int>, nowNs: Int64) -> LineHead? {
    var head = LineHead()
    var fields = JSONFields(range)
    var seen = 0
    while seen < 64, let field = fields.next(bytes) {
      seen += 1
      if head.level == .unknown, JSONFields.isLevel(bytes, field.name) {
        head.level =
          field.isText
          ? LineLevel.ofWord(bytes, field.value) : LineLevel.ofNumber(JSONFields.number(bytes, field.value))
      } else if head.timeUs == nil, JSONFields.isTime(bytes, field.name) {
        head.timeUs =
          field.isText
          ? isoTime(bytes, field.value, at: field.value.lowerBound)?.timeUs
          : JSONFields.timeUs(JSONFields.number(bytes, field.value))
      }
      if head.level != .unknown, head.timeUs != nil { return head }
    }
    return seen > 0 ? head : nil
  }
}

/// Decimal digits at fixed places; what is no digit is remembered instead of being tested for each time.
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

  static func year(ofDay day: Int) -> Int {
    var year = 1970 + day / 366
    while days(year + 1, 1, 1) <= day { year += 1 }
    return year
  }
}
