internal import COpenSSL

/// Hashes and comparisons of bytes.
package enum Digest {
  /// SHA-256, 32 bytes. Source: FIPS 180-4.
  package static func sha256(_ bytes: [UInt8]) -> [UInt8] {
    unsafe [UInt8](unsafeUninitializedCapacity: 32) { memory, initialized in
      // SHA256 writes exactly 32 bytes; it needs no context of its own and cannot fail on memory it is given.
      unsafe _ = SHA256(bytes, bytes.count, memory.baseAddress!)
      initialized = 32
    }
  }

  /// HMAC with SHA-256, 32 bytes. Source: RFC 2104.
  package static func hmacSHA256(key: [UInt8], _ bytes: [UInt8]) -> [UInt8] {
    var block = key.count > 64 ? sha256(key) : key
    block += [UInt8](repeating: 0, count: 64 - block.count)
    return sha256(block.map { $0 ^ 0x5c } + sha256(block.map { $0 ^ 0x36 } + bytes))
  }

  /// Compares in a time that depends on the lengths alone: for secrets and what is derived from them.
  package static func equal(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    // Both arrays hold `left.count` bytes.
    unsafe left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
  }

  /// CRC-32 (IEEE 802.3, reflected): finds damage, not forgery.
  package static func crc32(_ bytes: [UInt8]) -> UInt32 {
    var crc: UInt32 = 0xffff_ffff
    for byte in bytes {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xedb8_8320 : crc >> 1 }
    }
    return ~crc
  }
}
