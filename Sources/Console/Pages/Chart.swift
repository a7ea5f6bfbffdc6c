internal import Answers
internal import FleetModel
internal import Store

/// Figures over an axis as a drawing that needs no script: lines of averages, bands between their lowest and highest values, and nothing
/// where nothing was reported. Everything that is drawn is drawn here.
struct Chart: Sendable {
  struct Line: Sendable {
    /// In the key; a single line needs none.
    var name = ""
    var points: [CurvePoint]
    /// Of `stylesMax` colours with dashes of their own.
    var style = 0
    /// A value stands until the next one: it is not a slope.
    var isStepped = false
  }

  /// Something that happened at a point of the axis.
  struct Mark: Sendable {
    enum Kind: String, Sendable {
      /// Above the line, below it, and over the whole height.
      case up, down, here
    }

    let x: Double
    /// nil: at the edge of the drawing.
    let y: Double?
    let kind: Kind
  }

  /// A part of the axis that is to be seen as such: a gap, the span of a run.
  struct Band: Sendable {
    let from: Double
    let to: Double
    /// Why there is nothing, where it is a gap.
    var reason = ""
  }

  /// Amounts of one bucket above each other, each with its style.
  struct Bar: Sendable {
    let from: Double
    let to: Double
    let parts: [(style: Int, amount: Double)]
  }

  enum Axis: Sendable {
    case time, number
  }

  static let stylesMax = 6

  let title: String
  /// The drawing in words.
  let sentence: String
  var lines: [Line] = []
  var bars: [Bar] = []
  /// Of the bars' styles, in their order.
  var barNames: [(style: Int, name: String)] = []
  var marks: [Mark] = []
  var bands: [Band] = []
  var axis = Axis.time
  /// What the axis counts; empty for times.
  var axisName = ""
  /// Its page takes a part of the axis as `from` and `to`, and answers with the figures of that part.
  var takesRange = false
  let from: Double
  let to: Double
  /// The drawing's lower and upper edge.
  var bottom: Double
  var top: Double

  /// Of the first line.
  var points: [CurvePoint] { lines.first?.points ?? [] }

  /// - Parameters:
  ///   - from: first point of the axis; the last one where nil is that of the lines.
  ///   - bottom: lower edge; the lowest value where nil.
  init(
    _ title: String, _ lines: [Line], sentence: String? = nil, axis: Axis = .number, axisName: String = "",
    from: Double? = nil, to: Double? = nil, bottom: Double? = nil
  ) {
    let points = lines.lazy.flatMap(\.points)
    self.title = title
    self.lines = lines
    self.sentence = sentence ?? Self.sentence(lines)
    (self.axis, self.axisName) = (axis, axisName)
    self.from = from ?? points.map(\.x).min() ?? 0
    self.to = to ?? points.map(\.x).max() ?? 1
    self.bottom = bottom ?? points.map(\.minimum).min() ?? 0
    top = points.map(\.maximum).max() ?? 1
  }

  /// - Parameter answer: rows of `SeriesQueries`.
  init(_ metric: HostMetric, _ answer: Answer, sinceNs: Int64, untilNs: Int64) {
    let points = Self.points(answer, x: "time")
    let isPercent = metric.name.hasSuffix("_percent")
    let unit = isPercent ? " %" : ""
    let words = points.last.map { last in
      let highest = points.map(\.maximum).max() ?? 0
      return
        "last \(Quantity.decimal(last.average, digits: 0))\(unit), highest \(Quantity.decimal(highest, digits: 0))\(unit)"
    }
    self.init(
      metric.title, [Line(points: points)], sentence: words ?? Self.nothing, axis: .time, from: Double(sinceNs),
      to: Double(untilNs), bottom: 0)
    top = max(isPercent ? 100 : 0, top, 0.001)
  }

  /// - Parameter answer: rows of `SeriesQueries.gaps`.
  static func gaps(_ answer: Answer) -> [Band] {
    answer.rows.compactMap { row in
      guard let from = row[0].double, let to = row[1].double, case .text(let reason) = row[2] else { return nil }
      return Band(from: from, to: to, reason: reason)
    }
  }

  static let nothing = "nothing was reported in this time"

  /// Points of the rows of an answer; rows without a finite value are left out.
  /// - Parameters:
  ///   - x: the column of the axis, a time or a number.
  ///   - average, minimum, maximum: columns of the values; without the last two the average stands for them.
  static func points(
    _ answer: Answer, x: String, average: String = "average", minimum: String = "minimum", maximum: String = "maximum"
  ) -> [CurvePoint] {
    let place = { (name: String) in answer.columns.firstIndex { $0.name == name } }
    guard let at = place(x), let mean = place(average) else { return [] }
    let (low, high) = (place(minimum), place(maximum))
    return answer.rows.compactMap { row in
      guard let x = row[at].double, let value = row[mean].double else { return nil }
      return CurvePoint(
        x: x, average: value, minimum: low.flatMap { row[$0].double } ?? value,
        maximum: high.flatMap { row[$0].double } ?? value)
    }
  }

  /// "reward: last 0.5, lowest -1, highest 2" of each line.
  private static func sentence(_ lines: [Line]) -> String {
    let parts = lines.filter { !$0.points.isEmpty }.map { line in
      let figures = [
        ("last", line.points.last?.average), ("lowest", line.points.map(\.minimum).min()),
        ("highest", line.points.map(\.maximum).max()),
      ].map { name, value in "\(name) \(Quantity.decimal(value ?? 0, digits: 2))" }.joined(separator: ", ")
      return line.name.isEmpty ? figures : "\(line.name): \(figures)"
    }
    return parts.isEmpty ? nothing : parts.joined(separator: "; ")
  }

  /// Points of a line without a gap between them: a missing report is not drawn over.
  static func runs(_ points: [CurvePoint]) -> [[CurvePoint]] {
    let steps = zip(points, points.dropFirst()).map { $1.x - $0.x }.sorted()
    guard let usual = steps.isEmpty ? nil : steps[steps.count / 2] else { return points.isEmpty ? [] : [points] }
    var runs: [[CurvePoint]] = []
    for point in points {
      if let last = runs.last?.last, point.x - last.x <= usual * 2.5 {
        runs[runs.count - 1].append(point)
      } else {
        runs.append([point])
      }
    }
    return runs
  }
}
