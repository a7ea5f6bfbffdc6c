package import FleetModel

/// What is asked again and again.
package struct ProbeTask: Sendable, Equatable {
  /// Names the `ProbeResult`, and the task.
  package var name: String
  package var question: ProbeQuestion
  package var everyNs: Int64 = 10_000_000_000
  /// After this the process that was asked is given up.
  package var deadlineNs: Int64 = 5_000_000_000
  /// What the answer is about, where it is a mounted file system.
  package var mount: Mount?

  package init(name: String, question: ProbeQuestion) {
    self.name = name
    self.question = question
  }

  /// The GPUs of this host.
  package static func gpus(library: String) -> ProbeTask { ProbeTask(name: "gpus", question: .gpus(library: library)) }

  /// One network file system.
  package static func mount(_ mount: Mount) -> ProbeTask {
    var task = ProbeTask(name: "mount " + mount.mountPoint, question: .fileSystem(path: mount.mountPoint))
    task.mount = mount
    return task
  }

  /// GPUs are asked by a process of their own: a dead NFS server must not hide them.
  var lane: Int { if case .gpus = question { 0 } else { 1 } }
}

/// What the agent's loop is to do with its probe processes. A generation names one process for ever.
package enum ProbeAction: Sendable, Equatable {
  /// Start `signalbox-agent probe` with pipes; on failure call `exited`.
  case start(generation: UInt32)
  case send(generation: UInt32, bytes: [UInt8])
  /// SIGKILL; `exited` is called when it has ended, which may be never.
  case kill(generation: UInt32)
}

/// Decides what is asked when, and what it means that no answer comes. Without I/O and without a clock: both are the loop's.
///
/// A process that does not answer in time is killed and replaced. One in an uninterruptible wait cannot die: it is left, counted, and
/// its question not asked again before it has gone, or every retry would leave another one.
package struct ProbeSupervisor: ProbeSupervising, Sendable {
  /// Processes that were killed and have not ended; beyond this nothing new is started.
  package static let leftMax = 4
  private static let backOffNs: Int64 = 1_000_000_000
  private static let backOffNsMax: Int64 = 60_000_000_000

  private struct State {
    var task: ProbeTask
    var dueNs: Int64
    /// First asked without an answer so far.
    var silentSinceNs: Int64?
    /// The killed process that still hangs in this question.
    var heldBy: UInt32?
  }

  private struct Lane {
    var generation: UInt32?
    var deframer = ProbeDeframer()
    var asked: (task: String, number: UInt32, atNs: Int64)?
    var mayStartNs: Int64 = 0
    var failures = 0
  }

  private var states: [State] = []
  private var lanes = [Lane(), Lane()]
  private var left: Set<UInt32> = []
  private var nextGeneration: UInt32 = 1
  private var nextNumber: UInt32 = 1
  private var inventory = GPUInventory()
  private var records = Records()
  /// NVML's figures for `Sampler.noteGPUMemory`.
  package private(set) var gpuMemoryBytes: [UInt32: UInt64] = [:]
  package private(set) var gpuDriverVersion = ""
  /// Processes replaced since the start.
  package private(set) var replaced: UInt64 = 0

  package init() {}

  package var gpuCount: Int { inventory.count }
  package var gpuModel: String { inventory.model }
  /// Processes that were killed and cannot end.
  package var leftProcesses: Int { left.count }
  /// Nothing to ask: no process is needed.
  package var isIdle: Bool { states.isEmpty }

  /// Replaces the tasks; those that stay keep their state.
  package mutating func setTasks(_ tasks: [ProbeTask], nowNs: Int64) {
    states = tasks.prefix(Self.tasksMax).map { task in
      guard var state = states.first(where: { $0.task.name == task.name }) else {
        return State(task: task, dueNs: nowNs)
      }
      state.task = task
      return state
    }
  }

  /// Mounts are limited by the sampler; probes by the site's settings.
  private static let tasksMax = 256

  /// What has been found out since the last call.
  package mutating func takeRecords() -> Records {
    defer { records = Records() }
    return records
  }

  package var hasRecords: Bool { !records.isEmpty }

  /// When `tick` has something to do; nil where there is no task.
  package var nextNs: Int64? {
    var next: Int64?
    for lane in lanes {
      guard let asked = lane.asked, let state = states.first(where: { $0.task.name == asked.task }) else { continue }
      next = min(next ?? .max, asked.atNs + state.task.deadlineNs)
    }
    for state in states where lanes[state.task.lane].asked?.task != state.task.name {
      let lane = lanes[state.task.lane]
      // Behind another question: its answer or its deadline wakes the loop.
      if lane.asked != nil { continue }
      next = min(next ?? .max, max(state.dueNs, lane.generation == nil ? lane.mayStartNs : 0))
    }
    return next
  }

  /// Time went on.
  package mutating func tick(nowNs: Int64, wallNs: Int64) -> [ProbeAction] {
    var actions: [ProbeAction] = []
    for lane in lanes.indices {
      giveUp(lane, nowNs, wallNs, &actions)
      reportSilence(lane, nowNs, wallNs)
      ask(lane, nowNs, &actions)
    }
    return actions
  }

  /// Bytes came from a process.
  package mutating func received(_ bytes: Span<UInt8>, from generation: UInt32, nowNs: Int64, wallNs: Int64)
    -> [ProbeAction]
  {
    guard let lane = lanes.firstIndex(where: { $0.generation == generation }) else { return [] }
    lanes[lane].deframer.append(bytes)
    while let frame = lanes[lane].deframer.next() {
      guard let (number, answer) = ProbeWire.answer(frame.span), let asked = lanes[lane].asked, asked.number == number
      else { continue }
      lanes[lane].asked = nil
      lanes[lane].failures = 0
      take(answer, asked.task, durationNs: nowNs - asked.atNs, nowNs, wallNs)
    }
    var actions: [ProbeAction] = []
    if lanes[lane].deframer.isBroken { replace(lane, &actions) }
    ask(lane, nowNs, &actions)
    return actions
  }

  /// A process ended, or could not be started.
  package mutating func exited(_ generation: UInt32, nowNs: Int64, wallNs: Int64) {
    left.remove(generation)
    for index in states.indices where states[index].heldBy == generation {
      states[index].heldBy = nil
      states[index].dueNs = min(states[index].dueNs, nowNs)
    }
    guard let lane = lanes.firstIndex(where: { $0.generation == generation }) else { return }
    let asked = lanes[lane].asked
    lanes[lane].generation = nil
    lanes[lane].deframer = ProbeDeframer()
    lanes[lane].asked = nil
    lanes[lane].failures += 1
    replaced += 1
    let wait = Self.backOffNs << Int64(min(lanes[lane].failures - 1, 6))
    lanes[lane].mayStartNs = nowNs + min(Self.backOffNsMax, wait)
    guard let asked, let index = states.firstIndex(where: { $0.task.name == asked.task }) else { return }
    states[index].silentSinceNs = states[index].silentSinceNs ?? asked.atNs
    states[index].dueNs = nowNs + states[index].task.everyNs
    report(states[index], .failed, "the probe process ended without an answer", nowNs, wallNs)
  }
}

extension ProbeSupervisor {
  private mutating func ask(_ lane: Int, _ nowNs: Int64, _ actions: inout [ProbeAction]) {
    guard lanes[lane].asked == nil,
      let index = states.indices.filter({ isDue($0, lane, nowNs) }).min(by: { states[$0].dueNs < states[$1].dueNs })
    else { return }
    if lanes[lane].generation == nil {
      guard nowNs >= lanes[lane].mayStartNs, left.count < Self.leftMax else { return }
      lanes[lane].generation = nextGeneration
      actions.append(.start(generation: nextGeneration))
      nextGeneration &+= 1
    }
    guard let generation = lanes[lane].generation else { return }
    let task = states[index].task
    lanes[lane].asked = (task.name, nextNumber, nowNs)
    actions.append(.send(generation: generation, bytes: ProbeWire.encode(task.question, number: nextNumber)))
    nextNumber &+= 1
    // From this question, not from its answer: the interval stays what it is.
    states[index].dueNs = nowNs + task.everyNs
  }

  private func isDue(_ index: Int, _ lane: Int, _ nowNs: Int64) -> Bool {
    states[index].task.lane == lane && states[index].heldBy == nil && states[index].dueNs <= nowNs
  }

  private mutating func giveUp(_ lane: Int, _ nowNs: Int64, _ wallNs: Int64, _ actions: inout [ProbeAction]) {
    guard let asked = lanes[lane].asked else { return }
    guard let index = states.firstIndex(where: { $0.task.name == asked.task }) else {
      // Its task was taken away: what it answers is of no use, but it may be stuck all the same.
      if nowNs - asked.atNs > 60_000_000_000 { replace(lane, &actions) }
      return
    }
    guard nowNs - asked.atNs >= states[index].task.deadlineNs else { return }
    states[index].silentSinceNs = states[index].silentSinceNs ?? asked.atNs
    states[index].heldBy = lanes[lane].generation
    states[index].dueNs = nowNs + states[index].task.everyNs
    replace(lane, &actions)
    report(states[index], .timedOut, "no answer", nowNs, wallNs)
  }

  private mutating func replace(_ lane: Int, _ actions: inout [ProbeAction]) {
    guard let generation = lanes[lane].generation else { return }
    actions.append(.kill(generation: generation))
    left.insert(generation)
    lanes[lane].generation = nil
    lanes[lane].deframer = ProbeDeframer()
    lanes[lane].asked = nil
    replaced += 1
  }

  /// A question that cannot be asked, because a process still hangs in it, is reported at each of its times.
  private mutating func reportSilence(_ lane: Int, _ nowNs: Int64, _ wallNs: Int64) {
    for index in states.indices
    where states[index].task.lane == lane && states[index].heldBy != nil && states[index].dueNs <= nowNs {
      states[index].dueNs = nowNs + states[index].task.everyNs
      report(states[index], .timedOut, "no answer", nowNs, wallNs)
    }
  }

  /// No answer, as samples of what should have answered and as the probe's result.
  private mutating func report(
    _ state: State, _ result: ProbeState, _ detail: String, _ nowNs: Int64, _ wallNs: Int64
  ) {
    let silentNs = nowNs - (state.silentSinceNs ?? nowNs)
    let seconds = Float(Double(silentNs) / 1e9)
    switch state.task.question {
    case .gpus: records.gpus += inventory.stuck(seconds: seconds, timeNs: wallNs)
    case .fileSystem:
      if let mount = state.task.mount {
        var sample = DiskSample(mount)
        sample.timeNs = wallNs
        sample.stuckSeconds = seconds
        records.disks.append(sample)
      }
    case .fileAge: break
    }
    reportResult(state.task.name, result, detail, silentNs, .nan, wallNs)
  }

  private mutating func reportResult(
    _ name: String, _ state: ProbeState, _ detail: String, _ durationNs: Int64, _ value: Double, _ wallNs: Int64
  ) {
    var result = ProbeResult()
    result.timeNs = wallNs
    result.name = name
    result.state = state
    result.detail = detail
    result.durationMs = Float(Double(durationNs) / 1e6)
    result.value = value
    records.probes.append(result)
  }

  private mutating func take(
    _ answer: ProbeAnswer, _ name: String, durationNs: Int64, _ nowNs: Int64, _ wallNs: Int64
  ) {
    guard let index = states.firstIndex(where: { $0.task.name == name }) else { return }
    let wasSilent = states[index].silentSinceNs != nil
    states[index].silentSinceNs = nil
    switch answer {
    case .gpus(let answer):
      gpuDriverVersion = answer.driverVersion
      gpuMemoryBytes = Dictionary(answer.memory.map { ($0.pid, $0.bytes) }, uniquingKeysWith: &+)
      records.gpus += inventory.samples(answer.gpus, timeNs: wallNs)
      // Samples hold all of it; only the end of a silence is an answer of its own.
      if wasSilent { reportResult(name, .ok, "", durationNs, Double(answer.gpus.count), wallNs) }
    case .usage(let usage):
      if let mount = states[index].task.mount { records.disks.append(DiskSample(mount, usage, wallNs)) }
      if wasSilent { reportResult(name, .ok, "", durationNs, Double(usage.usedPercent), wallNs) }
    case .age(let seconds): reportResult(name, .ok, "", durationNs, seconds, wallNs)
    case .failed(let reason):
      if case .gpus = states[index].task.question {
        gpuMemoryBytes = [:]
        records.gpus += inventory.absent(timeNs: wallNs)
      }
      reportResult(name, .failed, reason, durationNs, .nan, wallNs)
    }
  }
}

extension DiskSample {
  init(_ mount: Mount, _ usage: FileSystemAnswer, _ wallNs: Int64) {
    self.init(mount)
    timeNs = wallNs
    totalBytes = usage.totalBytes
    availableBytes = usage.availableBytes
    usedPercent = usage.usedPercent
    inodesTotal = usage.inodesTotal
    inodesFree = usage.inodesFree
    stuckSeconds = 0
  }
}
