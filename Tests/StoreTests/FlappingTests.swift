import FleetModel
import Incidents
import Postgres
import RuleFiles
import Rules
import Store
import Testing

/// From samples through the rules to incidents in a real database, two hours in a moment.
@Suite(.timeLimit(.minutes(10))) struct FlappingTests {
  static let secondNs: Int64 = 1_000_000_000
  static let startNs = StoreFixture.nowNs
  let fixture: StoreFixture

  init() throws { fixture = try StoreFixture() }

  static func rules(_ more: String) throws -> RuleSet {
    let yaml = "- { id: RES-01, title: busy, severity: P1, when: { metric: cpu.busy_percent, above: 80 }\(more) }"
    let read = RuleSet.read([("t.yaml", try YAMLTree.read(yaml, file: "t.yaml"))])
    try #require(read.mistakes.isEmpty, "\(read.mistakes)")
    return read.set
  }

  static func batch(_ timeNs: Int64, cpu: Float) -> Batch {
    var sample = HostSample()
    sample.timeNs = timeNs
    sample.cpuBusyPercent = cpu
    var records = Records()
    records.hosts = [sample]
    var batch = Batch()
    batch.wallNs = timeNs
    batch.spooled = [SpooledRecords(lane: .live, firstSequence: 1, lastSequence: 1, records: records)]
    return batch
  }

  /// Ten seconds busy, ten seconds idle, for two hours.
  /// - Returns: number of beginnings that the engine reported.
  private func flap(_ set: RuleSet) throws -> Int {
    let host = try fixture.host()
    let number = Int32(try fixture.value("select number from signalbox.hosts") ?? "") ?? 0
    let known = KnownHost(id: host, number: number, name: "trainer-1")
    let engine = RuleEngine(set)
    let rule = try #require(set.rules.first)
    var opened = 0
    for at in stride(from: Int64(0), to: 7200, by: 10) {
      let nowNs = Self.startNs + at * Self.secondNs
      let batch = Self.batch(nowNs, cpu: at % 20 == 0 ? 95 : 5)
      let found = engine.observe(batch, from: host, name: "trainer-1", labels: [:], nowNs: nowNs) + engine.tick(nowNs)
      opened += found.count { $0.kind == .opened }
      let changes = found.map { IncidentChange($0, of: rule, host: known) }
      if !changes.isEmpty { try fixture.store.apply(changes, policy: IncidentTests.policy, nowNs: nowNs) }
    }
    return opened
  }

  @Test func aConditionThatComesAndGoesEveryTwentySecondsIsOneIncidentThatSaysSo() throws {
    #expect(try flap(try Self.rules(", until: { metric: cpu.busy_percent, below: 50 }")) == 360)
    #expect(try fixture.count("signalbox.incidents") == 1)
    #expect(try fixture.count("signalbox.incidents where state = 'open' and flaps >= 3") == 1)
    #expect(try fixture.count("signalbox.outbox where detail = 'flapping' and event = 'trigger'") == 1)
    #expect(try fixture.count("signalbox.outbox where receiver = 'duty' and event = 'trigger'") <= 4)
  }

  @Test func aRuleThatWaitsBeforeItClearsDoesNotFlapAtAll() throws {
    #expect(try flap(try Self.rules("")) == 1)
    #expect(try fixture.count("signalbox.incidents where state = 'open' and flaps = 0") == 1)
    #expect(try fixture.count("signalbox.outbox where receiver = 'duty' and event = 'trigger'") == 1)
  }
}
