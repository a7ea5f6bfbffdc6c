import FleetModel
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
