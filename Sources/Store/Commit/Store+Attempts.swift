internal import FleetModel
internal import Postgres

/// Which attempt at a run a source belongs to: decided once, when the source is first seen, and kept.
///
/// A run that is started again in its place is a new attempt, with rows of its own: its episodes and steps begin at one again. Rotated files go
/// on with the attempt that is under way, and so do further sources of it.
struct RunAttempts {
  /// A row of `signalbox.runs` that there is, or one that is to be made.
  struct Attempt {
    var number: Int32?
    var attempt: Int32
    var hasEnded: Bool
    /// Marks by path of the sources that joined in this group.
    var sources: [String: UInt64] = [:]
  }

  /// The newest attempts that the database has, by run.
  struct Known {
    let number: Int32
    let attempt: Int32
    let hasEnded: Bool
    /// One of its sources has this path.
    let hasPath: Bool
    /// And began with the same.
    let hasMark: Bool
  }

  private(set) var attempts: [Attempt] = []
  private var newest: [RunKey: Int] = [:]
  /// Which attempt each source belongs to: an index of `attempts`.
  private(set) var places: [RunKey: Int] = [:]

  /// - Parameter known: what the database has of the run and of this source's path; nil: no such run.
  mutating func place(_ key: RunKey, _ mention: RunMentions.Mention, known: Known?) {
    let run = key.ofRun
    if newest[run] == nil, let known {
      attempts.append(Attempt(number: known.number, attempt: known.attempt, hasEnded: known.hasEnded))
      newest[run] = attempts.count - 1
    }
    guard let place = newest[run] else { return begin(key, run, mention, attempt: 1) }
    let now = attempts[place]
    let isKnown = known.map { $0.number == now.number } ?? false
    let mark = now.sources[mention.path]
    let hasPath = mark != nil || isKnown && known?.hasPath == true
    let hasMark = mention.mark != 0 && (mark == mention.mark || isKnown && known?.hasMark == true)
    let isNew: Bool
    switch mention.beginning {
    case .none: isNew = false
    case .source: isNew = key.file != nil && hasPath ? !hasMark : now.hasEnded && !hasMark
    case .takeover: isNew = true
    }
    if isNew { return begin(key, run, mention, attempt: now.attempt &+ 1) }
    join(key, place, mention)
  }

  private mutating func begin(_ key: RunKey, _ run: RunKey, _ mention: RunMentions.Mention, attempt: Int32) {
    attempts.append(Attempt(number: nil, attempt: attempt, hasEnded: false))
    newest[run] = attempts.count - 1
    join(key, attempts.count - 1, mention)
  }

  private mutating func join(_ key: RunKey, _ place: Int, _ mention: RunMentions.Mention) {
    places[key] = place
    if key.file != nil { attempts[place].sources[mention.path] = mention.mark }
  }
}

extension Store {
  /// Gives sources that are new a row of their run, made where it is another attempt.
  /// - Returns: also which rows are made of runs that were begun again.
  func numbersOfNew(_ sources: [RunSource]) throws(PostgresError) -> (numbers: [RunKey: Int32], again: [Int32]) {
    var numbers = try joined(sources)
    let new = sources.filter { numbers[$0.key] == nil }.sorted { $0.value.order < $1.value.order }
    if new.isEmpty { return (numbers, []) }
    let known = try newestAttempts(of: new)
    var attempts = RunAttempts()
    for (source, known) in zip(new, known) { attempts.place(source.key, source.value, known: known) }
    var begun: [(key: RunKey, value: NewAttempt)] = []
    var isSeen: Set<Int> = []
    for source in new {
      guard let place = attempts.places[source.key] else { continue }
      let attempt = attempts.attempts[place]
      if let number = attempt.number {
        numbers[source.key] = number
      } else if isSeen.insert(place).inserted,
        quotas[source.key.host].take(1, of: .runs, nowNs: source.value.receivedNs) == 1
      {
        begun.append((source.key.ofRun, NewAttempt(attempt: attempt.attempt, place: place, mention: source.value)))
      }
    }
    var made: [Int: Int32] = [:]
    try carryOut(begun, of: "signalbox.runs", isLoss: true, host: \.key.host) { (runs) throws(PostgresError) in
      let rows = try insert(runs)
      for row in 0..<rows.count {
        let index = runs.startIndex + Int(rows.int(row, 1) ?? 0)
        if runs.indices.contains(index) { made[runs[index].value.place] = Int32(clamping: rows.int(row, 0) ?? 0) }
      }
    }
    for source in new where numbers[source.key] == nil {
      numbers[source.key] = attempts.places[source.key].flatMap { made[$0] }
    }
    try keepSources(new, numbers)
    return (numbers, begun.filter { $0.value.attempt > 1 }.compactMap { made[$0.value.place] })
  }

  struct NewAttempt {
    let attempt: Int32
    let place: Int
    let mention: RunMentions.Mention
  }

  /// Sources that have joined an attempt before.
  private func joined(_ sources: [RunSource]) throws(PostgresError) -> [RunKey: Int32] {
    var numbers: [RunKey: Int32] = [:]
    let files = sources.filter { $0.key.file != nil }
    if files.isEmpty { return numbers }
    let rows = try connection.queryPrepared(
      """
      select u.ordinal - 1, s.run from unnest($1::int4[], $2::text[], $3::uuid[]) with ordinality as u (host, run, key, ordinal)
      join signalbox.runs r on r.host = u.host and r.run = u.run
      join signalbox.run_sources s on s.run = r.number and s.key = u.key
      """,
      [
        .int4s(files.map(\.key.host)), .texts(files.map(\.key.run)),
        .uuids(files.map { ($0.key.file?.high ?? 0, $0.key.file?.low ?? 0) }),
      ])
    for row in 0..<rows.count {
      guard let index = rows.int(row, 0), files.indices.contains(Int(index)) else { continue }
      numbers[files[Int(index)].key] = Int32(clamping: rows.int(row, 1) ?? 0)
    }
    return numbers
  }

  /// The newest attempt at each source's run, and whether it has the source's path. A run of an earlier version, whose name was made of its
  /// one file, gets the name that it has now.
  private func newestAttempts(of sources: [RunSource]) throws(PostgresError) -> [RunAttempts.Known?] {
    let parameters: [Parameter] = [
      .int4s(sources.map(\.key.host)), .texts(sources.map(\.key.run)), .texts(sources.map(\.value.path)),
    ]
    _ = try connection.queryPrepared(
      """
      update signalbox.runs r set run = u.run, name = u.run from (
        select distinct on (u.host, u.run) o.number, u.run
        from unnest($1::int4[], $2::text[], $3::text[]) as u (host, run, path)
        join signalbox.runs o on o.host = u.host and o.source = u.path and o.source like '/%' and o.state = 1 and o.run <> u.run
          and not o.is_superseded and not exists (select from signalbox.run_sources s where s.run = o.number)
        where not exists (select from signalbox.runs n where n.host = u.host and n.run = u.run)
        order by u.host, u.run, o.updated desc
      ) u where r.number = u.number
      """, parameters)
    let rows = try connection.queryPrepared(
      """
      select u.ordinal - 1, r.number, r.attempt, r.state in (2, 3),
        exists (select from signalbox.run_sources s where s.run = r.number and s.path = u.path),
        exists (select from signalbox.run_sources s where s.run = r.number and s.path = u.path and s.mark = u.mark)
      from unnest($1::int4[], $2::text[], $3::text[], $4::int8[]) with ordinality as u (host, run, path, mark, ordinal)
      cross join lateral (
        select * from signalbox.runs r where r.host = u.host and r.run = u.run order by r.attempt desc limit 1
      ) r
      """, parameters + [.int8s(sources.map { Int64(bitPattern: $0.value.mark) })])
    var known: [RunAttempts.Known?] = Array(repeating: nil, count: sources.count)
    for row in 0..<rows.count {
      guard let index = rows.int(row, 0), known.indices.contains(Int(index)) else { continue }
      known[Int(index)] = RunAttempts.Known(
        number: Int32(clamping: rows.int(row, 1) ?? 0), attempt: Int32(clamping: rows.int(row, 2) ?? 1),
        hasEnded: rows.bool(row, 3) ?? false, hasPath: rows.bool(row, 4) ?? false, hasMark: rows.bool(row, 5) ?? false)
    }
    return known
  }

  /// The attempt before is over: how it ended is not known, where no one reported it.
  private func insert(_ runs: ArraySlice<(key: RunKey, value: NewAttempt)>) throws(PostgresError) -> Rows {
    try connection.queryPrepared(
      """
      with u as (
        select * from unnest($1::int4[], $2::text[], $3::timestamptz[], $4::int4[]) with ordinality
          as u (host, run, started, attempt, ordinal)
      ),
      before as (
        update signalbox.runs r set is_superseded = true, state = case when r.state = 1 then 0 else r.state end,
          ended = coalesce(r.ended, r.updated)
        from u where r.host = u.host and r.run = u.run and r.attempt < u.attempt and not r.is_superseded
      ),
      added as (
        insert into signalbox.runs (host, run, name, attempt, state, started, updated, ended, is_superseded)
        select host, run, run, attempt, case when l.is_superseded then 0 else 1 end, started, started,
          case when l.is_superseded then started end, l.is_superseded
        from u cross join lateral (
          select exists (
            select from u later where later.host = u.host and later.run = u.run and later.attempt > u.attempt) as is_superseded
        ) l returning number, host, run, attempt
      )
      select a.number, u.ordinal - 1 from added a join u using (host, run, attempt)
      """,
      [
        .int4s(runs.map(\.key.host)), .texts(runs.map(\.key.run)), .times(us: runs.map(\.value.mention.firstUs)),
        .int4s(runs.map(\.value.attempt)),
      ])
  }

  private func keepSources(_ sources: [RunSource], _ numbers: [RunKey: Int32]) throws(PostgresError) {
    let kept = sources.filter { $0.key.file != nil && numbers[$0.key] != nil }
    try carryOut(kept, of: "signalbox.run_sources", isLoss: false, host: \.key.host) {
      (sources) throws(PostgresError) in
      _ = try connection.queryPrepared(
        """
        insert into signalbox.run_sources (run, key, path, mark, began)
        select * from unnest($1::int4[], $2::uuid[], $3::text[], $4::int8[], $5::timestamptz[]) on conflict do nothing
        """,
        [
          .int4s(sources.map { numbers[$0.key] ?? 0 }),
          .uuids(sources.map { ($0.key.file?.high ?? 0, $0.key.file?.low ?? 0) }), .texts(sources.map(\.value.path)),
          .int8s(sources.map { Int64(bitPattern: $0.value.mark) }), .times(us: sources.map(\.value.firstUs)),
        ])
    }
  }
}
