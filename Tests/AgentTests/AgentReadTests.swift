import Agent
import FleetModel
import Foundation
import Testing

/// `signalbox-agent read FILE`: the same words about a file as the agent's rows.
@Suite struct AgentReadTests {
  private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Fixtures/training").path

  private static func answer(_ path: String) throws -> [String: Any] {
    let found = try AgentRead.understand(path)
    return try #require(try JSONSerialization.jsonObject(with: Data(found.json.utf8)) as? [String: Any])
  }

  @Test(
    "the format, the run and the number of rows of each kind of file",
    arguments: [
      ("tensorboard/classic/PPO_1/events.out.tfevents.1795300000.host", "tensorboard_event_file", 60, "tensorboard"),
      ("sb3-cartpole-ppo/progress.csv", "progress_csv", 24, "stable-baselines3"),
      ("sb3-cartpole-ppo/0.monitor.csv", "monitor_csv", 152, "stable-baselines3"),
      ("rllib-cartpole-ppo/result.json", "result_json", 6, "rllib"),
      ("seed-format/training_log.csv", "training_log_csv", 180, "training_log"),
      ("trainer/tiny-run/trainer_state.json", "trainer_state_json", 16, "transformers"),
      (TrackerFiles.mlflowRun + "/metrics/train/loss", "mlflow_metric", 25, "mlflow"),
      ("wandb/good-run/run.wandb", "wandb_log", 120, "wandb"),
    ])
  func formats(_ name: String, _ format: String, _ rows: Int, _ framework: String) throws {
    let answer = try Self.answer(Self.fixtures + "/" + name)
    #expect(answer["format"] as? String == format && answer["rows"] as? Int == rows)
    let runs = try #require(answer["runs"] as? [[String: Any]])
    #expect(runs.count == 1 && runs[0]["framework"] as? String == framework)
    if rows != 152 { #expect(answer["first"] is [String: Any] && answer["last"] is [String: Any]) }
  }

  @Test("what is left unread is shown with its reason, and parameters without their secrets")
  func unread() throws {
    let name = "/tensorboard/classic/PPO_1/events.out.tfevents.1795300000.host"
    let answer = try Self.answer(Self.fixtures + name)
    let parameters = try #require(answer["parameters"] as? [String: Any])
    #expect(parameters["learning_rate"] as? String == "0.0003" && parameters["api_key"] as? String == "[redacted:key]")
    let unread = try #require(answer["unread"] as? [[String: Any]])
    #expect(unread.count == 1 && unread[0]["count"] as? Int == 7)
    #expect(try AgentRead.understand(Self.fixtures + name).text.contains("unread      7 × values that are no scalars"))
  }

  @Test("a log, a damaged row, half a line, a binary file, and none")
  func others() throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
      let path = directory.appending(path: name)
      try Data(bytes).write(to: path)
      return path.path
    }
    let log = try Self.answer(
      try write("a.log", Array("2025-05-14 22:33:06 ERROR no\npassword=hunter2hunter2\nhalf".utf8)))
    let lines = try #require(log["lines"] as? [String: Any])
    #expect(lines["count"] as? Int == 3 && lines["timed"] as? Int == 1 && lines["redacted"] as? Int == 1)
    #expect((lines["levels"] as? [String: Int])?["error"] == 1)

    let rows = try Self.answer(
      try write("result.json", Array("{\"training_iteration\": 1}\n{broken\n{\"training_iteration\": 2".utf8)))
    let unread = try #require(rows["unread"] as? [[String: Any]])
    #expect(rows["rows"] as? Int == 1 && unread.count == 2 && unread[1]["bytes"] as? Int == 24)

    let binary = try Self.answer(try write("a.bin", [0x1f, 0x8b] + [UInt8](repeating: 7, count: 90)))
    #expect(binary["format"] as? String == "binary" && (binary["unread"] as? [Any])?.count == 1)
    #expect(AgentMain.run(["read", directory.path + "/none"]) == 1)
    #expect(throws: UsageError.self) { try AgentCommand.parse(["read"]) }
    #expect(throws: UsageError.self) { try AgentCommand.parse(["read", "a", "b"]) }
    #expect(throws: UsageError.self) { try AgentCommand.parse(["read", "a", "--format", "xml"]) }
  }
}
