package import FleetModel
package import Incidents
internal import Postgres

extension Store {
  /// The LISTEN/NOTIFY channel of new rows in the outbox.
  package static let pagingChannel = "signalbox_paging"

  /// Turns changes into incidents and rows of the outbox, in one transaction for each group.
  ///
  /// Idempotent: a change that is stored, or older than what is stored of its incident, has no effect. Several
  /// collectors may apply changes at once: an advisory lock serialises them.
  /// - Parameters:
  ///   - policy: the policy of the configuration; `.none` where no one is paged.
  ///   - reservation: keeps the new rows of the outbox from being claimed until `reconcile` frees them; nil where
  ///     nothing is sent from memory.
  ///   - nowNs: ns since 1970. Escalations count from when a change was detected.
  @discardableResult
  package func apply(
    _ changes: [IncidentChange], policy: PagingPolicy, reservation: Reservation? = nil, nowNs: Int64
  ) throws(StoreError) -> AppliedChanges {
    self.reservation = reservation?.name
    defer { self.reservation = nil }
    var done = AppliedChanges()
    var start = 0
    while start < changes.count {
      let end = min(changes.count, start + IncidentLimits.changesMax)
      done = try inTransaction { () throws(StoreError) in
        try lockIncidents()
        // Starts from the counts of the committed groups, so that a failed group adds none.
        var group = ChangeGroup(counted: done, muting: try muting(of: changes[start..<end], nowNs: nowNs))
        var rules: Set<String> = []
        for change in changes[start..<end] {
          switch change.kind {
          case .opened:
            let mayBePaged = reservation?.mayBePaged.contains(change.dedupKey) ?? false
            if try open(change, policy, mayBePaged: mayBePaged, nowNs, &group) { rules.insert(change.rule) }
          case .cleared: try clear(change, nowNs, &group)
          }
        }
        for rule in rules.sorted() { try gatherSpread(of: rule, policy, nowNs) }
        if reservation == nil { try wakePaging() }
        return group.counted
      }
      start = end
    }
    return done
  }

  func lockIncidents() throws(StoreError) {
    try take(.incidents)
  }

  func wakePaging() throws(StoreError) { try run("select pg_notify($1, '')", [.text(Self.pagingChannel)]) }

  /// The effects of the changes of one transaction so far.
  private struct ChangeGroup {
    var counted: AppliedChanges
    /// Read once a transaction, and updated by each change.
    var muting: Muting
  }

  /// The newest stored incident of a change's identity.
  private struct Known {
    var number: Int64
    var isResolved: Bool
    /// Ended by a person: a later beginning opens a new incident.
    var isEndedByHand: Bool
    /// Observed, and so not paged: a finding that is to be paged must not reopen it.
    var isObserved: Bool
    var lastEventUs: Int64
    var flaps: Int64
    var isQuiet: Bool
  }

  private func known(_ change: IncidentChange) throws(StoreError) -> Known? {
    let rows = try ask(
      """
      select number, state = \(IncidentState.resolved.sql), last_event, flaps, quiet_since is not null, resolved_by <> '\(Ending.rule)',
        is_observed
      from signalbox.incidents where identity = $1 order by number desc limit 1
      """, [.text(change.identity)])
    guard let number = rows.int(0, 0) else { return nil }
    return Known(
      number: number, isResolved: rows.bool(0, 1) == true, isEndedByHand: rows.bool(0, 5) == true,
      isObserved: rows.bool(0, 6) == true,
      lastEventUs: rows.timeUs(0, 2) ?? 0, flaps: rows.int(0, 3) ?? 0, isQuiet: rows.bool(0, 4) == true)
  }

  /// - Returns: whether an incident was opened.
  private func open(
    _ change: IncidentChange, _ policy: PagingPolicy, mayBePaged: Bool, _ nowNs: Int64, _ group: inout ChangeGroup
  ) throws(StoreError) -> Bool {
    let eventUs = change.eventNs / 1000
    if let known = try known(change) {
      let isNewer = eventUs > known.lastEventUs
      // A repetition lies within the time of a stored incident. A change that is only older than the newest incident
      // comes from a host whose clock was set back, or from a backlog, and opens an incident of its own.
      let isRepeated = known.isResolved ? try covers(change.identity, eventUs) : !isNewer
      guard !isRepeated else {
        group.counted.ignored += 1
        return false
      }
      if !known.isResolved, known.isObserved, !change.isObserved {
        group.muting.end(try settleResolved(known.number, .byRule, nowNs), atNs: nowNs)
      } else if !known.isResolved {
        try run(
          "update signalbox.incidents set last_event = $2, flaps = flaps + $3, quiet_since = null where number = $1",
          [.int8(known.number), .time(us: eventUs), .int4(known.isQuiet ? 1 : 0)])
        group.counted.ignored += known.isQuiet ? 0 : 1
        group.counted.reopened += known.isQuiet ? 1 : 0
        return false
      }
      // Not reopened where it may have been paged from memory: receivers then have an alert under its own key.
      if isNewer, !mayBePaged, !known.isEndedByHand, known.isObserved == change.isObserved,
        eventUs.subtractingClamped(known.lastEventUs) <= IncidentLimits.reopenNs / 1000
      {
        try reopen(change, known, policy, nowNs, &group.muting)
        group.counted.reopened += 1
        return false
      }
    }
    try openNew(change, policy, nowNs, &group.muting)
    group.counted.opened += 1
    return true
  }

  /// Whether an incident of an identity was open at a time.
  private func covers(_ identity: String, _ eventUs: Int64) throws(StoreError) -> Bool {
    let found = try ask(
      """
      select exists (select from signalbox.incidents where identity = $1 and opened <= $2 and last_event >= $2)
      """, [.text(identity), .time(us: eventUs)])
    return found.bool(0, 0) == true
  }

  private func reopen(
    _ change: IncidentChange, _ known: Known, _ policy: PagingPolicy, _ nowNs: Int64, _ muting: inout Muting
  ) throws(StoreError) {
    let reason = muting.reason(for: MuteSubject(change), nowNs: nowNs)
    let rows = try ask(
      """
      update signalbox.incidents set state = case when $3::text is null then \(IncidentState.open.sql) else \(IncidentState.muted.sql) end, muted_by = $3,
        change_number = change_number + 1, flaps = flaps + 1, last_event = $2, quiet_since = null, acked = null,
        acked_by = null, resolved = null, resolved_by = null, summary = $4, evidence = $5,
        title = case when $6::text is null then title else $9 end, failure_class = coalesce($6, failure_class),
        diagnosis = coalesce($7::jsonb, diagnosis), steps = case when $6::text is null then steps else $8 end
      where number = $1 returning change_number, flaps, mutes <> '{}' and not is_observed
      """,
      [
        .int8(known.number), .time(us: change.eventNs / 1000), Self.parameter(reason),
        .text(change.summary), .texts(change.evidence), change.diagnosis.map { .text($0.failureClass) } ?? .null,
        change.diagnosis.map { .text($0.json) } ?? .null, .texts(change.steps), .text(change.title),
      ])
    let isFlapping = known.flaps + 1 >= IncidentLimits.flapsMax
    try recordInTimeline(
      known.number, isFlapping ? .flapping : .reopened, detail: "\(rows.int(0, 1) ?? 0) times", nowNs)
    if let host = change.hostNumber, rows.bool(0, 2) == true {
      muting.remove(known.number, on: host)
      for (host, cause) in try causes("number = $2", .int8(known.number), nowNs) { muting.add(cause, on: host) }
    }
    if reason == nil, !change.isObserved {
      try schedule(
        known.number, change: rows.int(0, 0) ?? 1, policy.deliveries(change.severity, Self.noticed(change, nowNs)),
        nowNs, detail: isFlapping ? Delivery.flapping : "", key: change.dedupKey)
    }
  }

  private func openNew(
    _ change: IncidentChange, _ policy: PagingPolicy, _ nowNs: Int64, _ muting: inout Muting
  ) throws(StoreError) {
    let reason = muting.reason(for: MuteSubject(change), nowNs: nowNs)
    let rows = try ask(
      """
      insert into signalbox.incidents (rule, title, severity, is_observed, host, host_name, entity, identity, dedup_key,
        state, opened, detected, last_event, summary, steps, evidence, mutes, muted_by, part_of, causes, runbook,
        failure_class, diagnosis)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, case when $10::text is null then \(IncidentState.open.sql) else \(IncidentState.muted.sql) end, $11, $12, $11,
        $13, $14, $15, $16, $10, (select number from signalbox.incidents where identity = $17 and state <> \(IncidentState.resolved.sql)), $18, $19,
        $20, $21::jsonb)
      returning number
      """,
      [
        .text(change.rule), .text(change.title), .int2(Int16(change.severity.rawValue)), .bool(change.isObserved),
        change.hostNumber.map(Parameter.int4) ?? .null, .text(change.hostName), .text(change.entity),
        .text(change.identity), .text(change.dedupKey), Self.parameter(reason),
        .time(us: change.eventNs / 1000), .time(us: change.detectedNs / 1000), .text(change.summary),
        .texts(change.steps), .texts(change.evidence), .texts(change.mutes),
        change.hostNumber == nil ? .null : .text(Self.spreadIdentity(change.rule)), .texts(change.causes),
        .text(change.runbook), change.diagnosis.map { .text($0.failureClass) } ?? .null,
        change.diagnosis.map { .text($0.json) } ?? .null,
      ])
    guard let number = rows.int(0, 0) else { return }
    try recordInTimeline(number, .opened, detail: change.summary, nowNs)
    if let reason {
      try recordInTimeline(number, .muted, detail: reason.text, nowNs)
    } else if !change.isObserved {
      try schedule(number, change: 1, policy.deliveries(change.severity, Self.noticed(change, nowNs)), nowNs)
    }
    if let host = change.hostNumber, let cause = MuteCause(change, number: number) {
      muting.add(cause, on: host)
      try muteConsequences(of: cause, on: host, nowNs)
    }
  }

  private static func noticed(_ change: IncidentChange, _ nowNs: Int64) -> Int64 {
    min(nowNs, max(change.detectedNs, nowNs - IncidentLimits.lateMaxNs))
  }

  /// The value of the column `muted_by`.
  private static func parameter(_ reason: MuteReason?) -> Parameter { reason.map { .text($0.text) } ?? .null }

  private func clear(
    _ change: IncidentChange, _ nowNs: Int64, _ group: inout ChangeGroup
  ) throws(StoreError) {
    var found = try known(change)
    // Where the database refused the keys of the beginning, its incident was stored under the hash of the entity
    // (`hashed`).
    if found == nil { found = try known(change.hashed) }
    guard let known = found, !known.isResolved, !known.isQuiet, change.eventNs / 1000 >= known.lastEventUs
    else {
      group.counted.ignored += 1
      return
    }
    try run(
      "update signalbox.incidents set last_event = $2 where number = $1",
      [.int8(known.number), .time(us: change.eventNs / 1000)])
    if known.flaps >= IncidentLimits.flapsMax {
      try run(
        "update signalbox.incidents set quiet_since = $2 where number = $1",
        [.int8(known.number), .time(us: nowNs / 1000)])
    } else {
      group.muting.end(try settleResolved(known.number, .byRule, nowNs), atNs: nowNs)
    }
    group.counted.resolved += 1
  }
}
