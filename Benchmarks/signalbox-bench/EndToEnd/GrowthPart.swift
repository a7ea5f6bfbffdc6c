internal import Files
internal import FleetModel
internal import Glibc
internal import Postgres
internal import Store
internal import TestSupport

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
        try FilledTables.trainingFleet(hosts: count, on: store.connection)
        try store.recomputeRunTotals()
        try store.connection.execute("analyze")
        for (name, ask) in fleetQuestions { hosts[name, default: [:]][count] = try median { try ask(reader) } }
      }
    }
    var lines: [String: [Int: Double]] = [:]
    for count in lineCounts {
      try withDatabase(bench, "bench_lines_\(count)") { store, reader in
        try FilledTables.lines(count, nowUs: Clock.wallNs() / 1000, on: store.connection)
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
    try admin.withDatabase(named: name) {
      var options = Store.writerOptions
      (options.statementTimeoutMs, options.answerTimeoutMs) = (0, 0)
      let store = try Store.open(bench.database.with(["dbname": name]), migrating: true, options: options)
      defer { store.close() }
      let reader = try FleetReader(bench.database.with(["dbname": name]), timeoutMs: 300_000)
      defer { reader.close() }
      try body(store, reader)
    }
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
      { _ = try $0.read(ReadQuery(FilledTables.operatorsAggregate)) }
    ),
    ("gaps", { _ = try $0.read(FleetQueries.gaps(host: nil, sinceNs: nil)) }),
    (
      "incidents_list",
      {
        _ = try $0.read(IncidentQueries.list(state: nil, host: nil, rule: nil, sinceNs: nil, limit: 200))
      }
    ),
  ]

  // MARK: Lines

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
