internal import FleetModel

/// A state beside a host's current one, with what it has found.
final class LateCell {
  var state: HostState
  /// Collector's clock when something last came for it.
  var arrivedNs: Int64 = 0
  /// When what it opened in the current state began, by the key there.
  var opened: [UInt64: Int64] = [:]
  /// Findings that were recorded.
  var recorded: Set<UInt64> = []

  init(of host: borrowing HostState, _ role: HostRole) {
    state = HostState(id: host.id, name: host.name, labels: host.labels, role: role)
    state.offsetNs = host.offsetNs
  }
}

/// What is judged by its own time only: a backlog that comes beside what is current, and the history of files.
extension RuleEngine {
  /// Samples of the backfill lane that are older than the current ones, or of a clock that has been set back since.
  ///
  /// They have a state of their own, so that neither disturbs the other's holds and windows. What they open is open in the current
  /// state from then on: the samples of now decide when it ends, unless the backlog itself ends it first.
  func observeBacklog(_ records: Records, _ host: inout HostState) {
    let late = host.backlog ?? lateCell(of: host, .backlog)
    host.backlog = late
    let found = late.judge(with: self) { engine, state in engine.observeSamples(records, &state) }
    for transition in found {
      guard let key = openKey(of: transition, &host) else { continue }
      switch transition.kind {
      case .opened:
        if host.slots[key] != nil { continue }
        open(rules[SlotTable.rule(key)], &host, SlotTable.entity(key), transition.timeNs)
        late.opened[key] = transition.timeNs
      case .cleared:
        guard let beganNs = late.opened.removeValue(forKey: key), host.slots[key]?.a == beganNs else { continue }
        host.slots[key] = nil
        let rule = rules[SlotTable.rule(key)]
        noteEnd(of: rule, &host, SlotTable.entity(key), transition.timeNs)
        host.slots[SlotTable.key(rule.place, rule.root, SlotTable.entity(key), Self.openedSub)] = nil
      }
      host.isUrgent = true
      transitions.append(transition)
    }
  }

  /// A part of a file, or some of its lines, from before the host's agent first followed it: each finding is recorded once, as over, and
  /// opens nothing in the current state.
  func observeHistory(_ host: inout HostState, _ judge: (RuleEngine, inout HostState) -> Void) {
    let late = host.history ?? lateCell(of: host, .history)
    host.history = late
    for var transition in late.judge(with: self, judge) where transition.kind == .opened {
      guard let key = openKey(of: transition, &late.state) else { continue }
      guard late.recorded.count < RuleLimits.historyFindingsMax else {
        historyFindingsOmitted += 1
        continue
      }
      guard late.recorded.insert(key).inserted else { continue }
      transition.isHistory = true
      transition.evidence.append(.note("older than the first start of this host's agent: recorded, not paged"))
      transitions.append(transition)
      transition.kind = .cleared(.recovered)
      transitions.append(transition)
      host.isUrgent = true
    }
  }

  private func lateCell(of host: borrowing HostState, _ role: HostRole) -> LateCell {
    let late = LateCell(of: host, role)
    exclude(&late.state)
    return late
  }

  /// The current state's key for what a transition is about.
  private func openKey(of transition: Transition, _ host: inout HostState) -> UInt64? {
    guard let rule = rules.first(where: { $0.rule.id == transition.rule }) else { return nil }
    let entity = transition.entity
    let place = entity.kind == .host ? 0 : host.entity(entity.kind, entity.name)
    return place.map { SlotTable.key(rule.place, Self.openNode, $0) }
  }

  /// Late states end when nothing more comes for them.
  func dropQuiet(_ host: inout HostState, _ nowNs: Int64) {
    if let late = host.backlog, nowNs - late.arrivedNs > RuleLimits.lateQuietNs { host.backlog = nil }
    if let late = host.history, nowNs - late.arrivedNs > RuleLimits.lateQuietNs { host.history = nil }
  }
}

extension LateCell {
  /// - Returns: what was found; it is not among the engine's transitions.
  fileprivate func judge(
    with engine: RuleEngine, _ judge: (RuleEngine, inout HostState) -> Void
  ) -> [Transition] {
    arrivedNs = engine.arrivedNs
    state.arrivedNs = arrivedNs
    let before = engine.transitions
    engine.transitions = []
    judge(engine, &state)
    defer { engine.transitions = before }
    return engine.transitions
  }
}
