internal import Answers
internal import FleetModel
internal import Store

/// A figure over time as a drawing that needs no script: a line of averages, a band up to the highest value, and nothing where nothing was
/// reported.
struct Chart: Sendable {
  struct Point: Sendable, Equatable {
    /// ns since 1970: the start of its bucket.
    let timeNs: Int64
    let average: Double
    let maximum: Double
  }

  let title: String
  let points: [Point]
  let sinceNs: Int64
  let untilNs: Int64
  /// The drawing's upper edge, where the figure has one, such as 100 %.
  let top: Double?

  /// Units of the drawing; it is as wide as its page.
  private static let width = 600.0
  private static let height = 90.0

  /// - Parameter answer: rows of `SeriesQueries`.
  init(_ metric: HostMetric, _ answer: Answer, sinceNs: Int64, untilNs: Int64) {
    title = metric.title
    top = metric.name.hasSuffix("_percent") ? 100 : nil
    (self.sinceNs, self.untilNs) = (sinceNs, untilNs)
    points = answer.rows.compactMap { row in
      guard row.count == 4, case .time(let timeNs) = row[0], case .real(let average) = row[1], average.isFinite else {
        return nil
      }
      let maximum: Double = if case .real(let value) = row[3], value.isFinite { value } else { average }
      return Point(timeNs: timeNs, average: average, maximum: maximum)
    }
  }

  var unit: String { top == nil ? "" : " %" }

  /// "now 12 %, highest 98 %": the drawing in words.
  var sentence: String {
    guard let last = points.last else { return "nothing was reported in this time" }
    let highest = points.map(\.maximum).max() ?? 0
    return
      "last \(Quantity.decimal(last.average, digits: 0))\(unit), highest \(Quantity.decimal(highest, digits: 0))\(unit)"
  }

  /// Runs of points without a gap between them: a missing report is not drawn as a line.
  var runs: [[Point]] {
    let steps = zip(points, points.dropFirst()).map { $1.timeNs - $0.timeNs }.sorted()
    guard let usual = steps.isEmpty ? nil : steps[steps.count / 2] else { return points.isEmpty ? [] : [points] }
    var runs: [[Point]] = []
    for point in points {
      if let last = runs.last?.last, point.timeNs - last.timeNs <= usual * 5 / 2 {
        runs[runs.count - 1].append(point)
      } else {
        runs.append([point])
      }
    }
    return runs
  }

  func write(_ html: inout HTMLWriter) {
    let edge = max(top ?? 0, points.map(\.maximum).max() ?? 1, 0.001)
    html.open("figure")
    html.element("figcaption", [], "\(title): \(sentence)")
    html.open(
      "svg",
      [
        ("viewBox", "0 0 \(Int(Self.width)) \(Int(Self.height))"), ("preserveAspectRatio", "none"), ("role", "img"),
        ("aria-label", "\(title), \(sentence)"),
      ])
    for run in runs {
      let line = run.map { "\(x($0.timeNs)),\(y($0.average, edge))" }
      let band = run.map { "\(x($0.timeNs)),\(y($0.maximum, edge))" } + line.reversed()
      html.open("polygon", [("points", band.joined(separator: " "))])
      html.close("polygon")
      // A single point is drawn as a short line.
      let path = line.count == 1 ? [line[0], "\(x(run[0].timeNs) + 1),\(y(run[0].average, edge))"] : line
      html.open("polyline", [("points", path.joined(separator: " "))])
      html.close("polyline")
    }
    html.close("svg")
    html.close("figure")
  }

  private func x(_ timeNs: Int64) -> Double {
    Self.rounded(Self.width * Double(timeNs - sinceNs) / Double(max(1, untilNs - sinceNs)))
  }

  private func y(_ value: Double, _ edge: Double) -> Double {
    Self.rounded(Self.height - 1 - (Self.height - 2) * min(max(value, 0), edge) / edge)
  }

  private static func rounded(_ value: Double) -> Double { (value * 10).rounded() / 10 }
}
