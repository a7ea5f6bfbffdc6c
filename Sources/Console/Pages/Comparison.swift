internal import Answers
internal import FleetModel
internal import HTTPTypes
internal import Store

/// Several runs beside each other: what they were given, what they reached, and their course over one axis.
struct Comparison {
  static let runsMax = 20
  static let points: Int64 = 200
  /// Rows of the table beside the parallel coordinates: a page has a bound of elements.
  static let rowsBeside = 50

  let runs: [Int64]
  let metric: String
  let axis: CurveAxis
  /// Rows of `CompareQueries.summaries`.
  let summaries: Answer
  /// Rows of `CompareQueries.curves`.
  let curves: Answer

  /// "12,15": numbers of runs, each once.
  /// - Throws: `Problem` 400.
  static func numbers(_ text: String) throws -> [Int64] {
    let numbers = text.split(separator: ",", omittingEmptySubsequences: false).map { part -> Int64? in
      Int64(part.filter { $0 != " " }).flatMap { (1...Int64(Int32.max)).contains($0) ? $0 : nil }
    }
    let known = numbers.compactMap { $0 }
    guard known.count == numbers.count, (1...runsMax).contains(known.count), Set(known).count == known.count else {
      throw Problem(.badRequest, "runs takes 1 to \(runsMax) different numbers of runs with commas, such as 12,15")
    }
    return known
  }

  // MARK: Parameters

  private var parameters: [(number: Int64, parameters: RunParameters)] {
    guard let detail = summaries.columns.firstIndex(where: { $0.name == "detail" }) else { return [] }
    return summaries.rows.compactMap { row in
      guard case .integer(let number) = row[0], case .text(let text) = row[detail] else { return nil }
      return (number, RunParameters(detail: text))
    }
  }

  func parameters(onlyDifferent: Bool) -> Answer { RunParameters.table(parameters, onlyDifferent: onlyDifferent) }

  // MARK: Curves

  private func points(_ run: Int64) -> [(bucket: Int64, point: Chart.Point)] {
    let rows = curves.rows.filter { $0[0] == .integer(run) }
    return rows.compactMap { row in
      guard case .integer(let bucket) = row[1], let x = Chart.number(row[2]), let average = Chart.number(row[3]) else {
        return nil
      }
      return (
        bucket,
        .init(
          x: x, average: average, minimum: Chart.number(row[4]) ?? average, maximum: Chart.number(row[5]) ?? average)
      )
    }
  }

  /// Mean of the runs' means in each bucket that two of them have, and a standard deviation (ddof 0) to each side.
  var mean: [Chart.Point] {
    var buckets: [Int64: [Chart.Point]] = [:]
    for run in runs { for (bucket, point) in points(run) { buckets[bucket, default: []].append(point) } }
    return buckets.sorted { $0.key < $1.key }.compactMap { _, points in
      guard points.count > 1 else { return nil }
      let count = Double(points.count)
      let mean = points.map(\.average).reduce(0, +) / count
      let deviation = (points.map { ($0.average - mean) * ($0.average - mean) }.reduce(0, +) / count).squareRoot()
      return .init(
        x: points.map(\.x).reduce(0, +) / count, average: mean, minimum: mean - deviation, maximum: mean + deviation)
    }
  }

  private var axisName: String {
    switch axis {
    case .step: CompareQueries.episodeMetrics.contains(metric) ? "episode" : "step"
    case .relative: "share of the run,"
    case .time: "seconds since its start,"
    case .clock: ""
    }
  }

  private var charts: [Chart] {
    let lines = runs.enumerated().map { place, run in
      // The band of each would hide the others: it stands on the run's own page.
      let points = points(run).map {
        Chart.Point(x: $0.point.x, average: $0.point.average, minimum: $0.point.average, maximum: $0.point.average)
      }
      return Chart.Line(name: "run \(run)", points: points, style: place % Chart.stylesMax)
    }
    var charts = [Chart(metric, lines, axisName: axisName)]
    let mean = mean
    if runs.count > 1, !mean.isEmpty {
      charts.append(
        Chart(
          "\(metric), mean of the runs and a standard deviation to each side", [.init(points: mean)],
          axisName: axisName, from: charts[0].from, to: charts[0].to))
    }
    return charts
  }

  // MARK: Forms

  static let summaryColumns: [Answer.Column] = [
    .init("id", "RUN"), .init("host", "HOST"), .init("run", "NAME"), .init("state", "STATE"),
    .init("framework", "FRAMEWORK"), .init("episodes", "EPISODES"), .init("episodes_completed", "COMPLETED"),
    .init("steps", "STEPS"), .init("reward_mean", "REWARD MEAN", .ratio), .init("reward_best", "BEST", .ratio),
    .init("pnl_mean", "PNL MEAN", .money), .init("sharpe_mean", "SHARPE", .ratio),
    .init("max_drawdown_ratio_mean", "DRAWDOWN", .ratio), .init("win_rate_ratio_mean", "WIN RATE", .ratio),
    .init("started", "STARTED", .age), .init("updated", "UPDATED", .age),
  ]

  /// What scripts get: one row that holds all.
  var answer: Answer {
    Answer(
      columns: [.init("metric", "METRIC"), .init("align", "ALIGN")], rows: [[.text(metric), .text(axis.rawValue)]]
    )
    .with("runs") { _ in summaries.without(["detail"]) }
    .with("parameters") { _ in parameters(onlyDifferent: true) }
    .with("coordinates") { _ in ParallelChart(summaries).table(names: summaries) }
    .with("curves") { _ in curves }
    .with("mean") { _ in
      Answer(
        columns: [.init("x"), .init("average"), .init("minimum"), .init("maximum")],
        rows: mean.map { [.real($0.x), .real($0.average), .real($0.minimum), .real($0.maximum)] })
    }
  }

  /// The drawing and the same as a table, by which it is read with keys.
  static func beside(_ chart: ParallelChart, _ names: Answer) -> [Page.Block] {
    let table = chart.table(names: names)
    var blocks: [Page.Block] = [
      .heading("Parameters and figures"), .parallel(chart),
      .table(
        name: "coordinates", table.first(rowsBeside),
        links: [.init(column: "id", path: "/runs/"), .init(column: "host", path: "/hosts/")], empty: ""),
    ]
    if table.rows.count > rowsBeside {
      blocks.append(.text("The first \(rowsBeside) of \(table.rows.count); the drawing has all of them."))
    }
    if !chart.leftOut.isEmpty {
      let names = chart.leftOut.prefix(20).joined(separator: ", ") + (chart.leftOut.count > 20 ? ", …" : "")
      blocks.append(.text("\(chart.leftOut.count) more parameters differ and have no axis: \(names)."))
    }
    return blocks
  }

  /// - Parameter metrics: that may be chosen.
  func blocks(metrics: [String]) -> [Page.Block] {
    let choices = metrics.contains(metric) ? metrics : metrics + [metric]
    let form = Page.Search(
      path: "/compare", button: "Compare",
      inputs: [
        .init(name: "runs", label: "Runs", value: runs.map(String.init).joined(separator: ",")),
        .init(name: "metric", label: "Metric", value: metric, choices: choices),
        .init(
          name: "align", label: "Aligned by", value: axis.rawValue,
          choices: CurveAxis.allCases.map(\.rawValue).filter { $0 != "clock" }),
      ])
    let parallel = ParallelChart(summaries)
    var blocks: [Page.Block] = [.search(form), .stack(charts)]
    if parallel.isDrawn { blocks += Self.beside(parallel, summaries) }
    return blocks + [
      .heading("Figures"),
      .text("Means and best are of the episodes that have ended."),
      .table(
        name: "runs", summaries.without(["detail"]),
        links: [.init(column: "id", path: "/runs/"), .init(column: "host", path: "/hosts/")], empty: ""),
      .heading("Parameters that differ"),
      .table(
        name: "parameters", parameters(onlyDifferent: true),
        empty: runs.count > 1 ? "None does, of those that the runs reported." : "There is one run only."),
    ]
  }
}
