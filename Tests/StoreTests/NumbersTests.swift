import FleetModel
import Postgres
import Store
import TestSupport
import Testing

/// Runs and files have 31-bit numbers: what happens when none is left.
@Suite(.timeLimit(.minutes(10))) struct NumbersTests {
  private let now = StoreFixture.nowNs

  private func useUp(_ table: String, _ fixture: StoreFixture) throws {
    try fixture.store.connection.execute("select setval('signalbox.\(table)_number_seq', \(Int32.max))")
  }

  private func housekeep(_ fixture: StoreFixture) throws -> HousekeepingReport? {
    let keeper = try Store.open(fixture.database.url, options: Store.housekeepingOptions)
    defer { keeper.close() }
    return try keeper.housekeep(nowNs: now)
  }

  private func merged(_ parts: StagedBatch...) -> StagedBatch {
    var whole = parts[0]
    for part in parts.dropFirst() {
      whole.batch.files += part.batch.files
      whole.batch.spooled += part.batch.spooled
    }
    return whole
  }

  @Test func newFilesAreRefusedAndEverythingElseGoesOn() throws {
    let fixture = try StoreFixture()
    let first = try fixture.stream()
    let second = try fixture.stream("trainer-2", 2)
    #expect(try fixture.store.commit([first.lines(3)]) == [.committed])
    #expect(try housekeep(fixture)?.outOfNumbers == nil)
    try useUp("followed_files", fixture)

    let group = [
      merged(first.lines(2, from: 3), first.lines(5, file: 77), first.samples(1...4)), second.samples(1...2),
    ]
    #expect(try fixture.store.commit(group) == [.committed, .committed])
    #expect(
      try fixture.value("select string_agg(f.path || ' ' || f.committed_offset, ',') from signalbox.followed_files f")
        == "/var/log/train-9.log 50")
    #expect(try fixture.count("log_lines") == 5)
    #expect(try fixture.count("host_samples") == 6)
    // What follows of it is refused as well; its stream goes on, also on a new connection to the database.
    #expect(try fixture.store.commit([merged(first.lines(4, from: 5, file: 77), first.samples(5...5))]) == [.committed])
    #expect(try fixture.another().commit([merged(first.lines(5, file: 77), first.samples(6...6))]) == [.committed])
    #expect(try fixture.count("dead_letters") == 0)
    #expect(try fixture.value("select kind from host_quotas where host = 'trainer-1' and rows_refused >= 5") == "files")
    #expect(
      try fixture.value("select count(*) from loss_ledger where file = 'quota/files' and reason = 'refused'") != "0")
    #expect(try housekeep(fixture)?.outOfNumbers?.hasPrefix("followed files have used 100 % of their numbers") == true)

    // As docs/operations.md says: a range that no row uses.
    try fixture.store.connection.execute(
      "alter sequence signalbox.followed_files_number_seq restart with 1000 maxvalue 2000")
    #expect(try fixture.store.commit([first.lines(5, file: 78)]) == [.committed])
    #expect(try fixture.value("select number from signalbox.followed_files where path like '%78.log'") == "1000")
    #expect(try housekeep(fixture)?.outOfNumbers == nil)
  }

  @Test func newRunsAreRefusedWithTheirSteps() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    func batch(_ sequence: UInt64, _ runs: [String]) -> StagedBatch {
      var records = Records()
      records.steps = runs.map { name in
        var step = TrainingStep()
        step.run = name
        step.timeNs = now
        step.episode = 1
        step.step = Int64(sequence)
        return step
      }
      var batch = Batch()
      batch.spooled = [SpooledRecords(lane: .live, firstSequence: sequence, lastSequence: sequence, records: records)]
      return stream.staged(batch)
    }
    #expect(try fixture.store.commit([batch(1, ["known"])]) == [.committed])
    try useUp("runs", fixture)
    for sequence: UInt64 in 2...4 {
      #expect(try fixture.store.commit([batch(sequence, ["known", "new"])]) == [.committed])
    }
    #expect(try fixture.value("select string_agg(run, ',') from signalbox.runs") == "known")
    #expect(try fixture.count("signalbox.training_steps") == 4)
    #expect(try fixture.count("dead_letters") == 0)
    #expect(try fixture.value("select kind from host_quotas where rows_refused >= 1") == "runs")
    #expect(try housekeep(fixture)?.outOfNumbers?.hasPrefix("runs have used 100 % of their numbers") == true)
  }

  @Test func numbersThatRunOutAreReportedBeforehand() throws {
    let fixture = try StoreFixture()
    try fixture.store.connection.execute("select setval('signalbox.runs_number_seq', 1800000000)")
    let report = try #require(try housekeep(fixture))
    #expect(report.outOfNumbers == nil)
    #expect(report.problems.count == 1 && report.problems[0].hasPrefix("runs have used 83 % of their numbers"))
  }
}
