internal import Answers
internal import Postgres
internal import Store

extension DatabasePool {
  /// Questions about the lines that a filter lets through, to one connection, which looks its hosts and files up once.
  /// - Throws: `Problem`.
  func answers(
    _ filter: LogFilter, _ queries: @escaping @Sendable (LogScope) -> [(ReadQuery, [Answer.Column])]
  ) async throws -> [Answer] {
    try await run { (connections) throws(Problem) in
      try connections.read { (reader) throws(PostgresError) in
        var answers: [Answer] = []
        for (query, shown) in queries(try reader.scope(of: filter)) {
          answers.append(Answer(try reader.read(query), shown))
        }
        return answers
      }
    }
  }
}
