internal import Answers
internal import ArgumentParser
internal import Files
internal import FleetModel
internal import Store

extension RunsCommand {
  struct Analyze: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "analyze",
      abstract: "What a run's steps, episodes and lines add up to.",
      discussion: """
        Operations other than HOLD and their trend, transitions between actions, episodes with a negative reward, large changes of what is
        held, errors of its hosts by the hour, slow statements. At its end stands what was not looked at.
        """)
    @Argument(help: "The run: its id or its name.") var name: String
    @OptionGroup var host: HostFilter
    @Option(help: "A change of what is held is large beyond it, in the account's currency.")
    var largeChange = AnalysisQueries.largeChange
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var completeness: CompletenessOptions

    func validate() throws {
      if !(largeChange > 0 && largeChange <= 1e100) {
        throw ValidationError("--large-change takes an amount above 0, not \(largeChange).")
      }
    }

    func run() throws {
      let source = try database.source(output)
      try source.requireHosts([host.pattern])
      let run = try source.run(name, host: host.pattern)
      try completeness.check(source, run.hosts) {
        guard let number = run.ids.first else { return try output.print(run, orSay: RunName.nothing(name)) }
        try print(source.answer(.analysis(number, largeChange: largeChange)))
      }
    }

    private func print(_ answer: Answer) throws {
      guard output.format == .table, !answer.rows.isEmpty else {
        return try output.print(answer, orSay: RunName.nothing(name))
      }
      try output.print(RunAnalysis.figures(answer))
      for part in RunAnalysis.parts(answer) where !part.answer.rows.isEmpty {
        try StandardStream.output.write("\n\(part.title)\n")
        try output.printWhole(part.answer)
      }
      let notExamined = Answer.texts(list: answer.value("not_examined"))
      guard !notExamined.isEmpty else { return }
      try StandardStream.output.write("\nNOT LOOKED AT\n")
      for sentence in notExamined.map(Escaping.visible) {
        let lines = output.width.map { TableLayout.wrapped("- " + sentence, to: $0) } ?? ["- " + sentence]
        try StandardStream.output.write(lines.map { $0 + "\n" }.joined())
      }
    }
  }
}

/// The tables of an analysis, which has the lists within one row.
enum RunAnalysis {
  /// What each figure means; in the order in which they are shown.
  static let definitions: [(name: String, text: String)] = [
    ("id", "the run's number"), ("host", "where it reports from"), ("run", "its name"),
    ("state", "as runs list has it"),
    ("episodes", "stored"), ("episodes_examined", "of these, whose steps were read"),
    ("steps_examined", "steps that were read"),
    ("operations_mean", "steps that changed the position, for each episode that was read"),
    ("reward_mean", "of the ended episodes with a reward"),
    ("sharpe_mean", "of the ended episodes with a Sharpe ratio"),
    ("sharpe_episodes", "how many have one"), ("episodes_negative", "episodes with a reward below 0"),
    ("large_changes", "steps that changed the value held by more than the threshold"),
    ("large_change_threshold", "in the account's currency; --large-change sets it"),
  ]

  /// One line a figure, with its meaning.
  static func figures(_ answer: Answer) -> Answer {
    Answer(
      columns: [
        .init("figure", "FIGURE", rank: 0), .init("value", "VALUE", .ratio, rank: 1),
        .init("meaning", "WHAT", rank: 2, least: 16),
      ],
      rows: definitions.map { [.text($0.name), answer.value($0.name) ?? .null, .text($0.text)] })
  }

  static func parts(_ answer: Answer) -> [(title: String, answer: Answer)] {
    let steps = Answer.Column("steps", "STEPS", rank: 1)
    let shown: [(title: String, name: String, columns: [Answer.Column])] = [
      ("OPERATIONS", "operations", [.init("operation", "OPERATION", rank: 0), steps]),
      (
        "TREND OVER THE EPISODES", "trend",
        [
          .init("part", "TENTH", rank: 0), .init("episodes", "EPISODES", rank: 3),
          .init("from_episode", "FROM", rank: 4),
          .init("to_episode", "TO", rank: 5), .init("operations_mean", "OPERATIONS", .ratio, rank: 1),
          .init("reward_mean", "REWARD", .ratio, rank: 2), .init("episodes_negative", "NEGATIVE", rank: 6),
        ]
      ),
      (
        "TRANSITIONS BETWEEN ACTIONS", "transitions",
        [.init("previous_action", "FROM", rank: 0), .init("action", "TO", rank: 1), steps]
      ),
      (
        "EPISODES WITH A NEGATIVE REWARD", "negative_episodes",
        [.init("episode", "EPISODE", rank: 0), .init("reward", "REWARD", .ratio, rank: 1)]
      ),
      (
        "LARGE CHANGES OF WHAT IS HELD", "large",
        [
          .init("episode", "EPISODE", rank: 0), .init("step", "STEP", rank: 1),
          .init("value", "VALUE", .money, rank: 2),
          .init("before", "UNITS BEFORE", rank: 3), .init("after", "AFTER", rank: 4),
        ]
      ),
      (
        "ERRORS BY HOST AND HOUR", "errors",
        [.init("hour", "HOUR", rank: 0), .init("host", "HOST", rank: 1), .init("lines", "LINES", rank: 2)]
      ),
      (
        "SLOW STATEMENTS", "slow_statements",
        [
          .init("calls", "CALLS", rank: 1), .init("mean_ms", "MEAN MS", rank: 2), .init("max_ms", "MAX MS", rank: 3),
          .init("newest", "NEWEST", rank: 4), .init("statement", "STATEMENT", rank: 0, least: 40),
        ]
      ),
    ]
    return shown.map { ($0.title, Answer(list: answer.value($0.name), $0.columns)) }
  }
}
