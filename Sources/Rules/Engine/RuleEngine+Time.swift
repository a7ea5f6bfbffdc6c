package import FleetModel

extension RuleEngine {
  /// Lets time pass: silence, the end of occurrences, entities that are gone, rules of the whole fleet.
  ///
  /// Call it about once a second. A host on which nothing is under way is looked at every ten seconds.
  /// - Parameter nowNs: the collector's clock, never less than before.
  package func tick(_ nowNs: Int64) -> [Transition] {
    arrivedNs = nowNs
    compareRanks(nowNs)
    for host in hosts.values where nowNs >= host.state.wakeNs { wake(&host.state, nowNs) }
    if runsFleetRules {
      for rule in fleetRules {
        judge(rule, &fleet.state, 0, nowNs)
        occasion = nil
      }
    }
    return takeTransitions()
  }

  /// Arms a rule again whose incident a person has ended: what happens next, or goes on for as long again, opens another one.
  ///
  /// - Parameters:
  ///   - incident: its rule, entity, and the time up to which what is open is meant.
  ///   - host: nil where it is about the whole fleet, or a job of several hosts.
  /// - Returns: the hosts whose state has changed; `fleetID` for the fleet's.
  package func rearm(_ incident: EndedIncident, on host: HostID?) -> [HostID] {
    guard let rule = rules.first(where: { $0.rule.id == incident.rule }) else { return [] }
    let cells = host.map { id in cell(id).map { [$0] } ?? [] } ?? [fleet] + Array(hosts.values)
    return cells.compactMap { rearm(rule, incident, &$0.state) ? $0.state.id : nil }
  }

  private func rearm(_ rule: CompiledRule, _ incident: EndedIncident, _ host: inout HostState) -> Bool {
    let open = host.slots.things(rule.place, Self.openNode).map { host.slots.slots[$0] }
    let ended = open.filter { slot in
      let entity = host.entities[SlotTable.entity(slot.key)]
      return slot.a / 1000 <= incident.lastEventUs
        && RuleEntity(kind: entity.kind, name: entity.name).text(scope: rule.rule.scope) == incident.entity
    }
    for slot in ended {
      let entity = SlotTable.entity(slot.key)
      host.slots[slot.key] = nil
      host.slots[SlotTable.key(rule.place, rule.root, entity, Self.openedSub)] = nil
      forgetOccurrences(rule, &host, entity, inUntil: false, isLast: open.count == ended.count)
      for node in rule.nodes.indices where rule.nodes[node].holdNs > 0 {
        host.slots[SlotTable.key(rule.place, node, entity, Self.holdSub)] = nil
      }
    }
    if !ended.isEmpty {
      host.isUrgent = true
      host.wakeNs = 0
    }
    return !ended.isEmpty
  }

  /// Whether the facts of a host go to another engine. Here only its silence is judged then: what ends or begins by time depends on
  /// facts that this engine does not see, although it knows that they come.
  package func setElsewhere(_ host: HostID, _ isElsewhere: Bool) {
    guard let cell = hosts[host], cell.state.isElsewhere != isElsewhere else { return }
    cell.state.isElsewhere = isElsewhere
    cell.state.wakeNs = 0
  }

  /// A batch of a known host has come in, and waits for its turn: the host is not silent.
  package func reported(_ host: HostID, atNs: Int64) {
    if let cell = hosts[host] { cell.state.arrivedNs = max(cell.state.arrivedNs, atNs) }
  }

  private func wake(_ host: inout HostState, _ nowNs: Int64) {
    dropQuiet(&host, nowNs)
    var isBusy = false
    let isLive = nowNs - host.arrivedNs <= RuleLimits.liveNs
    let timeNs = max(host.entities[0].markNs, nowNs - host.offsetNs)
    for rule in timedRules where !host.isExcluded(rule.place) {
      let isActive = host.slots.isActive(rule.place)
      isBusy = isBusy || isActive
      // The last report of a silent host proves nothing: only rules about silence itself go on.
      guard rule.watchesHost ? runsFleetRules : isLive && !host.isElsewhere else { continue }
      if rule.watchesSilence {
        for entity in host.places(of: rule.scope) { judge(rule, &host, entity, timeNs) }
      } else if isActive {
        for entity in things(of: rule, host) { judge(rule, &host, entity, timeNs) }
        expire(rule, &host, nowNs)
      }
    }
    if isLive && !host.isElsewhere {
      concludeFailures(&host)
      isBusy = isBusy || host.failures.isBusy
      closeSettled(&host)
      forgetGone(&host, timeNs)
    }
    host.wakeNs = nowNs + (isBusy ? 1_000_000_000 : 10_000_000_000)
  }

  /// What a rule's incidents can be about, of the entities that it has state of.
  private func things(of rule: CompiledRule, _ host: borrowing HostState) -> [Int] {
    if rule.scope == .host { return [0] }
    var found: [Int] = []
    var isFound = [Bool](repeating: false, count: host.entities.count)
    for place in host.slots.places(rule.place) {
      let entity = SlotTable.entity(host.slots.slots[place].key)
      guard host.entities[entity].kind == rule.scope else { return host.places(of: rule.scope) }
      if !isFound[entity] { found.append(entity) }
      isFound[entity] = true
    }
    return found
  }

  /// Takes away occurrences that no longer count.
  private func expire(_ rule: CompiledRule, _ host: inout HostState, _ nowNs: Int64) {
    for (node, _) in rule.occurrences {
      let compiled = rule.nodes[node]
      if compiled.missingNs > 0 { continue }
      let past = host.slots.things(rule.place, node).map { host.slots.slots[$0] }.filter { slot in
        let sub = SlotTable.sub(slot.key)
        if sub == Self.untilSub { return slot.a <= nowNs }
        if sub == Self.openedSub { return false }
        if sub == Self.lineSub { return host.slots[slot.key - UInt64(Self.lineSub - Self.untilSub)] == nil }
        if nowNs - host.lateNs <= RuleLimits.lateQuietNs { return false }
        let windowNs = sub >= Self.secondCountSub && compiled.perNs > 0 ? compiled.perNs : compiled.windowNs
        return slot.a.addingClamped(windowNs).addingClamped(host.offsetNs) < nowNs
      }
      for slot in past { host.slots[slot.key] = nil }
    }
  }

  /// Entities that a live host has not reported for long.
  private func forgetGone(_ host: inout HostState, _ timeNs: Int64) {
    var gone: Set<Int> = []
    for entity in host.entities.indices.dropFirst() {
      let thing = host.entities[entity]
      let silentNs = timeNs - thing.markNs
      guard thing.kind != .host, silentNs > RuleLimits.forgetNs, thing.markNs > 0 else { continue }
      if silentNs < RuleLimits.forgetOpenNs, Self.isKept(thing.kind) || isUnderWay(thing, host, timeNs) { continue }
      gone.insert(entity)
    }
    if gone.isEmpty { return }
    for slot in host.slots.slots where SlotTable.node(slot.key) == Self.openNode {
      let entity = SlotTable.entity(slot.key)
      guard gone.contains(entity) else { continue }
      let rule = rules[SlotTable.rule(slot.key)]
      if timeNs - host.entities[entity].markNs < RuleLimits.forgetOpenNs || !isSettled(rule, host, entity) {
        gone.remove(entity)
      } else {
        close(rule, &host, entity, timeNs, .gone)
      }
    }
    host.forget(gone)
  }

  /// A run that makes a step an hour, while a training process is there.
  private func isUnderWay(_ thing: Entity, _ host: borrowing HostState, _ timeNs: Int64) -> Bool {
    thing.kind == .run && !thing.hasEnded && isLive(.process, RuleLimits.liveNs, host, timeNs)
  }

  /// What does not come and go: its absence is what rules ask about.
  private static func isKept(_ kind: EntityKind) -> Bool {
    kind == .gpu || kind == .disk || kind == .interface || kind == .probe || kind == .device
  }
}
