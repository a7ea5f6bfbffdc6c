internal import FleetModel
internal import Postgres

extension Store {
  /// Drops chunks that lie wholly before the time for which their table is kept.
  ///
  /// A plain DROP of a partition locks the whole table: it waits behind any open reader, and all ingest waits behind it. So
  /// a partition is first detached with CONCURRENTLY, which waits for old readers without blocking others, and then dropped
  /// on its own. What a pass cannot end (a reader that stays) the next one takes up again.
  /// - Returns: how many were dropped.
  func dropOld(_ nowUs: Int64, _ report: inout HousekeepingReport) throws(StoreError) {
    let tables = try ask(
      "select name, (extract(epoch from keep) * 1000000)::int8 from signalbox.time_tables where keep is not null")
    for row in 0..<tables.count {
      guard let name = tables.text(row, 0), let keepUs = tables.int(row, 1) else { continue }
      let beforeUs = nowUs.subtractingReportingOverflow(keepUs).partialValue
      let kept = name == "aggregates" ? AggregateTable.all.map(\.name) : [name]
      for table in kept {
        let dropped = report.chunksDropped
        do throws(StoreError) {
          if capability == .plain {
            try dropPartitions(of: table, before: beforeUs, &report)
          } else {
            try dropChunks(of: table, before: beforeUs, &report)
          }
        } catch {
          // A reader of one table must not keep the others.
          if error.isConnectionLost { throw error }
          report.problems.append("retention of \(table): \(error)")
        }
        if report.chunksDropped > dropped { knownPartitions.removeAll() }
      }
      if name == "aggregates" { try run("delete from signalbox.log_counts where time < $1", [.time(us: beforeUs)]) }
    }
  }

  private func dropPartitions(
    of table: String, before beforeUs: Int64, _ report: inout HousekeepingReport
  ) throws(StoreError) {
    let old = try ask(
      """
      select c.chunk::text, i.inhdetachpending from signalbox.chunks($1) c join pg_inherits i on i.inhrelid = c.chunk
      where c.until <= $2 or i.inhdetachpending order by c.until
      """, [.text(table), .time(us: beforeUs)])
    for row in 0..<old.count {
      let partition = old.text(row, 0) ?? ""
      // An interrupted detachment has to be ended before another may begin.
      let how = old.bool(row, 1) == true ? "finalize" : "concurrently"
      try patiently(Self.detachWaitMs) { () throws(StoreError) in
        try run("alter table signalbox.\(table) detach partition \(partition) \(how)")
      }
    }
    // By the start in its name: a partition detached by an operator to keep it elsewhere is not touched before its time.
    let detached = try ask(
      """
      select d::text from signalbox.detached($1) d
      where coalesce(to_timestamp((regexp_match(d::text, '_([0-9]{8}t[0-9]{2})$'))[1], 'YYYYMMDD"t"HH24') < $2, true)
      """, [.text(table), .time(us: beforeUs)])
    for row in 0..<detached.count {
      try run("drop table \(detached.text(row, 0) ?? "")")
      report.chunksDropped += 1
    }
  }

  /// One statement a chunk: each holds its lock for one chunk only.
  private func dropChunks(
    of table: String, before beforeUs: Int64, _ report: inout HousekeepingReport
  ) throws(StoreError) {
    if capability == .community, AggregateTable.all.contains(where: { $0.name == table }) {
      return try run(
        "select drop_chunks('signalbox.\(table)', older_than => $1::timestamptz)", [.time(us: beforeUs)])
    }
    for chunk in try closedChunks(of: table, beforeUs: beforeUs) {
      try run(
        "select drop_chunks($1::text::regclass, older_than => $2::timestamptz)",
        [.text("signalbox." + table), .time(us: chunk.untilUs)])
      report.chunksDropped += 1
    }
  }
}
