import Files
import FleetModel
import Foundation
import Testing

@testable import Agent

/// `trainer_state.json`: what Hugging Face's Trainer wrote, compared with what Python reads of it.
@Suite struct TrainerStateTests {
  static let files =
    [20, 40, 60].map { "tiny-run/checkpoint-\($0)/trainer_state.json" } + ["tiny-run/trainer_state.json"]

  /// Rows of a file: name and value of each figure.
  static func expected(_ name: String) throws -> [[String: Double]] {
    let text = try ReaderHarness(fixture: "trainer/expected.json").file
    return try #require(try JSONDecoder().decode([String: [[String: Double]]].self, from: Data(text))[name])
  }

  private static func rows(_ steps: [TrainingStep]) -> [[String: Double]] {
    steps.map { Dictionary($0.metrics.map { ($0.name, $0.value) }) { first, _ in first } }
  }

  @Test("rows are those that Python reads, with their step", arguments: files)
  func rows(_ name: String) throws {
    let file = try ReaderHarness(fixture: "trainer/" + name)
    let wanted = try Self.expected(name)
    let delta = file.pass()
    #expect(Self.rows(delta.steps) == wanted && delta.lines.isEmpty && delta.losses.isEmpty)
    #expect(delta.steps.map { Double($0.step) } == wanted.map { $0["step"] })
    // A run is the directory above its checkpoints.
    #expect(Set(delta.runs.map(\.run)).count == 1 && delta.runs[0].run.hasPrefix("trainer/tiny-run-"))
    #expect(delta.runs.last?.state == (name.contains("-20") || name.contains("-40") ? .unknown : .completed))
    for member in ["\"max_steps\": 60", "\"save_steps\": 20", "\"train_batch_size\": 4"] {
      #expect(delta.runs.last?.detail.contains(member) == true)
    }
  }

  @Test(
    "the same in pieces of 97 bytes, with one reader and with a new one for each, and resumed anywhere",
    arguments: files)
  func pieces(_ name: String) throws {
    let file = try ReaderHarness(fixture: "trainer/" + name)
    let wanted = try Self.expected(name)
    for isNew in [false, true] { #expect(Self.rows(file.grown(by: 97, isNew: isNew).steps) == wanted) }
    for cut in stride(from: 1, to: file.file.count, by: 211) {
      let deltas = file.resumed(at: cut)
      #expect(Self.rows(deltas.flatMap(\.steps)) == wanted, "cut at \(cut)")
    }
  }

  @Test("NaN and infinities are kept, as Python's json writes them; the time is the file's")
  func values() {
    let text =
      "{\n \"epoch\": 1,\n \"log_history\": [{\"loss\": NaN, \"step\": 1}, {\"loss\": -Infinity, \"step\": 2}]\n}\n"
    var file = ReaderHarness(text) { context in
      var context = context
      context.modifiedNs = 1_795_000_000_000_000_000
      return TrainerStateReader(context: context)
    }
    file.path = "/srv/out/trainer_state.json"
    #expect(file.identity.format == .trainerState)
    let steps = file.pass().steps
    #expect(steps.count == 2 && steps[0].metrics[0].value.isNaN && steps[1].metrics[0].value == -.infinity)
    #expect(steps.allSatisfy { $0.timeNs == 1_795_000_000_000_000_000 })
  }

  @Test("what is no such document is not taken for one, and damage in one ends it without a trap")
  func others() throws {
    func detect(_ text: String) -> FileFormat {
      TrainingFormats.detect(path: "/a/trainer_state.json", head: Array(text.utf8).span)
    }
    #expect(detect("{\"a\": 1}\n{\"a\": 2}\n") == .log && detect("{\n  \"best_metric\": null,\n") == .trainerState)
    var file = try ReaderHarness(fixture: "trainer/" + Self.files[0])
    let end = try #require(file.file.indices.filter { file.file[$0] == UInt8(ascii: "}") }.first)
    file.file.replaceSubrange(end + 1..<end + 2, with: Array("]]]]".utf8))
    let delta = file.pass(isFinished: true)
    #expect(delta.steps.count == 1 && delta.to == UInt64(file.file.count))
  }

  // MARK: Followed

  private static func text(_ name: String) throws -> String {
    String(decoding: try ReaderHarness(fixture: "trainer/" + name).file, as: UTF8.self)
  }

  private static func expectAll(_ harness: FollowingHarness, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let wanted = try expected(files[3])
    #expect(rows(harness.collector.steps) == wanted, sourceLocation: sourceLocation)
    #expect(Set(harness.collector.steps.map(\.run)).count == 1, sourceLocation: sourceLocation)
    #expect(harness.collector.losses.isEmpty && harness.collector.texts.isEmpty, sourceLocation: sourceLocation)
    #expect(harness.collector.violations.isEmpty, sourceLocation: sourceLocation)
  }

  private static func write(_ harness: FollowingHarness, _ name: String) throws {
    let directory = name.split(separator: "/").dropLast().joined(separator: "/")
    try HostFiles.makeDirectory(harness.path("tiny-run"))
    try HostFiles.makeDirectory(harness.path(directory))
    try harness.append(name, text(name))
  }

  @Test(
    "each row comes once from checkpoints that repeat the history, the oldest of which is deleted, over kills",
    arguments: [false, true], [false, true])
  func checkpoints(isRestarted: Bool, isDeleted: Bool) throws {
    let harness = try FollowingHarness(["**"])
    for (index, name) in Self.files.enumerated() {
      func next() throws {
        try Self.write(harness, name)
        if isDeleted, index > 0 { try harness.delete(Self.files[index - 1]) }
      }
      if isRestarted { try harness.restartAgent { try next() } } else { try next() }
      harness.run(seconds: 90, step: 1)
      harness.reconnect()
      harness.run(seconds: 2)
    }
    try Self.expectAll(harness)
    try harness.restartAgent()
    harness.run(seconds: 5)
    try Self.expectAll(harness)
    #expect(harness.collector.runs.last { $0.state == .completed || $0.state == .failed }?.state == .completed)
    // A pause between two checkpoints is no end.
    let first = harness.collector.runs.firstIndex { $0.state == .completed } ?? 0
    #expect(harness.collector.runs[first...].allSatisfy { $0.state != .running } || isRestarted)
  }

  @Test("checkpoints that are all there at the first look, whichever is read first")
  func allAtOnce() throws {
    let harness = try FollowingHarness(["**"], before: { _ in })
    for name in Self.files { try Self.write(harness, name) }
    harness.take(2)
    harness.reconnect(committing: 1)
    harness.run(seconds: 10)
    let wanted = try Self.expected(Self.files[3])
    #expect(Set(Self.rows(harness.collector.steps)) == Set(wanted) && harness.collector.steps.count == wanted.count)
    #expect(harness.collector.losses.isEmpty && harness.collector.violations.isEmpty)
  }

  @Test(
    "one file that is written anew with each save goes on, also while it is half written", arguments: [false, true])
  func rewritten(isDown: Bool) throws {
    let harness = try FollowingHarness(["**"])
    let name = "trainer_state.json"
    for (index, source) in Self.files.enumerated() {
      let text = try Self.text(source)
      func save() throws {
        if index > 0 { try harness.truncate(name) }
        try harness.append(name, String(text.prefix(text.count / 2)))
        if !isDown {
          harness.look()
          harness.run(seconds: 0.2)
        }
        try harness.append(name, String(text.dropFirst(text.count / 2)))
      }
      if isDown, index > 0 { try harness.restartAgent { try save() } } else { try save() }
      harness.run(seconds: 6)
    }
    try Self.expectAll(harness)
  }

  @Test("a document that never becomes whole is waited for, and one beyond the limit is a loss")
  func incomplete() throws {
    let harness = try FollowingHarness(["**"])
    let text = try Self.text(Self.files[0])
    try harness.append("trainer_state.json", String(text.dropLast(40)))
    harness.run(seconds: 30)
    #expect(harness.collector.steps.isEmpty && harness.collector.texts.isEmpty)
    try harness.append("trainer_state.json", String(text.suffix(40)))
    harness.run(seconds: 5)
    #expect(harness.collector.steps.count == 5)

    let large = try FollowingHarness(["**"])
    try large.append("trainer_state.json", text + String(repeating: " ", count: 16 << 20))
    large.run(seconds: 5)
    #expect(large.collector.steps.isEmpty && large.collector.losses.map(\.reason) == [.unreadable])
  }
}
