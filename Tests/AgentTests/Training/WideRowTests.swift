import Agent
import FleetModel
import Testing

/// Rows of more figures than are kept: the known names are taken wherever they stand, and what is left out is counted.
@Suite struct WideRowTests {
  static let leftOut = "signalbox/figures_left_out"

  /// As RLlib writes it: the statistics of each policy first, counters and `done` last.
  static func result(_ iteration: Int, policies: Int, done: Bool) -> String {
    let names = ["kl", "lr", "entropy", "policy_loss", "total_loss", "vf_loss", "vf_explained_var"]
    let statistics = names.map { "\"\($0)\": 0.1" }.joined(separator: ", ")
    let learners = (0..<policies).map { "\"policy_\($0)\": {\"learner_stats\": {\(statistics)}}" }
    return "{\"info\": {\"learner\": {\(learners.joined(separator: ", "))}}, \"timesteps_total\": \(4000 * iteration), "
      + "\"done\": \(done), \"training_iteration\": \(iteration), \"timestamp\": \(1_790_000_000 + iteration)}\n"
  }

  func harness(_ text: String, path: String) -> ReaderHarness {
    var harness = ReaderHarness(text) { TrainingFormats.make($0) ?? ResultReader(context: $0) }
    harness.path = path
    return harness
  }

  @Test("a result of many policies ends its run, and has its step and its time", arguments: [3, 40, 1000])
  func results(policies: Int) throws {
    let text = (1...3).map { Self.result($0, policies: policies, done: $0 == 3) }.joined()
    let delta = harness(text, path: "/srv/p/result.json").pass()
    #expect(delta.runs.map(\.state) == [.running, .completed])
    #expect(delta.steps.map(\.step) == [4000, 8000, 12_000])
    #expect(delta.steps.map(\.timeNs) == (1...3).map { (1_790_000_000 + $0) * 1_000_000_000 })
    let figures = policies * 7 + 4
    let left = delta.steps[0].metrics.first { $0.name == Self.leftOut }?.value
    #expect(left == (figures > 260 ? Double(policies * 7 - TrainingLimits.metricsMax) : nil))
    #expect(delta.steps.allSatisfy { $0.metrics.count <= 512 })
  }

  @Test("a known name that is repeated without end takes no more room than it has")
  func repeated() {
    let filler = (0..<300).map { "\"m\($0)\": 1" }.joined(separator: ", ")
    let again = Array(repeating: "\"done\": false", count: 5000).joined(separator: ", ")
    let delta = harness("{\(filler), \(again)}\n", path: "/srv/p/result.json").pass()
    #expect((delta.steps.first?.metrics.count ?? 1000) <= 512)
  }

  static func progress(columns: Int, name: String = "train/p") -> String {
    let names = ["rollout/ep_rew_mean"] + (0..<columns).map { "\(name)\($0)" } + ["time/total_timesteps"]
    return names.joined(separator: ",") + "\n"
  }

  static func row(columns: Int, _ step: Int) -> String {
    "5" + String(repeating: ",0.5", count: columns) + ",\(step)\n"
  }

  @Test("progress.csv of many columns is a training file", arguments: [10, 300, 5000])
  func columns(count: Int) throws {
    let text = Self.progress(columns: count) + Self.row(columns: count, 1000)
    let file = harness(text, path: "/srv/c/progress.csv")
    #expect(file.identity.format == .progressCSV)
    let delta = file.pass()
    #expect(delta.steps.map(\.step) == [1000] && delta.steps.map(\.reward) == [5])
    #expect(delta.lines.isEmpty)
    #expect(delta.steps[0].metrics.contains { $0.name == Self.leftOut } == (count > 256))
  }

  @Test("a header longer than 64 KiB is known after a restart")
  func longHeader() throws {
    let harness = try FollowingHarness(["*.csv"])
    try harness.append("progress.csv", Self.progress(columns: 2000, name: String(repeating: "x", count: 40)))
    try harness.append("progress.csv", Self.row(columns: 2000, 1))
    harness.run(seconds: 1)
    try harness.restartAgent()
    try harness.append("progress.csv", Self.row(columns: 2000, 2))
    harness.run(seconds: 3)
    #expect(harness.collector.steps.map(\.step) == [1, 2])
    #expect(harness.collector.texts.isEmpty && harness.collector.violations.isEmpty)
  }

  @Test("monitor.csv that a program with other info keywords goes on with: each row is an episode")
  func otherKeywords() {
    let text =
      "#{\"t_start\": 1790000000.0, \"env_id\": \"X\"}\nr,l,t,is_success\n1.5,10,1.0,True\n2.5,11,2.0\n3.5,12,3.0,1,7\n"
    let delta = harness(text, path: "/srv/m/monitor.csv").pass()
    #expect(delta.episodes.map(\.finalReward) == [1.5, 2.5, 3.5])
    #expect(delta.lines.isEmpty)
    #expect(delta.steps.map { $0.metrics.map(\.name) } == [["is_success"], ["column_4", "column_5"]])
  }

  @Test("an event of the socket says how many of its metrics were left out")
  func socket() throws {
    let members = (0..<300).map { "\"m\($0)\": 1" }.joined(separator: ", ")
    let line =
      "{\"event\": \"metric\", \"run\": \"r\", \"step\": 1, \"metrics\": {\(members)}, \"name\": \"loss\", \"value\": 2}"
    var session = SocketSession(peer: SocketPeer(pid: 7, uid: 1000))
    var records = Records()
    _ = session.receive(Array((line + "\n").utf8).span, nowNs: 1, monotonicNs: 0, into: &records)
    let metrics = try #require(records.steps.first?.metrics)
    #expect(metrics.first { $0.name == Self.leftOut }?.value == 44)
    #expect(metrics.last?.name == "loss")
  }
}
