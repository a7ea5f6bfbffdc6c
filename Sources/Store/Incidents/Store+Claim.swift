internal import FleetModel
package import Incidents
internal import Postgres

extension Store {
  /// Claims due deliveries, as many messages for each receiver as the policy sends now.
  ///
  /// Messages of one incident keep their order at each receiver, and a message older than a delivered one is
  /// superseded.
  /// - Parameter loads: messages without an answer, by receiver; the other figures are read here.
  /// - Throws: `.leaseLost`.
  package func claimDeliveries(
    _ lease: Lease, loads: [String: ReceiverLoad], policy: PagingPolicy, nowNs: Int64
  ) throws(StoreError) -> [Delivery] {
    try inTransaction { () throws(StoreError) in
      try requireLease(lease)
      try supersede(nowNs)
      try routeNews(nowNs)
      let due = try dueDeliveries(nowNs)
      if due.isEmpty { return [] }
      let loads = try withHistory(loads, policy, nowNs)
      var deliveries: [Delivery] = []
      for (receiver, due) in due.sorted(by: { $0.key < $1.key }) {
        for message in policy.messages(due, to: receiver, load: loads[receiver] ?? ReceiverLoad(), nowNs: nowNs) {
          if let delivery = try take(message, receiver, lease, nowNs) { deliveries.append(delivery) }
        }
      }
      return deliveries
    }
  }

  /// An SQL condition on a row `o`: it is due, and no earlier row of its incident waits for the same receiver, or was
  /// cancelled while an attempt is in flight.
  private static func isDueSQL(_ now: String) -> String {
    """
    o.state = \(DeliveryState.waiting.sql) and o.next_try <= \(now) and o.due <= \(now)
      and not exists (select from signalbox.outbox e where e.incident = o.incident and e.receiver = o.receiver
        and (e.change_number, e.step) < (o.change_number, o.step)
        and (e.state = \(DeliveryState.waiting.sql) and e.due <= \(now)
          or e.state in (\(DeliveryState.cancelled.sql), \(DeliveryState.delivered.sql)) and e.holder is not null
            and e.next_try > \(now)))
    """
  }

  /// An SQL condition: `t` is a page whose alert the news `o` is about. It was begun, and its alert has no end of its own
  /// yet. An end is not about an alert that a later message has opened again or ended.
  private static let isOpenPageSQL = """
    t.incident = o.incident and t.receiver = o.receiver and t.event in \(Delivery.Event.pagesSQL) and not t.is_digest
      and t.attempts > 0 and t.change_number <= o.change_number
      and not exists (select from signalbox.outbox e where e.incident = o.incident and e.receiver = o.receiver
        and e.event = \(Delivery.Event.resolve.sql) and e.list is not distinct from t.bundle
        and (e.state <> \(DeliveryState.superseded.sql) and e.change_number < o.change_number
            and e.change_number > t.change_number
          or \(isBegunAfterSQL("e")) and o.event = \(Delivery.Event.resolve.sql)))
      and not (o.event = \(Delivery.Event.resolve.sql) and exists (select from signalbox.outbox d
        where d.incident = o.incident and d.receiver = o.receiver and d.event in \(Delivery.Event.pagesSQL)
          and d.bundle is not distinct from t.bundle and \(isBegunAfterSQL("d"))))
    """

  /// An SQL condition on a row beside a row `o`: it is later, and was delivered or is in flight.
  private static func isBegunAfterSQL(_ row: String) -> String {
    """
    \(row).change_number > o.change_number and (\(row).state = \(DeliveryState.delivered.sql)
      or \(row).state = \(DeliveryState.waiting.sql) and \(row).attempts > 0)
    """
  }

  /// Decides which list news is about. A receiver that was paged by a list keeps one alert for that list, so that news
  /// must carry the list's key. One that was paged both ways gets a message for each.
  private func routeNews(_ nowNs: Int64) throws(StoreError) {
    let messageID = Self.messageID(
      incident: "o.incident", change: "o.change_number", event: "o.event", receiver: "o.receiver || '|' || l.list",
      step: "o.step")
    try run(
      """
      with news as (
        -- By code point, as `Handover` orders them for its message ids, under any collation of the database.
        select o.number, array_agg(distinct t.bundle collate "C") filter (where t.bundle is not null) as lists,
          bool_or(t.bundle is null) as is_single
        from signalbox.outbox o join signalbox.outbox t on \(Self.isOpenPageSQL)
        where o.event in \(Delivery.Event.newsSQL) and o.list is null and o.bundle is null and \(Self.isDueSQL("$1"))
        group by o.number
      ), others as (
        insert into signalbox.outbox
          (incident, change_number, receiver, event, step, message_id, detail, due, next_try, created, list)
        select o.incident, o.change_number, o.receiver, o.event, o.step, \(messageID), o.detail, o.due, o.next_try, o.created,
          l.list
        from news n join signalbox.outbox o on o.number = n.number
          cross join lateral unnest(case when n.is_single then n.lists else n.lists[2:] end) l(list)
        order by o.number, l.list on conflict (message_id) do nothing)
      update signalbox.outbox o set list = n.lists[1] from news n
      where o.number = n.number and not n.is_single
      """, [.time(us: nowNs / 1000)])
  }

  /// Due deliveries by receiver, in the order of their rows.
  private func dueDeliveries(_ nowNs: Int64) throws(StoreError) -> [String: [DueDelivery<Int64>]] {
    let rows = try ask(
      """
      select receiver, event, is_digest, bundle, list, array_to_string(array_agg(number order by number), ' '), attempts > 0
      from signalbox.outbox o where \(Self.isDueSQL("$1")) group by receiver, event, is_digest, bundle, list, attempts > 0
      """, [.time(us: nowNs / 1000)])
    var due: [String: [DueDelivery<Int64>]] = [:]
    for row in 0..<rows.count {
      guard let receiver = rows.text(row, 0), let event = rows.text(row, 1).flatMap(Delivery.Event.init) else {
        continue
      }
      let numbers = (rows.text(row, 5) ?? "").split(separator: " ").compactMap { Int64($0) }
      due[receiver, default: []] += numbers.map { number in
        DueDelivery(
          id: number, event: event, isDigest: rows.bool(row, 2) == true, isBegun: rows.bool(row, 6) == true,
          bundle: rows.text(row, 3), list: rows.text(row, 4))
      }
    }
    return due.mapValues { $0.sorted { $0.id < $1.id } }
  }

  /// Adds to the loads the messages of the last minute that count against the limit, and the pauses that receivers
  /// asked for.
  private func withHistory(
    _ loads: [String: ReceiverLoad], _ policy: PagingPolicy, _ nowNs: Int64
  ) throws(StoreError) -> [String: ReceiverLoad] {
    let rows = try ask(
      """
      -- A bundle with one page is no list, but the key of an alert that was paged from memory.
      select receiver, count(distinct coalesce(bundle, message_id)), max(settled), bool_or(is_list) from (
        select receiver, bundle, message_id, settled, bundle is not null and not is_digest
          and event in \(Delivery.Event.pagesSQL) and count(*) over (partition by receiver, bundle) > 1 as is_list
        from signalbox.outbox
        where state = \(DeliveryState.delivered.sql) and settled > $1::timestamptz - interval '1 minute'
          and (event in \(Delivery.Event.pagesSQL) or bundle is not null
            or receiver = any($2) and event in \(Delivery.Event.newsSQL)) and last_answer <> $3) recent
      group by receiver
      """,
      [.time(us: nowNs / 1000), .texts(policy.readByPeople.sorted()), .text(Delivery.nothingToSend)])
    let begun = try ask(
      """
      select receiver, count(distinct coalesce(bundle, message_id)) from signalbox.outbox
      where state = \(DeliveryState.waiting.sql) and attempts > 0
        and (event in \(Delivery.Event.pagesSQL) or bundle is not null
          or receiver = any($1) and event in \(Delivery.Event.newsSQL))
      group by receiver
      """, [.texts(policy.readByPeople.sorted())])
    var loads = loads
    for row in 0..<begun.count {
      guard let receiver = begun.text(row, 0) else { continue }
      loads[receiver, default: ReceiverLoad()].begun = Int(begun.int(row, 1) ?? 0)
    }
    for (receiver, untilNs) in try pauses(nowNs: nowNs) {
      loads[receiver, default: ReceiverLoad()].closedUntilNs = untilNs
    }
    for row in 0..<rows.count {
      guard let receiver = rows.text(row, 0) else { continue }
      var load = loads[receiver] ?? ReceiverLoad()
      load.delivered = Int(rows.int(row, 1) ?? 0)
      load.lastNs = rows.timeNs(row, 2) ?? 0
      load.isStorm = rows.bool(row, 3) == true
      loads[receiver] = load
    }
    return loads
  }

  /// Supersedes waiting rows that are older than a message that was delivered, or is in flight, to the same receiver
  /// about the same incident: an end only where the later messages are about each of its alerts.
  private func supersede(_ nowNs: Int64) throws(StoreError) {
    try run(
      """
      update signalbox.outbox o set state = \(DeliveryState.superseded.sql), settled = $1
      where o.state = \(DeliveryState.waiting.sql) and o.next_try <= $1
        and exists (select from signalbox.outbox d where d.incident = o.incident and d.receiver = o.receiver
          and (\(Self.isBegunAfterSQL("d"))
            -- An acknowledgement that was never attempted is superseded once the end waits.
            or o.event = \(Delivery.Event.acknowledge.sql) and o.attempts = 0 and d.event = \(Delivery.Event.resolve.sql)
              and d.state = \(DeliveryState.waiting.sql) and d.change_number > o.change_number))
        and (o.event <> \(Delivery.Event.resolve.sql)
          or o.list is null and not exists (select from signalbox.outbox t where \(Self.isOpenPageSQL)))
      """, [.time(us: nowNs / 1000)])
  }

  private func take(
    _ message: Outgoing<Int64>, _ receiver: String, _ lease: Lease, _ nowNs: Int64
  ) throws(StoreError) -> Delivery? {
    let condition: String
    let parameter: Parameter
    var isNewList = false
    switch message {
    case .single(let number): (condition, parameter) = ("number = $5", .int8(number))
    case .again(let bundle): (condition, parameter) = ("bundle = $5", .text(bundle))
    case .list(let numbers, _):
      (condition, parameter) = ("number = any($5)", .int8s(numbers))
      isNewList = true
    }
    let rows = try ask(
      """
      update signalbox.outbox set holder = $1, fence = $2, attempts = attempts + 1,
        next_try = $4::timestamptz + interval '\(IncidentLimits.claimSeconds) s',
        bundle = \(isNewList ? "(select \(Self.randomMessageID) from (select 1 offset 0) once)" : "bundle")
      where receiver = $3 and \(condition) and state = \(DeliveryState.waiting.sql)
      returning number, event, message_id, attempts, detail, bundle, incident, list,
        array_to_string(reached, ' ')
      """, [.text(lease.holder), .int8(lease.fence), .text(receiver), .time(us: nowNs / 1000), parameter])
    guard rows.count > 0, let first = rows.text(0, 1).flatMap(Delivery.Event.init), let id = rows.text(0, 2) else {
      return nil
    }
    let bundle = rows.text(0, 5)
    let events = Set((0..<rows.count).compactMap { rows.text($0, 1).flatMap(Delivery.Event.init) })
    let distinct = Array(Set((0..<rows.count).compactMap { rows.int($0, 6) }))
    let details = Set((0..<rows.count).map { rows.text($0, 4) ?? "" })
    var delivery = Delivery(
      rows: (0..<rows.count).compactMap { rows.int($0, 0) }, receiver: receiver,
      event: bundle == nil ? first : .ofList(events), messageID: bundle ?? id,
      attempts: (0..<rows.count).compactMap { rows.int($0, 3) }.max().map { Int($0) } ?? 1,
      detail: details.count == 1 ? details.first ?? "" : "",
      incidents: try incidents(distinct), incidentCount: distinct.count,
      // An end that memory has begun has the key of its alert, and no list of its own.
      isList: bundle != nil || rows.text(0, 7) != nil)
    if let list = rows.text(0, 7) { delivery.list = try news(of: list, at: receiver) }
    // Addresses contain no spaces.
    delivery.reached = (rows.text(0, 8) ?? "").split(separator: " ").map(String.init)
    return delivery
  }

  /// States of the incidents of a list.
  private func news(of list: String, at receiver: String) throws(StoreError) -> ListNews {
    let rows = try ask(
      """
      select count(distinct i.number), count(distinct i.number) filter (where i.state <> \(IncidentState.acked.sql))
      from signalbox.outbox t join signalbox.incidents i on i.number = t.incident
      where t.bundle = $1 and t.receiver = $2 and i.state <> \(IncidentState.resolved.sql)
        -- An incident that ended and was reopened since belongs to another alert.
        and not exists (select from signalbox.outbox e where e.incident = t.incident and e.receiver = t.receiver
          and e.event = \(Delivery.Event.resolve.sql) and e.state <> \(DeliveryState.superseded.sql)
          and e.change_number > t.change_number and e.list = $1)
      """, [.text(list), .text(receiver)])
    return ListNews(id: list, open: Int(rows.int(0, 0) ?? 0), unacknowledged: Int(rows.int(0, 1) ?? 0))
  }
}
