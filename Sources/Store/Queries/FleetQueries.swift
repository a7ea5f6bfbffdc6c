internal import FleetModel
internal import Incidents

/// Questions about hosts.
package enum FleetQueries {
  /// A host that reports is live; one that has been quiet this long is late, then silent.
  package static let lateSeconds = 60
  package static let silentSeconds = 300

  /// `live`, `late`, `silent`, `waiting` (nothing has come yet) or `revoked`.
  static let state = """
    case when h.state = 'revoked' then 'revoked' when e.last_seen is null then 'waiting'
      when e.last_seen > now() - interval '\(lateSeconds) s' then 'live'
      when e.last_seen > now() - interval '\(silentSeconds) s' then 'late'
      else 'silent' end
    """

  /// One row a host with its newest sample, which the commit keeps in the host's row.
  ///
  /// Columns: host, state, last_seen, cpu_busy_percent, memory_used_percent, disk_used_percent_max, load1, gpus (JSON: an array of
  /// objects with the fields of `signalbox.gpu_reading`), gpu_summary (one word a GPU), runs_live, backlog_bytes, skew_ms.
  /// - Parameter worst: only so many, those with the most urgent open incidents first, then those of which the least is known.
  package static func status(worst: Int? = nil) -> ReadQuery {
    ReadQuery(
      """
      select h.name as host, \(state) as state, e.last_seen, e.latest_cpu_busy_percent as cpu_busy_percent,
        e.latest_memory_used_percent as memory_used_percent, e.latest_disk_used_percent_max as disk_used_percent_max,
        e.latest_load1 as load1, coalesce(case when \(hasGPUs) then to_json(e.latest_gpu_readings) end, '[]'::json) as gpus,
        case when \(hasGPUs) then array_to_string(array(\(gpuSummaries)), ' ') end as gpu_summary, coalesce(r.live, 0) as runs_live,
        e.backlog_bytes, e.skew_ms
      from signalbox.hosts h
      left join signalbox.epochs e on e.host = h.number
      left join (
        select host, count(*) as live from signalbox.runs
        where state = 1 and updated > now() - interval '15 minutes' group by host
      ) r on r.host = h.number
      where h.removed is null
      order by \(worst == nil ? "" : worstFirst) h.state = 'revoked', h.name collate "C" limit $1::bigint
      """, [worst.map { String($0) }])
  }

  private static let worstFirst = """
    (select min(i.severity) from signalbox.incidents i where i.host = h.number and i.state = \(IncidentState.open.sql)),
      case when h.state = 'revoked' then 3 when e.last_seen is null then 1
        when e.last_seen > now() - interval '\(lateSeconds) s' then 2 else 0 end,
    """

  /// Whether the database answers. Column: one.
  package static func alive() -> ReadQuery { ReadQuery("select 1 as one") }

  /// Every host of the fleet with its state, for what an answer says of its own completeness. Columns: host, state.
  package static func presence() -> ReadQuery {
    ReadQuery(
      """
      select h.name as host, \(state) as state from signalbox.hosts h
      left join signalbox.epochs e on e.host = h.number
      where h.removed is null and h.state <> 'revoked' order by h.name collate "C"
      """)
  }

  /// Of names and patterns (a `*` stands for any text), those that no host has or had. Column: name.
  package static func unknownHosts(_ names: [String]) -> ReadQuery {
    ReadQuery(
      """
      select u.name from unnest($1::text[]) as u (name)
      where not exists (select from signalbox.hosts h where h.name = u.name)
        and not (strpos(u.name, '*') > 0 and exists (select from signalbox.hosts h where signalbox.matches(u.name, h.name)))
      """, [ArrayParameter.text(names)])
  }

  /// An array of what a name or a pattern (a `*` stands for any text) stands for: a condition on it is answered by an index, and of a plain
  /// name only one host is read. Empty where the parameter is null.
  /// - Parameters:
  ///   - parameter: such as `$1`.
  ///   - column: of `signalbox.hosts`.
  static func hosts(_ parameter: String, _ column: String = "number") -> String {
    """
    array(select \(column) from signalbox.hosts where name = \(parameter)::text union all
      select \(column) from signalbox.hosts where strpos(\(parameter)::text, '*') > 0 and signalbox.matches(\(parameter)::text, name))
    """
  }

  /// As `hosts`, of a parameter that is an array of names and patterns.
  static func hosts(ofAll parameter: String) -> String {
    """
    select number from signalbox.hosts where name = any (\(parameter)::text[]) union
      select h.number from unnest(\(parameter)::text[]) as p (pattern) join signalbox.hosts h on signalbox.matches(p.pattern, h.name)
      where strpos(p.pattern, '*') > 0
    """
  }

  /// Names of the hosts of the fleet, for a sentence: the first thousand. Column: name.
  package static func hostNames() -> ReadQuery {
    ReadQuery(
      "select h.name from signalbox.hosts h where h.state <> 'revoked' order by h.name collate \"C\" limit 1000")
  }

  /// GPUs that the host still samples.
  private static let hasGPUs = "e.latest_gpus_time > e.latest_time - interval '30 s'"

  /// Of each GPU whole percent of utilization, "?" where the driver does not report it, or the state of one that is not present.
  private static let gpuSummaries = """
    select case when g.state <> 'present' then g.state when g.utilization_percent is null then '?'
      else trunc(g.utilization_percent) || '%' end from unnest(e.latest_gpu_readings) g
    """
  /// Columns: host, host_id, state, last_seen, created, agent_version, os_name, cpu_count, memory_total_bytes, gpu_count,
  /// gpu_model, certificate_expires, labels (JSON).
  package static func hosts(named name: String? = nil) -> ReadQuery { hosts(named: name, "true") }

  /// The one host of the fleet that has a name now; hosts that had it and were revoked are left out.
  package static func activeHost(named name: String) -> ReadQuery { hosts(named: name, "h.state <> 'revoked'") }

  private static func hosts(named name: String?, _ condition: String) -> ReadQuery {
    ReadQuery(
      """
      select h.name as host, h.host_id::text as host_id, \(state) as state, e.last_seen, h.created, h.agent_version,
        h.os_name, h.kernel_release, h.cpu_model, h.cpu_count, h.memory_total_bytes, h.gpu_count, h.gpu_model,
        h.gpu_driver_version, c.expires as certificate_expires, e.epoch, e.skew_ms, e.spool_bytes, e.backlog_bytes,
        e.followed_files, e.dropped_records_total, e.redactions_total, e.resident_bytes as agent_resident_bytes,
        e.cpu_seconds_total as agent_cpu_seconds_total, e.refused_paths_total, h.labels
      from signalbox.hosts h
      left join signalbox.epochs e on e.host = h.number
      left join (
        select host, max(expires) as expires from signalbox.certificates
        where revoked is null and retired is null group by host
      ) c on c.host = h.number
      where h.removed is null and ($1::text is null or h.name = $1 or h.host_id::text = $1) and \(condition)
      order by h.name
      """, [name])
  }

  /// Join tokens, the newest first. Columns: id, host, state (`open`, `used`, `expired`, `withdrawn`), joined, uses_max, expires,
  /// created, created_by, labels (JSON).
  package static func invitations(all: Bool) -> ReadQuery {
    invitations("$1 = 'all' or state = 'open'", all ? "all" : "open")
  }

  /// The one with an id.
  package static func invitations(id: String) -> ReadQuery { invitations("id = $1", id) }

  private static func invitations(_ condition: String, _ value: String) -> ReadQuery {
    ReadQuery(
      """
      select * from (
        select t.id, t.host_name as host,
          case when t.withdrawn is not null then 'withdrawn' when r.joined >= t.uses_max then 'used'
            when t.expires <= now() then 'expired' else 'open' end as state,
          r.joined, t.uses_max::int8 as uses_max, t.expires, t.created, t.created_by, t.labels, t.replaces
        from signalbox.join_tokens t
        cross join lateral (select count(*) as joined from signalbox.join_redemptions j where j.token = t.id) r
      ) i
      where \(condition)
      order by created desc, id limit 1000
      """, [value])
  }

  /// Certificates that still let an agent in, the first to expire first. Columns: host, expires, issued.
  package static func certificates(limit: Int) -> ReadQuery {
    ReadQuery(
      """
      select h.name as host, c.expires, c.issued from signalbox.certificates c join signalbox.hosts h on h.number = c.host
      where c.revoked is null and c.retired is null and h.state <> 'revoked' and h.removed is null
      order by c.expires, h.name limit $1::bigint
      """, [String(limit)])
  }

  /// The followed files of a host, the busiest first. Columns: file, committed_offset, finished, updated, generation.
  package static func files(host: String) -> ReadQuery {
    ReadQuery(
      """
      select f.path as file, f.committed_offset, f.finished, f.updated, f.generation
      from signalbox.followed_files f join signalbox.hosts h on h.number = f.host
      where h.name = $1 or h.host_id::text = $1
      order by f.finished, f.updated desc limit 200
      """, [host])
  }

  /// What a host sent beyond its quota. Columns: kind, rows_refused, first, last.
  package static func quotas(host: String) -> ReadQuery {
    ReadQuery(
      """
      select q.kind, q.rows as rows_refused, q.first, q.last
      from signalbox.quota_refusals q join signalbox.hosts h on h.number = q.host
      where h.name = $1 or h.host_id::text = $1 order by q.kind
      """, [host])
  }

  /// Training processes of a host in its newest minute, the busiest first.
  package static func processes(host: String) -> ReadQuery {
    ReadQuery(
      """
      select distinct on (p.pid) p.pid, p.name, p.cpu_percent::float8 as cpu_percent, p.resident_bytes, p.threads,
        p.file_descriptors, p.state, p.user_name as "user", p.time
      from signalbox.process_samples p join signalbox.hosts h on h.number = p.host
      left join signalbox.epochs e on e.host = h.number
      where (h.name = $1 or h.host_id::text = $1) and p.time > e.last_seen - interval '1 minute'
      order by p.pid, p.time desc
      """, [host])
  }

  /// Ranges that never arrived. Columns: host, file, from, to (null where the end is unknown), reason, time, is_estimate.
  package static func gaps(host: String?, sinceNs: Int64?, newest: Int? = nil) -> ReadQuery {
    ReadQuery(
      """
      select h.name as host, l.subject as file, l.from_offset as "from",
        case when l.to_offset > l.from_offset then l.to_offset end as "to", l.reason, l.time, l.is_estimate
      from signalbox.loss_ledger l left join signalbox.hosts h on h.number = l.host
      where ($1::text is null or l.host = any (\(hosts("$1")))) and ($2::timestamptz is null or l.time >= $2::timestamptz)
      order by \(newest == nil ? "l.time, l.number" : "l.time desc, l.number desc") limit $3::bigint
      """, [host, sinceNs.map { Timestamp.text($0) }, newest.map { String($0) }])
  }
}
