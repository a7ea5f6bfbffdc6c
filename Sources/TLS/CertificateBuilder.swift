internal import COpenSSL
internal import Files

/// Builds and signs one certificate. Source: RFC 5280 sections 4.1 and 4.2.
struct CertificateBuilder {
  /// One extension in the words of x509v3_config(5).
  struct Extension {
    let id: Int32
    let value: String
  }

  /// CommonName, at most 64 characters.
  let commonName: String
  let publicKey: PublicKey
  /// Seconds since 1970.
  let notBefore: Int64
  let notAfter: Int64
  let extensions: [Extension]

  /// - Parameter issuer: nil where the certificate signs itself.
  func signed(by key: PrivateKey, issuer: Certificate?) throws(IdentityError) -> Certificate {
    let certificate = try unsafe Handle.own(X509_new(), "make a certificate") { unsafe X509_free($0) }
    try setFields(certificate)
    // Both handles outlive the calls; names are copied.
    let subject = unsafe X509_get_subject_name(certificate.raw)
    if let issuer {
      let issuerHandle = try Certificate.parse(issuer.der)
      guard unsafe X509_set_issuer_name(certificate.raw, X509_get_subject_name(issuerHandle.raw)) == 1 else {
        throw .openSSL("name the certificate's issuer")
      }
      try addExtensions(certificate, issuerHandle)
    } else {
      guard unsafe X509_set_issuer_name(certificate.raw, subject) == 1 else {
        throw .openSSL("name the certificate's issuer")
      }
      try addExtensions(certificate, certificate)
    }
    guard unsafe (X509_sign(certificate.raw, key.handle.raw, EVP_sha256()) > 0) else {
      throw .openSSL("sign a certificate")
    }
    return try Certificate(der: unsafe DER.encode("write a certificate") { unsafe i2d_X509(certificate.raw, $0) })
  }

  private func setFields(_ certificate: borrowing Handle) throws(IdentityError) {
    let key = try publicKeyHandle()
    let name = unsafe X509_get_subject_name(certificate.raw)
    let text = [UInt8](commonName.utf8)
    // The setters copy what they are given; `name` belongs to the certificate.
    guard unsafe X509_set_version(certificate.raw, 2) == 1, unsafe X509_set_pubkey(certificate.raw, key.raw) == 1,
      unsafe X509_NAME_add_entry_by_NID(
        name, NID_commonName, 0x1000 /* MBSTRING_UTF8 */, text, Int32(text.count), -1, 0) == 1
    else { throw .openSSL("make a certificate") }
    try setSerial(certificate)
    try setTimes(certificate)
  }

  private func publicKeyHandle() throws(IdentityError) -> Handle {
    try unsafe DER.decode(publicKey.der, "read a public key", release: { unsafe EVP_PKEY_free($0) }) {
      unsafe d2i_PUBKEY(nil, $0, $1)
    }
  }

  /// 127 random bits: unique without a counter, and positive as RFC 5280 asks.
  private func setSerial(_ certificate: borrowing Handle) throws(IdentityError) {
    var bytes = HostFiles.randomBytes(16)
    bytes[0] = bytes[0] & 0x7f | 0x40
    let number = try unsafe Handle.own(BN_bin2bn(bytes, 16, nil), "make a serial number") { unsafe BN_free($0) }
    // The serial number belongs to the certificate and is changed in place.
    guard unsafe BN_to_ASN1_INTEGER(number.raw, X509_get_serialNumber(certificate.raw)) != nil else {
      throw .openSSL("make a serial number")
    }
  }

  private func setTimes(_ certificate: borrowing Handle) throws(IdentityError) {
    let from = unsafe ASN1_TIME_set(nil, Int(notBefore))
    let to = unsafe ASN1_TIME_set(nil, Int(notAfter))
    defer {
      unsafe ASN1_STRING_free(from)
      unsafe ASN1_STRING_free(to)
    }
    // The certificate copies both.
    guard unsafe X509_set1_notBefore(certificate.raw, from) == 1, unsafe X509_set1_notAfter(certificate.raw, to) == 1
    else {
      throw .openSSL("set the certificate's times")
    }
  }

  private func addExtensions(_ certificate: borrowing Handle, _ issuer: borrowing Handle) throws(IdentityError) {
    var context = unsafe X509V3_CTX()
    // The context lives for this call and keeps pointers to both certificates, which outlive it.
    unsafe X509V3_set_ctx(&context, issuer.raw, certificate.raw, nil, nil, 0)
    for wanted in extensions {
      let made = try unsafe Handle.own(
        X509V3_EXT_conf_nid(nil, &context, wanted.id, wanted.value), "write \(wanted.value)"
      ) {
        unsafe X509_EXTENSION_free($0)
      }
      guard unsafe X509_add_ext(certificate.raw, made.raw, -1) == 1 else { throw .openSSL("write \(wanted.value)") }
    }
  }
}
