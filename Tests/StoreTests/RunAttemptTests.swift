import FleetModel
import Postgres
import Store
import Testing

/// Which attempt at a run the rows of a source belong to.
@Suite(.timeLimit(.minutes(10))) struct RunAttemptTests {
  private let fixture: StoreFixture
  private let stream: TestStream

  init() throws {
    fixture = try StoreFixture()
    stream = try fixture.stream()
  }

  /// Rows of a file.
  private func part(
    _ path: String, key: UInt64, _ state: RunState = .running, from: Int = 0, begins: RunBeginning = .source,
    mark: UInt64 = 0,
    seconds: Int64 = 0, run: String = "runs/ppo-1a2b3c4d", steps: ClosedRange<Int64>? = 1...2
  ) -> StagedBatch {
    var delta = stream.delta(0, from: from, file: key)
    delta.file.path = path
    delta.to = delta.from + 10
    let timeNs = StoreFixture.nowNs - 100_000_000_000 + seconds * 1_000_000_000
    var update = RunUpdate()
    update.run = run
    update.state = state
    update.timeNs = timeNs
    update.source = path
    update.beginning = begins
    update.mark = mark
    update.name = "runs/ppo"
    delta.runs = [update]
    for number in steps ?? 1...0 where state == .running {
      var step = TrainingStep()
      step.run = run
      step.timeNs = timeNs
      step.step = number
      delta.steps.append(step)
    }
    var batch = Batch()
    batch.files = [delta]
    return stream.staged(batch)
  }

  private func attempts() throws -> String? {
    try fixture.value(
      """
      select string_agg(a.attempt || ':' || a.state || ':' || (
          select count(*) from signalbox.training_steps s where s.run = a.id) || ':' || cardinality(a.sources), ' ' order by a.attempt)
      from run_attempts a
      """)
  }

  @Test func sourcesOfADirectoryAreOneRun() throws {
    _ = try fixture.store.commit([
      part("/r/0.monitor.csv", key: 1), part("/r/1.monitor.csv", key: 2), part("/r/progress.csv", key: 3),
    ])
    // Another collector has no cache of it.
    _ = try fixture.another().commit([part("/r/tb/events.out.tfevents.1", key: 4)])
    #expect(try attempts() == "1:running:8:4")
    #expect(try fixture.value("select name || ' ' || sources[2] from runs") == "runs/ppo /r/1.monitor.csv")
  }

  @Test func fileWrittenAnewIsAnotherAttemptAndSoAreItsNeighbours() throws {
    _ = try fixture.store.commit([part("/r/monitor.csv", key: 1), part("/r/progress.csv", key: 2, mark: 5)])
    _ = try fixture.store.commit([
      part("/r/monitor.csv", key: 3, seconds: 10), part("/r/progress.csv", key: 4, mark: 6, seconds: 11),
    ])
    // What the first attempt's file still reports belongs to the first.
    _ = try fixture.store.commit([part("/r/monitor.csv", key: 1, .completed, from: 1, seconds: 12)])
    #expect(try attempts() == "1:completed:4:2 2:running:4:2")
    #expect(try fixture.value("select string_agg(attempt::text, ',') from runs") == "2")
    #expect(try fixture.value("select count(*) from runs where state = 'running'") == "1")
  }

  @Test func attemptThatNoOneEndedIsNotRunningAnyMore() throws {
    _ = try fixture.store.commit([part("/r/training_log.csv", key: 1)])
    _ = try fixture.store.commit([part("/r/training_log.csv", key: 2, seconds: 10)])
    #expect(try attempts() == "1:unknown:2:1 2:running:2:1")
  }

  @Test func rotatedFileGoesOnWithTheAttempt() throws {
    _ = try fixture.store.commit([part("/r/training_log.csv", key: 1)])
    _ = try fixture.store.commit([part("/r/training_log.csv", key: 2, begins: .none, seconds: 10)])
    // More columns: written anew, with the same first row.
    _ = try fixture.store.commit([part("/r/progress.csv", key: 3, mark: 7)])
    _ = try fixture.store.commit([part("/r/progress.csv", key: 4, mark: 7, seconds: 11)])
    #expect(try attempts() == "1:running:8:2")
  }

  @Test func sourceThatBeginsAfterTheEndIsAnotherAttempt() throws {
    _ = try fixture.store.commit([part("/r/events.1", key: 1)])
    _ = try fixture.store.commit([part("/r/events.1", key: 1, .completed, from: 1, seconds: 5)])
    _ = try fixture.store.commit([part("/r/events.2", key: 2, seconds: 20)])
    #expect(try attempts() == "1:completed:2:1 2:running:2:1")
    // By another process, though no end was seen.
    _ = try fixture.store.commit([part("/r/events.3", key: 3, begins: .takeover, seconds: 30)])
    #expect(try attempts() == "1:completed:2:1 2:unknown:2:1 3:running:2:1")
  }

  @Test func allAttemptsOfOneGroupAreKeptApart() throws {
    _ = try fixture.store.commit([
      part("/r/monitor.csv", key: 1), part("/r/monitor.csv", key: 2, seconds: 1),
      part("/r/monitor.csv", key: 3, seconds: 2),
    ])
    #expect(try attempts() == "1:unknown:2:1 2:unknown:2:1 3:running:2:1")
    #expect(try fixture.value("select string_agg(attempt::text, ',') from runs") == "3")
  }

  /// A run of an earlier version had its one file's name; the file goes on under the run's new name.
  @Test func runOfAnEarlierVersionKeepsItsRows() throws {
    _ = try fixture.store.commit([part("/r/monitor.csv", key: 1, run: "r/monitor-0badcafe")])
    try fixture.store.connection.execute(
      "delete from signalbox.run_sources; update signalbox.runs set name = 'r/monitor'")
    _ = try fixture.another().commit([part("/r/monitor.csv", key: 1, from: 1, seconds: 10)])
    #expect(try attempts() == "1:running:4:1")
    #expect(try fixture.value("select run || ' ' || name from runs") == "runs/ppo-1a2b3c4d runs/ppo")
  }
}
