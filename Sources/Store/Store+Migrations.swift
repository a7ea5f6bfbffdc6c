internal import FleetModel
internal import Postgres

/// What `migrate` found and did.
package struct MigrationReport: Sendable, Equatable {
  package var from: Int32
  package var to: Int32
  package var capability: Capability
  /// Why a login that only reads is not there.
  package var readerRoleProblems: [String] = []
}

extension Store {
  /// Applies missing migrations under an advisory lock, in one transaction: several collectors may start at once.
  @discardableResult
  package func migrate() throws(StoreError) -> MigrationReport {
    do throws(StoreError) {
      var report = try connection.transaction(mapping: StoreError.database) { () throws(StoreError) in
        try applyMissing()
      }
      try loadLayout(report.capability)
      preferViews()
      report.readerRoleProblems = makeReaderLogins()
      readerProblems = report.readerRoleProblems + [closeReaders().map(Self.openLimits)].compactMap { $0 }
      return report
    } catch .database(let error) where error.isNotPermitted {
      throw .notPermitted(
        "the database user may not create Signalbox's tables (\(error.message)); make it the owner: "
          + "CREATE DATABASE signalbox OWNER its_name")
    }
  }

  private static func openLimits(_ statement: String) -> String {
    "this user is no superuser, so nothing bounds the temporary files of people's SQL, its advisory locks and its large objects; "
      + "as a superuser run in this database: \(statement); \(ReaderRole.closingOneLine)"
  }

  private func applyMissing() throws(StoreError) -> MigrationReport {
    try asking { () throws(PostgresError) in
      // Later starts lock the table: the reader's login, which could hold any advisory lock, is made after the first migration.
      let isThere = try connection.query("select to_regclass('signalbox.schema_steps') is not null").bool(0, 0) == true
      try connection.execute(
        isThere
          ? "lock table signalbox.schema_steps in share row exclusive mode"
          : """
          select pg_advisory_xact_lock(hashtext('signalbox.migrate'));
          create schema if not exists signalbox;
          create table if not exists signalbox.schema_steps (
            number integer primary key, name text not null, capability text not null, applied timestamptz not null default now());
          """)
    }
    let (found, recorded) = try schemaVersion()
    let known = Migration.all.last?.number ?? 0
    if found > known { throw .newerSchema(found: found, known: known) }
    let capability: Capability
    if let recorded { capability = recorded } else { capability = try detectCapability() }
    for step in Migration.all where step.number > found {
      try asking { () throws(PostgresError) in
        try connection.execute(step.sql(capability))
        _ = try connection.query(
          "insert into signalbox.schema_steps (number, name, capability) values ($1, $2, $3)",
          [.int4(step.number), .text(step.name), .text(capability.rawValue)])
      }
    }
    return MigrationReport(from: found, to: known, capability: capability)
  }

  /// For programs that must not change the schema.
  func requireSchema() throws(StoreError) {
    if let problem = try Self.schemaProblem(connection) { throw problem }
    let (_, capability) = try schemaVersion()
    try loadLayout(capability ?? .plain)
  }

  /// Why this program's statements do not fit the database's tables; nil where they do.
  static func schemaProblem(_ connection: Connection) throws(StoreError) -> StoreError? {
    let rows: Rows
    do throws(PostgresError) {
      guard try connection.query("select to_regclass('signalbox.schema_steps') is not null").bool(0, 0) == true else {
        return .notMigrated
      }
      rows = try connection.query("select coalesce(max(number), 0) from signalbox.schema_steps")
    } catch {
      throw .database(error)
    }
    let found = Int32(clamping: rows.int(0, 0) ?? 0)
    let known = Migration.all.last?.number ?? 0
    if found > known { return .newerSchema(found: found, known: known) }
    if found == 0 { return .notMigrated }
    return found < known ? .olderSchema(found: found, known: known) : nil
  }

  private func schemaVersion() throws(StoreError) -> (Int32, Capability?) {
    let rows = try asking { () throws(PostgresError) in
      try connection.query("select number, capability from signalbox.schema_steps order by number desc limit 1")
    }
    if rows.count == 0 { return (0, nil) }
    return (Int32(clamping: rows.int(0, 0) ?? 0), rows.text(0, 1).flatMap(Capability.init(rawValue:)))
  }

  /// Makes the extensions that the server offers, and asks which edition of TimescaleDB it is.
  private func detectCapability() throws(StoreError) -> Capability {
    // Without its loader in shared_preload_libraries, CREATE EXTENSION timescaledb ends the session.
    let offers = try asking { () throws(PostgresError) in
      try connection.query(
        """
        select exists (select from pg_available_extensions where name = 'timescaledb')
            and current_setting('timescaledb.disable_load', true) is not null,
          exists (select from pg_available_extensions where name = 'pg_trgm')
        """)
    }
    if offers.bool(0, 1) == true { _ = try attempt("create extension if not exists pg_trgm") }
    guard offers.bool(0, 0) == true, try attempt("create extension if not exists timescaledb") else { return .plain }
    let license = try asking { () throws(PostgresError) in
      try connection.query("select current_setting('timescaledb.license', true)").text(0, 0)
    }
    return license == "timescale" ? .community : .apache
  }

  /// Runs a statement that may be refused without ending the transaction.
  private func attempt(_ statement: String) throws(StoreError) -> Bool {
    try asking { () throws(PostgresError) in
      try connection.execute("savepoint attempt")
      do throws(PostgresError) {
        try connection.execute(statement)
        try connection.execute("release savepoint attempt")
        return true
      } catch {
        if error.isConnectionLost { throw error }
        try connection.execute("rollback to savepoint attempt")
        return false
      }
    }
  }

  /// A user named like the schema would see its tables before the views of the same names.
  private func preferViews() {
    _ = try? asking { () throws(PostgresError) in
      let name = try connection.query("select current_database()").text(0, 0) ?? ""
      try connection.execute("alter database \(Connection.quoted(name)) set search_path = public")
    }
  }
}
