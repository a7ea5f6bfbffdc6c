import Files
import FleetModel
import Foundation
import Testing

@testable import Agent

/// Files of parameters beside a run: what the libraries wrote, compared with what Python reads of it.
@Suite struct ParameterFileTests {
  private static let files = [
    "lightning/hparams.yaml", "zoo/config.yml", "zoo/args.yml", "rllib/params.json", "transformers/training_args.json",
  ]

  private static func detail(_ text: String) throws -> [String: Any] {
    let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    return try #require(object["detail"] as? [String: Any])
  }

  @Test("flat names and scalars are those that Python reads", arguments: files)
  func scalars(_ name: String) throws {
    let expected = try ReaderHarness(fixture: "parameters/expected.json").file
    let all = try #require(try JSONSerialization.jsonObject(with: Data(expected)) as? [String: [String: Any]])
    var file = try ReaderHarness(fixture: "parameters/" + name)
    #expect(file.identity.format == .runParameters)
    file.make = { ParameterFileReader(context: $0) }
    let delta = file.grown(by: 97, isNew: false)
    #expect(delta.runs.count == 1 && delta.runs[0].state == .unknown && delta.to == UInt64(file.file.count))
    #expect(delta.steps.isEmpty && delta.lines.isEmpty && delta.losses.isEmpty)
    let found = try Self.detail(delta.runs[0].detail)
    let wanted = try #require(all[name])
    #expect(Set(found.keys) == Set(wanted.keys))
    for (key, value) in wanted where !(value as? String == "inf") {
      if let number = value as? Double {
        #expect(found[key] as? Double == number, "\(key)")
      } else {
        #expect(found[key] as? String == value as? String, "\(key)")
      }
    }
  }

  private static func yaml(_ text: String) throws -> (found: [String: Any], leftOut: Int) {
    var reader = ParameterText(nil)
    reader.read(yaml: Array(text.utf8).span)
    return (reader.parameters.isEmpty ? [:] : try detail(reader.parameters.detail), reader.leftOut)
  }

  @Test("what is not understood is left out and counted, and what follows it is read")
  func leftOut() throws {
    let text = """
      # a comment
      ---
      a: 1   # of this
      b: &anchor {x: 1}
      c: *anchor
      d: |
        several: lines
        of: text
      e:
        f: [1,
          2]
        g: "a\\tb" # c
        h: 'x # y'
        i: !!python/name:os.system
      - loose
      "j": -1.5e3
      k:
      l: .nan
      m: "open
      n: 2
      """
    let (found, leftOut) = try Self.yaml(text)
    #expect(found["a"] as? Int == 1 && found["e.g"] as? String == "a\tb" && found["e.h"] as? String == "x # y")
    #expect(found["j"] as? Double == -1500 && found["l"] as? String == ".nan" && found["n"] as? Int == 2)
    #expect(Set(found.keys) == ["a", "e.g", "e.h", "j", "l", "n"] && leftOut == 7)
  }

  @Test("any bytes end without a trap, with bounded parameters", arguments: 0..<200 as Range<UInt64>)
  func hostile(seed: UInt64) throws {
    let keys = KeyGenerator(seed: seed)
    let parts = [
      ":", ": ", "- ", "\n", "  ", "'", "\"", "\\", "#", "!!python/tuple", "|", "{", "[", "a", "1", "\u{e9}", "\0",
      "---",
    ]
    var bytes: [UInt8] = seed % 2 == 0 ? [] : Array("!!python/object/apply:collections.OrderedDict\n".utf8)
    for _ in 0..<400 { bytes += Array(parts[keys.below(parts.count)].utf8) }
    if seed % 5 == 0 { bytes += (0..<200).map { _ in UInt8(keys.below(256)) } }
    var text = ParameterText(Redactor())
    text.read(yaml: bytes.span)
    _ = text.read(json: bytes.span)
    _ = ParameterText.looksLike(yaml: bytes.span)
    #expect(text.parameters.detail.utf8.count < 20_000)
    let deep = Array(String(repeating: "{\"a\":", count: 500).utf8)
    let isDeepRead = text.read(json: deep.span)
    #expect(!isDeepRead)
  }

  @Test("a file beyond the limit is passed over and counted; secrets are removed")
  func limits() throws {
    let large = ReaderHarness(String(repeating: "abcdefg: 1\n", count: 30_000)) { ParameterFileReader(context: $0) }
    #expect(large.pass(isFinished: true).runs.isEmpty)
    let many = ReaderHarness((0..<3000).map { "name_\($0): value\n" }.joined()) {
      ParameterFileReader(context: $0, redactor: Redactor())
    }
    let detail = try #require(many.pass(isFinished: true).runs.first?.detail)
    #expect(detail.utf8.count < 20_000 && detail.contains("signalbox/parameters_left_out"))
    let secret = ReaderHarness("api_key: sk-abcdefghijklmnopqrstuvwxyz123456\n") {
      ParameterFileReader(context: $0, redactor: Redactor())
    }
    #expect(secret.pass(isFinished: true).runs[0].detail.contains("[redacted"))
  }

  // MARK: Followed

  private static func metrics(_ harness: FollowingHarness, _ step: Int) throws {
    if step == 1 { try harness.append("version_0/metrics.csv", "epoch,step,train_loss\r\n") }
    try harness.append("version_0/metrics.csv", "0,\(step),0.5\r\n")
  }

  @Test("parameters written before the first row go to that row's run, once, over kills, and never as lines")
  func followed() throws {
    let harness = try FollowingHarness(["**"])
    try HostFiles.makeDirectory(harness.path("version_0"))
    try harness.append("version_0/hparams.yaml", "lr: 0.001\nmodel:\n  width: 64\n")
    harness.run(seconds: 100)
    #expect(harness.collector.runs.isEmpty && harness.collector.texts.isEmpty)
    try Self.metrics(harness, 1)
    harness.run(seconds: 10)
    let run = try #require(harness.collector.steps.first?.run)
    func parameters() -> [RunUpdate] { harness.collector.runs.filter { $0.detail.contains("lr") } }
    #expect(parameters().map(\.run) == [run] && parameters()[0].detail.contains("\"model.width\": 64"))
    try harness.restartAgent()
    try Self.metrics(harness, 2)
    harness.run(seconds: 20)
    #expect(parameters().count == 1)
    // Written anew.
    try harness.truncate("version_0/hparams.yaml")
    try harness.append("version_0/hparams.yaml", "lr: 0.002\n")
    harness.run(seconds: 20)
    try Self.metrics(harness, 3)
    harness.reconnect()
    harness.run(seconds: 20)
    #expect(parameters().last?.detail.contains("0.002") == true)
    #expect(Set(harness.collector.runs.map(\.run)) == [run] && harness.collector.steps.map(\.step) == [1, 2, 3])
    #expect(harness.collector.losses.isEmpty && harness.collector.texts.isEmpty && harness.collector.violations.isEmpty)
  }

  @Test("without a run beside it, such a file is a log, and no run")
  func alone() throws {
    let harness = try FollowingHarness(["**"])
    try harness.append("config.yaml", "lr: 0.001\n")
    try harness.append("app.log", "hello\n")
    harness.run(seconds: 700, step: 2)
    #expect(harness.collector.runs.isEmpty && Set(harness.collector.texts) == ["hello", "lr: 0.001"])
    try harness.append("config.yaml", "more: 1\n")
    harness.run(seconds: 10)
    #expect(harness.collector.texts.last == "more: 1" && harness.collector.violations.isEmpty)
  }

  @Test("any document beside a known run is of parameters, a log of objects is not; RL Zoo's lie one directory deeper")
  func others() throws {
    let harness = try FollowingHarness(["**"])
    try HostFiles.makeDirectory(harness.path("version_0"))
    try HostFiles.makeDirectory(harness.path("version_0/CartPole-v1"))
    try Self.metrics(harness, 1)
    harness.run(seconds: 2)
    try harness.append("version_0/mine.json", "{\n  \"depth\": 3\n}\n")
    try harness.append("version_0/notes.json", "{\"event\": \"started\"}\n")
    try harness.append("version_0/CartPole-v1/args.yml", "algo: ppo\n")
    harness.run(seconds: 20)
    try harness.append("version_0/notes.json", "{\"event\": \"ended\"}\n")
    harness.run(seconds: 20)
    let details = harness.collector.runs.map(\.detail).joined()
    #expect(details.contains("\"depth\": 3") && details.contains("\"algo\": \"ppo\""))
    #expect(harness.collector.texts.count == 2 && Set(harness.collector.runs.map(\.run)).count == 1)
    #expect(harness.collector.violations.isEmpty)
  }
}
