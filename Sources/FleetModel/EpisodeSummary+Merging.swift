extension EpisodeSummary {
  /// The summary of this range followed by `next`.
  ///
  /// Why exact: every figure is a count, a sum, a first or last, an extreme, or follows from the two ranges' border, so
  /// `(a + b) + c` and `a + (b + c)` differ at most in the last bits of the sums. A summary without steps is neutral
  /// but for its state and final figures.
  /// - Parameter next: the range right after this one, of the same run and episode.
  package func merged(with next: EpisodeSummary) -> EpisodeSummary {
    var whole = self
    whole.merge(next)
    return whole
  }

  /// Appends the range right after this one.
  package mutating func merge(_ next: EpisodeSummary) {
    mergeSteps(next)
    mergeRewards(next)
    if next.valueCount > 0 {
      if valueCount == 0 { takeValues(of: next) } else { mergeValues(next) }
    }
    if next.finalSteps != 0 { finalSteps = next.finalSteps }
    if !next.finalReward.isNaN { finalReward = next.finalReward }
  }

  /// Appends one step of the same episode; the same as merging `EpisodeSummary(step:)`, without making one.
  package mutating func add(_ step: TrainingStep) {
    if run.isEmpty {
      run = step.run
      episode = step.episode
    }
    if steps == 0 { firstStep = step.step }
    state = .running
    lastStep = step.step
    steps &+= 1
    timeNs = max(timeNs, step.timeNs)
    startedNs = Self.earlier(startedNs, step.timeNs)
    if step.reward.isFinite { addReward(step.reward) }
    if step.portfolioValue.isFinite {
      addValue(step.portfolioValue, position: step.position.isFinite ? step.position : 0)
    }
  }

  private mutating func mergeSteps(_ next: EpisodeSummary) {
    if run.isEmpty {
      run = next.run
      episode = next.episode
    }
    timeNs = max(timeNs, next.timeNs)
    startedNs = Self.earlier(startedNs, next.startedNs)
    // Steps after an end open the episode again: the reported end may have been wrong.
    if next.state != .running || next.steps > 0 { state = next.state }
    guard next.steps > 0 else { return }
    if steps == 0 { firstStep = next.firstStep }
    lastStep = next.lastStep
    steps &+= next.steps
  }

  private mutating func mergeRewards(_ next: EpisodeSummary) {
    guard next.rewardCount > 0 else { return }
    rewardMinimum = rewardCount == 0 ? next.rewardMinimum : min(rewardMinimum, next.rewardMinimum)
    rewardMaximum = rewardCount == 0 ? next.rewardMaximum : max(rewardMaximum, next.rewardMaximum)
    rewardCount &+= next.rewardCount
    rewardSum += next.rewardSum
    rewardSquareSum += next.rewardSquareSum
  }

  private mutating func addReward(_ reward: Double) {
    rewardMinimum = rewardCount == 0 ? reward : min(rewardMinimum, reward)
    rewardMaximum = rewardCount == 0 ? reward : max(rewardMaximum, reward)
    rewardCount &+= 1
    rewardSum += reward
    rewardSquareSum += reward * reward
  }

  /// 0 stands for unknown.
  private static func earlier(_ left: Int64, _ right: Int64) -> Int64 {
    left == 0 ? right : right == 0 ? left : min(left, right)
  }
}

// MARK: Portfolio value

extension EpisodeSummary {
  private mutating func takeValues(of next: EpisodeSummary) {
    valueCount = next.valueCount
    valueFirst = next.valueFirst
    valueLast = next.valueLast
    valuePeak = next.valuePeak
    valueTrough = next.valueTrough
    drawdownMaximumRatio = next.drawdownMaximumRatio
    returnCount = next.returnCount
    returnSum = next.returnSum
    returnSquareSum = next.returnSquareSum
    returnDownsideSquareSum = next.returnDownsideSquareSum
    tradesClosed = next.tradesClosed
    tradesWon = next.tradesWon
    headPosition = next.headPosition
    headEndValue = next.headEndValue
    tailPosition = next.tailPosition
    tailStartValue = next.tailStartValue
  }

  private mutating func mergeValues(_ next: EpisodeSummary) {
    addReturn(from: valueLast, to: next.valueFirst)
    returnCount &+= next.returnCount
    returnSum += next.returnSum
    returnSquareSum += next.returnSquareSum
    returnDownsideSquareSum += next.returnDownsideSquareSum

    // The deepest fall across the border is from this range's peak to the next one's trough.
    let across = Self.drawdown(from: valuePeak, to: next.valueTrough)
    drawdownMaximumRatio = max(drawdownMaximumRatio, next.drawdownMaximumRatio, across)
    mergeTrades(next)
    valueCount &+= next.valueCount
    valueLast = next.valueLast
    valuePeak = max(valuePeak, next.valuePeak)
    valueTrough = min(valueTrough, next.valueTrough)
  }

  private mutating func addValue(_ value: Double, position: Double) {
    if valueCount == 0 {
      valueFirst = value
      valuePeak = value
      valueTrough = value
      headPosition = position
      tailPosition = position
      tailStartValue = value
    } else {
      addReturn(from: valueLast, to: value)
      drawdownMaximumRatio = max(drawdownMaximumRatio, Self.drawdown(from: valuePeak, to: value))
      if position != tailPosition {
        closeTail(at: value)
        tailPosition = position
        tailStartValue = value
      }
      valuePeak = max(valuePeak, value)
      valueTrough = min(valueTrough, value)
    }
    valueCount &+= 1
    valueLast = value
  }

  private mutating func addReturn(from previous: Double, to value: Double) {
    guard previous > 0 else { return }
    let step = value / previous - 1
    guard step.isFinite else { return }
    returnCount &+= 1
    returnSum += step
    returnSquareSum += step * step
    if step < 0 { returnDownsideSquareSum += step * step }
  }

  /// 0…1. Bounded, because past a total loss the ratio would depend on which peak it is taken from.
  private static func drawdown(from peak: Double, to value: Double) -> Double {
    guard peak > 0, value < peak else { return 0 }
    return min((peak - value) / peak, 1)
  }
}

// MARK: Trades

extension EpisodeSummary {
  /// The whole range is one run of the same position.
  private var isSingleRun: Bool { headEndValue.isNaN }

  private mutating func mergeTrades(_ next: EpisodeSummary) {
    tradesClosed &+= next.tradesClosed
    tradesWon &+= next.tradesWon
    if tailPosition == next.headPosition {
      // One run crosses the border.
      if next.isSingleRun { return }
      closeTail(at: next.headEndValue)
      tailPosition = next.tailPosition
      tailStartValue = next.tailStartValue
    } else {
      closeTail(at: next.valueFirst)
      tailPosition = next.headPosition
      tailStartValue = next.valueFirst
      if next.isSingleRun { return }
      closeTail(at: next.headEndValue)
      tailPosition = next.tailPosition
      tailStartValue = next.tailStartValue
    }
  }

  /// The tail's run ends because a step with another position, worth `value`, follows.
  private mutating func closeTail(at value: Double) {
    if isSingleRun {
      headEndValue = value
    } else if tailPosition != 0 {
      tradesClosed &+= 1
      if value > tailStartValue { tradesWon &+= 1 }
    }
  }
}
