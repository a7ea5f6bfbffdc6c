internal import COpenSSL
internal import Files

/// A P-256 private key. It never leaves the process but as the PEM file of its owner.
///
/// Sendable without a lock: the key is never changed after `init`, and OpenSSL allows any number of threads to sign with one.
@safe package final class PrivateKey: @unchecked Sendable {
  let handle: Handle

  private init(adopting handle: consuming Handle) { self.handle = handle }

  /// A new random key.
  package static func generate() throws(IdentityError) -> PrivateKey {
    try PrivateKey(adopting: unsafe Handle.own(sbx_p256_generate(), "make a key") { unsafe EVP_PKEY_free($0) })
  }

  /// - Parameter pem: one block "PRIVATE KEY" (PKCS #8, not encrypted) or "EC PRIVATE KEY" (SEC 1).
  /// - Throws: `.truncated`, `.malformed`, `.wrongKeyType`.
  package static func decode(pem: [UInt8]) throws(IdentityError) -> PrivateKey {
    guard let block = try PEM.decode(pem).first(where: { $0.label.hasSuffix("PRIVATE KEY") }) else {
      throw IdentityError(pem.isEmpty ? .truncated : .malformed, "there is no private key in the file")
    }
    let key = try PrivateKey(
      adopting: unsafe DER.decode(block.der, "read a private key", release: { unsafe EVP_PKEY_free($0) }) {
        unsafe d2i_AutoPrivateKey(nil, $0, $1)
      })
    // The check of the public half refuses every other kind of key.
    _ = try key.publicKey
    return key
  }

  /// PKCS #8, PEM, not encrypted: for a file of mode 0600.
  package func pem() throws(IdentityError) -> String {
    let info = unsafe try Handle.own(EVP_PKEY2PKCS8(handle.raw), "write a private key") {
      unsafe PKCS8_PRIV_KEY_INFO_free($0)
    }
    return PEM.encode(
      "PRIVATE KEY",
      unsafe try DER.encode("write a private key") { unsafe i2d_PKCS8_PRIV_KEY_INFO(info.raw, $0) })
  }

  package var publicKey: PublicKey {
    get throws(IdentityError) {
      try PublicKey(der: unsafe DER.encode("write a public key") { unsafe i2d_PUBKEY(handle.raw, $0) })
    }
  }
}

/// A P-256 public key as SubjectPublicKeyInfo.
package struct PublicKey: Sendable, Hashable {
  /// SubjectPublicKeyInfo, DER, always 91 bytes.
  package let der: [UInt8]

  /// What stands before the point's two coordinates: id-ecPublicKey, prime256v1 by name, a bit string, "uncompressed".
  /// One encoding alone is accepted, so that one key has one pin. Source: RFC 5480.
  private static let head: [UInt8] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
  ]

  /// - Throws: `.wrongKeyType` for any other algorithm, curve or point form.
  package init(der: [UInt8]) throws(IdentityError) {
    guard der.count == Self.head.count + 64, der.starts(with: Self.head) else {
      throw IdentityError(.wrongKeyType, "the key is not an EC key on the curve P-256")
    }
    self.der = der
  }

  /// - Parameter x: a coordinate of the point, as is `y`: 32 bytes, big-endian.
  init(p256X x: [UInt8], y: [UInt8]) throws(IdentityError) { try self.init(der: Self.head + x + y) }

  /// SHA-256 of `der`, 32 bytes: the pin.
  package var pin: [UInt8] { Digest.sha256(der) }
}
