internal import FleetModel

extension RuleEngine {
  func passes(_ rule: CompiledRule, _ place: Int, _ node: CompiledNode, _ host: HostState, _ entity: Int) -> Bool {
    guard node.hasFilter, let filter = rule.filters[place] else { return true }
    return filter.matches(host.entities[entity].name)
  }

  /// What a comparison says of the report at hand.
  func measured(
    _ rule: CompiledRule, _ place: Int, _ node: CompiledNode, _ host: HostState, _ entity: Int, _ timeNs: Int64
  ) -> Truth {
    guard passes(rule, place, node, host, entity) else { return .unknown }
    let value = values[node.value]
    let raw: Truth
    switch node.measure {
    case .value:
      if case .changed(let direction) = node.comparison {
        raw = changed(rule, place, host, entity, timeNs, value, direction)
      } else {
        raw = Truth(node.comparison.holds(value))
      }
    case .ratio: raw = Truth(node.comparison.holds(value / values[node.second]))
    case .rate:
      let slope = slope(rule, place, node, host, entity, timeNs, value, leastSpanNs: node.windowNs)
      raw = Truth(node.comparison.holds(slope * Double(node.perNs)))
    case .forecast:
      let slope = slope(rule, place, node, host, entity, timeNs, value, leastSpanNs: node.windowNs / 2)
      raw = reaches(node.comparison, value, value + slope * Double(node.perNs))
    case .shareOfMedian:
      let median = observe(value, 0.5, host, rule.place, place, entity)
      raw = median.map { $0 > 0 ? Truth(node.comparison.holds(value / $0)) : .unknown } ?? .unknown
    }
    return node.of > 0 ? share(raw, rule, place, node, host, entity) : raw
  }

  /// At least `wanted` of the last `of` samples; those that say nothing are not among them.
  private func share(
    _ raw: Truth, _ rule: CompiledRule, _ place: Int, _ node: CompiledNode, _ host: HostState, _ entity: Int
  ) -> Truth {
    let key = SlotTable.key(rule.place, place, entity, Self.samplesSub)
    let last = host.slots.isActive(rule.place) ? host.slots[key] : nil
    if raw == .unknown { return .unknown }
    let mask = node.of == 64 ? UInt64.max : (1 << UInt64(node.of)) - 1
    let bits = (UInt64(bitPattern: last?.a ?? 0) << 1 | (raw == .yes ? 1 : 0)) & mask
    if bits == 0 {
      if last != nil { host.slots[key] = nil }
      return .no
    }
    host.slots.set(key, Int64(bitPattern: bits), 0)
    return Truth(bits.nonzeroBitCount >= node.wanted)
  }

  private func changed(
    _ rule: CompiledRule, _ place: Int, _ host: HostState, _ entity: Int, _ timeNs: Int64, _ value: Double,
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
  /// Five values a quarter of the window apart are remembered. A counter that falls has begun anew.
  private func slope(
    _ rule: CompiledRule, _ place: Int, _ node: CompiledNode, _ host: HostState, _ entity: Int, _ timeNs: Int64,
    _ value: Double, leastSpanNs: Int64
  ) -> Double {
    if value.isNaN { return .nan }
    let key = SlotTable.key(rule.place, place, entity)
    var places = host.slots.numbers(rule.place, place, entity, below: Self.measureSubs)
    var anchors = places.map { host.slots.slots[$0] }
    if node.isCounter, let last = anchors.last, value < last.number { anchors = [] }
    while anchors.count > 1, timeNs - anchors[1].a >= node.windowNs { anchors.removeFirst() }
    // A value from before a long silence tells nothing of the window.
    if let first = anchors.first, timeNs - first.a > 2 * node.windowNs { anchors = [] }
    let mustKeep = anchors.last.map { timeNs - $0.a >= node.windowNs / 4 } ?? true
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

  // MARK: quantiles

  /// One more value for a quantile that is estimated with five markers, whatever the number of values.
  ///
  /// Source: Jain, Chlamtac, "The P² algorithm for dynamic calculation of quantiles", CACM 28 (1985).
  /// - Returns: the quantile before this value; nil while there are too few.
  @discardableResult
  func observe(
    _ value: Double, _ quantile: Double, _ host: HostState, _ rule: Int, _ place: Int, _ entity: Int
  ) -> Double? {
    guard value.isFinite else { return nil }
    let usual = self.quantile(host, rule, place, entity)
    var markers = host.slots.numbers(rule, place, entity, below: 5).map { host.slots.slots[$0] }
    if markers.count < 5 {
      var heights = markers.map(\.number) + [value]
      heights.sort()
      for (sub, height) in heights.enumerated() { setMarker(host, rule, place, entity, sub, Int64(sub + 1), height) }
      return nil
    }
    update(&markers, value, quantile)
    for (sub, marker) in markers.enumerated() { setMarker(host, rule, place, entity, sub, marker.a, marker.number) }
    return usual
  }

  /// nil before `RuleLimits.medianSamples` values.
  func quantile(_ host: HostState, _ rule: Int, _ place: Int, _ entity: Int) -> Double? {
    let range = host.slots.numbers(rule, place, entity, below: 5)
    guard range.count == 5 else { return nil }
    let slots = host.slots.slots
    return slots[range.lowerBound + 4].a >= RuleLimits.medianSamples ? slots[range.lowerBound + 2].number : nil
  }

  private func setMarker(
    _ host: HostState, _ rule: Int, _ place: Int, _ entity: Int, _ sub: Int, _ count: Int64, _ height: Double
  ) {
    var slot = Slot(key: SlotTable.key(rule, place, entity, sub), a: count, b: 0)
    slot.number = height
    host.slots[slot.key] = slot
  }

  private func update(_ markers: inout [Slot], _ value: Double, _ quantile: Double) {
    let cell: Int
    if value < markers[0].number {
      markers[0].number = value
      cell = 0
    } else if value >= markers[4].number {
      markers[4].number = value
      cell = 3
    } else {
      cell = (1...4).first { value < markers[$0].number }.map { $0 - 1 } ?? 3
    }
    for index in (cell + 1)..<5 { markers[index].a += 1 }
    let count = Double(markers[4].a)
    for (index, share) in [(1, quantile / 2), (2, quantile), (3, (1 + quantile) / 2)] {
      let wanted = 1 + (count - 1) * share
      let gap = wanted - Double(markers[index].a)
      let (left, here, right) = (markers[index - 1], markers[index], markers[index + 1])
      guard (gap >= 1 && right.a - here.a > 1) || (gap <= -1 && left.a - here.a < -1) else { continue }
      let step: Int64 = gap > 0 ? 1 : -1
      let curved = parabola(left, here, right, Double(step))
      let neighbour = step > 0 ? right : left
      markers[index].number =
        left.number < curved && curved < right.number
        ? curved
        : here.number + Double(step) * (neighbour.number - here.number) / Double(neighbour.a - here.a)
      markers[index].a += step
    }
  }

  private func parabola(_ left: Slot, _ here: Slot, _ right: Slot, _ step: Double) -> Double {
    let (l, h, r) = (Double(left.a), Double(here.a), Double(right.a))
    return here.number + step / (r - l)
      * ((h - l + step) * (right.number - here.number) / (r - h) + (r - h - step) * (here.number - left.number)
        / (h - l))
  }
}
