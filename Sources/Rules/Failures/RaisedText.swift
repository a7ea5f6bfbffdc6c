internal import FleetModel

/// Where in a record something is raised: of a traceback its exceptions, of any other record all of it.
///
/// A traceback's own lines quote source code, which may name any exception there is.
enum RaisedText {
  /// Of one exception, with the lines of its message.
  struct Exception: Equatable {
    var range: Range<Int>
    /// Its name, such as `torch.OutOfMemoryError`.
    var name: Range<Int>
  }

  private static let head = "Traceback (most recent call last)"
  /// Exceptions of one record that are looked at: a chain of more repeats itself.
  private static let exceptionsMax = 16

  static func isTraceback(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    LineMatcher.contains(bytes, range, Self.headBytes)
  }

  private static let headBytes = Array(head.utf8)

  /// What was logged with a traceback: the lines of its record that stand before it.
  static func beforeTraceback(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
    var end: Int?
    forEachLine(bytes, range) { line in
      if end == nil, LineMatcher.contains(bytes, line, headBytes) { end = line.lowerBound }
    }
    return range.lowerBound..<(end ?? range.lowerBound)
  }

  /// The exceptions of a traceback, in the order in which they were raised.
  static func exceptions(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [Exception] {
    var found: [Exception] = []
    var isWithin = false
    forEachLine(bytes, range) { line in
      let start = afterRank(bytes, line)
      let text = start..<line.upperBound
      if LineMatcher.contains(bytes, text, headBytes) || isLink(bytes, text) {
        isWithin = false
      } else if let first = text.first, bytes[first] != 0x20, bytes[first] != 0x09,
        let name = exceptionName(bytes, text)
      {
        guard found.count < exceptionsMax else { return }
        found.append(Exception(range: text, name: name))
        isWithin = true
      } else if isWithin, let last = found.indices.last {
        found[last].range = found[last].range.lowerBound..<line.upperBound
      }
    }
    return found
  }

  /// `torch.OutOfMemoryError: CUDA out of memory`, `KeyError: 'a'`, `AssertionError`: dotted names, the last part begins with a capital
  /// letter, and a colon or nothing follows. Of modules written in C also `socket.gaierror`, `zlib.error`, `socket.timeout`.
  private static func exceptionName(_ bytes: Span<UInt8>, _ line: Range<Int>) -> Range<Int>? {
    var end = line.lowerBound
    var part = end
    while end < line.upperBound, isNameByte(bytes[end]) {
      if bytes[end] == UInt8(ascii: ".") { part = end + 1 }
      end += 1
    }
    // Private ones begin with an underscore.
    while part < end, bytes[part] == UInt8(ascii: "_") { part += 1 }
    guard end - part >= 4, end - line.lowerBound <= 200 else { return nil }
    let isOfC =
      part > line.lowerBound
      && smallNames.contains { name in
        end - part >= name.count && LineMatcher.contains(bytes, end - name.count..<end, name)
      }
    guard isOfC || (65...90).contains(bytes[part]) else { return nil }
    guard end == line.upperBound || bytes[end] == UInt8(ascii: ":") else { return nil }
    return line.lowerBound..<end
  }

  private static let smallNames = ["error", "timeout"].map { Array($0.utf8) }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_") || ASCII.isDigit(byte) || (65...90).contains(byte)
      || (97...122).contains(byte)
  }

  /// What Python prints between the exceptions of a chain.
  private static func isLink(_ bytes: Span<UInt8>, _ line: Range<Int>) -> Bool {
    links.contains { LineMatcher.contains(bytes, line, $0) }
  }

  private static let links = [
    "During handling of the above exception, another exception occurred",
    "The above exception was the direct cause of the following exception",
  ].map { Array($0.utf8) }

  /// What stands before a line of one process of several: `[rank3]: `, `[1,0]<stderr>:`, `(RayTrainWorker pid=12) `, `0: `.
  static func afterRank(_ bytes: Span<UInt8>, _ line: Range<Int>) -> Int {
    rankMark(bytes, line)?.end ?? line.lowerBound
  }

  /// The rank that stands before a line; nil where none does.
  static func rank(_ bytes: Span<UInt8>, _ line: Range<Int>) -> Int32? { rankMark(bytes, line)?.rank }

  private static func rankMark(_ bytes: Span<UInt8>, _ line: Range<Int>) -> (end: Int, rank: Int32?)? {
    guard let first = line.first else { return nil }
    let closing: UInt8
    switch bytes[first] {
    case UInt8(ascii: "["): closing = UInt8(ascii: "]")
    case UInt8(ascii: "("): closing = UInt8(ascii: ")")
    case _ where ASCII.isDigit(bytes[first]): return numberMark(bytes, line)
    default: return nil
    }
    let end = min(line.upperBound, first + 64)
    guard let close = (first..<end).first(where: { bytes[$0] == closing }) else { return nil }
    let mark = first + 1..<close
    let isOfProcess =
      LineMatcher.contains(bytes, mark, rankWord) || LineMatcher.contains(bytes, mark, pidWord)
      || mark.allSatisfy { ASCII.isDigit(bytes[$0]) || bytes[$0] == UInt8(ascii: ",") }
    guard isOfProcess, !mark.isEmpty else { return nil }
    var at = close + 1
    if LineMatcher.contains(bytes, at..<min(line.upperBound, at + 8), streamWord) { at += streamWord.count }
    while at < line.upperBound, bytes[at] == UInt8(ascii: ":") { at += 1 }
    if at < line.upperBound, bytes[at] == 0x20 { at += 1 }
    return (
      at, LineMatcher.contains(bytes, mark, rankWord) || bytes[first] == UInt8(ascii: "[") ? number(bytes, mark) : nil
    )
  }

  private static let rankWord = Array("rank".utf8)
  private static let pidWord = Array("pid=".utf8)
  private static let streamWord = Array("<stderr>".utf8)

  /// `3: Traceback …`, as `srun --label` prints it.
  private static func numberMark(_ bytes: Span<UInt8>, _ line: Range<Int>) -> (end: Int, rank: Int32?)? {
    var at = line.lowerBound
    while at < line.upperBound, at < line.lowerBound + 5, ASCII.isDigit(bytes[at]) { at += 1 }
    guard at + 1 < line.upperBound, bytes[at] == UInt8(ascii: ":"), bytes[at + 1] == 0x20 else { return nil }
    return (at + 2, number(bytes, line.lowerBound..<at))
  }

  /// The last number of a mark: `[1,0]` is job 1, rank 0.
  private static func number(_ bytes: Span<UInt8>, _ mark: Range<Int>) -> Int32? {
    var start = mark.upperBound
    while start > mark.lowerBound, ASCII.isDigit(bytes[start - 1]) { start -= 1 }
    guard start < mark.upperBound, mark.upperBound - start <= 6 else { return nil }
    return (start..<mark.upperBound).reduce(Int32(0)) { $0 * 10 + Int32(bytes[$1] & 0x0f) }
  }

  static func forEachLine(_ bytes: Span<UInt8>, _ range: Range<Int>, _ body: (Range<Int>) -> Void) {
    var start = range.lowerBound
    for at in range where bytes[at] == UInt8(ascii: "\n") {
      body(start..<at)
      start = at + 1
    }
    if start < range.upperBound { body(start..<range.upperBound) }
  }
}
