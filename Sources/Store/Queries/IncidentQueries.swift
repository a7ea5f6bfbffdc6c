internal import FleetModel
package import Incidents

/// Questions about incidents, silences and who is on call.
package enum IncidentQueries {
  private static let columns = """
    i.number as id, i.rule, 'P' || i.severity as severity, i.state, i.host_name as host, i.entity, i.opened, i.detected, i.acked_by,
      i.resolved, i.summary, to_json(i.steps) as steps, to_json(i.evidence) as evidence,
      to_json(i.causes) as causes, nullif(i.runbook, '') as runbook, i.event_to_page_ms, i.title,
      i.muted_by, i.flaps, i.flaps >= \(IncidentLimits.flapsMax) as is_flapping, i.part_of, i.is_observed, i.dedup_key,
      i.failure_class, i.diagnosis::json as diagnosis
    """

  /// The newest first.
  /// - Parameters:
  ///   - state: nil = everything that is not resolved; `all`; or a state.
  ///   - host: a `*` stands for any text; so in `rule`.
  package static func list(
    state: String?, host: String?, rule: String?, sinceNs: Int64?, after: ListPosition? = nil, limit: Int
  ) -> ReadQuery {
    ReadQuery(
      """
      select \(columns) from signalbox.incidents i
      where case when $1::text is null then i.state <> \(IncidentState.resolved.sql) when $1 = 'all' then true else i.state = $1 end
        and signalbox.matches($2::text, i.host_name) and signalbox.matches($3::text, i.rule)
        and ($4::timestamptz is null or i.opened >= $4::timestamptz)
        and ($6::text is null
          or (i.state = \(IncidentState.resolved.sql), 'P' || i.severity, -i.number) > ($6::text = 'resolved', $7::text, -$8::int4))
      order by i.state = \(IncidentState.resolved.sql), i.severity, i.number desc limit $5::bigint
      """,
      [state, host, rule, sinceNs.map { Timestamp.text($0) }, String(limit)]
        + ListPosition.parameters(after, position.count))
  }

  /// Of the list: state, severity, id.
  package static let position: [ListPosition.Kind] = [.text, .text, .integer]

  /// What is open or taken, one row a cause, the most urgent first: what is muted is counted in the incident that it is part of. Columns of
  /// a list, with muted_parts; null where there are none.
  package static func causes(limit: Int) -> ReadQuery {
    ReadQuery(
      """
      with muted as (
        select part_of, count(*) as parts from signalbox.incidents
        where state = \(IncidentState.muted.sql) and state <> \(IncidentState.resolved.sql) and part_of is not null group by part_of
      )
      select \(columns), muted.parts as muted_parts from signalbox.incidents i left join muted on muted.part_of = i.number
      where i.state <> \(IncidentState.resolved.sql) and i.state <> \(IncidentState.muted.sql)
      order by i.severity, i.number desc limit $1::bigint
      """, [String(limit)])
  }

  /// How many are muted. Column: muted.
  package static func muted() -> ReadQuery {
    ReadQuery(
      """
      select count(*) as muted from signalbox.incidents
      where state = \(IncidentState.muted.sql) and state <> \(IncidentState.resolved.sql)
      """)
  }

  package static func one(_ number: Int64) -> ReadQuery { several([number]) }

  /// In the order of their numbers.
  package static func several(_ numbers: [Int64]) -> ReadQuery {
    ReadQuery(
      """
      select \(columns), coalesce((
          select json_agg(json_build_object('time', t.time, 'kind', t.kind, 'actor', t.actor, 'detail', t.detail)
            order by t.number) from signalbox.incident_timeline t where t.incident = i.number), '[]'::json) as timeline,
        coalesce((
          select json_agg(json_build_object('receiver', o.receiver, 'event', o.event, 'state', o.state, 'due', o.due,
            'attempts', o.attempts, 'settled', o.settled, 'last_answer', o.last_answer) order by o.number)
          from signalbox.outbox o where o.incident = i.number), '[]'::json) as deliveries
      from signalbox.incidents i where i.number = any ($1::bigint[]) order by i.number
      """, [ArrayParameter.text(numbers.map(String.init))])
  }

  /// The most urgent first. - Parameter messageID: of a message, or of a list of them.
  package static func paged(by messageID: String, limit: Int) -> ReadQuery {
    ReadQuery(
      """
      select \(columns) from signalbox.incidents i where i.number in (
        select o.incident from signalbox.outbox o where o.message_id = $1 or o.bundle = $1)
      order by i.severity, i.number limit $2::bigint
      """, [messageID, String(limit)])
  }

  /// Columns: kind (`evidence`, `cause` or `step`), text; in their order.
  package static func texts(_ number: Int64) -> ReadQuery {
    ReadQuery(
      """
      select u.kind, u.text from signalbox.incidents i
      cross join lateral (
        select 'evidence' as kind, e.text, e.place from unnest(i.evidence) with ordinality as e (text, place)
        union all select 'cause', c.text, c.place from unnest(i.causes) with ordinality as c (text, place)
        union all select 'step', s.text, s.place from unnest(i.steps) with ordinality as s (text, place)
      ) u where i.number = $1::bigint order by u.kind, u.place
      """, [String(number)])
  }

  /// Columns: time, kind, actor, detail.
  package static func timeline(_ number: Int64) -> ReadQuery {
    ReadQuery(
      """
      select t.time, t.kind, t.actor, t.detail from signalbox.incident_timeline t where t.incident = $1::bigint
      order by t.number
      """, [String(number)])
  }

  /// What was or will be sent about an incident.
  package static func deliveries(_ number: Int64) -> ReadQuery {
    ReadQuery(
      """
      select o.receiver, o.event, o.state, o.due, o.attempts, o.settled, o.last_answer
      from signalbox.outbox o where o.incident = $1::bigint order by o.number
      """, [String(number)])
  }

  private static let silenceColumns = """
    s.number as id, case when s.ends <= now() then \(SilenceState.ended.sql) when s.starts > now() then \(SilenceState.ahead.sql) else \(SilenceState.active.sql) end as state,
      s.cron || ' ' || s.zone as repeats, s.rule, s.host, s.entity, 'P' || s.severity as severity, s.author, s.reason,
      s.starts, s.ends, s.ended_by, s.configured_as as name
    """

  /// Silences that are ahead or in force; with `includingEnded` all.
  package static func silences(includingEnded: Bool) -> ReadQuery {
    ReadQuery(
      "select \(silenceColumns) from signalbox.silences s where $1::boolean or s.ends > now() order by s.ends",
      [String(includingEnded)])
  }

  package static func silence(_ number: Int64) -> ReadQuery {
    ReadQuery(
      "select \(silenceColumns) from signalbox.silences s where s.number = $1::bigint", [String(number)])
  }

  /// Rules that collectors run; no row where none has published its own. Columns: rule.
  package static func rules() -> ReadQuery {
    ReadQuery(
      """
      select r.rule from signalbox.fleet_settings s cross join lateral unnest(string_to_array(s.value, e'\\n')) as r (rule)
      where s.key = $1 and r.rule <> '' order by r.rule
      """, [Store.rulesSetting])
  }

  /// How many incidents that are not over a silence of these patterns matches. Columns: incidents.
  package static func matched(by silence: Silence) -> ReadQuery {
    ReadQuery(
      """
      select count(*) as incidents from signalbox.incidents i
      where i.state <> \(IncidentState.resolved.sql) and signalbox.matches($1::text, i.rule) and signalbox.matches($2::text, i.host_name)
        and signalbox.matches($3::text, i.entity) and ($4::int2 is null or i.severity = $4::int2)
      """, [silence.rule, silence.host, silence.entity, silence.severity.map { String($0.rawValue) }])
  }

  package static func override(_ number: Int64) -> ReadQuery {
    ReadQuery(
      """
      select \(overrideColumns) from signalbox.on_call_overrides o where o.number = $1::bigint
      """, [String(number)])
  }

  private static let overrideColumns = """
    o.number as id, case when o.ends <= now() or o.ended_by is not null then \(SilenceState.ended.sql)
      when o.starts > now() then \(SilenceState.ahead.sql) else \(SilenceState.active.sql) end as state,
      o.schedule, o.receiver, o.starts, o.ends, o.author, o.reason, o.ended_by
    """

  /// Overrides that are ahead or in force; with `includingEnded` all. The newest one that holds counts.
  package static func overrides(includingEnded: Bool) -> ReadQuery {
    ReadQuery(
      """
      select \(overrideColumns) from signalbox.on_call_overrides o
      where $1::boolean or (o.ends > now() and o.ended_by is null) order by o.number desc
      """, [String(includingEnded)])
  }

  /// While collectors change places, pages are delivered by none: for so long what the one before published holds.
  private static let takeoverGrace = "1 minute"

  /// An SQL expression: the end of the lease of the collector that delivers pages, or did last; null where none ever did.
  private static let pagingLeaseEnd = "(select max(l.expires) from signalbox.leases l where l.name = 'paging')"

  /// None where no collector delivers pages: what the last one published says nothing then. Columns: schedule, receiver,
  /// since, until, updated.
  package static func onCall() -> ReadQuery {
    ReadQuery(
      """
      select o.schedule, o.receiver, o.since, o.until, o.updated from signalbox.on_call o
      where \(pagingLeaseEnd) > now() - interval '\(takeoverGrace)' order by o.schedule
      """)
  }

  /// Turns of the rotations, under way and ahead, whoever has taken one over; none where no collector delivers pages. Columns: schedule,
  /// receiver, starts, ends.
  package static func turns() -> ReadQuery {
    ReadQuery(
      """
      select t.schedule, t.receiver, t.starts, t.ends from signalbox.on_call_turns t
      where t.ends > now() and \(pagingLeaseEnd) > now() - interval '\(takeoverGrace)' order by t.starts, t.schedule
      """)
  }

  /// One row: whether a collector delivers pages now, and until when the last one did; null where none ever did. Columns:
  /// is_delivering, last.
  package static func pagingCollector() -> ReadQuery {
    ReadQuery("select coalesce(\(pagingLeaseEnd) > now(), false) as is_delivering, \(pagingLeaseEnd) as last")
  }
}
