import Files
import FleetModel
import Foundation
import Testing

@testable import Agent

/// Two names that are one `String` and two entries of their directory: "é" as one scalar and as two.
@Suite(.timeLimit(.minutes(10))) struct FollowingNamesTests {
  private static let composed = "caf\u{e9}.log"
  private static let decomposed = "cafe\u{301}.log"

  @Test(
    "both are followed, each with its own mark, whatever becomes of the other",
    arguments: [["*.log"], [composed, "*.log"]])
  func bothAreFollowed(_ patterns: [String]) throws {
    let harness = try FollowingHarness(patterns)
    for round in 1...3 {
      try harness.append(Self.composed, "one \(round)\n")
      try harness.append(Self.decomposed, "two \(round)\n")
      harness.run(seconds: 4)
    }
    let expected = (1...3).flatMap { ["one \($0)", "two \($0)"] }
    #expect(harness.collector.texts.sorted() == expected.sorted())
    #expect(harness.collector.files.count == 2)
    let paths = harness.collector.files.values.map { Array($0.mark.file.path.utf8) }
    #expect(Set(paths).count == 2)
    // A restart finds each at its own mark, and a rotation of one is none of the other.
    try harness.restartAgent()
    harness.run(seconds: 4)
    try harness.rename(Self.decomposed, Self.decomposed + ".1")
    try harness.append(Self.decomposed, "two of the next generation\n")
    try harness.append(Self.composed, "one goes on\n")
    harness.run(seconds: 100)
    #expect(
      harness.collector.texts.sorted() == (expected + ["one goes on", "two of the next generation"]).sorted())
    #expect(harness.collector.losses.isEmpty && harness.collector.violations.isEmpty)
  }
}
