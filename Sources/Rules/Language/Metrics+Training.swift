internal import FleetModel

extension MetricCatalogue {
  /// One logged step of a run.
  static let training: [RuleMetric] = {
    var all: [RuleMetric] = []
    func add(
      _ name: String, _ unit: MetricUnit, _ doc: String, _ reader: MetricReader, write writer: MetricWriter?
    ) { all.append(RuleMetric(name, unit, doc, reader, write: writer)) }
    add(
      "training.reward", .number, "Reward of the step.", MetricReader.training({ $0.reward }),
      write: MetricWriter.training({ $0.reward = $1 }))
    add(
      "training.action", .number, "Action taken.", MetricReader.training({ $0.action }),
      write: MetricWriter.training({ $0.action = $1 }))
    add(
      "training.balance", .number, "Cash.", MetricReader.training({ $0.balance }),
      write: MetricWriter.training({ $0.balance = $1 }))
    add(
      "training.shares_held", .number, "Shares.", MetricReader.training({ $0.sharesHeld }),
      write: MetricWriter.training({ $0.sharesHeld = $1 }))
    add(
      "training.price", .number, "Price of a share.", MetricReader.training({ $0.price }),
      write: MetricWriter.training({ $0.price = $1 }))
    add(
      "training.portfolio_value", .number, "Cash and shares together.", MetricReader.training({ $0.portfolioValue }),
      write: MetricWriter.training({ $0.portfolioValue = $1 }))
    add(
      "training.position", .number, "Position as the writer counts it.", MetricReader.training({ $0.position }),
      write: MetricWriter.training({ $0.position = $1 }))
    add(
      "training.position_ratio", .ratio, "|shares × price| / portfolio value.",
      MetricReader.training({ abs($0.sharesHeld * $0.price) / $0.portfolioValue }),
      write: MetricWriter.training({
        $0.sharesHeld = $1; $0.price = 1; $0.portfolioValue = 1
      }))
    add(
      "training.balance_error_ratio", .ratio, "|balance + shares × price - portfolio value| / portfolio value.",
      MetricReader.training({ abs($0.balance + $0.sharesHeld * $0.price - $0.portfolioValue) / abs($0.portfolioValue) }
      ),
      write: MetricWriter.training({
        $0.sharesHeld = 0; $0.price = 1; $0.portfolioValue = 1; $0.balance = 1 + $1
      }))
    return all
  }()
}
