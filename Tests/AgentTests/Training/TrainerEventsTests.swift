import Files
import FleetModel
import Foundation
import Testing

@testable import Agent

/// Event files of Hugging Face's Trainer, which lie below the directory of its checkpoints, and those of torch's writer, which look the same.
@Suite struct TrainerEventsTests {
  private static let events = "tiny-run/runs/Nov30_10-20-30_host/events.out.tfevents.1795300000.host.7.0"
  private static let other = "runs/Nov30_10-20-31_host/events.out.tfevents.1795300001.host"

  private static func bytes(_ name: String) throws -> [UInt8] {
    try ReaderHarness(fixture: "trainer-events/" + name).file
  }

  private static func add(_ harness: FollowingHarness, _ name: String, as path: String? = nil) throws {
    let path = harness.path(path ?? name)
    var directory = ""
    for part in path.split(separator: "/").dropLast() {
      directory += "/" + part
      try? HostFiles.makeDirectory(directory)
    }
    try append(bytes(name)[...], to: path)
  }

  private static func makeDirectories(_ harness: FollowingHarness) throws {
    for name in ["tiny-run", "tiny-run/runs", "tiny-run/runs/Nov30_10-20-30_host"] {
      try HostFiles.makeDirectory(harness.path(name))
    }
  }

  private static func append(_ part: ArraySlice<UInt8>, to path: String) throws {
    let content = Array(part)
    let file = try Descriptor.open(path, .append)
    try file.write(content.span)
  }

  @Test("checkpoints and event files are one run, over restarts of the agent")
  func oneRun() throws {
    let harness = try FollowingHarness(["**"])
    let events = try Self.bytes(Self.events)
    try Self.add(harness, Self.other)
    // At first there is only what the writer writes when it is made.
    try Self.makeDirectories(harness)
    try Self.append(events[..<88], to: harness.path(Self.events))
    harness.run(seconds: 5)
    for end in [events.count - 1500, events.count - 700, events.count] {
      let from = try HostFiles.read(harness.path(Self.events), limitBytes: 1 << 20).count
      try Self.append(events[from..<end], to: harness.path(Self.events))
      harness.run(seconds: 5)
      try harness.restartAgent()
    }
    try Self.add(harness, "tiny-run/checkpoint-10/trainer_state.json")
    try Self.add(harness, "tiny-run/checkpoint-20/trainer_state.json")
    try Self.add(harness, "tiny-run/trainer_state.json")
    harness.run(seconds: 20)
    harness.run(seconds: 7300, step: 20)
    let run = RunPlace(harness.path("tiny-run/trainer_state.json"), .trainerState).run
    let alone = RunPlace(harness.path(Self.other), .eventFile).run
    #expect(Set(harness.collector.runs.map(\.run)) == [run, alone])
    #expect(Set(harness.collector.steps.map(\.run)) == [run, alone])
    #expect(harness.collector.steps.contains { $0.run == run && $0.metrics.contains { $0.name == "train/loss" } })
    #expect(harness.collector.steps.contains { $0.run == run && $0.metrics.contains { $0.name == "loss" } })
    #expect(harness.collector.runs.last { $0.run == run }?.state == .completed)
    #expect(harness.collector.violations.isEmpty && harness.collector.losses.isEmpty)
  }

  @Test("started again in its place, by another process, it is a new attempt of the same run")
  func attempts() throws {
    let harness = try FollowingHarness(["**"])
    // Who closed a file is seen once its directory is known.
    try Self.makeDirectories(harness)
    harness.run(seconds: 5)
    try Self.add(harness, Self.events)
    harness.run(seconds: 70, step: 1)
    let again = "tiny-run/runs/Nov30_11-00-00_host/events.out.tfevents.1795302000.host.8.0"
    try Self.add(harness, Self.events, as: again)
    harness.run(seconds: 10)
    #expect(Set(harness.collector.runs.map(\.run)).count == 1)
    #expect(harness.collector.runs.contains { $0.beginning == .takeover })
  }

  @Test("what read shows names the run of the output directory")
  func understanding() throws {
    let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "Fixtures/training/trainer-events")
    let found = try AgentRead.understand(fixtures.appending(path: Self.events).path())
    #expect(found.runs.allSatisfy { $0.run.hasPrefix("trainer-events/tiny-run-") } && found.rows > 0)
    let other = try AgentRead.understand(fixtures.appending(path: Self.other).path())
    #expect(other.runs.allSatisfy { $0.run.hasPrefix("runs/Nov30_10-20-31_host-") } && other.rows == 5)
  }
}
