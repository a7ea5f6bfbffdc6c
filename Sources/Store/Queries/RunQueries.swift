internal import FleetModel

/// Questions about one run: where it ran, and what happened there in its time.
package enum RunQueries {
  /// The same run on other hosts too: one job of theirs, or programs that report by themselves under one name, at one time. Two hosts that
  /// only have the same directory train apart.
  static func isSame(_ run: String, _ other: String) -> String {
    """
    (\(other).number = \(run).number or \(other).run = \(run).run and \(other).host <> \(run).host
      and \(other).job = \(run).job and (\(RunJobTables.isOfHosts("\(other).job")) or \(other).source not like '/%')
      and \(other).started <= \(run).updated and \(other).updated >= \(run).started)
    """
  }

  /// The same run on all its hosts.
  ///
  /// Columns: id, host, state, started, updated, episodes, steps, gpu_utilization_percent and cpu_busy_percent (means of the minutes
  /// of its time). - Parameter run: its number.
  package static func hosts(run: Int64) -> ReadQuery {
    ReadQuery(
      """
      select o.number as id, h.name as host, (array['unknown', 'running', 'completed', 'failed'])[o.state + 1] as state,
        o.started, o.updated, e.episodes, e.steps, g.used as gpu_utilization_percent, c.busy as cpu_busy_percent
      from signalbox.runs r join signalbox.runs o on \(isSame("r", "o"))
      join signalbox.hosts h on h.number = o.host
      cross join lateral (
        select count(*) as episodes, case when count(*) > 0 then least(sum(steps::numeric), 9223372036854775807)::bigint end as steps
        from signalbox.episodes e where e.run = o.number
      ) e
      cross join lateral (
        select avg(s.utilization_percent)::float8 as used from signalbox.gpu_1m s
        where s.host = o.host and s.time between o.started and o.updated
      ) g
      cross join lateral (
        select avg(s.cpu_busy_percent)::float8 as busy from signalbox.host_1m s
        where s.host = o.host and s.time between o.started and o.updated
      ) c
      where r.number = $1::bigint order by o.number <> r.number, h.name collate "C" limit 100
      """, [String(run)])
  }

  /// Incidents of the run's host that were open while it went on, the oldest first. Columns: those of a list of incidents, and resolved.
  package static func incidents(run: Int64, limit: Int) -> ReadQuery {
    ReadQuery(
      """
      select i.number as id, 'P' || i.severity as severity, i.state, i.rule, i.host_name as host, i.entity, i.opened, i.resolved,
        i.summary
      from signalbox.runs r join signalbox.hosts h on h.number = r.host
      join signalbox.incidents i on i.host_name = h.name and i.opened <= r.updated and coalesce(i.resolved, 'infinity') >= r.started
      where r.number = $1::bigint order by i.opened, i.number limit $2::bigint
      """, [String(run), String(limit)])
  }

  /// The newest runs whose time overlaps another, for a search of log lines. Columns: id, run, host, lines: of their host in the hours that
  /// both have, by the counts that are kept an hour.
  /// - Parameters:
  ///   - hosts: names, or patterns in which a `*` stands for any text; none: all.
  ///   - sinceNs: ns since 1970.
  package static func overlapping(hosts: [String], sinceNs: Int64, untilNs: Int64, limit: Int) -> ReadQuery {
    ReadQuery(
      """
      select r.number as id, r.run, h.name as host, (
          select coalesce(sum(c.lines), 0)::bigint from signalbox.log_counts c
          where c.host = r.host and c.time >= date_trunc('hour', greatest(r.started, $2::timestamptz))
            and c.time <= least(r.updated, $3::timestamptz)
        ) as lines
      from (
        select r.* from signalbox.runs r
        where r.updated >= $2::timestamptz and r.started < $3::timestamptz
          and ($1::text[] is null or r.host in (\(FleetQueries.hosts(ofAll: "$1"))))
        order by r.updated desc limit $4::bigint
      ) r join signalbox.hosts h on h.number = r.host
      order by lines desc, r.number
      """,
      [
        hosts.isEmpty ? nil : ArrayParameter.text(hosts), Timestamp.text(sinceNs), Timestamp.text(untilNs),
        String(limit),
      ])
  }

  /// What never arrived from the run's host in its time, the oldest first. Columns: time, file, from, to, reason, is_estimate.
  package static func gaps(run: Int64, limit: Int) -> ReadQuery {
    ReadQuery(
      """
      select l.time, l.subject as file, l.from_offset as "from", case when l.to_offset > l.from_offset then l.to_offset end as "to",
        l.reason, l.is_estimate
      from signalbox.runs r join signalbox.loss_ledger l on l.host = r.host and l.time between r.started and r.updated
      where r.number = $1::bigint order by l.time, l.number limit $2::bigint
      """, [String(run), String(limit)])
  }
}

/// Questions about models and checkpoints: what the probes of their files report.
package enum ModelQueries {
  /// A probe of files is asked at least once a day.
  private static let recent = "interval '2 days'"

  /// The newest result of each probe of JSON files (which describe models) and of single files (such as checkpoints).
  ///
  /// Columns: host, probe, what (`descriptions` or `file`), state (`ok`, `failed`, `timed_out`, `unknown`), detail (the first file that is
  /// broken and why, or the newest file), checked (files that were read), invalid, age_seconds (of the newest file), bytes (of it),
  /// files, time (of the result), failing_since (the first result of the same kind in a row; null where it is well).
  package static func newest(host: String?) -> ReadQuery {
    ReadQuery(
      """
      with results as (
        select p.host, p.name, p.state, p.detail, p.value, p.time,
          row_number() over (partition by p.host, p.name order by p.time desc, p.received desc) as place
        from signalbox.probe_results p
        where p.name ~ '^(json|json[.]checked|file|file[.]bytes|file[.]count)/' and p.time > now() - \(recent)
          and ($1::text is null or p.host = any (\(FleetQueries.hosts("$1"))))
      ),
      newest as (select * from results where place = 1),
      well as (select host, name, max(time) as time from results where state = 1 group by 1, 2),
      failing as (
        select r.host, r.name, min(r.time) as since from results r left join well w using (host, name)
        where r.state <> 1 and (w.time is null or r.time > w.time) group by 1, 2
      )
      select h.name as host, n.name as probe, case when n.name like 'json/%' then 'descriptions' else 'file' end as what,
        (array['unknown', 'ok', 'failed', 'timed_out'])[n.state + 1] as state, n.detail,
        f.checked, case when n.name like 'json/%' then n.value end as invalid,
        case when n.name like 'file/%' then n.value end as age_seconds, f.bytes, f.files, n.time, x.since as failing_since
      from newest n join signalbox.hosts h on h.number = n.host
      left join failing x on x.host = n.host and x.name = n.name
      cross join lateral (
        select max(m.value) filter (where m.name like 'json.checked/%') as checked,
          max(m.value) filter (where m.name like 'file.bytes/%') as bytes,
          max(m.value) filter (where m.name like 'file.count/%') as files
        from newest m where m.host = n.host and split_part(m.name, '/', 1) like split_part(n.name, '/', 1) || '.%'
          and substr(m.name, strpos(m.name, '/')) = substr(n.name, strpos(n.name, '/'))
      ) f
      where n.name like 'json/%' or n.name like 'file/%'
      order by n.state = 1, h.name collate "C", n.name collate "C" limit 1000
      """, [host])
  }
}
