internal import FleetModel
package import Incidents
internal import Postgres

extension Store {
  /// Subscribes this connection to notifications of new rows in the outbox.
  package func listenForPages() throws(StoreError) {
    try asking { () throws(PostgresError) in try connection.listen(Self.pagingChannel) }
  }

  /// Whether a notification came since the last call. Does not block.
  package func hasPageNotifications() throws(StoreError) -> Bool {
    try asking { () throws(PostgresError) in try !connection.notifications().isEmpty }
  }

  /// Readable when a notification may have come.
  package var notificationDescriptor: Int32 { connection.pollDescriptor }

  /// Makes the claims of former holders due at `atNs`. Whether their messages were received is unknown, so that they
  /// are sent again under the same ids.
  package func adoptDeliveries(_ lease: Lease, atNs: Int64) throws(StoreError) {
    try inTransaction { () throws(StoreError) in
      try requireLease(lease)
      try run(
        """
        update signalbox.outbox set next_try = $2, holder = null
        where state = \(DeliveryState.waiting.sql) and holder is not null and fence < $1 and next_try > $2
        """, [.int8(lease.fence), .time(us: atNs / 1000)])
    }
  }

  func incidents(_ numbers: [Int64]) throws(StoreError) -> [IncidentRecord] {
    if numbers.isEmpty { return [] }
    let rows = try ask(
      """
      select number, rule, title, severity, state, host_name, entity, dedup_key, opened, resolved, acked_by, summary,
        runbook, nullif(resolved_by, '\(Ending.rule)')
      from signalbox.incidents where number = any($1)
      order by severity, number limit \(IncidentLimits.bundleNamesMax)
      """, [.int8s(numbers)])
    return try (0..<rows.count).map { row throws(StoreError) in
      var record = IncidentRecord(
        number: rows.int(row, 0) ?? 0, rule: rows.text(row, 1) ?? "",
        severity: Severity(rawValue: UInt8(clamping: rows.int(row, 3) ?? 3)) ?? .p3, dedupKey: rows.text(row, 7) ?? "",
        openedNs: rows.timeNs(row, 8) ?? 0)
      record.title = rows.text(row, 2) ?? ""
      record.state = rows.text(row, 4).flatMap(IncidentState.init) ?? .open
      record.hostName = rows.text(row, 5) ?? ""
      record.entity = rows.text(row, 6) ?? ""
      record.resolvedNs = rows.timeNs(row, 9)
      record.ackedBy = rows.text(row, 10)
      record.summary = rows.text(row, 11) ?? ""
      record.steps = try texts(of: record.number, "steps")
      record.evidence = try texts(of: record.number, "evidence")
      record.causes = try texts(of: record.number, "causes")
      record.runbook = rows.text(row, 12) ?? ""
      record.resolvedBy = rows.text(row, 13)
      return record
    }
  }

  private func texts(of incident: Int64, _ column: String) throws(StoreError) -> [String] {
    let rows = try ask("select unnest(\(column)) from signalbox.incidents where number = $1", [.int8(incident)])
    return (0..<rows.count).compactMap { rows.text($0, 0) }
  }

  /// Records the outcome of a message in its rows. After three failures, and after a refusal, the fallback is paged as
  /// well.
  ///
  /// A delivery is recorded without the lease, because it is a fact whoever holds it: the new holder would otherwise
  /// send the message again.
  /// - Throws: `.leaseLost`: the new holder sends it again under the same id.
  package func settle(
    _ delivery: Delivery, _ outcome: DeliveryOutcome, _ lease: Lease, policy: PagingPolicy, nowNs: Int64
  ) throws(StoreError) {
    try inTransaction { () throws(StoreError) in
      if case .delivered = outcome {} else { try requireLease(lease) }
      try lockIncidents(of: "number = any($1)", .int8s(delivery.rows))
      try release(delivery)
      switch outcome {
      case .delivered(let answer):
        let settled = try settle(delivery, .delivered, answer, nowNs)
        if settled > 0, answer != Delivery.nothingToSend {
          try recordDelivery(delivery.rows, delivery.event, delivery.receiver, nowNs)
        }
        if settled < delivery.rows.count { try recordLateDelivery(delivery, nowNs) }
      case .refused(let answer):
        if try settle(delivery, .refused, answer, nowNs) > 0 {
          let kind = delivery.event.isPage ? TimelineKind.pageRefused : .newsRefused
          try recordInTimelines(delivery.rows, kind, "\(delivery.receiver): \(answer)", nowNs)
          try pageFallback(delivery, outcome, policy, nowNs)
        }
      case .retry(let atNs, let answer):
        try tryAgain(delivery, reached: [], atNs: atNs, answer)
        try pageFallback(delivery, outcome, policy, nowNs)
      case .partial(let reached, let atNs, let answer):
        try tryAgain(delivery, reached: reached, atNs: atNs, answer)
      }
      if delivery.event == .test { try settleWhole(of: delivery.rows, nowNs) }
    }
  }

  private func tryAgain(
    _ delivery: Delivery, reached: [String], atNs: Int64, _ answer: String
  ) throws(StoreError) {
    try run(
      """
      update signalbox.outbox set next_try = $2, last_answer = $3, holder = null, reached = reached || $4
      where number = any($1) and state = \(DeliveryState.waiting.sql)
      """,
      [.int8s(delivery.rows), .time(us: atNs / 1000), .text(Self.shortened(answer)), .texts(reached)])
  }

  /// Locks the incidents of rows, because a settlement that adds rows and a concurrent end of the incident must see
  /// each other's rows.
  /// - Parameter rows: an SQL condition on the outbox.
  func lockIncidents(of rows: String, _ parameter: Parameter) throws(StoreError) {
    _ = try ask(
      """
      select number from signalbox.incidents where number in (select incident from signalbox.outbox where \(rows))
      order by number for update
      """, [parameter])
  }

  /// Frees rows that were cancelled while an attempt was in flight, so that the following rows of the incident are due.
  private func release(_ delivery: Delivery) throws(StoreError) {
    try run(
      """
      update signalbox.outbox set holder = null where number = any($1)
        and state in (\(DeliveryState.cancelled.sql), \(DeliveryState.delivered.sql))
      """, [.int8s(delivery.rows)])
  }

  /// The rows were already settled by another collector, which may have sent the end before this delivery: the end is
  /// sent once more.
  private func recordLateDelivery(_ delivery: Delivery, _ nowNs: Int64) throws(StoreError) {
    let rows = try ask(
      """
      update signalbox.outbox set settled = $2 where number = any($1) and state = \(DeliveryState.delivered.sql) and settled < $2
      returning message_id
      """, [.int8s(delivery.rows), .time(us: nowNs / 1000)])
    try endAlerts(of: (0..<rows.count).compactMap { rows.text($0, 0) }, nowNs)
  }

  /// - Returns: number of rows that this settled.
  private func settle(
    _ delivery: Delivery, _ state: DeliveryState, _ answer: String, _ nowNs: Int64
  ) throws(StoreError) -> Int {
    try ask(
      """
      update signalbox.outbox set state = $2, last_answer = $3, settled = $4, holder = null where number = any($1)
        and (state = \(DeliveryState.waiting.sql) or (state = \(DeliveryState.cancelled.sql) and $2 = \(DeliveryState.delivered.sql)))
      """, [.int8s(delivery.rows), .text(state.rawValue), .text(Self.shortened(answer)), .time(us: nowNs / 1000)]
    ).affected
  }

  static func shortened(_ text: String) -> String { String(text.prefix(300)) }

  func recordDelivery(
    _ rows: [Int64], _ event: Delivery.Event, _ detail: String, _ nowNs: Int64
  ) throws(StoreError) {
    try run(
      """
      update signalbox.incidents i set first_paged = o.settled,
        event_to_page_ms = greatest(0, (extract(epoch from o.settled - i.opened) * 1000)::bigint)
      from signalbox.outbox o where o.number = any($1) and i.number = o.incident and o.event in \(Delivery.Event.pagesSQL)
        and i.first_paged is null
      """, [.int8s(rows)])
    try recordInTimelines(
      rows, event == .escalate ? .escalated : event == .trigger ? .paged : .newsDelivered, detail, nowNs)
  }

  private func recordInTimelines(_ rows: [Int64], _ kind: TimelineKind, _ detail: String, _ nowNs: Int64)
    throws(StoreError)
  {
    try run(
      """
      insert into signalbox.incident_timeline (incident, time, kind, detail)
      select distinct incident, $2::timestamptz, $3, $4 from signalbox.outbox
      where number = any($1) and incident is not null
      """,
      [.int8s(rows), .time(us: nowNs / 1000), .text(kind.rawValue), .text(Self.shortened(detail))])
  }

  /// Enqueues for the fallback the page of the receiver, and the news since that page: an end or an acknowledgement may
  /// have been delivered to the receiver already.
  private func pageFallback(
    _ delivery: Delivery, _ outcome: DeliveryOutcome, _ policy: PagingPolicy, _ nowNs: Int64
  ) throws(StoreError) {
    guard
      let fallback = policy.fallback(
        for: delivery.receiver, delivery.event, after: outcome, attempts: delivery.attempts)
    else { return }
    let messageID = Self.messageID(
      incident: "o.incident", change: "o.change_number", event: "o.event", receiver: "$2", step: "o.step")
    try run(
      """
      insert into signalbox.outbox (incident, change_number, receiver, event, step, message_id, detail, due, next_try, created)
      select o.incident, o.change_number, $2, o.event, o.step, \(messageID), 'in place of ' || o.receiver, $3, $3, $3
      from signalbox.outbox o
      where o.incident in (select incident from signalbox.outbox where number = any($1) and event in \(Delivery.Event.pagesSQL))
        and (o.number = any($1) or (o.receiver = $4 and o.event in \(Delivery.Event.newsSQL)
          and o.change_number > (select min(change_number) from signalbox.outbox n where n.number = any($1) and n.incident = o.incident)))
        and (o.event in \(Delivery.Event.pagesSQL) or o.event in \(Delivery.Event.newsSQL))
        and not exists (select from signalbox.outbox f where f.incident = o.incident and f.receiver = $2
          and f.change_number = o.change_number and f.event = o.event
          -- Where it stands in for several receivers, or has a step of its own, one page is enough.
          and (f.step = o.step or f.event = \(Delivery.Event.trigger.sql)))
      order by o.number on conflict (message_id) do nothing
      """, [.int8s(delivery.rows), .text(fallback), .time(us: nowNs / 1000), .text(delivery.receiver)])
  }
}
