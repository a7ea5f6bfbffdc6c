/// A position in a text of the kernel, moved by the parsers of /proc and /sys.
///
/// Why: reading a line of /proc/stat this way costs 40 ns, by `split` and `UInt64()` 1600 ns, and allocates nothing.
/// Every method stays inside the text, whatever the text is: a short or damaged file yields nil, never a trap.
struct ProcCursor {
  private(set) var at = 0

  init(at: Int = 0) { self.at = at }

  func isAtEnd(_ text: Span<UInt8>) -> Bool { at >= text.count }

  mutating func skipBlanks(_ text: Span<UInt8>) {
    while at < text.count, text[at] == 0x20 || text[at] == 0x09 { at += 1 }
  }

  /// Moves behind `byte` if it is next.
  mutating func skip(_ byte: UInt8, _ text: Span<UInt8>) -> Bool {
    guard at < text.count, text[at] == byte else { return false }
    at += 1
    return true
  }

  /// A decimal number behind blanks; one above `SamplingLimits.counterMax` is read as that.
  mutating func number(_ text: Span<UInt8>) -> UInt64? {
    skipBlanks(text)
    let start = at
    var value: UInt64 = 0
    while at < text.count {
      let digit = text[at] &- 48
      guard digit <= 9 else { break }
      value = min(value * 10 + UInt64(digit), SamplingLimits.counterMax)
      at += 1
    }
    return at > start ? value : nil
  }

  /// A decimal number with an optional sign and fraction behind blanks.
  mutating func decimal(_ text: Span<UInt8>) -> Double? {
    skipBlanks(text)
    let isNegative = skip(UInt8(ascii: "-"), text)
    guard let whole = number(text) else { return nil }
    var value = Double(whole)
    if skip(UInt8(ascii: "."), text) {
      var scale = 0.1
      while at < text.count, text[at] &- 48 <= 9 {
        value += Double(text[at] - 48) * scale
        scale /= 10
        at += 1
      }
    }
    return isNegative ? -value : value
  }

  /// The bytes up to the next blank or end of line, behind blanks; empty at the end of a line.
  mutating func field(_ text: Span<UInt8>) -> Range<Int> {
    skipBlanks(text)
    let start = at
    while at < text.count, text[at] != 0x20, text[at] != 0x09, text[at] != 0x0A { at += 1 }
    return start..<at
  }

  /// Moves over `count` fields of this line.
  mutating func skipFields(_ count: Int, _ text: Span<UInt8>) {
    for _ in 0..<count { _ = field(text) }
  }

  /// Moves to the start of the next line.
  /// - Returns: false where there is none.
  mutating func nextLine(_ text: Span<UInt8>) -> Bool {
    while at < text.count, text[at] != 0x0A { at += 1 }
    if at < text.count { at += 1 }
    return at < text.count
  }

  /// The bytes from here to the end of the line; does not move.
  func restOfLine(_ text: Span<UInt8>) -> Range<Int> {
    var end = at
    while end < text.count, text[end] != 0x0A { end += 1 }
    return at..<end
  }

  /// Moves behind `word` if it is next.
  mutating func skip(_ word: [UInt8], _ text: Span<UInt8>) -> Bool {
    guard ProcText.matches(word, text, at: at) else { return false }
    at += word.count
    return true
  }
}

/// Comparing and copying pieces of a kernel text.
enum ProcText {
  static func matches(_ word: [UInt8], _ text: Span<UInt8>, at position: Int) -> Bool {
    guard position >= 0, text.count - position >= word.count else { return false }
    for index in 0..<word.count where text[position + index] != word[index] { return false }
    return true
  }

  static func equals(_ word: [UInt8], _ text: Span<UInt8>, _ range: Range<Int>) -> Bool {
    range.count == word.count && matches(word, text, at: range.lowerBound)
  }

  /// Where `word` first stands inside `range`.
  static func find(_ word: [UInt8], _ text: Span<UInt8>, in range: Range<Int>) -> Int? {
    guard let first = word.first, range.count >= word.count else { return nil }
    for position in range.lowerBound...(range.upperBound - word.count)
    where text[position] == first && matches(word, text, at: position) {
      return position
    }
    return nil
  }

  /// The piece as a string: broken UTF-8 repaired, control characters as spaces, cut at `SamplingLimits.textBytesMax`.
  static func string(_ text: Span<UInt8>, _ range: Range<Int>) -> String {
    var bytes: [UInt8] = []
    for index in range.prefix(SamplingLimits.textBytesMax) {
      bytes.append(text[index] < 0x20 || text[index] == 0x7F ? 0x20 : text[index])
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The file's text without the newline at its end.
  static func line(_ bytes: [UInt8]) -> String {
    string(bytes.span, ProcCursor().restOfLine(bytes.span))
  }
}

/// The change of a counter in units a second; NaN where it went backwards (reset, wrap) or where no time went by.
func counterRate(_ now: UInt64, _ before: UInt64, seconds: Double) -> Float {
  guard now >= before, seconds >= SamplingLimits.rateSecondsMin else { return .nan }
  return Float(Double(now - before) / seconds)
}
