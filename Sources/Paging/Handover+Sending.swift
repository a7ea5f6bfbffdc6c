internal import FleetModel
internal import Incidents
internal import SiteConfiguration

extension Handover {
  /// Begins the messages that the policy sends now, of those that are due.
  mutating func begin(nowNs: Int64) -> [Action] {
    planEnds(nowNs)
    var due: [String: [DueDelivery<PageReference>]] = [:]
    for held in held where held.isOwned {
      for page in held.pages {
        guard case .waiting(let nextNs) = page.state, nextNs <= nowNs else { continue }
        due[page.receiver, default: []].append(
          DueDelivery(
            id: PageReference(held: held.number, messageID: page.messageID), event: page.event,
            isBegun: page.attempts > 0, bundle: page.bundle, list: page.list))
      }
    }
    var actions: [Action] = []
    for (name, due) in due.sorted(by: { $0.key < $1.key }) where configuration.receivers[name] != nil {
      for message in policy.messages(due, to: name, load: load(of: name, nowNs), nowNs: nowNs) {
        switch message {
        case .single(let page): actions.append(send([page], asList: nil, to: name, nowNs))
        case .again(let bundle):
          let pages = due.filter { $0.bundle == bundle }.map(\.id)
          // A list of which a part is committed is sent again by the rows, because the same message must not name fewer
          // incidents.
          if pages.count >= lists[bundle] ?? 0 { actions.append(send(pages, asList: bundle, to: name, nowNs)) }
        case .list(let pages, let list):
          let id = PageID.of(
            dedupKey: pages.first?.messageID ?? "", change: 0, event: .trigger, receiver: name, step: 0)
          if list == nil { lists[id] = pages.count }
          actions.append(send(pages, asList: id, to: name, nowNs))
        }
      }
    }
    return actions
  }

  private func begun(_ receiver: String) -> Int {
    var messages: Set<String> = []
    for held in held where held.isOwned {
      for page in held.pages where page.receiver == receiver && page.isUnsettled && page.attempts > 0 {
        messages.insert(page.bundle ?? page.messageID)
      }
    }
    return messages.count
  }

  /// The pages of a message, as they are written to the journal before it is sent.
  func begun(_ action: Action) -> [LocalPage] {
    guard case .send(let tag, _) = action else { return [] }
    return inFlight[tag]?.pages.compactMap { page in
      position(of: page).flatMap { at in reported(held[at.held]).first { $0.messageID == page.messageID } }
    } ?? []
  }

  private mutating func load(of name: String, _ nowNs: Int64) -> ReceiverLoad {
    let recent = (delivered[name] ?? []).filter { nowNs - $0.atNs < Self.minuteNs }
    delivered[name] = recent.isEmpty ? nil : recent
    var load = ReceiverLoad()
    load.unanswered = inFlight.values.count { $0.delivery.receiver == name }
    load.delivered = recent.count
    load.begun = begun(name)
    load.lastNs = recent.last?.atNs ?? .min
    load.isStorm = recent.contains(where: \.isPageList)
    load.closedUntilNs = closedUntilNs[name] ?? .min
    return load
  }

  /// - Parameter asList: the message id of the list; nil for one delivery by itself.
  private mutating func send(
    _ pages: [PageReference], asList bundle: String?, to name: String, _ nowNs: Int64
  ) -> Action {
    let positions = pages.compactMap(position)
    let sent = positions.map { held[$0.held].pages[$0.page] }
    var delivery = Delivery(
      rows: [], receiver: name,
      event: bundle == nil ? sent.first?.event ?? .trigger : .ofList(Set(sent.map(\.event))),
      messageID: bundle ?? sent.first?.messageID ?? "", attempts: (sent.first?.attempts ?? 0) + 1,
      detail: "the database does not answer",
      incidents: positions.prefix(IncidentLimits.bundleNamesMax).map { record(held[$0.held]) },
      incidentCount: positions.count, isList: bundle != nil)
    if bundle != nil { delivery.list = sent.first?.list.map(news) }
    delivery.reached = sent.first?.reached ?? []
    let tag = nextTag
    nextTag += 1
    inFlight[tag] = InFlight(pages: pages, delivery: delivery, bundles: sent.map(\.bundle))
    for at in positions {
      held[at.held].pages[at.page].state = .inFlight(sinceNs: nowNs)
      held[at.held].pages[at.page].attempts += 1
      held[at.held].pages[at.page].bundle = bundle
    }
    return .send(tag: tag, delivery)
  }

  /// Undoes an attempt whose request could not be begun.
  mutating func putBack(_ tag: Int, _ nowNs: Int64) {
    guard let sent = inFlight.removeValue(forKey: tag) else { return }
    for (page, bundle) in zip(sent.pages, sent.bundles) {
      guard let at = position(of: page) else { continue }
      held[at.held].pages[at.page].state = .waiting(nextNs: nowNs + Self.notBegunNs)
      held[at.held].pages[at.page].attempts -= 1
      held[at.held].pages[at.page].bundle = bundle
    }
  }

  private func position(of page: PageReference) -> (held: Int, page: Int)? {
    guard let at = index(of: page.held),
      let index = held[at].pages.firstIndex(where: { $0.messageID == page.messageID })
    else { return nil }
    return (at, index)
  }

  /// States of the incidents of a list, all of which are held.
  private func news(of list: String) -> ListNews {
    let open = held.count {
      $0.endedNs == nil && $0.change.kind == .opened && $0.pages.contains { $0.bundle == list }
    }
    return ListNews(id: list, open: open, unacknowledged: open)
  }

  private func record(_ held: Held) -> IncidentRecord {
    let change = held.subject
    var record = IncidentRecord(
      number: 0, rule: change.rule, severity: change.severity, dedupKey: change.dedupKey, openedNs: change.eventNs)
    record.title = change.title
    record.state = held.change.kind == .opened ? .open : .resolved
    record.hostName = change.hostName
    record.entity = change.entity
    record.summary = change.summary
    record.steps = change.steps
    record.causes = change.causes
    record.runbook = change.runbook
    record.evidence = change.evidence
    if held.change.kind == .cleared { record.resolvedNs = held.change.eventNs }
    return record
  }

  /// Records the outcome of a message.
  /// - Returns: the pages that the receiver accepted, to be written to the journal.
  mutating func settle(
    _ tag: Int, _ outcome: DeliveryOutcome, _ closedUntilNs: Int64?, _ nowNs: Int64
  ) -> [LocalPage] {
    guard let sent = inFlight.removeValue(forKey: tag) else { return [] }
    let name = sent.delivery.receiver
    if let closedUntilNs { self.closedUntilNs[name] = max(closedUntilNs, self.closedUntilNs[name] ?? closedUntilNs) }
    if case .delivered(let answer) = outcome, answer != Delivery.nothingToSend, policy.counts(sent.delivery) {
      delivered[name, default: []].append((nowNs, sent.delivery.isList && sent.delivery.event.isPage))
    }
    var taken: [LocalPage] = []
    for page in sent.pages {
      guard let at = position(of: page) else { continue }
      settle(at.held, at.page, outcome, nowNs)
      let report = reported(held[at.held]).first { $0.messageID == page.messageID }
      guard var report, report.answer != nil || report.isOver else { continue }
      if report.answer != nil { taken.append(report) }
      // The release reported the attempt.
      report.attempts = 0
      if held[at.held].isCommitted { late.append(report) }
    }
    return taken
  }

  private mutating func settle(_ at: Int, _ index: Int, _ outcome: DeliveryOutcome, _ nowNs: Int64) {
    let page = held[at].pages[index]
    switch outcome {
    case .delivered(let answer): held[at].pages[index].state = .delivered(answer: answer, atNs: nowNs)
    case .retry(let nextNs, _): held[at].pages[index].state = .waiting(nextNs: nextNs)
    case .partial(let reached, let nextNs, _):
      held[at].pages[index].state = .waiting(nextNs: nextNs)
      held[at].pages[index].reached += reached
    case .refused: held[at].pages[index].state = .refused
    }
    guard held[at].isOwned, page.event.isPage,
      let fallback = policy.fallback(for: page.receiver, page.event, after: outcome, attempts: page.attempts)
    else { return }
    let id = PageID.of(
      dedupKey: held[at].change.dedupKey, change: 1, event: page.event, receiver: fallback, step: page.step)
    // Where it stands in for several receivers, or has a step of its own, one page is enough.
    let isPaged = held[at].pages.contains { other in
      other.messageID == id || other.receiver == fallback && other.event == .trigger && page.event == .trigger
    }
    if isPaged { return }
    var instead = Page(
      receiver: fallback, event: page.event, step: page.step, messageID: id, state: .waiting(nextNs: nowNs))
    instead.isInstead = true
    recall(&instead)
    held[at].pages.append(instead)
  }
}
