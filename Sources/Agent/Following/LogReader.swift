internal import Files
package import FleetModel

/// Splits a log into lines with time and level, joins tracebacks to their record, repairs and redacts: the reader of every
/// file that no other format claims.
///
/// A line of the file is a row, but for a traceback and for what is indented under a timed line and came with it: those go to the row
/// before. An indented line that came later, such as an iteration's figures, is a row of its own, at the time when it came.
/// The last row of what there is to read is held back where a traceback may still follow it (`isFinal` ends that). What came
/// too late for its record is a row of its own, marked `joined` and `continuation`, with that record's time and level.
///
/// Cost: about 120–240 ns for a line of 120 bytes, 400 where it has many `=`; no allocation but for the delta's own arrays.
package struct LogReader: FormatReader {
  /// A longer line keeps its first 64 KiB; also the limit of a row joined from several.
  package static let lineBytesMax = 64 << 10
  /// A longer word is cut all the same: what is left of a secret of that length is known by its shape.
  static let cutWordBytesMax = 4096
  /// A row of more lines than this starts anew: a traceback of a deep recursion has some thousand.
  static let linesPerRowMax = 2000
  /// What a program prints as one record comes within this time, though perhaps not in one write.
  static let recordSpanUs: Int64 = 1_000_000
  /// A continuation that comes so soon after its record was sent shows that its writer pauses within records.
  static let pauseSpanUs: Int64 = 100_000
  /// A PEM block has some dozen lines; what goes on for longer is none.
  static let blockLinesMax = 400

  let redactor: Redactor
  var parser: LineHeadParser
  var scan = LineScan()
  /// The row that the next line may belong to, and how it was before that row began.
  var row = OpenRow()
  var rowBefore = OpenRow()
  /// The line has no start here: its first part was sent.
  var isContinuing = false
  /// Bytes of the line that were sent, as far as its limit is concerned.
  var lineBytesTaken = 0
  /// Lines of a PEM block so far; 0 outside of one.
  var blockLines = 0
  /// The record held back is known not to be whole, or may not be, by what its writer did before.
  package private(set) var expectsMore = false
  /// What training programs print among their lines.
  private var printed: PrintedMetrics
  /// What stood before each line of the last row that held such numbers: that row may be given back.
  private var undo: [Undo] = []

  private struct Undo {
    /// Where the line starts.
    var at: Int
    var steps: Int
    var runs: Int
    var printed: PrintedMetrics
  }

  /// What a row of printed numbers counts of a budget, in bytes.
  private static let rowBytes = 256
  /// A record of this writer was sent before its end had come. A wait that was too short once is so again.
  private var isPausing = false
  /// Where the bytes that are being read begin in the file.
  private(set) var base: UInt64 = 0
  /// When what is being read is read, µs since 1970.
  private var nowUs: Int64 = 0

  /// - Parameter declared: patterns of the host's owner for rows among the lines.
  /// - Parameter source: what printed numbers are a run of, where that is not the file's path.
  package init(
    _ context: ReaderContext, redactor: Redactor, zone: @escaping ZoneOffset, source: String? = nil,
    declared: MatchedMetrics = MatchedMetrics()
  ) {
    self.redactor = redactor
    printed = PrintedMetrics(path: source ?? context.file.path, declared: declared)
    parser = LineHeadParser(zone: zone)
    let before = context.offset == 0 ? context.predecessorTail : context.preceding
    if !before.isEmpty {
      restore(from: before, isWhole: context.offset == UInt64(before.count) || context.offset == 0, context)
    }
  }

  /// Reads what was sent before once more, for nothing but the state that it leaves.
  private mutating func restore(from before: [UInt8], isWhole: Bool, _ context: ReaderContext) {
    let lastBreak = before.lastIndex { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
    let firstLine = isWhole ? 0 : (before.firstIndex(of: UInt8(ascii: "\n")) ?? before.count - 1) + 1
    var reader = self.unredacted()
    var delta = FileDelta(file: context.file, from: 0, to: 0)
    _ = reader.read(
      before.span.extracting(firstLine..<before.count), at: 0, isFinal: true, nowNs: 0, budget: .max, into: &delta)
    row = reader.row
    row.isInDelta = false
    printed = reader.printed.handedOver()
    blockLines = reader.blockLines
    // A hole belongs to no line.
    let end = (before.lastIndex { $0 != 0 } ?? -1) + 1
    guard context.offset > 0, end > 0, before[end - 1] != UInt8(ascii: "\n") else { return }
    isContinuing = true
    lineBytesTaken = max(0, end - 1 - (lastBreak ?? -1))
  }

  private func unredacted() -> LogReader {
    LogReader(copying: self, redactor: Redactor())
  }

  private init(copying other: LogReader, redactor: Redactor) {
    self.redactor = redactor
    parser = other.parser
    printed = other.printed
  }

  package mutating func read(
    _ bytes: Span<UInt8>, at offset: UInt64, isFinal: Bool, nowNs: Int64, budget: Int, into delta: inout FileDelta
  ) -> Int {
    scan.scan(bytes)
    nowUs = nowNs / 1000
    base = offset
    expectsMore = false
    row.isInDelta = false
    let first = (text: delta.lines.text.count, rows: delta.lines.count, steps: delta.steps.count)
    if !undo.isEmpty { undo.removeAll() }
    if first.rows == 0 { delta.lines.firstOffset = offset }
    var at = 0
    var isWithinBudget = true
    while at < bytes.count, isWithinBudget {
      if let newline = scan.first(.newline, in: at..<bytes.count) {
        line(bytes, at..<newline, next: newline + 1, nowNs: nowNs, into: &delta)
        at = newline + 1
      } else if bytes[at] == 0 {
        let end = Self.holeEnd(bytes, at..<bytes.count)
        skip(end - at, into: &delta)
        at = end
      } else if bytes.count - at + lineBytesTaken >= Self.lineBytesMax {
        at = longLine(bytes, from: at, nowNs: nowNs, into: &delta)
      } else {
        break
      }
      let spent = delta.lines.text.count - first.text + (delta.steps.count - first.steps) * Self.rowBytes
      isWithinBudget = spent < budget
    }
    // Of what is left over, it is known that it came with the row before it.
    row.isFollowed = at < bytes.count
    if isFinal, isWithinBudget, at < bytes.count { at = partialLine(bytes, from: at, nowNs: nowNs, into: &delta) }
    if !isFinal, let start = heldStart(delta, first.rows, isWithinBudget) { at = giveBack(to: start, into: &delta) }
    return at
  }

  // MARK: Holding back

  /// Start of the last row where its record may not be whole yet.
  private mutating func heldStart(_ delta: FileDelta, _ firstRow: Int, _ isWithinBudget: Bool) -> Int? {
    guard row.isInDelta, row.mayGrow, !isContinuing, row.fileBytes < Self.lineBytesMax else { return nil }
    // A row that alone is over the budget would be held for ever.
    guard isWithinBudget || delta.lines.count > firstRow + 1 else { return nil }
    expectsMore = isPausing || row.isUnfinished
    return row.start
  }

  private mutating func giveBack(to start: Int, into delta: inout FileDelta) -> Int {
    delta.lines.text.removeLast(Int(delta.lines.lengths.removeLast()))
    delta.lines.advances.removeLast()
    delta.lines.timesUs.removeLast()
    delta.lines.levels.removeLast()
    delta.lines.flags.removeLast()
    if let before = undo.first(where: { $0.at >= start }) {
      delta.steps.removeLast(delta.steps.count - before.steps)
      delta.runs.removeLast(delta.runs.count - before.runs)
      printed = before.printed
    }
    blockLines = row.blockLinesBefore
    row = rowBefore
    row.isInDelta = false
    row.isFollowed = true
    return start
  }

  // MARK: Lines

  /// One line that ends with a newline: `range` without it, `next` behind it.
  private mutating func line(
    _ bytes: Span<UInt8>, _ range: Range<Int>, next: Int, nowNs: Int64, into delta: inout FileDelta
  ) {
    defer {
      isContinuing = false
      lineBytesTaken = 0
    }
    var text = range
    var flags = LineFlags.none
    let isOdd = scan.first(.odd, in: range) != nil
    if isOdd { text = shown(bytes, range, nowNs: nowNs, &flags) }
    if isContinuing, !beginsRecord(bytes, text, flags, nowNs: nowNs) {
      continuation(bytes, text, from: range.lowerBound, next: next, flags, isOdd, into: &delta)
      return
    }
    text = capped(bytes, text, limit: Self.lineBytesMax, &flags)
    var head = parser.parse(bytes, text, nowNs: nowNs, isOdd: isOdd)
    if isRewritten(flags) { complete(&head, bytes, range.lowerBound..<text.lowerBound, nowNs: nowNs) }
    if head.timeUs == nil, row.takes(bytes, text, level: head.level, nowUs: nowUs) {
      join(bytes, text, from: range.lowerBound, next: next, flags, isOdd, into: &delta)
    } else {
      if !undo.isEmpty { undo.removeAll() }
      append(bytes, text, from: range.lowerBound, next: next, head, flags, isOdd, nowNs: nowNs, into: &delta)
    }
    if printed.hasDeclared {
      let before = Undo(
        at: range.lowerBound, steps: delta.steps.count, runs: delta.runs.count, printed: printed)
      if printed.takeDeclared(bytes, text, timeNs: head.timeUs.map { $0 * 1000 } ?? nowNs, into: &delta) {
        undo.append(before)
        return
      }
    }
    if let shape = PrintedMetrics.shape(bytes, text, isTimed: head.timeUs != nil, scan) {
      takeNumbers(bytes, text, shape, timeNs: head.timeUs.map { $0 * 1000 } ?? nowNs, at: range.lowerBound, &delta)
    }
  }

  @inline(never) private mutating func takeNumbers(
    _ bytes: Span<UInt8>, _ text: Range<Int>, _ shape: PrintedMetrics.Shape, timeNs: Int64, at start: Int,
    _ delta: inout FileDelta
  ) {
    undo.append(Undo(at: start, steps: delta.steps.count, runs: delta.runs.count, printed: printed))
    printed.take(bytes, text, shape, timeNs: timeNs, into: &delta)
  }

  package var hasOpenRun: Bool { printed.isOpen }

  package mutating func finish(nowNs: Int64, into delta: inout FileDelta) { printed.finish(nowNs: nowNs, into: &delta) }

  private mutating func append(
    _ bytes: Span<UInt8>, _ text: Range<Int>, from: Int, next: Int, _ head: LineHead, _ flags: LineFlags, _ isOdd: Bool,
    nowNs: Int64, into delta: inout FileDelta
  ) {
    rowBefore = row
    row = OpenRow(bytes, text, start: from, head: head, blockLines: blockLines, nowUs: nowUs)
    var flags = flags
    if head.timeUs != nil { flags.add(.timed) }
    appendRow(bytes, text, advance: next - from, head.timeUs ?? nowNs / 1000, row.level, flags, isOdd, into: &delta)
  }

  /// A line of the row before it; a row of its own where that one is in a delta already gone.
  private mutating func join(
    _ bytes: Span<UInt8>, _ text: Range<Int>, from: Int, next: Int, _ flags: LineFlags, _ isOdd: Bool,
    into delta: inout FileDelta
  ) {
    guard row.isInDelta else {
      if row.wasSentEarly(nowUs) { isPausing = true }
      rowBefore = row
      row.restart(at: from, blockLines: blockLines, nowUs: nowUs)
      row.add(bytes, text, fileBytes: next - from)
      var flags = flags.with(.joined).with(.continuation)
      if row.isTimed { flags.add(.timed) }
      appendRow(
        bytes, text, advance: next - from, row.isTimed ? row.timeUs : nowUs, row.level, flags, isOdd, into: &delta)
      return
    }
    row.add(bytes, text, fileBytes: next - from)
    let last = delta.lines.count - 1
    let before = delta.lines.text.count
    delta.lines.text.append(UInt8(ascii: "\n"))
    let found = appendText(bytes, text, isOdd, into: &delta.lines.text)
    delta.lines.lengths[last] += UInt32(delta.lines.text.count - before)
    delta.lines.advances[last] += UInt32(next - from)
    delta.lines.flags[last] |= flags.with(found).with(.joined).rawValue
    delta.lines.levels[last] = row.level.rawValue
  }

  /// The rest of a line whose first part was sent, or of one that is too long.
  private mutating func continuation(
    _ bytes: Span<UInt8>, _ text: Range<Int>, from: Int, next: Int, _ flags: LineFlags, _ isOdd: Bool,
    into delta: inout FileDelta
  ) {
    let left = Self.lineBytesMax - lineBytesTaken
    if text.isEmpty || left <= 0 { return skip(next - from, into: &delta) }
    var flags = flags.with(.continuation)
    let text = capped(bytes, text, limit: left, &flags)
    if row.isTimed { flags.add(.timed) }
    row.isInDelta = false
    appendRow(
      bytes, text, advance: next - from, row.isTimed ? row.timeUs : nowUs, row.level, flags, isOdd, into: &delta)
  }

  /// Bytes that no row shows: they count to the row before them, or lie before the first.
  private func skip(_ count: Int, into delta: inout FileDelta) {
    if delta.lines.isEmpty {
      delta.lines.firstOffset += UInt64(count)
    } else {
      delta.lines.advances[delta.lines.count - 1] += UInt32(count)
    }
  }

  /// No newline within the limit: a progress bar goes on from its last state, all else is cut.
  private mutating func longLine(_ bytes: Span<UInt8>, from: Int, nowNs: Int64, into delta: inout FileDelta) -> Int {
    let lastReturn = (from..<bytes.count).last { bytes[$0] == UInt8(ascii: "\r") }
    if let lastReturn, lastReturn + 1 < bytes.count {
      openEnded(bytes, from..<lastReturn + 1, nowNs: nowNs, flags: .partial, into: &delta)
      return lastReturn + 1
    }
    openEnded(bytes, from..<bytes.count, nowNs: nowNs, flags: .none, into: &delta)
    return bytes.count
  }

  /// What there is of a line that waited long enough for its newline; never less than a whole character.
  private mutating func partialLine(_ bytes: Span<UInt8>, from: Int, nowNs: Int64, into delta: inout FileDelta) -> Int {
    var end = bytes.count - UTF8Text.unfinishedSuffix(bytes, from..<bytes.count)
    if end > from + 1, bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
    if end == from { end = bytes.count }
    openEnded(bytes, from..<end, nowNs: nowNs, flags: .partial, into: &delta)
    return end
  }

  /// A part of a line without its end.
  private mutating func openEnded(
    _ bytes: Span<UInt8>, _ range: Range<Int>, nowNs: Int64, flags: LineFlags, into delta: inout FileDelta
  ) {
    var flags = flags
    let isOdd = scan.first(.odd, in: range) != nil
    let text = isOdd ? shown(bytes, range, nowNs: nowNs, &flags) : range
    let taken = lineBytesTaken
    if isContinuing, !beginsRecord(bytes, text, flags, nowNs: nowNs) {
      continuation(bytes, text, from: range.lowerBound, next: range.upperBound, flags, isOdd, into: &delta)
    } else {
      let text = capped(bytes, text, limit: Self.lineBytesMax, &flags)
      var head = parser.parse(bytes, text, nowNs: nowNs, isOdd: isOdd)
      if isRewritten(flags) { complete(&head, bytes, range.lowerBound..<text.lowerBound, nowNs: nowNs) }
      append(
        bytes, text, from: range.lowerBound, next: range.upperBound, head, flags, isOdd, nowNs: nowNs, into: &delta)
    }
    row.isInDelta = false
    isContinuing = true
    let isReturn = bytes[range.upperBound - 1] == UInt8(ascii: "\r")
    let state = lastBreak(bytes, range)
    lineBytesTaken = isReturn ? 0 : state.map { range.upperBound - 1 - $0 } ?? taken + range.count
  }

  private func lastBreak(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
    scan.first(.odd, in: range) == nil ? nil : range.last { bytes[$0] == UInt8(ascii: "\r") }
  }
}
