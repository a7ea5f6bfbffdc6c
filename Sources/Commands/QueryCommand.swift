internal import Answers
internal import ArgumentParser
internal import Files
internal import FleetModel
internal import Postgres
internal import SQLGuard
internal import Store

struct QueryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "query", abstract: "One SQL statement on the views, as a role that can only read.",
    discussion: """
      Views: hosts, log_lines, host_samples, gpu_samples, runs, episodes, training_steps, loss_ledger and more; --views shows them with
      their columns, units and definitions.
      One SELECT, with functions that only compute, such as:
      \(ViewQueries.example)
      """)
  @Argument(help: "The statement; with --views, a view.") var sql: String?
  @Flag(help: "Show the views; with the name of one, its columns.") var views = false
  @Option(help: "Answer a statement that is saved under this name.") var saved: String?
  @Option(
    name: .customLong("param"),
    help: "Value of a parameter of the saved statement, as NAME=VALUE; may be given several times.")
  var parameters: [String] = []
  @Option(help: "Seconds after which it is stopped.") var timeout = Self.timeoutDefault
  @Option(
    name: .customLong("reader-database"),
    help: "URL of a login that only reads; else $SIGNALBOX_READER_URL, else the one that the collector has made.")
  var readerDatabase: String?
  @OptionGroup var database: DatabaseOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var completeness: CompletenessOptions

  /// That of a console as well.
  private static let timeoutDefault = 30

  func validate() throws {
    if !views, sql == nil, saved == nil { throw ValidationError("Give a statement, --saved NAME, or --views.") }
    if saved != nil, sql != nil || views {
      throw ValidationError("Give a statement, --saved NAME, or --views: one of them.")
    }
    if saved == nil, !parameters.isEmpty { throw ValidationError("--param belongs to --saved NAME.") }
    _ = try values()
    if !(1...3600).contains(timeout) { throw ValidationError("--timeout takes 1 to 3600 seconds, not \(timeout).") }
  }

  func run() throws {
    if views { return try showViews() }
    let statement = try statement()
    // A login that only reads does not know of itself which hosts there should be, and the console in use may be another fleet's.
    guard statement.isOfReports, readerDatabase == nil, (try? database.place()) != nil else {
      return try answer(statement)
    }
    try completeness.check(database.source(output), statement.hosts ?? []) { try answer(statement) }
  }

  private func answer(_ statement: GuardedStatement) throws {
    if readerDatabase == nil, case .console(let context) = try database.place() {
      return if let saved { try ask(context, saved) } else { try ask(context) }
    }
    var table: ReadTable
    do {
      let reader = try reader()
      Interrupts.arm(reader.canceller)
      table = try reader.readGuarded(statement.text, values: statement.values)
    } catch let error as StoreError {
      throw CommandFailure(error)
    } catch let error as PostgresError {
      throw failure(error)
    }
    table.columns = SQLGuard.distinct(table.columns)
    let columns = table.columns.map { Answer.Column($0, $0) }
    try output.print(Answer(table, columns), orSay: "no rows")
  }

  /// By the parameter's name. - Throws: `ValidationError`.
  private func values() throws -> [String: String] {
    var values: [String: String] = [:]
    for text in parameters {
      let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2, !parts[0].isEmpty else {
        throw ValidationError("--param takes NAME=VALUE, such as host=trainer-1, not '\(text)'.")
      }
      guard values.updateValue(parts[1], forKey: parts[0]) == nil else {
        throw ValidationError("--param \(parts[0]) is given twice.")
      }
    }
    return values
  }

  /// - Throws: `CommandFailure`; `.nothingFound` where none is saved under the name.
  private func statement() throws -> GuardedStatement {
    let nowNs = Clock.wallNs()
    let query = try saved.map(savedQuery)
    let values = try values()
    do throws(SQLRefusal) {
      return if let query { try query.statement(values, nowNs: nowNs) } else {
        try SQLGuard.check(sql ?? "", nowNs: nowNs)
      }
    } catch {
      throw CommandFailure(.usage, error.description)
    }
  }

  private func savedQuery(_ name: String) throws -> SavedQuery {
    let all = SavedQuery.all(in: try database.source(output).answer(.savedQueries))
    if let query = all.first(where: { $0.name == name }) { return query }
    let names = all.isEmpty ? "none is saved" : "there are: \(all.map(\.name).joined(separator: ", "))"
    throw CommandFailure(.nothingFound, "no saved statement is called '\(name)'; \(names)")
  }

  /// A saved statement of a console, which binds the values.
  private func ask(_ context: ConsoleContext, _ name: String) throws {
    guard timeout == Self.timeoutDefault else {
      throw CommandFailure(
        .usage,
        "a console stops a saved statement after \(Self.timeoutDefault) s: leave out --timeout, or ask with --database")
    }
    let path = "/api/v1/queries/\(PercentEncoding.pathPart(name))"
    try ask(context, .get(path, values().sorted { $0.key < $1.key }.map { ($0.key, $0.value) }))
  }

  /// Of a console, which keeps to its own limits.
  private func ask(_ context: ConsoleContext) throws {
    // A time beyond the console's own limit is refused there, with that limit.
    try ask(context, .post("/api/v1/query", [("sql", sql), ("timeout", String(timeout))]))
  }

  private func ask(_ context: ConsoleContext, _ call: ConsoleCall) throws {
    Interrupts.arm()
    let client = try ConsoleClient(context)
    client.deadlineMs += timeout * 1000
    switch output.format {
    case .csv: return try printCSV(client.bytes(call, accept: "text/csv"))
    case .ndjson: return try printRecords(client.bytes(call, accept: "application/x-ndjson"))
    case .table, .json: break
    }
    var answer = try client.ask(call).answer
    answer.columns = answer.columns.map { .init($0.name, $0.name) }
    // What to do about it is another thing than for a list.
    let isCut = answer.isCut
    answer.isCut = false
    try output.print(answer, orSay: "no rows")
    if isCut {
      throw CommandFailure(
        .failed,
        "there are more than the \(answer.rows.count) rows shown: add LIMIT or aggregate, or ask with --database"
      )
    }
  }

  private func printCSV(_ bytes: [UInt8]) throws {
    try StandardStream.output.write(bytes)
    // The names of the columns end at the first line feed outside of quotes.
    var isQuoted = false
    let end = bytes.firstIndex { byte in
      if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
      return byte == UInt8(ascii: "\n") && !isQuoted
    }
    if end.map({ $0 + 1 >= bytes.count }) ?? true { throw CommandFailure(.nothingFound, "no rows") }
  }

  /// The rows of a stream, without its last record, which says that it is whole.
  private func printRecords(_ bytes: [UInt8]) throws {
    let lines = bytes.split(separator: UInt8(ascii: "\n"))
    guard let last = lines.last, let end = JSON.read(Array(last)), end["end"]?.flag == true else {
      throw CommandFailure(.failed, "the console's answer has no end: ask again")
    }
    try StandardStream.output.write(Array(bytes.prefix(last.startIndex)))
    if lines.count == 1 { throw CommandFailure(.nothingFound, "no rows") }
    if end["meta"]?["truncated"]?.flag == true {
      throw CommandFailure(
        .failed, "there are more than the \(lines.count - 1) rows shown: add LIMIT or aggregate, or ask with --database"
      )
    }
  }

  private func showViews() throws {
    let source = try database.source(output)
    if let view = sql {
      let answer = try source.answer(
        .columns(of: view),
        [.init("column", "COLUMN"), .init("type", "TYPE"), .init("definition", "WHAT", rank: 0, least: 30)])
      guard !answer.rows.isEmpty else {
        throw CommandFailure(.nothingFound, "no view is called '\(view)'; signalbox query --views shows them")
      }
      return try output.print(answer, orSay: "")
    }
    let shown: [Answer.Column] = [
      .init("view", "VIEW"), .init("definition", "WHAT", rank: 0, least: 30), .init("columns"),
    ]
    try output.print(try source.answer(.views, shown), orSay: "")
  }

  private func reader() throws -> FleetReader {
    if let login = try DatabaseOptions.readerURL(readerDatabase) {
      return try FleetReader(login: login, timeoutMs: timeout * 1000)
    }
    return try FleetReader(asReaderOf: database.url(), timeoutMs: timeout * 1000)
  }

  private func failure(_ error: PostgresError) -> CommandFailure {
    switch error.sqlState.prefix(2) {
    // What the statement asks for cannot be computed, such as a division by zero.
    case "42", "22": CommandFailure(.usage, error.message)
    case "25": CommandFailure(.usage, "query only reads: \(error.message)")
    case "57" where error.sqlState == "57014":
      CommandFailure(
        stopped: error,
        advice:
          "--timeout gives it more than \(timeout) s, and a condition on time, such as time > now() - interval '1 h', makes it read less"
      )
    case "54" where error.sqlState == FleetReader.tooLargeState: CommandFailure(.failed, error.message)
    default: CommandFailure(error)
    }
  }
}
