internal import Incidents

extension FleetQueries {
  /// The fleet in figures. Columns: name, label, value. States and severities that nothing has are there with 0, so that an alert on them
  /// has a series to look at.
  package static func figures() -> ReadQuery {
    let severities = "(values ('P0', 0), ('P1', 1), ('P2', 2), ('P3', 3)) s (label, severity)"
    func incidents(_ name: String, _ state: IncidentState) -> String {
      """
      select '\(name)', s.label, (select count(*) from signalbox.incidents i
        where i.severity = s.severity and i.state = \(state.sql))::float8 from \(severities)
      """
    }
    return ReadQuery(
      """
      with known as (
        select \(state) as state, coalesce(h.agent_version, 'unknown') as version, e.last_seen
        from signalbox.hosts h left join signalbox.epochs e on e.host = h.number
        where h.removed is null and h.state <> 'revoked'
      )
      select 'signalbox_fleet_hosts' as name, s.label, (select count(*) from known k where k.state = s.label)::float8 as value
      from (values ('live'), ('late'), ('silent'), ('waiting')) s (label)
      union all \(incidents("signalbox_fleet_incidents_open", .open))
      union all \(incidents("signalbox_fleet_incidents_acked", .acked))
      union all (select 'signalbox_fleet_agents', k.version, count(*)::float8 from known k group by k.version
        order by count(*) desc, k.version limit 50)
      union all select 'signalbox_fleet_runs_live', '', count(*)::float8 from signalbox.runs
        where state = 1 and updated > now() - interval '15 minutes'
      union all select 'signalbox_fleet_newest_sample_age_seconds', '',
        extract(epoch from now() - max(k.last_seen))::float8 from known k
      """)
  }
}
