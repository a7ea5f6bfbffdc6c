internal import Answers
internal import FleetModel
internal import HTTPTypes
internal import SQLGuard
internal import Store

extension RouteTable {
  private static let sql = Route.Field(
    name: "sql", summary: "One SELECT on the views of /api/v1/views.", charactersMax: 16 << 10)
  private static let view = Route.Parameter(
    "view", .query, .choice(PublicViews.all.sorted()), "Only of this view.", example: "log_lines")

  static let query: [Route] = [
    Route(
      method: .get, path: "/api/v1/views", role: .viewer, summary: "Views that people's SQL reads, and what each has.",
      shape: .list
    ) { question in .list(try await question.database.answer(ViewQueries.views(), viewColumns)) },
    Route(
      method: .get, path: "/api/v1/views/{view}", role: .viewer,
      summary: "Columns of a view, with their types, meanings and units.",
      parameters: [.init("view", .path, .text, "Its name.", example: "log_lines")], shape: .list
    ) { question in
      let view = question["view"] ?? ""
      let columns = try await question.database.answer(ViewQueries.columns(of: view), columnColumns)
      if columns.rows.isEmpty { throw Problem(.notFound, "no view is called '\(view)'; /api/v1/views lists them") }
      return .list(columns)
    },
    Route(
      method: .post, path: "/api/v1/query", role: .viewer,
      summary:
        "Answers one SELECT on the views. NDJSON and CSV come while they are found, with up to a million rows; JSON has at most 10 000. The statement ends when its client goes.",
      fields: [
        sql,
        .init(name: "limit", summary: "At most so many rows.", charactersMax: 9, isOptional: true),
        .init(
          name: "timeout", summary: "Seconds after which it is stopped, 1 to 300; 30 without.", charactersMax: 4,
          isOptional: true),
      ], shape: .rows
    ) { question in .rows(try await run(question, rowsMax: QueryLimits.keptRowsMax)) },
    Route(
      method: .get, path: "/query", role: .viewer, summary: "Asking with SQL.",
      parameters: [view, .init("sql", .query, .text, "What stands in the editor.", example: "table hosts")],
      allowsEmpty: true, shape: .page
    ) { question in .page(try await queryPage(question, sql: question["sql"] ?? ViewQueries.example)) },
    Route(
      method: .post, path: "/query", role: .viewer, summary: "Answers a statement as a page.", fields: [sql],
      shape: .page
    ) { question in .page(try await answerPage(question)) },
  ]

  private static func run(_ question: Question, rowsMax: Int) async throws -> QueryAnswer {
    let text = question.fields["sql"] ?? ""
    let statement: GuardedStatement
    do throws(SQLRefusal) {
      statement = try SQLGuard.check(text, nowNs: question.nowNs)
    } catch {
      throw Problem(.badRequest, error.description)
    }
    return try await run(
      statement, subject: statement.views.joined(separator: " "), detail: statement.text, rowsMax: rowsMax, question)
  }

  /// - Parameters:
  ///   - subject, detail: for the audit.
  ///   - rowsMax: of forms that are not written while they arrive.
  static func run(
    _ statement: GuardedStatement, subject: String, detail: String, rowsMax: Int, _ question: Question
  ) async throws -> QueryAnswer {
    let most = question.isStreamed ? QueryLimits.rowsMax : rowsMax
    let limit = try number(question, "limit", 1...Int64(QueryLimits.rowsMax)).map { min(Int($0), most) }
    let seconds = try number(question, "timeout", 1...QueryLimits.secondsMax) ?? QueryLimits.secondsDefault
    let actor = question.actor
    try await question.database.change { store throws(StoreError) in
      try store.audit(actor: actor, action: "query", subject: subject, detail: detail)
    }
    let run = try question.console.queries.start(
      statement, QueryLimits(rows: limit ?? most, seconds: seconds))
    // Weakly: a connection outlives its statements, and would keep the descriptor of each.
    question.whenGone { [weak run] in run?.cancel() }
    guard let first = try await run.next() else {
      throw Problem(.internalServerError, "the database gave no answer")
    }
    return QueryAnswer(statement: statement, run: run, first: first, isLimited: limit != nil)
  }

  /// Fields are texts, also those of JSON.
  private static func number(_ question: Question, _ name: String, _ range: ClosedRange<Int64>) throws -> Int64? {
    guard let text = question.fields[name], !text.isEmpty else { return nil }
    guard let number = Int64(text), range.contains(number) else {
      throw Problem(
        .badRequest,
        "\(name) takes \(range.lowerBound) to \(range.upperBound), not \(PlainText.cut(text, scalarsMax: 20))")
    }
    return number
  }

  /// Rows of the answer on a page: more is what the API and the command line are for.
  static let shownMax = 200

  /// An answer as parts of a page, or why there is none.
  static func blocks(
    of answer: () async throws -> QueryAnswer, _ question: Question
  ) async throws -> [Page.Block] {
    do {
      let answer = try await answer()
      let (rows, isCut) = try await answer.collect()
      let presence = try await question.console.fleet.presence(of: answer.statement.hosts)
      let count = rows.rows.count
      let sentence = isCut ? "The first \(count) rows; there are more." : "\(count) row\(count == 1 ? "" : "s")."
      let missing = answer.statement.views.isEmpty ? "" : " " + presence.sentence
      return [.text(sentence + missing), .table(name: "rows", rows, empty: "No row matches.")]
    } catch let problem as Problem where problem.status != .serviceUnavailable {
      return [.notice(problem.detail)]
    }
  }

  private static func answerPage(_ question: Question) async throws -> Page {
    // A browser sends line breaks as CR LF.
    let sql = (question.fields["sql"] ?? "").replacing("\r\n", with: "\n")
    // The text that was typed stays in the editor.
    let blocks = try await blocks(of: { try await run(question, rowsMax: shownMax) }, question)
    return try await queryPage(question, sql: sql, answer: blocks)
  }

  private static func queryPage(_ question: Question, sql: String, answer: [Page.Block] = []) async throws -> Page {
    let columns = question["view"].map { [(ViewQueries.columns(of: $0), columnColumns)] } ?? []
    let found = try await question.database.answers([(ViewQueries.views(), viewColumns)] + columns)
    var blocks: [Page.Block] = [
      .form(
        .init(
          path: "/query", button: "Ask", inputs: [.init(name: "sql", label: "SQL", value: sql, isLong: true)],
          isMain: true))
    ]
    blocks += answer
    if let view = question["view"], found.count > 1 {
      blocks += [.heading("Columns of \(view)"), .table(name: "columns", found[1].without(["view"]), empty: "")]
    }
    blocks += try await savedBlocks(question, sql: sql)
    blocks += [
      .heading("Views"),
      .table(name: "views", found[0], links: [.init(column: "view", path: "/query?view=")], empty: ""),
    ]
    // A comment ends with its line, and a command is one line.
    let line = sql.split { $0.isNewline }.joined(separator: " ")
    return Page(
      title: "Query", blocks: blocks, command: sql.contains("--") ? nil : "signalbox query \(ShellWord.quoted(line))")
  }

  private static let viewColumns: [Answer.Column] = [
    .init("view", "VIEW"), .init("definition", "WHAT"), .init("columns", "COLUMNS"),
  ]

  private static let columnColumns: [Answer.Column] = [
    .init("column", "COLUMN"), .init("type", "TYPE"), .init("definition", "WHAT"),
  ]
}
