internal import FleetModel

/// What is new is decided by sequence and offset. Times only date it; a host whose clock was ahead and is set back goes on at its new
/// time, with all that is remembered of it.
extension RuleEngine {
  /// A sample of an entity, in the order of its lane.
  ///
  /// - Returns: the entity's index; nil where it is not to be judged: the host has too many entities, the time cannot be one, or it is the
  ///   sample that was judged last.
  func sampled(_ kind: EntityKind, _ name: String, _ timeNs: Int64, _ host: inout HostState) -> Int? {
    guard let entity = kind == .host ? 0 : host.entity(kind, name) else {
      untrackedEntities += 1
      return nil
    }
    let mark = host.entities[entity].markNs
    isFirstSample = mark == 0
    guard timeNs > 0, timeNs <= RuleLimits.timeNsMax, timeNs != mark else { return nil }
    if mark - timeNs >= RuleLimits.clockStepNs { setClockBack(of: entity, to: timeNs, &host) }
    host.entities[entity].markNs = timeNs
    return entity
  }

  /// The times of an entity go back with its clock: what has held for five minutes has still held for five minutes. Those of the host take
  /// along every entity that is ahead of it.
  private func setClockBack(of entity: Int, to timeNs: Int64, _ host: inout HostState) {
    let byNs = host.entities[entity].markNs - timeNs
    let isAhead = host.entities.indices.map { place in
      place == entity || (entity == 0 && host.entities[place].markNs > timeNs)
    }
    for place in host.entities.indices where isAhead[place] {
      host.entities[place].markNs = max(1, host.entities[place].markNs - byNs)
    }
    for place in host.runs.indices where isAhead[host.runs[place].entity] { host.runs[place].setBack(byNs) }
    if entity == 0, host.processEndNs > timeNs { host.processEndNs = max(0, host.processEndNs - byNs) }
    if entity == 0 {
      for place in host.ends.indices { host.ends[place].ns = min(host.ends[place].ns, timeNs) }
    }
    let rules = rules
    host.slots.adjust { slot in
      guard isAhead[SlotTable.entity(slot.key)] else { return }
      Self.setBack(&slot, byNs, rules[SlotTable.rule(slot.key)])
    }
    host.wakeNs = 0
  }

  /// Which numbers of a slot are the host's times depends on whose they are.
  private static func setBack(_ slot: inout Slot, _ byNs: Int64, _ rule: CompiledRule) {
    let (place, sub) = (SlotTable.node(slot.key), SlotTable.sub(slot.key))
    // When it opened stays: that is how its incident is known.
    guard place != openNode else { return slot.b = slot.b > 0 ? max(1, slot.b &- byNs) : slot.b }
    guard place < rule.nodes.count else { return }
    let node = rule.nodes[place]
    if sub == holdSub {
      slot.a = slot.a &- byNs
      slot.b = slot.b &- byNs
    } else if sub == sampleStartSub || (sub == truthSub && node.operation == .absent) || sub >= secondCountSub {
      slot.a = slot.a &- byNs
    } else if sub < measureSubs {
      let isAnchor = node.measure == .rate || node.measure == .forecast
      let isCount = node.operation == .occurrence && node.missingNs == 0
      if node.operation == .measure ? isAnchor : isCount { slot.a = slot.a &- byNs }
    }
  }
}

extension RunProgress {
  fileprivate mutating func setBack(_ byNs: Int64) {
    func back(_ timeNs: Int64) -> Int64 { timeNs > 0 ? max(1, timeNs &- byNs) : timeNs }
    startedNs = back(startedNs)
    windowStartNs = back(windowStartNs)
    lastStepNs = back(lastStepNs)
    for place in episodes.indices {
      episodes[place].startedNs = back(episodes[place].startedNs)
      episodes[place].timeNs = back(episodes[place].timeNs)
    }
  }
}
