internal import FleetModel
internal import Postgres

extension Store {
  /// Takes what is due, as many messages for each receiver as it may have unanswered.
  ///
  /// Messages of one incident keep their order at each receiver, and one that is older than what was delivered is not sent. Above the
  /// plan's messages a minute, what waits becomes one message with a list, at the latest after `IncidentLimits.bundleNs`: a limit
  /// delays nobody's page for long, and hides nothing.
  /// - Parameter inFlight: messages that each receiver has not answered yet.
  /// - Throws: `.leaseLost`.
  package func claimDeliveries(
    _ lease: Lease, inFlight: [String: Int], plan: PagingPlan, nowNs: Int64
  ) throws(StoreError) -> [Delivery] {
    try inTransaction { () throws(StoreError) in
      try requireLease(lease)
      try supersede(nowNs)
      let due = try dueMessages(nowNs)
      if due.isEmpty { return [] }
      let said = try said(nowNs)
      var deliveries: [Delivery] = []
      for (receiver, kinds) in Dictionary(grouping: due, by: \.receiver).sorted(by: { $0.key < $1.key }) {
        let waiting = inFlight[receiver] ?? 0
        var slots = IncidentLimits.inFlightMax - waiting
        let recently = said[receiver] ?? Said(count: 0, lastNs: 0, isStorm: false)
        // Once a list went out, more of them follow slowly, and nothing beside them.
        var left = recently.isStorm ? 0 : plan.messagesPerMinute - recently.count - waiting
        let mayBundle =
          left > 0 || (waiting == 0 && nowNs.subtractingClamped(recently.lastNs) >= IncidentLimits.bundleNs)
        for due in kinds {
          for claim in due.claims(slots: slots, left: left, mayBundle: mayBundle) {
            guard let delivery = try take(claim, receiver, lease, nowNs) else { continue }
            deliveries.append(delivery)
            slots -= 1
            if due.kind.isLimited { left -= 1 }
          }
        }
      }
      return deliveries
    }
  }

  /// What waits for a receiver, by how it goes out; the order is that in which it goes.
  private enum DueKind: String, CaseIterable {
    /// A list that went out before, without an answer.
    case again
    /// Before any news: what has ended can wait, what has begun cannot.
    case page
    /// A test, the watchdog, or news of an incident that the receiver heard of by itself: never held back.
    case free
    /// News of incidents that the receiver heard of in a list.
    case news
    case digest

    var isLimited: Bool { self == .page || self == .news || self == .digest }
  }

  private struct Due {
    var receiver: String
    var kind: DueKind
    var count: Int
    /// The first ones.
    var numbers: [Int64]
    var bundles: [String]

    func claims(slots: Int, left: Int, mayBundle: Bool) -> [Claim] {
      guard slots > 0 else { return [] }
      switch kind {
      case .again: return bundles.prefix(slots).map(Claim.known)
      case .free: return numbers.prefix(slots).map(Claim.single)
      case .page where count <= left: return numbers.prefix(slots).map(Claim.single)
      case .page, .news, .digest:
        guard mayBundle else { return [] }
        return kind != .digest && count == 1 ? numbers.map(Claim.single) : [.all(kind)]
      }
    }
  }

  private enum Claim {
    case single(Int64)
    case known(String)
    /// Everything of a kind that is due becomes one message.
    case all(DueKind)
  }

  /// An expression over a row `o`: the name of its `DueKind`.
  private static let kindSQL = """
    case when o.bundle is not null then 'again' when o.event in ('test', 'watchdog') then 'free'
      when o.is_digest then 'digest' when o.event in ('trigger', 'escalate') then 'page'
      when exists (select from signalbox.outbox t where t.incident = o.incident and t.receiver = o.receiver
        and t.event in ('trigger', 'escalate') and t.bundle is null and t.attempts > 0) then 'free'
      else 'news' end
    """

  /// A condition on a row `o`: due, and nothing earlier about its incident waits for the same receiver, or is under way to it although
  /// it is not wanted any more.
  private static func isDueSQL(_ now: String) -> String {
    """
    o.state = 'waiting' and o.next_try <= \(now) and o.due <= \(now)
      and not exists (select from signalbox.outbox e where e.incident = o.incident and e.receiver = o.receiver
        and (e.change_number, e.step) < (o.change_number, o.step)
        and (e.state = 'waiting' and e.due <= \(now) or e.state = 'cancelled' and e.holder is not null and e.next_try > \(now)))
    """
  }

  private func dueMessages(_ nowNs: Int64) throws(StoreError) -> [Due] {
    let rows = try ask(
      """
      select receiver, kind, count(*),
        array_to_string((array_agg(number order by number))[1:\(IncidentLimits.inFlightMax)], ' '),
        array_to_string((array_agg(distinct bundle))[1:\(IncidentLimits.inFlightMax)], ' ')
      from (select o.number, o.receiver, o.bundle, \(Self.kindSQL) as kind from signalbox.outbox o
        where \(Self.isDueSQL("$1"))) due
      group by receiver, kind
      """, [.time(us: nowNs / 1000)])
    let due = (0..<rows.count).compactMap { row -> Due? in
      guard let receiver = rows.text(row, 0), let kind = rows.text(row, 1).flatMap(DueKind.init) else { return nil }
      return Due(
        receiver: receiver, kind: kind, count: Int(rows.int(row, 2) ?? 0),
        numbers: (rows.text(row, 3) ?? "").split(separator: " ").compactMap { Int64($0) },
        bundles: (rows.text(row, 4) ?? "").split(separator: " ").map(String.init))
    }
    return DueKind.allCases.flatMap { kind in due.filter { $0.kind == kind } }
  }

  private struct Said {
    var count: Int
    var lastNs: Int64
    /// A list of pages was among them.
    var isStorm: Bool
  }

  /// Pages that each receiver took within the last minute.
  private func said(_ nowNs: Int64) throws(StoreError) -> [String: Said] {
    let rows = try ask(
      """
      select receiver, count(distinct coalesce(bundle, message_id)), max(settled),
        bool_or(bundle is not null and not is_digest and event in ('trigger', 'escalate')) from signalbox.outbox
      where state = 'delivered' and settled > $1::timestamptz - interval '1 minute'
        and (event in ('trigger', 'escalate') or bundle is not null)
      group by receiver
      """, [.time(us: nowNs / 1000)])
    return Dictionary(
      (0..<rows.count).map { row in
        (
          rows.text(row, 0) ?? "",
          Said(
            count: Int(rows.int(row, 1) ?? 0), lastNs: rows.timeNs(row, 2) ?? 0,
            isStorm: rows.bool(row, 3) == true)
        )
      }, uniquingKeysWith: { first, _ in first })
  }

  /// Contradicts nothing that was said later, or that is being said.
  private func supersede(_ nowNs: Int64) throws(StoreError) {
    try run(
      """
      update signalbox.outbox o set state = 'superseded', settled = $1
      where o.state = 'waiting' and o.next_try <= $1 and exists (
        select from signalbox.outbox d where d.incident = o.incident and d.receiver = o.receiver
          and (d.state = 'delivered' or d.state = 'waiting' and d.attempts > 0) and d.change_number > o.change_number)
      """, [.time(us: nowNs / 1000)])
  }

  private func take(
    _ claim: Claim, _ receiver: String, _ lease: Lease, _ nowNs: Int64
  ) throws(StoreError) -> Delivery? {
    let condition: String
    let parameter: Parameter
    switch claim {
    case .single(let number): (condition, parameter) = ("o.number = $5 and o.state = 'waiting'", .int8(number))
    case .known(let id): (condition, parameter) = ("o.bundle = $5 and o.state = 'waiting'", .text(id))
    case .all(let kind):
      (condition, parameter) = ("\(Self.isDueSQL("$4")) and \(Self.kindSQL) = $5::text", .text(kind.rawValue))
    }
    let isNew = if case .all = claim { true } else { false }
    let rows = try ask(
      """
      update signalbox.outbox o set holder = $1, fence = $2, attempts = attempts + 1,
        next_try = $4::timestamptz + interval '\(IncidentLimits.claimSeconds) s',
        bundle = \(isNew ? "(select \(Self.randomMessageID) from (select 1 offset 0) once)" : "bundle")
      where o.receiver = $3 and \(condition)
      returning number, event, message_id, attempts, detail, bundle, incident
      """, [.text(lease.holder), .int8(lease.fence), .text(receiver), .time(us: nowNs / 1000), parameter])
    guard rows.count > 0, let event = rows.text(0, 1).flatMap(Delivery.Event.init), let id = rows.text(0, 2) else {
      return nil
    }
    let bundleID = rows.text(0, 5)
    let numbers = (0..<rows.count).compactMap { rows.int($0, 6) }
    let distinct = Array(Set(numbers))
    let isNews = (0..<rows.count).allSatisfy { ["resolve", "acknowledge"].contains(rows.text($0, 1)) }
    return Delivery(
      rows: (0..<rows.count).compactMap { rows.int($0, 0) }, receiver: receiver,
      event: bundleID == nil ? event : isNews ? .resolve : .trigger, messageID: bundleID ?? id,
      attempts: (0..<rows.count).compactMap { rows.int($0, 3) }.max().map { Int($0) } ?? 1,
      detail: rows.text(0, 4) ?? "", incidents: try incidents(distinct), incidentCount: distinct.count,
      isList: bundleID != nil)
  }
}
