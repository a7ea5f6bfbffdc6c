internal import FleetModel

/// Episodes with the figures that people ask for, by the same definitions as `EpisodeMetrics`; NULL where that has NaN.
enum EpisodeView {
  static let sql =
    view
    + EpisodeMetrics.definitions.map {
      "comment on column public.episodes.\($0.name) is '\($0.text)';\n"
    }.joined()

  /// The same columns by bounded figures: NULL without a portfolio, and no episode that makes the whole list fail. No union,
  /// so that the planner leaves out what is not asked for.
  static let bounded = """
    create or replace view public.episodes as
      select h.name as host, r.run, e.episode,
        case e.state when 0 then 'running' when 1 then 'completed' when 2 then 'force_closed' end as status,
        e.started, e.updated, f.steps, e.first_step, e.last_step, f.total_reward,
        e.reward_minimum, e.reward_maximum, e.value_first, e.value_last, e.value_peak, e.value_trough,
        case when abs(e.value_first) <= 1e300 and abs(e.value_last) <= 1e300 then e.value_last - e.value_first end as pnl,
        t.trades_closed, t.trades_won, t.trades_won::double precision / nullif(t.trades_closed, 0) as win_rate_ratio,
        case when e.value_count > 0 then e.drawdown_maximum_ratio end as max_drawdown_ratio, f.sharpe_ratio,
        case when f.return_downside > \(EpisodeMetrics.deviationMinimum)
          then \(EpisodeFigures.quotient("f.return_mean", "f.return_downside")) end as sortino_ratio,
        \(EpisodeFigures.quotient("g.growth", "e.drawdown_maximum_ratio")) as calmar_ratio
      from signalbox.episodes e
      left join signalbox.runs r on r.number = e.run
      left join signalbox.hosts h on h.number = r.host
      \(EpisodeFigures.laterals)
      cross join lateral (
        select case when e.value_first > 0 and e.drawdown_maximum_ratio > 0
          then \(EpisodeFigures.quotient("e.value_last", "e.value_first")) - 1 end as growth
      ) g
      cross join lateral (
        select e.value_count > 0 and e.head_end_value is not null and coalesce(e.head_position, 0) <> 0 as closes_head,
          e.value_count > 0 and e.state <> 0 and e.tail_position <> 0 as closes_tail
      ) c
      cross join lateral (
        select case when e.value_count > 0 then e.trades_closed::numeric else 0 end + c.closes_head::int
            + coalesce(c.closes_tail, false)::int as closed,
          case when e.value_count > 0 then e.trades_won::numeric else 0 end
            + (c.closes_head and e.head_end_value > e.value_first)::int
            + coalesce(c.closes_tail and e.value_last > e.tail_start_value, false)::int as won
      ) n
      cross join lateral (
        select least(n.closed, 9223372036854775807)::bigint as trades_closed,
          least(n.won, 9223372036854775807)::bigint as trades_won
      ) t;

    """

  /// And of which attempt at their run they are.
  static let ofAttempts = bounded.replacing(
    "as calmar_ratio\n",
    with: "as calmar_ratio, r.attempt, e.episode / \(TrainingStep.episodesPerEnvironment) as environment\n")

  private static let view = """
    create view public.episodes as
      select h.name as host, r.run, e.episode,
        case e.state when 0 then 'running' when 1 then 'completed' when 2 then 'force_closed' end as status,
        e.started, e.updated,
        case when e.final_steps > 0 then e.final_steps else e.steps end as steps, e.first_step, e.last_step,
        coalesce(e.final_reward, case when e.reward_count > 0 then e.reward_sum end) as total_reward,
        e.reward_minimum, e.reward_maximum, e.value_first, e.value_last, e.value_peak, e.value_trough,
        e.value_last - e.value_first as pnl,
        t.trades_closed, t.trades_won, t.trades_won::double precision / nullif(t.trades_closed, 0) as win_rate_ratio,
        case when e.value_count > 0 then e.drawdown_maximum_ratio end as max_drawdown_ratio,
        case when s.deviation <= 1e-8 then 0 else s.mean / s.deviation end as sharpe_ratio,
        case when s.downside > 1e-8 then s.mean / s.downside end as sortino_ratio,
        case when e.value_first > 0 and e.drawdown_maximum_ratio > 0
          then (e.value_last / e.value_first - 1) / e.drawdown_maximum_ratio end as calmar_ratio
      from signalbox.episodes e
      left join signalbox.runs r on r.number = e.run
      left join signalbox.hosts h on h.number = r.host
      cross join lateral (
        select e.return_sum / nullif(e.return_count, 0) as mean,
          sqrt(e.return_downside_square_sum / nullif(e.return_count, 0)) as downside,
          sqrt(greatest(0, e.return_square_sum / nullif(e.return_count, 0)
            - (e.return_sum / nullif(e.return_count, 0)) * (e.return_sum / nullif(e.return_count, 0)))) as deviation
      ) s
      cross join lateral (
        select
          e.trades_closed + (x.is_closed and x.position <> 0)::int + (e.state <> 0 and e.tail_position <> 0)::int as trades_closed,
          e.trades_won + (x.is_closed and x.position <> 0 and e.head_end_value > e.value_first)::int
            + (e.state <> 0 and e.tail_position <> 0 and e.value_last > e.tail_start_value)::int as trades_won
        from (select e.head_end_value is not null as is_closed, coalesce(e.head_position, 0) as position) x
        where e.value_count > 0
        union all
        select 0, 0 where e.value_count = 0
      ) t;

    """
}
