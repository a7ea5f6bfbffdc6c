internal import COpenSSL

/// A public key of someone else, with which signatures of JSON Web Tokens are checked: RSA, or EC on the curve P-256.
package struct SignatureKey: Sendable, Equatable {
  /// Source: RFC 7518, section 3.1. Any other is refused: `none` proves nothing, and HS256 would make a secret of what is public.
  package enum Algorithm: String, Sendable {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    case rs256 = "RS256"
    /// ECDSA with P-256 and SHA-256; the signature is r and s, 32 bytes each.
    case es256 = "ES256"
  }

  package let algorithm: Algorithm
  /// SubjectPublicKeyInfo, DER.
  private let der: [UInt8]

  /// Shorter keys are within reach of an attacker (NIST SP 800-131A); longer ones cost more than a login is worth.
  private static let modulusBits = 2048...8192
  private static let exponentBytesMax = 4
  private static let coordinateBytes = 32

  /// - Parameter rsaModulus: a big-endian number, as is `exponent` (RFC 7518, section 6.3.1).
  /// - Throws: `.wrongKeyType` for a modulus that is not 2048 to 8192 bits long, or an exponent that is even or of more than 32 bits.
  package init(rsaModulus: [UInt8], exponent: [UInt8]) throws(IdentityError) {
    let (modulus, exponent) = (Array(rsaModulus.drop { $0 == 0 }), Array(exponent.drop { $0 == 0 }))
    let bits = modulus.count * 8 - (modulus.first?.leadingZeroBitCount ?? 0)
    guard Self.modulusBits.contains(bits), (1...Self.exponentBytesMax).contains(exponent.count),
      exponent.last.map({ $0 & 1 == 1 }) == true, exponent != [1]
    else { throw IdentityError(.wrongKeyType, "the key is no RSA key of 2048 to 8192 bits") }
    algorithm = .rs256
    let numbers = Self.element(0x30, Self.integer(modulus) + Self.integer(exponent))
    // rsaEncryption with NULL. Source: RFC 8017, appendix A.1.
    let identifier: [UInt8] = [
      0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
    ]
    der = Self.element(0x30, identifier + Self.element(0x03, [0] + numbers))
  }

  /// - Parameter x: a coordinate of the point, as is `y`: 32 bytes, big-endian (RFC 7518, section 6.2.1).
  /// - Throws: `.wrongKeyType` for other lengths. That the point is on the curve is checked with the first signature.
  package init(p256X x: [UInt8], y: [UInt8]) throws(IdentityError) {
    guard x.count == Self.coordinateBytes, y.count == Self.coordinateBytes else {
      throw IdentityError(.wrongKeyType, "the key is no point on the curve P-256")
    }
    algorithm = .es256
    der = try PublicKey(p256X: x, y: y).der
  }

  /// - Parameters:
  ///   - signature: as the algorithm has it; from a peer.
  ///   - message: the signed bytes.
  /// - Returns: false also for a signature of another form, and for a point that is not on the curve.
  package func isSignature(_ signature: [UInt8], of message: [UInt8]) -> Bool {
    let encoded: [UInt8]
    switch algorithm {
    case .rs256: encoded = signature
    case .es256:
      guard signature.count == 2 * Self.coordinateBytes else { return false }
      encoded = Self.element(
        0x30,
        Self.integer(signature.prefix(Self.coordinateBytes)) + Self.integer(signature.suffix(Self.coordinateBytes)))
    }
    guard
      let key = unsafe try? DER.decode(
        der, "read a public key", release: { unsafe EVP_PKEY_free($0) }, with: { unsafe d2i_PUBKEY(nil, $0, $1) }),
      let context = unsafe try? Handle.own(
        EVP_MD_CTX_new(), "check a signature", .openSSL, { unsafe EVP_MD_CTX_free($0) })
    else { return false }
    guard unsafe EVP_DigestVerifyInit(context.raw, nil, EVP_sha256(), nil, key.raw) == 1 else { return false }
    // Both arrays hold as many bytes as are named.
    let isRight = unsafe EVP_DigestVerify(context.raw, encoded, encoded.count, message, message.count) == 1
    ERR_clear_error()
    return isRight
  }

  // MARK: DER

  /// Source: X.690, sections 8.1.3 and 10.1.
  private static func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
    if content.count < 128 { return [tag, UInt8(content.count)] + content }
    var length: [UInt8] = []
    var rest = content.count
    while rest > 0 {
      length.insert(UInt8(rest & 0xff), at: 0)
      rest >>= 8
    }
    return [tag, 0x80 | UInt8(length.count)] + length + content
  }

  /// Of a number that is not negative.
  private static func integer(_ bytes: some Collection<UInt8>) -> [UInt8] {
    let digits = Array(bytes.drop { $0 == 0 })
    let isSigned = digits.first.map { $0 & 0x80 != 0 } ?? true
    return element(0x02, (isSigned ? [0] : []) + digits)
  }
}
