internal import FleetModel

/// Totals a run, so that a list of runs costs by the rows it shows and not by the episodes that were ever stored.
enum RunTotalTables {
  /// The sums are of ended episodes only: the few that run are added by each query, through `episodes_running`.
  static let sql = """
    create table signalbox.run_totals (
      run integer primary key references signalbox.runs,
      ended bigint not null,
      completed bigint not null,
      hollow bigint not null,
      -- numeric: the sum of what writers report as lengths may exceed a bigint.
      steps numeric not null,
      reward_count bigint not null,
      reward_sum double precision not null,
      sharpe_count bigint not null,
      sharpe_sum double precision not null,
      newest timestamptz
    ) with (fillfactor = 70);
    \(fill);
    create index episodes_running on signalbox.episodes (run) where state = 0;
    create index runs_updated on signalbox.runs (updated desc);
    """

  /// Adds up all ended episodes anew.
  static let fill = """
    insert into signalbox.run_totals
      select e.run, count(*), count(*) filter (where e.state = 1),
        count(*) filter (where e.state = 1 and f.steps = 0), sum(f.steps),
        count(f.total_reward) filter (where \(RunTotal.isCounted("f.total_reward"))),
        coalesce(sum(f.total_reward) filter (where \(RunTotal.isCounted("f.total_reward"))), 0),
        count(f.sharpe_ratio) filter (where \(RunTotal.isCounted("f.sharpe_ratio"))),
        coalesce(sum(f.sharpe_ratio) filter (where \(RunTotal.isCounted("f.sharpe_ratio"))), 0), max(e.updated)
      from signalbox.episodes e \(EpisodeFigures.laterals)
      where e.state <> 0 group by e.run
    """
}

/// The figures of one stored episode as SQL, by the definitions of `EpisodeMetrics`.
///
/// PostgreSQL refuses a product or quotient that overflows or underflows, and with it the whole statement: one episode
/// with a portfolio of 1e300 would make the whole list fail. So each is bounded before it is formed, and is
/// NULL where it cannot be.
enum EpisodeFigures {
  /// To follow a `from` in which `e` is `signalbox.episodes`; `f` then has `steps`, `total_reward`, `return_mean`,
  /// `return_downside` and `sharpe_ratio`. Plain expressions: the planner leaves out what is not asked for.
  static let laterals = """
    cross join lateral (
      select \(quotient("e.return_sum", "e.return_count::float8")) as mean,
        \(quotient("e.return_square_sum", "e.return_count::float8")) as square_mean,
        \(quotient("e.return_downside_square_sum", "e.return_count::float8")) as downside_square_mean
    ) m
    cross join lateral (
      select case when m.square_mean is not null and m.mean is not null
        then sqrt(greatest(0, m.square_mean - \(square("m.mean")))) end as deviation
    ) d
    cross join lateral (
      select case when e.final_steps > 0 then e.final_steps else e.steps end as steps,
        coalesce(e.final_reward, case when e.reward_count > 0 then e.reward_sum end) as total_reward,
        m.mean as return_mean,
        case when m.downside_square_mean >= 0 then sqrt(m.downside_square_mean) end as return_downside,
        case when d.deviation <= \(EpisodeMetrics.deviationMinimum) then 0
          else \(quotient("m.mean", "d.deviation")) end as sharpe_ratio
    ) f
    """

  /// `a / b`, both double precision; NULL where it would leave the range of a double.
  static func quotient(_ a: String, _ b: String) -> String {
    "case when abs(\(b)) between 1e-150 and 1e150 and abs(\(a)) <= 1e150 then case when abs(\(a)) < 1e-150 then 0 else \(a) / \(b) end end"
  }

  private static func square(_ a: String) -> String {
    "case when abs(\(a)) < 1e-150 then 0 when abs(\(a)) <= 1e150 then \(a) * \(a) end"
  }
}
