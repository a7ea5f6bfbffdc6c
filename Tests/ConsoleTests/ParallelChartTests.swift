import Answers
import Testing

@testable import Console

/// Runs over axes beside each other.
@Suite struct ParallelChartTests {
  private func runs(_ details: [String], rewards: [Double?]) -> Answer {
    Answer(
      columns: ["id", "run", "host", "detail", "reward_mean", "sharpe_mean"].map { .init($0) },
      rows: zip(details, rewards).enumerated().map { index, run in
        [
          .integer(Int64(index + 1)), .text("ppo_\(index)"), .text("gpu-1"), .text(run.0),
          run.1.map(Cell.real) ?? .null, .real(1),
        ]
      })
  }

  /// Numbers by their size, orders of magnitude by their logarithm, words by their order; what is the same everywhere has no axis.
  @Test func axesAreWhatDiffers() throws {
    let answer = runs(
      [
        #"{"lr":0.0001,"batch":64,"optimizer":"sgd","seed":7,"pid":10}"#,
        #"{"lr":0.01,"batch":128,"optimizer":"adam","seed":7,"pid":11,"resumed":1}"#,
        #"{"lr":1,"batch":256,"seed":7}"#,
      ], rewards: [-1, 3, nil])
    let chart = ParallelChart(answer)
    #expect(chart.isDrawn && chart.runs == [1, 2, 3])
    #expect(chart.axes.map(\.name) == ["batch", "lr (log)", "optimizer", "reward mean"], "\(chart.axes.map(\.name))")
    #expect(chart.leftOut == ["resumed"], "a process is no parameter, and one value is no axis")
    #expect(chart.axes[0].places == [0, 64.0 / 192, 1] && chart.axes[0].low == "64" && chart.axes[0].high == "256")
    let middle = try #require(chart.axes[1].places[1])
    #expect(abs(middle - 0.5) < 0.02, "\(middle)")
    #expect(chart.axes[2].places == [1, 0, nil] && chart.axes[3].places == [0, 1, nil])
    #expect(chart.table(names: answer).rows.map { $0[0] } == [.integer(2), .integer(1), .integer(3)])
    var html = HTMLWriter()
    chart.write(&html)
    let text = String(decoding: html.bytes, as: UTF8.self)
    #expect(text.contains(#"<polyline data-run="3" points="125.0,8.0 375.0,8.0 625.0,292.0 875.0,292.0">"#), "\(text)")
  }

  /// A page of 500 runs with many parameters stays within its bounds: names that differ everywhere are no axis, and are named.
  @Test func manyRunsHaveBounds() {
    let details = (0..<600).map { index in
      "{\"name\":\"run \(index)\"," + (0..<15).map { "\"p\($0)\":\(index * ($0 + 1))" }.joined(separator: ",") + "}"
    }
    let answer = runs(details, rewards: (0..<600).map(Double.init))
    let chart = ParallelChart(answer)
    #expect(chart.runs.count == 500 && chart.axes.count == 10 && chart.leftOut.count == 7)
    #expect(chart.leftOut.contains("name") && chart.axes.last?.name == "reward mean")
    let page = Page(title: "t", blocks: Comparison.beside(chart, answer))
    let html = PageFrame(page: page, caller: nil, formToken: "", nowNs: 0).html
    #expect(html.split(separator: UInt8(ascii: "<")).count { $0.first != UInt8(ascii: "/") } < 1_500)
    #expect(String(decoding: html, as: UTF8.self).contains(Script.parallel.path))
  }

  @Test func nothingIsDrawnOfWhatIsTheSame() {
    #expect(!ParallelChart(runs(["{}", "[1"], rewards: [1, 1])).isDrawn)
    #expect(!ParallelChart(runs([], rewards: [])).isDrawn && !ParallelChart(Answer(columns: [])).isDrawn)
    let extreme = ParallelChart(runs([#"{"a":-1.7e308}"#, #"{"a":1.7e308}"#, #"{"a":1e999}"#], rewards: [1, 2, 3]))
    #expect(extreme.axes.allSatisfy { $0.places.allSatisfy { ($0 ?? 0) >= 0 && ($0 ?? 0) <= 1 } })
  }
}
