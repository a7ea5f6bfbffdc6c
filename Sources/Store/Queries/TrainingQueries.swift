internal import FleetModel

/// Questions about runs and their episodes.
package enum TrainingQueries {
  /// What of an episode is told in a list.
  private static let episodeColumns = """
    e.host, e.run, e.episode, e.status, e.steps, e.total_reward, e.pnl, e.win_rate_ratio, e.max_drawdown_ratio,
    e.sharpe_ratio, e.sortino_ratio, e.calmar_ratio, e.trades_closed, e.started, e.updated
    """

  /// Newest first. Columns: host, run, state, framework, source, started, updated, ended, episodes, episodes_completed, steps.
  package static func runs(host: String?, state: String?, run: String? = nil, limit: Int) -> ReadQuery {
    ReadQuery(
      """
      select r.host, r.run, r.state, r.framework, r.source, r.started, r.updated, r.ended,
        coalesce(c.episodes, 0) as episodes, coalesce(c.completed, 0) as episodes_completed, c.steps, c.reward_mean,
        c.sharpe_mean, r.detail
      from public.runs r
      left join lateral (
        select count(*) as episodes, count(*) filter (where e.status = 'completed') as completed,
          sum(e.steps)::bigint as steps, avg(nullif(e.total_reward, 'NaN')) as reward_mean,
          avg(e.sharpe_ratio) as sharpe_mean
        from public.episodes e where e.host = r.host and e.run = r.run
      ) c on true
      where ($1::text is null or r.host = $1) and ($2::text is null or r.state = $2) and ($3::text is null or r.run = $3)
      order by r.updated desc, r.run limit $4::bigint
      """, [host, state, run, String(limit)])
  }

  /// Newest first. Columns as the contract of `episodes list` names them, and more.
  package static func episodes(
    host: String?, run: String?, status: String?, episode: Int64? = nil, limit: Int
  ) -> ReadQuery {
    ReadQuery(
      """
      select \(episodeColumns) from public.episodes e
      where ($1::text is null or e.host = $1) and ($2::text is null or e.run = $2)
        and ($3::text is null or e.status = $3) and ($4::bigint is null or e.episode = $4)
      order by e.updated desc, e.episode desc limit $5::bigint
      """, [host, run, status, episode.map(String.init), String(limit)])
  }

  /// Everything known of one episode, and how each metric is defined.
  package static func episode(host: String?, run: String, episode: Int64) -> ReadQuery {
    ReadQuery(
      """
      select e.* from public.episodes e
      where ($1::text is null or e.host = $1) and e.run = $2 and e.episode = $3::bigint
      """, [host, run, String(episode)])
  }

  /// Columns: metric, definition.
  package static func definitions(view: String) -> ReadQuery {
    ReadQuery("select metric, definition from public.metric_definitions where view = $1", [view])
  }

  /// Per run: how many of its episodes ended, and how many did not although nothing has come for `staleMinutes`.
  /// Columns: host, run, episodes, completed, running, stale, hollow, completion_rate_ratio, newest.
  package static func check(host: String?, run: String?, staleMinutes: Int) -> ReadQuery {
    ReadQuery(
      """
      select e.host, e.run, count(*) as episodes, count(*) filter (where e.status = 'completed') as completed,
        count(*) filter (where e.status = 'running') as running,
        count(*) filter (where e.status = 'running' and e.updated < now() - make_interval(mins => $3::int)) as stale,
        count(*) filter (where e.status = 'completed' and e.steps = 0) as hollow,
        count(*) filter (where e.status = 'completed')::float8 / count(*) as completion_rate_ratio,
        max(e.updated) as newest
      from public.episodes e
      where ($1::text is null or e.host = $1) and ($2::text is null or e.run = $2)
      group by e.host, e.run order by max(e.updated) desc
      """, [host, run, String(staleMinutes)])
  }
}
