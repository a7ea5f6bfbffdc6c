internal import FleetModel
internal import Postgres

extension Store {
  /// Of one pass; each chunk that was not compressed before takes from seconds to minutes.
  private static let compressionsMax = 100
  /// Of one pass; each rewrites the batches of 1000 rows that late rows fall into.
  private static let recompressionsMax = 10
  /// Late rows of one outage come for a while; compressed as they come, each pass would rewrite the same batches again.
  private static let lateGraceUs: Int64 = 3_600_000_000
  /// Bits of TimescaleDB's chunk status: rows beside the compressed ones; not to be changed.
  private static let partialBit = 8
  private static let frozenBit = 4

  private struct Candidate {
    let chunk: String
    let isCompressed: Bool
  }

  /// Compresses what lies wholly before the time after which a table is compressed, and again what got rows since.
  ///
  /// The first compression holds a lock against writers of that chunk, and of no other: it gives way to late rows for it
  /// (`interruptCompression`). A later one goes segment by segment under a lock that writers do not conflict with.
  func compress(_ nowUs: Int64, _ report: inout HousekeepingReport) throws(StoreError) {
    if capability != .community { return }
    for candidate in try compressionCandidates(nowUs) {
      do throws(StoreError) {
        if !candidate.isCompressed {
          if let reader = try openReader(of: candidate.chunk) {
            report.problems.append("compression of \(candidate.chunk) waits for \(reader), which has read it")
            continue
          }
          try compress(candidate.chunk)
          report.chunksCompressed += 1
        } else if report.chunksRecompressed < Self.recompressionsMax, try hasSettled(candidate.chunk, nowUs) {
          try compress(candidate.chunk)
          report.chunksRecompressed += 1
        }
      } catch {
        // One chunk that is locked must not hold up the others.
        if error.isConnectionLost { throw error }
        report.problems.append(
          "compression of \(candidate.chunk)"
            + (error.isCancelled ? " gave way to rows that came for it" : ": \(error)"))
      }
    }
  }

  /// New chunks first, and the oldest of each kind.
  private func compressionCandidates(_ nowUs: Int64) throws(StoreError) -> [Candidate] {
    let rows = try ask(
      """
      select c.chunk, c.is_compressed from (
        select format('%I.%I', i.chunk_schema, i.chunk_name) as chunk, i.is_compressed, i.range_start,
          row_number() over (partition by i.is_compressed order by i.range_start) as rank
        from timescaledb_information.chunks i join signalbox.time_tables t on t.name = i.hypertable_name
        where i.hypertable_schema = 'signalbox' and i.range_end <= $1::timestamptz - t.compress_after
          and case when i.is_compressed then _timescaledb_functions.chunk_status(
              format('%I.%I', i.chunk_schema, i.chunk_name)::regclass) & \(Self.partialBit | Self.frozenBit) = \(Self.partialBit)
            else true end
      ) c where c.rank <= \(Self.compressionsMax) order by c.is_compressed, c.range_start
      """, [.time(us: nowUs)])
    return (0..<rows.count).map {
      Candidate(chunk: rows.text($0, 0) ?? "", isCompressed: rows.bool($0, 1) == true)
    }
  }

  /// At the end of a compression the rows are truncated, which waits for every transaction that has read the chunk: the work of minutes
  /// would be lost, and begun again by each pass. Deleting them instead (`timescaledb.compress_truncate_behaviour`) is no way out: a
  /// transaction with a snapshot from before, such as a dump, would find no rows at all.
  /// - Returns: the oldest transaction beyond a second that holds a lock on it, in words.
  private func openReader(of chunk: String) throws(StoreError) -> String? {
    let reader = try ask(
      """
      select format('a transaction of %s (process %s, open for %s s)', coalesce(a.usename::text, a.backend_type), a.pid,
        floor(extract(epoch from clock_timestamp() - a.xact_start)))
      from pg_locks l join pg_stat_activity a on a.pid = l.pid
      where l.locktype = 'relation' and l.relation = $1::text::regclass and l.pid <> pg_backend_pid()
        and l.database = (select oid from pg_database where datname = current_database())
        and a.xact_start < clock_timestamp() - interval '1 second'
      order by a.xact_start limit 1
      """, [.text(chunk)])
    return reader.text(0, 0)
  }

  /// The first of the rows beside the compressed ones has been there for a while; or there are none, and only the status is left.
  private func hasSettled(_ chunk: String, _ nowUs: Int64) throws(StoreError) -> Bool {
    try ask("select coalesce(min(received) <= $1, true) from only \(chunk)", [.time(us: nowUs - Self.lateGraceUs)])
      .bool(0, 0) == true
  }

  private func compress(_ chunk: String) throws(StoreError) {
    try run("select compress_chunk($1::text::regclass, if_not_compressed => true)", [.text(chunk)])
  }

  /// Ends the compression of a chunk, of whichever collector, that keeps a writer waiting; the next pass begins it again. A chunk that still
  /// gets rows is better compressed after them, and a host that waited for minutes would be silent for as long.
  /// - Returns: whether there was one.
  func interruptCompression() throws(StoreError) -> Bool {
    if capability != .community { return false }
    return try ask(
      """
      select pg_cancel_backend(a.pid)
      from signalbox.locks l join pg_stat_activity a on a.pid = l.holder_pid and a.backend_start = l.holder_started
      where l.name = $1 and a.state = 'active' and a.query like 'select compress_chunk(%'
        and exists (select from pg_locks k where k.pid = a.pid and k.granted and k.locktype = 'relation'
          and k.mode in ('ExclusiveLock', 'AccessExclusiveLock'))
      """, [.text(StoreLock.housekeeping.rawValue)]
    ).bool(0, 0) == true
  }
}
