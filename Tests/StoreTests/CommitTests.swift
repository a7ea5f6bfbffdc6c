import FleetModel
import Postgres
import Store
import Testing

@Suite(.timeLimit(.minutes(10))) struct CommitTests {
  @Test func samplesAndLinesAreStoredOnceHoweverOftenTheyCome() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    let group = [stream.samples(1...5), stream.lines(100)]
    #expect(try fixture.store.commit(group) == [.committed, .committed])
    #expect(try fixture.store.commit(group) == [.duplicate, .duplicate])
    #expect(try fixture.another().commit(group) == [.duplicate, .duplicate])
    #expect(try fixture.count("host_samples") == 5)
    #expect(try fixture.count("log_lines") == 100)
    #expect(
      try fixture.value("select string_agg(message, ',' order by file_offset) from (select * from log_lines limit 2) l")
        == "1000000..,1000001..")
    #expect(try fixture.value("select sum(lines) || ' ' || sum(bytes) from log_counts") == "100 900")
    #expect(
      try fixture.value("select distinct host || ' ' || file || ' ' || level from log_lines")
        == "trainer-1 /var/log/train-9.log INFO")
  }

  @Test func howAProcessEndedIsStoredAndReadBack() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    var batch = stream.samples(1...1)
    var ends: [Event] = []
    for exit in [nil, .code(7), .signal(9, coreDumped: false)] as [ProcessExit?] {
      var end = ProcessEnd()
      end.exit = exit
      end.pid = .max
      end.startedNs = batch.batch.spooled[0].records.hosts[0].timeNs - 7_000_000_000
      end.job = "slurm:7/0"
      end.errors = "/srv/train.err"
      end.oomKills = exit == nil ? nil : 0
      var event = Event()
      event.timeNs = end.startedNs + 7_000_000_000
      event.kind = .processExit
      event.subject = "python3[7]"
      event.processEnd = end
      ends.append(event)
    }
    var other = ends[0]
    other.kind = .kernel
    other.processEnd = nil
    batch.batch.spooled[0].records.events = ends + [other]
    #expect(try fixture.store.commit([batch]) == [.committed])
    #expect(
      try fixture.value(
        """
        select string_agg(concat_ws(' ', exit_known, exit_code, exit_signal, core_dumped, pid, time - started, job, output, errors, oom_kills), ', '
          order by exit_known, exit_code, exit_signal)
        from public.events where kind = 'process_exit'
        """)
        == "f 4294967295 00:00:07 slurm:7/0 /srv/train.err, t 7 4294967295 00:00:07 slurm:7/0 /srv/train.err 0, "
        + "t 9 f 4294967295 00:00:07 slurm:7/0 /srv/train.err 0")
    #expect(try fixture.value("select count(*) from public.events where exit_known is null and pid is null") == "1")
  }

  @Test func newPartsOfAPartlyKnownBatchAreStoredAndTheRestIsNot() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    #expect(try fixture.store.commit([stream.samples(1...3)]) == [.committed])
    #expect(try fixture.store.commit([stream.samples(2...6)]) == [.committed])
    #expect(try fixture.value("select string_agg(load1::text, ',' order by load1) from host_samples") == "1,2,3,4,5,6")
  }

  @Test func batchThatLeavesAGapIsRefusedWholeAndSoIsWhatFollowsIt() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    var gap = stream.samples(1...1)
    gap.batch.files = [stream.delta(10, from: 5)]
    #expect(
      try fixture.store.commit([gap, stream.samples(1...1), stream.lines(5)]) == [
        .outOfOrder, .outOfOrder, .outOfOrder,
      ])
    #expect(try fixture.count("host_samples") == 0)
    #expect(try fixture.store.commit([stream.samples(2...2)]) == [.outOfOrder])
    #expect(try fixture.store.commit([stream.samples(1...1), stream.samples(2...2)]) == [.committed, .committed])
  }

  @Test func oneHostsGapDoesNotHoldUpAnother() throws {
    let fixture = try StoreFixture()
    let first = try fixture.stream("a", 1)
    let second = try fixture.stream("b", 2)
    #expect(try fixture.store.commit([first.samples(9...9), second.samples(1...2)]) == [.outOfOrder, .committed])
    #expect(try fixture.value("select string_agg(distinct host, ',') from host_samples") == "b")
  }

  @Test func lanesAndSpoolsCountSeparately() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    var other = stream.samples(1...1)
    other.spool = SpoolID(high: 0, low: 6)
    #expect(
      try fixture.store.commit([stream.samples(1...2), stream.samples(1...3, lane: .backfill), other])
        == [.committed, .committed, .committed])
    let fence = try fixture.fence(stream.host)
    #expect(fence.lanes == [LaneMark(lane: .live, sequence: 2), LaneMark(lane: .backfill, sequence: 3)])
  }

  @Test func gapRecordOverCommittedSequencesTellsOnlyTheRest() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    #expect(try fixture.store.commit([stream.samples(1...4)]) == [.committed])
    var records = Records()
    var loss = Loss()
    loss.timeNs = StoreFixture.nowNs
    loss.subject = "spool/live"
    loss.from = 3
    loss.to = 9
    loss.reason = .spoolFull
    records.losses = [loss]
    var batch = Batch()
    batch.spooled = [SpooledRecords(lane: .live, firstSequence: 3, lastSequence: 8, records: records)]
    #expect(try fixture.store.commit([stream.staged(batch)]) == [.committed])
    #expect(
      try fixture.value("select from_offset || '-' || to_offset || ' ' || reason from loss_ledger") == "5-9 spool_full")
    #expect(try fixture.store.commit([stream.samples(9...9)]) == [.committed])
  }

  @Test func stateOfARunIsStoredWithoutRowsAndTheFileGoesOn() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    func staged(_ state: RunState) -> StagedBatch {
      var delta = stream.delta(0, from: 3)
      var run = RunUpdate()
      run.run = "seven"
      run.state = state
      run.timeNs = stream.lines(1).receivedNs
      delta.runs = [run]
      var batch = Batch()
      batch.files = [delta]
      return stream.staged(batch)
    }
    #expect(try fixture.store.commit([stream.lines(3)]) == [.committed])
    #expect(try fixture.store.commit([staged(.running)]) == [.committed])
    #expect(try fixture.store.commit([staged(.completed)]) == [.committed])
    #expect(try fixture.store.commit([staged(.completed)]) == [.committed])
    #expect(try fixture.value("select string_agg(state::text, ',') from runs") == "completed")
    #expect(try fixture.fence(stream.host).files.map(\.offset) == [30])
  }

  @Test func filesEndIsStoredWithoutLinesAndTheFileLeavesTheWelcome() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    #expect(try fixture.store.commit([stream.lines(3)]) == [.committed])
    var fence = try fixture.fence(stream.host)
    #expect(fence.files.map(\.offset) == [30])
    #expect(fence.files.first?.tailHash == 3)
    #expect(fence.files.first?.file.path == "/var/log/train-9.log")
    var end = stream.delta(0, from: 3)
    end.isFinished = true
    var batch = Batch()
    batch.files = [end]
    let again = TestStream(stream.host, fence)
    #expect(try fixture.store.commit([again.staged(batch)]) == [.committed])
    #expect(try fixture.store.commit([again.staged(batch)]) == [.duplicate])
    fence = try fixture.fence(stream.host)
    #expect(fence.files.isEmpty)
  }

  @Test func batchOfAFencedStreamIsNotStored() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    let newer = try fixture.another().fence(
      host: stream.host, hello: StoreFixture.hello(), receivedNs: StoreFixture.nowNs)
    #expect(newer.epoch == stream.fence.epoch + 1)
    #expect(try fixture.store.commit([stream.samples(1...1)]) == [.fenced])
    #expect(try fixture.count("host_samples") == 0)
    #expect(try fixture.store.commit([TestStream(stream.host, newer).samples(1...1)]) == [.committed])
  }

  @Test func healthAloneIsCommittedAndSeen() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    var batch = Batch()
    var health = AgentHealth()
    health.spoolBytes = 77
    health.cpuSecondsTotal = 1.5
    batch.health = health
    let later = stream.staged(batch, receivedNs: StoreFixture.nowNs + 5_000_000_000)
    #expect(try fixture.store.commit([later]) == [.committed])
    #expect(try fixture.value("select spool_bytes || ' ' || agent_cpu_seconds_total from hosts") == "77 1.5")
    #expect(try fixture.value("select last_seen - connected from hosts") == "00:00:05")
  }
}
