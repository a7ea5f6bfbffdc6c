import FleetModel
import Postgres
import Store
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct HousekeepingTests {
  private let now = StoreFixture.nowNs
  private let day: Int64 = 86_400_000_000_000

  private func keeper(_ fixture: StoreFixture) throws -> Store {
    try Store.open(fixture.database.url, options: Store.housekeepingOptions)
  }

  /// One line a level, `days` before now.
  private func lines(_ stream: TestStream, daysAgo days: Int64, file: UInt64) -> StagedBatch {
    var delta = stream.delta(0, file: file)
    for level in [Level.debug, .info, .warn, .error, .unknown] {
      delta.lines.append(
        Array("level \(level.rawValue)".utf8), advance: 8, timeUs: (now - days * day) / 1000, level: level)
    }
    delta.to = 40
    var batch = Batch()
    batch.files = [delta]
    return stream.staged(batch)
  }

  @Test func linesOfEachLevelGoWhenTheirTimeIsOverAndTheCountsStay() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    // A chunk goes once it lies wholly before the limit: up to its own length later.
    for (file, days) in [Int64(1), 20, 50, 80].enumerated() {
      #expect(try fixture.store.commit([lines(stream, daysAgo: days, file: UInt64(file))]) == [.committed])
    }
    let report = try #require(try keeper(fixture).housekeep(nowNs: now))
    #expect(report.problems.isEmpty)
    #expect(report.chunksDropped > 0)
    let left = try fixture.value(
      """
      select string_agg(c, ' ' order by c) from (select coalesce(level, '-') || count(*) as c from log_lines group by level) l
      """)
    #expect(left == "-2 DEBUG1 ERROR4 INFO2 WARN3")
    #expect(try fixture.value("select sum(lines) from log_counts") == "20")
    #expect(
      try fixture.value(
        "select count(*) from log_counts c where exists (select from log_lines l where date_trunc('hour', l.time) = c.time and l.file = c.file)"
      ) == "20")
    // Late lines find their partition again, though it was dropped since it was seen.
    #expect(try fixture.store.commit([lines(stream, daysAgo: 50, file: 9)]) == [.committed])
    #expect(try fixture.value("select count(*) from log_lines where level = 'INFO'") == "3")
  }

  @Test func siteMayKeepThingsLongerOrForGood() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    _ = try fixture.store.commit([lines(stream, daysAgo: 80, file: 1)])
    var retention = Retention()
    retention.debugLogsNs = nil
    retention.infoLogsNs = 85 * day
    retention.warnLogsNs = 1 * day
    let keeper = try keeper(fixture)
    try keeper.setRetention(retention)
    _ = try keeper.housekeep(nowNs: now)
    #expect(
      try fixture.value("select string_agg(coalesce(level, '-'), ',' order by level) from log_lines")
        == "DEBUG,ERROR,INFO,-")
  }

  @Test func partitionsAreMadeAheadAndRowsOnTheirEdgesFindOne() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    let report = try #require(try keeper(fixture).housekeep(nowNs: now))
    #expect(report.partitionsMade > 0 || fixture.store.capability != .plain)
    let midnightUs = (now / day) * day / 1000
    var delta = stream.delta(0)
    for offset: Int64 in [-1, 0, 1] {
      for level in [Level.debug, .info, .error] {
        delta.lines.append(Array("edge".utf8), advance: 5, timeUs: midnightUs + offset, level: level)
      }
    }
    delta.to = 45
    var batch = Batch()
    batch.files = [delta]
    #expect(try fixture.store.commit([stream.staged(batch)]) == [.committed])
    #expect(try fixture.count("log_lines") == 9)
    let ahead = try keeper(fixture).closedChunks(of: "host_samples", beforeUs: .max / 4)
    #expect(fixture.store.capability != .plain || ahead.count == 3)
    #expect(zip(ahead, ahead.dropFirst()).allSatisfy { $0.untilUs == $1.firstUs })
  }

  @Test func minutesAndHoursAreTheAveragesOfTheirSamplesAlsoOfLateOnes() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    let hourNs: Int64 = 3_600_000_000_000
    let start = now - now % hourNs - 2 * hourNs
    func sample(_ atNs: Int64, _ busy: Float, _ sequence: UInt64, receivedNs: Int64) -> StagedBatch {
      samples([stream], atNs, sequence, busy: busy, receivedNs: receivedNs)[0]
    }
    let first = start + 5_000_000_000
    _ = try fixture.store.commit([
      sample(first, 10, 1, receivedNs: first), sample(first + 10_000_000_000, 30, 2, receivedNs: first),
      sample(first + 70_000_000_000, 50, 3, receivedNs: first),
    ])
    let keeper = try keeper(fixture)
    let report = try #require(try keeper.housekeep(nowNs: now))
    #expect(report.problems.isEmpty)
    let minutes =
      "select string_agg(cpu_busy_percent || '/' || cpu_busy_percent_max || '/' || samples, ' ' order by time) from host_samples_1m where host = 'trainer-1'"
    let hours = "select string_agg(cpu_busy_percent || '/' || samples, ' ' order by time) from host_samples_1h"
    #expect(try fixture.value(minutes) == "20/30/2 50/50/1")
    #expect(try fixture.value(hours) == "30/3")
    _ = try fixture.store.commit([sample(first + 71_000_000_000, 70, 4, receivedNs: now)])
    _ = try keeper.housekeep(nowNs: now)
    #expect(try fixture.value(minutes) == "20/30/2 60/70/2")
    #expect(try fixture.value(hours) == "40/4")
  }

  @Test func closedLogChunksGetASearchIndexOnce() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    // Closed, and not yet compressed: that takes the index away again.
    _ = try fixture.store.commit([lines(stream, daysAgo: 1, file: 1)])
    let keeper = try keeper(fixture)
    let hasTrigrams = try fixture.value("select exists (select from pg_extension where extname = 'pg_trgm')") == "t"
    let first = try #require(try keeper.housekeep(nowNs: now, searchIndexesMax: 100))
    #expect(first.problems.isEmpty)
    #expect(first.chunksIndexed > 0 || !hasTrigrams)
    #expect(try keeper.housekeep(nowNs: now, searchIndexesMax: 100)?.chunksIndexed == 0)
    // Late lines still go in.
    #expect(try fixture.store.commit([lines(stream, daysAgo: 1, file: 2)]) == [.committed])
  }

  @Test func onlyOneCollectorKeepsHouse() throws {
    let fixture = try StoreFixture()
    let first = try keeper(fixture)
    // As one whose pass is under way.
    try first.connection.execute(
      """
      update signalbox.locks set holder_pid = pid, holder_started = backend_start
      from pg_stat_activity where name = 'housekeeping' and pid = pg_backend_pid()
      """)
    let second = try keeper(fixture)
    #expect(try second.housekeep(nowNs: now) == nil)
    // Its own is no other's, and a pass gives it back.
    #expect(try first.housekeep(nowNs: now) != nil)
    #expect(try second.housekeep(nowNs: now) != nil)
  }

  @Test func collectorThatIsGoneHoldsNoLock() throws {
    let fixture = try StoreFixture()
    // The same process number, taken by a session that began later.
    try fixture.store.connection.execute(
      """
      update signalbox.locks set holder_pid = pid, holder_started = backend_start - interval '1 hour'
      from pg_stat_activity where name = 'housekeeping' and pid = pg_backend_pid()
      """)
    #expect(try keeper(fixture).housekeep(nowNs: now) != nil)
    try fixture.store.connection.execute(
      "update signalbox.locks set holder_pid = 0, holder_started = now() where name = 'housekeeping'")
    #expect(try keeper(fixture).housekeep(nowNs: now) != nil)
  }

  /// A second connection in a transaction that has read everything, as a long report does.
  private func openReader(_ fixture: StoreFixture) throws -> Connection {
    let reader = try Connection(fixture.database.url)
    try reader.execute("begin isolation level repeatable read")
    _ = try reader.query("select count(*) from log_lines")
    _ = try reader.query("select count(*) from signalbox.host_samples")
    return reader
  }

  /// Retention beside an open reader: a writer that must not wait is given 200 ms for its locks, and asks while the pass runs.
  @Test func retentionKeepsNoWriterWaitingBehindAReader() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    _ = try fixture.store.commit([lines(stream, daysAgo: 80, file: 1)])
    let reader = try openReader(fixture)
    var options = Store.writerOptions
    options.lockTimeoutMs = 200
    let writer = try Store.open(fixture.database.url, options: options)
    let pass = HousekeepingPass(database: fixture.database.url, nowNs: now)
    pass.start()
    var sequence: UInt64 = 0
    while !pass.isDone {
      sequence += 1
      // Throws where it had to wait for a lock.
      #expect(try writer.commit([stream.samples(sequence...sequence)]) == [.committed])
    }
    #expect(sequence > 1)
    #expect(try fixture.count("signalbox.host_samples") == Int(sequence))
    reader.close()
    // Without the reader the rest goes, also where the first pass was interrupted.
    let report = try #require(try keeper(fixture).housekeep(nowNs: now))
    #expect(report.problems.isEmpty)
    let left = try fixture.value(
      "select string_agg(coalesce(level, '-'), ' ' order by level) from log_lines")
    #expect(left == "ERROR")
    if fixture.store.capability == .plain {
      #expect(try fixture.value("select count(*) from signalbox.detached('log_info')") == "0")
    }
  }

  @Test func partitionThatAReaderKeepsFromBeingDroppedTakesRowsAgain() throws {
    let fixture = try StoreFixture()
    if fixture.store.capability != .plain { return }
    let stream = try fixture.stream()
    _ = try fixture.store.commit([lines(stream, daysAgo: 50, file: 1)])
    let name = try #require(
      try fixture.value("select chunk::text from signalbox.chunks('log_info') order by first limit 1"))
    // As a pass leaves it that could detach and not drop.
    try fixture.store.connection.execute("alter table signalbox.log_info detach partition \(name)")
    #expect(try fixture.another().commit([lines(stream, daysAgo: 50, file: 2)]) == [.committed])
    #expect(try fixture.value("select count(*) from log_lines where level = 'INFO'") == "2")
  }

  /// One sample of each host at the given time, in one group.
  private func samples(
    _ streams: [TestStream], _ atNs: Int64, _ sequence: UInt64, busy: Float = 10, receivedNs: Int64? = nil
  ) -> [StagedBatch] {
    streams.map { stream in
      var sample = HostSample()
      sample.timeNs = atNs
      sample.cpuBusyPercent = busy
      var records = Records()
      records.hosts = [sample]
      var batch = Batch()
      batch.spooled = [SpooledRecords(lane: .live, firstSequence: sequence, lastSequence: sequence, records: records)]
      return stream.staged(batch, receivedNs: receivedNs ?? atNs)
    }
  }

  @Test func aggregatesAreMadeOfWhatIsNewAndAnHourOfOneHostAgain() throws {
    let fixture = try StoreFixture()
    if fixture.store.capability == .community { return }
    let streams = try (1...3).map { try fixture.stream("host-\($0)", UInt64($0)) }
    let minuteNs: Int64 = 60_000_000_000
    let start = now - now % (60 * minuteNs) - 30 * minuteNs
    for index: Int64 in 0..<20 {
      _ = try fixture.store.commit(samples(streams, start + index * minuteNs, UInt64(index + 1)))
    }
    let keeper = try keeper(fixture)
    _ = try keeper.housekeep(nowNs: start + 20 * minuteNs)
    #expect(try fixture.value("select count(*) from host_samples_1m") == "51")
    // The next pass goes on where the last one ended: xmin shows which rows are new.
    let before = try fixture.value("select max(xmin::text::bigint) from signalbox.host_1m")
    _ = try fixture.store.commit(samples(streams, start + 20 * minuteNs, 21))
    _ = try keeper.housekeep(nowNs: start + 21 * minuteNs)
    #expect(
      try fixture.value("select count(*) from signalbox.host_1m where xmin::text::bigint > \(before ?? "")") == "3")
    // A late sample of one host: its hour is made again, the others' rows stay.
    let second = try fixture.value("select max(xmin::text::bigint) from signalbox.host_1m")
    _ = try fixture.store.commit(
      samples([streams[1]], start + 5 * minuteNs + 1, 22, busy: 30, receivedNs: start + 21 * minuteNs))
    #expect(try fixture.count("signalbox.aggregate_late") == 1)
    _ = try keeper.housekeep(nowNs: start + 21 * minuteNs)
    #expect(try fixture.count("signalbox.aggregate_late") == 0)
    #expect(
      try fixture.value(
        """
        select count(*) || ' ' || count(distinct host) from signalbox.host_1m where xmin::text::bigint > \(second ?? "")
        """) == "18 1")
    #expect(
      try fixture.value(
        "select string_agg(distinct cpu_busy_percent || '/' || samples, ' ') from host_samples_1m where samples > 1")
        == "20/2")
  }

  @Test func aggregatesThatAreOldAreDroppedAsPartitions() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    _ = try fixture.store.commit(samples([stream], now - 40 * day, 1, receivedNs: now - 40 * day))
    _ = try fixture.store.commit(samples([stream], now - 2 * day, 2, receivedNs: now - 2 * day))
    let keeper = try keeper(fixture)
    var retention = Retention()
    retention.samplesNs = nil
    retention.aggregatesNs = 14 * day
    try keeper.setRetention(retention)
    // The first pass goes over a week of hours at most: as many passes as there are weeks.
    for _ in 0..<8 { _ = try keeper.housekeep(nowNs: now) }
    #expect(try fixture.value("select count(*) from host_samples_1m") == "1")
    if fixture.store.capability == .plain {
      #expect(try fixture.value("select relkind from pg_class where oid = 'signalbox.host_1m'::regclass") == "p")
    }
  }
}
