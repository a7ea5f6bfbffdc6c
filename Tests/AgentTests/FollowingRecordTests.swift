import FleetModel
import Testing

@testable import Agent

/// When a record that a traceback may follow is sent: at once after its end, and not before it.
@Suite struct FollowingRecordTests {
  private static let head = "2025-05-14 22:06:26,210 ERROR trainer: step failed\n"
  private static let trace = [
    "Traceback (most recent call last):\n", "  File \"a.py\", line 1\n", "    f()\n", "ValueError: x\n",
  ]
  private static let begin = "2025-05-14 22:06:00,000 INFO trainer: begin\n"

  /// Follows a file whose first line was read.
  private func followed(_ names: String...) throws -> FollowingHarness {
    let harness = try FollowingHarness(["*.log"])
    for name in names { try harness.append(name, Self.begin) }
    harness.run(seconds: 5)
    #expect(harness.collector.rows.count == names.count)
    return harness
  }

  /// Rows behind those of `followed`.
  private func rows(_ harness: FollowingHarness, after first: Int = 1) -> [String] {
    #expect(harness.collector.violations.isEmpty)
    return Array(harness.collector.texts.dropFirst(first))
  }

  /// As rows show it: without the last newline.
  private func text(_ lines: [String]) -> String { String(lines.joined().dropLast()) }

  @Test func `A record that may be whole is sent 15 ms after its last line`() throws {
    let names = ["a.log", "b.log", "c.log"]
    let harness = try followed("a.log", "b.log", "c.log")
    for (name, record) in zip(names, [Self.head, Self.head + Self.trace.joined(), Self.trace.joined()]) {
      let before = harness.collector.rows.count
      try harness.append(name, record)
      harness.wake(afterMs: 1)
      #expect(harness.followers.nextHeldNs == harness.nowNs + 15_000_000)
      harness.wake(afterMs: 14)
      #expect(harness.collector.rows.count == before)
      harness.wake(afterMs: 1)
      #expect(rows(harness, after: before) == [text([record])])
      #expect(harness.followers.nextHeldNs > harness.nowNs + 1_000_000_000)
    }
  }

  @Test func `A record that is written line by line is one row`() throws {
    let harness = try followed("a.log")
    for line in [Self.head] + Self.trace {
      try harness.append("a.log", line)
      harness.wake(afterMs: 1)
      harness.wake(afterMs: 13)
    }
    harness.wake(afterMs: 3)
    #expect(rows(harness) == [text([Self.head] + Self.trace)])
  }

  @Test func `A traceback without its exception is waited for`() throws {
    let harness = try followed("a.log")
    let chained = ["\n", "During handling of the above exception, another exception occurred:\n", "\n"] + Self.trace
    try harness.append("a.log", Self.head + Self.trace.joined() + chained[0] + chained[1])
    for line in chained.dropFirst(2) {
      for _ in 0..<9 { harness.wake(afterMs: 10) }
      try harness.append("a.log", line)
    }
    harness.wake(afterMs: 1)
    harness.wake(afterMs: 21)
    #expect(rows(harness) == [text([Self.head] + Self.trace + chained)])
    // What never gets one is sent all the same.
    try harness.append("a.log", Self.trace[0] + Self.trace[1])
    harness.wake(afterMs: 1)
    harness.wake(afterMs: 99)
    #expect(rows(harness).count == 1)
    harness.wake(afterMs: 1)
    #expect(rows(harness).last == text(Array(Self.trace.prefix(2))))
  }

  @Test func `A writer that paused within a record is waited for in the next`() throws {
    let harness = try followed("a.log", "b.log")
    func record(_ name: String) throws {
      try harness.append(name, Self.head)
      for _ in 0..<6 { harness.wake(afterMs: 10) }
      try harness.append(name, Self.trace.joined())
      harness.wake(afterMs: 1)
      for _ in 0..<11 { harness.wake(afterMs: 10) }
    }
    try record("a.log")
    let late = harness.collector.rows.dropFirst(2)
    #expect(late.map(\.text) == [text([Self.head]), text(Self.trace)])
    #expect(late.last?.flags.contains([.joined, .continuation]) == true)
    #expect(late.last?.level == .error && late.last?.timeUs == late.first?.timeUs)
    for _ in 0..<3 { try record("a.log") }
    #expect(rows(harness, after: 4) == Array(repeating: text([Self.head] + Self.trace), count: 3))
    // The other file has another writer.
    try harness.append("b.log", Self.head)
    harness.wake(afterMs: 1)
    harness.wake(afterMs: 20)
    #expect(rows(harness, after: 7) == [text([Self.head])])
  }

  @Test func `A traceback that another process prints later makes nobody wait`() throws {
    let harness = try followed("a.log")
    try harness.append("a.log", Self.head)
    harness.wake(afterMs: 1)
    harness.wake(afterMs: 20)
    harness.run(seconds: 1)
    try harness.append("a.log", Self.trace.joined())
    harness.wake(afterMs: 1)
    harness.wake(afterMs: 20)
    try harness.append("a.log", Self.head)
    harness.wake(afterMs: 1)
    harness.wake(afterMs: 20)
    #expect(rows(harness) == [text([Self.head]), text(Self.trace), text([Self.head])])
  }

  @Test func `A progress bar behind a record does not keep it back`() throws {
    let harness = try followed("a.log")
    try harness.append("a.log", Self.head)
    for percent in 1...5 {
      try harness.append("a.log", "\r  \(percent)%|#    | \(percent)/100")
      harness.wake(afterMs: 8)
    }
    #expect(rows(harness) == [text([Self.head])])
  }

  @Test func `A hold that was moved is found again`() throws {
    let harness = try followed("a.log", "b.log")
    try harness.append("a.log", Self.head)
    harness.wake(afterMs: 1)
    try harness.append("b.log", Self.trace[0])
    harness.wake(afterMs: 10)
    try harness.append("a.log", Self.trace[0])
    harness.wake(afterMs: 10)
    #expect(harness.collector.rows.count == 2)
    let firstNs = harness.followers.nextHeldNs
    #expect(firstNs == harness.nowNs + 90_000_000)
    harness.wake(afterMs: 90)
    #expect(rows(harness, after: 2) == [text([Self.trace[0]])])
    harness.wake(afterMs: 10)
    #expect(rows(harness, after: 2) == [text([Self.trace[0]]), text([Self.head, Self.trace[0]])])
  }

  @Test func `A record that a limit of bytes cut is no pause`() throws {
    let file = FileIdentity(key: FileKey(high: 1, low: 1), path: "/logs/a.log")
    var reader = LogReader(
      ReaderContext(file: file, offset: 0, head: [], preceding: []), redactor: Redactor(), zone: { _ in 0 })
    var delta = FileDelta(file: file, from: 0, to: 0)
    let bytes = Array((Self.head + Self.trace.joined()).utf8)
    let nowNs: Int64 = 1_747_260_386_000_000_000
    let first = reader.read(bytes.span, at: 0, isFinal: false, nowNs: nowNs, budget: 1, into: &delta)
    #expect(first == Self.head.utf8.count)
    let rest = reader.read(
      bytes.span.extracting(first...), at: UInt64(first), isFinal: true, nowNs: nowNs + 1_000_000, budget: .max,
      into: &delta)
    #expect(first + rest == bytes.count)
    let next = Array(Self.head.utf8)
    #expect(reader.read(next.span, at: 999, isFinal: false, nowNs: nowNs, budget: .max, into: &delta) == 0)
    #expect(!reader.expectsMore)
  }
}

@Suite struct FollowingTimerTests {
  private static let wallNs: Int64 = 1_747_260_386_000_000_000
  private static let ms: Int64 = 1_000_000

  /// Times in ms from now; the timer was last asked for `monotonicMs`.
  private func delayMs(
    _ timer: inout FollowingTimer, deadline: Int64?, held: Int64? = nil, atMs: Int64 = 0
  ) -> Int64? {
    timer.delayNs(
      deadlineNs: deadline.map { Self.wallNs + $0 * Self.ms }, heldNs: held.map { Self.wallNs + $0 * Self.ms } ?? .max,
      wallNs: Self.wallNs + atMs * Self.ms, monotonicNs: atMs * Self.ms
    ).map { $0 / Self.ms }
  }

  @Test func `Work is looked at in parts, the rest each second`() {
    for (deadline, expected): (Int64?, Int64) in [(nil, 20), (-500, 20), (0, 20), (300, 300), (3000, 1000)] {
      var timer = FollowingTimer()
      #expect(delayMs(&timer, deadline: deadline) == expected)
    }
  }

  @Test func `A record that is held back later than the timer was set moves it forward`() {
    var timer = FollowingTimer()
    #expect(delayMs(&timer, deadline: 3000) == 1000)
    #expect(delayMs(&timer, deadline: 120, held: 120, atMs: 100) == 20)
    #expect(delayMs(&timer, deadline: 120, held: 120, atMs: 101) == nil)
    #expect(delayMs(&timer, deadline: 120, held: 120, atMs: 119) == nil)
    timer.fired()
    #expect(delayMs(&timer, deadline: 3000, atMs: 120) == 1000)
  }

  @Test func `Records of many files do not wake the agent for each`() {
    var timer = FollowingTimer()
    #expect(delayMs(&timer, deadline: 1, held: 1) == 5)
    // What is overdue does not move a timer that is set on and on.
    for atMs: Int64 in 1..<5 { #expect(delayMs(&timer, deadline: 1, held: 1, atMs: atMs) == nil) }
  }
}
