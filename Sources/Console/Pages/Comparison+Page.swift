internal import Answers
internal import FleetModel
internal import HTTPTypes
internal import Store

/// What the page of a comparison says.
extension Comparison {
  /// Rows of the table beside the parallel coordinates: a page has a bound of elements.
  static let rowsBeside = 50

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
        CurvePoint(x: $0.point.x, average: $0.point.average, minimum: $0.point.average, maximum: $0.point.average)
      }
      return Chart.Line(name: "run \(run)", points: points, style: place % Chart.stylesMax)
    }
    var charts = [Chart(metric, lines, axisName: axisName, from: range?.from, to: range?.to)]
    let mean = mean
    if runs.count > 1, !mean.isEmpty {
      charts.append(
        Chart(
          "\(metric), mean of the runs and a standard deviation to each side", [.init(points: mean)],
          axisName: axisName, from: charts[0].from, to: charts[0].to))
    }
    return charts.map { chart in
      var chart = chart
      chart.takesRange = true
      return chart
    }
  }

  /// As it stands in an address; empty where there is none.
  private func end(_ value: Double?) -> String {
    value.map { Int64(exactly: $0).map { String($0) } ?? String($0) } ?? ""
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
        .init(name: "from", label: "From", value: end(range?.from)),
        .init(name: "to", label: "To", value: end(range?.to)),
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
      .heading("Reported last"),
      .table(name: "final_metrics", finalMetrics, empty: "No writer reports metrics of its own with its steps."),
    ]
  }
}
