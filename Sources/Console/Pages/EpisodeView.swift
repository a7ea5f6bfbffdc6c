internal import Answers
internal import FleetModel
internal import Store

/// One episode: its figures with their definitions, its course on one axis, its decisions, and its steps one by one; another episode of
/// the run may be drawn over it.
struct EpisodeView {
  struct Episode {
    let number: Int64
    /// One row of `TrainingQueries.episode`; none: there is no such episode.
    let figures: Answer
    /// Rows of `EpisodeQueries.steps`.
    let steps: Answer
  }

  let run: Int64
  /// The one that is shown, and the one over it.
  let episodes: [Episode]
  /// By the name of a figure.
  let definitions: [String: String]
  let actions: Answer
  let operations: Answer
  let row: Answer
  let neighbours: Answer
  /// The step that was asked for.
  let step: Int64?
  /// The steps that the charts are of; nil: all.
  let range: ClosedRange<Int64>?

  private var shown: Episode { episodes[0] }
  private var address: Address {
    Address(
      "/runs/\(run)/episodes/\(shown.number)",
      [
        ("with", episodes.count > 1 ? String(episodes[1].number) : nil), ("step", step.map(String.init)),
        ("from", range.map { String($0.lowerBound) }), ("to", range.map { String($0.upperBound) }),
      ])
  }

  var blocks: [Page.Block] {
    var blocks: [Page.Block] = []
    if case .text(let status)? = shown.figures.value("status") { blocks += state(status) }
    blocks += [.links(links), .table(name: "figures", figures, empty: "")]
    if shown.steps.rows.isEmpty {
      blocks.append(
        .text(range == nil ? "No step of it was reported: there is nothing to draw." : "It has no step in this range."))
      return range == nil ? blocks : blocks + ranging
    }
    blocks += [.heading("Course"), .stack(charts)] + ranging + [over]
    blocks += [.heading("Step by step")] + slider
    blocks += [.heading("Actions")] + decisions
    return blocks
  }

  // MARK: Figures

  private func state(_ status: String) -> [Page.Block] {
    switch status {
    case "force_closed":
      [.notice("Closed by force: the writer never reported its end. Its figures are of what was seen of it.")]
    case "running": [.text("It goes on: its figures are those of now.")]
    default:
      shown.figures.value("steps") == .integer(0)
        ? [.notice("Hollow: it was reported as completed, without a step.")] : [.text("Completed.")]
    }
  }

  private static let figureNames = [
    "status", "steps", "total_reward", "pnl", "win_rate_ratio", "trades_closed", "trades_won", "max_drawdown_ratio",
    "sharpe_ratio", "sortino_ratio", "calmar_ratio", "reward_minimum", "reward_maximum", "value_first", "value_last",
    "value_peak", "value_trough", "first_step", "last_step", "started", "updated",
  ]

  private var figures: Answer {
    var columns: [Answer.Column] = [.init("figure", "FIGURE"), .init("value", "EPISODE \(shown.number)", .ratio)]
    if episodes.count > 1 { columns.append(.init("with", "EPISODE \(episodes[1].number)", .ratio)) }
    columns.append(.init("definition", "DEFINITION"))
    return Answer(
      columns: columns,
      rows: Self.figureNames.map { name in
        [.text(name)] + episodes.map { $0.figures.value(name) ?? .null } + [definitions[name].map(Cell.text) ?? .null]
      })
  }

  private var links: [(name: String, path: String)] {
    var links = [(name: "The run and its episodes", path: "/runs/\(run)")]
    for (column, word) in [("previous", "Previous"), ("next", "Next")] {
      guard case .integer(let number)? = neighbours.value(column) else { continue }
      links.append((name: "\(word): episode \(number)", path: "/runs/\(run)/episodes/\(number)"))
    }
    return links
  }

  private var over: Page.Block {
    .search(
      .init(
        path: address.path, button: "Draw over it",
        inputs: [
          .init(
            name: "with", label: "Another episode of the run",
            value: episodes.count > 1 ? String(episodes[1].number) : "")
        ] + kept(["from", "to"])))
  }

  /// Without a script the range is typed that a pointer drags.
  private var ranging: [Page.Block] {
    let form = Page.Search(
      path: address.path, button: "Show these steps",
      inputs: [
        .init(name: "from", label: "From step", value: range.map { String($0.lowerBound) } ?? ""),
        .init(name: "to", label: "To step", value: range.map { String($0.upperBound) } ?? ""),
      ] + kept(["with", "step"]))
    let whole = (name: "The whole episode", path: address.with("from", nil).with("to", nil).text)
    return [.search(form)] + (range == nil ? [] : [.links([whole])])
  }

  /// What a form does not ask for and keeps.
  private func kept(_ names: [String]) -> [Page.Search.Input] {
    address.values.filter { names.contains($0.name) }.map {
      .init(name: $0.name, label: "", value: $0.value, isHidden: true)
    }
  }

  // MARK: Course

  private static let courses: [(title: String, column: String, isStepped: Bool)] = [
    ("Price", "price", false), ("Position", "position", true), ("Portfolio", "portfolio_value", false),
    ("Drawdown", "drawdown_ratio", false), ("Reward per step", "reward", false),
    ("Reward so far", "reward_sum", false),
  ]

  /// All have the axis of the longer episode; what was not reported is not drawn.
  var charts: [Chart] {
    let steps = episodes.flatMap { Chart.points($0.steps, x: "step", average: "steps").map(\.x) }
    let last = episodes.flatMap { Chart.points($0.steps, x: "last_step", average: "steps").map(\.x) }
    return Self.courses.compactMap { title, column, isStepped in
      let lines = episodes.enumerated().map { place, episode in
        Chart.Line(
          name: episodes.count > 1 ? "episode \(episode.number)" : "",
          points: Chart.points(
            episode.steps, x: "step", average: column, minimum: "\(column)_minimum", maximum: "\(column)_maximum"),
          style: place, isStepped: isStepped)
      }
      guard lines.contains(where: { !$0.points.isEmpty }) else { return nil }
      var chart = Chart(
        title, lines, axisName: "step", from: steps.min(), to: last.max(), bottom: column == "drawdown_ratio" ? 0 : nil)
      if column == "price" { chart = withOperations(chart) }
      chart.takesRange = true
      if let step = step, isShown(step), row.value("step") != nil {
        chart.marks.append(.init(x: Double(step), y: nil, kind: .here))
      }
      return chart
    }
  }

  private func isShown(_ step: Int64) -> Bool { range?.contains(step) ?? true }

  private func withOperations(_ chart: Chart) -> Chart {
    let marks = operations.rows.compactMap { row -> Chart.Mark? in
      guard case .integer(let number) = row[0], isShown(number), let step = row[0].double, let price = row[1].double,
        let position = row[3].double
      else {
        return nil
      }
      return .init(x: step, y: price, kind: position > row[2].double ?? 0 ? .up : .down)
    }
    let (up, down) = (marks.count { $0.kind == .up }, marks.count { $0.kind == .down })
    guard up + down > 0 else { return chart }
    var whole = Chart(
      chart.title, chart.lines,
      sentence: chart.sentence + "; position raised \(up) times (ticks above), lowered \(down) times (below)",
      axisName: chart.axisName, from: chart.from, to: chart.to, bottom: chart.bottom)
    whole.marks = marks
    return whole
  }

  // MARK: Steps

  static let rowColumns: [Answer.Column] = [
    .init("step", "STEP"), .init("time", "TIME"), .init("action", "ACTION"), .init("reward", "REWARD", .ratio),
    .init("price", "PRICE"), .init("position", "POSITION"), .init("shares_held", "SHARES"),
    .init("balance", "BALANCE", .money), .init("portfolio_value", "PORTFOLIO", .money), .init("metrics", "MORE"),
  ]

  private var slider: [Page.Block] {
    var links: [(name: String, path: String)] = []
    for (column, word) in [("previous", "◀ Step"), ("next", "▶ Step")] {
      guard case .integer(let number)? = row.value(column) else { continue }
      links.append((name: "\(word) \(number)", path: address.with("step", String(number)).text))
    }
    let at: String = if case .integer(let number)? = row.value("step") { String(number) } else { "" }
    return [
      .search(
        .init(
          path: address.path, button: "Go",
          inputs: [.init(name: "step", label: "Step", value: at)] + kept(["with", "from", "to"]))),
      .links(links), .table(name: "step", row.without(["previous", "next"]), empty: "It has no such step."),
    ]
  }

  // MARK: Decisions

  static let stepColumns: [Answer.Column] = [
    .init("step", "STEP"), .init("last_step", "TO"), .init("steps", "STEPS"), .init("reward", "REWARD", .ratio),
    .init("price", "PRICE"), .init("portfolio_value", "PORTFOLIO", .money), .init("position", "POSITION"),
    .init("drawdown_ratio", "DRAWDOWN", .ratio), .init("reward_sum", "REWARD SO FAR", .ratio),
  ]

  static let actionColumns: [Answer.Column] = [
    .init("price_move", "PRICE"), .init("position", "POSITION"), .init("previous_action", "BEFORE"),
    .init("action", "ACTION"), .init("steps", "STEPS"), .init("reward_mean", "REWARD", .ratio),
  ]

  private var decisions: [Page.Block] {
    guard !actions.rows.isEmpty else { return [.text("No action was reported.")] }
    var (transitions, patterns) = (CountMatrix(), CountMatrix())
    var taken: [String: (steps: Int64, reward: Double)] = [:]
    for row in actions.rows {
      guard case .text(let action) = row[3], case .integer(let steps) = row[4] else { continue }
      let sum = taken[action] ?? (0, 0)
      taken[action] = (sum.steps + steps, sum.reward + (row[5].double ?? 0) * Double(steps))
      if case .text(let before) = row[2] { transitions.add(steps, row: before, column: action) }
      if case .text(let move) = row[0], case .text(let held) = row[1] {
        patterns.add(steps, row: "\(move), \(held)", column: action)
      }
    }
    let whole = taken.values.reduce(0) { $0 + $1.steps }
    let distribution = Answer(
      columns: [
        .init("action", "ACTION"), .init("steps", "STEPS"), .init("percent", "SHARE", .percent),
        .init("reward_mean", "REWARD", .ratio),
      ],
      rows: taken.sorted { (Double($0.key) ?? .infinity, $0.key) < (Double($1.key) ?? .infinity, $1.key) }.map {
        [
          .text($0.key), .integer($0.value.steps), .real(Double($0.value.steps) / Double(max(1, whole)) * 100),
          .real($0.value.reward / Double(max(1, $0.value.steps))),
        ]
      })
    var blocks: [Page.Block] = [.table(name: "actions", distribution, empty: "")]
    if !transitions.isEmpty {
      blocks += [
        .heading("Transitions"),
        .text("How often an action followed another, and its share of what followed that one."),
        .table(name: "transitions", transitions.answer("AFTER ACTION"), empty: ""),
      ]
    }
    if !patterns.isEmpty {
      blocks += [
        .heading("Decisions"), .text("Which action was taken after which move of the price, with which position held."),
        .table(name: "decisions", patterns.answer("PRICE AND POSITION"), empty: ""),
      ]
    }
    return blocks
  }
}
