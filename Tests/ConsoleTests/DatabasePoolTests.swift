import Answers
import Postgres
import Store
import Synchronization
import TestSupport
import Testing

@testable import Console

@Suite(.timeLimit(.minutes(15))) struct DatabasePoolTests {
  /// The first question occupies the only thread, as one does whose database hangs: the second is refused before the first is done.
  @Test func whoWaitsBehindAQuestionThatHangsIsNotKeptWaiting() async throws {
    let database = try TestDatabase()
    let owner = try Store.open(database.url, migrating: true)
    let pool = try DatabasePool(
      database.url, login: nil, threads: 1, patience: .milliseconds(100), timeoutMs: 600_000)
    // Made before, because opening a connection reads the table too.
    #expect(try await answered(pool) == 1)
    let holder = try Connection(database.url)
    try holder.execute("begin; lock table signalbox.locks in access exclusive mode")
    let hanging = Task { try await answered(pool, ReadQuery("select name from signalbox.locks limit 1")) }
    let waits = "select from pg_stat_activity where datname = $1 and wait_event_type = 'Lock'"
    while try holder.query(waits, [.text(database.databaseName)]).count == 0 {
      try await Task.sleep(for: .milliseconds(20))
    }
    await #expect(throws: Problem.databaseAway) { try await pool.answer(FleetQueries.alive()) }
    try holder.execute("commit")
    #expect(try await hanging.value == 1)
    #expect(try await answered(pool) == 1)
    pool.stop()
    owner.close()
  }

  /// A client that goes takes its statement with it, and no other: the thread's next question is answered.
  @Test func aStatementEndsWithItsClient() async throws {
    let database = try TestDatabase()
    let owner = try Store.open(database.url, migrating: true)
    let pool = try DatabasePool(
      database.url, login: nil, threads: 1, patience: .seconds(3600), timeoutMs: 600_000)
    #expect(try await answered(pool) == 1)
    let waiting = Mutex<[@Sendable () -> Void]>([])
    let asked = pool.asked { action in waiting.withLock { $0.append(action) } }
    let hanging = Task { try await asked.answer(ReadQuery("select pg_sleep(600)::text as slept")) }
    while waiting.withLock({ $0.isEmpty }) { try await Task.sleep(for: .milliseconds(20)) }
    for action in waiting.withLock({ $0 }) { action() }
    await #expect(throws: Problem.self) { try await hanging.value }
    #expect(try await answered(pool) == 1)
    pool.stop()
    owner.close()
  }

  /// A thread that is free now is had, however busy this machine is.
  private func answered(_ pool: DatabasePool, _ query: ReadQuery = FleetQueries.alive()) async throws -> Int {
    while true {
      do {
        return try await pool.answer(query).rows.count
      } catch let problem as Problem where problem == .databaseAway {
        continue
      }
    }
  }

  /// A question that is begun is never refused by the clock that it no longer waits for.
  @Test func manyQuestionsAtOnceAreAllAnswered() async throws {
    let database = try TestDatabase()
    try Store.open(database.url, migrating: true).close()
    let pool = try DatabasePool(database.url, login: nil, threads: 2, patience: .seconds(3600))
    for _ in 0..<50 {
      try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0..<20 { group.addTask { try await pool.answer(FleetQueries.alive()).rows.count } }
        for try await count in group { #expect(count == 1) }
      }
    }
    pool.stop()
  }
}
