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

/// A part of an axis, both ends included.
package struct CurveRange: Sendable, Equatable {
  package let from: Double
  package let to: Double

  /// - Returns: nil where they are not finite, or not in order.
  package init?(from: Double, to: Double) {
    guard from.isFinite, to.isFinite, from < to else { return nil }
    (self.from, self.to) = (from, to)
  }

  /// As whole steps, for an index.
  var steps: (first: Int64, last: Int64) { (Self.whole(from.rounded(.up)), Self.whole(to.rounded(.down))) }

  private static func whole(_ value: Double) -> Int64 { Int64(exactly: value) ?? (value < 0 ? .min : .max) }
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
  ///   - range: the part of the axis that is divided into them; nil: from the first point to the last.
  package static func curves(
    _ runs: [Int64], metric: String, along axis: CurveAxis, points: Int64, within range: CurveRange? = nil
  ) -> ReadQuery {
    var parameters: [String?] = [array(runs), String(points)]
    func parameter(_ value: String) -> String {
      parameters.append(value)
      return "$\(parameters.count)"
    }
    let ends = range.map { (parameter(String($0.from)) + "::float8", parameter(String($0.to)) + "::float8") }
    // Along the steps an index leads to those of a range; elsewhere where a point lies depends on its whole run.
    let isByStep = axis == .step && !episodeMetrics.contains(metric)
    let steps = (isByStep ? range?.steps : nil).map {
      (parameter(String($0.first)) + "::int8", parameter(String($0.last)) + "::int8")
    }
    let pieces: String
    if episodeMetrics.contains(metric) {
      pieces = point(
        metric == "episode_steps" ? "e.steps::float8" : "e.\(metric)", at: ("e.episode", "e.updated"), axis,
        of: "r.number",
        """
        from signalbox.runs r join signalbox.hosts h on h.number = r.host
        join public.episodes e on e.host = h.name and e.run = r.run where r.number = any ($1::bigint[])
        """)
    } else if stepMetrics.contains(metric) {
      pieces = foldedSteps(metric, axis, steps)
    } else {
      let name = parameter(metric) + "::text"
      pieces = point(
        "case when jsonb_typeof(s.metrics -> \(name)) = 'number' then (s.metrics ->> \(name))::float8 end",
        at: ("s.step", "s.time"), axis, of: "s.run", Self.steps + within(steps))
    }
    // The points are read twice and not kept between: those of twenty long runs would be written to disk.
    let along = axis == .relative ? "coalesce((p.x - b.low) / nullif(b.high - b.low, 0), 0)" : "p.x"
    let edges =
      if let ends { "select \(ends.0) as low, \(ends.1) as high" } else if axis == .relative {
        "select 0::float8 as low, 1::float8 as high"
      } else { "select min(low) as low, max(high) as high from bounds" }
    return ReadQuery(
      """
      with points as not materialized (\(pieces)),
      bounds as materialized (select run, min(low) as low, max(high) as high from points group by run),
      axis as (\(edges))
      select p.run, coalesce(least($2::bigint - 1, floor((\(along) - a.low) / nullif(a.high - a.low, 0) * $2::bigint)), 0)::bigint
        as bucket, sum(\(along) * p.points) / sum(p.points) as x, sum(p.total) / sum(p.points) as average,
        min(p.minimum) as minimum, max(p.maximum) as maximum, sum(p.points)::bigint as points
      from points p join bounds b on b.run = p.run cross join axis a
      \(ends == nil ? "" : "where \(along) between a.low and a.high") group by 1, 2
      order by array_position($1::bigint[], p.run::bigint), 2
      """, parameters)
  }

  private static let steps =
    "from signalbox.runs r join signalbox.training_steps s on s.run = r.number where r.number = any ($1::bigint[])"

  private static func within(_ steps: (first: String, last: String)?) -> String {
    steps.map { " and s.step between \($0.first) and \($0.last)" } ?? ""
  }

  /// Where a time or an ordinal lies on an axis.
  private static func position(_ ordinal: String, _ time: String, _ axis: CurveAxis) -> String {
    switch axis {
    case .step, .relative: "\(ordinal)::float8"
    case .time: "extract(epoch from \(time) - r.started)::float8"
    case .clock: "extract(epoch from \(time))::float8 * 1e9"
    }
  }

  /// One point a row of `source`. Columns as of every piece of a curve: run, x, low, high (from where to where on the axis), points, total
  /// (their sum), minimum, maximum.
  private static func point(
    _ value: String, at place: (ordinal: String, time: String), _ axis: CurveAxis, of run: String, _ source: String
  ) -> String {
    """
    select p.run, p.x, p.x as low, p.x as high, 1::bigint as points, p.y as total, p.y as minimum, p.y as maximum
    from (select \(run) as run, \(position(place.ordinal, place.time, axis)) as x, \(value) as y \(source)) p
    where \(RunTotal.isCounted("p.y"))
    """
  }

  /// Blocks of steps, where a bucket is at least two of them wide, and the single steps of the other episodes.
  /// - Parameter range: the first and the last step, where the axis is that of the steps; nil: all.
  private static func foldedSteps(
    _ metric: String, _ axis: CurveAxis, _ range: (first: String, last: String)?
  ) -> String {
    let width = "\(2 * StepBlockTables.stepsOfBlock) * $2::bigint"
    let last = range.map { "least(e.last_step, \($0.last))" } ?? "e.last_step"
    let isLong =
      switch axis {
      case .step, .relative:
        "\(last)::numeric - \(range.map { "greatest(e.first_step, \($0.first))" } ?? "e.first_step") >= \(width)"
      case .time, .clock: "sum(e.steps) over (partition by e.run) >= \(width)"
      }
    let (low, high) = (position("b.first_step", "b.first_time", axis), position("b.last_step", "b.last_time", axis))
    let single = { (source: String) in point("s.\(metric)", at: ("s.step", "s.time"), axis, of: "s.run", source) }
    return """
      with episodes as materialized (
        select e.run, e.episode, e.rolled_up is true and \(isLong) as folded
        from signalbox.episodes e where e.run = any ($1::bigint[])
      ), shortened as materialized (select distinct run from episodes where folded)
      select b.run, (\(low) + \(high)) / 2 as x, \(low) as low, \(high) as high, b.\(metric)_count as points,
        b.\(metric)_sum as total, b.\(metric)_minimum as minimum, b.\(metric)_maximum as maximum
      from episodes e join signalbox.runs r on r.number = e.run
      join signalbox.step_blocks b on b.run = e.run and b.episode = e.episode where e.folded and b.\(metric)_count > 0
      union all
      \(single("from shortened w join episodes e on e.run = w.run and not e.folded join signalbox.runs r on r.number = e.run "
        + "join signalbox.training_steps s on s.run = e.run and s.episode = e.episode where true" + within(range)))
      union all
      \(single("\(steps) and r.number not in (select run from shortened)" + within(range)))
      """
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
