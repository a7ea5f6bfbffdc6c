internal import Answers
internal import FleetModel
internal import Store

/// One run: what it learns, what its host does meanwhile, what went wrong and what is missing, all over its own time.
struct RunView {
  struct Span: Sendable, Equatable {
    let fromNs: Int64
    let toNs: Int64
  }

  let number: Int64
  let run: Answer
  let span: Span
  /// The span is that of the run, and not a part of it.
  let isWhole: Bool
  /// Rows of `CompareQueries.curves` by `learned`, in its order, along the episodes.
  let curves: [Answer]
  /// The first of them along the time.
  let rewards: Answer
  /// Rows of `SeriesQueries` by `HostMetric.all`, in its order.
  let series: [Answer]
  let hosts: Answer
  let incidents: Answer
  /// Rows of `SeriesQueries.gaps`.
  let silences: Answer
  let gaps: Answer
  let logs: Answer
  let episodes: Answer
  let episodesMax: Int

  static let learned = ["total_reward", "pnl", "max_drawdown_ratio", "sharpe_ratio"]
  /// Means of so many neighbouring points are the smoothed line.
  private static let smoothing = 9

  var blocks: [Page.Block] {
    let detail: String = if case .text(let text)? = run.value("detail") { text } else { "" }
    var blocks: [Page.Block] = [
      .table(name: "run", run.without(["detail"]), links: [RouteTable.toHost], empty: ""), .links(links),
      .heading("Learning"), .stack(learning), .heading("In its time"),
      .text(
        "One axis for all: the run's time. A dashed line is an incident, a grey band time in which the host reported nothing."
      ),
    ]
    blocks += part
    blocks += [
      .stack(meanwhile), .table(name: "silences", silences, empty: "There is no gap between its host's reports."),
      .heading("Hosts"),
      .table(
        name: "hosts", hosts,
        links: [.init(column: "host", path: "/hosts/"), .init(column: "id", path: "/runs/")], empty: ""),
      .heading("Incidents in its time"),
      .table(name: "incidents", incidents, links: [RouteTable.toIncident], empty: "Nothing was wrong on its host."),
      .heading("Warnings and errors in its time, folded"),
      LogsView.table(of: logs, name: "logs", Address(LogsView.path, [("run", String(number)), ("level", "warn")])),
      .heading("What never arrived"),
      .table(name: "gaps", gaps, empty: "Nothing is known to be missing."), .heading("Parameters"),
      .table(
        name: "parameters",
        RunParameters.table([(number, RunParameters(detail: detail))], onlyDifferent: false),
        empty: "It reported none."), .heading("Episodes"),
      .table(
        name: "episodes", episodes.without(["host", "run"]),
        links: [.init(column: "episode", path: "/runs/\(number)/episodes/")], empty: "No episode has been read yet."),
    ]
    if episodes.rows.count == episodesMax {
      blocks.append(.text("The newest \(episodesMax); signalbox episodes list shows all."))
    }
    return blocks
  }

  private var links: [(name: String, path: String)] {
    [
      (name: "Its log lines", path: "/logs?run=\(number)"),
      (name: "Log templates", path: "/logs?run=\(number)&view=templates"),
      (name: "Its curves, and with other runs", path: "/compare?runs=\(number)"),
    ]
  }

  // MARK: Drawings

  /// Where a part of its time is shown: which, and the way back.
  private var part: [Page.Block] {
    guard !isWhole else { return [] }
    return [
      .text("Shown is \(Timestamp.text(span.fromNs, digits: 0)) to \(Timestamp.text(span.toNs, digits: 0))."),
      .links([(name: "The whole run", path: "/runs/\(number)")]),
    ]
  }

  private var marks: [Chart.Mark] {
    guard let opened = incidents.columns.firstIndex(where: { $0.name == "opened" }) else { return [] }
    return incidents.rows.compactMap { row in row[opened].double.map { .init(x: $0, y: nil, kind: .here) } }
  }

  private var learning: [Chart] {
    zip(Self.learned, curves).compactMap { metric, answer in
      let points = Chart.points(answer, x: "x")
      guard !points.isEmpty else { return nil }
      var lines = [Chart.Line(name: "episodes", points: points)]
      if points.count > Self.smoothing {
        lines.append(.init(name: "mean of \(Self.smoothing)", points: Self.smoothed(points), style: 1))
      }
      return Chart(metric, lines, axisName: "episode")
    }
  }

  private var meanwhile: [Chart] {
    let (from, to) = (Double(span.fromNs), Double(span.toNs))
    let points = Chart.points(rewards, x: "x")
    let reward =
      points.isEmpty ? [] : [Chart(Self.learned[0], [.init(points: points)], axis: .time, from: from, to: to)]
    let host = zip(HostMetric.all, series).map { metric, answer in
      Chart(metric, answer, sinceNs: span.fromNs, untilNs: span.toNs)
    }
    return (reward + host.filter { !$0.points.isEmpty }).map { chart in
      var chart = chart
      chart.bands = Chart.gaps(silences)
      chart.marks = marks
      return chart
    }
  }

  /// Each point with its neighbours to both sides, fewer at the ends.
  static func smoothed(_ points: [CurvePoint]) -> [CurvePoint] {
    points.indices.map { index in
      let near = points[max(0, index - smoothing / 2)...min(points.count - 1, index + smoothing / 2)]
      let mean = near.map(\.average).reduce(0, +) / Double(near.count)
      return .init(x: points[index].x, average: mean, minimum: mean, maximum: mean)
    }
  }

  static let hostColumns: [Answer.Column] = [
    .init("id", "RUN"), .init("host", "HOST"), .init("state", "STATE"), .init("episodes", "EPISODES"),
    .init("steps", "STEPS"), .init("gpu_utilization_percent", "GPU IN USE", .percent),
    .init("cpu_busy_percent", "CPU", .percent), .init("started", "STARTED", .age), .init("updated", "UPDATED", .age),
  ]

  static let gapColumns: [Answer.Column] = [
    .init("time", "TIME"), .init("file", "FILE"), .init("from", "FROM"), .init("to", "TO"), .init("reason", "WHY"),
    .init("is_estimate", "ESTIMATE"),
  ]
}
