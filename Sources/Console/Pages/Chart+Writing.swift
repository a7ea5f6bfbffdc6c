internal import Answers
internal import FleetModel

extension Chart {
  /// Units of the drawing; it is as wide as its page.
  private static let width = 600.0
  private static let height = 90.0
  /// Half of a mark's height.
  private static let markHeight = 9.0

  func write(_ html: inout HTMLWriter) {
    if lines.isEmpty { html.open("figure") } else { html.open("figure", [("data-chart", data)]) }
    html.open("figcaption")
    html.text("\(title): \(sentence)")
    writeKey(&html)
    html.close("figcaption")
    html.open(
      "svg",
      [
        ("viewBox", "0 0 \(Int(Self.width)) \(Int(Self.height))"), ("preserveAspectRatio", "none"), ("role", "img"),
        ("aria-label", "\(title), \(sentence)"),
      ])
    for band in bands {
      html.open("path", [("class", "gap"), ("d", rectangle(band.from, band.to, bottom, top))])
      // What a browser shows under the pointer.
      if !band.reason.isEmpty { html.element("title", [], band.reason) }
      html.close("path")
    }
    writeBars(&html)
    for line in lines { write(line, &html) }
    for kind in [Mark.Kind.here, .up, .down] { writeMarks(kind, &html) }
    html.close("svg")
    html.open("div", [("class", "axis")])
    html.element("span", [], label(from))
    html.element("span", [], axis == .number ? "\(axisName) \(label(to))" : label(to))
    html.close("div")
    html.close("figure")
  }

  /// Which line is which, in words: colours alone do not say it to everybody.
  private func writeKey(_ html: inout HTMLWriter) {
    let names =
      lines.filter { !$0.name.isEmpty }.map { (style: "k\($0.style)", name: $0.name) }
      + barNames.map { (style: "v\($0.style)", name: $0.name) }
    guard names.count > 1 else { return }
    for (style, name) in names { html.element("span", [("class", "key \(style)")], name) }
  }

  private func label(_ x: Double) -> String {
    switch axis {
    case .time: Timestamp.text(Int64(min(max(x, -9e18), 9e18)), digits: 0)
    case .number: Quantity.decimal(x, digits: x == x.rounded() ? 0 : 2)
    }
  }

  private func write(_ line: Line, _ html: inout HTMLWriter) {
    let style = "k\(line.style % Self.stylesMax)"
    for run in Self.runs(line.points) {
      let path = path(run, isStepped: line.isStepped)
      if run.contains(where: { $0.maximum > $0.minimum }) {
        let edge = run.map { "\(x($0.x)),\(y($0.maximum))" } + run.reversed().map { "\(x($0.x)),\(y($0.minimum))" }
        html.open("polygon", [("class", style), ("points", edge.joined(separator: " "))])
        html.close("polygon")
      }
      html.open("polyline", [("class", style), ("points", path.joined(separator: " "))])
      html.close("polyline")
    }
  }

  private func path(_ run: [CurvePoint], isStepped: Bool) -> [String] {
    var path: [String] = []
    for (number, point) in run.enumerated() {
      if isStepped, number > 0 { path.append("\(x(point.x)),\(y(run[number - 1].average))") }
      path.append("\(x(point.x)),\(y(point.average))")
    }
    // A single point is drawn as a short line.
    if path.count == 1, let point = run.first { path.append("\(x(point.x) + 1),\(y(point.average))") }
    return path
  }

  /// All of a style as one path: a page has a bound of elements.
  private func writeBars(_ html: inout HTMLWriter) {
    var paths: [Int: String] = [:]
    for bar in bars {
      var below = bottom
      for part in bar.parts where part.amount > 0 {
        paths[part.style, default: ""] += rectangle(bar.from, bar.to, below, below + part.amount)
        below += part.amount
      }
    }
    for (style, path) in paths.sorted(by: { $0.key < $1.key }) { writePath("v\(style)", path, &html) }
  }

  private func rectangle(_ from: Double, _ to: Double, _ low: Double, _ high: Double) -> String {
    let (left, right) = (x(max(from, self.from)), x(min(to, self.to)))
    let (width, height) = (Self.rounded(max(0.5, right - left)), Self.rounded(max(0.5, y(low) - y(high))))
    return "M\(left) \(y(high))h\(width)v\(height)h-\(width)z"
  }

  private func writePath(_ style: String, _ path: String, _ html: inout HTMLWriter) {
    guard !path.isEmpty else { return }
    html.open("path", [("class", style), ("d", path)])
    html.close("path")
  }

  /// All of a kind as one path: there may be thousands.
  private func writeMarks(_ kind: Mark.Kind, _ html: inout HTMLWriter) {
    let path = marks.filter { $0.kind == kind }.map { mark in
      let at = mark.y.map(y)
      let (from, to): (Double, Double) =
        switch kind {
        case .up: ((at ?? Self.height) - Self.markHeight, at ?? Self.height)
        case .down: (at ?? 0, (at ?? 0) + Self.markHeight)
        case .here: (0, Self.height)
        }
      return "M\(x(mark.x)) \(Self.rounded(from))V\(Self.rounded(to))"
    }
    writePath(kind.rawValue, path.joined(), &html)
  }

  private func x(_ value: Double) -> Double { Self.rounded(Self.width * (value - from) / max(to - from, 1e-9)) }

  /// A value that is the same all the time is drawn in the middle.
  private func y(_ value: Double) -> Double {
    let share = top > bottom ? (min(max(value, bottom), top) - bottom) / (top - bottom) : 0.5
    return Self.rounded(Self.height - 1 - (Self.height - 2) * share)
  }

  private static func rounded(_ value: Double) -> Double { (value * 10).rounded() / 10 }
}

extension StyleSheet {
  /// Lines differ in colour and in dashes; levels have the colours of their words.
  static let charts = """
    :root{--k1:#a34a00;--k2:#6a3d9a;--k3:#1b7837;--k4:#9c1458;--k5:#5f5f5f}
    @media(prefers-color-scheme:dark){:root{--k1:#f0a35e;--k2:#b79ce0;--k3:#6fc98b;--k4:#f48fb1;--k5:#bdbdbd}}
    polyline.k1{stroke:var(--k1);stroke-dasharray:7 2}polyline.k2{stroke:var(--k2);stroke-dasharray:2 2}
    polyline.k3{stroke:var(--k3);stroke-dasharray:7 2 2 2}polyline.k4{stroke:var(--k4);stroke-dasharray:12 3}
    polyline.k5{stroke:var(--k5);stroke-dasharray:4 4}
    polygon.k1{fill:var(--k1)}polygon.k2{fill:var(--k2)}polygon.k3{fill:var(--k3)}polygon.k4{fill:var(--k4)}polygon.k5{fill:var(--k5)}
    path{fill:none;stroke-width:2;vector-effect:non-scaling-stroke}path.up{stroke:var(--k3)}path.down{stroke:var(--k4)}
    path.here{stroke:var(--quiet);stroke-dasharray:3 3;stroke-width:1}
    path.gap{fill:var(--late);opacity:.25}path.v4{fill:var(--bad)}path.v3{fill:var(--warn)}path.v2{fill:var(--live)}
    path.v1{fill:var(--late)}path.v0{fill:var(--quiet)}
    .key{margin-left:.75rem;display:inline-block}.key::before{content:"\\2501 ";font-weight:700}
    .key.k0::before,.key.v2::before{color:var(--live)}.key.k1::before{color:var(--k1);content:"\\254D "}
    .key.k2::before{color:var(--k2);content:"\\2505 "}.key.k3::before{color:var(--k3);content:"\\254C "}
    .key.k4::before{color:var(--k4);content:"\\257C "}.key.k5::before{color:var(--k5);content:"\\2509 "}
    .key.v4::before{color:var(--bad)}.key.v3::before{color:var(--warn)}.key.v1::before{color:var(--late)}
    .links{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem}
    .plot{overflow:hidden}.at{display:block;min-height:1.45em}figure{min-width:0}.u-select{background:var(--link);opacity:.25}
    .axis{display:flex;justify-content:space-between;color:var(--quiet);font-size:.75rem}

    """
}
