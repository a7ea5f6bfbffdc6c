package import FleetModel

/// One line of the allow-list.
package struct AllowedCertificate: Sendable, Equatable {
  package enum State: String, Sendable, CaseIterable {
    case active
    /// A newer one of the same host has been used.
    case retired
    /// The certificate or its host.
    case revoked
  }

  /// SHA-256 of the certificate's DER, 32 bytes.
  package let fingerprint: [UInt8]
  package let host: HostID
  package let hostNumber: Int32
  package let hostName: String
  package let state: State
  /// ns since 1970. Past it, only a renewal is accepted.
  package let expiresNs: Int64
  package let isFirstUsed: Bool
  /// Counts the changes of the host's name and labels.
  package let revision: Int64
}

/// A host that has just redeemed its token.
package struct EnrolledHost: Sendable, Equatable {
  package let host: HostID
  package let hostNumber: Int32
  package let hostName: String
  /// The name was in use by a machine that may still report: it goes on as the same host.
  package let isKnown: Bool
  /// It had been revoked, and is the same host as before.
  package let wasRevoked: Bool
}

/// Where agents find a collector.
package struct CollectorAddress: Sendable, Equatable {
  /// HOST:PORT.
  package var address: String
  /// SHA-256 of the fleet CA's key, hex.
  package var caPin: String
  package var lastSeenNs: Int64

  package init(address: String, caPin: String, lastSeenNs: Int64) {
    self.address = address
    self.caPin = caPin
    self.lastSeenNs = lastSeenNs
  }
}
