internal import Files
internal import FleetModel
internal import Glibc
internal import Postgres
internal import Store

/// (h) How the cost of what operators ask grows with hosts, runs and lines. Each question as the command line asks it, over
/// a connection that is open already; ms, the median of some rounds, the worst of them where it tells more.
enum GrowthPart {
  private static let rounds = 5
  private static let fleets = [100, 1000, 10_000]
  /// `SIGNALBOX_BENCH_LINES=1000000,5000000` for a machine with little room: a million lines take 300 MB.
  private static let lineCounts =
    (Machine.environment("SIGNALBOX_BENCH_LINES") ?? "1000000,20000000").split(separator: ",").compactMap { Int($0) }

  static func run(_ bench: Bench) throws {
    var hosts: [String: [Int: Double]] = [:]
    for count in fleets {
      try withDatabase(bench, "bench_hosts_\(count)") { store, reader in
        try fillFleet(store, hosts: count)
        for (name, ask) in fleetQuestions { hosts[name, default: [:]][count] = try median { try ask(reader) } }
      }
    }
    var lines: [String: [Int: Double]] = [:]
    for count in lineCounts {
      try withDatabase(bench, "bench_lines_\(count)") { store, reader in
        try fillLines(store, lines: count)
        for (name, ask) in lineQuestions { lines[name, default: [:]][count] = try median { try ask(reader) } }
      }
    }
    for (name, _) in fleetQuestions { bench.add(growth: name, hosts[name] ?? [:], of: "hosts") }
    for (name, _) in lineQuestions { bench.add(growth: name, lines[name] ?? [:], of: "lines") }
  }

  private static func withDatabase(
    _ bench: Bench, _ name: String, _ body: (Store, FleetReader) throws -> Void
  ) throws {
    let admin = try bench.connection()
    defer { admin.close() }
    try admin.execute("create database \(name)")
    defer { try? admin.execute("drop database \(name) with (force)") }
    var options = Store.writerOptions
    (options.statementTimeoutMs, options.answerTimeoutMs) = (0, 0)
    let store = try Store.open(bench.database.with(["dbname": name]), migrating: true, options: options)
    defer { store.close() }
    let reader = try FleetReader(bench.database.with(["dbname": name]), timeoutMs: 300_000)
    defer { reader.close() }
    try body(store, reader)
  }

  private static func median(_ ask: () throws -> Void) throws -> Double {
    try ask()
    var times: [Double] = []
    for _ in 0..<rounds {
      let startNs = Clock.monotonicNs()
      try ask()
      times.append(Double(Clock.monotonicNs() - startNs) / 1e6)
      // What takes seconds need not be asked so often.
      if times[0] > 5000 { break }
    }
    return times.median
  }

  // MARK: Hosts and runs

  private static let fleetQuestions: [(name: String, ask: @Sendable (FleetReader) throws -> Void)] = [
    ("fleet_status", { _ = try $0.read(FleetQueries.status()) }),
    ("hosts_list", { _ = try $0.read(FleetQueries.hosts()) }),
    ("hosts_show", { _ = try $0.read(FleetQueries.hosts(named: "node-00050")) }),
    ("runs_latest", { _ = try $0.read(TrainingQueries.runs(host: nil, state: nil, limit: 1)) }),
    ("runs_list", { _ = try $0.read(TrainingQueries.runs(host: nil, state: nil, limit: 100)) }),
    ("runs_list_host", { _ = try $0.read(TrainingQueries.runs(host: "node-00050", state: nil, limit: 100)) }),
    ("runs_list_failed", { _ = try $0.read(TrainingQueries.runs(host: nil, state: "failed", limit: 100)) }),
    ("episodes_list", { _ = try $0.read(TrainingQueries.episodes(host: nil, run: nil, status: nil, limit: 1000)) }),
    (
      "episodes_list_run",
      { _ = try $0.read(TrainingQueries.episodes(host: "node-00050", run: "run-1", status: nil, limit: 1000)) }
    ),
    (
      "episodes_check",
      { _ = try $0.read(TrainingQueries.check(host: nil, run: nil, staleMinutes: 15, limit: 1000)) }
    ),
    (
      "episodes_aggregate_sql",
      { _ = try $0.read(ReadQuery("select host, count(*), avg(total_reward) from public.episodes group by host")) }
    ),
    ("gaps", { _ = try $0.read(FleetQueries.gaps(host: nil, sinceNs: nil)) }),
    (
      "incidents_list",
      {
        _ = try $0.read(IncidentQueries.list(state: nil, host: nil, rule: nil, sinceNs: nil, limit: 200))
      }
    ),
  ]

  /// Three runs a host, one of them under way, with twenty episodes each.
  private static func fillFleet(_ store: Store, hosts: Int) throws {
    try store.connection.execute(
      """
      insert into signalbox.hosts (host_id, name)
        select gen_random_uuid(), 'node-' || lpad(i::text, 5, '0') from generate_series(1, \(hosts)) i;
      insert into signalbox.epochs (host, epoch, last_seen) select number, 1, now() from signalbox.hosts;
      insert into signalbox.runs (host, run, state, started, updated)
        select h.number, 'run-' || n, case when n = 3 then 1 when h.number % 50 = 0 then 3 else 2 end, now() - interval '1 day',
          now() - (3 - n) * interval '1 hour' - h.number * interval '1 ms'
        from signalbox.hosts h, generate_series(1, 3) n;
      insert into signalbox.episodes
        select r.number, n, r.updated - (20 - n) * interval '1 minute', case when r.state = 1 and n = 20 then 0 else 1 end,
          r.started, 1000, 1, 1000, 1000, n, -1, 1, 1000, 1000, 100, 101, 110, 90, 0.1, 999, 0.01, 0.1, 0.05, 10, 5, 0, 100, 0, 100,
          0, null
        from signalbox.runs r, generate_series(1, 20) n;
      """)
    try store.recomputeRunTotals()
    try store.connection.execute("analyze")
  }

  // MARK: Lines

  /// The hosts `node-00001` (half of all lines), `node-00002` (the other half), `quiet` (100 lines of old) and `mute` (none).
  private static func fillLines(_ store: Store, lines: Int) throws {
    let nowUs = Clock.wallNs() / 1000
    for daysAgo in [0, 1] as [Int64] {
      try store.connection.execute(
        "select signalbox.ensure_partition('log_info', now() - \(daysAgo) * interval '1 day')")
    }
    try store.connection.execute(
      """
      insert into signalbox.hosts (host_id, name)
        select gen_random_uuid(), n from unnest(array['node-00001', 'node-00002', 'quiet', 'mute']) n;
      insert into signalbox.followed_files (host, key, path, first_seen, updated, device, inode, birth_ns, head_hash, head_length, generation, format)
        select h.number, gen_random_uuid(), '/srv/train/' || h.name || '.log', now(), now(), 0, 0, 0, 0, 0, 0, 0 from signalbox.hosts h
          where h.name <> 'mute';
      """)
    // The last 20 hours, oldest first, as they come in.
    let stepUs = 20 * 3_600_000_000 / Int64(lines)
    try store.connection.execute(
      """
      insert into signalbox.log_info (time, received, host, file_offset, file, level, flags, message)
        select t, t, h.number, i * 100, f.number, 2, 0,
          '12:00:00,123 - trainer.ppo - INFO - episode ' || i || ' finished after 972 steps, reward -12.5137, portfolio 9990.42'
            || case when i % (\(lines) / 3) = 7 then ' rare-' || i || '-word' else '' end
        from (
          select i, case when i % (\(lines) / 100) = 0 then 'quiet' when i % 2 = 0 then 'node-00001' else 'node-00002' end as name,
            to_timestamp((\(nowUs) - (\(lines) - i) * \(stepUs)) / 1e6) as t
          from generate_series(1::bigint, \(lines)) i
        ) x join signalbox.hosts h on h.name = x.name join signalbox.followed_files f on f.host = h.number;
      insert into signalbox.log_counts (time, host, file, level, lines, bytes)
        select date_trunc('hour', time), host, file, level, count(*), 0 from signalbox.log_info group by 1, 2, 3, 4;
      """)
    try store.connection.execute("vacuum analyze signalbox.log_info")
    try store.connection.execute("analyze")
  }

  private static func newest(_ change: @escaping @Sendable (inout LogFilter) -> Void)
    -> @Sendable (FleetReader) throws -> Void
  {
    { reader in
      var filter = LogFilter()
      filter.sinceNs = Clock.wallNs() - 86_400_000_000_000
      change(&filter)
      _ = try reader.newestLines(filter, limit: 200)
    }
  }

  private static let lineQuestions: [(name: String, ask: @Sendable (FleetReader) throws -> Void)] = [
    ("logs", newest { _ in }),
    ("logs_host", newest { $0.hosts = ["node-00001"] }),
    ("logs_host_quiet", newest { $0.hosts = ["quiet"] }),
    ("logs_host_without_lines", newest { $0.hosts = ["mute"] }),
    ("logs_file", newest { $0.file = "quiet.log" }),
    ("logs_level_error", newest { $0.minimumLevel = .error }),
    ("logs_text_rare", newest { $0.text = "rare-7-word" }),
    ("logs_regex_rare", newest { $0.pattern = "rare-[0-9]+-word" }),
  ]
}

extension Bench {
  /// A row a question; `growth` of bench.json has the same with the exponent of the cost.
  fileprivate func add(growth name: String, _ ms: [Int: Double], of what: String) {
    let sizes = ms.keys.sorted()
    guard let first = sizes.first, let last = sizes.last else { return }
    let factor = (ms[last] ?? .nan) / (ms[first] ?? .nan)
    let exponent = first == last ? Double.nan : log(factor) / log(Double(last) / Double(first))
    add(
      growth: name, ms, exponent: exponent,
      "(h) ms of \(name) at \(sizes.map { Figures.text(Double($0) / 1000) }.joined(separator: " / ")) thousand \(what); exponent"
    )
  }
}
