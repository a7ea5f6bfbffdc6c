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

  /// - Returns: an index before which there is only ASCII without NUL; everything from it to the next 64 bytes is to be looked at.
  private static func asciiEnd(_ bytes: Span<UInt8>, from start: Int) -> Int {
    var index = start
    while bytes.count - index >= 64, isASCIIBlock(bytes, at: index) { index += 64 }
    while index < bytes.count, bytes[index] &- 1 < 0x7f { index += 1 }
    return index
  }

  @inline(__always) private static func isASCIIBlock(_ bytes: Span<UInt8>, at start: Int) -> Bool {
    // 1…127 each: byte &- 1 has its high bit set for 0 and for 129…, the byte itself for 128….
    var high: UInt8 = 0
    for offset in 0..<64 {
      // Inside: the caller has seen that 64 bytes are left.
      let byte = unsafe bytes[unchecked: start + offset]
      high |= byte | (byte &- 1)
    }
    return high < 0x80
  }

  /// - Returns: bytes of the character that starts at `at`, or 0 where there is no valid one.
  private static func characterSize(_ bytes: Span<UInt8>, at index: Int) -> Int {
    func next(_ offset: Int, _ range: ClosedRange<UInt8> = 0x80...0xbf) -> Bool {
      index + offset < bytes.count && range.contains(bytes[index + offset])
    }
    switch bytes[index] {
    case 0xc2...0xdf: return next(1) ? 2 : 0
    case 0xe0: return next(1, 0xa0...0xbf) && next(2) ? 3 : 0
    case 0xed: return next(1, 0x80...0x9f) && next(2) ? 3 : 0
    case 0xe1...0xef: return next(1) && next(2) ? 3 : 0
    case 0xf0: return next(1, 0x90...0xbf) && next(2) && next(3) ? 4 : 0
    case 0xf4: return next(1, 0x80...0x8f) && next(2) && next(3) ? 4 : 0
    case 0xf1...0xf3: return next(1) && next(2) && next(3) ? 4 : 0
    default: return 0
    }
  }

  /// - Returns: the longest length of at most `limit` at which no character of the valid text `bytes` is cut.
  static func boundary(in bytes: Span<UInt8>, atMost limit: Int) -> Int {
    guard bytes.count > limit else { return bytes.count }
    var length = limit
    while length > 0, bytes[length] & 0xc0 == 0x80 { length -= 1 }
    return length
  }
}
