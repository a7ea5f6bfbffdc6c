internal import Files
internal import FleetModel

extension LogReader {
  /// Adds a row; `text` lies in the bytes that were scanned.
  mutating func appendRow(
    _ bytes: Span<UInt8>, _ text: Range<Int>, advance: Int, _ timeUs: Int64, _ level: Level, _ flags: LineFlags,
    _ isOdd: Bool, into delta: inout FileDelta
  ) {
    let before = delta.lines.text.count
    let found = appendText(bytes, text, isOdd, into: &delta.lines.text)
    delta.lines.lengths.append(UInt32(delta.lines.text.count - before))
    delta.lines.advances.append(UInt32(advance))
    delta.lines.timesUs.append(timeUs)
    delta.lines.levels.append(level.rawValue)
    delta.lines.flags.append(flags.with(found).rawValue)
  }

  /// Copies, repairs and redacts: no text gets into a delta in another way.
  mutating func appendText(
    _ bytes: Span<UInt8>, _ text: Range<Int>, _ isOdd: Bool, into out: inout [UInt8]
  ) -> LineFlags {
    let start = out.count
    var flags = LineFlags.none
    if isOdd, !UTF8Text.isClean(bytes, text) {
      flags.add(.repaired)
      if !UTF8Text.appendRepaired(bytes, text, limit: Self.lineBytesMax, to: &out) { flags.add(.truncated) }
    } else {
      out.append(bytes, text)
    }
    if blockLines > 0, isInBlock(bytes, text) {
      out.removeLast(out.count - start)
      out.append(contentsOf: "[redacted:pem]".utf8)
      redactor.countBlockLine()
      flags.add(.redacted)
    } else if Redactor.isSuspect(bytes, text, scan) {
      let outcome = redactor.redact(&out, from: start)
      if outcome.count > 0 { flags.add(.redacted) }
      if outcome.isBlockOpen { blockLines = 1 }
    }
    return flags
  }

  /// Whether the line still belongs to the PEM block (RFC 7468): base64, a header, or its end.
  private mutating func isInBlock(_ bytes: Span<UInt8>, _ text: Range<Int>) -> Bool {
    blockLines += 1
    let isEnd = text.contains { bytes[$0] == UInt8(ascii: "-") && bytes.holds("-----END ", at: $0) }
    let isBody = blockLines <= Self.blockLinesMax && (isBase64(bytes, text) || endsInBase64(bytes, text))
    let isHeader = bytes.holds("Proc-Type:", at: text.lowerBound) || bytes.holds("DEK-Info:", at: text.lowerBound)
    if isEnd || !(isBody || isHeader) { blockLines = 0 }
    return isEnd || isBody || isHeader
  }

  private func isBase64(_ bytes: Span<UInt8>, _ text: Range<Int>) -> Bool {
    text.count <= 96 && text.allSatisfy { ByteClass.of(bytes[$0]) != 0 || bytes[$0] <= UInt8(ascii: " ") }
  }

  /// A logger put something of its own before the line.
  private func endsInBase64(_ bytes: Span<UInt8>, _ text: Range<Int>) -> Bool {
    var start = text.upperBound
    while start > text.lowerBound, ByteClass.isToken(bytes[start - 1]) { start -= 1 }
    let isPadded = text.upperBound > start && bytes[text.upperBound - 1] == UInt8(ascii: "=")
    return start > text.lowerBound && bytes[start - 1] == UInt8(ascii: " ")
      && (text.upperBound - start >= 16 || isPadded)
  }

  /// NULs before a line are a hole: copytruncate leaves one before the next line of a program that does not append.
  func withoutHole(_ bytes: Span<UInt8>, _ text: Range<Int>) -> Range<Int> {
    Self.holeEnd(bytes, text)..<text.upperBound
  }

  /// The first byte of `range` that is not NUL.
  static func holeEnd(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int {
    var at = range.lowerBound
    while at < range.upperBound, bytes[at] == 0 { at += 1 }
    return at
  }

  /// Cuts between characters, and where that would be inside a word, before it: half a secret is not known as one.
  func capped(_ bytes: Span<UInt8>, _ text: Range<Int>, limit: Int, _ flags: inout LineFlags) -> Range<Int> {
    guard text.count > limit else { return text }
    flags.add(.truncated)
    let cut = text.lowerBound..<text.lowerBound + limit
    let end = cut.upperBound - UTF8Text.unfinishedSuffix(bytes, cut)
    var word = end
    while word > cut.lowerBound, end - word < Self.cutWordBytesMax, !isDelimiter(bytes[word - 1]) { word -= 1 }
    return cut.lowerBound..<(word > cut.lowerBound && isDelimiter(bytes[word - 1]) ? word : end)
  }

  private func isDelimiter(_ byte: UInt8) -> Bool {
    switch byte {
    case 0...0x20, UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: ","), UInt8(ascii: ";"): true
    default: false
    }
  }
}

/// UTF-8 as RFC 3629 has it, and without NUL, which PostgreSQL's text cannot hold.
enum UTF8Text {
  static func isClean(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    var at = range.lowerBound
    while at < range.upperBound {
      if bytes[at] < 0x80 {
        if bytes[at] == 0 { return false }
        at += 1
      } else {
        let length = sequence(bytes, at, range.upperBound)
        if length == 0 { return false }
        at += length
      }
    }
    return true
  }

  /// Bytes of the well-formed sequence that starts at `at` with a byte that is not ASCII; 0 where there is none.
  private static func sequence(_ bytes: Span<UInt8>, _ at: Int, _ end: Int) -> Int {
    let first = bytes[at]
    let length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2
    guard first >= 0xc2, first <= 0xf4, at + length <= end else { return 0 }
    let second = bytes[at + 1]
    let low: UInt8 = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80
    let high: UInt8 = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf
    guard second >= low, second <= high else { return 0 }
    for next in at + 2..<max(at + 2, at + length) where bytes[next] & 0xc0 != 0x80 { return 0 }
    return length
  }

  /// Appends with U+FFFD for each byte that belongs to no character, and for NUL.
  /// - Returns: false where the result would be longer than `limit` and was cut.
  static func appendRepaired(_ bytes: Span<UInt8>, _ range: Range<Int>, limit: Int, to out: inout [UInt8]) -> Bool {
    let start = out.count
    var at = range.lowerBound
    while at < range.upperBound {
      if out.count - start > limit - 4 { return false }
      let byte = bytes[at]
      let length = byte == 0 ? 0 : byte < 0x80 ? 1 : sequence(bytes, at, range.upperBound)
      if length == 0 { out.append(contentsOf: [0xef, 0xbf, 0xbd]) } else { out.append(bytes, at..<at + length) }
      at += max(1, length)
    }
    return true
  }

  /// How many bytes at the end of `range` start a character that goes on behind it: 0…3.
  static func unfinishedSuffix(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int {
    for back in 1...3 where back <= range.count {
      let byte = bytes[range.upperBound - back]
      if byte & 0xc0 == 0x80 { continue }
      let length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
      return length > back ? back : 0
    }
    return 0
  }
}

/// Operations of `OptionSet` on the bits themselves: the general ones cost a look-up of generic metadata a line.
extension LineFlags {
  static var none: LineFlags { LineFlags(rawValue: 0) }

  @inline(__always) func with(_ other: LineFlags) -> LineFlags { LineFlags(rawValue: rawValue | other.rawValue) }

  @inline(__always) mutating func add(_ other: LineFlags) { self = with(other) }
}
