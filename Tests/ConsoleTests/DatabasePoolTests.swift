import Answers
import Postgres
import Store
import TestSupport
import Testing

@testable import Console

@Suite(.timeLimit(.minutes(15))) struct DatabasePoolTests {
  /// The first question occupies the only thread, as one does whose database hangs: the second is refused before the first is done.
  @Test func whoWaitsBehindAQuestionThatHangsIsNotKeptWaiting() async throws {
    let database = try TestDatabase()
    try Store.open(database.url, migrating: true).close()
    let pool = try DatabasePool(database.url, login: nil, threads: 1)
    let hanging = Task { try await pool.answer(ReadQuery("select pg_sleep(13)::text as slept")).rows.count }
    while try database.sleepersNow() == 0 { try await Task.sleep(for: .milliseconds(50)) }
    await #expect(throws: Problem.databaseAway) { try await pool.answer(FleetQueries.alive()) }
    #expect(try database.sleepersNow() == 1, "it was refused while the first one still hung")
    #expect(try await hanging.value == 1)
    #expect(try await pool.answer(FleetQueries.alive()).rows.count == 1)
    pool.stop()
  }

  /// A question that is begun is never refused by the clock that it no longer waits for.
  @Test func manyQuestionsAtOnceAreAllAnswered() async throws {
    let database = try TestDatabase()
    try Store.open(database.url, migrating: true).close()
    let pool = try DatabasePool(database.url, login: nil, threads: 2)
    for _ in 0..<50 {
      try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0..<20 { group.addTask { try await pool.answer(FleetQueries.alive()).rows.count } }
        for try await count in group { #expect(count == 1) }
      }
    }
    pool.stop()
  }
}

extension TestDatabase {
  fileprivate func sleepersNow() throws -> Int64 {
    let connection = try connectToServer()
    defer { connection.close() }
    return try connection.query(
      "select count(*) from pg_stat_activity where datname = $1 and wait_event = 'PgSleep'", [.text(databaseName)]
    ).int(0, 0) ?? 0
  }
}
