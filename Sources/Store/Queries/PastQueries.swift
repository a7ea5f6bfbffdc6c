internal import FleetModel

/// Questions about a moment of the past, as far as what is stored says it.
package enum PastQueries {
  /// Further back a host without a report counts as never seen then.
  private static let reach = "interval '1 day'"

  /// Incidents that had opened and not ended at a moment, the most urgent first.
  ///
  /// Columns: id, severity, state (`acked` where it was acknowledged by then, else `open`), rule, host, opened, summary, entity, acked_by.
  /// Whether one was muted then is not stored.
  /// - Parameters:
  ///   - host, rule: a `*` stands for any text; nil: all.
  ///   - limit: 1 or more.
  package static func incidents(atNs: Int64, host: String?, rule: String? = nil, limit: Int) -> ReadQuery {
    ReadQuery(
      """
      select i.number as id, 'P' || i.severity as severity,
        case when i.acked <= $1::timestamptz then 'acked' else 'open' end as state, i.rule, i.host_name as host, i.opened,
        coalesce(nullif(i.summary, ''), i.title) as summary, nullif(i.entity, '') as entity,
        case when i.acked <= $1::timestamptz then i.acked_by end as acked_by
      from signalbox.incidents i
      where i.opened <= $1::timestamptz and (i.resolved is null or i.resolved > $1::timestamptz)
        and signalbox.matches($2::text, i.host_name) and signalbox.matches($3::text, i.rule)
      order by i.severity, i.number desc limit $4::bigint
      """, [Timestamp.text(atNs), host, rule, String(limit)])
  }

  /// One row a host that had joined by then, those that had not reported for longest first: by the reports that had arrived.
  ///
  /// Columns: host, state (`live`, `late`, `silent`; `never` without a report of the day before), last_seen (the last report of then),
  /// cpu_busy_percent, memory_used_percent.
  package static func hosts(atNs: Int64, host: String? = nil) -> ReadQuery {
    ReadQuery(
      """
      select h.name as host,
        case when s.time is null then 'never' when s.time > $1::timestamptz - interval '\(FleetQueries.lateSeconds) s' then 'live'
          when s.time > $1::timestamptz - interval '\(FleetQueries.silentSeconds) s' then 'late' else 'silent' end as state,
        s.time as last_seen, s.cpu_busy_percent::float8 as cpu_busy_percent,
        (100.0 * (s.memory_total_bytes - s.memory_available_bytes) / nullif(s.memory_total_bytes, 0))::float8 as memory_used_percent
      from signalbox.hosts h
      left join lateral (
        select s.* from signalbox.host_samples s
        where s.host = h.number and s.time <= $1::timestamptz and s.time > $1::timestamptz - \(reach) and s.received <= $1::timestamptz + interval '1 s'
        order by s.time desc limit 1
      ) s on true
      where h.created <= $1::timestamptz and h.removed is null and ($2::text is null or h.name = $2)
      order by s.time nulls first, h.name
      """, [Timestamp.text(atNs), host])
  }

  /// Processes of a host in the minute before, the busiest first. Columns: pid, name, cpu_percent, resident_bytes, state, user, time.
  package static func processes(host: String, atNs: Int64) -> ReadQuery {
    ReadQuery(
      """
      select * from (
        select distinct on (p.pid) p.pid, p.name, p.cpu_percent::float8 as cpu_percent, p.resident_bytes, p.state,
          p.user_name as "user", p.time
        from signalbox.process_samples p
        where p.host = (select number from signalbox.hosts where name = $1 and removed is null)
          and p.time <= $2::timestamptz and p.time > $2::timestamptz - interval '1 minute'
        order by p.pid, p.time desc
      ) p order by cpu_percent desc nulls last, pid
      """, [host, Timestamp.text(atNs)])
  }

  /// Runs that went on at a moment: begun by then, and with figures within 15 minutes before or later ones. Columns: id, name, host,
  /// started, updated.
  package static func runs(atNs: Int64, host: String? = nil, limit: Int) -> ReadQuery {
    ReadQuery(
      """
      select r.number as id, coalesce(nullif(r.name, ''), r.run) as name, h.name as host, r.started, r.updated
      from signalbox.runs r join signalbox.hosts h on h.number = r.host
      where r.started <= $1::timestamptz and r.updated >= $1::timestamptz - interval '15 minutes'
        and (r.ended is null or r.ended > $1::timestamptz) and ($2::text is null or h.name = $2)
      order by r.started desc, r.number limit $3::bigint
      """, [Timestamp.text(atNs), host, String(limit)])
  }
}
