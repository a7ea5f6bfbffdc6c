internal import Answers
internal import FleetModel

extension Chart {
  /// The figures of the drawing for the script that draws it anew, as JSON.
  ///
  /// - `isTime`: the axis is time in seconds since 1970; else `key` is what it counts. `ranged`: the page takes a part of it. `from`, `to`,
  ///   `bottom`, `top`: the edges.
  /// - `lines`: `name`, `style`, `stepped`; `x` minus `from`; `mean`, and `low` and `high` where they differ from it. null: a gap begins.
  /// - `gaps`: from, to and the reason. `marks`: place, value or null, and kind.
  var data: String {
    JSON.object([
      ("isTime", .boolean(axis == .time)), ("ranged", .boolean(takesRange)),
      ("key", .text(axis == .time ? "time" : axisName)),
      ("from", Self.json(onAxis(from))), ("to", Self.json(onAxis(to))), ("bottom", Self.json(bottom)),
      ("top", Self.json(top)), ("lines", .list(lines.map(data))),
      (
        "gaps",
        .list(
          bands.map { band in
            .list([Self.json(onAxis(band.from)), Self.json(onAxis(band.to)), .text(PlainText.visible(band.reason))])
          })
      ),
      (
        "marks",
        .list(
          marks.map { mark in
            .list([Self.json(onAxis(mark.x)), mark.y.map(Self.json) ?? .null, .text(mark.kind.rawValue)])
          })
      ),
    ]).written
  }

  /// Seconds where it is a time; ns are more than a script's numbers hold.
  private func onAxis(_ x: Double) -> Double { axis == .time ? (x / 1e6).rounded() / 1e3 : x }

  private func data(_ line: Line) -> JSON {
    var (x, mean, low, high): ([JSON], [JSON], [JSON], [JSON]) = ([], [], [], [])
    let start = onAxis(from)
    let hasBand = line.points.contains { $0.maximum > $0.minimum }
    for run in Self.runs(line.points) {
      // Between two runs of points is a place without a value.
      if let first = run.first, !x.isEmpty {
        x.append(Self.json(Self.short(onAxis(first.x) - start) - 0.001))
        mean.append(.null)
        low.append(.null)
        high.append(.null)
      }
      for point in run {
        x.append(Self.json(Self.short(onAxis(point.x) - start)))
        mean.append(Self.figure(point.average))
        low.append(Self.figure(point.minimum))
        high.append(Self.figure(point.maximum))
      }
    }
    var members: [(String, JSON)] = [
      ("name", .text(PlainText.visible(line.name))), ("style", .number(Int64(line.style % Self.stylesMax))),
      ("stepped", .boolean(line.isStepped)), ("x", .list(x)), ("mean", .list(mean)),
    ]
    if hasBand { members += [("low", .list(low)), ("high", .list(high))] }
    return .object(members)
  }

  /// Six decimals: shares of a run need no more.
  private static func short(_ x: Double) -> Double { (x * 1e6).rounded() / 1e6 }

  /// A drawing needs no more digits than a float has, and a page is shorter without them.
  private static func figure(_ value: Double) -> JSON {
    let short = Float(value)
    guard short.isFinite else { return .null }
    return .document(short == short.rounded() && abs(short) < 1e6 ? String(Int(short)) : String(short))
  }

  private static func json(_ value: Double) -> JSON {
    value == value.rounded() && abs(value) < 1e15 ? .number(Int64(value)) : .real(value)
  }
}
