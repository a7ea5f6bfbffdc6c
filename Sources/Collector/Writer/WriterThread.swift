internal import EventLoop
internal import Files
internal import FleetModel
internal import Logging
internal import Postgres
internal import Store
internal import Synchronization

/// One writer: gathers the batches of its hosts and commits group after group on a connection of its own.
///
/// Blocks on the database; nothing else waits on it. While the database is away the group is kept and tried again, and
/// the gateways stop reading, so the agents keep the rest.
final class WriterThread: Sendable {
  /// Messages in the box: more than all agents' windows could hold is a broken gateway.
  static let boxLimit = 1 << 17

  let mailbox: Mailbox<WriterMessage>
  private let gateways: [Mailbox<GatewayMessage>]
  private let database: DatabaseURL
  private let settings: SettingsBook
  private let metrics: CollectorMetrics
  private let logger: Logger
  private let behind = Atomic<Bool>(false)
  private let name: String
  let health: ThreadHealth

  /// - Parameter name: of the thread, in the log and the metrics.
  init(
    name: String, database: DatabaseURL, gateways: [Mailbox<GatewayMessage>], settings: SettingsBook,
    metrics: CollectorMetrics, logger: Logger
  ) throws(LoopError) {
    mailbox = try Mailbox(limit: Self.boxLimit)
    self.name = name
    health = metrics.health.watch(name, storesReports: true)
    self.gateways = gateways
    self.database = database
    self.settings = settings
    self.metrics = metrics
    self.logger = logger
  }

  /// Gateways stop reading while this holds.
  var isBehind: Bool { behind.load(ordering: .relaxed) }

  /// For how long the work under way has taken, or failed, ns; 0 where there is none. Meanwhile its hosts' agents wait for
  /// their acks, and stop sending once they have as much under way as they may.
  /// - Parameter nowNs: CLOCK_MONOTONIC.
  func stalledNs(nowNs: Int64) -> Int64 { health.stalledNs(nowNs: nowNs) }

  /// - Returns: false where the writer cannot take it; the session is to be ended.
  func stage(_ batch: StagedBatch, of session: SessionID, bytes: Int) -> Bool {
    mailbox.post(.stage(batch, session, bytes: bytes))
  }

  func stop() {
    mailbox.post(.stop)
  }

  func start() throws(LoopError) -> LoopThread {
    try LoopThread(name) { [self] in
      var run = WriterRun(thread: self, health: health)
      run.run()
    }
  }

  /// The thread's own state: never seen by another.
  private struct WriterRun {
    let thread: WriterThread
    let health: ThreadHealth
    var groups = GroupCommit<SessionID>()
    var store: Store?
    /// Of the writer's hosts, whatever becomes of the connection.
    var quotas: HostQuotas
    var random = SystemRandomNumberGenerator()
    var isStopping = false
    var stopDeadlineNs = Int64.max
    private var warning = RepeatedWarning()

    /// How long a stopping writer goes on trying when the database is away: agents hold what is not acked.
    static let stopPatienceNs: Int64 = 10_000_000_000

    init(thread: WriterThread, health: ThreadHealth) {
      self.thread = thread
      self.health = health
      quotas = HostQuotas { [settings = thread.settings] in HostQuota { settings.quota($0) } }
    }

    mutating func run() {
      while !isDone {
        for message in thread.mailbox.wait(maximumMs: waitMs) { take(message) }
        while let group = groups.nextGroup(nowNs: Clock.monotonicNs()) {
          commit(group)
          for message in thread.mailbox.take() { take(message) }
        }
        reportPressure()
      }
      store?.close()
    }

    private var isDone: Bool {
      isStopping && (groups.waitingBatches == 0 || Clock.monotonicNs() > stopDeadlineNs)
    }

    private var waitMs: Int32 {
      guard let dueNs = groups.dueNs else { return isStopping ? 0 : 1000 }
      let waitNs = dueNs == .min ? 0 : max(0, dueNs - Clock.monotonicNs())
      return Int32(clamping: min(1000, (waitNs + 999_999) / 1_000_000))
    }

    private mutating func take(_ message: WriterMessage) {
      switch message {
      case .stage(let batch, let session, let bytes):
        // A state without facts that is not taken comes again with the host's next stream.
        if !groups.stage(batch, of: session, bytes: bytes), session != .none {
          thread.gateways[session.gateway].post(.overrun(session: session.number))
        }
      case .stop:
        isStopping = true
        stopDeadlineNs = Clock.monotonicNs() + Self.stopPatienceNs
      }
    }

    private mutating func commit(_ group: GroupCommit<SessionID>.Group) {
      let startNs = Clock.monotonicNs()
      // A database that is frozen refuses nothing, it just does not answer.
      health.began(nowNs: startNs)
      do throws(StoreError) {
        let store = try openStore()
        let outcomes = try store.commit(group.batches)
        thread.metrics.databaseUp.set(1)
        health.succeeded()
        thread.metrics.rowsOverQuota.add(store.quotas.refusedTotal - quotas.refusedTotal)
        quotas = store.quotas
        let setAside = store.takeSetAside()
        thread.metrics.count(setAside, thread.logger)
        count(
          group, outcomes, refusedRows: setAside.reduce(0) { $0 + $1.rows },
          durationMs: Double(Clock.monotonicNs() - startNs) / 1e6)
        acknowledge(groups.committed(outcomes))
      } catch {
        failed(error, group)
      }
    }

    private mutating func openStore() throws(StoreError) -> Store {
      if let store { return store }
      let opened = try Store.open(thread.database, options: Store.commitOptions)
      opened.quotas = quotas
      store = opened
      return opened
    }

    private mutating func failed(_ error: StoreError, _ group: GroupCommit<SessionID>.Group) {
      thread.metrics.commitFailures.add()
      // A database that has refused something, whose disk is full, or in which another session holds a lock, is reachable.
      thread.metrics.databaseUp.set(error.isConnectionLost ? 0 : 1)
      let nowNs = Clock.monotonicNs()
      health.failed(error.withAdvice, nowNs: nowNs)
      if let metadata = warning.metadata(error.withAdvice, nowNs: nowNs) {
        let counts: Logger.Metadata = ["batches": "\(group.batches.count)", "tries": "\(group.failures + 1)"]
        thread.logger.warning("commit failed", metadata: metadata.merging(counts) { $1 })
      }
      if error.needsNewConnection {
        // A new connection settles what became of an unanswered COMMIT, by the marks. It also finds the server that writes now.
        store?.close()
        store = nil
      }
      let failure: CommitFailure = error.isConnectionLost ? .unknown : error.isLockTimeout ? .locked : .transient
      groups.failed(failure, nowNs: Clock.monotonicNs(), random: &random)
    }

    /// - Parameter refusedRows: of the group's rows; they lie in `dead_letters` and are not committed.
    private func count(
      _ group: GroupCommit<SessionID>.Group, _ outcomes: [CommitOutcome], refusedRows: Int, durationMs: Double
    ) {
      let metrics = thread.metrics
      var rows = -refusedRows
      metrics.commits.add()
      metrics.commitDuration.observe(ms: durationMs)
      for (batch, outcome) in zip(group.batches, outcomes) where !batch.isStateOnly {
        switch outcome {
        case .committed:
          metrics.batchesCommitted.add()
          rows += batch.batch.rowCount
          metrics.logLinesCommitted.add(UInt64(batch.batch.files.reduce(0) { $0 + $1.lines.count }))
        case .duplicate: metrics.batchesDuplicate.add()
        case .fenced: metrics.batchesFenced.add()
        case .outOfOrder: metrics.batchesOutOfOrder.add()
        }
      }
      metrics.rowsCommitted.add(UInt64(clamping: rows))
    }

    /// One message a gateway, however many sessions it is about.
    private func acknowledge(_ settled: [(session: SessionID, outcomes: [CommitOutcome])]) {
      for (index, gateway) in thread.gateways.enumerated() {
        let own = settled.filter { $0.session.gateway == index }.map {
          (session: $0.session.number, outcomes: $0.outcomes)
        }
        if !own.isEmpty { gateway.post(.settled(own)) }
      }
    }

    private func reportPressure() {
      thread.metrics.batchesStaged.set(Int64(groups.waitingBatches))
      let was = thread.behind.exchange(groups.isBehind, ordering: .relaxed)
      if was, !groups.isBehind { for gateway in thread.gateways { gateway.post(.writerCaughtUp) } }
    }
  }
}
