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
    #expect(chart.runs.map(\.count) == [3, 2, 1])
    var html = HTMLWriter()
    chart.write(&html)
    let text = String(decoding: html.bytes, as: UTF8.self)
    #expect(text.split(separator: "<polyline").count == 4)
    #expect(text.contains("CPU: last 20 %, highest 98 %"))
    #expect(text.contains("points=\"0.0,80.2 10.0,80.2 20.0,80.2\""), "\(text)")
  }

  @Test func nothingIsSaidInWords() throws {
    let chart = try chart([])
    #expect(chart.runs.isEmpty && chart.sentence == "nothing was reported in this time")
    let odd = try self.chart([(0, .nan, 1), (1, 5, .infinity)])
    #expect(odd.points == [.init(timeNs: minuteNs, average: 5, maximum: 5)])
  }
}
