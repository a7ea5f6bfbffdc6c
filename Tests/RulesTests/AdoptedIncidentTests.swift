import FleetModel
import Testing

@testable import Rules

/// Open incidents that a host's state does not have.
@Suite struct AdoptedIncidentTests {
  private static let host = RuleEngineTests.host

  private static func adopt(_ engine: RuleEngine, _ rule: String, _ entity: String, at seconds: Int64 = 0) -> Int {
    let ns = RuleEngineTests.start + seconds * RuleEngineTests.second
    let incident = OpenIncident(rule: rule, hostNumber: 1, entity: entity, openedNs: ns, lastEventNs: ns)
    return engine.adopt([incident], of: host, name: "h", labels: ["host": "h"], nowNs: ns)
  }

  @Test func theSamplesOfNowEndIt() throws {
    let engine = try RuleEngineTests.engine(RuleEngineTests.busy)
    #expect(Self.adopt(engine, "RES-01", "") == 1 && Self.adopt(engine, "RES-01", "") == 0)
    #expect(engine.open.map(\.rule) == ["RES-01"])
    #expect(RuleEngineTests.feed(engine, 10...2000, cpu: 1).map(\.kind) == [.cleared(.recovered)])
  }

  /// It is one that goes on, so that it is no news.
  @Test func whatGoesOnIsNotFoundAgain() throws {
    let engine = try RuleEngineTests.engine(RuleEngineTests.busy)
    _ = Self.adopt(engine, "RES-01", "")
    #expect(RuleEngineTests.feed(engine, 10...2000, cpu: 95).isEmpty)
  }

  /// A file that is not there any more.
  @Test func whatIsGoneEnds() throws {
    let engine = try RuleEngineTests.engine(
      "- { id: T-STOP, title: t, severity: P0, scope: file, when: { log: { text: A } }, until: { log: { text: B } } }")
    #expect(Self.adopt(engine, "T-STOP", "/srv/gone.log") == 1)
    var ended: [Transition] = []
    var now: Int64 = 0
    while ended.isEmpty, now < 90 * 86_400 {
      now += 3600
      ended =
        RuleEngineTests.feed(engine, now...now, cpu: 1)
        + engine.tick(RuleEngineTests.start + now * RuleEngineTests.second)
    }
    #expect(ended.map(\.kind) == [.cleared(.gone)])
  }

  @Test func whatNoRuleJudgesHereIsLeft() throws {
    let engine = try RuleEngineTests.engine(
      RuleEngineTests.busy + "\n- { id: T-1, title: t, severity: P0, when: { stale: host, for: 5m } }")
    #expect(Self.adopt(engine, "NONE-1", "") == 0)
    // Whoever judges the fleet has it.
    #expect(Self.adopt(engine, "T-1", "") == 0)
    // Of an earlier definition of the rule.
    #expect(Self.adopt(engine, "RES-01", "/srv/a.log") == 0)
  }

  @Test(arguments: EntityKind.allCases) func textsAreReadAsTheyAreWritten(scope: EntityKind) throws {
    let kind: EntityKind = scope == .job ? .run : scope
    let entity = RuleEntity(kind: kind, name: kind == .host || kind == .fleet ? "" : "a b|c")
    #expect(RuleEntity(entity.text(scope: scope), of: scope) == entity)
  }
}
