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
    /// Changed since it was last saved.
    var isChanged = false
    /// Of the stream that the engine's state comes from.
    var stateEpoch: UInt64 = 0
    /// That stream was another collector's, which may have gone on with it since.
    var isBorrowed = false
    /// The newest record that tells of it: until that is in the database, no later state of it may be.
    var record: UInt64 = 0
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

  struct HeldBatch {
    var batch: StagedBatch
    var session: SessionID
    var bytes: Int
    /// Passes when this record is in the database; 0: as soon as what is before it has passed.
    var record: UInt64
  }

  static let tickNs: Int64 = 1_000_000_000
  /// Every state is saved so often where it has changed; what a crash can cost a rule is this much of plain samples.
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
  var held: [SessionID: [HeldBatch]] = [:]
  var turns = HostTurns<SessionID, (session: SessionID, work: Work)>(quantum: turnFacts)
  var unsent: [RuleRecord] = []
  var lastRecord: UInt64 = 0
  var recordedThrough: UInt64 = 0
  var fleetRecord: UInt64 = 0
  var undiagnosed: [HostID: Undiagnosed] = [:]
  var tickDueNs: Int64 = 0
  var lastTickNs: Int64 = 0
  var ticks = 0
  var fleetEpoch: UInt64 = 0
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
      tell(found)
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
    guard let stopDeadlineNs else { return }
    if (held.isEmpty && unsent.isEmpty && turns.isEmpty) || monotonicNs > stopDeadlineNs {
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
    if let current = hosts[id], current.session != nil, session.host.epoch < current.stateEpoch {
      return supersede(session.id)
    }
    var host = hosts[id] ?? Host(known: session.host)
    if let old = host.session {
      release(old)
      if old != session.id { supersede(old) }
    }
    // A state of a stream that another collector had since, or went on with, is newer than what is remembered here.
    let leastEpoch = host.isBorrowed ? host.stateEpoch : host.stateEpoch + 1
    if let saved = session.saved, saved.epoch >= leastEpoch || hosts[id] == nil { restore(saved, session.host) }
    host.isBorrowed = false
    host.known = session.host
    host.session = session.id
    host.address = session.address
    host.end = StreamEnd.stands
    host.stateEpoch = session.host.epoch
    hosts[id] = host
    note(session)
  }

  /// A stream whose batches are no longer taken is ended, so that its agent connects again instead of waiting for acks.
  private func supersede(_ session: SessionID) {
    guard thread.gateways.indices.contains(session.gateway) else { return }
    thread.gateways[session.gateway].post(.superseded(session: session.number))
  }

  /// The collector's own findings go through the rules as the host's events do.
  private func note(_ session: RuleSession) {
    if session.notes.isEmpty { return }
    var records = Records()
    records.events = session.notes
    var batch = Batch()
    batch.spooled = [SpooledRecords(lane: .live, firstSequence: 1, lastSequence: 1, records: records)]
    let host = session.host
    tell(
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
    for batch in held.removeValue(forKey: session) ?? [] { thread.drop(batch.batch.host, bytes: batch.bytes) }
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
    hosts[batch.host]?.isChanged = true
    thread.metrics.ruleHistoryOmitted.set(Int64(clamping: engine.historyFindingsOmitted))
    let mustRecord = engine.takeUrgency(of: batch.host) || !all.isEmpty
    if mustRecord { diagnosed(batch.host, nil) }
    let found = all.filter { !diagnose($0) }
    let number = mustRecord ? record(found, states: [batch.host]) : 0
    if number > 0 || held[session] != nil {
      held[session, default: []].append(HeldBatch(batch: batch, session: session, bytes: bytes, record: number))
    } else {
      thread.forward(batch, session, bytes: bytes)
    }
  }

  /// - Returns: the record's number.
  func record(_ found: [Transition], states: [HostID]) -> UInt64 {
    lastRecord += 1
    let record = RuleRecord(
      number: lastRecord, changes: changes(found), states: states.compactMap { state(of: $0) },
      reply: thread.mailbox)
    for id in states {
      hosts[id]?.isChanged = false
      hosts[id]?.record = lastRecord
      if id == RuleEngine.fleetID { fleetRecord = lastRecord }
    }
    if !unsent.isEmpty || !thread.paging.mailbox.post(.record(record)) { unsent.append(record) }
    return lastRecord
  }

  func recorded(_ number: UInt64) {
    recordedThrough = max(recordedThrough, number)
    for session in Array(held.keys) {
      guard var batches = held[session] else { continue }
      let passing = batches.prefix { $0.record <= number }
      if passing.isEmpty { continue }
      for batch in passing { thread.forward(batch.batch, batch.session, bytes: batch.bytes) }
      batches.removeFirst(passing.count)
      held[session] = batches.isEmpty ? nil : batches
    }
  }

  func state(of id: HostID) -> SavedRuleState? {
    if id == RuleEngine.fleetID {
      return SavedRuleState(hostNumber: 0, epoch: fleetEpoch, bytes: engine.encodedState(of: id))
    }
    guard let host = hosts[id] else { return nil }
    return SavedRuleState(
      hostNumber: host.known.number, epoch: host.stateEpoch, bytes: engine.encodedState(of: id))
  }

  /// Findings that no batch waits for.
  func tell(_ all: [Transition]) {
    let found = all.filter { !diagnose($0) }
    if found.isEmpty { return }
    let ids = Set(found.map(\.host))
    for id in ids { _ = engine.takeUrgency(of: id) }
    _ = record(found, states: Array(ids))
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
    tell(engine.tick(nowNs))
    for (id, waiting) in undiagnosed where waiting.deadlineNs < monotonicNs { diagnosed(id, nil) }
    saveChanged(all: false)
    thread.metrics.ruleHosts.set(Int64(engine.hostCount))
  }

  /// A part of the hosts each second, so that each is saved within `saveEveryTicks`. By the way of the findings: on a way of its own
  /// a state that waits for the database would be saved after a newer one.
  func saveChanged(all: Bool) {
    let part = ticks % Self.saveEveryTicks
    var ids: [HostID] = []
    for (id, host) in hosts where host.isChanged && host.record <= recordedThrough && undiagnosed[id] == nil {
      if all || Int(host.known.number) % Self.saveEveryTicks == part { ids.append(id) }
    }
    if engine.runsFleetRules, fleetRecord <= recordedThrough, all || part == 0 { ids.append(RuleEngine.fleetID) }
    if !ids.isEmpty { _ = record([], states: ids) }
  }
}
