import FleetModel
import Incidents
import Postgres
import Store
import Testing

/// One thing that the database will never take costs only itself, for every kind of thing that is written.
@Suite(.timeLimit(.minutes(10))) struct SetAsideTests {
  private static let nowNs = StoreFixture.nowNs

  private static func change(_ entity: String, _ rule: String = "LOG-01", host: Int32? = 1) -> IncidentChange {
    var change = IncidentChange(
      .opened, rule: rule, severity: .p1, hostNumber: host, hostName: "trainer-1", entity: entity, eventNs: nowNs,
      detectedNs: nowNs)
    change.summary = "found in \(entity)"
    return change
  }

  // MARK: Incidents

  @Test func aPathLongerThanAnIndexEntryOpensAndEndsItsIncident() throws {
    let fixture = try StoreFixture()
    _ = try fixture.stream()
    let path = "/" + String(repeating: "d/", count: 1800) + "train.log"
    let opened = Self.change(path)
    #expect(try fixture.store.apply([opened], policy: .none, nowNs: Self.nowNs).opened == 1)
    #expect(try fixture.value("select octet_length(entity) from incidents") == "\(path.utf8.count)")
    // Another file with the same beginning is another incident, the same one is not.
    #expect(try fixture.store.apply([opened, Self.change(path + "2")], policy: .none, nowNs: Self.nowNs).opened == 1)
    var cleared = opened
    cleared.kind = .cleared
    cleared.eventNs += 1_000_000_000
    #expect(try fixture.store.apply([cleared], policy: .none, nowNs: Self.nowNs).resolved == 1)
    #expect(try fixture.value("select count(*) from incidents where state = 'open'") == "1")
  }

  @Test func aFindingThatIsRefusedStillOpensWithoutItsOwnWords() throws {
    let fixture = try StoreFixture()
    _ = try fixture.stream()
    try fixture.store.connection.execute(
      "alter table signalbox.incidents add constraint no_poison check (summary not like '%poison%' and title not like '%poison%')"
    )
    let changes = [Self.change("/a"), Self.change("/poison"), Self.change("/b")]
    #expect(throws: StoreError.self) { try fixture.store.apply(changes, policy: .none, nowNs: Self.nowNs) }
    let (done, setAside) = try fixture.store.applyOneByOne(changes, policy: .none, nowNs: Self.nowNs)
    #expect(done.opened == 3 && setAside == 0)
    #expect(try fixture.value("select count(*) from incidents where entity in ('/a', '/b')") == "2")
    #expect(try fixture.value("select count(*) from incidents where summary like '%dead_letters%'") == "1")
    #expect(
      try fixture.value("select host || ' ' || table_name || ' ' || sqlstate from dead_letters")
        == "trainer-1 signalbox.incidents 23514")
    #expect(try fixture.value("select position('/poison'::bytea in row_bytes) > 0 from dead_letters") == "t")
    #expect(fixture.store.takeSetAside().map(\.count) == [1] && fixture.store.takeSetAside() == [])
  }

  @Test func aFindingThatIsRefusedEvenSoIsSetAside() throws {
    let fixture = try StoreFixture()
    _ = try fixture.stream()
    try fixture.store.connection.execute(
      "alter table signalbox.incidents add constraint no_rule check (rule <> 'LOG-02')")
    let (done, setAside) = try fixture.store.applyOneByOne(
      [Self.change("/a"), Self.change("/a", "LOG-02"), Self.change("/b")], policy: .none, nowNs: Self.nowNs)
    #expect(done.opened == 2 && setAside == 1)
    #expect(try fixture.count("dead_letters") == 1)
  }

  /// What the database refuses of a finding decides what is left of it; its end finds it in each form.
  @Test(arguments: [("summary", "/poison"), ("entity", "~%"), ("identity", "~%")])
  func aFindingThatIsRefusedKeepsItsKeysWhereTheDatabaseTakesThem(_ column: String, _ entity: String) throws {
    let fixture = try StoreFixture()
    _ = try fixture.stream()
    try fixture.store.connection.execute("alter table signalbox.incidents add check (\(column) not like '%poison%')")
    let opened = Self.change("/poison")
    for round in 0..<2 {
      let (done, setAside) = try fixture.store.applyOneByOne([opened], policy: .none, nowNs: Self.nowNs)
      #expect(done.opened == (round == 0 ? 1 : 0) && done.ignored == round && setAside == 0)
    }
    #expect(try fixture.value("select count(*) from incidents where entity like '\(entity)'") == "1")
    let keeps = column != "identity"
    #expect(
      try fixture.value("select count(*) from signalbox.incidents where dedup_key = '\(opened.dedupKey)'")
        == (keeps ? "1" : "0"))
    var cleared = opened
    cleared.kind = .cleared
    cleared.eventNs += 1_000_000_000
    #expect(try fixture.store.apply([cleared], policy: .none, nowNs: Self.nowNs).resolved == 1)
  }

  // MARK: Rule states

  /// The state of one host is refused: its facts are stored, and so is everything of the others.
  @Test func aRuleStateThatIsRefusedCostsNeitherItsBatchNorTheOthers() throws {
    let fixture = try StoreFixture()
    try fixture.store.connection.execute("alter table signalbox.rule_states add check (octet_length(state) < 100)")
    let group = try (1...3).map { number in
      let stream = try fixture.stream("trainer-\(number)", UInt64(number))
      var staged = stream.samples(1...2)
      staged.ruleState = SavedRuleState(
        hostNumber: Int32(number), version: RuleStateVersion(epoch: stream.fence.epoch, sequence: 1),
        bytes: [UInt8](repeating: 1, count: number == 2 ? 500 : 10))
      return staged
    }
    #expect(try fixture.store.commit(group) == [.committed, .committed, .committed])
    #expect(try fixture.store.ruleStates().map(\.hostNumber).sorted() == [1, 3])
    #expect(
      try fixture.value("select table_name || ' ' || host from dead_letters") == "signalbox.rule_states trainer-2")
    #expect(try fixture.count("host_samples") == 6)
    #expect(fixture.store.takeSetAside().map(\.rows) == [0])
    #expect(try fixture.store.commit(group) == [.duplicate, .duplicate, .duplicate])
  }

  // MARK: Commits

  /// Each of these is refused by a constraint of the site's; what is at fault is set aside, and both hosts' batches are stored and acked.
  @Test(arguments: [
    ("signalbox.epochs add check (followed_files <> 77)", "signalbox.epochs"),
    ("signalbox.epochs add check (latest_load1 <> 77)", "signalbox.epochs"),
    ("signalbox.runs add check (run <> 'evil')", "signalbox.runs"),
    ("signalbox.runs add check (detail <> 'evil')", "signalbox.runs"),
    ("signalbox.episodes add check (episode <> 77)", "signalbox.episodes"),
    ("signalbox.log_counts add check (bytes <> 77)", "signalbox.log_counts"),
    ("signalbox.clock_suspect add check (first_claimed_us <> 77)", "signalbox.clock_suspect"),
    ("signalbox.training_steps add check (step <> 77)", "signalbox.training_steps"),
  ])
  func whatOneHostSaysIsSetAsideAlone(_ constraint: String, _ table: String) throws {
    let fixture = try StoreFixture()
    let good = try fixture.stream("good", 1)
    let evil = try fixture.stream("evil", 2)
    try fixture.store.connection.execute("alter table \(constraint)")
    let group = [Self.batch(good, 3), Self.batch(evil, 77), Self.batch(good, 4, second: true)]
    #expect(try fixture.store.commit(group) == [.committed, .committed, .committed])
    let setAside = fixture.store.takeSetAside()
    #expect(
      !setAside.isEmpty && setAside.allSatisfy { $0.hostNumber == 2 && $0.sqlState.hasPrefix("23") }, "\(setAside)")
    #expect(setAside.contains { $0.table == table })
    #expect(
      try fixture.value("select count(*) from dead_letters where host = 'evil' and table_name = '\(table)'") == "1")
    #expect(try fixture.value("select count(*) from dead_letters where host is distinct from 'evil'") == "0")
    #expect(
      try fixture.value(
        "select string_agg(host || n, ' ' order by host) from (select host, count(*) as n from host_samples group by host) c"
      )
        == "evil1 good2")
    #expect(try fixture.value("select count(*) from hosts where last_seen is not null") == "2")
    #expect(try fixture.value("select count(*) from log_lines where host = 'good'") == "2")
    // Nothing is sent again.
    #expect(try fixture.store.commit(group) == [.duplicate, .duplicate, .duplicate])
  }

  /// Every kind of thing, each of them with the number somewhere.
  private static func batch(_ stream: TestStream, _ number: Int64, second: Bool = false) -> StagedBatch {
    var staged = stream.samples(second ? 2...2 : 1...1)
    let name = number == 77 ? "evil" : "fine"
    staged.batch.spooled[0].records.hosts[0].load1 = Float(number)
    var health = AgentHealth()
    health.followedFiles = UInt32(number)
    staged.batch.health = health
    var step = TrainingStep()
    step.timeNs = nowNs
    step.run = name
    step.episode = number
    step.step = number
    var run = RunUpdate()
    run.timeNs = nowNs
    run.run = name
    run.state = .running
    run.detail = name
    var delta = FileDelta(file: FileIdentity(key: FileKey(high: 0, low: UInt64(number)), path: "/a"), from: 0, to: 10)
    delta.lines.append(
      [UInt8](repeating: 0x61, count: Int(number)), advance: 10, timeUs: number == 77 ? 77 : nowNs / 1000, level: .info)
    delta.steps = [step]
    delta.episodes = [EpisodeSummary(step: step)]
    delta.runs = [run]
    staged.batch.files = [delta]
    return staged
  }

  @Test func moreFilesThanAnIntegerHoldsAreAsManyAsItHolds() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    var staged = stream.samples(1...1)
    var health = AgentHealth()
    health.followedFiles = 3_000_000_000
    health.spoolBytes = .max
    staged.batch.health = health
    #expect(try fixture.store.commit([staged]) == [.committed])
    #expect(try fixture.value("select followed_files from hosts") == "2147483647")
    #expect(try fixture.count("dead_letters") == 0)
  }

  @Test func aBatchOfWhichNothingCanBeKeptEndsOnlyItsOwnStream() throws {
    let fixture = try StoreFixture()
    let good = try fixture.stream("good", 1)
    let evil = try fixture.stream("evil", 2)
    try fixture.store.connection.execute("alter table signalbox.agent_ledger add check (host <> 2)")
    let outcomes = try fixture.store.commit([evil.samples(1...1), good.samples(1...1)])
    #expect(outcomes == [.outOfOrder, .committed])
    #expect(fixture.store.takeSetAside().contains { $0.hostNumber == 2 && $0.table == "marks" })
    #expect(fixture.store.connection.isInTransaction == false)
  }

  @Test func aTableThatRefusesEverythingIsNotAskedForEachRow() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    try fixture.store.connection.execute("alter table signalbox.log_info add check (message is null)")
    var statements = 0
    fixture.store.connection.failurePoint = { _ throws(PostgresError) in statements += 1 }
    #expect(try fixture.store.commit([stream.lines(6000)]) == [.committed])
    fixture.store.connection.failurePoint = nil
    #expect(statements < 6000, "\(statements)")
    #expect(fixture.store.takeSetAside().reduce(0) { $0 + $1.rows } == 6000)
    #expect(try fixture.value("select max(to_offset) from loss_ledger") == "60000")
  }

  // MARK: What the database says

  @Test func timesWithoutAnEndAreTheGreatestNumber() throws {
    let fixture = try StoreFixture()
    let rows = try fixture.store.connection.query(
      "select 'infinity'::timestamptz, '-infinity'::timestamptz, '2020-01-01Z'::timestamptz, '20000-01-01Z'::timestamptz, null::timestamptz"
    )
    #expect(
      rows.timeNs(0, 0) == .max && rows.timeNs(0, 1) == .min && rows.timeNs(0, 3) == .max && rows.timeNs(0, 4) == nil)
    #expect(rows.timeNs(0, 2) == 1_577_836_800_000_000_000)
  }

  @Test func aFleetWhoseTimesAreInfiniteIsReadAndGoesOn() throws {
    let fixture = try StoreFixture()
    let host = try fixture.host()
    _ = try fixture.fence(host)
    _ = try fixture.store.apply([Self.change("/a")], policy: .none, nowNs: Self.nowNs)
    for time in ["infinity", "-infinity"] {
      try fixture.store.connection.execute(
        """
        update signalbox.epochs set last_seen = '\(time)', connected = '\(time)';
        update signalbox.certificates set expires = '\(time)';
        update signalbox.incidents set last_event = '\(time)', opened = '\(time)', state = 'resolved', resolved = '\(time)';
        """)
      #expect(try fixture.store.knownHosts().count == 1)
      _ = try fixture.store.allowList()
      _ = try fixture.fence(host, boot: 2)
      var again = Self.change("/a")
      again.eventNs += time == "infinity" ? 1_000_000 : 2_000_000
      _ = try fixture.store.apply([again], policy: .none, nowNs: Self.nowNs)
    }
  }
}
