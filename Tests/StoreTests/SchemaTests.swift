import FleetModel
import Incidents
import Postgres
import Store
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct SchemaTests {
  @Test func migratingTwiceChangesNothing() throws {
    let database = try TestDatabase()
    let store = try Store.open(database.url, migrating: true)
    let again = try store.migrate()
    #expect(again.from == again.to)
    #expect(again.capability == store.capability)
    #expect(again.readerRoleProblems == [])
    #expect(try Store.open(database.url).capability == store.capability)
    // Numbered without a gap.
    let steps = try store.connection.queryText("select min(number), max(number) - count(*) from signalbox.schema_steps")
    #expect(steps.text(0, 0) == "1" && steps.text(0, 1) == "0")
  }

  /// A state or an event that only one of the two knows could be written and never read.
  @Test func statesAndEventsAreThoseOfTheTypes() throws {
    let database = try TestDatabase()
    let store = try Store.open(database.url, migrating: true)
    func words(_ table: String, _ column: String) throws -> Set<String> {
      let rows = try store.connection.query(
        "select pg_get_constraintdef(oid) from pg_constraint where conname = '\(table)_\(column)_check'")
      return Set((rows.text(0, 0) ?? "").matches(of: /'(\w+)'/).map { String($0.output.1) })
    }
    #expect(try words("incidents", "state") == Set(IncidentState.allCases.map(\.rawValue)))
    #expect(try words("outbox", "state") == Set(DeliveryState.allCases.map(\.rawValue)))
    #expect(try words("outbox", "event") == Set(Delivery.Event.allCases.map(\.rawValue)))
  }

  @Test func unmigratedAndNewerDatabasesAreRefused() throws {
    let database = try TestDatabase()
    #expect(throws: StoreError.notMigrated) { try Store.open(database.url) }
    let store = try Store.open(database.url, migrating: true)
    try store.connection.execute(
      "insert into signalbox.schema_steps (number, name, capability) values (99, 'x', 'plain')")
    for migrating in [false, true] {
      let error = #expect(throws: StoreError.self) { try Store.open(database.url, migrating: migrating) }
      guard case .newerSchema(found: 99, known: _) = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
    }
  }

  @Test func errorOfAUserWithoutRightsNamesWhatToGrant() throws {
    let database = try TestDatabase()
    let admin = try database.connectToServer()
    let role = "plain_" + database.databaseName
    try admin.execute("create role \(role) login password 'geheim'")
    defer { try? admin.execute("drop owned by \(role); drop role \(role)") }
    let error = #expect(throws: StoreError.self) {
      try Store.open(database.url.with(["user": role, "password": "geheim"]), migrating: true)
    }
    guard case .notPermitted(let text) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(text.contains("CREATE DATABASE signalbox OWNER"))
    #expect(!text.contains("geheim"))
  }

  @Test func ownerWithoutTheRightToMakeRolesGetsEverythingButTheReader() throws {
    let database = try TestDatabase()
    let admin = try database.connectToServer()
    // The reader belongs to the server: another test may have made it.
    let hasReader = try admin.query("select 1 from pg_roles where rolname = 'signalbox_reader'").count > 0
    let role = "owner_" + database.databaseName
    try admin.execute("create role \(role) login; alter database \(database.databaseName) owner to \(role)")
    let store = try Store.open(database.url.with(["user": role]), migrating: true)
    let report = try store.migrate()
    if let problem = report.readerRoleProblems.first, !hasReader {
      #expect(problem.contains("signalbox_reader"))
    }
    #expect(try store.connection.query("select count(*) from log_lines").int(0, 0) == 0)
    store.close()
  }

  @Test func readerSeesTheViewsAndNothingElse() throws {
    let fixture = try StoreFixture(migrated: false)
    let stream = try fixture.stream()
    _ = try fixture.store.commit([stream.lines(3)])
    let reader = try Store.openReader(fixture.database.url)
    #expect(try reader.queryText("select count(*) from log_lines").text(0, 0) == "3")
    let refused = [
      "select * from signalbox.join_tokens", "select * from signalbox.log_info", "delete from log_lines",
      "insert into hosts (host) values ('x')", "create table public.x (a int)", "create temp table x (a int)",
      "create schema x", "select pg_read_file('/etc/passwd')", "copy hosts to '/tmp/x'", "set role none; select 1",
      "update signalbox.epochs set epoch = 1",
    ]
    for statement in refused {
      let error = #expect(throws: PostgresError.self, "\(statement)") { _ = try reader.queryText(statement) }
      #expect(error?.isConnectionLost == false, "\(statement)")
    }
    // Read-only is only a default; taking it off opens nothing.
    try reader.execute("set default_transaction_read_only = off")
    let error = #expect(throws: PostgresError.self) { _ = try reader.queryText("delete from signalbox.loss_ledger") }
    #expect(error?.sqlState == "42501")
  }

  @Test func countOfLinesPaysForNoJoin() throws {
    let fixture = try StoreFixture()
    let plan = try fixture.store.connection.queryText("explain select count(*) from log_lines")
    let text = (0..<plan.count).compactMap { plan.text($0, 0) }.joined(separator: "\n")
    #expect(!text.contains("Join") && !text.contains("hosts") && !text.contains("followed_files"), "\(text)")
  }
}
