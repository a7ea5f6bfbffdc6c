package import EventLoop
internal import Files
package import FleetModel
internal import Incidents
package import Logging
internal import Paging
package import Postgres
package import SiteConfiguration
internal import Store

/// Receives the rules' findings, passes them to the database's thread, and pages from memory those that the database
/// does not confirm in time.
///
/// There are two threads, because one that waits for a database cannot send meanwhile: this one never uses the
/// database.
package final class PagingThread: Sendable {
  enum Message: Sendable {
    /// Changes of other parts of the collector than the rules, oldest first.
    case changes([IncidentChange])
    /// Findings of the rules, in order: `.recorded` is sent to its `reply` once they are committed.
    case record(RuleRecord)
    case configuration(PagingConfiguration?)
    case stop
    /// The messages from here on come from the database's thread.
    case committed(through: UInt64)
    case reconciled(release: UInt64)
    case known(Handover.Knowledge)
    case databaseAnswers
  }

  /// Messages that may wait; a sender whose message does not fit keeps it and posts it again.
  static let boxLimit = 4096
  private static let waitMs = 200
  /// How long the end waits for the answers of receivers.
  private static let answersNs: Int64 = 3_000_000_000
  /// After so long without an answer of the database, or with a writer's rows refused, an incident is opened.
  private static let awayNs: Int64 = 30_000_000_000

  let mailbox: Mailbox<Message>
  private let database: DatabaseURL
  private let instance: PagingInstance
  private let configuration: PagingConfiguration?
  private let metrics: CollectorMetrics
  private let logger: Logger

  package init(
    database: DatabaseURL, stateDirectory: String, configuration: PagingConfiguration?, metrics: CollectorMetrics,
    logger: Logger
  ) throws(LoopError) {
    mailbox = try Mailbox(limit: Self.boxLimit)
    instance = PagingInstance(stateDirectory: stateDirectory)
    self.database = database
    self.configuration = configuration
    self.metrics = metrics
    self.logger = logger
  }

  package func start() throws(LoopError) -> LoopThread {
    let pages = try PagingDatabase(
      database: database, holder: instance.holder, configuration: configuration, front: mailbox, metrics: metrics,
      logger: logger)
    let rows = try pages.start()
    return try LoopThread("paging") { [self] in
      if let run = try? Run(self, pages) {
        while run.isGoingOn { run.turn() }
        run.finish(rows)
      } else {
        logger.critical("paging does not start: libcurl is not there")
        pages.mailbox.post(.stop([]))
        rows.join()
      }
    }
  }

  /// Posts changes of other parts than the rules. - Returns: false where the mailbox is full.
  @discardableResult
  package func post(_ changes: [IncidentChange]) -> Bool { mailbox.post(.changes(changes)) }

  /// Ends both threads; changes that are not committed stay in the journal for the next start.
  package func stop() { mailbox.post(.stop) }

  private final class Run {
    let thread: PagingThread
    let database: PagingDatabase
    let pager: MemoryPager
    let journal: ChangeJournal
    var isGoingOn = true
    /// Messages for the database's thread, oldest first, that did not fit into its mailbox.
    private var unsent: [PagingDatabase.Message] = []
    private var lastAnswerNs = Clock.monotonicNs()
    private var away: IncidentChange?
    /// proc(5): /proc/sys/kernel/hostname.
    private let hostName = String(
      decoding: (try? HostFiles.read("/proc/sys/kernel/hostname"))?.filter { $0 > 0x20 } ?? [], as: UTF8.self)

    init(_ thread: PagingThread, _ database: PagingDatabase) throws {
      self.thread = thread
      self.database = database
      let (journal, changes, pages) = ChangeJournal.open(thread.instance)
      self.journal = journal
      pager = try MemoryPager(
        Handover(
          thread.configuration ?? PagingConfiguration(), pages: pages, isKept: !changes.isEmpty || !pages.isEmpty)
      ) { Double.random(in: 0...1) }
      if !changes.isEmpty {
        thread.logger.warning("changes were held for the database", metadata: ["count": "\(changes.count)"])
      }
      turn(changes.isEmpty ? [] : [.restored(changes)])
      unsent.append(.restored(through: pager.handover.taken))
    }

    func turn() {
      pager.wait(
        maximumMs: PagingThread.waitMs, descriptors: [thread.mailbox.readableDescriptor], nowNs: Clock.wallNs)
      for message in thread.mailbox.take() { receive(message) }
      reportAbsence()
      turn([])
      pass()
      thread.metrics.pagesHeld.set(Int64(pager.handover.unconfirmed))
    }

    private func receive(_ message: Message) {
      switch message {
      case .changes(let changes): take(changes, nil)
      case .record(let record): take(record.changes, record.receipt)
      case .configuration(let configuration):
        turn([.configured(configuration ?? PagingConfiguration())])
        unsent.append(.configuration(configuration))
      case .committed(let number): turn([.committed(through: number)])
      case .reconciled(let release): turn([.reconciled(release: release)])
      case .known(let knowledge): turn([.known(knowledge)])
      case .databaseAnswers: lastAnswerNs = Clock.monotonicNs()
      case .stop: isGoingOn = false
      }
    }

    private func take(_ changes: [IncidentChange], _ receipt: RuleRecord.Receipt?) {
      if !changes.isEmpty { turn([.changes(changes.map(\.storable))]) }
      // Sent after its changes, so that the database's thread receives both in order.
      if let receipt { unsent.append(.record(receipt)) }
    }

    private func turn(_ events: [Handover.Event]) {
      pager.turn(
        events, at: Handover.Moment(wallNs: Clock.wallNs(), monotonicNs: Clock.monotonicNs()), carryOut)
    }

    private func carryOut(_ action: Handover.Action) {
      switch action {
      case .write(let changes): unsent.append(.changes(changes))
      case .refused(let count):
        thread.metrics.changesRefused.add(UInt64(count))
        thread.logger.error(
          "too many changes wait for the database; these are not paged from memory", metadata: ["count": "\(count)"])
      case .keep(let changes, let pages): keep(changes, pages)
      case .release(let release): unsent.append(.release(release))
      case .clearKept: journal.clear()
      case .send: break
      }
    }

    private func pass() {
      while let first = unsent.first, database.mailbox.post(first) { unsent.removeFirst() }
    }

    /// Opens or ends the incident of a database that does not answer. It takes the way of all changes and, since the
    /// database cannot confirm it, is paged from memory.
    private func reportAbsence() {
      let now = Clock.monotonicNs()
      let problem = absence(now)
      if away == nil, let problem {
        let wall = Clock.wallNs()
        var change = IncidentChange(
          .opened, rule: OwnRule.database, severity: OwnRule.databaseRunbook.severity, hostName: hostName,
          entity: "database", eventNs: wall - PagingThread.awayNs, detectedNs: wall
        ).described(by: OwnRule.databaseRunbook)
        change.title = problem.title
        change.summary = problem.summary
        change.steps = OwnRule.databaseRunbook.steps
        away = change
        take([change], nil)
        thread.logger.error("\(problem.summary)")
      } else if let opened = away, problem == nil {
        var change = opened
        change.kind = .cleared
        (change.eventNs, change.detectedNs) = (Clock.wallNs(), Clock.wallNs())
        away = nil
        take([change], nil)
      }
    }

    /// What is wrong with the database; nil for nothing. One that answers queries but stores no rows, such as with a
    /// full disk, counts as away too.
    private func absence(_ nowNs: Int64) -> (title: String, summary: String)? {
      let waitedNs = nowNs - lastAnswerNs
      let storing = thread.metrics.health.storingProblem(patienceNs: PagingThread.awayNs, nowNs: nowNs)
      // A frozen database blocks the writers a moment earlier than this thread; then its own silence is the better
      // description.
      if waitedNs > PagingThread.awayNs || storing != nil && waitedNs > PagingThread.awayNs / 2 {
        return (
          "Signalbox's database does not answer",
          "the collector on \(hostName) has had no answer from its database for \(waitedNs / 1_000_000_000) s; pages come from its memory"
        )
      }
      guard let storing else { return nil }
      return (
        "Signalbox's database does not take what hosts report",
        "the collector on \(hostName) cannot store what hosts report: \(storing); pages that the database does not take come from its memory"
      )
    }

    private func keep(_ changes: [IncidentChange], _ pages: [LocalPage]) {
      if !changes.isEmpty {
        thread.logger.warning("the database is late; paging from memory", metadata: ["changes": "\(changes.count)"])
      }
      thread.metrics.pagesFromMemory.add(UInt64(pages.count { $0.answer != nil }))
      if !journal.keep(changes, pages) {
        thread.logger.error("held changes cannot be written to the state directory")
      }
    }

    func finish(_ rows: LoopThread) {
      // Waits for outstanding answers: a message that is delivered now must not be sent again after the next start.
      turn([.stopping])
      let until = Clock.monotonicNs() + PagingThread.answersNs
      while pager.handover.isSending, Clock.monotonicNs() < until {
        pager.wait(maximumMs: PagingThread.waitMs, descriptors: [], nowNs: Clock.wallNs)
        turn([])
      }
      unsent.append(.stop(pager.handover.everythingReported))
      // The mailbox may be full while its thread waits for the database.
      while !unsent.isEmpty {
        pass()
        if !unsent.isEmpty { Process.sleep(ns: 10_000_000) }
      }
      rows.join()
      for message in thread.mailbox.take() { receive(message) }
      // Written to the journal for the next start.
      let rest = pager.handover.undecided
      if !rest.isEmpty { _ = journal.keep(rest, []) }
    }
  }
}

extension IncidentChange {
  /// The change without NUL characters, which PostgreSQL does not store.
  fileprivate var storable: IncidentChange {
    let texts = [title, hostName, entity, summary, runbook] + steps + evidence + causes
    guard texts.contains(where: { $0.utf8.contains(0) }) else { return self }
    let clean = { (text: String) in String(text.map { $0 == "\0" ? "\u{fffd}" : $0 }) }
    var change = self
    (change.title, change.hostName) = (clean(title), clean(hostName))
    (change.entity, change.summary) = (clean(entity), clean(summary))
    (change.steps, change.evidence) = (steps.map(clean), evidence.map(clean))
    (change.causes, change.runbook) = (causes.map(clean), clean(runbook))
    return change
  }
}
