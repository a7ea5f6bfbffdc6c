internal import COpenSSL
package import Files

/// What is wrong with a key, a certificate, a token, or the files that hold them.
package struct IdentityError: Error, Sendable, Equatable, CustomStringConvertible {
  package enum Code: Sendable, Equatable {
    /// Not in its format.
    case malformed
    /// Ends too early: an incomplete copy.
    case truncated
    case tooLarge
    /// Not an EC key on P-256 with an uncompressed point.
    case wrongKeyType
    case badSignature
    /// The certificate starts in the future of the given time: mostly a wrong clock.
    case notYetValid
    case expired
    /// No chain to a trusted certificate.
    case untrusted
    /// No presented certificate has a pinned key.
    case pinMismatch
    /// The certificate is for other names.
    case nameMismatch
    /// Key and certificate do not belong together.
    case mismatchedPair
    case alreadyExists
    case notFound
    /// This user may not open the file.
    case notPermitted
    /// Others than the owner can read a key.
    case permissions
    /// A failed system call on a file.
    case file
    /// A failed OpenSSL call without a closer reason.
    case openSSL
  }

  package let code: Code
  /// One sentence for the operator; never holds a secret.
  package let message: String

  package init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  package init(_ error: FileError) {
    self.init(error.isNotFound ? .notFound : error.isNotPermitted ? .notPermitted : .file, error.description)
  }

  package var description: String { message }

  /// The failure of an OpenSSL call, with the reasons of this thread's error queue, which is emptied.
  static func openSSL(_ operation: String, _ code: Code = .openSSL) -> IdentityError {
    var text = "cannot \(operation)"
    // The queue holds at most 16 errors.
    while case let number = ERR_get_error(), number != 0 {
      // A reason string is static text of the library.
      if let reason = unsafe ERR_reason_error_string(number) {
        text += unsafe ": " + String(cString: reason)
      }
    }
    return IdentityError(code, text)
  }
}

/// Why a collector refuses an agent's certificate. Only `unknown` lets an agent join again.
package enum IdentityRefusal: String, Sendable, Equatable, CaseIterable {
  /// Not in the allow-list, or retired by a newer certificate.
  case unknown
  /// An operator revoked the certificate or its host.
  case revoked
  /// Past its end; renewal alone is allowed during the grace.
  case expired
  /// Not valid yet by the collector's clock: one of the two clocks is wrong.
  case clock

  /// The TLS alert that reports it in a handshake. Source: RFC 8446 section 6.2.
  package var alert: UInt8 {
    switch self {
    case .unknown: 46  // certificate_unknown
    case .revoked: 44  // certificate_revoked
    case .expired: 45  // certificate_expired
    case .clock: 42  // bad_certificate
    }
  }

  /// - Parameter alert: a TLS alert's number; nil where it is not about an identity.
  package init?(alert: UInt8) {
    guard let found = Self.allCases.first(where: { $0.alert == alert }) else { return nil }
    self = found
  }

  /// The gRPC status message that reports it after the handshake.
  package var statusMessage: String { "identity: \(rawValue)" }

  package init?(statusMessage: String) {
    guard let found = Self.allCases.first(where: { $0.statusMessage == statusMessage }) else { return nil }
    self = found
  }
}
