internal import Answers
internal import ArgumentParser
internal import Files
internal import FleetModel
internal import Store

extension FleetSource {
  /// Runs beside each other, in one row, as the console's `/api/v1/compare` has it.
  /// - Throws: `.nothingFound` for a number that no run has.
  func comparison(_ runs: [Int64], metric: String, axis: CurveAxis) throws -> Answer {
    switch way {
    case .database(let reader):
      let whole = Comparison(
        runs: runs, metric: metric, axis: axis,
        answers: try Comparison.questions(runs, metric: metric, axis: axis).map {
          try reader.answer($0.query, $0.columns)
        })
      if let missing = whole.missing { throw CommandFailure(.nothingFound, "no run has the number \(missing)") }
      return whole.answer
    case .console(let client):
      let call = ConsoleCall.get(
        "/api/v1/compare",
        [("runs", runs.map(String.init).joined(separator: ",")), ("metric", metric), ("align", axis.rawValue)])
      return try ask(client, call, []).answer
    }
  }
}

struct CompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Runs beside each other: figures, parameters that differ, metrics that were reported last.",
    discussion: """
      Means and best are of the episodes that have ended. With --format json the curves of --metric as well, in at most \(Comparison.pointsMax)
      points a run, and their mean and deviation.
      """)
  @Argument(help: "Runs: ids or names.") var names: [String]
  @Option(
    help:
      "Of the curves: total_reward, pnl, sharpe_ratio, reward, portfolio_value and others, or one that the writer reports."
  )
  var metric = CompareQueries.episodeMetrics[0]
  @Option(help: "What the curves are laid along: step, relative or time.") var align = CurveAxis.step.rawValue
  @OptionGroup var host: HostFilter
  @OptionGroup var database: DatabaseOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var completeness: CompletenessOptions

  private static let axes = CurveAxis.allCases.filter { $0 != .clock }.map(\.rawValue)

  func validate() throws {
    if !(1...Comparison.runsMax).contains(names.count) {
      throw ValidationError("compare takes 1 to \(Comparison.runsMax) runs, not \(names.count).")
    }
    if !Self.axes.contains(align) {
      throw ValidationError("--align takes \(Self.axes.joined(separator: ", ")), not '\(align)'.")
    }
  }

  func run() throws {
    let source = try database.source(output)
    try source.requireHosts([host.pattern])
    let runs = try names.map { try source.runNumber($0, host: host.pattern) }
    if let twice = runs.indices.first(where: { runs[..<$0].contains(runs[$0]) }) {
      throw CommandFailure(.usage, "'\(names[twice])' is run \(runs[twice]), which is named before: give each run once")
    }
    let answer = try source.comparison(runs, metric: metric, axis: CurveAxis(rawValue: align) ?? .step)
    let summaries = Answer(listOfAny: answer.value("runs"), Self.shown)
    try completeness.check(source, summaries.hosts) { try print(answer, summaries) }
  }

  /// As the console's page has them, with ranks for a narrow terminal; times are texts within a JSON document.
  private static let shown: [Answer.Column] = Comparison.summaryColumns.enumerated().map { place, column in
    var column = column
    column.rank = place
    return column
  }

  private func print(_ answer: Answer, _ summaries: Answer) throws {
    guard output.format == .table else { return try output.print(answer) }
    try output.print(Self.upright(summaries))
    for (title, name, empty) in [
      ("PARAMETERS THAT DIFFER", "parameters", names.count > 1 ? "none" : "there is one run only"),
      ("REPORTED LAST", "final_metrics", "no writer reports metrics of its own with its steps"),
    ] {
      try StandardStream.output.write("\n\(title)\n")
      let part = Answer(listOfAny: answer.value(name), [])
      guard part.rows.isEmpty else {
        try output.print(part)
        continue
      }
      let lines = output.width.map { TableLayout.wrapped(empty, to: $0) } ?? [empty]
      try StandardStream.output.write(lines.map { $0 + "\n" }.joined())
    }
  }

  /// One line a figure, one column a run: a row of sixteen figures fits no terminal.
  static func upright(_ summaries: Answer) -> Answer {
    let places = summaries.columns.indices.filter { summaries.columns[$0].name != "id" }
    return Answer(
      columns: [.init("figure", "FIGURE", rank: 0)]
        + summaries.ids.enumerated().map { .init("run_\($1)", "RUN \($1)", .ratio, rank: $0 + 1, least: 12) },
      rows: places.map { place in
        [.text(summaries.columns[place].name)] + summaries.rows.map { $0[place] }
      })
  }
}
