internal import Answers
internal import FleetModel
internal import Store

extension FleetSource {
  /// The newest `limit` lines, the oldest of them first. Columns: time, received, host, file, offset, level, message.
  func newestLines(_ filter: LogFilter, limit: Int) throws -> Answer {
    switch way {
    case .database(let reader): Answer(try reader.newestLines(filter, limit: limit), ShownColumns.logs)
    case .console(let client):
      try ask(client, Self.call(filter, [("newest", String(limit))]), ShownColumns.logs).answer
    }
  }

  /// All lines, the oldest first, page by page.
  func lines(_ filter: LogFilter, _ body: (Answer) throws -> Void) throws {
    switch way {
    case .database(let reader):
      try reader.lines(filter) { table in
        try body(Answer(table, ShownColumns.logs))
        return true
      }
    case .console(let client):
      var cursor: String?
      repeat {
        let reply = try ask(client, Self.call(filter, [("cursor", cursor)]), ShownColumns.logs)
        if !reply.answer.rows.isEmpty { try body(reply.answer) }
        cursor = reply.next
      } while cursor != nil
    }
  }

  private static func call(_ filter: LogFilter, _ more: [(String, String?)]) -> ConsoleCall {
    let moment = { (ns: Int64?) in ns.map { Timestamp.text($0) } }
    return .get(
      "/api/v1/logs/pages",
      [
        ("host", filter.hosts.isEmpty ? nil : filter.hosts.joined(separator: ",")), ("file", filter.file),
        ("level", LogLevels.name(filter.minimumLevel)), ("only_level", LogLevels.name(filter.onlyLevel)),
        ("since", moment(filter.sinceNs)), ("until", moment(filter.untilNs)),
        ("received_after", moment(filter.receivedAfterNs)), ("q", filter.text),
        ("regex", filter.pattern),
      ] + more)
  }
}

private enum LogLevels {
  static func name(_ level: Level?) -> String? { LevelName.allCases.first { $0.level == level }?.rawValue }
}
