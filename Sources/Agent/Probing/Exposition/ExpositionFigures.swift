internal import FleetModel

/// Makes the figures of one reading: those of serving first, then every kept series.
///
/// Counters become rates per second since the reading before, histograms quantiles of what they measured since then, their mean and their
/// rate; summaries show their own quantiles. What did not happen since then has no figure: of no requests none was slow.
struct ExpositionFigures {
  static let quantiles: [(name: String, rank: Double)] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)]

  private(set) var figures: [CheckAnswer.Figure] = []
  /// Series that are kept, with or without a figure now.
  private(set) var kept = 0
  /// Figures beyond the limit.
  private(set) var leftOut = 0
  /// What serves, as far as it is known.
  private(set) var systems: [String] = []
  /// For the next reading.
  private(set) var state: ExpositionState

  private let series: [ExpositionSeries]
  private let changes: [ExpositionChange?]
  private let seconds: Double
  private let figuresMax: Int
  /// By comparable name.
  private var places: [String: [Int]] = [:]

  /// Longer ago, the reading before says little of now.
  static let ageNsMax: Int64 = 3_600_000_000_000

  init(
    _ exposition: Exposition, _ keep: [SeriesPattern], before: ExpositionState?, nowNs: Int64, figuresMax: Int
  ) {
    series = exposition.series
    self.figuresMax = figuresMax
    let last = before.flatMap { nowNs > $0.atNs && nowNs - $0.atNs <= Self.ageNsMax ? $0 : nil }
    seconds = last.map { Double(nowNs - $0.atNs) / 1e9 } ?? .nan
    state = ExpositionState(atNs: nowNs, isWhole: exposition.leftOut == 0)
    var changes: [ExpositionChange?] = []
    for (place, one) in series.enumerated() {
      let key = ExpositionState.key(one)
      changes.append(.between(last, one, key))
      state.note(one, key)
      places[Exposition.comparable(one.name), default: []].append(place)
    }
    self.changes = changes
    serve()
    for (place, one) in series.enumerated() where Self.isKept(one, keep) { show(one, changes[place]) }
  }

  static func isKept(_ series: ExpositionSeries, _ keep: [SeriesPattern]) -> Bool {
    keep.contains { $0.matchesName(series.name) && $0.matchesLabels(series.label) }
  }

  private mutating func add(_ name: String, _ value: Double, _ labels: String = "") {
    guard value.isFinite else { return }
    guard figures.count < figuresMax else { return leftOut += 1 }
    figures.append(CheckAnswer.Figure(name: name, labels: labels, value: value))
  }

  // MARK: Kept series

  private mutating func show(_ one: ExpositionSeries, _ change: ExpositionChange?) {
    kept += 1
    let labels = one.labelText
    switch one.kind {
    case .gauge: add(one.name, one.value, labels)
    case .counter: if let change { add(one.name + ".rate", change.count / seconds, labels) }
    case .histogram, .summary:
      if let change { add(one.name + ".rate", change.count / seconds, labels) }
      show(one.name, distribution([one], [change], scale: 1), labels)
    case .other: break
    }
  }

  private mutating func show(_ name: String, _ figures: [(String, Double)], _ labels: String = "") {
    for (figure, value) in figures { add("\(name).\(figure)", value, labels) }
  }

  /// - Returns: quantiles and mean; empty where nothing was measured since the reading before.
  private func distribution(
    _ series: [ExpositionSeries], _ changes: [ExpositionChange?], scale: Double
  ) -> [(String, Double)] {
    var found: [(String, Double)] = []
    let known = changes.compactMap { $0 }
    let count = known.reduce(0) { $0 + $1.count }
    if series.allSatisfy({ $0.kind == .summary }) {
      for (name, rank) in Self.quantiles {
        // Quantiles of several summaries cannot be joined: the highest is no better than that.
        let values = series.compactMap { one in one.quantiles.first { $0.bound == rank }?.count }
        if let value = values.filter(\.isFinite).max() { found.append((name, value * scale)) }
      }
    } else if count > 0, !series.contains(where: \.isCut) {
      var merged: [Double: Double] = [:]
      for bucket in known.flatMap(\.buckets) { merged[bucket.bound, default: 0] += bucket.count }
      let buckets = merged.map { ExpositionSeries.Bucket(bound: $0, count: $1) }
      found = Self.quantiles.map { ($0.name, BucketQuantile.value($0.rank, buckets) * scale) }
    }
    if count > 0 { found.append(("mean", known.reduce(0) { $0 + $1.sum } / count * scale)) }
    return found.filter(\.1.isFinite)
  }

  // MARK: Serving

  private mutating func serve() {
    var done: Set<String> = []
    var isGenerative = false
    for source in ServingSources.all {
      var isPresent = false
      for (name, figure) in source.figures where !done.contains(name) {
        if name == "request_seconds", isGenerative { continue }
        guard figure.terms.contains(where: { !found($0).isEmpty }), let values = values(figure) else { continue }
        done.insert(name)
        isPresent = true
        for (ending, value) in values { add("serving.\(name)\(ending)", value) }
      }
      if isPresent, !source.system.isEmpty { systems.append(source.system) }
      isGenerative = isGenerative || (isPresent && source.isGenerative)
    }
  }

  /// - Returns: with the endings of their names; nil where the metrics that all depends on are not there.
  private func values(_ figure: ServingSources.Figure) -> [(ending: String, value: Double)]? {
    switch figure {
    case .total(let term):
      return [("", found(term).reduce(0) { $0 + series[$1].value } * term.scale)]
    case .highest(let term):
      return [("", (found(term).map { series[$0].value }.filter { !$0.isNaN }.max() ?? .nan) * term.scale)]
    case .rate(let terms):
      return [("", grown(terms).map { $0 / seconds } ?? .nan)]
    case .distribution(let term):
      let places = found(term)
      return distribution(places.map { series[$0] }, places.map { changes[$0] }, scale: term.scale).map {
        (ending: ".\($0.0)", value: $0.1)
      }
    case .mean(let term, let others):
      guard !found(term).isEmpty else { return nil }
      return [(".mean", quotient(grown([term]), grown(others)))]
    case .share(let some, let others):
      guard others.contains(where: { !found($0).isEmpty }) else { return nil }
      // Counters of failures often begin with the first failure.
      let share = quotient(grown(some) ?? 0, grown(others))
      return [("", share > 1 ? 1 : share)]
    }
  }

  private func quotient(_ some: Double?, _ all: Double?) -> Double {
    guard let some, let all, all > 0 else { return .nan }
    return some / all
  }

  /// - Returns: nil where nothing is known of any of them.
  private func grown(_ terms: [ServingSources.Term]) -> Double? {
    var total: Double?
    for term in terms {
      for change in found(term).compactMap({ changes[$0] }) {
        total = (total ?? 0) + (term.isSum ? change.sum : change.count) * term.scale
      }
    }
    return total
  }

  /// Places of the series of the first of its names that is there.
  private func found(_ term: ServingSources.Term) -> [Int] {
    for name in term.names {
      guard let known = places[Exposition.comparable(name)] else { continue }
      return known.filter { place in
        term.labels.allSatisfy { label, pattern in
          series[place].label(label).map { StarPattern.matches($0, pattern) } ?? false
        }
      }
    }
    return []
  }
}
