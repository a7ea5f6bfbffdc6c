internal import FleetModel
internal import Incidents
internal import Paging
internal import SiteConfiguration

/// A collector's paging: the real `Handover` and `WriteQueue`, driven by models of its two threads.
final class SimulatedPagingCollector {
  /// Messages to the database's thread.
  private enum ToBack {
    case changes([NumberedChange])
    case release(Release)
  }

  private struct Begun {
    var delivery: Delivery
    var lease: SimulatedOutbox.Lease
  }

  let number: Int
  private unowned let world: PagingWorld
  private(set) var process = 0
  private(set) var isRunning = false
  /// Until when it is stopped by a signal.
  private(set) var stoppedUntilNs = Int64.min
  /// When it was stopped.
  private(set) var stops: [Range<Int64>] = []
  /// When the database last answered.
  private(set) var lastAnswerNs: Int64 = 0
  /// Periods of more than 10 s without an answer of the database.
  private(set) var absences: [Range<Int64>] = []
  private(set) var startedNs = Int64.min

  // The journal: kept over restarts.
  private var keptChanges: [IncidentChange] = []
  private var keptPages: [LocalPage] = []

  private var handover = Handover(PagingConfiguration())
  private var queue = WriteQueue(holder: "")
  private var frontEvents: [Handover.Event] = []
  private var isTurnDue = false
  private var inbox: [ToBack] = []
  private var isBusy = false
  private var passedCommitted: UInt64 = 0
  private var passedReconciled: UInt64 = 0
  private var restored: UInt64?
  /// Numbers of changes written, to be confirmed to the source, and confirmed to it.
  private var written = 0
  private var posted: [(through: Int, count: Int)] = []
  private var numbered = 0
  private var isRestoring = false

  // The dispatcher.
  private var lease: SimulatedOutbox.Lease?
  private var leaseDueNs = Int64.min
  private var leaseEndNs = Int64.min
  private var claimDueNs = Int64.min
  private var turnedNs: Int64?
  /// After a time without the database, processes that sent messages have until then to report them.
  private var reportsUntilNs = Int64.min
  private var unanswered: [Int: Begun] = [:]
  private var unsettled: [(Begun, DeliveryOutcome)] = []
  private var closedUntilNs: [String: Int64] = [:]
  private var nextRequest = 0
  private var isWoken = false

  init(number: Int, world: PagingWorld) {
    self.number = number
    self.world = world
  }

  private var holder: String { "c\(number)/\(process)" }
  private var policy: PagingPolicy { world.configuration.policy }

  // MARK: Process

  func start() {
    guard !isRunning else { return }
    process += 1
    isRunning = true
    handover = Handover(
      world.configuration, pages: keptPages, isKept: !keptChanges.isEmpty || !keptPages.isEmpty)
    queue = WriteQueue(holder: holder)
    (frontEvents, inbox, isBusy, isTurnDue) = ([], [], false, false)
    (passedCommitted, passedReconciled, posted, numbered, written) = (0, 0, [], 0, 0)
    (lease, leaseDueNs, claimDueNs, turnedNs, restored) = (nil, .min, .min, world.nowNs, 0)
    (unanswered, unsettled, closedUntilNs, isWoken) = ([:], [], [:], false)
    startedNs = world.nowNs
    world.log {
      "collector \(self.number).\(self.process) starts, kept: \(self.keptChanges.map { "\($0.kind == .opened ? "opened" : "cleared") \($0.dedupKey.dropFirst(2))" })"
    }
    isRestoring = true
    frontEvents.append(.restored(keptChanges))
    turnFront()
    isRestoring = false
    tick()
  }

  func kill() {
    guard isRunning else { return }
    world.log { "collector \(self.number).\(self.process) is killed" }
    isRunning = false
    world.source.lost(number)
  }

  func stop(untilNs: Int64) {
    guard isRunning else { return }
    world.log { "collector \(self.number) is stopped for \((untilNs - self.world.nowNs) / .millisecond) ms" }
    stops.append(world.nowNs..<untilNs)
    stoppedUntilNs = max(stoppedUntilNs, untilNs)
  }

  /// Schedules work of this process. It is dropped where the process has ended by then, and delayed while it is
  /// stopped.
  private func later(_ delayNs: Int64, _ body: @escaping () -> Void) {
    let process = process
    world.scheduler.after(delayNs) { [self] in
      guard isRunning, self.process == process else { return }
      if world.nowNs < stoppedUntilNs {
        later(stoppedUntilNs - world.nowNs + world.random.within(0...2 * .millisecond), body)
      } else {
        body()
      }
    }
  }

  private var hop: Int64 { world.random.within(10_000...2 * .millisecond) }

  private func tick() {
    turnFront()
    turnBack()
    later(200 * .millisecond, tick)
  }

  // MARK: Front

  func post(_ changes: [IncidentChange]) {
    postFront(.changes(changes))
  }

  private func postFront(_ event: Handover.Event) {
    frontEvents.append(event)
    later(hop, turnFront)
  }

  private func turnFront() {
    let events = frontEvents
    frontEvents = []
    for action in handover.turn(events, at: .init(wallNs: world.wallNs, monotonicNs: world.nowNs)) {
      switch action {
      case .write(let changes):
        numbered += changes.count
        if !isRestoring { posted.append((numbered, changes.count)) }
        restored = isRestoring ? changes.last?.number : restored
        postBack(.changes(changes))
      case .release(let release):
        world.checkMarks(released: release.through, committed: handover.committed)
        postBack(.release(release))
      case .keep(let changes, let pages):
        keptChanges += changes
        keptPages += pages
      case .clearKept: (keptChanges, keptPages) = ([], [])
      case .refused: world.fail("changes were refused")
      case .send(let tag, let delivery):
        world.log { "collector \(self.number) sends from memory: \(delivery.text)" }
        let process = process
        world.request(delivery, from: sender(isMemory: true)) { [self] outcome, closedNs in
          guard self.process == process else { return }
          later(hop) { [self] in
            if let closedNs { closedUntilNs[delivery.receiver] = closedNs }
            frontEvents.append(.answered(tag: tag, outcome, closedUntilNs: closedNs))
            turnFront()
          }
        }
      }
    }
  }

  private func sender(isMemory: Bool) -> Sender { Sender(collector: number, process: process, isMemory: isMemory) }

  // MARK: Back

  private func postBack(_ message: ToBack) {
    inbox.append(message)
    later(hop, turnBack)
  }

  /// To be called when a row of the outbox has become claimable.
  func wake() {
    later(hop) { [self] in
      isWoken = true
      turnBack()
    }
  }

  private func receive() {
    for message in inbox {
      switch message {
      case .changes(let changes): queue.add(changes)
      case .release(let release): queue.add(release)
      }
    }
    inbox = []
  }

  /// Runs one transaction after the other.
  private func turnBack() {
    guard !isBusy else { return }
    receive()
    guard let step = nextStep() else { return }
    isBusy = true
    let process = process
    world.transaction(of: self, body: step.body) { [self] isDone in
      guard isRunning, self.process == process else { return }
      later(0) { [self] in
        isBusy = false
        if isDone {
          if world.nowNs - lastAnswerNs > 10 * .second { absences.append(lastAnswerNs..<world.nowNs) }
          lastAnswerNs = world.nowNs
          step.done()
          turnBack()
        } else {
          isBusy = true
          later(200 * .millisecond) { [self] in
            isBusy = false
            turnBack()
          }
        }
      }
    }
  }

  private struct Step {
    var body: (SimulatedOutbox) -> Void
    var done: () -> Void
  }

  private func nextStep() -> Step? {
    let now = world.nowNs
    if let turnedNs, now - turnedNs > 5 * .second {
      return Step(
        body: { [world] in
          $0.extendClaims(from: world.wallNs - (now - turnedNs), to: world.wallNs + 5 * .second)
        },
        done: { [self] in
          self.turnedNs = world.nowNs
          reportsUntilNs = world.nowNs + 5 * .second
        })
    }
    if let group = queue.nextGroup() { return write(group) }
    if let next = queue.nextReconciliation { return reconcile(next) }
    if let number = restored, queue.released >= number {
      let holder = holder
      return Step(
        body: { [number = self.number] in $0.freeReservations(ofInstance: "c\(number)", but: holder) },
        done: { [self] in restored = nil })
    }
    if let (begun, outcome) = unsettled.first { return settle(begun, outcome) }
    if now >= leaseDueNs { return keepLease() }
    if let lease, isWoken || now >= claimDueNs { return claim(lease) }
    return nil
  }

  private func write(_ group: WriteQueue.Group) -> Step {
    let now = world.nowNs
    let reservation = Reservation(
      name: group.reservation,
      mayBePaged: Set(
        group.changes.filter { now - $0.takenNs > Handover.patienceNs / 2 }.map(\.change.dedupKey)))
    return Step(
      body: { [world, policy] in
        $0.apply(group.changes.map(\.change), policy: policy, reservation: reservation, nowNs: world.wallNs)
      },
      done: { [self] in
        world.log {
          "collector \(self.number) has committed \(group.changes.map { "\($0.number) \($0.change.kind == .opened ? "opened" : "cleared") \($0.change.dedupKey)" })"
        }
        queue.wroteGroup()
        written += group.changes.count
        while let first = posted.first, first.through <= written {
          posted.removeFirst()
          world.source.recorded(number, first.count)
        }
        passWatermarks()
      })
  }

  private func reconcile(_ next: WriteQueue.Reconciliation) -> Step {
    Step(
      body: { [world] in
        $0.reconcile(next.pages, freeing: next.freeing, holding: next.holding, nowNs: world.wallNs)
      },
      done: { [self] in
        world.log {
          "collector \(self.number) has reconciled \(next.pages.map { "\($0.messageID.suffix(6)) \($0.answer ?? "begun")" }), freed \(next.freeing)"
        }
        queue.wrote(next)
        isWoken = true
        passWatermarks()
      })
  }

  private func passWatermarks() {
    world.checkMarks(released: queue.released, committed: queue.committed)
    if queue.committed > passedCommitted {
      passedCommitted = queue.committed
      postFront(.committed(through: passedCommitted))
    }
    if queue.reconciled > passedReconciled {
      passedReconciled = queue.reconciled
      postFront(.reconciled(release: passedReconciled))
    }
  }

  // MARK: Dispatcher

  private func keepLease() -> Step {
    let holder = holder
    let asked = world.nowNs
    var got: SimulatedOutbox.Lease?
    let former = lease
    let waitNs = max(2 * .second, reportsUntilNs > asked ? reportsUntilNs - asked : 0)
    return Step(
      body: { [world] in
        got = $0.takeLease(holder, seconds: 10, nowNs: world.wallNs)
        if let got, got.fence != former?.fence { $0.adoptDeliveries(got, atNs: world.wallNs + waitNs) }
      },
      done: { [self] in
        if got != nil, got != lease { claimDueNs = .min }
        lease = got
        leaseEndNs = asked + 9_500 * .millisecond
        leaseDueNs = world.nowNs + (got == nil ? 1 : 3) * .second
        turnedNs = world.nowNs
      })
  }

  private func settle(_ begun: Begun, _ outcome: DeliveryOutcome) -> Step {
    Step(
      body: { [world, policy] in
        _ = $0.settle(begun.delivery, outcome, begun.lease, policy: policy, nowNs: world.wallNs)
      },
      done: { [self] in
        unsettled.removeFirst()
        claimDueNs = .min
      })
  }

  private func claim(_ lease: SimulatedOutbox.Lease) -> Step {
    var loads: [String: ReceiverLoad] = [:]
    for (receiver, untilNs) in closedUntilNs { loads[receiver, default: ReceiverLoad()].closedUntilNs = untilNs }
    for begun in unanswered.values.map(\.delivery) + unsettled.map(\.0.delivery) {
      loads[begun.receiver, default: ReceiverLoad()].unanswered += 1
    }
    var claimed: [Delivery]?
    isWoken = false
    return Step(
      body: { [world, policy] in
        claimed = $0.claim(lease, loads: loads, policy: policy, nowNs: world.wallNs)
      },
      done: { [self] in
        claimDueNs = world.nowNs + 500 * .millisecond
        turnedNs = world.nowNs
        guard let claimed else {
          self.lease = nil
          leaseDueNs = .min
          return
        }
        for delivery in claimed { send(Begun(delivery: delivery, lease: lease)) }
      })
  }

  private func send(_ begun: Begun) {
    let request = nextRequest
    nextRequest += 1
    let receiver = world.receivers[begun.delivery.receiver]
    // A list whose alert stays as it is needs no message.
    if receiver?.kind == .keyed, Message(begun.delivery, nowNs: world.wallNs).alertAction == nil {
      return unsettled.append((begun, .delivered(answer: Delivery.nothingToSend)))
    }
    guard world.nowNs < leaseEndNs else {
      return unsettled.append((begun, .retry(atNs: world.wallNs + .second, answer: "")))
    }
    world.log { "collector \(self.number) sends: \(begun.delivery.text)" }
    unanswered[request] = begun
    let process = process
    world.request(begun.delivery, from: sender(isMemory: false)) { [self] outcome, closedNs in
      guard self.process == process else { return }
      later(hop) { [self] in
        unanswered[request] = nil
        if let closedNs { closedUntilNs[begun.delivery.receiver] = closedNs }
        unsettled.append((begun, outcome))
        turnBack()
      }
    }
  }

  /// What is still outstanding, for the report of a run that does not end.
  var progress: String {
    "held \(handover.count), sending \(handover.isSending), queue \(queue.count), \(queue.committed) \(queue.released) \(queue.reconciled), unanswered \(unanswered.count), unsettled \(unsettled.count)"
  }

  var isIdle: Bool {
    isRunning && handover.count == 0 && !handover.isSending && queue.isIdle && unanswered.isEmpty && unsettled.isEmpty
  }
}

extension Delivery {
  /// For traces.
  var text: String {
    "\(event.rawValue) to \(receiver), \(messageID.suffix(6)), attempt \(attempts)\(isList ? ", list" : ""): "
      + incidents.map(\.dedupKey).joined(separator: ", ")
  }
}
