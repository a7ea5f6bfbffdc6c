internal import Agent

/// One stream between an agent and a collector: two lines of frames, each in order, each with its own delays.
///
/// It can break at any byte: the frame under way is then lost, those before it may still arrive, even long after the
/// agent has given up and come back on another connection. Each side learns of the break in its own time.
final class SimulatedConnection {
  /// One direction.
  private struct Direction {
    var sent = 0
    var delivered = 0
    /// Frames from this one on never arrive.
    var limit = Int.max
    var lastAtNs: Int64 = 0
  }

  let number: Int
  private unowned let world: World
  private var toCollector = Direction()
  private var toAgent = Direction()
  private var isCut = false
  private(set) var isAgentOpen = true
  private(set) var isCollectorOpen = true
  /// What the collector does not want to read yet.
  private var held: [[UInt8]] = []
  private weak var agent: SimulatedAgent?
  private weak var collector: SimulatedCollector?
  /// Typical delay of one frame.
  private let delayNs: Int64

  init(number: Int, world: World, agent: SimulatedAgent, collector: SimulatedCollector) {
    self.number = number
    self.world = world
    self.agent = agent
    self.collector = collector
    delayNs = world.random.within(50_000...20 * .millisecond)
  }

  /// The agent's send buffer has room.
  var hasRoom: Bool { isAgentOpen && toCollector.sent - toCollector.delivered + held.count < 6 }

  // MARK: Frames

  func sendToCollector(_ bytes: [UInt8]) {
    let index = toCollector.sent
    toCollector.sent += 1
    if isCut { return }
    toCollector.lastAtNs = arrival(after: toCollector.lastAtNs)
    world.scheduler.at(toCollector.lastAtNs) { [self] in
      guard index < toCollector.limit else { return }
      toCollector.delivered += 1
      arrivedAtCollector(bytes)
      if isAgentOpen { agent?.pump() }
    }
  }

  func sendToAgent(_ bytes: [UInt8]) {
    let index = toAgent.sent
    toAgent.sent += 1
    if isCut { return }
    toAgent.lastAtNs = arrival(after: toAgent.lastAtNs)
    world.scheduler.at(toAgent.lastAtNs) { [self] in
      guard index < toAgent.limit, isAgentOpen else { return }
      toAgent.delivered += 1
      agent?.received(bytes, on: self)
    }
  }

  private func arrival(after lastNs: Int64) -> Int64 {
    let stall = world.faultsOn && world.random.chance(0.02) ? world.random.within(0...5 * .second) : 0
    return max(lastNs, world.scheduler.nowNs + world.random.within(delayNs / 2...delayNs * 2) + stall)
  }

  private func arrivedAtCollector(_ bytes: [UInt8]) {
    guard isCollectorOpen, let collector else { return }
    if held.isEmpty, collector.wantsInput(number) {
      collector.received(bytes, on: number)
    } else {
      held.append(bytes)
    }
  }

  /// The collector reads on.
  func releaseHeld() {
    while isCollectorOpen, !held.isEmpty, let collector, collector.wantsInput(number) {
      collector.received(held.removeFirst(), on: number)
    }
    if isAgentOpen { agent?.pump() }
  }

  // MARK: Ends

  /// The network breaks. What was under way arrives up to some frame, or not.
  func cut() {
    guard !isCut else { return }
    isCut = true
    world.log { "connection \(number) is cut" }
    toCollector.limit = world.random.within(toCollector.delivered...toCollector.sent)
    toAgent.limit = world.random.within(toAgent.delivered...toAgent.sent)
    // A half-open side learns of it only when its keepalive runs out.
    world.scheduler.after(noticeDelay()) { [self] in agentSees() }
    world.scheduler.after(noticeDelay()) { [self] in collectorSees() }
  }

  private func noticeDelay() -> Int64 {
    world.random.chance(0.2)
      ? world.random.within(5 * .second...40 * .second) : world.random.within(0...500 * .millisecond)
  }

  /// The agent's process or session ends the stream: the collector reads what is under way, then the end.
  func agentCloses() {
    guard isAgentOpen else { return }
    isAgentOpen = false
    if world.random.chance(0.3) { toCollector.limit = world.random.within(toCollector.delivered...toCollector.sent) }
    world.scheduler.at(max(toCollector.lastAtNs, world.scheduler.nowNs)) { [self] in collectorSees() }
  }

  /// The collector's process or session ends the stream.
  /// - Parameter isFenced: with the status that reports a newer connection of its identity to the agent.
  func collectorCloses(isFenced: Bool = false) {
    guard isCollectorOpen else { return }
    isCollectorOpen = false
    held = []
    if world.random.chance(0.3) { toAgent.limit = world.random.within(toAgent.delivered...toAgent.sent) }
    world.scheduler.at(max(toAgent.lastAtNs, world.scheduler.nowNs + delayNs)) { [self] in agentSees(isFenced: isFenced)
    }
  }

  private func agentSees(isFenced: Bool = false) {
    guard isAgentOpen else { return }
    isAgentOpen = false
    agent?.lost(self, isFenced: isFenced)
  }

  private func collectorSees() {
    guard isCollectorOpen else { return }
    isCollectorOpen = false
    held = []
    collector?.lost(number)
  }
}
