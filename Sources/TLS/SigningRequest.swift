internal import COpenSSL

/// A request for a certificate. Source: RFC 2986 (PKCS #10).
package enum SigningRequest {
  /// A P-256 request without names has about 220 bytes.
  package static let bytesMax = 4096

  /// A request that proves possession of `key` and asks for nothing: the collector chooses name and rights.
  /// - Returns: DER.
  package static func make(key: PrivateKey) throws(IdentityError) -> [UInt8] {
    let request = try unsafe Handle.own(X509_REQ_new(), "make a signing request") { unsafe X509_REQ_free($0) }
    // Both objects live for these calls; the request takes a reference of its own to the key.
    guard unsafe X509_REQ_set_version(request.raw, 0) == 1,
      unsafe X509_REQ_set_pubkey(request.raw, key.handle.raw) == 1,
      unsafe (X509_REQ_sign(request.raw, key.handle.raw, EVP_sha256()) > 0)
    else { throw .openSSL("sign the request") }
    return try unsafe DER.encode("write the request") { unsafe i2d_X509_REQ(request.raw, $0) }
  }

  /// Takes the key out of a request, and nothing else.
  ///
  /// - Parameter der: from a peer, of any length and content.
  /// - Throws: `.tooLarge`, `.malformed`, `.wrongKeyType`, `.badSignature` where the sender does not hold the key.
  package static func publicKey(der: [UInt8]) throws(IdentityError) -> PublicKey {
    guard der.count <= bytesMax else {
      throw IdentityError(.tooLarge, "the signing request is larger than \(bytesMax) bytes")
    }
    let request = try unsafe DER.decode(der, "read the signing request", release: { unsafe X509_REQ_free($0) }) {
      unsafe d2i_X509_REQ(nil, $0, $1)
    }
    guard let holder = unsafe X509_REQ_get_X509_PUBKEY(request.raw) else {
      throw IdentityError(.malformed, "the signing request has no key")
    }
    // `holder` belongs to the request. The type is checked first: only a P-256 signature is ever verified.
    let key = try PublicKey(der: unsafe DER.encode("read the request's key") { unsafe i2d_X509_PUBKEY(holder, $0) })
    guard let parsed = unsafe X509_REQ_get0_pubkey(request.raw), unsafe X509_REQ_verify(request.raw, parsed) == 1 else {
      throw .openSSL("verify the signing request's signature", .badSignature)
    }
    return key
  }
}
