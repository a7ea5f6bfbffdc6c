internal import EventLoop
internal import Files
internal import FleetModel
package import Logging
internal import Postgres
internal import RuleFiles
internal import Rules
internal import Store
internal import TLS

/// The collector as a process: starts the parts in order, supervises them, and ends them in the reverse order.
package final class CollectorProgram {
  private let options: CollectorOptions
  private let metrics = CollectorMetrics()
  private let logger: Logger
  private let loop: EventLoop
  private let signals: SignalSource
  private var privateServer: PrivateServer?
  private var supervisor: DatabaseSupervisor?
  private var supervisorThread: LoopThread?
  private var gateways: [Mailbox<GatewayMessage>] = []
  private var writers: [WriterThread] = []
  private var control: ControlThread?
  private var housekeeping: HousekeepingThread?
  private var paging: PagingThread?
  private var rules: RulesThread?
  private var rulesThread: LoopThread?
  private var keeper: RuleKeeper?
  private var diagnosis: SilenceDiagnosis?
  private var threads: [LoopThread] = []
  private var gatewayThreads: [LoopThread] = []
  private let settings: SettingsBook
  private var currentRules: RuleSet
  private let allowList = AllowList()
  private let announced = AnnouncedCollectors()
  private var stateLock: DirectoryLock?
  private var identity: CollectorIdentity?
  private var authorityWatch = AuthorityWatch()
  private var statusServer: StatusServer?
  private var isStopping = false
  /// Why the last reload was refused; nil where it was taken.
  private var lastReloadProblem: String?

  /// - Throws: `CollectorFailure` for what the user can mend.
  package static func run(_ options: CollectorOptions, logger: Logger) throws {
    do {
      let program = try CollectorProgram(options, logger: logger)
      do {
        try program.start()
      } catch {
        program.abandon()
        throw error
      }
      try program.loop.run()
      program.finish()
    } catch let error as LoopError {
      throw CollectorFailure(.failed, "\(error)")
    } catch let error as FileError {
      throw CollectorFailure(.failed, "\(error)")
    } catch let error as IdentityError {
      throw CollectorFailure(.failed, "\(error)")
    }
  }

  private init(_ options: CollectorOptions, logger: Logger) throws {
    self.options = options
    self.logger = logger
    // Blocked before the first thread starts, so that all threads leave them to this loop.
    signals = try SignalSource([.hangup, .interrupt, .terminate])
    loop = try EventLoop()
    let configuration = try Self.configuration(options, logger)
    currentRules = Self.rules(configuration, before: RuleSet(), metrics, logger)
    settings = SettingsBook(configuration, rulePages: RuleRunbooks.pages(of: currentRules))
    metrics.configurationLoaded.set(Clock.wallNs() / 1_000_000_000)
  }

  // MARK: Start

  private func start() throws {
    try HostFiles.makeDirectory(options.stateDirectory, mode: 0o755)
    // Before anything is changed: a second collector must not touch the first one's database.
    try lockState()
    try Socket.requireFree(options.listen)
    let own = try loadAuthority()
    let database = try openDatabase()
    try prepareSchema(database)
    let authority = try chooseAuthority(own, database)
    try announced.readOnce(database)
    let identity = try CollectorIdentity(
      authority: authority, options: options, announced: announced, logger: logger)
    self.identity = identity
    let address = try startThreads(database, identity)
    try publish(database, address)
    let status = try StatusServer(
      loop: loop, address: options.metrics, metrics: { [metrics] in metrics.exposition },
      problem: { [unowned self] in problem() }, detail: { [unowned self] in healthDetail() })
    statusServer = status
    try signals.attach(to: loop) { [unowned self] in received($0) }
    try supervise()
    checkIdentity()
    try StandardStream.output.write(
      "ready listen=\(address) database=\(database.description) metrics=\(status.address)\n")
    logger.info("ready", metadata: ["listen": "\(address)", "hosts": "\(allowList.count)"])
  }

  private func lockState() throws {
    guard let lock = try DirectoryLock.take(options.stateDirectory) else {
      throw CollectorFailure(
        .failed,
        "another signalbox-collector\(DirectoryLock.holder(options.stateDirectory)) runs with --state-dir "
          + "\(options.stateDirectory): stop it first, or give this one a directory of its own")
    }
    stateLock = consume lock
  }

  /// - Returns: nil where the state directory has none.
  private func loadAuthority() throws -> CertificateAuthority? {
    guard try FileStatus.exists(CertificateAuthority.directory(below: options.stateDirectory)) else { return nil }
    return try CertificateAuthority.load(directory: options.stateDirectory)
  }

  private func chooseAuthority(_ own: CertificateAuthority?, _ database: DatabaseURL) throws -> CertificateAuthority {
    let chosen: Result<CertificateAuthority, any Error>
    do throws(StoreError) {
      let store = try Store.open(database)
      defer { store.close() }
      chosen = try chooseAuthority(own, store)
    } catch {
      throw CollectorFailure(.failed, "\(error)")
    }
    return try chosen.get()
  }

  private func chooseAuthority(
    _ own: CertificateAuthority?, _ store: Store
  ) throws(StoreError) -> Result<CertificateAuthority, any Error> {
    let choice = AuthorityChoice.make(
      ownPin: own.map { Hex.text($0.pin) }, fleetPin: try store.fleetAuthority(),
      activeHosts: try store.activeHostCount(), allowsNew: options.replacesAuthority,
      stateDirectory: options.stateDirectory)
    if case .refuse(let sentence) = choice { return .failure(CollectorFailure(.failed, sentence)) }
    let authority: CertificateAuthority
    if let own {
      authority = own
    } else {
      do throws(IdentityError) {
        authority = try CertificateAuthority.create(directory: options.stateDirectory, nowNs: Clock.wallNs())
      } catch {
        return .failure(error)
      }
      logger.info("certificate authority created", metadata: ["directory": "\(options.stateDirectory)/ca"])
    }
    try store.noteFleetAuthority(
      Hex.text(authority.pin), replacing: choice == .replace || choice == .createAndReplace, actor: "collector")
    return .success(authority)
  }

  /// The start has failed: a private server that this start brought up goes with it.
  private func abandon() {
    guard let privateServer, !privateServer.wasAdopted else { return }
    try? privateServer.stop()
  }

  private func openDatabase() throws -> DatabaseURL {
    if let given = options.database {
      try refuseLosingTheFleet(given)
      return given
    }
    do throws(PostgresError) {
      let server = try PrivateServer(stateDirectory: options.stateDirectory)
      privateServer = server
      return server.url
    } catch {
      throw CollectorFailure(.failed, "the private database does not start: \(error)")
    }
  }

  /// An empty database would have none of the hosts that the private one has, which was used until now.
  private func refuseLosingTheFleet(_ given: DatabaseURL) throws {
    // One that may not be looked at, as another user owns it, is there.
    guard (try? PrivateServer.hasCluster(stateDirectory: options.stateDirectory)) ?? true else { return }
    let home = options.stateDirectory + "/postgres"
    do throws(StoreError) {
      try Store.open(given).close()
    } catch .notMigrated {
      throw CollectorFailure(
        .failed,
        "the fleet is in the private database \(home), and \(given.description) is empty: move the first one there (docs/operations.md, "
          + "A user for the database), or move \(home) out of the way to begin with an empty fleet")
    } catch {
      // What else is wrong with it is looked at next.
    }
  }

  private func prepareSchema(_ database: DatabaseURL) throws {
    let room: ConnectionRoom
    do throws(StoreError) {
      let store = try Store.open(database, migrating: true)
      for problem in store.readerProblems { logger.warning("people's SQL", metadata: ["problem": "\(problem)"]) }
      room = try store.connectionRoom()
      allowList.replace(try store.allowList())
      logger.info("database", metadata: ["capability": "\(store.capability)"])
      metrics.databaseUp.set(1)
      // Before anything can be paged.
      try settings.applyMaintenance(store, logger)
      try settings.publishRules(store)
      store.close()
    } catch {
      if case .database(let answer) = error, answer.isConnectionLost {
        throw CollectorFailure(.notReachable, answer.withAdvice)
      }
      throw CollectorFailure(.failed, "\(error)")
    }
    try requireConnections(room)
  }

  /// Fences and enrolment, housekeeping, revocations, incidents and pages, the rules' lease: beside one for each writer.
  private static let connectionsBesideWriters = 5

  private var writerCount: Int { options.writers ?? min(max(1, Machine.processorCount), 8) }

  /// With too few connections some threads would wait for ever while the others work.
  private func requireConnections(_ room: ConnectionRoom) throws {
    let needed = Self.connectionsBesideWriters + writerCount
    let sentence =
      "this collector needs \(needed) (\(Self.connectionsBesideWriters) and one for each of \(writerCount) writers)"
    if room.limit < needed {
      throw CollectorFailure(
        .failed,
        "the database allows this user \(room.limit) connections, \(sentence): raise max_connections or the CONNECTION LIMIT "
          + "of the user or database, or start with fewer --writers")
    }
    if room.limit - room.used < needed {
      logger.warning(
        "few connections are left: \(sentence)", metadata: ["allowed": "\(room.limit)", "used": "\(room.used)"])
    }
  }

  private func startThreads(_ database: DatabaseURL, _ identity: CollectorIdentity) throws -> SocketAddress {
    let cores = max(1, Machine.processorCount)
    let gatewayCount = options.gateways ?? min(cores, 8)
    gateways = try (0..<gatewayCount).map { _ in try Mailbox(limit: 1 << 17) }
    // One a core: while one waits for the disk or gathers rows, the database works for another.
    for index in 0..<writerCount {
      let writer = try WriterThread(
        name: "writer-\(index)", database: database, gateways: gateways, settings: settings, metrics: metrics,
        logger: logger)
      writers.append(writer)
      threads.append(try writer.start())
    }
    let control = try ControlThread(
      database: database, gateways: gateways, service: enrolment(identity.authority), allowList: allowList,
      settings: settings, metrics: metrics, logger: logger)
    self.control = control
    threads.append(try control.start())
    let rules = try startRules(database)
    let address = try startGateways(identity.shown, control, rules)
    let housekeeping = try HousekeepingThread(
      database: database, gateways: gateways, allowList: allowList, settings: settings, metrics: metrics,
      logger: logger, announced: announced, announcement: try announcement(address))
    self.housekeeping = housekeeping
    threads.append(try housekeeping.start())
    return address
  }

  private func startRules(_ database: DatabaseURL) throws -> RulesThread {
    let paging = try PagingThread(
      database: database, stateDirectory: options.stateDirectory, configuration: settings.paging, metrics: metrics,
      logger: logger)
    self.paging = paging
    threads.append(try paging.start())
    let keeper = RuleKeeper(database: database, metrics: metrics, logger: logger)
    self.keeper = keeper
    let diagnosis = try SilenceDiagnosis()
    self.diagnosis = diagnosis
    if currentRules.rules.isEmpty { logger.warning("no rules: name some with rules: in the configuration") }
    let rules = try RulesThread(
      currentRules, writers: writers, gateways: gateways, paging: paging, diagnosis: diagnosis,
      metrics: metrics, logger: logger)
    self.rules = rules
    threads.append(try diagnosis.start(rules.mailbox))
    rulesThread = try rules.start()
    threads.append(try keeper.start(rules))
    return rules
  }

  private func startGateways(
    _ identity: ServerIdentity, _ control: ControlThread, _ rules: RulesThread
  ) throws -> SocketAddress {
    var address = options.listen
    for index in gateways.indices {
      let environment = GatewayEnvironment(
        index: index, mailbox: gateways[index], rules: rules, control: control.mailbox, allowList: allowList,
        settings: settings, announced: announced, metrics: metrics, logger: logger)
      let started = try Mailbox<Result<SocketAddress, CollectorFailure>>(limit: 1)
      let wanted = address
      gatewayThreads.append(
        try LoopThread("gateway-\(index)") {
          Gateway.runThread(environment, identity: identity, address: wanted, started: started)
        })
      guard let result = started.wait(maximumMs: 30_000).first else {
        throw CollectorFailure(.failed, "a gateway thread did not start")
      }
      // All listeners use the port of the first one.
      address = try result.get()
    }
    return address
  }

  private func enrolment(_ authority: CertificateAuthority) -> EnrolmentService {
    EnrolmentService(
      authority: authority, lifeSeconds: options.certificateSeconds ?? CertificateAuthority.agentLifeSeconds)
  }

  private func announcement(_ address: SocketAddress) throws -> Announcement {
    Announcement(
      collector: try CollectorFile.read(options.stateDirectory), addresses: options.advertised(port: address.port),
      pin: identity?.authority.pin ?? [])
  }

  /// What `signalbox` needs to find this fleet: the database's URL beside the state, addresses and pin in the database.
  private func publish(_ database: DatabaseURL, _ address: SocketAddress) throws {
    if options.database != nil {
      try HostFiles.replace(PrivateServer.urlFile(options.stateDirectory), with: Array((database.text + "\n").utf8))
    }
    let announcement = try announcement(address)
    do throws(StoreError) {
      let store = try Store.open(database)
      defer { store.close() }
      try announcement.make(store)
      try announced.read(store, own: announcement.addresses)
      try settings.applyLabels(store)
    } catch {
      throw CollectorFailure(.failed, "\(error)")
    }
    logger.info("announced", metadata: ["addresses": "\(announcement.addresses.joined(separator: ","))"])
  }

  // MARK: Running

  private func received(_ signal: Signal) {
    switch signal {
    case .hangup: reload()
    case .interrupt, .terminate:
      if isStopping {
        logger.warning("stopping at once")
        Process.exit(1)
      }
      stop()
    }
  }

  private func reload() {
    do {
      let configuration = try Self.configuration(options, logger)
      // What may fail comes before anything is replaced.
      try identity?.reload(nowNs: Clock.wallNs())
      let set = Self.rules(configuration, before: currentRules, metrics, logger)
      settings.replace(configuration, rulePages: RuleRunbooks.pages(of: set))
      rules?.mailbox.post(.rules(set))
      currentRules = set
      housekeeping?.reload()
      paging?.mailbox.post(.configuration(settings.paging))
      showIdentity(CollectorIdentity.Change(server: true, authority: true))
      for gateway in gateways { gateway.post(.settingsChanged) }
      metrics.configurationLoaded.set(Clock.wallNs() / 1_000_000_000)
      lastReloadProblem = nil
      logger.info("reloaded")
    } catch {
      metrics.configurationReloadFailures.add()
      lastReloadProblem = "\(error)"
      logger.error("not reloaded; the old configuration stays", metadata: ["error": "\(error)"])
    }
  }

  /// Certificates and the authority are renewed on the clock: no restart may be needed to keep a fleet connected.
  private func checkIdentity() {
    guard let identity, !isStopping else { return }
    let nowNs = Clock.wallNs()
    showIdentity(identity.check(nowNs: nowNs))
    metrics.authorityLeft.set(identity.authorityLeftNs(nowNs) / 1_000_000_000)
    metrics.serverCertificateLeft.set((identity.server.notAfterNs - nowNs) / 1_000_000_000)
    noteAuthorityEnd(identity, nowNs)
    loop.after(identity.checkEveryNs) { [weak self] in self?.checkIdentity() }
  }

  private func showIdentity(_ change: CollectorIdentity.Change) {
    guard let identity else { return }
    if change.authority { control?.mailbox.post(.authority(enrolment(identity.authority))) }
    if change.server { for gateway in gateways { gateway.post(.identity(identity.shown)) } }
  }

  /// What the mailbox does not take is offered again at the next check.
  private func noteAuthorityEnd(_ identity: CollectorIdentity, _ nowNs: Int64) {
    let change = authorityWatch.change(
      sentence: identity.endSentence(nowNs), steps: identity.endSteps, endNs: identity.authority.issuing.notAfterNs,
      nowNs: nowNs)
    if let change, paging?.post([change]) == true { authorityWatch.recorded(change) }
  }

  /// nil while the database answers and everything that is written to it goes through.
  private func problem() -> String? {
    if metrics.commitsWithoutStandby.value > 0 {
      return
        "commits wait for a synchronous standby, and none answers: bring one back, or change synchronous_standby_names"
    }
    let nowNs = Clock.monotonicNs()
    guard metrics.databaseUp.value == 1 else {
      // The server's own log may hold the reason: its disk is full, all its connections are taken.
      let reason = metrics.health.storingProblem(patienceNs: 0, nowNs: nowNs)
      let answered = reason?.contains("FATAL:") == true
      return (answered ? "the database takes no connection" : "the database does not answer")
        + (reason.map { ": \($0)" } ?? "")
    }
    return metrics.health.problem(nowNs: nowNs)
  }

  /// What works and what does not, one line each, for people; only what `problem` returns makes the collector unhealthy.
  private func healthDetail() -> String {
    let refused = metrics.rulesRefused.value
    let lines = [
      "reports: \(problem() ?? "ok")",
      "rules: \(metrics.rulesLoaded.value) run"
        + (refused > 0 ? "; \(refused) mistakes, whose rules are left out: see the log, or signalbox rules check" : ""),
      "authority: \(identity?.endSentence(Clock.wallNs()) ?? "ok")",
      "configuration: \(lastReloadProblem.map { "the last reload was refused, the one before it stays: \($0)" } ?? "ok")",
    ]
    return lines.map { $0 + "\n" }.joined()
  }

  private func supervise() throws {
    guard privateServer != nil else { return }
    let supervisor = try DatabaseSupervisor(stateDirectory: options.stateDirectory, logger: logger)
    self.supervisor = supervisor
    supervisorThread = try supervisor.start()
  }

  // MARK: End

  /// Streams end, what is staged is committed, then the threads end.
  private func stop() {
    isStopping = true
    logger.info("draining")
    for gateway in gateways { gateway.post(.drain) }
    loop.after(0) { [loop] in loop.stop() }
  }

  private func finish() {
    gatewayThreads.forEach { $0.join() }
    // What was found is written first, then the rows that wait for it.
    rules?.mailbox.post(.stop)
    rulesThread?.join()
    keeper?.stop()
    diagnosis?.mailbox.post(.stop)
    writers.forEach { $0.stop() }
    control?.mailbox.post(.stop)
    housekeeping?.stop()
    paging?.mailbox.post(.stop)
    threads.forEach { $0.join() }
    supervisor?.stop()
    supervisorThread?.join()
    do throws(PostgresError) { try privateServer?.stop() } catch {
      logger.error("the private database did not stop", metadata: ["error": "\(error)"])
    }
    logger.info("stopped")
  }
}
