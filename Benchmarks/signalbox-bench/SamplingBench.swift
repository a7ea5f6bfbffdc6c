internal import Agent
internal import Files
internal import FleetModel

/// What a sample costs: `signalbox-bench sampling`. CPU time of this process, user and system, over many samples.
enum SamplingBench {
  private static let samples = 400

  static func run() {
    var lean = SamplerSettings()
    lean.disksEvery = 1
    lean.networksEvery = 1
    lean.processesEvery = 0
    lean.temperatureEvery = 0
    lean.readsKernelLog = false
    print(
      "agent_cpu_ms_per_sample_lean \(cost(lean)) (CPU, memory, PSI, load, disks, network, each with its samples every time)"
    )
    print("agent_cpu_ms_per_sample_default \(cost(SamplerSettings())) (everything, at its default phases)")
    var full = SamplerSettings()
    full.disksEvery = 1
    full.networksEvery = 1
    full.processesEvery = 1
    full.temperatureEvery = 1
    print("agent_cpu_ms_per_sample_full \(cost(full)) (everything every time)")
  }

  private static func cost(_ settings: SamplerSettings) -> Double {
    var sampler = Sampler(settings: settings)
    // The first sample finds what there is.
    _ = sampler.sample(wallNs: Clock.wallNs(), monotonicNs: 1)
    let before = Machine.cpuNs()
    var records = 0
    for index in 1...samples {
      // A second apart on the sampler's clock, at once on the machine's.
      records += sampler.sample(wallNs: Clock.wallNs(), monotonicNs: Int64(index) * 1_000_000_000).count
    }
    precondition(records >= samples, "a sample without a record")
    let spent = Double(Machine.cpuNs() - before) / Double(samples) / 1e6
    return (spent * 1000).rounded() / 1000
  }
}
