/// Cuts a file's bytes into lines, and passes over the rest of lines that are too long.
struct LineCutter {
  /// One line in the bytes given to `next`.
  struct Line {
    /// Its content, without byte order mark, CR and LF.
    var content: Range<Int>
    /// Its first byte, which a byte order mark begins with.
    var start: Int
    /// First byte after it.
    var end: Int
    var kind: Kind
    /// How many newlines this cutter had passed before it.
    var number: UInt64
  }

  enum Kind {
    case whole
    /// The file ends without a newline.
    case partial
    /// Longer than the limit; what follows up to the newline is passed over.
    case tooLong
  }

  /// The next byte belongs to a line whose start was taken before.
  private(set) var isInsideLine: Bool
  private var newlinesPassed: UInt64 = 0

  init(_ context: ReaderContext) {
    // A hole belongs to no line.
    let last = context.preceding.last { $0 != 0 }
    isInsideLine = context.offset > 0 && last.map { $0 != UInt8(ascii: "\n") } ?? false
  }

  init() { isInsideLine = false }

  /// The line that starts at `position`, which moves past it; nil where none is whole.
  /// - Parameter takesPartial: also give a last line without a newline.
  mutating func next(_ bytes: Span<UInt8>, _ position: inout Int, takesPartial: Bool) -> Line? {
    if isInsideLine {
      let newline = Self.newline(bytes, from: position)
      position = newline.map { $0 + 1 } ?? bytes.count
      isInsideLine = newline == nil
      if newline != nil { newlinesPassed += 1 }
    }
    while position < bytes.count, bytes[position] == 0 { position += 1 }
    guard position < bytes.count else { return nil }
    let start = position
    let number = newlinesPassed
    if let newline = Self.newline(bytes, from: start) {
      position = newline + 1
      newlinesPassed += 1
      let content = Self.content(bytes, start..<newline)
      return Line(
        content: content, start: start, end: position,
        kind: content.count > TrainingLimits.lineBytesMax ? .tooLong : .whole, number: number)
    }
    let isTooLong = bytes.count - start > TrainingLimits.lineBytesMax
    guard isTooLong || takesPartial else { return nil }
    position = bytes.count
    isInsideLine = true
    return Line(
      content: Self.content(bytes, start..<position), start: start, end: position,
      kind: isTooLong ? .tooLong : .partial, number: number)
  }

  /// What a line holds beside a return at its end and a byte order mark at its start, which spreadsheets and Python's `utf-8-sig` write. A
  /// mark stands at the start of any line where marked files were put together. Unicode 23.8.
  static func content(_ bytes: Span<UInt8>, _ line: Range<Int>) -> Range<Int> {
    var (start, end) = (line.lowerBound, line.upperBound)
    if line.count >= 3, bytes.holds("\u{feff}", at: start) { start += 3 }
    if end > start, bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
    return start..<end
  }

  /// Calls `body` with each whole line of `bytes`, and its number, until it gives false.
  static func forEachLine(_ bytes: Span<UInt8>, from start: Int = 0, _ body: (Line) -> Bool) {
    var cutter = LineCutter()
    var position = start
    while let line = cutter.next(bytes, &position, takesPartial: false), body(line) {}
  }

  static func newline(_ bytes: Span<UInt8>, from start: Int) -> Int? {
    var position = start
    while position < bytes.count {
      if bytes[position] == UInt8(ascii: "\n") { return position }
      position += 1
    }
    return nil
  }
}
