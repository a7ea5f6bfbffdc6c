internal import FleetModel

extension MetricCatalogue {
  /// One logged step of a run.
  static let training: [RuleMetric] = trainingMetrics()

  /// Runs once. Not optimised: a hundred closures in one function keep the optimiser busy for many minutes.
  @_optimize(none)
  private static func trainingMetrics() -> [RuleMetric] {
    var list = MetricList()
    list.add(
      "training.episode", .number, "Number of the episode; -1 where the writer does not count.",
      MetricReader.training({ Double($0.episode) }), write: MetricWriter.training({ $0.episode = Int64(number: $1) }))
    list.add(
      "training.reward", .number, "Reward of the step.", MetricReader.training({ $0.reward }),
      write: MetricWriter.training({ $0.reward = $1 }))
    list.add(
      "training.action", .number, "Action taken.", MetricReader.training({ $0.action }),
      write: MetricWriter.training({ $0.action = $1 }))
    list.add(
      "training.balance", .number, "Cash.", MetricReader.training({ $0.balance }),
      write: MetricWriter.training({ $0.balance = $1 }))
    list.add(
      "training.shares_held", .number, "Shares.", MetricReader.training({ $0.sharesHeld }),
      write: MetricWriter.training({ $0.sharesHeld = $1 }))
    list.add(
      "training.price", .number, "Price of a share.", MetricReader.training({ $0.price }),
      write: MetricWriter.training({ $0.price = $1 }))
    list.add(
      "training.portfolio_value", .number, "Cash and shares together.", MetricReader.training({ $0.portfolioValue }),
      write: MetricWriter.training({ $0.portfolioValue = $1 }))
    list.add(
      "training.position", .number, "Position as the writer counts it.", MetricReader.training({ $0.position }),
      write: MetricWriter.training({ $0.position = $1 }))
    list.add(
      "training.position_ratio", .ratio, "|shares × price| / portfolio value.",
      MetricReader.training({ abs($0.sharesHeld * $0.price) / $0.portfolioValue }),
      write: MetricWriter.training({
        $0.sharesHeld = $1; $0.price = 1; $0.portfolioValue = 1
      }))
    list.add(
      "training.balance_error_ratio", .ratio, "|balance + shares × price - portfolio value| / portfolio value.",
      MetricReader.training({ abs($0.balance + $0.sharesHeld * $0.price - $0.portfolioValue) / abs($0.portfolioValue) }
      ),
      write: MetricWriter.training({
        $0.sharesHeld = 0; $0.price = 1; $0.portfolioValue = 1; $0.balance = 1 + $1
      }))
    return list.all
  }
}
