/// The views that operators' SQL and other people's scripts rely on: names instead of numbers, levels and states as text.
///
/// The joins are left joins on unique keys outside of the union, so that the planner leaves them out where no name is asked for.
package enum PublicViews {
  /// Every view that the reader may ask, whichever migration made it.
  package static let all =
    names + IncidentTables.views + FollowingTables.views
    + QuotaTables.views + RunAttemptTables.views

  static let names = [
    "hosts", "log_lines", "log_counts", "host_samples", "gpu_samples", "disk_samples", "network_samples",
    "process_samples", "host_samples_1m", "host_samples_1h", "gpu_samples_1m", "gpu_samples_1h", "runs", "episodes",
    "training_steps", "loss_ledger", "probe_results", "events", "clock_suspect", "dead_letters", "metric_definitions",
  ]

  static var sql: String {
    var sql = """
      create view public.hosts as
        select h.name as host, h.host_id, h.state, h.created, h.revoked, e.connected, e.disconnected, e.last_seen, e.epoch,
          e.skew_ms, h.labels, h.agent_version, h.reported_name, h.os_name, h.kernel_release, h.architecture, h.cpu_model,
          h.cpu_count, h.memory_total_bytes, h.swap_total_bytes, h.gpu_count, h.gpu_model, h.gpu_driver_version,
          h.redaction_version, e.spool_bytes, e.spool_limit_bytes, e.spool_records, e.backlog_bytes, e.followed_files,
          e.dropped_records_total, e.redactions_total, e.resident_bytes as agent_resident_bytes,
          e.cpu_seconds_total as agent_cpu_seconds_total, e.refused_paths_total
        from signalbox.hosts h left join signalbox.epochs e on e.host = h.number;

      create view public.log_lines as
        select l.time, l.received, h.name as host, f.path as file, l.file_offset, l.level, l.message, l.flags
        from (
          select time, received, host, file, file_offset, 'ERROR'::text as level, message, flags from signalbox.log_error
          union all
          select time, received, host, file, file_offset, 'WARN'::text, message, flags from signalbox.log_warn
          union all
          select time, received, host, file, file_offset, case level when 2 then 'INFO' end, message, flags
            from signalbox.log_info
          union all
          select time, received, host, file, file_offset, 'DEBUG'::text, message, flags from signalbox.log_debug
        ) l
        left join signalbox.hosts h on h.number = l.host
        left join signalbox.followed_files f on f.number = l.file;

      create view public.log_counts as
        select c.time, h.name as host, f.path as file, \(level("c.level")) as level, c.lines, c.bytes
        from signalbox.log_counts c
        left join signalbox.hosts h on h.number = c.host
        left join signalbox.followed_files f on f.number = c.file;

      create view public.runs as
        select h.name as host, r.run, \(state("r.state", ["unknown", "running", "completed", "failed"])) as state,
          r.framework, r.source, r.started, r.updated, r.ended, r.detail
        from signalbox.runs r left join signalbox.hosts h on h.number = r.host;

      create view public.training_steps as
        select s.time, s.received, h.name as host, r.run, s.episode, s.step, s.reward, s.action, s.balance, s.shares_held,
          s.price, s.portfolio_value, s.position, s.metrics
        from signalbox.training_steps s
        left join signalbox.runs r on r.number = s.run
        left join signalbox.hosts h on h.number = s.host;

      create view public.loss_ledger as
        select l.time, l.received, h.name as host, l.subject as file, l.from_offset, l.to_offset, l.reason, l.is_estimate
        from signalbox.loss_ledger l left join signalbox.hosts h on h.number = l.host;

      create view public.clock_suspect as
        select c.received, h.name as host, c.table_name, c.rows, c.first_claimed_us, c.last_claimed_us
        from signalbox.clock_suspect c left join signalbox.hosts h on h.number = c.host;

      create view public.dead_letters as
        select d.received, h.name as host, d.table_name, d.sqlstate, d.reason, d.row_bytes
        from signalbox.dead_letters d left join signalbox.hosts h on h.number = d.host;

      """
    sql += samples("host_samples")
    sql += samples("gpu_samples", replacing: "state", by: state("s.state", ["present", "absent", "stuck"]))
    sql += samples("disk_samples") + samples("network_samples") + samples("process_samples")
    sql += samples("probe_results", replacing: "state", by: state("s.state", ["unknown", "ok", "failed", "timed_out"]))
    sql += events + aggregates + EpisodeView.sql + definitions
    return sql
  }

  private static func level(_ column: String) -> String {
    "case \(column) when 1 then 'DEBUG' when 2 then 'INFO' when 3 then 'WARN' when 4 then 'ERROR' end"
  }

  private static func state(_ column: String, _ names: [String]) -> String {
    let cases = names.enumerated().map { "when \($0.offset) then '\($0.element)'" }.joined(separator: " ")
    return "case \(column) \(cases) end"
  }

  /// The view of a sample table: its columns with the host's name; one column may be shown as text.
  private static func samples(_ table: String, replacing: String? = nil, by text: String = "") -> String {
    let columns = SampleTables.all.first { $0.name == table }?.columnNames ?? []
    let shown = columns.map { $0 == replacing ? "\(text) as \($0)" : "s.\($0)" }.joined(separator: ", ")
    return """
      create view public.\(table) as
        select s.time, s.received, h.name as host, \(shown)
        from signalbox.\(table) s left join signalbox.hosts h on h.number = s.host;

      """
  }

  private static let events = "create view" + eventsBody([])

  /// The view with columns that the table got later.
  static func eventsView(with later: [String]) -> String { "create or replace view" + eventsBody(later) }

  private static func eventsBody(_ later: [String]) -> String {
    """
     public.events as
      select s.time, s.received, h.name as host,
        \(state("s.kind", ["other", "kernel", "oom_kill", "xid", "io_error", "hung_task", "process_exit", "agent"])) as kind,
        \(level("s.level")) as level, s.subject, s.message\(later.map { ", s.\($0)" }.joined())
      from signalbox.events s left join signalbox.hosts h on h.number = s.host;

    """
  }

  private static let aggregates = [("host", "1m"), ("host", "1h"), ("gpu", "1m"), ("gpu", "1h")].map { kind, width in
    """
    create view public.\(kind)_samples_\(width) as
      select h.name as host_name, s.* from signalbox.\(kind)_\(width) s
      left join signalbox.hosts h on h.number = s.host;
    alter view public.\(kind)_samples_\(width) rename column host to host_number;
    alter view public.\(kind)_samples_\(width) rename column host_name to host;

    """
  }.joined()

  private static let definitions = """
    create view public.metric_definitions as
      select c.relname::text as view, a.attname::text as metric, col_description(c.oid, a.attnum) as definition
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname = 'public'
      join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0
      where c.relkind = 'v' and col_description(c.oid, a.attnum) is not null;

    """
}

extension TimeTable {
  /// First word of each column's definition.
  var columnNames: [String] {
    columns.split(separator: ",").compactMap {
      $0.split(whereSeparator: { $0 == " " || $0 == "\n" }).first.map(String.init)
    }
  }
}
