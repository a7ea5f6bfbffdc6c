internal import FleetModel
package import Postgres

extension FleetReader {
  /// Lines of one page: two round trips each, and nothing that a reader who pauses between two pages keeps from others.
  package static let pageRows = 5000
  private static let columnCount = 8

  /// Which hosts and files the filter stands for.
  package func scope(of filter: LogFilter) throws(PostgresError) -> LogScope {
    var scope = LogScope()
    if filter.hosts.isEmpty, filter.file == nil { return scope }
    let row = try read(LogQueries.scope(filter)).rows.first ?? []
    guard row.count == 4 else { return scope }
    scope.hosts = Self.numbers(row[0])
    scope.files = Self.numbers(row[1])
    if filter.file != nil {
      if case .time(let ns) = row[2] { scope.filesSinceNs = ns }
      // The last hour is one in which lines still come, so that only an hour that has passed bounds.
      if case .time(let ns) = row[3] { scope.filesUntilNs = ns.addingReportingOverflow(Self.hourNs).partialValue }
    }
    return scope
  }

  private static let hourNs: Int64 = 3_600_000_000_000

  /// An array of numbers in PostgreSQL's text format, `{1,2}`.
  private static func numbers(_ value: ReadValue) -> [Int64]? {
    guard case .text(let text) = value else { return nil }
    return text.dropFirst().dropLast().split(separator: ",").compactMap { Int64($0) }
  }

  /// The newest `limit` lines, the oldest of them first. Columns: time, received, host, file, offset, level, message, flags.
  package func newestLines(_ filter: LogFilter, limit: Int) throws(PostgresError) -> ReadTable {
    let scope = try scope(of: filter)
    return scope.isEmpty ? Self.noLines : try read(LogQueries.newest(filter, scope, limit: limit))
  }

  /// All lines, the oldest first, page by page. Each page is a statement of its own that goes on after the last line: no
  /// transaction stays open while the lines are written out, which would keep retention and vacuum waiting.
  /// - Parameter body: returns false to stop.
  /// - Throws: `PostgresError`, and what `body` throws.
  package func lines(
    _ filter: LogFilter, pageRows: Int = FleetReader.pageRows, _ body: (ReadTable) throws -> Bool
  ) throws {
    let scope = try scope(of: filter)
    var position: LogPosition?
    repeat {
      let (table, next) = try page(filter, scope, after: position, pageRows: pageRows)
      if table.rows.isEmpty { return }
      position = next
      if try !body(table) { return }
    } while position != nil
  }

  /// One page of the same.
  /// - Parameter after: where the page before it ended; nil for the first.
  /// - Returns: `next` is nil where there are no more lines.
  package func linesPage(
    _ filter: LogFilter, after: LogPosition?, pageRows: Int = FleetReader.pageRows
  ) throws(PostgresError) -> (table: ReadTable, next: LogPosition?) {
    try page(filter, scope(of: filter), after: after, pageRows: pageRows)
  }

  private func page(
    _ filter: LogFilter, _ scope: LogScope, after: LogPosition?, pageRows: Int
  ) throws(PostgresError) -> (table: ReadTable, next: LogPosition?) {
    if scope.isEmpty { return (Self.noLines, nil) }
    var table = try read(LogQueries.page(filter, scope, after: after, limit: pageRows))
    let next = table.rows.count < pageRows ? nil : table.rows.last.map(Self.position)
    table.columns.removeLast(table.columns.count - Self.columnCount)
    for row in table.rows.indices { table.rows[row].removeLast(table.rows[row].count - Self.columnCount) }
    return (table, next)
  }

  private static let noLines = ReadTable(
    columns: ["time", "received", "host", "file", "offset", "level", "message", "flags"], rows: [])

  private static func position(_ row: [ReadValue]) -> LogPosition {
    func text(_ value: ReadValue) -> String {
      switch value {
      case .text(let text): text
      case .integer(let number): String(number)
      default: ""
      }
    }
    let position = row.suffix(4).map(text)
    return LogPosition(time: position[0], host: position[1], file: position[2], offset: position[3])
  }
}

extension LogPosition {
  /// As text that a client sends back unchanged.
  package var cursor: String { ListPosition([time, host, file, offset]).cursor }

  /// - Returns: nil for a text that no position wrote.
  package init?(cursor: String) {
    guard let values = ListPosition(cursor: cursor, [.time, .integer, .integer, .bigint])?.values else { return nil }
    self.init(time: values[0], host: values[1], file: values[2], offset: values[3])
  }
}
