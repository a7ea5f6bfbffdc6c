package import Postgres

extension Store {
  /// A connection for people's own SQL, logged in as a role that can only read.
  ///
  /// It is a login of its own, never `SET ROLE`: who has taken a role can give it back, also inside a statement.
  /// - Parameters:
  ///   - url: of the database's owner, who knows the login; or of the login itself.
  ///   - timeoutMs: for each statement, on the server; the client gives up a little later.
  /// - Throws: `.noReader` with what to do; also where the login may do more than read.
  package static func openReader(_ url: DatabaseURL, timeoutMs: Int = 30_000) throws(StoreError) -> Connection {
    try openReader(url, .people, peoplesOptions(timeoutMs))
  }

  /// As above, with the login's own URL.
  package static func openReader(login: DatabaseURL, timeoutMs: Int) throws(StoreError) -> Connection {
    try openReader(login: login, .people, peoplesOptions(timeoutMs))
  }

  private static func peoplesOptions(_ timeoutMs: Int) -> ConnectionOptions {
    var options = ConnectionOptions()
    options.applicationName = "signalbox-query"
    options.statementTimeoutMs = timeoutMs
    options.answerTimeoutMs = timeoutMs + 5_000
    options.idleInTransactionTimeoutMs = 60_000
    options.settings = [
      "default_transaction_read_only": "on", "timezone": "UTC", "datestyle": "ISO", "search_path": "public",
      "client_connection_check_interval": "1000",
    ]
    return options
  }

  static func openReader(
    _ url: DatabaseURL, _ role: ReaderRole, _ options: ConnectionOptions
  ) throws(StoreError) -> Connection {
    let access: ReaderAccess?
    do throws(PostgresError) {
      let store = Store(try Connection(url, options: writerOptions), .plain, url)
      defer { store.close() }
      access = try store.readerAccess(role)
    } catch  where error.sqlState == "42501" {
      // No owner: perhaps the login itself.
      return try openReader(login: url, role, options)
    } catch  where error.sqlState == "42P01" || error.sqlState == "3F000" {
      throw .notMigrated
    } catch  where error.sqlState == "42703" {
      throw .noReader(
        "the database is of an older version: start the collector of this version on it, which brings it up to date")
    } catch {
      throw .database(error)
    }
    guard let access else {
      throw .noReader(
        "the collector could not make a login for \(role.owner); its log says why. Make one as it says, and give its URL to "
          + role.option)
    }
    do throws(StoreError) {
      return try openReader(login: access.url(url), role, options)
    } catch .database(let error) where error.isAboutPassword {
      throw .noReader(
        "user \(access.role) has got another password than the collector gave it; start the collector again, which sets its own"
      )
    }
  }

  static func openReader(
    login: DatabaseURL, _ role: ReaderRole, _ options: ConnectionOptions
  ) throws(StoreError) -> Connection {
    try asking { () throws(PostgresError) in
      let connection = try Connection(login, options: options)
      if try mayDoMoreThanRead(connection, role) {
        connection.close()
        throw PostgresError(
          sqlState: "42501",
          message:
            "user \(login["user"] ?? "") may do more than read; \(role.owner) reads as \(role.name) or a role that is "
            + "member of no other",
          doing: "open a read-only session")
      }
      return connection
    }
  }

  /// Asked of the login, not of the role that is in force: a statement can change the latter.
  private static func mayDoMoreThanRead(
    _ connection: Connection, _ role: ReaderRole
  ) throws(PostgresError) -> Bool {
    let tooMuch =
      role.purpose == ReaderRole.people.purpose
      ? "has_schema_privilege(r.oid, n.oid, 'usage')"
      : """
      has_schema_privilege(r.oid, n.oid, 'create') or has_table_privilege(r.oid, 'signalbox.incidents', 'update')
        or has_column_privilege(r.oid, 'signalbox.credentials', 'secret_hash', 'select')
      """
    let rows = try connection.query(
      """
      select r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolreplication or r.rolbypassrls
        or coalesce(\(tooMuch), false)
        or exists (select from pg_auth_members m join pg_roles g on g.oid = m.roleid
          where m.member = r.oid and not starts_with(g.rolname::text, $1))
      from pg_roles r left join pg_namespace n on n.nspname = 'signalbox' where r.rolname = session_user
      """, [.text(role.name)])
    return rows.bool(0, 0) != false
  }

  /// Ends transactions of the reader that are beyond their time, which keep partitions from being dropped. A session may switch its own
  /// limits off, but not this.
  /// - Returns: how many were ended.
  package func endOverdueReaders() throws(StoreError) -> Int {
    let ended = try ask(
      """
      select pg_terminate_backend(a.pid) from pg_stat_activity a join signalbox.reader_access r on r.role = a.usename
      where a.datname = current_database() and a.xact_start < now() - interval '\(ReaderRole.transactionMax)'
      """)
    return ended.count
  }
}
