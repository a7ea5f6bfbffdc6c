internal import TLS

/// Why a handshake failed, for the collector's log.
enum HandshakeAdvice {
  /// - Returns: nil for what strangers do: scans, other protocols, connections that end.
  static func sentence(_ error: TLSError) -> String? {
    if case .refused(.unknownAuthority) = error {
      return "an agent there does not trust this collector: it is of another fleet. If its host is to report here, "
        + "invite it (signalbox hosts invite NAME) and let it join with that token; else correct the address that it "
        + "connects to"
    }
    return switch error.certificateProblem {
    case .otherAuthority:
      "an agent there has a certificate of another fleet: if its host is to report here, invite it "
        + "(signalbox hosts invite NAME) and let it join with that token; else stop it"
    case .unknown:
      "an agent there has a certificate that the database does not know, as after a restored backup: "
        + "invite its host again and let it join"
    case .revoked: "an agent there is of a revoked host: stop it, or invite its host again and let it join"
    case .expired:
      "an agent there has a certificate that has expired beyond its grace: invite its host again and let it join"
    case .notYetValid: "an agent there has a certificate that is not valid yet: compare the clocks"
    case .otherName, nil: nil
    }
  }
}
