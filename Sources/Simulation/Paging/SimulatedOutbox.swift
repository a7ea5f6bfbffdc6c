internal import FleetModel
internal import Incidents
internal import Paging

/// The incidents and the outbox of a database: what `Store/Incidents` does in SQL, as a plain model. Each function is one transaction.
///
/// `OutboxEqualityTests` compare it with the statements: after each operation both have the same incidents and rows.
final class SimulatedOutbox {
  struct Incident {
    let number: Int64
    let identity: String
    let dedupKey: String
    let severity: Severity
    var entity: String
    var state: IncidentState
    var change: Int64 = 1
    var openedNs: Int64
    var lastEventNs: Int64
    var isEndedByHand = false
    var resolvedNs: Int64?
  }

  struct Row {
    let number: Int64
    let incident: Int64
    let change: Int64
    let receiver: String
    let event: Delivery.Event
    let step: Int16
    var messageID: String
    var bundle: String?
    var list: String?
    var dueNs: Int64
    var state: DeliveryState = .waiting
    var holder: String?
    var fence: Int64?
    var attempts = 0
    var nextNs: Int64
    var settledNs: Int64?
    var answer = ""
    var reached: [String] = []

    /// For traces.
    var text: String {
      let names = [bundle.map { "bundle \($0.suffix(6))" }, list.map { "list \($0.suffix(6))" }, holder].compactMap {
        $0
      }
      return "\(event.rawValue) to \(receiver) \(messageID.suffix(6)) \(state.rawValue), attempts \(attempts) \(names)"
    }
  }

  struct Lease: Equatable {
    var holder: String
    var fence: Int64
  }

  var incidents: [Incident] = []
  var rows: [Row] = []
  private var leaseHolder = ""
  private var fence: Int64 = 0
  private var leaseEndsNs = Int64.min
  /// Entities that are muted by something that only the database knows.
  var muted: Set<String> = []
  private var bundles = 0
  /// Called when a row has become claimable; wakes the listening dispatchers.
  var wake: () -> Void = {}

  static let reservedNs = IncidentLimits.localAnswerSeconds * .second

  // MARK: Changes

  /// `Store.apply`.
  func apply(_ changes: [IncidentChange], policy: PagingPolicy, reservation: Reservation, nowNs: Int64) {
    for change in changes {
      switch change.kind {
      case .opened: open(change, policy, reservation, nowNs)
      case .cleared: clear(change, reservation.name, nowNs)
      }
    }
  }

  private func newest(_ identity: String) -> Int? { incidents.lastIndex { $0.identity == identity } }

  private func open(
    _ change: IncidentChange, _ policy: PagingPolicy, _ reservation: Reservation, _ nowNs: Int64
  ) {
    if let index = newest(change.identity) {
      let known = incidents[index]
      let isNewer = change.eventNs > known.lastEventNs
      let isRepeated =
        known.state == .resolved
        ? incidents.contains {
          $0.identity == change.identity && $0.openedNs <= change.eventNs && $0.lastEventNs >= change.eventNs
        } : !isNewer
      if isRepeated { return }
      if known.state != .resolved {
        incidents[index].lastEventNs = change.eventNs
        return
      }
      if isNewer, !reservation.mayBePaged.contains(change.dedupKey), !known.isEndedByHand,
        change.eventNs - known.lastEventNs <= IncidentLimits.reopenNs
      {
        incidents[index].change += 1
        incidents[index].lastEventNs = change.eventNs
        incidents[index].resolvedNs = nil
        incidents[index].state = muted.contains(change.entity) ? .muted : .open
        if incidents[index].state == .open { schedule(incidents[index], change, policy, reservation.name, nowNs) }
        return
      }
    }
    let incident = Incident(
      number: Int64(incidents.count + 1), identity: change.identity, dedupKey: change.dedupKey,
      severity: change.severity, entity: change.entity, state: muted.contains(change.entity) ? .muted : .open,
      openedNs: change.eventNs, lastEventNs: change.eventNs)
    incidents.append(incident)
    if incident.state == .open { schedule(incident, change, policy, reservation.name, nowNs) }
  }

  private func schedule(
    _ incident: Incident, _ change: IncidentChange, _ policy: PagingPolicy, _ reservation: String, _ nowNs: Int64
  ) {
    let noticedNs = min(nowNs, max(change.detectedNs, nowNs - IncidentLimits.lateMaxNs))
    for planned in policy.deliveries(change.severity, noticedNs) where !planned.isDigest {
      // By the key of the change, as memory computes it, also where a reopened incident has an older key.
      let id = PageID.of(
        dedupKey: change.dedupKey, change: 1, event: planned.event, receiver: planned.receiver, step: planned.step)
      insert(
        incident, incident.change, planned.receiver, planned.event, planned.step, dueNs: planned.dueNs, id: id,
        reservation: reservation, nowNs)
    }
  }

  func messageID(_ incident: Int64, _ change: Int64, _ event: Delivery.Event, _ receiver: String, _ step: Int16)
    -> String
  {
    PageID.of(
      dedupKey: incidents[Int(incident) - 1].dedupKey, change: Int(change), event: event, receiver: receiver, step: step
    )
  }

  func insert(
    _ incident: Incident, _ change: Int64, _ receiver: String, _ event: Delivery.Event, _ step: Int16, dueNs: Int64,
    nextNs: Int64? = nil, id: String? = nil, key: String? = nil, list: String? = nil, reservation: String?,
    _ nowNs: Int64
  ) {
    let id = id ?? messageID(incident.number, change, event, key ?? receiver, step)
    if rows.contains(where: { $0.messageID == id }) { return }
    rows.append(
      Row(
        number: Int64(rows.count + 1), incident: incident.number, change: change, receiver: receiver, event: event,
        step: step, messageID: id, list: list, dueNs: dueNs, holder: reservation,
        nextNs: nextNs ?? (reservation == nil ? dueNs : max(dueNs, nowNs + Self.reservedNs))))
    if reservation == nil { wake() }
  }

  private func clear(_ change: IncidentChange, _ reservation: String, _ nowNs: Int64) {
    guard let index = newest(change.identity), incidents[index].state != .resolved,
      change.eventNs >= incidents[index].lastEventNs
    else { return }
    incidents[index].lastEventNs = change.eventNs
    resolve(index, reservation, nowNs)
  }

  private func resolve(_ index: Int, _ reservation: String?, _ nowNs: Int64) {
    incidents[index].state = .resolved
    incidents[index].resolvedNs = nowNs
    incidents[index].change += 1
    cancelEscalations(incidents[index].number, nowNs)
    enqueueNews(incidents[index], .resolve, reservation, nowNs)
  }

  private func cancelEscalations(_ incident: Int64, _ nowNs: Int64) {
    for row in rows.indices where rows[row].incident == incident && rows[row].state == .waiting {
      if rows[row].event == .escalate || rows[row].event == .trigger && rows[row].dueNs > nowNs {
        rows[row].state = .cancelled
        rows[row].settledNs = nowNs
      }
    }
  }

  /// `Store.enqueueNews`.
  func enqueueNews(_ incident: Incident, _ event: Delivery.Event, _ reservation: String?, _ nowNs: Int64) {
    let receivers = Set(
      rows.filter {
        $0.incident == incident.number && $0.event.isPage
          && ($0.state == .waiting || $0.state.mayHaveBeenReceived(attempts: $0.attempts))
      }.map(\.receiver))
    for receiver in receivers.sorted() {
      insert(incident, incident.change, receiver, event, 0, dueNs: nowNs, reservation: reservation, nowNs)
    }
  }

  /// `Store.acknowledge`.
  func acknowledge(_ number: Int64, _ nowNs: Int64) {
    let index = Int(number) - 1
    guard incidents[index].state == .open || incidents[index].state == .muted else { return }
    incidents[index].state = .acked
    incidents[index].change += 1
    cancelEscalations(number, nowNs)
    enqueueNews(incidents[index], .acknowledge, nil, nowNs)
  }

  // MARK: Lease and claim

  /// `Store.takeLease`: what stands before the `/` of a holder is its place.
  func takeLease(_ holder: String, seconds: Int64, nowNs: Int64) -> Lease? {
    let isOver = leaseEndsNs <= nowNs
    if leaseHolder != holder || isOver {
      guard isOver || leaseHolder.split(separator: "/").first == holder.split(separator: "/").first else { return nil }
      fence += 1
      leaseHolder = holder
    }
    leaseEndsNs = nowNs + seconds * .second
    return Lease(holder: holder, fence: fence)
  }

  private func isValid(_ lease: Lease, _ nowNs: Int64) -> Bool {
    lease.fence == fence && leaseHolder == lease.holder && leaseEndsNs > nowNs
  }

  func adoptDeliveries(_ lease: Lease, atNs: Int64) {
    for row in rows.indices where rows[row].state == .waiting && rows[row].holder != nil && rows[row].nextNs > atNs {
      guard let fence = rows[row].fence, fence < lease.fence else { continue }
      rows[row].nextNs = atNs
      rows[row].holder = nil
    }
  }

  private func isDue(_ row: Row, _ nowNs: Int64) -> Bool {
    row.state == .waiting && row.nextNs <= nowNs && row.dueNs <= nowNs
      && !rows.contains {
        $0.incident == row.incident && $0.receiver == row.receiver
          && ($0.change, $0.step) < (row.change, row.step)
          && ($0.state == .waiting && $0.dueNs <= nowNs
            || ($0.state == .cancelled || $0.state == .delivered) && $0.holder != nil && $0.nextNs > nowNs)
      }
  }

  private func supersede(_ nowNs: Int64) {
    for index in rows.indices where rows[index].state == .waiting && rows[index].nextNs <= nowNs {
      let row = rows[index]
      let isOlder = rows.contains {
        $0.isBegun(after: row)
          || row.event == .acknowledge && row.attempts == 0 && $0.event == .resolve && $0.state == .waiting
            && $0.isBeside(row) && $0.change > row.change
      }
      // An end only where the later messages are about each of its alerts.
      guard isOlder, row.event != .resolve || row.list == nil && openPages(of: row).isEmpty else { continue }
      rows[index].state = .superseded
      rows[index].settledNs = nowNs
    }
  }

  /// The pages whose alerts a news is about. They were begun, and their alerts have no end of their own yet. An end is not
  /// about an alert that a later message has opened again or ended.
  private func openPages(of news: Row) -> [Row] {
    let beside = rows.filter { $0.isBeside(news) }
    let ends = beside.filter { $0.event == .resolve }
    return beside.filter { page in
      page.event.isPage && page.attempts > 0 && page.change <= news.change
        && !ends.contains {
          $0.list == page.bundle
            && ($0.state != .superseded && $0.change > page.change && $0.change < news.change
              || news.event == .resolve && $0.isBegun(after: news))
        }
        && !(news.event == .resolve
          && beside.contains { $0.event.isPage && $0.bundle == page.bundle && $0.isBegun(after: news) })
    }
  }

  private func routeNews(_ nowNs: Int64) {
    for index in rows.indices {
      let row = rows[index]
      guard row.event == .resolve || row.event == .acknowledge, row.list == nil, row.bundle == nil, isDue(row, nowNs)
      else { continue }
      let pages = openPages(of: row)
      let lists = Set(pages.compactMap(\.bundle)).sorted()
      let isSingle = pages.contains { $0.bundle == nil }
      for list in isSingle ? lists[...] : lists.dropFirst() {
        insert(
          incidents[Int(row.incident) - 1], row.change, row.receiver, row.event, row.step, dueNs: row.dueNs,
          nextNs: row.nextNs, key: row.receiver + "|" + list, list: list, reservation: nil, nowNs)
      }
      if !isSingle, let first = lists.first { rows[index].list = first }
    }
  }

  /// `Store.claimDeliveries`. - Returns: nil where the lease is lost.
  func claim(
    _ lease: Lease, loads: [String: ReceiverLoad], policy: PagingPolicy, nowNs: Int64
  ) -> [Delivery]? {
    guard isValid(lease, nowNs) else { return nil }
    supersede(nowNs)
    routeNews(nowNs)
    var due: [String: [DueDelivery<Int64>]] = [:]
    for row in rows where isDue(row, nowNs) {
      due[row.receiver, default: []].append(
        DueDelivery(
          id: row.number, event: row.event, isBegun: row.attempts > 0, bundle: row.bundle, list: row.list))
    }
    var deliveries: [Delivery] = []
    for (receiver, due) in due.sorted(by: { $0.key < $1.key }) {
      let load = load(loads[receiver] ?? ReceiverLoad(), receiver, policy, nowNs)
      for message in policy.messages(due, to: receiver, load: load, nowNs: nowNs) {
        deliveries += take(message, receiver, lease, nowNs)
      }
    }
    return deliveries
  }

  private func load(_ own: ReceiverLoad, _ receiver: String, _ policy: PagingPolicy, _ nowNs: Int64) -> ReceiverLoad {
    let recent = rows.filter {
      $0.receiver == receiver && $0.state == .delivered && ($0.settledNs ?? 0) > nowNs - 60 * .second
        && ($0.event.isPage || $0.bundle != nil || policy.readByPeople.contains(receiver))
        && $0.answer != Delivery.nothingToSend
    }
    let begun = rows.filter {
      $0.receiver == receiver && $0.state == .waiting && $0.attempts > 0
        && ($0.event.isPage || $0.bundle != nil || policy.readByPeople.contains(receiver))
    }
    var load = own
    load.begun = Set(begun.map { $0.bundle ?? $0.messageID }).count
    load.delivered = Set(recent.map { $0.bundle ?? $0.messageID }).count
    load.lastNs = recent.compactMap(\.settledNs).max() ?? .min
    let bundles = Dictionary(grouping: recent.filter { $0.bundle != nil && $0.event.isPage }, by: \.bundle)
    load.isStorm = bundles.values.contains { $0.count > 1 }
    return load
  }

  private func take(_ message: Outgoing<Int64>, _ receiver: String, _ lease: Lease, _ nowNs: Int64) -> [Delivery] {
    var isNewList = false
    let taken = rows.indices.filter { index in
      guard rows[index].receiver == receiver, rows[index].state == .waiting else { return false }
      switch message {
      case .single(let number): return rows[index].number == number
      case .again(let bundle): return rows[index].bundle == bundle
      case .list(let numbers, _):
        isNewList = true
        return numbers.contains(rows[index].number)
      }
    }
    guard let first = taken.first else { return [] }
    if isNewList { bundles += 1 }
    for index in taken {
      rows[index].holder = lease.holder
      rows[index].fence = lease.fence
      rows[index].attempts += 1
      rows[index].nextNs = nowNs + IncidentLimits.claimSeconds * .second
      if isNewList { rows[index].bundle = Self.listID(bundles) }
    }
    let (bundle, list) = (rows[first].bundle, rows[first].list)
    let named = Set(taken.map { rows[$0].incident }).sorted()
    var delivery = Delivery(
      rows: taken.map { rows[$0].number }, receiver: receiver,
      event: bundle == nil ? rows[first].event : .ofList(Set(taken.map { rows[$0].event })),
      messageID: bundle ?? rows[first].messageID, attempts: taken.map { rows[$0].attempts }.max() ?? 1, detail: "",
      incidents: named.map { record(incidents[Int($0) - 1]) }, incidentCount: named.count,
      // An end that memory has begun has the key of its alert, and no list of its own.
      isList: bundle != nil || list != nil)
    delivery.list = list.map { news(of: $0, at: receiver) }
    delivery.reached = rows[first].reached
    return [delivery]
  }

  /// The n-th list's message id, in place of a random one.
  private static func listID(_ number: Int) -> String {
    let digits = String(number, radix: 16)
    return "msg_" + String(repeating: "0", count: 32 - digits.utf8.count) + digits
  }

  private func record(_ incident: Incident) -> IncidentRecord {
    var record = IncidentRecord(
      number: incident.number, rule: "R", severity: incident.severity, dedupKey: incident.dedupKey,
      openedNs: incident.openedNs)
    record.entity = incident.entity
    record.state = incident.state
    return record
  }

  private func news(of list: String, at receiver: String) -> ListNews {
    // An incident that ended and was reopened since belongs to another alert.
    let current = rows.filter { row in
      row.bundle == list && row.receiver == receiver
        && !rows.contains {
          $0.incident == row.incident && $0.receiver == row.receiver && $0.event == .resolve && $0.state != .superseded
            && $0.change > row.change && $0.list == list
        }
    }
    let named = Set(current.map(\.incident)).map { incidents[Int($0) - 1] }
    return ListNews(
      id: list, open: named.count { $0.state != .resolved },
      unacknowledged: named.count { $0.state != .resolved && $0.state != .acked })
  }

  // MARK: Settling

  /// `Store.settle`. - Returns: false where the lease is lost.
  func settle(
    _ delivery: Delivery, _ outcome: DeliveryOutcome, _ lease: Lease, policy: PagingPolicy, nowNs: Int64
  ) -> Bool {
    let indices = delivery.rows.map { Int($0) - 1 }
    if case .delivered(let answer) = outcome {
      // Rows that were already settled by another collector, which may have sent the end.
      var late: Set<String> = []
      for row in indices {
        if rows[row].state == .waiting || rows[row].state == .cancelled {
          rows[row].state = .delivered
          rows[row].answer = answer
        } else if rows[row].state == .delivered, rows[row].settledNs ?? 0 < nowNs {
          late.insert(rows[row].messageID)
        } else {
          if rows[row].state == .delivered { rows[row].holder = nil }
          continue
        }
        rows[row].holder = nil
        rows[row].settledNs = nowNs
      }
      endAlerts(of: late, nowNs)
      return true
    }
    guard isValid(lease, nowNs) else { return false }
    for row in indices where rows[row].state == .cancelled || rows[row].state == .delivered { rows[row].holder = nil }
    let waiting = indices.filter { rows[$0].state == .waiting }
    if case .refused = outcome, waiting.isEmpty { return true }
    for row in waiting {
      switch outcome {
      case .delivered: break
      case .retry(let atNs, _), .partial(_, let atNs, _):
        rows[row].nextNs = atNs
        rows[row].holder = nil
      case .refused:
        rows[row].state = .refused
        rows[row].settledNs = nowNs
        rows[row].holder = nil
      }
    }
    pageFallback(delivery, outcome, policy, nowNs)
    return true
  }

  private func pageFallback(
    _ delivery: Delivery, _ outcome: DeliveryOutcome, _ policy: PagingPolicy, _ nowNs: Int64
  ) {
    guard
      let fallback = policy.fallback(
        for: delivery.receiver, delivery.event, after: outcome, attempts: delivery.attempts)
    else { return }
    let numbers = Set(delivery.rows)
    let settled = rows.filter { numbers.contains($0.number) }
    let named = Set(settled.filter(\.event.isPage).map(\.incident))
    for row in rows where named.contains(row.incident) {
      let least = settled.filter { $0.incident == row.incident }.map(\.change).min() ?? .max
      let isNews = row.event == .resolve || row.event == .acknowledge
      guard
        numbers.contains(row.number) || row.receiver == delivery.receiver && isNews && row.change > least,
        !rows.contains(where: {
          $0.incident == row.incident && $0.receiver == fallback && $0.change == row.change && $0.event == row.event
            && ($0.step == row.step || $0.event == .trigger)
        })
      else { continue }
      insert(
        incidents[Int(row.incident) - 1], row.change, fallback, row.event, row.step, dueNs: nowNs, reservation: nil,
        nowNs)
    }
  }

  var isSettled: Bool { !rows.contains { $0.state == .waiting } }
}
