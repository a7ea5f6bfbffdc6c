internal import Answers
internal import ArgumentParser
internal import Postgres
internal import Store

struct GapsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gaps", abstract: "Ranges of files and spools that never arrived, and why.")
  @Option(help: "Only of this host.") var host: String?
  @Option(help: "From: an age such as 2h, or a time.") var since: PointInTime?
  @OptionGroup var database: DatabaseOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var completeness: CompletenessOptions

  func run() throws {
    let reader = try database.source(output)
    try reader.requireHosts([host])
    let notes = try FollowingNotes.notes(reader, host: host)
    let answer = try reader.answer(
      .gaps(host: host, sinceNs: since?.ns),
      [
        .init("host", "HOST", rank: 2, least: 12), .init("file", "FILE", rank: 0, least: 20),
        .init("from", "FROM", rank: 3), .init("to", "TO", rank: 4),
        .init("reason", "REASON", rank: 1, least: 16), .init("is_estimate", "ESTIMATE", rank: 6),
        .init("time", "TIME", rank: 5),
      ], notes: notes)
    try completeness.check(reader, [host]) { try output.print(answer, orSay: FollowingNotes.nothingLost(notes)) }
  }
}

struct QueryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "query", abstract: "One SQL statement on the views, as a role that can only read.",
    discussion:
      "Views: hosts, log_lines, host_samples, gpu_samples, runs, episodes, training_steps, loss_ledger and more.")
  @Argument(help: "The statement.") var sql: String
  @Option(help: "Seconds after which it is stopped.") var timeout = 30
  @Option(
    name: .customLong("reader-database"),
    help: "URL of a login that only reads; else $SIGNALBOX_READER_URL, else the one that the collector has made.")
  var readerDatabase: String?
  @OptionGroup var database: DatabaseOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if !(1...3600).contains(timeout) { throw ValidationError("--timeout takes 1 to 3600 seconds, not \(timeout).") }
  }

  func run() throws {
    var table: ReadTable
    do {
      table = try reader().readGuarded(sql)
    } catch let error as StoreError {
      throw CommandFailure(error)
    } catch let error as PostgresError {
      throw failure(error)
    }
    table.columns = Self.told(apart: table.columns)
    let columns = table.columns.map { Answer.Column($0, $0) }
    try output.print(Answer(table, columns), orSay: "no rows")
  }

  /// SQL gives two columns one name, of which a JSON object would keep one: `a`, `a_2`.
  private static func told(apart names: [String]) -> [String] {
    var seen: Set<String> = []
    return names.map { name in
      var unique = name
      var number = 2
      while !seen.insert(unique).inserted {
        unique = "\(name)_\(number)"
        number += 1
      }
      return unique
    }
  }

  private func reader() throws -> FleetReader {
    if let login = try DatabaseOptions.readerURL(readerDatabase) {
      return try FleetReader(login: login, timeoutMs: timeout * 1000)
    }
    return try FleetReader(asReaderOf: database.url(), timeoutMs: timeout * 1000)
  }

  private func failure(_ error: PostgresError) -> CommandFailure {
    switch error.sqlState.prefix(2) {
    case "42": CommandFailure(.usage, error.message)
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
