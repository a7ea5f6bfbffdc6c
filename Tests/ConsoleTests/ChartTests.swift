import Answers
import Store
import Testing

@testable import Console

@Suite struct ChartTests {
  private let minuteNs: Int64 = 60_000_000_000

  private func chart(_ minutes: [(Int64, Double, Double)]) throws -> Chart {
    let metric = try #require(HostMetric.named("cpu.busy_percent"))
    let columns = ["time", "average", "minimum", "maximum"].map { Answer.Column($0) }
    let rows = minutes.map { [Cell.time($0.0 * minuteNs), .real($0.1), .null, .real($0.2)] }
    return Chart(metric, Answer(columns: columns, rows: rows), sinceNs: 0, untilNs: 60 * minuteNs)
  }

  /// Time without reports is not drawn over.
  @Test func aGapIsAGap() throws {
    let chart = try chart([(0, 10, 12), (1, 10, 12), (2, 10, 12), (30, 50, 98), (31, 50, 60), (59, 20, 20)])
    #expect(Chart.runs(chart.points).map(\.count) == [3, 2, 1])
    var html = HTMLWriter()
    chart.write(&html)
    let text = String(decoding: html.bytes, as: UTF8.self)
    #expect(text.split(separator: "<polyline").count == 4)
    #expect(text.contains("CPU: last 20 %, highest 98 %"))
    #expect(text.contains("points=\"0.0,80.2 10.0,80.2 20.0,80.2\""), "\(text)")
  }

  @Test func nothingIsSaidInWords() throws {
    let chart = try chart([])
    #expect(Chart.runs(chart.points).isEmpty && chart.sentence == "nothing was reported in this time")
    let odd = try self.chart([(0, .nan, 1), (1, 5, .infinity)])
    #expect(odd.points == [.init(x: Double(minuteNs), average: 5, minimum: 5, maximum: 5)])
  }

  /// Several lines, each named and with its own style; the band is between lowest and highest; marks and gaps stand where they are.
  @Test func linesMarksAndGapsStandOnOneAxis() {
    let line = { (name: String, style: Int) in
      Chart.Line(
        name: name, points: (0...10).map { .init(x: Double($0), average: 5, minimum: 0, maximum: 10) }, style: style)
    }
    var chart = Chart("Price", [line("a", 0), line("b", 7)], axisName: "step")
    chart.marks = [.init(x: 5, y: 5, kind: .up), .init(x: 5, y: nil, kind: .here)]
    chart.bands = [.init(from: -3, to: 5)]
    var html = HTMLWriter()
    chart.write(&html)
    let text = String(decoding: html.bytes, as: UTF8.self)
    #expect(text.contains("a: last 5.00, lowest 0.00, highest 10.00; b: last 5.00"), "\(text)")
    #expect(text.contains("class=\"key k0\">a<") && text.contains("polygon class=\"k1\" points=\"0.0,1.0 60.0,1.0"))
    #expect(text.contains("<path class=\"up\" d=\"M300.0 36.0V45.0\">"))
    #expect(text.contains("<path class=\"gap\" d=\"M0.0 1.0h300.0v88.0h-300.0z\">"))
    #expect(text.contains("<span>0</span><span>step 10</span>"))
  }
}
