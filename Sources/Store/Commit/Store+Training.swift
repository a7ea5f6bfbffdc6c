internal import FleetModel
internal import Postgres

extension Store {
  /// Gives every source of a run that the plan mentions the number of its run; new runs get a row, as far as their host's quota goes, and reported
  /// states are stored.
  func runNumbers(of group: [StagedBatch], _ plan: GroupPlan) throws(PostgresError) -> [RunKey: Int32] {
    var mentions = RunMentions()
    for part in plan.spooled {
      let records = group[part.batch].batch.spooled[part.index].records
      mentions.add(arrival(of: group[part.batch]), nil, records.runs, records.steps, records.episodes)
      mentions.add(arrival(of: group[part.batch]), records.events)
    }
    for part in plan.files {
      let delta = group[part.batch].batch.files[part.index]
      mentions.add(arrival(of: group[part.batch]), delta.file, delta.runs, delta.steps, delta.episodes)
    }
    let runs = mentions.runs.sorted { $0.value.order < $1.value.order }
    if runs.isEmpty { return [:] }
    var numbers: [RunKey: Int32] = [:]
    for run in runs { numbers[run.key] = runNumbers[run.key] }
    let new = try numbersOfNew(runs.filter { numbers[$0.key] == nil })
    numbers.merge(new.numbers) { first, _ in first }
    try carryOut(runs.filter { numbers[$0.key] != nil }, of: "signalbox.runs", isLoss: true, host: \.key.host) {
      (runs) throws(PostgresError) in
      try update(runs, numbers)
    }
    let ofJobs = runs.filter { RunJobTables.isOfHosts(job: $0.value.job) }.compactMap { numbers[$0.key] }
    try carryOut(Set(ofJobs + new.again).sorted(), of: "signalbox.runs", host: { _ in 0 }) {
      (numbers) throws(PostgresError) in
      try joinJobs(Array(numbers))
    }
    return numbers
  }

  /// The latest word on a run's state counts; a backlog may bring older ones after it. That a file is not written any more does not undo
  /// that its process failed.
  private func update(_ runs: ArraySlice<RunSource>, _ numbers: [RunKey: Int32]) throws(PostgresError) {
    var mentions: [Int32: RunMentions.Mention] = [:]
    for run in runs { mentions[numbers[run.key] ?? 0, default: run.value].add(run.value) }
    let runs = Array(mentions)
    _ = try connection.queryPrepared(
      """
      update signalbox.runs r set
        state = case when u.reported = 2 and r.state = 3 or u.reported = 1 and r.is_superseded then r.state
          when u.reported >= 0 and u.reported_at >= coalesce(r.ended, r.started) then u.reported else r.state end,
        ended = case when u.reported = 2 and r.state = 3 or u.reported = 1 and r.is_superseded then r.ended
          when u.reported in (2, 3) and u.reported_at >= coalesce(r.ended, r.started) then u.reported_at
          when u.reported = 1 and u.reported_at > r.ended then null else r.ended end,
        started = least(r.started, u.first), updated = greatest(r.updated, u.last),
        framework = case when u.framework <> '' then u.framework else r.framework end,
        source = case when u.source <> '' then u.source else r.source end,
        name = case when u.name <> '' then u.name else r.name end, job = case when u.job <> '' then u.job else r.job end,
        ranks = case when u.rank >= 0 and not u.rank = any (r.ranks) and cardinality(r.ranks) < \(Limits.ranksMax)
          then r.ranks || u.rank else r.ranks end
      from unnest($1::int4[], $2::int2[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::text[],
        $8::text[], $9::text[], $10::int4[])
        as u (number, reported, reported_at, first, last, framework, source, name, job, rank)
      where r.number = u.number
      """,
      [
        .int4s(runs.map(\.key)), .int2s(runs.map { $0.value.state.map { Int16($0.rawValue) } ?? -1 }),
        .times(us: runs.map(\.value.reportedUs)), .times(us: runs.map(\.value.firstUs)),
        .times(us: runs.map(\.value.lastUs)), .texts(runs.map(\.value.framework)), .texts(runs.map(\.value.source)),
        .texts(runs.map(\.value.name)), .texts(runs.map(\.value.job)),
        .int4s(runs.map { $0.value.rank.map { Int32(clamping: $0) } ?? -1 }),
      ])
    try mergeDetails(runs.map { ($0.key, $0.value.details) })
  }

  /// A run of a job of several hosts is listed by the first of its newest attempts. Decided anew for all of them where one joins or is begun
  /// again, so that none is listed by a row that is not listed itself.
  ///
  /// Two hosts may join at one moment: the job's lock, held until the transaction ends, lets the second see the first.
  private func joinJobs(_ numbers: [Int32]) throws(PostgresError) {
    if numbers.isEmpty { return }
    let touched = """
      select distinct o.job, o.run from signalbox.runs r join signalbox.runs o on o.host = r.host and o.run = r.run
      where r.number = any ($1::int4[]) and \(RunJobTables.isOfHosts("o.job"))
      """
    _ = try connection.queryPrepared(
      """
      select from signalbox.locks where name in (select \(RunJobTables.lockName) from (\(touched)) t) order by name for update
      """, [.int4s(numbers)])
    _ = try connection.queryPrepared(
      """
      with members as (
        select r.number, r.of_job, r.job, r.run, r.started, \(Self.jobEnd) as finish
        from (\(touched)) t join signalbox.runs r on r.job = t.job and r.run = t.run
        where \(RunJobTables.isOfHosts("r.job")) and not r.is_superseded
      ),
      spans as (
        select *, coalesce(started > max(finish) over (partition by job, run order by started, number
          rows between unbounded preceding and 1 preceding), false) as is_apart
        from members
      ),
      jobs as (
        select *, count(*) filter (where is_apart) over (partition by job, run order by started, number) as span from spans
      ),
      listed as (
        select number, nullif(min(number) over (partition by job, run, span), number) as first from jobs
      )
      update signalbox.runs r set of_job = l.first from listed l where r.number = l.number and r.of_job is distinct from l.first
      """, [.int4s(numbers)])
  }

  /// Until when another host may join the same job, of a row `r`. Slurm numbers its jobs; all other ids are used again, for a training that begins
  /// when the one before has ended: half a minute is left for clocks, and an hour where no one reported an end.
  private static let jobEnd = """
    case when r.job like 'slurm:%' then 'infinity' when r.ended is null then r.updated + interval '1 hour'
      else r.ended + interval '30 seconds' end
    """

  /// A run reports its parameters once, at its start: what its end reports is added to them.
  private func mergeDetails(_ details: [(run: Int32, details: [String])]) throws(PostgresError) {
    let reported = details.flatMap { run in run.details.map { (run.run, $0) } }
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

/// A source of a run, and what a group reports of it.
typealias RunSource = (key: RunKey, value: RunMentions.Mention)

/// Which runs a group mentions, by their sources, and what it reports of them.
struct RunMentions {
  struct Mention {
    /// When the collector read it.
    var receivedNs: Int64
    /// Of the sources of a group.
    let order: Int
    /// Of the file; empty: the program reported it.
    let path: String
    var state: RunState?
    var reportedUs: Int64
    var firstUs: Int64
    var lastUs: Int64
    var framework = ""
    var source = ""
    var name = ""
    var job = ""
    var rank: UInt32?
    /// The first that was reported, with its mark.
    var beginning = RunBeginning.none
    var mark: UInt64 = 0
    /// JSON objects, in the order in which they were reported; no two of the same in a row.
    var details: [String] = []

    mutating func take(_ update: RunUpdate, timeUs: Int64) {
      if update.state != .unknown, state == nil || timeUs >= reportedUs {
        state = update.state
        reportedUs = timeUs
      }
      if !update.framework.isEmpty { framework = update.framework }
      if !update.source.isEmpty { source = update.source }
      if !update.name.isEmpty { name = update.name }
      if !update.job.isEmpty { job = update.job }
      rank = update.rank ?? rank
      if beginning == .none { (beginning, mark) = (update.beginning, update.mark) }
      if !update.detail.isEmpty, details.last != update.detail { details.append(update.detail) }
    }

    /// What another source reports of the same run.
    mutating func add(_ other: Mention) {
      if other.order == order { return }
      if let reported = other.state, state == nil || other.reportedUs >= reportedUs {
        (state, reportedUs) = (reported, other.reportedUs)
      }
      (firstUs, lastUs) = (min(firstUs, other.firstUs), max(lastUs, other.lastUs))
      if !other.framework.isEmpty { framework = other.framework }
      if !other.source.isEmpty { source = other.source }
      if !other.name.isEmpty { name = other.name }
      if !other.job.isEmpty { job = other.job }
      rank = other.rank ?? rank
      details += other.details
    }
  }

  private(set) var runs: [RunKey: Mention] = [:]

  /// - Parameter file: where it was read; nil: the program reported it.
  mutating func add(
    _ arrival: Arrival, _ file: FileIdentity?, _ updates: [RunUpdate], _ steps: [TrainingStep],
    _ episodes: [EpisodeSummary]
  ) {
    func time(_ ns: Int64) -> Int64 { arrival.stored(ns / 1000, within: Limits.oldestTrainingUs) }
    for update in updates {
      let timeUs = time(update.timeNs)
      mention(arrival, file, update.run, timeUs) { $0.take(update, timeUs: timeUs) }
    }
    // First and last stand for all between them: steps come in the order of their file.
    for step in [steps.first, steps.last].compacted() { mention(arrival, file, step.run, time(step.timeNs)) }
    if let first = steps.first?.run, steps.contains(where: { $0.run != first }) {
      for step in steps { mention(arrival, file, step.run, time(step.timeNs)) }
    }
    for episode in episodes { mention(arrival, file, episode.run, time(episode.timeNs)) }
  }

  /// What is known of runs by the ends of their processes.
  mutating func add(_ arrival: Arrival, _ events: [Event]) {
    for event in events {
      guard let end = event.processEnd, let exit = end.exit else { continue }
      for run in end.runs {
        var update = RunUpdate()
        update.state = exit == .code(0) ? .completed : .failed
        let timeUs = arrival.stored(event.timeNs / 1000, within: Limits.oldestTrainingUs)
        mention(arrival, nil, run, timeUs) { $0.take(update, timeUs: timeUs) }
      }
    }
  }

  private mutating func mention(
    _ arrival: Arrival, _ file: FileIdentity?, _ run: String, _ timeUs: Int64,
    _ change: (inout Mention) -> Void = { _ in }
  ) {
    let key = RunKey(host: arrival.host, run: RunName.stored(run), file: file?.key)
    var mention =
      runs[key]
      ?? Mention(
        receivedNs: arrival.receivedUs &* 1000, order: runs.count, path: file?.path ?? "", reportedUs: timeUs,
        firstUs: timeUs, lastUs: timeUs)
    mention.firstUs = min(mention.firstUs, timeUs)
    mention.lastUs = max(mention.lastUs, timeUs)
    change(&mention)
    runs[key] = mention
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
