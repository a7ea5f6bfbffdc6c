internal import FleetModel
package import Incidents
internal import Postgres

/// Reads what `Muting` needs, and stores what it decides.
extension Store {
  /// Everything that mutes incidents now: silences, causes on all hosts, incidents on many hosts.
  package func muting(nowNs: Int64) throws(StoreError) -> Muting {
    var muting = Muting(silences: try silencesInForce(nowNs: nowNs), spreads: try spreads("host is null"))
    for (host, cause) in try causes("true", nil, nowNs) { muting.add(cause, on: host) }
    return muting
  }

  /// The same, restricted to causes and incidents on many hosts that may mute these changes.
  func muting(of changes: some Sequence<IncidentChange>, nowNs: Int64) throws(StoreError) -> Muting {
    var hosts: Set<Int32> = []
    var identities: Set<String> = []
    for change in changes {
      guard let host = change.hostNumber else { continue }
      hosts.insert(host)
      identities.insert(Self.spreadIdentity(change.rule))
    }
    var muting = Muting(silences: try silencesInForce(nowNs: nowNs))
    if hosts.isEmpty { return muting }
    muting.spreads = try spreads("identity = any($1)", .texts(identities.sorted()))
    for (host, cause) in try causes("host = any($2)", .int4s(hosts.sorted()), nowNs) { muting.add(cause, on: host) }
    return muting
  }

  /// Silences in force now or within a day.
  package func silencesInForce(nowNs: Int64) throws(StoreError) -> [Silence] {
    let rows = try ask(
      """
      select \(Self.silenceColumns), number from signalbox.silences
      where ends > $1 and starts < $1::timestamptz + interval '1 day' order by number
      """, [.time(us: nowNs / 1000)])
    return (0..<rows.count).map { row in
      var silence = rows.silence(row, from: 0)
      silence.number = rows.int(row, Self.silenceColumnCount)
      return silence
    }
  }

  /// Incidents that mute others on their host, or did until shortly ago.
  /// - Parameters:
  ///   - condition: an SQL condition on `signalbox.incidents`; `$1` is now.
  ///   - parameter: `$2` of the condition.
  func causes(
    _ condition: String, _ parameter: Parameter?, _ nowNs: Int64
  ) throws(StoreError) -> [(host: Int32, cause: MuteCause)] {
    let rows = try ask(
      """
      select number, host, identity, rule, resolved, pattern
      from signalbox.incidents cross join unnest(mutes) with ordinality m(pattern, ordinal)
      where mutes <> '{}' and not is_observed and host is not null and \(condition)
        and (state <> \(IncidentState.resolved.sql)
          or resolved > $1::timestamptz - interval '\(IncidentLimits.muteTailNs / 1_000_000_000) s')
      order by number, ordinal
      """, [.time(us: nowNs / 1000)] + (parameter.map { [$0] } ?? []))
    var found: [(host: Int32, cause: MuteCause)] = []
    for row in 0..<rows.count {
      guard let number = rows.int(row, 0), let host = rows.int(row, 1), let pattern = rows.text(row, 5) else {
        continue
      }
      if found.last?.cause.number == number {
        found[found.count - 1].cause.mutes.append(pattern)
      } else {
        let cause = MuteCause(
          number: number, identity: rows.text(row, 2) ?? "", rule: rows.text(row, 3) ?? "", mutes: [pattern],
          endedNs: rows.timeNs(row, 4))
        found.append((Int32(clamping: host), cause))
      }
    }
    return found
  }

  /// Numbers of the incidents on many hosts, by rule.
  private func spreads(_ condition: String, _ parameter: Parameter? = nil) throws(StoreError) -> [String: Int64] {
    let rows = try ask(
      """
      select rule, number from signalbox.incidents
      where \(condition) and identity = rule || '\(Self.spreadMark)' and state <> \(IncidentState.resolved.sql)
      """, parameter.map { [$0] } ?? [])
    var found: [String: Int64] = [:]
    for row in 0..<rows.count { found[rows.text(row, 0) ?? ""] = rows.int(row, 1) }
    return found
  }

  func subjects(
    in state: IncidentState, on host: Int32? = nil
  ) throws(StoreError) -> [(number: Int64, subject: MuteSubject)] {
    let rows = try ask(
      """
      select number, rule, host, host_name, entity, severity from signalbox.incidents
      where state = \(state.sql)\(host == nil ? "" : " and host = $1") order by number
      """, host.map { [.int4($0)] } ?? [])
    return (0..<rows.count).map { row in
      let subject = MuteSubject(
        rule: rows.text(row, 1) ?? "", host: rows.int(row, 2).map { Int32(clamping: $0) },
        hostName: rows.text(row, 3) ?? "", entity: rows.text(row, 4) ?? "",
        severity: Severity(rawValue: UInt8(clamping: rows.int(row, 5) ?? 3)) ?? .p3)
      return (rows.int(row, 0) ?? 0, subject)
    }
  }

  /// Mutes incidents that were open before a silence that matches them.
  func muteSilenced(_ muting: Muting, _ nowNs: Int64) throws(StoreError) {
    if muting.silences.isEmpty { return }
    try mute(
      try subjects(in: .open).compactMap { number, subject in
        muting.silence(over: subject, nowNs: nowNs).map { (number, $0) }
      }, nowNs)
  }

  func muteSilenced(_ nowNs: Int64) throws(StoreError) {
    try muteSilenced(Muting(silences: try silencesInForce(nowNs: nowNs)), nowNs)
  }

  /// Mutes open incidents on the same host that a new incident mutes.
  func muteConsequences(of cause: MuteCause, on host: Int32, _ nowNs: Int64) throws(StoreError) {
    try mute(
      try subjects(in: .open, on: host).filter { cause.mutes($0.subject.rule, nowNs: nowNs) }.map {
        ($0.number, cause.reason)
      }, nowNs)
  }

  /// Stores the reasons, and cancels waiting pages.
  private func mute(_ decided: [(number: Int64, reason: MuteReason)], _ nowNs: Int64) throws(StoreError) {
    if decided.isEmpty { return }
    try run(
      """
      with muted as (
        update signalbox.incidents i set state = \(IncidentState.muted.sql), change_number = i.change_number + 1,
          muted_by = d.reason
        from unnest($2::int8[], $3::text[]) d(number, reason)
        where i.number = d.number and i.state = \(IncidentState.open.sql)
        returning i.number, i.muted_by
      ), unsent as (
        update signalbox.outbox o set state = \(DeliveryState.cancelled.sql), settled = $1 from muted m
        where o.incident = m.number and o.state = \(DeliveryState.waiting.sql) and o.event in \(Delivery.Event.pagesSQL)
      )
      insert into signalbox.incident_timeline (incident, time, kind, detail)
      select number, $1::timestamptz, \(TimelineKind.muted.sql), left(muted_by, \(IncidentLimits.detailCharactersMax)) from muted
      """,
      [.time(us: nowNs / 1000), .int8s(decided.map(\.number)), .texts(decided.map(\.reason.text))])
  }
}
