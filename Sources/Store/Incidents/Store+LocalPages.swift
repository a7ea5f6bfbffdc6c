internal import FleetModel
package import Incidents
internal import Postgres

extension Store {
  /// Notes what was sent while the database was away: a taken message's row is delivered, one on its way is not begun a second time
  /// before its answer is known. Needs no lease: these are facts.
  package func reconcile(_ pages: [LocalPage], nowNs: Int64) throws(StoreError) {
    guard let first = pages.first else { return }
    do throws(StoreError) {
      try inTransaction { () throws(StoreError) in try noteLocal(pages, nowNs) }
    } catch {
      guard error.isRefusal else { throw error }
      if pages.count > 1 {
        for page in pages { try reconcile([page], nowNs: nowNs) }
      } else {
        try setAside("\(first)", of: "signalbox.outbox", hostNumber: nil, because: error, nowNs: nowNs)
      }
    }
  }

  func noteLocal(_ pages: [LocalPage], _ nowNs: Int64) throws(StoreError) {
    if pages.isEmpty { return }
    try lockIncidents(of: "message_id = any($1)", .texts(pages.map(\.messageID)))
    try tellEndsOf(pages, nowNs)
    let begun = pages.filter { $0.answer == nil }
    if !begun.isEmpty {
      try run(
        """
        update signalbox.outbox o set attempts = attempts + 1, holder = coalesce(holder, 'memory'),
          next_try = greatest(next_try, p.at + interval '\(IncidentLimits.localAnswerSeconds) s'),
          bundle = coalesce(nullif(p.bundle, ''), o.bundle), reached = string_to_array(p.reached, ' ')
        from unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[]) as p (id, at, bundle, reached)
        where o.message_id = p.id and o.state = \(DeliveryState.waiting.sql)
        """,
        [
          .texts(begun.map(\.messageID)), .times(us: begun.map { $0.atNs / 1000 }),
          .texts(begun.map { $0.bundle ?? "" }), .texts(begun.map { $0.reached.joined(separator: " ") }),
        ])
    }
    let taken = pages.filter { $0.answer != nil }
    if taken.isEmpty { return }
    let rows = try ask(
      """
      update signalbox.outbox o set state = \(DeliveryState.delivered.sql), settled = p.at, last_answer = p.answer, attempts = attempts + 1,
        bundle = coalesce(nullif(p.bundle, ''), o.bundle)
      from unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[]) as p (id, at, answer, bundle)
      where o.message_id = p.id and o.state in (\(DeliveryState.waiting.sql), \(DeliveryState.cancelled.sql), \(DeliveryState.superseded.sql)) returning o.number, o.event,
        o.receiver, o.settled
      """,
      [
        .texts(taken.map(\.messageID)), .times(us: taken.map { $0.atNs / 1000 }),
        .texts(taken.map { Self.shortened($0.answer ?? "") }), .texts(taken.map { $0.bundle ?? "" }),
      ])
    // By receiver and moment: the timeline says when each of them was paged, not when the database was back.
    let settled = (0..<rows.count).map {
      (
        number: rows.int($0, 0) ?? 0, event: rows.text($0, 1) ?? "", receiver: rows.text($0, 2) ?? "",
        atNs: rows.timeNs($0, 3) ?? nowNs
      )
    }
    for one in settled {
      guard let event = Delivery.Event(rawValue: one.event) else { continue }
      try noteDelivered([one.number], event, "\(one.receiver), from memory while the database was away", one.atNs)
    }
  }

  /// Pages of incidents that ended before anybody here knew of these pages: each receiver that has one, or may have, is sent the end.
  private func tellEndsOf(_ pages: [LocalPage], _ nowNs: Int64) throws(StoreError) {
    let rows = try ask(
      """
      with tried as (
        update signalbox.outbox set attempts = greatest(attempts, 1)
        where message_id = any($1) and state = \(DeliveryState.cancelled.sql) and event in \(Delivery.Event.pagesSQL) returning incident)
      select distinct i.number, i.change_number from tried join signalbox.incidents i on i.number = tried.incident
      where i.state = \(IncidentState.resolved.sql)
      """, [.texts(pages.map(\.messageID))])
    for row in 0..<rows.count {
      guard let incident = rows.int(row, 0), let change = rows.int(row, 1) else { continue }
      try tellWhoWasTold(incident, change: change, event: .resolve, nowNs)
    }
  }
}
