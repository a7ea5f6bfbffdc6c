internal import Answers
internal import FleetModel
internal import HTTPTypes
internal import Store

extension RouteTable {
  private static let compareParameters: [Route.Parameter] = [
    .init(
      "runs", .query, .text, "Up to \(Comparison.runsMax) numbers of runs with commas.", example: "12,15"),
    .init(
      "q", .query, .text,
      "Instead of numbers: the newest \(ParallelChart.runsMax) runs with this text in name, host or parameters, as parallel coordinates.",
      example: "learning_rate"),
    .init(
      "metric", .query, .text,
      "\((CompareQueries.episodeMetrics + CompareQueries.stepMetrics).joined(separator: ", ")), or a metric that the writer reports with its steps.",
      example: "total_reward"),
    .init(
      "align", .query, .choice(CurveAxis.allCases.map(\.rawValue).filter { $0 != CurveAxis.clock.rawValue }),
      "What the curves are laid along: the episode or step, 0 to 1 of each run, or seconds since its start.",
      example: "relative"),
    .init("from", .query, .number, "With to: only this part of what the curves are laid along.", example: "0.25"),
    .init("to", .query, .number, "With from.", example: "0.75"),
  ]

  static let compare: [Route] = [
    Route(
      method: .get, path: "/api/v1/compare", role: .viewer,
      summary:
        "Runs beside each other: figures, parameters that differ, metrics that were reported last, curves, and their mean and deviation.",
      parameters: compareParameters, shape: .one
    ) { question in
      if let text = question["q"] {
        let (found, _) = try await foundRuns(text, question)
        let answer = Answer(columns: [.init("q", "SEARCH")], rows: [[.text(text)]])
        return .one(answer.with("coordinates") { _ in ParallelChart(found).table(names: found) }, missing: "")
      }
      return .one(try await comparison(question).whole.answer, missing: "")
    },
    Route(
      method: .get, path: "/compare", role: .viewer, summary: "Runs beside each other.", parameters: compareParameters,
      allowsEmpty: true, shape: .page
    ) { question in
      if let text = question["q"] { return .page(try await foundPage(text, question)) }
      let (whole, reported) = try await comparison(question)
      return .page(
        Page(
          title: whole.runs.count == 1 ? "Run \(whole.runs[0])" : "\(whole.runs.count) runs compared",
          blocks: whole.blocks(
            metrics: CompareQueries.episodeMetrics + CompareQueries.stepMetrics
              + reported.filter {
                !CompareQueries.stepMetrics.contains($0)
              })))
    },
  ]

  private static func foundRuns(_ text: String, _ question: Question) async throws -> (runs: Answer, isCut: Bool) {
    if question["runs"] != nil { throw Problem(.badRequest, "give runs or q, not both") }
    let found = try await question.database.answer(
      TrainingQueries.runs(host: nil, state: nil, text: text, limit: ParallelChart.runsMax + 1), ShownColumns.runs)
    return (found.first(ParallelChart.runsMax), found.rows.count > ParallelChart.runsMax)
  }

  private static func foundPage(_ text: String, _ question: Question) async throws -> Page {
    let (found, isCut) = try await foundRuns(text, question)
    let chart = ParallelChart(found)
    var blocks: [Page.Block] = [
      .search(
        .init(
          path: "/compare", button: "Compare",
          inputs: [.init(name: "q", label: "Name, host or parameters", value: text)]
        ))
    ]
    if chart.isDrawn {
      blocks += Comparison.beside(chart, found)
    } else {
      blocks.append(
        .text(
          found.rows.count < 2
            ? "Fewer than two runs have that in their name, host or parameters."
            : "These \(found.rows.count) runs differ in nothing that they reported."))
    }
    if isCut { blocks.append(.text("These are the newest \(ParallelChart.runsMax); a longer text finds fewer.")) }
    let numbers = chart.runs.prefix(Comparison.runsMax).map(String.init).joined(separator: ",")
    if !numbers.isEmpty {
      blocks.append(.links([(name: "Curves of the newest of them", path: "/compare?runs=\(numbers)")]))
    }
    return Page(title: "Runs with “\(text)” compared", blocks: blocks)
  }

  private static func comparison(_ question: Question) async throws -> (whole: Comparison, reported: [String]) {
    guard let numbers = question["runs"] else {
      throw Problem(.badRequest, "runs is needed, such as runs=12,15, or q with a text to find runs by")
    }
    let runs = try Comparison.numbers(numbers)
    let metric = question["metric"] ?? CompareQueries.episodeMetrics[0]
    let axis = question["align"].flatMap(CurveAxis.init) ?? .step
    let range = try question.range()
    let parts = Comparison.questions(runs, metric: metric, axis: axis, range: range).map { ($0.query, $0.columns) }
    let answers = try await question.database.answers(parts + [(CompareQueries.reportedMetrics(runs), [])])
    let whole = Comparison(runs: runs, metric: metric, axis: axis, range: range, answers: answers)
    if let missing = whole.missing { throw Problem(.notFound, "no run has the number \(missing)") }
    return (whole, answers[parts.count].texts.filter { !$0.isEmpty })
  }
}
