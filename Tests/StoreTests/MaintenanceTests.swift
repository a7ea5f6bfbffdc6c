import FleetModel
import Incidents
import Postgres
import Store
import Testing

/// Silences that the configuration declares.
@Suite(.timeLimit(.minutes(10))) struct MaintenanceTests {
  static let nowNs = StoreFixture.nowNs
  static let hourNs: Int64 = 3_600_000_000_000

  static func once(_ name: String, rule: String, from: Int64 = -1, hours: Int64 = 2) -> ConfiguredSilence {
    var silence = Silence(
      author: ConfiguredSilence.author, reason: "updates", startsNs: nowNs + from * hourNs,
      endsNs: nowNs + (from + hours) * hourNs)
    silence.rule = rule
    return ConfiguredSilence(name: name, silence: silence)
  }

  static func weekly(_ name: String, _ cron: String = "0 2 * * 0", zone: String = "UTC") throws -> ConfiguredSilence {
    var entry = once(name, rule: "RES-*")
    (entry.silence.startsNs, entry.silence.endsNs) = (0, 0)
    entry.silence.repetition = Repetition(cron: try CronExpression(cron), zone: zone, lengthNs: hourNs)
    return entry
  }

  static func report(_ added: Int, _ changed: Int, _ ended: Int) -> MaintenanceReport {
    var report = MaintenanceReport()
    (report.added, report.changed, report.ended) = (added, changed, ended)
    return report
  }

  /// Name, rule and whether it is over, of each silence.
  static func rows(_ fixture: StoreFixture) throws -> [String] {
    let rows = try fixture.store.connection.query(
      """
      select coalesce(configured_as, '-') || ' ' || rule || ' ' || author || ' '
        || case when ends <= $1 then 'over by ' || coalesce(ended_by, 'time') else 'on' end
      from signalbox.silences order by number
      """, [.time(us: nowNs / 1000)])
    return (0..<rows.count).map { rows.text($0, 0) ?? "" }
  }

  @Test func whatIsDeclaredIsAddedChangedAndEndedAndWhatPeopleMadeStays() throws {
    let fixture = try StoreFixture()
    let store = fixture.store
    var own = Silence(author: "ann", reason: "mine", startsNs: Self.nowNs, endsNs: Self.nowNs + Self.hourNs)
    own.rule = "OWN"
    _ = try store.addSilence(own, nowNs: Self.nowNs)
    let a = Self.once("a", rule: "A")
    let b = try Self.weekly("b")
    #expect(try store.applyMaintenance([a, b], nowNs: Self.nowNs) == Self.report(2, 0, 0))
    #expect(try store.applyMaintenance([b, a], nowNs: Self.nowNs) == Self.report(0, 0, 0))
    #expect(try Self.rows(fixture) == ["- OWN ann on", "a A configuration on", "b RES-* configuration on"])

    let changed = [Self.once("a", rule: "AA"), try Self.weekly("b", "30 3 * * 1")]
    #expect(try store.applyMaintenance(changed, nowNs: Self.nowNs) == Self.report(0, 2, 0))
    #expect(try Self.rows(fixture) == ["- OWN ann on", "a AA configuration on", "b RES-* configuration on"])

    #expect(try store.applyMaintenance([], nowNs: Self.nowNs) == Self.report(0, 0, 2))
    let over = [
      "- OWN ann on", "- AA configuration over by configuration", "- RES-* configuration over by configuration",
    ]
    #expect(try Self.rows(fixture) == over)
    // A window that was ahead when it was taken away never comes, and its name is free.
    let lease = try #require(try store.takeLease("paging", holder: "t", seconds: 60))
    _ = try store.auditPaging(lease, policy: .none, nowNs: Self.nowNs + 24 * 8 * Self.hourNs)
    #expect(try store.silencesInForce(nowNs: Self.nowNs + 24 * 8 * Self.hourNs).isEmpty)
    #expect(try store.applyMaintenance([b], nowNs: Self.nowNs) == Self.report(1, 0, 0))
  }

  @Test func itMutesWhatIsOpenAndPeopleSeeByWhat() throws {
    let fixture = try StoreFixture()
    let policy = PagingPolicy { _, now in [PlannedDelivery(receiver: "duty", dueNs: now)] }
    let change = IncidentChange(
      .opened, rule: "A", severity: .p0, hostName: "trainer-1", eventNs: Self.nowNs, detectedNs: Self.nowNs)
    try fixture.store.apply([change], policy: policy, nowNs: Self.nowNs)
    _ = try fixture.store.applyMaintenance([Self.once("a", rule: "A")], nowNs: Self.nowNs)
    #expect(
      try fixture.value("select state || ' ' || muted_by from signalbox.incidents")
        == "muted silence #1 by configuration: updates")
    #expect(try fixture.value("select count(*) from signalbox.outbox where state = 'waiting'") == "0")
    _ = try fixture.store.applyMaintenance([], nowNs: Self.nowNs + 1_000_000_000)
    let lease = try #require(try fixture.store.takeLease("paging", holder: "t", seconds: 60))
    _ = try fixture.store.auditPaging(lease, policy: policy, nowNs: Self.nowNs + 2_000_000_000)
    #expect(try fixture.value("select state from signalbox.incidents") == "open")
    #expect(try fixture.value("select count(*) from signalbox.outbox where state = 'waiting'") == "1")
  }

  @Test func whatSomebodyHasEndedStaysEndedUntilItIsDeclaredOtherwise() throws {
    let fixture = try StoreFixture()
    let weekly = try Self.weekly("b")
    _ = try fixture.store.applyMaintenance([weekly], nowNs: Self.nowNs)
    try fixture.store.endSilence(1, actor: "ann", nowNs: Self.nowNs)
    #expect(try fixture.store.applyMaintenance([weekly], nowNs: Self.nowNs) == Self.report(0, 0, 0))
    #expect(try fixture.value("select ended_by from signalbox.silences") == "ann")
    var other = weekly
    other.silence.reason = "more updates"
    #expect(try fixture.store.applyMaintenance([other], nowNs: Self.nowNs) == Self.report(0, 1, 0))
    #expect(try fixture.value("select ended_by is null and ends > starts from signalbox.silences") == "t")
  }

  @Test func whatTheDatabaseRefusesIsReportedAndTheOthersHold() throws {
    let fixture = try StoreFixture()
    let wanted = [
      try Self.weekly("mars", zone: "Mars/Base"), try Self.weekly("never", "0 2 31 2 *"), Self.once("a", rule: "A"),
      Self.once("past", rule: "P", from: -3),
    ]
    let report = try fixture.store.applyMaintenance(wanted, nowNs: Self.nowNs)
    #expect((report.added, report.changed, report.ended) == (1, 0, 0))
    #expect(report.refused.map(\.name) == ["mars", "never"])
    #expect(report.refused.map(\.reason) == [.unknownZone("Mars/Base"), .neverComes("0 2 31 2 *")])
    #expect(try Self.rows(fixture) == ["a A configuration on"])
  }
}
