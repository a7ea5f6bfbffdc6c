import FleetModel
import Incidents
import Postgres
import Store
import TestSupport
import Testing

/// Silences that come back, on the database's own calendar.
@Suite(.timeLimit(.minutes(10))) struct WindowTests {
  static func ns(_ text: String) throws -> Int64 { try #require(Timestamp.parse(text)) }

  static func silence(_ cron: String, _ zone: String, hours: Int64) throws -> Silence {
    var silence = Silence(author: "ann", reason: "updates", startsNs: 0, endsNs: 0)
    silence.rule = "RES-*"
    silence.repetition = Repetition(
      cron: try CronExpression(cron), zone: zone, lengthNs: hours * 3_600_000_000_000)
    return silence
  }

  @Test(arguments: [
    // An ordinary week; within a window; the same hour by the clocks in winter and in summer.
    ("0 2 * * 0", "Europe/Berlin", "2026-11-18T00:00:00Z", "2026-11-22T01:00:00Z"),
    ("0 2 * * 0", "Europe/Berlin", "2026-11-22T02:30:00Z", "2026-11-22T01:00:00Z"),
    ("0 2 * * sun", "Europe/Berlin", "2026-07-01T00:00:00Z", "2026-07-05T00:00:00Z"),
    // The hour that there is not is moved by the gap; of the one that there is twice the later one counts.
    ("30 2 * * 0", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:30:00Z"),
    ("30 2 * * 0", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T01:30:00Z"),
    // The end of a year, a leap day, days of the month or of the week, a list with steps.
    ("0 23 31 12 *", "America/New_York", "2026-12-31T00:00:00Z", "2027-01-01T04:00:00Z"),
    ("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"),
    ("0 0 13 * 5", "UTC", "2026-11-09T12:00:00Z", "2026-11-13T00:00:00Z"),
    ("*/30 9-10 * * mon-fri", "Asia/Kolkata", "2026-11-21T00:00:00Z", "2026-11-23T03:30:00Z"),
  ])
  func theNextWindowBeginsByTheZonesClocks(_ cron: String, _ zone: String, _ now: String, _ start: String) throws {
    let database = try TestDatabase()
    let store = try Store.open(database.url, migrating: true)
    _ = try store.addSilence(Self.silence(cron, zone, hours: 2), nowNs: Self.ns(now))
    let rows = try store.connection.query("select starts, ends from signalbox.silences")
    #expect(Timestamp.text((rows.timeUs(0, 0) ?? 0) * 1000, digits: 0) == start)
    #expect((rows.timeUs(0, 1) ?? 0) - (rows.timeUs(0, 0) ?? 0) == 7_200_000_000)
  }

  /// A window that follows without a gap is joined before the end; one that follows later begins when it is due.
  @Test(arguments: [
    ("0 */2 * * *", ["00:00 04:00", "00:00 04:00", "00:00 06:00"]),
    ("0 */4 * * *", ["00:00 02:00", "04:00 06:00", "04:00 06:00"]),
  ])
  func windowsWithoutAGapHaveNone(_ cron: String, _ windows: [String]) throws {
    let database = try TestDatabase()
    let store = try Store.open(database.url, migrating: true)
    let lease = try #require(try store.takeLease("paging", holder: "t", seconds: 3600))
    _ = try store.addSilence(Self.silence(cron, "UTC", hours: 2), nowNs: Self.ns("2026-01-01T00:30:00Z"))
    for (now, window) in zip(["01:59:30", "02:00:20", "03:59:30"], windows) {
      _ = try store.auditPaging(lease, policy: .none, nowNs: Self.ns("2026-01-01T\(now)Z"))
      let rows = try store.connection.query(
        "select to_char(starts at time zone 'UTC', 'HH24:MI') || to_char(ends at time zone 'UTC', ' HH24:MI') from signalbox.silences"
      )
      #expect(rows.text(0, 0) == window, "\(now)")
    }
  }

  @Test func anUnknownZoneAndADayThatNeverComesAreRefused() throws {
    let database = try TestDatabase()
    let store = try Store.open(database.url, migrating: true)
    #expect(throws: StoreError.unknownZone("Mars/Base")) {
      try store.addSilence(Self.silence("0 2 * * 0", "Mars/Base", hours: 2), nowNs: Self.ns("2026-01-01T00:00:00Z"))
    }
    #expect(throws: StoreError.neverComes("0 2 31 2 *")) {
      try store.addSilence(Self.silence("0 2 31 2 *", "UTC", hours: 2), nowNs: Self.ns("2026-01-01T00:00:00Z"))
    }
  }

  @Test(arguments: [
    (
      "0 2 * *",
      "'0 2 * *' is no cron expression: write minute, hour, day of month, month, day of week, such as 0 2 * * 0"
    ),
    ("60 2 * * 0", "'60' is no minute: write 0 to 59, a range such as 1-5, or */n"),
    ("0 2-1 * * 0", "'2-1' is no hour: write 0 to 23, a range such as 1-5, or */n"),
    ("0 2 0 * 0", "'0' is no day of month: write 1 to 31, a range such as 1-5, or */n"),
    ("0 2 * noon 0", "'noon' is no month: write 1 to 12, a range such as 1-5, or */n"),
    ("0 2 * * 0,", "'0,' is no day of week: write 0 to 7, a range such as 1-5, or */n"),
    ("0/0 2 * * 0", "'0/0' is no minute: write 0 to 59, a range such as 1-5, or */n"),
  ])
  func aMistakeInACronExpressionIsOneSentence(_ text: String, _ sentence: String) {
    let error = #expect(throws: CronExpression.Mistake.self) { try CronExpression(text) }
    #expect(error?.description == sentence)
  }

  @Test func whatHoldsWhenAWindowEndsIsPagedThenAndTheNextWindowFollows() throws {
    let database = try TestDatabase()
    let store = try Store.open(database.url, migrating: true)
    let policy = PagingPolicy { _, now in [PlannedDelivery(receiver: "duty", dueNs: now)] }
    // Berlin, Sunday, 02:30 in winter.
    let inside = try Self.ns("2026-11-22T01:30:00Z")
    let number = try store.addSilence(Self.silence("0 2 * * 0", "Europe/Berlin", hours: 2), nowNs: inside)
    var change = IncidentChange(
      .opened, rule: "RES-01", severity: .p0, hostName: "trainer-1", eventNs: inside, detectedNs: inside)
    change.summary = "still there"
    try store.apply([change], policy: policy, nowNs: inside)
    func state() throws -> String? { try store.connection.query("select state from signalbox.incidents").text(0, 0) }
    func waiting() throws -> Int64? {
      try store.connection.query("select count(*) from signalbox.outbox where state = 'waiting'").int(0, 0)
    }
    #expect(try state() == "muted")
    #expect(try waiting() == 0)
    let lease = try #require(try store.takeLease("paging", holder: "t", seconds: 60))
    _ = try store.auditPaging(lease, policy: policy, nowNs: inside + 60_000_000_000)
    #expect(try state() == "muted")
    let after = try Self.ns("2026-11-22T03:00:10Z")
    _ = try store.auditPaging(lease, policy: policy, nowNs: after)
    #expect(try state() == "open")
    #expect(try waiting() == 1)
    let rows = try store.connection.query("select starts from signalbox.silences")
    #expect(Timestamp.text((rows.timeUs(0, 0) ?? 0) * 1000, digits: 0) == "2026-11-29T01:00:00Z")
    // Ended, it never comes back.
    try store.endSilence(number, actor: "ann", nowNs: after)
    _ = try store.auditPaging(lease, policy: policy, nowNs: try Self.ns("2026-11-29T01:30:00Z"))
    #expect(try state() == "open")
  }
}
