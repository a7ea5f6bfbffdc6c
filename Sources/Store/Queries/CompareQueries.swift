internal import FleetModel

/// What the points of a curve are laid along.
package enum CurveAxis: String, CaseIterable, Sendable {
  /// The episode's number, or the step within an episode.
  case step
  /// 0…1 from a run's first point to its last.
  case relative
  /// Seconds since the run began.
  case time
  /// ns since 1970, for one run beside its host's figures.
  case clock
}

/// Questions about several runs beside each other.
package enum CompareQueries {
  /// One value an episode; every other metric is one of the steps.
  package static let episodeMetrics = [
    "total_reward", "pnl", "sharpe_ratio", "max_drawdown_ratio", "win_rate_ratio", "episode_steps",
  ]
  /// Of each step, besides whatever a writer's own metrics are called.
  package static let stepMetrics = ["reward", "portfolio_value", "price", "position", "action"]

  /// One row a run, in the order of the numbers. Columns: id, host, run, state, framework, started, updated, ended, detail, episodes,
  /// episodes_completed, steps, reward_mean, reward_best, pnl_mean, sharpe_mean, max_drawdown_ratio_mean, win_rate_ratio_mean. Means
  /// and best are of the episodes that have ended.
  package static func summaries(_ runs: [Int64]) -> ReadQuery {
    let counted = { (figure: String) in "case when \(RunTotal.isCounted(figure)) then \(figure) end" }
    return ReadQuery(
      """
      select r.number as id, h.name as host, r.run, (array['unknown', 'running', 'completed', 'failed'])[r.state + 1] as state,
        r.framework, r.started, r.updated, r.ended, r.detail, f.*
      from unnest($1::bigint[]) with ordinality as w (number, place)
      join signalbox.runs r on r.number = w.number join signalbox.hosts h on h.number = r.host
      cross join lateral (
        select count(*) as episodes, count(*) filter (where e.status = 'completed') as episodes_completed,
          case when count(e.steps) > 0 then least(sum(e.steps), 9223372036854775807)::bigint end as steps, avg(\(counted("e.total_reward"))) filter (where ended) as reward_mean,
          max(\(counted("e.total_reward"))) filter (where ended) as reward_best, avg(\(counted("e.pnl"))) filter (where ended) as pnl_mean,
          avg(\(counted("e.sharpe_ratio"))) filter (where ended) as sharpe_mean,
          avg(\(counted("e.max_drawdown_ratio"))) filter (where ended) as max_drawdown_ratio_mean,
          avg(e.win_rate_ratio) filter (where ended) as win_rate_ratio_mean
        from (select x.*, x.status <> 'running' as ended from public.episodes x where x.host = h.name and x.run = r.run) e
      ) f
      order by w.place
      """, [array(runs)])
  }

  /// One curve a run, at most `points` buckets along an axis that all share.
  ///
  /// Columns: run (its number), bucket, x (mean of its points on the axis), average, minimum, maximum, points (how many).
  /// - Parameters:
  ///   - metric: of `episodeMetrics` or `stepMetrics`, or a name in the writer's metrics.
  ///   - points: 1 or more.
  package static func curves(_ runs: [Int64], metric: String, along axis: CurveAxis, points: Int64) -> ReadQuery {
    let isOfEpisodes = episodeMetrics.contains(metric)
    var parameters: [String?] = [array(runs), String(points)]
    var value = ""
    if isOfEpisodes {
      value = metric == "episode_steps" ? "e.steps::float8" : "e.\(metric)"
    } else if stepMetrics.contains(metric) {
      value = "s.\(metric)"
    } else {
      parameters.append(metric)
      value = "case when jsonb_typeof(s.metrics -> $3::text) = 'number' then (s.metrics ->> $3::text)::float8 end"
    }
    let x = { (ordinal: String, time: String) in
      switch axis {
      case .step, .relative: "\(ordinal)::float8"
      case .time: "extract(epoch from \(time) - r.started)::float8"
      case .clock: "extract(epoch from \(time))::float8 * 1e9"
      }
    }
    let source =
      isOfEpisodes
      ? """
      select r.number as run, \(x("e.episode", "e.updated")) as x, \(value) as y
      from signalbox.runs r join signalbox.hosts h on h.number = r.host
      join public.episodes e on e.host = h.name and e.run = r.run where r.number = any ($1::bigint[])
      """
      : """
      select s.run, \(x("s.step", "s.time")) as x, \(value) as y
      from signalbox.runs r join signalbox.training_steps s on s.run = r.number where r.number = any ($1::bigint[])
      """
    // The points are read twice and not kept between: those of twenty long runs would be written to disk.
    let (along, edges) =
      axis == .relative
      ? ("coalesce((p.x - b.low) / nullif(b.high - b.low, 0), 0)", "select 0::float8 as low, 1::float8 as high")
      : ("p.x", "select min(low) as low, max(high) as high from bounds")
    return ReadQuery(
      """
      with points as not materialized (select * from (\(source)) p where \(RunTotal.isCounted("y"))),
      bounds as materialized (select run, min(x) as low, max(x) as high from points group by run),
      axis as (\(edges))
      select p.run, coalesce(least($2::bigint - 1, floor((\(along) - a.low) / nullif(a.high - a.low, 0) * $2::bigint)), 0)::bigint
        as bucket, avg(\(along)) as x, avg(p.y) as average, min(p.y) as minimum, max(p.y) as maximum, count(*) as points
      from points p join bounds b on b.run = p.run cross join axis a group by 1, 2
      order by array_position($1::bigint[], p.run::bigint), 2
      """, parameters)
  }

  /// Names of the metrics that the writers of some runs report with their steps, of the newest thousand steps of each. Column: metric.
  package static func reportedMetrics(_ runs: [Int64]) -> ReadQuery {
    ReadQuery(
      """
      select distinct k.metric from unnest($1::bigint[]) w (run)
      cross join lateral (
        select s.metrics from signalbox.training_steps s where s.run = w.run
        order by s.run desc, s.episode desc, s.step desc limit 1000
      ) s
      cross join lateral jsonb_object_keys(s.metrics) k (metric)
      where jsonb_typeof(s.metrics) = 'object' order by 1 limit 200
      """, [array(runs)])
  }

  /// What the writers of some runs reported last with a step, of the newest thousand steps of each. Columns: run (its number), metric,
  /// value; at most `finalsMax` rows.
  package static func finals(_ runs: [Int64]) -> ReadQuery {
    let number = "(k.value #>> '{}')::numeric"
    return ReadQuery(
      """
      select distinct on (w.number, k.metric) w.number as run, k.metric, (\(number))::float8 as value
      from unnest($1::bigint[]) as w (number)
      cross join lateral (
        select s.metrics, row_number() over (order by s.episode desc, s.step desc) as back from (
          select * from signalbox.training_steps s where s.run = w.number::int4
          order by s.run desc, s.episode desc, s.step desc limit 1000
        ) s
      ) s
      cross join lateral jsonb_each(case when jsonb_typeof(s.metrics) = 'object' then s.metrics else '{}' end) k (metric, value)
      where case when jsonb_typeof(k.value) = 'number' then \(RunTotal.isCounted(number)) else false end
      order by w.number, k.metric, s.back limit \(finalsMax)
      """, [array(runs)])
  }

  private static let finalsMax = 4_000

  private static func array(_ numbers: [Int64]) -> String { ArrayParameter.text(numbers.map(String.init)) }
}
