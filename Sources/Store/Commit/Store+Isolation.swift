internal import FleetModel
internal import Postgres

/// What the database refused of one host and table, to be counted and logged; it lies in `dead_letters`.
package struct SetAside: Sendable, Equatable {
  /// 0 where it belongs to no host.
  package var hostNumber: Int32
  /// Where it was to be stored.
  package var table: String
  /// PostgreSQL manual, appendix A.
  package var sqlState: String
  /// The database's own sentence about the first of them.
  package var reason: String
  /// How many of them.
  package var count = 1
  /// How many rows of batches among them; an incident or a rule state is none.
  package var rows = 0
}

/// One refused element of the transaction under way.
struct Refusal {
  let hostNumber: Int32
  let table: String
  let error: PostgresError
  /// What it was: a COPY row as it was sent, or its fields in words.
  var bytes: [UInt8] = []
  var rows = 0
  /// Bytes of a file or records that are lost with it; nil where nothing of the host's is.
  var loss: LostRange?

  struct LostRange {
    /// Of a log line; 0 names the table instead.
    var file: Int32 = 0
    var from: Int64 = 0
    var to: Int64 = 1
  }
}

extension Store {
  /// What was set aside since the last call.
  package func takeSetAside() -> [SetAside] {
    defer { setAside.removeAll() }
    return setAside
  }

  /// Refusals of one kind are one entry: the log gets a line, not one for each row.
  func noteSetAside(_ refusals: [Refusal]) {
    for refusal in refusals {
      let known = setAside.firstIndex { entry in
        entry.hostNumber == refusal.hostNumber && entry.table == refusal.table
          && entry.sqlState == refusal.error.sqlState
      }
      if let known {
        setAside[known].count += 1
        setAside[known].rows += refusal.rows
      } else {
        setAside.append(
          SetAside(
            hostNumber: refusal.hostNumber, table: refusal.table, sqlState: refusal.error.sqlState,
            reason: refusal.error.message, rows: refusal.rows))
      }
    }
  }

  /// Runs a part of a transaction that the database may refuse.
  /// - Returns: why it refuses, nil where it did not. Either way the transaction goes on as if only the other parts had been.
  func refusal(of body: () throws(PostgresError) -> Void) throws(PostgresError) -> PostgresError? {
    try connection.execute("savepoint part")
    do throws(PostgresError) {
      try body()
      try connection.execute("release savepoint part")
      return nil
    } catch {
      guard error.isRefusal else { throw error }
      try connection.execute("rollback to savepoint part; release savepoint part")
      return error
    }
  }

  /// Runs a statement for all elements; where it is refused, for each half of them, down to those at fault.
  /// - Parameter body: may run several times, for different elements; what it did is undone where it was refused.
  /// - Returns: the elements at fault.
  func isolate<Element>(
    _ elements: ArraySlice<Element>, _ body: (ArraySlice<Element>) throws(PostgresError) -> Void
  ) throws(PostgresError) -> [(element: Element, error: PostgresError)] {
    guard let first = elements.first else { return [] }
    let error = try refusal { () throws(PostgresError) in try body(elements) }
    guard let error else { return [] }
    if elements.count == 1 { return [(first, error)] }
    let middle = elements.startIndex + elements.count / 2
    return try isolate(elements[..<middle], body) + isolate(elements[middle...], body)
  }

  /// One of a commit's statements beside the rows. A group that was refused once is carried out element by element where that is
  /// needed: what is at fault becomes a dead letter, and everything else is stored.
  /// - Parameters:
  ///   - isLoss: the host's record of what is lost names it.
  ///   - host: 0 for what belongs to none.
  func carryOut<Element>(
    _ elements: [Element], of table: String, isLoss: Bool = false, host: (Element) -> Int32,
    describe: (Element) -> String = { String(describing: $0) },
    _ body: (ArraySlice<Element>) throws(PostgresError) -> Void
  ) throws(PostgresError) {
    if elements.isEmpty { return }
    guard care.isIsolating else { return try body(elements[...]) }
    for (element, error) in try isolate(elements[...], body) {
      // What belongs to a run without a number is counted as beyond the quota: a letter for each batch would add nothing.
      if error.isOutOfNumbers { continue }
      refusals.append(
        Refusal(
          hostNumber: host(element), table: table, error: error,
          bytes: Array(describe(element).utf8.prefix(Limits.letterBytesMax)), rows: isLoss ? 1 : 0,
          loss: isLoss ? Refusal.LostRange() : nil))
    }
  }
}
