internal import Answers
internal import FleetModel
internal import HTTPTypes
internal import SQLGuard
internal import Store

extension RouteTable {
  private static let name = Route.Parameter("name", .path, .text, "Its name.", example: "errors-by-host")

  static let savedQueries: [Route] = [
    Route(
      method: .get, path: "/api/v1/queries", role: .viewer, summary: "Statements that are saved under a name.",
      shape: .list
    ) { question in .list(try await question.database.answer(SavedQueries.list(), savedColumns)) },
    Route(
      method: .post, path: "/api/v1/queries", role: .editor,
      summary:
        "Saves a statement under a name, in place of one that has it. Its parameters are values: $1 is the first one, a text that the statement casts.",
      fields: [
        .init(
          name: "name", summary: "Lower-case letters, digits and ._-, a letter first.",
          charactersMax: SavedQuery.Limits.nameScalars),
        .init(
          name: "sql", summary: "One SELECT on the views of /api/v1/views, with $1 for the first parameter.",
          charactersMax: 16 << 10),
        .init(
          name: "parameters", summary: "Names of $1, $2 and so on, with commas.", charactersMax: 400, isOptional: true),
        .init(name: "description", summary: "What it answers.", charactersMax: 500, isOptional: true),
      ], shape: .change
    ) { question in try await save(question) },
    Route(
      method: .get, path: "/api/v1/queries/{name}", role: .viewer,
      summary:
        "The answer of a saved statement, as of POST /api/v1/query. Its parameters are those of the address, each by its name, such as host=trainer-1.",
      parameters: [name], takesOthers: true, shape: .rows
    ) { question in
      let query = try await saved(question)
      return .rows(try await answer(query, question, rowsMax: QueryLimits.keptRowsMax))
    },
    Route(
      method: .delete, path: "/api/v1/queries/{name}", role: .editor, summary: "Deletes a saved statement.",
      parameters: [name], shape: .change
    ) { question in try await delete(question) },
    Route(
      method: .post, path: "/api/v1/queries/{name}/delete", role: .editor,
      summary: "Deletes a saved statement: what a form of a page sends.", parameters: [name], shape: .change
    ) { question in try await delete(question) },
    Route(
      method: .get, path: "/queries/{name}", role: .viewer, summary: "A saved statement, and its answer.",
      parameters: [name], allowsEmpty: true, takesOthers: true, shape: .page
    ) { question in .page(try await page(question)) },
  ]

  private static let savedColumns: [Answer.Column] = [
    .init("name", "NAME"), .init("description", "WHAT"), .init("parameters", "PARAMETERS"), .init("sql"),
    .init("author", "BY"), .init("saved", "SAVED", .age),
  ]

  private static func save(_ question: Question) async throws -> Reply {
    let field = { (name: String) in question.fields[name] ?? "" }
    let parameters = field("parameters").split(separator: ",").map { $0.trimmingBlanks() }.filter { !$0.isEmpty }
    let query = SavedQuery(
      name: field("name"), description: field("description"), sql: field("sql").replacing("\r\n", with: "\n"),
      parameters: parameters)
    guard SavedQuery.isName(query.name) else {
      throw Problem(
        .badRequest, "name takes lower-case letters, digits and ._-, a letter first, such as errors-by-host")
    }
    guard parameters.allSatisfy(SavedQuery.isParameter), Set(parameters).count == parameters.count,
      parameters.count <= SavedQuery.Limits.parameters
    else {
      throw Problem(
        .badRequest,
        "parameters takes up to \(SavedQuery.Limits.parameters) different names of lower-case letters, digits and _, with commas"
      )
    }
    _ = try refusing { () throws(SQLRefusal) in try query.checked(nowNs: question.nowNs) }
    let (actor, nowNs) = (question.actor, question.nowNs)
    try await question.database.change { store throws(StoreError) in try store.save(query, actor: actor, nowNs: nowNs) }
    return .change(
      "The statement is saved: /api/v1/queries/\(query.name) answers it.",
      try await question.database.answer(SavedQueries.list(named: query.name), savedColumns),
      back: "/queries/\(query.name)")
  }

  private static func delete(_ question: Question) async throws -> Reply {
    let (name, actor) = (question["name"] ?? "", question.actor)
    let gone = try await question.database.answer(SavedQueries.list(named: name), savedColumns)
    try await question.database.change { store throws(StoreError) in try store.deleteSavedQuery(name, actor: actor) }
    return .change("The saved statement \(name) is deleted.", gone, back: "/query")
  }

  /// - Throws: `Problem` 404.
  private static func saved(_ question: Question) async throws -> SavedQuery {
    let name = question["name"] ?? ""
    let found = try await question.database.answer(SavedQueries.list(named: name), savedColumns)
    guard let query = SavedQuery.all(in: found).first else {
      throw Problem(.notFound, "no saved statement is called '\(name)'; /api/v1/queries lists them")
    }
    return query
  }

  /// - Throws: `Problem` 400.
  private static func refusing(_ check: () throws(SQLRefusal) -> GuardedStatement) throws -> GuardedStatement {
    do throws(SQLRefusal) {
      return try check()
    } catch {
      throw Problem(.badRequest, error.description)
    }
  }

  /// Values are bound, never pasted. - Throws: `Problem`.
  private static func answer(_ query: SavedQuery, _ question: Question, rowsMax: Int) async throws -> QueryAnswer {
    let statement = try refusing { () throws(SQLRefusal) in
      try query.statement(question.others, nowNs: question.nowNs)
    }
    return try await run(
      statement, subject: query.name, detail: ([query.sql] + statement.values).joined(separator: "\n"),
      rowsMax: rowsMax, question)
  }

  private static func page(_ question: Question) async throws -> Page {
    let query = try await saved(question)
    var blocks: [Page.Block] = []
    if !query.description.isEmpty { blocks.append(.text(query.description)) }
    if !query.parameters.isEmpty {
      blocks.append(
        .search(
          .init(
            path: "/queries/\(query.name)", button: "Ask",
            inputs: query.parameters.map { .init(name: $0, label: $0, value: question.others[$0] ?? "") })))
    }
    let isAsked = query.parameters.allSatisfy { question.others[$0] != nil }
    if isAsked || !question.others.isEmpty {
      blocks += try await Self.blocks(of: { try await answer(query, question, rowsMax: shownMax) }, question)
    }
    blocks += [.heading("Statement"), .quoted([query.sql])]
    if let caller = question.caller, caller.role >= .editor {
      blocks += [.heading("Change it"), .form(form(query))]
      blocks.append(.form(.init(path: "/api/v1/queries/\(query.name)/delete", button: "Delete it")))
    }
    return Page(title: query.name, blocks: blocks, command: "signalbox query --saved \(ShellWord.quoted(query.name))")
  }

  /// On the page of statements: those that are saved, and for who may, saving one.
  static func savedBlocks(_ question: Question, sql: String) async throws -> [Page.Block] {
    let saved = try await question.database.answer(SavedQueries.list(), savedColumns)
    var blocks: [Page.Block] = [
      .heading("Saved"),
      .table(
        name: "queries", saved, links: [.init(column: "name", path: "/queries/")],
        empty: "No statement is saved under a name."),
    ]
    if let caller = question.caller, caller.role >= .editor {
      blocks.append(.form(form(SavedQuery(name: "", description: "", sql: sql, parameters: []))))
    }
    return blocks
  }

  /// Saves under the name that stands in it, in place of what has that name.
  private static func form(_ query: SavedQuery) -> Page.Form {
    Page.Form(
      path: "/api/v1/queries", button: "Save",
      inputs: [
        .init(name: "name", label: "Name", value: query.name),
        .init(
          name: "parameters", label: "Parameters $1, $2… by name, with commas",
          value: query.parameters.joined(separator: ", "), isOptional: true),
        .init(name: "description", label: "What it answers", value: query.description, isOptional: true),
        .init(name: "sql", label: "SQL to save", value: query.sql, isLong: true),
      ])
  }
}
