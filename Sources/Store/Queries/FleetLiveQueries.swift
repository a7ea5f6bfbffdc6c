internal import Incidents

/// Questions whose answers many viewers share: small, and asked once a second at most.
package enum FleetLiveQueries {
  /// One letter a host in the order of their numbers: `A` + state (0 live, 1 late, 2 silent, 3 nothing has come yet) + 4 × the worst open
  /// incident (0 none, 1 P3, 2 P2, 3 P1, 4 P0). Revoked and removed hosts have none.
  ///
  /// Columns: hosts, inventory (another text where hosts came, went, or got other names or labels), states, incidents (open ones of P0, P1, P2,
  /// P3, with commas), news (another text where an incident opened, ended, or somebody took it).
  package static func states() -> ReadQuery {
    ReadQuery(
      """
      select f.hosts, f.inventory, f.states, i.incidents, i.news
      from (
        select count(*) as hosts, \(inventory) as inventory,
          coalesce(string_agg(chr(65 + \(state) + 4 * coalesce(4 - w.severity, 0)), '' order by h.number), '') as states
        from signalbox.hosts h
        left join signalbox.epochs e on e.host = h.number
        left join (
          select host, min(severity) as severity from signalbox.incidents
          where state = \(IncidentState.open.sql) and host is not null group by host
        ) w on w.host = h.number
        where \(isCounted)
      ) f
      cross join (
        select concat_ws(',', count(*) filter (where severity = 0 and \(isOpen)), count(*) filter (where severity = 1 and \(isOpen)),
            count(*) filter (where severity = 2 and \(isOpen)), count(*) filter (where severity = 3 and \(isOpen))) as incidents,
          count(*) || '.' || coalesce(sum(number::numeric * (change_number + 1)), 0) as news
        from signalbox.incidents where state <> \(IncidentState.resolved.sql)
      ) i
      """)
  }

  private static let isOpen = "state = \(IncidentState.open.sql)"
  private static let isCounted = "h.removed is null and h.state <> 'revoked'"

  private static let state = """
    case when e.last_seen is null then 3 when e.last_seen > now() - interval '\(FleetQueries.lateSeconds) s' then 0
      when e.last_seen > now() - interval '\(FleetQueries.silentSeconds) s' then 1 else 2 end
    """

  /// Of numbers and revisions: a host that is renamed or labelled has another revision.
  private static let inventory = """
    count(*) || '.' || coalesce(sum(h.number::int8 * 2654435761 % 1000000007), 0) || '.' || coalesce(sum(h.revision), 0)
    """

  /// What hosts are, in the same order. Columns: inventory (the same text as above in each row), host, gpu_model, os_name, gpu_count, labels
  /// (JSON: an object of texts).
  package static func hosts() -> ReadQuery {
    ReadQuery(
      """
      select i.inventory, h.name as host, h.gpu_model, h.os_name, coalesce(h.gpu_count, 0) as gpu_count, h.labels
      from signalbox.hosts h
      cross join (select \(inventory) as inventory from signalbox.hosts h where \(isCounted)) i
      where \(isCounted) order by h.number
      """)
  }

  /// Hosts that are late or silent or have never reported, the longest first: their present state is not known. Columns: host, state, last_seen,
  /// why (what the open incident of its silence says, else what is known), run (its last).
  package static func missing(limit: Int) -> ReadQuery {
    ReadQuery(
      """
      select m.host, m.state, m.last_seen,
        coalesce(
          (select i.summary from signalbox.incidents i where i.host = m.number and i.state <> \(IncidentState.resolved.sql)
            and i.rule like 'AGT-01%' and i.summary <> '' order by i.severity, i.number desc limit 1),
          case when m.last_seen is null then 'has joined, and its agent has not reported yet'
            when m.disconnected >= m.last_seen - interval '5 s' then 'its agent ended the connection'
            else 'no report has come, and its connection was not ended' end) as why,
        (select r.run from signalbox.runs r where r.host = m.number order by r.updated desc limit 1) as run
      from (
        select h.number, h.name as host, e.last_seen, e.disconnected,
          case \(state) when 3 then 'waiting' when 1 then 'late' else 'silent' end as state
        from signalbox.hosts h left join signalbox.epochs e on e.host = h.number
        where \(isCounted)
          and (e.last_seen is null or e.last_seen <= now() - interval '\(FleetQueries.lateSeconds) s')
        order by e.last_seen is null, e.last_seen, h.name collate "C" limit $1::bigint
      ) m
      order by m.last_seen is null, m.last_seen, m.host collate "C"
      """, [String(limit)])
  }

  /// How far what hosts report is behind. One row: newest (when the newest report came), behind (hosts that hold back more than a megabyte),
  /// backlog_bytes (of all), dropped (hosts that have ever dropped a record), skewed (hosts whose clock is off by more than 5 s), gaps (ranges
  /// that never arrived, of the last day).
  package static func ingest() -> ReadQuery {
    ReadQuery(
      """
      select max(e.last_seen) as newest, count(*) filter (where e.backlog_bytes > 1048576) as behind,
        coalesce(sum(e.backlog_bytes), 0)::bigint as backlog_bytes, count(*) filter (where e.dropped_records_total > 0) as dropped,
        count(*) filter (where abs(e.skew_ms) > 5000 and e.last_seen > now() - interval '\(FleetQueries.lateSeconds) s') as skewed,
        (select count(*) from signalbox.loss_ledger l where l.time > now() - interval '1 day') as gaps
      from signalbox.hosts h join signalbox.epochs e on e.host = h.number
      where \(isCounted)
      """)
  }
}
