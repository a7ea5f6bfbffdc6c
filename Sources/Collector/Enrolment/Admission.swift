package import FleetModel
package import TLS

/// What a certificate of this fleet may do now.
package enum Admission: Sendable, Equatable {
  /// - Parameter isFirstUse: `EnrolmentStore.certificateUsed` is due, so that the host's older certificates end.
  case admitted(HostID, hostName: String, isFirstUse: Bool)
  /// Expired, but within the grace: `Enrolment/Renew` and nothing else.
  case renewalOnly(HostID, hostName: String)
  case refused(IdentityRefusal)

  /// How long after its end a certificate may still be renewed.
  package static let graceNs: Int64 = 30 * 86_400 * 1_000_000_000

  /// How long a connection may stay open beyond its certificate: a renewal that is under way at the end.
  package static let openConnectionGraceSeconds: Int64 = 60

  /// Whether a connection that began with a valid certificate has to end.
  /// - Parameters: s since 1970.
  package static func endsConnection(notAfterSeconds: Int64, nowSeconds: Int64) -> Bool {
    let (end, overflow) = notAfterSeconds.addingReportingOverflow(openConnectionGraceSeconds)
    return !overflow && nowSeconds > end
  }

  /// Decides by the allow-list and the collector's clock. That the authority signed it is `AgentChain.verify`'s finding.
  ///
  /// - Parameter standing: nil where the allow-list does not have the certificate.
  /// - Parameter nowNs: wall clock, ns since 1970.
  package static func judge(_ certificate: Certificate, standing: CertificateStanding?, nowNs: Int64) -> Admission {
    guard let standing, standing.hostID == certificate.hostID else { return .refused(.unknown) }
    if standing.isRevoked { return .refused(.revoked) }
    // An older certificate after the newer one was used: a restored disk or a copied identity.
    if standing.isRetired { return .refused(.unknown) }
    if nowNs < certificate.notBeforeNs { return .refused(.clock) }
    if nowNs < certificate.notAfterNs {
      return .admitted(standing.hostID, hostName: standing.hostName, isFirstUse: !standing.wasUsed)
    }
    let (graceEndNs, overflow) = certificate.notAfterNs.addingReportingOverflow(graceNs)
    if overflow || nowNs < graceEndNs { return .renewalOnly(standing.hostID, hostName: standing.hostName) }
    return .refused(.expired)
  }
}
