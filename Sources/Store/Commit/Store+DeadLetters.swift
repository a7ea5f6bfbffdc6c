internal import FleetModel
internal import Postgres

extension Store {
  /// Sends each table in halves down to the refused rows, which go to `dead_letters`; called when a COPY has been refused.
  func sendIsolating(_ group: [StagedBatch]) throws(PostgresError) {
    let receivedUs = (group.map(\.receivedNs).max() ?? 0) / 1000
    var refused: [RefusedRow] = []
    try rows.forEachTable { (table, columns, rows) throws(PostgresError) in
      let starts = rows.rowStarts()
      try isolate(table, columns, rows, starts, 0..<starts.count - 1, &refused)
    }
    if refused.isEmpty { return }
    try store(refused, receivedUs)
  }

  private func isolate(
    _ table: String, _ columns: String, _ rows: borrowing CopyBuffer, _ starts: [Int], _ range: Range<Int>,
    _ refused: inout [RefusedRow]
  ) throws(PostgresError) {
    if range.isEmpty { return }
    try connection.execute("savepoint part")
    do throws(PostgresError) {
      try connection.copyIn(table, columns: columns, rows, range: starts[range.lowerBound]..<starts[range.upperBound])
      try connection.execute("release savepoint part")
    } catch {
      guard error.isDataError || error.sqlState.hasPrefix("54") else { throw error }
      try connection.execute("rollback to savepoint part; release savepoint part")
      if range.count == 1 {
        refused.append(RefusedRow(table, rows, starts, range.lowerBound, error))
      } else {
        let middle = range.lowerBound + range.count / 2
        try isolate(table, columns, rows, starts, range.lowerBound..<middle, &refused)
        try isolate(table, columns, rows, starts, middle..<range.upperBound, &refused)
      }
    }
  }

  /// One letter and one loss a row. A loss of a log line names the file and its place there.
  private func store(_ refused: [RefusedRow], _ receivedUs: Int64) throws(PostgresError) {
    _ = try connection.query(
      """
      insert into signalbox.dead_letters (received, host, table_name, sqlstate, reason, row_bytes)
      select $1, u.host, u.table_name, u.sqlstate, u.reason, decode(u.row_hex, 'hex')
      from unnest($2::int4[], $3::text[], $4::text[], $5::text[], $6::text[]) as u (host, table_name, sqlstate, reason, row_hex)
      """,
      [
        .time(us: receivedUs), .int4s(refused.map(\.host)), .texts(refused.map(\.table)),
        .texts(refused.map(\.error.sqlState)), .texts(refused.map(\.error.message)),
        .texts(refused.map { $0.bytes.map(Hex.text).joined() }),
      ])
    _ = try connection.query(
      """
      insert into signalbox.loss_ledger (time, received, host, subject, from_offset, to_offset, reason, is_estimate)
      select $1, $1, u.host, coalesce(f.path, u.table_name), u.first, u.last, $6, true
      from unnest($2::int4[], $3::text[], $4::int8[], $5::int8[], $7::int4[]) as u (host, table_name, first, last, file)
      left join signalbox.followed_files f on f.number = u.file
      """,
      [
        .time(us: receivedUs), .int4s(refused.map(\.host)), .texts(refused.map(\.table)),
        .int8s(refused.map(\.fromOffset)),
        .int8s(refused.map(\.toOffset)), .text(LossReason.refused.text), .int4s(refused.map(\.file)),
      ])
  }

  /// Moves a batch out of its host's way although nothing of it can be stored: its ranges become losses.
  func refuse(
    _ group: [StagedBatch], _ plan: GroupPlan, _ files: [Marks.FileOfHost: Int32]
  ) throws(PostgresError) {
    rows.removeAll()
    for part in plan.spooled {
      let staged = group[part.batch]
      let spooled = staged.batch.spooled[part.index]
      let lane = spooled.lane == .live ? "spool/live" : "spool/backfill"
      appendRefusal(staged, lane, max(spooled.firstSequence, part.clippedTo + 1), spooled.lastSequence + 1)
    }
    for part in plan.files {
      let staged = group[part.batch]
      let delta = staged.batch.files[part.index]
      appendRefusal(staged, delta.file.path, delta.from, delta.to)
    }
    try rows.forEachTable { (table, columns, rows) throws(PostgresError) in
      try connection.copyIn(table, columns: columns, rows)
    }
  }

  private func appendRefusal(_ staged: StagedBatch, _ subject: String, _ from: UInt64, _ to: UInt64) {
    var loss = Loss()
    loss.timeNs = staged.receivedNs
    loss.subject = subject
    loss.from = from
    loss.to = to
    loss.reason = .refused
    loss.isEstimate = true
    rows.append(loss, arrival(of: staged))
  }
}

/// One row that the database would not take.
private struct RefusedRow {
  let table: String
  let error: PostgresError
  let host: Int32
  let bytes: [UInt8]
  /// Of a log line; else 0.
  let file: Int32
  let fromOffset: Int64
  let toOffset: Int64

  init(_ table: String, _ rows: borrowing CopyBuffer, _ starts: [Int], _ row: Int, _ error: PostgresError) {
    self.table = table
    self.error = error
    bytes = rows.bytes(starts[row]..<starts[row + 1])
    // Every table starts with time, received and host.
    host = Int32(truncatingIfNeeded: Self.number(rows.field(2, ofRowAt: starts[row])))
    guard table.contains(".log_") else {
      (file, fromOffset, toOffset) = (0, 0, 1)
      return
    }
    file = Int32(truncatingIfNeeded: Self.number(rows.field(4, ofRowAt: starts[row])))
    fromOffset = Self.number(rows.field(3, ofRowAt: starts[row]))
    // The line's length in the file is not in its row; its text is the nearest to it.
    toOffset = fromOffset + Int64(rows.field(7, ofRowAt: starts[row])?.count ?? 0) + 1
  }

  private static func number(_ field: [UInt8]?) -> Int64 {
    (field ?? []).reduce(0) { $0 << 8 | Int64($1) }
  }
}
