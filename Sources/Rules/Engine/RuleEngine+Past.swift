/// A number held against its own past.
extension RuleEngine {
  /// - Returns: what the comparison is asked of; nil where there is too little past yet. The value then belongs to the past.
  func against(
    _ value: Double, _ rule: CompiledRule, _ place: Int, _ node: CompiledNode, _ host: inout HostState, _ entity: Int,
    _ timeNs: Int64
  ) -> Double? {
    guard value.isFinite else { return nil }
    if node.baseline == .peers { return shareOfPeers(value, node) }
    let key = SlotTable.key(rule.place, place, entity)
    switch node.baseline {
    case .median: return Self.share(value, observe(value, 0.5, &host, rule.place, place, entity))
    case .mean: return Self.share(value, mean(value, node.last, key, &host)?.mean)
    case .deviation:
      guard let past = mean(value, node.last, key, &host), past.variance > 0 else { return nil }
      return (value - past.mean) / past.variance.squareRoot()
    case .maximum: return Self.share(value, maximum(value, node.last, key, &host))
    case .start: return Self.share(value, start(value, node.last, key, &host))
    case .best: return Self.share(value, best(value, node.last, key, &host))
    case .peers: return nil
    case .sinceLow: return since(value, key, &host) { value < $0 }
    case .sinceHigh: return since(value, key, &host) { value > $0 }
    }
  }

  /// A share of zero, or of less, decides nothing.
  private static func share(_ value: Double, _ whole: Double?) -> Double? {
    whole.flatMap { $0 > 0 ? value / $0 : nil }
  }

  /// Weighted mean and variance before this value: one of `last` samples ago weighs a seventh.
  ///
  /// Source: Finch, "Incremental calculation of weighted mean and variance" (2009), section 9.
  private func mean(_ value: Double, _ last: Int, _ key: UInt64, _ host: inout HostState) -> (
    mean: Double, variance: Double
  )? {
    var mean = host.slots[key] ?? Slot(key: key, a: 0, b: 0)
    var variance = host.slots[key + 1] ?? Slot(key: key + 1, a: 0, b: 0)
    let before = (mean: mean.number, variance: variance.number)
    let isKnown = mean.a >= min(Int64(last), RuleLimits.medianSamples)
    mean.a += 1
    // Until there are as many as asked for, all weigh the same.
    let weight = max(2 / Double(last + 1), 1 / Double(mean.a))
    let difference = value - mean.number
    mean.number += weight * difference
    variance.number = (1 - weight) * (variance.number + weight * difference * difference)
    host.slots[key] = mean
    host.slots[key + 1] = variance
    return isKnown ? before : nil
  }

  /// The weighted mean with this value, once there are as many as asked for.
  func average(
    _ value: Double, _ last: Int, _ rule: CompiledRule, _ place: Int, _ host: inout HostState, _ entity: Int
  ) -> Double {
    guard value.isFinite else { return .nan }
    let key = SlotTable.key(rule.place, place, entity, Self.averageSub)
    var mean = host.slots[key] ?? Slot(key: key, a: 0, b: 0)
    mean.a += 1
    mean.number += max(2 / Double(last + 1), 1 / Double(mean.a)) * (value - mean.number)
    host.slots[key] = mean
    return mean.a >= Int64(last) ? mean.number : .nan
  }

  /// The largest of the last `last` to twice as many values: of the block under way and of the one before.
  private func maximum(_ value: Double, _ last: Int, _ key: UInt64, _ host: inout HostState) -> Double? {
    guard var block = host.slots[key] else {
      var slot = Slot(key: key, a: 1, b: 0)
      slot.number = value
      host.slots[key] = slot
      return nil
    }
    let before = host.slots[key + 1]
    let isKnown = before != nil || block.a >= min(Int64(last), RuleLimits.medianSamples)
    let found = max(block.number, before?.number ?? block.number)
    if block.a >= Int64(last) {
      host.slots.set(key + 1, block.a, block.b)
      block.a = 0
      block.number = value
    }
    block.a += 1
    block.number = max(block.number, value)
    host.slots[key] = block
    return isKnown ? found : nil
  }

  /// The largest of the first `last` values.
  private func start(_ value: Double, _ last: Int, _ key: UInt64, _ host: inout HostState) -> Double? {
    var slot = host.slots[key] ?? Slot(key: key, a: 0, b: 0)
    if slot.a >= Int64(last) { return slot.number }
    slot.number = slot.a == 0 ? value : max(slot.number, value)
    slot.a += 1
    host.slots[key] = slot
    return nil
  }

  private func best(_ value: Double, _ last: Int, _ key: UInt64, _ host: inout HostState) -> Double? {
    var slot = host.slots[key] ?? Slot(key: key, a: 0, b: 0)
    let before = slot.a >= min(Int64(last), RuleLimits.medianSamples) ? slot.number : nil
    slot.number = slot.a == 0 ? value : max(slot.number, value)
    slot.a += 1
    host.slots[key] = slot
    return before
  }

  /// Of the fastest of the batch; nil where it is the only one.
  func shareOfPeers(_ value: Double, _ node: CompiledNode) -> Double? {
    node.value < peerValues.count ? Self.share(value, peerValues[node.value]) : nil
  }

  private func since(_ value: Double, _ key: UInt64, _ host: inout HostState, isBetter: (Double) -> Bool) -> Double {
    guard var slot = host.slots[key] else {
      var slot = Slot(key: key, a: 0, b: 0)
      slot.number = value
      host.slots[key] = slot
      return 0
    }
    if isBetter(slot.number) {
      slot.a = 0
      slot.number = value
    } else {
      slot.a += 1
    }
    host.slots[key] = slot
    return Double(slot.a)
  }
}

/// The last samples, a bit each, the latest one lowest.
struct SampleBits {
  private(set) var words: (UInt64, UInt64, UInt64, UInt64)

  init(_ slot: Slot?, _ more: Slot?) {
    words = (
      UInt64(bitPattern: slot?.a ?? 0), UInt64(bitPattern: slot?.b ?? 0), UInt64(bitPattern: more?.a ?? 0),
      UInt64(bitPattern: more?.b ?? 0)
    )
  }

  mutating func append(_ bit: Bool, keeping count: Int) {
    words.3 = words.3 << 1 | words.2 >> 63
    words.2 = words.2 << 1 | words.1 >> 63
    words.1 = words.1 << 1 | words.0 >> 63
    words.0 = words.0 << 1 | (bit ? 1 : 0)
    words = (
      words.0 & Self.mask(count), words.1 & Self.mask(count - 64), words.2 & Self.mask(count - 128),
      words.3 & Self.mask(count - 192)
    )
  }

  mutating func setLatest() { words.0 |= 1 }

  private static func mask(_ count: Int) -> UInt64 { count <= 0 ? 0 : count >= 64 ? .max : (1 << UInt64(count)) - 1 }

  var isEmpty: Bool { words.0 | words.1 | words.2 | words.3 == 0 }
  var count: Int {
    words.0.nonzeroBitCount + words.1.nonzeroBitCount + words.2.nonzeroBitCount + words.3.nonzeroBitCount
  }
  var first: Int64 { Int64(bitPattern: words.0) }
  var second: Int64 { Int64(bitPattern: words.1) }
  var third: Int64 { Int64(bitPattern: words.2) }
  var fourth: Int64 { Int64(bitPattern: words.3) }
}
