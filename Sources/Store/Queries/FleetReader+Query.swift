package import Postgres

extension FleetReader {
  /// The plan of a statement as JSON; nothing of it is run.
  /// - Parameter values: of `$1` and those behind it, as texts.
  package func plan(_ sql: String, values: [String] = []) throws(PostgresError) -> String {
    let rows = try connection.queryText("explain (format json) " + sql, values.map(Parameter.text))
    return (0..<rows.count).compactMap { rows.text($0, 0) }.joined(separator: "\n")
  }

  /// Hands on each row as it arrives, and at last none with the columns' names, so that the answer need not fit into memory.
  /// - Parameter body: columns and one row, or none at the end; false stops the statement and ends this connection.
  package func eachRow(
    _ sql: String, values: [String] = [], _ body: (_ columns: [String], _ row: [ReadValue]?) -> Bool
  ) throws(PostgresError) {
    try connection.execute("begin read only")
    var columns: [String] = []
    try connection.eachRowAsText(sql, values.map(Parameter.text)) { (rows) throws(PostgresError) in
      if columns.isEmpty { columns = rows.columnNames }
      for row in 0..<rows.count where !body(columns, Self.values(rows, row)) { return false }
      return rows.count > 0 || body(columns, nil)
    }
    connection.rollback()
  }

  /// For other threads.
  package var canceller: QueryCanceller { connection.canceller }
}

extension ReadValue {
  /// About what it takes in memory.
  package var bytes: Int {
    switch self {
    case .text(let text), .json(let text): text.utf8.count + 16
    default: 16
    }
  }
}
