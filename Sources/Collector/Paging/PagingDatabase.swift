internal import EventLoop
internal import Files
internal import FleetModel
internal import Incidents
internal import Logging
internal import Paging
internal import Postgres
internal import SiteConfiguration
internal import Store
internal import Synchronization

/// The database's side of paging: writes changes down, and delivers what lies in the outbox where `paging:` is configured and this
/// collector holds the lease. It may wait for the database as long as it takes.
final class PagingDatabase: Sendable {
  enum Message: Sendable {
    /// With what the rules want to be kept once they are written down.
    case changes([Taken], RuleRecord?)
    /// Sent from memory about changes that are committed; nothing up to the number is sent from memory any more. Beside them what
    /// receivers asked for.
    case reports([LocalPage], through: UInt64, pauses: [String: Int64])
    case configuration(PagingConfiguration?)
    case stop
  }

  struct Taken: Sendable {
    let number: UInt64
    var change: IncidentChange
    /// CLOCK_MONOTONIC, when the other thread began to wait for it.
    let takenNs: Int64
  }

  private static let waitMs = 200
  /// Changes of one transaction: the first page of a storm must not wait for its last incident.
  private static let changesMax = 100
  /// Groups before the next look at what is to be sent, where the database was away: an end may be among them.
  private static let groupsMax = 10
  /// Half of what the other thread waits before it pages from memory.
  private static let patienceNs = LocalPager.patienceNs / 2
  /// For its report of what it sent.
  private static let hearingNs: Int64 = 2_000_000_000
  /// Findings at once for which evidence is looked up.
  private static let lookedUpMax = 20

  let mailbox: Mailbox<Message>
  /// What the other thread tells from memory just now.
  let told = Mutex<[LocalPage]>([])
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

  /// Shorter than a writer's: while it waits here, nothing in the outbox goes out.
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
    /// Of the steps that only whoever delivers pages takes.
    private let outbox: ThreadHealth
    var isGoingOn = true
    private var waits = RepeatedWarning()
    private var dispatcher: Dispatcher?
    private var waiting: [Taken] = []
    /// Changes ever taken and ever written: a record is complete when its last one is written.
    private var taken = 0
    private var written = 0
    private var records: [(through: Int, record: RuleRecord)] = []
    /// The newest record that is written, until it is reported to the rules.
    private var answer: RuleRecord?
    /// Keys of the incidents of whose rows the other thread has not spoken yet.
    private var lately: Set<String> = []
    /// Some of them waited so long that it may have sent pages about them, or is doing so.
    private var isTold = false
    private var reports: [LocalPage] = []
    /// That the database does not have yet, ns since 1970 by receiver.
    private var pauses: [String: Int64] = [:]
    /// It sends nothing about these any more.
    private var heard: UInt64 = 0
    /// Committed, and not confirmed to the other thread yet.
    private var confirmed: UInt64 = 0
    private var said: UInt64 = 0
    private var isListening = false
    private var descriptor: Int32?
    private var workedAtNs = Clock.monotonicNs()
    private var knownDueNs = Int64.min
    private var answerDueNs = Int64.min

    init(_ thread: PagingDatabase) {
      self.thread = thread
      let health = thread.metrics.health
      connection = StoreConnection(
        thread.database, options: PagingDatabase.options, health: health.watch("paging-database"))
      outbox = health.watch("outbox")
      configure(thread.configuration)
    }

    private func configure(_ configuration: PagingConfiguration?) {
      guard let configuration else {
        if let dispatcher { try? connection.use { (store: Store) throws(StoreError) in try dispatcher.end(store) } }
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
      tellRules()
      do throws(StoreError) {
        try connection.use { (store: Store) throws(StoreError) in try work(store) }
        workedAtNs = Clock.monotonicNs()
        noteAnswer()
      } catch {
        isListening = false
        descriptor = nil
        connection.close()
        if let metadata = waits.metadata(error, nowNs: Clock.monotonicNs()) {
          thread.logger.warning("paging waits for the database", metadata: metadata)
        }
        Process.sleep(ns: 200_000_000)
      }
      sayConfirmed()
    }

    private func sayConfirmed() {
      if confirmed > said, thread.front.post(.confirmed(through: confirmed)) { said = confirmed }
    }

    private func receive(_ messages: [Message]) {
      for message in messages {
        switch message {
        case .changes(let changes, let record):
          waiting += changes
          taken += changes.count
          if let record { records.append((taken, record)) }
        case .reports(let pages, let number, let pauses):
          reports += pages
          self.pauses.merge(pauses, uniquingKeysWith: max)
          heard = max(heard, number)
        case .configuration(let configuration): configure(configuration)
        case .stop: isGoingOn = false
        }
      }
    }

    private func wait() -> [Message] {
      let waitMs = waiting.isEmpty && reports.isEmpty ? PagingDatabase.waitMs : 0
      guard let dispatcher else { return thread.mailbox.wait(maximumMs: Int32(waitMs)) }
      dispatcher.wait(
        maximumMs: waitMs, descriptors: [thread.mailbox.readableDescriptor] + (descriptor.map { [$0] } ?? []),
        nowNs: Clock.wallNs())
      return thread.mailbox.take()
    }

    /// Once a second is enough.
    private func noteAnswer() {
      let now = Clock.monotonicNs()
      if now >= answerDueNs, thread.front.post(.databaseAnswers) { answerDueNs = now + 1_000_000_000 }
    }

    private var isLate: Bool { Clock.monotonicNs() - workedAtNs > LocalPager.patienceNs }

    private func work(_ store: Store) throws(StoreError) {
      if !isListening || descriptor != store.notificationDescriptor {
        try store.listenForPages()
        isListening = true
        descriptor = store.notificationDescriptor
      }
      var isWoken = try store.hasPageNotifications()
      try noteReports(store)
      // In a storm the first page must not wait; what came while the database was away is written before anything is sent. It may
      // have been away for as long as the first of these commits took.
      var groups = 0
      while !waiting.isEmpty, groups < (isLate ? PagingDatabase.groupsMax : 1) {
        groups += 1
        try apply(store)
        receive(thread.mailbox.take())
        isWoken = true
      }
      try hear(store)
      try keepStates(store)
      guard let dispatcher else { return }
      tell(try dispatcher.turn(store, nowNs: Clock.wallNs(), monotonicNs: Clock.monotonicNs(), isWoken: isWoken))
      noteRefusals(of: dispatcher, store)
      if Clock.monotonicNs() >= knownDueNs {
        let muting = try store.muting(nowNs: Clock.wallNs())
        let overrides = try store.overridesInForce(nowNs: Clock.wallNs())
        let pauses = try store.pauses(nowNs: Clock.wallNs())
        if thread.front.post(.known(muting, overrides, pauses: pauses)) {
          knownDueNs = Clock.monotonicNs() + 15_000_000_000
        }
      }
    }

    private func noteRefusals(of dispatcher: Dispatcher, _ store: Store) {
      thread.metrics.note(store.takeSetAside(), thread.logger)
      if let (step, reason) = dispatcher.refusedSteps.min(by: { $0.key < $1.key }) {
        outbox.failed("\(step): \(reason)", nowNs: Clock.monotonicNs())
      } else {
        outbox.succeeded()
      }
    }

    private func noteReports(_ store: Store) throws(StoreError) {
      let nowNs = Clock.wallNs()
      try store.reconcile(reports, nowNs: nowNs)
      reports = []
      for (receiver, untilNs) in pauses where untilNs > nowNs { try store.pause(receiver, untilNs: untilNs) }
      pauses = [:]
    }

    /// A commit may have taken so long that pages were sent meanwhile. Before the rows are delivered, the other thread confirms that it
    /// sends no more of them, and what it sent is noted.
    private func hear(_ store: Store) throws(StoreError) {
      if isTold {
        let until = Clock.monotonicNs() + PagingDatabase.hearingNs
        while isGoingOn, heard < confirmed, Clock.monotonicNs() < until {
          sayConfirmed()
          receive(thread.mailbox.wait(maximumMs: 20))
        }
        try noteReports(store)
        try store.reconcile(
          thread.told.withLock { $0 }.filter { lately.contains($0.dedupKey) }, nowNs: Clock.wallNs())
        isTold = false
      }
      lately = []
    }

    /// What rules want with their findings. In a storm it is left out: the first page must not wait for the last.
    private func lookUp(_ store: Store) throws(StoreError) {
      let isStorm = waiting.count > PagingDatabase.lookedUpMax
      for index in waiting.indices.prefix(PagingDatabase.changesMax) where !waiting[index].change.wanted.isEmpty {
        let change = waiting[index].change
        if !isStorm, change.kind == .opened, let host = change.hostNumber {
          waiting[index].change.evidence += try store.evidence(
            change.wanted, hostNumber: host, entity: change.entity, atNs: change.eventNs)
        }
        waiting[index].change.wanted = []
      }
    }

    /// After the changes: a state says that its findings are known.
    private func keepStates(_ store: Store) throws(StoreError) {
      let done = records.prefix { $0.through <= written }
      guard let last = done.last else { return }
      try store.save(done.flatMap(\.record.states), nowNs: Clock.wallNs())
      thread.metrics.note(store.takeSetAside(), thread.logger)
      records.removeFirst(done.count)
      answer = last.record
      tellRules()
    }

    private func tellRules() {
      if let record = answer, record.reply.post(.recorded(record.number)) { answer = nil }
    }

    private func apply(_ store: Store) throws(StoreError) {
      try lookUp(store)
      let group = waiting.prefix(PagingDatabase.changesMax)
      do throws(StoreError) {
        try write(group.map(\.change), store)
      } catch {
        guard error.isRefusal else { throw error }
        // One that the database will never take must not keep the others from being paged.
        try writeOneByOne(group.map(\.change), store)
      }
      confirmed = group.last?.number ?? confirmed
      written += group.count
      lately.formUnion(group.map(\.change.dedupKey))
      let now = Clock.monotonicNs()
      isTold = isTold || group.contains { now - $0.takenNs > PagingDatabase.patienceNs }
      waiting.removeFirst(group.count)
      sayConfirmed()
    }

    private var policy: PagingPolicy { dispatcher?.configuration.policy ?? .none }

    private func told(of changes: [IncidentChange]) -> [LocalPage] {
      let keys = Set(changes.map(\.dedupKey))
      let hasEnds = changes.contains { $0.kind == .cleared }
      // An end bears the key of its beginning, which may be in an earlier group.
      return thread.told.withLock { $0 }.filter { hasEnds || keys.contains($0.dedupKey) }
    }

    private func write(_ changes: [IncidentChange], _ store: Store) throws(StoreError) {
      let done = try store.apply(changes, policy: policy, told: told(of: changes), nowNs: Clock.wallNs())
      thread.metrics.incidentsOpened.add(UInt64(done.opened))
    }

    private func writeOneByOne(_ changes: [IncidentChange], _ store: Store) throws(StoreError) {
      let (done, setAside) = try store.applyOneByOne(
        changes, policy: policy, told: told(of: changes), nowNs: Clock.wallNs())
      thread.metrics.incidentsOpened.add(UInt64(done.opened))
      thread.metrics.changesRefused.add(UInt64(setAside))
      thread.metrics.note(store.takeSetAside(), thread.logger)
    }

    private func tell(_ report: Dispatcher.Report) {
      thread.metrics.pagesDelivered.add(UInt64(report.delivered))
      thread.metrics.pagesFailed.add(UInt64(report.refused.count + report.retried.count))
      if let audit = report.audit { thread.metrics.pagesOverdue.set(Int64(audit.overdue)) }
      if report.becameHolder { thread.logger.info("this collector delivers pages now") }
      if report.lostLease { thread.logger.warning("another collector delivers pages now") }
      for answer in report.refused { thread.logger.error("page refused", metadata: ["answer": "\(answer)"]) }
      for answer in report.retried { thread.logger.warning("page is tried again", metadata: ["answer": "\(answer)"]) }
      if let audit = report.audit, audit.overdue > 0 || audit.forgotten > 0 {
        thread.logger.error(
          "paging is late", metadata: ["overdue": "\(audit.overdue)", "forgotten": "\(audit.forgotten)"])
      }
    }

    func finish() {
      _ = try? connection.use { (store: Store) throws(StoreError) in
        while !waiting.isEmpty { try apply(store) }
        try keepStates(store)
        try dispatcher?.end(store)
      }
      connection.close()
    }
  }
}
