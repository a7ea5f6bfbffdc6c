internal import EventLoop
internal import Files
internal import FleetModel
internal import Schema
internal import TLS

/// `signalbox-agent run`: one thread, one loop. Wires the parts; each of them is tested without it.
final class AgentProgram {
  private static let healthEveryNs: Int64 = 10_000_000_000
  private static let cleanEveryNs: Int64 = 5_000_000_000
  private static let releaseEveryNs: Int64 = 600_000_000_000
  private static let drainPatienceNs: Int64 = 5_000_000_000
  /// Changes of files are looked at no more often than this, however often a program writes.
  private static let changesEveryNs: Int64 = 20_000_000

  private let options: RunOptions
  private let loop: EventLoop
  private let signals: SignalSource
  private let redactor = Redactor()
  private let fileSystem: LinuxFollowedFileSystem
  private let followers: Followers
  private let streams: FollowedStreams
  private let source: NamedDeltaSource
  private var journals: [JournalFollower] = []
  private let session: UplinkSession
  private let connection: AgentConnection
  private let probes: ProbeRunner
  private let checks: CheckRunner
  private var sampler: Sampler
  private var runWriters = RunWriters()
  private var socket: SocketListener?
  private var changes: Watch?
  private var followingTimer = FollowingTimer()
  private var followingTimerID: TimerID?
  private var intervalNs: Int64
  private var nextSampleNs: Int64
  private var nextHealthNs: Int64 = 0
  private var nextReleaseNs: Int64 = 0
  private var nextCleanNs: Int64 = 0
  private var buffer: [UInt8] = []
  private var firstFollowed: FirstFollowed
  private let cleaner: SegmentCleaner
  private var followingReport = FollowingReport()
  private var probedMounts: [Mount]?
  private var isStopping = false
  private let stateLock: DirectoryLock

  static func run(_ options: RunOptions) -> Int32 {
    do {
      let program = try AgentProgram(options)
      try program.start()
      try withExtendedLifetime(program) { try program.loop.run() }
      return 0
    } catch let error as UsageError {
      return AgentMain.fail(1, error.message)
    } catch let error as IdentityError {
      return AgentMain.fail(1, error.message)
    } catch {
      return AgentMain.fail(1, "\(error)")
    }
  }

  private init(_ options: RunOptions) throws {
    self.options = options
    intervalNs = options.intervalNs
    signals = try SignalSource([.hangup, .interrupt, .terminate])
    loop = try EventLoop()
    let directory = IdentityDirectory(stateDirectory: options.stateDirectory)
    guard let identity = try directory.load() else {
      throw UsageError(
        "this host has not joined a fleet: run signalbox-agent join - --state-dir \(options.stateDirectory) first")
    }
    // Two agents of one directory would write one spool and fence each other's streams.
    guard let lock = try DirectoryLock.take(options.stateDirectory) else {
      throw UsageError(
        "another signalbox-agent\(DirectoryLock.holder(options.stateDirectory)) runs with --state-dir \(options.stateDirectory): "
          + "stop it first, or give this one a directory of its own")
    }
    stateLock = consume lock
    let host = HostIdentity.read()
    var random = SystemRandomNumberGenerator()
    var spoolLimits = SpoolLimits()
    spoolLimits.bytesMax = options.spoolLimitBytes
    let spool = Spool(
      disk: try SpoolDirectory(path: options.stateDirectory + "/spool"), boot: host.bootID, limits: spoolLimits,
      nowNs: Clock.bootNs(), random: &random)
    streams = try Self.streams(options)
    fileSystem = LinuxFollowedFileSystem(
      allowed: AllowedPaths(roots: options.allow + [streams.inbox, streams.journal], patterns: options.follow))
    firstFollowed = Self.loadFirstFollowed(options)
    cleaner = SegmentCleaner(streams)
    followers = Followers(
      fileSystem: fileSystem,
      readers: FormatReaders(
        redactor: redactor, zone: Clock.zoneOffsetSeconds(atWallNs:), streams: streams,
        declared: MatchedMetrics(options.metricPatterns)),
      makeKey: { FileKey(bytes: HostFiles.randomBytes(16)) ?? FileKey(high: 0, low: 0) })
    source = NamedDeltaSource(followers, streams)
    session = UplinkSession(spool: spool, source: source, hello: Self.hello(host), random: random)
    probes = ProbeRunner(loop: loop)
    checks = CheckRunner(loop: loop, permissions: Self.permissions(options))
    sampler = Sampler(settings: Self.samplerSettings(options))
    // Hosts that were started together do not sample together.
    nextSampleNs = Clock.monotonicNs() + Int64(identity.hostID.low % UInt64(min(intervalNs, 1_000_000_000)))
    weak var program: AgentProgram?
    connection = AgentConnection(loop: loop, session: session, identity: identity, directory: directory) {
      program?.apply($0)
    }
    program = self
  }

  private static func permissions(_ options: RunOptions) -> CheckPermissions {
    var permissions = CheckPermissions()
    permissions.paths = options.allow
    permissions.patterns = options.follow
    permissions.programs = options.allowCommands
    permissions.addresses = options.allowAddresses
    return permissions
  }

  private static func streams(_ options: RunOptions) throws -> FollowedStreams {
    let journal = options.stateDirectory + "/journal"
    let inbox = options.inbox ?? options.stateDirectory + "/inbox"
    try HostFiles.makeDirectory(journal)
    do throws(FileError) {
      try HostFiles.makeDirectory(inbox)
      return FollowedStreams(inbox: try HostFiles.resolve(inbox), journal: try HostFiles.resolve(journal))
    } catch {
      // It must not keep the rest from being reported.
      AgentLog.warning("no streams are followed", [("inbox", inbox), ("reason", "\(error)")])
      return FollowedStreams(inbox: inbox, journal: try HostFiles.resolve(journal))
    }
  }

  private static func hello(_ host: HostIdentity) -> Hello {
    var hello = Hello()
    hello.agentVersion = Build.version
    hello.bootID = host.bootID
    hello.instanceID = InstanceID(bytes: HostFiles.randomBytes(16)) ?? InstanceID(high: 0, low: 0)
    hello.machineIDHash = host.machineIDHash
    hello.facts = host.facts
    hello.redactionVersion = Redactor.version
    return hello
  }

  private static func samplerSettings(_ options: RunOptions) -> SamplerSettings {
    var settings = SamplerSettings()
    settings.processes.names += options.processPatterns
    return settings
  }

  // MARK: Start

  private func start() throws {
    try signals.attach(to: loop) { [unowned self] in received($0) }
    if let path = options.socketPath {
      socket = try SocketListener(
        path: path, loop: loop, redact: { [redactor] in redactor.redact($0) },
        announce: { [unowned self] in announced($0) },
        deliver: { [unowned self] in append($0) })
    }
    try watchChanges()
    sampler.watchEnds(on: loop) { [unowned self] in processEnded($0) }
    setProbeTasks()
    checks.recordsCame = { [unowned self] in takeChecks() }
    journals = options.journals.map { unit in
      let name = FollowedStreams.shownJournal(unit)
      if firstFollowed.note([name], nowNs: Clock.wallNs()) { saveFirstFollowed() }
      return JournalFollower(unit: unit, streams: streams, firstNs: firstFollowed.times[name] ?? 0, loop: loop)
    }
    for journal in journals { journal.start() }
    AgentLog.info(
      "started",
      [
        ("version", Build.version), ("host", connection.identity.hostName), ("from", options.from.sentence),
      ])
    follow(Settings())
    connection.pumped = { [unowned self] in scheduleFollowing() }
    sampleWhenDue()
    followWhenDue()
    connection.pump()
  }

  private func watchChanges() throws {
    guard let descriptor = fileSystem.notificationDescriptor else { return }
    changes = try loop.watch(descriptor, .read) { [unowned self] _ in
      followers.tick(nowNs: Clock.wallNs())
      connection.pump()
      pauseChanges()
    }
  }

  /// A program that writes ten thousand times a second must not wake the agent as often.
  private func pauseChanges() {
    guard let changes else { return }
    loop.change(changes, [])
    loop.after(Self.changesEveryNs) { [unowned self] in loop.change(changes, .read) }
  }

  // MARK: Timers

  private func sampleWhenDue() {
    guard !isStopping else { return }
    let now = Clock.monotonicNs()
    if now >= nextSampleNs {
      sample()
      // A suspended machine or a stopped process skips samples; it does not catch up with them.
      nextSampleNs += max(1, (now - nextSampleNs) / intervalNs + 1) * intervalNs
    }
    loop.after(nextSampleNs - now) { [unowned self] in sampleWhenDue() }
  }

  /// What inotify does not report: held-back last lines, rescans.
  private func followWhenDue() {
    guard !isStopping else { return }
    followingTimer.fired()
    followers.tick(nowNs: Clock.wallNs())
    connection.pump()
    cleanStreams()
    scheduleFollowing()
  }

  private func scheduleFollowing() {
    guard !isStopping,
      let delayNs = followingTimer.delayNs(
        deadlineNs: followers.nextDeadlineNs, heldNs: followers.nextHeldNs, wallNs: Clock.wallNs(),
        monotonicNs: Clock.monotonicNs())
    else { return }
    if let followingTimerID { loop.cancel(followingTimerID) }
    followingTimerID = loop.after(delayNs) { [unowned self] in followWhenDue() }
  }

  /// Only once it is known what the collector has.
  private func cleanStreams() {
    guard source.isResumed, Clock.bootNs() >= nextCleanNs else { return }
    nextCleanNs = Clock.bootNs() + Self.cleanEveryNs
    if !cleaner.clean(followers) { nextCleanNs = 0 }
  }

  private func sample() {
    sampler.noteGPUMemory(probes.gpuMemoryBytes)
    var records = sampler.sample(wallNs: Clock.wallNs(), monotonicNs: Clock.bootNs())
    records.append(probes.takeRecords())
    complete(&records.events)
    if !records.processes.isEmpty {
      var open: [(update: RunUpdate, writer: RunWriter?)] = []
      for run in followers.openRuns() { open.append((run.update, sampler.writer(of: run.path))) }
      records.runs += runWriters.updates(open, redactor)
    }
    if sampler.networkMounts != probedMounts { setProbeTasks() }
    reportHealth()
    append(records)
  }

  /// At once: what it printed last is read at the same time.
  private func processEnded(_ signal: ProcessEndSignal) -> Bool {
    var records = Records()
    let isDone = sampler.processEnded(signal, wallNs: Clock.wallNs(), into: &records)
    complete(&records.events)
    append(records)
    return isDone
  }

  private func announced(_ process: AnnouncedProcess) {
    var records = Records()
    sampler.announce(process, wallNs: Clock.wallNs(), into: &records)
    complete(&records.events)
    append(records)
  }

  private func complete(_ events: inout [Event]) {
    redact(&events)
    nameRuns(of: &events)
  }

  /// The runs of what has ended, where no other process may write them.
  private func nameRuns(of events: inout [Event]) {
    guard events.contains(where: { $0.processEnd != nil }) else { return }
    let open = followers.openRuns()
    for index in events.indices {
      guard let end = events[index].processEnd else { continue }
      var runs: [String] = []
      for run in open where end.mayWrite(run.path) && !runs.contains(run.update.run) {
        if sampler.writer(of: run.path) == nil { runs.append(run.update.run) }
      }
      events[index].processEnd?.runs = Array(runs.prefix(FleetProtocol.runsOfEnd))
    }
  }

  /// Paths stay as they are: files are followed under them.
  private func redact(_ events: inout [Event]) {
    for index in events.indices {
      events[index].message = redactor.redact(events[index].message)
      if let command = events[index].processEnd?.command {
        events[index].processEnd?.command = redactor.redact(command)
      }
    }
  }

  /// At once: a person may be paged for it.
  private func takeChecks() {
    var records = checks.takeRecords()
    for index in records.probes.indices {
      records.probes[index].detail = redactor.redact(records.probes[index].detail)
      // Labels are what a service says.
      if records.probes[index].name.utf8.last == UInt8(ascii: "}") {
        records.probes[index].name = redactor.redact(records.probes[index].name)
      }
    }
    append(records)
  }

  private func append(_ records: Records) {
    guard !records.isEmpty else { return }
    buffer.removeAll(keepingCapacity: true)
    Wire.encode(records, into: &buffer)
    session.append(buffer, nowNs: Clock.bootNs())
    connection.pump()
  }

  private func setProbeTasks() {
    let mounts = sampler.networkMounts
    probedMounts = mounts
    var tasks = mounts.map(ProbeTask.mount)
    if let library = NVMLLocation.find() {
      var gpus = ProbeTask.gpus(library: library)
      gpus.everyNs = max(intervalNs, 1_000_000_000)
      tasks.append(gpus)
    }
    probes.setTasks(tasks)
  }

  private func reportHealth() {
    let now = Clock.bootNs()
    guard now >= nextHealthNs else { return }
    nextHealthNs = now + Self.healthEveryNs
    // What a backlog needed is not kept for the quiet time after it.
    ProcessMemory.trim()
    releaseCode(now)
    var health = AgentHealth()
    health.spoolBytes = session.spool.bytes
    health.spoolLimitBytes = session.spool.limits.bytesMax
    health.spoolRecords = session.spool.unackedRecords
    health.backlogBytes = followers.backlogBytes
    health.followedFiles = UInt32(clamping: followers.followedCount)
    health.droppedRecordsTotal = session.spool.droppedRecordsTotal
    health.redactionsTotal = redactor.total
    health.residentBytes = Machine.residentBytes()
    health.cpuSecondsTotal = Double(Machine.cpuNs()) / 1e9
    health.refusedPathsTotal = followers.refusedTotal
    followers.figures.fill(&health)
    for line in followingReport.lines(followers.figures, places: followers.places) {
      if line.isOver { AgentLog.info(line.message, line.fields) } else { AgentLog.warning(line.message, line.fields) }
    }
    session.report(health)
  }

  /// The code that only the start or a new connection needed is not kept: 6 of 17 MiB. It costs about 4 ms of faults.
  private func releaseCode(_ now: Int64) {
    if nextReleaseNs == 0 { nextReleaseNs = now + Self.healthEveryNs }
    guard now >= nextReleaseNs else { return }
    nextReleaseNs = now + Self.releaseEveryNs
    ProcessMemory.releaseCode()
  }

  // MARK: What other processes report

  private func apply(_ settings: Settings) {
    follow(settings)
    followers.declare(MatchedMetrics(options.metricPatterns, profiles: settings.metrics))
    let wanted = Int64(settings.sampleIntervalMs) * 1_000_000
    intervalNs = wanted == 0 ? options.intervalNs : max(100_000_000, wanted)
    checks.setProbes(settings.probes)
  }

  private func follow(_ settings: Settings) {
    let own = streams.patterns + options.follow
    let patterns = options.follow + settings.follow.filter { !own.contains($0) }
    let fresh = patterns.filter { firstFollowed.times[$0] == nil }
    if firstFollowed.note(patterns, nowNs: Clock.wallNs()) { saveFirstFollowed() }
    followers.follow(
      streams.patterns + patterns, excluding: options.exclude + settings.exclude, firstFollowed: firstFollowed,
      fresh: fresh, from: options.from)
  }

  private static func firstFollowedPath(_ options: RunOptions) -> String { options.stateDirectory + "/followed-since" }

  /// A file of more than this was not written by an agent.
  private static let firstFollowedBytesMax = 4 << 20

  private static func loadFirstFollowed(_ options: RunOptions) -> FirstFollowed {
    let bytes = (try? HostFiles.read(firstFollowedPath(options), limitBytes: firstFollowedBytesMax)) ?? []
    return FirstFollowed(text: String(decoding: bytes, as: UTF8.self)).known(nowNs: Clock.wallNs())
  }

  private func saveFirstFollowed() {
    do throws(FileError) {
      try HostFiles.replace(Self.firstFollowedPath(options), with: Array(firstFollowed.text.utf8))
    } catch {
      AgentLog.warning("what is history cannot be kept: after a restart old lines may page", [("reason", "\(error)")])
    }
  }

  private func received(_ signal: Signal) {
    switch signal {
    case .hangup:
      AgentLog.info("reloading")
      follow(session.settings)
      connection.reconnect()
    case .interrupt, .terminate:
      if isStopping { Process.exit(1) }
      stop()
    }
  }

  /// What is under way is acked, the spool is synced; the files remember the rest.
  private func stop() {
    isStopping = true
    AgentLog.info("draining")
    socket?.close()
    probes.close()
    checks.close()
    for journal in journals { journal.close() }
    connection.drain(patienceNs: Self.drainPatienceNs) { [unowned self] in
      session.spool.close(nowNs: Clock.bootNs())
      AgentLog.info("stopped")
      loop.stop()
    }
  }
}

extension Records {
  /// Adds what another source found.
  mutating func append(_ other: Records) {
    hosts += other.hosts
    gpus += other.gpus
    disks += other.disks
    networks += other.networks
    processes += other.processes
    probes += other.probes
    events += other.events
    losses += other.losses
    runs += other.runs
    episodes += other.episodes
    steps += other.steps
  }
}
