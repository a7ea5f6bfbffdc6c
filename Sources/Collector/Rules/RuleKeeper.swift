internal import EventLoop
internal import Files
internal import FleetModel
internal import Logging
internal import Postgres
internal import Store
internal import Synchronization

/// The rules' side of the database, on a thread of its own so that a slow one holds no batch up: holds the lease of whoever
/// judges the fleet, and reads when the other collectors last heard of each host.
final class RuleKeeper: Sendable {
  private static let leaseName = "rules"
  private static let leaseSeconds = 10
  private static let leaseNs: Int64 = 3_000_000_000
  private static let fleetNs: Int64 = 5_000_000_000
  private static let waitNs: Int64 = 500_000_000

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

  /// - Parameter rules: told of the lease and of the fleet.
  func start(_ rules: Mailbox<RulesThread.Message>) throws(LoopError) -> LoopThread {
    try LoopThread("rule-keeper") { [self] in
      let connection = StoreConnection(database, health: metrics.health.watch("rule-keeper"))
      var lease: Lease?
      var (leaseDueNs, fleetDueNs): (Int64, Int64) = (0, 0)
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
            if isLast, let held = lease { try store.releaseLease(held) }
          }
        } catch {
          logger.warning("the rules wait for the database", metadata: ["error": "\(error)"])
          connection.close()
          rules.post(.fleet(nil))
          if !isLast { Process.sleep(ns: 1_000_000_000) }
        }
        if isLast { return connection.close() }
      }
    }
  }

  private func keepLease(
    _ store: Store, _ lease: inout Lease?, _ rules: Mailbox<RulesThread.Message>
  ) throws(StoreError) {
    let taken = try store.takeLease(Self.leaseName, holder: holder, seconds: Self.leaseSeconds)
    defer { lease = taken }
    if let taken, taken.fence != lease?.fence {
      logger.info("this collector judges the fleet now")
      let open = try store.openIncidents().map {
        RulesThread.OpenIncident(rule: $0.rule, hostNumber: $0.hostNumber, entity: $0.entity)
      }
      rules.post(
        .lease(
          held: true,
          RulesThread.FleetMemory(hosts: try store.knownHosts(), states: try store.ruleStates(), open: open)))
    } else if taken == nil, lease != nil {
      logger.warning("another collector judges the fleet now")
      rules.post(.lease(held: false, nil))
    }
    metrics.ruleLease.set(taken == nil ? 0 : 1)
  }
}
