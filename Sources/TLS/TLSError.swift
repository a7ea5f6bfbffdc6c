internal import COpenSSL

/// Why a peer refused a connection, from the alert that it sent (RFC 8446, 6).
package enum TLSAlert: Sendable, Equatable, CustomStringConvertible {
  /// certificate_revoked
  case revoked
  /// certificate_expired
  case expired
  /// certificate_unknown: not in the fleet's allow-list. Only this lets an agent join again.
  case unknown
  /// bad_certificate: not valid yet, so a clock is wrong; or damaged.
  case badCertificate
  /// unknown_ca: issued by another fleet.
  case unknownAuthority
  /// certificate_required
  case certificateRequired
  /// no_application_protocol: the peer does not speak HTTP/2.
  case noApplicationProtocol
  /// protocol_version: the peer does not speak TLS 1.3.
  case protocolVersion
  case other(UInt8)

  package init(code: UInt8) {
    self =
      switch code {
      case 42: .badCertificate
      case 44: .revoked
      case 45: .expired
      case 46: .unknown
      case 48: .unknownAuthority
      case 70: .protocolVersion
      case 116: .certificateRequired
      case 120: .noApplicationProtocol
      default: .other(code)
      }
  }

  package var description: String {
    switch self {
    case .revoked: "the peer says that the certificate is revoked"
    case .expired: "the peer says that the certificate has expired"
    case .unknown: "the peer does not know the certificate"
    case .badCertificate: "the peer says that the certificate is not valid (yet): check both clocks"
    case .unknownAuthority: "the peer does not trust the certificate's authority"
    case .certificateRequired: "the peer asks for a certificate"
    case .noApplicationProtocol: "the peer does not speak HTTP/2"
    case .protocolVersion: "the peer does not speak TLS 1.3"
    case .other(let code): "the peer sent TLS alert \(code)"
    }
  }
}

package enum TLSError: Error, Sendable, Equatable, CustomStringConvertible {
  /// A certificate, a key or an option that OpenSSL does not take.
  case configuration(String)
  /// The peer refused us.
  case refused(TLSAlert)
  /// We refused the peer's certificate: OpenSSL's verify code and its words.
  case certificate(code: Int, text: String)
  /// Anything else in the TLS layer.
  case protocolFailure(String)
  /// The socket failed with this errno; 0: it was closed in the middle.
  case connection(code: Int32)

  package var description: String {
    switch self {
    case .configuration(let text): "TLS: \(text)"
    case .refused(let alert): "TLS: \(alert)"
    case .certificate(_, let text): "TLS: the peer's certificate: \(text)"
    case .protocolFailure(let text): "TLS: \(text)"
    case .connection(let code):
      code == 0 ? "TLS: the connection was closed" : "TLS: the connection failed (errno \(code))"
    }
  }
}

/// What is wrong with a peer's certificate, as far as there is a remedy.
package enum CertificateProblem: Sendable, Equatable {
  /// None of the authorities that are trusted has signed it: another fleet.
  case otherAuthority
  /// It names other hosts than the one that was asked for.
  case otherName
  case expired
  case notYetValid
  case revoked
  /// Not in the fleet's allow-list.
  case unknown
}

extension TLSError {
  /// Why we refused the peer's certificate; nil where that is not what happened, or it is damaged.
  /// - Source: openssl x509_vfy.h; man X509_STORE_CTX_get_error(3).
  package var certificateProblem: CertificateProblem? {
    guard case .certificate(let code, _) = self else { return nil }
    return switch Int32(clamping: code) {
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
      X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
      X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_CERT_SIGNATURE_FAILURE, X509_V_ERR_CERT_UNTRUSTED:
      .otherAuthority
    case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH: .otherName
    case X509_V_ERR_CERT_HAS_EXPIRED: .expired
    case X509_V_ERR_CERT_NOT_YET_VALID: .notYetValid
    case X509_V_ERR_CERT_REVOKED: .revoked
    case X509_V_ERR_EXCLUDED_VIOLATION: .unknown
    default: nil
    }
  }
}

/// OpenSSL's error queue of this thread.
enum ErrorQueue {
  /// Before each call whose result is asked with SSL_get_error: another connection's leftover would be taken for ours.
  static func clear() { ERR_clear_error() }

  /// The oldest error's text; the queue is emptied.
  static func take(_ doing: String) -> TLSError {
    let text = describe()
    return .configuration(text.isEmpty ? doing : "\(doing): \(text)")
  }

  /// The alert that the peer sent, where the oldest error is one: OpenSSL numbers these reasons 1000 + alert.
  static func alert() -> TLSAlert? {
    let code = ERR_peek_error()
    let reason = Int(ERR_GET_REASON(code))
    guard ERR_GET_LIB(code) == ERR_LIB_SSL, (1000...1255).contains(reason) else { return nil }
    return TLSAlert(code: UInt8(reason - 1000))
  }

  /// All errors in words; empties the queue.
  static func describe() -> String {
    var words: [String] = []
    while case let code = ERR_get_error(), code != 0 {
      // A static string of the library, or none.
      if let reason = unsafe ERR_reason_error_string(code) { unsafe words.append(String(cString: reason)) }
    }
    return words.joined(separator: "; ")
  }
}
