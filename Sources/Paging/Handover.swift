package import FleetModel
package import Incidents
package import SiteConfiguration

/// Decides which changes are paged from memory because the database has not confirmed them, and hands them over to the
/// outbox's rows afterwards.
///
/// It works without a diagnosis of the database: every change passes here first, and one that is not confirmed within
/// `patienceNs` is paged to the steps of its policy as they fall due. Message ids are those that the rows will have, so
/// that a receiver can recognise a message that is sent from both sides.
///
/// Messages of a change are sent either by this state machine or by the outbox's rows. Three watermarks over the
/// numbers of the changes, each at most the one before it, separate the two:
/// - committed: the rows are in the database. They are *reserved*: no collector claims them.
/// - released: nothing more is sent from memory, and every message that was begun has been reported.
/// - reconciled: the reports are recorded in the rows, which may be claimed from then on.
///
/// Pure: events in, actions out; time and chance are parameters.
package struct Handover {
  package enum Limits {
    /// Changes held, about 1 KiB each; those beyond it are counted, written, and not paged from memory.
    package static let heldMax = 20_000
    /// A condition that keeps returning is paged so often from memory; the store applies its limits for flapping
    /// afterwards.
    static let returnsMax = 3
  }

  /// How long a change waits for the database before it is paged from memory.
  package static let patienceNs: Int64 = 2_000_000_000
  static let minuteNs: Int64 = 60_000_000_000
  /// A request that could not be begun is tried again after this.
  static let notBegunNs: Int64 = 1_000_000_000

  /// One moment on both clocks.
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

  /// What was last read from the database that decides about pages.
  package struct Knowledge: Sendable, Equatable {
    /// What mutes incidents.
    package var muting = Muting()
    /// Overrides in force or ahead.
    package var overrides: [OnCallOverride] = []
    /// Ends of the pauses that receivers asked for, ns since 1970, by receiver.
    package var pauses: [String: Int64] = [:]

    package init(muting: Muting = Muting(), overrides: [OnCallOverride] = [], pauses: [String: Int64] = [:]) {
      self.muting = muting
      self.overrides = overrides
      self.pauses = pauses
    }
  }

  package enum Event: Sendable {
    case changes([IncidentChange])
    /// Changes in the journal of an earlier process, which may have paged them.
    case restored([IncidentChange])
    /// Changes up to a number are committed.
    case committed(through: UInt64)
    /// The reports of the releases up to a number are recorded in the rows.
    case reconciled(release: UInt64)
    case known(Knowledge)
    case configured(PagingConfiguration)
    /// The outcome of a `send`, with the end of the pause that the receiver asked for, ns since 1970.
    case answered(tag: Int, DeliveryOutcome, closedUntilNs: Int64?)
    /// The request of a `send` could not be begun.
    case notBegun(tag: Int)
    /// The process ends: no further message is begun.
    case stopping
  }

  package enum Action: Sendable, Equatable {
    /// Changes to be written to the database, in order.
    case write([NumberedChange])
    /// Number of changes beyond `Limits.heldMax`, which are written and not paged from memory.
    case refused(Int)
    /// To be synced to the journal before any message of the same turn is sent: changes that are paged from memory from
    /// now on, messages that are being sent, and messages that receivers accepted. Without it a restart would page
    /// again.
    case keep([IncidentChange], [LocalPage])
    case send(tag: Int, Delivery)
    case release(Release)
    /// Everything is committed and reconciled: the journal is to be emptied.
    case clearKept
  }

  /// A planned message and its state.
  struct Page {
    enum State: Equatable {
      case waiting(nextNs: Int64)
      case inFlight(sinceNs: Int64)
      case delivered(answer: String, atNs: Int64)
      /// Not sent again. An attempt without an answer may have been received.
      case cancelled
      case refused
    }

    var receiver: String
    var event: Delivery.Event
    var step: Int16
    var messageID: String
    var state: State
    var attempts = 0
    /// The list that it was sent in.
    var bundle: String?
    /// The list that paged the incident, where this is its news.
    var list: String?
    /// Addresses of a mail that accepted an earlier attempt.
    var reached: [String] = []
    /// To the fallback, because of a refusal or failures of another receiver.
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

  /// A change whose hand-over is not complete.
  struct Held {
    /// Which side sends its messages.
    enum Phase {
      /// The rows, if the database confirms in time.
      case pending(sinceNs: Int64)
      /// This state machine; without pages where the change is muted.
      case memory([Page])
      /// The rows, once these messages are answered.
      case draining([Page])
    }

    let number: UInt64
    let change: IncidentChange
    /// When it was received here, ns since 1970.
    let takenNs: Int64
    var phase: Phase
    /// Of an end: the beginning that it ends and its number, where that was held when the end was received.
    var opened: IncidentChange?
    var openedNumber: UInt64?
    /// When its end was received here, ns since 1970.
    var endedNs: Int64?

    /// The change that its messages describe: of an end, its beginning.
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
    /// This state machine sends its messages.
    var isOwned: Bool { if case .memory = phase { true } else { false } }
    var isCommitted: Bool { if case .draining = phase { true } else { false } }
    var isInFlight: Bool { pages.contains { if case .inFlight = $0.state { true } else { false } } }
  }

  /// Two changes with equal values are repetitions of one.
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
    /// Each page's list before this attempt, restored where the request could not be begun.
    var bundles: [String?]
  }

  private(set) var configuration: PagingConfiguration
  private(set) var policy: PagingPolicy
  private var overrides: [OnCallOverride] = []
  /// As last read from the database, updated by the changes received since.
  private(set) var muting = Muting()
  var held: [Held] = []
  private var known: Set<Known> = []
  /// The newest change of each identity: an end refers to the change right before it.
  private var newest: [String: (number: UInt64, isEnd: Bool)] = [:]
  /// Numbers of the beginnings that are held, by identity.
  private(set) var beginnings: [String: [UInt64]] = [:]
  var inFlight: [Int: InFlight] = [:]
  var nextTag = 1
  private var nextNumber: UInt64 = 1
  /// Messages that each receiver accepted within the last minute and that count against its limit; ns since 1970.
  var delivered: [String: [(atNs: Int64, isPageList: Bool)]] = [:]
  /// Ends of the pauses that receivers asked for, ns since 1970.
  var closedUntilNs: [String: Int64] = [:]
  /// Number of incidents of each list of pages.
  var lists: [String: Int] = [:]
  /// Messages that an earlier process began or delivered, by message id.
  private(set) var remembered: [String: LocalPage] = [:]

  package private(set) var committed: UInt64 = 0
  private var released: UInt64 = 0
  /// Number of the last release, and of the last one that is reconciled.
  private var releases: UInt64 = 0
  private var reconciledReleases: UInt64 = 0
  /// Answers to messages that were released without one, for the next release.
  var late: [LocalPage] = []
  private var isKept = false
  private var isStopping = false

  /// - Parameters:
  ///   - pages: from the journal of an earlier process, oldest first.
  ///   - isKept: whether the journal holds records.
  package init(_ configuration: PagingConfiguration, pages: [LocalPage] = [], isKept: Bool = false) {
    self.configuration = configuration
    policy = configuration.policy
    self.isKept = isKept
    // A message that was begun and then delivered has two records; the answered one counts.
    for page in pages where page.answer != nil || remembered[page.messageID]?.answer == nil {
      remembered[page.messageID] = page
    }
    for bundle in remembered.values.compactMap(\.bundle) { lists[bundle, default: 0] += 1 }
  }

  /// Number of the last change.
  package var taken: UInt64 { nextNumber - 1 }
  /// Number of changes held.
  package var count: Int { held.count }
  /// Whether an answer of a receiver is outstanding.
  package var isSending: Bool { !inFlight.isEmpty }
  package var unconfirmed: Int { held.count { !$0.isCommitted } }
  /// Changes that are neither committed nor paged from memory: to be written to the journal where the process ends.
  package var undecided: [IncidentChange] { held.filter(\.isPending).map(\.change) }

  /// Messages sent from memory about all changes held.
  package var everythingReported: [LocalPage] { held.flatMap { reported($0) + rememberedOnly(of: $0) } }

  // MARK: Turns

  /// Applies events, oldest first, and the time. To be called at least every few hundred milliseconds.
  /// - Returns: actions, to be carried out in this order.
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

  /// Takes over what was read from the database, and applies the changes that are not committed to it.
  private mutating func take(_ knowledge: Knowledge) {
    muting = knowledge.muting
    for one in held where !one.isCommitted { updateMuting(for: one.change, endedNs: one.takenNs) }
    closedUntilNs.merge(knowledge.pauses, uniquingKeysWith: max)
    overrides = knowledge.overrides
    configure(configuration)
  }

  /// Adds or ends the cause that a change stands for. It stays after the commit, because an incident mutes others until
  /// shortly after its end.
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
      // A restarted collector has the changes of its journal, and agents send again the batches that were not
      // acknowledged: the same change comes twice.
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
      // A change beyond the limit is written under the last number and confirmed with it.
      numbered.append(NumberedChange(number: nextNumber - 1, change: change, takenNs: takenNs))
    }
    if !numbered.isEmpty { actions.append(.write(numbered)) }
    if refused > 0 { actions.append(.refused(refused)) }
  }

  // MARK: Release

  /// Releases committed changes: no further message about them is begun, messages without an answer are reported as
  /// begun, and their answers follow in later releases.
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

  /// Messages about a change that were sent or are being sent.
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
      // A refused message is sent once more by its row, which also pages the fallback.
      case .waiting, .refused: break
      }
      return page.attempts > 0 || report.answer != nil ? report : nil
    }
  }

  /// Messages of an earlier process about a change for which this one has planned none.
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
