import FleetModel
import Testing

@testable import Rules

/// What was judged and not committed is judged again, by the state before it, when its lines are sent again: it must be the same finding, known
/// by the same time. Else an incident that was opened and ended in between comes back and is paged once more.
@Suite struct LineFindingTests {
  private static let host = RuleEngineTests.host
  private static let second = RuleEngineTests.second
  private static let stops =
    "- { id: T-STOP, title: t, severity: P0, scope: file, when: { log: { text: STOPPED } }, until: { log: { text: GOES ON } } }"
  /// Ends by time.
  private static let brief =
    "- { id: T-BRIEF, title: t, severity: P0, scope: file, when: { log: { text: STOPPED, count: 1, within: 30s } } }"

  private static func at(_ seconds: Int64) -> Int64 { RuleEngineTests.start + seconds * second }

  /// One line, first read at a second of the host's clock, that arrives at another.
  private static func judge(
    _ engine: RuleEngine, _ line: String, from: UInt64, readAt: Int64?, arrivingAt: Int64
  ) -> [Transition] {
    var batch = RuleEngineTests.delta([line], from: from)
    batch.files[0].readNs = readAt.map(at) ?? 0
    batch.wallNs = at(arrivingAt)
    return RuleEngineTests.observe(engine, batch, arrivingAt)
  }

  private static func copy(_ engine: RuleEngine, _ yaml: String) throws -> RuleEngine {
    let other = try RuleEngineTests.engine(yaml)
    try other.restore(engine.nextState(of: host).bytes, of: host, name: "h", labels: ["host": "h"])
    return other
  }

  @Test func aFindingHasTheTimeAtWhichItsLineWasFirstRead() throws {
    let engine = try RuleEngineTests.engine(Self.stops)
    _ = RuleEngineTests.feed(engine, 0...10, cpu: 1)
    let before = try Self.copy(engine, Self.stops)
    let first =
      Self.judge(engine, "STOPPED", from: 0, readAt: 11, arrivingAt: 11)
      + Self.judge(engine, "GOES ON", from: 8, readAt: 13, arrivingAt: 13)
    // The same lines, minutes later, on another collector.
    let again =
      Self.judge(before, "STOPPED", from: 0, readAt: 11, arrivingAt: 200)
      + Self.judge(before, "GOES ON", from: 8, readAt: 13, arrivingAt: 200)
    #expect(first.map(\.timeNs) == [Self.at(11), Self.at(13)])
    #expect(again.map(\.timeNs) == first.map(\.timeNs) && again.map(\.kind) == first.map(\.kind))
  }

  /// The line was on its way while time ended what went on: it is news, and must not look like a part of what has ended.
  @Test func aFindingIsNeverOlderThanAnEndBeforeIt() throws {
    let engine = try RuleEngineTests.engine(Self.brief)
    _ = RuleEngineTests.feed(engine, 0...10, cpu: 1)
    #expect(Self.judge(engine, "STOPPED", from: 0, readAt: 11, arrivingAt: 11).map(\.kind) == [.opened])
    var ended: [Transition] = []
    for now in Int64(12)...2000 where ended.isEmpty {
      ended = RuleEngineTests.feed(engine, now...now, cpu: 1) + engine.tick(Self.at(now))
    }
    let end = try #require(ended.first)
    #expect(end.kind == .cleared(.recovered))
    let readAt = (end.timeNs - RuleEngineTests.start) / Self.second - 1
    let next = Self.judge(engine, "STOPPED", from: 8, readAt: readAt, arrivingAt: readAt + 3)
    #expect(next.map(\.kind) == [.opened])
    // By a microsecond: that is what the database keeps.
    #expect(next.first?.timeNs == end.timeNs + 1000)
    // A saved state remembers it.
    let other = try Self.copy(engine, Self.brief)
    #expect(other.open.map(\.sinceNs) == next.map(\.timeNs))
  }

  /// Only its own: what has ended elsewhere on the host changes no time.
  @Test func anEndElsewhereDoesNotDateAFinding() throws {
    let engine = try RuleEngineTests.engine(Self.stops)
    _ = RuleEngineTests.feed(engine, 0...10, cpu: 1)
    var other = RuleEngineTests.delta(["STOPPED", "GOES ON"], from: 0, path: "/srv/b.log")
    other.files[0].file.key = FileKey(high: 1, low: 10)
    other.files[0].readNs = Self.at(20)
    other.wallNs = Self.at(20)
    #expect(RuleEngineTests.observe(engine, other, 20).map(\.kind) == [.opened, .cleared(.recovered)])
    #expect(Self.judge(engine, "STOPPED", from: 0, readAt: 11, arrivingAt: 20).map(\.timeNs) == [Self.at(11)])
  }

  /// As many ends are remembered as are of use.
  @Test func endsHaveALimit() throws {
    let engine = try RuleEngineTests.engine(Self.stops)
    _ = RuleEngineTests.feed(engine, 0...10, cpu: 1)
    var sizes: Set<Int> = []
    for number in 0..<100 {
      var batch = RuleEngineTests.delta(["STOPPED", "GOES ON"], from: 0, path: "/srv/\(number % 50).log")
      batch.files[0].file.key = FileKey(high: 2, low: UInt64(number))
      batch.files[0].readNs = Self.at(Int64(20 + number))
      batch.wallNs = batch.files[0].readNs
      #expect(RuleEngineTests.observe(engine, batch, Int64(20 + number)).count == 2)
      sizes.insert(engine.hosts[Self.host]?.state.ends.count ?? -1)
    }
    #expect(sizes.max() == RuleLimits.endsMax)
    _ = try Self.copy(engine, Self.stops)
  }

  /// An agent of a release before this one, and one whose clock was set back since.
  @Test(arguments: [nil, 4000, .max]) func withoutATimeOfReadingItIsTheArrival(readAt: Int64?) throws {
    let engine = try RuleEngineTests.engine(Self.stops)
    _ = RuleEngineTests.feed(engine, 0...10, cpu: 1)
    var batch = RuleEngineTests.delta(["STOPPED"], from: 0)
    batch.files[0].readNs = readAt.map { $0 == .max ? .max : Self.at($0) } ?? 0
    batch.wallNs = Self.at(12)
    #expect(RuleEngineTests.observe(engine, batch, 12).map(\.timeNs) == [Self.at(12)])
  }
}
