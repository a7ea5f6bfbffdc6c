package import FleetModel
internal import Incidents
internal import Postgres

extension Store {
  /// Saves the rule states of a group's hosts in the transaction that moves their marks, so that a state is stored with
  /// the facts that it came from or not at all. A state that the database refuses is set aside, and its host's rules
  /// continue from the state before.
  func storeStates(_ group: [StagedBatch], _ plan: GroupPlan) throws(PostgresError) {
    // In the same order in every transaction, so that two writers cannot deadlock.
    let states = plan.states.sorted { $0.key < $1.key }.compactMap { _, index in
      group[index].ruleState.map { DatedState(state: $0, receivedNs: group[index].receivedNs) }
    }
    try carryOut(
      states, of: "signalbox.rule_states", host: \.state.hostNumber,
      describe: { dated in
        let version = dated.state.version
        return "rule state of \(dated.state.bytes.count) bytes, epoch \(version.epoch), sequence \(version.sequence)"
      }
    ) { (states) throws(PostgresError) in try write(states) }
  }

  /// A state and the time at which its newest facts were received, ns since 1970. Ends by people after that time are
  /// not applied to it yet.
  private struct DatedState {
    let state: SavedRuleState
    let receivedNs: Int64
  }

  /// The condition of the update is `RuleStateVersion.replaces`.
  private func write(_ states: ArraySlice<DatedState>) throws(PostgresError) {
    _ = try connection.queryPrepared(
      """
      insert into signalbox.rule_states as s (host, epoch, sequence, state, saved)
      select * from unnest($1::int4[], $2::int8[], $3::int8[], $4::bytea[], $5::timestamptz[])
      on conflict (host) do update
      set epoch = excluded.epoch, sequence = excluded.sequence, state = excluded.state, saved = excluded.saved
      where (s.epoch, s.sequence) < (excluded.epoch, excluded.sequence)
      """,
      [
        .int4s(states.map(\.state.hostNumber)), .int8s(states.map { Int64(clamping: $0.state.version.epoch) }),
        .int8s(states.map { Int64(clamping: $0.state.version.sequence) }), .byteStrings(states.map(\.state.bytes)),
        .times(us: states.map { $0.receivedNs / 1000 }),
      ])
  }

  /// Saves the rule state of the whole fleet, which the holder of the lease `rules` maintains.
  ///
  /// - Parameter state: the state of host 0; its epoch is the lease's fence.
  /// - Throws: `.leaseLost`; then nothing is saved. A state that the database refuses is set aside.
  package func saveFleetState(_ state: SavedRuleState, under lease: Lease, nowNs: Int64) throws(StoreError) {
    do throws(StoreError) {
      try inTransaction { () throws(StoreError) in
        try requireLease(lease)
        try asking { () throws(PostgresError) in try write([DatedState(state: state, receivedNs: nowNs)]) }
      }
    } catch {
      guard error.isRefusal else { throw error }
      try setAside(
        "rule state of the fleet, \(state.bytes.count) bytes", of: "signalbox.rule_states", hostNumber: nil,
        because: error, nowNs: nowNs)
    }
  }

  /// - Parameter host: its number; nil reads all.
  package func ruleStates(of host: Int32? = nil) throws(StoreError) -> [SavedRuleState] {
    let wanted = host.map(Parameter.int4) ?? .null
    let rows = try ask(
      "select host, epoch, sequence, state from signalbox.rule_states where $1::int4 is null or host = $1", [wanted])
    let ended = try ask(
      """
      select \(Self.endedColumns)
      from signalbox.incidents i join signalbox.rule_states s on s.host = coalesce(i.host, 0)
      where \(Self.isEndedByHand) and i.resolved > s.saved - interval '\(IncidentLimits.clocksApartNs / 1_000_000_000) s'
        and ($1::int4 is null or i.host = $1)
      """, [wanted])
    let endedOf = Dictionary(grouping: ended.endedIncidents) { $0.hostNumber ?? 0 }
    return (0..<rows.count).compactMap { row in
      guard let host = rows.int(row, 0), let bytes = rows.bytes(row, 3) else { return nil }
      let version = RuleStateVersion(
        epoch: UInt64(clamping: rows.int(row, 1) ?? 0), sequence: UInt64(clamping: rows.int(row, 2) ?? 0))
      var state = SavedRuleState(hostNumber: Int32(clamping: host), version: version, bytes: bytes)
      state.ended = endedOf[state.hostNumber] ?? []
      return state
    }
  }

  /// Incidents that people have ended.
  ///
  /// - Parameter cursor: number of an entry of the timeline: later ends are returned. nil for a first call, which
  ///   returns no ends.
  /// - Returns: the ends, oldest first, and the number of the timeline for the next call. Unlimited, because people end
  ///   few incidents in a minute.
  package func endedByHand(
    after cursor: Int64?
  ) throws(StoreError) -> (incidents: [EndedIncident], newest: Int64) {
    guard let cursor else {
      // Begins a minute back: an end of the last minute may be later than the states that the engine started from.
      // Arming a rule twice is harmless.
      let before = try ask(
        "select number from signalbox.incident_timeline where time < now() - interval '1 minute' order by number desc limit 1"
      )
      return ([], before.count > 0 ? before.int(0, 0) ?? 0 : 0)
    }
    let newest = try ask("select coalesce(max(number), 0) from signalbox.incident_timeline", []).int(0, 0) ?? 0
    let rows = try ask(
      """
      select \(Self.endedColumns)
      from signalbox.incident_timeline t join signalbox.incidents i on i.number = t.incident
      where t.number > $1 and t.kind = \(TimelineKind.resolved.sql) and \(Self.isEndedByHand)
      order by t.number
      """, [.int8(cursor)])
    return (rows.endedIncidents, newest)
  }

  /// Columns of incidents `i` that `Rows.endedIncidents` reads.
  private static let endedColumns = "i.number, i.rule, i.host, i.entity, i.last_event"
  /// An SQL condition on incidents `i`: ended by a person. The index `incidents_ended_by_hand` has the same condition.
  private static let isEndedByHand = "i.resolved_by <> '\(Ending.rule)'"

  /// All hosts that may report, with the time of the last report to any collector.
  package func knownHosts() throws(StoreError) -> [KnownHost] {
    let rows = try ask(
      """
      select \(Self.knownHostColumns)
      from signalbox.hosts h left join signalbox.epochs e on e.host = h.number
      where h.state <> 'revoked' and h.host_id is not null
      """, [])
    return (0..<rows.count).compactMap { rows.knownHost($0) }
  }

  /// Columns of hosts `h` and their epochs `e` that `Rows.knownHost` reads.
  static let knownHostColumns = "h.host_id, h.number, h.name, \(labelsText), e.epoch, e.last_seen"

  /// Incidents that are not resolved, without those on many hosts.
  package func openIncidents() throws(StoreError) -> [OpenIncident] {
    try openIncidents("identity <> rule || '\(Self.spreadMark)'")
  }

  /// Incidents of a host that are open for its rules. A flapping one that is quiet has ended for them.
  func openIncidents(of host: Int32) throws(StoreError) -> [OpenIncident] {
    try openIncidents("host = $1 and quiet_since is null", .int4(host))
  }

  private func openIncidents(_ condition: String, _ parameters: Parameter...) throws(StoreError) -> [OpenIncident] {
    let rows = try ask(
      """
      select rule, host, entity, opened, last_event from signalbox.incidents
      where state <> \(IncidentState.resolved.sql) and \(condition)
      """, parameters)
    return (0..<rows.count).map { row in
      OpenIncident(
        rule: rows.text(row, 0) ?? "", hostNumber: rows.int(row, 1).map { Int32(clamping: $0) },
        entity: rows.text(row, 2) ?? "", openedNs: rows.timeNs(row, 3) ?? 0, lastEventNs: rows.timeNs(row, 4) ?? 0)
    }
  }

  // MARK: Labels

  /// An SQL expression: label keys and values of a host `h`, separated by control characters, which labels cannot
  /// contain.
  static let labelsText =
    "(select string_agg(key || chr(31) || value, chr(30)) from jsonb_each_text(h.labels))"

  static func labels(_ text: String?) -> [String: String] {
    var labels: [String: String] = [:]
    for pair in (text ?? "").split(separator: "\u{1e}") {
      let parts = pair.split(separator: "\u{1f}", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2 { labels[String(parts[0])] = String(parts[1]) }
    }
    return labels
  }
}

extension Rows {
  fileprivate var endedIncidents: [EndedIncident] {
    (0..<count).map { row in
      EndedIncident(
        number: int(row, 0) ?? 0, rule: text(row, 1) ?? "", hostNumber: int(row, 2).map { Int32(clamping: $0) },
        entity: text(row, 3) ?? "", lastEventUs: timeUs(row, 4) ?? 0)
    }
  }

  /// A row of `Store.knownHostColumns`; nil for a host without an identity.
  func knownHost(_ row: Int) -> KnownHost? {
    guard let id: HostID = id(row, 0) else { return nil }
    var host = KnownHost(id: id, number: Int32(clamping: int(row, 1) ?? 0), name: text(row, 2) ?? "")
    host.labels.merge(Store.labels(text(row, 3))) { own, _ in own }
    host.epoch = UInt64(clamping: int(row, 4) ?? 0)
    host.lastSeenNs = timeNs(row, 5) ?? 0
    return host
  }
}
