import FleetModel
import Testing

@testable import Agent

/// What was read, sent and not acknowledged comes again as it was: the same records with the same times. Else a finding of it is a new one, and
/// pages again.
@Suite struct FollowingAgainTests {
  private static let untimed = ["CUDA error: out of memory\n", "slurmstepd: error: killed\n", "nan in loss\n"]

  private func rows(_ harness: FollowingHarness) -> [ModelCollector.Row] {
    #expect(harness.collector.violations.isEmpty)
    return harness.collector.rows
  }

  @Test func `A line without a time keeps the time at which it was first read`() throws {
    let harness = try FollowingHarness(["*.log"])
    var times: [Int64] = []
    for line in Self.untimed {
      try harness.append("a.log", line)
      harness.take(1)
      // What is an error may go on: it is held back for 15 ms.
      harness.take(1)
      times.append(harness.nowNs / 1000)
    }
    #expect(harness.underWayCount == 3)
    harness.reconnect()
    harness.run(seconds: 5)
    #expect(rows(harness).map(\.text) == Self.untimed.map { String($0.dropLast()) })
    #expect(rows(harness).map(\.timeUs).allSatisfy { $0 <= times[2] })
    #expect(zip(rows(harness).map(\.timeUs), times).allSatisfy { $0 <= $1 && $0 >= $1 - 60_000 })
    // What comes after them has its own time.
    try harness.append("a.log", "later\n")
    harness.run(seconds: 1)
    #expect(rows(harness)[3].timeUs > times[2] + 1_000_000)
  }

  @Test func `What was acknowledged in part goes on with the times of the rest`() throws {
    let harness = try FollowingHarness(["*.log"])
    for line in Self.untimed {
      try harness.append("a.log", line)
      harness.take(1)
      harness.take(1)
    }
    let lastNs = harness.nowNs
    // One is acknowledged, the next was committed without its ack.
    harness.commitOldest()
    harness.reconnect(committing: 1)
    harness.run(seconds: 5)
    #expect(rows(harness).count == 3 && rows(harness)[2].timeUs <= lastNs / 1000)
  }

  @Test func `A truncated file begins with times of its own`() throws {
    let harness = try FollowingHarness(["*.log"])
    try harness.append("a.log", Self.untimed[2])
    harness.take(1)
    harness.take(1)
    harness.reconnect()
    try harness.truncate("a.log")
    harness.run(seconds: 3)
    let beforeUs = harness.nowNs / 1000
    try harness.append("a.log", "anew\n")
    harness.run(seconds: 3)
    let row = try #require(rows(harness).last)
    #expect(row.text == "anew" && row.timeUs >= beforeUs)
  }

  /// The reads of one file, over any sequence of writes, looks, acks and broken connections.
  @Test(arguments: 0..<40) func `Every record comes with the time of its first read`(seed: Int) throws {
    let harness = try FollowingHarness(["*.log"])
    let random = KeyGenerator(seed: UInt64(seed))
    // By its text: no two are the same.
    var first: [String: Int64] = [:]
    var number = 0
    for _ in 0..<120 {
      switch random.below(7) {
      case 0, 1:
        number += 1
        let text = ["plain \(number)", "ERROR: failed \(number)", "\(number) of a line"][random.below(3)]
        try harness.append("a.log", random.below(9) == 0 ? text : text + "\n")
      case 2, 3, 4:
        let before = harness.underWayCount
        harness.take(1 + random.below(3), budget: random.below(4) == 0 ? 10 : 1 << 20)
        for text in harness.underWayTexts(from: before) { first[text] = first[text] ?? harness.nowNs / 1000 }
      case 5: harness.commitOldest()
      default: harness.reconnect(committing: random.below(3))
      }
    }
    harness.reconnect()
    harness.run(seconds: 5)
    for row in rows(harness) {
      if let timeUs = first[row.text] { #expect(row.timeUs == timeUs, "\(row.text)") }
    }
    #expect(first.count > 10)
  }
}
