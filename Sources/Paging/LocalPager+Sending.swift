internal import FleetModel
internal import Outbound
internal import SiteConfiguration
package import Store

extension LocalPager {
  /// Sends what is due.
  package func begin(nowNs: Int64) {
    clear(nowNs)
    var due: [String: [(held: Int, page: Int)]] = [:]
    for index in held.indices where !held[index].isConfirmed {
      for (number, page) in (held[index].pages ?? []).enumerated() {
        if case .waiting(let nextNs) = page.state, nextNs <= nowNs {
          due[page.receiver, default: []].append((index, number))
        }
      }
    }
    for (name, pages) in due.sorted(by: { $0.key < $1.key }) { send(pages, to: name, nowNs) }
  }

  private func send(_ pages: [(held: Int, page: Int)], to name: String, _ nowNs: Int64) {
    let busy = inFlight.values.count { $0.delivery.receiver == name }
    said[name] = (said[name] ?? []).filter { nowNs - $0 < Times.minuteNs }
    // Once a list went out, more of them follow slowly, and nothing beside them.
    let isStorm = bundled[name].map { nowNs - $0 < Times.minuteNs } ?? false
    let left = isStorm ? 0 : configuration.messagesPerMinute - (said[name] ?? []).count
    let ends = pages.filter { held[$0.held].pages?[$0.page].event == .resolve }
    let news = pages.filter { held[$0.held].pages?[$0.page].event != .resolve }
    for page in ends.prefix(Limits.inFlightMax) { send([page], asList: false, to: name, nowNs) }
    if news.count <= left {
      for page in news.prefix(max(0, Limits.inFlightMax - busy)) { send([page], asList: false, to: name, nowNs) }
    } else if left > 0 || (busy == 0 && nowNs - (said[name]?.last ?? 0) >= IncidentLimits.bundleNs) {
      send(news, asList: true, to: name, nowNs)
    }
  }

  private func send(_ pages: [(held: Int, page: Int)], asList: Bool, to name: String, _ nowNs: Int64) {
    guard let receiver = configuration.receivers[name], let first = pages.first,
      let page = held[first.held].pages?[first.page]
    else { return }
    let bundle = asList ? PageID.of(dedupKey: page.messageID, change: 0, event: .trigger, receiver: name, step: 0) : nil
    let delivery = Delivery(
      rows: [], receiver: name, event: asList ? .trigger : page.event, messageID: bundle ?? page.messageID,
      attempts: page.attempts + 1, detail: "the database does not answer",
      incidents: pages.prefix(100).map { record(held[$0.held]) }, incidentCount: pages.count, isList: asList)
    let request = Message(delivery, nowNs: nowNs, console: configuration.console).request(to: receiver)
    do throws(OutboundError) {
      try transfers.begin(request, tag: nextTag, deadlineMs: Times.answerMs)
    } catch {
      return
    }
    inFlight[nextTag] = InFlight(
      pages: pages.map { (held[$0.held].number, held[$0.held].pages?[$0.page].messageID ?? "") }, receiver: receiver,
      delivery: delivery)
    nextTag += 1
    if page.event != .resolve { said[name, default: []].append(nowNs) }
    if asList { bundled[name] = nowNs }
    for at in pages {
      held[at.held].pages?[at.page].state = .inFlight(sinceNs: nowNs)
      held[at.held].pages?[at.page].attempts += 1
      held[at.held].pages?[at.page].bundle = bundle
    }
  }

  private func record(_ held: Held) -> IncidentRecord {
    let change = subject(held)
    var record = IncidentRecord(
      number: 0, rule: change.rule, severity: change.severity, dedupKey: change.dedupKey, openedNs: change.eventNs)
    record.title = change.title
    record.state = held.change.kind == .opened ? "open" : "resolved"
    record.hostName = change.hostName
    record.entity = change.entity
    record.summary = change.summary
    record.steps = change.steps
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
        result, receiver: sent.receiver, attempts: sent.delivery.attempts, nowNs: nowNs, chance: chance())
      for (number, id) in sent.pages {
        guard let at = index(of: number) else { continue }
        settle(at, id, outcome, nowNs)
        let told = pagesTold(held[at]).filter { $0.messageID == id && $0.answer != nil }
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
    case .retry(let nextNs, _):
      held[at].pages?[index].state = .waiting(nextNs: nextNs)
      if page.attempts == 3 { tellFallback(at, page, nowNs) }
    case .refused:
      held[at].pages?[index].state = .over
      tellFallback(at, page, nowNs)
    }
  }

  private func tellFallback(_ at: Int, _ page: Page, _ nowNs: Int64) {
    guard let fallback = configuration.fallback, fallback != page.receiver, page.event != .resolve else { return }
    let id = PageID.of(
      dedupKey: held[at].change.dedupKey, change: 1, event: page.event, receiver: fallback, step: page.step)
    guard held[at].pages?.contains(where: { $0.messageID == id }) == false else { return }
    held[at].pages?.append(
      Page(receiver: fallback, event: page.event, step: page.step, messageID: id, state: .waiting(nextNs: nowNs)))
  }
}
