package import Postgres

/// Answers questions from one connection of its own; confined to one thread.
package final class FleetReader {
  let connection: Connection

  /// - Parameters:
  ///   - timeoutMs: for one statement; 0 = none.
  /// - Throws: `PostgresError`; also where the database holds no Signalbox schema.
  package init(_ url: DatabaseURL, timeoutMs: Int = 60_000) throws(PostgresError) {
    connection = try Connection(url, options: Self.options(timeoutMs))
  }

  /// For programs that take questions from the network: logged in as a role that may read the tables but for their secrets, and change
  /// nothing, so that no statement leads back to more rights.
  /// - Parameter login: of such a role; nil: the one that the collector has made, which the owner of `url` knows.
  package init(consoleOf url: DatabaseURL, login: DatabaseURL?, timeoutMs: Int) throws(StoreError) {
    var options = Self.options(timeoutMs)
    options.settings["default_transaction_read_only"] = "on"
    connection =
      if let login { try Store.openReader(login: login, .console, options) } else {
        try Store.openReader(url, .console, options)
      }
  }

  private static func options(_ timeoutMs: Int) -> ConnectionOptions {
    var options = ConnectionOptions()
    options.applicationName = "signalbox"
    options.statementTimeoutMs = timeoutMs
    options.answerTimeoutMs = timeoutMs == 0 ? 0 : timeoutMs + 5000
    // Values come as text: these two make times readable without the server's locale.
    options.settings = [
      "timezone": "UTC", "datestyle": "ISO", "jit": "off",
      // A command that was killed must not leave its question to the server.
      "client_connection_check_interval": "1000",
    ]
    return options
  }

  package func close() { connection.close() }

  /// Commits that wait for a synchronous standby; what is shown is as old as they are.
  package func commitsWithoutStandby() throws(PostgresError) -> Int {
    try Store.commitsWithoutStandby(connection)
  }

  /// Why the database's tables are not those that these questions know; nil where they are, or where it does not answer.
  package var schemaProblem: StoreError? { (try? Store.schemaProblem(connection)) ?? nil }

  /// The whole answer at once.
  package func read(_ query: ReadQuery) throws(PostgresError) -> ReadTable {
    try Self.table(connection.queryText(query.sql, query.typedParameters))
  }

  /// For statements that people write: logged in as the role that may only read views, so that no statement leads back to
  /// more rights.
  package init(asReaderOf url: DatabaseURL, timeoutMs: Int) throws(StoreError) {
    connection = try Store.openReader(url, timeoutMs: timeoutMs)
  }

  /// As above, with the URL of that role itself.
  package init(login: DatabaseURL, timeoutMs: Int) throws(StoreError) {
    connection = try Store.openReader(login: login, timeoutMs: timeoutMs)
  }

  /// What one answer may hold: it is kept whole to be shown as a table, in about three times its own size.
  package static let answerBytesMax = 64 << 20
  package static let answerRowsMax = 1_000_000
  /// SQLSTATE program_limit_exceeded.
  package static let tooLargeState = "54000"

  /// Runs a statement that a person wrote, in a read-only transaction.
  ///
  /// The grants are the wall; one statement at a time because the extended protocol takes only one.
  /// - Parameter values: of `$1` and those behind it, as texts.
  package func readGuarded(_ sql: String, values: [String] = []) throws(PostgresError) -> ReadTable {
    var table = ReadTable(columns: [], rows: [])
    var bytes = 0
    var isTooLarge = false
    try eachRow(sql, values: values) { columns, row in
      if table.columns.isEmpty { table.columns = columns }
      guard let row else { return true }
      bytes += row.reduce(0) { $0 + $1.bytes }
      isTooLarge = bytes > Self.answerBytesMax || table.rows.count >= Self.answerRowsMax
      if !isTooLarge { table.rows.append(row) }
      return !isTooLarge
    }
    if isTooLarge { throw Self.tooLarge }
    return table
  }

  private static let tooLarge = PostgresError(
    sqlState: tooLargeState,
    message: "the answer has more than \(answerRowsMax) rows or \(answerBytesMax >> 20) MiB: add LIMIT, or aggregate",
    doing: "read the answer")

  static func values(_ rows: borrowing Rows, _ row: Int) -> [ReadValue] {
    (0..<rows.columnCount).map { column in
      rows.text(row, column).map { ReadValue(text: $0, typeID: rows.columnType(column)) } ?? .null
    }
  }

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
