internal import Files
internal import FleetModel
package import Outbound
package import Incidents
package import SiteConfiguration
package import Store

/// Delivers the rows of the outbox while it holds the lease `paging`.
///
/// Confined to one thread. It keeps no state of its own that matters: a row that was not settled, whatever the reason,
/// is claimed again by the holder of the lease and sent under the same message id.
package final class Dispatcher {
  /// A message that a receiver refused for good.
  package struct Refusal: Sendable, Equatable {
    package var receiver: String
    package var event: Delivery.Event
    /// Number of the incident, or of the first of a list; nil for none.
    package var incident: Int64?
    package var answer: String

    /// Whether the receiver may keep an alert open that nothing ends any more.
    package var leavesAlertOpen: Bool { event == .resolve }
  }

  /// What one turn did, for logs and metrics.
  package struct Report: Sendable {
    package var delivered = 0
    package var refused: [Refusal] = []
    package var retried: [String] = []
    package var audit: PagingAudit?
    /// Answers of an Alertmanager about its silences, or silences in them, that were not understood.
    package var silencesNotRead = 0
    /// What to log of them.
    package var silenceProblems: [String] = []
    package var becameHolder = false
    package var lostLease = false

    package init() {}
    package var isEmpty: Bool {
      delivered == 0 && refused.isEmpty && retried.isEmpty && !becameHolder && !lostLease
        && silencesNotRead == 0
        && (audit == nil || audit == PagingAudit())
    }
  }

  private enum Times {
    static let leaseSeconds = 10
    static let renewNs: Int64 = 3_000_000_000
    /// No message is begun so shortly before the end of the lease.
    static let marginNs: Int64 = 500_000_000
    /// How often a dispatcher without the lease asks for it.
    static let askNs: Int64 = 1_000_000_000
    static let auditNs: Int64 = 15_000_000_000
    /// Turns of a rotation are published for so long ahead, and so many of a schedule.
    static let turnsNs: Int64 = 56 * 86_400_000_000_000
    static let turnsMax = 64
    /// Deadline of one attempt.
    static let answerMs = 10_000
    /// Due rows are claimed so often without a notification.
    static let claimNs: Int64 = 500_000_000
    /// Rows that the former holder claimed are claimed again after this: it may be about to settle them.
    static let adoptNs: Int64 = 2_000_000_000
    /// After a time without the database, collectors that sent from memory have so long to report it before rows are
    /// claimed.
    static let reportNs: Int64 = 5_000_000_000
  }

  private struct InFlight {
    var delivery: Delivery
    var receiver: Receiver
    var lease: Lease
  }

  private struct Answered {
    var sent: InFlight
    var outcome: DeliveryOutcome
    /// End of the pause that the receiver asked for, ns since 1970.
    var pausedUntilNs: Int64?
  }

  package private(set) var configuration: PagingConfiguration
  private let holder: String
  private let transfers: Transfers
  /// 0…1, for the jitter between attempts.
  private let chance: () -> Double
  package private(set) var lease: Lease?
  private var inFlight: [Int: InFlight] = [:]
  /// Answers that are not settled yet, because the database did not answer.
  private var unsettled: [Answered] = []
  private var overridesVersion = ""
  /// nil while no console has announced its address.
  private var links: PageLinks?
  private var nextTag = 1
  private var leaseDueNs = Int64.min
  /// CLOCK_MONOTONIC, ns: after this another collector may hold the lease.
  private var leaseEndNs = Int64.min
  private var auditDueNs = Int64.min
  private var claimDueNs = Int64.min
  private var watchdogDueNs = Int64.min
  private var heartbeatDueNs = Int64.min
  /// When the last turn succeeded, CLOCK_MONOTONIC, ns.
  private var turnedNs = Clock.monotonicNs()
  private var reportsUntilNs = Int64.min
  private static let heartbeatTag = 0
  private var silences = SilenceWatch()
  private var refusedRoutine: [String: String] = [:]
  /// Rows whose answers the database refuses to store. Each is claimed again after the end of its claim; one that is
  /// not, because it was cancelled or another collector claims it, is dropped from here.
  private var refusedAnswers: [Int64: (reason: String, untilNs: Int64)] = [:]
  private static let refusedAnswerNs = 2 * IncidentLimits.claimSeconds * 1_000_000_000

  /// Steps that the database refuses, with its reason, until they succeed. The other steps run all the same.
  package var refusedSteps: [String: String] {
    var steps = refusedRoutine
    if let answer = refusedAnswers.min(by: { $0.key < $1.key }) { steps["settle"] = answer.value.reason }
    return steps
  }

  /// - Parameter holder: names this process among all collectors.
  package init(
    _ configuration: PagingConfiguration, holder: String, chance: @escaping () -> Double
  ) throws(OutboundError) {
    self.configuration = configuration
    self.holder = holder
    self.chance = chance
    transfers = try Transfers()
  }

  package func replace(_ configuration: PagingConfiguration) {
    self.configuration = configuration
    auditDueNs = .min
  }

  /// Waits for answers of receivers, for the descriptors, or for the time to pass. Needs no database.
  package func wait(maximumMs: Int, descriptors: [Int32], nowNs: Int64) {
    for (tag, result) in transfers.work(waitMs: maximumMs, descriptors: descriptors) {
      if silences.received(tag, result) { continue }
      guard let sent = inFlight.removeValue(forKey: tag) else { continue }
      let outcome = RetryRule.outcome(
        result, receiver: sent.receiver, attempts: sent.delivery.attempts, nowNs: nowNs, chance: chance(),
        isReached: !sent.delivery.reached.isEmpty)
      let pausedUntilNs = RetryRule.closedUntilNs(result, sent.receiver, nowNs: nowNs)
      let lasting = configuration.policy.lasting(outcome, of: sent.delivery, nowNs: nowNs)
      unsettled.append(Answered(sent: sent, outcome: lasting, pausedUntilNs: pausedUntilNs))
    }
  }

  /// One round: renew the lease, settle answers, audit, claim and send due rows.
  /// - Parameters:
  ///   - nowNs: wall clock, ns since 1970, for stored times.
  ///   - monotonicNs: CLOCK_MONOTONIC, ns, for timers of this thread.
  package func turn(_ store: Store, nowNs: Int64, monotonicNs: Int64, isWoken: Bool) throws(StoreError) -> Report {
    var report = Report()
    refusedAnswers = refusedAnswers.filter { $0.value.untilNs > monotonicNs }
    if monotonicNs - turnedNs > Times.reportNs {
      try store.extendClaims(from: nowNs - (monotonicNs - turnedNs), to: nowNs + Times.reportNs)
      reportsUntilNs = monotonicNs + Times.reportNs
    }
    turnedNs = monotonicNs
    do throws(StoreError) {
      try settleAll(store, nowNs, &report)
      try keepLease(store, nowNs, monotonicNs, &report)
      guard let lease else { return report }
      try routine(store, lease, nowNs, monotonicNs, &report)
      if isWoken { try step("overrides") { () throws(StoreError) in try refreshOverrides(store, nowNs) } }
      if isWoken || monotonicNs >= claimDueNs {
        claimDueNs = monotonicNs + Times.claimNs
        try step("claim") { () throws(StoreError) in try claim(store, lease, nowNs, monotonicNs) }
      }
    } catch .leaseLost {
      lose(&report)
    }
    return report
  }

  private func step(_ name: String, _ body: () throws(StoreError) -> Void) throws(StoreError) {
    do throws(StoreError) {
      try body()
      refusedRoutine[name] = nil
    } catch {
      guard error.isRefusal else { throw error }
      refusedRoutine[name] = error.description
    }
  }

  /// Releases the lease at the end, so that another collector can take it at once.
  package func end(_ store: Store) throws(StoreError) {
    if let lease { try store.releaseLease(lease) }
    lease = nil
  }

  /// The end of paging by configuration: who was on call is withdrawn with the lease, or it would be shown until another
  /// collector delivers pages. One that does publishes it again.
  package func withdraw(_ store: Store, nowNs: Int64) throws(StoreError) {
    if lease != nil { try store.publishOnCall([], nowNs: nowNs) }
    try end(store)
  }

  private func lose(_ report: inout Report) {
    report.lostLease = lease != nil
    lease = nil
    leaseDueNs = .min
  }

  private func keepLease(
    _ store: Store, _ nowNs: Int64, _ monotonicNs: Int64, _ report: inout Report
  ) throws(StoreError) {
    guard monotonicNs >= leaseDueNs else { return }
    leaseEndNs = Clock.monotonicNs() + Int64(Times.leaseSeconds) * 1_000_000_000 - Times.marginNs
    let taken = try store.takeLease("paging", holder: holder, seconds: Times.leaseSeconds)
    leaseDueNs = monotonicNs + (taken == nil ? Times.askNs : Times.renewNs)
    guard let taken else {
      if lease != nil { report.lostLease = true }
      lease = nil
      return
    }
    if lease?.fence != taken.fence {
      let waitNs = reportsUntilNs > monotonicNs ? reportsUntilNs - monotonicNs : 0
      try store.adoptDeliveries(taken, atNs: nowNs + max(Times.adoptNs, waitNs))
      report.becameHolder = true
      auditDueNs = .min
      claimDueNs = .min
    }
    lease = taken
  }

  private func settleAll(_ store: Store, _ nowNs: Int64, _ report: inout Report) throws(StoreError) {
    while let answered = unsettled.first {
      let (sent, outcome) = (answered.sent, answered.outcome)
      if let untilNs = answered.pausedUntilNs { try store.pause(sent.delivery.receiver, untilNs: untilNs) }
      if case .delivered = outcome, sent.delivery.event == .test, sent.receiver.keepsAlerts {
        try store.enqueue(.resolve, to: sent.delivery.receiver, detail: "test", nowNs: nowNs)
      }
      do throws(StoreError) {
        try settle(sent, outcome, store, nowNs)
      } catch .leaseLost {
        // The new holder of the lease sends it under the same id.
        unsettled.removeFirst()
        continue
      }
      unsettled.removeFirst()
      claimDueNs = .min
      switch outcome {
      case .delivered:
        report.delivered += 1
      case .refused(let answer):
        report.refused.append(
          Refusal(
            receiver: sent.delivery.receiver, event: sent.delivery.event,
            incident: sent.delivery.incidents.first.flatMap { $0.number > 0 ? $0.number : nil }, answer: answer))
      case .retry(_, let answer), .partial(_, _, let answer):
        report.retried.append("\(sent.delivery.receiver): \(answer)")
      }
    }
  }

  /// An answer that the database refuses must not block the following ones: it is settled without the receiver's text,
  /// or set aside, whereupon its row is claimed again after the end of its claim.
  private func settle(
    _ sent: InFlight, _ outcome: DeliveryOutcome, _ store: Store, _ nowNs: Int64
  ) throws(StoreError) {
    do throws(StoreError) {
      try store.settle(sent.delivery, outcome, sent.lease, policy: configuration.policy, nowNs: nowNs)
      for row in sent.delivery.rows { refusedAnswers[row] = nil }
    } catch {
      guard error.isRefusal else { throw error }
      try store.setAside(
        "\(outcome)", of: "signalbox.outbox", hostNumber: nil, because: error, nowNs: nowNs)
      try settleWithoutAnswerText(sent, outcome, store, nowNs)
    }
  }

  private func settleWithoutAnswerText(
    _ sent: InFlight, _ outcome: DeliveryOutcome, _ store: Store, _ nowNs: Int64
  ) throws(StoreError) {
    do throws(StoreError) {
      try store.settle(sent.delivery, outcome.withoutAnswerText, sent.lease, policy: configuration.policy, nowNs: nowNs)
      for row in sent.delivery.rows { refusedAnswers[row] = nil }
    } catch {
      guard error.isRefusal else { throw error }
      let untilNs = Clock.monotonicNs() + Self.refusedAnswerNs
      for row in sent.delivery.rows { refusedAnswers[row] = (error.description, untilNs) }
    }
  }

  private func routine(
    _ store: Store, _ lease: Lease, _ nowNs: Int64, _ monotonicNs: Int64, _ report: inout Report
  ) throws(StoreError) {
    if monotonicNs >= auditDueNs {
      try step("overrides") { () throws(StoreError) in try takeOverrides(store, nowNs) }
      try step("links") { () throws(StoreError) in
        links = try PageLinks.read(store, configuration)
        try store.publishReceiverSecrets(configuration.eventSecrets)
      }
      try step("audit") { () throws(StoreError) in
        report.audit = try store.auditPaging(lease, policy: configuration.policy, nowNs: nowNs)
      }
      try step("on call") { () throws(StoreError) in try publishOnCall(store, nowNs) }
      let unmuteNs = report.audit?.nextUnmuteNs.map { max(0, $0 - nowNs) } ?? .max
      auditDueNs = monotonicNs + min(Times.auditNs, unmuteNs)
    }
    try step("silences") { () throws(StoreError) in try watchSilences(store, nowNs, monotonicNs, &report) }
    if let watchdog = configuration.watchdog, monotonicNs >= watchdogDueNs {
      try step("watchdog") { () throws(StoreError) in
        try store.enqueue(
          .watchdog, to: configuration.receiver(of: watchdog.to, atNs: nowNs), detail: "", nowNs: nowNs)
      }
      watchdogDueNs = monotonicNs + watchdog.everyNs
    }
    if let heartbeat = configuration.heartbeat, monotonicNs >= heartbeatDueNs {
      heartbeatDueNs = monotonicNs + heartbeat.everyNs
      let request = HTTPRequest(method: "GET", url: heartbeat.url)
      // The service alarms where the heartbeat stays away, so that a failure is not reported here.
      try? transfers.begin(.http(request), tag: Self.heartbeatTag, deadlineMs: Times.answerMs)
    }
  }

  private func watchSilences(
    _ store: Store, _ nowNs: Int64, _ monotonicNs: Int64, _ report: inout Report
  ) throws(StoreError) {
    for (tag, request) in silences.due(configuration, monotonicNs: monotonicNs) {
      do throws(OutboundError) {
        try transfers.begin(.http(request), tag: tag, deadlineMs: SilenceWatch.deadlineMs)
      } catch {
        _ = silences.received(tag, .failure(error))
      }
    }
    let (failures, sentences) = try silences.apply(store, nowNs: nowNs)
    report.silencesNotRead += failures
    report.silenceProblems += sentences
  }

  private func publishOnCall(_ store: Store, _ nowNs: Int64) throws(StoreError) {
    try store.publishOnCall(
      configuration.schedules.sorted { $0.key < $1.key }.map { name, schedule in
        let shift = schedule.shift(atNs: nowNs)
        return (name, shift.receiver, shift.sinceNs, shift.untilNs)
      }, nowNs: nowNs)
    try store.publishTurns(
      configuration.schedules.sorted { $0.key < $1.key }.flatMap { name, schedule in
        schedule.turns(fromNs: nowNs, coveringNs: Times.turnsNs, countMax: Times.turnsMax).map {
          (name, $0.receiver, $0.sinceNs, $0.untilNs)
        }
      })
  }

  private func takeOverrides(_ store: Store, _ nowNs: Int64) throws(StoreError) {
    configuration.take(try store.overridesInForce(nowNs: nowNs))
    try store.publishReceivers(configuration.receivers.keys.sorted())
  }

  /// Reads the overrides again where one was added or ended.
  private func refreshOverrides(_ store: Store, _ nowNs: Int64) throws(StoreError) {
    let version = try store.overridesVersion()
    guard version != overridesVersion else { return }
    try takeOverrides(store, nowNs)
    try publishOnCall(store, nowNs)
    overridesVersion = version
  }

  /// The outcome of a delivery to a name that the configuration does not have.
  private func refusal(of delivery: Delivery, _ nowNs: Int64) -> DeliveryOutcome {
    if delivery.receiver.hasPrefix("policy:") {
      return .refused(answer: "the configuration has no policy for \(delivery.receiver.dropFirst(7)): nobody is paged")
    }
    let known = (configuration.receivers.keys.sorted() + configuration.schedules.keys.sorted()).joined(separator: ", ")
    let answer = "\(DeliveryReport.noSuchReceiver); there are: \(known)"
    // News is retried: a receiver may have been renamed or left out by mistake, and without its end the alert would
    // stay open there.
    let isNews = !delivery.event.isPage && !delivery.event.isRoutine && !delivery.incidents.isEmpty
    guard isNews, delivery.attempts < Self.missingReceiverAttempts else { return .refused(answer: answer) }
    return .retry(atNs: nowNs + 60_000_000_000, answer: answer)
  }

  /// One attempt a minute, for a day.
  private static let missingReceiverAttempts = 1440

  private func claim(_ store: Store, _ lease: Lease, _ nowNs: Int64, _ monotonicNs: Int64) throws(StoreError) {
    var loads: [String: ReceiverLoad] = [:]
    for sent in Array(inFlight.values) + unsettled.map(\.sent) {
      loads[sent.delivery.receiver, default: ReceiverLoad()].unanswered += 1
    }
    for delivery in try store.claimDeliveries(lease, loads: loads, policy: configuration.policy, nowNs: nowNs) {
      guard let receiver = configuration.receivers[delivery.receiver] else {
        try expand(delivery, store, lease, nowNs)
        continue
      }
      let sent = InFlight(delivery: delivery, receiver: receiver, lease: lease)
      guard let request = message(delivery, nowNs).request(to: receiver) else {
        unsettled.append(Answered(sent: sent, outcome: .delivered(answer: Delivery.nothingToSend)))
        continue
      }
      do throws(OutboundError) {
        try transfers.begin(request, tag: nextTag, deadlineMs: Times.answerMs, notAfterNs: leaseEndNs)
        inFlight[nextTag] = sent
      } catch {
        unsettled.append(
          Answered(sent: sent, outcome: .retry(atNs: nowNs + 1_000_000_000, answer: error.description)))
      }
      nextTag += 1
    }
  }

  private func message(_ delivery: Delivery, _ nowNs: Int64) -> Message {
    Message(delivery, nowNs: nowNs, console: configuration.console, links: links)
  }

  /// Splits the test of a policy or of a schedule into one test a receiver; settles a delivery to any other unknown
  /// name.
  private func expand(
    _ delivery: Delivery, _ store: Store, _ lease: Lease, _ nowNs: Int64
  ) throws(StoreError) {
    var targets: [String] = []
    if delivery.event == .test {
      if delivery.receiver.hasPrefix("policy:"), let severity = Severity(word: delivery.receiver.dropFirst(7)) {
        targets = (configuration.policies[severity] ?? []).map { configuration.receiver(of: $0.to, atNs: nowNs) }
      } else if configuration.schedules[delivery.receiver] != nil {
        targets = [configuration.receiver(of: delivery.receiver, atNs: nowNs)]
      }
    }
    if targets.isEmpty {
      let outcome = configuration.policy.lasting(refusal(of: delivery, nowNs), of: delivery, nowNs: nowNs)
      try store.settle(delivery, outcome, lease, policy: configuration.policy, nowNs: nowNs)
    } else {
      try store.split(delivery, among: targets, lease, nowNs: nowNs)
    }
    claimDueNs = .min
  }
}
