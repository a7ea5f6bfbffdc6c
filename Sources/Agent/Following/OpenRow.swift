internal import FleetModel

/// The last row, as far as it matters for the lines behind it: Python's tracebacks (library traceback, "Traceback (most recent call last):"),
/// and what is indented under a timed line.
struct OpenRow {
  private enum Trace {
    case none
    /// Behind "Traceback …", before the line with the exception.
    case open
    case closed
    /// Behind "During handling of the above exception …": another traceback follows.
    case chained
  }

  private(set) var timeUs: Int64 = 0
  private(set) var level: Level = .unknown
  private(set) var isTimed = false
  private var exists = false
  private var trace = Trace.none
  private(set) var lines = 0
  private(set) var fileBytes = 0
  /// Where the row starts in the bytes being read.
  private(set) var start = 0
  private(set) var blockLinesBefore = 0
  /// It can be made longer; else it has gone with an earlier delta.
  var isInDelta = false

  init() {}

  init(_ bytes: Span<UInt8>, _ text: Range<Int>, start: Int, head: LineHead, blockLines: Int) {
    timeUs = head.timeUs ?? 0
    isTimed = head.timeUs != nil
    level = head.level
    exists = true
    self.start = start
    blockLinesBefore = blockLines
    isInDelta = true
    lines = 1
    fileBytes = text.count
    if !isTimed, Self.startsTrace(bytes, text) { openTrace() }
  }

  /// A traceback may follow, or go on.
  var mayGrow: Bool { level == .error || trace != .none }

  /// What follows the row that has gone starts a new one of the same record.
  mutating func restart(at start: Int, blockLines: Int) {
    self.start = start
    blockLinesBefore = blockLines
    lines = 0
    fileBytes = 0
    isInDelta = true
  }

  private mutating func openTrace() {
    trace = .open
    level = .error
  }

  /// Whether an untimed line belongs to this row.
  func takes(_ bytes: Span<UInt8>, _ text: Range<Int>) -> Bool {
    guard exists, lines < LogReader.linesPerRowMax, fileBytes + text.count < LogReader.lineBytesMax else {
      return false
    }
    let isBlank = text.isEmpty
    let isIndented =
      !isBlank && (bytes[text.lowerBound] == UInt8(ascii: " ") || bytes[text.lowerBound] == UInt8(ascii: "\t"))
    switch trace {
    case .none: return Self.startsTrace(bytes, text) ? isTimed || level == .error : isIndented && isTimed
    case .open: return true
    case .closed: return isBlank || isIndented || Self.chains(bytes, text) || isTimed && Self.startsTrace(bytes, text)
    case .chained: return isBlank || Self.startsTrace(bytes, text)
    }
  }

  mutating func add(_ bytes: Span<UInt8>, _ text: Range<Int>, fileBytes added: Int) {
    lines += 1
    fileBytes += added
    guard !text.isEmpty else { return }
    let isIndented = bytes[text.lowerBound] == UInt8(ascii: " ") || bytes[text.lowerBound] == UInt8(ascii: "\t")
    if Self.startsTrace(bytes, text) {
      openTrace()
    } else if trace == .closed, Self.chains(bytes, text) {
      trace = .chained
    } else if trace == .open, !isIndented {
      trace = .closed
    }
  }

  private static func startsTrace(_ bytes: Span<UInt8>, _ text: Range<Int>) -> Bool {
    text.count >= 34 && bytes[text.lowerBound] == UInt8(ascii: "T")
      && bytes.holds("Traceback (most recent call last):", at: text.lowerBound)
  }

  private static func chains(_ bytes: Span<UInt8>, _ text: Range<Int>) -> Bool {
    bytes.holds("During handling of the above exception", at: text.lowerBound)
      || bytes.holds("The above exception was the direct cause", at: text.lowerBound)
  }
}
