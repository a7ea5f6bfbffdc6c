internal import EventLoop
internal import Files
internal import FleetModel
internal import Logging
internal import Postgres
internal import Store
internal import Synchronization

/// The rules' access to the database, on a thread of its own so that a slow database delays no batch. It holds the
/// lease `rules`, under which one collector judges the fleet, and reads when any collector last received a report of
/// each host, and which incidents people have ended.
final class RuleKeeper: Sendable {
  private static let leaseName = "rules"
  private static let leaseSeconds = 10
  private static let leaseNs: Int64 = 3_000_000_000
  private static let fleetNs: Int64 = 5_000_000_000
  private static let waitNs: Int64 = 500_000_000
  /// Longest time by which an entry of the timeline may become visible later than entries with higher numbers: timeouts
  /// end every transaction before.
  private static let visibleNs: Int64 = 60_000_000_000
  /// Ends remembered as passed on. At the limit the set is emptied, which at worst arms a rule twice.
  private static let passedOnMax = 10_000

  private let database: DatabaseURL
  private let logger: Logger
  private let metrics: CollectorMetrics
  private let isStopping = Atomic<Bool>(false)
  private let holder = "collector-" + Hex.text(HostFiles.randomBytes(8))

  init(database: DatabaseURL, metrics: CollectorMetrics, logger: Logger) {
    self.database = database
    self.metrics = metrics
    self.logger = logger
  }

  func stop() { isStopping.store(true, ordering: .relaxed) }

  /// - Parameter thread: receives the lease and the fleet, and holds the fleet's rule state that is to be saved.
  func start(_ thread: RulesThread) throws(LoopError) -> LoopThread {
    let rules = thread.mailbox
    return try LoopThread("rule-keeper") { [self] in
      let health = metrics.health.watch("rule-keeper", holds: .hostsWithoutStream)
      let connection = StoreConnection(database, health: health)
      var lease: Lease?
      var (leaseDueNs, fleetDueNs): (Int64, Int64) = (0, 0)
      var ends = Ends()
      var waits = RepeatedWarning()
      while true {
        let isLast = isStopping.load(ordering: .relaxed)
        if !isLast { Process.sleep(ns: Self.waitNs) }
        do throws(StoreError) {
          try connection.use { (store: Store) throws(StoreError) in
            let now = Clock.monotonicNs()
            if now >= leaseDueNs {
              leaseDueNs = now + Self.leaseNs
              try keepLease(store, &lease, rules)
            }
            if now >= fleetDueNs, lease != nil {
              fleetDueNs = now + Self.fleetNs
              rules.post(.fleet(try store.knownHosts()))
            }
            try passOnEnds(store, &ends, now, rules)
            if let held = lease { try saveFleetState(store, held, thread) }
            if isLast, let held = lease { try store.releaseLease(held) }
          }
        } catch {
          if let metadata = waits.metadata(error, nowNs: Clock.monotonicNs()) {
            logger.warning("the rules wait for the database", metadata: metadata)
          }
          connection.close()
          rules.post(.fleet(nil))
          if !isLast { Process.sleep(ns: 1_000_000_000) }
        }
        if isLast { return connection.close() }
      }
    }
  }

  /// A state of another fence dates from an earlier lease of this collector and is not saved: a later holder may have
  /// saved a newer one.
  private func saveFleetState(_ store: Store, _ lease: Lease, _ thread: RulesThread) throws(StoreError) {
    guard let state = thread.fleetState.withLock({ $0.take() }), state.version.epoch == UInt64(clamping: lease.fence)
    else { return }
    do throws(StoreError) {
      try store.saveFleetState(state, under: lease, nowNs: Clock.wallNs())
    } catch .leaseLost {
      logger.warning("the fleet's rule state is not saved: another collector judges the fleet")
    } catch {
      thread.fleetState.withLock { newer in if newer == nil { newer = state } }
      throw error
    }
    metrics.count(store.takeSetAside(), logger)
  }

  /// Up to which entry of the timeline ends by people have been read.
  private struct Ends {
    /// The timeline's newest number at several times; reading begins at the oldest of them, because entries may become
    /// visible late.
    var marks: [(atNs: Int64, number: Int64)] = []
    var passedOn: Set<Int64> = []
  }

  private func passOnEnds(
    _ store: Store, _ ends: inout Ends, _ nowNs: Int64, _ rules: Mailbox<RulesThread.Message>
  ) throws(StoreError) {
    let (ended, newest) = try store.endedByHand(after: ends.marks.first?.number)
    let fresh = ended.filter { !ends.passedOn.contains($0.number) }
    if !fresh.isEmpty {
      guard rules.post(.endedByHand(fresh)) else { return }
      if ends.passedOn.count > Self.passedOnMax { ends.passedOn = [] }
      ends.passedOn.formUnion(fresh.map(\.number))
      logger.info("incidents were ended by hand; their rules are armed again", metadata: ["count": "\(fresh.count)"])
    }
    ends.marks.append((nowNs, newest))
    while ends.marks.count > 1, nowNs - ends.marks[1].atNs > Self.visibleNs { ends.marks.removeFirst() }
  }

  private func keepLease(
    _ store: Store, _ lease: inout Lease?, _ rules: Mailbox<RulesThread.Message>
  ) throws(StoreError) {
    let taken = try store.takeLease(Self.leaseName, holder: holder, seconds: Self.leaseSeconds)
    defer { lease = taken }
    if let taken, taken.fence != lease?.fence {
      logger.info("this collector judges the fleet now")
      rules.post(
        .lease(
          held: true,
          RulesThread.FleetMemory(
            fence: taken.fence, hosts: try store.knownHosts(), states: try store.ruleStates(),
            open: try store.openIncidents())))
    } else if taken == nil, lease != nil {
      logger.warning("another collector judges the fleet now")
      rules.post(.lease(held: false, nil))
    }
    metrics.ruleLease.set(taken == nil ? 0 : 1)
  }
}
