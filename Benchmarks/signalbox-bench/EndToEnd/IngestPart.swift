internal import Files
internal import Postgres
internal import TestSupport

/// (a) Committed rows a second, end to end, against `\copy … binary` of the same rows into the same tables.
enum IngestPart {
  private static let agents = 40
  private static let batches = 10
  private static let samples = 100
  private static let lines = 900
  private static let rounds = 3
  private static let tables = ["host_samples", "log_info", "log_warn"]

  static func run(_ bench: Bench) throws {
    let fleet = try Fleet(bench, count: agents, name: "ingest")
    try fleet.connect(agents)
    // Partitions, plans and WAL segments are there before anything is timed.
    _ = try round(bench, fleet, batches: 2)
    _ = try bench.copyAgain(tables)
    var ingest: [Double] = []
    var copy: [Double] = []
    var cpuNs: Int64 = 0
    var databaseNs: (ours: Int64, copy: Int64) = (0, 0)
    let rows = Double(agents * batches * (samples + lines))
    for _ in 0..<rounds {
      try bench.empty(tables)
      let before = try bench.collectorFigures.cpuNs()
      let databaseBefore = try bench.databaseCPUNs()
      ingest.append(rows / (try round(bench, fleet, batches: batches)))
      cpuNs += try bench.collectorFigures.cpuNs() - before
      databaseNs.ours += try bench.databaseCPUNs() - databaseBefore
      try requireRows(bench, Int64(rows))
      let again = try bench.copyAgain(tables)
      copy.append(rows / (again.ms / 1000))
      databaseNs.copy += again.databaseNs
    }
    let ratios = zip(ingest, copy).map { $0 / $1 }
    bench.add("(a) rows/s end to end, \(agents) agents, \(samples) samples + \(lines) lines a batch", text(ingest))
    bench.add("(a) rows/s of \\copy binary, the same rows", text(copy))
    bench.add("(a) collector CPU s per million rows", Figures.text(Double(cpuNs) / 1e9 / (rows * 3 / 1e6)))
    bench.add(
      "(a) database CPU s per million rows; of \\copy",
      Figures.text(Double(databaseNs.ours) / 1e9 / (rows * 3 / 1e6)) + "; "
        + Figures.text(Double(databaseNs.copy) / 1e9 / (rows * 3 / 1e6)))
    bench.add("ingest_ratio", ratios.median, "(a) ratio, median of \(rounds) rounds", target: "≥ 0.8")
    try fleet.close()
  }

  private static func text(_ rates: [Double]) -> String { rates.map { "\(Int($0 / 1000))k" }.joined(separator: " ") }

  /// - Returns: seconds from the first batch's sending to the last one's ack.
  private static func round(_ bench: Bench, _ fleet: Fleet, batches: Int) throws -> Double {
    for agent in fleet.agents { agent.prepare(batches: batches, samples: samples, lines: lines) }
    let startNs = Clock.monotonicNs()
    var endNs: Int64 = 0
    for agent in fleet.agents {
      agent.onIdle = { if fleet.agents.allSatisfy(\.isIdle) { endNs = Clock.monotonicNs() } }
    }
    for agent in fleet.agents { agent.pump() }
    let done = try bench.wait(seconds: 120) { endNs != 0 || fleet.agents.contains(where: \.isClosed) }
    for agent in fleet.agents { agent.onIdle = nil }
    guard done, endNs != 0 else {
      throw BenchFailure("not everything was acked: \(fleet.agents.compactMap(\.problem).first ?? "too slow")")
    }
    return Double(endNs - startNs) / 1e9
  }

  private static func requireRows(_ bench: Bench, _ expected: Int64) throws {
    let connection = try bench.connection()
    defer { connection.close() }
    let found = try connection.rowCount(of: tables)
    if found != expected { throw BenchFailure("\(found) rows instead of \(expected)") }
  }
}
