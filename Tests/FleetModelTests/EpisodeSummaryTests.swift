import FleetModel
import TestSupport
import Testing

@Suite struct EpisodeSummaryTests {
  @Test("any split of an episode merges to the summary of the whole", arguments: 0..<300)
  func splits(seed: UInt64) {
    var random = SplitMix(seed: seed)
    let steps = Self.episode(of: Int.random(in: 1...40, using: &random), using: &random)
    let whole = Self.summary(steps)
    for border in 0...steps.count {
      let merged = Self.summary(steps[..<border]).merged(with: Self.summary(steps[border...]))
      expectSame(merged, whole, "seed \(seed) border \(border)")
    }
  }

  @Test("three ranges merge to the same in either order", arguments: 0..<300)
  func associative(seed: UInt64) {
    var random = SplitMix(seed: seed)
    let steps = Self.episode(of: Int.random(in: 0...30, using: &random), using: &random)
    let first = Int.random(in: 0...steps.count, using: &random)
    let second = Int.random(in: first...steps.count, using: &random)
    var a = Self.summary(steps[..<first])
    var b = Self.summary(steps[first..<second])
    let c = Self.summary(steps[second...])
    a.state = EpisodeState.allCases.randomElement(using: &random)!
    b.state = EpisodeState.allCases.randomElement(using: &random)!
    b.finalReward = Bool.random(using: &random) ? 3 : .nan
    expectSame(a.merged(with: b).merged(with: c), a.merged(with: b.merged(with: c)), "seed \(seed)")
  }

  @Test("many small ranges merge to what a plain computation over all steps gives", arguments: 0..<100)
  func metrics(seed: UInt64) {
    var random = SplitMix(seed: seed)
    let steps = Self.episode(of: Int.random(in: 2...200, using: &random), using: &random)
    var merged = EpisodeSummary()
    var start = 0
    while start < steps.count {
      let end = min(steps.count, start + Int.random(in: 1...7, using: &random))
      merged.merge(Self.summary(steps[start..<end]))
      start = end
    }
    merged.state = .completed
    let expected = PlainMetrics(steps)
    let metrics = merged.metrics
    #expect(metrics.steps == steps.count)
    #expect(metrics.tradesClosed == expected.closed && metrics.tradesWon == expected.won, "seed \(seed)")
    #expect(isNear(metrics.totalReward, expected.totalReward))
    #expect(isNear(metrics.pnl, expected.pnl))
    #expect(isNear(metrics.winRateRatio, expected.winRate))
    #expect(isNear(metrics.maxDrawdownRatio, expected.drawdown))
    #expect(isNear(metrics.sharpeRatio, expected.sharpe, tolerance: 1e-7))
    #expect(isNear(metrics.sortinoRatio, expected.sortino))
    #expect(isNear(metrics.calmarRatio, expected.calmar))
  }

  @Test("a trade over the border of three ranges is one trade, won by its outer values")
  func tradeAcrossRanges() {
    let rows: [(value: Double, position: Double)] = [(100, 0), (99, 1), (98, 1), (97, 1), (101, 0)]
    let steps = rows.enumerated().map { Self.step($0.offset, value: $0.element.value, position: $0.element.position) }
    let merged = Self.summary(steps[..<2]).merged(with: Self.summary(steps[2..<4]))
      .merged(with: Self.summary(steps[4...]))
    #expect(merged.metrics.tradesClosed == 1)
    #expect(merged.metrics.tradesWon == 1)
    #expect(isNear(merged.metrics.maxDrawdownRatio, 0.03))
  }

  @Test("an open trade closes when the episode ends")
  func openTrade() {
    let steps = [(100.0, 0.0), (101, 1), (103, 1)].enumerated().map {
      Self.step($0.offset, value: $0.element.0, position: $0.element.1)
    }
    var summary = Self.summary(steps)
    #expect(summary.metrics.tradesClosed == 0 && summary.metrics.winRateRatio.isNaN)
    var end = EpisodeSummary()
    end.state = .completed
    summary.merge(end)
    #expect(summary.metrics.winRateRatio == 1)
    #expect(summary.steps == 3)
  }

  @Test("nothing is defined over nothing")
  func empty() {
    let metrics = EpisodeSummary().metrics
    #expect(metrics.steps == 0 && metrics.tradesClosed == 0)
    for value in [
      metrics.totalReward, metrics.pnl, metrics.winRateRatio, metrics.maxDrawdownRatio, metrics.sharpeRatio,
      metrics.sortinoRatio, metrics.calmarRatio,
    ] { #expect(value.isNaN) }
  }

  @Test("a value that never moves has Sharpe 0, and neither Sortino nor Calmar")
  func constantValue() {
    let metrics = Self.summary((0..<5).map { Self.step($0, value: 10, position: 0) }).metrics
    #expect(metrics.sharpeRatio == 0)
    #expect(metrics.sortinoRatio.isNaN && metrics.calmarRatio.isNaN)
    #expect(metrics.maxDrawdownRatio == 0 && metrics.pnl == 0)
  }

  @Test("losing more than everything is a drawdown of 1, and NaN and infinity only count as steps")
  func oddValues() {
    let steps = [100.0, .nan, -50, .infinity, 20].enumerated().map {
      Self.step($0.offset, value: $0.element, position: 1)
    }
    let summary = Self.summary(steps)
    #expect(summary.steps == 5 && summary.valueCount == 3)
    #expect(summary.drawdownMaximumRatio == 1)
    #expect(summary.returnCount == 1)
    #expect(summary.metrics.pnl == -80)
  }

  @Test("the length and return that the writer reports go before what was seen")
  func reported() {
    var summary = Self.summary([Self.step(1, value: 1, position: 0)])
    summary.finalSteps = 15
    summary.finalReward = 12.5
    #expect(summary.metrics.steps == 15)
    #expect(summary.metrics.totalReward == 12.5)
  }
}

// MARK: Making and comparing episodes

extension EpisodeSummaryTests {
  static func step(_ number: Int, value: Double, position: Double) -> TrainingStep {
    var step = TrainingStep()
    step.run = "run"
    step.episode = 1
    step.step = Int64(number)
    step.timeNs = Int64(number + 1)
    step.reward = Double(number) / 4
    step.portfolioValue = value
    step.position = position
    return step
  }

  /// A random walk with now and then a missing value, a missing reward, a total loss.
  static func episode(of count: Int, using random: inout SplitMix) -> [TrainingStep] {
    var value = 10_000.0
    return (0..<count).map { number in
      value *= Double.random(in: 0.97...1.03, using: &random)
      var step = step(number, value: value, position: Double(Int.random(in: -1...1, using: &random)))
      step.reward = Double.random(in: -1...1, using: &random)
      switch Int.random(in: 0..<20, using: &random) {
      case 0: step.portfolioValue = .nan
      case 1: step.reward = .infinity
      case 2: step.position = .nan
      case 3: step.portfolioValue = -value
      default: break
      }
      return step
    }
  }

  static func summary(_ steps: some Sequence<TrainingStep>) -> EpisodeSummary {
    var summary = EpisodeSummary()
    for step in steps { summary.add(step) }
    return summary
  }
}

/// Both NaN, both equal, or within `tolerance` of each other.
func isNear(_ left: Double, _ right: Double, tolerance: Double = 1e-9) -> Bool {
  if left.isNaN || right.isNaN { return left.isNaN && right.isNaN }
  return left == right || abs(left - right) <= tolerance * max(abs(left), abs(right), 1e-3)
}

private func expectSame(_ left: EpisodeSummary, _ right: EpisodeSummary, _ comment: Comment) {
  let integers: [KeyPath<EpisodeSummary, UInt64>] = [
    \.steps, \.rewardCount, \.valueCount, \.returnCount, \.tradesClosed, \.tradesWon,
  ]
  for path in integers { #expect(left[keyPath: path] == right[keyPath: path], comment) }
  let signed: [KeyPath<EpisodeSummary, Int64>] = [
    \.timeNs, \.startedNs, \.firstStep, \.lastStep, \.finalSteps, \.episode,
  ]
  for path in signed { #expect(left[keyPath: path] == right[keyPath: path], comment) }
  let doubles: [KeyPath<EpisodeSummary, Double>] = [
    \.rewardSum, \.rewardMinimum, \.rewardMaximum, \.rewardSquareSum, \.valueFirst, \.valueLast, \.valuePeak,
    \.valueTrough, \.drawdownMaximumRatio, \.returnSum, \.returnSquareSum, \.returnDownsideSquareSum, \.headPosition,
    \.headEndValue, \.tailPosition, \.tailStartValue, \.finalReward,
  ]
  for path in doubles { #expect(isNear(left[keyPath: path], right[keyPath: path]), comment) }
  #expect(left.state == right.state && left.run == right.run, comment)
}

/// The same figures from all steps at once, written down as their definitions read.
private struct PlainMetrics {
  var totalReward = Double.nan
  var pnl = Double.nan
  var closed: UInt64 = 0
  var won: UInt64 = 0
  var winRate: Double { closed == 0 ? .nan : Double(won) / Double(closed) }
  var drawdown = Double.nan
  var sharpe = Double.nan
  var sortino = Double.nan
  var calmar = Double.nan

  init(_ steps: [TrainingStep]) {
    let rewards = steps.map(\.reward).filter(\.isFinite)
    if !rewards.isEmpty { totalReward = rewards.reduce(0, +) }
    let points = steps.filter(\.portfolioValue.isFinite)
    let values = points.map(\.portfolioValue)
    guard let first = values.first, let last = values.last else { return }
    pnl = last - first
    drawdown = 0
    for (index, value) in values.enumerated() {
      let peak = values[...index].max()!
      if peak > 0 { drawdown = max(drawdown, min(1, (peak - value) / peak)) }
    }
    countTrades(values, points.map { $0.position.isFinite ? $0.position : 0 })
    let returns = zip(values, values.dropFirst()).filter { $0.0 > 0 }.map { $0.1 / $0.0 - 1 }
    guard !returns.isEmpty else { return }
    let mean = returns.reduce(0, +) / Double(returns.count)
    let deviation = (returns.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(returns.count)).squareRoot()
    sharpe = deviation <= 1e-8 ? 0 : mean / deviation
    let downside = (returns.map { min($0, 0) * min($0, 0) }.reduce(0, +) / Double(returns.count)).squareRoot()
    if downside > 1e-8 { sortino = mean / downside }
    if first > 0, drawdown > 0 { calmar = (last / first - 1) / drawdown }
  }

  private mutating func countTrades(_ values: [Double], _ positions: [Double]) {
    var start = 0
    while start < positions.count {
      var end = start
      while end < positions.count, positions[end] == positions[start] { end += 1 }
      if positions[start] != 0 {
        closed += 1
        if values[min(end, values.count - 1)] > values[start] { won += 1 }
      }
      start = end
    }
  }
}
