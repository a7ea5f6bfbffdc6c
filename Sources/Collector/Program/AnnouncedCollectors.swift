internal import Files
internal import FleetModel
internal import Postgres
internal import Store
internal import Synchronization
internal import TLS

/// Under which addresses the fleet's collectors are reached, and under which names hosts may still look for them.
///
/// Read from the database by the housekeeping thread; gateways give the addresses to agents, the program puts the names into its
/// certificate.
final class AnnouncedCollectors: Sendable {
  private let state = Mutex<(addresses: [String], names: [String])>(([], []))

  /// HOST:PORT, at most as many as a join token holds.
  var addresses: [String] { state.withLock { $0.addresses } }
  /// DNS names and IP addresses, the newest announcement first.
  var names: [String] { state.withLock { $0.names } }

  /// Before the first certificate is made.
  func readOnce(_ database: DatabaseURL) throws(CollectorFailure) {
    do throws(StoreError) {
      let store = try Store.open(database)
      defer { store.close() }
      try read(store, own: [])
    } catch {
      throw CollectorFailure(.failed, "\(error)")
    }
  }

  /// - Parameter own: this collector's addresses, which stand first.
  func read(_ store: Store, own: [String]) throws(StoreError) {
    let others = try store.collectors().map(\.address).filter { !own.contains($0) }.sorted()
    let usable = (own + others).filter { TLS.CollectorAddress($0).map { !Wildcard.isOne($0.host) } ?? false }
    let names = try store.serverNames()
    state.withLock { $0 = (Array(usable.prefix(JoinToken.addressesMax)), names) }
  }
}

/// Addresses that mean "every address of this machine": to listen on, never to connect to.
enum Wildcard {
  static func isOne(_ host: String) -> Bool { ["0.0.0.0", "::", "*", ""].contains(host) }
}

/// What this collector makes known of itself.
struct Announcement: Sendable {
  var collector: CollectorID
  /// HOST:PORT, such as a host can connect to.
  var addresses: [String]
  /// SHA-256 of the root's key.
  var pin: [UInt8]

  /// Puts it into the database, again and again as a sign of life.
  func make(_ store: Store) throws(StoreError) {
    try store.announceCollector(
      collector, addresses: addresses, names: addresses.compactMap { TLS.CollectorAddress($0)?.host },
      caPin: Hex.text(pin), version: Build.version)
  }
}

/// `collector-id` in the state directory: what this collector announced before is replaced by what it announces now.
enum CollectorFile {
  static func read(_ stateDirectory: String) throws(FileError) -> CollectorID {
    let path = stateDirectory + "/collector-id"
    if try FileStatus.exists(path),
      let id = CollectorID(text: String(decoding: try HostFiles.read(path).filter { $0 > 0x20 }, as: UTF8.self))
    {
      return id
    }
    let id = CollectorID(bytes: HostFiles.randomBytes(16)) ?? CollectorID(high: 0, low: 0)
    try HostFiles.replace(path, with: Array("\(id)\n".utf8))
    return id
  }
}
