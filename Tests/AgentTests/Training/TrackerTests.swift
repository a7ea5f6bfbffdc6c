import Files
import FleetModel
import Foundation
import Testing

@testable import Agent

enum TrackerFiles {
  static let mlflowRun = "mlflow/mlruns/111111111111111111/000000000000000000000000abcdef01"
}

/// MLflow's file store and the logs of Weights & Biases: what the libraries wrote, compared with what Python reads of it.
@Suite struct TrackerTests {
  private static func json(_ name: String) throws -> [String: Any] {
    let text = try ReaderHarness(fixture: name).file
    return try #require(try JSONSerialization.jsonObject(with: Data(text)) as? [String: Any])
  }

  private static func same(_ one: Double, _ other: Double) -> Bool { one == other || one.isNaN && other.isNaN }

  private static func detail(_ update: RunUpdate?) throws -> [String: Any] {
    let text = try #require(update?.detail)
    let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    return try #require(object["detail"] as? [String: Any])
  }

  // MARK: MLflow

  private static let runs = (1...3).map { "00000000000000000000000000abcdef0\($0)".suffix(32).description }

  private static func expectRows(_ steps: [TrainingStep], _ key: String, _ run: String) throws {
    let found = try #require(try json("mlflow/expected.json")[run] as? [String: Any])
    let rows = try #require((found["rows"] as? [String: [[Any]]])?[key])
    #expect(steps.count == rows.count)
    for (step, row) in zip(steps, rows) {
      let value = try #require((row[2] as? String).flatMap(Double.init))
      #expect(step.step == row[0] as? Int64 && step.timeNs / 1_000_000 == row[1] as? Int64)
      #expect(step.metrics.map(\.name) == [key] && same(step.metrics[0].value, value))
    }
  }

  @Test(
    "a metric's rows are those that MLflow reads, whole, in pieces and resumed", arguments: runs,
    ["train/loss", "accuracy"])
  func metrics(_ run: String, _ key: String) throws {
    let file = try ReaderHarness(fixture: "mlflow/mlruns/111111111111111111/\(run)/metrics/\(key)")
    #expect(file.identity.format == .mlflowMetric)
    try Self.expectRows(file.pass().steps, key, run)
    for isNew in [false, true] { try Self.expectRows(file.grown(by: 97, isNew: isNew).steps, key, run) }
    for cut in stride(from: 1, to: file.file.count, by: 53) {
      try Self.expectRows(file.resumed(at: cut).flatMap(\.steps), key, run)
    }
  }

  @Test("parameters, the run's name and how it ended", arguments: runs)
  func mlflowRun(_ run: String) throws {
    let found = try #require(try Self.json("mlflow/expected.json")[run] as? [String: Any])
    let directory = "mlflow/mlruns/111111111111111111/\(run)/"
    let id = try ReaderHarness(fixture: directory + "metrics/accuracy").pass().runs.last?.run
    for (name, value) in try #require(found["params"] as? [String: String]) {
      let update = try ReaderHarness(fixture: directory + "params/" + name).pass(isFinished: true).runs
      let read = try Self.detail(update.first)[name]
      #expect(update.count == 1 && update[0].run == id && update[0].state == .unknown)
      #expect("\(read ?? "")" == value || (value == "True" && read as? Bool == true))
    }
    let meta = try #require(try ReaderHarness(fixture: directory + "meta.yaml").pass(isFinished: true).runs.first)
    let states: [String: RunState] = ["FINISHED": .completed, "FAILED": .failed, "RUNNING": .unknown]
    #expect(meta.run == id && meta.state == states[found["status"] as? String ?? ""])
    if let endMs = found["end"] as? Int64 { #expect(meta.timeNs == endMs * 1_000_000) }
    #expect(try Self.detail(meta)["run_name"] as? String == found["name"] as? String)
  }

  @Test("other files below such a path are logs, and lines that are no values are shown")
  func mlflowOthers() throws {
    let path = "/srv/mlruns/0/00000000000000000000000000abcdef"
    #expect(TrainingFormats.detect(path: path + "/metrics/a", head: Array("hello\n".utf8).span) == .log)
    #expect(TrainingFormats.detect(path: path + "/artifacts/metrics/a", head: Array("1 2 3\n".utf8).span) == .log)
    #expect(TrainingFormats.detect(path: "/srv/metrics/a", head: Array("1 2 3\n".utf8).span) == .log)
    #expect(TrainingFormats.detect(path: "/srv/mlruns/0/meta.yaml", head: Array("name: x\n".utf8).span) == .log)
    var file = ReaderHarness("1795000000000 1.5 3\nno value here\n1795000000001 2.5\n1795000000002 3.5 4 data digest\n")
    {
      MLflowReader(context: $0)
    }
    file.path = path + "/metrics/a/b"
    let delta = file.pass()
    #expect(delta.steps.map(\.step) == [3, 0, 4] && delta.lines.texts == ["no value here"])
    #expect(delta.steps[0].metrics == [Metric("a/b", 1.5)])
  }

  @Test("a followed store: a row once, parameters once, the end of its file, over kills")
  func mlflowFollowed() throws {
    let harness = try FollowingHarness(["**"])
    let run = "0123456789abcdef0123456789abcdef"
    for directory in [run, run + "/metrics", run + "/params"] { try HostFiles.makeDirectory(harness.path(directory)) }
    func meta(_ status: Int, _ end: String) -> String {
      "end_time: \(end)\nlifecycle_stage: active\nrun_name: swift-owl\nstatus: \(status)\ntags: []\n"
    }
    try harness.append(run + "/meta.yaml", meta(1, "null"))
    try harness.append(run + "/params/lr", "0.001")
    for step in 0..<30 {
      for key in ["loss", "accuracy"] {
        try harness.append(run + "/metrics/" + key, "\(1_747_260_386_000 + step) \(Double(step) / 4) \(step)\n")
      }
      harness.run(seconds: 1)
      if step % 10 == 9 { try harness.restartAgent() } else if step % 3 == 0 { harness.reconnect() }
    }
    // Each metric's file is closed after each row, and rests.
    harness.run(seconds: 200, step: 1)
    #expect(harness.collector.runs.allSatisfy { $0.state == .running || $0.state == .unknown })
    try harness.overwrite(run + "/meta.yaml", meta(4, "1747260999000"))
    harness.run(seconds: 20)
    harness.run(seconds: 8000, step: 20)
    #expect(
      harness.collector.runs.last?.state == .failed && harness.collector.runs.last?.timeNs == 1_747_260_999_000_000_000)
    for key in ["loss", "accuracy"] {
      let steps = harness.collector.steps.filter { $0.metrics[0].name == key }.map(\.step)
      #expect(steps == (0..<30).map { Int64($0) })
    }
    #expect(Set(harness.collector.runs.map(\.run)).count == 1 && Set(harness.collector.steps.map(\.run)).count == 1)
    #expect(harness.collector.runs.contains { $0.detail.contains("\"lr\": 0.001") })
    #expect(harness.collector.losses.isEmpty && harness.collector.texts.isEmpty && harness.collector.violations.isEmpty)
  }

  // MARK: Weights & Biases

  private static let logs = ["good-run", "bad-run"]

  private static func expectWandb(_ deltas: [FileDelta], _ name: String) throws {
    let found = try #require(try json("wandb/expected.json")[name] as? [String: Any])
    let rows = try #require(found["rows"] as? [[String: String]])
    let steps = deltas.flatMap(\.steps)
    #expect(steps.count == rows.count && deltas.allSatisfy { $0.losses.isEmpty && $0.lines.isEmpty })
    for (step, row) in zip(steps, rows) {
      #expect(step.step == row["_step"].flatMap { Int64($0) })
      let seconds = try #require(row["_timestamp"].flatMap(Double.init))
      #expect(step.timeNs == Int64(seconds * 1e9))
      let numbers = row.filter { $0.key != "_step" && $0.key != "_timestamp" }.compactMapValues(Double.init)
      #expect(Set(step.metrics.map(\.name)) == Set(numbers.keys))
      for metric in step.metrics { #expect(same(metric.value, numbers[metric.name] ?? 0.125)) }
    }
  }

  @Test("rows, parameters and the end are those that W&B's own messages hold", arguments: logs)
  func wandb(_ name: String) throws {
    let found = try #require(try Self.json("wandb/expected.json")[name] as? [String: Any])
    var file = try ReaderHarness(fixture: "wandb/\(name)/run.wandb")
    file.make = { WandbReader(context: $0, redactor: Redactor()) }
    let delta = file.pass()
    try Self.expectWandb([delta], name)
    #expect(delta.to == UInt64(file.file.count) && Set(delta.runs.map(\.run)).count == 1)
    #expect(delta.runs[0].run.hasPrefix("wandb/\(name)-"))
    let details = try delta.runs.filter { $0.detail.contains("detail") }.map { try Self.detail($0) }
    let all = details.reduce(into: [:]) { $0.merge($1) { _, new in new } }
    #expect(
      all["lr"] as? Double == 0.001 && all["sde"] as? Bool == false && all["env.name"] as? String == "CartPole-v1")
    #expect(all["api_key"] as? String == "[redacted:key]" && all["wandb/name"] as? String == name)
    #expect(
      all["wandb/exit_code"] as? Int == found["exit"] as? Int && all["wandb/id"] as? String == found["id"] as? String)
    #expect(!all.keys.contains { $0.hasPrefix("_wandb") })
    let ends = delta.runs.filter { $0.state == .completed || $0.state == .failed }
    #expect(ends.map(\.state) == [name == "good-run" ? .completed : .failed])
    #expect(ends[0].timeNs >= delta.steps[delta.steps.count - 1].timeNs)
  }

  @Test(
    "the same in pieces of 97 bytes, with one reader and with a new one for each, and resumed anywhere", arguments: logs
  )
  func wandbPieces(_ name: String) throws {
    let file = try ReaderHarness(fixture: "wandb/\(name)/run.wandb")
    for isNew in [false, true] { try Self.expectWandb([file.grown(by: 97, isNew: isNew)], name) }
    for cut in [1, 7, 8, 500, 5000, 11_000, 32_767, 32_768, 32_775, 65_530, 70_000, 83_000] where cut < file.file.count
    {
      try Self.expectWandb(file.resumed(at: cut), name)
    }
    // What was read behind the exit does not end the run once more.
    var reader = file.make(file.context(at: file.file.count))
    var delta = FileDelta(file: file.identity, from: 0, to: 0)
    reader.finish(nowNs: 5, into: &delta)
    #expect(delta.runs.isEmpty)
  }

  @Test("damage costs the rest of its block of 32 KiB, which is a loss; the next block is read")
  func wandbDamage() throws {
    var file = try ReaderHarness(fixture: "wandb/good-run/run.wandb")
    let all = file.pass().steps.count
    file.file[40_000] ^= 1
    let delta = file.pass(isFinished: true)
    let lost = try #require(delta.losses.first)
    #expect(delta.losses.count == 1 && lost.reason == .unreadable && lost.from < 40_000 && lost.to == 65_536)
    #expect(delta.steps.count < all && delta.steps.count > all / 4 && delta.to == UInt64(file.file.count))
    #expect(delta.steps.last?.step == 238 && delta.runs.last { $0.state != .running }?.state == .completed)
  }

  @Test("a followed log: each row once, over kills, and a block that is not whole is waited for")
  func wandbFollowed() throws {
    let harness = try FollowingHarness(["**"])
    let bytes = try ReaderHarness(fixture: "wandb/good-run/run.wandb").file
    for (index, start) in stride(from: 0, to: bytes.count, by: 6001).enumerated() {
      let part = Array(bytes[start..<min(start + 6001, bytes.count)])
      try Descriptor.open(harness.path("run-1.wandb"), .append).write(part.span)
      harness.run(seconds: 6)
      if index % 4 == 1 { try harness.restartAgent() } else if index % 4 == 3 { harness.reconnect() }
    }
    harness.run(seconds: 100)
    let rows = try #require((try Self.json("wandb/expected.json")["good-run"] as? [String: Any])?["rows"] as? [Any])
    #expect(harness.collector.steps.map(\.step) == (0..<rows.count).map { Int64($0 * 2) })
    #expect(harness.collector.losses.isEmpty && harness.collector.texts.isEmpty && harness.collector.violations.isEmpty)
    #expect(harness.collector.runs.filter { $0.state == .completed }.count == 1)
  }
}
