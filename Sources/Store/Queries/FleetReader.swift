package import Postgres

/// Answers questions from one connection of its own; confined to one thread.
package final class FleetReader {
  private let connection: Connection

  /// - Parameter timeoutMs: for one statement; 0 = none.
  /// - Throws: `PostgresError`; also where the database holds no Signalbox schema.
  package init(_ url: DatabaseURL, timeoutMs: Int = 60_000) throws(PostgresError) {
    var options = ConnectionOptions()
    options.applicationName = "signalbox"
    options.statementTimeoutMs = timeoutMs
    options.answerTimeoutMs = timeoutMs == 0 ? 0 : timeoutMs + 5000
    // Values come as text: these two make times readable without the server's locale.
    options.settings = ["timezone": "UTC", "datestyle": "ISO", "jit": "off"]
    connection = try Connection(url, options: options)
  }

  package func close() { connection.close() }

  /// The whole answer at once.
  package func read(_ query: ReadQuery) throws(PostgresError) -> ReadTable {
    try Self.table(connection.queryText(query.sql, query.parameters.map(Self.parameter)))
  }

  /// For statements that people write: logged in as the role that may only read views, so that no statement leads back to
  /// more rights.
  package init(asReaderOf url: DatabaseURL, timeoutMs: Int) throws(StoreError) {
    connection = try Store.openReader(url, timeoutMs: timeoutMs)
    try asking { () throws(PostgresError) in try connection.execute("set timezone to 'UTC'; set datestyle to 'ISO'") }
  }

  /// Runs a statement that a person wrote, in a read-only transaction.
  ///
  /// The grants are the wall; one statement at a time because the extended protocol takes only one.
  package func readGuarded(_ sql: String) throws(PostgresError) -> ReadTable {
    try connection.execute("begin read only")
    defer { connection.rollback() }
    return try Self.table(connection.queryText(sql))
  }

  private static func parameter(_ text: String?) -> Parameter { text.map(Parameter.text) ?? .null }

  private static func table(_ rows: consuming Rows) -> ReadTable {
    let types = (0..<rows.columnCount).map { rows.columnType($0) }
    var table = ReadTable(columns: rows.columnNames, rows: [])
    table.rows.reserveCapacity(rows.count)
    for row in 0..<rows.count {
      table.rows.append(
        types.indices.map { column in
          rows.text(row, column).map { ReadValue(text: $0, typeID: types[column]) } ?? .null
        })
    }
    return table
  }
}
