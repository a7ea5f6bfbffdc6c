import FleetModel
import Testing

@testable import Agent

/// Seeded sequences of everything that can happen to a file, an agent and its connection, against a plain model.
@Suite(.timeLimit(.minutes(10))) struct FollowingPropertyTests {
  /// One life of a log file.
  private final class Life {
    let harness: FollowingHarness
    let random: KeyGenerator
    let isLossless: Bool
    var rotations = 0

    init(seed: UInt64) throws {
      random = KeyGenerator(seed: seed)
      isLossless = seed % 2 == 0
      var limits = FollowingLimits()
      // Small, so that a file is many deltas.
      limits.chunkBytes = 128 << 10
      let pattern = random.below(2) == 0 ? "app.log*" : "*.log"
      harness = try FollowingHarness([pattern], limits: limits)
      try harness.write("app.log", 30)
    }

    func step() throws {
      switch random.below(14) {
      case 0...3: try harness.write("app.log", 1 + random.below(60))
      case 4: try writeInParts()
      case 5: harness.run(seconds: Double(1 + random.below(40)) / 10, budget: 200 + random.below(5000))
      case 6: harness.take(1 + random.below(4), budget: 100 + random.below(2000))
      case 7: harness.commitOldest()
      case 8: harness.reconnect(committing: random.below(3))
      case 9: try restart()
      case 10, 11:
        harness.look()
        try rotate()
      case 12: harness.look()
      default: try loseSome()
      }
    }

    private func writeInParts() throws {
      try harness.writeInParts("app.log", isPausing: random.below(2) == 0)
    }

    /// A file of which nothing was ever committed, and whose name is gone when the next agent starts, cannot be known to it.
    private func restart() throws {
      harness.run(seconds: 0.3)
      try harness.write("app.log", random.below(100))
      try harness.restartAgent { if random.below(2) == 0 { try rotate() } }
    }

    private func rotate() throws {
      rotations += 1
      if random.below(2) == 0 {
        try harness.rename("app.log", "app.log.\(rotations)")
      } else {
        try harness.copy("app.log", "app.log.\(rotations)")
        try harness.truncate("app.log")
      }
      try harness.write("app.log", 1 + random.below(40))
    }

    private func loseSome() throws {
      guard !isLossless else { return }
      harness.look()
      try harness.truncate("app.log")
      try harness.write("app.log", 1 + random.below(200))
    }
  }

  @Test(arguments: 0..<60) func eachLineOnceOrReportedAsLost(_ seed: Int) throws {
    let life = try Life(seed: UInt64(seed))
    for _ in 0..<40 { try life.step() }
    life.harness.reconnect(committing: 1)
    life.harness.run(seconds: 30)
    let harness = life.harness
    #expect(harness.collector.violations.isEmpty, "seed \(seed)")
    let numbers = harness.numbers
    #expect(Set(numbers).count == numbers.count, "seed \(seed): a line came twice")
    let missing = Set(1...harness.linesWritten).subtracting(numbers)
    if life.isLossless {
      #expect(missing.isEmpty, "seed \(seed): missing \(missing.sorted().prefix(5))")
    } else {
      let reported = harness.collector.losses.reduce(0) { $0 + Int($1.to - $1.from) }
      let lost = missing.reduce(0) { $0 + FollowingHarness.line($1).utf8.count }
      #expect(
        lost <= reported || harness.collector.losses.contains { $0.isEstimate },
        "seed \(seed): lost \(lost), reported \(reported)")
    }
  }

  @Test func thousandFilesAreReadInTurn() throws {
    let harness = try FollowingHarness(["**/*.log"])
    for number in 0..<1000 { try harness.write("file\(number).log", 20) }
    harness.run(seconds: 0.2)
    // The descriptors are fewer than the files: each is opened again when it grows.
    for number in stride(from: 0, to: 1000, by: 7) { try harness.write("file\(number).log", 3) }
    harness.run(seconds: 4)
    harness.expectEachLineOnce()
    #expect(harness.followers.followedCount == 1000)
    #expect(harness.followers.backlogBytes == 0)
  }

  @Test func bigFileDoesNotKeepTheOthersWaiting() throws {
    let harness = try FollowingHarness(["*.log"])
    try harness.write("big.log", 50_000)
    for number in 0..<9 { try harness.write("small\(number).log", 1) }
    harness.look()
    harness.take(10, budget: 64 << 10)
    for _ in 0..<10 { harness.commitOldest() }
    #expect(harness.numbers.filter { $0 > 50_000 }.count == 9)
  }

  @Test func renamedFilesBeyondTheDescriptorLimitAreReportedAsLost() throws {
    var limits = FollowingLimits()
    limits.openFiles = 4
    let harness = try FollowingHarness(["*.log"], limits: limits)
    for number in 0..<12 {
      try harness.write("file\(number).log", 10)
      harness.look()
      try harness.rename("file\(number).log", "file\(number).old")
      harness.reconnect()
    }
    harness.run(seconds: 100)
    let lost = Set(1...harness.linesWritten).subtracting(harness.numbers).count
    #expect(lost > 0)
    #expect(
      harness.collector.losses.filter { $0.reason == .descriptorLimit }.reduce(0) { $0 + Int($1.to - $1.from) } == lost
        * FollowingHarness.line(1).utf8.count)
  }

  @Test func inodeOfADeletedFileIsNotReadFromTheOldOffset() throws {
    let harness = try FollowingHarness(["*.log"])
    for _ in 0..<40 {
      // Equal first KiB, and on most file systems the same inode.
      try harness.append("app.log", String(repeating: "the same head\n", count: 100))
      try harness.write("app.log", 3)
      harness.run(seconds: 0.2)
      try harness.restartAgent { try harness.delete("app.log") }
    }
    harness.run(seconds: 100)
    harness.expectEachLineOnce()
    #expect(harness.collector.texts.filter { $0 == "the same head" }.count == 4000)
  }

  @Test func partialLineIsSentAfterFiveSecondsAndItsRestLater() throws {
    let harness = try FollowingHarness(["*.log"])
    try harness.append("app.log", "loading the mo")
    harness.run(seconds: 4.5)
    #expect(harness.collector.rows.isEmpty)
    harness.run(seconds: 4)
    #expect(harness.collector.texts == ["loading the mo"])
    #expect(harness.collector.rows[0].flags == .partial)
    try harness.append("app.log", "del\nnext\n")
    harness.run(seconds: 1)
    #expect(harness.collector.texts == ["loading the mo", "del", "next"])
    #expect(harness.collector.rows[1].flags == .continuation)
  }

  @Test func recordCutByARotationIsMarkedAsOne() throws {
    let harness = try FollowingHarness(["*.log"])
    try harness.append(
      "app.log", "2025-05-14 22:06:26,211 - ERROR - b\nTraceback (most recent call last):\n  File \"a.py\", line 1\n")
    harness.look()
    try harness.rename("app.log", "app.log.1")
    try harness.append("app.log", "ValueError: bad\n2025-05-14 22:06:27,000 - INFO - c\n")
    harness.run(seconds: 1)
    #expect(harness.collector.texts.count == 3)
    #expect(harness.collector.rows.first { $0.text == "ValueError: bad" }?.level == .error)
  }
}
