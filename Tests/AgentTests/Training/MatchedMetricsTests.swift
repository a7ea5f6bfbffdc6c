import FleetModel
import Foundation
import Testing

@testable import Agent

/// Rows by the patterns that a host's owner declares.
@Suite struct MatchedMetricsTests {
  private static func harness(_ text: String, _ patterns: [String]) throws -> ReaderHarness {
    let declared = MatchedMetrics(try patterns.map { try MatchedMetrics.pattern($0) })
    var file = ReaderHarness(text) { LogReader($0, redactor: Redactor(), zone: { _ in 0 }, declared: declared) }
    file.path = "/srv/logs/mine.log"
    return file
  }

  private static let pattern = #"it (?<step>\d+) \| cost=(?<cost>\S+)(?: acc=(?<acc>\S+))?"#
  private static let text = """
    2025-05-14 22:33:06 INFO it 10 | cost=2.5 acc=0.5
    it 11 | cost=nan
    it 12 | cost=soon
    nothing here
    step 5: loss 0.25
    it 13 | cost=-inf acc=True

    """

  @Test("each named number is a metric, by its step and the line's time; the lines stay lines")
  func rows() throws {
    let file = try Self.harness(Self.text, [Self.pattern])
    let delta = file.pass(isFinished: true)
    #expect(delta.steps.map(\.step) == [10, 11, 5, 13] && delta.lines.count == 6)
    #expect(delta.steps[0].metrics == [Metric("cost", 2.5), Metric("acc", 0.5)])
    #expect(delta.steps[0].timeNs == 1_747_261_986_000_000_000)
    #expect(
      delta.steps[1].metrics[0].value.isNaN && delta.steps[3].metrics == [Metric("cost", -.infinity), Metric("acc", 1)])
    #expect(Set(delta.runs.map(\.run)).count == 1 && delta.runs.last?.state == .completed)
    #expect(try Self.harness(Self.text, []).pass(isFinished: true).steps.map(\.step) == [5])
  }

  @Test("the same in pieces of 97 bytes and resumed anywhere")
  func pieces() throws {
    let file = try Self.harness(Self.text, [Self.pattern])
    for isNew in [false, true] {
      #expect(file.grown(by: 97, isNew: isNew).steps.map(\.step) == [10, 11, 5, 13])
    }
    for cut in 0..<file.file.count {
      #expect(file.resumed(at: cut, isFinished: true).flatMap(\.steps).map(\.step) == [10, 11, 5, 13], "cut at \(cut)")
    }
  }

  @Test("patterns of profiles: behind the host's own, of the logs that they name, and none that is not understood")
  func profiles() throws {
    let own = try [MatchedMetrics.pattern(#"a=(?<own>\d+)"#)]
    let profiles = [
      MetricPattern(match: #"(?<broken"#), MetricPattern(match: #"a=(?<a>\d+) b=(?<b>\d+)"#, file: "/srv/logs/*.log"),
      MetricPattern(match: #"b=(?<other>\d+)"#, file: "/srv/other/**"),
    ]
    func metrics(_ own: [CapturePattern], _ path: String) -> [Metric] {
      let declared = MatchedMetrics(own, profiles: profiles)
      var file = ReaderHarness("xx a=1 b=2\n") { context in
        FormatReaders(redactor: Redactor(), zone: { _ in 0 }, declared: declared).make(context)
      }
      file.path = path
      return file.pass(isFinished: true).steps.flatMap(\.metrics)
    }
    #expect(metrics([], "/srv/logs/x.log") == [Metric("a", 1), Metric("b", 2)])
    #expect(metrics(own, "/srv/logs/x.log") == [Metric("own", 1)])
    #expect(metrics([], "/srv/other/x.log") == [Metric("other", 2)])
    #expect(metrics([], "/var/x.log").isEmpty)
  }

  @Test("patterns that come while a log is followed hold from the next line on")
  func changed() throws {
    let harness = try FollowingHarness(["*.log"])
    try harness.append("x.log", "cost=1\n")
    harness.run(seconds: 1)
    harness.followers.declare(MatchedMetrics([], profiles: [MetricPattern(match: #"cost=(?<cost>\d+)"#)]))
    try harness.append("x.log", "cost=2\n")
    harness.run(seconds: 1)
    harness.followers.declare(MatchedMetrics())
    try harness.append("x.log", "cost=3\n")
    harness.run(seconds: 1)
    #expect(harness.collector.steps.map(\.metrics) == [[Metric("cost", 2)]])
    #expect(harness.collector.texts == ["cost=1", "cost=2", "cost=3"] && harness.collector.violations.isEmpty)
  }

  @Test("options: several patterns, mistakes in a sentence, and what read shows of them")
  func options() throws {
    let words = ["--metrics-match", Self.pattern, "--metrics-match=(?<x>\\d+)"]
    guard case .run(let options) = try AgentCommand.parse(["run", "--state-dir", "/a"] + words) else {
      Issue.record("not a run")
      return
    }
    #expect(options.metricPatterns.map(\.names) == [["step", "cost", "acc"], ["x"]])
    for mistake in ["loss", "(?<step>\\d+)", "(?<a", "(?=x)(?<a>y)"] {
      #expect(throws: UsageError.self) { try AgentCommand.parse(["read", "f", "--metrics-match", mistake]) }
    }
    let many = Array(repeating: ["--metrics-match", "(?<x>1)"], count: 17).flatMap { $0 }
    #expect(throws: UsageError.self) { try AgentCommand.parse(["read", "f"] + many) }
    let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString + ".log")
    try Data(Self.text.utf8).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let declared = MatchedMetrics([try MatchedMetrics.pattern(Self.pattern)])
    #expect(try AgentRead.understand(file.path, declared: declared).rows == 4)
    #expect(try AgentRead.understand(file.path).rows == 1)
  }
}
