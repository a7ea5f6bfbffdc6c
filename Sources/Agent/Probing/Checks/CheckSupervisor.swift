package import FleetModel

/// Decides which configured probe is asked when, and what it means that no answer comes. Without I/O and without a clock.
///
/// One process is asked; it makes a copy of itself for each question, so that one that hangs costs only itself, and keeps the deadlines.
/// Where it keeps them no longer it is replaced. A host without configured probes has no such process.
package struct CheckSupervisor: ProbeSupervising {
  /// Questions without an answer: their frames fit into the pipe together, and as many copies run at once.
  package static let underWayMax = 16
  private static let figuresPerHost = 512
  /// Those of serving fit.
  private static let figuresMin = 40
  /// How much later than its deadline an answer may come before the process itself is taken for stuck.
  private static let graceNs: Int64 = 3_000_000_000
  private static let backOffNs: Int64 = 1_000_000_000
  private static let backOffNsMax: Int64 = 60_000_000_000
  /// Beyond this, processes that were killed and have not ended, nothing new is started.
  private static let leftMax = 2

  private struct State {
    var probe: ProbeSetting
    var dueNs: Int64
    var asked: (number: UInt32, atNs: Int64)?
  }

  private var states: [State] = []
  private var generation: UInt32?
  private var deframer = ProbeDeframer()
  private var left: Set<UInt32> = []
  private var nextGeneration: UInt32 = 1
  private var nextNumber: UInt32 = 1
  private var mayStartNs: Int64 = 0
  private var failures = 0
  private var records = Records()
  /// Processes replaced since the start.
  package private(set) var replaced: UInt64 = 0

  package init() {}

  /// Replaces the probes; those that stay as they are keep their times.
  package mutating func setProbes(_ probes: [ProbeSetting], nowNs: Int64) {
    states = probes.prefix(ProbeSetting.probesPerHost).filter { $0.kind != nil }.map { probe in
      let probe = Self.bounded(probe)
      return states.first { $0.probe == probe } ?? State(probe: probe, dueNs: nowNs)
    }
  }

  /// A collector of another version may ask for what this one would not.
  private static func bounded(_ probe: ProbeSetting) -> ProbeSetting {
    var probe = probe
    let (every, timeout) = (ProbeSetting.everyRangeNs, ProbeSetting.timeoutRangeNs)
    probe.everyNs = min(every.upperBound, max(every.lowerBound, probe.everyNs))
    probe.timeoutNs = min(timeout.upperBound, max(timeout.lowerBound, probe.timeoutNs))
    return probe
  }

  package mutating func takeRecords() -> Records {
    defer { records = Records() }
    return records
  }

  package var hasRecords: Bool { !records.probes.isEmpty }

  package var nextNs: Int64? {
    let deadlines = states.compactMap { state in state.asked.map { $0.atNs + state.probe.timeoutNs + Self.graceNs } }
    let isFull = deadlines.count >= Self.underWayMax
    let due = isFull ? [] : states.filter { $0.asked == nil }.map(\.dueNs)
    let start = generation == nil ? mayStartNs : 0
    return (deadlines + due.map { max($0, start) }).min()
  }

  package mutating func tick(nowNs: Int64, wallNs: Int64) -> [ProbeAction] {
    var actions: [ProbeAction] = []
    // Also where there is nothing to ask any more.
    if states.isEmpty || states.contains(where: { isOverdue($0, nowNs) }) { replace(nowNs, wallNs, &actions) }
    ask(nowNs, &actions)
    return actions
  }

  package mutating func received(
    _ bytes: Span<UInt8>, from generation: UInt32, nowNs: Int64, wallNs: Int64
  ) -> [ProbeAction] {
    guard generation == self.generation else { return [] }
    deframer.append(bytes)
    while let frame = deframer.next() {
      guard let (number, answer) = CheckWire.answer(frame.span),
        let index = states.firstIndex(where: { $0.asked?.number == number })
      else { continue }
      failures = 0
      states[index].asked = nil
      report(states[index].probe, answer, wallNs)
    }
    var actions: [ProbeAction] = []
    if deframer.isBroken { replace(nowNs, wallNs, &actions) }
    ask(nowNs, &actions)
    return actions
  }

  package mutating func exited(_ generation: UInt32, nowNs: Int64, wallNs: Int64) {
    left.remove(generation)
    guard generation == self.generation else { return }
    forget(CheckAnswer(.failed, .nan, "the probe process ended without an answer"), wallNs)
    failures += 1
    mayStartNs = nowNs + min(Self.backOffNsMax, Self.backOffNs << Int64(min(failures - 1, 6)))
  }

  // MARK: Asking

  private mutating func ask(_ nowNs: Int64, _ actions: inout [ProbeAction]) {
    var underWay = states.count { $0.asked != nil }
    while underWay < Self.underWayMax,
      let index = states.indices.filter({ states[$0].asked == nil && states[$0].dueNs <= nowNs })
        .min(by: { states[$0].dueNs < states[$1].dueNs })
    {
      guard let generation = started(nowNs, &actions) else { return }
      let bytes = CheckWire.encode(states[index].probe, number: nextNumber, figuresMax: figuresMax)
      // From this question, not from its answer: the interval stays what it is.
      states[index].dueNs = nowNs + states[index].probe.everyNs
      guard bytes.count <= CheckWire.questionBytesMax else { continue }
      states[index].asked = (nextNumber, nowNs)
      actions.append(.send(generation: generation, bytes: bytes))
      nextNumber &+= 1
      underWay += 1
    }
  }

  /// Of one exposition: those of a host share a bound, because every name of theirs costs the collector a place among what it knows of
  /// the host.
  private var figuresMax: Int {
    let expositions = max(1, states.count { $0.probe.kind == .prometheus })
    return max(Self.figuresMin, min(CheckAnswer.seriesMax, Self.figuresPerHost / expositions))
  }

  private mutating func started(_ nowNs: Int64, _ actions: inout [ProbeAction]) -> UInt32? {
    if let generation { return generation }
    guard nowNs >= mayStartNs, left.count < Self.leftMax else { return nil }
    let new = nextGeneration
    nextGeneration &+= 1
    generation = new
    actions.append(.start(generation: new))
    return new
  }

  private func isOverdue(_ state: State, _ nowNs: Int64) -> Bool {
    state.asked.map { nowNs - $0.atNs >= state.probe.timeoutNs + Self.graceNs } ?? false
  }

  private mutating func replace(_ nowNs: Int64, _ wallNs: Int64, _ actions: inout [ProbeAction]) {
    guard let stuck = generation else { return }
    actions.append(.kill(generation: stuck))
    left.insert(stuck)
    forget(CheckAnswer(.timedOut, .nan, "the probe process does not answer"), wallNs)
    mayStartNs = nowNs + Self.backOffNs
  }

  /// The process is gone, and with it what it was asked.
  private mutating func forget(_ answer: CheckAnswer, _ wallNs: Int64) {
    generation = nil
    deframer = ProbeDeframer()
    replaced += 1
    for index in states.indices where states[index].asked != nil {
      states[index].asked = nil
      report(states[index].probe, answer, wallNs)
    }
  }

  // MARK: Reporting

  private mutating func report(_ probe: ProbeSetting, _ answer: CheckAnswer, _ wallNs: Int64) {
    var result = ProbeResult()
    result.timeNs = wallNs
    result.name = probe.resultName
    result.state = answer.state
    result.detail = answer.detail
    result.durationMs = answer.durationMs
    result.value = answer.value
    records.probes.append(result)
    result.detail = ""
    for figure in answer.figures {
      result.name = probe.resultName(of: figure.name) + figure.labels
      result.state = figure.state
      result.value = figure.value
      records.probes.append(result)
    }
  }
}
