internal import FleetModel

extension MetricCatalogue {
  /// One ended episode.
  static let episode: [RuleMetric] = episodeMetrics()

  /// Runs once. Not optimised: a hundred closures in one function keep the optimiser busy for many minutes.
  @_optimize(none)
  private static func episodeMetrics() -> [RuleMetric] {
    var list = MetricList()
    list.add(
      "episode.steps", .number, "Length.", MetricReader.episode({ Double($0.metrics.steps) }),
      write: MetricWriter.episode({ $0.finalSteps = Int64(number: $1) }))
    list.add(
      "episode.total_reward", .number, "Sum of the rewards.", MetricReader.episode({ $0.metrics.totalReward }),
      write: MetricWriter.episode({ $0.finalReward = $1 }))
    list.add(
      "episode.pnl", .number, "Last less first portfolio value.", MetricReader.episode({ $0.metrics.pnl }),
      write: MetricWriter.episode({
        $0.valueCount = 2; $0.valueFirst = 1000; $0.valueLast = 1000 + $1
      }))
    list.add(
      "episode.max_drawdown_ratio", .ratio, "Largest loss from a peak, 0…1.",
      MetricReader.episode({ $0.metrics.maxDrawdownRatio }),
      write: MetricWriter.episode({
        $0.valueCount = 2; $0.drawdownMaximumRatio = $1
      }))
    list.add(
      "episode.sharpe_ratio", .number, "Mean / deviation of the step returns, not annualised.",
      MetricReader.episode({ $0.metrics.sharpeRatio }),
      write: MetricWriter.episode({
        $0.returnCount = 1_000; $0.returnSum = 1_000 * $1; $0.returnSquareSum = (1_000 * $1 * $1) as Double + 1_000
      }))
    list.add(
      "episode.sortino_ratio", .number, "Mean / downside deviation of the step returns.",
      MetricReader.episode({ $0.metrics.sortinoRatio }), write: nil)
    list.add(
      "episode.calmar_ratio", .number, "Return / drawdown.", MetricReader.episode({ $0.metrics.calmarRatio }),
      write: nil)
    list.add(
      "episode.trades_closed", .number, "Closed trades.",
      MetricReader.episode({ $0.valueCount > 0 ? Double($0.metrics.tradesClosed) : .nan }),
      write: MetricWriter.episode({
        $0.valueCount = max($0.valueCount, 1); $0.tradesClosed = UInt64(number: $1); $0.headPosition = 0;
        $0.headEndValue = 0; $0.tailPosition = 0
      }))
    list.add(
      "episode.win_rate_ratio", .ratio, "Won / closed trades, 0…1.", MetricReader.episode({ $0.metrics.winRateRatio }),
      write: nil)
    list.add(
      "episode.reward_mean", .number, "Mean reward of a step.",
      MetricReader.episode({ $0.rewardCount > 0 ? $0.rewardSum / Double($0.rewardCount) : .nan }),
      write: MetricWriter.episode({
        $0.rewardCount = 100; $0.rewardSum = 100 * $1
      }))
    return list.all
  }
}
