internal import FleetModel

/// What is judged: an entity of a host at a time.
struct Judgement {
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
  static let holdSub = 66
  static let samplesSub = 67
  static let untilSub = 68
  /// Of the first condition of an open rule: when it opened by the collector's clock, and since when its end is due by the host's.
  static let openedSub = 69
  /// More samples than the first number holds, and when the last of them began.
  static let moreSamplesSub = 70
  static let sampleStartSub = 71
  static let averageSub = 72
  /// Ratio: the last of either number.
  static let ratioSub = 73
  /// When a line that may be taken back was written, and in which file.
  static let lineSub = 74
  /// Counts of what comes true, and of the lines or the time of which others are a share.
  static let secondCountSub = 96

  /// A report's values are at hand: runs every rule that reads one of them.
  ///
  /// - Parameter isOneOfMany: more such entities follow: rules about something else wait for all of them (`SampledThings`).
  func process(
    _ family: MetricFamily, _ host: inout HostState, _ entity: Int, _ timeNs: Int64, isOneOfMany: Bool = false
  ) {
    let readers = byFamily[Int(family.rawValue)]
    // Each look at a variable of an object is guarded: most rules need these three and no more.
    let (values, peers) = (values, peerValues)
    let hasExcluded = !host.excluded.isEmpty
    for index in readers.indices {
      let place = readers[index].place
      if hasExcluded, host.isExcluded(place) { continue }
      if readers[index].isQuick, !host.slots.isActive(place), !readers[index].isNotable(values, peers) { continue }
      let rule = readers[index].rule
      if rule.isPlain {
        judge(rule, &host, entity, timeNs)
      } else {
        for leaf in readers[index].leaves { remember(rule, leaf, &host, entity, timeNs) }
        if rule.restsFalse, !host.slots.isActive(place) { continue }
        if isOneOfMany, host.entities[entity].kind != rule.scope {
          if !deferred.contains(place) { deferred.append(place) }
        } else {
          judge(rule, &host, because: entity, timeNs)
        }
      }
    }
  }

  /// A condition about `entity` has changed: judges the rule at what its incidents are about.
  func judge(_ rule: CompiledRule, _ host: inout HostState, because entity: Int, _ timeNs: Int64) {
    if host.entities[entity].kind == rule.scope {
      judge(rule, &host, entity, timeNs)
    } else if rule.scope == .host {
      judge(rule, &host, 0, timeNs)
    } else {
      for place in host.places(of: rule.scope) { judge(rule, &host, place, timeNs) }
    }
  }

  func judge(_ rule: CompiledRule, _ host: inout HostState, _ entity: Int, _ timeNs: Int64) {
    looks &+= 1
    let key = SlotTable.key(rule.place, Self.openNode, entity)
    let wasOpen = host.slots.isActive(rule.place) && host.slots[key] != nil
    if !forecasts.isEmpty { forecasts = [:] }
    let judgement = Judgement(entity: entity, timeNs: timeNs, ignoresHolds: wasOpen)
    let truth = truth(rule.root, rule, &host, judgement)
    guard wasOpen else {
      if truth == .yes {
        let timeNs = findingNs(rule, entity, timeNs, host)
        open(rule, &host, entity, timeNs)
        // What happened before it began does not end it.
        if rule.until != nil { forgetOccurrences(rule, &host, entity, inUntil: true) }
        emit(.opened, rule, &host, entity, timeNs)
      }
      return
    }
    if let until = rule.until {
      let ends = Judgement(entity: entity, timeNs: timeNs)
      if self.truth(until, rule, &host, ends) == .yes {
        // What opened it has been answered: it must happen again to open it again.
        forgetOccurrences(rule, &host, entity, inUntil: false)
        close(rule, &host, entity, timeNs, .recovered)
      }
      return
    }
    guard var slot = host.slots[key] else { return }
    switch truth {
    case .unknown: return
    case .yes:
      if slot.b == 0 { return }
      slot.b = 0
      host.slots[key] = slot
      noteEnd(rule, &host, entity, 0)
    case .no:
      if slot.b == 0 {
        slot.b = timeNs
        host.slots[key] = slot
      }
      guard timeNs - slot.b >= rule.rule.clearAfterNs else { return }
      if isSettled(rule, host, entity) {
        close(rule, &host, entity, timeNs, .recovered)
      } else {
        noteEnd(rule, &host, entity, timeNs)
      }
    }
  }

  /// Treats a rule as open, also where another collector found it.
  func open(_ rule: CompiledRule, _ host: inout HostState, _ entity: Int, _ timeNs: Int64) {
    host.slots.set(SlotTable.key(rule.place, Self.openNode, entity), timeNs, 0)
    host.slots.set(SlotTable.key(rule.place, rule.root, entity, Self.openedSub), arrivedNs, 0)
    host.wakeNs = 0
  }

  /// An end by the times of a backlog, which hold minutes in a moment, waits until people had as long to see the incident.
  func isSettled(_ rule: CompiledRule, _ host: borrowing HostState, _ entity: Int) -> Bool {
    let opened = host.slots[SlotTable.key(rule.place, rule.root, entity, Self.openedSub)]
    return opened.map { arrivedNs &- $0.a >= rule.rule.clearAfterNs } ?? true
  }

  private func noteEnd(_ rule: CompiledRule, _ host: inout HostState, _ entity: Int, _ timeNs: Int64) {
    let key = SlotTable.key(rule.place, rule.root, entity, Self.openedSub)
    guard var opened = host.slots[key], opened.b != timeNs else { return }
    opened.b = timeNs
    host.slots[key] = opened
  }

  /// Ends what has been due to end, and has been open for long enough.
  func closeSettled(_ host: inout HostState) {
    let due = host.slots.slots.filter { slot in
      SlotTable.sub(slot.key) == Self.openedSub && slot.b > 0 && SlotTable.node(slot.key) != Self.openNode
    }
    for slot in due {
      let (rule, entity) = (rules[SlotTable.rule(slot.key)], SlotTable.entity(slot.key))
      if isSettled(rule, host, entity) { close(rule, &host, entity, slot.b, .recovered) }
    }
  }

  /// Forgets what happened to an incident's entity; what happened elsewhere on the host may be another incident's.
  ///
  /// - Parameter isLast: nothing else of the rule is open on the host.
  func forgetOccurrences(
    _ rule: CompiledRule, _ host: inout HostState, _ entity: Int, inUntil: Bool, isLast: Bool = false
  ) {
    for node in rule.occurring(inUntil: inUntil) {
      if rule.nodes[node].kind == rule.scope {
        host.slots.remove(host.slots.numbers(rule.place, node, entity), rule: rule.place)
      } else if rule.scope == .host || isLast {
        host.slots.remove(host.slots.things(rule.place, node), rule: rule.place)
      }
    }
  }

  func close(
    _ rule: CompiledRule, _ host: inout HostState, _ entity: Int, _ timeNs: Int64, _ reason: Transition.Reason
  ) {
    let key = SlotTable.key(rule.place, Self.openNode, entity)
    // A line may be newer than the last sample: an end is never reported as older than its beginning.
    let beganNs = host.slots[key]?.a ?? timeNs
    host.slots[key] = nil
    host.slots[SlotTable.key(rule.place, rule.root, entity, Self.openedSub)] = nil
    let endedNs = max(occasionNs ?? timeNs, beganNs)
    noteEnd(of: rule, &host, entity, endedNs)
    emit(.cleared(reason), rule, &host, entity, endedNs)
  }

  /// The time of a finding: where a line is its occasion, when that line was first read. What is not committed is sent and judged again, and
  /// must then be the same finding, with the same time. It is never older than an end that was found before it: else it would
  /// be taken for a part of what has ended.
  private func findingNs(
    _ rule: CompiledRule, _ entity: Int, _ timeNs: Int64, _ host: borrowing HostState
  ) -> Int64 {
    guard let occasionNs else { return timeNs }
    let identity = FoundEnd.identity(rule, host.entities[entity])
    guard let end = host.ends.first(where: { $0.identity == identity }), end.ns - timeNs < RuleLimits.liveNs else {
      return occasionNs
    }
    return max(occasionNs, end.ns + 1000)
  }

  func noteEnd(of rule: CompiledRule, _ host: inout HostState, _ entity: Int, _ timeNs: Int64) {
    if rule.occurrences.isEmpty { return }
    let identity = FoundEnd.identity(rule, host.entities[entity])
    host.ends.removeAll { $0.identity == identity }
    if host.ends.count >= RuleLimits.endsMax { host.ends.removeFirst() }
    host.ends.append(FoundEnd(identity: identity, ns: timeNs))
  }

  func emit(_ kind: Transition.Kind, _ rule: CompiledRule, _ host: inout HostState, _ entity: Int, _ timeNs: Int64) {
    let thing = host.entities[entity]
    host.isUrgent = true
    var evidence: [Evidence] = []
    if case .opened = kind {
      if let occasion { evidence.append(occasion) }
      evidence += values(of: rule, host, entity)
    }
    let about =
      rule.rule.scope == .fleet ? RuleEntity(kind: .fleet, name: "") : RuleEntity(kind: thing.kind, name: thing.name)
    transitions.append(
      Transition(
        kind: kind, rule: rule.rule.id, host: host.id, entity: about, timeNs: timeNs, arrivedNs: arrivedNs,
        evidence: evidence))
  }

  /// The figures that a rule asks for: first those that hold.
  private func values(of rule: CompiledRule, _ host: borrowing HostState, _ entity: Int) -> [Evidence] {
    var (holding, others) = ([Evidence](), [Evidence]())
    for (place, name) in rule.names.sorted(by: { $0.key < $1.key }) {
      guard let value = evidenceValue(rule, place, host, entity) else { continue }
      let node = rule.nodes[place]
      if node.measure == .forecast {
        // The value alone would show nothing wrong.
        guard let inNs = forecasts[place] else { continue }
        holding.append(.forecast(metric: name, value: value, inNs: inNs))
      } else if node.isOfValue, node.comparison.holds(value) == false {
        others.append(.value(metric: name, value: value))
      } else {
        holding.append(.value(metric: name, value: value))
      }
    }
    return holding + others
  }

  private func evidenceValue(_ rule: CompiledRule, _ node: Int, _ host: borrowing HostState, _ entity: Int) -> Double? {
    let leaf = rule.nodes[node]
    guard leaf.operation == .measure else { return nil }
    if rule.isPlain { return values[leaf.value] }
    let place = leaf.kind == host.entities[entity].kind ? entity : 0
    guard let slot = host.slots[SlotTable.key(rule.place, node, place, Self.truthSub)] else { return nil }
    let value = Double(bitPattern: UInt64(bitPattern: slot.a))
    return value.isNaN && !value.isWrittenNaN ? nil : value
  }

  // MARK: truth

  func truth(_ place: Int, _ rule: CompiledRule, _ host: inout HostState, _ at: Judgement) -> Truth {
    switch rule.nodes[place].operation {
    case .all, .any, .not: return group(place, rule, &host, at)
    default: return leaf(place, rule, &host, at)
    }
  }

  private func leaf(_ place: Int, _ rule: CompiledRule, _ host: inout HostState, _ at: Judgement) -> Truth {
    switch rule.nodes[place].operation {
    case .hosts: return countedHosts(place, rule, host)
    case .live: return Truth(isLive(rule.nodes[place].kind, rule.nodes[place].windowNs, host, at.timeNs))
    case .open:
      guard let other = rule.others[place] else { return .no }
      return Truth(host.slots.hasAny(other, Self.openNode))
    case .measure where rule.isPlain:
      let raw = measured(rule, place, &host, at.entity, at.timeNs)
      let held = hold(raw, place, rule.nodes[place].holdNs, rule, &host, at)
      return at.ignoresHolds ? raw : held
    default: return remembered(place, rule, host, at)
    }
  }

  /// Every part is evaluated, so that each keeps its own time.
  private func group(_ place: Int, _ rule: CompiledRule, _ host: inout HostState, _ at: Judgement) -> Truth {
    // Its fields one by one: a copy of all of it costs more than what is done here.
    let operation = rule.nodes[place].operation
    var raw: Truth = operation == .all ? .yes : .no
    for child in rule.nodes[place].children {
      let part = truth(rule.children[child], rule, &host, at)
      switch operation {
      case .all: raw = raw.and(part)
      case .any: raw = raw.or(part)
      default: raw = part.negated
      }
    }
    if rule.nodes[place].isInOrder, raw == .yes, !areInOrder(place, rule, host, at) { raw = .no }
    let held = hold(raw, place, rule.nodes[place].holdNs, rule, &host, at)
    return at.ignoresHolds ? raw : held
  }

  /// What happened last of each part came no later than that of the next one.
  private func areInOrder(_ group: Int, _ rule: CompiledRule, _ host: borrowing HostState, _ at: Judgement) -> Bool {
    var last = Int64.min
    for child in rule.nodes[group].children {
      let place = rule.children[child]
      let node = rule.nodes[place]
      guard node.operation == .occurrence else { continue }
      let entity = node.kind == .host ? 0 : at.entity
      guard let slot = host.slots[SlotTable.key(rule.place, place, entity, Self.untilSub)] else { return false }
      if slot.b < last { return false }
      last = slot.b
    }
    return true
  }

  /// Whether a run made steps, or a process was there, at the host's last report.
  func isLive(_ kind: EntityKind, _ withinNs: Int64, _ host: borrowing HostState, _ timeNs: Int64) -> Bool {
    let mark = host.entities[0].markNs
    let last = mark > 0 ? min(mark, timeNs) : timeNs
    return host.entities.contains { $0.kind == kind && !$0.hasEnded && last - $0.markNs <= withinNs }
  }

  /// Whether it has been true for so long, by the times of the samples.
  func hold(
    _ raw: Truth, _ place: Int, _ holdNs: Int64, _ rule: CompiledRule, _ host: inout HostState, _ at: Judgement
  ) -> Truth {
    guard holdNs > 0 else { return raw }
    let key = SlotTable.key(rule.place, place, at.entity, Self.holdSub)
    switch raw {
    case .unknown: return .unknown
    case .no:
      if host.slots.isActive(rule.place) { host.slots[key] = nil }
      return .no
    case .yes:
      guard var slot = host.slots[key] else {
        host.slots.set(key, at.timeNs, at.timeNs)
        return .no
      }
      // Times of a file's rows may go back, too.
      let gapNs = at.timeNs &- slot.b
      if gapNs > max(RuleLimits.gapNs, holdNs / 2) || gapNs < -RuleLimits.gapNs { slot.a = at.timeNs }
      slot.b = at.timeNs
      host.slots[key] = slot
      return at.timeNs - slot.a >= holdNs ? .yes : .no
    }
  }

  /// Keeps a condition's truth for an entity until the rest of its rule is evaluated.
  private func remember(_ rule: CompiledRule, _ place: Int, _ host: inout HostState, _ entity: Int, _ timeNs: Int64) {
    let node = rule.nodes[place]
    guard passes(rule, place, host, entity) else { return }
    let key = SlotTable.key(rule.place, place, entity, Self.truthSub)
    guard node.operation == .measure else { return rememberAbsence(values[node.value].isNaN, rule, key, &host, timeNs) }
    let at = Judgement(entity: entity, timeNs: timeNs)
    let raw = measured(rule, place, &host, entity, timeNs)
    let held = hold(raw, place, node.holdNs, rule, &host, at)
    let isActive = host.slots.isActive(rule.place)
    // An entity without a slot means a plain no; what was never true or false needs no slot where no `not` asks.
    if raw == .no, held == .no {
      if isActive { host.slots[key] = nil }
    } else if raw != .unknown || node.isNegated || (isActive && host.slots[key] != nil) {
      host.slots.set(
        key, Int64(bitPattern: values[node.value].bitPattern), Int64(raw.rawValue) | Int64(held.rawValue) << 8)
    }
  }

  /// A number that is there leaves no note; one that has gone, since when; one that was never there, that.
  private func rememberAbsence(
    _ isAbsent: Bool, _ rule: CompiledRule, _ key: UInt64, _ host: inout HostState, _ timeNs: Int64
  ) {
    let isActive = host.slots.isActive(rule.place)
    if !isAbsent {
      if isActive { host.slots[key] = nil }
    } else if !isActive || host.slots[key] == nil {
      host.slots.set(key, timeNs, isFirstSample ? 1 : 0)
    }
  }

  /// A condition's last truth: of the entity itself, of its host, or of any such entity on the host.
  private func remembered(
    _ place: Int, _ rule: CompiledRule, _ host: borrowing HostState, _ at: Judgement
  ) -> Truth {
    let kind = rule.nodes[place].kind
    if kind == host.entities[at.entity].kind { return remembered(place, rule, host, at, at.entity) }
    if kind == .host { return remembered(place, rule, host, at, 0) }
    var found = Truth.no
    looks &+= UInt64(host.entities.count)
    for thing in host.entities.indices where host.entities[thing].kind == kind && thing > 0 {
      if !passes(rule, place, host, thing) { continue }
      found = found.or(remembered(place, rule, host, at, thing))
    }
    return found
  }

  private func remembered(
    _ place: Int, _ rule: CompiledRule, _ host: borrowing HostState, _ at: Judgement, _ entity: Int
  ) -> Truth {
    switch rule.nodes[place].operation {
    case .occurrence:
      let isMissing = rule.nodes[place].missingNs > 0
      guard host.slots.isActive(rule.place),
        let slot = host.slots[SlotTable.key(rule.place, place, entity, Self.untilSub)]
      else { return isMissing ? .unknown : .no }
      if isMissing { return missing(place, rule, host, at, entity, slot) }
      return slot.a > arrivedNs ? .yes : .no
    case .stale: return staleness(place, rule, host, at, entity)
    case .straggler:
      guard host.slots.isActive(rule.place),
        let slot = host.slots[SlotTable.key(rule.place, place, entity, Self.truthSub)]
      else { return .no }
      return Truth(rawValue: UInt8(truncatingIfNeeded: at.ignoresHolds ? slot.b : slot.b >> 8)) ?? .unknown
    case .absent:
      let slot =
        host.slots.isActive(rule.place) ? host.slots[SlotTable.key(rule.place, place, entity, Self.truthSub)] : nil
      if slot?.b == 1 { return .unknown }
      let since = slot?.a ?? host.entities[entity].markNs
      // While the host itself is silent, nothing of it is missing.
      let mark = host.entities[0].markNs
      let last = mark > 0 ? min(mark, at.timeNs) : at.timeNs
      return since == 0 ? .unknown : last.subtractingClamped(since) >= rule.nodes[place].windowNs ? .yes : .no
    default:
      let entityMark = host.entities[entity].markNs
      if at.timeNs - entityMark > max(RuleLimits.freshNs, rule.nodes[place].holdNs) { return .unknown }
      guard host.slots.isActive(rule.place),
        let slot = host.slots[SlotTable.key(rule.place, place, entity, Self.truthSub)]
      else { return .no }
      return Truth(rawValue: UInt8(truncatingIfNeeded: at.ignoresHolds ? slot.b : slot.b >> 8)) ?? .unknown
    }
  }

  private func countedHosts(_ place: Int, _ rule: CompiledRule, _ host: borrowing HostState) -> Truth {
    let node = rule.nodes[place]
    // Only a rule of the fleet asks for hosts: none of them is in hand.
    guard let counted = rule.others[place], rule.scope == .fleet, !hosts.isEmpty else { return .unknown }
    func counts(_ host: borrowing HostState) -> Bool {
      !node.isOfLive || isLive(.run, RuleLimits.liveRunNs, host, .max)
        || isLive(.process, RuleLimits.liveNs, host, .max)
    }
    let open = hosts.values.count { $0.state.slots.hasAny(counted, Self.openNode) && counts($0.state) }
    // Who counts is looked at only where there is something to count.
    if open == 0 { return .no }
    let whole = node.isOfLive ? hosts.values.count { counts($0.state) } : hosts.count
    let amount = node.isShare ? Double(open) / Double(whole) : Double(open)
    occasion = .note("\(open) of \(whole) hosts\(node.isOfLive ? " with a live run" : "")")
    return Truth(node.includesLimit ? amount >= node.amount : amount > node.amount)
  }
}
