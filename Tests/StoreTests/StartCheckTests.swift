import Files
import FleetModel
import Glibc
import Store
import TestSupport
import Testing

@testable import Postgres

/// What a collector refuses at its start, before it changes anything.
@Suite(.timeLimit(.minutes(10))) struct StartCheckTests {
  private func refusal(_ url: DatabaseURL) -> String {
    do throws(StoreError) {
      try Store.open(url, migrating: true).close()
      return ""
    } catch {
      if case .unfitDatabase(let sentence) = error { return sentence }
      return "\(error)"
    }
  }

  @Test(arguments: ["LATIN1", "SQL_ASCII"]) func anotherEncodingThanUTF8(_ encoding: String) throws {
    let database = try TestDatabase()
    let admin = try database.connectToServer()
    let name = "enc_" + database.databaseName
    try admin.execute("create database \(name) encoding '\(encoding)' locale 'C' template template0")
    defer { try? admin.execute("drop database \(name) with (force)") }
    let sentence = refusal(database.url.with(["dbname": name]))
    #expect(sentence.contains("encoding \(encoding)") && sentence.contains("ENCODING 'UTF8'"), "\(sentence)")
    #expect(
      try Connection(database.url.with(["dbname": name])).query("select from pg_namespace where nspname = 'signalbox'")
        .count == 0)
  }

  @Test func databaseThatIsNotEmpty() throws {
    let database = try TestDatabase()
    let connection = try database.connect()
    try connection.execute("create schema shop; create table shop.orders (a int)")
    let sentence = refusal(database.url)
    #expect(sentence.contains("not empty") && sentence.contains("shop.orders") && sentence.contains("CREATE DATABASE"))
    #expect(try connection.query("select from pg_namespace where nspname = 'signalbox'").count == 0)
    // What a site adds later is its own affair, and so is an extension's table.
    try connection.execute("drop schema shop cascade; create extension if not exists pg_trgm; create schema signalbox")
    #expect(refusal(database.url) == "")
    try connection.execute("create table public.notes (a int)")
    #expect(refusal(database.url) == "")
  }

  @Test(arguments: ["create table signalbox.parts (a int)", "create table signalbox.schema_steps (a int)"])
  func schemaOfAnotherProgram(_ table: String) throws {
    let database = try TestDatabase()
    try database.connect().execute("create schema signalbox; \(table)")
    let sentence = refusal(database.url)
    #expect(sentence.contains("schema signalbox") && sentence.contains("somebody else's"), "\(sentence)")
  }

  @Test func serverThatOnlyReads() throws {
    let database = try TestDatabase()
    let admin = try database.connectToServer()
    try admin.execute("alter database \(database.databaseName) set default_transaction_read_only = on")
    let error = #expect(throws: StoreError.self) { try Store.open(database.url, migrating: true) }
    guard case .database(let answer)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(answer.withAdvice.contains("read-only") && answer.withAdvice.contains("name the primary"), "\(answer)")
    let sentence = refusal(database.url.with(["target_session_attrs": "any"]))
    #expect(sentence.contains("only reads"), "\(sentence)")
  }

  @Test func connectionsAreCountedByTheNarrowestLimit() throws {
    let database = try TestDatabase()
    let admin = try database.connectToServer()
    let role = "few_" + database.databaseName
    try admin.execute(
      "create role \(role) login connection limit 3; alter database \(database.databaseName) owner to \(role)")
    defer { try? admin.execute("drop owned by \(role); drop role \(role)") }
    let url = database.url.with(["user": role])
    let store = try Store.open(url, migrating: true)
    #expect(try store.connectionRoom() == ConnectionRoom(limit: 3, used: 0))
    let other = try Connection(url)
    #expect(try store.connectionRoom() == ConnectionRoom(limit: 3, used: 1))
    other.close()
    try admin.execute(
      "alter role \(role) connection limit -1; alter database \(database.databaseName) connection limit 2")
    #expect(try store.connectionRoom().limit == 2)
  }

  @Test(
    arguments: [
      ([100], [200], true), ([100], [100], false), ([100, 101], [200], false), ([100], [200, 100], false),
      ([100], [200, 201], false),
    ] as [(Set<Int64>, Set<Int64>, Bool)])
  func poolerIsJudgedByTheBackendsThatAnswer(_ own: Set<Int64>, _ others: Set<Int64>, _ isSession: Bool) {
    #expect(PoolerVerdict.isSession(own: own, others: others) == isSession)
  }

  @Test(.enabled(if: Pooler.program != nil), arguments: ["session", "transaction"])
  func poolerMustKeepASessionToItsServer(_ mode: String) throws {
    let database = try TestDatabase()
    let pooler = try Pooler(database, mode: mode)
    defer { pooler.stop() }
    let sentence = refusal(pooler.url)
    #expect(mode == "session" ? sentence == "" : sentence.contains("pool_mode = session"), "\(sentence)")
  }

  @Test func olderSchemaIsNotTakenForNone() throws {
    let fixture = try StoreFixture()
    let last = try fixture.value("select max(number) from signalbox.schema_steps") ?? ""
    try fixture.store.connection.execute("delete from signalbox.schema_steps where number = \(last)")
    let error = #expect(throws: StoreError.self) { try Store.open(fixture.database.url) }
    guard case .olderSchema(_, let known)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(String(known) == last)
    let sentence = error?.description ?? ""
    #expect(sentence.contains("start signalbox-collector of this version"))
  }
}

/// A pgbouncer before a test's database; where it is not installed, its tests are skipped.
final class Pooler {
  static var program: String? {
    (unsafe [getenv("SIGNALBOX_PGBOUNCER").map { unsafe String(cString: $0) }, "/usr/sbin/pgbouncer"]).compactMap { $0 }
      .first { FileModes.isExecutable($0) }
  }

  let url: DatabaseURL
  private let directory: String

  init(_ database: TestDatabase, mode: String) throws {
    directory = "/tmp/signalbox-pooler-" + HostFiles.randomBytes(4).map { String($0, radix: 16) }.joined()
    try HostFiles.makeDirectory(directory, mode: 0o777)
    try HostFiles.setMode(directory, 0o777)
    let server = database.url["host"] ?? ""
    let owner = try FileStatus.of(path: server).uid
    let configuration = """
      [databases]
      \(database.databaseName) = host=\(server) port=\(database.url["port"] ?? "5432") user=\(database.url["user"] ?? "")
      [pgbouncer]
      listen_addr =
      unix_socket_dir = \(directory)
      auth_type = any
      pool_mode = \(mode)
      pidfile = \(directory)/pid
      logfile = \(directory)/log
      ignore_startup_parameters = extra_float_digits,options

      """
    try HostFiles.replace(directory + "/ini", with: Array(configuration.utf8), mode: 0o644)
    url = database.url.with(["host": directory, "port": "6432"])
    let drop = geteuid() == 0 ? ["/usr/bin/setpriv", "--reuid", "\(owner)", "--clear-groups", "--"] : []
    _ = try Subprocess.run(drop + [Self.program ?? "", "-d", directory + "/ini"], outputPath: directory + "/start")
    for _ in 0..<200 where (try? FileStatus.of(path: directory + "/.s.PGSQL.6432")) == nil { usleep(50_000) }
  }

  func stop() {
    if let bytes = try? HostFiles.read(directory + "/pid"),
      let pid = Int32(String(decoding: bytes.filter { $0 != 10 }, as: UTF8.self))
    {
      kill(pid, SIGTERM)
    }
    TestFiles.remove(directory)
  }
}
