internal import EventLoop
internal import Files
internal import FleetModel
internal import Logging
internal import Postgres
internal import Store

/// What has to be done now and then, by whichever collector holds the lock: partitions ahead, retention, compression,
/// aggregates, search indexes, pruning. And what every collector does for itself: receive revocations, and take over
/// the maintenance that its configuration declares.
///
/// Two threads, since a chunk takes minutes to compress and a revocation must be in force within a second.
final class HousekeepingThread: Sendable {
  enum Message: Sendable {
    case reload
    case stop
  }

  private static let intervalNs: Int64 = 60_000_000_000
  /// A pass that fails is followed by another one; several in a row are a problem. A pass itself may take as long as it needs.
  private static let patienceNs: Int64 = 300_000_000_000
  /// The allow-list is read again even without a notification: a lost one must not keep a revoked host in.
  private static let allowListNs: Int64 = 30_000_000_000
  /// How often it is looked whether commits wait for a standby; this thread only reads, so it does not wait with them.
  private static let standbyNs: Int64 = 5_000_000_000

  private let mailbox: Mailbox<Message>
  private let houseMailbox: Mailbox<Message>
  private let database: DatabaseURL
  private let gateways: [Mailbox<GatewayMessage>]
  private let allowList: AllowList
  private let settings: SettingsBook
  private let metrics: CollectorMetrics
  private let logger: Logger
  private let announced: AnnouncedCollectors
  private let announcement: Announcement

  init(
    database: DatabaseURL, gateways: [Mailbox<GatewayMessage>], allowList: AllowList, settings: SettingsBook,
    metrics: CollectorMetrics, logger: Logger, announced: AnnouncedCollectors,
    announcement: Announcement
  ) throws(LoopError) {
    mailbox = try Mailbox(limit: 64)
    houseMailbox = try Mailbox(limit: 64)
    self.database = database
    self.gateways = gateways
    self.allowList = allowList
    self.settings = settings
    self.metrics = metrics
    self.logger = logger
    self.announced = announced
    self.announcement = announcement
  }

  func reload() {
    mailbox.post(.reload)
    houseMailbox.post(.reload)
  }

  func stop() {
    mailbox.post(.stop)
    houseMailbox.post(.stop)
  }

  /// - Returns: the thread that receives revocations; the other one is not waited for, its statements end with the process.
  func start() throws(LoopError) -> LoopThread {
    _ = try LoopThread("housekeeping") { [self] in runHousekeeping() }
    return try LoopThread("allow-list") { [self] in
      let run = Run(thread: self)
      while run.isGoingOn { run.turn() }
      run.connection.close()
    }
  }

  /// The body of the housekeeping thread.
  private func runHousekeeping() {
    let connection = StoreConnection(database, options: Store.housekeepingOptions)
    let health = metrics.health.watch("housekeeping", patienceNs: Self.patienceNs)
    var setsRetention = settings.isConfigured
    while true {
      var outOfNumbers: String?
      do throws(StoreError) {
        try connection.use { (store: Store) throws(StoreError) in
          if setsRetention { try store.setRetention(settings.retention) }
          outOfNumbers = try housekeep(store)
        }
        setsRetention = false
        if let outOfNumbers { health.failed(outOfNumbers, nowNs: Clock.monotonicNs()) } else { health.succeeded() }
      } catch {
        health.failed("\(error)", nowNs: Clock.monotonicNs())
        metrics.housekeepingFailures.add()
        logger.warning("housekeeping failed", metadata: ["error": "\(error)"])
      }
      for message in houseMailbox.wait(maximumMs: Int32(Self.intervalNs / 1_000_000)) {
        switch message {
        case .reload: setsRetention = settings.isConfigured
        case .stop: return connection.close()
        }
      }
    }
  }

  /// - Returns: what has no numbers left: nothing that a further pass would change.
  private func housekeep(_ store: Store) throws(StoreError) -> String? {
    try announcement.make(store)
    try announced.read(store, own: announcement.addresses)
    guard let report = try store.housekeep(nowNs: Clock.wallNs()) else { return nil }
    metrics.housekeepingRuns.add()
    for problem in report.problems + [report.outOfNumbers].compactMap({ $0 }) {
      logger.warning("housekeeping", metadata: ["problem": "\(problem)"])
    }
    if report.chunksDropped + report.chunksCompressed + report.chunksRecompressed + report.chunksIndexed > 0 {
      logger.info(
        "housekeeping",
        metadata: [
          "dropped": "\(report.chunksDropped)", "compressed": "\(report.chunksCompressed)",
          "recompressed": "\(report.chunksRecompressed)", "indexed": "\(report.chunksIndexed)",
        ])
    }
    return report.outOfNumbers
  }

  private final class Run {
    let thread: HousekeepingThread
    let connection: StoreConnection
    var isGoingOn = true
    private var waits = RepeatedWarning()
    private var allowListDueNs: Int64 = 0
    private var standbyDueNs: Int64 = 0
    private var isListening = false
    private var hasMaintenance = false
    private var hasNames = false

    /// How long one wait for notifications lasts: a revocation is received at once, a stop within this.
    private static let waitMs = 200

    init(thread: HousekeepingThread) {
      self.thread = thread
      connection = StoreConnection(thread.database, health: thread.metrics.health.watch("allow-list"))
    }

    func turn() {
      receive(thread.mailbox.take())
      guard isGoingOn else { return }
      do throws(StoreError) {
        try connection.use { (store: Store) throws(StoreError) in try work(store) }
      } catch {
        isListening = false
        if let metadata = waits.metadata(error, nowNs: Clock.monotonicNs()) {
          thread.logger.warning("housekeeping waits for the database", metadata: metadata)
        }
        receive(thread.mailbox.wait(maximumMs: 1000))
      }
    }

    private func receive(_ messages: [Message]) {
      for message in messages {
        switch message {
        case .reload: hasMaintenance = true
        case .stop: isGoingOn = false
        }
      }
    }

    private func work(_ store: Store) throws(StoreError) {
      if !isListening {
        try store.listenForHostChanges()
        isListening = true
        allowListDueNs = 0
        // A host may have been renamed while this connection was away.
        hasNames = true
      }
      if hasMaintenance {
        try thread.settings.applyMaintenance(store, thread.logger)
        try thread.settings.publishRules(store)
        hasMaintenance = false
        hasNames = true
      }
      if hasNames {
        try thread.settings.applyLabels(store)
        hasNames = false
      }
      let now = Clock.monotonicNs()
      if now >= allowListDueNs {
        try readAllowList(store)
        allowListDueNs = now + HousekeepingThread.allowListNs
      }
      if now >= standbyDueNs {
        thread.metrics.commitsWithoutStandby.set(Int64(try store.commitsWithoutStandby()))
        standbyDueNs = now + HousekeepingThread.standbyNs
      }
      let changes = try store.hostChanges(waitMs: Self.waitMs)
      if changes.renamesHosts { hasNames = true }
      if changes.isAny { try readAllowList(store) }
    }

    private func readAllowList(_ store: Store) throws(StoreError) {
      thread.allowList.replace(try store.allowList())
      for gateway in thread.gateways { gateway.post(.allowListChanged) }
    }
  }
}
