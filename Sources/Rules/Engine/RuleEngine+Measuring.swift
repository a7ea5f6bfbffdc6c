internal import FleetModel

extension RuleEngine {
  @inline(__always)
  func passes(_ rule: CompiledRule, _ place: Int, _ host: borrowing HostState, _ entity: Int) -> Bool {
    guard rule.nodes[place].hasFilter, let filter = rule.filters[place] else { return true }
    return filter.matches(host.entities[entity].name)
  }

  /// A comparison's truth for the report at hand.
  func measured(
    _ rule: CompiledRule, _ place: Int, _ host: inout HostState, _ entity: Int, _ timeNs: Int64
  ) -> Truth {
    // For an entity that is not meant it is false, not unknown.
    guard passes(rule, place, host, entity) else { return .no }
    if rule.nodes[place].isOfValue { return Truth(rule.nodes[place].comparison.holds(values[rule.nodes[place].value])) }
    return measured(rule, place, rule.nodes[place], &host, entity, timeNs)
  }

  private func measured(
    _ rule: CompiledRule, _ place: Int, _ node: CompiledNode, _ host: inout HostState, _ entity: Int, _ timeNs: Int64
  ) -> Truth {
    var value = values[node.value]
    if node.average > 0 { value = average(value, node.average, rule, place, &host, entity) }
    var raw: Truth
    switch node.measure {
    case .value:
      if case .changed(let direction) = node.comparison {
        raw = changed(rule, place, &host, entity, timeNs, value, direction)
      } else {
        raw = Truth(node.comparison.holds(value))
      }
    case .ratio:
      raw = Truth(node.comparison.holds(ratio(value, values[node.second], rule, place, &host, entity)))
    case .rate:
      let slope = slope(rule, place, node, &host, entity, timeNs, value, leastSpanNs: node.windowNs)
      raw = Truth(node.comparison.holds(slope * Double(node.perNs)))
    case .forecast:
      let slope = slope(rule, place, node, &host, entity, timeNs, value, leastSpanNs: node.windowNs / 2)
      raw = reaches(node.comparison, value, value + slope * Double(node.perNs))
      if raw == .yes, case .above(let limit) = node.comparison {
        forecasts[place] = Int64(number: (limit - value) / slope)
      }
    case .against:
      raw =
        against(value, rule, place, node, &host, entity, timeNs).map { Truth(node.comparison.holds($0)) } ?? .unknown
    }
    if node.of > 0 { raw = share(raw, rule, place, node, &host, entity, timeNs) }
    return node.isCounted ? counted(raw, rule, place, node, &host, entity, timeNs) : raw
  }

  /// At least `wanted` of the last `of` samples; those that decide nothing are not among them.
  private func share(
    _ raw: Truth, _ rule: CompiledRule, _ place: Int, _ node: CompiledNode, _ host: inout HostState, _ entity: Int,
    _ timeNs: Int64
  ) -> Truth {
    if raw == .unknown { return .unknown }
    let key = SlotTable.key(rule.place, place, entity, Self.samplesSub)
    let last = host.slots.isActive(rule.place) ? host.slots[key] : nil
    let moreKey = SlotTable.key(rule.place, place, entity, Self.moreSamplesSub)
    let more = node.of > 128 && last != nil ? host.slots[moreKey] : nil
    var bits = SampleBits(last, more)
    let startKey = SlotTable.key(rule.place, place, entity, Self.sampleStartSub)
    let start = node.everyNs > 0 && last != nil ? host.slots[startKey] : nil
    let belongsToLast = start.map { timeNs - $0.a < node.everyNs } ?? false
    if belongsToLast {
      if raw == .yes { bits.setLatest() }
    } else {
      bits.append(raw == .yes, keeping: node.of)
    }
    if bits.isEmpty {
      if last != nil { for sub in [key, moreKey, startKey] { host.slots[sub] = nil } }
      return .no
    }
    host.slots.set(key, bits.first, bits.second)
    if node.of > 128 { host.slots.set(moreKey, bits.third, bits.fourth) }
    if node.everyNs > 0, !belongsToLast { host.slots.set(startKey, timeNs, 0) }
    return Truth(bits.count >= node.wanted)
  }

  /// How often it came true in the window.
  private func counted(
    _ raw: Truth, _ rule: CompiledRule, _ place: Int, _ node: CompiledNode, _ host: inout HostState, _ entity: Int,
    _ timeNs: Int64
  ) -> Truth {
    switch raw {
    case .unknown: return .unknown
    case .yes:
      return Truth(
        count(rule, place, node, &host, entity, timeNs, from: Self.secondCountSub, windowNs: node.windowNs)
          >= node.amount)
    case .no:
      guard host.slots.isActive(rule.place) else { return .no }
      let found = sum(rule, place, host, entity, timeNs, from: Self.secondCountSub, windowNs: node.windowNs)
      return Truth(found >= node.amount)
    }
  }

  /// The two numbers need not come in the same report: the last of each counts.
  private func ratio(
    _ value: Double, _ second: Double, _ rule: CompiledRule, _ place: Int, _ host: inout HostState, _ entity: Int
  ) -> Double {
    if !value.isNaN, !second.isNaN { return value / second }
    if value.isNaN, second.isNaN { return .nan }
    let key = SlotTable.key(rule.place, place, entity, Self.ratioSub)
    let last = host.slots[key]
    let upper = value.isNaN ? last.map { Double(bitPattern: UInt64(bitPattern: $0.a)) } ?? .nan : value
    let lower = second.isNaN ? last?.number ?? .nan : second
    host.slots.set(key, Int64(bitPattern: upper.bitPattern), Int64(bitPattern: lower.bitPattern))
    return upper / lower
  }

  private func changed(
    _ rule: CompiledRule, _ place: Int, _ host: inout HostState, _ entity: Int, _ timeNs: Int64, _ value: Double,
    _ direction: Comparison.Direction
  ) -> Truth {
    if value.isNaN { return .unknown }
    let key = SlotTable.key(rule.place, place, entity)
    let last = host.slots[key]
    var slot = Slot(key: key, a: timeNs, b: 0)
    slot.number = value
    host.slots[key] = slot
    guard let last else { return .unknown }
    switch direction {
    case .any: return Truth(value != last.number)
    case .up: return Truth(value > last.number)
    case .down: return Truth(value < last.number)
    }
  }

  private func reaches(_ comparison: Comparison, _ value: Double, _ expected: Double) -> Truth {
    guard case .above(let limit) = comparison, !expected.isNaN else { return .unknown }
    return Truth(value < limit ? expected >= limit : expected <= limit)
  }

  /// Change a ns since the newest remembered value that is old enough; NaN until there is one.
  ///
  /// Values a part of the window apart are remembered. A counter that falls has begun anew.
  private func slope(
    _ rule: CompiledRule, _ place: Int, _ node: CompiledNode, _ host: inout HostState, _ entity: Int, _ timeNs: Int64,
    _ value: Double, leastSpanNs: Int64
  ) -> Double {
    if value.isNaN { return .nan }
    let key = SlotTable.key(rule.place, place, entity)
    var places = host.slots.numbers(rule.place, place, entity, below: Self.measureSubs)
    // Of probes there are few; of each host's GPUs and disks, fewer values must do.
    let spacingNs = node.windowNs / (node.kind == .probe ? 4 : node.measure == .forecast ? 2 : 1)
    if let first = host.slots.unchanged(places, timeNs, node.windowNs, spacingNs), !node.isCounter {
      return timeNs - first.a >= max(leastSpanNs, 1) ? (value - first.number) / Double(timeNs - first.a) : .nan
    }
    var anchors = places.map { host.slots.slots[$0] }
    if node.isCounter, let last = anchors.last, value < last.number { anchors = [] }
    while anchors.count > 1, timeNs - anchors[1].a >= node.windowNs { anchors.removeFirst() }
    // A value from before a long silence proves nothing about the window.
    if let first = anchors.first, timeNs - first.a > 3 * node.windowNs { anchors = [] }
    let mustKeep = anchors.last.map { timeNs - $0.a >= spacingNs } ?? true
    if mustKeep || anchors.count != places.count {
      if mustKeep {
        var slot = Slot(key: key, a: timeNs, b: 0)
        slot.number = value
        anchors.append(slot)
      }
      host.slots.remove(places, rule: rule.place)
      for (sub, anchor) in anchors.suffix(Self.measureSubs).enumerated() {
        host.slots.set(key + UInt64(sub), anchor.a, anchor.b)
      }
      places = 0..<0
    }
    guard let first = anchors.first, timeNs - first.a >= max(leastSpanNs, 1) else { return .nan }
    return (value - first.number) / Double(timeNs - first.a)
  }
}
