package import FleetModel
package import Postgres

/// What one pass of housekeeping did.
package struct HousekeepingReport: Sendable, Equatable {
  package var partitionsMade = 0
  package var chunksDropped = 0
  package var chunksCompressed = 0
  /// Chunks that got rows after their compression.
  package var chunksRecompressed = 0
  package var chunksIndexed = 0
  package var hoursAggregated = 0
  package var episodesRolledUp = 0
  package var rowsPruned = 0
  /// What has used up its numbers, as a sentence for the operator; nil where nothing has.
  package var outOfNumbers: String?
  /// Steps that failed; the others were done all the same.
  package var problems: [String] = []

  package init() {}
}

/// A hypertable's chunk or a partition.
package struct Chunk: Sendable, Equatable {
  /// Qualified and quoted.
  package let name: String
  /// µs since 1970; rows lie in `firstUs..<untilUs`.
  package let firstUs: Int64
  package let untilUs: Int64
}

extension Store {
  /// A lock that writers and readers wait behind is given up after this; the next pass tries again.
  static let blockingLockMs = 500
  /// For waits that block no one else: the detachment of a partition is taken up again by the next pass, an index that is
  /// given up in its last wait was built for nothing.
  static let detachWaitMs = 2_000
  private static let indexWaitMs = 60_000

  /// How housekeeping's connection is set: building an index may take an hour, so nothing has a time limit but locks.
  package static var housekeepingOptions: ConnectionOptions {
    var options = writerOptions
    options.applicationName = "signalbox-housekeeping"
    options.statementTimeoutMs = 0
    options.answerTimeoutMs = 0
    options.lockTimeoutMs = blockingLockMs
    return options
  }

  /// One pass: partitions ahead, aggregates, curves, retention, compression, search indexes, old notes.
  ///
  /// Open the store with `housekeepingOptions`. Each step stands alone: one that fails is reported and the next is done.
  /// - Parameter searchIndexesMax: chunks that get their text index in this pass; each costs about 30 µs a line.
  /// - Returns: nil where another collector is at it.
  package func housekeep(nowNs: Int64, searchIndexesMax: Int = 4) throws(StoreError) -> HousekeepingReport? {
    guard try hold(.housekeeping) else { return nil }
    defer { try? release(.housekeeping) }
    _ = try endOverdueReaders()
    let nowUs = nowNs / 1000
    var report = HousekeepingReport()
    try step("partitions ahead", &report) { report throws(StoreError) in
      report.partitionsMade = try self.makePartitionsAhead(nowUs)
    }
    try step("aggregates", &report) { report throws(StoreError) in report.hoursAggregated = try self.aggregate(nowUs) }
    try step("curves", &report) { report throws(StoreError) in report.episodesRolledUp = try self.rollUpSteps(nowUs) }
    try step("retention", &report) { report throws(StoreError) in try self.dropOld(nowUs, &report) }
    try step("compression", &report) { report throws(StoreError) in try self.compress(nowUs, &report) }
    try step("search indexes", &report) { report throws(StoreError) in
      report.chunksIndexed = try self.indexClosed(nowUs, atMost: searchIndexesMax)
    }
    try step("old notes", &report) { report throws(StoreError) in report.rowsPruned = try self.prune(nowUs) }
    try step("numbers", &report) { report throws(StoreError) in try self.lookAtNumbers(&report) }
    return report
  }

  private func step(
    _ name: String, _ report: inout HousekeepingReport,
    _ body: (inout HousekeepingReport) throws(StoreError) -> Void
  ) throws(StoreError) {
    do throws(StoreError) {
      try body(&report)
    } catch {
      if error.isConnectionLost { throw error }
      report.problems.append("\(name): \(error)")
    }
  }

  /// Sets the retention; the next pass drops what is over it.
  package func setRetention(_ retention: Retention) throws(StoreError) {
    let keep: [(String, Int64?)] = [
      ("log_error", retention.errorLogsNs), ("log_warn", retention.warnLogsNs), ("log_info", retention.infoLogsNs),
      ("log_debug", retention.debugLogsNs), ("host_samples", retention.samplesNs), ("gpu_samples", retention.samplesNs),
      ("disk_samples", retention.samplesNs), ("network_samples", retention.samplesNs),
      ("process_samples", retention.samplesNs), ("probe_results", retention.probesNs), ("events", retention.eventsNs),
      ("aggregates", retention.aggregatesNs),
    ]
    try inTransaction { () throws(StoreError) in
      for (table, ns) in keep {
        try run(
          "update signalbox.time_tables set keep = $2 * interval '1 second' where name = $1",
          [.text(table), ns.map { .float8(Double($0) / 1e9) } ?? .null])
      }
    }
    try loadLayout(capability)
  }

  /// Chunks of a table that hold rows only before `beforeUs`, oldest first.
  package func closedChunks(of table: String, beforeUs: Int64) throws(StoreError) -> [Chunk] {
    let rows = try ask(
      "select chunk::text, first, until from signalbox.chunks($1) where until <= $2 order by first",
      [.text(table), .time(us: beforeUs)])
    return (0..<rows.count).map {
      Chunk(name: rows.text($0, 0) ?? "", firstUs: rows.timeUs($0, 1) ?? 0, untilUs: rows.timeUs($0, 2) ?? 0)
    }
  }

  /// Runs a statement that waits for other transactions without making others wait behind it.
  func patiently(_ waitMs: Int, _ body: () throws(StoreError) -> Void) throws(StoreError) {
    try run("select set_config('lock_timeout', $1, false)", [.text(String(waitMs))])
    defer { try? run("select set_config('lock_timeout', $1, false)", [.text(String(Self.blockingLockMs))]) }
    try body()
  }

  // MARK: Partitions

  /// Today's and the next two, so that no commit has to make one at midnight.
  private func makePartitionsAhead(_ nowUs: Int64) throws(StoreError) -> Int {
    if capability != .plain { return 0 }
    var made = 0
    for table in (SampleTables.all + LogTables.all).map(\.name) + AggregateTable.all.map(\.name) {
      let width = chunkUs[table] ?? Limits.dayUs
      for ahead in 0...2 {
        let rows = try ask(
          "select signalbox.ensure_partition($1, $2)",
          [.text(table), .time(us: nowUs.addingClamped(Int64(ahead).multipliedClamped(by: width)))])
        if rows.bool(0, 0) == true { made += 1 }
      }
    }
    return made
  }

  // MARK: Search

  /// A trigram index on each closed log chunk: while lines still come it would cost 23 times the ingest.
  private func indexClosed(_ nowUs: Int64, atMost limit: Int) throws(StoreError) -> Int {
    let hasTrigrams = try ask("select exists (select from pg_extension where extname = 'pg_trgm')").bool(0, 0) == true
    if !hasTrigrams || limit <= 0 { return 0 }
    let tables = try ask("select name from signalbox.time_tables where search_index order by name")
    var indexed = 0
    for row in 0..<tables.count {
      // An hour's grace for lines that come late.
      for chunk in try closedChunks(of: tables.text(row, 0) ?? "", beforeUs: nowUs - 3_600_000_000).reversed() {
        if indexed >= limit { return indexed }
        if try buildSearchIndex(on: chunk) { indexed += 1 }
      }
    }
    return indexed
  }

  /// - Returns: false where it is there, or where the chunk is compressed.
  private func buildSearchIndex(on chunk: Chunk) throws(StoreError) -> Bool {
    let state = try ask(
      """
      select i.indexrelid::regclass::text, i.indisvalid from pg_index i join pg_class c on c.oid = i.indexrelid
      join pg_am a on a.oid = c.relam
      where i.indrelid = $1::text::regclass and a.amname = 'gin'
      """, [.text(chunk.name)])
    if state.count > 0 {
      if state.bool(0, 1) == true { return false }
      // An interrupted build leaves an invalid index that only costs.
      try run("drop index \(state.text(0, 0) ?? "")")
    }
    if capability == .community, try isCompressed(chunk) { return false }
    // Without CONCURRENTLY the few late lines wait; with it, the build cannot be undone by a transaction.
    try patiently(Self.indexWaitMs) { () throws(StoreError) in
      try run("create index concurrently on \(chunk.name) using gin (message gin_trgm_ops)")
    }
    try run("analyze \(chunk.name)")
    return true
  }

  private func isCompressed(_ chunk: Chunk) throws(StoreError) -> Bool {
    try ask(
      """
      select is_compressed from timescaledb_information.chunks
      where format('%I.%I', chunk_schema, chunk_name)::regclass = $1::text::regclass
      """, [.text(chunk.name)]
    ).bool(0, 0) == true
  }

  // MARK: Notes

  /// Rows that are no longer read. The ledger of a spool goes when its host has long had another one.
  private func prune(_ nowUs: Int64) throws(StoreError) -> Int {
    let statements = [
      """
      delete from signalbox.agent_ledger l using signalbox.epochs e
      where e.host = l.host and e.spool is distinct from l.spool and l.updated < $1::timestamptz - interval '90 days'
      """,
      "delete from signalbox.join_tokens where expires < $1::timestamptz - interval '30 days'",
      "delete from signalbox.certificates where expires < $1::timestamptz - interval '90 days'",
      "delete from signalbox.clock_suspect where received < $1::timestamptz - interval '90 days'",
      "delete from signalbox.dead_letters where received < $1::timestamptz - interval '90 days'",
      "delete from signalbox.loss_ledger where received < $1::timestamptz - interval '400 days'",
      "delete from signalbox.collectors where last_seen < $1::timestamptz - interval '7 days'",
      """
      delete from signalbox.followed_files f where f.finished and f.updated < $1::timestamptz - interval '400 days'
      and not exists (select from signalbox.log_counts c where c.host = f.host and c.file = f.number)
      """,
    ]
    var pruned = 0
    for statement in statements { pruned += try ask(statement, [.time(us: nowUs)]).affected }
    return pruned
  }

  // MARK: Numbers

  /// Hosts, runs and files are numbered with 31 bits, because each line and step holds such a number: with 64, a released database would
  /// have to write all its rows anew, and compressed ones cannot be. `HostQuota` bounds what a host uses up.
  private func lookAtNumbers(_ report: inout HousekeepingReport) throws(StoreError) {
    let sequences = try ask(
      """
      select replace(split_part(sequencename::text, '_number_seq', 1), '_', ' '), floor(100 * last_value::float8 / max_value)::int8,
        last_value >= max_value
      from pg_sequences
      where schemaname = 'signalbox' and data_type = 'integer'::regtype and last_value >= max_value / 5 * 4
      order by last_value::float8 / max_value
      """)
    for row in 0..<sequences.count {
      let what = "\(sequences.text(row, 0) ?? "") have used \(sequences.int(row, 1) ?? 0) % of their numbers"
      let problem = "\(what): new ones are refused when none is left (docs/operations.md, Numbers)"
      if sequences.bool(row, 2) == true { report.outOfNumbers = problem } else { report.problems.append(problem) }
    }
  }
}
