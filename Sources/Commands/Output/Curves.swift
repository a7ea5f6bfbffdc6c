internal import Answers
internal import Files
internal import FleetModel
internal import Store

/// A figure over time, for a line of its own.
struct Curve {
  var name: String
  /// nil: nothing was reported.
  var values: [Double?]
  var unit: Answer.Unit
}

extension OutputOptions {
  private static let curveColumns = 60
  private static let curveColumnsLeast = 8

  /// A line each: name, drawing, newest, lowest and highest value. Only those with values.
  func printCurves(_ curves: [Curve]) throws {
    let shown = curves.filter { $0.values.contains { $0?.isFinite == true } }
    let names = shown.map(\.name.count).max() ?? 0
    for curve in shown {
      let known = curve.values.compactMap(\.self).filter(\.isFinite)
      let word = { (value: Double?) in
        value.map { renderer().shortText(.real($0), curve.unit) } ?? "-"
      }
      let figures = "last \(word(known.last)), lowest \(word(known.min())), highest \(word(known.max()))"
      let room = (width ?? .max / 2) - names - figures.count - 4
      let drawing = Sparkline.text(
        curve.values, width: min(Self.curveColumns, max(Self.curveColumnsLeast, room)), isUnicode: Terminal.isUnicode)
      let name = curve.name + String(repeating: " ", count: names - curve.name.count)
      // In a narrow terminal the figures give way.
      let line = room < Self.curveColumnsLeast ? "\(name)  \(drawing)" : "\(name)  \(drawing)  \(figures)"
      try StandardStream.output.write(line + "\n")
    }
  }
}

/// What the terminal shows.
enum Terminal {
  /// Whether the locale's characters are UTF-8. Source: locale(7): LC_ALL counts before LC_CTYPE, and that before LANG.
  static var isUnicode: Bool { isUnicode { Process.environment($0) } }

  static func isUnicode(_ environment: (String) -> String?) -> Bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].compactMap { environment($0) }.first { !$0.isEmpty } ?? ""
    let name = locale.lowercased()
    return name.contains("utf-8") || name.contains("utf8")
  }

  /// Colour is for people at a terminal who have not refused it. Source: no-color.org.
  static func isColoured(isTerminal: Bool, _ environment: (String) -> String?) -> Bool {
    isTerminal && (environment("NO_COLOR") ?? "").isEmpty && environment("TERM") != "dumb"
  }

  static var isColoured: Bool {
    isColoured(isTerminal: StandardStream.output.isTerminal) { Process.environment($0) }
  }
}

extension HostMetric {
  private static let curvePoints: Int64 = 60
  private static let curveNs: Int64 = 3_600_000_000_000

  /// Each figure of a host in the last hour, a value a minute.
  static func curves(_ source: FleetSource, host: String, nowNs: Int64) throws -> [Curve] {
    let sinceNs = nowNs - curveNs
    return try all.map { metric in
      let answer = try source.answer(
        .series(host, metric, sinceNs: sinceNs, untilNs: nowNs, points: curvePoints))
      var values = [Double?](repeating: nil, count: Int(curvePoints))
      for row in answer.rows {
        guard case .time(let ns)? = row.first, row.count > 1 else { continue }
        let place = (ns - sinceNs) / (curveNs / curvePoints)
        if values.indices.contains(Int(clamping: place)) { values[Int(place)] = row[1].double }
      }
      return Curve(
        name: metric.title + ", last hour", values: values, unit: metric.name.hasSuffix("percent") ? .percent : .plain)
    }
  }
}
