package import FleetModel
internal import Schema
package import TLS

/// Who this host is in its fleet: what one generation of the identity directory holds.
package struct AgentIdentity: Sendable {
  package let hostID: HostID
  /// As the collector chose it.
  package let hostName: String
  package let collectors: [CollectorAddress]
  /// The join token that it came from; nil where the directory does not hold it.
  package let tokenID: String?
  package let key: PrivateKey
  package let certificate: Certificate
  /// The certificates between the host's own and the root.
  package let intermediates: [Certificate]
  package let roots: [Certificate]
  /// Counts up with each renewal.
  package let generation: Int
  /// What was on disk when this was read.
  package let version: IdentityDirectory.Version?
  /// Files in PEM, for a TLS context.
  package let keyPath: String
  package let certificatePath: String
  package let rootsPath: String
}

extension CertificateReply {
  /// Checks that the answer is for this host's key and leads to a root in it.
  ///
  /// - Parameter pins: SHA-256 of the keys of which one must be among the roots: the token's at a join, the old roots' at a
  ///   renewal. So an answer can add a root, but never exchange them all at once.
  ///
  /// The times are judged by the collector's clock, which the answer carries: this host's may be wrong.
  func check(
    key: PublicKey, pins: [[UInt8]]
  ) throws(IdentityError) -> (chain: [Certificate], roots: [Certificate]) {
    let chain = try Certificate.decode(pem: certificateChain)
    let roots = try Certificate.decode(pem: certificateAuthority)
    guard chain[0].keyPin == key.pin else {
      throw IdentityError(.mismatchedPair, "the collector sent a certificate for another key")
    }
    guard chain[0].hostID == hostID else {
      throw IdentityError(.nameMismatch, "the collector sent a certificate for another host")
    }
    guard roots.contains(where: { pins.contains($0.keyPin) }) else {
      throw IdentityError(.pinMismatch, "the collector sent none of the roots that this host trusts")
    }
    guard (1...255).contains(hostName.utf8.count), !hostName.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) else {
      throw IdentityError(.malformed, "the collector sent a host name that is none")
    }
    try CertificateChain.verify(chain, trusted: roots, purpose: .client, nowNs: serverNs)
    return (chain, roots)
  }
}

/// Whether this host's clock agrees with its collector's.
package enum ClockAgreement: Sendable, Equatable {
  case agrees
  /// This host's clock is so far behind that its certificate has not begun for it.
  case behind(seconds: Int64)
  /// So far ahead that the certificate is over for this host, while it is not for the collector.
  case ahead(seconds: Int64)

  /// The longest difference that does no harm: certificates are backdated by as much.
  package static let toleranceSeconds = CertificateAuthority.backdatedSeconds

  /// - Parameter localNs: this host's wall clock, ns since 1970.
  /// - Parameter serverNs: the collector's, read at nearly the same moment.
  package static func judge(localNs: Int64, serverNs: Int64, certificate: Certificate?) -> ClockAgreement {
    let difference = localNs / 1_000_000_000 - serverNs / 1_000_000_000
    if let certificate {
      if localNs < certificate.notBeforeNs, serverNs >= certificate.notBeforeNs {
        return .behind(seconds: -difference)
      }
      if localNs >= certificate.notAfterNs, serverNs < certificate.notAfterNs { return .ahead(seconds: difference) }
    }
    if difference < -toleranceSeconds { return .behind(seconds: -difference) }
    return difference > toleranceSeconds ? .ahead(seconds: difference) : .agrees
  }

  /// One sentence for the operator; nil where all is well.
  package var message: String? {
    switch self {
    case .agrees: nil
    case .behind(let seconds):
      "this host's clock is \(seconds) s behind the collector's: check its time synchronisation"
    case .ahead(let seconds):
      "this host's clock is \(seconds) s ahead of the collector's: check its time synchronisation"
    }
  }
}
