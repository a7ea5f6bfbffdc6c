internal import FleetModel
internal import Incidents
internal import Paging
internal import SiteConfiguration

/// Paging with its environment: collectors that are killed and stopped, a database that is away, frozen or slow,
/// receivers that refuse, answer late or hang up.
final class PagingWorld: SeededWorld {
  struct Plan {
    var collectors: Int
    var hosts: Int
    var entities: Int
    var faultNs: Int64
    var changeEveryNs: Int64
    var faultEveryNs: Int64
    var answerFaultRatio: Double
    var commitFaultRatio: Double

    init(random: inout SeededRandom) {
      collectors = random.chance(0.5) ? 1 : 2
      hosts = random.within(1...3)
      entities = random.within(1...4)
      faultNs = random.within(10...60) * .second
      changeEveryNs = random.within(500...8000) * .millisecond
      faultEveryNs = random.within(1...15) * .second
      answerFaultRatio = random.chance(0.3) ? 0 : 0.3
      commitFaultRatio = random.chance(0.3) ? 0 : 0.1
    }
  }

  let plan: Plan
  let outbox = SimulatedOutbox()
  private(set) var configuration = PagingConfiguration()
  private(set) var receivers: [String: SimulatedReceiver] = [:]
  private(set) var collectors: [SimulatedPagingCollector] = []
  private(set) lazy var source = ChangeSource(world: self, hosts: plan.hosts, entities: plan.entities)
  private var faultsOn = true
  private var isDatabaseAway = false {
    didSet { if oldValue, !isDatabaseAway { reachableSinceNs = nowNs } }
  }
  private var reachableSinceNs: Int64 = 0
  /// The last time at which the database was away or frozen.
  var databaseBackNs: Int64 { max(reachableSinceNs, min(frozenUntilNs, nowNs)) }
  /// Statements block until then.
  private var frozenUntilNs: Int64 = 0
  private var inFlight: [Sender: [String: Int]] = [:]
  private var muted: Set<String> = []

  override init(seed: UInt64, isTracing: Bool) {
    var random = SeededRandom(seed: seed)
    plan = Plan(random: &random)
    super.init(seed: seed, isTracing: isTracing)
    self.random = random
    configure()
  }

  private func configure() {
    let kinds = SimulatedReceiver.Kind.allCases
    for name in ["duty", "lead", "safety"] {
      let kind = kinds[random.within(0...kinds.count - 1)]
      receivers[name] = SimulatedReceiver(name: name, kind: kind)
      configuration.receivers[name] =
        switch kind {
        case .keyed: .pagerDuty(url: "", routingKey: "")
        case .people: .slack(url: "")
        case .program: .webhook(url: "", secrets: [])
        }
    }
    configuration.policies = [
      .p0: [.init(to: "duty"), .init(to: "lead", afterNs: random.within(1...12) * .second)]
    ]
    configuration.fallback = random.chance(0.7) ? "safety" : nil
    configuration.messagesPerMinute = random.within(1...8)
    if random.chance(0.3) { muted = ["e0"] }
    outbox.muted = muted
    outbox.wake = { [unowned self] in for collector in collectors { collector.wake() } }
    collectors = (0..<plan.collectors).map { SimulatedPagingCollector(number: $0, world: self) }
  }

  var nowNs: Int64 { scheduler.nowNs }
  var wallNs: Int64 { 1_700_000_000 * .second + scheduler.nowNs }

  override func describe() {
    for row in outbox.rows {
      log {
        "row \(row.number): incident \(row.incident) \(self.outbox.incidents[Int(row.incident) - 1].dedupKey), change \(row.change), \(row.text)"
      }
    }
  }

  func checkMarks(released: UInt64, committed: UInt64) {
    if released > committed { fail("released \(released), committed \(committed)") }
  }

  // MARK: The run

  func run() {
    log {
      "\(self.plan), limit \(self.configuration.messagesPerMinute), \(self.receivers.values.map { "\($0.name) \($0.kind)" }.sorted())"
    }
    for collector in collectors { collector.start() }
    scheduleChange()
    scheduleFault()
    advance(to: plan.faultNs)
    endFaults()
    drain("after the last fault")
    if violation == nil, let fault = PagingTruth(self).faultWhileOpen { fail(fault) }
    guard violation == nil else { return }
    source.endAll()
    drain("after the last end")
    if violation == nil, let fault = PagingTruth(self).faultAtEnd { fail(fault) }
  }

  private func advance(to untilNs: Int64) { advance(to: untilNs, inStepsOf: .second, atMost: 400_000) }

  private func drain(_ when: String) {
    let beginNs = nowNs
    while violation == nil {
      advance(to: nowNs + 5 * .second)
      // Later than any step of the policy, any pause and any waiting list.
      if nowNs > beginNs + 30 * .second, source.isRecorded, outbox.isSettled, collectors.allSatisfy(\.isIdle) { return }
      if nowNs > beginNs + 900 * .second {
        fail(
          "pages wait 900 s \(when): recorded \(source.isRecorded), settled \(outbox.isSettled), \(collectors.map(\.progress))"
        )
      }
    }
  }

  private func scheduleChange() {
    scheduler.after(random.within(0...2 * plan.changeEveryNs)) { [self] in
      guard faultsOn else { return }
      // Sometimes several at once: a storm.
      for index in 0..<(random.chance(0.1) ? random.within(2...10) : 1) {
        scheduler.after(Int64(index) * random.within(1...50) * .millisecond) { [self] in
          if faultsOn, source.openings.count < 25 { source.step() }
        }
      }
      scheduleChange()
    }
  }

  private func endFaults() {
    log { "no more faults" }
    faultsOn = false
    isDatabaseAway = false
    frozenUntilNs = min(frozenUntilNs, nowNs)
    for collector in collectors { collector.start() }
  }

  // MARK: Faults

  private func scheduleFault() {
    scheduler.after(random.within(0...2 * plan.faultEveryNs)) { [self] in
      guard faultsOn else { return }
      fault()
      scheduleFault()
    }
  }

  private func fault() {
    let collector = collectors[random.within(0...collectors.count - 1)]
    switch random.within(0...9) {
    case 0, 1:
      collector.kill()
      scheduler.after(random.chance(0.8) ? random.within(0...3 * .second) : random.within(0...40 * .second)) {
        collector.start()
      }
    case 2:
      let lengthNs = random.chance(0.3) ? random.within(10...30) * .second : random.within(10...4000) * .millisecond
      collector.stop(untilNs: nowNs + lengthNs)
    case 3, 4, 5:
      log { "the database is away" }
      isDatabaseAway = true
      scheduler.after(random.chance(0.7) ? random.within(0...8 * .second) : random.within(0...50 * .second)) { [self] in
        log { "the database is back" }
        isDatabaseAway = false
      }
    case 6, 7:
      let lengthNs = random.chance(0.7) ? random.within(0...6 * .second) : random.within(0...50 * .second)
      log { "the database is frozen for \(lengthNs / .millisecond) ms" }
      frozenUntilNs = max(frozenUntilNs, nowNs + lengthNs)
    default:
      let incidents = outbox.incidents.filter { $0.state == .open || $0.state == .muted }
      if !incidents.isEmpty, !isDatabaseAway, frozenUntilNs <= nowNs {
        let incident = incidents[random.within(0...incidents.count - 1)]
        log { "incident \(incident.number) is acknowledged" }
        outbox.acknowledge(incident.number, wallNs)
      }
    }
  }

  // MARK: Database

  /// Runs a transaction after a delay. It may fail, and its COMMIT may be done or not without an answer.
  func transaction(
    of collector: SimulatedPagingCollector, body: @escaping (SimulatedOutbox) -> Void, reply: @escaping (Bool) -> Void
  ) {
    if isDatabaseAway { return scheduler.after(random.within(100_000...5 * .millisecond)) { reply(false) } }
    var delayNs = random.within(200_000...8 * .millisecond)
    if faultsOn, random.chance(0.02) { delayNs = random.within(0...4 * .second) }
    let isBroken = faultsOn && random.chance(plan.commitFaultRatio)
    // Half of the COMMITs without an answer were done.
    let isDone = !isBroken || random.chance(0.5)
    scheduler.after(delayNs) { [self] in
      let waitNs = max(0, frozenUntilNs - nowNs)
      // The client waits 20 s; the server still executes what it received.
      if waitNs > 20 * .second { scheduler.after(20 * .second) { reply(false) } }
      scheduler.after(waitNs) { [self] in
        let isUp = !isDatabaseAway
        if isUp, isDone { body(outbox) }
        guard waitNs <= 20 * .second else { return }
        scheduler.after(random.within(50_000...3 * .millisecond)) { reply(isUp && !isBroken) }
      }
    }
  }

  // MARK: Receivers

  /// Sends a message. - Parameter answered: called with the outcome and, where the receiver asked for one, the end of a
  /// pause.
  func request(
    _ delivery: Delivery, from sender: Sender, answered: @escaping (DeliveryOutcome, Int64?) -> Void
  ) {
    guard let receiver = receivers[delivery.receiver] else { return fail("no receiver \(delivery.receiver)") }
    if receiver.kind == .keyed, Message(delivery, nowNs: wallNs).alertAction == nil {
      return answered(.delivered(answer: Delivery.nothingToSend), nil)
    }
    let count = (inFlight[sender]?[receiver.name] ?? 0) + 1
    inFlight[sender, default: [:]][receiver.name] = count
    if count > IncidentLimits.inFlightMax {
      fail("\(count) messages to \(receiver.name) without an answer from \(sender.text)")
    }
    let beginNs = nowNs
    var takeNs: Int64? = random.within(1...200) * .millisecond
    var answerNs = (takeNs ?? 0) + random.within(1...50) * .millisecond
    var outcome = DeliveryOutcome.delivered(answer: "200")
    var closedNs: Int64?
    let again = { [self] in
      DeliveryOutcome.retry(
        atNs: wallNs + RetryRule.pause(attempts: delivery.attempts, chance: Double(random.within(0...1000)) / 1000),
        answer: "")
    }
    var isAnswered = true
    if random.chance(faultsOn ? plan.answerFaultRatio : 0) {
      switch random.within(0...6) {
      case 0, 1: (takeNs, outcome) = (nil, again())
      case 2:
        takeNs = nil
        closedNs = wallNs + random.within(1...40) * .second
        outcome = .retry(atNs: closedNs ?? 0, answer: "429")
      // Ends are not refused: the alert of a refused end would stay open whatever the sender does.
      case 3 where delivery.event.isPage:
        (takeNs, outcome) = (nil, .refused(answer: "400"))
        receiver.refuse(delivery)
      case 3: (takeNs, outcome) = (nil, again())
      case 4: (takeNs, answerNs, outcome) = (nil, 10 * .second, again())
      case 5:
        // Accepted, and the answer is lost: the connection fails at once, or the attempt times out.
        answerNs = random.chance(0.5) ? 10 * .second : answerNs
        outcome = again()
        isAnswered = false
      default:
        takeNs = random.within(3000...9000) * .millisecond
        answerNs = (takeNs ?? 0) + 10 * .millisecond
      }
    }
    var take: Int?
    if let takeNs {
      scheduler.after(takeNs) { [self] in
        // A request of a process that has ended arrives within a second or never.
        if !isAlive(sender), nowNs - beginNs > .second { return }
        log { "\(receiver.name) takes \(delivery.messageID.suffix(6)) from \(sender.text)" }
        take = receiver.take(delivery, from: sender, begunNs: beginNs, nowNs: nowNs)
        if let fault = PagingTruth(self).fault(of: receiver) { fail(fault) }
      }
    }
    scheduler.after(answerNs) { [self] in
      inFlight[sender]?[receiver.name, default: 1] -= 1
      log { "\(receiver.name) answers \(delivery.messageID.suffix(6)): \(outcome)" }
      if isAnswered, let take, isAlive(sender) { receiver.answered(take, nowNs) }
      answered(outcome, closedNs)
    }
  }

  func isAlive(_ sender: Sender) -> Bool {
    let collector = collectors[sender.collector]
    return collector.isRunning && collector.process == sender.process
  }

  func isMuted(_ entity: String) -> Bool { muted.contains(entity) }
}
