internal import Agent
internal import EventLoop
internal import Files
internal import FleetModel

/// What a sample costs: `signalbox-bench sampling`. CPU time of this process, user and system, over many samples.
enum SamplingBench {
  private static let samples = 200
  /// Between two samples the machine does something else, and the caches forget.
  private static let pauseNs: Int64 = 20_000_000

  static func run() {
    let costs = costs()
    print(
      "agent_cpu_ms_per_sample_lean \(costs.lean) (CPU, memory, PSI, load, disks, network, each with its samples every time)"
    )
    print("agent_cpu_ms_per_sample_default \(cost(SamplerSettings())) (everything, at its default phases)")
    print("agent_cpu_ms_per_sample_full \(costs.full) (everything every time)")
  }

  /// CPU ms a sample: the lean set, and everything, each time.
  static func costs() -> (lean: Double, full: Double) {
    var lean = SamplerSettings()
    lean.disksEvery = 1
    lean.networksEvery = 1
    lean.processesEvery = 0
    lean.temperatureEvery = 0
    lean.readsKernelLog = false
    var full = SamplerSettings()
    full.disksEvery = 1
    full.networksEvery = 1
    full.processesEvery = 1
    full.temperatureEvery = 1
    return (lean: cost(lean), full: cost(full))
  }

  private static func cost(_ settings: SamplerSettings) -> Double {
    var sampler = Sampler(settings: settings)
    // The first sample finds what there is.
    _ = sampler.sample(wallNs: Clock.wallNs(), monotonicNs: 1)
    guard let loop = try? EventLoop() else { return .nan }
    var spentNs: Int64 = 0
    for index in 1...samples {
      loop.after(pauseNs) {}
      try? loop.turn(maximumWaitNs: 2 * pauseNs)
      let before = Machine.cpuNs()
      // A second apart on the sampler's clock.
      let records = sampler.sample(wallNs: Clock.wallNs(), monotonicNs: Int64(index) * 1_000_000_000)
      spentNs += Machine.cpuNs() - before
      precondition(!records.isEmpty, "a sample without a record")
    }
    let spent = Double(spentNs) / Double(samples) / 1e6
    return (spent * 1000).rounded() / 1000
  }
}
