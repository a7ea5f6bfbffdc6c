internal import FleetModel
internal import Postgres

extension Store {
  /// Adds the group's lines to the counts per hour, host, file and level, which stay when the lines go.
  func storeCounts() throws(PostgresError) {
    // Always in the same order: two writers that add to the same rows must not wait for each other.
    let counts = rows.counts.sorted {
      ($0.key.host, $0.key.file, $0.key.hourUs) < ($1.key.host, $1.key.file, $1.key.hourUs)
    }
    if counts.isEmpty { return }
    _ = try connection.queryPrepared(
      """
      insert into signalbox.log_counts as c (time, host, file, level, lines, bytes)
      select * from unnest($1::timestamptz[], $2::int4[], $3::int4[], $4::int2[], $5::int8[], $6::int8[])
      on conflict (host, file, time, level) do update set lines = c.lines + excluded.lines, bytes = c.bytes + excluded.bytes
      """,
      [
        .times(us: counts.map(\.key.hourUs)), .int4s(counts.map(\.key.host)), .int4s(counts.map(\.key.file)),
        .int2s(counts.map { Int16($0.key.level) }), .int8s(counts.map(\.value.lines)),
        .int8s(counts.map(\.value.bytes)),
      ])
  }

  func storeSuspects(_ group: [StagedBatch]) throws(PostgresError) {
    let suspects = Array(rows.suspects)
    if suspects.isEmpty { return }
    let receivedUs = (group.map(\.receivedNs).max() ?? 0) / 1000
    _ = try connection.queryPrepared(
      """
      insert into signalbox.clock_suspect (received, host, table_name, rows, first_claimed_us, last_claimed_us)
      select $1, * from unnest($2::int4[], $3::text[], $4::int8[], $5::int8[], $6::int8[])
      """,
      [
        .time(us: receivedUs), .int4s(suspects.map(\.key.host)), .texts(suspects.map(\.key.table)),
        .int8s(suspects.map(\.value.rows)), .int8s(suspects.map(\.value.firstUs)), .int8s(suspects.map(\.value.lastUs)),
      ])
  }

  /// Community edition: the continuous aggregates see late rows by themselves.
  /// - Parameter aggregatedUs: how far the aggregates have been made, as this transaction sees it.
  func storeLateHours(_ aggregatedUs: Int64) throws(PostgresError) {
    if capability == .community { return }
    let limitUs = aggregatedUs.addingReportingOverflow(Limits.aggregateSlackUs)
    let late = rows.sampledHours.filter { !limitUs.overflow && $0.value < limitUs.partialValue }.map(\.key)
    if late.isEmpty { return }
    _ = try connection.queryPrepared(
      """
      insert into signalbox.aggregate_late (hour, host) select * from unnest($1::timestamptz[], $2::int4[])
      on conflict do nothing
      """, [.times(us: late.map(\.hourUs)), .int4s(late.map(\.host))])
  }
}
