internal import FleetModel
internal import Incidents
internal import Postgres

/// The result of a person's change of an incident.
package enum HandChange: Sendable, Equatable {
  case done
  /// The incident was already in that state and is unchanged: since when, ns since 1970, and by whom; nil for its rule.
  case before(sinceNs: Int64, by: String?)
}

extension Store {
  /// Acknowledges: cancels escalations, and enqueues for each receiver that may have the page who acknowledged.
  /// - Throws: `.unknownIncident`, also for one that is resolved.
  @discardableResult
  package func acknowledge(incident: Int64, actor: String, nowNs: Int64) throws(StoreError) -> HandChange {
    try inTransaction { () throws(StoreError) in
      try lockIncidents()
      return try acknowledgeLocked(incident, actor: actor, through: "", nowNs)
    }
  }

  /// In a transaction that holds the lock `incidents`.
  /// - Parameter through: how the person did it, for timeline and audit; "" for the command line and the console.
  func acknowledgeLocked(
    _ incident: Int64, actor: String, through: String, _ nowNs: Int64
  ) throws(StoreError) -> HandChange {
    let rows = try ask(
      """
      update signalbox.incidents set state = \(IncidentState.acked.sql), acked = $2, acked_by = $3, muted_by = null,
        change_number = change_number + 1
      where number = $1 and state in (\(IncidentState.open.sql), \(IncidentState.muted.sql)) returning change_number
      """, [.int8(incident), .time(us: nowNs / 1000), .text(actor)])
    guard let change = rows.int(0, 0) else {
      // A second acknowledgement is no error: the first one is kept.
      if let before = try before(incident, .acked, since: "acked", by: "acked_by") { return before }
      throw .unknownIncident(incident)
    }
    try recordInTimeline(incident, .acked, actor: actor, detail: through, nowNs)
    try audit(actor: actor, action: "incidents.ack", subject: "incident \(incident)", detail: through)
    try cancelEscalations(incident, nowNs)
    try enqueueNews(incident, change: change, event: .acknowledge, nowNs)
    try wakePaging()
    return .done
  }

  /// Ends an incident by hand.
  /// - Parameter through: how the person did it, for the audit; "" for the command line and the console.
  /// - Throws: `.unknownIncident`.
  @discardableResult
  package func resolve(
    incident: Int64, actor: String, through: String = "", nowNs: Int64
  ) throws(StoreError) -> HandChange {
    try inTransaction { () throws(StoreError) in
      try lockIncidents()
      return try resolveLocked(incident, actor: actor, through: through, nowNs)
    }
  }

  /// In a transaction that holds the lock `incidents`.
  func resolveLocked(
    _ incident: Int64, actor: String, through: String, _ nowNs: Int64
  ) throws(StoreError) -> HandChange {
    if let before = try before(incident, .resolved, since: "resolved", by: "resolved_by") { return before }
    guard try state(of: incident) != nil else { throw .unknownIncident(incident) }
    try settleResolved(incident, .byPerson(actor), nowNs)
    try audit(actor: actor, action: "incidents.resolve", subject: "incident \(incident)", detail: through)
    try wakePaging()
    return .done
  }

  /// - Throws: `.unknownIncident`.
  package func addNote(incident: Int64, actor: String, text: String, nowNs: Int64) throws(StoreError) {
    try inTransaction { () throws(StoreError) in
      guard try state(of: incident) != nil else { throw .unknownIncident(incident) }
      try recordInTimeline(incident, .note, actor: actor, detail: text, nowNs)
    }
  }

  /// - Returns: `.before` where the incident is in that state, else nil.
  private func before(
    _ incident: Int64, _ state: IncidentState, since: String, by: String
  ) throws(StoreError) -> HandChange? {
    let rows = try ask(
      """
      select \(since), nullif(\(by), '\(Ending.rule)') from signalbox.incidents where number = $1 and state = \(state.sql)
      """, [.int8(incident)])
    return rows.timeNs(0, 0).map { .before(sinceNs: $0, by: rows.text(0, 1)) }
  }

  func state(of incident: Int64) throws(StoreError) -> IncidentState? {
    try ask("select state from signalbox.incidents where number = $1", [.int8(incident)]).text(0, 0)
      .flatMap(IncidentState.init)
  }

  /// Adds an entry to an incident's timeline.
  func recordInTimeline(
    _ incident: Int64, _ kind: TimelineKind, actor: String = "", detail: String = "", _ nowNs: Int64
  ) throws(StoreError) {
    try run(
      "insert into signalbox.incident_timeline (incident, time, kind, actor, detail) values ($1, $2, $3, $4, $5)",
      [
        .int8(incident), .time(us: nowNs / 1000), .text(kind.rawValue), .text(actor),
        .text(PlainText.cut(detail, scalarsMax: IncidentLimits.detailCharactersMax)),
      ])
  }

  /// Writes the outbox rows of all steps of an incident's policy.
  /// - Parameter key: deduplication key for the message ids. A reopened incident keeps its first key, but memory
  ///   computes ids from the key of the change.
  func schedule(
    _ incident: Int64, change: Int64, _ deliveries: [PlannedDelivery], _ nowNs: Int64, detail: String = "",
    key: String? = nil
  ) throws(StoreError) {
    if deliveries.isEmpty { return }
    let messageID = Self.messageID(
      key: "coalesce($11, \(Self.dedupKey(of: "$1")))", change: "case when $11::text is null then $2 else 1 end",
      event: "event", receiver: "receiver", step: "step")
    try run(
      """
      insert into signalbox.outbox (incident, change_number, receiver, event, step, is_digest, message_id, detail, due,
        next_try, created, holder)
      select $1, $2, receiver, event, step, is_digest, \(messageID), $7, due, \(reservedUntil("due", now: "$8")), $8, $10 from (
        select * from unnest($3::text[], $4::int2[], $5::bool[], $6::timestamptz[], $9::text[])
          as d (receiver, step, is_digest, due, event)) planned
      on conflict (message_id) do nothing
      """,
      [
        .int8(incident), .int4(Int32(clamping: change)), .texts(deliveries.map(\.receiver)),
        .int2s(deliveries.map(\.step)), .bools(deliveries.map(\.isDigest)),
        .times(us: deliveries.map { $0.dueNs / 1000 }),
        .text(detail), .time(us: nowNs / 1000), .texts(deliveries.map(\.event.rawValue)),
        reservation.map(Parameter.text) ?? .null, key.map(Parameter.text) ?? .null,
      ])
  }

  /// An SQL expression: a message id that no other message has.
  static let randomMessageID = "'msg_' || replace(gen_random_uuid()::text, '-', '')"

  /// An SQL expression: the id of one message about an incident. It follows from content and receiver, so that a page
  /// sent from memory has the id that its row will have: `PageID` computes the same.
  static func messageID(incident: String, change: String, event: String, receiver: String, step: String) -> String {
    messageID(key: dedupKey(of: incident), change: change, event: event, receiver: receiver, step: step)
  }

  private static func dedupKey(of incident: String) -> String {
    "(select dedup_key from signalbox.incidents where number = \(incident))"
  }

  private static func messageID(key: String, change: String, event: String, receiver: String, step: String) -> String {
    """
    'msg_' || encode(substring(sha256(convert_to(\(key) || '|' ||
      (\(change))::text || '|' || \(event)::text || '|' || \(receiver)::text || '|' || \(step)::text, 'UTF8')) from 1 for 16), 'hex')
    """
  }

  /// Cancels escalations, and pages that are not due yet. A first page that is due is sent all the same, so that its
  /// receiver gets the page before the end. One that was due when it was made is, also where it was made after `nowNs`: this transaction may
  /// have waited while a refusal made the fallback's page.
  func cancelEscalations(_ incident: Int64, _ nowNs: Int64) throws(StoreError) {
    try run(
      """
      update signalbox.outbox set state = \(DeliveryState.cancelled.sql), settled = $2
      where incident = $1 and state = \(DeliveryState.waiting.sql) and (event = \(Delivery.Event.escalate.sql)
        or (event = \(Delivery.Event.trigger.sql) and due > greatest($2, created) and not is_digest))
      """, [.int8(incident), .time(us: nowNs / 1000)])
  }

  /// Enqueues an acknowledgement or an end: one row for each receiver that may have the page, or for which it waits.
  func enqueueNews(_ incident: Int64, change: Int64, event: Delivery.Event, _ nowNs: Int64) throws(StoreError) {
    let messageID = Self.messageID(incident: "$1", change: "$2", event: "$3", receiver: "receiver", step: "0")
    try run(
      """
      insert into signalbox.outbox (incident, change_number, receiver, event, message_id, due, next_try, created, holder)
      select $1, $2, receiver, $3, \(messageID), $4, \(reservedUntil("$4", now: "$4")), $4, $5 from (
        select distinct receiver from signalbox.outbox
        where incident = $1 and event in \(Delivery.Event.pagesSQL) and not is_digest
          and (state = \(DeliveryState.waiting.sql)
            or \(DeliveryState.mayHaveBeenReceivedSQL(state: "state", attempts: "attempts")))
      ) paged
      on conflict (message_id) do nothing
      """,
      [
        .int8(incident), .int4(Int32(clamping: change)), .text(event.rawValue), .time(us: nowNs / 1000),
        reservation.map(Parameter.text) ?? .null,
      ])
  }

  /// An SQL expression: when a new row may be claimed. A reserved row may be claimed by then even where its collector
  /// ended and did not free it.
  private func reservedUntil(_ due: String, now: String) -> String {
    reservation == nil
      ? "\(due)::timestamptz"
      : "greatest(\(due)::timestamptz, \(now)::timestamptz + interval '\(IncidentLimits.localAnswerSeconds) s')"
  }

  /// Resolves an incident, and the one that it is part of where it was the last open member.
  /// - Returns: numbers of the incidents that were resolved.
  @discardableResult
  func settleResolved(_ incident: Int64, _ ending: Ending, _ nowNs: Int64) throws(StoreError) -> [Int64] {
    let rows = try ask(
      """
      update signalbox.incidents set state = \(IncidentState.resolved.sql), resolved = $2, resolved_by = $3, quiet_since = null,
        change_number = change_number + 1
      where number = $1 and state <> \(IncidentState.resolved.sql) returning change_number, part_of
      """, [.int8(incident), .time(us: nowNs / 1000), .text(ending.word)])
    guard let change = rows.int(0, 0) else { return [] }
    try recordInTimeline(incident, .resolved, actor: ending.word, nowNs)
    try cancelEscalations(incident, nowNs)
    try enqueueNews(incident, change: change, event: .resolve, nowNs)
    guard let whole = rows.int(0, 1) else { return [incident] }
    let open = try ask(
      "select exists (select from signalbox.incidents where part_of = $1 and state <> \(IncidentState.resolved.sql))",
      [.int8(whole)])
    return [incident] + (open.bool(0, 0) == false ? try settleResolved(whole, .byRule, nowNs) : [])
  }

  // MARK: The same on many hosts

  static let spreadMark = "|many hosts|"
  static func spreadIdentity(_ rule: String) -> String { rule + spreadMark }

  /// Opens one incident where a rule has fired on half of the live hosts; the members stay visible and are muted by it.
  func gatherSpread(of rule: String, _ policy: PagingPolicy, _ nowNs: Int64) throws(StoreError) {
    let found = try ask(
      """
      select count(distinct i.host), min(i.severity) filter (where not i.is_observed), min(i.opened), max(i.title),
        (select count(*) from signalbox.epochs e join signalbox.hosts h on h.number = e.host
         where h.state <> 'revoked' and e.last_seen > $2::timestamptz - interval '5 minutes'),
        exists (select from signalbox.incidents where identity = $3 and state <> \(IncidentState.resolved.sql)),
        (array_agg(distinct i.host_name))[1:\(IncidentLimits.spreadNamesMax)]::text, bool_and(i.is_observed)
      from signalbox.incidents i
      where i.rule = $1 and i.host is not null and i.state <> \(IncidentState.resolved.sql)
        and i.detected > $2::timestamptz - interval '\(IncidentLimits.spreadNs / 1_000_000_000) s'
      """, [.text(rule), .time(us: nowNs / 1000), .text(Self.spreadIdentity(rule))])
    guard let hosts = found.int(0, 0), let live = found.int(0, 4), found.bool(0, 5) == false,
      found.bool(0, 7) == false, hosts >= IncidentLimits.spreadHostsMin, hosts * 2 >= live, live > 0
    else { return }
    let severity = Severity(rawValue: UInt8(clamping: found.int(0, 1) ?? 3)) ?? .p3
    let names = (found.text(0, 6) ?? "{}").dropFirst().dropLast()
    let summary = "\(found.text(0, 3) ?? rule) on \(hosts) of \(live) hosts within 5 minutes"
    let made = try ask(
      """
      insert into signalbox.incidents (rule, title, severity, entity, identity, dedup_key, opened, detected, last_event,
        summary, evidence)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $7, $9, $10) returning number
      """,
      [
        .text(rule), .text(found.text(0, 3) ?? ""), .int2(Int16(severity.rawValue)), .text("many hosts"),
        .text(Self.spreadIdentity(rule)), .text("\(rule.prefix(60))|many hosts|\(nowNs / 1000)"),
        .time(us: found.timeUs(0, 2) ?? nowNs / 1000), .time(us: nowNs / 1000), .text(summary),
        .texts(["hosts: \(names)" + (hosts > Int64(IncidentLimits.spreadNamesMax) ? ", …" : "")]),
      ])
    guard let whole = made.int(0, 0) else { return }
    try recordInTimeline(whole, .opened, detail: summary, nowNs)
    try schedule(whole, change: 1, policy.deliveries(severity, nowNs), nowNs)
    try muteMembers(of: whole, rule, nowNs)
  }

  private func muteMembers(of whole: Int64, _ rule: String, _ nowNs: Int64) throws(StoreError) {
    let reason = Parameter.text(MuteReason.manyHosts(number: whole).text)
    try run(
      """
      with members as (
        update signalbox.incidents set part_of = $2, change_number = change_number + 1,
          muted_by = case when state = \(IncidentState.open.sql) then $4 else muted_by end,
          state = case when state = \(IncidentState.open.sql) then \(IncidentState.muted.sql) else state end
        where rule = $1 and host is not null and state <> \(IncidentState.resolved.sql) and part_of is null
        returning number
      ), silenced as (
        update signalbox.outbox o set state = \(DeliveryState.cancelled.sql), settled = $3 from members m
        where o.incident = m.number and o.state = \(DeliveryState.waiting.sql) and o.event in \(Delivery.Event.pagesSQL)
      )
      insert into signalbox.incident_timeline (incident, time, kind, detail)
      select number, $3, \(TimelineKind.muted.sql), $4 from members
      """, [.text(rule), .int8(whole), .time(us: nowNs / 1000), reason])
  }
}
