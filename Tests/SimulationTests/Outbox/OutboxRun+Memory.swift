import FleetModel
import Incidents
import Paging

@testable import Simulation

/// What a collector's memory may report.
extension OutboxRun {
  /// A report of some messages: begun, taken or over, by themselves or in a list, of openings that the database knows and of others.
  func nextPages() -> [LocalPage] {
    var pages: [LocalPage] = []
    let list = random.chance(0.3) ? nextList() : nil
    let receivers = ["duty", "lead"] + (fallback.map { [$0] } ?? [])
    let ofList = receivers.randomElement(using: &random)
    for _ in 0..<random.within(0...4) {
      guard let page = random.chance(0.3) ? nextAnswer() : nextPage(list: list, ofList), !isIn(pages, page) else {
        continue
      }
      pages.append(page)
      // Reported in one release, and answered before the next.
      if page.answer == nil, !page.isOver, random.chance(0.15) { pages.append(answered(page)) }
    }
    let endList = random.chance(0.2) ? nextList() : nil
    for _ in 0..<random.within(0...2) {
      if let end = nextEnd(endList, ofList), !isIn(pages, end) { pages.append(end) }
    }
    for page in pages { sent[page.messageID] = page }
    return pages
  }

  private func isIn(_ pages: [LocalPage], _ page: LocalPage) -> Bool {
    pages.contains { $0.messageID == page.messageID }
  }

  private func nextList() -> String {
    memoryLists += 1
    return "msg_f\(memoryLists)"
  }

  private func nextPage(list: String?, _ ofList: String?) -> LocalPage? {
    guard let change = openings.randomElement(using: &random)?.change, let step = planned.randomElement(using: &random)
    else { return nil }
    // In place of the receiver.
    let receiver = random.chance(0.2) ? fallback ?? step.receiver : step.receiver
    var page = LocalPage(
      dedupKey: change.dedupKey, receiver: receiver,
      messageID: PageID.of(
        dedupKey: change.dedupKey, change: 1, event: step.event, receiver: receiver, step: step.step),
      atNs: nowNs - random.within(0...8000) * .millisecond)
    page.identity = random.chance(0.9) ? change.identity : ""
    (page.event, page.step) = (step.event, step.step)
    page.attempts = random.within(1...2)
    page.bundle = receiver == ofList ? list : nil
    setOutcome(&page)
    return page
  }

  private func setOutcome(_ page: inout LocalPage) {
    switch random.within(0...9) {
    case 0...4: page.answer = "200"
    case 5: page.isOver = true
    default: break
    }
  }

  /// Of a message that was reported without an answer.
  private func nextAnswer() -> LocalPage? {
    let open = sent.values.filter { $0.answer == nil && !$0.isOver }.sorted { $0.messageID < $1.messageID }
    return open.randomElement(using: &random).map(answered)
  }

  private func answered(_ page: LocalPage) -> LocalPage {
    var page = page
    // Its attempt is reported already.
    page.attempts = 0
    page.atNs = nowNs - random.within(0...2000) * .millisecond
    if random.chance(0.8) { page.answer = "200" } else { page.isOver = true }
    return page
  }

  private func nextEnd(_ list: String?, _ ofList: String?) -> LocalPage? {
    let ended = openings.filter(\.isCleared).map(\.change)
    let paged = sent.values.filter { page in
      page.event.isPage && ended.contains { $0.dedupKey == page.dedupKey }
    }.sorted { $0.messageID < $1.messageID }
    guard let page = paged.randomElement(using: &random) else { return nil }
    // As memory names it where the receiver knows the incident by itself, by one list, or by more.
    let key = random.chance(0.3) ? page.bundle.map { page.receiver + "|" + $0 } : nil
    var end = LocalPage(
      dedupKey: page.dedupKey, receiver: page.receiver,
      messageID: PageID.of(
        dedupKey: page.dedupKey, change: 2, event: .resolve, receiver: key ?? page.receiver, step: 0),
      atNs: nowNs - random.within(0...2000) * .millisecond)
    end.identity = page.identity
    end.event = .resolve
    end.list = page.bundle
    end.bundle = page.bundle != nil && page.receiver == ofList ? list : nil
    if random.chance(0.8) { end.answer = "200" } else { setOutcome(&end) }
    return end
  }
}

extension LocalPage {
  var text: String {
    "\(event.rawValue) \(step) to \(receiver) \(messageID) of \(dedupKey), bundle \(bundle ?? "-"), list \(list ?? "-"), "
      + "attempts \(attempts), \(answer ?? (isOver ? "over" : "begun"))"
  }
}
