internal import Postgres

/// How many connections the server leaves to this user.
package struct ConnectionRoom: Sendable, Equatable {
  /// What the server, the database and the role allow in all.
  package var limit: Int
  /// Held by others just now.
  package var used: Int

  package init(limit: Int, used: Int) {
    self.limit = limit
    self.used = used
  }
}

extension Store {
  /// Refuses, before anything is changed, a database that would lose or damage what is stored in it.
  func refuseUnfit() throws(StoreError) {
    try refuseEncoding()
    try refuseReadOnly()
    try refusePooler()
    try refuseForeignTables()
  }

  /// Log lines are UTF-8: in another encoding most of them could not be stored.
  private func refuseEncoding() throws(StoreError) {
    let rows = try ask("select current_setting('server_encoding'), current_database(), current_user")
    let encoding = rows.text(0, 0) ?? ""
    if encoding == "UTF8" { return }
    throw .unfitDatabase(
      "the database \(rows.text(0, 1) ?? "") has the encoding \(encoding), Signalbox needs UTF8; make one with "
        + "CREATE DATABASE signalbox OWNER \(rows.text(0, 2) ?? "") ENCODING 'UTF8' LOCALE 'C.UTF-8' TEMPLATE template0"
    )
  }

  private func refuseReadOnly() throws(StoreError) {
    let rows = try ask("select pg_is_in_recovery(), current_setting('transaction_read_only')::boolean")
    if rows.bool(0, 0) == true {
      throw .unfitDatabase(
        "this server is a standby and only reads: name the primary, or all servers of the cluster, in the URL")
    }
    if rows.bool(0, 1) == true {
      throw .unfitDatabase(
        "this server only reads: switch default_transaction_read_only off for the database and its user")
    }
  }

  /// A pooler that gives each transaction another session loses settings, notifications and locks, also `synchronous_commit`.
  private func refusePooler() throws(StoreError) {
    // Who answers the connection is the one who answers the statement, unless a pooler speaks in between.
    let first = try sessionPID(connection)
    if first == Int64(connection.backendPID) { return }
    var own: Set<Int64> = [first]
    var others: Set<Int64> = []
    let other = try asking { () throws(PostgresError) in try Connection(url, options: Self.writerOptions) }
    defer { other.close() }
    for _ in 0..<Self.poolerTries where PoolerVerdict.isSession(own: own, others: others) {
      own.insert(try sessionPID(connection))
      others.insert(try sessionPID(other))
      own.insert(try sessionPID(connection))
    }
    if PoolerVerdict.isSession(own: own, others: others) { return }
    throw .unfitDatabase(
      "a pooler gives each transaction another session of the database: let it keep them (pool_mode = session), "
        + "or name the server itself in the URL")
  }

  /// One try sees it where the pooler gives out the newest session first, two where it gives them out in turn.
  private static let poolerTries = 4

  private func sessionPID(_ connection: Connection) throws(StoreError) -> Int64 {
    try asking { () throws(PostgresError) in try connection.query("select pg_backend_pid()").int(0, 0) ?? 0 }
  }

  /// Only before the first migration: what a site adds later is its own affair.
  private func refuseForeignTables() throws(StoreError) {
    let steps = try ask(
      """
      select count(*) filter (where a.attname in ('number', 'name', 'capability', 'applied')) from pg_attribute a
      where a.attrelid = to_regclass('signalbox.schema_steps')
      """)
    if steps.int(0, 0) == 4 { return }
    // What extensions brought along belongs to them, also TimescaleDB's own schemas.
    let found = try ask(
      """
      select n.nspname, format('%I.%I', n.nspname, c.relname), current_database(), current_user
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname <> 'information_schema' and n.nspname !~ '^pg_|^_?timescaledb'
        and not exists (select from pg_depend d
          where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
      order by n.nspname <> 'signalbox', 2 limit 1
      """)
    guard found.count > 0 else { return }
    let (table, database, user) = (found.text(0, 1) ?? "", found.text(0, 2) ?? "", found.text(0, 3) ?? "")
    let advice = "give Signalbox a database of its own: CREATE DATABASE NAME OWNER \(user)"
    if found.text(0, 0) == "signalbox" {
      throw .unfitDatabase(
        "the schema signalbox of database \(database) is somebody else's, it holds \(table); \(advice)")
    }
    throw .unfitDatabase("the database \(database) is not empty, it holds \(table); \(advice)")
  }

  /// What the server's, the database's and the role's limits leave; a pooler's own limits are not seen.
  package func connectionRoom() throws(StoreError) -> ConnectionRoom {
    let rows = try ask(
      """
      select current_setting('max_connections')::int8 - case when r.rolsuper then 0
          else current_setting('superuser_reserved_connections')::int8
            + coalesce(current_setting('reserved_connections', true)::int8, 0) end,
        case when r.rolsuper then -1 else r.rolconnlimit end, case when r.rolsuper then -1 else d.datconnlimit end,
        (select count(*) from pg_stat_activity a where a.backend_type = 'client backend' and a.pid <> pg_backend_pid()),
        (select count(*) from pg_stat_activity a where a.usename = current_user and a.pid <> pg_backend_pid()
          and a.backend_type = 'client backend'),
        (select count(*) from pg_stat_activity a where a.datname = current_database() and a.pid <> pg_backend_pid()
          and a.backend_type = 'client backend')
      from pg_roles r, pg_database d where r.rolname = current_user and d.datname = current_database()
      """)
    // The narrowest of the three, by what it leaves.
    let rooms = (0..<3).compactMap { index -> ConnectionRoom? in
      guard let limit = rows.int(0, index), limit >= 0 else { return nil }
      return ConnectionRoom(limit: Int(limit), used: Int(rows.int(0, index + 3) ?? 0))
    }
    return rooms.min { $0.limit - $0.used < $1.limit - $1.used } ?? ConnectionRoom(limit: .max, used: 0)
  }
}

/// What the backends that two sessions saw prove about a pooler between them and the server.
package enum PoolerVerdict {
  /// - Parameters:
  ///   - own: process numbers of the backends that answered the first session.
  ///   - others: those of the second, which stood at the same time.
  /// - Returns: whether each session has a backend of its own.
  package static func isSession(own: Set<Int64>, others: Set<Int64>) -> Bool {
    own.count <= 1 && others.count <= 1 && own.isDisjoint(with: others)
  }
}
