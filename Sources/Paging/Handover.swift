package import FleetModel
package import Incidents
package import SiteConfiguration

/// Decides what is paged from memory because the database has not confirmed it, and hands it over to the database's rows afterwards.
///
/// A dead man's switch: it need not find out what is wrong with the database. Every change is taken here first; one that is not
/// confirmed within `patienceNs` is paged to the steps of its policy as they come due. Message ids are those of the rows that will
/// be written.
///
/// Of each change either this state machine or the outbox's rows send messages, never both. Three watermarks over the numbers of the
/// changes, each at most the one before it, say which:
/// - committed: the rows are in the database. They are *reserved*: no collector claims them.
/// - released: nothing more is sent from memory, and every message that was begun is reported.
/// - reconciled: the reports are in the rows, which may be claimed from then on.
///
/// Pure: events in, actions out; time and chance come in as values.
package struct Handover {
  package enum Limits {
    /// Changes that wait for the database, about 1 KiB each; what is more is counted and refused.
    package static let heldMax = 20_000
    /// A condition that comes and goes is paged so often from memory; the database's rules for flapping come after.
    static let returnsMax = 3
  }

  /// So long a change waits for the database before it is paged from memory.
  package static let patienceNs: Int64 = 2_000_000_000
  static let minuteNs: Int64 = 60_000_000_000
  /// A request that could not be begun is tried again after this.
  static let notBegunNs: Int64 = 1_000_000_000

  /// A moment on both clocks.
  package struct Moment: Sendable {
    /// ns since 1970.
    package var wallNs: Int64
    /// CLOCK_MONOTONIC, ns.
    package var monotonicNs: Int64

    package init(wallNs: Int64, monotonicNs: Int64) {
      self.wallNs = wallNs
      self.monotonicNs = monotonicNs
    }
  }

  /// What the database last had that decides about pages.
  package struct Knowledge: Sendable, Equatable {
    /// What mutes incidents.
    package var muting = Muting()
    /// Turns that somebody takes over.
    package var overrides: [OnCallOverride] = []
    /// Until when receivers asked to be sent nothing, ns since 1970, by their names.
    package var pauses: [String: Int64] = [:]

    package init(muting: Muting = Muting(), overrides: [OnCallOverride] = [], pauses: [String: Int64] = [:]) {
      self.muting = muting
      self.overrides = overrides
      self.pauses = pauses
    }
  }

  package enum Event: Sendable {
    case changes([IncidentChange])
    /// What an earlier process had kept: it may have been paged.
    case restored([IncidentChange])
    /// The database has everything up to a number.
    case committed(through: UInt64)
    /// The rows have everything that was reported up to a release's number.
    case reconciled(release: UInt64)
    case known(Knowledge)
    case configured(PagingConfiguration)
    /// Until when the receiver asked to be sent nothing, where it did; ns since 1970.
    case answered(tag: Int, DeliveryOutcome, closedUntilNs: Int64?)
    /// The request of a `send` could not be begun.
    case notBegun(tag: Int)
    /// The process ends: nothing more is begun.
    case stopping
  }

  package enum Action: Sendable, Equatable {
    /// Changes for the database, in order.
    case write([NumberedChange])
    /// So many changes are beyond the limit: they are written and not paged from memory.
    case refused(Int)
    /// To be kept safe before any message of the same turn is sent: what is paged from memory from now on, what is being sent, and what
    /// receivers have taken.
    case keep([IncidentChange], [LocalPage])
    case send(tag: Int, Delivery)
    case release(Release)
    /// The database has everything: what was kept is not needed any more.
    case clearKept
  }

  /// How a planned message stands.
  struct Page {
    enum State: Equatable {
      case waiting(nextNs: Int64)
      case inFlight(sinceNs: Int64)
      case delivered(answer: String, atNs: Int64)
      /// Not sent again; an attempt without an answer may have been received.
      case cancelled
      case refused
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
    /// To the fallback, in place of a receiver that did not take it.
    var isInstead = false

    var isUnsettled: Bool {
      switch state {
      case .waiting, .inFlight: true
      case .delivered, .cancelled, .refused: false
      }
    }

    private var deliveryState: DeliveryState {
      switch state {
      case .waiting, .inFlight: .waiting
      case .delivered: .delivered
      case .cancelled: .cancelled
      case .refused: .refused
      }
    }

    var mayHaveBeenReceived: Bool { deliveryState.mayHaveBeenReceived(attempts: attempts) }
  }

  /// A change that is not handed over yet.
  struct Held {
    /// Who sends its messages.
    enum Phase {
      /// The database, if it confirms in time.
      case pending(sinceNs: Int64)
      /// This state machine; no pages where it is muted.
      case memory([Page])
      /// The database, once these are answered.
      case draining([Page])
    }

    let number: UInt64
    let change: IncidentChange
    /// When it was taken, ns since 1970.
    let takenNs: Int64
    var phase: Phase
    /// Of an end: what it ends, where that was held when it came, and its number.
    var opened: IncidentChange?
    var openedNumber: UInt64?
    /// When its end was taken, ns since 1970.
    var endedNs: Int64?

    /// What its messages are about: an end speaks of its beginning.
    var subject: IncidentChange { opened ?? change }

    var pages: [Page] {
      get {
        switch phase {
        case .pending: []
        case .memory(let pages), .draining(let pages): pages
        }
      }
      set {
        switch phase {
        case .pending: break
        case .memory: phase = .memory(newValue)
        case .draining: phase = .draining(newValue)
        }
      }
    }
    var isPending: Bool { if case .pending = phase { true } else { false } }
    /// Paged from here.
    var isOwned: Bool { if case .memory = phase { true } else { false } }
    var isCommitted: Bool { if case .draining = phase { true } else { false } }
    var isInFlight: Bool { pages.contains { if case .inFlight = $0.state { true } else { false } } }
  }

  /// What makes two changes the same one.
  private struct Known: Hashable {
    let identity: String
    let eventNs: Int64
    let isEnd: Bool

    init(_ change: IncidentChange) {
      identity = change.identity
      eventNs = change.eventNs
      isEnd = change.kind == .cleared
    }
  }

  struct PageReference: Sendable, Equatable {
    var held: UInt64
    var messageID: String
  }

  struct InFlight {
    var pages: [PageReference]
    var delivery: Delivery
    /// How each page was listed before, for a request that could not be begun.
    var bundles: [String?]
  }

  private(set) var configuration: PagingConfiguration
  private(set) var policy: PagingPolicy
  private var overrides: [OnCallOverride] = []
  /// As the database had it, and by what was taken since.
  private(set) var muting = Muting()
  var held: [Held] = []
  private var known: Set<Known> = []
  /// The newest change of each identity: an end ends what came right before it.
  private var newest: [String: (number: UInt64, isEnd: Bool)] = [:]
  /// Numbers of what is held, by identity: beginnings.
  private(set) var beginnings: [String: [UInt64]] = [:]
  var inFlight: [Int: InFlight] = [:]
  var nextTag = 1
  private var nextNumber: UInt64 = 1
  /// What each receiver took within the last minute and what counts against its limit, ns since 1970.
  var delivered: [String: [(atNs: Int64, isPageList: Bool)]] = [:]
  /// Until when receivers asked to be sent nothing, ns since 1970.
  var closedUntilNs: [String: Int64] = [:]
  /// How many incidents each list of pages named.
  var lists: [String: Int] = [:]
  /// Of an earlier process: messages that were begun or taken.
  private(set) var remembered: [String: LocalPage] = [:]

  package private(set) var committed: UInt64 = 0
  private var released: UInt64 = 0
  /// Number of the last release, and of the last one that is in the rows.
  private var releases: UInt64 = 0
  private var reconciledReleases: UInt64 = 0
  /// Answers to what was reported without one.
  var late: [LocalPage] = []
  private var isKept = false
  private var isStopping = false

  /// - Parameters:
  ///   - pages: of an earlier process, oldest first, as it had them kept.
  ///   - isKept: an earlier process has left something.
  package init(_ configuration: PagingConfiguration, pages: [LocalPage] = [], isKept: Bool = false) {
    self.configuration = configuration
    policy = configuration.policy
    self.isKept = isKept
    // Begun and then taken: the last record counts.
    for page in pages where page.answer != nil || remembered[page.messageID]?.answer == nil {
      remembered[page.messageID] = page
    }
    for bundle in remembered.values.compactMap(\.bundle) { lists[bundle, default: 0] += 1 }
  }

  /// Number of the last change.
  package var taken: UInt64 { nextNumber - 1 }
  /// Changes that are held.
  package var count: Int { held.count }
  /// Some receiver's answer is awaited.
  package var isSending: Bool { !inFlight.isEmpty }
  package var unconfirmed: Int { held.count { !$0.isCommitted } }
  /// Changes without a decision on paging that the database does not have: to be kept where the process ends.
  package var undecided: [IncidentChange] { held.filter(\.isPending).map(\.change) }

  /// What was sent from memory about everything that is held.
  package var everythingReported: [LocalPage] { held.flatMap { reported($0) + rememberedOnly(of: $0) } }

  // MARK: Turns

  /// What follows from events, oldest first, and from the time. To be called at least every few hundred milliseconds.
  /// - Returns: to be carried out in this order.
  package mutating func turn(_ events: [Event], at now: Moment) -> [Action] {
    var actions: [Action] = []
    var taken: [LocalPage] = []
    for event in events {
      switch event {
      case .changes(let changes): take(changes, now, takenNs: now.monotonicNs, &actions)
      case .restored(let changes): take(changes, now, takenNs: now.monotonicNs - Self.patienceNs, &actions)
      case .committed(let number): committed = max(committed, number)
      case .reconciled(let release): reconciledReleases = max(reconciledReleases, release)
      case .known(let knowledge): take(knowledge)
      case .configured(let configuration): configure(configuration)
      case .answered(let tag, let outcome, let closedUntilNs):
        taken += settle(tag, outcome, closedUntilNs, now.wallNs)
      case .notBegun(let tag): putBack(tag, now.wallNs)
      case .stopping: isStopping = true
      }
    }
    if let release = release() { actions.append(.release(release)) }
    let planned = isStopping ? [] : plan(now)
    let sends = isStopping ? [] : begin(nowNs: now.wallNs)
    let pages = taken + sends.flatMap(begun)
    if !planned.isEmpty || !pages.isEmpty {
      actions.append(.keep(planned, pages))
      isKept = true
    }
    actions += sends
    if isKept, held.isEmpty, reconciledReleases >= releases {
      isKept = false
      actions.append(.clearKept)
    }
    return actions
  }

  private mutating func configure(_ configuration: PagingConfiguration) {
    self.configuration = configuration
    self.configuration.take(overrides)
    policy = self.configuration.policy
  }

  /// The changes that the database has not confirmed follow what it had.
  private mutating func take(_ knowledge: Knowledge) {
    muting = knowledge.muting
    for one in held where !one.isCommitted { updateMuting(for: one.change, endedNs: one.takenNs) }
    closedUntilNs.merge(knowledge.pauses, uniquingKeysWith: max)
    overrides = knowledge.overrides
    configure(configuration)
  }

  /// An incident may mute others from its beginning to shortly after its end, also once the database has both.
  private mutating func updateMuting(for change: IncidentChange, endedNs: Int64) {
    guard let host = change.hostNumber else { return }
    if change.kind == .cleared { muting.end(identity: change.identity, on: host, atNs: endedNs) }
    if let cause = MuteCause(change) { muting.add(cause, on: host) }
  }

  private mutating func take(
    _ changes: [IncidentChange], _ now: Moment, takenNs: Int64, _ actions: inout [Action]
  ) {
    var refused = 0
    var numbered: [NumberedChange] = []
    for change in changes {
      // A collector that was started again has what it kept, and agents send again what was not confirmed to them.
      if known.contains(Known(change)) {
        numbered.append(NumberedChange(number: nextNumber - 1, change: change, takenNs: takenNs))
        continue
      }
      if held.count < Limits.heldMax {
        known.insert(Known(change))
        updateMuting(for: change, endedNs: now.wallNs)
        if change.kind == .opened { beginnings[change.identity, default: []].append(nextNumber) }
        var one = Held(
          number: nextNumber, change: change, takenNs: now.wallNs, phase: .pending(sinceNs: now.monotonicNs))
        if change.kind == .cleared, let before = newest[change.identity], !before.isEnd,
          let index = index(of: before.number)
        {
          (one.opened, one.openedNumber) = (held[index].change, before.number)
        }
        newest[change.identity] = (nextNumber, change.kind == .cleared)
        held.append(one)
        nextNumber += 1
      } else {
        refused += 1
      }
      // What is beyond the limit shares the last number: it is confirmed with it.
      numbered.append(NumberedChange(number: nextNumber - 1, change: change, takenNs: takenNs))
    }
    if !numbered.isEmpty { actions.append(.write(numbered)) }
    if refused > 0 { actions.append(.refused(refused)) }
  }

  // MARK: Release

  /// From the commit on nothing is begun: what was begun is reported, what is answered later is reported later.
  private mutating func release() -> Release? {
    var pages = late
    late = []
    for index in held.indices where held[index].number <= committed && !held[index].isCommitted {
      pages += reported(held[index]) + rememberedOnly(of: held[index])
      held[index].phase = .draining(held[index].pages)
    }
    forget()
    guard !pages.isEmpty || committed > released else { return nil }
    released = committed
    releases += 1
    return Release(number: releases, through: released, pages: pages, pauses: closedUntilNs)
  }

  private mutating func forget() {
    let before = held.count
    held.removeAll { $0.isCommitted && !$0.isInFlight }
    if held.count == before { return }
    known = Set(held.lazy.map { Known($0.change) })
    newest = [:]
    for one in held { newest[one.change.identity] = (one.number, one.change.kind == .cleared) }
    if held.isEmpty { (remembered, lists) = ([:], [:]) }
    beginnings = [:]
    for one in held where one.change.kind == .opened {
      beginnings[one.change.identity, default: []].append(one.number)
    }
  }

  /// What was sent, and is being sent, about a change.
  func reported(_ held: Held) -> [LocalPage] {
    let subject = held.subject
    return held.pages.compactMap { page in
      var report = LocalPage(
        dedupKey: subject.dedupKey, receiver: page.receiver, messageID: page.messageID, atNs: held.takenNs)
      report.identity = subject.identity
      (report.event, report.step, report.attempts) = (page.event, page.step, page.attempts)
      (report.bundle, report.list, report.reached) = (page.bundle, page.list, page.reached)
      switch page.state {
      case .delivered(let answer, let atNs): (report.answer, report.atNs) = (answer, atNs)
      case .inFlight(let sinceNs): report.atNs = sinceNs
      case .cancelled: report.isOver = true
      // Of what was refused the rows ask once more: they know whether the fallback is to be paged.
      case .waiting, .refused: break
      }
      return page.attempts > 0 || report.answer != nil ? report : nil
    }
  }

  /// What an earlier process sent about a change for which this one has planned nothing.
  private func rememberedOnly(of held: Held) -> [LocalPage] {
    if remembered.isEmpty { return [] }
    let key = held.subject.dedupKey
    let known = Set(held.pages.map(\.messageID))
    return remembered.values.filter { page in
      page.dedupKey == key && !known.contains(page.messageID)
        && (page.event == .resolve) == (held.change.kind == .cleared)
    }.sorted { $0.messageID < $1.messageID }
  }

  func index(of number: UInt64) -> Int? {
    var (low, high) = (0, held.count)
    while low < high {
      let middle = (low + high) / 2
      if held[middle].number < number { low = middle + 1 } else { high = middle }
    }
    return low < held.count && held[low].number == number ? low : nil
  }

  func beginning(of end: Held) -> Int? { end.openedNumber.flatMap(index) }
}
