internal import FleetModel

/// What a run's stored steps, episodes and lines add up to, and whether its steps are whole. Runs are named by their number.
///
/// An operation is what a step does to the position: `ENTRY_LONG`, `EXIT_LONG`, `ENTRY_SHORT`, `EXIT_SHORT`, `LONG_TO_SHORT`,
/// `SHORT_TO_LONG`, `RESIZE` (the same side, another size), `HOLD` (no change). Before the first step the position is 0; at a step
/// without a position, and the one behind it, the operation is unknown.
package enum AnalysisQueries {
  /// Steps that one statement reads: about 3 s of one core, of the 15 s that a console waits.
  package static let stepsMax: Int64 = 200_000
  /// A change of what is held that is worth a look, in the account's currency: --large-change sets another one.
  package static let largeChange = 10_000.0
  /// Rows of each list within an analysis.
  package static let listMax = 20
  /// Hours of errors, and lines that are searched for slow statements.
  private static let hoursMax = 200
  private static let linesMax = 300_000
  private static let linesOfHost = "greatest(1000, \(linesMax) / (select count(*) from places))"

  /// A list of rows as one JSON document.
  private static func list(_ rows: String) -> String { "coalesce((select json_agg(x) from (\(rows)) x), '[]'::json)" }

  private static func time(_ value: String) -> String {
    "to_char(\(value) at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
  }

  private static let operation = """
    case when position is null or before is null then null when position = before then 'HOLD'
      else case sign(before)::int * 10 + sign(position)::int when 1 then 'ENTRY_LONG' when -1 then 'ENTRY_SHORT'
        when 10 then 'EXIT_LONG' when -10 then 'EXIT_SHORT' when 9 then 'LONG_TO_SHORT' when -9 then 'SHORT_TO_LONG'
        else 'RESIZE' end end
    """

  /// The episodes whose steps are read, and their steps. Of a run with more steps than `stepsMax`, each k-th episode.
  private static let sampled = """
    known as materialized (
      select e.episode, e.steps, row_number() over (order by e.episode) as place from signalbox.episodes e where e.run = $1::int4
    ),
    totals as (
      select count(*) as episodes, coalesce(sum(steps::numeric), 0) as steps,
        greatest(1, ceil(coalesce(sum(steps::numeric) filter (where steps <= \(stepsMax)), 0) / \(stepsMax)))::bigint as stride,
        count(*) filter (where steps > \(stepsMax)) as too_long
      from known
    ),
    chosen as materialized (
      select episode from (
        select k.episode, sum(k.steps::numeric) over (order by k.place) as so_far from known k cross join totals t
        where k.steps between 1 and \(stepsMax) and (k.place - 1) % t.stride = 0
      ) k where so_far <= 2 * \(stepsMax)
    ),
    steps as materialized (
      select s.* from chosen c cross join lateral (
        select s.episode, s.step, s.time, s.received, \(["reward", "action", "price", "position", "shares_held"]
          .map(EpisodeQueries.bounded).joined(separator: ", "))
        from signalbox.training_steps s where s.run = $1::int4 and s.episode = c.episode offset 0
      ) s
    )
    """

  /// What stands in `analysis` beside its figures: sentences on what was not looked at.
  private static let notExamined = """
    array_remove(array[
      case when t.episodes = 0 then 'the run has no episodes'
        when d.steps = 0 then 'operations, transitions and changes of what is held: no step of this run is stored' end,
      case when t.stride > 1 then format('the steps of other episodes than each %s. from the first: the run has %s steps', t.stride, t.steps) end,
      case when t.too_long > 0 then format('episodes of more than \(stepsMax) steps each: %s', t.too_long) end,
      case when d.steps > 0 and c.episodes > d.episodes
        then format('episodes without stored steps: %s', c.episodes - d.episodes) end,
      case when d.without_operation > 0 then format('operations, at steps that have no position, or follow one without: %s of %s',
        d.without_operation, d.steps) end,
      case when d.without_action > 0 then format('transitions, at steps without an action: %s of %s', d.without_action, d.steps) end,
      case when d.without_value > 0 then format('changes of what is held, at steps without price or units: %s of %s',
        d.without_value, d.steps) end,
      case when g.without_reward > 0 then format('episodes without a reward: %s', g.without_reward) end,
      case when t.episodes > 0 and d.judged_episodes < 3 then 'the trend: it needs 3 episodes with operations' end,
      case when (select count(*) from errors) > \(hoursMax) then format('hours with errors before the newest \(hoursMax): %s',
        (select count(*) from errors) - \(hoursMax)) end,
      case when l.first is not null then format('slow statements in lines before %s', \(time("l.first"))) end,
      case when (select count(distinct statement) from slow) > \(listMax) then format('slow statements beyond \(listMax): %s',
        (select count(distinct statement) from slow) - \(listMax)) end,
      case when not exists (select from slow) then 'slow statements: no line has one; an agent must follow a PostgreSQL log '
        || 'with log_min_duration_statement' end,
      case when lost.ranges > 0 then format('what never arrived from the hosts in the time of the run: %s ranges, which signalbox '
        || 'gaps lists', lost.ranges) end
    ], null)
    """

  /// One run's learning and what happened beside it, as one row; no row where there is no such run.
  ///
  /// Columns: id, host, run, state; episodes, episodes_examined and steps_examined (those whose steps were read);
  /// operations_mean (operations other than HOLD an episode), sharpe_mean, sharpe_episodes (of how many), reward_mean,
  /// episodes_negative (with a reward below 0), all of episodes that have ended; large_changes (steps that changed the value held by more than
  /// large_change_threshold, in the account's currency). And lists, JSON: operations (operation, steps), trend (part, episodes,
  /// from_episode, to_episode, operations_mean, reward_mean, episodes_negative: of the first, middle and last tenth of the episodes
  /// that were read), transitions (previous_action, action, steps), negative_episodes (episode, reward: the lowest first), large
  /// (episode, step, value, before, after: units), errors (host, hour, lines), slow_statements (statement with its values as `?`, calls,
  /// mean_ms, max_ms, newest), not_examined (sentences).
  /// - Parameter largeChange: more than 0.
  package static func analysis(run: Int64, largeChange: Double = largeChange) -> ReadQuery {
    ReadQuery(
      """
      with r as (
        select r.number, r.host, r.run, r.state, r.source, r.job, r.attempt, r.started, r.updated, h.name,
          (array['unknown', 'running', 'completed', 'failed'])[r.state + 1] as word
        from signalbox.runs r join signalbox.hosts h on h.number = r.host where r.number = $1::int4
      ),
      places as materialized (
        select distinct o.host, h.name, r.started, r.updated from r
        join signalbox.runs o on \(RunQueries.isSame("r", "o"))
        join signalbox.hosts h on h.number = o.host order by h.name limit 100
      ),
      \(sampled),
      counted as (select count(distinct action) as actions, min(action) as low, max(action) as high from steps),
      moves as materialized (
        select *, \(operation) as operation, (shares_held - shares_before) * price as change from (
          select s.*, \(EpisodeQueries.actionName) as name, lag(position, 1, 0::float8) over w as before,
            lag(shares_held, 1, 0::float8) over w as shares_before
          from steps s cross join counted c window w as (partition by s.episode order by s.step, s.time, s.received)
        ) s
      ),
      named as materialized (
        select episode, name, lag(name) over (partition by episode order by step, time, received) as previous from moves
      ),
      per_episode as materialized (
        select m.episode, count(*) as steps, count(operation) as judged,
          count(*) filter (where operation <> 'HOLD') as operations
        from moves m group by m.episode
      ),
      figures as materialized (
        select e.episode, e.total_reward, e.sharpe_ratio from r join public.episodes e on e.host = r.name and e.run = r.run and e.attempt = r.attempt
        where e.status <> 'running'
      ),
      placed as (
        select p.episode, p.operations, case when \(RunTotal.isCounted("f.total_reward")) then f.total_reward end as total_reward,
          row_number() over (order by p.episode) as place, count(*) over () as total, greatest(1, count(*) over () / 10) as size
        from per_episode p left join figures f on f.episode = p.episode where p.judged > 0
      ),
      slow_lines as materialized (
        select l.* from places o cross join lateral (
          select l.time, l.message, l.host from signalbox.log_info l
          where l.host = o.host and l.time between o.started and o.updated + interval '1 minute'
          order by l.time desc limit \(linesOfHost)
        ) l
      ),
      slow as materialized (
        select left(regexp_replace(regexp_replace(m[2], '''[^'']*''', '?', 'g'), '\\m[0-9]+([.][0-9]+)?\\M', '?', 'g'), 2000) as statement,
          m[1]::float8 as ms, time
        from slow_lines l cross join lateral regexp_match(
          l.message, 'duration: ([0-9]{1,12}(?:[.][0-9]{1,6})?) ms +(?:statement|(?:execute|parse|bind) [^:]*): (.*)') m
        where l.message like '%duration: %' and m is not null
      ),
      d as (
        select count(*) as steps, count(distinct episode) as episodes, count(*) - count(operation) as without_operation,
          count(*) - count(action) as without_action, count(*) - count(change) as without_value,
          count(*) filter (where abs(change) > $2::float8) as large,
          (select count(*) from per_episode where judged > 0) as judged_episodes,
          (select avg(operations)::float8 from per_episode where judged > 0) as operations_mean
        from moves
      ),
      g as (
        select count(*) filter (where total_reward < 0) as negative, count(*) - count(total_reward) as without_reward,
          avg(total_reward) filter (where \(RunTotal.isCounted("total_reward"))) as reward_mean,
          avg(sharpe_ratio) filter (where \(RunTotal.isCounted("sharpe_ratio"))) as sharpe_mean, count(sharpe_ratio) as sharpes
        from figures
      ),
      l as (
        select max(first) as first from (
          select min(time) as first from slow_lines group by host having count(*) >= \(linesOfHost)
        ) l
      ),
      errors as materialized (
        select o.name as host, date_trunc('hour', n.time) as hour, sum(n.lines)::bigint as lines
        from places o join signalbox.log_counts n on n.host = o.host and n.level >= \(Level.error.rawValue)
          and n.time between date_trunc('hour', o.started) and o.updated group by 1, 2
      ),
      c as (select count(*) as episodes from chosen),
      lost as (
        select count(*) as ranges from places o join signalbox.loss_ledger x
          on x.host = o.host and x.time between o.started and o.updated
      )
      select r.number as id, r.name as host, r.run, r.word as state, t.episodes, d.episodes as episodes_examined, d.steps as steps_examined,
        d.operations_mean, g.sharpe_mean, g.sharpes as sharpe_episodes, g.reward_mean, g.negative as episodes_negative,
        case when d.steps > d.without_value then d.large end as large_changes, $2::float8 as large_change_threshold,
        \(list("select operation, count(*) as steps from moves where operation is not null group by 1 order by 2 desc, 1")) as operations,
        \(list("""
          select w.part, count(*) as episodes, min(p.episode) as from_episode, max(p.episode) as to_episode,
            avg(p.operations)::float8 as operations_mean, avg(p.total_reward) as reward_mean,
            count(*) filter (where p.total_reward < 0) as episodes_negative
          from placed p join (values (1, 'first'), (2, 'middle'), (3, 'last')) w (number, part) on case w.number
            when 1 then p.place <= p.size when 3 then p.place > p.total - p.size
            else p.place > (p.total - p.size) / 2 and p.place <= (p.total - p.size) / 2 + p.size end
          where p.total >= 3 group by w.number, w.part order by w.number
          """)) as trend,
        \(list("""
          select previous as previous_action, name as action, count(*) as steps from named
          where previous is not null and name is not null group by 1, 2 order by 1, 2
          """)) as transitions,
        \(list("""
          select episode, total_reward as reward from figures where total_reward < 0 order by total_reward, episode limit \(listMax)
          """)) as negative_episodes,
        \(list("""
          select episode, step, change as value, shares_before as before, shares_held as after from moves
          where abs(change) > $2::float8 order by abs(change) desc, episode, step limit \(listMax)
          """)) as large,
        \(list("select host, \(time("e.hour")) as hour, lines from errors e order by e.hour desc, host limit \(hoursMax)")) as errors,
        \(list("""
          select statement, count(*) as calls, avg(ms) as mean_ms, max(ms) as max_ms, \(time("max(time)")) as newest from slow
          group by statement order by sum(ms) desc, statement limit \(listMax)
          """)) as slow_statements,
        to_json(\(notExamined)) as not_examined
      from r cross join totals t cross join d cross join g cross join l cross join c cross join lost
      """, [String(run), String(largeChange)])
  }
}
