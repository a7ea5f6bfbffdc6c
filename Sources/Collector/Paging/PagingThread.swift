internal import EventLoop
internal import Files
internal import FleetModel
internal import Logging
internal import Paging
internal import Postgres
internal import Store

/// Turns what the rules find into incidents, and delivers pages where `paging:` is configured and this collector holds the lease.
///
/// While the database is away changes wait here, in order; a page is sent when its row is there.
final class PagingThread: Sendable {
  enum Message: Sendable {
    /// From whoever else has something to say, oldest first.
    case changes([IncidentChange])
    /// From the rules, in order: answered once it is in the database.
    case record(RuleRecord)
    case configuration(PagingConfiguration?)
    case stop
  }

  /// Messages that may wait; a sender whose message is refused keeps it and sends it again.
  static let boxLimit = 4096
  private static let waitMs = 200
  /// Findings at once for which evidence is looked up.
  private static let lookedUpMax = 20

  let mailbox: Mailbox<Message>
  private let database: DatabaseURL
  private let place: PagingPlace
  private let configuration: PagingConfiguration?
  private let metrics: CollectorMetrics
  private let logger: Logger

  init(
    database: DatabaseURL, stateDirectory: String, configuration: PagingConfiguration?, metrics: CollectorMetrics,
    logger: Logger
  ) throws(LoopError) {
    place = PagingPlace(stateDirectory: stateDirectory)
    mailbox = try Mailbox(limit: Self.boxLimit)
    self.database = database
    self.configuration = configuration
    self.metrics = metrics
    self.logger = logger
  }

  func start() throws(LoopError) -> LoopThread {
    try LoopThread("paging") { [self] in
      let run = Run(self)
      while run.isGoingOn { run.turn() }
      run.finish()
    }
  }

  private final class Run {
    let thread: PagingThread
    let connection: StoreConnection
    var isGoingOn = true
    private var dispatcher: Dispatcher?
    private var waiting: [IncidentChange] = []
    /// Records whose changes wait or have just been written.
    private var records: [RuleRecord] = []
    /// The newest record that is written, until the rules have heard of it.
    private var answer: RuleRecord?
    private var isListening = false
    private var descriptor: Int32?

    init(_ thread: PagingThread) {
      self.thread = thread
      connection = StoreConnection(thread.database)
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
        dispatcher = try Dispatcher(configuration, holder: thread.place.holder) { Double.random(in: 0...1) }
      } catch {
        thread.logger.error("paging does not start", metadata: ["error": "\(error)"])
      }
    }

    func turn() {
      let messages: [Message]
      if let dispatcher {
        dispatcher.wait(
          maximumMs: PagingThread.waitMs,
          descriptors: [thread.mailbox.readableDescriptor] + (descriptor.map { [$0] } ?? []),
          nowNs: Clock.wallNs())
        messages = thread.mailbox.take()
      } else {
        messages = thread.mailbox.wait(
          maximumMs: waiting.isEmpty && records.isEmpty && answer == nil ? 1000 : Int32(PagingThread.waitMs))
      }
      for message in messages {
        switch message {
        case .changes(let changes): waiting += changes
        case .record(let record):
          waiting += record.changes
          records.append(record)
        case .configuration(let configuration): configure(configuration)
        case .stop: isGoingOn = false
        }
      }
      tellRules()
      guard dispatcher != nil || !waiting.isEmpty || !records.isEmpty else { return }
      do throws(StoreError) {
        try connection.use { (store: Store) throws(StoreError) in try work(store) }
      } catch {
        isListening = false
        descriptor = nil
        connection.close()
        thread.logger.warning("paging waits for the database", metadata: ["error": "\(error)"])
        Process.sleep(ns: 200_000_000)
      }
    }

    private func work(_ store: Store) throws(StoreError) {
      if !isListening || descriptor != store.notificationDescriptor {
        try store.listenForPages()
        isListening = true
        descriptor = store.notificationDescriptor
      }
      var isWoken = try store.hasPageNotifications()
      if !waiting.isEmpty {
        try lookUp(store)
        let plan = dispatcher?.configuration.plan ?? .none
        let done = try store.apply(waiting, plan: plan, nowNs: Clock.wallNs())
        waiting = []
        isWoken = true
        thread.metrics.incidentsOpened.add(UInt64(done.opened))
      }
      try keepStates(store)
      guard let dispatcher else { return }
      tell(
        try dispatcher.turn(store, nowNs: Clock.wallNs(), monotonicNs: Clock.monotonicNs(), isWoken: isWoken))
    }

    /// What rules want with their findings. In a storm nobody reads it, and the first page must not wait for the last.
    private func lookUp(_ store: Store) throws(StoreError) {
      let isStorm = waiting.count > PagingThread.lookedUpMax
      for index in waiting.indices where !waiting[index].wanted.isEmpty {
        let change = waiting[index]
        if !isStorm, change.kind == .opened, let host = change.hostNumber {
          waiting[index].evidence += try store.evidence(
            change.wanted, hostNumber: host, entity: change.entity, atNs: change.eventNs)
        }
        waiting[index].wanted = []
      }
    }

    /// After the changes: a state says that its findings are known.
    private func keepStates(_ store: Store) throws(StoreError) {
      guard let last = records.last else { return }
      try store.save(records.flatMap(\.states), nowNs: Clock.wallNs())
      records = []
      answer = last
      tellRules()
    }

    private func tellRules() {
      if let record = answer, record.reply.post(.recorded(record.number)) { answer = nil }
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
        if !waiting.isEmpty {
          try store.apply(waiting, plan: dispatcher?.configuration.plan ?? .none, nowNs: Clock.wallNs())
        }
        try keepStates(store)
        try dispatcher?.end(store)
      }
      connection.close()
    }
  }
}
