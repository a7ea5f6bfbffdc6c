/// Checks of text from outside.
enum Text {
  /// - Returns: whether `bytes` are UTF-8 without NUL; RFC 3629, so no surrogates and no overlong forms.
  /// - Cost: 64 bytes at a time where they are ASCII.
  static func isValid(_ bytes: Span<UInt8>) -> Bool {
    var index = 0
    while index < bytes.count {
      index = asciiEnd(bytes, from: index)
      while index < bytes.count, bytes[index] >= 0x80 {
        let size = characterSize(bytes, at: index)
        if size == 0 { return false }
        index += size
      }
      if index < bytes.count, bytes[index] == 0 { return false }
    }
    return true
  }

  /// - Returns: the first index from `start` on whose byte is 0 or not ASCII; the end where there is none.
  private static func asciiEnd(_ bytes: Span<UInt8>, from start: Int) -> Int {
    var index = start
    let words = unsafe bytes.bytes
    while bytes.count - index >= 64, isASCIIBlock(words, at: index) { index += 64 }
    while bytes.count - index >= 8, isASCIIWord(words, at: index) { index += 8 }
    while index < bytes.count, bytes[index] &- 1 < 0x7f { index += 1 }
    return index
  }

  // 1…127 in each byte: neither the byte nor the byte minus 1 has its high bit. A byte that borrows from the next one is 0
  // and has its own high bit after it, so that no borrow can hide one.

  @inline(__always) private static func isASCIIBlock(_ words: RawSpan, at start: Int) -> Bool {
    var high: UInt64 = 0
    for offset in 0..<8 {
      // Inside: the caller has seen that 64 bytes are left.
      let word = unsafe words.unsafeLoadUnaligned(fromUncheckedByteOffset: start + offset * 8, as: UInt64.self)
      high |= word | (word &- 0x0101_0101_0101_0101)
    }
    return high & 0x8080_8080_8080_8080 == 0
  }

  @inline(__always) private static func isASCIIWord(_ words: RawSpan, at start: Int) -> Bool {
    // Inside: the caller has seen that 8 bytes are left.
    let word = unsafe words.unsafeLoadUnaligned(fromUncheckedByteOffset: start, as: UInt64.self)
    return (word | (word &- 0x0101_0101_0101_0101)) & 0x8080_8080_8080_8080 == 0
  }

  /// - Returns: bytes of the character that starts at `index` (with a byte of 0x80 or more), or 0 where there is no valid one.
  @inline(__always) private static func characterSize(_ bytes: Span<UInt8>, at index: Int) -> Int {
    let left = bytes.count - index
    // Reads below stay inside: `left` was compared first.
    func byte(_ offset: Int) -> UInt8 { unsafe bytes[unchecked: index + offset] }
    func isNext(_ offset: Int) -> Bool { byte(offset) & 0xc0 == 0x80 }
    let first = byte(0)
    if first < 0xe0 { return first >= 0xc2 && left >= 2 && isNext(1) ? 2 : 0 }
    if first < 0xf0 {
      guard left >= 3, isNext(1), isNext(2) else { return 0 }
      // Overlong below U+0800, surrogates from U+D800.
      if first == 0xe0 { return byte(1) >= 0xa0 ? 3 : 0 }
      if first == 0xed { return byte(1) < 0xa0 ? 3 : 0 }
      return 3
    }
    guard first < 0xf5, left >= 4, isNext(1), isNext(2), isNext(3) else { return 0 }
    // Overlong below U+10000, nothing above U+10FFFF.
    if first == 0xf0 { return byte(1) >= 0x90 ? 4 : 0 }
    if first == 0xf4 { return byte(1) < 0x90 ? 4 : 0 }
    return 4
  }

  /// - Returns: the longest length of at most `limit` at which no character of the valid text `bytes` is cut.
  static func boundary(in bytes: Span<UInt8>, atMost limit: Int) -> Int {
    guard bytes.count > limit else { return bytes.count }
    var length = limit
    while length > 0, bytes[length] & 0xc0 == 0x80 { length -= 1 }
    return length
  }
}
