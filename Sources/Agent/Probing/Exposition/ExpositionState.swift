internal import FleetModel

/// What is remembered of an exposition until the next reading: the totals that only grow.
///
/// It lies as bytes in the process that asks, a copy of which reads and writes it. Series stand in it by a hash of name and labels:
/// two that share one cost their target a wrong rate, and no one else anything.
struct ExpositionState: Sendable, Equatable {
  struct Totals: Sendable, Equatable {
    /// Of a counter its value alone; of a histogram sum, count and its buckets; of a summary sum and count.
    var values: [Double]
    /// Of the bounds; 0 without buckets.
    var layout: UInt64
  }

  /// Of all series and buckets within `ExpositionLimits`: 1 024 × 37 bytes and 8 192 × 8.
  static let bytesMax = 112 << 10

  /// CLOCK_MONOTONIC.
  var atNs: Int64
  /// All series that were asked for are in it: one that is not there now and is next time began at zero.
  var isWhole: Bool
  var totals: [UInt64: Totals] = [:]

  init(atNs: Int64, isWhole: Bool = true) { (self.atNs, self.isWhole) = (atNs, isWhole) }

  static func key(_ series: ExpositionSeries) -> UInt64 {
    ContentHash.of((series.name + series.labelText).utf8.span)
  }

  mutating func note(_ series: ExpositionSeries, _ key: UInt64) {
    guard let now = Self.totals(series) else { return }
    totals[key] = now
  }

  /// - Returns: nil for what may go down.
  static func totals(_ series: ExpositionSeries) -> Totals? {
    switch series.kind {
    case .counter: return Totals(values: [series.value], layout: 0)
    case .summary: return Totals(values: [series.sum, series.count], layout: 0)
    case .histogram:
      if series.isCut { return Totals(values: [series.sum, series.count], layout: 0) }
      var hash = ContentHash()
      for bucket in series.buckets {
        for shift in 0..<8 { hash.update(UInt8(truncatingIfNeeded: bucket.bound.bitPattern >> (8 * UInt64(shift)))) }
      }
      return Totals(values: [series.sum, series.count] + series.buckets.map(\.count), layout: hash.value)
    case .gauge, .other: return nil
    }
  }

  // MARK: Bytes

  /// - Returns: a frame, as it goes to the process that remembers it.
  func encode() -> [UInt8] {
    var writer = ProbeWriter(number: 0)
    writer.put(UInt64(bitPattern: atNs))
    writer.put(byte: isWhole ? 1 : 0)
    writer.put(UInt32(totals.count))
    for (key, totals) in totals {
      writer.put(key)
      writer.put(totals.layout)
      writer.put(UInt32(totals.values.count))
      for value in totals.values { writer.put(value.bitPattern) }
    }
    return writer.frame()
  }

  /// - Parameter bytes: those of `encode` without the frame's length.
  /// - Returns: nil for bytes that are no state.
  init?(_ bytes: [UInt8]) {
    let frame = bytes.span
    var reader = ProbeReader()
    guard reader.uint32(frame) != nil, let at = reader.uint64(frame), let whole = reader.byte(frame),
      let count = reader.uint32(frame)
    else { return nil }
    self.init(atNs: Int64(bitPattern: at), isWhole: whole == 1)
    for _ in 0..<count {
      guard let key = reader.uint64(frame), let layout = reader.uint64(frame), let values = reader.uint32(frame),
        values <= ExpositionLimits.bucketsMax + 2
      else { return nil }
      var totals = Totals(values: [], layout: layout)
      for _ in 0..<values {
        guard let value = reader.uint64(frame) else { return nil }
        totals.values.append(Double(bitPattern: value))
      }
      self.totals[key] = totals
    }
  }
}

/// What happened between two readings of one series.
struct ExpositionChange: Sendable, Equatable {
  /// Of a counter's value, or of a histogram's or summary's count; NaN where that is not known.
  var count: Double
  /// Of the sum.
  var sum = Double.nan
  /// Of each bucket; those below it are in it.
  var buckets: [ExpositionSeries.Bucket] = []

  /// A total that is less than before began anew at zero meanwhile, and so did a series that was not there before. Source: Prometheus,
  /// `rate()`.
  ///
  /// - Returns: nil where nothing is known: a gauge, the first reading, other buckets than before.
  static func between(_ before: ExpositionState?, _ now: ExpositionSeries, _ key: UInt64) -> ExpositionChange? {
    guard let before, let totals = ExpositionState.totals(now) else { return nil }
    let none = [Double](repeating: 0, count: totals.values.count)
    var last = none
    if let known = before.totals[key] {
      guard known.layout == totals.layout, known.values.count == totals.values.count else { return nil }
      last = known.values
    } else if !before.isWhole {
      return nil
    }
    // Of a histogram a bucket or the count; its sum may fall, where what it measures may be below zero.
    let watched = now.kind == .counter ? 0 : 1
    if zip(totals.values, last).dropFirst(watched).contains(where: { $0 < $1 }) { last = none }
    let grown = zip(totals.values, last).map { $0 - $1 }
    guard now.kind != .counter else { return ExpositionChange(count: grown[0]) }
    var change = ExpositionChange(count: grown[1], sum: grown[0])
    if !now.isCut {
      change.buckets = zip(now.buckets, grown.dropFirst(2)).map { .init(bound: $0.bound, count: $1) }
    }
    return change
  }
}

/// Quantiles of a histogram's buckets. Source: Prometheus, `histogram_quantile` (promql/quantile.go).
enum BucketQuantile {
  /// - Parameters:
  ///   - rank: 0…1.
  ///   - buckets: cumulative, in any order.
  /// - Returns: within its bucket by a straight line; the highest finite bound for what lies above it; NaN where there was nothing, or the
  ///   last bucket is not the infinite one.
  static func value(_ rank: Double, _ buckets: [ExpositionSeries.Bucket]) -> Double {
    var sorted = buckets.filter { !$0.bound.isNaN }.sorted { $0.bound < $1.bound }
    guard sorted.count >= 2, sorted[sorted.count - 1].bound == .infinity else { return .nan }
    for place in 1..<sorted.count where !(sorted[place].count >= sorted[place - 1].count) {
      sorted[place].count = sorted[place - 1].count
    }
    let total = sorted[sorted.count - 1].count
    guard total > 0, total.isFinite else { return .nan }
    let wanted = rank * total
    let place = sorted.firstIndex { $0.count >= wanted } ?? sorted.count - 1
    if place == sorted.count - 1 { return sorted[place - 1].bound }
    let upper = sorted[place].bound
    if place == 0, upper <= 0 { return upper }
    let lower = place == 0 ? 0 : sorted[place - 1].bound
    let below = place == 0 ? 0 : sorted[place - 1].count
    let within = sorted[place].count - below
    return within > 0 ? lower + (upper - lower) * (wanted - below) / within : upper
  }
}
