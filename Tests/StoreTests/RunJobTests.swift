import FleetModel
import Foundation
import Postgres
import TestSupport
import Testing

@testable import Store

/// One job on several hosts is one run of the lists.
@Suite(.timeLimit(.minutes(10))) struct RunJobTests {
  private let fixture: StoreFixture
  private let first: TestStream
  private let second: TestStream

  init() throws {
    fixture = try StoreFixture()
    first = try fixture.stream()
    second = try fixture.stream("trainer-2", 2)
  }

  /// - Parameter minute: after the first minute of all.
  private func report(
    _ stream: TestStream, _ job: String, minute: Int64 = 0, _ state: RunState = .running, begins: RunBeginning = .none,
    sequence: UInt64 = 1, rank: UInt32? = nil
  ) -> StagedBatch {
    var staged = stream.samples(sequence...sequence)
    var update = RunUpdate()
    update.run = "r-1"
    update.state = state
    update.timeNs = StoreFixture.nowNs + minute * 60_000_000_000
    update.source = "/r/rank.log"
    update.job = job
    update.rank = rank ?? (stream.host == second.host ? 1 : 0)
    update.beginning = begins
    staged.batch.spooled[0].records.runs = [update]
    staged.receivedNs = update.timeNs
    return staged
  }

  private func listed() throws -> String? {
    try fixture.value("select string_agg(host || ':' || attempt, ',' order by host) from runs")
  }

  @Test(arguments: ["slurm:7", "k8s:team/bert", "rdzv:bert-large-7", "rdzv:10.0.0.1:29500"])
  func jobOfSeveralHostsIsListedOnce(_ job: String) throws {
    _ = try fixture.store.commit([report(first, job)])
    _ = try fixture.another().commit([report(second, job, minute: 1)])
    #expect(try listed() == "trainer-1:1")
    #expect(
      try fixture.value("select string_agg(host || ranks::text, ',' order by host) from run_attempts")
        == "trainer-1{0},trainer-2{1}")
    let reader = try FleetReader(fixture.database.url)
    defer { reader.close() }
    let page = try reader.read(TrainingQueries.runs(host: nil, state: nil, limit: 9))
    let ranks = try #require(page.columns.firstIndex(of: "ranks"))
    #expect(page.rows.count == 1 && "\(page.rows[0][ranks])".contains("[0,1]"))
  }

  /// What is only on one host says nothing of another one, and a host that does not know the id keeps its own row.
  @Test(arguments: [
    ("rdzv:bert-large-7", "rdzv:bert-large-8"), ("rdzv:bert-large-7", ""), ("", "k8s:team/bert"),
    ("unit:a.service", "unit:a.service"), ("kubernetes:1", "kubernetes:1"),
  ]) func otherJobsAreListedApart(_ one: String, _ other: String) throws {
    _ = try fixture.store.commit([report(first, one), report(second, other)])
    #expect(try listed() == "trainer-1:1,trainer-2:1")
  }

  /// People use an id again; Slurm does not.
  @Test(arguments: [("rdzv:bert-large-7", "trainer-1:1,trainer-2:1"), ("slurm:7", "trainer-1:1")])
  func sameIDAfterTheEndIsAnotherJob(_ job: String, _ expected: String) throws {
    _ = try fixture.store.commit([report(first, job), report(first, job, minute: 5, .completed, sequence: 2)])
    _ = try fixture.store.commit([report(second, job, minute: 7)])
    #expect(try listed() == expected)
  }

  /// Its host has gone, or its agent: no end was seen.
  @Test func runThatHasRestedForAnHourIsNotJoined() throws {
    _ = try fixture.store.commit([report(first, "rdzv:bert-large-7")])
    _ = try fixture.store.commit([report(second, "rdzv:bert-large-7", minute: 59)])
    #expect(try listed() == "trainer-1:1")
    let third = try fixture.stream("trainer-3", 3)
    _ = try fixture.store.commit([report(third, "rdzv:bert-large-7", minute: 59 + 61)])
    #expect(try listed() == "trainer-1:1,trainer-3:1")
  }

  /// The row that lists the job is not the newest attempt of its host any more.
  @Test func jobThatIsBegunAgainOnOneHostStaysListed() throws {
    let job = "slurm:7"
    _ = try fixture.store.commit([report(first, job), report(second, job)])
    _ = try fixture.store.commit([report(first, "", minute: 1, begins: .takeover, sequence: 2)])
    #expect(try listed() == "trainer-1:2,trainer-2:1", "what does not know its job yet is listed alone")
    _ = try fixture.store.commit([report(first, job, minute: 2, sequence: 3)])
    #expect(try listed() == "trainer-2:1")
    _ = try fixture.store.commit([report(second, job, minute: 3, begins: .takeover, sequence: 2)])
    #expect(try listed() == "trainer-1:2")
  }

  /// Neither transaction sees the row of the other unless it waits for its end: without the locks both list the job.
  @Test(arguments: [true, false]) func hostsThatBeginAtOneMomentListTheirJobOnce(_ hasLocks: Bool) throws {
    if !hasLocks { try fixture.store.connection.execute("delete from signalbox.locks where name like 'job %'") }
    // The transaction rests until the other one waits for it or has ended, however busy the machine is.
    try fixture.store.connection.execute("set idle_in_transaction_session_timeout = 0")
    let (url, other, observer) = (fixture.database.url, report(second, "rdzv:bert-large-7"), try fixture.another())
    let isDone = DispatchSemaphore(value: 0)
    var isJoined = false
    var isBegun = false
    fixture.store.connection.failurePoint = { statement throws(PostgresError) in
      if statement.contains("set of_job") {
        isJoined = true
      } else if isJoined, !isBegun {
        isBegun = true
        Thread.detachNewThread {
          if let store = try? Store.open(url) {
            _ = try? store.commit([other])
            store.close()
          }
          isDone.signal()
        }
        let waiting =
          "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        for _ in 0..<60_000 where isDone.wait(timeout: .now() + 0.005) == .timedOut {
          if try observer.connection.queryText(waiting).count > 0 { return }
        }
        isDone.signal()
      }
    }
    _ = try fixture.store.commit([report(first, "rdzv:bert-large-7")])
    fixture.store.connection.failurePoint = nil
    #expect(isBegun && isDone.wait(timeout: .now() + 60) == .success)
    #expect(try fixture.count("run_attempts") == 2)
    #expect(try listed() == (hasLocks ? "trainer-1:1" : "trainer-1:1,trainer-2:1"))
  }
}
