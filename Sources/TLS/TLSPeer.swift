internal import COpenSSL

/// A verified peer's certificate, as values.
package struct TLSPeer: Sendable, Equatable {
  /// SHA-256 of the DER form, 32 bytes: the key of the allow-list.
  package let fingerprint: [UInt8]
  /// Hexadecimal, upper case.
  package let serial: String
  /// URI alternative names: "signalbox://agent/<uuid>".
  package let uris: [String]
  package let dnsNames: [String]
  /// Seconds since 1970.
  package let notBefore: Int64
  package let notAfter: Int64
  /// The certificate itself.
  package let der: [UInt8]
  /// It was admitted after `notAfter`, within the grace for renewal.
  package let isExpired: Bool
}

/// The fleet's decision on a certificate that its authority has signed. Each refusal has an alert of its own.
package enum TLSAdmission: Sendable, Equatable {
  case accepted
  /// certificate_unknown
  case unknown
  /// certificate_revoked
  case revoked
  /// certificate_expired
  case expired

  /// X509_V_ERR_… from which OpenSSL chooses the alert (ssl/statem/statem_lib.c, x509table).
  var verifyCode: Int32 {
    switch self {
    case .accepted: X509_V_OK
    case .unknown: X509_V_ERR_EXCLUDED_VIOLATION  // not in the table, hence certificate_unknown
    case .revoked: X509_V_ERR_CERT_REVOKED
    case .expired: X509_V_ERR_CERT_HAS_EXPIRED
    }
  }
}

extension TLSPeer {
  /// - Parameter certificate: valid for the call.
  init?(_ certificate: OpaquePointer?, nowSeconds: Int64) {
    guard let certificate = unsafe certificate else { return nil }
    var digest = [UInt8](repeating: 0, count: 32)
    var count: UInt32 = 0
    // SHA-256 fills 32 bytes.
    guard unsafe X509_digest(certificate, EVP_sha256(), &digest, &count) == 1, count == 32 else { return nil }
    guard let after = unsafe seconds(X509_get0_notAfter(certificate)),
      let before = unsafe seconds(X509_get0_notBefore(certificate))
    else { return nil }
    fingerprint = digest
    der = (try? unsafe DER.encode("read a certificate") { unsafe i2d_X509(certificate, $0) }) ?? []
    serial = unsafe serialText(certificate)
    uris = unsafe names(certificate, type: 6)
    dnsNames = unsafe names(certificate, type: 2)
    notBefore = before
    notAfter = after
    isExpired = nowSeconds > after
  }
}

/// Seconds since 1970 of a certificate's time.
func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64? {
  var seconds: Int64 = 0
  // `time` belongs to a certificate that lives for the call.
  return unsafe sbx_time_seconds(time, &seconds) == 1 ? seconds : nil
}

private func serialText(_ certificate: OpaquePointer) -> String {
  guard let number = unsafe ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nil) else { return "" }
  defer { unsafe BN_free(number) }
  // Allocated by the library, freed below.
  guard let text = unsafe BN_bn2hex(number) else { return "" }
  defer { unsafe CRYPTO_free(text, "", 0) }
  return unsafe String(cString: text)
}

private func names(_ certificate: OpaquePointer, type: Int32) -> [String] {
  guard let all = unsafe X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil) else { return [] }
  let stack = OpaquePointer(all)
  defer { unsafe sbx_names_free(stack) }
  var found: [String] = []
  for index in 0..<min(unsafe sbx_names_count(stack), 64) {
    var length: Int32 = 0
    // The text belongs to the stack; it is copied.
    guard let text = unsafe sbx_names_text(stack, index, type, &length) else { continue }
    unsafe found.append(String(decoding: UnsafeBufferPointer(start: text, count: Int(length)), as: UTF8.self))
  }
  return found
}
