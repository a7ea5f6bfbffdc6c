import Answers
import FleetModel
import NIOCore
import Store
import Testing

@testable import Console

/// Lines that are followed.
@Suite struct LogTailTests {
  private static let second: Int64 = 1_000_000_000
  private static let start: Int64 = 1_790_000_000_000_000_000
  private static let columns: [Answer.Column] = ["time", "received", "host", "file", "offset", "level", "message"].map {
    .init($0)
  }

  private static func lines(_ lines: [(receivedS: Int64, offset: Int64)]) -> Answer {
    Answer(
      columns: columns,
      rows: lines.map { line in
        let ns = start + line.receivedS * second
        return [
          .time(ns), .time(ns), .text("gpu-07"), .text("/a.log"), .integer(line.offset), .text("INFO"), .text("step 1"),
        ]
      })
  }

  /// Questions overlap, each line is new once, and what was received before the start is not.
  @Test func eachLineIsNewOnce() throws {
    var following = LogFollowing(startNs: Self.start)
    let first = following.question(LogFilter(), nowNs: Self.start + Self.second)
    #expect(first.sinceNs == Self.start + Self.second - 3_600 * Self.second)
    #expect(first.receivedAfterNs == Self.start - 5 * Self.second)
    #expect(following.news(Self.lines([(-1, 1), (1, 2), (2, 3)])).rows.map { $0[4] } == [.integer(2), .integer(3)])
    following.finish()
    let second = following.question(LogFilter(), nowNs: Self.start + 2 * Self.second)
    #expect(second.receivedAfterNs == Self.start - 3 * Self.second, "behind the newest that was seen")
    #expect(second.sinceNs == Self.start + 2 * Self.second - 120 * Self.second)
    // A commit of another writer became visible later, with an earlier time of arrival.
    #expect(
      following.news(Self.lines([(1, 2), (1, 9), (2, 3), (3, 4)])).rows.map { $0[4] } == [.integer(9), .integer(4)])
    following.finish()
    // Now and then the last hour is looked through again, from what was seen when it last was.
    let far = following.question(LogFilter(), nowNs: Self.start + 12 * Self.second)
    #expect(far.sinceNs == Self.start + 12 * Self.second - 3_600 * Self.second)
    #expect(far.receivedAfterNs == Self.start - 3 * Self.second)
    #expect(following.news(Self.lines([(1, 9), (3, 4)])).rows.isEmpty)
  }

  @Test func silenceHasItsReason() {
    var state = LogTail.State()
    let now = Self.start
    #expect(LogTailStream.words(state, behind: [], nowNs: now) == "quiet: no line of the last hour matches")
    state.newest = (now - 4 * Self.second, "gpu-07")
    #expect(
      LogTailStream.words(state, behind: ["a", "b", "c", "d"], nowNs: now)
        == "quiet: newest line 4s ago from gpu-07; behind: 4 hosts (a, b, c, …)")
    (state.linesASecond, state.leftOut, state.isAtLeast) = (900, 700, true)
    #expect(
      LogTailStream.words(state, behind: ["a"], nowNs: now)
        == "900 lines a second; at least 700 lines were left out: more came than are shown; behind: 1 host (a)")
  }

  @Test func aBatchIsWrittenForBrowsersAndForScripts() throws {
    let batch = LogTail.batch(Self.lines([(1, 1), (2, 2)]), number: 1, leftOut: 3)
    let records = String(buffer: batch.records).split(separator: "\n")
    #expect(records.count == 3 && records.last == #"{"left_out":3}"# && batch.lines == 2)
    let event = String(buffer: batch.event)
    #expect(event.hasPrefix("event: lines\ndata: {\"items\":[{") && event.hasSuffix("],\"left_out\":3}\n\n"))
    #expect(event.contains(records[0] + "," + records[1]))
  }
}
