internal import FleetModel
internal import Postgres

/// What ended episodes add to the totals of their run (`signalbox.run_totals`).
///
/// A running episode adds nothing: its figures change with each commit, and a list of runs reads the few that run
/// directly.
struct RunTotal: Equatable {
  private(set) var ended: Int64 = 0
  private(set) var completed: Int64 = 0
  /// Completed without a step.
  private(set) var hollow: Int64 = 0
  /// 128 bits: two lengths that a writer reports may already exceed an Int64.
  private(set) var steps: Int128 = 0
  private(set) var rewardCount: Int64 = 0
  private(set) var rewardSum: Double = 0
  private(set) var sharpeCount: Int64 = 0
  private(set) var sharpeSum: Double = 0
  /// µs since 1970; 0 = no ended episode.
  private(set) var newestUs: Int64 = 0

  /// A figure beyond it is left out of the mean: adding it and taking it away again would leave nothing of the others.
  static let magnitudeMax = 1e100

  /// The same bound as SQL.
  static func isCounted(_ figure: String) -> String { "abs(\(figure)) <= \(magnitudeMax)" }

  init() {}

  /// What one episode adds.
  init(of summary: EpisodeSummary) {
    guard summary.state != .running else { return }
    let metrics = summary.metrics
    ended = 1
    completed = summary.state == .completed ? 1 : 0
    hollow = completed == 1 && metrics.steps == 0 ? 1 : 0
    steps = Int128(metrics.steps)
    if let reward = Self.counted(metrics.totalReward) { (rewardCount, rewardSum) = (1, reward) }
    if let sharpe = Self.counted(metrics.sharpeRatio) { (sharpeCount, sharpeSum) = (1, sharpe) }
    newestUs = summary.timeNs / 1000
  }

  private static func counted(_ figure: Double) -> Double? { abs(figure) <= magnitudeMax ? figure : nil }

  /// Takes `old` away and adds `new`: an episode's summary was replaced.
  mutating func replace(_ old: RunTotal, by new: RunTotal) {
    // At most as many episodes as a group has rows: no count comes near its bounds.
    ended += new.ended - old.ended
    completed += new.completed - old.completed
    hollow += new.hollow - old.hollow
    steps += new.steps - old.steps
    rewardCount += new.rewardCount - old.rewardCount
    rewardSum += new.rewardSum - old.rewardSum
    sharpeCount += new.sharpeCount - old.sharpeCount
    sharpeSum += new.sharpeSum - old.sharpeSum
    newestUs = max(newestUs, new.newestUs)
  }
}

extension Store {
  /// Makes the totals of all runs anew from their episodes: for rows that did not come by `commit`.
  package func recomputeRunTotals() throws(StoreError) {
    try inTransaction { () throws(StoreError) in
      try run("lock table signalbox.episodes in share mode")
      try run("delete from signalbox.run_totals")
      try run(RunTotalTables.fill)
    }
  }

  /// Adds a group's changes to the totals of its runs. The hosts' locks keep other writers away from their rows.
  func storeTotals(_ changes: [Int32: RunTotal]) throws(PostgresError) {
    let changes = changes.filter { $0.value != RunTotal() }.sorted { $0.key < $1.key }
    if changes.isEmpty { return }
    let totals = changes.map(\.value)
    _ = try connection.queryPrepared(
      """
      insert into signalbox.run_totals as t
        (run, ended, completed, hollow, steps, reward_count, reward_sum, sharpe_count, sharpe_sum, newest)
      select u.run, u.ended, u.completed, u.hollow, u.steps::numeric, u.reward_count, u.reward_sum, u.sharpe_count,
        u.sharpe_sum, u.newest
      from unnest($1::int4[], $2::int8[], $3::int8[], $4::int8[], $5::text[], $6::int8[], $7::float8[], $8::int8[],
        $9::float8[], $10::timestamptz[])
        as u (run, ended, completed, hollow, steps, reward_count, reward_sum, sharpe_count, sharpe_sum, newest)
      on conflict (run) do update set ended = t.ended + excluded.ended, completed = t.completed + excluded.completed,
        hollow = t.hollow + excluded.hollow, steps = t.steps + excluded.steps,
        reward_count = t.reward_count + excluded.reward_count, reward_sum = t.reward_sum + excluded.reward_sum,
        sharpe_count = t.sharpe_count + excluded.sharpe_count, sharpe_sum = t.sharpe_sum + excluded.sharpe_sum,
        newest = greatest(t.newest, excluded.newest)
      """,
      [
        .int4s(changes.map(\.key)), .int8s(totals.map(\.ended)), .int8s(totals.map(\.completed)),
        .int8s(totals.map(\.hollow)), .texts(totals.map { "\($0.steps)" }), .int8s(totals.map(\.rewardCount)),
        .float8s(totals.map(\.rewardSum)), .int8s(totals.map(\.sharpeCount)), .float8s(totals.map(\.sharpeSum)),
        .times(us: totals.map { $0.newestUs == 0 ? nil : $0.newestUs }),
      ])
  }
}
