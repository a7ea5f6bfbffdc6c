internal import EventLoop
internal import Files
internal import FleetModel
internal import Incidents
internal import Logging
internal import Paging
internal import Postgres
internal import SiteConfiguration
internal import Store

/// The database's side of paging: stores changes, and delivers the rows of the outbox where `paging:` is configured and
/// this collector holds the lease. It may block on the database; `PagingThread` does not wait for it.
final class PagingDatabase: Sendable {
  enum Message: Sendable {
    case changes([NumberedChange])
    /// The receipt of the changes before it: its `reply` is sent `.recorded` when they are committed.
    case record(RuleRecord.Receipt)
    case release(Release)
    /// The changes from the journal of an earlier process have the numbers up to this one.
    case restored(through: UInt64)
    case configuration(PagingConfiguration?)
    /// The end, with all messages sent from memory about changes that are not reconciled.
    case stop([LocalPage])
  }

  private static let waitMs = 200
  /// Groups written before rows are claimed, where the database was away: they may hold the end of an incident whose
  /// page is due.
  private static let groupsMax = 10
  /// Changes that have waited so long may have been paged from memory by the time they are committed.
  private static let patienceNs = Handover.patienceNs / 2
  /// With more changes waiting, evidence is not looked up.
  private static let lookedUpMax = 20

  let mailbox: Mailbox<Message>
  private let front: Mailbox<PagingThread.Message>
  private let database: DatabaseURL
  private let holder: String
  private let configuration: PagingConfiguration?
  private let metrics: CollectorMetrics
  private let logger: Logger

  init(
    database: DatabaseURL, holder: String, configuration: PagingConfiguration?,
    front: Mailbox<PagingThread.Message>, metrics: CollectorMetrics, logger: Logger
  ) throws(LoopError) {
    mailbox = try Mailbox(limit: PagingThread.boxLimit)
    self.front = front
    self.database = database
    self.holder = holder
    self.configuration = configuration
    self.metrics = metrics
    self.logger = logger
  }

  func start() throws(LoopError) -> LoopThread {
    try LoopThread("paging-database") { [self] in
      let run = Run(self)
      while run.isGoingOn { run.turn() }
      run.finish()
    }
  }

  /// Timeouts are shorter than a writer's, because no row of the outbox is sent while this thread waits.
  private static var options: ConnectionOptions {
    var options = Store.writerOptions
    options.applicationName = "signalbox-paging"
    options.answerTimeoutMs = 20_000
    options.statementTimeoutMs = 15_000
    options.lockTimeoutMs = 10_000
    return options
  }

  private final class Run {
    let thread: PagingDatabase
    let connection: StoreConnection
    /// Health of the steps that only the holder of the lease runs.
    private let outbox: ThreadHealth
    var isGoingOn = true
    private var waits = RepeatedWarning()
    private var dispatcher: Dispatcher?
    private var queue: WriteQueue
    /// Numbers of changes received and written so far: a record is complete when its last change is written.
    private var taken = 0
    private var written = 0
    private var records: [(through: Int, receipt: RuleRecord.Receipt)] = []
    /// The newest complete record, until it is reported to the rules.
    private var answer: RuleRecord.Receipt?
    /// The queue's watermarks as last sent to `PagingThread`.
    private var passedCommitted: UInt64 = 0
    private var passedReconciled: UInt64 = 0
    /// Number of the last change of an earlier process of this instance. When it is released, the reservations of that
    /// process are freed. nil: none, or done.
    private var restored: UInt64?
    private var lastPages: [LocalPage] = []
    private var isListening = false
    private var descriptor: Int32?
    private var workedAtNs = Clock.monotonicNs()
    private var knownDueNs = Int64.min
    private var answerDueNs = Int64.min

    init(_ thread: PagingDatabase) {
      self.thread = thread
      let health = thread.metrics.health
      // Batches wait for their findings.
      connection = StoreConnection(
        thread.database, options: PagingDatabase.options, health: health.watch("paging-database", holds: .allHosts))
      outbox = health.watch("outbox")
      queue = WriteQueue(holder: thread.holder)
      configure(thread.configuration)
    }

    private func configure(_ configuration: PagingConfiguration?) {
      guard let configuration else {
        if let dispatcher {
          try? connection.use { (store: Store) throws(StoreError) in
            try dispatcher.withdraw(store, nowNs: Clock.wallNs())
          }
        }
        dispatcher = nil
        return
      }
      if let dispatcher { return dispatcher.replace(configuration) }
      do {
        dispatcher = try Dispatcher(configuration, holder: thread.holder) { Double.random(in: 0...1) }
      } catch {
        thread.logger.error("paging does not start", metadata: ["error": "\(error)"])
      }
    }

    func turn() {
      receive(wait())
      replyToRules()
      do throws(StoreError) {
        try connection.use { (store: Store) throws(StoreError) in try work(store) }
        workedAtNs = Clock.monotonicNs()
        reportAnswer()
      } catch {
        isListening = false
        descriptor = nil
        connection.close()
        if let metadata = waits.metadata(error, nowNs: Clock.monotonicNs()) {
          thread.logger.warning("paging waits for the database", metadata: metadata)
        }
        Process.sleep(ns: 200_000_000)
      }
      passWatermarks()
    }

    private func passWatermarks() {
      if queue.committed > passedCommitted, thread.front.post(.committed(through: queue.committed)) {
        passedCommitted = queue.committed
      }
      if queue.reconciled > passedReconciled, thread.front.post(.reconciled(release: queue.reconciled)) {
        passedReconciled = queue.reconciled
      }
    }

    private func receive(_ messages: [Message]) {
      for message in messages {
        switch message {
        case .changes(let changes):
          queue.add(changes)
          taken += changes.count
        case .record(let receipt): records.append((taken, receipt))
        case .release(let release): queue.add(release)
        case .restored(let number): restored = number
        case .configuration(let configuration): configure(configuration)
        case .stop(let pages):
          lastPages = pages
          isGoingOn = false
        }
      }
    }

    private func wait() -> [Message] {
      let waitMs = queue.isIdle ? PagingDatabase.waitMs : 0
      guard let dispatcher else { return thread.mailbox.wait(maximumMs: Int32(waitMs)) }
      dispatcher.wait(
        maximumMs: waitMs, descriptors: [thread.mailbox.readableDescriptor] + (descriptor.map { [$0] } ?? []),
        nowNs: Clock.wallNs())
      return thread.mailbox.take()
    }

    /// Reports to `PagingThread`, once a second, that the database answers.
    private func reportAnswer() {
      let now = Clock.monotonicNs()
      if now >= answerDueNs, thread.front.post(.databaseAnswers) { answerDueNs = now + 1_000_000_000 }
    }

    private var isLate: Bool { Clock.monotonicNs() - workedAtNs > Handover.patienceNs }

    private func work(_ store: Store) throws(StoreError) {
      if !isListening || descriptor != store.notificationDescriptor {
        try store.listenForPages()
        isListening = true
        descriptor = store.notificationDescriptor
      }
      var isWoken = try store.hasPageNotifications()
      // In a storm one group is written before rows are claimed, so that the first page does not wait for the last
      // change. After a time without the database more groups are, because they may hold ends. `isLate` is read again
      // for each group: the database may have been away during the commit of the first one.
      var groups = 0
      while let group = queue.nextGroup(), groups < (isLate ? PagingDatabase.groupsMax : 1) {
        groups += 1
        try apply(group, store)
        receive(thread.mailbox.take())
      }
      if try reconcile(store) { isWoken = true }
      completeRecords()
      guard let dispatcher else { return }
      log(try dispatcher.turn(store, nowNs: Clock.wallNs(), monotonicNs: Clock.monotonicNs(), isWoken: isWoken))
      reportRefusals(of: dispatcher, store)
      if Clock.monotonicNs() >= knownDueNs {
        let muting = try store.muting(nowNs: Clock.wallNs())
        let overrides = try store.overridesInForce(nowNs: Clock.wallNs())
        let pauses = try store.pauses(nowNs: Clock.wallNs())
        let knowledge = Handover.Knowledge(muting: muting, overrides: overrides, pauses: pauses)
        if thread.front.post(.known(knowledge)) { knownDueNs = Clock.monotonicNs() + 15_000_000_000 }
      }
    }

    private func reportRefusals(of dispatcher: Dispatcher, _ store: Store) {
      thread.metrics.count(store.takeSetAside(), thread.logger)
      if let (step, reason) = dispatcher.refusedSteps.min(by: { $0.key < $1.key }) {
        outbox.failed("\(step): \(reason)", nowNs: Clock.monotonicNs())
      } else {
        outbox.succeeded()
      }
    }

    /// Records what was sent from memory, and frees the rows of released changes.
    /// - Returns: whether rows may have become claimable.
    private func reconcile(_ store: Store) throws(StoreError) -> Bool {
      guard let next = queue.nextReconciliation else { return false }
      try store.reconcile(next.pages, freeing: next.freeing, holding: next.holding, nowNs: Clock.wallNs())
      for (receiver, untilNs) in next.pauses where untilNs > Clock.wallNs() {
        try store.pause(receiver, untilNs: untilNs)
      }
      queue.wrote(next)
      thread.metrics.count(store.takeSetAside(), thread.logger)
      if let number = restored, queue.released >= number {
        try store.freeReservations(ofInstance: thread.holder, nowNs: Clock.wallNs())
        restored = nil
      }
      passWatermarks()
      return true
    }

    /// Adds the evidence that rules ask for. In a storm it is omitted, because each request would delay the first page.
    private func lookUp(_ changes: [NumberedChange], _ store: Store) throws(StoreError) -> [NumberedChange] {
      let isStorm = queue.count > PagingDatabase.lookedUpMax
      var changes = changes
      for index in changes.indices where !changes[index].change.wanted.isEmpty {
        let change = changes[index].change
        if !isStorm, change.kind == .opened, let host = change.hostNumber {
          changes[index].change.evidence += try store.evidence(
            change.wanted, hostNumber: host, entity: change.entity, atNs: change.eventNs)
        }
        changes[index].change.wanted = []
      }
      return changes
    }

    private func completeRecords() {
      let done = records.prefix { $0.through <= written }
      guard let last = done.last else { return }
      records.removeFirst(done.count)
      answer = last.receipt
      replyToRules()
    }

    private func replyToRules() {
      if let receipt = answer, receipt.reply.post(.recorded(receipt.number)) { answer = nil }
    }

    private func apply(_ group: WriteQueue.Group, _ store: Store) throws(StoreError) {
      let changes = try lookUp(group.changes, store)
      queue.replace(changes)
      let now = Clock.monotonicNs()
      let reservation = Reservation(
        name: group.reservation,
        mayBePaged: Set(changes.filter { now - $0.takenNs > PagingDatabase.patienceNs }.map(\.change.dedupKey)))
      do throws(StoreError) {
        let done = try store.apply(
          changes.map(\.change), policy: policy, reservation: reservation, nowNs: Clock.wallNs())
        thread.metrics.incidentsOpened.add(UInt64(done.opened))
      } catch {
        guard error.isRefusal else { throw error }
        // A change that the database refuses must not block the others: each is applied by itself.
        try writeOneByOne(changes.map(\.change), reservation, store)
      }
      written += changes.count
      queue.wroteGroup()
      passWatermarks()
    }

    private var policy: PagingPolicy { dispatcher?.configuration.policy ?? .none }

    private func writeOneByOne(
      _ changes: [IncidentChange], _ reservation: Reservation, _ store: Store
    ) throws(StoreError) {
      let (done, setAside) = try store.applyOneByOne(
        changes, policy: policy, reservation: reservation, nowNs: Clock.wallNs())
      thread.metrics.incidentsOpened.add(UInt64(done.opened))
      thread.metrics.changesRefused.add(UInt64(setAside))
      thread.metrics.count(store.takeSetAside(), thread.logger)
    }

    private func log(_ report: Dispatcher.Report) {
      thread.metrics.pagesDelivered.add(UInt64(report.delivered))
      thread.metrics.pagesFailed.add(UInt64(report.refused.count + report.retried.count))
      thread.metrics.silencesNotRead.add(UInt64(report.silencesNotRead))
      for problem in report.silenceProblems { thread.logger.warning("\(problem)") }
      if let problems = report.audit?.problems {
        thread.metrics.pagesOverdue.set(Int64(problems.lateCount))
        thread.metrics.endsRefused.set(Int64(problems.refusedEndCount))
      }
      if report.becameHolder { thread.logger.info("this collector delivers pages now") }
      if report.lostLease { thread.logger.warning("another collector delivers pages now") }
      for refusal in report.refused { log(refusal) }
      for answer in report.retried { thread.logger.warning("page is tried again", metadata: ["answer": "\(answer)"]) }
      if let audit = report.audit, !audit.problems.late.isEmpty || audit.forgotten > 0 {
        thread.logger.error(
          "paging is late",
          metadata: [
            "overdue": "\(audit.problems.lateCount)", "receivers": "\(audit.problems.lateReceivers)",
            "forgotten": "\(audit.forgotten)",
          ])
      }
    }

    private func log(_ refusal: Dispatcher.Refusal) {
      let what = refusal.event.isPage ? "page" : "message"
      thread.logger.error(
        refusal.leavesAlertOpen ? "end refused: the receiver's alert may still be open" : "\(what) refused",
        metadata: [
          "receiver": "\(refusal.receiver)", "event": "\(refusal.event.rawValue)",
          "incident": "\(refusal.incident.map(String.init) ?? "")", "answer": "\(refusal.answer)",
        ])
    }

    func finish() {
      _ = try? connection.use { (store: Store) throws(StoreError) in
        while let group = queue.nextGroup() { try apply(group, store) }
        completeRecords()
        try store.reconcile(lastPages, freeing: queue.allReservations, nowNs: Clock.wallNs())
        thread.front.post(.reconciled(release: .max))
        try dispatcher?.end(store)
      }
      connection.close()
    }
  }
}
