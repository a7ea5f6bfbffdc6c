/// The hash that recognises a file's head and tail, and a template of log lines: FNV-1a, 64 bits.
///
/// Not for security: who can write the file can also forge it. Source: RFC draft-eastlake-fnv, offset basis and prime.
package struct ContentHash: Sendable {
  package private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  package init() {}

  package mutating func update(_ bytes: Span<UInt8>) {
    for index in bytes.indices { update(bytes[index]) }
  }

  @inline(__always)
  package mutating func update(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }

  package static func of(_ bytes: Span<UInt8>) -> UInt64 {
    var hash = ContentHash()
    hash.update(bytes)
    return hash.value
  }
}
