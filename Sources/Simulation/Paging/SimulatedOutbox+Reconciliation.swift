internal import FleetModel
internal import Incidents
internal import Paging

extension SimulatedOutbox {
  /// `Store.reconcile`.
  func reconcile(_ reported: [LocalPage], freeing: [String], holding: String?, nowNs: Int64) {
    let isMissing = { [self] (page: LocalPage) in !rows.contains { $0.messageID == page.messageID } }
    let (pages, ends) = (reported.filter { $0.event != .resolve }, reported.filter { $0.event == .resolve })
    let missing = pages.filter(isMissing)
    addAlerts(pages)
    for page in pages { record(page, nowNs) }
    // Rows that exist are updated first: from them follows which opening a page is about.
    for page in missing {
      add(page, nowNs)
      record(page, nowNs)
    }
    let named = rows.filter { row in pages.contains { $0.messageID == row.messageID } }.map(\.incident)
    for number in Set(named).sorted() where incidents[Int(number) - 1].state == .resolved {
      enqueueNews(incidents[Int(number) - 1], .resolve, holding, nowNs)
    }
    for page in ends where isMissing(page) { addEnd(page, nowNs) }
    for page in ends { record(page, nowNs) }
    endAlerts(of: Set(reported.map(\.messageID)), nowNs)
    free { freeing.contains($0) }
  }

  func freeReservations(ofInstance instance: String, but holder: String) {
    free {
      $0.hasPrefix(Reservation.names(ofInstance: instance)) && !$0.hasPrefix(Reservation.names(ofInstance: holder))
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
    // Of a reopened incident: the opening that the page is about, or the newest.
    let paged = rows.filter { $0.incident == incident.number && $0.event.isPage }
    let opening = paged.first { $0.bundle == page.dedupKey }?.change ?? paged.map(\.change).max() ?? 1
    append(page, incident.number, change: own == nil ? opening : 1, state)
  }

  /// Another collector has sent the row's message by itself or in a list: the receiver has two alerts.
  private func addAlerts(_ pages: [LocalPage]) {
    // Of several reports of one alert the first that was taken, or else the first.
    var reports: [LocalPage] = []
    for page in pages {
      let known = reports.firstIndex { $0.messageID == page.messageID && $0.alert == page.alert }
      if let known {
        guard reports[known].answer == nil, page.answer != nil else { continue }
        reports.remove(at: known)
      }
      reports.append(page)
    }
    for page in reports { addAlert(page) }
  }

  private func addAlert(_ page: LocalPage) {
    guard let row = rows.first(where: { $0.messageID == page.messageID }), row.attempts > 0,
      page.alert != row.bundle ?? incidents[Int(row.incident) - 1].dedupKey
    else { return }
    let id = page.messageID + "/" + page.alert
    if let known = rows.firstIndex(where: { $0.messageID == id }) {
      // Begun before, and taken since: its end may have been sent in between.
      if page.answer != nil {
        rows[known].state = .delivered
        rows[known].settledNs = max(rows[known].settledNs ?? 0, page.atNs)
      }
      return
    }
    rows.append(
      Row(
        number: Int64(rows.count + 1), incident: row.incident, change: row.change, receiver: page.receiver,
        event: page.event, step: page.step, messageID: id, bundle: page.alert, dueNs: page.atNs,
        state: page.answer == nil ? .cancelled : .delivered, attempts: 1, nextNs: page.atNs, settledNs: page.atNs))
  }

  /// Enqueues an end for each page that was delivered after the end of its incident was sent, or whose key was not
  /// known then.
  func endAlerts(of ids: Set<String>, _ nowNs: Int64) {
    let noted = rows.filter { ids.contains($0.messageID) }
    var late: [(page: Row, change: Int64, alert: String, id: String)] = []
    for page in rows where page.event.isPage && page.attempts > 0 {
      guard noted.contains(where: { $0.isBeside(page) }), let end = firstEnd(of: page) else { continue }
      let alert = alert(of: page)
      let id = messageID(page.incident, end.change, .resolve, page.receiver + "|" + page.messageID, 0)
      // The alert of a reopened incident is open again under the same key.
      let isOpenAgain = rows.contains {
        $0.isBeside(page) && $0.event.isPage && $0.change > end.change && $0.attempts > 0
          && self.alert(of: $0) == alert
      }
      // What was taken before the page does not end it.
      let isEnded = rows.contains {
        $0.isEnd && $0.isBeside(page) && $0.change == end.change && self.alert(of: $0) == alert
          && !(page.state == .delivered && $0.state == .delivered && $0.settledNs ?? 0 < page.settledNs ?? 0)
      }
      guard end.list != nil || end.attempts > 0, !isOpenAgain, !isEnded, !rows.contains(where: { $0.messageID == id }),
        // Several pages may have opened one alert.
        !late.contains(where: { $0.page.isBeside(page) && $0.change == end.change && $0.alert == alert })
      else { continue }
      late.append((page, end.change, alert, id))
    }
    for one in late {
      insert(
        incidents[Int(one.page.incident) - 1], one.change, one.page.receiver, .resolve, 0, dueNs: nowNs, id: one.id,
        list: one.alert, reservation: nil, nowNs)
    }
  }

  /// The key of the alert that a page opened, or that an end is about.
  private func alert(of row: Row) -> String {
    (row.event.isPage ? row.bundle : row.list) ?? incidents[Int(row.incident) - 1].dedupKey
  }

  private func firstEnd(of page: Row) -> Row? {
    rows.filter { $0.isEnd && $0.isBeside(page) && $0.change > page.change }
      .min { ($0.change, $0.number) < ($1.change, $1.number) }
  }

  private func addEnd(_ page: LocalPage, _ nowNs: Int64) {
    let own = incidents.last { $0.dedupKey == page.dedupKey }
    // The alert of a reopened incident has a key of its own: from its page follows which opening has ended.
    let paged = rows.first { $0.receiver == page.receiver && $0.event.isPage && $0.bundle == page.dedupKey }
    guard let incident = own ?? paged.map({ incidents[Int($0.incident) - 1] }) else { return }
    let change = own == nil ? paged?.change ?? 0 : 1
    let list = page.list ?? (own == nil ? page.dedupKey : nil)
    let isSingle = rows.contains {
      $0.incident == incident.number && $0.receiver == page.receiver && $0.event.isPage && $0.bundle == nil
        && $0.attempts > 0
    }
    // An end without an answer of an incident that is open again is not sent again, but what follows waits for its answer.
    let isUnanswered = page.answer == nil && incident.state != .resolved
    if list == nil || !isSingle {
      guard
        let row = rows.firstIndex(where: {
          $0.incident == incident.number && $0.receiver == page.receiver && $0.event == .resolve && $0.change > change
        }), rows[row].state == .waiting, rows[row].attempts == 0, rows[row].list == nil
      else {
        if isUnanswered { append(page, incident.number, change: change + 1, .cancelled, list: list) }
        return
      }
      rows[row].messageID = page.messageID
      rows[row].list = list
    } else if isUnanswered {
      append(page, incident.number, change: change + 1, .cancelled, list: list)
    } else {
      let end = rows.first {
        $0.incident == incident.number && $0.receiver == page.receiver && $0.event == .resolve && $0.change > change
      }
      append(page, incident.number, change: end?.change ?? incident.change, .waiting, list: list)
    }
  }

  private func append(
    _ page: LocalPage, _ incident: Int64, change: Int64, _ state: DeliveryState, list: String? = nil
  ) {
    if rows.contains(where: { $0.messageID == page.messageID }) { return }
    rows.append(
      Row(
        number: Int64(rows.count + 1), incident: incident, change: change, receiver: page.receiver, event: page.event,
        step: page.step, messageID: page.messageID, bundle: nil, list: list, dueNs: page.atNs, state: state,
        nextNs: page.atNs))
  }

  private func record(_ page: LocalPage, _ nowNs: Int64) {
    guard let row = rows.firstIndex(where: { $0.messageID == page.messageID }) else { return }
    let isUndelivered = [.waiting, .cancelled, .refused].contains(rows[row].state)
    // A message that another collector has begun meanwhile under another key has a row of its own.
    if rows[row].attempts == 0, page.event.isPage {
      let isOwn = incidents[Int(rows[row].incident) - 1].dedupKey == page.dedupKey
      rows[row].bundle = page.bundle ?? (isOwn ? nil : page.dedupKey)
    } else if page.event == .resolve {
      rows[row].bundle = page.bundle ?? rows[row].bundle
      rows[row].list = page.list ?? rows[row].list
    }
    if let answer = page.answer {
      // Delivered a second time: an end may have been sent in between.
      if rows[row].state == .delivered { rows[row].settledNs = max(rows[row].settledNs ?? 0, page.atNs) }
      guard rows[row].state != .delivered else { return }
      rows[row].state = .delivered
      rows[row].settledNs = page.atNs
      rows[row].answer = answer
      rows[row].attempts = max(1, rows[row].attempts + page.attempts)
      // An attempt of another's goes on: until its answer, no end may be sent.
      if rows[row].holder?.hasPrefix(Reservation.prefix) == true { rows[row].holder = nil }
    } else if page.isOver {
      guard isUndelivered else { return }
      rows[row].state = .cancelled
      rows[row].settledNs = nowNs
      rows[row].attempts += page.attempts
      rows[row].holder = nil
    } else {
      guard isUndelivered else { return }
      // One that the rows' own message was refused for may have been received from memory.
      if rows[row].state == .refused { rows[row].state = .cancelled }
      rows[row].attempts += page.attempts
      rows[row].holder = Reservation.begun
      rows[row].fence = nil
      rows[row].nextNs = max(rows[row].nextNs, page.atNs + Self.reservedNs)
      rows[row].reached = page.reached
    }
  }
}

extension SimulatedOutbox.Row {
  /// It is later than `other`, beside it, and was delivered or is in flight.
  func isBegun(after other: Self) -> Bool {
    isBeside(other) && change > other.change && (state == .delivered || state == .waiting && attempts > 0)
  }

  /// About the same incident, to the same receiver.
  func isBeside(_ other: Self) -> Bool { incident == other.incident && receiver == other.receiver }

  fileprivate var isEnd: Bool { event == .resolve && state != .superseded }
}

extension LocalPage {
  /// The key of the alert that it opened.
  fileprivate var alert: String { bundle ?? dedupKey }
}
