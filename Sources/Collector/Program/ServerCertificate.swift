internal import FleetModel
package import TLS

/// The collector's own certificate, as a value: whom it is for, and when the next one is due. Time is passed in.
package struct ServerCertificate: Sendable {
  package let names: [String]
  /// Names that found no room in it.
  package let leftOut: [String]
  package let chainPEM: String
  package let keyPEM: String
  /// Wall clock, ns since 1970.
  package let notBeforeNs: Int64
  package let notAfterNs: Int64
  /// When it was made: its beginning is backdated by minutes.
  package let issuedNs: Int64

  /// What `CertificateAuthority.serverCertificate` takes at most.
  package static let namesMax = 32

  /// - Parameter own: names and addresses of this collector, which come first.
  /// - Parameter fleet: names under which hosts may still look for a collector: all collectors of a fleet answer to all of them.
  /// - Parameter lifeSeconds: cut at the issuing CA's end.
  package init(
    own: [String], fleet: [String], authority: CertificateAuthority, nowNs: Int64,
    lifeSeconds: Int64 = CertificateAuthority.serverLifeSeconds
  ) throws(IdentityError) {
    var all: [String] = []
    for name in own + fleet where !all.contains(name) && CertificateAuthority.isServerName(name) { all.append(name) }
    names = Array(all.prefix(Self.namesMax))
    leftOut = Array(all.dropFirst(Self.namesMax))
    let (key, issued) = try authority.serverCertificate(
      names: names.filter { !Self.isAddress($0) }, addresses: names.filter(Self.isAddress), nowNs: nowNs,
      lifeSeconds: lifeSeconds)
    chainPEM = issued.chainPEM
    keyPEM = try key.pem()
    (notBeforeNs, notAfterNs) = (issued.certificate.notBeforeNs, issued.certificate.notAfterNs)
    issuedNs = nowNs
  }

  /// Two thirds of its life are over, or the clock was set back to before its beginning: agents would refuse it.
  package func isDue(nowNs: Int64) -> Bool {
    nowNs < notBeforeNs || nowNs >= notAfterNs - (notAfterNs - issuedNs) / 3
  }

  /// Whether hosts may look for a collector under a name that this certificate could hold and does not.
  package func lacks(_ fleet: [String]) -> Bool {
    names.count < Self.namesMax && fleet.contains { CertificateAuthority.isServerName($0) && !names.contains($0) }
  }

  private static func isAddress(_ host: String) -> Bool {
    host.utf8.contains(UInt8(ascii: ":"))
      || host.utf8.allSatisfy { $0 == UInt8(ascii: ".") || ($0 >= 0x30 && $0 <= 0x39) }
  }
}
