internal import FleetModel

/// Which column of a `training_log.csv` holds what.
struct TrainingLogColumns {
  enum Role {
    case episode, step, reward, action, balance, sharesHeld, price, portfolioValue, position
    /// Not one of the known ones; its number goes along under the column's name.
    case metric
  }

  private(set) var roles: [Role]
  private(set) var names: [String]

  /// The order that is taken where a file has no header.
  static let standard = TrainingLogColumns(names: [
    "episode", "step", "action", "reward", "balance", "shares_held", "current_price", "portfolio_value",
    "current_position",
  ])

  init(names: [String]) {
    self.names = names
    roles = []
    var seen: Set<String> = []
    for name in names {
      // The second of two columns with the same name would overwrite the first.
      roles.append(seen.insert(name).inserted ? Self.role(name) : .metric)
    }
  }

  /// - Returns: nil where the line is no header of this format.
  init?(_ bytes: Span<UInt8>, _ line: Range<Int>) {
    var row = DelimitedRow()
    guard row.split(bytes, line) else { return nil }
    let names = row.names(bytes)
    guard names.contains("episode"), names.contains("step") else { return nil }
    self.init(names: names)
  }

  private static func role(_ name: String) -> Role {
    switch name {
    case "episode": .episode
    case "step": .step
    case "reward": .reward
    case "action": .action
    case "balance": .balance
    case "shares_held": .sharesHeld
    case "current_price": .price
    case "portfolio_value": .portfolioValue
    case "current_position": .position
    default: .metric
    }
  }

  /// Fills `step` from a row.
  ///
  /// - Returns: false where the row has not the header's number of fields, one of the known fields holds something else
  ///   than a number, or episode and step are not whole numbers.
  func read(_ bytes: Span<UInt8>, _ fields: [Range<Int>], into step: inout TrainingStep) -> Bool {
    guard fields.count == roles.count else { return false }
    var figures = RowFigures()
    for index in roles.indices {
      let field = fields[index]
      switch roles[index] {
      case .episode:
        guard let value = DecimalNumber.parseInteger(bytes, field) else { return false }
        // Evaluation and warm-up are written with −1 and less: steps of no episode.
        step.episode = max(TrainingStep.noEpisode, value)
      case .step:
        guard let value = DecimalNumber.parseInteger(bytes, field) else { return false }
        step.step = value
      case .metric: if let value = DecimalNumber.parse(bytes, field) { figures.add(names[index], value) }
      case .reward: if !Self.read(bytes, field, into: &step.reward) { return false }
      case .action: if !Self.read(bytes, field, into: &step.action) { return false }
      case .balance: if !Self.read(bytes, field, into: &step.balance) { return false }
      case .sharesHeld: if !Self.read(bytes, field, into: &step.sharesHeld) { return false }
      case .price: if !Self.read(bytes, field, into: &step.price) { return false }
      case .portfolioValue: if !Self.read(bytes, field, into: &step.portfolioValue) { return false }
      case .position: if !Self.read(bytes, field, into: &step.position) { return false }
      }
    }
    step.metrics = figures.complete
    return true
  }

  /// An empty field means that there is no figure.
  private static func read(_ bytes: Span<UInt8>, _ field: Range<Int>, into value: inout Double) -> Bool {
    if field.isEmpty { return true }
    guard let number = DecimalNumber.parse(bytes, field) else { return false }
    value = number
    return true
  }
}

extension Metric {
  init(_ name: String, _ value: Double) {
    self.init()
    self.name = name
    self.value = value
  }
}

extension TrainingStep {
  /// About how many bytes it takes in a batch: what a budget is held against.
  var encodedBytes: Int { metrics.reduce(96 + run.utf8.count) { $0 + $1.name.utf8.count + 15 } }
}
