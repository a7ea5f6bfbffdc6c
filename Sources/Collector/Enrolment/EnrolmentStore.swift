package import FleetModel

/// What the database does for enrolment. Each call is one transaction.
package protocol EnrolmentStore {
  associatedtype Failure: Error

  /// Spends a join token, atomically: of two calls with different keys exactly one gets the host.
  ///
  /// Matches id and secret hash; not expired; not redeemed yet, or redeemed with this very key: a host whose first answer was lost asks
  /// again with the key it kept. Makes the host on the first redemption.
  mutating func redeem(_ redemption: TokenRedemption) throws(Failure) -> TokenOutcome

  /// Puts a certificate on the allow-list, and an entry into the audit log.
  ///
  /// - Returns: false where the host is revoked or gone: nothing is stored then, and the certificate must not be handed out.
  mutating func admit(_ record: CertificateRecord) throws(Failure) -> Bool

  /// - Parameter fingerprint: SHA-256 of the certificate, 32 bytes.
  /// - Returns: nil where the allow-list does not have it.
  mutating func standing(ofCertificate fingerprint: [UInt8]) throws(Failure) -> CertificateStanding?

  /// Notes a certificate's first use, and retires those of the same host that were issued before it. A repeated call changes nothing.
  mutating func certificateUsed(_ fingerprint: [UInt8], nowNs: Int64) throws(Failure)
}

package struct TokenRedemption: Sendable, Equatable {
  package var tokenID: String
  /// SHA-256 of the secret, 32 bytes.
  package var secretHash: [UInt8]
  /// SHA-256 of the host's public key, 32 bytes.
  package var keyPin: [UInt8]
  /// What the machine reports of itself: for the audit log, for invitations of hosts by their own names, and to know a revoked host
  /// again that is invited anew.
  package var claimedName: String
  package var machineIDHash: MachineIDHash
  /// The host that the machine's state directory was before.
  package var previousHost: HostID?
  package var nowNs: Int64
}

package enum TokenOutcome: Sendable, Equatable {
  /// The name is the one that the token was made for.
  case redeemed(HostID, hostName: String)
  /// No such id, or another secret.
  case unknown
  case expired
  /// Redeemed with another key.
  case used
  /// The name cannot be given; one sentence with the reason and what to do.
  case refused(String)
}

/// One row of the allow-list.
package struct CertificateRecord: Sendable, Equatable {
  package enum Reason: String, Sendable {
    case join, renewal
    /// Renewed after the old certificate's end: worth an operator's look.
    case lateRenewal = "late_renewal"
  }

  package var hostID: HostID
  /// SHA-256 of the certificate, 32 bytes.
  package var fingerprint: [UInt8]
  package var keyPin: [UInt8]
  package var serialHex: String
  package var issuedNs: Int64
  package var expiresNs: Int64
  package var reason: Reason
}

/// What the allow-list knows of a certificate.
package struct CertificateStanding: Sendable, Equatable {
  package var hostID: HostID
  package var hostName: String
  /// The certificate or its host.
  package var isRevoked: Bool
  /// A later certificate of the host has been used.
  package var isRetired: Bool
  package var wasUsed: Bool

  package init(hostID: HostID, hostName: String, isRevoked: Bool, isRetired: Bool, wasUsed: Bool) {
    self.hostID = hostID
    self.hostName = hostName
    self.isRevoked = isRevoked
    self.isRetired = isRetired
    self.wasUsed = wasUsed
  }
}
