import FleetModel
import Testing

@testable import Rules

/// Saved states: their numbers, those of the releases before, and what of the silence of hosts they decide.
@Suite struct RuleStateTests {
  private static let host = RuleEngineTests.host
  private static let silent = "- { id: T-1, title: t, severity: P0, when: { stale: host, for: 5m } }"

  @Test func aSavedStateIsNumberedAndAnotherEngineGoesOnFromItsNumber() throws {
    let first = try RuleEngineTests.engine(RuleEngineTests.busy)
    #expect(first.nextState(of: Self.host) == (0, []))
    _ = RuleEngineTests.feed(first, 0...700, cpu: 95)
    #expect(first.sequence(of: Self.host) == 0)
    #expect(first.nextState(of: Self.host).sequence == 1)
    let saved = first.nextState(of: Self.host)
    #expect(saved.sequence == 2 && saved.bytes == first.encodedState(of: Self.host))
    let second = try RuleEngineTests.engine(RuleEngineTests.busy)
    try second.restore(saved.bytes, of: Self.host, name: "h", labels: ["host": "h"])
    #expect(second.sequence(of: Self.host) == 2)
    #expect(second.nextState(of: Self.host).sequence == 3)
  }

  /// A state of an earlier release has no number or no newest end: what was open is still open, and its next one is the first.
  @Test(arguments: [(4, 2), (3, 1)]) func aStateOfAnEarlierReleaseIsTakenUp(version: UInt8, at place: Int) throws {
    let engine = try RuleEngineTests.engine(RuleEngineTests.busy)
    _ = RuleEngineTests.feed(engine, 0...700, cpu: 95)
    var bytes = engine.encodedState(of: Self.host)
    #expect(bytes[0] == 7 && bytes[1] == 0 && bytes[2] == 0)
    bytes.removeSubrange(place...2)
    bytes[0] = version
    let other = try RuleEngineTests.engine(RuleEngineTests.busy)
    try other.restore(bytes, of: Self.host, name: "h", labels: ["host": "h"])
    #expect(other.open.map(\.rule) == ["RES-01"])
    #expect(RuleEngineTests.feed(other, 0...800, cpu: 95).isEmpty)
    #expect(other.nextState(of: Self.host).sequence == 1)
  }

  @Test func aNumberThatNoColumnHoldsIsRefused() throws {
    let engine = try RuleEngineTests.engine(RuleEngineTests.busy)
    _ = RuleEngineTests.feed(engine, 0...10, cpu: 1)
    var bytes = engine.encodedState(of: Self.host)
    bytes.replaceSubrange(1...1, with: [UInt8](repeating: 0xff, count: 9) + [1])
    #expect(throws: RuleStateError.malformed) {
      try engine.restore(bytes, of: Self.host, name: "h", labels: [:])
    }
  }

  // MARK: Silence

  private static func tick(_ engine: RuleEngine, _ at: Int64) -> [Transition] {
    engine.tick(RuleEngineTests.start + at * RuleEngineTests.second)
  }

  /// Another collector's state of the host, of before it fell silent, comes with its next stream.
  @Test func aStateFromElsewhereDoesNotEndTheSilenceThatThisEngineHasFound() throws {
    let engine = try RuleEngineTests.engine(Self.silent)
    _ = RuleEngineTests.feed(engine, 0...60, cpu: 1)
    let before = engine.nextState(of: Self.host).bytes
    #expect(Self.tick(engine, 400).map(\.kind) == [.opened])
    try engine.restore(before, of: Self.host, name: "h", labels: ["host": "h"])
    #expect(engine.silentHosts == [Self.host])
    #expect(RuleEngineTests.feed(engine, 410...900, cpu: 1).map(\.kind) == [.cleared(.recovered)])
    // Whoever does not judge silence takes a state as it is.
    #expect(Self.tick(engine, 1300).map(\.kind) == [.opened])
    engine.runsFleetRules = false
    try engine.restore(before, of: Self.host, name: "h", labels: ["host": "h"])
    #expect(engine.silentHosts.isEmpty)
  }

  /// The collector that judged it is gone: its successor knows of the silence by the incident, whatever the saved state has.
  @Test func whoBeginsToJudgeSilenceTakesItUpFromTheOpenIncidents() throws {
    let engine = try RuleEngineTests.engine(Self.silent)
    _ = RuleEngineTests.feed(engine, 0...60, cpu: 1)
    engine.adoptSilence([Self.host: [("T-1", RuleEngineTests.start + 50 * RuleEngineTests.second)]])
    #expect(engine.silentHosts == [Self.host])
    // Still silent: it is not reported again.
    #expect(Self.tick(engine, 500).isEmpty)
    #expect(RuleEngineTests.feed(engine, 510...1000, cpu: 1).map(\.kind) == [.cleared(.recovered)])
    // In the saved state it is open, its incident is not: the next silence is reported.
    #expect(Self.tick(engine, 1400).map(\.kind) == [.opened])
    engine.adoptSilence([:])
    #expect(engine.silentHosts.isEmpty)
    #expect(Self.tick(engine, 1420).map(\.kind) == [.opened])
  }
}
