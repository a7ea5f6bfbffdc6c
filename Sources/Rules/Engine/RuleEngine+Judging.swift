internal import FleetModel

/// What is judged: a rule at a thing of a host at a time.
struct Judgement {
  let rule: CompiledRule
  let host: HostState
  let entity: Int
  let timeNs: Int64
  /// An open rule asks whether its condition holds now, not whether it has held for long.
  var ignoresHolds = false
}

extension RuleEngine {
  /// Stands for the rule itself among its conditions.
  static let openNode = 255
  /// Numbers below this belong to a measure.
  static let measureSubs = 64
  static let truthSub = 64
  static let valueSub = 65
  static let holdSub = 66
  static let samplesSub = 67
  static let untilSub = 68

  /// A report's values are at hand: runs every rule that reads one of them.
  func process(_ family: MetricFamily, _ host: HostState, _ entity: Int, _ timeNs: Int64) {
    for (rule, leaves) in byFamily[Int(family.rawValue)] {
      if host.isExcluded(rule.place) { continue }
      if rule.isSimple, !host.slots.isActive(rule.place) {
        let node = rule.nodes[0]
        if node.comparison.holds(values[node.value]) != true { continue }
      }
      if rule.isPlain {
        judge(rule, host, entity, timeNs)
      } else {
        for leaf in leaves { remember(rule, leaf, host, entity, timeNs) }
        judge(rule, host, because: entity, timeNs)
      }
    }
  }

  /// A condition about `entity` has changed: judges the rule at what its incidents are about.
  func judge(_ rule: CompiledRule, _ host: HostState, because entity: Int, _ timeNs: Int64) {
    if host.entities[entity].kind == rule.scope {
      judge(rule, host, entity, timeNs)
    } else if rule.scope == .host {
      judge(rule, host, 0, timeNs)
    } else {
      for place in host.places(of: rule.scope) { judge(rule, host, place, timeNs) }
    }
  }

  func judge(_ rule: CompiledRule, _ host: HostState, _ entity: Int, _ timeNs: Int64) {
    let key = SlotTable.key(rule.place, Self.openNode, entity)
    let wasOpen = host.slots.isActive(rule.place) && host.slots[key] != nil
    let judgement = Judgement(rule: rule, host: host, entity: entity, timeNs: timeNs, ignoresHolds: wasOpen)
    let truth = truth(rule.root, judgement)
    guard wasOpen else {
      if truth == .yes {
        host.slots.set(key, timeNs, 0)
        host.wakeNs = 0
        emit(.opened, rule, host, entity, timeNs)
      }
      return
    }
    if let until = rule.until {
      let ends = Judgement(rule: rule, host: host, entity: entity, timeNs: timeNs)
      if self.truth(until, ends) == .yes { close(rule, host, entity, timeNs, .recovered) }
      return
    }
    guard var slot = host.slots[key] else { return }
    switch truth {
    case .unknown: return
    case .yes:
      if slot.b == 0 { return }
      slot.b = 0
      host.slots[key] = slot
    case .no:
      if slot.b == 0 {
        slot.b = timeNs
        host.slots[key] = slot
      }
      if timeNs - slot.b >= rule.rule.clearAfterNs { close(rule, host, entity, timeNs, .recovered) }
    }
  }

  func close(
    _ rule: CompiledRule, _ host: HostState, _ entity: Int, _ timeNs: Int64, _ reason: Transition.Reason
  ) {
    let key = SlotTable.key(rule.place, Self.openNode, entity)
    // A line may be newer than the last sample: an end is never told as older than its beginning.
    let beganNs = host.slots[key]?.a ?? timeNs
    host.slots[key] = nil
    emit(.cleared(reason), rule, host, entity, max(timeNs, beganNs))
  }

  func emit(_ kind: Transition.Kind, _ rule: CompiledRule, _ host: HostState, _ entity: Int, _ timeNs: Int64) {
    let thing = host.entities[entity]
    host.isUrgent = true
    var evidence: [Evidence] = []
    if case .opened = kind {
      if let occasion { evidence.append(occasion) }
      for (node, name) in rule.names.sorted(by: { $0.key < $1.key }) {
        if let value = evidenceValue(rule, node, host, entity) { evidence.append(.value(metric: name, value: value)) }
      }
    }
    let about =
      rule.rule.scope == .fleet ? RuleEntity(kind: .fleet, name: "") : RuleEntity(kind: thing.kind, name: thing.name)
    transitions.append(
      Transition(
        kind: kind, rule: rule.rule.id, host: host.id, entity: about, timeNs: timeNs, arrivedNs: arrivedNs,
        evidence: evidence))
  }

  private func evidenceValue(_ rule: CompiledRule, _ node: Int, _ host: HostState, _ entity: Int) -> Double? {
    let leaf = rule.nodes[node]
    guard leaf.operation == .measure else { return nil }
    if rule.isPlain { return values[leaf.value] }
    let place = leaf.kind == host.entities[entity].kind ? entity : 0
    return host.slots[SlotTable.key(rule.place, node, place, Self.valueSub)]?.number
  }

  // MARK: truth

  func truth(_ place: Int, _ at: Judgement) -> Truth {
    let node = at.rule.nodes[place]
    switch node.operation {
    case .all, .any, .not: return group(place, node, at)
    case .hosts: return countedHosts(node, at)
    case .measure where at.rule.isPlain:
      let raw = measured(at.rule, place, node, at.host, at.entity, at.timeNs)
      let held = hold(raw, place, node.holdNs, at)
      return at.ignoresHolds ? raw : held
    default: return remembered(place, node, at)
    }
  }

  /// Every part is evaluated, so that each keeps its own time.
  private func group(_ place: Int, _ node: CompiledNode, _ at: Judgement) -> Truth {
    var raw: Truth = node.operation == .all ? .yes : .no
    for child in node.children {
      let part = truth(at.rule.children[child], at)
      switch node.operation {
      case .all: raw = raw.and(part)
      case .any: raw = raw.or(part)
      default: raw = part.negated
      }
    }
    let held = hold(raw, place, node.holdNs, at)
    return at.ignoresHolds ? raw : held
  }

  /// Whether it has been true for so long, by the times of the samples.
  private func hold(_ raw: Truth, _ place: Int, _ holdNs: Int64, _ at: Judgement) -> Truth {
    guard holdNs > 0 else { return raw }
    let key = SlotTable.key(at.rule.place, place, at.entity, Self.holdSub)
    switch raw {
    case .unknown: return .unknown
    case .no:
      if at.host.slots.isActive(at.rule.place) { at.host.slots[key] = nil }
      return .no
    case .yes:
      guard var slot = at.host.slots[key] else {
        at.host.slots.set(key, at.timeNs, at.timeNs)
        return .no
      }
      if at.timeNs - slot.b > max(RuleLimits.gapNs, holdNs / 2) { slot.a = at.timeNs }
      slot.b = at.timeNs
      at.host.slots[key] = slot
      return at.timeNs - slot.a >= holdNs ? .yes : .no
    }
  }

  /// Keeps what a condition says of a thing until the rest of its rule is asked.
  private func remember(_ rule: CompiledRule, _ place: Int, _ host: HostState, _ entity: Int, _ timeNs: Int64) {
    let node = rule.nodes[place]
    guard node.operation == .measure else {
      if !values[node.value].isNaN, passes(rule, place, node, host, entity) {
        host.slots.set(SlotTable.key(rule.place, place, entity, Self.truthSub), timeNs, 0)
      }
      return
    }
    let at = Judgement(rule: rule, host: host, entity: entity, timeNs: timeNs)
    let raw = measured(rule, place, node, host, entity, timeNs)
    let held = hold(raw, place, node.holdNs, at)
    let key = SlotTable.key(rule.place, place, entity, Self.truthSub)
    // A plain no is what a thing without a note means.
    if raw == .no, held == .no {
      guard host.slots.isActive(rule.place) else { return }
      host.slots[key] = nil
      host.slots[SlotTable.key(rule.place, place, entity, Self.valueSub)] = nil
    } else {
      host.slots.set(key, timeNs, Int64(raw.rawValue) | Int64(held.rawValue) << 8)
      var value = Slot(key: SlotTable.key(rule.place, place, entity, Self.valueSub), a: timeNs, b: 0)
      value.number = values[node.value]
      host.slots[value.key] = value
    }
  }

  /// What a condition said last: of the thing itself, of its host, or of any such thing on the host.
  private func remembered(_ place: Int, _ node: CompiledNode, _ at: Judgement) -> Truth {
    if node.kind == at.host.entities[at.entity].kind { return remembered(place, node, at, at.entity) }
    if node.kind == .host { return remembered(place, node, at, 0) }
    var found = Truth.no
    for thing in at.host.places(of: node.kind) { found = found.or(remembered(place, node, at, thing)) }
    return found
  }

  private func remembered(_ place: Int, _ node: CompiledNode, _ at: Judgement, _ entity: Int) -> Truth {
    let (host, rule) = (at.host, at.rule)
    switch node.operation {
    case .occurrence:
      guard host.slots.isActive(rule.place),
        let slot = host.slots[SlotTable.key(rule.place, place, entity, Self.untilSub)]
      else { return .no }
      return slot.a > arrivedNs ? .yes : .no
    case .stale: return staleness(place, node, at, entity)
    case .absent:
      guard let slot = host.slots[SlotTable.key(rule.place, place, entity, Self.truthSub)] else { return .unknown }
      return at.timeNs - slot.a >= node.windowNs ? .yes : .no
    default:
      let entityMark = host.entities[entity].markNs
      if at.timeNs - entityMark > max(RuleLimits.freshNs, node.holdNs) { return .unknown }
      guard let slot = host.slots[SlotTable.key(rule.place, place, entity, Self.truthSub)] else { return .no }
      return Truth(rawValue: UInt8(truncatingIfNeeded: at.ignoresHolds ? slot.b : slot.b >> 8)) ?? .unknown
    }
  }

  private func staleness(_ place: Int, _ node: CompiledNode, _ at: Judgement, _ entity: Int) -> Truth {
    let host = at.host
    if node.kind == .host { return host.arrivedNs == 0 ? .unknown : Truth(arrivedNs - host.arrivedNs >= node.windowNs) }
    guard arrivedNs - host.arrivedNs <= RuleLimits.liveNs else { return .unknown }
    let thing = host.entities[entity]
    if thing.hasEnded || thing.markNs == 0 { return .no }
    var limit = node.windowNs
    if node.amount > 0 {
      guard let usual = quantile(host, at.rule.place, place, entity) else { return .unknown }
      limit = max(limit, Int64(number: usual * node.amount))
    }
    return Truth(at.timeNs - thing.markNs >= limit)
  }

  private func countedHosts(_ node: CompiledNode, _ at: Judgement) -> Truth {
    guard let counted = rules.first(where: { $0.rule.id == at.rule.countedRule }), !hosts.isEmpty else {
      return .unknown
    }
    var open = 0
    for host in hosts.values where host.slots.isActive(counted.place) {
      if !host.slots.things(counted.place, Self.openNode).isEmpty { open += 1 }
    }
    let amount = node.isShare ? Double(open) / Double(hosts.count) : Double(open)
    occasion = .note("\(open) of \(hosts.count) hosts")
    return Truth(amount > node.amount)
  }
}
