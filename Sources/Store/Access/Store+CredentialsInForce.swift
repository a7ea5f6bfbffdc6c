internal import Postgres

extension Store {
  /// Of the credentials with these ids, those that have neither ended nor expired: one question for all that hold a stream open.
  package func credentialsInForce(_ ids: [String], nowNs: Int64) throws(StoreError) -> Set<String> {
    let rows = try ask(
      "select id from signalbox.credentials where id = any ($1) and ended is null and expires > $2",
      [.texts(ids), .time(us: nowNs / 1000)])
    return Set((0..<rows.count).compactMap { rows.text($0, 0) })
  }
}
