internal import Answers
internal import FleetModel
internal import HTTPTypes
internal import Store

extension RouteTable {
  private static let compareParameters: [Route.Parameter] = [
    .init(
      "runs", .query, .text, "Up to \(Comparison.runsMax) numbers of runs with commas.", example: "12,15",
      isRequired: true),
    .init(
      "metric", .query, .text,
      "\((CompareQueries.episodeMetrics + CompareQueries.stepMetrics).joined(separator: ", ")), or a metric that the writer reports with its steps.",
      example: "total_reward"),
    .init(
      "align", .query, .choice(CurveAxis.allCases.map(\.rawValue).filter { $0 != CurveAxis.clock.rawValue }),
      "What the curves are laid along: the episode or step, 0 to 1 of each run, or seconds since its start.",
      example: "relative"),
  ]

  static let compare: [Route] = [
    Route(
      method: .get, path: "/api/v1/compare", role: .viewer,
      summary:
        "Runs beside each other: figures, parameters that differ, metrics that were reported last, curves, and their mean and deviation.",
      parameters: compareParameters, shape: .one
    ) { question in .one(try await comparison(question).whole.answer, missing: "") },
    Route(
      method: .get, path: "/compare", role: .viewer, summary: "Runs beside each other.", parameters: compareParameters,
      allowsEmpty: true, shape: .page
    ) { question in
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

  private static func comparison(_ question: Question) async throws -> (whole: Comparison, reported: [String]) {
    let runs = try Comparison.numbers(question["runs"] ?? "")
    let metric = question["metric"] ?? CompareQueries.episodeMetrics[0]
    let axis = question["align"].flatMap(CurveAxis.init) ?? .step
    let answers = try await question.database.answers([
      (CompareQueries.summaries(runs), Comparison.summaryColumns),
      (CompareQueries.curves(runs, metric: metric, along: axis, points: Comparison.points), []),
      (CompareQueries.reportedMetrics(runs), []), (CompareQueries.finals(runs), []),
    ])
    let whole = Comparison(
      runs: runs, metric: metric, axis: axis, summaries: answers[0], curves: answers[1], finals: answers[3])
    if let missing = whole.missing { throw Problem(.notFound, "no run has the number \(missing)") }
    return (whole, answers[2].texts.filter { !$0.isEmpty })
  }
}
