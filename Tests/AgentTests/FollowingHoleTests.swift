import Files
import FleetModel
import Foundation
import Testing

@testable import Agent

/// Runs of NULs: what copytruncate leaves before the next line of a program that does not append, and a power loss at a file's end.
@Suite(.timeLimit(.minutes(10))) struct FollowingHoleTests {
  /// A program that writes on at its own offset, whatever happens to the file.
  private func writer(_ harness: FollowingHarness, _ name: String) throws -> Descriptor {
    try Descriptor.open(harness.path(name), .update, mode: 0o644)
  }

  @Test("after a truncation under a writer that does not append, its lines are whole", arguments: [10, 400, 3000])
  func copyTruncateWithoutAppending(lines: Int) throws {
    let harness = try FollowingHarness(["*.log"])
    let file = try writer(harness, "hole.log")
    var offset: UInt64 = 0
    func write(_ text: String) throws {
      try file.write(Array(text.utf8).span, at: offset)
      offset += UInt64(text.utf8.count)
    }
    for number in 0..<lines { try write("before \(number) \(String(repeating: "x", count: 480))\n") }
    harness.run(seconds: 2)
    try harness.truncate("hole.log")
    try write("2025-05-14 22:33:06,000 ERROR after 1\n")
    harness.run(seconds: 2)
    try write("after 2\n")
    harness.run(seconds: 10)
    let rows = harness.collector.rows.filter { $0.text.contains("after") }
    #expect(rows.map(\.text) == ["2025-05-14 22:33:06,000 ERROR after 1", "after 2"])
    #expect(rows.first?.level == .error)
    #expect(rows.first?.flags.contains(.timed) == true)
    #expect(harness.collector.rows.count == lines + 2)
    try harness.restartAgent()
    try write("after 3\n")
    harness.run(seconds: 10)
    #expect(harness.collector.rows.count == lines + 3)
    #expect(harness.collector.violations.isEmpty)
  }

  @Test(
    "the first line behind the zeros of a power loss has its level and its time", arguments: [1, 4096, 70_000, 600_000])
  func tailAfterAPowerLoss(zeros: Int) throws {
    let harness = try FollowingHarness(["*.log"])
    try harness.append("power.log", "before\n" + String(repeating: "\0", count: zeros))
    harness.run(seconds: 8)
    #expect(harness.collector.texts == ["before"])
    #expect(harness.followers.backlogBytes == 0)
    try harness.restartAgent()
    try harness.append("power.log", "2025-05-14 22:33:06,000 ERROR first after reboot\nsecond\n")
    harness.run(seconds: 8)
    #expect(harness.collector.texts == ["before", "2025-05-14 22:33:06,000 ERROR first after reboot", "second"])
    #expect(harness.collector.rows[1].level == .error)
    #expect(harness.collector.rows.allSatisfy { !$0.flags.contains(.repaired) && !$0.flags.contains(.truncated) })
    #expect(harness.collector.violations.isEmpty)
  }

  @Test("space that a writer has prepared is read once it is written to")
  func preparedSpace() throws {
    let harness = try FollowingHarness(["*.log"])
    try harness.append("prepared.log", "one\n" + String(repeating: "\0", count: 1000))
    harness.run(seconds: 20)
    let file = try writer(harness, "prepared.log")
    try file.write(Array("two\nthree\n".utf8).span, at: 4)
    harness.run(seconds: 20)
    #expect(harness.collector.texts == ["one", "two", "three"])
  }

  @Test("a sparse file of a tebibyte costs a few reads, and its last line arrives")
  func sparseFile() throws {
    let harness = try FollowingHarness(["*.log"])
    try harness.append("sparse.log", "first\n")
    try Descriptor.open(harness.path("sparse.log"), .update).truncate(to: 1 << 40)
    harness.run(seconds: 30)
    try harness.append("sparse.log", "last\n")
    let before = harness.race.readCalls
    harness.run(seconds: 30)
    #expect(harness.collector.texts == ["first", "last"])
    #expect(harness.race.readCalls - before < 100)
    try harness.rename("sparse.log", "sparse.old")
    harness.run(seconds: 100)
    #expect(harness.collector.marks.isEmpty)
    #expect(harness.collector.violations.isEmpty)
  }

  @Test("a row of a training file behind a hole is whole")
  func trainingRows() throws {
    var cutter = LineCutter()
    let bytes = [UInt8](repeating: 0, count: 100) + Array("1,2,3\n".utf8)
    var position = 0
    let line = cutter.next(bytes.span, &position, takesPartial: false)
    #expect(line?.content == 100..<105)
    #expect(position == bytes.count)
  }
}
