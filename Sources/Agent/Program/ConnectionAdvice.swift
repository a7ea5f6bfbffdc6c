internal import TLS
internal import Transport

extension DisconnectReason {
  /// What a person can do about it, where there is something; else the reason.
  var advice: String {
    guard case .tls(let error) = self else { return "\(self)" }
    switch error.certificateProblem {
    case .otherAuthority:
      return "the collector at this address is of another fleet than this host: invite the host in the fleet that it "
        + "is to report to (signalbox hosts invite NAME), and join again with that token"
    case .otherName:
      return
        "the collector's certificate does not name this address: start the collector with --advertise and this address"
    case .expired: return "the collector's certificate has expired: compare the clocks, and see the collector's log"
    case .notYetValid: return "the collector's certificate is not valid yet: compare the clocks"
    case .revoked, .unknown, nil: break
    }
    guard case .refused(let alert) = error else { return "\(self)" }
    switch alert {
    case .revoked: return "this host has been revoked; an operator can invite it again"
    case .unknown: return "the collector does not know this certificate; join again with a new token"
    case .expired: return "this host's certificate has expired beyond its grace; join again with a new token"
    case .badCertificate: return "the collector takes this certificate for not valid yet: compare the clocks"
    case .unknownAuthority: return "this host's certificate is of another fleet; join again with a new token"
    default: return "\(self)"
    }
  }
}
