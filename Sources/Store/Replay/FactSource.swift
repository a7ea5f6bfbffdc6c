internal import FleetModel
internal import Postgres

/// A table of facts as a statement in the order of time. Parameters: `$1` the hosts' numbers, `$2` and `$3` the window,
/// `$4` where the whole begins.
struct FactSource: Sendable {
  let sql: String
  let decode: @Sendable (borrowing Rows, Int) -> StoredFact.Kind
  var timeColumn = 0
  var hostColumn = 2
  /// Rows of one page; of tables with long texts fewer.
  var pageRows = 1000

  /// Those of the same time are handed on in this order.
  static let all: [FactSource] =
    [runsBegun, episodesBegun]
    + [
      table("host_samples", SampleRows.hostColumns) { rows, row in .host(rows.hostSample(row)) },
      table("gpu_samples", SampleRows.gpuColumns, then: "host, index") { rows, row in .gpu(rows.gpuSample(row)) },
      table("disk_samples", SampleRows.diskColumns) { rows, row in .disk(rows.diskSample(row)) },
      table("network_samples", SampleRows.networkColumns) { rows, row in .network(rows.networkSample(row)) },
      table("process_samples", SampleRows.processColumns) { rows, row in .process(rows.processSample(row)) },
      table("probe_results", SampleRows.probeColumns) { rows, row in .probe(rows.probeResult(row)) },
      table("events", SampleRows.eventColumns) { rows, row in .event(rows.event(row)) },
      table("loss_ledger", LossRows.columns, then: "number") { rows, row in .loss(rows.loss(row)) },
    ] + LogTables.all.map { lines($0.name) } + [steps, episodesEnded, runsEnded]

  private static let window = "time >= $2::timestamptz and time < $3::timestamptz and $4::timestamptz is not null"

  /// All hosts are named, so that the index on host and time answers, whichever chunks there are.
  private static func table(
    _ name: String, _ columns: String, then order: String = "host",
    _ decode: @escaping @Sendable (borrowing Rows, Int) -> StoredFact.Kind
  ) -> FactSource {
    FactSource(
      sql: """
        select \(columns) from signalbox.\(name) where host = any ($1::int4[]) and \(window) order by time, \(order)
        """, decode: decode)
  }

  private static func lines(_ table: String) -> FactSource {
    FactSource(
      sql: """
        select l.time, l.received, l.host, l.file, f.path, l.level, l.flags, l.message from (
          select * from signalbox.\(table) where host = any ($1::int4[]) and \(window)) l
        left join signalbox.followed_files f on f.number = l.file order by l.time, l.file, l.file_offset
        """,
      decode: { rows, row in
        .line(
          StoredLine(
            file: Int32(clamping: rows.int(row, 3) ?? 0), path: rows.text(row, 4) ?? "",
            level: Level(rawValue: UInt8(clamping: rows.int(row, 5) ?? 0)) ?? .unknown,
            flags: UInt8(truncatingIfNeeded: rows.int(row, 6) ?? 0), text: rows.bytes(row, 7) ?? []))
      }, pageRows: 200)
  }

  /// Steps have no index on time: the runs of the window are asked for.
  private static let steps = FactSource(
    sql: """
      select s.time, s.received, s.host, r.run, s.episode, s.step, s.reward, s.action, s.balance, s.shares_held, s.price,
        s.portfolio_value, s.position,
        (select string_agg(m.key || chr(31) || coalesce(m.value, ''), chr(30)) from jsonb_each_text(s.metrics) m)
      from signalbox.runs r join signalbox.training_steps s on s.run = r.number
      where r.host = any ($1::int4[]) and r.started < $3::timestamptz and r.updated >= $2::timestamptz
        and s.time >= $2::timestamptz and s.time < $3::timestamptz and $4::timestamptz is not null
      order by s.time, s.run, s.episode, s.step
      """, decode: { rows, row in .step(rows.trainingStep(row)) })

  // MARK: what is kept as one row that changes

  /// A run without any report of its state is known by its steps alone.
  private static let runsBegun = FactSource(
    sql: """
      select greatest(r.started, $4::timestamptz), r.run, r.host, 1::int2, r.framework, r.source, r.detail
      from signalbox.runs r
      where r.host = any ($1::int4[]) and (r.source <> '' or r.framework <> '') and r.updated >= $2::timestamptz
        and greatest(r.started, $4::timestamptz) >= $2::timestamptz
        and greatest(r.started, $4::timestamptz) < $3::timestamptz
        and (r.ended is null or r.ended >= $4::timestamptz)
      order by 1, r.number
      """, decode: { rows, row in .run(rows.runUpdate(row)) })

  private static let runsEnded = FactSource(
    sql: """
      select r.ended, r.run, r.host, r.state, r.framework, r.source, r.detail from signalbox.runs r
      where r.host = any ($1::int4[]) and r.state in (2, 3) and r.ended >= $2::timestamptz and r.ended < $3::timestamptz
        and $4::timestamptz is not null
      order by 1, r.number
      """, decode: { rows, row in .run(rows.runUpdate(row)) })

  private static let episodesBegun = episodes(
    at: "greatest(e.started, $4::timestamptz)",
    where: "e.updated >= $4::timestamptz and greatest(e.started, $4::timestamptz)"
  ) { whole in
    var begun = EpisodeSummary()
    begun.run = whole.run
    begun.episode = whole.episode
    begun.startedNs = whole.startedNs
    return begun
  }

  private static let episodesEnded = episodes(
    at: "e.updated", where: "e.state <> 0 and $4::timestamptz is not null and e.updated"
  ) { $0 }

  private static func episodes(
    at time: String, where condition: String, _ stored: @escaping @Sendable (EpisodeSummary) -> EpisodeSummary
  ) -> FactSource {
    FactSource(
      sql: """
        select \(TrainingRows.episodeColumns.qualified("e")), \(time) as at, r.host, r.run
        from signalbox.episodes e join signalbox.runs r on r.number = e.run
        where r.host = any ($1::int4[]) and e.updated >= $2::timestamptz and \(condition) >= $2::timestamptz
          and \(time) < $3::timestamptz order by at, e.run, e.episode
        """,
      decode: { rows, row in
        var whole = rows.episode(row)
        whole.run = rows.text(row, 33) ?? ""
        var summary = stored(whole)
        summary.timeNs = rows.timeNs(row, 31) ?? 0
        return .episode(summary)
      }, timeColumn: 31, hostColumn: 32)
  }
}
