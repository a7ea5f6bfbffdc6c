import FleetModel
import RuleFiles
import Rules
import Testing

@Suite struct RuleEngineTests {
  static let second: Int64 = 1_000_000_000
  static let start: Int64 = 1_760_000_000_000_000_000
  static let host = HostID(high: 1, low: 1)

  static func engine(_ yaml: String) throws -> RuleEngine { RuleEngine(try set(yaml)) }

  static func set(_ yaml: String) throws -> RuleSet {
    let read = RuleSet.read([("t.yaml", try YAMLTree.read(yaml, file: "t.yaml"))])
    try #require(read.mistakes.isEmpty, "\(read.mistakes)")
    return read.set
  }

  static let spool = SpoolID(high: 0xa1a2_a3a4_a5a6_a7a8, low: 0xb1b2_b3b4_b5b6_b7b8)

  /// - Parameter sequence: of the only record; nil makes one of the time.
  static func batch(_ at: Int64, cpu: Float, lane: Lane = .live, sequence: UInt64? = nil) -> Batch {
    var sample = HostSample()
    sample.timeNs = start + at * second
    sample.cpuBusyPercent = cpu
    var records = Records()
    records.hosts = [sample]
    var batch = Batch()
    let number = sequence ?? UInt64(at + 1)
    batch.spooled = [SpooledRecords(lane: lane, firstSequence: number, lastSequence: number, records: records)]
    return batch
  }

  static func feed(_ engine: RuleEngine, _ range: ClosedRange<Int64>, cpu: Float, step: Int64 = 10) -> [Transition] {
    stride(from: range.lowerBound, through: range.upperBound, by: Int(step)).flatMap { at in
      observe(engine, batch(at, cpu: cpu), at) + engine.tick(start + at * second)
    }
  }

  static func observe(_ engine: RuleEngine, _ batch: Batch, _ at: Int64) -> [Transition] {
    engine.observe(batch, from: host, name: "h", labels: ["host": "h"], nowNs: start + at * second, spool: spool)
  }

  static let busy = "- { id: RES-01, title: t, severity: P3, when: { metric: cpu.busy_percent, above: 80, for: 10m } }"

  @Test func aConditionOpensOnceItHasHeldAndClearsAfterAsLong() throws {
    let engine = try Self.engine(Self.busy)
    let opened = Self.feed(engine, 0...700, cpu: 95)
    #expect(opened.map(\.rule) == ["RES-01"])
    #expect(opened.first?.timeNs == Self.start + 600 * Self.second)
    #expect(opened.first?.evidence == [.value(metric: "cpu.busy_percent", value: 95)])
    let cleared = Self.feed(engine, 710...1400, cpu: 20)
    #expect(cleared.map(\.kind) == [.cleared(.recovered)])
    #expect(cleared.first?.timeNs == Self.start + 1310 * Self.second)
  }

  @Test func whatIsSentAgainChangesNothing() throws {
    let engine = try Self.engine(Self.busy)
    _ = Self.feed(engine, 0...590, cpu: 95)
    let before = engine.encodedState(of: Self.host)
    for at in stride(from: Int64(0), through: 590, by: 10) {
      #expect(Self.observe(engine, Self.batch(at, cpu: 10), 590).isEmpty)
    }
    #expect(engine.encodedState(of: Self.host) == before)
    #expect(Self.feed(engine, 600...600, cpu: 95).map(\.kind) == [.opened])
  }

  @Test func aBacklogIsJudgedByTheTimesOfItsSamples() throws {
    let engine = try Self.engine(Self.busy)
    var found: [Transition] = []
    for at in stride(from: Int64(0), through: 700, by: 10) {
      found += Self.observe(engine, Self.batch(at, cpu: 95), 5000)
    }
    #expect(found.map(\.timeNs) == [Self.start + 600 * Self.second])
  }

  @Test func noDataNeitherOpensNorClears() throws {
    let engine = try Self.engine(Self.busy)
    _ = Self.feed(engine, 0...700, cpu: 95)
    #expect(Self.feed(engine, 710...3000, cpu: .nan).isEmpty)
    #expect(engine.tick(Self.start + 9000 * Self.second).isEmpty)
    #expect(engine.open.count == 1)
  }

  @Test func stateGoesToAnotherCollectorAndNothingOpensTwice() throws {
    let first = try Self.engine(Self.busy)
    _ = Self.feed(first, 0...700, cpu: 95)
    let second = try Self.engine(Self.busy)
    try second.restore(first.encodedState(of: Self.host), of: Self.host, name: "h", labels: ["host": "h"])
    #expect(Self.feed(second, 710...900, cpu: 95).isEmpty)
    #expect(Self.feed(second, 910...1600, cpu: 1).map(\.kind) == [.cleared(.recovered)])
  }

  @Test func stateThatIsCutOrDamagedIsRefusedAndNeverTraps() throws {
    let engine = try Self.engine(Self.busy)
    _ = Self.feed(engine, 0...700, cpu: 95)
    let bytes = engine.encodedState(of: Self.host)
    for length in 1..<bytes.count {
      #expect(throws: RuleStateError.self) {
        try engine.restore(Array(bytes.prefix(length)), of: Self.host, name: "h", labels: [:])
      }
    }
    var random = SystemRandomNumberGenerator()
    for _ in 0..<2000 {
      var damaged = bytes
      damaged[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      try? engine.restore(damaged, of: Self.host, name: "h", labels: [:])
      _ = engine.tick(Self.start + 800 * Self.second)
    }
  }

  @Test func reloadKeepsWhatIsUnchangedAndEndsWhatIsNot() throws {
    let engine = try Self.engine(Self.busy)
    _ = Self.feed(engine, 0...700, cpu: 95)
    let renamed = Self.busy.replacing("title: t", with: "title: other, causes: [x]")
    #expect(engine.reload(try Self.set(renamed), nowNs: Self.start).isEmpty)
    #expect(engine.open.count == 1)
    let changed = Self.busy.replacing("above: 80", with: "above: 90")
    #expect(engine.reload(try Self.set(changed), nowNs: Self.start).map(\.kind) == [.cleared(.ruleChanged)])
    #expect(engine.open.isEmpty)
  }

  static func delta(_ lines: [String], from: UInt64, path: String = "/srv/a.log") -> Batch {
    let size = UInt64(lines.reduce(0) { $0 + $1.utf8.count + 1 })
    var delta = FileDelta(file: FileIdentity(key: FileKey(high: 1, low: 9), path: path), from: from, to: from + size)
    delta.lines.firstOffset = from
    for line in lines {
      delta.lines.text += Array(line.utf8)
      delta.lines.lengths.append(UInt32(line.utf8.count))
      delta.lines.advances.append(UInt32(line.utf8.count + 1))
      delta.lines.timesUs.append(start / 1000)
      delta.lines.levels.append(Level.info.rawValue)
      delta.lines.flags.append(0)
    }
    var batch = Batch()
    batch.wallNs = start
    batch.files = [delta]
    return batch
  }

  static let boom = """
    - { id: SITE-01, title: Boom, severity: P1, scope: file, when: { log: { file: "*.log", matches: "BOOM", count: 2 } } }
    """

  @Test func aFileRangeThatIsSentAgainCountsOnce() throws {
    let engine = try Self.engine(Self.boom)
    #expect(Self.observe(engine, Self.delta(["BOOM", "x"], from: 0), 0).isEmpty)
    #expect(Self.observe(engine, Self.delta(["BOOM", "x"], from: 0), 1).isEmpty)
    // Cut differently: the first two lines were seen.
    #expect(Self.observe(engine, Self.delta(["BOOM", "x", "y"], from: 0), 2).isEmpty)
    let opened = Self.observe(engine, Self.delta(["and BOOM"], from: 9), 3)
    #expect(opened.map(\.entity.name) == ["/srv/a.log"])
    #expect(opened.first?.evidence == [.line(file: "/srv/a.log", text: "and BOOM")])
  }

  @Test func anUntilAnswersWhatHappenedBeforeItAndNothingElse() throws {
    let engine = try Self.engine(
      "- { id: SITE-01, title: t, severity: P1, scope: file, when: { log: { text: STOPPED } }, until: { log: { text: GOES ON } } }"
    )
    var at: Int64 = 0
    var sizeBytes: UInt64 = 0
    func say(_ line: String) -> [Transition.Kind] {
      at += 1
      defer { sizeBytes += UInt64(line.utf8.count + 1) }
      let found = Self.observe(engine, Self.delta([line], from: sizeBytes), at)
      return (found + engine.tick(Self.start + at * Self.second)).map(\.kind)
    }
    #expect(say("it GOES ON").isEmpty)
    #expect(say("STOPPED") == [.opened])
    #expect(say("still there").isEmpty)
    #expect(say("it GOES ON") == [.cleared(.recovered)])
    #expect(say("well").isEmpty)
    #expect(say("STOPPED") == [.opened])
    #expect(say("well").isEmpty)
    #expect(say("it GOES ON") == [.cleared(.recovered)])
  }

  @Test func labelsDecideWhichHostsARuleIsFor() throws {
    let engine = try Self.engine(
      "- { id: A-1, title: t, severity: P1, match: { role: db }, when: { metric: cpu.busy_percent, above: 80 } }")
    #expect(Self.observe(engine, Self.batch(0, cpu: 95), 0).isEmpty)
    let other = engine.observe(
      Self.batch(0, cpu: 95), from: HostID(high: 2, low: 2), name: "d", labels: ["role": "db"], nowNs: Self.start)
    #expect(other.count == 1)
  }

  @Test func labelsAreWantedByPatterns() throws {
    let engine = try Self.engine(
      "- { id: A-1, title: t, severity: P1, match: { host: \"gpu-*\" }, when: { metric: cpu.busy_percent, above: 80 } }"
    )
    for (number, name) in [(2, "gpu-1"), (3, "cpu-1"), (4, "gpu-2")] as [(UInt64, String)] {
      let found = engine.observe(
        Self.batch(0, cpu: 95), from: HostID(high: 2, low: number), name: name, labels: ["host": name],
        nowNs: Self.start)
      #expect(found.count == (name.hasPrefix("gpu") ? 1 : 0), "\(name)")
    }
  }

  @Test func aSilentHostIsToldOnceAndNothingElseOfItIsResolved() throws {
    let engine = try Self.engine(
      Self.busy + "\n- { id: AGT-01, title: s, severity: P1, when: { stale: host, for: 300s } }")
    _ = Self.feed(engine, 0...700, cpu: 95)
    var found: [Transition] = []
    for at in Int64(701)...2000 { found += engine.tick(Self.start + at * Self.second) }
    #expect(found.map(\.rule) == ["AGT-01"])
    #expect(Set(engine.open.map(\.rule)) == ["RES-01", "AGT-01"])
  }

  @Test func aSkewedClockIsTold() throws {
    let engine = try Self.engine(
      "- { id: AGT-04, title: t, severity: P3, when: { metric: agent.clock_skew_seconds, above: 5, for: 5m } }")
    var found: [Transition] = []
    for at in stride(from: Int64(0), through: 400, by: 10) {
      var batch = Self.batch(at + 8, cpu: 1)
      batch.wallNs = Self.start + (at + 8) * Self.second
      batch.health = AgentHealth()
      found += Self.observe(engine, batch, at)
    }
    #expect(found.map(\.rule) == ["AGT-04"])
  }

  @Test func thingsOfAHostAreBounded() throws {
    let engine = try Self.engine(Self.boom)
    for file in 0..<3000 { _ = Self.observe(engine, Self.delta(["x"], from: 0, path: "/srv/\(file).log"), 0) }
    #expect(engine.untrackedEntities > 1000)
    #expect(engine.stateBytes(of: Self.host) < 400_000)
  }
}
