import Answers
import Compression
import FleetModel
import Store
import TestSupport
import Testing

@testable import Console

/// What a comparison costs on the wire.
@Suite struct ComparisonTests {
  private static let wireBytesMax = 100_000

  /// The worst case: as many runs as there may be, and every point of their curves noise of full length.
  private static func noise(runs count: Int) -> Comparison {
    var random = SplitMix(seed: 7)
    func unit() -> Double { Double(random.next() >> 11) / Double(1 << 53) }
    let runs = (1...Int64(count)).map { $0 }
    let points = Comparison.points(ofRuns: count)
    let curves = runs.flatMap { run in
      (0..<points).map { bucket -> [Cell] in
        let average = unit() * 1_000 - 500
        return [
          .integer(run), .integer(bucket), .real(Double(bucket) * 500 + unit() * 500), .real(average),
          .real(average - unit() * 100), .real(average + unit() * 100), .integer(Int64(unit() * 500)),
        ]
      }
    }
    let summaries = runs.map { run -> [Cell] in
      let detail = #"{"learning_rate":\#(unit()),"seed":\#(run),"layers":[64,64],"note":"run \#(run)"}"#
      return [
        .integer(run), .text("trainer-\(run)"), .text("ppo_\(run)"), .text("completed"), .text("sb3"), .integer(500),
        .integer(499), .integer(100_000), .real(unit()), .real(unit()), .real(unit()), .real(unit()), .real(unit()),
        .real(unit()), .time(run), .time(run + 1), .text(detail),
      ]
    }
    let finals = runs.flatMap { run in
      (0..<10).map { [Cell.integer(run), .text("metric_\($0)"), .real(unit())] }
    }
    let columns = ["run", "bucket", "x", "average", "minimum", "maximum", "points"].map { Answer.Column($0) }
    return Comparison(
      runs: runs, metric: "reward", axis: .step,
      answers: [
        Answer(columns: Comparison.summaryColumns + [.init("detail")], rows: summaries),
        Answer(columns: columns, rows: curves),
        Answer(columns: ["run", "metric", "value"].map { Answer.Column($0) }, rows: finals),
      ])
  }

  @Test(arguments: [2, 20]) func aComparisonStaysSmallOnTheWire(runs: Int) throws {
    let whole = Self.noise(runs: runs)
    let presence = Presence(Answer(columns: []), asOfNs: 0)
    let json = AnswerWriter(nowNs: 0, presence: presence).one(whole.answer, as: .json)
    let page = Page(title: "runs compared", blocks: whole.blocks(metrics: ["reward"]))
    let html = PageFrame(page: page, caller: nil, formToken: "", nowNs: 0, hasChartLibrary: true).html
    for (name, bytes) in [("JSON", json), ("HTML", html)] {
      let packed = try #require(Gzip.compress(bytes)).count
      print("a comparison of \(runs) runs: \(packed) bytes of \(name)")
      #expect(packed < Self.wireBytesMax, "\(name) of \(runs) runs")
    }
  }

  /// Every bucket keeps its lowest and highest value, within the digits that are written.
  @Test func whatIsLowestAndHighestIsKept() throws {
    let whole = Self.noise(runs: 20)
    let writer = AnswerWriter(nowNs: 0, presence: Presence(Answer(columns: []), asOfNs: 0))
    let read = try #require(JSON.read(writer.one(whole.answer, as: .json)))
    guard case .list(let curves)? = read["item"]?["curves"] else {
      Issue.record("there are no curves")
      return
    }
    #expect(curves.count == whole.curves.rows.count && curves.count == 20 * 100)
    for (written, row) in zip(curves, whole.curves.rows) {
      for (place, name) in [(3, "average"), (4, "minimum"), (5, "maximum")] {
        let value = row[place].double ?? .nan
        let shown = Double(written[name]?.written ?? "") ?? .nan
        #expect(abs(shown - value) <= abs(value) * 5e-6, "\(name)")
      }
    }
  }

  @Test(
    arguments: [
      (0.0, 0.0), (1, 1), (-1234567.8, -1_234_570), (0.00123456789, 0.00123457), (123.4565001, 123.457), (1e300, 1e300),
      (-999_999.7, -1_000_000), (9.999999, 10), (1e-9, 1e-9), (2.0 / 3, 0.666667), (1e22 / 3, 3.33333e21),
    ] as [(Double, Double)]) func digitsAreLeftOut(value: Double, short: Double)
  { #expect(value.rounded(digits: 6) == short) }
}
