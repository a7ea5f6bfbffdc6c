internal import FleetModel
package import Store

/// A point of a curve.
package struct CurvePoint: Sendable, Equatable {
  /// On the axis: ns since 1970, or a step.
  package let x: Double
  package let average: Double
  /// Within its bucket; both the average where only that is known.
  package let minimum: Double
  package let maximum: Double

  package init(x: Double, average: Double, minimum: Double, maximum: Double) {
    (self.x, self.average, self.minimum, self.maximum) = (x, average, minimum, maximum)
  }
}

extension Cell {
  /// A time as ns since 1970; nil for what is no number, or not finite.
  package var double: Double? {
    switch self {
    case .time(let ns): Double(ns)
    case .integer(let number): Double(number)
    case .real(let number): number.isFinite ? number : nil
    default: nil
    }
  }
}

/// Several runs beside each other: what they were given, what they reached, and their course over one axis.
package struct Comparison {
  package static let runsMax = 20
  /// Of one curve, which is drawn about 600 pixels wide.
  package static let pointsMax: Int64 = 200

  /// Points of each curve: those of many runs share what one drawing shows, and an answer stays below 100 kB on the wire.
  package static func points(ofRuns count: Int) -> Int64 { min(pointsMax, max(100, 1_600 / Int64(max(1, count)))) }

  /// What it is made of.
  package static func questions(
    _ runs: [Int64], metric: String, axis: CurveAxis, range: CurveRange? = nil
  ) -> [(query: ReadQuery, columns: [Answer.Column])] {
    [
      (CompareQueries.summaries(runs), summaryColumns),
      (CompareQueries.curves(runs, metric: metric, along: axis, points: points(ofRuns: runs.count), within: range), []),
      (CompareQueries.finals(runs), []),
    ]
  }

  package let runs: [Int64]
  package let metric: String
  package let axis: CurveAxis
  /// The part of the axis that the curves are of; nil: all of it.
  package let range: CurveRange?
  /// Rows of `CompareQueries.summaries`.
  package let summaries: Answer
  /// Rows of `CompareQueries.curves`.
  package let curves: Answer
  /// Rows of `CompareQueries.finals`.
  package let finals: Answer

  /// - Parameter answers: of `questions`, in its order.
  package init(runs: [Int64], metric: String, axis: CurveAxis, range: CurveRange? = nil, answers: [Answer]) {
    (self.runs, self.metric, self.axis, self.range) = (runs, metric, axis, range)
    (summaries, curves, finals) = (answers[0], answers[1], answers[2])
  }

  /// The number of a run that is not there.
  package var missing: Int64? {
    let found = summaries.rows.compactMap { row in if case .integer(let number) = row[0] { number } else { nil } }
    return runs.first { !found.contains($0) }
  }

  // MARK: Parameters

  private var parameters: [(number: Int64, parameters: RunParameters)] {
    guard let detail = summaries.columns.firstIndex(where: { $0.name == "detail" }) else { return [] }
    return summaries.rows.compactMap { row in
      guard case .integer(let number) = row[0], case .text(let text) = row[detail] else { return nil }
      return (number, RunParameters(detail: text))
    }
  }

  package func parameters(onlyDifferent: Bool) -> Answer {
    RunParameters.table(parameters, onlyDifferent: onlyDifferent)
  }

  /// One row a metric, one column a run: what its writer reported last; null where it did not.
  package var finalMetrics: Answer {
    var values: [String: [Int64: Cell]] = [:]
    for row in finals.rows {
      if case .integer(let run) = row[0], case .text(let metric) = row[1] { values[metric, default: [:]][run] = row[2] }
    }
    return Answer(
      columns: [.init("metric", "METRIC", rank: 0)] + runs.map { .init("run_\($0)", "RUN \($0)", .ratio) },
      rows: values.sorted { $0.key < $1.key }.map { metric, cells in
        [.text(metric)] + runs.map { cells[$0] ?? .null }
      })
  }

  // MARK: Curves

  package func points(_ run: Int64) -> [(bucket: Int64, point: CurvePoint)] {
    let rows = curves.rows.filter { $0[0] == .integer(run) }
    return rows.compactMap { row in
      guard case .integer(let bucket) = row[1], let x = row[2].double, let average = row[3].double else {
        return nil
      }
      return (
        bucket,
        .init(
          x: x, average: average, minimum: row[4].double ?? average, maximum: row[5].double ?? average)
      )
    }
  }

  /// Mean of the runs' means in each bucket that two of them have, and a standard deviation (ddof 0) to each side.
  package var mean: [CurvePoint] {
    var buckets: [Int64: [CurvePoint]] = [:]
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

  // MARK: Forms

  package static let summaryColumns: [Answer.Column] = [
    .init("id", "RUN"), .init("host", "HOST"), .init("run", "NAME"), .init("state", "STATE"),
    .init("framework", "FRAMEWORK"), .init("episodes", "EPISODES"), .init("episodes_completed", "COMPLETED"),
    .init("steps", "STEPS"), .init("reward_mean", "REWARD MEAN", .ratio), .init("reward_best", "BEST", .ratio),
    .init("pnl_mean", "PNL MEAN", .money), .init("sharpe_mean", "SHARPE", .ratio),
    .init("max_drawdown_ratio_mean", "DRAWDOWN", .ratio), .init("win_rate_ratio_mean", "WIN RATE", .ratio),
    .init("started", "STARTED", .age), .init("updated", "UPDATED", .age),
  ]

  /// What scripts get: one row that holds all.
  package var answer: Answer {
    Answer(
      columns: [.init("metric", "METRIC"), .init("align", "ALIGN"), .init("from", "FROM"), .init("to", "TO")],
      rows: [
        [
          .text(metric), .text(axis.rawValue), range.map { .real($0.from) } ?? .null,
          range.map { .real($0.to) } ?? .null,
        ]
      ]
    )
    .with("runs") { _ in summaries.without(["detail"]) }
    .with("parameters") { _ in parameters(onlyDifferent: true) }
    .with("final_metrics") { _ in finalMetrics }
    .with("curves") { _ in curves.shortened }
    .with("mean") { _ in
      Answer(
        columns: [.init("x"), .init("average"), .init("minimum"), .init("maximum")],
        rows: mean.map { [.real($0.x), .real($0.average), .real($0.minimum), .real($0.maximum)] }
      ).shortened
    }
  }
}

extension Answer {
  /// Numbers with as many digits as a drawing shows.
  fileprivate var shortened: Answer {
    var answer = self
    answer.rows = rows.map { row in
      row.map { cell in if case .real(let value) = cell { .real(value.rounded(digits: 6)) } else { cell } }
    }
    return answer
  }
}

extension Double {
  /// The nearest number of so many significant decimal digits; itself where it is not finite, or beyond what steps of ten reach exactly.
  package func rounded(digits: Int) -> Double {
    // Powers of ten up to this one are exact, so that the result is the double nearest to the short decimal.
    let most = 22
    guard isFinite, self != 0 else { return self }
    var (edge, place) = (1.0, 0)
    if magnitude >= 1 {
      while place < most, magnitude >= edge * 10 { (edge, place) = (edge * 10, place + 1) }
      guard magnitude < edge * 10 else { return self }
    } else {
      while -place < most, magnitude < edge { (edge, place) = (edge / 10, place - 1) }
      guard magnitude >= edge else { return self }
    }
    let shift = digits - 1 - place
    guard abs(shift) <= most else { return self }
    let power = (0..<abs(shift)).reduce(1.0) { power, _ in power * 10 }
    return shift >= 0 ? (self * power).rounded() / power : (self / power).rounded() * power
  }
}
