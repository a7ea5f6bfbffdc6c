internal import EventLoop
internal import Files
internal import FleetModel
internal import Logging
internal import Rules

/// The rules thread's state, confined to it.
final class RuleRun {
  /// A host whose facts this collector judges, or only its silence.
  struct Host {
    var known: KnownHost
    /// nil: the host has no stream here.
    var session: SessionID?
    var address = ""
    /// How the last stream ended; nil: there was none here.
    var end: StreamEnd?
    /// Whether the engine's state of it has to be saved.
    var ledger = RuleStateLedger()
  }

  /// Findings about a silent host that wait for its diagnosis.
  struct Undiagnosed {
    var found: [Transition]
    var deadlineNs: Int64
  }

  /// A piece of work that waits for its stream's turn.
  enum Work {
    case batch(StagedBatch, bytes: Int)
    case end(StreamEnd)
  }

  static let tickNs: Int64 = 1_000_000_000
  /// Seconds after which a state that only samples changed is saved. A crash sets rules back by the samples of so long
  /// at most.
  static let saveEveryTicks = 30
  /// Ticks further apart than this mean that this process was stopped, so that the time between them is no silence of
  /// hosts.
  static let pauseNs: Int64 = 5_000_000_000
  static let stopPatienceNs: Int64 = 10_000_000_000
  /// Longest time that a page about a silent host waits for its diagnosis.
  static let diagnosisNs: Int64 = 4_000_000_000
  /// Fewer silent hosts are not called widespread: half of a small fleet may fall silent by chance.
  static let widespreadMin = 3
  /// Budget of facts of a stream a round: several seconds' samples of a usual host.
  static let turnFacts = 512
  /// Facts judged before the mailbox is read again, so that messages about streams and records do not wait behind a
  /// flood of batches.
  static let roundFacts = 8192

  let thread: RulesThread
  let engine: RuleEngine
  var rules: [String: Rule] = [:]
  var hosts: [HostID: Host] = [:]
  var gate = FindingGate<SessionID>()
  var turns = HostTurns<SessionID, (session: SessionID, work: Work)>(quantum: turnFacts)
  var unsent: [RuleRecord] = []
  var lastRecord: UInt64 = 0
  /// Number of the newest record with findings about the fleet.
  var fleetRecord: UInt64 = 0
  /// Fence of the lease under which this collector judges the fleet.
  var fleetFence: Int64 = 0
  var fleetNeedsSave = false
  /// Hosts whose state is to be saved without waiting for a batch.
  var unsaved: Set<HostID> = []
  /// One of them may have become savable since the last attempt.
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
      // Judged after the batches that the stream sent before.
      turns.add((session, .end(end)), cost: 0, of: session)
    case .endedByHand(let incidents): rearm(incidents)
    case .recorded(let number): recorded(number)
    case .diagnosed(let host, let verdict): diagnosed(host, verdict)
    case .lease(let isHeld, let memory): lease(isHeld, memory)
    case .fleet(let known): fleet(known)
    case .rules(let set):
      let found = engine.reload(set, nowNs: Clock.wallNs())
      // Indexed afterwards, because findings that end here take their texts from the old rules.
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

  /// Work that no message causes: unsent records, ticks, the end.
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

  /// Judges waiting work, each stream in its turn.
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

  /// Cost of judging a batch. A sample counts one, because all rules of its metric read it; a line 1/32, because the
  /// prefilter passes over most of them.
  static func facts(of batch: Batch) -> Int {
    let spooled = batch.spooled.reduce(0) { $0 + $1.records.count }
    return batch.files.reduce(1 + spooled) { $0 + $1.steps.count + $1.episodes.count + $1.lines.count / 32 }
  }

  // MARK: Streams

  func began(_ session: RuleSession) {
    let id = session.host.id
    // Two gateways may report two streams of one host in the wrong order: the one with the higher epoch is newer.
    if let current = hosts[id], current.session != nil, session.host.epoch < current.ledger.epoch {
      return supersede(session.id)
    }
    var host = hosts[id] ?? Host(known: session.host)
    if let old = host.session {
      release(old)
      if old != session.id { supersede(old) }
    }
    let hadState = host.ledger.version(engine.sequence(of: id)) != nil
    let takesSaved = host.ledger.streamBegan(
      epoch: session.host.epoch, kept: session.saved?.version, sequence: engine.sequence(of: id))
    if takesSaved, let saved = session.saved { restore(saved, session.host) }
    if takesSaved || !hadState { adopt(session) }
    engine.setElsewhere(id, false)
    host.known = session.host
    host.session = session.id
    host.address = session.address
    host.end = StreamEnd.stands
    hosts[id] = host
    observeEvents(of: session)
  }

  /// Ends a stream whose batches are no longer accepted, so that its agent connects again instead of waiting for acks.
  private func supersede(_ session: SessionID) {
    guard thread.gateways.indices.contains(session.gateway) else { return }
    thread.gateways[session.gateway].post(.superseded(session: session.number))
  }

  /// Judges events that the collector itself found when it accepted the stream, such as a cloned identity, like events
  /// of the host.
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

  /// Takes up open incidents that the saved state does not have, because it could not be read, a rule has changed
  /// since, or its collector ended between a finding by time and the state that holds it. A state in memory is not
  /// changed: it has ends that the database does not have yet.
  private func adopt(_ session: RuleSession) {
    if session.open.isEmpty { return }
    let host = session.host
    let adopted = engine.adopt(
      session.open, of: host.id, name: host.name, labels: host.labels, nowNs: Clock.wallNs())
    if adopted > 0 {
      thread.logger.info("open incidents are taken up", metadata: ["host": "\(host.name)", "count": "\(adopted)"])
    }
  }

  func ended(_ session: SessionID, _ end: StreamEnd) {
    release(session)
    for (id, host) in hosts where host.session == session {
      hosts[id]?.session = nil
      hosts[id]?.end = end
    }
  }

  /// Drops the waiting work of a stream that has ended: the agent sends its batches again.
  func release(_ session: SessionID) {
    for waiting in gate.release(session) {
      thread.drop(waiting.batch.host, bytes: waiting.bytes)
      // Its findings are already recorded or being recorded, and its facts will not change the state a second time.
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

  /// Posts findings to paging, which replies with `.recorded` when they are in the database.
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

  /// Records findings that no batch caused, such as those of a tick; the states that hold them must be saved without a
  /// batch.
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

  /// Whether another host has the same finding of a job open. One job on several hosts has one incident, that of the
  /// first host, and it ends with the last one.
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
    excuseHeld(monotonicNs, gapNs, nowNs)
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
