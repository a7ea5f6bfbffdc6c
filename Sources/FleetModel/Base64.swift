/// Base64 of RFC 4648, strict: what is not canonical does not decode.
package struct Base64: Sendable {
  /// Section 4, with padding: for PEM.
  package static let standard = Base64(plus: UInt8(ascii: "+"), slash: UInt8(ascii: "/"), pads: true)
  /// Section 5, without padding: for tokens.
  package static let url = Base64(plus: UInt8(ascii: "-"), slash: UInt8(ascii: "_"), pads: false)

  private let alphabet: [UInt8]
  private let values: [UInt8]
  private let pads: Bool

  private init(plus: UInt8, slash: UInt8, pads: Bool) {
    let digits = [UInt8]("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8) + [plus, slash]
    var values = [UInt8](repeating: 0xff, count: 256)
    for (value, digit) in digits.enumerated() { values[Int(digit)] = UInt8(value) }
    self.alphabet = digits
    self.values = values
    self.pads = pads
  }

  package func encode(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    var index = 0
    while index < bytes.count {
      let group = bytes[index..<min(index + 3, bytes.count)]
      var bits: UInt32 = 0
      for byte in group { bits = bits << 8 | UInt32(byte) }
      bits <<= UInt32(8 * (3 - group.count))
      for place in 0...group.count { text.append(alphabet[Int(bits >> UInt32(18 - 6 * place)) & 63]) }
      if pads { for _ in group.count..<3 { text.append(UInt8(ascii: "=")) } }
      index += 3
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// - Returns: nil for a foreign character, a wrong length or padding, or unused bits that are not zero.
  package func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
    var digits = [UInt8](text)
    if pads {
      guard digits.count % 4 == 0 else { return nil }
      for _ in 0..<2 where digits.last == UInt8(ascii: "=") { digits.removeLast() }
    }
    guard digits.count % 4 != 1 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count * 3 / 4)
    var bits: UInt32 = 0
    var count: UInt32 = 0
    for digit in digits {
      let value = values[Int(digit)]
      guard value < 64 else { return nil }
      bits = (bits << 6 | UInt32(value)) & 0xffff
      count += 6
      if count >= 8 {
        count -= 8
        bytes.append(UInt8(truncatingIfNeeded: bits >> count))
      }
    }
    return bits & (1 << count - 1) == 0 ? bytes : nil
  }
}
