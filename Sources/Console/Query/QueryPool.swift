internal import Answers
internal import EventLoop
internal import Files
internal import FleetModel
internal import HTTPTypes
internal import Postgres
internal import SQLGuard
internal import Store

/// What one statement of a person may take.
struct QueryLimits: Sendable {
  var rows: Int
  var seconds: Int64

  static let rowsMax = 1_000_000
  /// Where the whole answer is kept, as JSON or a page.
  static let keptRowsMax = 10_000
  static let bytesMax = 64 << 20
  static let secondsDefault: Int64 = 30
  static let secondsMax: Int64 = 300
  /// In the planner's units (QueryEstimate): an hour of lines of a large fleet costs a tenth of it.
  static let costMax = 2_000_000.0
}

/// Runs people's SQL on threads of its own, so that no page waits for it: each statement in a fresh session, whose settings end with it.
final class QueryPool: Sendable {
  private let url: DatabaseURL
  private let login: DatabaseURL?
  private let workers: [Worker<Void>]
  private let cancelling: Worker<Void>

  private static let threads = 3
  /// Statements that may wait for one thread.
  private static let waitingMax = 4

  /// - Parameter login: of the role that reads the views; nil: the one that the collector has made.
  init(_ url: DatabaseURL, login: DatabaseURL?) throws(LoopError) {
    (self.url, self.login) = (url, login)
    var workers: [Worker<Void>] = []
    for number in 1...Self.threads { workers.append(try Worker("query-\(number)", limit: Self.waitingMax) {}) }
    self.workers = workers
    cancelling = try Worker("query-cancel", limit: 64) {}
  }

  func stop() {
    for worker in workers + [cancelling] { worker.stop() }
  }

  /// - Throws: `Problem` 503 where too many statements wait.
  func start(_ statement: GuardedStatement, _ limits: QueryLimits) throws -> QueryRun {
    let run = try QueryRun(cancelling: cancelling)
    let job = { @Sendable [self] (_: inout Void) in
      do throws(Problem) {
        try work(run, statement, limits)
        run.finish()
      } catch {
        run.finish(error)
      }
    }
    guard let worker = workers.min(by: { $0.load < $1.load }), worker.post(job) else {
      let waiting = workers.reduce(0) { $0 + $1.load }
      throw Problem(.serviceUnavailable, "\(waiting) questions wait for the database: ask again in a moment")
    }
    return run
  }

  private func work(_ run: QueryRun, _ statement: GuardedStatement, _ limits: QueryLimits) throws(Problem) {
    if run.isCancelled { return }
    let reader = try openReader(limits)
    defer { reader.close() }
    guard run.begins(reader.canceller) else { return }
    let untilNs = Clock.wallNs() + limits.seconds * 1_000_000_000
    do throws(PostgresError) {
      try require(SQLGuard.estimate(of: try reader.plan(statement.text, values: statement.values)), statement)
      try send(run, reader, statement, limits, untilNs)
    } catch {
      throw problem(error, statement, limits)
    }
  }

  private func openReader(_ limits: QueryLimits) throws(Problem) -> FleetReader {
    do throws(StoreError) {
      let timeoutMs = Int(limits.seconds) * 1000
      return if let login { try FleetReader(login: login, timeoutMs: timeoutMs) } else {
        try FleetReader(asReaderOf: url, timeoutMs: timeoutMs)
      }
    } catch {
      throw Problem(error)
    }
  }

  private func require(_ estimate: QueryEstimate?, _ statement: GuardedStatement) throws(PostgresError) {
    guard let estimate, estimate.cost > QueryLimits.costMax else { return }
    let what =
      statement.unbounded.isEmpty
      ? "ask for a shorter time or fewer hosts, or for the averages of host_samples_1m and host_samples_1h"
      : "add a bound on the time of \(statement.unbounded.joined(separator: " and ")), such as time > now() - interval '1 hour'"
    throw PostgresError(
      sqlState: Self.tooCostly,
      message:
        "this would cost the database \(Quantity.decimal(estimate.cost, digits: 0)) units, and the limit is "
        + "\(Quantity.decimal(QueryLimits.costMax, digits: 0)): \(what)", doing: "plan")
  }

  /// SQLSTATE statement_too_complex: of our own refusals only.
  private static let tooCostly = "54001"

  private func send(
    _ run: QueryRun, _ reader: FleetReader, _ statement: GuardedStatement, _ limits: QueryLimits, _ untilNs: Int64
  ) throws(PostgresError) {
    var piece = ReadTable(columns: [], rows: [])
    var (count, bytes, pieceBytes, isTooLarge) = (0, 0, 0, false)
    try reader.eachRow(statement.text, values: statement.values) { columns, row in
      if piece.columns.isEmpty { piece.columns = SQLGuard.distinct(columns) }
      guard let row else { return run.send(.init(table: piece, isCut: false), untilNs: untilNs) }
      guard count < limits.rows else {
        _ = run.send(.init(table: piece, isCut: true), untilNs: untilNs)
        return false
      }
      let size = row.reduce(16) { $0 + $1.bytes }
      (count, bytes, pieceBytes) = (count + 1, bytes + size, pieceBytes + size)
      isTooLarge = bytes > QueryLimits.bytesMax
      piece.rows.append(row)
      // The first row at once; then as many as fill a write.
      if count > 1, pieceBytes < Self.pieceBytes { return !isTooLarge }
      defer { (piece.rows, pieceBytes) = ([], 0) }
      return !isTooLarge && run.send(.init(table: piece, isCut: false), untilNs: untilNs)
    }
    if isTooLarge {
      throw PostgresError(
        sqlState: FleetReader.tooLargeState,
        message: "the answer has more than \(QueryLimits.bytesMax >> 20) MiB: add LIMIT, or aggregate", doing: "read")
    }
    if Clock.wallNs() > untilNs {
      throw PostgresError(sqlState: "57014", message: "the answer was not taken in time", doing: "read")
    }
  }

  private static let pieceBytes = 64 << 10

  private func problem(_ error: PostgresError, _ statement: GuardedStatement, _ limits: QueryLimits) -> Problem {
    switch error.sqlState.prefix(2) {
    case _ where error.sqlState == "57014":
      let advice =
        statement.unbounded.isEmpty
        ? "ask for less" : "add a bound such as time > now() - interval '1 hour'"
      return Problem(.gatewayTimeout, "the question took more than \(limits.seconds) s and was stopped: \(advice)")
    // PostgreSQL's own words for a text of more than 1 GB are "out of memory".
    case "54" where error.message == "out of memory":
      return Problem(
        .badRequest, "one value of the answer would be larger than 1 GB, as of a string_agg over many rows: narrow it")
    case _ where error.sqlState == "53200":
      return Problem(
        .badRequest, "the database has not the memory for this question now: ask for less, or aggregate first")
    // The statement reads views only, so that these messages say nothing that its author may not see.
    case "42", "22", "54", "21", "0A":
      return Problem(.badRequest, PlainText.visible(PlainText.cut(error.message, scalarsMax: 500)))
    case _ where error.sqlState == "53400":
      return Problem(.badRequest, "the question needs too much temporary space: ask for less, or aggregate first")
    default: return Problem(error)
    }
  }
}
