internal import FleetModel

/// Questions about the steps of one episode. Runs are named by their number: `id` of the list of runs.
///
/// What a writer reports may be any double: figures beyond `RunTotal.magnitudeMax`, infinite ones and NaN are left out, because
/// PostgreSQL refuses a sum that overflows, and with it the whole statement.
package enum EpisodeQueries {
  static func bounded(_ column: String) -> String {
    "case when \(RunTotal.isCounted("s.\(column)")) then s.\(column) end as \(column)"
  }

  /// The episode's steps in their order. A step that was written twice stands twice.
  private static let steps = """
    select s.step, s.time, s.received, \(["reward", "action", "price", "portfolio_value", "position", "balance",
      "shares_held"].map(bounded).joined(separator: ", "))
    from signalbox.training_steps s where s.run = $1::int4 and s.episode = $2::int8
    """
  private static let order = "order by step, time, received"

  /// At most `points` buckets of as many steps each, the first steps first.
  ///
  /// Columns: step, last_step, steps; of reward, price, portfolio_value, position and drawdown_ratio the mean, `…_minimum` and
  /// `…_maximum` within the bucket; reward_sum: of all steps up to the bucket's end.
  /// - Parameters:
  ///   - points: 1 or more.
  ///   - range: only these steps; what is summed up, and the peak, are of the whole episode.
  package static func steps(
    run: Int64, episode: Int64, points: Int64, within range: ClosedRange<Int64>? = nil
  ) -> ReadQuery {
    let figures = ["reward", "price", "portfolio_value", "position", "drawdown_ratio"].map { name in
      "avg(\(name)) as \(name), min(\(name)) as \(name)_minimum, max(\(name)) as \(name)_maximum"
    }
    return ReadQuery(
      """
      with steps as (\(steps)),
      ordered as (
        select *, row_number() over w as place, max(portfolio_value) over (w rows unbounded preceding) as peak, sum(reward) over (w rows unbounded preceding) as so_far
        from steps window w as (\(order))
      ),
      fallen as (
        select *, case when peak > 0 and portfolio_value is not null
          then \(EpisodeFigures.quotient("(peak - portfolio_value)", "peak")) end as drawdown_ratio
        from ordered
      ),
      chosen as (
        select *, row_number() over (order by place) as number, count(*) over () as total from fallen
        where ($4::int8 is null or step >= $4::int8) and ($5::int8 is null or step <= $5::int8)
      )
      select min(step) as step, max(step) as last_step, count(*) as steps, \(figures.joined(separator: ", ")),
        (array_agg(so_far order by place desc))[1] as reward_sum
      from chosen group by (number - 1) * least($3::bigint, total) / total order by min(place)
      """,
      [
        String(run), String(episode), String(points), range.map { String($0.lowerBound) },
        range.map { String($0.upperBound) },
      ])
  }

  /// Steps at which the position changed, the first of them first. Columns: step, price, before, position.
  package static func operations(run: Int64, episode: Int64, limit: Int) -> ReadQuery {
    ReadQuery(
      """
      select step, price, before, position from (
        select *, lag(position, 1, 0::float8) over (\(order)) as before from (\(steps)) s
      ) o
      where position is distinct from before and position is not null
      \(order) limit $3::bigint
      """, [String(run), String(episode), String(limit)])
  }

  /// Actions beyond so many different ones are shown as ten ranges: they are amounts, not names.
  private static let namedActionsMax = 12

  /// The name under which an action of `s` is counted, where `c` has `actions` (how many there are), `low` and `high`; null without one.
  static let actionName: String = {
    let range = { (edge: String) in "round((low + (\(edge)) * (high - low) / 10)::numeric, 3)" }
    return """
      case when s.action is null then null when c.actions <= \(namedActionsMax) then s.action::text
        else \(range("width_bucket(s.action, low, high, 10) - 1 - (s.action = high)::int")) || ' to '
          || \(range("width_bucket(s.action, low, high, 10) - (s.action = high)::int")) end
      """
  }()

  /// How often which action was taken, by what was known before it: the price's move since the step before, the position held, and the
  /// action before. Distribution, transitions and decisions are sums of these rows.
  ///
  /// Columns: price_move (`up`, `down`, `unchanged`; null where a price is missing), position (`long`, `short`, `flat`; null at the
  /// first step), previous_action (null at the first step), action, steps, reward_mean.
  package static func actions(run: Int64, episode: Int64) -> ReadQuery {
    return ReadQuery(
      """
      with steps as (\(steps)),
      counted as (
        select count(distinct action) as actions, min(action) as low, max(action) as high from steps
      ),
      named as (
        select s.*, \(actionName) as name
        from steps s cross join counted c
      ),
      decided as (
        select name, reward, price, lag(price) over w as price_before, lag(position) over w as held,
          lag(name) over w as name_before
        from named window w as (\(order))
      )
      select * from (
        select case sign(price - price_before) when 1 then 'up' when -1 then 'down' when 0 then 'unchanged' end as price_move,
          case sign(held) when 1 then 'long' when -1 then 'short' when 0 then 'flat' end as position,
          name_before as previous_action, name as action, count(*) as steps, avg(reward) as reward_mean
        from decided where name is not null group by 1, 2, 3, 4
      ) a
      order by action collate "C", previous_action collate "C", price_move, position
      """, [String(run), String(episode)])
  }

  /// The row of one step, or of the last one before it; the first row where there is none. Columns: step, time, reward, action,
  /// balance, shares_held, price, portfolio_value, position, metrics (JSON), previous, next: the steps beside it, or null.
  package static func row(run: Int64, episode: Int64, step: Int64) -> ReadQuery {
    let steps = "from signalbox.training_steps s where s.run = $1::int4 and s.episode = $2::int8"
    return ReadQuery(
      """
      with at as (
        select coalesce((select max(s.step) \(steps) and s.step <= $3::int8), (select min(s.step) \(steps))) as step
      )
      select s.step, s.time, s.reward, s.action, s.balance, s.shares_held, s.price, s.portfolio_value, s.position, s.metrics,
        (select max(s.step) \(steps) and s.step < (select step from at)) as previous,
        (select min(s.step) \(steps) and s.step > (select step from at)) as next
      \(steps) and s.step = (select step from at) order by s.time desc, s.received desc limit 1
      """, [String(run), String(episode), String(step)])
  }

  /// Columns: previous, next: the episodes of the run beside it, or null.
  package static func neighbours(run: Int64, episode: Int64) -> ReadQuery {
    ReadQuery(
      """
      select (select max(episode) from signalbox.episodes where run = $1::int4 and episode < $2::int8) as previous,
        (select min(episode) from signalbox.episodes where run = $1::int4 and episode > $2::int8) as next
      """, [String(run), String(episode)])
  }

  /// Columns: host, run, attempt. - Parameter run: its number.
  package static func names(run: Int64) -> ReadQuery {
    ReadQuery(
      """
      select h.name as host, r.run, r.attempt from signalbox.runs r join signalbox.hosts h on h.number = r.host
      where r.number = $1::bigint
      """, [String(run)])
  }
}
