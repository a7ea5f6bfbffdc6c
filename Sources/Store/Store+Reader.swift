package import Postgres

extension Store {
  /// A connection for people's own SQL: role `signalbox_reader` where the server lets it in, else that role taken by the
  /// given user. Grants are the wall; time limit and read-only are also set, but a session could undo them.
  /// - Parameter timeoutMs: for each statement, on the server; the client gives up a little later.
  package static func openReader(_ url: DatabaseURL, timeoutMs: Int = 30_000) throws(StoreError) -> Connection {
    var options = ConnectionOptions()
    options.applicationName = "signalbox-query"
    options.statementTimeoutMs = timeoutMs
    options.answerTimeoutMs = timeoutMs + 5_000
    options.idleInTransactionTimeoutMs = 60_000
    options.settings = ["default_transaction_read_only": "on", "timezone": "UTC", "search_path": "public"]
    var asReader = url.with(["user": "signalbox_reader"])
    asReader["password"] = nil
    if let connection = try? Connection(asReader, options: options) { return connection }
    return try asking { () throws(PostgresError) in
      let connection = try Connection(url, options: options)
      do throws(PostgresError) {
        try connection.execute("set role signalbox_reader")
      } catch {
        connection.close()
        throw PostgresError(
          sqlState: error.sqlState,
          message: "neither may signalbox_reader log in, nor may this user take that role (\(error.message))",
          doing: "open a read-only session")
      }
      return connection
    }
  }
}
