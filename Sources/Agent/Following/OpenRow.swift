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
  /// When its last line was read, µs since 1970; 0 where that was before this reader.
  private var readUs: Int64 = 0
  /// It can be made longer; else it has gone with an earlier delta.
  var isInDelta = false
  /// When it was read, more lay behind it already.
  var isFollowed = false

  init() {}

  init(_ bytes: Span<UInt8>, _ text: Range<Int>, start: Int, head: LineHead, blockLines: Int, nowUs: Int64) {
    timeUs = head.timeUs ?? 0
    isTimed = head.timeUs != nil
    level = head.level
    exists = true
    readUs = nowUs
    self.start = start
    blockLinesBefore = blockLines
    isInDelta = true
    lines = 1
    fileBytes = text.count
    if !isTimed, Self.startsTrace(bytes, text) { openTrace() }
  }

  /// A traceback may follow, or go on.
  var mayGrow: Bool { level == .error || trace != .none }

  /// A traceback has begun, and its exception has not come.
  var isUnfinished: Bool { trace == .open || trace == .chained }

  /// It was held back for its end, which comes now that it has gone. What a limit of bytes cut off lay behind it already.
  func wasSentEarly(_ nowUs: Int64) -> Bool { mayGrow && !isFollowed && wasRead(within: LogReader.pauseSpanUs, nowUs) }

  /// What follows the row that has gone starts a new one of the same record.
  mutating func restart(at start: Int, blockLines: Int, nowUs: Int64) {
    self.start = start
    readUs = nowUs
    isFollowed = false
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
  func takes(_ bytes: Span<UInt8>, _ text: Range<Int>, level: Level, nowUs: Int64) -> Bool {
    guard exists, lines < LogReader.linesPerRowMax, fileBytes + text.count < LogReader.lineBytesMax else {
      return false
    }
    let isBlank = text.isEmpty
    let isIndented =
      !isBlank && (bytes[text.lowerBound] == UInt8(ascii: " ") || bytes[text.lowerBound] == UInt8(ascii: "\t"))
    switch trace {
    case .none:
      return Self.startsTrace(bytes, text)
        ? isTimed || self.level == .error
        : isIndented && isTimed && level == .unknown && cameWithIt(nowUs) && !ProgressLine.isOne(bytes, text)
    case .open: return true
    case .closed: return isBlank || isIndented || Self.chains(bytes, text) || isTimed && Self.startsTrace(bytes, text)
    case .chained: return isBlank || Self.startsTrace(bytes, text)
    }
  }

  /// Read at once, or within the time that one record takes.
  private func cameWithIt(_ nowUs: Int64) -> Bool {
    isInDelta || isFollowed || wasRead(within: LogReader.recordSpanUs, nowUs)
  }

  private func wasRead(within spanUs: Int64, _ nowUs: Int64) -> Bool {
    let (sinceUs, isOver) = nowUs.subtractingReportingOverflow(readUs)
    return !isOver && (0...spanUs).contains(sinceUs)
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

/// Lines that show how far a program has come: indented by many, and no part of the record above them even where both are read at once,
/// as in a backlog. Megatron's ` iteration 10/ 129 |`, tqdm's `  3%|▍  | 3/10 [`, Keras's ` 10/100 [==>…]`.
enum ProgressLine {
  private static let bytesMax = 64

  static func isOne(_ bytes: Span<UInt8>, _ text: Range<Int>) -> Bool {
    var at = text.lowerBound
    let end = min(text.upperBound, at + bytesMax)
    while at < end, bytes[at] == UInt8(ascii: " ") || bytes[at] == UInt8(ascii: "\t") { at += 1 }
    for word in ["iteration ", "Iteration ", "step ", "Step ", "epoch ", "Epoch "] where bytes.holds(word, at: at) {
      at += word.utf8.count
      while at < end, bytes[at] == UInt8(ascii: " ") { at += 1 }
      return at < end && bytes[at] &- 48 <= 9
    }
    let start = at
    while at < end, bytes[at] &- 48 <= 9 { at += 1 }
    guard at > start, at < end else { return false }
    if bytes.holds("%|", at: at) { return true }
    guard bytes[at] == UInt8(ascii: "/") else { return false }
    at += 1
    while at < end, bytes[at] &- 48 <= 9 { at += 1 }
    return bytes.holds(" [", at: at) || bytes.holds(" \u{1b}[", at: at) || bytes.holds(" ━", at: at)
  }
}
