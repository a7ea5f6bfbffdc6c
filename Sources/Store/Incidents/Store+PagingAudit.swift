internal import FleetModel
package import Incidents
internal import Postgres

/// The result of an audit of incidents and their deliveries.
package struct PagingAudit: Sendable, Equatable {
  /// Muted incidents whose reason no longer holds, and which are paged from now on.
  package var unmuted = 0
  /// When more may be unmuted, because what muted it has ended, ns since 1970; nil where nothing has.
  package var nextUnmuteNs: Int64?
  /// Flapping incidents that were resolved after `IncidentLimits.quietNs`.
  package var quietResolved = 0
  /// Open incidents without a delivery although the policy has steps for them; their rows were added.
  package var forgotten = 0
  /// Late messages, and ends that were refused.
  package var problems = PagingProblems()

  package init() {}
}

extension Store {
  /// Checks every incident that is not resolved: unmutes, resolves quiet ones, and adds missing rows.
  package func auditPaging(_ lease: Lease, policy: PagingPolicy, nowNs: Int64) throws(StoreError) -> PagingAudit {
    try inTransaction { () throws(StoreError) in
      try requireLease(lease)
      try lockIncidents()
      var audit = PagingAudit()
      audit.quietResolved = try resolveQuiet(nowNs)
      try advanceWindows(nowNs)
      let muting = try muting(nowNs: nowNs)
      try muteSilenced(muting, nowNs)
      audit.unmuted = try unmute(muting, policy, nowNs)
      audit.nextUnmuteNs = muting.nextEndNs(after: nowNs)
      audit.forgotten = try scheduleForgotten(policy, nowNs)
      audit.problems = try asking { () throws(PostgresError) in
        try Self.pagingProblems(connection, nowNs: nowNs)
      }
      // Kept for a day, so that the result of a test can be read.
      try run(
        "delete from signalbox.outbox where incident is null and settled < $1::timestamptz - interval '1 day'",
        [.time(us: nowNs / 1000)])
      return audit
    }
  }

  private func resolveQuiet(_ nowNs: Int64) throws(StoreError) -> Int {
    let rows = try ask(
      "select number from signalbox.incidents where state <> \(IncidentState.resolved.sql) and quiet_since <= $1 order by number",
      [.time(us: (nowNs - IncidentLimits.quietNs) / 1000)])
    for row in 0..<rows.count { try settleResolved(rows.int(row, 0) ?? 0, .byRule, nowNs) }
    return rows.count
  }

  private func unmute(_ muting: Muting, _ policy: PagingPolicy, _ nowNs: Int64) throws(StoreError) -> Int {
    let free = try subjects(in: .muted).filter { muting.reason(for: $0.subject, nowNs: nowNs) == nil }
    if free.isEmpty { return 0 }
    let rows = try ask(
      """
      update signalbox.incidents i set state = \(IncidentState.open.sql), muted_by = null, change_number = i.change_number + 1
      from signalbox.incidents before
      where i.number = any($1) and i.state = \(IncidentState.muted.sql) and before.number = i.number
      returning i.number, i.change_number, i.severity, i.is_observed, before.muted_by
      """, [.int8s(free.map(\.number))])
    for row in 0..<rows.count {
      guard let number = rows.int(row, 0), let change = rows.int(row, 1),
        let severity = Severity(rawValue: UInt8(clamping: rows.int(row, 2) ?? 3))
      else { continue }
      let reason = rows.text(row, 4) ?? ""
      try recordInTimeline(number, .unmuted, detail: reason, nowNs)
      if rows.bool(row, 3) == false {
        try schedule(
          number, change: change, policy.deliveries(severity, nowNs), nowNs,
          detail: Delivery.wasMuted(untilNs: nowNs, by: reason))
      }
    }
    return rows.count
  }

  private func scheduleForgotten(_ policy: PagingPolicy, _ nowNs: Int64) throws(StoreError) -> Int {
    let rows = try ask(
      """
      select i.number, i.change_number, i.severity from signalbox.incidents i
      where i.state = \(IncidentState.open.sql) and not i.is_observed
        and not exists (select from signalbox.outbox o where o.incident = i.number)
      """)
    var count = 0
    for row in 0..<rows.count {
      guard let number = rows.int(row, 0), let change = rows.int(row, 1),
        let severity = Severity(rawValue: UInt8(clamping: rows.int(row, 2) ?? 3))
      else { continue }
      let deliveries = policy.deliveries(severity, nowNs)
      try schedule(number, change: change, deliveries, nowNs)
      if !deliveries.isEmpty { count += 1 }
    }
    return count
  }

  /// Publishes the turns of each schedule that are under way and ahead, for calendars: what is known already is not written anew.
  package func publishTurns(
    _ turns: [(schedule: String, receiver: String, startsNs: Int64, endsNs: Int64)]
  ) throws(StoreError) {
    try run(
      """
      with given as (
        select * from unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[]) as g (schedule, receiver, starts, ends)
      ), gone as (
        delete from signalbox.on_call_turns t
        where not exists (select from given g where g.schedule = t.schedule and g.starts = t.starts)
      )
      insert into signalbox.on_call_turns as t (schedule, receiver, starts, ends) select schedule, receiver, starts, ends from given
      on conflict (schedule, starts) do update set receiver = excluded.receiver, ends = excluded.ends
        where (t.receiver, t.ends) is distinct from (excluded.receiver, excluded.ends)
      """,
      [
        .texts(turns.map(\.schedule)), .texts(turns.map(\.receiver)), .times(us: turns.map { $0.startsNs / 1000 }),
        .times(us: turns.map { $0.endsNs / 1000 }),
      ])
  }

  /// Publishes who is on call, for the command line.
  package func publishOnCall(
    _ entries: [(schedule: String, receiver: String, sinceNs: Int64?, untilNs: Int64?)], nowNs: Int64
  ) throws(StoreError) {
    try inTransaction { () throws(StoreError) in
      try run("delete from signalbox.on_call")
      try run(
        """
        insert into signalbox.on_call (schedule, receiver, since, until, updated)
        select schedule, receiver, since, until, $5 from unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[])
          as o (schedule, receiver, since, until)
        """,
        [
          .texts(entries.map(\.schedule)), .texts(entries.map(\.receiver)),
          .times(us: entries.map { $0.sinceNs.map { $0 / 1000 } }),
          .times(us: entries.map { $0.untilNs.map { $0 / 1000 } }), .time(us: nowNs / 1000),
        ])
    }
  }
}
