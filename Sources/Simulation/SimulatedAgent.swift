internal import Agent
internal import FleetModel
internal import Schema

/// One host: its disk, its files and, while it runs, an agent whose spool, uplink and followers are the real ones.
final class SimulatedAgent {
  private struct Process {
    let spool: Spool
    let session: UplinkSession
    let source: any DeltaSource
    let followers: Followers?
  }

  let number: Int
  let host: HostID
  let disk: SimulatedDisk
  let files: SimulatedFiles
  private unowned let world: World
  private var process: Process?
  private var connection: SimulatedConnection?
  private var random: SeededRandom
  private var boot: BootID
  private var life = 0
  private var wakeAtNs = Int64.max
  private var isPumping = false
  private(set) var hasLostPower = false
  /// When this process first read from an offset, by file: what is sent again must say the same.
  private var readTimes: [FileKey: [UInt64: Int64]] = [:]
  /// Spools that were given up, and what was begun instead.
  private var replacedSpools: [SpoolID: SpoolID] = [:]

  init(number: Int, host: HostID, disk: SimulatedDisk, files: SimulatedFiles, world: World) {
    self.number = number
    self.host = host
    self.disk = disk
    self.files = files
    self.world = world
    random = world.random.fork()
    boot = BootID(high: 1, low: random.next())
  }

  var isRunning: Bool { process != nil }
  /// Everything is acked.
  var isDrained: Bool {
    guard let process else { return false }
    return process.session.state == .established && process.session.sendsFiles && !process.spool.hasUnsent(.live)
      && !process.spool.hasUnsent(.backfill) && files.isRead(by: process.followers)
      && !process.session.hasUnacked
  }

  // MARK: Process

  func start() {
    guard process == nil else { return }
    let spool = Spool(
      disk: disk, boot: boot, limits: world.plan.spoolLimits, nowNs: world.scheduler.nowNs, random: &random)
    files.agentStarts { world.store.isEnded($0, of: host) }
    let source = files.makeSource(plan: world.plan, random: random.fork())
    var hello = Hello()
    hello.bootID = boot
    hello.instanceID = InstanceID(high: 2, low: random.next())
    let session = UplinkSession(
      spool: spool, source: source, hello: hello, limits: world.plan.uplinkLimits, random: random.fork())
    process = Process(spool: spool, session: session, source: source, followers: source as? Followers)
    readTimes = [:]
    world.log { "agent \(number) starts, spool \(spool.id.low % 1000): \(spool.summary)" }
    let life = life
    world.scheduler.after(random.within(0...world.plan.sampleNs)) { [self] in sample(life) }
    pump()
  }

  /// SIGKILL: what was written stays.
  func kill() {
    guard process != nil else { return }
    world.log { "agent \(number) is killed" }
    stop()
  }

  /// The host loses power: what was not synced may be gone.
  func cutPower() {
    world.log { "host \(number) loses power" }
    stop()
    hasLostPower = true
    disk.cutPower()
    boot = BootID(high: 1, low: random.next())
  }

  /// SIGTERM.
  func stopInOrder() {
    guard let process else { return }
    world.log { "agent \(number) stops" }
    process.spool.close(nowNs: world.scheduler.nowNs)
    stop()
    if random.chance(0.5) {
      hasLostPower = true
      disk.cutPower()
      boot = BootID(high: 1, low: random.next())
    }
  }

  private func stop() {
    life += 1
    if let process {
      world.log { "host \(number) had \(process.spool.summary)" }
      files.viewEnds()
      for lane in Lane.allCases where process.spool.hasUnwritten(lane) {
        world.truth.forgotten(process.spool.id, lane, after: process.spool.writtenThrough(lane))
      }
      for (spool, next) in replacedSpools where next == process.spool.id {
        for lane in Lane.allCases where process.spool.hasUnwrittenLoss(lane) {
          world.truth.forgotten(spool, lane, after: 0)
        }
      }
    }
    process = nil
    wakeAtNs = .max
    connection?.agentCloses()
    connection = nil
  }

  // MARK: What happens on the host

  private func sample(_ life: Int) {
    guard life == self.life, let process else { return }
    if world.isWriting {
      let id = world.truth.nextSampleID()
      var sample = HostSample()
      sample.timeNs = id
      var records = Records()
      records.hosts = [sample]
      var encoded: [UInt8] = []
      Wire.encode(records, into: &encoded)
      let lane = process.session.append(encoded, nowNs: world.scheduler.nowNs)
      world.truth.appended(
        id, host: host, spool: process.spool.id, lane: lane, sequence: process.spool.lastSequence(lane))
    }
    pump()
    if world.isWriting { world.scheduler.after(world.plan.sampleNs) { [self] in self.sample(life) } }
  }

  /// The files have changed.
  func filesChanged() {
    let life = life
    world.scheduler.after(random.within(0...5 * .millisecond)) { [self] in if life == self.life { pump() } }
  }

  // MARK: Stream

  /// Does everything that the agent's loop does when it wakes.
  func pump() {
    guard let process, !isPumping else { return }
    isPumping = true
    defer { isPumping = false }
    let nowNs = world.scheduler.nowNs
    process.spool.timePassed(nowNs: nowNs)
    process.followers?.tick(nowNs: world.wallNs)
    if process.session.isStuck(nowNs: nowNs) { closeAndWait() }
    if process.session.shouldConnect(nowNs: nowNs) { connect() }
    while let connection, connection.hasRoom, let frame = process.session.nextFrame(time: world.hostTime) {
      world.log { "agent \(number) → \(connection.number): \(frame.summary)" }
      if case .batch(let batch) = frame { checkReadTimes(batch) }
      var bytes: [UInt8] = []
      frame.encode(into: &bytes)
      connection.sendToCollector(bytes)
    }
    scheduleWake(process)
  }

  private func checkReadTimes(_ batch: OutgoingBatch) {
    for delta in batch.files where delta.readNs > 0 {
      if let first = readTimes[delta.file.key]?[delta.from], first != delta.readNs {
        world.fail("\(delta.file.path) was read from \(delta.from) at \(first), and again at \(delta.readNs)")
      }
      readTimes[delta.file.key, default: [:]][delta.from] = delta.readNs
    }
  }

  private func scheduleWake(_ process: Process) {
    var dueNs = process.session.wakeAtNs ?? .max
    if let filesNs = process.followers?.nextDeadlineNs {
      // The followers' times are the wall clock's.
      dueNs = min(dueNs, filesNs - world.wallNs + world.scheduler.nowNs)
    }
    // A deadline that has passed was acted on, or waits for the connection.
    dueNs = max(dueNs, world.scheduler.nowNs + .millisecond)
    guard dueNs < wakeAtNs else { return }
    wakeAtNs = dueNs
    let life = life
    world.scheduler.at(dueNs) { [self] in
      guard life == self.life, wakeAtNs == dueNs else { return }
      wakeAtNs = .max
      pump()
    }
  }

  private func connect() {
    let collector = world.collectors[random.within(0...world.collectors.count - 1)]
    let life = life
    world.scheduler.after(random.within(200_000...50 * .millisecond)) { [self] in
      guard life == self.life, let process else { return }
      guard collector.isAlive, !world.isNetworkDown else {
        process.session.disconnected(nowNs: world.scheduler.nowNs)
        return pump()
      }
      let connection = world.makeConnection(self, collector)
      self.connection = connection
      collector.accept(connection, host: host)
      process.session.connected(nowNs: world.scheduler.nowNs)
      pump()
    }
  }

  func received(_ bytes: [UInt8], on connection: SimulatedConnection) {
    guard let process, connection === self.connection else { return }
    let frame: CollectorFrame
    do throws(SchemaError) { frame = try Wire.decodeCollectorFrame(bytes.span) } catch {
      world.fail("agent \(number) cannot decode what the collector sent: \(error)")
      return
    }
    let spool = process.spool.id
    do throws(UplinkError) {
      _ = try process.session.received(frame, time: world.hostTime)
    } catch {
      world.log { "agent \(number): \(error)" }
      if error != .spoolReplaced {
        world.fail("agent \(number): \(error)")
      } else {
        world.truth.replaced(process.spool.id)
        replacedSpools[spool] = process.spool.id
      }
      closeAndWait(atOnce: error == .spoolReplaced)
    }
    pump()
  }

  private func closeAndWait(atOnce: Bool = false) {
    connection?.agentCloses()
    connection = nil
    let nowNs = world.scheduler.nowNs
    if atOnce { process?.session.reconnectAtOnce(nowNs: nowNs) } else { process?.session.disconnected(nowNs: nowNs) }
  }

  /// The stream is gone.
  func lost(_ connection: SimulatedConnection, isFenced: Bool) {
    guard connection === self.connection else { return }
    self.connection = nil
    let nowNs = world.scheduler.nowNs
    if isFenced { process?.session.fenced(nowNs: nowNs) } else { process?.session.disconnected(nowNs: nowNs) }
    pump()
  }

  /// The network under the agent's stream breaks.
  func cutConnection() { connection?.cut() }
}

extension OutgoingFrame {
  var summary: String {
    switch self {
    case .hello(let hello): "hello spool \(hello.spoolID.low % 1000)"
    case .batch(let batch):
      "batch \(batch.number) "
        + batch.spooled.map {
          "\($0.lane == .live ? "L" : "B")\($0.firstSequence)"
            + ($0.lastSequence > $0.firstSequence ? "…\($0.lastSequence)" : "")
        }.joined(separator: " ") + " "
        + batch.files.map { "F\($0.file.key.low % 1000)[\($0.from),\($0.to))" }.joined(separator: " ")
    }
  }
}
