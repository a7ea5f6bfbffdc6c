internal import FleetModel
internal import Postgres

/// Log lines as COPY rows: no string, no allocation a line.
enum LogRows {
  static let columns = "time, received, host, file_offset, file, level, flags, message, template"

  /// Fields before the text: 2 + 3 × 12 (times, offset) + 2 × 8 (host, file) + 2 × 6 (level, flags) + 4 (length), and 12 (template).
  private static let fixedBytes = 82

  static func tableName(_ level: UInt8) -> String {
    switch level {
    case 4: "log_error"
    case 3: "log_warn"
    case 1: "log_debug"
    default: "log_info"
    }
  }

  /// Appends all lines of a delta, each to the table of its level, and counts them.
  static func append(_ lines: borrowing LogLines, file: Int32, _ arrival: Arrival, to rows: inout RowBuffers) {
    let text = lines.text.span
    // One pass over the whole text spares a check of each line, nearly always.
    let isPlain = TextCheck.isPlain(text)
    var counts = HourCounts(host: arrival.host, file: file)
    var start = 0
    var offset = lines.firstOffset
    let count = min(
      lines.lengths.count, lines.advances.count, lines.timesUs.count, min(lines.levels.count, lines.flags.count))
    for index in 0..<count {
      let end = start + Int(lines.lengths[index])
      // The decoder has checked the lengths; a line past the text would be its mistake, not a reason to stop.
      guard end <= text.count else { break }
      let level = lines.levels[index]
      var time = lines.timesUs[index]
      if !arrival.isAccepted(time) {
        rows.note(time, tableName(level), arrival)
        time = arrival.receivedUs
      }
      let line = Line(
        timeUs: time, offset: Int64(truncatingIfNeeded: offset), file: file, level: level, flags: lines.flags[index])
      let message = text.extracting(start..<end)
      switch level {
      case 4: append(line, message, isPlain, arrival, to: &rows.logError)
      case 3: append(line, message, isPlain, arrival, to: &rows.logWarn)
      case 1: append(line, message, isPlain, arrival, to: &rows.logDebug)
      default: append(line, message, isPlain, arrival, to: &rows.logInfo)
      }
      counts.add(timeUs: time, level: level, bytes: end - start, to: &rows)
      start = end
      offset &+= UInt64(lines.advances[index])
    }
    counts.flush(to: &rows)
  }

  private struct Line {
    let timeUs: Int64
    let offset: Int64
    let file: Int32
    let level: UInt8
    let flags: UInt8
  }

  @inline(__always)
  private static func append(
    _ line: Line, _ message: Span<UInt8>, _ isPlain: Bool, _ arrival: Arrival, to rows: inout CopyBuffer
  ) {
    rows.reserve(fixedBytes + message.count)
    rows.beginRow(columns: 9)
    rows.put(timeUs: line.timeUs)
    rows.put(timeUs: arrival.receivedUs)
    rows.put(arrival.host)
    rows.put(line.offset)
    rows.put(line.file)
    rows.put(Int16(line.level <= 4 ? line.level : 0))
    if isPlain {
      rows.put(Int16(line.flags))
      rows.put(plainText: message)
      rows.put(template(message))
    } else {
      appendChecked(line.flags, message, to: &rows)
    }
  }

  /// The agent has repaired its text already; this one came another way.
  private static func appendChecked(_ flags: UInt8, _ message: Span<UInt8>, to rows: inout CopyBuffer) {
    if TextCheck.isPlain(message) || TextCheck.isValid(message) {
      rows.put(Int16(flags))
      rows.put(plainText: message)
      rows.put(template(message))
    } else {
      rows.put(Int16(flags | LineFlags.repaired.rawValue))
      rows.put(text: message)
      // That of the repaired text, which the questions make.
      rows.putNull()
    }
  }

  /// The question for templates of a million lines groups them by this: their texts are not folded while a person waits.
  @inline(__always)
  private static func template(_ message: Span<UInt8>) -> Int64 {
    Int64(bitPattern: LogTemplate.hash(of: message))
  }
}

/// Lines of one file per hour and level; neighbouring lines nearly always share their hour.
private struct HourCounts {
  static let hourUs: Int64 = 3_600_000_000
  let host: Int32
  let file: Int32
  /// The difference of any time to this one is an hour or more, without overflow.
  var startUs = Int64.max
  var unknown = LogCount()
  var debug = LogCount()
  var info = LogCount()
  var warn = LogCount()
  var error = LogCount()

  init(host: Int32, file: Int32) {
    self.host = host
    self.file = file
  }

  @inline(__always)
  mutating func add(timeUs: Int64, level: UInt8, bytes: Int, to rows: inout RowBuffers) {
    if timeUs < startUs || timeUs &- startUs >= Self.hourUs {
      flush(to: &rows)
      startUs = timeUs - ((timeUs % Self.hourUs) + Self.hourUs) % Self.hourUs
    }
    switch level {
    case 4: error.add(bytes)
    case 3: warn.add(bytes)
    case 2: info.add(bytes)
    case 1: debug.add(bytes)
    default: unknown.add(bytes)
    }
  }

  mutating func flush(to rows: inout RowBuffers) {
    flush(&unknown, 0, &rows)
    flush(&debug, 1, &rows)
    flush(&info, 2, &rows)
    flush(&warn, 3, &rows)
    flush(&error, 4, &rows)
  }

  private func flush(_ count: inout LogCount, _ level: UInt8, _ rows: inout RowBuffers) {
    guard count.lines > 0 else { return }
    let key = LogCountKey(hourUs: startUs, host: host, file: file, level: level)
    rows.counts[key, default: LogCount()].add(count)
    count = LogCount()
  }
}

extension LogCount {
  @inline(__always)
  mutating func add(_ lineBytes: Int) {
    lines &+= 1
    bytes &+= Int64(lineBytes)
  }

  mutating func add(_ other: LogCount) {
    lines &+= other.lines
    bytes &+= other.bytes
  }
}
