internal import FleetModel
internal import Incidents
internal import SiteConfiguration

extension Handover {
  /// Plans pages from memory for changes that the database has not confirmed within `patienceNs`.
  /// - Returns: the changes whose messages are sent from memory from now on.
  mutating func plan(_ now: Moment) -> [IncidentChange] {
    var planned: [IncidentChange] = []
    for index in held.indices {
      let one = held[index]
      guard case .pending(let sinceNs) = one.phase, one.number > committed,
        now.monotonicNs - sinceNs >= Self.patienceNs
      else { continue }
      planned.append(one.change)
      switch one.change.kind {
      case .opened: held[index].phase = .memory(isMuted(one, now.wallNs) ? [] : pages(of: one))
      case .cleared: held[index].phase = .memory([])
      }
    }
    return planned
  }

  private func pages(of held: Held) -> [Page] {
    policy.deliveries(held.change.severity, held.takenNs).filter { !$0.isDigest }.map { planned in
      let id = PageID.of(
        dedupKey: held.change.dedupKey, change: 1, event: planned.event, receiver: planned.receiver, step: planned.step)
      var page = Page(
        receiver: planned.receiver, event: planned.event, step: planned.step, messageID: id,
        state: .waiting(nextNs: planned.dueNs))
      recall(&page)
      return page
    }
  }

  /// Takes over what an earlier process of this instance recorded of the message: a delivered one is not sent again, an
  /// attempt without an answer counts as one that may have been received.
  func recall(_ page: inout Page) {
    guard let earlier = remembered[page.messageID] else { return }
    page.bundle = earlier.bundle
    page.attempts = max(1, earlier.attempts)
    if let answer = earlier.answer { page.state = .delivered(answer: answer, atNs: earlier.atNs) }
  }

  /// Whether no one is paged: the change is observed or muted, or its condition has come back too often.
  private func isMuted(_ held: Held, _ nowNs: Int64) -> Bool {
    let change = held.change
    if change.isObserved { return true }
    let earlier = (beginnings[change.identity] ?? []).filter { $0 < held.number }
    return earlier.count >= Limits.returnsMax || muting.reason(for: MuteSubject(change), nowNs: nowNs) != nil
  }

  /// Plans ends: pages without an attempt are cancelled, and each receiver that may have the page is sent the end.
  mutating func planEnds(_ nowNs: Int64) {
    for index in held.indices where held[index].change.kind == .cleared && held[index].isOwned {
      // The end of a committed beginning is sent by its rows, because they may send the page once more.
      guard held[index].endedNs == nil, let opened = beginning(of: held[index]), held[opened].isOwned else { continue }
      let endedNs = held[index].takenNs
      held[opened].endedNs = endedNs
      var pages = held[opened].pages
      for number in pages.indices {
        let page = pages[number]
        guard case .waiting = page.state, page.attempts == 0 && !page.isInstead || page.event == .escalate else {
          continue
        }
        pages[number].state = .cancelled
      }
      held[opened].pages = pages
      // An end must not overtake a page to the same receiver. While a page is unsettled its fallback may still be
      // paged, so the fallback waits too; and receivers that refused wait for the fallback's page.
      var busy = Set(pages.filter(\.isUnsettled).map(\.receiver))
      if !busy.isEmpty, let fallback = configuration.fallback { busy.insert(fallback) }
      if pages.contains(where: { $0.isInstead && $0.isUnsettled }) {
        busy.formUnion(pages.filter { $0.state == .refused }.map(\.receiver))
      }
      held[index].endedNs = busy.isEmpty ? endedNs : nil
      let receivers = Dictionary(
        grouping: pages.filter { $0.mayHaveBeenReceived && !busy.contains($0.receiver) }, by: \.receiver)
      for (receiver, pages) in receivers.sorted(by: { $0.key < $1.key }) {
        let isSingle = pages.contains { $0.bundle == nil }
        if isSingle { planEnd(index, to: receiver, list: nil, key: receiver, nowNs) }
        for (ordinal, list) in Set(pages.compactMap(\.bundle)).sorted().enumerated() where holdsAll(of: list) {
          let key = isSingle || ordinal > 0 ? receiver + "|" + list : receiver
          planEnd(index, to: receiver, list: list, key: key, nowNs)
        }
      }
    }
  }

  /// Whether all incidents of a list are held. Otherwise only the database knows their states, and the row of the end
  /// is sent from there.
  private func holdsAll(of list: String) -> Bool {
    held.count { $0.isOwned && $0.change.kind == .opened && $0.pages.contains { $0.bundle == list } }
      >= lists[list] ?? .max
  }

  /// - Parameter key: the receiver's part of the message id, as `Store.routeNews` computes it.
  private mutating func planEnd(_ index: Int, to receiver: String, list: String?, key: String, _ nowNs: Int64) {
    let id = PageID.of(
      dedupKey: held[index].subject.dedupKey, change: 2, event: .resolve, receiver: key, step: 0)
    guard !held[index].pages.contains(where: { $0.messageID == id }) else { return }
    var end = Page(receiver: receiver, event: .resolve, step: 0, messageID: id, state: .waiting(nextNs: nowNs))
    end.list = list
    recall(&end)
    held[index].pages.append(end)
  }
}
