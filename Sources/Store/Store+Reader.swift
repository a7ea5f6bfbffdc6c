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
    let access: ReaderAccess?
    do throws(PostgresError) {
      let store = Store(try Connection(url, options: writerOptions), .plain, url)
      defer { store.close() }
      access = try store.readerAccess()
    } catch  where error.sqlState == "42501" {
      // No owner: perhaps the login itself.
      return try openReader(login: url, timeoutMs: timeoutMs)
    } catch  where error.sqlState == "42P01" || error.sqlState == "3F000" {
      throw .notMigrated
    } catch {
      throw .database(error)
    }
    guard let access else {
      throw .noReader(
        "the collector could not make a login for people's SQL; its log says why. Give one with --reader-database URL or "
          + "$SIGNALBOX_READER_URL")
    }
    do throws(StoreError) {
      return try openReader(login: access.url(url), timeoutMs: timeoutMs)
    } catch .database(let error) where error.isAboutPassword {
      throw .noReader(
        "user \(access.role) has got another password than the collector gave it; start the collector again, which sets its own"
      )
    }
  }

  /// As above, with the login's own URL.
  package static func openReader(login: DatabaseURL, timeoutMs: Int) throws(StoreError) -> Connection {
    var options = ConnectionOptions()
    options.applicationName = "signalbox-query"
    options.statementTimeoutMs = timeoutMs
    options.answerTimeoutMs = timeoutMs + 5_000
    options.idleInTransactionTimeoutMs = 60_000
    options.settings = [
      "default_transaction_read_only": "on", "timezone": "UTC", "datestyle": "ISO", "search_path": "public",
      "client_connection_check_interval": "1000",
    ]
    return try asking { () throws(PostgresError) in
      let connection = try Connection(login, options: options)
      if try mayDoMoreThanRead(connection) {
        connection.close()
        throw PostgresError(
          sqlState: "42501",
          message:
            "user \(login["user"] ?? "") may do more than read; people's SQL runs as \(ReaderRole.name) or a role that is "
            + "member of no other",
          doing: "open a read-only session")
      }
      return connection
    }
  }

  /// Asked of the login, not of the role that is in force: a statement can change the latter.
  private static func mayDoMoreThanRead(_ connection: Connection) throws(PostgresError) -> Bool {
    let rows = try connection.query(
      """
      select r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolreplication or r.rolbypassrls
        or coalesce(has_schema_privilege(r.oid, n.oid, 'usage'), false)
        or exists (select from pg_auth_members m join pg_roles g on g.oid = m.roleid
          where m.member = r.oid and not starts_with(g.rolname::text, $1))
      from pg_roles r left join pg_namespace n on n.nspname = 'signalbox' where r.rolname = session_user
      """, [.text(ReaderRole.name)])
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
