package import FleetModel
internal import Synchronization
package import TLS

/// Which certificates may speak for which host: the database's allow-list in memory, read in every handshake.
///
/// Not a CRL: what is not here is refused, so a lost list shuts out, and a stale one only lets in what was allowed before.
package final class AllowList: Sendable {
  package struct Entry: Sendable, Equatable {
    package enum State: Sendable { case active, retired, revoked }
    package var host: HostID
    package var state: State
    /// It was used at least once; its predecessor is then retired.
    package var isUsed: Bool
    /// Counts the changes of the host's name and labels; nil until the list was read after the certificate was issued.
    package var revision: Int64?

    package init(host: HostID, state: State, isUsed: Bool, revision: Int64? = nil) {
      self.host = host
      self.state = state
      self.isUsed = isUsed
      self.revision = revision
    }
  }

  private let entries = Mutex<[[UInt8]: Entry]>([:])

  package init() {}

  /// - Parameter all: by SHA-256 fingerprint, 32 bytes.
  package func replace(_ all: [[UInt8]: Entry]) {
    entries.withLock { $0 = all }
  }

  package func add(_ fingerprint: [UInt8], _ entry: Entry) {
    entries.withLock { $0[fingerprint] = entry }
  }

  package func entry(_ fingerprint: [UInt8]) -> Entry? {
    entries.withLock { $0[fingerprint] }
  }

  /// - Returns: whether this was the certificate's first use.
  package func markUsed(_ fingerprint: [UInt8]) -> Bool {
    entries.withLock { entries in
      guard entries[fingerprint]?.isUsed == false else { return false }
      entries[fingerprint]?.isUsed = true
      return true
    }
  }

  /// Decides a handshake. An expired certificate is let in for as long as it may still be renewed; the methods that need a
  /// valid one refuse it.
  ///
  /// A retired certificate was replaced by a newer one that has been used: whoever still has it is a restored disk or a
  /// copied identity, and must join again.
  /// - Parameter nowSeconds: the collector's clock, s since 1970.
  package func admission(of peer: TLSPeer, nowSeconds: Int64) -> TLSAdmission {
    switch entry(peer.fingerprint)?.state {
    case .active: nowSeconds - peer.notAfter > Admission.graceNs / 1_000_000_000 ? .expired : .accepted
    case .revoked: .revoked
    case .retired, nil: .unknown
    }
  }

  package var count: Int { entries.withLock { $0.count } }
}
