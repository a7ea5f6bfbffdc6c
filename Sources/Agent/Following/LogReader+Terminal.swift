internal import Files
internal import FleetModel

/// A line that its program writes over, as a progress bar does: what a terminal shows of it last is the record's text, and what the record
/// began with says when it was written and how grave it is.
///
/// Writers: tqdm (a carriage return before each state, and the next line of another writer directly behind the bar), Keras, pip and rich
/// (`ESC [2K`, `ESC [1A`). Source of the control sequences: ECMA-48 8.3, console_codes(4).
extension LogReader {
  /// States before the last one that are looked through for a time, beside the first.
  private static let statesMax = 16
  /// How far into a state its bar is looked for.
  private static let barBytesMax = 256
  /// Brackets that may end a bar: those of its postfix (`loss=[1, 2]`) as well.
  private static let barEndsMax = 8

  /// What of the line's bytes is its text: the last state that shows anything, without what is no text before it.
  @inline(never) mutating func shown(
    _ bytes: Span<UInt8>, _ range: Range<Int>, nowNs: Int64, _ flags: inout LineFlags
  ) -> Range<Int> {
    let state = lastState(bytes, range, &flags)
    let text = withoutMark(bytes, withoutHole(bytes, state))
    guard let start = behindBar(bytes, text, nowNs: nowNs) else { return text }
    flags.add(.joined)
    return start..<text.upperBound
  }

  /// A return before the newline is only the other way to end a line.
  private func lastState(_ bytes: Span<UInt8>, _ range: Range<Int>, _ flags: inout LineFlags) -> Range<Int> {
    var end = range.upperBound
    while end > range.lowerBound, bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
    var states = TerminalStates(bytes, range.lowerBound..<end)
    guard let first = states.next(bytes) else { return range.lowerBound..<end }
    var (last, count) = (first, 1)
    while let state = states.next(bytes) {
      count += 1
      if !TerminalStates.isBlank(bytes, state) || TerminalStates.isBlank(bytes, last) { last = state }
    }
    if count > 1 { flags.add(.joined) }
    return last
  }

  /// The text that another writer put directly behind the bar: tqdm ends no line until it has finished.
  private mutating func behindBar(_ bytes: Span<UInt8>, _ text: Range<Int>, nowNs: Int64) -> Int? {
    let searched = text.prefix(Self.barBytesMax)
    let isBar = searched.contains { at in
      bytes[at] == UInt8(ascii: "%") && at > text.lowerBound && bytes[at - 1] &- 48 <= 9 && bytes.holds("%|", at: at)
        || bytes[at] == UInt8(ascii: "i") && bytes.holds("it [", at: at)
    }
    guard isBar else { return nil }
    var (at, ends) = (text.lowerBound, 0)
    while at + 1 < text.upperBound, ends < Self.barEndsMax {
      defer { at += 1 }
      guard bytes[at] == UInt8(ascii: "]") else { continue }
      ends += 1
      if hasHead(bytes, at + 1..<text.upperBound, nowNs: nowNs) { return at + 1 }
    }
    return nil
  }

  private mutating func hasHead(_ bytes: Span<UInt8>, _ text: Range<Int>, nowNs: Int64) -> Bool {
    bytes.holds("Traceback (most recent call last):", at: text.lowerBound)
      || parser.parse(bytes, text, nowNs: nowNs) != LineHead()
  }

  /// Whether the rest of a line, whose first part was sent, shows a record of its own in its place: a bar was sent while it stood still, and what
  /// has been written over it is no continuation of it.
  @inline(__always) mutating func beginsRecord(
    _ bytes: Span<UInt8>, _ text: Range<Int>, _ flags: LineFlags, nowNs: Int64
  ) -> Bool {
    isRewritten(flags) && hasHead(bytes, text, nowNs: nowNs)
  }

  @inline(__always) func isRewritten(_ flags: LineFlags) -> Bool {
    flags.rawValue & LineFlags.joined.rawValue != 0
  }

  /// Gives a state without a time of its own that of the record that it has been written over.
  /// - Parameter before: the line up to that state.
  @inline(never) mutating func complete(
    _ head: inout LineHead, _ bytes: Span<UInt8>, _ before: Range<Int>, nowNs: Int64
  ) {
    if head.timeUs != nil { return }
    var states = TerminalStates(bytes, before)
    var first: Range<Int>?
    var last: [Range<Int>] = []
    while let state = states.next(bytes) {
      if first == nil { first = state }
      if last.count == Self.statesMax { last.removeFirst() }
      last.append(state)
    }
    guard let first else { return }
    for state in last.reversed() + [first] {
      let earlier = parser.parse(bytes, withoutHole(bytes, state), nowNs: nowNs)
      guard earlier.timeUs != nil else { continue }
      head = LineHead(timeUs: earlier.timeUs, level: head.level == .unknown ? earlier.level : head.level)
      return
    }
  }

  /// A byte order mark at the file's start says how its text is encoded, and is none of it. Unicode 23.8.
  private func withoutMark(_ bytes: Span<UInt8>, _ text: Range<Int>) -> Range<Int> {
    let isMarked = base == 0 && text.lowerBound == 0 && text.count >= 3 && bytes.holds("\u{feff}", at: 0)
    return isMarked ? 3..<text.upperBound : text
  }
}

/// What a line shows one after another: its parts between what moves the cursor back.
private struct TerminalStates {
  private var at: Int
  private let end: Int
  private var isOver = false

  init(_ bytes: Span<UInt8>, _ range: Range<Int>) {
    (at, end) = (range.lowerBound, range.upperBound)
  }

  /// - Returns: without the returns and sequences that part it from the next one; it may be empty.
  mutating func next(_ bytes: Span<UInt8>) -> Range<Int>? {
    if isOver { return nil }
    let start = at
    while at < end {
      let stop = at
      if bytes[at] == UInt8(ascii: "\r") {
        at += 1
        return start..<stop
      }
      if bytes[at] == 0x1b, let next = Self.moveEnd(bytes, at, end) {
        at = next
        return start..<stop
      }
      at += 1
    }
    isOver = true
    return start..<end
  }

  /// Behind a sequence that moves the cursor up, to a column or home, or erases the whole line; nil where it is another one.
  private static func moveEnd(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> Int? {
    guard start + 2 < end, bytes[start + 1] == UInt8(ascii: "[") else { return nil }
    var at = start + 2
    while at < end, at - start < 12, bytes[at] &- 48 <= 9 || bytes[at] == UInt8(ascii: ";") { at += 1 }
    guard at < end else { return nil }
    switch bytes[at] {
    case UInt8(ascii: "A"), UInt8(ascii: "F"), UInt8(ascii: "G"), UInt8(ascii: "H"): return at + 1
    case UInt8(ascii: "K"): return bytes.holds("[2K", at: start + 1) ? at + 1 : nil
    case UInt8(ascii: "J"): return bytes.holds("[2J", at: start + 1) ? at + 1 : nil
    default: return nil
    }
  }

  /// Nothing but blanks and control sequences: a state that clears the one before it.
  static func isBlank(_ bytes: Span<UInt8>, _ state: Range<Int>) -> Bool {
    var at = state.lowerBound
    while at < state.upperBound {
      if bytes[at] == 0x1b, at + 1 < state.upperBound, bytes[at + 1] == UInt8(ascii: "[") {
        at += 2
        while at < state.upperBound, bytes[at] < 0x40 { at += 1 }
      } else if bytes[at] != UInt8(ascii: " "), bytes[at] != 0 {
        return false
      }
      at += 1
    }
    return true
  }
}
