internal import FleetModel
internal import Outbound
package import Incidents
internal import SiteConfiguration

extension LocalPager {
  /// Sends what is due, as much of it as the policy sends now.
  package func begin(nowNs: Int64) {
    clear(nowNs)
    var due: [String: [DueDelivery<PageReference>]] = [:]
    for held in held where !held.isConfirmed {
      for page in held.pages ?? [] {
        guard case .waiting(let nextNs) = page.state, nextNs <= nowNs else { continue }
        due[page.receiver, default: []].append(
          DueDelivery(
            id: PageReference(held: held.number, messageID: page.messageID), event: page.event, bundle: page.bundle,
            list: page.list))
      }
    }
    for (name, due) in due.sorted(by: { $0.key < $1.key }) {
      for message in policy.messages(due, to: name, load: load(of: name, nowNs), nowNs: nowNs) {
        switch message {
        case .single(let page): send([page], asList: nil, to: name, nowNs)
        case .again(let bundle): send(due.filter { $0.bundle == bundle }.map(\.id), asList: bundle, to: name, nowNs)
        case .list(let pages, let list):
          let id = PageID.of(
            dedupKey: pages.first?.messageID ?? "", change: 0, event: .trigger, receiver: name, step: 0)
          if list == nil { lists[id] = pages.count }
          send(pages, asList: id, to: name, nowNs)
        }
      }
    }
  }

  private func load(of name: String, _ nowNs: Int64) -> ReceiverLoad {
    let lately = (delivered[name] ?? []).filter { nowNs - $0.atNs < Times.minuteNs }
    delivered[name] = lately.isEmpty ? nil : lately
    var load = ReceiverLoad()
    load.unanswered = inFlight.values.count { $0.delivery.receiver == name }
    load.delivered = lately.count
    load.lastNs = lately.last?.atNs ?? .min
    load.isStorm = lately.contains(where: \.isPageList)
    load.closedUntilNs = pauses.untilNs[name] ?? .min
    return load
  }

  /// - Parameter asList: the message id of the list; nil for one delivery by itself.
  private func send(_ pages: [PageReference], asList bundle: String?, to name: String, _ nowNs: Int64) {
    let places = pages.compactMap(place)
    guard let receiver = configuration.receivers[name], let first = places.first,
      let page = held[first.held].pages?[first.page]
    else { return }
    let events = Set(places.compactMap { held[$0.held].pages?[$0.page].event })
    var delivery = Delivery(
      rows: [], receiver: name, event: bundle == nil ? page.event : .ofList(events),
      messageID: bundle ?? page.messageID,
      attempts: page.attempts + 1, detail: "the database does not answer",
      incidents: places.prefix(IncidentLimits.bundleNamesMax).map { record(held[$0.held]) },
      incidentCount: places.count,
      isList: bundle != nil)
    if bundle != nil { delivery.list = page.list.map(news) }
    delivery.reached = page.reached
    var state = Page.State.delivered(answer: Delivery.nothingToSend, atNs: nowNs)
    if let request = Message(delivery, nowNs: nowNs, console: configuration.console).request(to: receiver) {
      do throws(OutboundError) {
        try transfers.begin(request, tag: nextTag, deadlineMs: Times.answerMs)
      } catch {
        return
      }
      inFlight[nextTag] = InFlight(pages: pages, receiver: receiver, delivery: delivery)
      nextTag += 1
      state = .inFlight(sinceNs: nowNs)
    }
    for at in places {
      held[at.held].pages?[at.page].state = state
      held[at.held].pages?[at.page].attempts += 1
      held[at.held].pages?[at.page].bundle = bundle
    }
  }

  private func place(_ page: PageReference) -> (held: Int, page: Int)? {
    guard let at = index(of: page.held),
      let index = held[at].pages?.firstIndex(where: { $0.messageID == page.messageID })
    else { return nil }
    return (at, index)
  }

  /// How the incidents of a list stand, all of which are still held.
  private func news(of list: String) -> ListNews {
    let open = held.count {
      !$0.isCleared && $0.change.kind == .opened && ($0.pages ?? []).contains { $0.bundle == list }
    }
    return ListNews(id: list, open: open, unacknowledged: open)
  }

  private func record(_ held: Held) -> IncidentRecord {
    let change = subject(held)
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

  /// Waits for answers, for the descriptors, or for the time to be over.
  /// - Returns: messages that were taken, to be kept safe.
  package func wait(maximumMs: Int, descriptors: [Int32], nowNs: () -> Int64) -> [LocalPage] {
    var taken: [LocalPage] = []
    for (tag, result) in transfers.work(waitMs: maximumMs, descriptors: descriptors) {
      guard let sent = inFlight.removeValue(forKey: tag) else { continue }
      let nowNs = nowNs()
      let outcome = RetryRule.outcome(
        result, receiver: sent.receiver, attempts: sent.delivery.attempts, nowNs: nowNs, chance: chance(),
        isReached: !sent.delivery.reached.isEmpty)
      pauses.note(result, of: sent.receiver, named: sent.delivery.receiver, nowNs: nowNs)
      if case .delivered = outcome, policy.counts(sent.delivery) {
        let isPageList = sent.delivery.isList && sent.delivery.event.isPage
        delivered[sent.delivery.receiver, default: []].append((nowNs, isPageList))
      }
      for page in sent.pages {
        guard let at = index(of: page.held) else { continue }
        settle(at, page.messageID, outcome, nowNs)
        let told = pagesTold(held[at]).filter { $0.messageID == page.messageID && $0.answer != nil }
        taken += told
        if held[at].isConfirmed { reports += told }
      }
    }
    if !taken.isEmpty { forget() }
    return taken
  }

  private func settle(_ at: Int, _ id: String, _ outcome: DeliveryOutcome, _ nowNs: Int64) {
    guard let index = held[at].pages?.firstIndex(where: { $0.messageID == id }), let page = held[at].pages?[index]
    else {
      return
    }
    switch outcome {
    case .delivered(let answer): held[at].pages?[index].state = .delivered(answer: answer, atNs: nowNs)
    case .retry(let nextNs, _): held[at].pages?[index].state = .waiting(nextNs: nextNs)
    case .partial(let reached, let nextNs, _):
      held[at].pages?[index].state = .waiting(nextNs: nextNs)
      held[at].pages?[index].reached += reached
    case .refused: held[at].pages?[index].state = .over
    }
    guard page.event.isPage,
      let fallback = policy.fallback(for: page.receiver, page.event, after: outcome, attempts: page.attempts)
    else { return }
    let id = PageID.of(
      dedupKey: held[at].change.dedupKey, change: 1, event: page.event, receiver: fallback, step: page.step)
    guard held[at].pages?.contains(where: { $0.messageID == id }) == false else { return }
    held[at].pages?.append(
      Page(receiver: fallback, event: page.event, step: page.step, messageID: id, state: .waiting(nextNs: nowNs)))
  }
}
