internal import EventLoop
internal import Files
internal import FleetModel
internal import Logging
internal import Rules

/// The rules thread's own state: never seen by another.
final class RuleRun {
  /// A host whose facts this collector has seen, or whose silence it judges.
  private struct Host {
    var known: KnownHost
    /// nil: it has no stream here.
    var session: SessionID?
    var address = ""
    var end = StreamEnd.none
    /// Changed since it was last saved.
    var isChanged = false
    /// Of the stream that the engine's state comes from.
    var stateEpoch: UInt64 = 0
  }

  private struct HeldBatch {
    var batch: StagedBatch
    var session: SessionID
    var bytes: Int
    /// Passes when this record is in the database; 0: as soon as what is before it has passed.
    var record: UInt64
  }

  private static let tickNs: Int64 = 1_000_000_000
  /// Every state is saved so often where it has changed; what a crash can cost a rule is this much of plain samples.
  private static let saveEveryTicks = 30
  /// Two ticks further apart than this: the process was stopped, and nobody else's silence is meant.
  private static let pauseNs: Int64 = 5_000_000_000
  private static let stopPatienceNs: Int64 = 10_000_000_000

  private let thread: RulesThread
  private let engine: RuleEngine
  private var rules: [String: Rule] = [:]
  private var hosts: [HostID: Host] = [:]
  private var byNumber: [Int32: HostID] = [:]
  private var held: [SessionID: [HeldBatch]] = [:]
  private var unsent: [RuleRecord] = []
  private var lastRecord: UInt64 = 0
  private var tickDueNs: Int64 = 0
  private var lastTickNs: Int64 = 0
  private var ticks = 0
  private var fleetEpoch: UInt64 = 0
  private(set) var isGoingOn = true
  private var stopDeadlineNs: Int64?

  init(_ thread: RulesThread, _ set: RuleSet) {
    self.thread = thread
    engine = RuleEngine(set)
    engine.runsFleetRules = false
    index(set)
  }

  var waitMs: Int32 { unsent.isEmpty && stopDeadlineNs == nil ? 250 : 20 }

  func take(_ message: RulesThread.Message) {
    switch message {
    case .began(let session): began(session)
    case .batch(let batch, let session, let bytes): observe(batch, session, bytes)
    case .ended(let session, let end): ended(session, end)
    case .recorded(let number): recorded(number)
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

  private func index(_ set: RuleSet) {
    rules = Dictionary(set.rules.map { ($0.id, $0) }) { first, _ in first }
    thread.metrics.rulesLoaded.set(Int64(set.rules.count))
  }

  /// What is not a message: unsent records, time, the end.
  func turn() {
    while let record = unsent.first, thread.paging.mailbox.post(.record(record)) { unsent.removeFirst() }
    let monotonicNs = Clock.monotonicNs()
    if monotonicNs >= tickDueNs { tick(monotonicNs) }
    guard let stopDeadlineNs else { return }
    if (held.isEmpty && unsent.isEmpty) || monotonicNs > stopDeadlineNs {
      saveChanged(all: true)
      isGoingOn = false
    }
  }

  // MARK: Streams

  private func began(_ session: RuleSession) {
    let id = session.host.id
    var host = hosts[id] ?? Host(known: session.host)
    if let old = host.session { release(old) }
    // A state of a stream that another collector had since is newer than what is remembered here.
    if let saved = session.saved, saved.epoch > host.stateEpoch || hosts[id] == nil { restore(saved, session.host) }
    host.known = session.host
    host.session = session.id
    host.address = session.address
    host.end = .none
    host.stateEpoch = session.host.epoch
    hosts[id] = host
    byNumber[session.host.number] = id
  }

  private func restore(_ saved: SavedRuleState, _ host: KnownHost) {
    do throws(RuleStateError) {
      try engine.restore(saved.bytes, of: host.id, name: host.name, labels: host.labels)
    } catch {
      thread.logger.warning("a host's rules begin anew", metadata: ["host": "\(host.name)", "error": "\(error)"])
    }
  }

  private func ended(_ session: SessionID, _ end: StreamEnd) {
    release(session)
    for (id, host) in hosts where host.session == session {
      hosts[id]?.session = nil
      hosts[id]?.end = end
    }
  }

  /// What waits of a stream that is over: its agent sends it again.
  private func release(_ session: SessionID) {
    for batch in held.removeValue(forKey: session) ?? [] { thread.drop(bytes: batch.bytes) }
  }

  // MARK: Batches

  private func observe(_ batch: StagedBatch, _ session: SessionID, _ bytes: Int) {
    guard let host = hosts[batch.host], host.session == session else { return thread.drop(bytes: bytes) }
    let found = engine.observe(
      batch.batch, from: batch.host, name: host.known.name, labels: host.known.labels, nowNs: batch.receivedNs)
    hosts[batch.host]?.isChanged = true
    let mustRecord = engine.takeUrgency(of: batch.host) || !found.isEmpty
    let number = mustRecord ? record(found, states: [batch.host]) : 0
    if number > 0 || held[session] != nil {
      held[session, default: []].append(HeldBatch(batch: batch, session: session, bytes: bytes, record: number))
    } else {
      thread.forward(batch, session, bytes: bytes)
    }
  }

  /// - Returns: the record's number.
  private func record(_ found: [Transition], states: [HostID]) -> UInt64 {
    lastRecord += 1
    let record = RuleRecord(
      number: lastRecord, changes: changes(found), states: states.compactMap { state(of: $0) },
      reply: thread.mailbox)
    for id in states { hosts[id]?.isChanged = false }
    if !unsent.isEmpty || !thread.paging.mailbox.post(.record(record)) { unsent.append(record) }
    return lastRecord
  }

  private func recorded(_ number: UInt64) {
    for session in Array(held.keys) {
      guard var batches = held[session] else { continue }
      let passing = batches.prefix { $0.record <= number }
      if passing.isEmpty { continue }
      for batch in passing { thread.forward(batch.batch, batch.session, bytes: batch.bytes) }
      batches.removeFirst(passing.count)
      held[session] = batches.isEmpty ? nil : batches
    }
  }

  private func state(of id: HostID) -> SavedRuleState? {
    if id == HostID(high: 0, low: 0) {
      return SavedRuleState(hostNumber: 0, epoch: fleetEpoch, bytes: engine.encodedState(of: id))
    }
    guard let host = hosts[id] else { return nil }
    return SavedRuleState(
      hostNumber: host.known.number, epoch: host.stateEpoch, bytes: engine.encodedState(of: id))
  }

  /// Findings that no batch waits for.
  private func tell(_ found: [Transition]) {
    if found.isEmpty { return }
    let ids = Set(found.map(\.host))
    for id in ids { _ = engine.takeUrgency(of: id) }
    _ = record(found, states: Array(ids))
  }

  private func changes(_ found: [Transition]) -> [IncidentChange] {
    found.compactMap { transition in
      guard let rule = rules[transition.rule] else { return nil }
      if rule.scope == .job, isOpenElsewhere(transition) { return nil }
      thread.metrics.ruleTransitions.add()
      return IncidentChange(transition, of: rule, host: hosts[transition.host]?.known)
    }
  }

  /// One job on several hosts has one incident: the first host's. It ends with the last one's.
  private func isOpenElsewhere(_ transition: Transition) -> Bool {
    engine.open.contains {
      $0.rule == transition.rule && $0.host != transition.host && $0.entity == transition.entity
    }
  }

  // MARK: Time

  private func tick(_ monotonicNs: Int64) {
    let gapNs = monotonicNs - lastTickNs
    let nowNs = Clock.wallNs()
    if lastTickNs > 0, gapNs > Self.pauseNs {
      for id in hosts.keys { engine.excuse(id, silentNs: gapNs, nowNs: nowNs) }
    }
    lastTickNs = monotonicNs
    tickDueNs = monotonicNs + Self.tickNs
    ticks += 1
    tell(engine.tick(nowNs))
    saveChanged(all: false)
    thread.metrics.ruleHosts.set(Int64(engine.hostCount))
  }

  /// A part of the hosts each second, so that each is saved within `saveEveryTicks`.
  private func saveChanged(all: Bool) {
    let part = ticks % Self.saveEveryTicks
    var states: [SavedRuleState] = []
    for (id, host) in hosts where host.isChanged {
      guard all || Int(host.known.number) % Self.saveEveryTicks == part, let state = state(of: id) else { continue }
      states.append(state)
      hosts[id]?.isChanged = false
    }
    if engine.runsFleetRules, all || part == 0, let fleet = state(of: HostID(high: 0, low: 0)) { states.append(fleet) }
    if !states.isEmpty { thread.keeper.save(states) }
  }

  // MARK: The fleet

  private func lease(_ isHeld: Bool, _ memory: RulesThread.FleetMemory?) {
    engine.runsFleetRules = isHeld
    guard isHeld, let memory else { return }
    let nowNs = Clock.wallNs()
    var states = Dictionary(memory.states.map { ($0.hostNumber, $0) }) { first, _ in first }
    if let fleet = states.removeValue(forKey: 0) {
      fleetEpoch = fleet.epoch + 1
      let id = HostID(high: 0, low: 0)
      try? engine.restore(fleet.bytes, of: id, name: "fleet", labels: [:])
    }
    for known in memory.hosts where hosts[known.id]?.session == nil {
      meet(known)
      if let saved = states[known.number], saved.epoch > hosts[known.id]?.stateEpoch ?? 0 || saved.epoch == 0 {
        restore(saved, known)
        hosts[known.id]?.stateEpoch = saved.epoch
      }
      engine.know(known.id, name: known.name, labels: known.labels, lastSeenNs: known.lastSeenNs)
      // Until now nobody may have listened: silence counts from here on, unless it is told of already.
      if known.lastSeenNs > 0 { engine.excuse(known.id, silentNs: nowNs - known.lastSeenNs, nowNs: nowNs) }
    }
    endOrphans(memory.open, nowNs)
  }

  private func meet(_ known: KnownHost) {
    if hosts[known.id] == nil { hosts[known.id] = Host(known: known) }
    if hosts[known.id]?.session == nil { hosts[known.id]?.known = known }
    byNumber[known.number] = known.id
  }

  /// Incidents whose rule is no longer there: nobody else would end them.
  private func endOrphans(_ open: [RulesThread.OpenIncident], _ nowNs: Int64) {
    let orphans = open.filter { rules[$0.rule] == nil && !$0.rule.hasPrefix("PAGING") }
    if orphans.isEmpty { return }
    lastRecord += 1
    let changes = orphans.map { orphan in
      IncidentChange(
        .cleared, rule: orphan.rule, severity: .p3, hostNumber: orphan.hostNumber, entity: orphan.entity,
        eventNs: nowNs, detectedNs: nowNs)
    }
    unsent.append(RuleRecord(number: lastRecord, changes: changes, states: [], reply: thread.mailbox))
  }

  private func fleet(_ known: [KnownHost]?) {
    let nowNs = Clock.wallNs()
    guard let known else {
      // Nobody knows who is silent while the database does not say.
      for (id, host) in hosts where host.session == nil { engine.excuse(id, silentNs: .max / 2, nowNs: nowNs) }
      return
    }
    for host in known {
      meet(host)
      engine.know(host.id, name: host.name, labels: host.labels, lastSeenNs: host.lastSeenNs)
    }
    let ids = Set(known.map(\.id))
    for (id, host) in hosts where host.session == nil && !ids.contains(id) {
      tell(engine.forget(id, nowNs: nowNs))
      hosts[id] = nil
    }
  }
}
