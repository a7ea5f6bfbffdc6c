internal import EventLoop
internal import Files
internal import FleetModel
internal import Postgres
internal import Store

/// (d) What a connected agent that sends nothing costs the collector.
enum IdlePart {
  static func run(_ bench: Bench) throws {
    // A fresh process: nothing that earlier work has left.
    try bench.stopCollector()
    try bench.startCollector()
    let fleet = try Fleet(bench, count: 5000, name: "idle")
    // What the first connections allocate once is not an agent's.
    let warm = 20
    try fleet.connect(warm)
    let before = try settled(bench)
    for count in [1000, 5000] {
      let cpuBefore = try bench.collectorFigures.cpuNs()
      let connected = fleet.agents.count(where: \.isWelcome)
      try fleet.connect(count)
      let cpuMs = Double(try bench.collectorFigures.cpuNs() - cpuBefore) / 1e6 / Double(count - connected)
      let each = Double(try settled(bench) - before) * 1.024 / Double(count - warm)
      if count == 1000 { bench.add("(d) collector kB per idle agent at 1000", Figures.text(each), target: "≤ 50") }
      if count == 5000 {
        bench.add("collector_kb_per_idle_agent", each, "(d) collector kB per idle agent at 5000", target: "≤ 50")
      }
      bench.add("(d) collector CPU ms for a connection, with fence and Welcome, to \(count)", Figures.text(cpuMs))
    }
    try fleet.close()
  }

  private static func settled(_ bench: Bench) throws -> Int64 {
    try bench.pause(ms: 3000)
    return try bench.collectorFigures.residentKiB()
  }
}

/// (e) From a line's handing over to its ack, which comes after its commit.
enum LatencyPart {
  private static let seconds: Int64 = 15
  /// Of one agent.
  private static let lineEverySeconds: Int64 = 3

  static func run(_ bench: Bench) throws {
    let fleet = try Fleet(bench, count: 1000, name: "latency")
    for count in [200, 1000] {
      try fleet.connect(count)
      try bench.pause(ms: 1000)
      let databaseBefore = try bench.databaseCPUNs()
      let latencies = try measure(bench, Array(fleet.agents.prefix(count)))
      let databaseNs = try bench.databaseCPUNs() - databaseBefore
      let name =
        "(e) ms from a line's writing to its commit, \(count) agents, a sample a second, \(latencies.count) lines"
      if count == 1000 {
        bench.add("commit_latency_p50_ms_1000_agents", latencies.percentile(0.5), name + ", p50", target: "")
        bench.add("commit_latency_p99_ms_1000_agents", latencies.percentile(0.99), name + ", p99", target: "≤ 500")
      } else {
        bench.add(name + ", p50", Figures.text(latencies.percentile(0.5)))
        bench.add(name + ", p99", Figures.text(latencies.percentile(0.99)))
      }
      bench.add(
        "(e) database CPU s a minute, \(count) agents", Figures.text(Double(databaseNs) / 1e9 * 60 / Double(seconds)))
    }
    try fleet.close()
  }

  private static func measure(_ bench: Bench, _ agents: [SimulatedAgent]) throws -> [Double] {
    let loop = bench.loop
    let endNs = Clock.monotonicNs() + seconds * 1_000_000_000
    for (index, agent) in agents.enumerated() {
      // Hosts do not sample in step.
      let phaseNs = Int64.random(in: 0..<1_000_000_000)
      every(1_000_000_000, loop, firstNs: phaseNs, untilNs: endNs) {
        agent.report(BenchData.sample(timeNs: Clock.wallNs()), on: loop)
      }
      let linePhaseNs = Int64.random(in: 0..<lineEverySeconds * 1_000_000_000)
      every(lineEverySeconds * 1_000_000_000, loop, firstNs: linePhaseNs, untilNs: endNs) {
        agent.report(line: BenchData.lines[index % BenchData.lines.count], on: loop)
      }
    }
    try bench.pause(ms: seconds * 1000 + 1500)
    if let lost = agents.first(where: { !$0.isWelcome }) {
      throw BenchFailure("an agent was cut: \(lost.problem ?? "")")
    }
    return agents.flatMap { $0.takeLatencies() }
  }

  private static func every(
    _ periodNs: Int64, _ loop: EventLoop, firstNs: Int64, untilNs: Int64, _ action: @escaping () -> Void
  ) {
    loop.after(firstNs) {
      if Clock.monotonicNs() >= untilNs { return }
      action()
      every(periodNs, loop, firstNs: periodNs, untilNs: untilNs, action)
    }
  }
}
