import Postgres
import Store
import TestSupport
import Testing

@testable import Collector

@Suite(.timeLimit(.minutes(10))) struct StoreConnectionTests {
  @Test func serverThatOnlyReadsNowIsLeftForTheOneThatWrites() throws {
    let database = try TestDatabase()
    try Store.open(database.url, migrating: true).close()
    let connection = StoreConnection(database.url)
    defer { connection.close() }
    var sessions: [Int32] = []
    for demoted in [true, false] {
      try connection.use { (store: Store) throws(StoreError) in
        sessions.append(store.connection.backendPID)
        try store.setSetting("a", to: "b")
        if demoted { _ = try? store.connection.execute("set default_transaction_read_only = on") }
      }
    }
    // Used, refused, and used again on a new session.
    #expect(sessions.count == 3 && sessions[0] == sessions[1] && sessions[1] != sessions[2], "\(sessions)")
  }
}
