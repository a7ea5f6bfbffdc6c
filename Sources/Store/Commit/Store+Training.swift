internal import FleetModel
internal import Postgres

extension Store {
  /// Gives every run that the plan mentions its number; new ones get a row, as far as their host's quota goes, and reported
  /// states are stored.
  func runNumbers(of group: [StagedBatch], _ plan: GroupPlan) throws(PostgresError) -> [RunKey: Int32] {
    var mentions = RunMentions()
    for part in plan.spooled {
      let records = group[part.batch].batch.spooled[part.index].records
      mentions.add(arrival(of: group[part.batch]), records.runs, records.steps, records.episodes)
    }
    for part in plan.files {
      let delta = group[part.batch].batch.files[part.index]
      mentions.add(arrival(of: group[part.batch]), delta.runs, delta.steps, delta.episodes)
    }
    let runs = Array(mentions.runs)
    if runs.isEmpty { return [:] }
    let numbers = try insertMissing(runs)
    try carryOut(runs.filter { numbers[$0.key] != nil }, of: "signalbox.runs", isLoss: true, host: \.key.host) {
      (runs) throws(PostgresError) in
      try update(runs, numbers)
    }
    return numbers
  }

  private func insertMissing(
    _ runs: [(key: RunKey, value: RunMentions.Mention)]
  ) throws(PostgresError) -> [RunKey: Int32] {
    var numbers: [RunKey: Int32] = [:]
    let missing = runs.filter { runNumbers[$0.key] == nil }
    for run in runs { numbers[run.key] = runNumbers[run.key] }
    if missing.isEmpty { return numbers }
    // Looked for first: an insert that finds its row would use up a number all the same, and the host's lock keeps others
    // from inserting it meanwhile.
    let found = try connection.queryPrepared(
      """
      select r.number, r.host, r.run from unnest($1::int4[], $2::text[]) as u (host, run)
      join signalbox.runs r on r.host = u.host and r.run = u.run
      """, [.int4s(missing.map(\.key.host)), .texts(missing.map(\.key.run))])
    found.readNumbers(into: &numbers)
    let new = missing.filter {
      numbers[$0.key] == nil && quotas[$0.key.host].take(1, of: .runs, nowNs: $0.value.receivedNs) == 1
    }
    if new.isEmpty { return numbers }
    try carryOut(new, of: "signalbox.runs", isLoss: true, host: \.key.host) { (runs) throws(PostgresError) in
      try insert(runs).readNumbers(into: &numbers)
    }
    return numbers
  }

  private func insert(_ runs: ArraySlice<(key: RunKey, value: RunMentions.Mention)>) throws(PostgresError) -> Rows {
    try connection.queryPrepared(
      """
      insert into signalbox.runs (host, run, state, started, updated)
      select host, run, 1, started, started from unnest($1::int4[], $2::text[], $3::timestamptz[]) as u (host, run, started)
      returning number, host, run
      """,
      [.int4s(runs.map(\.key.host)), .texts(runs.map(\.key.run)), .times(us: runs.map(\.value.firstUs))])
  }

  /// The latest word on a run's state counts; a backlog may bring older ones after it.
  private func update(
    _ runs: ArraySlice<(key: RunKey, value: RunMentions.Mention)>, _ numbers: [RunKey: Int32]
  ) throws(PostgresError) {
    _ = try connection.queryPrepared(
      """
      update signalbox.runs r set
        state = case when u.reported >= 0 and u.reported_at >= coalesce(r.ended, r.started) then u.reported else r.state end,
        ended = case when u.reported in (2, 3) and u.reported_at >= coalesce(r.ended, r.started) then u.reported_at
          when u.reported = 1 and u.reported_at > r.ended then null else r.ended end,
        started = least(r.started, u.first), updated = greatest(r.updated, u.last),
        framework = case when u.framework <> '' then u.framework else r.framework end,
        source = case when u.source <> '' then u.source else r.source end
      from unnest($1::int4[], $2::int2[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::text[])
        as u (number, reported, reported_at, first, last, framework, source)
      where r.number = u.number
      """,
      [
        .int4s(runs.map { numbers[$0.key] ?? 0 }), .int2s(runs.map { $0.value.state.map { Int16($0.rawValue) } ?? -1 }),
        .times(us: runs.map(\.value.reportedUs)), .times(us: runs.map(\.value.firstUs)),
        .times(us: runs.map(\.value.lastUs)),
        .texts(runs.map(\.value.framework)), .texts(runs.map(\.value.source)),
      ])
    try mergeDetails(runs, numbers)
  }

  /// A run reports its parameters once, at its start: what its end reports is added to them.
  private func mergeDetails(
    _ runs: ArraySlice<(key: RunKey, value: RunMentions.Mention)>, _ numbers: [RunKey: Int32]
  ) throws(PostgresError) {
    let reported = runs.flatMap { run in run.value.details.map { (numbers[run.key] ?? 0, $0) } }
    if reported.isEmpty { return }
    _ = try connection.queryPrepared(
      """
      update signalbox.runs r set detail = signalbox.merged_detail(r.detail, u.details)
      from (
        select number, array_agg(detail order by ordinal) as details
        from unnest($1::int4[], $2::text[]) with ordinality as t (number, detail, ordinal) group by number
      ) u where r.number = u.number
      """, [.int4s(reported.map(\.0)), .texts(reported.map(\.1))])
  }

  /// Adds a group's ranges to what is stored of their episodes. The hosts' locks keep other writers away from their rows.
  func mergeEpisodes(_ training: TrainingCollector, _ group: [StagedBatch]) throws(PostgresError) {
    let nowNs = group.map(\.receivedNs).max() ?? 0
    // Asked once for each, however often a group with a refused episode is taken apart.
    var isWithinQuota: [EpisodeKey: Bool] = [:]
    try carryOut(
      Array(training.episodes), of: "signalbox.episodes", isLoss: true, host: { training.hostOfRun[$0.key.run] ?? 0 }
    ) { (fresh) throws(PostgresError) in
      try merge(Dictionary(fresh.map { ($0.key, $0.value) }) { first, _ in first }) { key in
        if let known = isWithinQuota[key] { return known }
        let isWithin = training.hostOfRun[key.run].map { quotas[$0].take(1, of: .episodes, nowNs: nowNs) == 1 } ?? true
        isWithinQuota[key] = isWithin
        return isWithin
      }
    }
  }

  private func merge(
    _ fresh: [EpisodeKey: EpisodeSummary], isWithinQuota: (EpisodeKey) -> Bool
  ) throws(PostgresError) {
    rows.episodes.removeAll()
    let keys = Array(fresh.keys)
    var whole = fresh
    var totals: [Int32: RunTotal] = [:]
    // Deleted and copied in again: a row that is changed is written anew by PostgreSQL anyway.
    let stored = try connection.queryPrepared(
      """
      delete from signalbox.episodes e using unnest($1::int4[], $2::int8[]) as u (run, episode)
      where e.run = u.run and e.episode = u.episode returning \(TrainingRows.episodeColumns.qualified("e"))
      """, [.int4s(keys.map(\.run)), .int8s(keys.map(\.episode))])
    var known: Set<EpisodeKey> = []
    for row in 0..<stored.count {
      let key = EpisodeKey(run: Int32(clamping: stored.int(row, 0) ?? 0), episode: stored.int(row, 1) ?? 0)
      let old = stored.episode(row)
      known.insert(key)
      if let next = fresh[key] { whole[key] = old.merged(with: next) }
      totals[key.run, default: RunTotal()].replace(RunTotal(of: old), by: RunTotal())
    }
    for (key, summary) in whole {
      // A new one has a quota; one that was there is written back in any case.
      if !known.contains(key), !isWithinQuota(key) { continue }
      rows.append(summary, run: key.run)
      totals[key.run, default: RunTotal()].replace(RunTotal(), by: RunTotal(of: summary))
    }
    try connection.copyIn("signalbox.episodes", columns: TrainingRows.episodeColumns, rows.episodes)
    try storeTotals(totals)
  }
}

/// Which runs a group mentions, and what it reports of them.
struct RunMentions {
  struct Mention {
    /// When the collector read it.
    var receivedNs: Int64
    var state: RunState?
    var reportedUs: Int64
    var firstUs: Int64
    var lastUs: Int64
    var framework = ""
    var source = ""
    /// JSON objects, in the order in which they were reported; no two of the same in a row.
    var details: [String] = []
  }

  private(set) var runs: [RunKey: Mention] = [:]

  mutating func add(_ arrival: Arrival, _ updates: [RunUpdate], _ steps: [TrainingStep], _ episodes: [EpisodeSummary]) {
    for update in updates {
      let timeUs = arrival.stored(update.timeNs / 1000, within: Limits.oldestTrainingUs)
      mention(arrival, update.run, timeUs) { mention in
        if update.state != .unknown, mention.state == nil || timeUs >= mention.reportedUs {
          mention.state = update.state
          mention.reportedUs = timeUs
        }
        if !update.framework.isEmpty { mention.framework = update.framework }
        if !update.source.isEmpty { mention.source = update.source }
        if !update.detail.isEmpty, mention.details.last != update.detail { mention.details.append(update.detail) }
      }
    }
    // First and last stand for all between them: steps come in the order of their file.
    for step in [steps.first, steps.last].compacted() {
      mention(arrival, step.run, arrival.stored(step.timeNs / 1000, within: Limits.oldestTrainingUs)) { _ in }
    }
    if let first = steps.first?.run, steps.contains(where: { $0.run != first }) {
      for step in steps {
        mention(arrival, step.run, arrival.stored(step.timeNs / 1000, within: Limits.oldestTrainingUs)) { _ in }
      }
    }
    for episode in episodes {
      mention(arrival, episode.run, arrival.stored(episode.timeNs / 1000, within: Limits.oldestTrainingUs)) { _ in
      }
    }
  }

  private mutating func mention(_ arrival: Arrival, _ run: String, _ timeUs: Int64, _ change: (inout Mention) -> Void) {
    let key = RunKey(host: arrival.host, run: RunName.stored(run))
    var mention =
      runs[key] ?? Mention(receivedNs: arrival.receivedUs &* 1000, reportedUs: timeUs, firstUs: timeUs, lastUs: timeUs)
    mention.firstUs = min(mention.firstUs, timeUs)
    mention.lastUs = max(mention.lastUs, timeUs)
    change(&mention)
    runs[key] = mention
  }
}

extension Rows {
  /// Rows of number, host and name.
  fileprivate func readNumbers(into numbers: inout [RunKey: Int32]) {
    for row in 0..<count {
      numbers[RunKey(host: Int32(clamping: int(row, 1) ?? 0), run: text(row, 2) ?? "")] = Int32(
        clamping: int(row, 0) ?? 0)
    }
  }
}

extension Array {
  func compacted<Wrapped>() -> [Wrapped] where Element == Wrapped? { compactMap { $0 } }
}

extension String {
  /// "a, b" as "e.a, e.b".
  func qualified(_ alias: String) -> String {
    split(separator: ",").map { "\(alias).\($0.split(separator: " ").joined())" }.joined(separator: ", ")
  }
}

extension Rows {
  /// A row of `TrainingRows.episodeColumns`; NULL is NaN.
  func episode(_ row: Int) -> EpisodeSummary {
    func whole(_ column: Int) -> Int64 { int(row, column) ?? 0 }
    func count(_ column: Int) -> UInt64 { UInt64(clamping: whole(column)) }
    func number(_ column: Int) -> Double { double(row, column) ?? .nan }
    var summary = EpisodeSummary()
    summary.episode = whole(1)
    summary.timeNs = timeNs(row, 2) ?? 0
    summary.state = EpisodeState(rawValue: UInt8(clamping: whole(3))) ?? .running
    summary.startedNs = timeNs(row, 4) ?? 0
    summary.steps = count(5)
    summary.firstStep = whole(6)
    summary.lastStep = whole(7)
    summary.rewardCount = count(8)
    // Sums start at 0; only an overflow to infinity leaves a NULL.
    summary.rewardSum = double(row, 9) ?? 0
    summary.rewardMinimum = number(10)
    summary.rewardMaximum = number(11)
    summary.rewardSquareSum = double(row, 12) ?? 0
    summary.valueCount = count(13)
    summary.valueFirst = number(14)
    summary.valueLast = number(15)
    summary.valuePeak = number(16)
    summary.valueTrough = number(17)
    summary.drawdownMaximumRatio = double(row, 18) ?? 0
    summary.returnCount = count(19)
    summary.returnSum = double(row, 20) ?? 0
    summary.returnSquareSum = double(row, 21) ?? 0
    summary.returnDownsideSquareSum = double(row, 22) ?? 0
    summary.tradesClosed = count(23)
    summary.tradesWon = count(24)
    summary.headPosition = number(25)
    summary.headEndValue = number(26)
    summary.tailPosition = number(27)
    summary.tailStartValue = number(28)
    summary.finalSteps = whole(29)
    summary.finalReward = number(30)
    return summary
  }
}
