/// Classes of bytes, by table: tested for many bytes of many lines.
enum ByteClass {
  static let digit: UInt8 = 1
  static let lower: UInt8 = 2
  static let upper: UInt8 = 4
  /// `+ / _ - =`, which base64 and its URL form use.
  static let symbol: UInt8 = 8
  static let alphanumeric: UInt8 = 7
  static let token: UInt8 = 15

  @inline(__always) static func of(_ byte: UInt8) -> UInt8 {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit
    case UInt8(ascii: "a")...UInt8(ascii: "z"): lower
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): upper
    case UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "="): symbol
    default: 0
    }
  }

  /// A letter or a digit.
  @inline(__always) static func isWord(_ byte: UInt8) -> Bool {
    isIn(0x03ff_0000_0000_0000, 0x07ff_fffe_07ff_fffe, byte)
  }

  /// A letter, a digit or a symbol.
  @inline(__always) static func isToken(_ byte: UInt8) -> Bool {
    isIn(0x23ff_a800_0000_0000, 0x07ff_fffe_87ff_fffe, byte)
  }

  /// A letter, a digit, `_` or `-`.
  @inline(__always) static func isName(_ byte: UInt8) -> Bool {
    isIn(0x03ff_2000_0000_0000, 0x07ff_fffe_87ff_fffe, byte)
  }

  /// Sets of ASCII as 128 bits: one test instead of a comparison for each range.
  @inline(__always) private static func isIn(_ low: UInt64, _ high: UInt64, _ byte: UInt8) -> Bool {
    byte < 128 && (byte < 64 ? low : high) >> UInt64(byte & 63) & 1 != 0
  }
}

extension Span<UInt8> {
  /// Whether the ASCII `text` lies at `start`.
  ///
  /// Inlined as far as its first byte, at which most texts differ.
  @inline(__always) func holds(_ text: String, at start: Int) -> Bool {
    guard start >= 0, start < count, let first = text.utf8.first else { return false }
    return self[start] == first && holdsAll(text, at: start)
  }

  @inline(never) private func holdsAll(_ text: String, at start: Int) -> Bool {
    guard text.utf8.count <= count - start else { return false }
    var at = start
    for byte in text.utf8 {
      if self[at] != byte { return false }
      at += 1
    }
    return true
  }
}
