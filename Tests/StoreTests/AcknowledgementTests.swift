import FleetModel
import Incidents
import Postgres
import Store
import TestSupport
import Testing

/// Acknowledgements by whoever holds a message.
@Suite(.timeLimit(.minutes(10))) struct AcknowledgementTests {
  let fixture: StoreFixture
  var store: Store { fixture.store }
  static let nowNs = StoreFixture.nowNs
  static let secondNs: Int64 = 1_000_000_000

  init() throws { fixture = try StoreFixture() }

  private static let policy = PagingPolicy.escalating(from: "duty")

  private func open(_ count: Int) throws {
    let changes = (1...count).map { number in
      IncidentChange(
        .opened, rule: "RES-01", severity: .p1, hostName: "trainer-\(number)", eventNs: Self.nowNs,
        detectedNs: Self.nowNs)
    }
    try store.apply(changes, policy: Self.policy, nowNs: Self.nowNs)
  }

  private func text(_ sql: String) throws -> String { try fixture.value(sql) ?? "" }

  private func messageID(_ condition: String) throws -> String {
    try text("select min(message_id) from signalbox.outbox where \(condition)")
  }

  private func take(_ id: String, at seconds: Int64 = 60) throws -> Acknowledgement? {
    try store.acknowledge(
      pagedBy: id, actor: "duty", through: "by the link of a message", nowNs: Self.nowNs + seconds * Self.secondNs)
  }

  @Test func aMessageTakesItsIncidentOnce() throws {
    try open(2)
    let id = try messageID("incident = 1 and receiver = 'duty'")
    let message = try #require(try store.pagedMessage(id))
    #expect(message.receiver == "duty" && message.incidents == [1] && message.open == [1] && message.usedNs == nil)
    var wanted = Acknowledgement()
    wanted.taken = [1]
    #expect(try take(id) == wanted)
    #expect(
      try text("select string_agg(state || coalesce(acked_by, ''), ' ' order by number) from signalbox.incidents")
        == "ackedduty open")
    #expect(try fixture.count("signalbox.outbox where incident = 1 and receiver = 'lead' and state = 'cancelled'") == 1)
    #expect(try fixture.count("signalbox.outbox where incident = 1 and event = 'acknowledge'") == 1)
    #expect(
      try text("select actor || ': ' || detail from signalbox.audit_log where action = 'incidents.ack'")
        == "duty: by the link of a message")
    #expect(try take(id, at: 70)?.wasUsed == true)
    #expect(try store.pagedMessage(id)?.usedNs == Self.nowNs + 60 * Self.secondNs)
    // What goes on afterwards is no longer the link's.
    try store.connection.execute("update signalbox.incidents set state = 'open' where number = 1")
    #expect(try take(id, at: 80)?.taken == [] && store.pagedMessage(id)?.open == [1])
    #expect(try store.pagedMessage("msg_unknown") == nil && take("msg_unknown") == nil)
  }

  /// A link with which nothing was left to do is not used up.
  @Test func whatAnotherHasTakenStaysTheirs() throws {
    try open(1)
    let id = try messageID("receiver = 'duty'")
    try store.acknowledge(incident: 1, actor: "ann", nowNs: Self.nowNs)
    #expect(try take(id) == Acknowledgement())
    #expect(try text("select acked_by from signalbox.incidents") == "ann")
    #expect(try store.pagedMessage(id)?.usedNs == nil)
  }

  /// Pages to others that were due before are named, because those people are still woken.
  @Test func pagesThatAreDueAreNamed() throws {
    try open(1)
    try store.connection.execute(
      "update signalbox.outbox set event = 'trigger', due = '2020-01-01' where receiver = 'lead'")
    #expect(try take(messageID("receiver = 'duty'"))?.underWay == ["lead"])
  }

  /// More than one transaction takes; what is muted in a list is not part of what its reader takes.
  @Test func aListTakesAllThatIsOpenInIt() throws {
    try open(230)
    try store.connection.execute(
      """
      update signalbox.outbox set bundle = 'msg_list' where receiver = 'duty' and incident <= 220;
      update signalbox.incidents set state = 'muted' where number = 5;
      update signalbox.incidents set state = 'resolved', resolved = now(), resolved_by = 'rule' where number = 6
      """)
    #expect(try store.pagedMessage("msg_list")?.incidents.count == 220)
    #expect(try store.pagedMessage("msg_list")?.open.count == 218)
    #expect(try take("msg_list")?.taken.count == 218)
    #expect(
      try text(
        "select string_agg(n::text, ' ' order by s) from (select state s, count(*) n from signalbox.incidents group by state) x"
      )
        == "218 1 10 1")
    #expect(try take("msg_list")?.wasUsed == true)
    let reader = try FleetReader(fixture.database.url)
    #expect(try reader.read(IncidentQueries.paged(by: "msg_list", limit: 1000)).rows.count == 220)
    // By itself it is taken although it is muted.
    #expect(try take(messageID("receiver = 'duty' and incident = 5"))?.taken == [5])
  }

  @Test func theKeyIsMadeOnceAndHiddenFromTheReader() throws {
    let key = try store.pageLinkKey()
    #expect(try key.count == 32 && key == store.pageLinkKey() && key == fixture.another().pageLinkKey())
    // Its database goes with it, so it is held for the whole question.
    let other = try StoreFixture()
    let its = try other.store.pageLinkKey()
    withExtendedLifetime(other) { #expect(its != key) }
    let reader = try Store.openReader(fixture.database.url)
    for table in ["signing_keys", "used_links", "receiver_secrets", "receiver_events"] {
      #expect(throws: PostgresError.self, "\(table)") { _ = try reader.queryText("select * from signalbox.\(table)") }
    }
  }

  @Test func usedLinksAreForgottenAfterTheirEnd() throws {
    try open(2)
    let ids = try [1, 2].map { try messageID("incident = \($0) and receiver = 'duty'") }
    _ = try take(ids[0])
    _ = try take(ids[1], at: 31 * 86_400)
    #expect(try text("select string_agg(message_id, ' ') from signalbox.used_links") == ids[1])
  }
}
