package import FleetModel
package import Outbound
package import Incidents
package import SiteConfiguration

/// Pages from memory what the database has not confirmed in time, because it is away, slow or stopped.
///
/// A dead man's switch: it need not find out what is wrong with the database. Every change is taken here first; one that is not
/// confirmed within `patienceNs` is paged to the steps of its policy as they come due. Message ids are those of the rows that will
/// be written, so that the row of a page that went out is settled, not sent. Confined to one thread; time is passed in.
package final class LocalPager {
  package enum Limits {
    /// Changes that wait for the database, about 1 KiB each; what is more is counted and refused.
    package static let heldMax = 20_000
    /// A condition that comes and goes is paged so often from memory; the database's rules for flapping come after.
    static let returnsMax = 3
  }

  /// So long a change waits for the database before it is paged from memory.
  package static let patienceNs: Int64 = 2_000_000_000

  enum Times {
    static let answerMs = 10_000
    static let minuteNs: Int64 = 60_000_000_000
  }

  struct Page {
    enum State: Equatable {
      case waiting(nextNs: Int64)
      case inFlight(sinceNs: Int64)
      case delivered(answer: String, atNs: Int64)
      /// Not sent again; an attempt without an answer may have been received.
      case cancelled
      case over
    }

    var receiver: String
    var event: Delivery.Event
    var step: Int16
    var messageID: String
    var state: State
    var attempts = 0
    /// The list with which it was sent.
    var bundle: String?
    /// The list that it is news of.
    var list: String?
    /// Addresses of a mail that have taken it already.
    var reached: [String] = []

    var isUnsettled: Bool {
      switch state {
      case .waiting, .inFlight: true
      case .delivered, .cancelled, .over: false
      }
    }

    var mayHaveBeenHeard: Bool {
      let delivery: DeliveryState =
        switch state {
        case .waiting, .inFlight: .waiting
        case .delivered: .delivered
        case .cancelled: .cancelled
        case .over: .refused
        }
      return delivery.mayHaveBeenReceived(attempts: attempts)
    }
  }

  struct Held {
    let number: UInt64
    let change: IncidentChange
    let takenNs: Int64
    let takenWallNs: Int64
    /// nil until its patience is over.
    var pages: [Page]?
    /// When an end came after it, ns since 1970.
    var clearedNs: Int64?
    var isCleared: Bool { clearedNs != nil }
    var isConfirmed = false
  }

  struct PageReference: Sendable, Equatable {
    var held: UInt64
    var messageID: String
  }

  struct InFlight {
    var pages: [PageReference]
    var receiver: Receiver
    var delivery: Delivery
  }

  package var configuration: PagingConfiguration {
    didSet {
      configuration.take(overrides)
      policy = configuration.policy
    }
  }
  private(set) var policy: PagingPolicy
  /// Turns that somebody takes over, as the database last had them.
  package var overrides: [OnCallOverride] = [] {
    didSet { configuration.take(overrides) }
  }
  /// What mutes: as last read from the database, and by what was taken since.
  private var muting = Muting()
  let transfers: Transfers
  let chance: () -> Double
  var held: [Held] = []
  /// Numbers of what is held, by identity: beginnings.
  private var beginnings: [String: [UInt64]] = [:]
  var inFlight: [Int: InFlight] = [:]
  private var nextNumber: UInt64 = 1
  var nextTag = 1
  /// What each receiver took within the last minute and what counts against its limit, ns since 1970.
  var delivered: [String: [(atNs: Int64, isPageList: Bool)]] = [:]
  var pauses = ReceiverPauses()
  /// Until when receivers asked to be sent nothing, ns since 1970, by their names: of this process, and as last read from the database.
  package var pausedUntilNs: [String: Int64] { pauses.untilNs }
  /// How many incidents each list of pages named.
  var lists: [String: Int] = [:]
  var reports: [LocalPage] = []
  /// Of an earlier process: messages that were taken.
  private var remembered: [String: LocalPage] = [:]

  package init(_ configuration: PagingConfiguration, chance: @escaping () -> Double) throws(OutboundError) {
    self.configuration = configuration
    policy = configuration.policy
    self.chance = chance
    transfers = try Transfers()
  }

  // MARK: Changes

  /// - Returns: how many of them were taken, from the first on, and the number of the first.
  package func take(
    _ changes: [IncidentChange], nowNs: Int64, monotonicNs: Int64
  ) -> (first: UInt64, count: Int) {
    let first = nextNumber
    let count = min(changes.count, max(0, Limits.heldMax - held.count))
    for change in changes.prefix(count) {
      note(change, endedNs: nowNs)
      if change.kind == .opened { beginnings[change.identity, default: []].append(nextNumber) }
      held.append(Held(number: nextNumber, change: change, takenNs: monotonicNs, takenWallNs: nowNs))
      nextNumber += 1
    }
    return (first, count)
  }

  /// Replaces what mutes by what the database has; the changes that it has not confirmed follow.
  package func take(_ muting: Muting) {
    self.muting = muting
    for one in held where !one.isConfirmed { note(one.change, endedNs: one.takenWallNs) }
  }

  /// Pauses that receivers asked for of whoever delivered to them.
  package func take(pauses others: [String: Int64]) { pauses.take(others) }

  /// An incident may mute others from its beginning to shortly after its end, also once the database has both.
  private func note(_ change: IncidentChange, endedNs: Int64) {
    guard let host = change.hostNumber else { return }
    if change.kind == .cleared { muting.end(identity: change.identity, on: host, atNs: endedNs) }
    if let cause = MuteCause(change) { muting.add(cause, on: host) }
  }

  /// What an earlier process of this collector had sent.
  package func remember(_ pages: [LocalPage]) {
    for page in pages {
      remembered[page.messageID] = page
      if let bundle = page.bundle { lists[bundle, default: 0] += 1 }
    }
  }

  /// The database has everything up to a number: its rows say what happens next.
  package func confirm(through number: UInt64) {
    for index in held.indices where held[index].number <= number && !held[index].isConfirmed {
      held[index].isConfirmed = true
      reports += pagesTold(held[index]).filter { $0.answer != nil }
    }
    forget()
  }

  func forget() {
    let before = held.count
    held.removeAll { held in
      held.isConfirmed
        && !(held.pages ?? []).contains { if case .inFlight = $0.state { true } else { false } }
    }
    if held.count == before { return }
    if held.isEmpty { (remembered, lists) = ([:], [:]) }
    beginnings = [:]
    for one in held where one.change.kind == .opened {
      beginnings[one.change.identity, default: []].append(one.number)
    }
  }

  func index(of number: UInt64) -> Int? {
    var (low, high) = (0, held.count)
    while low < high {
      let middle = (low + high) / 2
      if held[middle].number < number { low = middle + 1 } else { high = middle }
    }
    return low < held.count && held[low].number == number ? low : nil
  }

  package var count: Int { held.count }
  /// Some receiver's answer is awaited.
  package var isSending: Bool { !inFlight.isEmpty }
  package var unconfirmed: Int { held.reduce(0) { $0 + ($1.isConfirmed ? 0 : 1) } }

  /// What was sent, and is being sent, about changes that the database does not have yet.
  package var told: [LocalPage] {
    let told = held.flatMap(pagesTold)
    if remembered.isEmpty { return told }
    let known = Set(told.map(\.messageID))
    return told + remembered.values.filter { !known.contains($0.messageID) }.sorted { $0.messageID < $1.messageID }
  }

  /// Changes without a decision on paging that the database does not have.
  package var unplanned: [IncidentChange] { held.filter { $0.pages == nil && !$0.isConfirmed }.map(\.change) }

  func pagesTold(_ held: Held) -> [LocalPage] {
    (held.pages ?? []).compactMap { page in
      var told = LocalPage(
        dedupKey: subject(held).dedupKey, receiver: page.receiver, messageID: page.messageID, atNs: held.takenWallNs)
      told.bundle = page.bundle
      told.reached = page.reached
      switch page.state {
      case .delivered(let answer, let atNs): (told.answer, told.atNs) = (answer, atNs)
      case .inFlight(let sinceNs): told.atNs = sinceNs
      // Attempts that were not taken, as far as anybody knows.
      case .waiting, .cancelled, .over: if page.attempts == 0 { return nil }
      }
      return told
    }
  }

  /// Messages that were taken and whose rows are there by now.
  package func takeReports() -> [LocalPage] {
    defer { reports = [] }
    return reports
  }

  // MARK: Pages

  /// Plans what has waited too long. To be kept safe before `begin` is called.
  /// - Returns: what became due for paging from memory just now.
  package func plan(nowNs: Int64, monotonicNs: Int64) -> [IncidentChange] {
    var news: [IncidentChange] = []
    for index in held.indices {
      let one = held[index]
      guard one.pages == nil, !one.isConfirmed, monotonicNs - one.takenNs >= Self.patienceNs else { continue }
      news.append(one.change)
      switch one.change.kind {
      case .opened: held[index].pages = isMuted(one, nowNs) ? [] : beginning(one)
      case .cleared: held[index].pages = []
      }
    }
    return news
  }

  private func beginning(_ held: Held) -> [Page] {
    policy.deliveries(held.change.severity, held.takenWallNs).filter { !$0.isDigest }.map { planned in
      let id = PageID.of(
        dedupKey: held.change.dedupKey, change: 1, event: planned.event, receiver: planned.receiver, step: planned.step)
      var page = Page(
        receiver: planned.receiver, event: planned.event, step: planned.step, messageID: id,
        state: .waiting(nextNs: planned.dueNs))
      if let told = remembered[id] {
        page.state = .delivered(answer: told.answer ?? "", atNs: told.atNs)
        page.bundle = told.bundle
      }
      return page
    }
  }

  /// Nobody is paged: observed, muted, or it has come back too often.
  private func isMuted(_ held: Held, _ nowNs: Int64) -> Bool {
    let change = held.change
    if change.isObserved { return true }
    let earlier = (beginnings[change.identity] ?? []).filter { $0 < held.number }
    return earlier.count >= Limits.returnsMax || muting.reason(for: MuteSubject(change), nowNs: nowNs) != nil
  }

  /// Ends: what was not sent yet is not sent any more, and each receiver that has the page is sent the end.
  func clear(_ nowNs: Int64) {
    for index in held.indices where held[index].change.kind == .cleared && held[index].pages != nil {
      guard !held[index].isCleared, let opened = beginning(of: held[index]) else { continue }
      let endedNs = held[index].takenWallNs
      held[opened].clearedNs = endedNs
      var pages = held[opened].pages ?? []
      for number in pages.indices where pages[number].attempts == 0 || pages[number].event == .escalate {
        guard case .waiting = pages[number].state else { continue }
        pages[number].state = pages[number].attempts == 0 ? .over : .cancelled
      }
      held[opened].pages = pages
      // An end comes after everything else; whom the fallback stands in for may be anybody.
      var busy = Set(pages.filter(\.isUnsettled).map(\.receiver))
      if !busy.isEmpty, let fallback = configuration.fallback { busy.insert(fallback) }
      held[index].clearedNs = busy.isEmpty ? endedNs : nil
      let told = Dictionary(
        grouping: pages.filter { $0.mayHaveBeenHeard && !busy.contains($0.receiver) }, by: \.receiver)
      for (receiver, pages) in told.sorted(by: { $0.key < $1.key }) {
        let isSingle = pages.contains { $0.bundle == nil }
        if isSingle { tellEnd(index, of: held[opened].change.dedupKey, to: receiver, nil, key: receiver, nowNs) }
        for (place, list) in Set(pages.compactMap(\.bundle)).sorted().enumerated() where holdsAll(of: list) {
          let key = isSingle || place > 0 ? receiver + "|" + list : receiver
          tellEnd(index, of: held[opened].change.dedupKey, to: receiver, list, key: key, nowNs)
        }
      }
    }
  }

  /// Of a list that is not all here any more only the database knows how it stands: the row of its end is sent from there.
  private func holdsAll(of list: String) -> Bool {
    held.count { $0.change.kind == .opened && ($0.pages ?? []).contains { $0.bundle == list } } >= lists[list] ?? .max
  }

  /// - Parameter key: what stands for the receiver in the message's id, as `Store.routeNews` has it.
  private func tellEnd(
    _ index: Int, of dedupKey: String, to receiver: String, _ list: String?, key: String, _ nowNs: Int64
  ) {
    let id = PageID.of(dedupKey: dedupKey, change: 2, event: .resolve, receiver: key, step: 0)
    guard held[index].pages?.contains(where: { $0.messageID == id }) == false else { return }
    var end = Page(receiver: receiver, event: .resolve, step: 0, messageID: id, state: .waiting(nextNs: nowNs))
    end.list = list
    if let told = remembered[id] { end.state = .delivered(answer: told.answer ?? "", atNs: told.atNs) }
    held[index].pages?.append(end)
  }

  /// The incident's change: an end speaks of its beginning.
  func subject(_ held: Held) -> IncidentChange {
    guard held.change.kind == .cleared, let index = beginning(of: held) else { return held.change }
    return self.held[index].change
  }

  private func beginning(of end: Held) -> Int? {
    beginnings[end.change.identity]?.last { $0 < end.number }.flatMap(index)
  }
}
