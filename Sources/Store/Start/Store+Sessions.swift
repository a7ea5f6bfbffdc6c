package import Postgres

extension Store {
  /// How the connection for fences and enrolment is set. A host whose row is held must not keep the others waiting for long, and
  /// where a frozen collector holds it, another one takes over after this time.
  package static var controlOptions: ConnectionOptions {
    var options = writerOptions
    options.applicationName = "signalbox-control"
    options.lockTimeoutMs = 6_000
    return options
  }

  /// A transaction in which the server has waited for its client for so long is one of a frozen collector.
  private static let stalledAfter = "5 seconds"

  /// Ends transactions of this user that hold hosts' rows and in which the server waits for the client: also inside of a COPY, which
  /// the limit of idle transactions does not know. A collector that is alive sees a lost connection and commits again.
  /// - Returns: how many were ended.
  func endStalledWriters() throws(StoreError) -> Int {
    try ask(
      """
      select pg_terminate_backend(a.pid) from pg_stat_activity a
      where a.datname = current_database() and a.usename = current_user and a.pid <> pg_backend_pid()
        and a.wait_event_type = 'Client' and a.state <> 'idle'
        and a.xact_start < now() - interval '\(Self.stalledAfter)' and a.state_change < now() - interval '\(Self.stalledAfter)'
        and exists (select from pg_locks l where l.pid = a.pid and l.relation = 'signalbox.epochs'::regclass)
      """
    ).count
  }

  /// Commits of this user that have waited for a synchronous standby for five seconds or more: none answers.
  package func commitsWithoutStandby() throws(StoreError) -> Int {
    try asking { () throws(PostgresError) in try Self.commitsWithoutStandby(connection) }
  }

  static func commitsWithoutStandby(_ connection: Connection) throws(PostgresError) -> Int {
    let rows = try connection.query(
      """
      select count(*) from pg_stat_activity a
      where a.datname = current_database() and a.usename = current_user and a.wait_event = 'SyncRep'
        and a.state_change < now() - interval '5 seconds'
      """)
    return Int(rows.int(0, 0) ?? 0)
  }
}

extension PostgresError {
  /// lock_timeout ended the wait for a lock.
  var isLockTimeout: Bool { sqlState == "55P03" }
}
