internal import Files
internal import Store

/// (c) What an agent costs its host: connected, a sample a second, 20 followed files.
enum AgentPart {
  private static let files = 20
  private static let seconds: Int64 = 20

  static func run(_ bench: Bench) throws {
    let sampling = SamplingBench.costs()
    let directory = bench.directory + "/logs"
    try HostFiles.makeDirectory(directory)
    for number in 0..<files { try append(directory, number, lines: 1000) }
    let agent = try RealAgent(
      bench, try RealAgent.join(bench, "agent"), ["--follow '\(directory)/*.log'", "--allow \(directory)"])
    defer { try? agent.stop() }
    // Joins, finds its files and sends what is in them.
    try bench.pause(ms: 5000)
    let before = try agent.figures.cpuNs()
    let startNs = Clock.monotonicNs()
    for second in 0..<Int(seconds) {
      try append(directory, second % files, lines: 1)
      try bench.pause(ms: 1000)
    }
    let samples = Double(Clock.monotonicNs() - startNs) / 1e9
    let cpuMs = Double(try agent.figures.cpuNs() - before) / 1e6 / samples
    try requireFiles(bench)
    let figures = agent.figures
    bench.add("agent_resident_mib", Double(try figures.residentKiB()) / 1024, "(c) agent MiB resident", target: "≤ 14")
    bench.add(
      "agent_private_mib", Double(try figures.privateDirtyKiB()) / 1024, "(c) agent MiB private dirty", target: "≤ 4")
    bench.add(
      "(c) threads; processes beside it", "\(try figures.threads()); \(try figures.children().count)", target: "1; 0")
    bench.add(
      "agent_cpu_ms_per_sample_lean", sampling.lean, "(c) CPU ms a sample: CPU, memory, disks, network", target: "≤ 0.8"
    )
    bench.add("(c) CPU ms a sample: the sampler, everything every time", Figures.text(sampling.full))
    bench.add(
      "agent_cpu_ms_per_sample_full", cpuMs, "(c) CPU ms a sample: whole agent, \(files) files, spooled, sent, acked",
      target: "≤ 2")
  }

  private static func append(_ directory: String, _ number: Int, lines: Int) throws {
    var bytes: [UInt8] = []
    for index in 0..<lines { bytes += BenchData.lines[index] + [UInt8(ascii: "\n")] }
    let path = directory + "/worker-\(number).log"
    let file = try Descriptor.open(path, .append)
    try file.write(bytes.span)
  }

  private static func requireFiles(_ bench: Bench) throws {
    let reader = try FleetReader(bench.database)
    defer { reader.close() }
    let followed = try reader.committedOffsets(of: "agent").filter { path, offset in
      path.hasPrefix(bench.directory + "/logs/") && offset > 0
    }
    if followed.count != files { throw BenchFailure("the agent does not follow its \(files) files") }
  }
}
