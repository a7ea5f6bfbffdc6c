import FleetModel
import Store
import Testing

@Suite(.timeLimit(.minutes(10))) struct QuotaTests {
  private let second: Int64 = 1_000_000_000

  /// Three of each, then one a second.
  private func fixture() throws -> StoreFixture {
    let fixture = try StoreFixture()
    fixture.store.quotas = HostQuotas { HostQuota { _ in RateLimit(perSecond: 1, burst: 3) } }
    return fixture
  }

  private func batch(
    _ stream: TestStream, _ sequence: UInt64, after seconds: Int64 = 0, _ change: (inout Records) -> Void
  )
    -> StagedBatch
  {
    var records = Records()
    change(&records)
    var batch = Batch()
    batch.spooled = [SpooledRecords(lane: .live, firstSequence: sequence, lastSequence: sequence, records: records)]
    return stream.staged(batch, receivedNs: StoreFixture.nowNs + seconds * second)
  }

  private func run(_ name: String) -> RunUpdate {
    var run = RunUpdate()
    run.run = name
    run.state = .running
    run.timeNs = StoreFixture.nowNs
    return run
  }

  private func step(_ run: String, _ episode: Int64 = 1) -> TrainingStep {
    var step = TrainingStep()
    step.run = run
    step.episode = episode
    step.timeNs = StoreFixture.nowNs
    return step
  }

  private func ledger(_ fixture: StoreFixture) throws -> String? {
    try fixture.value(
      "select string_agg(concat_ws(' ', file, to_offset, reason), ', ' order by file, to_offset) from loss_ledger")
  }

  @Test func newRunsBeyondTheQuotaAreRefusedWithWhatBelongsToThem() throws {
    let fixture = try fixture()
    let stream = try fixture.stream()
    let names = (1...5).map { "run-\($0)" }
    let staged = batch(stream, 1) {
      $0.runs = names.map(run)
      $0.steps = [step("run-1"), step("run-1")]
    }
    #expect(try fixture.store.commit([staged]) == [.committed])
    #expect(try fixture.count("runs") == 3)
    #expect(try ledger(fixture)?.contains("quota/runs") == true)
    #expect(
      try fixture.value("select kind || ' ' || (rows_refused >= 2) from host_quotas where host = 'trainer-1'")
        == "runs true")
    // Known runs go on without a quota, and no number is used up by asking for them again.
    for sequence in 2...40 as ClosedRange<UInt64> {
      _ = try fixture.store.commit([batch(stream, sequence, after: 1000) { $0.runs = ["run-1", "run-2"].map(run) }])
    }
    #expect(try fixture.count("runs") <= 5)
    #expect(
      try fixture.value(
        "select last_value from pg_sequences where schemaname = 'signalbox' and sequencename like 'runs%'")
        == fixture.value("select max(number) from signalbox.runs"))
  }

  @Test func stepsEpisodesSamplesAndLossesAreRefusedByTheirOwnQuotas() throws {
    let fixture = try fixture()
    let stream = try fixture.stream()
    let staged = batch(stream, 1) { records in
      records.disks = (0..<8).map { number in
        var disk = DiskSample()
        disk.timeNs = StoreFixture.nowNs
        disk.mountPoint = "/m\(number)"
        return disk
      }
      records.steps = (0..<9).map { _ in step("a") }
      records.episodes = (0..<10 as Range<Int64>).map { episode in
        var summary = EpisodeSummary()
        summary.run = "a"
        summary.episode = episode
        summary.timeNs = StoreFixture.nowNs
        return summary
      }
      records.losses = (0..<11 as Range<UInt64>).map { number in
        var loss = Loss()
        loss.subject = "/logs/\(number)"
        loss.timeNs = StoreFixture.nowNs
        return loss
      }
    }
    #expect(try fixture.store.commit([staged]) == [.committed])
    #expect(try fixture.count("disk_samples") == 3)
    #expect(try fixture.count("training_steps") == 3)
    #expect(try fixture.count("signalbox.episodes") == 3)
    #expect(
      try fixture.value("select string_agg(kind || ' ' || rows_refused, ', ' order by kind) from host_quotas")
        == "episodes 7, losses 8, samples 5, steps 6")
    #expect(try fixture.count("loss_ledger") == 3 + 4)
    // What is added to a known episode is free.
    let again = batch(stream, 2) { records in
      records.episodes = (0..<10 as Range<Int64>).map { _ in
        var summary = EpisodeSummary()
        summary.run = "a"
        summary.steps = 1
        summary.timeNs = StoreFixture.nowNs
        return summary
      }
    }
    let known = try fixture.value("select min(episode) from signalbox.episodes")
    var renamed = again
    for index in renamed.batch.spooled[0].records.episodes.indices {
      renamed.batch.spooled[0].records.episodes[index].episode = Int64(known ?? "") ?? 0
    }
    #expect(try fixture.store.commit([renamed]) == [.committed])
    #expect(try fixture.value("select sum(steps) from signalbox.episodes") == "10")
  }

  @Test func aFileBeyondTheQuotaIsPassedOverAndItsStreamGoesOn() throws {
    let fixture = try fixture()
    let stream = try fixture.stream()
    func staged(_ files: [FileDelta], after seconds: Int64 = 0) -> StagedBatch {
      var batch = Batch()
      batch.files = files
      return stream.staged(batch, receivedNs: StoreFixture.nowNs + seconds * second)
    }
    let first = staged((1...5 as ClosedRange<UInt64>).map { stream.delta(2, file: $0) })
    #expect(try fixture.store.commit([first]) == [.committed])
    #expect(try fixture.count("log_lines") == 6)
    #expect(try fixture.count("signalbox.followed_files") == 3)
    // More of a refused file, in a batch with lines of a known one.
    let next = staged([stream.delta(1, from: 2, file: 5), stream.delta(1, from: 2, file: 1)])
    #expect(try fixture.store.commit([next]) == [.committed])
    #expect(try fixture.count("log_lines") == 7)
    #expect(try ledger(fixture) == "quota/files 6 refused")
    // After a new Welcome the agent begins again; by then there is room.
    #expect(try fixture.store.commit([staged([stream.delta(3, file: 5)], after: 100)]) == [.committed])
    #expect(try fixture.count("log_lines") == 10)
    #expect(
      try ledger(fixture) == "quota/files 1 refused, quota/files 6 refused"
        || ledger(fixture) == "quota/files 2 refused, quota/files 6 refused")
  }

  @Test func aGroupThatIsTriedAgainIsNotChargedTwiceAndOneHostDoesNotUseAnothers() throws {
    let fixture = try fixture()
    let one = try fixture.stream("a", 1)
    let other = try fixture.stream("b", 2)
    let group = [one.samples(1...5), other.samples(1...2)]
    #expect(try fixture.store.commit(group) == [.committed, .committed])
    #expect(try fixture.store.commit(group) == [.duplicate, .duplicate])
    #expect(
      try fixture.value(
        "select string_agg(host || ' ' || n, ', ' order by host) from (select host, count(*) n from host_samples group by host) s"
      ) == "a 3, b 2")
    #expect(fixture.store.quotas.refusedTotal == 2)
  }

  /// A restart of the collector, or a move to another one, is a writer without memory and a new connection of the host.
  @Test func aRestartGivesNoHostANewQuota() throws {
    let fixture = try fixture()
    let host = try fixture.host()
    func stored(boot: UInt64, _ sequence: UInt64, after seconds: Int64 = 0) throws -> String? {
      fixture.store.quotas = HostQuotas { HostQuota { _ in RateLimit(perSecond: 1, burst: 3) } }
      let fence = try fixture.fence(host, boot: boot)
      let stream = TestStream(host, fence)
      let names = (1...5).map { "run-\(sequence)-\($0)" }
      #expect(
        try fixture.store.commit([batch(stream, sequence, after: seconds) { $0.runs = names.map(run) }]) == [.committed]
      )
      return try fixture.value("select count(*) from runs")
    }
    #expect(try stored(boot: 1, 1) == "3")
    #expect(try stored(boot: 2, 2) == "3")
    // Two more seconds are two more runs, as without a restart.
    #expect(try stored(boot: 3, 3, after: 2) == "5")
    #expect(try stored(boot: 4, 4, after: 2) == "5")
    #expect(try fixture.value("select count(*) from signalbox.quota_meters where kind = 'runs'") == "1")
  }

  /// A host within its quota costs no write; a meter is saved at each sixteenth of its burst.
  @Test func metersAreSavedAtSixteenthsOfTheBurst() throws {
    let fixture = try StoreFixture()
    fixture.store.quotas = HostQuotas { HostQuota { _ in RateLimit(perSecond: 1, burst: 160) } }
    let stream = try fixture.stream()
    func saved() throws -> String? {
      try fixture.value("select (free_at_ns - \(StoreFixture.nowNs)) / 1000000000 from signalbox.quota_meters")
    }
    var seen: [String?] = []
    for sequence in 1...25 as ClosedRange<UInt64> {
      _ = try fixture.store.commit([batch(stream, sequence) { $0.runs = [run("run-\(sequence)")] }])
      seen.append(try saved())
    }
    #expect(
      seen == Array(repeating: nil, count: 10) + Array(repeating: "11", count: 11) + Array(repeating: "22", count: 4))
  }

  @Test func spoolsThatAHostNamesAreForgottenButTheNewestOnes() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    var group: [StagedBatch] = []
    for spool in 1...100 as ClosedRange<UInt64> {
      var staged = stream.samples(1...1)
      staged.spool = SpoolID(high: 7, low: spool)
      group.append(staged)
    }
    _ = try fixture.store.commit(group)
    #expect(try fixture.count("signalbox.agent_ledger") == 100)
    _ = try fixture.fence(stream.host)
    #expect(try fixture.count("signalbox.agent_ledger") == 64)
  }
}
