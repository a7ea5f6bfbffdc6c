internal import FleetModel
internal import Incidents
internal import Paging

/// The incidents and the outbox of a database: what `Store/Incidents` does in SQL, as a plain model. Each function is one transaction.
///
/// Kept close to the statements: a difference between the two is a defect of this model, and the tests of the store show the statements.
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
      let names = [bundle.map { "bundle \($0.suffix(6))" }, list.map { "list \($0.suffix(6))" }, holder].compactMap { $0 }
      return "\(event.rawValue) to \(receiver) \(messageID.suffix(6)) \(state.rawValue), attempts \(attempts) \(names)"
    }
  }

  struct Lease: Equatable {
    var holder: String
    var fence: Int64
  }

  private(set) var incidents: [Incident] = []
  private(set) var rows: [Row] = []
  private var leaseHolder = ""
  private var fence: Int64 = 0
  private var leaseEndsNs = Int64.min
  /// Entities that something mutes which only the database knows.
  var muted: Set<String> = []
  private var bundles = 0
  /// A message has become claimable: who listens is woken.
  var wake: () -> Void = {}

  private static let reservedNs = IncidentLimits.localAnswerSeconds * .second

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
      // As memory has it, also where the incident has come back and has an older key.
      let id = PageID.of(
        dedupKey: change.dedupKey, change: 1, event: planned.event, receiver: planned.receiver, step: planned.step)
      insert(
        incident, incident.change, planned.receiver, planned.event, planned.step, dueNs: planned.dueNs, id: id,
        reservation: reservation, nowNs)
    }
  }

  private func messageID(_ incident: Int64, _ change: Int64, _ event: Delivery.Event, _ receiver: String, _ step: Int16)
    -> String
  {
    PageID.of(
      dedupKey: incidents[Int(incident) - 1].dedupKey, change: Int(change), event: event, receiver: receiver, step: step
    )
  }

  private func insert(
    _ incident: Incident, _ change: Int64, _ receiver: String, _ event: Delivery.Event, _ step: Int16, dueNs: Int64,
    id: String? = nil, key: String? = nil, list: String? = nil, reservation: String?, _ nowNs: Int64
  ) {
    let id = id ?? messageID(incident.number, change, event, key ?? receiver, step)
    if rows.contains(where: { $0.messageID == id }) { return }
    rows.append(
      Row(
        number: Int64(rows.count + 1), incident: incident.number, change: change, receiver: receiver, event: event,
        step: step, messageID: id, list: list, dueNs: dueNs, holder: reservation,
        nextNs: reservation == nil ? dueNs : max(dueNs, nowNs + Self.reservedNs)))
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
    inform(incidents[index], .resolve, reservation, nowNs)
  }

  private func cancelEscalations(_ incident: Int64, _ nowNs: Int64) {
    for row in rows.indices where rows[row].incident == incident && rows[row].state == .waiting {
      if rows[row].event == .escalate || rows[row].event == .trigger && rows[row].dueNs > nowNs {
        rows[row].state = .cancelled
        rows[row].settledNs = nowNs
      }
    }
  }

  /// A row for each receiver that has a page, may have it, or is about to.
  private func inform(_ incident: Incident, _ event: Delivery.Event, _ reservation: String?, _ nowNs: Int64) {
    let receivers = Set(
      rows.filter {
        $0.incident == incident.number && $0.event.isPage
          && ($0.state == .waiting || $0.state.mayHaveBeenReceived(attempts: $0.attempts))
      }.map(\.receiver))
    for receiver in receivers.sorted() {
      insert(incident, incident.change, receiver, event, 0, dueNs: nowNs, reservation: reservation, nowNs)
    }
  }

  /// A person acknowledges.
  func acknowledge(_ number: Int64, _ nowNs: Int64) {
    let index = Int(number) - 1
    guard incidents[index].state == .open || incidents[index].state == .muted else { return }
    incidents[index].state = .acked
    incidents[index].change += 1
    cancelEscalations(number, nowNs)
    inform(incidents[index], .acknowledge, nil, nowNs)
  }

  // MARK: Reconciliation

  /// `Store.reconcile`.
  func reconcile(_ next: WriteQueue.Reconciliation, nowNs: Int64) {
    let isMissing = { [self] (page: LocalPage) in !rows.contains { $0.messageID == page.messageID } }
    let (pages, ends) = (next.pages.filter { $0.event != .resolve }, next.pages.filter { $0.event == .resolve })
    for page in pages where isMissing(page) { add(page, nowNs) }
    for page in pages { addAlert(page, nowNs) }
    for page in pages { note(page, nowNs) }
    let named = rows.filter { row in pages.contains { $0.messageID == row.messageID } }.map(\.incident)
    for number in Set(named).sorted() where incidents[Int(number) - 1].state == .resolved {
      inform(incidents[Int(number) - 1], .resolve, next.holding, nowNs)
    }
    for page in ends where isMissing(page) { addEnd(page, nowNs) }
    for page in ends { note(page, nowNs) }
    endAlerts(of: Set(next.pages.map(\.messageID)), nowNs)
    free { next.freeing.contains($0) }
  }

  func freeReservations(ofPlace place: String, but holder: String) {
    free {
      $0.hasPrefix(Reservation.names(ofPlace: place)) && !$0.hasPrefix(Reservation.names(ofPlace: holder))
    }
  }

  func extendClaims(from sinceNs: Int64, to untilNs: Int64) {
    for row in rows.indices where rows[row].state == .waiting && rows[row].holder != nil {
      if (sinceNs...untilNs).contains(rows[row].nextNs) { rows[row].nextNs = untilNs }
    }
  }

  private func free(_ isFreed: (String) -> Bool) {
    var isAny = false
    for row in rows.indices where rows[row].state == .waiting || rows[row].state == .cancelled {
      guard let holder = rows[row].holder, isFreed(holder) else { continue }
      rows[row].holder = nil
      if rows[row].attempts == 0 { rows[row].nextNs = rows[row].dueNs }
      isAny = true
    }
    if isAny { wake() }
  }

  private func add(_ page: LocalPage, _ nowNs: Int64) {
    let own = incidents.last { $0.dedupKey == page.dedupKey }
    guard let incident = own ?? incidents.last(where: { $0.identity == page.identity }) else { return }
    let state: DeliveryState = page.answer != nil || own?.state == .open ? .waiting : .cancelled
    // Of an incident that has come back: the opening that the page is about, or the newest.
    let paged = rows.filter { $0.incident == incident.number && $0.event.isPage }
    let opening = paged.first { $0.bundle == page.dedupKey }?.change ?? paged.map(\.change).max() ?? 1
    append(page, incident.number, change: own == nil ? opening : 1, state)
  }

  /// Another collector has sent the row's message by itself or in a list: the receiver has two alerts.
  private func addAlert(_ page: LocalPage, _ nowNs: Int64) {
    guard let row = rows.first(where: { $0.messageID == page.messageID }), row.attempts > 0 else { return }
    let alert = page.bundle ?? page.dedupKey
    let id = page.messageID + "/" + alert
    guard alert != row.bundle ?? incidents[Int(row.incident) - 1].dedupKey, !rows.contains(where: { $0.messageID == id })
    else { return }
    rows.append(
      Row(
        number: Int64(rows.count + 1), incident: row.incident, change: row.change, receiver: page.receiver,
        event: page.event, step: page.step, messageID: id, bundle: alert, dueNs: page.atNs,
        state: page.answer == nil ? .cancelled : .delivered, attempts: 1, nextNs: page.atNs, settledNs: page.atNs))
  }

  /// The end was sent before a page of its incident was taken, or before it was known under which key: it is sent for that page.
  private func endAlerts(of ids: Set<String>, _ nowNs: Int64) {
    let noted = rows.filter { ids.contains($0.messageID) }
    for row in rows where row.event.isPage && row.attempts > 0 {
      guard noted.contains(where: { $0.incident == row.incident && $0.receiver == row.receiver }) else { continue }
      let ends = rows.filter {
        $0.incident == row.incident && $0.receiver == row.receiver && $0.event == .resolve && $0.state != .superseded
          && $0.change > row.change
      }
      guard let end = ends.min(by: { ($0.change, $0.number) < ($1.change, $1.number) }) else { continue }
      let same = ends.filter { $0.change == end.change && $0.list == row.bundle }
      let isLate = row.state == .delivered && same.contains { $0.state == .delivered && $0.settledNs ?? 0 < row.settledNs ?? 0 }
      guard end.list != nil || end.attempts > 0, same.isEmpty || isLate else { continue }
      let incident = incidents[Int(row.incident) - 1]
      insert(
        incident, end.change, row.receiver, .resolve, 0, dueNs: nowNs, key: row.receiver + "|" + row.messageID,
        list: row.bundle ?? incident.dedupKey, reservation: nil, nowNs)
    }
  }

  private func addEnd(_ page: LocalPage, _ nowNs: Int64) {
    guard page.answer != nil else { return }
    let own = incidents.last { $0.dedupKey == page.dedupKey }
    // Of an incident that has come back the alert has a key of its own: its page says which opening it ended.
    let paged = rows.first { $0.receiver == page.receiver && $0.event.isPage && $0.bundle == page.dedupKey }
    guard let incident = own ?? paged.map({ incidents[Int($0.incident) - 1] }) else { return }
    let change = own == nil ? paged?.change ?? 0 : 1
    let list = page.list ?? (own == nil ? page.dedupKey : nil)
    let isSingle = rows.contains {
      $0.incident == incident.number && $0.receiver == page.receiver && $0.event.isPage && $0.bundle == nil
        && $0.attempts > 0
    }
    if list == nil || !isSingle {
      guard
        let row = rows.firstIndex(where: {
          $0.incident == incident.number && $0.receiver == page.receiver && $0.event == .resolve && $0.change > change
        }), rows[row].state == .waiting, rows[row].attempts == 0, rows[row].list == nil
      else { return }
      rows[row].messageID = page.messageID
      rows[row].list = list
    } else {
      append(page, incident.number, change: incident.change, .waiting)
    }
  }

  private func append(_ page: LocalPage, _ incident: Int64, change: Int64, _ state: DeliveryState) {
    if rows.contains(where: { $0.messageID == page.messageID }) { return }
    rows.append(
      Row(
        number: Int64(rows.count + 1), incident: incident, change: change, receiver: page.receiver, event: page.event,
        step: page.step, messageID: page.messageID, bundle: nil, list: page.list, dueNs: page.atNs, state: state,
        nextNs: page.atNs))
  }

  private func note(_ page: LocalPage, _ nowNs: Int64) {
    guard let row = rows.firstIndex(where: { $0.messageID == page.messageID }) else { return }
    let isLive = rows[row].state == .waiting || rows[row].state == .cancelled
    // Of what another has begun meanwhile under another key there is a row of its own.
    if rows[row].attempts == 0, page.event.isPage {
      let isOwn = incidents[Int(rows[row].incident) - 1].dedupKey == page.dedupKey
      rows[row].bundle = page.bundle ?? (isOwn ? nil : page.dedupKey)
    } else if page.event == .resolve {
      rows[row].bundle = page.bundle ?? rows[row].bundle
      rows[row].list = page.list ?? rows[row].list
    }
    if let answer = page.answer {
      // Taken once more: its end may have been sent in between.
      if rows[row].state == .delivered { rows[row].settledNs = max(rows[row].settledNs ?? 0, page.atNs) }
      guard isLive || rows[row].state == .superseded else { return }
      rows[row].state = .delivered
      rows[row].settledNs = page.atNs
      rows[row].answer = answer
      rows[row].attempts = max(1, rows[row].attempts + page.attempts)
      rows[row].holder = nil
    } else if page.isOver {
      guard isLive else { return }
      rows[row].state = .cancelled
      rows[row].settledNs = nowNs
      rows[row].attempts += page.attempts
      rows[row].holder = nil
    } else {
      guard isLive else { return }
      rows[row].attempts += page.attempts
      rows[row].holder = Reservation.begun
      rows[row].nextNs = max(rows[row].nextNs, page.atNs + Self.reservedNs)
      rows[row].reached = page.reached
    }
  }

  // MARK: Lease and claim

  func takeLease(_ holder: String, seconds: Int64, nowNs: Int64) -> Lease? {
    if leaseHolder != holder {
      guard leaseEndsNs <= nowNs else { return nil }
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
      guard let fence = rows[row].fence, fence < lease.fence, rows[row].holder?.hasPrefix(Reservation.prefix) == false
      else { continue }
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
            || $0.state == .cancelled && $0.holder != nil && $0.nextNs > nowNs)
      }
  }

  private func supersede(_ nowNs: Int64) {
    for index in rows.indices where rows[index].state == .waiting && rows[index].nextNs <= nowNs {
      let row = rows[index]
      // The end of another alert: what was sent later is about its own.
      if row.event == .resolve, row.list != nil { continue }
      let isOver = rows.contains {
        $0.incident == row.incident && $0.receiver == row.receiver && $0.change > row.change
          && ($0.state == .delivered || $0.state == .waiting && $0.attempts > 0
            || row.event == .acknowledge && row.attempts == 0 && $0.event == .resolve && $0.state == .waiting)
      }
      if isOver {
        rows[index].state = .superseded
        rows[index].settledNs = nowNs
      }
    }
  }

  private func routeNews(_ nowNs: Int64) {
    for index in rows.indices {
      let row = rows[index]
      guard row.event == .resolve || row.event == .acknowledge, row.list == nil, row.bundle == nil, isDue(row, nowNs)
      else { continue }
      let earlier = rows.filter { $0.incident == row.incident && $0.receiver == row.receiver && $0.change <= row.change }
      // What came before an earlier end has ended with it.
      let endedBefore = earlier.filter { $0.event == .resolve && $0.state != .superseded && $0.change < row.change }.map(\.change).max() ?? 0
      let pages = earlier.filter { $0.event.isPage && $0.attempts > 0 && $0.change > endedBefore }
      let lists = Set(pages.compactMap(\.bundle)).sorted()
      let isSingle = pages.contains { $0.bundle == nil }
      for list in isSingle ? lists[...] : lists.dropFirst() {
        insert(
          incidents[Int(row.incident) - 1], row.change, row.receiver, row.event, row.step, dueNs: row.dueNs,
          key: row.receiver + "|" + list, list: list, reservation: nil, nowNs)
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
    load.isStorm = recent.contains { $0.bundle != nil && $0.event.isPage }
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
      if isNewList { rows[index].bundle = "msg_list \(bundles)" }
    }
    let bundle = rows[first].bundle
    let named = Set(taken.map { rows[$0].incident }).sorted()
    var delivery = Delivery(
      rows: taken.map { rows[$0].number }, receiver: receiver,
      event: bundle == nil ? rows[first].event : .ofList(Set(taken.map { rows[$0].event })),
      messageID: bundle ?? rows[first].messageID, attempts: taken.map { rows[$0].attempts }.max() ?? 1, detail: "",
      incidents: named.map { record(incidents[Int($0) - 1]) }, incidentCount: named.count, isList: bundle != nil)
    if bundle != nil { delivery.list = rows[first].list.map { news(of: $0, at: receiver) } }
    delivery.reached = rows[first].reached
    return [delivery]
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
    // An incident that has ended and come back since is another alert.
    let current = rows.filter { row in
      row.bundle == list && row.receiver == receiver
        && !rows.contains {
          $0.incident == row.incident && $0.receiver == row.receiver && $0.event == .resolve && $0.state != .superseded
            && $0.change > row.change
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
      var isLate = false
      for row in indices {
        if rows[row].state == .waiting || rows[row].state == .cancelled {
          rows[row].state = .delivered
          rows[row].answer = answer
        } else {
          isLate = true
        }
        if rows[row].state == .delivered { rows[row].settledNs = max(rows[row].settledNs ?? 0, nowNs) }
      }
      // Noted by another meanwhile, who may have sent the end.
      if isLate { endAlerts(of: Set(indices.map { rows[$0].messageID }), nowNs) }
      return true
    }
    guard isValid(lease, nowNs) else { return false }
    for row in indices where rows[row].state == .cancelled { rows[row].holder = nil }
    for row in indices where rows[row].state == .waiting {
      switch outcome {
      case .delivered: break
      case .retry(let atNs, _), .partial(_, let atNs, _):
        rows[row].nextNs = atNs
        rows[row].holder = nil
      case .refused:
        rows[row].state = .refused
        rows[row].settledNs = nowNs
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
            && $0.step == row.step
        })
      else { continue }
      insert(
        incidents[Int(row.incident) - 1], row.change, fallback, row.event, row.step, dueNs: nowNs, reservation: nil,
        nowNs)
    }
  }

  var isSettled: Bool { !rows.contains { $0.state == .waiting } }
}
