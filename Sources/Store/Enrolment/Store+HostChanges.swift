internal import Postgres

/// What notifications of the allow-list's changes hold.
package struct HostChanges: Sendable, Equatable {
  package var isAny: Bool
  /// Labels that the configuration gives by name are to be applied again.
  package var renamesHosts: Bool
}

extension Store {
  /// From now on this connection is notified of every change of the allow-list.
  package func listenForHostChanges() throws(StoreError) {
    try asking { () throws(PostgresError) in try connection.listen(Self.hostsChannel) }
  }

  /// Waits for a change of the allow-list, at most `waitMs`.
  package func hostChanges(waitMs: Int) throws(StoreError) -> HostChanges {
    let payloads = try asking { () throws(PostgresError) in
      try connection.awaitNotifications(timeoutMs: waitMs).map(\.payload)
    }
    return HostChanges(isAny: !payloads.isEmpty, renamesHosts: payloads.contains(Self.renamedPayload))
  }
}
