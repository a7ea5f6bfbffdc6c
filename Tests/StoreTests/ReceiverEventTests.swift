import FleetModel
import Incidents
import Postgres
import Store
import TestSupport
import Testing

/// What people do where a receiver shows the page.
@Suite(.timeLimit(.minutes(10))) struct ReceiverEventTests {
  let fixture: StoreFixture
  var store: Store { fixture.store }
  static let nowNs = StoreFixture.nowNs
  static let secondNs: Int64 = 1_000_000_000

  init() throws { fixture = try StoreFixture() }

  private static let policy = PagingPolicy.escalating(from: "pd")

  private func apply(_ kind: IncidentChange.Kind, _ rule: String = "RES-01", at seconds: Int64 = 0) throws {
    let ns = Self.nowNs + seconds * Self.secondNs
    let change = IncidentChange(
      kind, rule: rule, severity: .p1, hostName: "trainer-1", eventNs: ns, detectedNs: ns)
    try store.apply([change], policy: Self.policy, nowNs: ns)
  }

  private func take(
    _ action: ReceiverEvent.Action, _ id: String, key: String? = nil, by person: String? = "ann",
    of receivers: [String] = ["pd"], occurred: Int64 = 60, at seconds: Int64 = 60
  ) throws -> ReceiverEventOutcome {
    let alertKey = try key ?? text("select dedup_key from signalbox.incidents order by number limit 1")
    return try store.take(
      ReceiverEvent(
        id: id, action: action, alertKey: alertKey, person: person, occurredNs: Self.nowNs + occurred * Self.secondNs),
      of: receivers, place: "in PagerDuty", nowNs: Self.nowNs + seconds * Self.secondNs)
  }

  private func text(_ sql: String) throws -> String { try fixture.value(sql) ?? "" }
  private func state() throws -> String {
    try text("select state || ' ' || coalesce(acked_by, resolved_by, '') from signalbox.incidents where number = 1")
  }

  /// How long from now the escalation to the lead is due, s; nil where none waits.
  private func leadDue(at seconds: Int64) throws -> Int64? {
    try store.connection.query(
      "select due from signalbox.outbox where receiver = 'lead' and state = 'waiting' and event = 'escalate'"
    ).timeNs(0, 0).map { ($0 - Self.nowNs) / Self.secondNs - seconds }
  }

  @Test func anAcknowledgementThereIsOneHere() throws {
    try apply(.opened)
    #expect(try take(.acknowledge, "a") == .done)
    #expect(try state() == "acked ann" && leadDue(at: 60) == nil)
    #expect(try fixture.count("signalbox.outbox where event = 'acknowledge' and receiver = 'pd'") == 1)
    #expect(try text("select detail from signalbox.incident_timeline where kind = 'acked'") == "in PagerDuty (pd)")
    #expect(
      try text("select actor || ' ' || detail from signalbox.audit_log where action = 'incidents.ack'")
        == "ann in PagerDuty (pd)")
    #expect(try take(.acknowledge, "a") == .repeated && take(.acknowledge, "b") == .unchanged)
  }

  /// Its own integration acknowledges too, by the message that it is sent.
  @Test func whereNoPersonIsNamedItIsTheReceiver() throws {
    try apply(.opened)
    #expect(try take(.acknowledge, "a", by: nil) == .done && state() == "acked pd")
  }

  /// The escalation goes on where it stopped: what was left of it is left from now.
  @Test func anAcknowledgementThatIsTakenBackEscalatesAgain() throws {
    try apply(.opened)
    #expect(try leadDue(at: 0) == 900)
    #expect(try take(.acknowledge, "a", at: 60) == .done)
    #expect(try take(.unacknowledge, "b", occurred: 300, at: 300) == .done)
    #expect(try state() == "open " && leadDue(at: 300) == 840)
    #expect(try take(.acknowledge, "c", by: "ben", occurred: 400, at: 400) == .done)
    #expect(try state() == "acked ben" && leadDue(at: 400) == nil)
    #expect(try take(.unacknowledge, "d", occurred: 500, at: 500) == .done && leadDue(at: 500) == 740)
    let kinds = "select string_agg(kind, ' ' order by number) from signalbox.incident_timeline"
    #expect(try text(kinds) == "opened acked unacked acked unacked")
  }

  @Test func whoHasItByAnotherWayKeepsIt() throws {
    try apply(.opened)
    try store.acknowledge(incident: 1, actor: "ann", nowNs: Self.nowNs + Self.secondNs)
    #expect(try take(.unacknowledge, "a") == .unchanged && state() == "acked ann")
    #expect(try take(.unacknowledge, "b", of: ["other"]) == .unknown)
  }

  /// Time limits close alerts there as well: the condition goes on here.
  @Test func onlyAPersonEndsAnIncident() throws {
    try apply(.opened)
    #expect(try take(.resolve, "a", by: nil) == .unchanged && state() == "open ")
    #expect(try take(.resolve, "b") == .done && state() == "resolved ann")
    #expect(try take(.resolve, "c") == .unchanged && take(.acknowledge, "d") == .unchanged)
  }

  /// The key of a list leads to all of its incidents, and one that was paged from memory to its own.
  @Test func theKeyOfAListIsThatOfItsIncidents() throws {
    for rule in ["RES-01", "RES-02", "RES-03"] { try apply(.opened, rule) }
    try store.connection.execute(
      """
      update signalbox.outbox set bundle = 'msg_a' where receiver = 'pd' and incident < 3;
      update signalbox.outbox set bundle = 'RES-03|as memory knew it' where receiver = 'pd' and incident = 3
      """)
    #expect(try take(.acknowledge, "a", key: "signalbox|digest|msg_a") == .done)
    let states = "select string_agg(state, ' ' order by number) from signalbox.incidents"
    #expect(try text(states) == "acked acked open")
    #expect(try take(.acknowledge, "b", key: "RES-03|as memory knew it") == .done)
    #expect(try text(states) == "acked acked acked")
  }

  @Test func unknownKeysAndForeignAlertsChangeNothing() throws {
    try apply(.opened)
    for (id, key, receivers) in [
      ("a", "nothing", ["pd"]), ("b", "", ["pd"]), ("c", "signalbox|digest|", ["pd"]), ("d", nil, ["other"]),
    ] as [(String, String?, [String])] {
      #expect(try take(.acknowledge, id, key: key, of: receivers) == .unknown, "\(id)")
    }
    #expect(try state() == "open ")
    #expect(
      try text("select string_agg(outcome, ',') from signalbox.receiver_events")
        == Array(repeating: "unknown alert", count: 4).joined(separator: ","))
  }

  /// An event that was held back must not act on what has begun again since.
  @Test func whatHappenedBeforeCountsForTheTimeBefore() throws {
    try apply(.opened)
    #expect(try take(.acknowledge, "old", occurred: -10, at: 3591) == .stale)
    #expect(try take(.acknowledge, "ahead", occurred: 700, at: 60) == .stale)
    try apply(.cleared, at: 100)
    try apply(.opened, at: 300)
    #expect(try state() == "open ")
    #expect(try take(.acknowledge, "before", occurred: 200, at: 320) == .stale && state() == "open ")
    // Within a minute the clocks may differ.
    #expect(try take(.acknowledge, "after", occurred: 250, at: 330) == .done)
  }

  @Test func eventsAreForgottenAfterAWeek() throws {
    try apply(.opened)
    #expect(try take(.acknowledge, "a") == .done)
    let later: Int64 = 8 * 86_400
    #expect(try take(.acknowledge, "b", occurred: later, at: later) == .unchanged)
    #expect(try text("select string_agg(event_id, ' ') from signalbox.receiver_events") == "b")
  }

  @Test func secretsAreThoseOfTheConfiguration() throws {
    let (first, second) = (ReceiverSecret("pd", .pagerDuty, "x"), ReceiverSecret("chat", .slack, "y"))
    try store.publishReceiverSecrets([first, second])
    #expect(try store.receiverSecrets(.pagerDuty) == [first] && store.receiverSecrets(.slack) == [second])
    let changed = ReceiverSecret("pd", .pagerDuty, "z")
    let fetched = ReceiverSecret("chat", .slackApp, "xapp-1")
    try store.publishReceiverSecrets([changed, fetched])
    #expect(try store.receiverSecrets(.slackApp) == [fetched])
    try store.publishReceiverSecrets([changed])
    #expect(try store.receiverSecrets(.pagerDuty) == [changed] && store.receiverSecrets(.slack) == [])
  }
}
