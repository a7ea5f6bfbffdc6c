internal import Postgres

/// How the store's functions reach the database: statements with parameters, and transactions around them.
extension Store {
  /// Runs one statement whose rows are not wanted.
  /// - Throws: `.database` with what the server or the connection reported.
  func run(_ sql: String, _ parameters: [Parameter] = []) throws(StoreError) {
    _ = try ask(sql, parameters)
  }

  /// Runs one statement.
  /// - Returns: its rows, and the number of rows that it changed.
  func ask(_ sql: String, _ parameters: [Parameter] = []) throws(StoreError) -> Rows {
    try asking { () throws(PostgresError) in try connection.query(sql, parameters) }
  }

  /// Runs `body` in one transaction: committed where it returns, rolled back where it throws. Not to be nested.
  func inTransaction<Result>(_ body: () throws(StoreError) -> Result) throws(StoreError) -> Result {
    try connection.transaction(mapping: StoreError.database, body)
  }
}
