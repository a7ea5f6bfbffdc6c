package import Incidents
internal import Postgres

extension Store {
  /// - Returns: its number. Rows that exist already keep their receiver.
  /// - Throws: `.unknownTarget` for a schedule or receiver that the collector with the lease does not have.
  package func addOverride(_ override: OnCallOverride) throws(StoreError) -> Int64 {
    try inTransaction { () throws(StoreError) in
      try requireKnown(override.schedule, among: "select schedule from signalbox.on_call order by 1")
      try requireKnown(override.receiver, among: "select name from signalbox.receivers order by 1")
      let rows = try ask(
        """
        insert into signalbox.on_call_overrides (schedule, receiver, starts, ends, author, reason)
        values ($1, $2, $3, $4, $5, $6) returning number
        """,
        [
          .text(override.schedule), .text(override.receiver), .time(us: override.startsNs / 1000),
          .time(us: override.endsNs / 1000), .text(override.author), .text(override.reason),
        ])
      try audit(
        actor: override.author, action: "oncall.override", subject: override.schedule, detail: override.receiver)
      try wakePaging()
      return rows.int(0, 0) ?? 0
    }
  }

  /// Ends an override, or cancels one that has not begun.
  /// - Throws: `.unknownOverride`, also for one that has ended.
  package func endOverride(_ number: Int64, actor: String, nowNs: Int64) throws(StoreError) {
    try inTransaction { () throws(StoreError) in
      let rows = try ask(
        """
        update signalbox.on_call_overrides set ends = greatest($2, starts + interval '1 microsecond'), ended_by = $3
        where number = $1 and ends > $2 and ended_by is null returning schedule
        """, [.int8(number), .time(us: nowNs / 1000), .text(actor)])
      guard let schedule = rows.text(0, 0) else { throw .unknownOverride(number) }
      try audit(actor: actor, action: "oncall.end", subject: schedule, detail: "override \(number)")
      try wakePaging()
    }
  }

  /// A text that changes with every override that is added or ended.
  package func overridesVersion() throws(StoreError) -> String {
    try ask(
      "select coalesce(max(number), 0) || '/' || count(*) filter (where ended_by is not null) from signalbox.on_call_overrides"
    ).text(0, 0) ?? ""
  }

  private func requireKnown(_ name: String, among query: String) throws(StoreError) {
    let rows = try ask(query)
    let known = (0..<rows.count).compactMap { rows.text($0, 0) }
    if !known.contains(name) { throw .unknownTarget(name, known: known) }
  }

  /// Overrides in force now or within two days, the newest first.
  package func overridesInForce(nowNs: Int64) throws(StoreError) -> [OnCallOverride] {
    let rows = try ask(
      """
      select schedule, receiver, starts, ends, author, reason from signalbox.on_call_overrides
      where ends > $1 and ended_by is null and starts < $1::timestamptz + interval '2 days'
      order by number desc limit 1000
      """, [.time(us: nowNs / 1000)])
    return (0..<rows.count).map { row in
      OnCallOverride(
        schedule: rows.text(row, 0) ?? "", receiver: rows.text(row, 1) ?? "",
        startsNs: rows.timeNs(row, 2) ?? 0, endsNs: rows.timeNs(row, 3) ?? 0,
        author: rows.text(row, 4) ?? "", reason: rows.text(row, 5) ?? "")
    }
  }

  /// Publishes the names of the receivers for the command line. Pauses of receivers that stay are kept.
  package func publishReceivers(_ names: [String]) throws(StoreError) {
    try inTransaction { () throws(StoreError) in
      try run("delete from signalbox.receivers where name <> all($1)", [.texts(names)])
      try run(
        """
        insert into signalbox.receivers (name, kind) select distinct n, '' from unnest($1::text[]) n
        on conflict (name) do nothing
        """, [.texts(names)])
    }
  }

  /// Stores the pause that a receiver asked for. Every holder of the lease observes it. Needs no lease: the answer is a
  /// fact whoever holds it.
  /// - Parameter untilNs: ns since 1970. A stored later time is kept.
  package func pause(_ receiver: String, untilNs: Int64) throws(StoreError) {
    try run(
      """
      insert into signalbox.receivers as r (name, kind, paused_until) values ($1, '', $2)
      on conflict (name) do update set paused_until = greatest(r.paused_until, excluded.paused_until)
      """, [.text(receiver), .time(us: untilNs / 1000)])
  }

  /// Ends of the pauses in force, ns since 1970, by receiver.
  package func pauses(nowNs: Int64) throws(StoreError) -> [String: Int64] {
    let rows = try ask(
      "select name, paused_until from signalbox.receivers where paused_until > $1", [.time(us: nowNs / 1000)])
    var found: [String: Int64] = [:]
    for row in 0..<rows.count { found[rows.text(row, 0) ?? ""] = rows.timeNs(row, 1) }
    return found
  }
}
