internal import CLibPQ

extension Connection {
  /// As `queryText`, but each row is handed on as it arrives, so that the answer need not fit into memory.
  ///
  /// - Parameter body: is given one row at a time, at last an answer without rows, which has the columns' names. Returns false to
  ///   stop; the connection is closed then, because the rest of the answer is on its way.
  package func eachRowAsText(
    _ sql: String, _ parameters: [Parameter] = [], _ body: (borrowing Rows) throws(PostgresError) -> Bool
  ) throws(PostgresError) {
    let doing = Self.summary(sql)
    try send(sql, parameters, binary: false)
    guard unsafe PQsetSingleRowMode(handle) == 1 else { throw connectionError(doing) }
    try flush(doing)
    var failure: PostgresError?
    while let result = unsafe try nextResult(doing) {
      let status = unsafe PQresultStatus(result)
      if status == PGRES_SINGLE_TUPLE || status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK {
        let rows = unsafe Rows(adopting: result)
        do throws(PostgresError) {
          guard try body(rows) else { return close() }
        } catch {
          close()
          throw error
        }
        continue
      }
      if failure == nil { failure = unsafe resultError(result, doing) }
      unsafe PQclear(result)
      if status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH { throw refuseCopy(doing) }
    }
    if let failure { throw failure }
  }
}
