internal import Answers
internal import FleetModel

/// Runs as lines over axes beside each other: what they were given, and what they reached.
struct ParallelChart: Sendable {
  static let runsMax = 500
  static let axesMax = 10
  /// Further words of a parameter are names, not choices.
  private static let wordsMax = 20
  private static let columns: [(name: String, title: String)] = [
    ("reward_mean", "reward mean"), ("reward_best", "best"), ("pnl_mean", "pnl mean"), ("sharpe_mean", "sharpe"),
    ("max_drawdown_ratio_mean", "drawdown"),
  ]
  private static let metricsMax = 4

  struct Axis: Sendable {
    let name: String
    let low: String
    let high: String
    /// Of each run, 0 at the lower end and 1 at the upper one; nil where it has none.
    let places: [Double?]
    /// As it was reported.
    let values: [String?]
  }

  let runs: [Int64]
  let axes: [Axis]
  /// Parameters that differ and have no axis.
  let leftOut: [String]

  /// - Parameter answer: one row a run, with `id`, `detail` and figures of its episodes.
  init(_ answer: Answer) {
    let place = { (name: String) in answer.columns.firstIndex { $0.name == name } }
    guard let id = place("id"), let detail = place("detail") else {
      (runs, axes, leftOut) = ([], [], [])
      return
    }
    let rows = answer.rows.prefix(Self.runsMax).compactMap { row -> (Int64, RunParameters, [Cell])? in
      guard case .integer(let number) = row[id] else { return nil }
      let text = if case .text(let text) = row[detail] { text } else { "" }
      return (number, RunParameters(detail: text), row)
    }
    runs = rows.map(\.0)
    let metrics = Self.columns.compactMap { column -> Axis? in
      guard let place = place(column.name) else { return nil }
      let values = rows.map { $0.2[place].double }
      return Self.axis(column.title, values, values.map { $0.map { Quantity.decimal($0, digits: 3) } })
    }.prefix(Self.metricsMax)
    let names = Set(rows.flatMap { $0.1.values.keys }).sorted()
    var (numbers, words, others): ([Axis], [Axis], [String]) = ([], [], [])
    for name in names {
      let values = rows.map { $0.1.values[name] }
      // Where some have it and the others nothing, there is no axis to place them on.
      guard Set(values.compactMap { $0 }).count > 1 else {
        if Set(values).count > 1 { others.append(name) }
        continue
      }
      let read = values.map { $0.flatMap { Double($0) }.flatMap { $0.isFinite ? $0 : nil } }
      if zip(values, read).allSatisfy({ ($0 == nil) == ($1 == nil) }), let axis = Self.axis(name, read, values) {
        numbers.append(axis)
      } else if let axis = Self.axis(name, words: values) {
        words.append(axis)
      } else {
        others.append(name)
      }
    }
    let room = Self.axesMax - metrics.count
    axes = Array((numbers + words).prefix(room)) + metrics
    leftOut = (numbers + words).dropFirst(room).map(\.name) + others
  }

  /// nil where all have the same value. Positive values over two powers of ten and more stand by their logarithm.
  private static func axis(_ name: String, _ values: [Double?], _ texts: [String?]) -> Axis? {
    let known = values.compactMap { $0 }
    guard let low = known.min(), let high = known.max(), low < high else { return nil }
    let isLogarithmic = low > 0 && high / low >= 100
    // Halves, so that the difference of the largest doubles is one as well.
    let place = { (value: Double) in
      isLogarithmic ? (Self.log(value / low) / Self.log(high / low)) : (value / 2 - low / 2) / (high / 2 - low / 2)
    }
    let text = { (wanted: Double) in zip(values, texts).first { $0.0 == wanted }.flatMap(\.1) ?? "" }
    return Axis(
      name: isLogarithmic ? "\(name) (log)" : name, low: text(low), high: text(high),
      places: values.map { $0.map { min(1, max(0, place($0))) } }, values: texts)
  }

  private static func axis(_ name: String, words values: [String?]) -> Axis? {
    let words = Set(values.compactMap { $0 }).sorted()
    guard let first = words.first, let last = words.last, words.count <= wordsMax else { return nil }
    let places = Dictionary(uniqueKeysWithValues: words.enumerated().map { ($1, Double($0)) })
    return Axis(
      name: name, low: first, high: last,
      places: values.map { $0.flatMap { places[$0] }.map { $0 / Double(max(1, words.count - 1)) } }, values: values)
  }

  /// Binary logarithm, exact enough for a drawing. - Parameter value: above 0.
  private static func log(_ value: Double) -> Double {
    value.isFinite ? Double(value.exponent) + (value.significand - 1) : 1024
  }

  var isDrawn: Bool { runs.count > 1 && axes.count > 1 }

  var sentence: String {
    "\(runs.count) runs over \(axes.count) axes: \(axes.map { "\($0.name) \($0.low) to \($0.high)" }.joined(separator: ", "))"
  }

  /// The same as a table, the highest of the first figure first.
  func table(names: Answer) -> Answer {
    let place = { (name: String) in names.columns.firstIndex { $0.name == name } }
    let named = [place("id"), place("run"), place("host")].compactMap { $0 }
    let order = axes.indices.last { index in Self.columns.contains { $0.title == axes[index].name } }
    let sorted = runs.indices.sorted {
      guard let order, axes[order].places[$0] != axes[order].places[$1] else { return $0 < $1 }
      return axes[order].places[$0] ?? -1 > axes[order].places[$1] ?? -1
    }
    return Answer(
      columns: [.init("id", "RUN"), .init("run", "NAME"), .init("host", "HOST")]
        + axes.map { .init($0.name, $0.name.uppercased()) },
      rows: sorted.map { index in
        named.map { names.rows[index][$0] } + axes.map { $0.values[index].map(Cell.text) ?? .null }
      })
  }

  // MARK: Drawing

  /// Units of the drawing; what has no value stands below its axis.
  private static let (width, height, margin, noValue) = (1000.0, 300.0, 8.0, 292.0)
  private static let span = 264.0

  func write(_ html: inout HTMLWriter) {
    html.open("figure", [("class", "parallel")])
    html.element("figcaption", [], sentence + ". A line at the foot has no value there.")
    html.open(
      "div", [("class", "wide"), ("role", "region"), ("tabindex", "0"), ("aria-label", "Parallel coordinates")])
    html.open("div", [("class", "axes")])
    for axis in axes { html.element("span", [], PlainText.cut(axis.high, scalarsMax: 24)) }
    html.close("div")
    html.open(
      "svg",
      [
        ("viewBox", "0 0 \(Int(Self.width)) \(Int(Self.height))"), ("preserveAspectRatio", "none"), ("role", "img"),
        ("aria-label", sentence),
      ])
    for index in axes.indices {
      let x = self.x(index)
      html.open("path", [("class", "axis-line"), ("d", "M\(x) \(Self.margin)V\(Self.margin + Self.span)")])
      html.close("path")
    }
    for index in runs.indices {
      let points = axes.indices.map { axis in
        "\(x(axis)),\(axes[axis].places[index].map { Self.rounded(Self.margin + Self.span * (1 - $0)) } ?? Self.noValue)"
      }
      html.open("polyline", [("data-run", String(runs[index])), ("points", points.joined(separator: " "))])
      html.close("polyline")
    }
    html.close("svg")
    html.open("div", [("class", "axes")])
    for axis in axes {
      html.open("span")
      html.text(PlainText.cut(axis.low, scalarsMax: 24))
      html.raw("<br>")
      html.element("b", [], PlainText.cut(axis.name, scalarsMax: 32))
      html.close("span")
    }
    html.close("div")
    html.close("div")
    html.close("figure")
  }

  private func x(_ axis: Int) -> Double { Self.rounded((Double(axis) + 0.5) * Self.width / Double(axes.count)) }

  private static func rounded(_ value: Double) -> Double { (value * 10).rounded() / 10 }
}

extension StyleSheet {
  static let parallel = """
    .parallel svg{height:20rem;min-width:44rem;touch-action:none}.parallel .axes{display:grid;grid-auto-flow:column;grid-auto-columns:1fr;min-width:44rem;text-align:center;font-size:.75rem}
    .parallel span{overflow-wrap:anywhere;padding:0 .25rem}.parallel polyline{opacity:.45}.parallel polyline.on{opacity:1;stroke:var(--k1);stroke-width:4}
    .parallel polyline.off{opacity:.05}tr.off{display:none}path.axis-line{stroke:var(--quiet)}rect.brush{fill:var(--link);opacity:.3}

    """
}
