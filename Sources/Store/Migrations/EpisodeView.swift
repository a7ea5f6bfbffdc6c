/// Episodes with the figures that people ask for, each with its definition beside it: several are in use in the field.
enum EpisodeView {
  static let sql = """
    create view public.episodes as
      select h.name as host, r.run, e.episode,
        case e.state when 0 then 'running' when 1 then 'completed' when 2 then 'force_closed' end as status,
        e.started, e.updated,
        case when e.final_steps > 0 then e.final_steps else e.steps end as steps, e.first_step, e.last_step,
        coalesce(e.final_reward, e.reward_sum) as total_reward, e.reward_minimum, e.reward_maximum,
        e.value_first, e.value_last, e.value_peak, e.value_trough,
        e.value_last - e.value_first as pnl,
        e.value_last / nullif(e.value_first, 0) - 1 as pnl_ratio,
        t.trades, t.won::double precision / nullif(t.trades, 0) as win_rate_ratio,
        case when e.value_count > 0 then e.drawdown_maximum_ratio end as max_drawdown_ratio,
        case when s.deviation > 1e-8 then s.mean / s.deviation end as sharpe_ratio,
        s.mean / nullif(sqrt(e.return_downside_square_sum / nullif(e.return_count, 0)), 0) as sortino_ratio,
        (e.value_last / nullif(e.value_first, 0) - 1) / nullif(e.drawdown_maximum_ratio, 0) as calmar_ratio,
        s.deviation as volatility_ratio
      from signalbox.episodes e
      left join signalbox.runs r on r.number = e.run
      left join signalbox.hosts h on h.number = r.host
      cross join lateral (
        select e.return_sum / nullif(e.return_count, 0) as mean,
          case when e.return_count > 1 then sqrt(greatest(0, e.return_square_sum / e.return_count
            - (e.return_sum / e.return_count) * (e.return_sum / e.return_count))) end as deviation
      ) s
      cross join lateral (
        select
          e.trades_closed + (e.has_head_trade and not e.head_is_whole_range)::int
            + (e.has_tail_trade and e.state <> 0)::int as trades,
          e.trades_won
            + (e.has_head_trade and not e.head_is_whole_range
                and coalesce(e.head_end_value > e.first_value_of_range, false))::int
            + (e.has_tail_trade and e.state <> 0
                and coalesce(e.value_last > coalesce(e.tail_start_value, e.first_value_of_range), false))::int as won
      ) t;

    comment on column public.episodes.steps is 'Steps of the episode: the length that the writer reports, else the steps read.';
    comment on column public.episodes.total_reward is 'Sum of the step rewards, or the return that the writer itself reports.';
    comment on column public.episodes.pnl is 'Last minus first portfolio value, in the writer''s currency.';
    comment on column public.episodes.pnl_ratio is 'Last / first portfolio value - 1.';
    comment on column public.episodes.trades is 'Longest runs of steps with the same position other than zero; one still open counts once its episode has ended.';
    comment on column public.episodes.win_rate_ratio is 'Trades whose portfolio value was higher at the end than at the start / trades; 0 to 1, null without trades.';
    comment on column public.episodes.max_drawdown_ratio is 'Largest (peak - later value) / peak of the portfolio value; 0 to 1.';
    comment on column public.episodes.sharpe_ratio is 'Mean / standard deviation (ddof 0) of step returns value[i] / value[i-1] - 1; risk-free rate 0, not annualised; null where the deviation is at most 1e-8.';
    comment on column public.episodes.sortino_ratio is 'Mean step return / square root of the mean over all steps of squared negative returns; not annualised; null without a negative return.';
    comment on column public.episodes.calmar_ratio is 'pnl_ratio / max_drawdown_ratio, not annualised; null where there was no drawdown.';
    comment on column public.episodes.volatility_ratio is 'Standard deviation (ddof 0) of step returns, not annualised.';

    """
}
