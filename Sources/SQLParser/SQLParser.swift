internal import CPGQuery

/// Why a text is no statement of PostgreSQL.
package struct SQLSyntaxError: Error, Sendable, Equatable {
  package let message: String
  /// Counted from 1 in characters of the text; 0 where the parser names no place.
  package let position: Int
}

/// PostgreSQL 15's own parser, as the library libpg_query.
package enum SQLParser {
  /// The parser's recursion follows the nesting of the text: at this length the deepest one takes less than a megabyte of stack.
  package static let bytesMax = 16 << 10

  /// - Returns: the statements as libpg_query's JSON: `{"version":…,"stmts":[{"stmt":{…}}]}`.
  package static func tree(_ sql: String) throws(SQLSyntaxError) -> String {
    guard sql.utf8.count <= bytesMax else {
      throw SQLSyntaxError(message: "a statement has at most \(bytesMax >> 10) KiB", position: 0)
    }
    // The library reads a C string, which would end at it.
    if sql.utf8.contains(0) { throw SQLSyntaxError(message: "U+0000 is in no statement", position: 0) }
    let result = unsafe pg_query_parse(sql)
    defer { unsafe pg_query_free_parse_result(result) }
    if let error = unsafe result.error {
      let message = unsafe error.pointee.message.map { unsafe String(cString: $0) } ?? "no statement"
      throw SQLSyntaxError(message: message, position: max(0, Int(unsafe error.pointee.cursorpos)))
    }
    guard let tree = unsafe result.parse_tree else { throw SQLSyntaxError(message: "no statement", position: 0) }
    return unsafe String(cString: tree)
  }
}
