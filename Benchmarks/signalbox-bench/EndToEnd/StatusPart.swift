internal import Files
internal import FleetModel
internal import Postgres
internal import Store

/// (f) `signalbox fleet status` over 10 000 hosts.
enum FleetPart {
  private static let hosts = 10_000
  private static let ticks = 10
  private static let rounds = 7

  static func run(_ bench: Bench) throws {
    let url = bench.database.with(["dbname": "bench_fleet"])
    let admin = try bench.connection()
    try admin.execute("create database bench_fleet")
    admin.close()
    let store = try Store.open(url, migrating: true)
    let connection = try bench.connection(url)
    defer { connection.close() }
    for statement in filling { try connection.execute(statement) }
    try report(store)
    store.close()
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

  /// A live run on every third host.
  private static let filling = [
    """
    insert into signalbox.hosts (host_id, name, gpu_count)
    select gen_random_uuid(), 'node-' || lpad(i::text, 5, '0'), case when i % 5 = 0 then 4 else 0 end
    from generate_series(1, \(hosts)) i
    """,
    "insert into signalbox.epochs (host, epoch, last_seen) select number, 1, now() from signalbox.hosts",
    """
    insert into signalbox.runs (host, run, state, started, updated)
    select number, '/runs/' || number, 1, now(), now() from signalbox.hosts where number % 3 = 0
    """,
    "analyze",
  ]

  /// Samples of ten ticks, 4 GPUs on every fifth host, stored as the collector stores them: rows and indexes are as bloated
  /// as they are in a fleet that reports.
  private static func report(_ store: Store) throws {
    let spool = SpoolID(high: 1, low: 1)
    for tick in 0..<ticks {
      for first in stride(from: 1, through: hosts, by: 500) {
        let nowNs = Clock.wallNs()
        let group = (first..<min(first + 500, hosts + 1)).map { number in
          var batch = Batch()
          batch.number = UInt64(tick + 1)
          batch.wallNs = nowNs
          batch.spooled = [
            SpooledRecords(
              lane: .live, firstSequence: UInt64(tick + 1), lastSequence: UInt64(tick + 1),
              records: records(host: number, tick: tick, nowNs))
          ]
          return StagedBatch(
            host: HostID(high: 1, low: UInt64(number)), hostNumber: Int32(number), epoch: 1, spool: spool,
            receivedNs: nowNs, batch: batch)
        }
        guard try store.commit(group).allSatisfy({ $0 == .committed }) else {
          throw BenchFailure("a sample was not stored")
        }
      }
    }
  }

  private static func records(host: Int, tick: Int, _ nowNs: Int64) -> Records {
    var records = Records()
    var sample = HostSample()
    sample.timeNs = nowNs
    sample.cpuBusyPercent = Float(host % 100) + 0.37
    sample.load1 = 7.4 + Float(tick)
    sample.memoryTotalBytes = 64 << 30
    sample.memoryAvailableBytes = 21 << 30
    sample.diskUsedPercentMax = 71.2
    records.hosts = [sample]
    if host % 5 == 0 {
      records.gpus = (0..<4).map { index in
        var gpu = GPUSample()
        gpu.timeNs = nowNs
        gpu.index = UInt32(index)
        gpu.uuid = "GPU-\(host)-\(index)"
        gpu.model = "NVIDIA H100 80GB HBM3"
        gpu.utilizationPercent = 91
        gpu.memoryTotalBytes = 80 << 30
        gpu.memoryUsedBytes = 60 << 30
        gpu.powerWatts = 412.5
        gpu.temperatureCelsius = 66
        return gpu
      }
    }
    return records
  }
}
