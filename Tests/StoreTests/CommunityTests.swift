import FleetModel
import Glibc
import Postgres
import Store
import TestSupport
import Testing

private let isCommunity = TestDatabase.isForeignServer && (try? StoreFixture().store.capability) == .community

/// What only TimescaleDB's community edition has; skipped elsewhere.
@Suite(.timeLimit(.minutes(10)), .enabled(if: isCommunity)) struct CommunityTests {
  private let now = StoreFixture.nowNs
  private let day: Int64 = 86_400_000_000_000

  private func keeper(_ fixture: StoreFixture) throws -> Store {
    try Store.open(fixture.database.url, options: Store.housekeepingOptions)
  }

  /// `count` samples, ten seconds apart, from `startNs` on.
  private func samples(
    _ stream: TestStream, _ count: Int, from startNs: Int64, sequence: UInt64, receivedNs: Int64? = nil
  ) -> StagedBatch {
    var records = Records()
    for index in 0..<count {
      var sample = HostSample()
      sample.timeNs = startNs + Int64(index) * 10_000_000_000
      sample.cpuBusyPercent = Float(index * 7919 % 101)
      sample.load1 = Float(index % 13) / 4
      sample.memoryTotalBytes = 64 << 30
      sample.memoryAvailableBytes = UInt64(index % 60) << 30
      records.hosts.append(sample)
    }
    var batch = Batch()
    batch.spooled = [
      SpooledRecords(
        lane: .live, firstSequence: sequence, lastSequence: sequence + UInt64(count) - 1, records: records)
    ]
    return stream.staged(batch, receivedNs: receivedNs ?? StoreFixture.nowNs)
  }

  @Test func closedChunksAreCompressedAndLateRowsStillGoIn() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    let start = now - 5 * day
    #expect(try fixture.store.commit([samples(stream, 5000, from: start, sequence: 1)]) == [.committed])
    let keeper = try keeper(fixture)
    let report = try #require(try keeper.housekeep(nowNs: now))
    #expect(report.problems.isEmpty)
    #expect(report.chunksCompressed > 0)
    let ratio = try #require(
      try fixture.value(
        """
        select sum(before_compression_total_bytes) / sum(after_compression_total_bytes)
        from chunk_compression_stats('signalbox.host_samples') where compression_status = 'Compressed'
        """))
    #expect((Double(ratio) ?? 0) > 3, "compressed by \(ratio)")
    #expect(try fixture.count("host_samples") == 5000)

    let late = samples(stream, 10, from: start + 5_000_000_000, sequence: 5001)
    #expect(try fixture.store.commit([late]) == [.committed])
    #expect(try fixture.store.commit([late]) == [.duplicate])
    #expect(try fixture.count("host_samples") == 5010)
    // One pass more finds nothing wrong with the chunk that has both.
    #expect(try keeper.housekeep(nowNs: now)?.problems == [])
    #expect(try fixture.count("host_samples") == 5010)
    #expect(try fixture.value("select count(distinct time) from host_samples") == "5010")
  }

  private func uncompressed(_ fixture: StoreFixture) throws -> String? {
    try fixture.value(
      """
      select coalesce(sum((xpath('/row/n/text()', query_to_xml(
        format('select count(*) as n from only %I.%I', chunk_schema, chunk_name), false, true, '')))[1]::text::int), 0)
      from timescaledb_information.chunks where hypertable_name = 'host_samples' and is_compressed
      """)
  }

  private func partialChunks(_ fixture: StoreFixture) throws -> String? {
    try fixture.value(
      """
      select count(*) from timescaledb_information.chunks where hypertable_name = 'host_samples'
        and _timescaledb_functions.chunk_status(format('%I.%I', chunk_schema, chunk_name)::regclass) & 8 <> 0
      """)
  }

  @Test func lateRowsOfACompressedChunkAreCompressedAgain() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    let hour: Int64 = 3_600_000_000_000
    let start = now - 5 * day
    #expect(try fixture.store.commit([samples(stream, 5000, from: start, sequence: 1)]) == [.committed])
    let keeper = try keeper(fixture)
    #expect(try #require(try keeper.housekeep(nowNs: now)).chunksCompressed > 0)

    #expect(
      try fixture.store.commit([samples(stream, 700, from: start + 5_000_000_000, sequence: 5001)]) == [.committed])
    // More of it may come: not before the first of them has been there for an hour.
    #expect(try #require(try keeper.housekeep(nowNs: now + hour / 2)).chunksRecompressed == 0)
    #expect(try uncompressed(fixture) == "700")
    let report = try #require(try keeper.housekeep(nowNs: now + 2 * hour))
    #expect(report.problems.isEmpty && report.chunksRecompressed > 0)
    #expect(try uncompressed(fixture) == "0")
    #expect(try partialChunks(fixture) == "0")
    #expect(try fixture.value("select count(*) || ' ' || count(distinct time) from host_samples") == "5700 5700")
    // Nothing is left to do.
    #expect(try keeper.housekeep(nowNs: now + 3 * hour)?.chunksRecompressed == 0)
  }

  /// Many chunks with late rows: a pass takes ten, the next ones the others.
  @Test func aPassRecompressesABoundedNumberOfChunks() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    let start = now - 20 * day
    for index: UInt64 in 0..<12 {
      let batch = samples(stream, 2, from: start + Int64(index) * day, sequence: 1 + 2 * index)
      #expect(try fixture.store.commit([batch]) == [.committed])
    }
    let keeper = try keeper(fixture)
    let chunks = try #require(try keeper.housekeep(nowNs: now)).chunksCompressed
    #expect(chunks >= 12)
    for index: UInt64 in 0..<12 {
      let batch = samples(stream, 2, from: start + Int64(index) * day + 1_000_000_000, sequence: 25 + 2 * index)
      #expect(try fixture.store.commit([batch]) == [.committed])
    }
    let later = now + day / 4
    #expect(try keeper.housekeep(nowNs: later)?.chunksRecompressed == 10)
    #expect(try partialChunks(fixture) == "2")
    #expect(try keeper.housekeep(nowNs: later)?.chunksRecompressed == 2)
    #expect(try fixture.count("host_samples") == 48)
  }

  /// What a compression would have to wait for at its end, it waits for before it begins; other chunks are compressed meanwhile.
  @Test func chunkThatATransactionHasReadIsCompressedAfterIt() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    for (index, days) in [Int64(5), 9].enumerated() {
      let batch = samples(stream, 500, from: now - days * day, sequence: 1 + 500 * UInt64(index))
      #expect(try fixture.store.commit([batch]) == [.committed])
    }
    let reader = try Connection(fixture.database.url)
    try reader.execute("begin isolation level repeatable read")
    let recent =
      "select count(*) from signalbox.host_samples where time > to_timestamp(\(now / 1_000_000_000 - 7 * 86_400))"
    #expect(try reader.query(recent).int(0, 0) == 500)
    usleep(1_100_000)
    let keeper = try keeper(fixture)
    let report = try #require(try keeper.housekeep(nowNs: now))
    #expect(
      report.problems.count == 1 && report.problems[0].contains("waits for a transaction of"), "\(report.problems)")
    #expect(report.chunksCompressed > 0)
    // A snapshot keeps what it has seen.
    #expect(try reader.query("select count(*) from signalbox.host_samples").int(0, 0) == 1000)
    reader.close()
    let next = try #require(try keeper.housekeep(nowNs: now))
    #expect(next.problems.isEmpty && next.chunksCompressed > 0)
    #expect(try fixture.count("host_samples") == 1000)
  }

  /// Late rows for a chunk that takes seconds to compress: they are stored in the time of a few lock timeouts, with those of their group.
  @Test func compressionGivesWayToLateRows() throws {
    let fixture = try StoreFixture()
    let (late, other) = (try fixture.stream(), try fixture.stream("trainer-2", 2))
    let start = now - 5 * day
    try fixture.store.connection.execute(
      """
      insert into signalbox.host_samples (time, received, host, cpu_busy_percent, load1, context_switches_per_second)
      select to_timestamp(\(start / 1_000_000_000)) + i * interval '1 ms', now(), \(late.fence.hostNumber), random(), random(),
        random() * 1e9 from generate_series(1, 1000000) i
      """)
    let pass = HousekeepingPass(database: fixture.database.url, nowNs: now)
    pass.start()
    let isCompressing = """
      select count(*) from pg_locks l join pg_stat_activity a on a.pid = l.pid
      where l.mode = 'ExclusiveLock' and l.locktype = 'relation' and l.granted and a.query like 'select compress_chunk(%'
        and a.datname = current_database()
      """
    while try fixture.value(isCompressing) == "0", !pass.isDone { usleep(5_000) }
    let writer = try Store.open(fixture.database.url, options: Store.commitOptions)
    #expect(
      try writer.commit([samples(late, 10, from: start + 500_000, sequence: 1), other.samples(1...5)])
        == [.committed, .committed])
    while !pass.isDone { usleep(10_000) }
    #expect(pass.report.count == 1 && pass.report[0].contains("gave way to rows"), "\(pass.report)")
    #expect(try partialChunks(fixture) == "0")
    let next = try #require(try keeper(fixture).housekeep(nowNs: now, searchIndexesMax: 0))
    #expect(next.problems.isEmpty && next.chunksCompressed > 0)
    #expect(try fixture.value("select count(*) from host_samples") == "1000015")
  }

  @Test(arguments: [("1m", "1 minute"), ("1h", "1 hour")])
  func aggregatesGiveTheNumbersOfTheRows(_ name: String, _ bucket: String) throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    // From yesterday to now: what is refreshed and what is computed while reading meet in it.
    #expect(try fixture.store.commit([samples(stream, 8640, from: now - day, sequence: 1)]) == [.committed])
    let keeper = try keeper(fixture)
    #expect(try keeper.housekeep(nowNs: now - 7_200_000_000_000)?.problems == [])
    let late = samples(stream, 300, from: now - day + 3_000_000_000, sequence: 8641)
    #expect(try fixture.store.commit([late]) == [.committed])
    #expect(try keeper.housekeep(nowNs: now - 3_600_000_000_000)?.problems == [])
    let raw = """
      select time_bucket('\(bucket)', time) as time, count(*) as samples, avg(cpu_busy_percent)::real, max(cpu_busy_percent),
        max(load1), max(100.0 * (memory_total_bytes - memory_available_bytes) / nullif(memory_total_bytes, 0))::real
      from host_samples group by 1
      """
    let view = """
      select time, samples, cpu_busy_percent, cpu_busy_percent_max, load1_max, memory_used_percent_max::real
      from host_samples_\(name)
      """
    for (left, right) in [(view, raw), (raw, view)] {
      #expect(try fixture.value("select count(*) from ((\(left)) except (\(right))) d") == "0")
    }
    #expect(try fixture.value("select sum(samples) from host_samples_\(name)") == "8940")
  }

  @Test func retentionDropsTheRowsAndLeavesTheirAggregates() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    let old = now - 20 * day
    #expect(try fixture.store.commit([samples(stream, 360, from: old, sequence: 1)]) == [.committed])
    let keeper = try keeper(fixture)
    #expect(try keeper.housekeep(nowNs: now)?.problems == [])
    var retention = Retention()
    retention.samplesNs = 7 * day
    try keeper.setRetention(retention)
    let report = try #require(try keeper.housekeep(nowNs: now))
    #expect(report.problems.isEmpty && report.chunksDropped > 0)
    #expect(try fixture.count("host_samples") == 0)
    #expect(try fixture.value("select sum(samples) from host_samples_1m") == "360")
    // A row that comes after its time: the minute that it falls into keeps what it has.
    #expect(try fixture.store.commit([samples(stream, 1, from: old, sequence: 361)]) == [.committed])
    #expect(try keeper.housekeep(nowNs: now)?.problems == [])
    #expect(try fixture.value("select sum(samples) from host_samples_1m") == "360")
  }
}
