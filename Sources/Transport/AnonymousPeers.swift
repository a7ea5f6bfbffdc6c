internal import EventLoop

/// The connections of one server that have shown no certificate, by address.
///
/// Any peer may open them, so their number is what bounds their memory. One address gets a share; where all slots are
/// taken, the address that holds the most gives one up for another that holds less.
struct AnonymousPeers {
  enum Verdict: Equatable {
    case stays
    case refused
    /// Stays instead of this one, the oldest of the address that holds the most.
    case replaces(ServerConnection)

    static func == (one: Verdict, other: Verdict) -> Bool {
      switch (one, other) {
      case (.stays, .stays), (.refused, .refused): true
      case (.replaces(let one), .replaces(let other)): one === other
      default: false
      }
    }
  }

  /// Oldest first.
  private var byAddress: [String: [ServerConnection]] = [:]
  private(set) var count = 0

  /// Takes the connection in, also a refused one until it is removed.
  mutating func admit(_ connection: ServerConnection, _ limits: RPCServerLimits) -> Verdict {
    let address = connection.address.group
    let held = byAddress[address]?.count ?? 0
    byAddress[address, default: []].append(connection)
    count += 1
    if held >= limits.anonymousPerAddress { return .refused }
    if count <= limits.anonymousConnections { return .stays }
    guard let largest = byAddress.values.max(by: { $0.count < $1.count }), largest.count > held + 1,
      let oldest = largest.first
    else { return .refused }
    return .replaces(oldest)
  }

  mutating func remove(_ connection: ServerConnection) {
    let address = connection.address.group
    guard var held = byAddress.removeValue(forKey: address) else { return }
    let before = held.count
    held.removeAll { $0 === connection }
    count -= before - held.count
    if !held.isEmpty { byAddress[address] = held }
  }
}

/// When freed memory is given back to the system: malloc_trim(3) walks the heap, which takes milliseconds.
struct TrimPolicy {
  /// Handshakes and ends since the last time; each frees some tens of kB.
  private static let turnover: UInt64 = 500
  /// Ends of connections without a certificate: what strangers made the process take is given back sooner.
  private static let anonymous: UInt64 = 32
  private static let everyNs: Int64 = 5_000_000_000

  var anonymousEnded: UInt64 = 0
  private var turnoverThen: UInt64 = 0
  private var anonymousThen: UInt64 = 0
  private var lastNs: Int64 = .min

  mutating func isDue(_ counters: RPCServerCounters, nowNs: Int64) -> Bool {
    let turnover = counters.accepted + counters.closed
    let isWorthwhile =
      turnover - turnoverThen >= Self.turnover || anonymousEnded - anonymousThen >= Self.anonymous
    guard isWorthwhile, lastNs == .min || nowNs - lastNs >= Self.everyNs else { return false }
    (turnoverThen, anonymousThen, lastNs) = (turnover, anonymousEnded, nowNs)
    return true
  }
}
