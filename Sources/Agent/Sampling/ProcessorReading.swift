internal import FleetModel

/// Jiffies that a CPU spent in each mode since boot.
struct ProcessorTimes: Equatable {
  var user: UInt64 = 0
  var nice: UInt64 = 0
  var system: UInt64 = 0
  var idle: UInt64 = 0
  var iowait: UInt64 = 0
  var irq: UInt64 = 0
  var softirq: UInt64 = 0
  var steal: UInt64 = 0

  /// Guest time is already in user and nice.
  var total: UInt64 { user + nice + system + idle + iowait + irq + softirq + steal }
  var resting: UInt64 { idle + iowait }
}

/// /proc/stat as it was at one time; proc_stat(5).
struct ProcessorReading {
  var all: ProcessorTimes?
  /// By CPU number; nil where that CPU is not there or offline.
  var cores: [ProcessorTimes?] = []
  var contextSwitches: UInt64?
  /// Seconds since 1970 of the start of the kernel.
  var bootSeconds: UInt64?
  var running: UInt64?
  var blocked: UInt64?

  private static let cpu = Array("cpu".utf8)
  private static let contextWord = Array("ctxt ".utf8)
  private static let bootWord = Array("btime ".utf8)
  private static let runningWord = Array("procs_running ".utf8)
  private static let blockedWord = Array("procs_blocked ".utf8)

  /// Reads the file's text; what is missing or damaged stays nil.
  mutating func read(_ text: Span<UInt8>) {
    all = nil
    contextSwitches = nil
    running = nil
    blocked = nil
    for index in cores.indices { cores[index] = nil }
    var cursor = ProcCursor()
    repeat { readLine(text, &cursor) } while cursor.nextLine(text)
  }

  private mutating func readLine(_ text: Span<UInt8>, _ cursor: inout ProcCursor) {
    guard cursor.at < text.count else { return }
    switch text[cursor.at] {
    case UInt8(ascii: "c"):
      if cursor.skip(Self.cpu, text) {
        readProcessor(text, &cursor)
      } else if cursor.skip(Self.contextWord, text) {
        contextSwitches = cursor.number(text)
      }
    case UInt8(ascii: "b"):
      if cursor.skip(Self.bootWord, text) { bootSeconds = cursor.number(text) ?? bootSeconds }
    case UInt8(ascii: "p"):
      if cursor.skip(Self.runningWord, text) {
        running = cursor.number(text)
      } else if cursor.skip(Self.blockedWord, text) {
        blocked = cursor.number(text)
      }
    default: break
    }
  }

  private mutating func readProcessor(_ text: Span<UInt8>, _ cursor: inout ProcCursor) {
    guard cursor.at < text.count else { return }
    if text[cursor.at] == 0x20 {
      all = times(text, &cursor)
    } else if let number = cursor.number(text), number < UInt64(SamplingLimits.cpusMax) {
      let index = Int(number)
      while cores.count <= index { cores.append(nil) }
      cores[index] = times(text, &cursor)
    }
  }

  /// Kernels before 2.6.11 have no steal; a line cut before softirq is damaged.
  private func times(_ text: Span<UInt8>, _ cursor: inout ProcCursor) -> ProcessorTimes? {
    var times = ProcessorTimes()
    guard let user = cursor.number(text), let nice = cursor.number(text), let system = cursor.number(text),
      let idle = cursor.number(text), let iowait = cursor.number(text), let irq = cursor.number(text),
      let softirq = cursor.number(text)
    else { return nil }
    times.user = user
    times.nice = nice
    times.system = system
    times.idle = idle
    times.iowait = iowait
    times.irq = irq
    times.softirq = softirq
    times.steal = cursor.number(text) ?? 0
    return times
  }
}

extension ProcessorReading {
  /// Writes the shares of the time since `before` into `sample`.
  func fill(_ sample: inout HostSample, since before: ProcessorReading, seconds: Double) {
    sample.processesRunning = UInt32(clamping: running ?? 0)
    sample.processesBlocked = UInt32(clamping: blocked ?? 0)
    if let now = contextSwitches, let then = before.contextSwitches, now >= then,
      seconds >= SamplingLimits.rateSecondsMin
    {
      sample.contextSwitchesPerSecond = UInt64(number: Double(now - then) / seconds)
    }
    guard let now = all, let then = before.all, now.total > then.total, now.user >= then.user else { return }
    let whole = Float(now.total - then.total)
    // iowait and idle may step back a little (proc_stat(5)): that is no time at all.
    func percent(_ now: UInt64, _ then: UInt64) -> Float { min(100, Float(now > then ? now - then : 0) / whole * 100) }
    sample.cpuUserPercent = percent(now.user, then.user)
    sample.cpuNicePercent = percent(now.nice, then.nice)
    sample.cpuSystemPercent = percent(now.system, then.system)
    sample.cpuIowaitPercent = percent(now.iowait, then.iowait)
    sample.cpuIrqPercent = percent(now.irq + now.softirq, then.irq + then.softirq)
    sample.cpuStealPercent = percent(now.steal, then.steal)
    sample.cpuBusyPercent = max(0, 100 - percent(now.resting, then.resting))
    sample.cpuCoreMaxPercent = busiestCore(since: before)
  }

  private func busiestCore(since before: ProcessorReading) -> Float {
    var highest = Float.nan
    for index in 0..<min(cores.count, before.cores.count) {
      guard let now = cores[index], let then = before.cores[index], now.total > then.total else { continue }
      let rest = now.resting > then.resting ? now.resting - then.resting : 0
      let busy = max(0, 100 - Float(rest) / Float(now.total - then.total) * 100)
      if !(highest >= busy) { highest = busy }
    }
    return highest
  }
}
