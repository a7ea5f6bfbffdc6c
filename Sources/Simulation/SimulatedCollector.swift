internal import Collector
internal import FleetModel
internal import Schema

/// One collector process: sessions and group commit as they are, the loop and the database connection modelled.
final class SimulatedCollector {
  private struct Stream {
    var session: HostSession
    let connection: SimulatedConnection
    /// Received and not acked.
    var unacked: [StagedBatch] = []
  }

  let number: Int
  private unowned let world: World
  private var streams: [Int: Stream] = [:]
  private var writer: GroupCommit<Int>
  private var random: SeededRandom
  private(set) var isAlive = true
  /// Counts processes: what an earlier one asked for is not answered to a later one.
  private var life = 0
  private var pumpAtNs = Int64.max
  private var rules = ModelRules()
  /// Findings that the database has not taken yet, oldest first; the first is under way.
  private var records: [ModelRules.Record] = []
  private var ticks: UInt64 = 0

  init(number: Int, world: World) {
    self.number = number
    self.world = world
    random = world.random.fork()
    writer = GroupCommit(limits: world.plan.commitLimits)
    tick()
  }

  // MARK: Process

  /// kill -9. A transaction under way may still be committed by the database.
  func kill() {
    guard isAlive else { return }
    world.log { "collector \(number) is killed" }
    isAlive = false
    life += 1
    for number in streams.keys.sorted() { streams[number]?.connection.collectorCloses() }
    streams = [:]
    writer = GroupCommit(limits: world.plan.commitLimits)
    rules = ModelRules()
    records = []
  }

  func start() {
    guard !isAlive else { return }
    world.log { "collector \(number) starts" }
    isAlive = true
  }

  // MARK: Streams

  /// - Parameter host: whose certificate the connection showed.
  func accept(_ connection: SimulatedConnection, host: HostID) {
    streams[connection.number] = Stream(
      session: HostSession(host: host, limits: world.plan.sessionLimits), connection: connection)
  }

  func wantsInput(_ number: Int) -> Bool {
    guard let stream = streams[number] else { return false }
    return stream.session.wantsInput && (!writer.isBehind || stream.session.state == .waitingForHello)
  }

  func received(_ bytes: [UInt8], on number: Int) {
    guard var stream = streams[number] else { return }
    let frame: AgentFrame
    do throws(SchemaError) { frame = try Wire.decodeAgentFrame(bytes.span) } catch {
      world.fail("collector \(self.number) cannot decode what the agent sent: \(error)")
      return
    }
    let action = stream.session.received(frame, bytes: bytes.count, nowNs: world.wallNs)
    streams[number] = stream
    if let action { carryOut(action, on: number) }
  }

  func lost(_ number: Int) {
    streams[number]?.session.disconnected()
    streams[number] = nil
    rules.ended(number)
  }

  private func carryOut(_ action: HostSession.Action, on number: Int) {
    switch action {
    case .fence(let hello): fence(hello, on: number)
    case .readMarks(let after): readMarks(after, on: number)
    case .stage(let batch, let bytes):
      streams[number]?.unacked.append(batch)
      if let passed = rules.observe(batch, of: number, bytes: bytes) { stage(passed, of: number, bytes: bytes) }
      recordFindings()
    case .send(let frame):
      if case .ack(let last) = frame { checkAck(through: last, on: number) }
      world.log { "collector \(self.number) → \(number): \(frame.summary)" }
      var bytes: [UInt8] = []
      Wire.encode(frame, into: &bytes)
      streams[number]?.connection.sendToAgent(bytes)
    case .close(.fenced): end(number, isFenced: true, HostSessionEnd.fenced.description)
    case .close(let end):
      if case .invalid(let fault) = end { world.fail("collector \(self.number) refuses stream \(number): \(fault)") }
      if case .overLimit(let fault) = end {
        world.fail("collector \(self.number) stream \(number) is over a limit: \(fault)")
      }
      self.end(number, end.description)
    }
  }

  /// The agent forgets what is acked: it must be in the store by then.
  private func checkAck(through last: UInt64, on number: Int) {
    while let batch = streams[number]?.unacked.first, batch.batch.number <= last {
      streams[number]?.unacked.removeFirst()
      if !world.store.holds(batch) {
        world.fail("stream \(number): batch \(batch.batch.number) is acked, not committed")
      }
    }
  }

  private func end(_ number: Int, isFenced: Bool = false, _ reason: String) {
    world.log { "collector \(self.number) ends stream \(number): \(reason)" }
    let stream = streams.removeValue(forKey: number)
    stream?.connection.collectorCloses(isFenced: isFenced)
    rules.ended(number)
  }

  private func stage(_ batch: StagedBatch, of number: Int, bytes: Int) {
    if writer.stage(batch, of: number, bytes: bytes) { pump() } else { end(number, "the writer is full") }
  }

  // MARK: Rules

  /// No stream: what becomes of a state without facts is reported to none.
  private static let noStream = -1

  private func tick() {
    world.scheduler.after(random.within(500 * .millisecond...3 * .second)) { [self] in
      guard world.faultsOn else { return }
      if isAlive, random.chance(0.3) {
        ticks += 1
        rules.tick(UInt64(number + 1) << 32 | ticks, on: random.within(0...7))
        recordFindings()
      }
      saveRequired()
      tick()
    }
  }

  private func saveRequired() {
    guard isAlive else { return }
    for batch in rules.requiredSaves(nowNs: world.wallNs) {
      world.log { "collector \(number) saves the rule state of host \(batch.hostNumber) without facts" }
      stage(batch, of: Self.noStream, bytes: 0)
    }
  }

  private func recordFindings() {
    let isIdle = records.isEmpty
    records += rules.takeRecords()
    if isIdle { recordNext() }
  }

  /// Paging stores findings in order, one transaction at a time, until the database has taken them. A killed collector's last transaction
  /// may still be committed.
  private func recordNext() {
    guard let record = records.first else { return }
    let life = life
    world.scheduler.after(world.storeDelay(&random)) { [self] in
      let isAway = world.isStoreAway || (world.faultsOn && random.chance(0.05))
      if !isAway, life == self.life || random.chance(0.5) { world.store.record(record.findings) }
      guard life == self.life else { return }
      if isAway { return recordNext() }
      world.scheduler.after(world.storeDelay(&random)) { [self] in
        if life == self.life { recorded(record.number) }
      }
    }
  }

  private func recorded(_ number: UInt64) {
    records.removeFirst()
    for held in rules.recorded(number) { stage(held.batch, of: held.session, bytes: held.bytes) }
    saveRequired()
    recordNext()
  }

  // MARK: Database

  private func fence(_ hello: Hello, on number: Int) {
    guard let host = streams[number]?.session.host else { return }
    let life = life
    world.scheduler.after(world.storeDelay(&random)) { [self] in
      // The statement runs in the database, whether or not its collector still lives.
      guard !world.isStoreAway, !(world.faultsOn && random.chance(0.05)) else {
        answer(life, number) { $0.fenceFailed("away").map { [$0] } ?? [] }
        return
      }
      let fence = world.store.fence(host, spool: hello.spoolID)
      world.log { "store: epoch \(fence.epoch) for stream \(number) of collector \(self.number)" }
      world.scheduler.after(world.storeDelay(&random)) { [self] in
        began(fence, life, number)
        answer(life, number) { [world] in $0.fenceReceived(fence, settings: Settings(), nowNs: world.wallNs) }
      }
    }
  }

  /// The rules take batches of the host's newest stream alone: the other one is ended.
  private func began(_ fence: Fence, _ life: Int, _ number: Int) {
    guard life == self.life, let host = streams[number]?.session.host else { return }
    if let old = rules.began(number, of: host, fence) { end(old, isFenced: true, HostSessionEnd.fenced.description) }
  }

  private func readMarks(_ after: Int64, on number: Int) {
    guard let host = streams[number]?.session.host else { return }
    let life = life
    world.scheduler.after(world.storeDelay(&random)) { [self] in
      guard !world.isStoreAway, !(world.faultsOn && random.chance(0.05)) else {
        answer(life, number) { $0.marksFailed("away").map { [$0] } ?? [] }
        return
      }
      let page = world.store.marks(host, after: after)
      answer(life, number) { $0.marksReceived(page) }
    }
  }

  private func answer(_ life: Int, _ number: Int, _ change: (inout HostSession) -> [HostSession.Action]) {
    guard life == self.life, var stream = streams[number] else { return }
    let actions = change(&stream.session)
    streams[number] = stream
    for action in actions { carryOut(action, on: number) }
    streams[number]?.connection.releaseHeld()
  }

  private func pump() {
    guard isAlive else { return }
    if let group = writer.nextGroup(nowNs: world.scheduler.nowNs) { return commit(group) }
    guard let dueNs = writer.dueNs, dueNs < pumpAtNs else { return }
    pumpAtNs = dueNs
    let life = life
    world.scheduler.at(dueNs) { [self] in
      pumpAtNs = .max
      if life == self.life { pump() }
    }
  }

  private func commit(_ group: GroupCommit<Int>.Group) {
    let life = life
    let isFaulty = world.faultsOn && random.chance(world.plan.commitFaultRatio)
    if world.isStoreAway || (isFaulty && random.chance(0.4)) {
      world.scheduler.after(world.storeDelay(&random)) { [self] in failed(life, .transient) }
      return
    }
    let applyNs = world.storeDelay(&random)
    if isFaulty {
      // The reply is lost. The transaction is committed before the retry, after it, or never.
      let lateNs = random.chance(0.3) ? random.within(0...2 * .second) : 0
      if random.chance(0.7) {
        world.scheduler.after(applyNs + lateNs) { [self] in _ = apply(group) }
      }
      world.scheduler.after(applyNs + world.storeDelay(&random)) { [self] in failed(life, .unknown) }
      return
    }
    world.scheduler.after(applyNs) { [self] in
      let outcomes = apply(group)
      world.scheduler.after(world.storeDelay(&random)) { [self] in committed(life, outcomes) }
    }
  }

  private func apply(_ group: GroupCommit<Int>.Group) -> [CommitOutcome] {
    let outcomes = world.store.commit(group.batches)
    world.log { "store: commit of collector \(number): \(describe(group, outcomes))" }
    return outcomes
  }

  private func describe(_ group: GroupCommit<Int>.Group, _ outcomes: [CommitOutcome]) -> String {
    zip(zip(group.sessions, group.batches), outcomes).map { pair, outcome in
      "\(pair.0)/\(pair.1.batch.number) \(pair.1.batch.summary) \(outcome)"
    }.joined(separator: ", ")
  }

  private func failed(_ life: Int, _ failure: CommitFailure) {
    guard life == self.life else { return }
    world.log { "collector \(number): commit failed, \(failure)" }
    writer.failed(failure, nowNs: world.scheduler.nowNs, random: &random)
    pump()
  }

  private func committed(_ life: Int, _ outcomes: [CommitOutcome]) {
    guard life == self.life else { return }
    for (number, outcomes) in writer.committed(outcomes) {
      guard var stream = streams[number] else { continue }
      let actions = stream.session.settled(outcomes)
      streams[number] = stream
      for action in actions { carryOut(action, on: number) }
    }
    pump()
    for number in streams.keys.sorted() { streams[number]?.connection.releaseHeld() }
  }
}

extension CollectorFrame {
  var summary: String {
    switch self {
    case .welcome(let welcome):
      "welcome epoch \(welcome.epoch) lanes \(welcome.lanes.map { "\($0.lane) \($0.sequence)" }) files "
        + "\(welcome.files.map { "\($0.file.key.low % 1000)@\($0.offset)" })"
    case .ack(let number): "ack \(number)"
    case .settings: "settings"
    case .marks(let files, let more):
      "marks \(files.map { "\($0.file.key.low % 1000)@\($0.offset)" })" + (more ? " and more" : "")
    }
  }
}

extension Batch {
  var summary: String {
    let lanes = spooled.map { part in
      let isGap = part.records.hosts.isEmpty
      return "\(part.lane == .live ? "L" : "B")\(part.firstSequence)" + (isGap ? "…\(part.lastSequence)" : "")
    }
    let deltas = files.map {
      "F\($0.file.key.low % 1000)[\($0.from),\($0.to))\($0.isFinished ? "." : "")\($0.losses.isEmpty ? "" : "!")"
        + ($0.from == 0 ? " of \($0.file.path)" : "")
    }
    return "(" + (lanes + deltas).joined(separator: " ") + ")"
  }
}
