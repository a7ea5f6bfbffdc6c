internal import Postgres

extension Store {
  /// From now on this connection hears of every change of the allow-list.
  package func listenForHostChanges() throws(StoreError) {
    try asking { () throws(PostgresError) in try connection.listen(Self.hostsChannel) }
  }

  /// Waits for a change of the allow-list, at most `waitMs`.
  /// - Returns: whether there was one.
  package func hostChanges(waitMs: Int) throws(StoreError) -> Bool {
    try asking { () throws(PostgresError) in try !connection.awaitNotifications(timeoutMs: waitMs).isEmpty }
  }
}
