internal import Agent
internal import FleetModel

/// Everything of one run: time, chance, hosts, collectors, the store, and the plain model beside them.
final class World: SeededWorld {
  let plan: Plan
  let store = SimulatedStore()
  var truth = Truth()
  private(set) var collectors: [SimulatedCollector] = []
  private(set) var agents: [SimulatedAgent] = []
  private var writers: [SimulatedWriter] = []
  private(set) var faultsOn = true
  private(set) var isWriting = true
  private(set) var isStoreAway = false
  private(set) var isNetworkDown = false
  private var connections = 0
  /// The wall clock's lead over the monotonic one: it may be set.
  private var wallOffsetNs: Int64 = 1_700_000_000 * .second

  override init(seed: UInt64, isTracing: Bool) {
    var random = SeededRandom(seed: seed)
    plan = Plan(random: &random)
    super.init(seed: seed, isTracing: isTracing)
    self.random = random
  }

  var wallNs: Int64 { wallOffsetNs + scheduler.nowNs }
  var hostTime: HostTime { HostTime(wallNs: wallNs, monotonicNs: scheduler.nowNs) }

  func storeDelay(_ random: inout SeededRandom) -> Int64 {
    random.chance(0.02) ? random.within(0...3 * .second) : random.within(300_000...30 * .millisecond)
  }

  func makeConnection(_ agent: SimulatedAgent, _ collector: SimulatedCollector) -> SimulatedConnection {
    connections += 1
    log { "connection \(self.connections): agent \(agent.number) to collector \(collector.number)" }
    return SimulatedConnection(number: connections, world: self, agent: agent, collector: collector)
  }

  // MARK: The run

  /// Faults for a while, then none until everything has arrived.
  func run() {
    log { self.plan.summary }
    populate()
    scheduleFault()
    advance(to: plan.faultNs)
    check()
    guard violation == nil else { return }
    endFaults()
    var untilNs = plan.faultNs
    var drained: Set<Int> = []
    while violation == nil, untilNs < plan.faultNs + 400 * .second {
      untilNs += 5 * .second
      advance(to: untilNs)
      // Followers look at names every few seconds and wait a while for the rest of a line.
      if untilNs < plan.faultNs + 30 * .second { continue }
      // Two agents of one identity end each other's streams: each is drained in its own turn.
      if !plan.hasClone { drained = [] }
      for agent in agents where agent.isDrained { drained.insert(agent.number) }
      if drained.count == agents.count { break }
    }
    if violation == nil, drained.count < agents.count {
      fail("not everything has arrived 400 s after the last fault")
    }
    checkEnd()
  }

  private func checkEnd() {
    let text = check()
    if violation == nil, let fault = truth.missing(in: store, text, readable: readableLines) { fail(fault) }
    if violation == nil, let fault = store.restFault { fail(fault) }
    if violation == nil, plan.keepsRecords,
      let fault = truth.groundless(in: store, hadPowerCut: agents.contains(where: \.hasLostPower))
    {
      fail(fault)
    }
    for agent in agents where violation == nil {
      if let fault = truth.vanished(agent.files.destroyed, of: agent.host, in: store, text) { fail(fault) }
    }
  }

  private var readableLines: Set<LineText> {
    agents.reduce(into: []) { lines, agent in
      lines.formUnion(
        agent.files.readableLines { inode, birthNs in
          !store.keys(inode: inode, birthNs: birthNs, of: agent.host).isEmpty
        })
    }
  }

  private func advance(to untilNs: Int64) { advance(to: untilNs, inStepsOf: 20 * .second, atMost: 200_000) }

  @discardableResult
  private func check() -> StoredText {
    let text = StoredText(store)
    let repeatable = agents.reduce(into: Set<LineText>()) { lines, agent in
      lines.formUnion(agent.files.repeatableLines { store.committed($0, of: agent.host) })
    }
    if violation == nil, let fault = store.stateFault ?? truth.fault(in: store, text, repeatable: repeatable) {
      fail(fault)
    }
    return text
  }

  private func populate() {
    for number in 0..<plan.collectors { collectors.append(SimulatedCollector(number: number, world: self)) }
    for number in 0..<plan.agents {
      let disk = SimulatedDisk(random: random.fork())
      disk.failureRatio = plan.diskFailureRatio
      let agent = SimulatedAgent(
        number: number, host: HostID(high: 4, low: UInt64(number)), disk: disk,
        files: SimulatedFiles(random: random.fork(), plan: plan), world: self)
      agents.append(agent)
      for writer in 0..<plan.writers {
        writers.append(SimulatedWriter(name: "w\(number).\(writer)", agent: agent, world: self))
      }
      agent.start()
    }
  }

  private func endFaults() {
    log { "no more faults" }
    faultsOn = false
    isWriting = false
    isStoreAway = false
    isNetworkDown = false
    for collector in collectors { collector.start() }
    for agent in agents {
      agent.disk.capacity = .max
      agent.disk.failureRatio = 0
      agent.start()
    }
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
    let agent = agents[random.within(0...agents.count - 1)]
    let collector = collectors[random.within(0...collectors.count - 1)]
    switch random.within(0...12) {
    case 0, 1: restart(agent) { $0.kill() }
    case 2: restart(agent) { $0.cutPower() }
    case 3: restart(agent) { $0.stopInOrder() }
    case 4, 5:
      collector.kill()
      scheduler.after(random.within(0...5 * .second)) { collector.start() }
    case 6, 7, 8: agent.cutConnection()
    case 9:
      log { "the store is away" }
      isStoreAway = true
      scheduler.after(random.within(0...10 * .second)) { [self] in isStoreAway = false }
    case 10:
      log { "the network is down" }
      isNetworkDown = true
      for agent in agents { agent.cutConnection() }
      scheduler.after(random.within(0...10 * .second)) { [self] in isNetworkDown = false }
    default: rareFault(agent)
    }
  }

  private func rareFault(_ agent: SimulatedAgent) {
    if plan.hasFullDisk {
      log { "the disk of host \(agent.number) is full" }
      agent.disk.capacity = UInt64(random.within(0...8192))
      scheduler.after(random.within(0...10 * .second)) { agent.disk.capacity = .max }
    }
    if plan.hasClockJumps {
      let jumpNs = random.within(-4000 * .second...4000 * .second)
      log { "the wall clock jumps by \(jumpNs / .second) s" }
      wallOffsetNs += jumpNs
    }
    if plan.hasClone, agents.count < 3 { clone(agent) }
  }

  private func restart(_ agent: SimulatedAgent, _ stop: (SimulatedAgent) -> Void) {
    guard agent.isRunning else { return }
    stop(agent)
    scheduler.after(random.chance(0.3) ? 0 : random.within(0...8 * .second)) { agent.start() }
  }

  private func clone(_ agent: SimulatedAgent) {
    log { "host \(agent.number) is cloned" }
    let other = SimulatedAgent(
      number: agents.count, host: agent.host, disk: agent.disk.cloned(random: random.fork()),
      files: SimulatedFiles(random: random.fork(), plan: plan), world: self)
    agents.append(other)
    other.start()
  }
}
