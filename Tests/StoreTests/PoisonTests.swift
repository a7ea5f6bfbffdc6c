import FleetModel
import Postgres
import Store
import Testing

/// What no agent should send costs only itself.
@Suite(.timeLimit(.minutes(10))) struct PoisonTests {
  private static let replacement = "\u{fffd}"

  @Test(arguments: [
    ("a\0b", [UInt8("a".utf8.first!), 0, UInt8("b".utf8.first!)]), ("bad start", [0xff, 0x41]),
    ("cut", [0x41, 0xe2, 0x82]),
    ("surrogate", [0xed, 0xa0, 0x80]), ("overlong NUL", [0xc0, 0x80]),
  ])
  func textThatPostgreSQLRefusesIsRepaired(_ name: String, _ bytes: [UInt8]) throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    var delta = stream.delta(2)
    delta.lines.append(bytes, advance: 5, timeUs: StoreFixture.nowNs / 1000, level: .error)
    delta.to += 5
    var batch = Batch()
    batch.files = [delta]
    #expect(try fixture.store.commit([stream.staged(batch)]) == [.committed])
    #expect(try fixture.count("log_lines") == 3)
    #expect(try fixture.count("dead_letters") == 0)
    let message = try fixture.value("select message from log_lines where level = 'ERROR'") ?? ""
    #expect(message.contains(Self.replacement))
    #expect(try fixture.value("select flags & 4 from log_lines where level = 'ERROR'") == "4")
  }

  @Test func validTextBeyondASCIIIsKeptAsItIs() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    var delta = stream.delta(0)
    let text = "Verlust 0,5 € · 損失 · 😀"
    delta.lines.append(Array(text.utf8), advance: 5, timeUs: StoreFixture.nowNs / 1000, level: .warn)
    delta.to = 5
    var batch = Batch()
    batch.files = [delta]
    #expect(try fixture.store.commit([stream.staged(batch)]) == [.committed])
    #expect(try fixture.value("select message || flags from log_lines") == text + "0")
  }

  @Test func numbersThatAreNoneAreNullAndHugeOnesAreCut() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    var staged = stream.samples(1...1)
    staged.batch.spooled[0].records.hosts[0].load5 = .infinity
    staged.batch.spooled[0].records.hosts[0].memoryTotalBytes = .max
    var step = TrainingStep()
    step.timeNs = StoreFixture.nowNs
    step.run = "r"
    step.reward = Double("1e400")!
    step.price = 1e308
    var metric = Metric()
    metric.name = "loss\"\0\n"
    metric.value = .nan
    step.metrics = [metric]
    staged.batch.spooled[0].records.steps = [step]
    #expect(try fixture.store.commit([staged]) == [.committed])
    #expect(
      try fixture.value(
        "select load5 is null and cpu_busy_percent is null and memory_total_bytes = 9223372036854775807 from host_samples"
      )
        == "t")
    #expect(try fixture.value("select reward is null and price = 1e308 from training_steps") == "t")
    #expect(try fixture.value("select metrics::text from training_steps") == #"{"loss\"\#u{fffd}\n": null}"#)
  }

  @Test(arguments: [Int64.max, Int64.min, 0, StoreFixture.nowNs / 1000 + 3_700_000_000])
  func impossibleTimesAreStoredUnderTheirArrivalAndNoted(_ timeUs: Int64) throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    var delta = stream.delta(1)
    delta.lines.append(Array("when?".utf8), advance: 6, timeUs: timeUs, level: .info)
    delta.to += 6
    var staged = stream.samples(1...1)
    staged.batch.files = [delta]
    staged.batch.spooled[0].records.hosts[0].timeNs =
      timeUs.multipliedReportingOverflow(by: 1000).overflow ? timeUs : timeUs * 1000
    #expect(try fixture.store.commit([staged]) == [.committed])
    #expect(try fixture.value("select time = received from log_lines where message = 'when?'") == "t")
    #expect(try fixture.value("select time = received from host_samples") == "t")
    #expect(
      try fixture.value("select string_agg(table_name || rows, ',' order by table_name) from clock_suspect")
        == "host_samples1,log_info1")
    #expect(
      try fixture.value("select first_claimed_us = \(timeUs) from clock_suspect where table_name = 'log_info'") == "t")
  }

  @Test func refusedRowGoesToDeadLettersWithALossAndTheRestIsStored() throws {
    let fixture = try StoreFixture()
    try fixture.store.connection.execute(
      "alter table signalbox.log_info add constraint no_poison check (message not like '%poison%')")
    let stream = try fixture.stream()
    var delta = stream.delta(20)
    delta.lines.append(Array("poison".utf8), advance: 7, timeUs: StoreFixture.nowNs / 1000, level: .info)
    delta.to += 7
    var batch = Batch()
    batch.files = [delta]
    #expect(try fixture.store.commit([stream.samples(1...3), stream.staged(batch)]) == [.committed, .committed])
    #expect(try fixture.count("log_lines") == 20)
    #expect(try fixture.count("host_samples") == 3)
    #expect(
      try fixture.value("select host || ' ' || table_name || ' ' || sqlstate from dead_letters")
        == "trainer-1 signalbox.log_info 23514")
    #expect(try fixture.value("select position('poison'::bytea in row_bytes) > 0 from dead_letters") == "t")
    #expect(
      try fixture.value("select file || ' ' || from_offset || '-' || to_offset || ' ' || reason from loss_ledger")
        == "/var/log/train-9.log 200-207 refused")
    #expect(try fixture.store.commit([stream.staged(batch)]) == [.duplicate])
  }

  @Test func aFileWhoseNameIsRefusedIsStoredUnderAnother() throws {
    let fixture = try StoreFixture()
    try fixture.store.connection.execute("alter table signalbox.followed_files add check (path not like '%evil%')")
    let stream = try fixture.stream()
    let other = try fixture.stream("b", 2)
    var evil = stream.delta(5)
    evil.file.path = "/evil"
    var batch = Batch()
    batch.files = [evil]
    batch.spooled = stream.samples(1...2).batch.spooled
    #expect(
      try fixture.store.commit([other.samples(1...1), stream.staged(batch)]) == [.committed, .committed])
    #expect(try fixture.value("select count(*) from host_samples where host = 'b'") == "1")
    // The file's lines are stored under a generated name, and its offset moves.
    #expect(try fixture.value("select count(*) from host_samples where host = 'trainer-1'") == "2")
    #expect(try fixture.value("select count(*) from log_lines where file like 'refused-path/%'") == "5")
    #expect(
      try fixture.value("select table_name || ' ' || convert_from(row_bytes, 'UTF8') from dead_letters")
        == "signalbox.followed_files /evil")
    #expect(try fixture.store.commit([stream.staged(batch)]) == [.duplicate])
    #expect(fixture.store.connection.isInTransaction == false)
  }

  @Test func longRunNamesAreCutToTheIndexAndStayDistinctRows() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    var staged = stream.samples(1...1)
    var run = RunUpdate()
    run.timeNs = StoreFixture.nowNs
    run.run = String(repeating: "ö", count: 5000)
    run.state = .running
    run.detail = "not json\0"
    staged.batch.spooled[0].records.runs = [run]
    #expect(try fixture.store.commit([staged]) == [.committed])
    #expect(try fixture.value("select octet_length(run) <= 1024 and detail = 'not json\u{fffd}' from runs") == "t")
  }
}
