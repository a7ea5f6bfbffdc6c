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
  private let firstRules: RuleSet
  private let allowList = AllowList()
  private var statusServer: StatusServer?
  private var isStopping = false

  /// - Throws: `CollectorFailure` for what the user can mend.
  package static func run(_ options: CollectorOptions, logger: Logger) throws {
    do {
      let program = try CollectorProgram(options, logger: logger)
      try program.start()
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
    let configuration = try Self.configuration(options)
    settings = SettingsBook(configuration)
    firstRules = try Self.rules(configuration)
  }

  // MARK: Start

  private func start() throws {
    try HostFiles.makeDirectory(options.stateDirectory, mode: 0o755)
    // Before anything is changed: a second collector must not touch the first one's database.
    try Socket.requireFree(options.listen)
    let authority = try loadAuthority()
    let database = try openDatabase()
    try prepareSchema(database)
    let address = try startThreads(database, authority)
    try publish(database, authority, address)
    let status = try StatusServer(
      loop: loop, address: options.metrics, metrics: { [metrics] in metrics.exposition },
      problem: { [unowned self] in problem() })
    statusServer = status
    try signals.attach(to: loop) { [unowned self] in received($0) }
    try supervise()
    try StandardStream.output.write(
      "ready listen=\(address) database=\(database.description) metrics=\(status.address)\n")
    logger.info("ready", metadata: ["listen": "\(address)", "hosts": "\(allowList.count)"])
  }

  private func loadAuthority() throws -> CertificateAuthority {
    if try FileStatus.exists(CertificateAuthority.directory(below: options.stateDirectory)) {
      return try CertificateAuthority.load(directory: options.stateDirectory)
    }
    logger.info("certificate authority created", metadata: ["directory": "\(options.stateDirectory)/ca"])
    return try CertificateAuthority.create(directory: options.stateDirectory, nowNs: Clock.wallNs())
  }

  private func openDatabase() throws -> DatabaseURL {
    do throws(PostgresError) {
      if let given = options.database { return given }
      let server = try PrivateServer(stateDirectory: options.stateDirectory)
      privateServer = server
      return server.url
    } catch {
      throw CollectorFailure(.failed, "the private database does not start: \(error)")
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

  private func startThreads(_ database: DatabaseURL, _ authority: CertificateAuthority) throws -> SocketAddress {
    let cores = max(1, Machine.processorCount)
    let gatewayCount = options.gateways ?? min(cores, 8)
    gateways = try (0..<gatewayCount).map { _ in try Mailbox(limit: 1 << 17) }
    // One a core: while one waits for the disk or gathers rows, the database works for another.
    for index in 0..<writerCount {
      let writer = try WriterThread(database: database, gateways: gateways, metrics: metrics, logger: logger)
      writers.append(writer)
      threads.append(try writer.start("writer-\(index)"))
    }
    let service = EnrolmentService(
      authority: authority, lifeSeconds: options.certificateSeconds ?? CertificateAuthority.agentLifeSeconds)
    let control = try ControlThread(
      database: database, gateways: gateways, service: service, allowList: allowList, metrics: metrics, logger: logger)
    self.control = control
    threads.append(try control.start())
    let rules = try startRules(database)
    let address = try startGateways(try serverIdentity(authority), control, rules)
    let housekeeping = try HousekeepingThread(
      database: database, gateways: gateways, allowList: allowList, settings: settings, metrics: metrics,
      logger: logger, advertised: advertised(address), pin: authority.pin)
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
    if firstRules.rules.isEmpty { logger.warning("no rules: name some with rules: in the configuration") }
    let rules = try RulesThread(
      firstRules, writers: writers, gateways: gateways, paging: paging, diagnosis: diagnosis,
      metrics: metrics, logger: logger)
    self.rules = rules
    threads.append(try diagnosis.start(rules.mailbox))
    rulesThread = try rules.start()
    threads.append(try keeper.start(rules.mailbox))
    return rules
  }

  private func startGateways(
    _ identity: ServerIdentity, _ control: ControlThread, _ rules: RulesThread
  ) throws -> SocketAddress {
    var address = options.listen
    for index in gateways.indices {
      let environment = GatewayEnvironment(
        index: index, mailbox: gateways[index], rules: rules, control: control.mailbox, allowList: allowList,
        settings: settings, metrics: metrics, logger: logger)
      let started = try Mailbox<Result<SocketAddress, CollectorFailure>>(limit: 1)
      let wanted = address
      gatewayThreads.append(
        try LoopThread("gateway-\(index)") {
          Gateway.runThread(environment, identity: identity, address: wanted, started: started)
        })
      guard let result = started.wait(maximumMs: 30_000).first else {
        throw CollectorFailure(.failed, "a gateway thread did not start")
      }
      // The first one's port is everybody's.
      address = try result.get()
    }
    return address
  }

  /// A key and certificate for this process alone, never on disk; the supervisor renews it.
  private func serverIdentity(_ authority: CertificateAuthority) throws -> ServerIdentity {
    let hosts = options.advertise.compactMap { TLS.CollectorAddress($0)?.host } + [options.listen.host, "localhost"]
    let wildcards: Set<String> = ["0.0.0.0", "::", ""]
    let named = Array(Set(hosts).subtracting(wildcards)).sorted()
    let isAddress = { (host: String) in host.contains(":") || host.allSatisfy { $0.isNumber || $0 == "." } }
    let (key, issued) = try authority.serverCertificate(
      names: named.filter { !isAddress($0) },
      addresses: named.filter(isAddress) + ["127.0.0.1"].filter { !named.contains($0) },
      nowNs: Clock.wallNs())
    return ServerIdentity(chainPEM: issued.chainPEM, keyPEM: try key.pem(), rootsPEM: authority.trustPEM)
  }

  private func advertised(_ address: SocketAddress) -> [String] {
    options.advertise.isEmpty ? [address.description] : options.advertise
  }

  /// What `signalbox` needs to find this fleet: the database's URL beside the state, addresses and pin in the database.
  private func publish(_ database: DatabaseURL, _ authority: CertificateAuthority, _ address: SocketAddress) throws {
    if options.database != nil {
      try HostFiles.replace(PrivateServer.urlFile(options.stateDirectory), with: Array((database.text + "\n").utf8))
    }
    do throws(StoreError) {
      let store = try Store.open(database)
      defer { store.close() }
      for address in advertised(address) {
        try store.announceCollector(address: address, caPin: Hex.text(authority.pin), version: Build.version)
      }
    } catch {
      throw CollectorFailure(.failed, "\(error)")
    }
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
      let configuration = try Self.configuration(options)
      let set = try Self.rules(configuration)
      settings.replace(configuration)
      rules?.mailbox.post(.rules(set))
      housekeeping?.reload()
      paging?.mailbox.post(.configuration(settings.paging))
      let authority = try CertificateAuthority.load(directory: options.stateDirectory)
      let identity = try serverIdentity(authority)
      for gateway in gateways { gateway.post(.identity(identity)) }
      for gateway in gateways { gateway.post(.settingsChanged) }
      logger.info("reloaded")
    } catch {
      logger.error("not reloaded; the old configuration stays", metadata: ["error": "\(error)"])
    }
  }

  /// nil while commits go through.
  private func problem() -> String? {
    if metrics.commitsWithoutStandby.value > 0 {
      return
        "commits wait for a synchronous standby, and none answers: bring one back, or change synchronous_standby_names"
    }
    if metrics.databaseUp.value != 1 { return "the database does not answer" }
    let now = Clock.monotonicNs()
    return writers.contains { $0.isStuck(nowNs: now) } ? "a commit has waited for the database for 10 s" : nil
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

/// What this build is.
package enum Build {
  package static let version = "0.1.0"
}
