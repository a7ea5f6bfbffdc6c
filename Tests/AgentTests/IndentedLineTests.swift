import FleetModel
import Testing

@testable import Agent

/// Lines that begin with a blank: of the record before them only where they came with it.
@Suite struct IndentedLineTests {
  private static let record = "2025-05-14 22:06:26,210 - ERROR - retry 1 of 3, recovered\n"
  private static let recordUs: Int64 = 1_747_260_386_210_000

  private func reader(offset: UInt64 = 0, preceding: String = "") -> LogReader {
    let file = FileIdentity(key: FileKey(high: 1, low: 1), path: "/logs/a.log")
    return LogReader(
      ReaderContext(file: file, offset: offset, head: [], preceding: Array(preceding.utf8)), redactor: Redactor(),
      zone: { _ in 0 })
  }

  private struct Row: Equatable {
    var level: Level
    var timeUs: Int64
    var isJoined: Bool
  }

  /// Reads each part at its time, as the follower does where a part stays without a following one: as far as it is whole.
  private func rows(_ parts: [(text: String, nowUs: Int64)], _ start: LogReader? = nil) -> [Row] {
    var reader = start ?? reader()
    var rows: [Row] = []
    for (text, nowUs) in parts {
      let bytes = Array(text.utf8)
      var delta = FileDelta(file: FileIdentity(key: FileKey(high: 1, low: 1), path: ""), from: 0, to: 0)
      let taken = reader.read(bytes.span, at: 0, isFinal: true, nowNs: nowUs * 1000, budget: .max, into: &delta)
      #expect(taken == bytes.count)
      #expect(delta.lines.advances.reduce(0) { $0 + Int($1) } == bytes.count)
      for index in 0..<delta.lines.count {
        rows.append(
          Row(
            level: Level(rawValue: delta.lines.levels[index])!, timeUs: delta.lines.timesUs[index],
            isJoined: delta.lines.flags[index] & LineFlags.joined.rawValue != 0))
      }
    }
    return rows
  }

  @Test func `What comes later is a line of its own, at its own time`() {
    let now = Self.recordUs + 5_000_000
    let found = rows([
      (Self.record, now), ("  detail a\n", now + 2_000_000), ("\tdetail b\n", now + 3_000_000),
    ])
    #expect(
      found == [
        Row(level: .error, timeUs: Self.recordUs, isJoined: false),
        Row(level: .unknown, timeUs: now + 2_000_000, isJoined: false),
        Row(level: .unknown, timeUs: now + 3_000_000, isJoined: false),
      ])
  }

  @Test func `What comes with it, or at once behind it, is its own`() {
    let now = Self.recordUs + 5_000_000
    #expect(
      rows([(Self.record + "  detail a\n\tdetail b\n", now)]) == [
        Row(level: .error, timeUs: Self.recordUs, isJoined: true)
      ])
    let split = rows([(Self.record, now), ("  detail\n", now + 900_000), ("  more\n", now + 1_800_000)])
    #expect(
      split
        == Array(repeating: Row(level: .error, timeUs: Self.recordUs, isJoined: true), count: 2).reduce(
          into: [Row(level: .error, timeUs: Self.recordUs, isJoined: false)]) { $0.append($1) })
  }

  @Test func `A backlog that is read in parts joins what lay there together`() {
    var reader = reader()
    let bytes = Array((Self.record + "  detail\n" + Self.record).utf8)
    var delta = FileDelta(file: FileIdentity(key: FileKey(high: 1, low: 1), path: ""), from: 0, to: 0)
    let first = reader.read(bytes.span, at: 0, isFinal: false, nowNs: 1_000_000, budget: 1, into: &delta)
    let later: Int64 = 3_600_000_000_000
    let rest = bytes.span.extracting(first..<bytes.count)
    var second = FileDelta(file: delta.file, from: 0, to: 0)
    _ = reader.read(rest, at: UInt64(first), isFinal: true, nowNs: later, budget: .max, into: &second)
    #expect(!(delta.lines.timesUs + second.lines.timesUs).contains(later / 1000))
  }

  @Test func `Progress is no part of a record, even where both are read at once`() {
    let now = Self.recordUs + 5_000_000
    for line in [
      " iteration       10/     129 | lm loss: 1.0E+01 | grad norm: 1.0 |", "  3%|3   | 3/10 [00:01<00:09]",
      " 10/100 [==>...........] - ETA: 1:02 - loss: 0.1", "  Epoch 3/10", "   100%|##########| 10/10",
      " step 100 loss 0.1",
      " 2/782 ━━━━━━━━━━━━━━━━━━━━ 1:02 80ms/step",
    ] {
      let found = rows([(Self.record + line + "\n", now)])
      #expect(found.count == 2, "\(line)")
      #expect(found.last == Row(level: .unknown, timeUs: now, isJoined: false), "\(line)")
    }
    // What is indented and has a head of its own is a record.
    #expect(rows([(Self.record + "          INFO     x   a.py:1\n", now)]).last?.level == .info)
    #expect(rows([(Self.record + " [2025-05-14 22:07:00] iteration 1\n", now)]).count == 2)
  }

  @Test func `A reader that resumes behind a record does not give it what comes then`() {
    let now = Self.recordUs + 5_000_000
    let resumed = reader(offset: UInt64(Self.record.utf8.count), preceding: Self.record)
    #expect(rows([("  detail\n", now)], resumed) == [Row(level: .unknown, timeUs: now, isJoined: false)])
    // A traceback that was begun goes on.
    let trace = Self.record + "Traceback (most recent call last):\n  File \"a.py\", line 1\n"
    let midst = reader(offset: UInt64(trace.utf8.count), preceding: trace)
    #expect(
      rows([("    g()\nValueError: x\n", now)], midst) == [Row(level: .error, timeUs: Self.recordUs, isJoined: true)])
  }
}
