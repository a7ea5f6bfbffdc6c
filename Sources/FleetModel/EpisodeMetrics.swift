/// What operators ask of an episode, each with its definition, because several are in use under the same names.
///
/// A trade is a longest run of steps with the same position other than zero. It closes at the first step with another
/// position (or at the episode's last step, once the episode has ended) and is won if the portfolio value there is higher
/// than at the trade's first step. NaN stands for "not defined": nothing to divide by, or the writer does not report it.
package struct EpisodeMetrics: Sendable, Equatable {
  /// The length that the writer reports; else the steps seen.
  package var steps: Int64
  /// The return that the writer reports; else the sum of the finite rewards. NaN where there is neither.
  package var totalReward: Double
  /// Last minus first portfolio value seen, in the writer's currency.
  package var pnl: Double
  package var tradesClosed: UInt64
  package var tradesWon: UInt64
  /// Won / closed trades, 0…1. NaN without a closed trade.
  package var winRateRatio: Double
  /// Largest (peak - later portfolio value) / peak, 0…1. NaN without a value.
  package var maxDrawdownRatio: Double
  /// Mean / standard deviation (ddof 0) of the step returns; risk-free rate 0, not annualised. 0 where the deviation is at
  /// most `deviationMinimum`; NaN without a return.
  package var sharpeRatio: Double
  /// Mean of the step returns / root mean square of the negative ones over all steps (target 0); not annualised. NaN
  /// where that is at most `deviationMinimum`.
  package var sortinoRatio: Double
  /// (last / first value - 1) / maximum drawdown; not annualised. NaN without a drawdown.
  package var calmarRatio: Double

  /// Below this a deviation is rounding, and a ratio over it noise.
  package static let deviationMinimum = 1e-8

  /// One sentence for each metric whose definition a reader could take for another, by its name in rows and JSON.
  package static let definitions: [(name: String, text: String)] = [
    ("steps", "length reported by the writer, else steps seen"),
    ("total_reward", "return reported by the writer, else sum of finite rewards"),
    ("pnl", "last - first portfolio value"),
    ("win_rate_ratio", "won / closed trades, 0..1; an open trade closes when the episode ends"),
    ("max_drawdown_ratio", "max (peak - later value) / peak, 0..1"),
    ("sharpe_ratio", "mean / std (ddof 0) of step returns, rf 0, not annualised; 0 if std <= 1e-8"),
    ("sortino_ratio", "mean of step returns / sqrt(mean of squared negative step returns), target 0, not annualised"),
    ("calmar_ratio", "(last / first value - 1) / max_drawdown_ratio, not annualised"),
  ]
}

extension EpisodeSummary {
  package var metrics: EpisodeMetrics {
    let trades = trades
    return EpisodeMetrics(
      steps: finalSteps > 0 ? finalSteps : Int64(clamping: steps),
      totalReward: !finalReward.isNaN ? finalReward : rewardCount > 0 ? rewardSum : .nan,
      pnl: valueLast - valueFirst,
      tradesClosed: trades.closed,
      tradesWon: trades.won,
      winRateRatio: trades.closed > 0 ? Double(trades.won) / Double(trades.closed) : .nan,
      maxDrawdownRatio: valueCount > 0 ? drawdownMaximumRatio : .nan,
      sharpeRatio: sharpeRatio,
      sortinoRatio: sortinoRatio,
      calmarRatio: calmarRatio)
  }

  /// Mean step return; NaN without one.
  package var returnMean: Double { returnCount > 0 ? returnSum / Double(returnCount) : .nan }

  /// Standard deviation (ddof 0) of the step returns; NaN without one.
  package var returnDeviation: Double {
    let mean = returnMean
    // Rounding may leave a tiny negative difference.
    return max(returnSquareSum / Double(returnCount) - mean * mean, 0).squareRoot()
  }

  private var sharpeRatio: Double {
    guard returnCount > 0 else { return .nan }
    let deviation = returnDeviation
    return deviation <= EpisodeMetrics.deviationMinimum ? 0 : returnMean / deviation
  }

  private var sortinoRatio: Double {
    guard returnCount > 0 else { return .nan }
    let downside = (returnDownsideSquareSum / Double(returnCount)).squareRoot()
    return downside <= EpisodeMetrics.deviationMinimum ? .nan : returnMean / downside
  }

  private var calmarRatio: Double {
    guard valueFirst > 0, drawdownMaximumRatio > 0 else { return .nan }
    return (valueLast / valueFirst - 1) / drawdownMaximumRatio
  }

  /// The range's trades, with its head taken for the episode's start and, once that is over, its tail for the end.
  private var trades: (closed: UInt64, won: UInt64) {
    guard valueCount > 0 else { return (0, 0) }
    var closed = tradesClosed
    var won = tradesWon
    func close(_ position: Double, from start: Double, at end: Double) {
      guard position != 0 else { return }
      closed &+= 1
      if end > start { won &+= 1 }
    }
    if !headEndValue.isNaN { close(headPosition, from: valueFirst, at: headEndValue) }
    if state != .running { close(tailPosition, from: tailStartValue, at: valueLast) }
    return (closed, won)
  }
}
