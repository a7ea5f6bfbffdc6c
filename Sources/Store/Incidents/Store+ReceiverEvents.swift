internal import FleetModel
internal import Incidents
internal import Postgres

/// What a person did where a receiver shows the page, such as in PagerDuty.
package struct ReceiverEvent: Sendable, Equatable {
  /// The raw values are stored.
  package enum Action: String, Sendable {
    case acknowledge, unacknowledge, resolve
  }

  /// Unique at its sender, which sends it again where it got no answer.
  package var id: String
  package var action: Action
  /// The receiver's key of the alert, as `Message.dedupKey` made it.
  package var alertKey: String
  /// nil: no person did it.
  package var person: String?
  /// ns since 1970, by the sender's clock.
  package var occurredNs: Int64

  package init(id: String, action: Action, alertKey: String, person: String?, occurredNs: Int64) {
    self.id = id
    self.action = action
    self.alertKey = alertKey
    self.person = person
    self.occurredNs = occurredNs
  }
}

/// What became of an event. The raw values are stored and printed.
package enum ReceiverEventOutcome: String, Sendable, CaseIterable {
  case done
  /// Its incidents are in that state already, or no person asked for it.
  case unchanged
  case repeated
  /// No incident that this receiver was paged about has the key.
  case unknown = "unknown alert"
  /// It happened too long ago, or its time is wrong.
  case stale
}

extension Store {
  /// PagerDuty sends an event again for twenty minutes; one that is older was held back by somebody.
  private static let eventOldestNs: Int64 = 3_600_000_000_000
  /// Difference of the clocks of sender and database. An event that happened longer than this before its incident
  /// began again is about the time before.
  private static let eventSkewNs: Int64 = 60_000_000_000
  private static let eventsKept = "7 days"
  /// Longest stored text of a sender.
  private static let eventIDScalarsMax = 200

  /// Carries out an event of receivers whose signature was right.
  /// - Parameters:
  ///   - receivers: all whose secret it was signed with; only what these were paged about is changed.
  ///   - place: for people, such as `in PagerDuty`.
  package func take(
    _ event: ReceiverEvent, of receivers: [String], place: String, nowNs: Int64
  ) throws(StoreError) -> ReceiverEventOutcome {
    let id = PlainText.cut(event.id, scalarsMax: Self.eventIDScalarsMax)
    let known = try ask("select 1 from signalbox.receiver_events where event_id = $1", [.text(id)])
    if known.count > 0 { return .repeated }
    let outcome = try outcome(of: event, receivers, place, nowNs)
    // Afterwards: one that fails in the middle is carried out when it comes again; each of its steps is done once.
    try run(
      """
      insert into signalbox.receiver_events (event_id, receiver, action, outcome, received) values ($1, $2, $3, $4, $5)
      on conflict (event_id) do nothing
      """,
      [
        .text(id), .text(receivers.first ?? ""), .text(event.action.rawValue), .text(outcome.rawValue),
        .time(us: nowNs / 1000),
      ])
    try run(
      "delete from signalbox.receiver_events where received < $1::timestamptz - interval '\(Self.eventsKept)'",
      [.time(us: nowNs / 1000)])
    return outcome
  }

  private func outcome(
    of event: ReceiverEvent, _ receivers: [String], _ place: String, _ nowNs: Int64
  ) throws(StoreError) -> ReceiverEventOutcome {
    let ageNs = nowNs.subtractingClamped(event.occurredNs)
    guard ageNs < Self.eventOldestNs, ageNs > -IncidentLimits.clocksApartNs else { return .stale }
    let numbers = try incidents(alertKey: event.alertKey, pagedTo: receivers)
    guard let receiver = receivers.first, !numbers.isEmpty else { return .unknown }
    let current = try chosen(numbers) { number throws(StoreError) in try hasBegun(number, before: event.occurredNs) }
    if current.isEmpty { return .stale }
    let through = "\(place) (\(receiver))"
    switch event.action {
    case .acknowledge:
      let done = try acknowledge(
        current, actor: event.person ?? receiver, through: through, except: receiver, nowNs: nowNs)
      return done.taken.isEmpty ? .unchanged : .done
    case .unacknowledge:
      let undone = try chosen(current) { number throws(StoreError) in
        try unacknowledge(number, actor: event.person ?? receiver, through: through, nowNs: nowNs)
      }
      return undone.isEmpty ? .unchanged : .done
    case .resolve:
      // Its own time limits close an alert there as well; what a rule still finds here goes on.
      guard let person = event.person else { return .unchanged }
      let ended = try chosen(current) { number throws(StoreError) in
        try resolve(incident: number, actor: person, through: through, nowNs: nowNs) == .done
      }
      return ended.isEmpty ? .unchanged : .done
    }
  }

  private func chosen(
    _ numbers: [Int64], _ isChosen: (Int64) throws(StoreError) -> Bool
  ) throws(StoreError) -> [Int64] {
    var chosen: [Int64] = []
    for number in numbers where try isChosen(number) { chosen.append(number) }
    return chosen
  }

  /// The key is that of one incident, or of a list that paged several.
  private func incidents(alertKey: String, pagedTo receivers: [String]) throws(StoreError) -> [Int64] {
    let rows = try ask(
      """
      select distinct o.incident from signalbox.outbox o
      where o.receiver = any($2) and (
          o.bundle in ($1, $3) or o.incident = (select number from signalbox.incidents where dedup_key = $1))
        and o.incident is not null order by o.incident
      """,
      [.text(alertKey), .texts(receivers), .text(String(alertKey.dropFirst(Self.listKeyPrefix.count)))])
    return (0..<rows.count).compactMap { rows.int($0, 0) }
  }

  /// Before the id of a list in the key of its alert.
  package static let listKeyPrefix = "signalbox|digest|"

  private func hasBegun(_ incident: Int64, before ns: Int64) throws(StoreError) -> Bool {
    let rows = try ask(
      """
      select max(time) from signalbox.incident_timeline where incident = $1 and kind = any($2)
      """, [.int8(incident), .texts([TimelineKind.opened, .reopened, .flapping].map(\.rawValue))])
    return rows.timeNs(0, 0).map { $0 <= ns.addingClamped(Self.eventSkewNs) } ?? true
  }

  // MARK: Taking an acknowledgement back

  /// Takes back an acknowledgement that came the same way: whoever has it by another one keeps it. The escalation goes
  /// on with the steps that it had cancelled, each as long from now as it was from the acknowledgement.
  /// - Returns: whether it was taken back.
  private func unacknowledge(
    _ incident: Int64, actor: String, through: String, nowNs: Int64
  ) throws(StoreError) -> Bool {
    try inTransaction { () throws(StoreError) in
      try lockIncidents()
      let rows = try ask(
        """
        update signalbox.incidents i set state = \(IncidentState.open.sql), acked = null, acked_by = null,
          change_number = i.change_number + 1
        from signalbox.incidents before
        where i.number = $1 and before.number = i.number and i.state = \(IncidentState.acked.sql)
          and $2 = (select t.detail from signalbox.incident_timeline t
            where t.incident = i.number and t.kind = $3 order by t.number desc limit 1)
        returning i.change_number, before.acked
        """, [.int8(incident), .text(through), .text(TimelineKind.acked.rawValue)])
      guard let change = rows.int(0, 0), let ackedUs = rows.timeUs(0, 1) else { return false }
      try recordInTimeline(incident, .unacked, actor: actor, detail: through, nowNs)
      try audit(actor: actor, action: "incidents.unack", subject: "incident \(incident)", detail: through)
      try escalateAgain(incident, change: change, ackedUs: ackedUs, nowNs)
      try wakePaging()
      return true
    }
  }

  /// New rows: a later message to the same receiver, such as the acknowledgement, supersedes an older change.
  private func escalateAgain(
    _ incident: Int64, change: Int64, ackedUs: Int64, _ nowNs: Int64
  ) throws(StoreError) {
    let messageID = Self.messageID(
      incident: "$1", change: "$2", event: "o.event", receiver: "o.receiver", step: "o.step")
    try run(
      """
      insert into signalbox.outbox (incident, change_number, receiver, event, step, message_id, due, next_try, created)
      select $1, $2, o.receiver, o.event, o.step, \(messageID),
        $4::timestamptz + greatest(o.due - $3, interval '0'), $4::timestamptz + greatest(o.due - $3, interval '0'), $4
      from signalbox.outbox o
      where o.incident = $1 and o.state = \(DeliveryState.cancelled.sql) and o.settled = $3
        and o.event in \(Delivery.Event.pagesSQL)
      on conflict (message_id) do nothing
      """,
      [.int8(incident), .int4(Int32(clamping: change)), .time(us: ackedUs), .time(us: nowNs / 1000)])
  }
}
