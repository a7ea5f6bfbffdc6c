import FleetModel
import Postgres
import Store
import TestSupport
import Testing

/// A connection that dies, or a statement that fails, at every step: nothing is lost, nothing is stored twice.
@Suite(.timeLimit(.minutes(10))) struct FailureTests {
  /// A group that touches every statement of a commit.
  private func group(_ stream: TestStream) -> [StagedBatch] {
    var staged = stream.samples(1...2)
    staged.batch.files = [stream.delta(3, file: 1), stream.delta(3, file: 2, level: .error)]
    staged.batch.health = AgentHealth()
    var step = TrainingStep()
    step.timeNs = StoreFixture.nowNs
    step.run = "run-1"
    var run = RunUpdate()
    run.timeNs = StoreFixture.nowNs
    run.run = "run-1"
    run.state = .running
    var loss = Loss()
    loss.timeNs = StoreFixture.nowNs
    loss.subject = "x"
    staged.batch.files[0].steps = [step]
    staged.batch.files[0].episodes = [EpisodeSummary(step: step)]
    staged.batch.files[0].runs = [run]
    staged.batch.files[0].losses = [loss]
    staged.batch.files[1].lines.timesUs[0] = 0
    staged.ruleState = SavedRuleState(
      hostNumber: stream.fence.hostNumber, version: RuleStateVersion(epoch: stream.fence.epoch, sequence: 1), bytes: [1]
    )
    return [staged]
  }

  private func expectOnce(_ fixture: StoreFixture, _ comment: Comment) throws {
    let counted = try fixture.value(
      """
      select concat_ws(' ', (select count(*) from host_samples), (select count(*) from log_lines),
        (select count(*) from training_steps), (select sum(steps) from episodes), (select count(*) from runs),
        (select count(*) from loss_ledger), (select sum(lines) from log_counts), (select sum(rows) from clock_suspect),
        (select count(*) from signalbox.rule_states))
      """)
    #expect(counted == "2 6 1 1 1 1 6 1 1", comment)
  }

  @Test func groupIsStoredOnceWhenTheNthStatementFails() throws {
    let fixture = try StoreFixture()
    for serial in 1... {
      let stream = try fixture.stream("host-\(serial)", UInt64(serial))
      try fixture.store.connection.execute(
        "truncate signalbox.host_samples, signalbox.log_info, signalbox.log_error, signalbox.training_steps, signalbox.episodes, signalbox.run_totals, signalbox.run_sources, signalbox.runs, signalbox.loss_ledger, signalbox.log_counts, signalbox.clock_suspect, signalbox.rule_states"
      )
      let store = try fixture.another()
      var left = serial
      store.connection.failurePoint = { statement throws(PostgresError) in
        left -= 1
        if left == 0 { throw PostgresError(sqlState: "53100", message: "no space (injected)", doing: statement) }
      }
      var failed = false
      do {
        #expect(try store.commit(group(stream)) == [.committed])
      } catch let error {
        failed = true
        #expect(error.isRetryable)
      }
      store.connection.failurePoint = nil
      #expect(try store.commit(group(stream)) == [failed ? .committed : .duplicate])
      try expectOnce(fixture, "statement \(serial)")
      if !failed {
        #expect(serial > 15)
        break
      }
    }
  }

  @Test func groupIsStoredOnceWhenTheConnectionIsKilledBeforeTheNthStatement() throws {
    let fixture = try StoreFixture()
    let admin = try fixture.database.connectToServer()
    for serial in 1... {
      let stream = try fixture.stream("host-\(serial)", UInt64(serial))
      try fixture.store.connection.execute(
        "truncate signalbox.host_samples, signalbox.log_info, signalbox.log_error, signalbox.training_steps, signalbox.episodes, signalbox.run_totals, signalbox.run_sources, signalbox.runs, signalbox.loss_ledger, signalbox.log_counts, signalbox.clock_suspect, signalbox.rule_states"
      )
      let store = try fixture.another()
      let victim = store.connection.backendPID
      var left = serial
      store.connection.failurePoint = { _ throws(PostgresError) in
        left -= 1
        if left == 0 { _ = try admin.query("select pg_terminate_backend($1, 5000)", [.int4(victim)]) }
      }
      var failed = false
      do {
        #expect(try store.commit(group(stream)) == [.committed])
      } catch let error {
        failed = true
        #expect(error.isConnectionLost, "statement \(serial): \(error)")
      }
      #expect(try fixture.another().commit(group(stream)) == [failed ? .committed : .duplicate])
      try expectOnce(fixture, "statement \(serial)")
      if !failed { break }
    }
  }

  @Test func commitWhoseAnswerIsLostIsRecognisedOnANewConnection() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    let store = try fixture.another()
    // The commit takes effect, its answer does not arrive.
    let shadow = try fixture.another()
    store.connection.failurePoint = { statement throws(PostgresError) in
      if statement == "commit" {
        throw PostgresError(sqlState: "", message: "lost (injected)", doing: statement)
      }
    }
    let error = #expect(throws: StoreError.self) { try store.commit(group(stream)) }
    #expect(error?.isConnectionLost == true)
    store.close()
    #expect(try shadow.commit(group(stream)) == [.committed])
    #expect(try shadow.commit(group(stream)) == [.duplicate])
    try expectOnce(fixture, "after a lost answer")
  }

  @Test func fenceFromAnotherConnectionWaitsForTheCommitAndSeesItsMarks() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    let store = try fixture.another()
    var options = Store.writerOptions
    options.lockTimeoutMs = 50
    let rival = try Store.open(fixture.database.url, options: options)
    var blocked = false
    store.connection.failurePoint = { statement throws(PostgresError) in
      if statement == "commit", !blocked {
        blocked =
          (try? rival.fence(host: stream.host, hello: StoreFixture.hello(), receivedNs: StoreFixture.nowNs)) == nil
      }
    }
    #expect(try store.commit([stream.samples(1...3)]) == [.committed])
    #expect(blocked)
    let fence = try rival.fence(host: stream.host, hello: StoreFixture.hello(), receivedNs: StoreFixture.nowNs)
    #expect(fence.lanes == [LaneMark(lane: .live, sequence: 3)])
    #expect(try store.commit([stream.samples(4...4)]) == [.fenced])
  }
}
