internal import Files
internal import FleetModel

/// Reads what `journalctl -o json` printed: an entry a line becomes a row.
///
/// - Source: systemd.journal-fields(7); "Journal JSON Format" (systemd.io/JOURNAL_EXPORT_FORMATS): numbers are texts, a field that
///   is no UTF-8 is an array of numbers, one that occurs several times an array of its values, one that is too long null.
struct JournalReader: FormatReader {
  private let redactor: Redactor
  /// Rows of the whole journal begin with who wrote them.
  private let namesUnits: Bool
  private var cutter: LineCutter
  private var heads: LineHeadParser

  init(_ context: ReaderContext, redactor: Redactor, zone: @escaping ZoneOffset, namesUnits: Bool) {
    self.redactor = redactor
    self.namesUnits = namesUnits
    cutter = LineCutter(context)
    heads = LineHeadParser(zone: zone)
  }

  var waitsForNewline: Bool { true }
  var lineBytesMax: Int { TrainingLimits.lineBytesMax }

  mutating func read(
    _ bytes: Span<UInt8>, at offset: UInt64, isFinal: Bool, nowNs: Int64, budget: Int, into delta: inout FileDelta
  ) -> Int {
    if delta.lines.isEmpty { delta.lines.firstOffset = offset }
    var position = 0
    let first = delta.lines.text.count
    while delta.lines.text.count - first < budget {
      let start = position
      guard let line = cutter.next(bytes, &position, takesPartial: isFinal) else { break }
      var entry = JournalEntry(bytes, line.content)
      if line.kind != .whole || !entry.isWhole {
        entry = JournalEntry(raw: bytes, line.content)
        entry.flags.insert(.malformed)
      }
      append(entry, advance: position - start, nowNs: nowNs, to: &delta.lines)
    }
    return position
  }

  private mutating func append(_ entry: JournalEntry, advance: Int, nowNs: Int64, to lines: inout LogLines) {
    var flags = entry.flags
    var level = entry.level
    let message = entry.message.span
    // What a service prints has the priority "info", whatever level it writes itself.
    if entry.priority == nil || entry.priority == 6 {
      let stated = heads.parse(message, 0..<message.count, nowNs: nowNs).level
      if stated != .unknown { level = stated }
    }
    var text: [UInt8] = []
    if namesUnits, !entry.source.isEmpty { text = entry.source + Array(": ".utf8) }
    if UTF8Text.isClean(message, 0..<message.count) {
      text.append(contentsOf: entry.message)
    } else {
      flags.insert(.repaired)
      if !UTF8Text.appendRepaired(message, 0..<message.count, limit: JournalEntry.messageBytesMax, to: &text) {
        flags.insert(.truncated)
      }
    }
    if text.count > LogReader.lineBytesMax { flags.insert(.truncated) }
    if redactor.redact(&text, keeping: LogReader.lineBytesMax).count > 0 { flags.insert(.redacted) }
    if entry.timeUs != nil { flags.insert(.timed) }
    if entry.message.contains(UInt8(ascii: "\n")) { flags.insert(.joined) }
    lines.text += text
    lines.lengths.append(UInt32(text.count))
    lines.advances.append(UInt32(clamping: advance))
    lines.timesUs.append(entry.timeUs ?? nowNs / 1000)
    lines.levels.append(level.rawValue)
    lines.flags.append(flags.rawValue)
  }
}

/// The fields of one entry that are reported.
struct JournalEntry {
  /// Of a message; the row keeps `LogReader.lineBytesMax` of it.
  static let messageBytesMax = 256 << 10

  var message: [UInt8] = []
  /// `_SYSTEMD_UNIT`, else `SYSLOG_IDENTIFIER`.
  var source: [UInt8] = []
  /// syslog(3): 0 emergency … 7 debug.
  var priority: Int?
  var timeUs: Int64?
  /// Where `--after-cursor` goes on.
  var cursor = ""
  var flags = LineFlags(rawValue: 0)
  private(set) var isWhole = false

  init(raw bytes: Span<UInt8>, _ range: Range<Int>) {
    message.append(bytes, range.prefix(TrainingLimits.malformedBytesMax))
  }

  init(_ bytes: Span<UInt8>, _ range: Range<Int>) {
    var scanner = JSONScanner(range)
    guard scanner.next(bytes) == .objectStart else { return }
    var identifier: [UInt8] = []
    while case .key(let key)? = scanner.next(bytes) {
      if JSONScanner.matches(bytes, key, "MESSAGE") {
        message = Self.value(bytes, &scanner, &flags)
      } else if JSONScanner.matches(bytes, key, "PRIORITY") {
        priority = Int(Self.text(bytes, &scanner))
      } else if JSONScanner.matches(bytes, key, "__REALTIME_TIMESTAMP") {
        timeUs = Int64(Self.text(bytes, &scanner))
      } else if JSONScanner.matches(bytes, key, "__CURSOR") {
        cursor = Self.text(bytes, &scanner)
      } else if JSONScanner.matches(bytes, key, "_SYSTEMD_UNIT") {
        source = Self.value(bytes, &scanner, &flags)
      } else if JSONScanner.matches(bytes, key, "SYSLOG_IDENTIFIER") {
        identifier = Self.value(bytes, &scanner, &flags)
      } else {
        scanner.skip(bytes)
      }
    }
    if source.isEmpty { source = identifier }
    source = Array(source.prefix(200))
    isWhole = scanner.isComplete && !cursor.isEmpty
  }

  var level: Level {
    switch priority {
    case nil: .unknown
    case .some(0...3): .error
    case .some(4): .warn
    case .some(5...6): .info
    default: .debug
    }
  }

  private static func text(_ bytes: Span<UInt8>, _ scanner: inout JSONScanner) -> String {
    var flags = LineFlags(rawValue: 0)
    return String(decoding: value(bytes, &scanner, &flags), as: UTF8.self)
  }

  /// A text; the bytes of an array of numbers; the texts of an array, a line each.
  private static func value(_ bytes: Span<UInt8>, _ scanner: inout JSONScanner, _ flags: inout LineFlags) -> [UInt8] {
    let limit = messageBytesMax
    var value: [UInt8] = []
    let depth = scanner.depth
    while let token = scanner.next(bytes) {
      switch token {
      case .string(let range):
        if !value.isEmpty { value.append(UInt8(ascii: "\n")) }
        value += JSONScanner.text(bytes, range, bytesMax: limit - min(limit, value.count))
      case .number(let range):
        if value.count < limit, let byte = UInt8(exactly: DecimalNumber.parse(bytes, range) ?? -1) {
          value.append(byte)
        }
      case .null: flags.insert(.truncated)
      default: break
      }
      if scanner.depth <= depth { break }
    }
    if value.count >= limit { flags.insert(.truncated) }
    return value
  }
}
