import Files
import FleetModel
import TestSupport
import Testing

@testable import Agent

/// What an agent does not see at its start is not taken for deleted: seen again, it goes on from its mark.
@Suite(.timeLimit(.minutes(15))) struct FollowingAbsenceTests {
  private func life(hiddenSeconds: Int64 = 86_400) throws -> FollowingHarness {
    var limits = FollowingLimits()
    limits.hiddenNs = hiddenSeconds * 1_000_000_000
    limits.hidden = 3
    let harness = try FollowingHarness(["a/*.log", "b/*.log"], limits: limits) { logs in
      for name in ["/a", "/b"] { try HostFiles.makeDirectory(logs + name) }
    }
    for name in ["a/one.log", "a/two.log", "b/three.log"] { try harness.write(name, 10) }
    harness.run(seconds: 10)
    return harness
  }

  private func expectNothingLostOrDoubled(_ harness: FollowingHarness) {
    harness.expectEachLineOnce()
    #expect(harness.collector.losses.isEmpty)
  }

  @Test func anotherPatternAndBackAgain() throws {
    let harness = try life()
    harness.follow(["b/*.log"])
    try harness.restartAgent()
    harness.run(seconds: 30)
    harness.reconnect()
    harness.run(seconds: 30)
    #expect(harness.collector.marks.count == 3)
    harness.follow(["a/*.log", "b/*.log"])
    try harness.restartAgent()
    harness.run(seconds: 30)
    try harness.write("a/one.log", 5)
    harness.run(seconds: 10)
    expectNothingLostOrDoubled(harness)
  }

  /// The directory comes back while the agent runs, or at the next one's start.
  @Test(arguments: [false, true]) func aDirectoryThatIsMissing(isSeenByTheNext: Bool) throws {
    let harness = try life()
    try harness.restartAgent { try harness.rename("a", "../away") }
    harness.run(seconds: 30)
    if isSeenByTheNext {
      try harness.restartAgent { try harness.rename("../away", "a") }
    } else {
      try harness.rename("../away", "a")
    }
    harness.run(seconds: 60)
    try harness.write("a/one.log", 5)
    harness.run(seconds: 10)
    try harness.restartAgent()
    harness.run(seconds: 10)
    expectNothingLostOrDoubled(harness)
  }

  @Test func whatIsGoneIsReportedAtOnce() throws {
    let harness = try life()
    try harness.restartAgent { try harness.delete("a/one.log") }
    harness.run(seconds: 30)
    #expect(harness.collector.losses.map(\.reason) == [.deletedUnread])
    #expect(harness.collector.paths == ["three.log", "two.log"])
  }

  /// A directory that does not come back was deleted; a file that is still there without a pattern keeps its mark.
  @Test func whatStaysHiddenIsReportedInTheEnd() throws {
    let harness = try life(hiddenSeconds: 120)
    harness.follow(["a/*.log"])
    try harness.restartAgent { try harness.rename("a", "../away") }
    harness.run(seconds: 60)
    #expect(harness.collector.losses.isEmpty)
    harness.run(seconds: 120)
    #expect(harness.collector.losses.count == 2)
    #expect(harness.collector.paths == ["three.log"])
    harness.follow(["b/*.log"])
    try harness.restartAgent()
    harness.run(seconds: 10)
    try harness.write("b/three.log", 1)
    harness.run(seconds: 10)
    harness.expectEachLineOnce()
  }

  /// Marks of files that do not come back must not use up the marks of a stream, or the host could not connect.
  @Test func soManyAreHiddenAtMost() throws {
    let harness = try life()
    for number in 0..<5 { try harness.write("a/more\(number).log", 1) }
    harness.run(seconds: 20)
    try harness.restartAgent { try harness.rename("a", "../away") }
    harness.run(seconds: 30)
    #expect(harness.collector.losses.count == 4)
    #expect(harness.collector.marks.count == 4)
  }
}
