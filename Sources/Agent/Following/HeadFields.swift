internal import FleetModel

/// The level among the fields of a line, whose names and numbers depend on who wrote it.
///
/// - Source: Python's `logging`, structlog, python-json-logger; zap, zerolog, logrus, slog; Bunyan and pino; Elastic Common Schema;
///   GELF 1.1 (severities of syslog); MongoDB "Log Messages" (`s`); Google Cloud's `severity`; Serilog's `@l`; Docker's json-file.
struct HeadFields {
  /// More fields are not looked at.
  static let countMax = 64

  private(set) var count = 0
  private var word = Level.unknown
  private var number: Double?
  private var isBunyan = false
  /// Numbers are syslog's severities.
  private var isSyslog = false
  /// The text of a line that is wrapped in a field, as Docker's json-file and the journal's JSON do.
  private(set) var wrapped: Range<Int>?

  /// It will not change with what follows.
  var isLevelSure: Bool { word != .unknown }

  var level: Level {
    if word != .unknown { return word }
    guard let number else { return .unknown }
    if isSyslog {
      return number == number.rounded() && (0...7).contains(number) ? LineLevel.ofSyslog(Int(number)) : .unknown
    }
    return LineLevel.ofNumber(number, isBunyan: isBunyan)
  }

  mutating func add(_ bytes: Span<UInt8>, _ field: JSONFields.Field) {
    count += 1
    if Self.isLevel(bytes, field.name) {
      if field.name.count == 8, bytes[field.name.lowerBound] | 0x20 == UInt8(ascii: "p") { isSyslog = true }
      addLevel(bytes, field)
      return
    }
    let name = bytes.extracting(field.name)
    switch field.name.count {
    // MongoDB's severity, one letter.
    case 1:
      if word == .unknown, name.holds("s", at: 0), field.isText {
        word = LineLevel.ofLetter(bytes, field.value.lowerBound, field.value.upperBound) ?? .unknown
      }
    // Elastic's {"log": {"level": …}}; loguru's record.
    case 3: if name.holds("log", at: 0) { addNested(bytes, field) }
    case 6: if name.holds("record", at: 0) { addNested(bytes, field) }
    case 8: if name.holds("hostname", at: 0) { isBunyan = true }
    case 13: if name.holds("short_message", at: 0) { isSyslog = true }
    default: break
    }
  }

  private mutating func addNested(_ bytes: Span<UInt8>, _ field: JSONFields.Field) {
    guard let inner = field.inner else {
      if field.isText { wrapped = field.value }
      return
    }
    var walk = JSONFields(inner)
    while word == .unknown, let part = walk.next(bytes) {
      if Self.isLevel(bytes, part.name) { addLevel(bytes, part) }
    }
  }

  private mutating func addLevel(_ bytes: Span<UInt8>, _ field: JSONFields.Field) {
    if let inner = field.inner {
      // loguru: {"name": "ERROR", "no": 40}.
      var walk = JSONFields(inner)
      while word == .unknown, let part = walk.next(bytes) {
        if part.isText { word = LineLevel.ofWord(bytes, part.value) }
      }
      return
    }
    if word == .unknown { word = LineLevel.ofWord(bytes, field.value) }
    if word == .unknown, number == nil {
      let value = JSONFields.number(bytes, field.value)
      if !value.isNaN { number = value }
    }
  }

  // MARK: Names

  private static let levels = FieldNames([
    "level", "lvl", "severity", "loglevel", "levelname", "log.level", "log_level", "@l", "@level", "severity_text",
    "levelno", "priority",
  ])
  private static let times = FieldNames([
    "t", "ts", "@t", "time", "date", "asctime", "created", "datetime", "timestamp", "@timestamp", "eventtime",
    "timemillis", "instant", "_time", "epoch", "time_local",
  ])

  static func isLevel(_ bytes: Span<UInt8>, _ name: Range<Int>) -> Bool { levels.holds(bytes, name) }
  static func isTime(_ bytes: Span<UInt8>, _ name: Range<Int>) -> Bool { times.holds(bytes, name) }
}

/// Names of fields, in any case, each as one number: every field of every line is compared with all of them.
private struct FieldNames {
  private static let bytesMax = 13

  private let names: [UInt128]

  /// - Parameter names: of at most 13 bytes of ASCII, in lower case.
  init(_ names: [String]) { self.names = names.map { Self.number($0.utf8.span) } }

  func holds(_ bytes: Span<UInt8>, _ name: Range<Int>) -> Bool {
    name.count <= Self.bytesMax && names.contains(Self.number(bytes.extracting(name)))
  }

  /// The bytes behind a one, so that one with a zero byte in front is another.
  private static func number(_ bytes: Span<UInt8>) -> UInt128 {
    var number: UInt128 = 1
    for at in bytes.indices {
      number = number << 8 | UInt128(ByteClass.of(bytes[at]) == ByteClass.upper ? bytes[at] | 0x20 : bytes[at])
    }
    return number
  }
}

/// Gives the fields of a line one after the other.
protocol FieldWalk {
  mutating func next(_ bytes: Span<UInt8>) -> JSONFields.Field?
}

/// The fields of a logfmt line, `name=value` and `name="a value"`, in the shape of JSON's.
struct LogfmtFields: FieldWalk {
  private static let nameBytesMax = 24
  /// Level and time stand among the first bytes of such lines.
  private static let bytesMax = 512

  private var at: Int
  private let end: Int

  init(_ range: Range<Int>) {
    at = range.lowerBound
    end = min(range.upperBound, range.lowerBound + Self.bytesMax)
  }

  /// Whether the text starts with a name and `=`.
  func beginsWithField(_ bytes: Span<UInt8>) -> Bool { name(bytes) != nil }

  private func name(_ bytes: Span<UInt8>) -> Range<Int>? {
    var stop = at
    while stop < end, stop - at < Self.nameBytesMax,
      ByteClass.isName(bytes[stop]) || bytes[stop] == UInt8(ascii: ".") || bytes[stop] == UInt8(ascii: "@")
    { stop += 1 }
    return stop > at && stop < end && bytes[stop] == UInt8(ascii: "=") ? at..<stop : nil
  }

  /// Words without a value in between are passed over.
  mutating func next(_ bytes: Span<UInt8>) -> JSONFields.Field? {
    while at < end {
      while at < end, bytes[at] <= UInt8(ascii: " ") || bytes[at] == UInt8(ascii: ",") { at += 1 }
      guard let name = name(bytes) else {
        while at < end, bytes[at] > UInt8(ascii: " ") { at += 1 }
        continue
      }
      at = name.upperBound + 1
      let value = value(bytes)
      return JSONFields.Field(name: name, value: value, isText: true, isObject: false)
    }
    return nil
  }

  private mutating func value(_ bytes: Span<UInt8>) -> Range<Int> {
    let isQuoted = at < end && bytes[at] == UInt8(ascii: "\"")
    let start = isQuoted ? at + 1 : at
    at = start
    while at < end, isQuoted ? bytes[at] != UInt8(ascii: "\"") : bytes[at] > UInt8(ascii: " ") {
      at += isQuoted && bytes[at] == UInt8(ascii: "\\") ? 2 : 1
    }
    let stop = min(at, end)
    at = isQuoted ? min(at + 1, end) : stop
    return start..<stop
  }
}
