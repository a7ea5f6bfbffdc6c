import Files
import FleetModel
import Foundation
import TestSupport
import Testing

@testable import Agent

/// Where an agent begins with files that were there before it.
@Suite(.timeLimit(.minutes(10))) struct FollowingHistoryTests {
  private static func put(_ directory: String, _ name: String, _ text: String, ageSeconds: Double = 3600) throws {
    let path = directory + "/" + name
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSinceNow: -ageSeconds)], ofItemAtPath: path)
    // Its birth must be before the agent's start by more than a tick of the kernel.
    usleep(30_000)
  }

  private func history(_ harness: FollowingHarness, _ name: String) -> UInt64? {
    harness.collector.files.values.first { !$0.isFinished && $0.mark.file.path.hasSuffix("/" + name) }?.mark.file
      .historyBytes
  }

  @Test("what a file held at the first start is history, also for the agents after it; what comes later is not")
  func historyStays() throws {
    let harness = try FollowingHarness(["*.log"], history: FollowedHistory(isNoted: true)) {
      try Self.put($0, "old.log", "an old line\nanother\n")
    }
    harness.run(seconds: 4)
    try harness.append("old.log", "new\n")
    try harness.append("new.log", "new too\n")
    harness.run(seconds: 4)
    #expect(history(harness, "old.log") == 20)
    #expect(history(harness, "new.log") == 0)
    harness.reconnect()
    harness.run(seconds: 4)
    try harness.restartAgent { try harness.append("third.log", "made while it was down\n") }
    try harness.append("old.log", "newer\n")
    harness.run(seconds: 10)
    #expect(history(harness, "old.log") == 20)
    #expect(history(harness, "third.log") == 0)
    // The next generation has no history.
    try harness.rename("old.log", "old.done")
    try harness.append("old.log", "of the next generation\n")
    harness.run(seconds: 100)
    #expect(history(harness, "old.log") == 0)
    #expect(harness.collector.rows.count == 7)
  }

  @Test("a file of which nothing was sent before a restart is history all the same")
  func unsentHistory() throws {
    let harness = try FollowingHarness(["*.log"], history: FollowedHistory(isNoted: true)) {
      try Self.put($0, "old.log", "an old line\n")
    }
    try harness.restartAgent()
    harness.run(seconds: 4)
    #expect(history(harness, "old.log") == 12)
  }

  @Test("without a first start on record there is no history")
  func noRecord() throws {
    let harness = try FollowingHarness(["*.log"]) { try Self.put($0, "old.log", "an old line\n") }
    harness.run(seconds: 4)
    #expect(history(harness, "old.log") == 0)
  }

  @Test("from the end, what was there is left out and said, and never read by a later agent")
  func fromEnd() throws {
    let harness = try FollowingHarness(["*.log"], history: FollowedHistory(isNoted: true, from: .end)) {
      try Self.put($0, "old.log", "an old line\nanother\nhalf a li")
    }
    harness.run(seconds: 4)
    try harness.append("old.log", "ne\n")
    try harness.append("new.log", "whole\n")
    harness.run(seconds: 10)
    try harness.restartAgent()
    try harness.append("old.log", "last\n")
    harness.run(seconds: 10)
    #expect(harness.collector.texts.sorted() == ["half a line", "last", "whole"])
    #expect(harness.collector.losses.map(\.reason) == [.skipped])
    #expect(harness.collector.losses.first.map { $0.from..<$0.to } == 0..<20)
    #expect(harness.collector.violations.isEmpty)
  }

  @Test("from an age, files that did not change since are left out")
  func fromAge() throws {
    let history = FollowedHistory(isNoted: true, from: .since(7_200_000_000_000))
    let harness = try FollowingHarness(["*.log"], history: history) {
      try Self.put($0, "yesterday.log", "old\n", ageSeconds: 86_400)
      try Self.put($0, "hour.log", "an hour ago\n")
    }
    harness.run(seconds: 10)
    #expect(harness.collector.texts == ["an hour ago"])
    #expect(harness.collector.losses.map(\.reason) == [.skipped])
  }

  @Test func aFirstStartOnAClockThatWasAheadIsMovedWithIt() {
    var first = FirstFollowed(["/early/*": 50, "/ahead/*": 1900])
    first.setBack(by: 1800, nowNs: 110)
    #expect(first.times == ["/early/*": 50, "/ahead/*": 100])
    #expect(FirstFollowed(["/early/*": 50, "/ahead/*": 1900]).known(nowNs: 110).times == ["/early/*": 50])
  }

  @Test func theRecordIsReadAsItWasWritten() {
    var first = FirstFollowed()
    let isNew = first.note(["/srv/**", "/a b/*.log", "/broken\n1\t/x"], nowNs: 5)
    let isNewAgain = first.note(["/srv/**"], nowNs: 9)
    #expect(isNew && !isNewAgain)
    #expect(FirstFollowed(text: first.text) == first)
    #expect(first.times == ["/srv/**": 5, "/a b/*.log": 5])
    #expect(FirstFollowed(text: "garbage\n\t\n99999999999999999999\t/x\n-3\t/y\n").times == ["/y": -3])
    #expect(!FollowFrom.since(.max).leavesOut(modifiedNs: 0, firstNs: .min))
  }
}
