internal import FleetModel

/// Quantiles without the values.
extension RuleEngine {
  /// One more value for a quantile that is estimated with five markers, whatever the number of values.
  ///
  /// Source: Jain, Chlamtac, "The P² algorithm for dynamic calculation of quantiles", CACM 28 (1985).
  /// - Returns: the quantile before this value; nil while there are too few.
  @discardableResult
  func observe(
    _ value: Double, _ quantile: Double, _ host: inout HostState, _ rule: Int, _ place: Int, _ entity: Int
  ) -> Double? {
    guard value.isFinite else { return nil }
    let usual = self.quantile(host, rule, place, entity)
    var markers = host.slots.numbers(rule, place, entity, below: 5).map { host.slots.slots[$0] }
    if markers.count < 5 {
      var heights = markers.map(\.number) + [value]
      heights.sort()
      for (sub, height) in heights.enumerated() { setMarker(&host, rule, place, entity, sub, Int64(sub + 1), height) }
      return nil
    }
    update(&markers, value, quantile)
    for (sub, marker) in markers.enumerated() { setMarker(&host, rule, place, entity, sub, marker.a, marker.number) }
    return usual
  }

  /// nil before `RuleLimits.medianSamples` values.
  private func quantile(_ host: borrowing HostState, _ rule: Int, _ place: Int, _ entity: Int) -> Double? {
    let range = host.slots.numbers(rule, place, entity, below: 5)
    guard range.count == 5 else { return nil }
    let slots = host.slots.slots
    return slots[range.lowerBound + 4].a >= RuleLimits.medianSamples ? slots[range.lowerBound + 2].number : nil
  }

  private func setMarker(
    _ host: inout HostState, _ rule: Int, _ place: Int, _ entity: Int, _ sub: Int, _ count: Int64, _ height: Double
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
