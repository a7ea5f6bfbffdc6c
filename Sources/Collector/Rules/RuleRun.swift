internal import EventLoop
internal import Files
internal import FleetModel
internal import Logging
internal import Rules

/// The rules thread's own state: never seen by another.
final class RuleRun {
  /// A host whose facts this collector has seen, or whose silence it judges.
  struct Host {
    var known: KnownHost
    /// nil: it has no stream here.
    var session: SessionID?
    var address = ""
    /// nil: it had none here.
    var end: StreamEnd?
    /// What of the engine's state of it has to be saved.
    var ledger = RuleStateLedger()
  }

  /// Findings about a silent host, until it is known why it is.
  struct Undiagnosed {
    var found: [Transition]
    var deadlineNs: Int64
  }

  /// What waits for a stream's turn.
  enum Work {
    case batch(StagedBatch, bytes: Int)
    case end(StreamEnd)
  }

  static let tickNs: Int64 = 1_000_000_000
  /// Where only plain samples have changed a state, it is saved so often; what a crash can cost a rule is this much of them.
  static let saveEveryTicks = 30
  /// Two ticks further apart than this: the process was stopped, and nobody else's silence is meant.
  static let pauseNs: Int64 = 5_000_000_000
  static let stopPatienceNs: Int64 = 10_000_000_000
  /// A page about a silent host waits for its diagnosis at most so long.
  static let diagnosisNs: Int64 = 4_000_000_000
  /// Below so many hosts, half of them is a coincidence.
  static let widespreadMin = 3
  /// Facts that a stream may have judged in a round: several seconds' samples of a usual host.
  static let turnFacts = 512
  /// Facts between two looks at the mailbox: what it says of streams and records must not wait for a flood.
  static let roundFacts = 8192

  let thread: RulesThread
  let engine: RuleEngine
  var rules: [String: Rule] = [:]
  var hosts: [HostID: Host] = [:]
  var gate = FindingGate<SessionID>()
  var turns = HostTurns<SessionID, (session: SessionID, work: Work)>(quantum: turnFacts)
  var unsent: [RuleRecord] = []
  var lastRecord: UInt64 = 0
  /// The newest record about the fleet.
  var fleetRecord: UInt64 = 0
  /// The fence of the lease under which this collector judges the fleet.
  var fleetFence: Int64 = 0
  var fleetNeedsSave = false
  /// Hosts whose state is saved without waiting for a batch.
  var unsaved: Set<HostID> = []
  /// Something may have come to pass that one of them waits for.
  var maySave = false
  var undiagnosed: [HostID: Undiagnosed] = [:]
  var tickDueNs: Int64 = 0
  var lastTickNs: Int64 = 0
  var ticks = 0
  private(set) var isGoingOn = true
  var stopDeadlineNs: Int64?

  init(_ thread: RulesThread, _ set: RuleSet) {
    self.thread = thread
    engine = RuleEngine(set)
    engine.runsFleetRules = false
    index(set)
  }

  var waitMs: Int32 { !turns.isEmpty ? 0 : unsent.isEmpty && stopDeadlineNs == nil ? 250 : 20 }

  func take(_ message: RulesThread.Message) {
    switch message {
    case .began(let session): began(session)
    case .batch(let batch, let session, let bytes):
      engine.reported(batch.host, atNs: batch.receivedNs)
      turns.add((session, .batch(batch, bytes: bytes)), cost: Self.facts(of: batch.batch), of: session)
    case .streamEnded(let session, let end):
      // After what came of it before.
      turns.add((session, .end(end)), cost: 0, of: session)
    case .endedByHand(let incidents): rearm(incidents)
    case .recorded(let number): recorded(number)
    case .diagnosed(let host, let verdict): diagnosed(host, verdict)
    case .lease(let isHeld, let memory): lease(isHeld, memory)
    case .fleet(let known): fleet(known)
    case .rules(let set):
      let found = engine.reload(set, nowNs: Clock.wallNs())
      // The texts of what has ended are still the old rules'.
      recordWithoutBatch(found)
      index(set)
      thread.logger.info("rules", metadata: ["rules": "\(set.rules.count)"])
    case .stop: stopDeadlineNs = Clock.monotonicNs() + Self.stopPatienceNs
    }
  }

  func index(_ set: RuleSet) {
    rules = Dictionary(set.rules.map { ($0.id, $0) }) { first, _ in first }
    thread.metrics.rulesLoaded.set(Int64(set.rules.count))
  }

  /// What is not a message: unsent records, time, the end.
  func turn() {
    while let record = unsent.first, thread.paging.mailbox.post(.record(record)) { unsent.removeFirst() }
    judgeRound()
    let monotonicNs = Clock.monotonicNs()
    if monotonicNs >= tickDueNs { tick(monotonicNs) }
    if maySave { saveRequired() }
    guard let stopDeadlineNs else { return }
    if (gate.isEmpty && unsent.isEmpty && turns.isEmpty) || monotonicNs > stopDeadlineNs {
      saveChanged(all: true)
      isGoingOn = false
    }
  }

  // MARK: Turns

  /// What has come in, each stream in its turn.
  func judgeRound() {
    var left = Self.roundFacts
    while left > 0, let piece = turns.take() {
      left -= piece.cost
      switch piece.work.work {
      case .batch(let batch, let bytes): observe(batch, piece.work.session, bytes)
      case .end(let end): ended(piece.work.session, end)
      }
    }
  }

  /// What judging a batch costs: a sample of a thing is read by all rules of its kind, most lines by a sieve over all of them.
  static func facts(of batch: Batch) -> Int {
    let spooled = batch.spooled.reduce(0) { $0 + $1.records.count }
    return batch.files.reduce(1 + spooled) { $0 + $1.steps.count + $1.episodes.count + $1.lines.count / 32 }
  }

  // MARK: Streams

  func began(_ session: RuleSession) {
    let id = session.host.id
    // Two gateways may bring two streams of one host in the wrong order: the epoch says which is the newer one.
    if let current = hosts[id], current.session != nil, session.host.epoch < current.ledger.epoch {
      return supersede(session.id)
    }
    var host = hosts[id] ?? Host(known: session.host)
    if let old = host.session {
      release(old)
      if old != session.id { supersede(old) }
    }
    let takesSaved = host.ledger.streamBegan(
      epoch: session.host.epoch, kept: session.saved?.version, sequence: engine.sequence(of: id))
    if takesSaved, let saved = session.saved { restore(saved, session.host) }
    engine.setElsewhere(id, false)
    host.known = session.host
    host.session = session.id
    host.address = session.address
    host.end = StreamEnd.stands
    hosts[id] = host
    observeEvents(of: session)
  }

  /// A stream whose batches are no longer taken is ended, so that its agent connects again instead of waiting for acks.
  private func supersede(_ session: SessionID) {
    guard thread.gateways.indices.contains(session.gateway) else { return }
    thread.gateways[session.gateway].post(.superseded(session: session.number))
  }

  /// The collector's own findings go through the rules as the host's events do.
  private func observeEvents(of session: RuleSession) {
    if session.notes.isEmpty { return }
    var records = Records()
    records.events = session.notes
    var batch = Batch()
    batch.spooled = [SpooledRecords(lane: .live, firstSequence: 1, lastSequence: 1, records: records)]
    let host = session.host
    recordWithoutBatch(
      engine.observe(batch, from: host.id, name: host.name, labels: host.labels, nowNs: session.notes[0].timeNs))
  }

  func restore(_ saved: SavedRuleState, _ host: KnownHost) {
    do throws(RuleStateError) {
      try engine.restore(saved.bytes, of: host.id, name: host.name, labels: host.labels)
      for incident in saved.ended { _ = engine.rearm(incident, on: host.id) }
    } catch {
      thread.logger.warning("a host's rules begin anew", metadata: ["host": "\(host.name)", "error": "\(error)"])
    }
  }

  func ended(_ session: SessionID, _ end: StreamEnd) {
    release(session)
    for (id, host) in hosts where host.session == session {
      hosts[id]?.session = nil
      hosts[id]?.end = end
    }
  }

  /// What waits of a stream that is over: its agent sends it again.
  func release(_ session: SessionID) {
    for waiting in gate.release(session) {
      thread.drop(waiting.batch.host, bytes: waiting.bytes)
      // Its findings are on their way to the database, and its facts are not judged again here.
      if waiting.batch.ruleState != nil { requireSave(of: waiting.batch.host) }
    }
    for piece in turns.drop(session) {
      if case .batch(let batch, let bytes) = piece.work { thread.drop(batch.host, bytes: bytes) }
    }
  }

  // MARK: Batches

  func observe(_ batch: StagedBatch, _ session: SessionID, _ bytes: Int) {
    guard let host = hosts[batch.host], host.session == session else {
      return thread.drop(batch.host, bytes: bytes)
    }
    let all = engine.observe(
      batch.batch, from: batch.host, name: host.known.name, labels: host.known.labels, nowNs: batch.receivedNs,
      spool: batch.spool)
    let isUrgent = engine.takeUrgency(of: batch.host) || !all.isEmpty
    thread.metrics.ruleHistoryOmitted.set(Int64(clamping: engine.historyFindingsOmitted))
    if isUrgent { diagnosed(batch.host, nil) }
    let found = all.filter { !diagnose($0) }
    record(found)
    let verdict = hosts[batch.host]?.ledger.judged(
      isUrgent: isUrgent, hasFindings: !found.isEmpty, maySave: undiagnosed[batch.host] == nil)
    guard let verdict else { return thread.drop(batch.host, bytes: bytes) }
    var batch = batch
    if verdict.carries { batch.ruleState = nextState(of: batch.host) }
    if gate.pass(batch, of: session, bytes: bytes, after: verdict.after) {
      thread.forward(batch, session, bytes: bytes)
    }
  }

  // MARK: Findings

  /// Hands findings to paging, which reports when they are in the database.
  func record(_ found: [Transition]) {
    let changes = changes(found)
    if changes.isEmpty { return }
    lastRecord += 1
    for id in Set(found.map(\.host)) {
      hosts[id]?.ledger.found(lastRecord)
      if id == RuleEngine.fleetID { fleetRecord = lastRecord }
    }
    post(RuleRecord(number: lastRecord, changes: changes, reply: thread.mailbox))
  }

  func post(_ record: RuleRecord) {
    if !unsent.isEmpty || !thread.paging.mailbox.post(.record(record)) { unsent.append(record) }
  }

  func recorded(_ number: UInt64) {
    for held in gate.recorded(number) { thread.forward(held.batch, held.session, bytes: held.bytes) }
    maySave = true
  }

  /// Findings of which no batch is the cause.
  func recordWithoutBatch(_ all: [Transition]) {
    if all.isEmpty { return }
    record(all.filter { !diagnose($0) })
    for id in Set(all.map(\.host)) {
      _ = engine.takeUrgency(of: id)
      requireSave(of: id)
    }
  }

  func changes(_ found: [Transition]) -> [IncidentChange] {
    found.compactMap { transition in
      guard let rule = rules[transition.rule] else { return nil }
      if rule.scope == .job, isOpenElsewhere(transition) { return nil }
      thread.metrics.ruleTransitions.add()
      return IncidentChange(transition, of: rule, host: hosts[transition.host]?.known)
    }
  }

  /// One job on several hosts has one incident: the first host's. It ends with the last one's.
  func isOpenElsewhere(_ transition: Transition) -> Bool {
    engine.open.contains {
      $0.rule == transition.rule && $0.host != transition.host && $0.entity == transition.entity
    }
  }

  // MARK: Time

  func tick(_ monotonicNs: Int64) {
    let gapNs = monotonicNs - lastTickNs
    let nowNs = Clock.wallNs()
    if lastTickNs > 0, gapNs > Self.pauseNs {
      for id in hosts.keys { engine.excuse(id, silentNs: gapNs, nowNs: nowNs) }
    }
    lastTickNs = monotonicNs
    tickDueNs = monotonicNs + Self.tickNs
    ticks += 1
    recordWithoutBatch(engine.tick(nowNs))
    for (id, waiting) in undiagnosed where waiting.deadlineNs < monotonicNs { diagnosed(id, nil) }
    saveChanged(all: false)
    maySave = true
    thread.metrics.ruleHosts.set(Int64(engine.hostCount))
  }
}
