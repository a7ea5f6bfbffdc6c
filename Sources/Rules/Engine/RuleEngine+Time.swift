internal import FleetModel

extension RuleEngine {
  /// Lets time pass: silence, the end of occurrences, things that are gone, rules of the whole fleet.
  ///
  /// Call it about once a second. A host on which nothing is under way is looked at every ten seconds.
  /// - Parameter nowNs: the collector's clock, never less than before.
  package func tick(_ nowNs: Int64) -> [Transition] {
    arrivedNs = nowNs
    for host in hosts.values where nowNs >= host.state.wakeNs { wake(&host.state, nowNs) }
    if runsFleetRules {
      for rule in fleetRules {
        judge(rule, &fleet.state, 0, nowNs)
        occasion = nil
      }
    }
    return takeTransitions()
  }

  private func wake(_ host: inout HostState, _ nowNs: Int64) {
    var isBusy = false
    let isLive = nowNs - host.arrivedNs <= RuleLimits.liveNs
    let timeNs = max(host.entities[0].markNs, nowNs - host.offsetNs)
    for rule in timedRules where !host.isExcluded(rule.place) {
      let isActive = host.slots.isActive(rule.place)
      isBusy = isBusy || isActive
      // What a silent host last said proves nothing: only rules about silence itself go on.
      guard rule.watchesHost ? runsFleetRules : isLive else { continue }
      if rule.watchesSilence {
        for entity in host.places(of: rule.scope) { judge(rule, &host, entity, timeNs) }
      } else if isActive {
        for entity in things(of: rule, host) { judge(rule, &host, entity, timeNs) }
        expire(rule, &host, nowNs)
      }
    }
    if isLive { forgetGone(&host, timeNs) }
    host.wakeNs = nowNs + (isBusy ? 1_000_000_000 : 10_000_000_000)
  }

  /// What a rule's incidents can be about, of the things that it remembers something of.
  private func things(of rule: CompiledRule, _ host: borrowing HostState) -> [Int] {
    if rule.scope == .host { return [0] }
    var found: [Int] = []
    for place in host.slots.places(rule.place) {
      let entity = SlotTable.entity(host.slots.slots[place].key)
      if host.entities[entity].kind == rule.scope {
        if found.last != entity, !found.contains(entity) { found.append(entity) }
      } else {
        return host.places(of: rule.scope)
      }
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
        let windowNs = sub >= Self.secondCountSub && compiled.perNs > 0 ? compiled.perNs : compiled.windowNs
        return slot.a.addingClamped(windowNs).addingClamped(host.offsetNs) < nowNs
      }
      for slot in past { host.slots[slot.key] = nil }
    }
  }

  /// Things that a live host has not told of for long.
  private func forgetGone(_ host: inout HostState, _ timeNs: Int64) {
    for entity in host.entities.indices.dropFirst() {
      let thing = host.entities[entity]
      let silentNs = timeNs - thing.markNs
      guard thing.kind != .host, silentNs > RuleLimits.forgetNs, thing.markNs > 0 else { continue }
      let open = host.slots.slots.filter {
        SlotTable.node($0.key) == Self.openNode && SlotTable.entity($0.key) == entity
      }
      if !open.isEmpty, silentNs < RuleLimits.forgetOpenNs { continue }
      if silentNs < RuleLimits.forgetOpenNs, Self.isKept(thing.kind) || isUnderWay(thing, host, timeNs) { continue }
      for slot in open { close(rules[SlotTable.rule(slot.key)], &host, entity, timeNs, .gone) }
      host.forget(entity)
    }
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
