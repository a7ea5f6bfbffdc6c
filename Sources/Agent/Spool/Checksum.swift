/// CRC-32C (Castagnoli, reflected 0x82f63b78), eight bytes a step. Source: RFC 3720 appendix B.4.
struct Checksum: Sendable {
  private var state: UInt32 = .max

  var value: UInt32 { ~state }

  mutating func update(_ bytes: Span<UInt8>, from start: Int = 0, to end: Int? = nil) {
    let end = end ?? bytes.count
    let tables = Self.tables.span
    var state = state
    var index = start
    while index + 8 <= end {
      let low =
        state
        ^ (UInt32(bytes[index]) | UInt32(bytes[index + 1]) << 8 | UInt32(bytes[index + 2]) << 16
          | UInt32(bytes[index + 3]) << 24)
      var next = tables[7 * 256 + Int(low & 0xff)] ^ tables[6 * 256 + Int(low >> 8 & 0xff)]
      next ^= tables[5 * 256 + Int(low >> 16 & 0xff)] ^ tables[4 * 256 + Int(low >> 24)]
      next ^= tables[3 * 256 + Int(bytes[index + 4])] ^ tables[2 * 256 + Int(bytes[index + 5])]
      next ^= tables[256 + Int(bytes[index + 6])] ^ tables[Int(bytes[index + 7])]
      state = next
      index += 8
    }
    while index < end {
      state = tables[Int((state ^ UInt32(bytes[index])) & 0xff)] ^ (state >> 8)
      index += 1
    }
    self.state = state
  }

  static func of(_ bytes: [UInt8]) -> UInt32 {
    var checksum = Checksum()
    checksum.update(bytes.span)
    return checksum.value
  }

  /// `tables[k * 256 + b]`: the checksum of byte `b` followed by `k` zero bytes.
  private static let tables: [UInt32] = {
    var tables = [UInt32](repeating: 0, count: 8 * 256)
    for byte in 0..<256 {
      var value = UInt32(byte)
      for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0x82f6_3b78 : value >> 1 }
      tables[byte] = value
    }
    for index in 256..<8 * 256 {
      let before = tables[index - 256]
      tables[index] = tables[Int(before & 0xff)] ^ before >> 8
    }
    return tables
  }()
}
