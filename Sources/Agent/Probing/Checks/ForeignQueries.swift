/// What probes ask databases that belong to others. Nothing here touches Signalbox's own.
enum ForeignQueries {
  /// Each gives one line: a figure's name and its value; a figure without a value has none.
  ///
  /// Tables of fewer than a thousand rows are left out: their ratios jump, and autovacuum leaves them alone for good reason.
  /// Source: PostgreSQL, "The Cumulative Statistics System", "pg_stat_statements".
  static let postgres = [
    """
    select 'connections_ratio', count(*)::float8 / current_setting('max_connections')::float8
    from pg_stat_activity where backend_type = 'client backend'
    """,
    """
    select 'dead_ratio', coalesce(max(n_dead_tup::float8 / (n_live_tup + n_dead_tup)), 0)
    from pg_stat_user_tables where n_live_tup + n_dead_tup >= 1000
    """,
    """
    select 'vacuum_age_seconds', extract(epoch from max(now() - coalesce(greatest(last_vacuum, last_autovacuum), reset)))
    from pg_stat_user_tables,
      (select coalesce(stats_reset, pg_postmaster_start_time()) reset from pg_stat_database where datname = current_database()) d
    where n_live_tup + n_dead_tup >= 1000
    """,
    """
    select 'slow_mean_ms', max(mean_exec_time) from
      (select mean_exec_time from pg_stat_statements order by total_exec_time desc limit 10) top
    """,
  ]
}

extension ForeignQueries {
  /// Takes the reader's lock and reads the schema, no more.
  static let anyTable = "select count(*) from sqlite_master"

  /// Both are words of this program.
  static func countColumns(of table: String, named column: String) -> String {
    "select count(*) from pragma_table_info('\(table)') where name = '\(column)'"
  }

  /// The queue of a seed, in SQLite. A column that the queue lacks is nil, and so is what needs it.
  struct Queue {
    var status: String
    var created: String?
    var runAfter: String?
    var claimed: String?
    var finished: String?
    var lockedBy: String?

    private static let waiting = anyCase("queued", "pending")
    private static let held = anyCase("leased", "processing", "claimed", "running")
    private static let succeeded = anyCase("completed", "done")
    private static let ended = anyCase("completed", "done", "failed", "dead_letter")
    private static let dead = anyCase("dead_letter")
    private static let staleSeconds = 300
    private static let daySeconds = 86_400

    var queued: String { "select count(*) from task_queue where \(status) \(Self.waiting)" }

    /// Of those that may run now: one that is put off does not wait.
    var oldestSeconds: String? {
      guard let created else { return nil }
      let since = runAfter.map { "min(\(age(created)), coalesce(\(age($0)), 1e18))" } ?? age(created)
      return "select coalesce(max(seconds), 0) from (select \(since) seconds from task_queue where \(status) "
        + "\(Self.waiting)) where seconds >= 0"
    }

    /// The latest first, then its age: one calculation, not one for each task that ever was.
    var claimAgeSeconds: String? {
      claimed.map { "select \(age("latest")) from (select max(\($0)) latest from task_queue)" }
    }

    /// Of those that ended within a day. Days are compared as text first, which costs a tenth.
    var failedRatio: String? {
      finished.map {
        "select avg(not (\(status) \(Self.succeeded))) from task_queue where "
          + "(typeof(\($0)) <> 'text' or \($0) >= date('now', '-2 days')) and \(age($0)) <= \(Self.daySeconds) and "
          + "\(status) \(Self.ended)"
      }
    }

    var deadLetters: String { "select count(*) from task_queue where \(status) \(Self.dead)" }

    func staleWorkers(heartbeat: String, worker: String) -> String? {
      lockedBy.map {
        "select count(*) from workers where \(age(heartbeat)) > \(Self.staleSeconds) and \(worker) in "
          + "(select \($0) from task_queue where \(status) \(Self.held))"
      }
    }

    /// Both ways of writing them, and no function of the column: the queue's own index serves.
    private static func anyCase(_ words: String...) -> String {
      "in (" + (words + words.map { $0.uppercased() }).map { "'\($0)'" }.joined(separator: ", ") + ")"
    }

    /// Seconds since a time that is text (as SQLite's datetime, or ISO 8601) or a number (s or ms since 1970).
    private func age(_ column: String) -> String {
      "(case typeof(\(column)) when 'text' then (julianday('now') - julianday(\(column))) * 86400.0 "
        + "else (julianday('now') - 2440587.5) * 86400.0 - \(column) / (case when \(column) > 1e11 then 1e3 else 1 end) end)"
    }
  }
}
