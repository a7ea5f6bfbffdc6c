internal import Files
internal import FleetModel
internal import Postgres
internal import Store
internal import TestSupport

/// (f) `signalbox fleet status` over 10 000 hosts.
enum FleetPart {
  private static let hosts = 10_000
  private static let ticks = 10
  private static let rounds = 7

  static func run(_ bench: Bench) throws {
    let admin = try bench.connection()
    defer { admin.close() }
    try admin.withDatabase(named: "bench_fleet") {
      try measure(bench, bench.database.with(["dbname": "bench_fleet"]))
    }
  }

  private static func measure(_ bench: Bench, _ url: DatabaseURL) throws {
    let store = try Store.open(url, migrating: true)
    let connection = try bench.connection(url)
    defer { connection.close() }
    try FilledTables.liveFleet(hosts: hosts, on: connection)
    try report(store)
    store.close()
    let command = "\(bench.binaries)/signalbox fleet status --format json --database '\(url.text)' >/dev/null"
    for _ in 0..<2 { try bench.run(command) }
    var whole: [Double] = []
    for _ in 0..<rounds { whole.append(Double(try bench.run(command).wallNs) / 1e6) }
    let server = try (0..<rounds).map { _ in try connection.serverMs(of: FleetQueries.status().sql) }
    bench.add("(f) server ms of it, planning and execution", Figures.text(server.median))
    bench.add(
      "fleet_status_ms_10000_hosts", whole.median, "(f) ms of `signalbox fleet status --format json`, \(hosts) hosts",
      target: "≤ 100")
  }

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
