import Files
import FleetModel
import Incidents
import Glibc

import TestSupport
import Testing

@testable import Postgres
@testable import Store

/// People's SQL: what a session of the reader can ask, and what it cannot do.
@Suite(.timeLimit(.minutes(10))) struct ReaderTests {
  /// Statements that a role of the database might use to get more than the views, and what the answer may be.
  enum Outcome {
    /// Refused with one of these SQLSTATEs.
    case refused(Set<String>)
    /// Answers, but gives nothing: the text of the first value.
    case harmless(String?)
  }

  /// 42501 not permitted, 42883 no such function, 25006 read-only transaction, 42601 not taken by the protocol.
  private static let notPermitted: Outcome = .refused(["42501"])
  private static let readOnly: Outcome = .refused(["25006", "42501"])

  static let escapes: [(sql: String, outcome: Outcome)] = [
    ("set role postgres", .refused(["42501", "22023", "42704"])),
    ("set role none", .harmless(nil)),
    ("set session authorization signalbox", .refused(["42501", "22023", "42704"])),
    ("select set_config('role', 'none', false)", .harmless("none")),
    ("do $$ begin perform set_config('role', 'none', false); create role evil superuser; end $$", notPermitted),
    ("do $$ begin perform set_config('transaction_read_only', 'off', false); end $$", notPermitted),
    ("select secret_hash from signalbox.join_tokens", notPermitted),
    ("select fingerprint from signalbox.certificates", notPermitted),
    ("select password from signalbox.reader_access", notPermitted),
    ("select * from signalbox.log_info", notPermitted),
    ("select rolpassword from pg_authid", notPermitted),
    ("select passwd from pg_shadow", notPermitted),
    ("select pg_read_file('/etc/passwd')", notPermitted),
    ("select pg_read_binary_file('ca/issuing.key')", notPermitted),
    ("select * from pg_ls_dir('/')", notPermitted),
    ("select pg_stat_file('/etc/passwd')", notPermitted),
    ("copy (select 1) to program 'id'", notPermitted),
    ("copy hosts to '/tmp/x'", notPermitted),
    ("copy (select 1) to stdout", .refused(["42601"])),
    ("select lo_import('/etc/passwd')", readOnly),
    ("select lo_from_bytea(0, repeat('x', 1000000)::bytea)", readOnly),
    ("select lo_creat(-1)", readOnly),
    ("select pg_advisory_lock(hashtext('signalbox.incidents'))", notPermitted),
    ("select pg_try_advisory_lock(hashtext('signalbox.housekeeping'))", notPermitted),
    ("select pg_advisory_xact_lock_shared(1)", notPermitted),
    ("select pg_notify('signalbox_hosts', '')", notPermitted),
    ("select pg_logical_emit_message(false, 'x', repeat('x', 1000000))", readOnly),
    ("select pg_terminate_backend(pid) from pg_stat_activity", notPermitted),
    ("select pg_cancel_backend(pid) from pg_stat_activity", notPermitted),
    ("select pg_reload_conf()", notPermitted),
    ("select pg_switch_wal()", readOnly),
    ("alter system set fsync = off", .refused(["42501", "25001", "25006"])),
    ("set temp_file_limit = -1", notPermitted),
    ("set session_replication_role = replica", notPermitted),
    ("alter role signalbox_reader superuser", readOnly),
    ("alter role signalbox_reader set statement_timeout = 0", readOnly),
    ("create extension dblink", readOnly),
    ("select dblink('', 'select 1')", .refused(["42883"])),
    ("create temp table x as select 1", readOnly),
    ("create table public.x (a int)", readOnly),
    ("create function public.f() returns int language sql as 'select 1'", readOnly),
    ("drop view hosts", readOnly),
    ("delete from hosts", .refused(["25006", "42501", "55000"])),
    ("update incidents set state = 'resolved'", readOnly),
    ("lock table hosts in exclusive mode", readOnly),
    ("select * from hosts for update", readOnly),
    ("vacuum", .refused(["25001", "25006", "42501"])),
    ("checkpoint", .refused(["42501"])),
    ("grant signalbox_reader to current_user", .refused(["25006", "42501", "0LP01"])),
    ("select 1; select 2", .refused(["42601"])),
    ("select set_config('statement_timeout', '0', false), pg_sleep(300)", .refused(["57014"])),
    ("select count(*) from generate_series(1, 1000000000000)", .refused(["57014"])),
  ]

  @Test func everyWayOutIsRefusedOrHarmless() throws {
    let fixture = try StoreFixture(migrated: false)
    _ = try fixture.stream()
    #expect(fixture.store.readerProblems.isEmpty, "\(fixture.store.readerProblems)")
    for (sql, outcome) in Self.escapes {
      let reader = try FleetReader(asReaderOf: fixture.database.url, timeoutMs: 2000)
      defer { reader.close() }
      switch outcome {
      case .harmless(let first):
        let table = try reader.readGuarded(sql)
        #expect(table.rows.first?.first == first.map(ReadValue.text), "\(sql)")
      case .refused(let states):
        let error = #expect(throws: PostgresError.self, "\(sql)") { try reader.readGuarded(sql) }
        #expect(error.map { states.contains($0.sqlState) } == true, "\(sql): \(String(describing: error))")
      }
    }
    let harm = try fixture.value(
      """
      select concat_ws(' ', (select count(*) from pg_roles where rolname = 'evil'),
        (select count(*) from pg_largeobject_metadata), (select count(*) from pg_locks where locktype = 'advisory'
          and database = (select oid from pg_database where datname = current_database())),
        (select rolsuper from pg_roles where rolname = 'signalbox_reader'), (select count(*) from hosts))
      """)
    #expect(harm == "0 0 0 f 1")
  }

  @Test(arguments: [
    "select repeat('x', 1000) from generate_series(1, 10000000)", "select from generate_series(1, 3000000)",
  ])
  func answerThatWouldFillTheMemoryIsRefused(_ sql: String) throws {
    let fixture = try StoreFixture(migrated: false)
    let reader = try FleetReader(asReaderOf: fixture.database.url, timeoutMs: 300_000)
    let error = #expect(throws: PostgresError.self) { try reader.readGuarded(sql) }
    #expect(error?.sqlState == FleetReader.tooLargeState, "\(String(describing: error))")
  }

  /// The same in a transaction that writes: only the rights stand between.
  @Test func rightsAreTheWallWhereTheSessionSwitchesItsSettingsOff() throws {
    let fixture = try StoreFixture(migrated: false)
    let reader = try Store.openReader(fixture.database.url)
    try reader.execute("set default_transaction_read_only = off")
    #expect(try reader.queryText("show temp_file_limit").text(0, 0) == "1GB")
    let statements = [
      "delete from signalbox.loss_ledger", "delete from incidents", "select lo_creat(-1)",
      "create table public.x (a int)",
      "create temp table x (a int)", "create schema x", "select pg_advisory_lock(7)", "do $$ begin end $$",
      "select pg_logical_emit_message(false, 'x', 'x')", "create extension dblink", "set temp_file_limit = -1",
      "create role evil", "update signalbox.epochs set epoch = 1",
    ]
    for statement in statements {
      let error = #expect(throws: PostgresError.self, "\(statement)") { try reader.execute(statement) }
      #expect(error?.sqlState == "42501", "\(statement): \(String(describing: error))")
    }
    let spilling = #expect(throws: PostgresError.self) {
      try reader.execute("set temp_file_limit = 0")
    }
    #expect(spilling?.sqlState == "42501")
  }

  @Test func everyPublicViewIsAskedByTheReader() throws {
    let fixture = try StoreFixture(migrated: false)
    let views = try fixture.store.connection.queryText(
      """
      select c.relname from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'v'
        and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
      order by 1
      """)
    #expect(views.count >= 25)
    let reader = try FleetReader(asReaderOf: fixture.database.url, timeoutMs: 30_000)
    for row in 0..<views.count {
      let view = views.text(row, 0) ?? ""
      #expect(throws: Never.self, "\(view)") { try reader.readGuarded("select * from \(view) limit 1") }
    }
  }

  @Test func limitsOfTheReaderAreThoseOfItsRole() throws {
    let fixture = try StoreFixture(migrated: false)
    let role = try fixture.store.connection.queryText(
      """
      select rolcanlogin, rolsuper, rolconnlimit, array_to_string(rolconfig, ' ')
      from pg_roles where rolname = (select role from signalbox.reader_access where purpose = 'people')
      """)
    #expect(role.text(0, 0) == "t" && role.text(0, 1) == "f" && role.text(0, 2) == "10")
    for setting in [
      "statement_timeout=30s", "temp_file_limit=1GB", "client_connection_check_interval=1s", "lock_timeout=5s",
    ] {
      #expect(role.text(0, 3)?.contains(setting) == true, "\(setting)")
    }
  }

  @Test func whoMayDoMoreThanReadIsRefusedAsAReader() throws {
    let fixture = try StoreFixture(migrated: false)
    let error = #expect(throws: StoreError.self) {
      try Store.openReader(login: fixture.database.url, timeoutMs: 1000)
    }
    #expect("\(String(describing: error))".contains("may do more than read"))
    let admin = try fixture.database.connectToServer()
    let role = "member_" + fixture.database.databaseName
    try admin.execute("create role \(role) login in role pg_read_all_data")
    defer { try? admin.execute("drop role \(role)") }
    #expect(throws: StoreError.self) {
      try Store.openReader(login: fixture.database.url.with(["user": role]), timeoutMs: 1000)
    }
    // The login itself is good as the database's URL, too.
    let own = fixture.database.url.with(["user": "signalbox_reader"])
    #expect(try Store.openReader(own).queryText("select session_user").text(0, 0) == "signalbox_reader")
  }

  @Test func readersStatementEndsAtItsLimit() throws {
    let fixture = try StoreFixture(migrated: false)
    let reader = try Store.openReader(fixture.database.url, timeoutMs: 100)
    let error = #expect(throws: PostgresError.self) { _ = try reader.queryText("select pg_sleep(30)") }
    #expect(error?.sqlState == "57014")
  }

  @Test func questionOfAClientThatHasGoneIsEnded() throws {
    let fixture = try StoreFixture(migrated: false)
    let reader = try Store.openReader(fixture.database.url, timeoutMs: 300_000)
    let pid = reader.backendPID
    // The client goes while the server works, as a command that is killed.
    try reader.send("select pg_sleep(300)", [], binary: false)
    try reader.flush("test")
    for _ in 0..<600 {
      let waits = "select from pg_stat_activity where pid = $1 and wait_event = 'PgSleep'"
      if try fixture.store.connection.query(waits, [.int4(pid)]).count == 1 { break }
      usleep(50_000)
    }
    reader.close()
    for _ in 0..<600 {
      if try fixture.store.connection.query("select from pg_stat_activity where pid = $1", [.int4(pid)]).count == 0 {
        return
      }
      usleep(100_000)
    }
    Issue.record("the server still works for a client that has gone")
  }

  /// Every advisory lock of the database, by a reader whom nothing keeps from it: on a server whose superuser has not run the printed
  /// statement.
  @Test func advisoryLocksOfAReaderHoldNothingUp() throws {
    let fixture = try StoreFixture(migrated: false)
    try fixture.store.connection.execute("grant execute on function pg_advisory_lock(bigint) to public")
    let reader = try Store.openReader(fixture.database.url)
    for name in ["housekeeping", "incidents", "migrate", "ensure_partition", "partitions"] {
      _ = try reader.query("select pg_advisory_lock(hashtext('signalbox.\(name)'))")
    }
    try Store.open(fixture.database.url, migrating: true).close()
    // New partitions, ahead and for a line of weeks ago.
    let keeper = try Store.open(fixture.database.url, options: Store.housekeepingOptions)
    #expect(try keeper.housekeep(nowNs: StoreFixture.nowNs)?.problems == [])
    let stream = try fixture.stream()
    var batch = Batch()
    var delta = stream.delta(0, file: 3)
    delta.lines.append(
      Array("late".utf8), advance: 10, timeUs: StoreFixture.nowNs / 1000 - 20 * 86_400_000_000, level: .info)
    delta.to = 10
    batch.files = [delta]
    #expect(try fixture.store.commit([stream.staged(batch)]) == [.committed])
    let change = IncidentChange(
      .opened, rule: "T-01", severity: .p3, entity: "e", eventNs: StoreFixture.nowNs, detectedNs: StoreFixture.nowNs)
    #expect(try fixture.store.apply([change], policy: .none, nowNs: StoreFixture.nowNs).opened == 1)
    // It was there all the time.
    #expect(
      try fixture.value(
        "select count(*) from pg_locks where locktype = 'advisory' and granted and pid = \(reader.backendPID)") == "5")
  }

  /// The lock that housekeeping holds is a row which the reader has no right to, in whatever way it asks.
  @Test func readerCannotTakeAStoreLock() throws {
    let fixture = try StoreFixture(migrated: false)
    let reader = try Store.openReader(fixture.database.url)
    try reader.execute("set default_transaction_read_only = off")
    for statement in [
      "select from signalbox.locks for update", "select from signalbox.locks for key share",
      "begin; lock table signalbox.locks in access share mode",
      "update signalbox.locks set holder_pid = pg_backend_pid()",
    ] {
      let error = #expect(throws: PostgresError.self, "\(statement)") { try reader.execute(statement) }
      #expect(error?.sqlState == "42501", "\(statement): \(String(describing: error))")
      try reader.execute("rollback")
    }
  }
}

/// What the console's login may read, and what it may not.
@Suite(.timeLimit(.minutes(10))) struct ConsoleReaderTests {
  @Test func consoleReadsTheTablesButNoSecretAndChangesNothing() throws {
    let fixture = try StoreFixture(migrated: false)
    _ = try fixture.stream()
    let reader = try FleetReader(consoleOf: fixture.database.url, login: nil, timeoutMs: 5000)
    let role = try reader.connection.queryText("select session_user").text(0, 0)
    #expect(role?.hasPrefix("signalbox_console") == true)
    for query in [
      FleetQueries.status(), AccessQueries.credentials(all: true), FleetQueries.alive(),
      FleetQueries.invitations(all: true),
      FleetQueries.certificates(limit: 10),
    ] {
      #expect(throws: Never.self) { try reader.read(query) }
    }
    #expect(try reader.read(FleetQueries.status()).rows.count == 1)
    // Its rights are the wall, not what the session has set.
    try reader.connection.execute("set default_transaction_read_only = off")
    let refused = [
      "select secret_hash from signalbox.credentials", "select * from signalbox.reader_access",
      "select secret_hash from signalbox.join_tokens", "select key from signalbox.join_redemptions",
      "select * from signalbox.signing_keys", "select * from signalbox.receiver_secrets",
      "update signalbox.incidents set state = 'resolved'", "delete from signalbox.audit_log",
      "insert into signalbox.fleet_settings (key, value) values ('x', 'y')", "select from signalbox.locks for update",
      "create table signalbox.x (a int)", "create temp table x (a int)", "select pg_read_file('/etc/passwd')",
      "select pg_notify('signalbox_hosts', '')", "select lo_creat(-1)", "select pg_advisory_lock(1)",
    ]
    for statement in refused {
      let error = #expect(throws: PostgresError.self, "\(statement)") { try reader.connection.execute(statement) }
      #expect(error?.sqlState == "42501", "\(statement): \(String(describing: error))")
    }
    // No way back to who owns the tables, because the session was never his.
    try reader.connection.execute("select set_config('role', 'none', false)")
    let escape = #expect(throws: PostgresError.self) {
      try reader.connection.execute("select secret_hash from signalbox.credentials")
    }
    #expect(escape?.sqlState == "42501")
  }

  /// The table's name is no secret, but every table of the schema is either readable or known to hold secrets.
  @Test func everyTableIsReadableOrASecret() throws {
    let fixture = try StoreFixture(migrated: false)
    let rows = try fixture.store.connection.queryText(
      """
      select c.relname from pg_class c, signalbox.reader_access a
      where a.purpose = 'console' and c.relnamespace = 'signalbox'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
        and not has_table_privilege(a.role, c.oid, 'select') order by 1
      """)
    let closed = (0..<rows.count).compactMap { rows.text($0, 0) }
    #expect(
      closed == [
        "credentials", "join_redemptions", "join_tokens", "reader_access", "receiver_secrets", "signing_keys",
      ])
  }

  @Test func whoMayChangeTheTablesIsNoReaderOfTheConsole() throws {
    let fixture = try StoreFixture(migrated: false)
    let error = #expect(throws: StoreError.self) {
      try FleetReader(consoleOf: fixture.database.url, login: fixture.database.url, timeoutMs: 1000)
    }
    #expect("\(String(describing: error))".contains("may do more than read"))
  }
}
