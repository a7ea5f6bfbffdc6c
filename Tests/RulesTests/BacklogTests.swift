import FleetModel
import Testing

@testable import Rules

/// What comes late, again, or from before the agent's time.
@Suite struct BacklogTests {
  private static let second = RuleEngineTests.second
  private static let start = RuleEngineTests.start

  // MARK: every row

  private static let low =
    "- { id: T-LOW, title: t, severity: P2, scope: run, when: { metric: episode.total_reward, below: -100 } }"
  private static let three =
    "- { id: T-3, title: t, severity: P2, scope: run, when: { episode: { state: completed, count: 3, within: 1h } } }"
  private static let missing =
    "- { id: T-MISS, title: t, severity: P2, scope: run, when: { episode: { state: missing } } }"

  private static func episode(_ number: Int64, _ at: Int64, reward: Double = 10) -> EpisodeSummary {
    var episode = EpisodeSummary()
    (episode.run, episode.episode, episode.state) = ("r", number, .completed)
    (episode.timeNs, episode.finalSteps, episode.finalReward) = (start + at * second, 10, reward)
    episode.steps = 10
    return episode
  }

  private static func step(_ number: Int64, _ at: Int64) -> TrainingStep {
    var step = TrainingStep()
    (step.run, step.step, step.timeNs) = ("r", number, start + at * second)
    var flag = Metric()
    (flag.name, flag.value) = ("is_success", 1)
    step.metrics = [flag]
    return step
  }

  private static func part(
    _ range: Range<Int64>, bytesARow: Int64 = 10, withSteps: Bool = false, history: UInt64 = 0,
    _ reward: (Int64) -> Double = { _ in 10 }
  ) -> Batch {
    var file = FileIdentity(key: FileKey(high: 1, low: 5), path: "/srv/r/monitor.csv")
    file.historyBytes = history
    var delta = FileDelta(
      file: file, from: UInt64(range.lowerBound * bytesARow), to: UInt64(range.upperBound * bytesARow))
    delta.episodes = range.map { episode($0 + 1, $0 - 3000, reward: reward($0)) }
    if withSteps { delta.steps = range.map { step($0, $0 - 3000) } }
    var batch = Batch()
    batch.wallNs = start
    batch.files = [delta]
    return batch
  }

  private static func running(at: Int64) -> RunUpdate {
    var run = RunUpdate()
    (run.run, run.state, run.timeNs) = ("r", .running, start + at * second)
    return run
  }

  /// The notice that the run goes on has the time of reading: it is newer than every row.
  @Test func aNoticeThatIsNewerThanTheRowsHidesNone() throws {
    let engine = try RuleEngineTests.engine(Self.low)
    var first = Self.part(0..<100)
    first.files[0].runs = [Self.running(at: 0)]
    #expect(RuleEngineTests.observe(engine, first, 0).isEmpty)
    let found = RuleEngineTests.observe(engine, Self.part(100..<200) { $0 == 150 ? -500 : 10 }, 1)
    #expect(found.map(\.rule) == ["T-LOW"])
    #expect(found.first?.timeNs == Self.start + (150 - 3000) * Self.second)
  }

  /// Each row of a monitor.csv with an info keyword is a step and an episode.
  @Test func stepsOfAPartHideNoneOfItsEpisodes() throws {
    let engine = try RuleEngineTests.engine([Self.low, Self.three, Self.missing].joined(separator: "\n"))
    let found = RuleEngineTests.observe(engine, Self.part(0..<3, withSteps: true) { $0 == 0 ? -500 : 10 }, 0)
    #expect(found.map(\.rule) == ["T-LOW", "T-3"])
  }

  /// Un-acked parts come again after a reconnect, and are cut otherwise: no row counts twice, none is passed over.
  @Test func rowsThatAreSentAgainAndCutOtherwiseCountOnce() throws {
    let yaml = Self.three.replacing("count: 3", with: "count: 7")
    var engine = try RuleEngineTests.engine(yaml)
    #expect(RuleEngineTests.observe(engine, Self.part(0..<2), 0).isEmpty)
    #expect(RuleEngineTests.observe(engine, Self.part(2..<5), 1).isEmpty)
    let saved = engine.encodedState(of: RuleEngineTests.host)
    engine = try RuleEngineTests.engine(yaml)
    try engine.restore(saved, of: RuleEngineTests.host, name: "h", labels: [:])
    // The first part is committed; the agent goes on behind it and has one row more by now: six in all.
    #expect(RuleEngineTests.observe(engine, Self.part(2..<6), 2).isEmpty)
    #expect(RuleEngineTests.observe(engine, Self.part(2..<6), 3).isEmpty)
    #expect(RuleEngineTests.observe(engine, Self.part(6..<7), 4).map(\.kind) == [.opened])
  }

  /// Minutes of a backlog pass in a moment: what it opens is there to be seen for as long as its rule says.
  @Test func aBacklogEndsNothingBeforeAnyoneCouldSeeIt() throws {
    let engine = try RuleEngineTests.engine(Self.low)
    let found = RuleEngineTests.observe(engine, Self.part(0..<2900) { $0 == 10 ? -500 : 10 }, 0)
    #expect(found.map(\.kind) == [.opened])
    #expect(engine.tick(Self.start + 100 * Self.second).isEmpty)
    var late: [Transition] = []
    for at in stride(from: Int64(100), through: 400, by: 10) {
      late += RuleEngineTests.observe(engine, RuleEngineTests.batch(at, cpu: 1), at)
      late += engine.tick(Self.start + at * Self.second)
    }
    #expect(late.map(\.kind) == [.cleared(.recovered)])
  }

  // MARK: two lanes

  /// Newest first, the outage's samples beside them: neither disturbs the other, and both are judged.
  @Test func aBacklogBesideLiveSamplesIsJudgedByItsOwnTimes() throws {
    let engine = try RuleEngineTests.engine(RuleEngineTests.busy)
    _ = RuleEngineTests.feed(engine, 0...100, cpu: 10)
    var found: [Transition] = []
    for number in Int64(0)...80 {
      let live = RuleEngineTests.batch(5000 + number, cpu: 10)
      found += RuleEngineTests.observe(engine, live, 5000 + number)
      let late = RuleEngineTests.batch(1000 + number * 10, cpu: 95, lane: .backfill)
      found += RuleEngineTests.observe(engine, late, 5000 + number)
      found += engine.tick(Self.start + (5000 + number) * Self.second)
    }
    #expect(found.map(\.kind) == [.opened])
    #expect(found.first?.timeNs == Self.start + 1600 * Self.second)
    // What is now decides when it ends.
    #expect(RuleEngineTests.feed(engine, 5090...6000, cpu: 10).map(\.kind) == [.cleared(.recovered)])
    #expect(engine.open.isEmpty)
  }

  @Test func liveSamplesHoldOnWhileABacklogComes() throws {
    let engine = try RuleEngineTests.engine(RuleEngineTests.busy)
    var found: [Transition] = []
    for number in Int64(0)...70 {
      let at = 5000 + number * 10
      found += RuleEngineTests.observe(engine, RuleEngineTests.batch(at, cpu: 95), at)
      found += RuleEngineTests.observe(engine, RuleEngineTests.batch(number * 10, cpu: 5, lane: .backfill), at)
    }
    #expect(found.map(\.kind) == [.opened])
    #expect(found.first?.timeNs == Self.start + 5600 * Self.second)
  }

  @Test func bothLanesOfASpoolAreToldApartAndASpoolFromAnother() throws {
    let engine = try RuleEngineTests.engine(
      "- { id: T-1, title: t, severity: P2, when: { event: { kind: oom_kill, count: 4, within: 1h } } }")
    func event(_ lane: Lane, _ sequence: UInt64, _ spool: SpoolID = RuleEngineTests.spool) -> [Transition] {
      var event = Event()
      // The same time and subject each: that says nothing of whether it is the same event.
      (event.timeNs, event.kind, event.subject) = (Self.start, .oomKill, "python")
      var records = Records()
      records.events = [event]
      var batch = Batch()
      batch.wallNs = Self.start
      batch.spooled = [
        SpooledRecords(lane: lane, firstSequence: sequence, lastSequence: sequence, records: records)
      ]
      return engine.observe(
        batch, from: RuleEngineTests.host, name: "h", labels: [:], nowNs: Self.start, spool: spool)
    }
    #expect(event(.live, 7).isEmpty)
    #expect(event(.live, 7).isEmpty)
    #expect(event(.backfill, 7).isEmpty)
    #expect(event(.backfill, 6).isEmpty)
    #expect(event(.live, 8).isEmpty)
    #expect(event(.live, 3, SpoolID(high: 9, low: 9)).map(\.kind) == [.opened])
  }

  // MARK: history

  private static let boom =
    "- { id: T-1, title: t, severity: P0, scope: file, when: { log: { matches: BOOM } } }"

  /// What a file held before its agent's first start is recorded with its own time and never paged; the next line is.
  @Test func historyIsRecordedAndNeverPagedAndHidesNothingNew() throws {
    let engine = try RuleEngineTests.engine(Self.boom)
    let rule = try #require(engine.set.rules.first)
    var old = RuleEngineTests.delta(["BOOM", "BOOM", "x"], from: 0)
    for line in 0..<3 { old.files[0].lines.timesUs[line] -= 8 * 86_400_000_000 }
    // The last line came while the file was first read.
    old.files[0].file.historyBytes = 10
    let found = RuleEngineTests.observe(engine, old, 0)
    #expect(found.map(\.kind) == [.opened, .cleared(.recovered)])
    #expect(found.allSatisfy { $0.timeNs == Self.start - 8 * 86_400 * Self.second })
    let change = IncidentChange(found[0], of: rule, host: nil)
    #expect(change.isObserved)
    #expect(engine.open.isEmpty)
    var new = RuleEngineTests.delta(["BOOM"], from: 12)
    new.files[0].file.historyBytes = 10
    let opened = RuleEngineTests.observe(engine, new, 1)
    #expect(opened.map(\.kind) == [.opened])
    #expect(!IncidentChange(opened[0], of: rule, host: nil).isObserved)
  }

  @Test func rowsOfHistoryOpenNothingAndTheRunGoesOn() throws {
    let engine = try RuleEngineTests.engine(
      [
        Self.low, Self.missing,
        "- { id: T-START, title: t, severity: P2, scope: run, when: { run: { state: progressed } } }",
      ].joined(separator: "\n"))
    let past = Self.part(0..<100, history: 1000) { $0 == 50 ? -500 : 10 }
    let found = RuleEngineTests.observe(engine, past, 0)
    #expect(found.contains { $0.rule == "T-LOW" })
    #expect(found.allSatisfy { $0.isHistory })
    #expect(engine.open.isEmpty)
    let next = RuleEngineTests.observe(engine, Self.part(100..<101, history: 1000) { _ in -500 }, 1)
    #expect(next.contains { $0.rule == "T-LOW" && $0.kind == .opened && !$0.isHistory })
  }

  // MARK: state

  /// A state of the version before is read: what was open is still open.
  @Test func aStateWithoutMarksIsTakenUp() throws {
    let engine = try RuleEngineTests.engine(RuleEngineTests.busy)
    _ = RuleEngineTests.feed(engine, 0...700, cpu: 95)
    var bytes = engine.encodedState(of: RuleEngineTests.host)
    // The spool's 16 bytes stand least significant byte first, with two sequences behind them.
    let mark = (0..<8).map { UInt8(0xa8 - $0) }
    let place = try #require(bytes.indices.first { bytes[$0...].starts(with: mark) })
    let numbers = bytes[(place + 16)...]
    var length = 16
    for _ in 0..<2 { length += numbers.dropFirst(length - 16).prefix { $0 >= 0x80 }.count + 1 }
    bytes.removeSubrange(place..<place + length)
    // The sequence of a state that was never saved is one byte, and so is the newest end where there is none.
    bytes.removeSubrange(1...2)
    bytes[0] = 2
    let other = try RuleEngineTests.engine(RuleEngineTests.busy)
    try other.restore(bytes, of: RuleEngineTests.host, name: "h", labels: ["host": "h"])
    #expect(other.open.map(\.rule) == ["RES-01"])
    #expect(RuleEngineTests.feed(other, 710...800, cpu: 95).isEmpty)
  }

  // MARK: ended by hand

  private static func ended(_ transition: Transition, entity: String) -> EndedIncident {
    EndedIncident(
      number: 1, rule: transition.rule, hostNumber: 1, entity: entity, lastEventUs: transition.timeNs / 1000)
  }

  @Test func anIncidentThatAPersonEndsIsOpenedAgainByTheNextLine() throws {
    let engine = try RuleEngineTests.engine(Self.boom)
    let first = RuleEngineTests.observe(engine, RuleEngineTests.delta(["BOOM"], from: 0), 0)
    #expect(RuleEngineTests.observe(engine, RuleEngineTests.delta(["BOOM"], from: 5), 1).isEmpty)
    let end = Self.ended(first[0], entity: "/srv/a.log")
    #expect(engine.rearm(end, on: RuleEngineTests.host) == [RuleEngineTests.host])
    #expect(engine.open.isEmpty)
    #expect(engine.tick(Self.start + 2 * Self.second).isEmpty)
    let again = RuleEngineTests.observe(engine, RuleEngineTests.delta(["BOOM"], from: 10), 3)
    #expect(again.map(\.kind) == [.opened])
    // The same end once more means the first incident, not this one.
    #expect(engine.rearm(end, on: RuleEngineTests.host).isEmpty || again[0].timeNs <= first[0].timeNs)
  }

  /// A number that stays bad opens once more after it has held anew.
  @Test func aNumberMustHoldAnewAfterAPersonHasEndedItsIncident() throws {
    let engine = try RuleEngineTests.engine(RuleEngineTests.busy)
    let first = RuleEngineTests.feed(engine, 0...700, cpu: 95)
    #expect(engine.rearm(Self.ended(first[0], entity: ""), on: RuleEngineTests.host).count == 1)
    let again = RuleEngineTests.feed(engine, 710...1400, cpu: 95)
    #expect(again.map(\.timeNs) == [Self.start + 1310 * Self.second])
  }

  @Test func anEndOfAnotherThingArmsNothing() throws {
    let engine = try RuleEngineTests.engine(Self.boom)
    let first = RuleEngineTests.observe(engine, RuleEngineTests.delta(["BOOM"], from: 0), 0)
    #expect(engine.rearm(Self.ended(first[0], entity: "/srv/b.log"), on: RuleEngineTests.host).isEmpty)
    #expect(engine.open.count == 1)
  }
}
