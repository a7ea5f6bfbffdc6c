package import FleetModel
internal import Postgres

extension Store {
  /// Stores what the collector itself has found out about a host: a suspected clone, a refused report.
  package func note(_ events: [Event], losses: [Loss] = [], hostNumber: Int32, receivedNs: Int64) throws(StoreError) {
    let arrival = Arrival(host: hostNumber, receivedNs: receivedNs, oldestUs: oldestUs)
    rows.removeAll()
    for event in events { rows.append(event, arrival) }
    for loss in losses { rows.append(loss, arrival) }
    if capability == .plain {
      for event in events {
        try run("select signalbox.ensure_partition('events', $1)", [.time(us: arrival.stored(event.timeNs / 1000))])
      }
    }
    try asking { () throws(PostgresError) in
      try connection.transaction { () throws(PostgresError) in
        try rows.forEachTable { (table, columns, rows) throws(PostgresError) in
          try connection.copyIn(table, columns: columns, rows)
        }
      }
    }
  }
}
