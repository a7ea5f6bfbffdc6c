internal import FleetModel
package import Incidents
internal import Postgres

extension Store {
  /// Records what was sent from memory in the rows, and frees reservations of released changes.
  ///
  /// The row of a delivered message becomes `delivered`. The row of a message in flight stays reserved until its answer
  /// is due. A message without a row, such as one that a silence unknown to memory muted here, or one to the fallback,
  /// gets a row, because without it nothing would end the receiver's alert. Needs no lease: what was sent is a fact
  /// whoever holds it.
  /// - Parameters:
  ///   - freeing: names of the reservations to be freed.
  ///   - holding: the newest reservation that is not freed yet, under which new rows of ends are reserved: memory may
  ///     be sending those ends.
  package func reconcile(
    _ pages: [LocalPage], freeing: [String] = [], holding: String? = nil, nowNs: Int64
  ) throws(StoreError) {
    if pages.isEmpty && freeing.isEmpty { return }
    reservation = holding
    defer { reservation = nil }
    do throws(StoreError) {
      try inTransaction { () throws(StoreError) in
        if !pages.isEmpty {
          try lockIncidents()
          // Ends come last: which receivers are sent one follows from their pages.
          let (begun, ends) = (pages.filter { $0.event != .resolve }, pages.filter { $0.event == .resolve })
          let missing = try missing(begun)
          try addAlerts(begun, nowNs)
          try record(begun, nowNs)
          // Rows that exist are updated first: from them follows which opening a page is about.
          for page in missing { try add(page, nowNs) }
          try record(missing, nowNs)
          try sendEnds(of: begun, nowNs)
          for page in try self.missing(ends) { try addEnd(page, nowNs) }
          try record(ends, nowNs)
          try endAlerts(of: pages.map(\.messageID), nowNs)
        }
        try free("holder = any($1)", .texts(freeing))
      }
    } catch {
      guard error.isRefusal else { throw error }
      if pages.count > 1 {
        for page in pages { try reconcile([page], holding: holding, nowNs: nowNs) }
      } else if let page = pages.first {
        try setAside("\(page)", of: "signalbox.outbox", hostNumber: nil, because: error, nowNs: nowNs)
      }
      try reconcile([], freeing: freeing, nowNs: nowNs)
    }
  }

  /// Frees the reservations of earlier processes of an instance.
  /// - Parameter holder: `instance/process` of this process, whose own reservations stay.
  package func freeReservations(ofInstance holder: String, nowNs: Int64) throws(StoreError) {
    let instance = holder.split(separator: "/").first.map(String.init) ?? holder
    try inTransaction { () throws(StoreError) in
      try free(
        "starts_with(holder, $1) and not starts_with(holder, $2)", .text(Reservation.names(ofInstance: instance)),
        .text(Reservation.names(ofInstance: holder)))
    }
  }

  /// Extends claims and reservations that end between two times to the second one. After a time without the database
  /// this gives the processes that sent messages time to report them before the rows are claimed again.
  package func extendClaims(from sinceNs: Int64, to untilNs: Int64) throws(StoreError) {
    try run(
      """
      update signalbox.outbox set next_try = $2
      where state = \(DeliveryState.waiting.sql) and next_try between $1 and $2 and holder is not null
      """, [.time(us: sinceNs / 1000), .time(us: untilNs / 1000)])
  }

  private func free(_ condition: String, _ parameters: Parameter...) throws(StoreError) {
    let freed = try ask(
      """
      update signalbox.outbox set holder = null, next_try = case when attempts = 0 then due else next_try end
      where state in (\(DeliveryState.waiting.sql), \(DeliveryState.cancelled.sql)) and \(condition)
      """, parameters
    ).affected
    if freed > 0 { try wakePaging() }
  }

  // MARK: Rows

  private func missing(_ pages: [LocalPage]) throws(StoreError) -> [LocalPage] {
    if pages.isEmpty { return [] }
    let rows = try ask(
      """
      select id from unnest($1::text[]) as p (id)
      where not exists (select from signalbox.outbox o where o.message_id = p.id)
      """, [.texts(pages.map(\.messageID))])
    let missing = Set((0..<rows.count).compactMap { rows.text($0, 0) })
    return pages.filter { missing.contains($0.messageID) }
  }

  private func add(_ page: LocalPage, _ nowNs: Int64) throws(StoreError) {
    let found = try ask(
      """
      select number, dedup_key = $1, state = \(IncidentState.open.sql), case when dedup_key = $1 then 1 else
        -- Of a reopened incident: the opening that the page is about, or the newest.
        (select change_number from signalbox.outbox where incident = i.number and event in \(Delivery.Event.pagesSQL)
         order by bundle is not distinct from $1 desc, change_number desc limit 1) end
      from signalbox.incidents i
      where dedup_key = $1 or identity = $2 order by dedup_key = $1 desc, number desc limit 1
      """, [.text(page.dedupKey), .text(page.identity)])
    // A change that was set aside has no incident.
    guard let incident = found.int(0, 0) else { return }
    let isOwn = found.bool(0, 1) == true
    // A message without an answer is sent again only where the incident is open.
    let state: DeliveryState = page.answer != nil || isOwn && found.bool(0, 2) == true ? .waiting : .cancelled
    try insert(page, incident, change: found.int(0, 3) ?? 1, state, nowNs)
  }

  /// Another collector has sent the row's message, by itself or in a list: the receiver has two alerts, each of which
  /// needs a row and an end.
  private func addAlerts(_ pages: [LocalPage], _ nowNs: Int64) throws(StoreError) {
    if pages.isEmpty { return }
    try run(
      """
      insert into signalbox.outbox (incident, change_number, receiver, event, step, message_id, bundle, detail, due, next_try,
        created, state, attempts, settled)
      select o.incident, o.change_number, o.receiver, o.event, o.step, o.message_id || '/' || p.alert, p.alert, 'from memory',
        p.at, p.at, $5, case when p.taken then \(DeliveryState.delivered.sql) else \(DeliveryState.cancelled.sql) end, 1, p.at
      from (select distinct on (id, alert) id, alert, at, taken, ordinal
          from unnest($1::text[], $2::text[], $3::timestamptz[], $4::bool[]) with ordinality as p (id, alert, at, taken, ordinal)
          order by id, alert, taken desc, ordinal) p
        join signalbox.outbox o on o.message_id = p.id join signalbox.incidents i on i.number = o.incident
      where o.attempts > 0 and coalesce(o.bundle, i.dedup_key) <> p.alert order by p.ordinal
      -- Begun before, and taken since: its end may have been sent in between.
      on conflict (message_id) do update set state = excluded.state, settled = greatest(outbox.settled, excluded.settled)
        where excluded.state = \(DeliveryState.delivered.sql)
      """,
      [
        .texts(pages.map(\.messageID)), .texts(pages.map { $0.bundle ?? $0.dedupKey }),
        .times(us: pages.map { $0.atNs / 1000 }), .bools(pages.map { $0.answer != nil }), .time(us: nowNs / 1000),
      ])
  }

  /// Adds a row for an end from memory. The row that the store wrote itself has another id where the incident changed
  /// state before its end, such as by a silence.
  private func addEnd(_ page: LocalPage, _ nowNs: Int64) throws(StoreError) {
    // The alert of a reopened incident has a key of its own: from its page follows which opening has ended.
    let found = try ask(
      """
      select number, change, is_own, coalesce((select s.change_number from signalbox.outbox s where s.incident = f.number
          and s.receiver = $2 and s.event = \(Delivery.Event.resolve.sql) and s.change_number > f.change
          order by s.change_number, s.number limit 1), current), exists (select from signalbox.outbox s where s.incident = f.number
        and s.receiver = $2 and s.bundle is null and s.event in \(Delivery.Event.pagesSQL) and s.attempts > 0),
        (select state <> \(IncidentState.resolved.sql) from signalbox.incidents i where i.number = f.number)
      from (
        select number, 1 as change, true as is_own, change_number as current from signalbox.incidents where dedup_key = $1
        union all
        select o.incident, o.change_number, false, i.change_number
        from signalbox.outbox o join signalbox.incidents i on i.number = o.incident
        where o.receiver = $2 and o.bundle = $1 and o.event in \(Delivery.Event.pagesSQL)) f
      order by is_own desc, number limit 1
      """, [.text(page.dedupKey), .text(page.receiver)])
    guard let incident = found.int(0, 0), let change = found.int(0, 1) else { return }
    let list = page.list ?? (found.bool(0, 2) == true ? nil : page.dedupKey)
    // An end without an answer of an incident that is open again is not sent again, but what follows waits for its answer.
    let isUnanswered = page.answer == nil && found.bool(0, 5) == true
    if list == nil || found.bool(0, 4) == false {
      let known = try ask(
        """
        update signalbox.outbox set message_id = $3, list = $4 where number = (
          select number from signalbox.outbox where incident = $1 and receiver = $2 and change_number > $5
            and event = \(Delivery.Event.resolve.sql) order by change_number, number limit 1)
          and state = \(DeliveryState.waiting.sql) and attempts = 0 and list is null
        """,
        [
          .int8(incident), .text(page.receiver), .text(page.messageID), list.map(Parameter.text) ?? .null,
          .int4(Int32(clamping: change)),
        ]
      ).affected
      if isUnanswered, known == 0 { try insert(page, incident, change: change + 1, .cancelled, list: list, nowNs) }
    } else if isUnanswered {
      try insert(page, incident, change: change + 1, .cancelled, list: list, nowNs)
    } else {
      try insert(page, incident, change: found.int(0, 3) ?? 2, .waiting, list: list, nowNs)
    }
  }

  private func insert(
    _ page: LocalPage, _ incident: Int64, change: Int64, _ state: DeliveryState, list: String? = nil,
    _ nowNs: Int64
  ) throws(StoreError) {
    try run(
      """
      insert into signalbox.outbox (incident, change_number, receiver, event, step, message_id, list, detail, due, next_try,
        created, state)
      values ($1, $2, $3, $4, $5, $6, $7, 'from memory', $8, $8, $9, $10) on conflict (message_id) do nothing
      """,
      [
        .int8(incident), .int4(Int32(clamping: change)), .text(page.receiver), .text(page.event.rawValue),
        .int2(page.step), .text(page.messageID),
        list.map(Parameter.text) ?? .null, .time(us: page.atNs / 1000), .time(us: nowNs / 1000),
        .text(state.rawValue),
      ])
  }

  // MARK: Outcomes

  private func record(_ pages: [LocalPage], _ nowNs: Int64) throws(StoreError) {
    if pages.isEmpty { return }
    try lockIncidents(of: "message_id = any($1)", .texts(pages.map(\.messageID)))
    // The receiver's alert has the key that memory used, and the rows of a reopened incident have another one. A
    // message that another collector has begun meanwhile under the other key has a row of its own (`addAlerts`).
    try run(
      """
      update signalbox.outbox o set bundle = coalesce(nullif(p.bundle, ''), nullif(p.key, i.dedup_key))
      from unnest($1::text[], $2::text[], $3::text[]) as p (id, key, bundle), signalbox.incidents i
      where o.message_id = p.id and o.attempts = 0 and i.number = o.incident and o.event in \(Delivery.Event.pagesSQL)
      """,
      [.texts(pages.map(\.messageID)), .texts(pages.map(\.dedupKey)), .texts(pages.map { $0.bundle ?? "" })])
    try run(
      """
      update signalbox.outbox o set list = coalesce(nullif(p.list, ''), o.list), bundle = coalesce(nullif(p.bundle, ''), o.bundle)
      from unnest($1::text[], $2::text[], $3::text[]) as p (id, list, bundle)
      where o.message_id = p.id and o.event = \(Delivery.Event.resolve.sql)
      """,
      [.texts(pages.map(\.messageID)), .texts(pages.map { $0.list ?? "" }), .texts(pages.map { $0.bundle ?? "" })])
    try recordBegun(pages.filter { $0.answer == nil && !$0.isOver })
    try recordCancelled(pages.filter { $0.answer == nil && $0.isOver }, nowNs)
    try recordDelivered(pages.filter { $0.answer != nil }, nowNs)
  }

  /// States of a row that a report from memory may still change, but for its delivery.
  private static let undeliveredSQL =
    "(\(DeliveryState.waiting.sql), \(DeliveryState.cancelled.sql), \(DeliveryState.refused.sql))"

  private func recordBegun(_ pages: [LocalPage]) throws(StoreError) {
    if pages.isEmpty { return }
    try run(
      """
      -- One that the rows' own message was refused for may have been received from memory.
      update signalbox.outbox o set attempts = o.attempts + p.attempts, holder = $5, fence = null,
        state = case when o.state = \(DeliveryState.refused.sql) then \(DeliveryState.cancelled.sql) else o.state end,
        next_try = greatest(o.next_try, p.at + interval '\(IncidentLimits.localAnswerSeconds) s'),
        reached = string_to_array(p.reached, ' ')
      from unnest($1::text[], $2::timestamptz[], $3::text[], $4::int4[]) as p (id, at, reached, attempts)
      where o.message_id = p.id and o.state in \(Self.undeliveredSQL)
      """,
      [
        .texts(pages.map(\.messageID)), .times(us: pages.map { $0.atNs / 1000 }),
        .texts(pages.map { $0.reached.joined(separator: " ") }), .int4s(pages.map { Int32(clamping: $0.attempts) }),
        .text(Reservation.begun),
      ])
  }

  /// The incident ended before the message was delivered. Its attempts are recorded, because one without an answer may
  /// have been received.
  private func recordCancelled(_ pages: [LocalPage], _ nowNs: Int64) throws(StoreError) {
    if pages.isEmpty { return }
    try run(
      """
      update signalbox.outbox o set state = \(DeliveryState.cancelled.sql), settled = $3, attempts = o.attempts + p.attempts, holder = null
      from unnest($1::text[], $2::int4[]) as p (id, attempts)
      where o.message_id = p.id and o.state in \(Self.undeliveredSQL)
      """,
      [
        .texts(pages.map(\.messageID)), .int4s(pages.map { Int32(clamping: $0.attempts) }), .time(us: nowNs / 1000),
      ])
  }

  private func recordDelivered(_ pages: [LocalPage], _ nowNs: Int64) throws(StoreError) {
    if pages.isEmpty { return }
    // Delivered a second time: an end may have been sent in between, which `endAlerts` repeats by the later time.
    try run(
      """
      update signalbox.outbox o set settled = p.at from unnest($1::text[], $2::timestamptz[]) as p (id, at)
      where o.message_id = p.id and o.state = \(DeliveryState.delivered.sql) and o.settled < p.at
      """, [.texts(pages.map(\.messageID)), .times(us: pages.map { $0.atNs / 1000 })])
    let rows = try ask(
      """
      update signalbox.outbox o set state = \(DeliveryState.delivered.sql), settled = p.at, last_answer = p.answer,
        attempts = greatest(1, o.attempts + p.attempts),
        -- An attempt of another's goes on: until its answer, no end may be sent.
        holder = case when starts_with(o.holder, $5) then null else o.holder end
      from unnest($1::text[], $2::timestamptz[], $3::text[], $4::int4[]) as p (id, at, answer, attempts)
      where o.message_id = p.id and o.state <> \(DeliveryState.delivered.sql)
      returning o.number, o.event, o.receiver, o.settled
      """,
      [
        .texts(pages.map(\.messageID)), .times(us: pages.map { $0.atNs / 1000 }),
        .texts(pages.map { Self.shortened($0.answer ?? "") }),
        .int4s(pages.map { Int32(clamping: $0.attempts) }), .text(Reservation.prefix),
      ])
    // One entry a receiver, at the time of its delivery, not at the time of the reconciliation.
    let settled = (0..<rows.count).map {
      (
        number: rows.int($0, 0) ?? 0, event: rows.text($0, 1) ?? "", receiver: rows.text($0, 2) ?? "",
        atNs: rows.timeNs($0, 3) ?? nowNs
      )
    }
    for one in settled {
      guard let event = Delivery.Event(rawValue: one.event) else { continue }
      try recordDelivery([one.number], event, "\(one.receiver), from memory while the database was away", one.atNs)
    }
  }

  /// Enqueues the ends of incidents that were resolved before these pages were recorded.
  private func sendEnds(of pages: [LocalPage], _ nowNs: Int64) throws(StoreError) {
    let rows = try ask(
      """
      select distinct i.number, i.change_number from signalbox.outbox o join signalbox.incidents i on i.number = o.incident
      where o.message_id = any($1) and o.event in \(Delivery.Event.pagesSQL) and i.state = \(IncidentState.resolved.sql)
      """, [.texts(pages.map(\.messageID))])
    for row in 0..<rows.count {
      guard let incident = rows.int(row, 0), let change = rows.int(row, 1) else { continue }
      try enqueueNews(incident, change: change, event: .resolve, nowNs)
    }
  }

  /// Enqueues an end for each page that was delivered after the end of its incident was sent, or whose key was not
  /// known then.
  func endAlerts(of messages: [String], _ nowNs: Int64) throws(StoreError) {
    if messages.isEmpty { return }
    let messageID = Self.messageID(
      incident: "o.incident", change: "e.change_number", event: "\(Delivery.Event.resolve.sql)",
      receiver: "o.receiver || '|' || o.message_id", step: "0")
    let ends = """
      s.incident = o.incident and s.receiver = o.receiver and s.event = \(Delivery.Event.resolve.sql)
        and s.state <> \(DeliveryState.superseded.sql)
      """
    let delivered = DeliveryState.delivered.sql
    try run(
      """
      insert into signalbox.outbox (incident, change_number, receiver, event, message_id, list, due, next_try, created)
      select incident, change_number, receiver, \(Delivery.Event.resolve.sql), id, alert, $2, $2, $2 from (
        -- Several pages may have opened one alert.
        select distinct on (o.incident, o.receiver, e.change_number, a.alert)
          o.number, o.incident, e.change_number, o.receiver, a.alert, m.id
        from (select distinct incident, receiver from signalbox.outbox where message_id = any($1)) n
          join signalbox.outbox o on o.incident = n.incident and o.receiver = n.receiver
            and o.event in \(Delivery.Event.pagesSQL) and o.attempts > 0
          join signalbox.incidents i on i.number = o.incident
          cross join lateral (select coalesce(o.bundle, i.dedup_key) as alert) a
          join lateral (select s.change_number, s.list, s.attempts from signalbox.outbox s
            where \(ends) and s.change_number > o.change_number order by s.change_number, s.number limit 1) e on true
          cross join lateral (select \(messageID) as id) m
        where (e.list is not null or e.attempts > 0)
          -- The alert of a reopened incident is open again under the same key.
          and not exists (select from signalbox.outbox p where p.incident = o.incident and p.receiver = o.receiver
            and p.event in \(Delivery.Event.pagesSQL) and coalesce(p.bundle, i.dedup_key) = a.alert
            and p.change_number > e.change_number and p.attempts > 0)
          -- What was taken before the page does not end it.
          and not exists (select from signalbox.outbox s where \(ends) and s.change_number = e.change_number
            and coalesce(s.list, i.dedup_key) = a.alert
            and not (o.state = \(delivered) and s.state = \(delivered) and s.settled < o.settled))
          and not exists (select from signalbox.outbox p where p.message_id = m.id)
        order by o.incident, o.receiver, e.change_number, a.alert, o.number) late
      order by number on conflict (message_id) do nothing
      """,
      [.texts(messages), .time(us: nowNs / 1000)])
  }
}
