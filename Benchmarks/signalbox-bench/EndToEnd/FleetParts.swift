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
      let latencies = try measure(bench, Array(fleet.agents.prefix(count)))
      let name =
        "(e) ms from a line's writing to its commit, \(count) agents, a sample a second, \(latencies.count) lines"
      if count == 1000 {
        bench.add("commit_latency_p50_ms_1000_agents", latencies.percentile(0.5), name + ", p50", target: "")
        bench.add("commit_latency_p99_ms_1000_agents", latencies.percentile(0.99), name + ", p99", target: "≤ 500")
      } else {
        bench.add(name + ", p50", Figures.text(latencies.percentile(0.5)))
        bench.add(name + ", p99", Figures.text(latencies.percentile(0.99)))
      }
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

/// (f) `signalbox fleet status` over 10 000 hosts.
enum FleetPart {
  private static let hosts = 10_000
  private static let rounds = 7

  static func run(_ bench: Bench) throws {
    let url = bench.database.with(["dbname": "bench_fleet"])
    let admin = try bench.connection()
    try admin.execute("create database bench_fleet")
    admin.close()
    let store = try Store.open(url, migrating: true)
    store.close()
    let connection = try bench.connection(url)
    defer { connection.close() }
    for statement in filling { try connection.execute(statement) }
    let command = "\(bench.binaries)/signalbox fleet status --format json --database '\(url.text)' >/dev/null"
    for _ in 0..<2 { try bench.run(command) }
    var whole: [Double] = []
    for _ in 0..<rounds { whole.append(Double(try bench.run(command).wallNs) / 1e6) }
    var server: [Double] = []
    for _ in 0..<rounds {
      let plan = try connection.queryText("explain (analyze, timing off) " + FleetQueries.status().sql)
      let lines = (0..<plan.count).compactMap { plan.text($0, 0) }
      server.append(
        lines.filter { $0.hasPrefix("Execution Time") || $0.hasPrefix("Planning Time") }
          .compactMap { $0.split(separator: " ").dropLast().last.flatMap { Double($0) } }.reduce(0, +))
    }
    bench.add("(f) server ms of it, planning and execution", Figures.text(server.median))
    bench.add(
      "fleet_status_ms_10000_hosts", whole.median, "(f) ms of `signalbox fleet status --format json`, \(hosts) hosts",
      target: "≤ 100")
  }

  /// Ten minutes of samples every 10 s as they would arrive, 4 GPUs on every fifth host, a live run on every third.
  private static let filling = [
    """
    insert into signalbox.hosts (host_id, name, gpu_count)
    select gen_random_uuid(), 'node-' || lpad(i::text, 5, '0'), case when i % 5 = 0 then 4 else 0 end
    from generate_series(1, \(hosts)) i
    """,
    "insert into signalbox.epochs (host, epoch, last_seen) select number, 1, now() + interval '40 s' from signalbox.hosts",
    """
    select signalbox.ensure_partition(t, at) from unnest(array['host_samples', 'gpu_samples']) t,
      unnest(array[now() - interval '1 day', now(), now() + interval '1 day']) at
    """,
    """
    insert into signalbox.host_samples (time, received, host, cpu_busy_percent, load1, memory_total_bytes,
      memory_available_bytes, disk_used_percent_max, cpu_user_percent, cpu_system_percent, uptime_seconds)
    select t, t, h.number, h.number % 100, 7.4, 68719476736, 22548578304, 71.2, 41.5, 3.25, 864000
    from generate_series(now() - interval '590 s', now(), interval '10 s') t, signalbox.hosts h order by t, h.number
    """,
    """
    insert into signalbox.gpu_samples (time, received, host, index, uuid, utilization_percent, memory_total_bytes,
      memory_used_bytes, power_watts, temperature_celsius, state, model)
    select t, t, h.number, g, 'GPU-' || h.number || '-' || g, 91, 85899345920, 64424509440, 412, 66, 0, 'NVIDIA H100'
    from generate_series(now() - interval '590 s', now(), interval '10 s') t, signalbox.hosts h, generate_series(0, 3) g
    where h.gpu_count > 0 order by t, h.number, g
    """,
    """
    insert into signalbox.runs (host, run, state, started, updated)
    select number, '/runs/' || number, 1, now(), now() from signalbox.hosts where number % 3 = 0
    """,
    "vacuum analyze",
    "checkpoint",
  ]
}
