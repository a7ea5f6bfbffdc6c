import FleetModel
import Incidents
import Postgres
import Store
import Testing

/// What `Muting` decides, as it stands in the database's rows.
@Suite(.timeLimit(.minutes(10))) struct MutingTests {
  private let fixture: StoreFixture
  private static let nowNs = StoreFixture.nowNs
  private static let secondNs: Int64 = 1_000_000_000
  private static let policy = PagingPolicy { _, nowNs in [PlannedDelivery(receiver: "duty", dueNs: nowNs)] }

  init() throws { fixture = try StoreFixture() }

  private func change(
    _ kind: IncidentChange.Kind, _ rule: String, host: Int32 = 1, entity: String = "", at seconds: Int64 = 0,
    mutes: [String] = []
  ) -> IncidentChange {
    let ns = Self.nowNs + seconds * Self.secondNs
    var change = IncidentChange(
      kind, rule: rule, severity: .p1, hostNumber: host, hostName: "trainer-\(host)", entity: entity, eventNs: ns,
      detectedNs: ns)
    change.mutes = mutes
    return change
  }

  @discardableResult
  private func apply(_ changes: [IncidentChange], at seconds: Int64 = 0) throws -> AppliedChanges {
    try fixture.store.apply(changes, policy: Self.policy, nowNs: Self.nowNs + seconds * Self.secondNs)
  }

  @Test func aGroupReadsOnceWhatMutes() throws {
    try fixture.host()
    func statements(_ count: Int, _ prefix: String) throws -> Int {
      var seen = 0
      fixture.store.connection.failurePoint = { _ throws(PostgresError) in seen += 1 }
      defer { fixture.store.connection.failurePoint = nil }
      try apply((0..<count).map { change(.opened, "RES-01", entity: "\(prefix)\($0)") })
      return seen
    }
    let (one, hundred) = (try statements(1, "a"), try statements(100, "b"))
    // Of each: the incident that is known, the new one, its line in the timeline, its rows in the outbox.
    #expect(hundred - one == 99 * 4, "\(one), \(hundred)")
  }

  private func reasons() throws -> [String] {
    let rows = try fixture.store.connection.query(
      "select coalesce(muted_by, '') from signalbox.incidents order by number")
    return (0..<rows.count).map { rows.text($0, 0) ?? "" }
  }

  @Test func whatOpensAndEndsWithinOneGroupMutesTheRestOfIt() throws {
    try fixture.host()
    // Ends and comes back within the group: its consequences follow it as before.
    try apply([
      change(.opened, "HOST-DOWN", mutes: ["RES-*", "EPI-*"]), change(.opened, "RES-01", at: 1),
      change(.cleared, "HOST-DOWN", at: 2), change(.opened, "RES-02", at: 3), change(.opened, "NET-01", at: 3),
    ])
    let down = "incident #1 HOST-DOWN on the same host"
    #expect(try reasons() == ["", down, down, ""])
    // After the tail of its end nothing follows from it, until it is back.
    try apply(
      [
        change(.opened, "RES-03", at: 90), change(.opened, "HOST-DOWN", at: 91, mutes: ["RES-*", "EPI-*"]),
        change(.opened, "EPI-01", at: 92),
      ], at: 92)
    #expect(try reasons() == ["", down, down, "", "", down])
    #expect(
      try fixture.value("select count(*) from signalbox.outbox where state = 'waiting' and incident in (2, 3, 6)")
        == "0")
    #expect(
      try fixture.value(
        "select string_agg(incident::text, ' ' order by incident) from incident_timeline where kind = 'muted'")
        == "2 3 6")
  }

  /// It mutes all of its host: what is still open then is paged soon after the first report, and the audit knows when.
  @Test func whatTheSilenceOfAHostMutedIsFreeSoonAfterItsEnd() throws {
    try fixture.host()
    try apply([change(.opened, "AGT-01", mutes: ["*"]), change(.opened, "RES-01", at: 1)], at: 1)
    try apply([change(.cleared, "AGT-01", at: 100)], at: 100)
    let lease = try #require(try fixture.store.takeLease("paging", holder: "a", seconds: 60))
    func audit(at seconds: Int64) throws -> PagingAudit {
      try fixture.store.auditPaging(lease, policy: Self.policy, nowNs: Self.nowNs + seconds * Self.secondNs)
    }
    let early = try audit(at: 101)
    #expect(early.unmuted == 0 && early.nextUnmuteNs == Self.nowNs + 110 * Self.secondNs)
    let late = try audit(at: 110)
    #expect(late.unmuted == 1 && late.nextUnmuteNs == nil)
    #expect(try reasons() == ["", ""])
  }

  @Test func theColumnHasTheReasonThatCounts() throws {
    try fixture.host()
    try apply([change(.opened, "HOST-DOWN", mutes: ["RES-*"])])
    var silence = Silence(
      author: "ann", reason: "new disks", startsNs: Self.nowNs, endsNs: Self.nowNs + 60 * Self.secondNs)
    silence.rule = "RES-01"
    let number = try fixture.store.addSilence(silence, nowNs: Self.nowNs)
    silence.endsNs += Self.secondNs
    let longer = try fixture.store.addSilence(silence, nowNs: Self.nowNs)
    try apply([change(.opened, "RES-01", at: 1), change(.opened, "RES-02", at: 1)], at: 1)
    #expect(
      try reasons() == ["", "silence #\(longer) by ann: new disks", "incident #1 HOST-DOWN on the same host"])
    #expect(longer != number)
    // What the thread that pages from memory is sent is the same.
    let muting = try fixture.store.muting(nowNs: Self.nowNs + Self.secondNs)
    #expect(
      muting.reason(for: MuteSubject(change(.opened, "RES-02")), nowNs: Self.nowNs + Self.secondNs)?.text
        == "incident #1 HOST-DOWN on the same host")
  }

  @Test func aSilenceOverSomethingOpenCancelsItsPage() throws {
    try fixture.host()
    try apply([change(.opened, "RES-01"), change(.opened, "NET-01")])
    var silence = Silence(
      author: "ann", reason: "new disks", startsNs: Self.nowNs, endsNs: Self.nowNs + 60 * Self.secondNs)
    silence.entity = ""
    silence.rule = "RES-*"
    let number = try fixture.store.addSilence(silence, nowNs: Self.nowNs + Self.secondNs)
    #expect(try reasons() == ["silence #\(number) by ann: new disks", ""])
    #expect(
      try fixture.value("select string_agg(incident || state, ' ' order by incident) from signalbox.outbox")
        == "1cancelled 2waiting")
  }
}
