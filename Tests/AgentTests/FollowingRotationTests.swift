import Agent
import Files
import FleetModel
import Testing

/// Every way to rotate, with the agent there or away, and behind or not: each line once, or told as lost.
@Suite(.timeLimit(.minutes(10))) struct FollowingRotationTests {
  enum Presence: CaseIterable { case up, down }
  enum Backlog: Int, CaseIterable { case none = 0, some = 3, much = 12_000 }
  struct Cell: Sendable, CustomTestStringConvertible {
    var agent: Presence
    var backlog: Backlog
    var testDescription: String { "agent \(agent), behind \(backlog)" }
  }
  static let cells = Presence.allCases.flatMap { agent in Backlog.allCases.map { Cell(agent: agent, backlog: $0) } }

  /// Writes, reads, falls behind, lets `event` happen, writes on, reads to the end.
  private func run(
    _ patterns: [String], _ cell: Cell, event: (FollowingHarness) throws -> Void,
    after: (FollowingHarness) throws -> Void
  ) throws -> FollowingHarness {
    let harness = try FollowingHarness(patterns)
    try harness.write("app.log", 50)
    harness.run(seconds: 1)
    try harness.write("app.log", cell.backlog.rawValue)
    switch cell.agent {
    case .up:
      harness.look()
      try event(harness)
      harness.look()
      harness.run(seconds: 0.5)
      try after(harness)
    case .down:
      try harness.restartAgent {
        try event(harness)
        try after(harness)
      }
    }
    harness.run(seconds: 100)
    return harness
  }

  @Test(arguments: cells) func renameAndCreate(_ cell: Cell) throws {
    let harness = try run(
      ["*.log"], cell, event: { try $0.rename("app.log", "app.log.1") }, after: { try $0.write("app.log", 20) })
    harness.expectEachLineOnce()
    #expect(harness.collector.losses.isEmpty)
    #expect(harness.followers.followedCount == 1)
  }

  @Test func restoredDatabaseThatAsksForAFileThatIsGoneGetsTheLoss() throws {
    let harness = try FollowingHarness(["*.log"])
    try harness.write("app.log", 50)
    harness.run(seconds: 1)
    let backup = harness.collector.files
    let before = try #require(harness.collector.marks.first).offset
    try harness.write("app.log", 50)
    harness.run(seconds: 1)
    let after = try #require(harness.collector.marks.first).offset
    try HostFiles.remove(harness.path("app.log"))
    harness.run(seconds: 100)
    #expect(harness.collector.losses.isEmpty && harness.collector.marks.isEmpty)
    harness.collector.restore(backup)
    harness.reconnect()
    harness.run(seconds: 10)
    let loss = try #require(harness.collector.losses.first)
    #expect(loss.reason == .databaseRestored && loss.from == before && loss.to == after && !loss.isEstimate)
    #expect(harness.collector.losses.count == 1)
  }

  @Test(arguments: cells) func renameToANameThatIsFollowedToo(_ cell: Cell) throws {
    let harness = try run(
      ["app.log*"], cell, event: { try $0.rename("app.log", "app.log.1") }, after: { try $0.write("app.log", 20) })
    try harness.restartAgent()
    harness.run(seconds: 10)
    harness.expectEachLineOnce()
    #expect(harness.collector.losses.isEmpty)
  }

  @Test(arguments: cells) func renameWhileTheWriterWritesOn(_ cell: Cell) throws {
    let harness = try run(
      ["*.log"], cell, event: { try $0.rename("app.log", "app.log.1") },
      after: {
        try $0.write("app.log.1", 20)
        try $0.write("app.log", 5)
      })
    harness.expectEachLineOnce()
    #expect(harness.collector.losses.isEmpty)
  }

  @Test(arguments: cells) func copyTruncateWithACopyThatIsFollowed(_ cell: Cell) throws {
    try copyTruncate(["app.log*"], cell)
  }

  @Test(arguments: cells) func copyTruncateWithACopyThatIsNotFollowed(_ cell: Cell) throws {
    try copyTruncate(["*.log"], cell)
  }

  private func copyTruncate(_ patterns: [String], _ cell: Cell) throws {
    let harness = try run(
      patterns, cell,
      event: {
        try $0.copy("app.log", "app.log.1")
        if cell.agent == .up { $0.look() }
        try $0.truncate("app.log")
      }, after: { try $0.write("app.log", 20) })
    try harness.restartAgent()
    harness.run(seconds: 10)
    harness.expectEachLineOnce()
  }

  /// The copy is whole when the agent lists the files, and the original is truncated before it compares the two; the copy is
  /// new to it, or one that it had left alone.
  @Test(arguments: Backlog.allCases, [true, false]) func truncationBetweenTheListingAndTheComparison(
    _ backlog: Backlog, isCopyKnown: Bool
  ) throws {
    let harness = try run(
      ["app.log*"], Cell(agent: .up, backlog: backlog),
      event: { harness in
        if isCopyKnown {
          try harness.copy("app.log", "app.log.1")
          harness.run(seconds: 5)
          harness.race.afterList = { try? harness.truncate("app.log") }
          harness.run(seconds: 5)
        } else {
          harness.run(seconds: 1)
          try harness.copy("app.log", "app.log.1")
          harness.race.afterList = { try? harness.truncate("app.log") }
          harness.run(seconds: 5)
        }
      }, after: { try $0.write("app.log", 20) })
    #expect(harness.race.afterList == nil)
    try harness.restartAgent()
    harness.run(seconds: 10)
    harness.expectEachLineOnce()
  }

  /// The agent looks between the moment at which the copy is made and its first byte.
  @Test(arguments: Backlog.allCases) func copyTruncateWithACopyThatIsSeenEmpty(_ backlog: Backlog) throws {
    let harness = try run(
      ["app.log*"], Cell(agent: .up, backlog: backlog),
      event: { harness in
        _ = try Descriptor.open(harness.path("app.log.1"), .append, mode: 0o644)
        harness.run(seconds: 0.5)
        try harness.copy("app.log", "app.log.1")
        try harness.truncate("app.log")
      }, after: { try $0.write("app.log", 20) })
    try harness.restartAgent()
    harness.run(seconds: 10)
    harness.expectEachLineOnce()
  }

  @Test(arguments: cells) func copyTruncateThenLongerThanBefore(_ cell: Cell) throws {
    let harness = try run(
      ["app.log*"], cell,
      event: {
        try $0.copy("app.log", "app.log.1")
        try $0.truncate("app.log")
        try $0.write("app.log", 13_000)
      }, after: { try $0.write("app.log", 20) })
    harness.expectEachLineOnce()
  }

  @Test(arguments: cells) func truncate(_ cell: Cell) throws {
    let harness = try run(
      ["*.log"], cell, event: { try $0.truncate("app.log") }, after: { try $0.write("app.log", 20) })
    // What an agent that was away never saw cannot be counted by it.
    if cell.agent == .down, cell.backlog != .none {
      #expect(harness.numbers.sorted() == Array(1...50) + Array((harness.linesWritten - 19)...harness.linesWritten))
      #expect(harness.collector.losses.contains { $0.reason == .truncated && $0.isEstimate })
    } else {
      harness.expectEachLineOnce(losing: 51..<51 + cell.backlog.rawValue)
    }
    #expect(cell.backlog == .none || harness.collector.losses.contains { $0.reason == .truncated })
  }

  @Test(arguments: cells) func rewrittenInPlaceAndLonger(_ cell: Cell) throws {
    let harness = try run(
      ["*.log"], cell,
      event: {
        try $0.truncate("app.log")
        try $0.write("app.log", 13_000)
      }, after: { _ in })
    let lost = cell.backlog.rawValue
    #expect(harness.numbers.sorted() == Array(1...50) + Array((51 + lost)...harness.linesWritten))
    #expect(harness.collector.violations.isEmpty)
    #expect(lost == 0 || harness.collector.losses.contains { $0.reason == .truncated })
  }

  @Test(arguments: cells) func delete(_ cell: Cell) throws {
    let harness = try run(["*.log"], cell, event: { try $0.delete("app.log") }, after: { try $0.write("app.log", 20) })
    if cell.agent == .up {
      harness.expectEachLineOnce()
      #expect(harness.collector.losses.isEmpty)
    } else {
      #expect(harness.collector.losses.contains { $0.reason == .deletedUnread })
      #expect(harness.numbers.sorted() == Array(1...50) + Array((harness.linesWritten - 19)...harness.linesWritten))
    }
  }

  @Test(arguments: cells) func symbolicLinkToANewFile(_ cell: Cell) throws {
    let harness = try FollowingHarness(["current"])
    try harness.write("run1.txt", 50)
    try HostFiles.link("run1.txt", at: harness.path("current"))
    harness.run(seconds: 1)
    try harness.write("run1.txt", cell.backlog.rawValue)
    let swap = {
      try harness.delete("current")
      try harness.write("run2.txt", 20)
      try HostFiles.link("run2.txt", at: harness.path("current"))
    }
    if cell.agent == .up {
      harness.look()
      try swap()
    } else {
      try harness.restartAgent(whileDown: swap)
    }
    harness.run(seconds: 100)
    harness.expectEachLineOnce()
    #expect(harness.collector.losses.isEmpty)
  }

  @Test(arguments: cells) func directoryMoved(_ cell: Cell) throws {
    let harness = try FollowingHarness(["run*/app.log"])
    try HostFiles.makeDirectory(harness.path("run1"))
    try harness.write("run1/app.log", 50)
    harness.run(seconds: 1)
    try harness.write("run1/app.log", cell.backlog.rawValue)
    for target in ["run2", "done"] {
      let source = target == "run2" ? "run1" : "run2"
      if cell.agent == .up {
        harness.look()
        try harness.rename(source, target)
        try harness.write(target + "/app.log", 20)
        harness.run(seconds: 5)
      } else {
        try harness.restartAgent {
          try harness.rename(source, target)
          try harness.write(target + "/app.log", 20)
        }
        harness.run(seconds: 5)
      }
    }
    harness.run(seconds: 100)
    harness.expectEachLineOnce()
    #expect(harness.collector.losses.isEmpty)
  }

  @Test(arguments: cells) func compressedAfterRename(_ cell: Cell) throws {
    let harness = try run(
      ["app.log*"], cell,
      event: {
        try $0.rename("app.log", "app.log.1")
        if cell.agent == .up { $0.look() }
        try $0.append("app.log.1.gz", "no text at all")
        if cell.agent == .up { try $0.delete("app.log.1") }
      }, after: { try $0.write("app.log", 20) })
    harness.expectEachLineOnce()
  }

  @Test(arguments: ["*.log", "app.log*"]) func whatWasSeenButCameAfterTheCopyIsReportedAsLost(_ pattern: String) throws
  {
    let harness = try FollowingHarness([pattern])
    try harness.write("app.log", 50)
    harness.run(seconds: 1)
    try harness.copy("app.log", "app.log.1")
    try harness.append("app.log", "a line that is not whole yet")
    harness.run(seconds: 0.2)
    try harness.truncate("app.log")
    harness.run(seconds: 10)
    harness.expectEachLineOnce()
    let copied = UInt64(50 * FollowingHarness.line(1).utf8.count)
    #expect(harness.collector.losses.map(\.from) == [copied])
    #expect(harness.collector.losses.map(\.to) == [copied + 28])
    #expect(harness.collector.losses.map(\.reason) == [.truncated])
  }

  @Test func aCopyOfAnUnreadGenerationIsNotTakenForOneOfTheNext() throws {
    let harness = try FollowingHarness(["app.log*"])
    try harness.write("app.log", 50)
    harness.run(seconds: 1)
    try harness.copy("app.log", "app.log.1")
    try harness.truncate("app.log")
    harness.look()
    try harness.write("app.log", 20)
    try harness.copy("app.log", "app.log.2")
    harness.look()
    try harness.truncate("app.log")
    // Longer than what was there, and read before names are listed again.
    try harness.write("app.log", 60)
    harness.run(seconds: 0.2)
    try harness.copy("app.log", "app.log.3")
    try harness.truncate("app.log")
    harness.run(seconds: 100)
    harness.expectEachLineOnce()
  }

  @Test func aFileThatWasGivenUpAndComesBackIsNotReadTwice() throws {
    var limits = FollowingLimits()
    limits.openFiles = 1
    let harness = try FollowingHarness(["*.log"], limits: limits)
    try harness.write("app.log", 50)
    harness.run(seconds: 1)
    try harness.write("other.log", 50)
    harness.run(seconds: 1)
    // Closed to spare its descriptor, it is looked for in the directories around, and not found.
    for name in ["../away", "../away/deep"] { try HostFiles.makeDirectory(harness.path(name)) }
    try harness.rename("app.log", "../away/deep/app.log")
    harness.run(seconds: 20)
    #expect(harness.collector.losses.contains { $0.reason == .deletedUnread })
    try harness.rename("../away/deep/app.log", "app.log")
    try harness.write("app.log", 5)
    harness.run(seconds: 20)
    harness.expectEachLineOnce()
  }

  @Test func aRotationBeforeTheCollectorAnswersIsReadOnce() throws {
    let harness = try FollowingHarness(["app.log*"])
    try harness.write("app.log", 50)
    harness.run(seconds: 1)
    try harness.restartAgent(beforeWelcome: {
      try harness.copy("app.log", "app.log.1")
      harness.look()
      try harness.truncate("app.log")
      harness.look()
    })
    // The copy is somebody's now: a change of it wakes that one only.
    try harness.write("app.log.1", 1)
    harness.run(seconds: 30)
    harness.expectEachLineOnce()
  }

  @Test func aCopyThatWaitsBelongsToTheFileWhoseMarkComes() throws {
    let harness = try FollowingHarness(["app.log*"])
    try harness.write("app.log", 50)
    harness.run(seconds: 1)
    try harness.restartAgent(beforeWelcome: {
      try harness.copy("app.log", "app.log.1")
      harness.look()
    })
    harness.run(seconds: 0.2)
    try harness.truncate("app.log")
    harness.run(seconds: 30)
    harness.expectEachLineOnce()
  }

  /// The collector keeps no mark of a finished file: whether anything came after its end, the file alone shows. The connection breaks after
  /// the ack of the last delta, or before it.
  @Test(arguments: [false, true]) func aDeletedFileThatGrowsAfterItsEndSurvivesAReconnection(isAckLost: Bool) throws {
    var limits = FollowingLimits()
    limits.deletedIdleNs = 1_000_000_000
    let harness = try FollowingHarness(["*.log"], limits: limits)
    try harness.write("app.log", 50)
    harness.run(seconds: 1)
    let writer = try Descriptor.open(harness.path("app.log"), .append)
    try harness.delete("app.log")
    // Its last delta is under way when it grows once more.
    for _ in 0..<200 where harness.underWayCount == 0 { harness.take(1) }
    try #require(harness.underWayCount == 1)
    try harness.write(to: writer)
    if isAckLost {
      harness.reconnect(committing: 1)
    } else {
      harness.commitOldest()
      harness.take(1)
      harness.reconnect()
    }
    harness.run(seconds: 10)
    harness.expectEachLineOnce()
    #expect(harness.collector.marks.isEmpty)
  }

  @Test func whatDidNotArriveOfATruncatedFileIsReadFromItsCopy() throws {
    let harness = try FollowingHarness(["app.log*"])
    try harness.write("app.log", 50)
    harness.run(seconds: 1)
    try harness.write("app.log", 20)
    try harness.copy("app.log", "app.log.1")
    harness.look()
    // One line more than the copy has is read, and all of it is under way when the original is truncated.
    try harness.write("app.log", 1)
    harness.take(4)
    try harness.truncate("app.log")
    harness.take(4)
    harness.reconnect()
    harness.run(seconds: 30)
    harness.expectEachLineOnce(losing: 71..<72)
  }
}
