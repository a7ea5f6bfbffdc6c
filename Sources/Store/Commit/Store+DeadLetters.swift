internal import FleetModel
internal import Postgres

extension Store {
  /// Sends each table in halves down to the refused rows; called when a COPY has been refused.
  func sendIsolating() throws(PostgresError) {
    try rows.forEachTable { (table, columns, rows) throws(PostgresError) in
      let starts = rows.rowStarts()
      try isolate(table, columns, rows, starts, 0..<starts.count - 1)
    }
  }

  private func isolate(
    _ table: String, _ columns: String, _ rows: borrowing CopyBuffer, _ starts: [Int], _ range: Range<Int>
  ) throws(PostgresError) {
    if range.isEmpty { return }
    let bytes = starts[range.lowerBound]..<starts[range.upperBound]
    let error = try refusal { () throws(PostgresError) in
      try connection.copyIn(table, columns: columns, rows, range: bytes)
    }
    guard let error else { return }
    // Where nearly everything is refused, one statement a row would hold every other host of this writer up.
    if range.count == 1 || refusals.count >= Limits.refusalsMax {
      refusals.append(Refusal(table, rows, starts, range, error))
    } else {
      let middle = range.lowerBound + range.count / 2
      try isolate(table, columns, rows, starts, range.lowerBound..<middle)
      try isolate(table, columns, rows, starts, middle..<range.upperBound)
    }
  }

  /// A letter for each, and a loss where something of the host's is gone. A loss of a log line names the file and its offset.
  func storeRefusals(receivedUs: Int64) throws(PostgresError) {
    if refusals.isEmpty { return }
    try storeLetters(refusals, receivedUs)
    let lost = refusals.filter { $0.loss != nil && $0.hostNumber != 0 }
    if lost.isEmpty { return }
    _ = try connection.query(
      """
      insert into signalbox.loss_ledger (time, received, host, subject, from_offset, to_offset, reason, is_estimate)
      select $1, $1, u.host, coalesce(f.path, u.table_name), u.first, u.last, $6, true
      from unnest($2::int4[], $3::text[], $4::int8[], $5::int8[], $7::int4[]) as u (host, table_name, first, last, file)
      left join signalbox.followed_files f on f.number = u.file
      """,
      [
        .time(us: receivedUs), .int4s(lost.map(\.hostNumber)), .texts(lost.map(\.table)),
        .int8s(lost.map { $0.loss?.from ?? 0 }), .int8s(lost.map { $0.loss?.to ?? 1 }), .text(LossReason.refused.text),
        .int4s(lost.map { $0.loss?.file ?? 0 }),
      ])
  }

  func storeLetters(_ letters: [Refusal], _ receivedUs: Int64) throws(PostgresError) {
    _ = try connection.query(
      """
      insert into signalbox.dead_letters (received, host, table_name, sqlstate, reason, row_bytes)
      select $1, u.host, u.table_name, u.sqlstate, u.reason, decode(u.row_hex, 'hex')
      from unnest($2::int4[], $3::text[], $4::text[], $5::text[], $6::text[]) as u (host, table_name, sqlstate, reason, row_hex)
      """,
      [
        .time(us: receivedUs), .int4s(letters.map(\.hostNumber)), .texts(letters.map(\.table)),
        .texts(letters.map(\.error.sqlState)), .texts(letters.map(\.error.message)),
        .texts(letters.map { $0.bytes.map(Hex.text).joined() }),
      ])
  }

  /// Moves a batch out of its host's way although nothing of it can be stored: its ranges become losses.
  func refuse(
    _ group: [StagedBatch], _ plan: GroupPlan, because error: PostgresError
  ) throws(PostgresError) {
    rows.removeAll()
    var ranges: [String] = []
    for part in plan.spooled {
      let staged = group[part.batch]
      let spooled = staged.batch.spooled[part.index]
      let lane = spooled.lane == .live ? "spool/live" : "spool/backfill"
      let first = max(spooled.firstSequence, part.clippedTo.addingClamped(1))
      appendRefusal(staged, lane, first, spooled.lastSequence.addingClamped(1), &ranges)
    }
    for part in plan.files {
      let staged = group[part.batch]
      let delta = staged.batch.files[part.index]
      appendRefusal(staged, delta.file.path, delta.from, delta.to, &ranges)
    }
    if let staged = group.first {
      refusals.append(
        Refusal(
          hostNumber: staged.hostNumber, table: "batch", error: error,
          bytes: Array(ranges.joined(separator: "\n").utf8.prefix(Limits.letterBytesMax)),
          rows: group.reduce(0) { $0 + $1.batch.rowCount }))
    }
    try sendIsolating()
  }

  private func appendRefusal(
    _ staged: StagedBatch, _ subject: String, _ from: UInt64, _ to: UInt64, _ ranges: inout [String]
  ) {
    var loss = Loss()
    loss.timeNs = staged.receivedNs
    loss.subject = subject
    loss.from = from
    loss.to = to
    loss.reason = .refused
    loss.isEstimate = true
    rows.append(loss, arrival(of: staged))
    ranges.append("\(subject) \(from)..<\(to)")
  }
}

extension Refusal {
  /// Rows of one COPY buffer; more than one where too many are refused to look for each.
  fileprivate init(
    _ table: String, _ rows: borrowing CopyBuffer, _ starts: [Int], _ range: Range<Int>, _ error: PostgresError
  ) {
    let start = starts[range.lowerBound]
    // Every table starts with time, received and host.
    let host = Int32(truncatingIfNeeded: Self.number(rows.field(2, ofRowAt: start)))
    self.init(hostNumber: host, table: table, error: error)
    bytes = rows.bytes(
      start..<min(starts[range.upperBound], start + max(starts[range.lowerBound + 1] - start, Limits.letterBytesMax)))
    self.rows = range.count
    guard table.contains(".log_") else {
      loss = LostRange(to: Int64(range.count))
      return
    }
    let file = Int32(truncatingIfNeeded: Self.number(rows.field(4, ofRowAt: start)))
    let last = starts[range.upperBound - 1]
    // The line's length in the file is not in its row; its text is the nearest to it.
    let length = Int64(rows.field(7, ofRowAt: last)?.count ?? 0)
    let from = Self.number(rows.field(3, ofRowAt: start))
    let end = Self.number(rows.field(3, ofRowAt: last)).addingClamped(length).addingClamped(1)
    loss = LostRange(file: file, from: from, to: max(from, end))
  }

  private static func number(_ field: [UInt8]?) -> Int64 {
    (field ?? []).reduce(0) { $0 << 8 | Int64($1) }
  }
}
