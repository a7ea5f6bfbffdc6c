internal import FleetModel

/// Whether the stored steps of episodes are whole, in order, and agree with themselves.
package enum VerificationQueries {
  /// The newest runs that one question looks at.
  package static let runsMax = 200
  /// Findings that an answer lists of each run, whose own row counts all.
  package static let findingsMax = 50
  /// By which a step's time may lie before the one of the step before it: clocks are corrected.
  private static let clockToleranceSeconds = 1
  /// Of the portfolio's value, by which balance and units may differ from it.
  private static let accountsToleranceRatio = 0.001

  /// What each check counts and says; `p` has the steps of an episode in their order. The texts are part of a statement and hold no quotes.
  private static let checks: [(name: String, condition: String, count: String, meaning: String)] = [
    (
      "steps_missing", "p.step::numeric - p.step_before > u.stride",
      "div(p.step::numeric - p.step_before - 1, u.stride)",
      "step numbers that are missing"
    ),
    ("steps_repeated", "p.step = p.step_before", "1", "steps that are stored twice"),
    (
      "time_backwards", "p.time < p.time_before - interval '\(clockToleranceSeconds) s'", "1",
      "steps whose time is before that of the step they follow"
    ),
    (
      "sell_before_buy", "p.shares_held < 0 and p.position >= 0", "1",
      "steps with more sold than bought, in a position that is not short"
    ),
    (
      "units_contradict_position",
      "p.shares_held > 0 and p.position <= 0", "1",
      "steps that hold units against their position"
    ),
    (
      "accounts_differ",
      """
      abs(p.balance + p.shares_held * p.price - p.portfolio_value)
        > \(accountsToleranceRatio) * greatest(1, abs(p.portfolio_value), abs(p.shares_held * p.price))
      """, "1", "steps whose portfolio value is not that of balance and units"
    ),
  ]

  private static var findings: String {
    let known = checks.map { check in
      """
      select p.run, p.episode, '\(check.name)' as "check", least(sum((\(check.count))::numeric), \(Int64.max))::bigint as count,
        min(case when '\(check.name)' = 'steps_missing' then p.step_before else p.step end) as first_step, '\(check.meaning)' as meaning
      from placed p join usual u on u.run = p.run where \(check.condition) group by p.run, p.episode
      """
    }
    let ofRuns = """
      select run, null::int8 as episode, 'episodes_missing', least(max(episode)::numeric - min(episode) + 1 - count(*), \(Int64.max))::bigint, null,
        format('episodes between %s and %s that are not stored', min(episode), max(episode))
      from known where episode >= 0 group by run having max(episode)::numeric - min(episode) + 1 > count(*)
      """
    return (known + [ofRuns]).joined(separator: "\nunion all\n")
  }

  /// Sentences on what of a run was not looked at.
  private static let notExamined = """
    concat_ws('; ',
      case when k.without_steps > 0 then format('episodes without stored steps: %s', k.without_steps) end,
      case when k.beyond > 0 then format('episodes beyond the \(AnalysisQueries.stepsMax) steps that an answer reads, the newest of each run first: %s',
        k.beyond) end,
      case when k.first_episode > 1 then format('episodes before %s: none is stored', k.first_episode) end,
      case when k.removed > 0 then format('steps that had arrived and are not stored any more: %s', k.removed) end,
      case when s.steps > 0 and s.without_units > 0 then format('whether position and units agree, at steps without one of them: %s of %s',
        s.without_units, s.steps) end,
      case when s.steps > 0 and s.without_accounts > 0 then format('accounts, at steps without balance, price, units or portfolio value: %s of %s',
        s.without_accounts, s.steps) end)
    """

  /// A row for each run, the newest first, and behind it one for each finding.
  ///
  /// Columns: host, id, run; episode (null in a run's own row and for what is of no episode); state (`ok`, `partly`: what was looked at is
  /// sound, `not examined`, `broken`); check (`run` in a run's own row, else `steps_missing`, `steps_repeated`, `time_backwards`,
  /// `sell_before_buy`, `units_contradict_position`, `accounts_differ`, `episodes_missing`, `runs`); count (of findings in a run's own
  /// row, else of steps or episodes); first_step; episodes_examined, steps_examined (in a run's own row); detail, not_examined
  /// (sentences, null where there is nothing to say).
  /// - Parameters:
  ///   - host: a `*` stands for any text.
  ///   - run: its number; nil: the newest `runsMax`.
  package static func verification(host: String?, run: Int64?) -> ReadQuery {
    ReadQuery(
      """
      with wanted as materialized (
        select r.number as run, h.name as host, r.run as name, row_number() over (order by r.updated desc, r.number desc) as place
        from signalbox.runs r join signalbox.hosts h on h.number = r.host
        where ($1::text is null or r.host = any (\(FleetQueries.hosts("$1")))) and ($2::int8 is null or r.number = $2::int8)
      ),
      runs as (select * from wanted where place <= \(runsMax)),
      -- The newest episode of each run, then the next ones: a long run keeps no other from being looked at.
      known as materialized (
        select run, episode, steps, steps between 1 and \(AnalysisQueries.stepsMax) and sum(
            case when steps <= \(AnalysisQueries.stepsMax) then steps::numeric else 0 end) over (order by turn, place)
          <= \(AnalysisQueries.stepsMax) as is_chosen
        from (
          select r.run, r.place, e.episode, e.steps, row_number() over (partition by r.run order by e.episode desc) as turn
          from runs r join signalbox.episodes e on e.run = r.run
        ) e
      ),
      steps as materialized (
        select s.* from known c cross join lateral (
          select c.run, s.episode, s.step, s.time, s.received,
            \(["price", "portfolio_value", "position", "balance", "shares_held"].map(EpisodeQueries.bounded).joined(separator: ", "))
          from signalbox.training_steps s where s.run = c.run::int4 and s.episode = c.episode offset 0
        ) s where c.is_chosen
      ),
      placed as materialized (
        select *, lag(step) over w as step_before, lag(time) over w as time_before
        from steps window w as (partition by run, episode order by step, time, received)
      ),
      -- Writers that report each tenth step miss nothing between.
      usual as (
        select run, coalesce(mode() within group (order by step::numeric - step_before) filter (where step > step_before), 1) as stride
        from placed group by run
      ),
      found as (\(findings)),
      listed as (
        select f.*, row_number() over (partition by f.run order by f.episode nulls first, f."check") as number from found f
      ),
      per_episode as (select run, episode, count(*) as steps from steps group by 1, 2),
      k as (
        select r.run, count(k.run) as episodes, count(*) filter (where k.is_chosen and p.run is null or k.steps = 0) as without_steps,
          count(*) filter (where k.steps > 0 and not k.is_chosen) as beyond,
          min(k.episode) filter (where k.episode >= 0) as first_episode, count(p.run) as examined,
          coalesce(sum(greatest(0, k.steps - p.steps)), 0) as removed
        from runs r left join known k on k.run = r.run left join per_episode p on p.run = k.run and p.episode = k.episode group by r.run
      ),
      s as (
        select run, count(*) as steps, count(*) - count(position + shares_held) as without_units,
          count(*) - count(balance + shares_held * price - portfolio_value) as without_accounts
        from steps group by run
      ),
      of_runs as (
        select r.*, k.examined, coalesce(s.steps, 0) as steps, (select count(*) from found f where f.run = r.run) as findings,
          nullif(\(notExamined), '') as not_examined, k.episodes
        from runs r join k on k.run = r.run left join s on s.run = r.run
      )
      select host, id, run, episode, state, "check", count, first_step, episodes_examined, steps_examined, detail, not_examined from (
        select r.place, 0 as number, r.host, r.run as id, r.name as run, null::int8 as episode,
          case when r.findings > 0 then 'broken' when r.examined = 0 then 'not examined' when r.not_examined is not null then 'partly'
            else 'ok' end as state, 'run' as "check", r.findings as count, null::int8 as first_step, r.examined as episodes_examined,
          r.steps as steps_examined, format('looked at %s of %s episodes, with %s steps', r.examined, r.episodes, r.steps) || case when r.findings > \(findingsMax)
            then format('; findings beyond the \(findingsMax) that are listed: %s', r.findings - \(findingsMax)) else '' end as detail,
          r.not_examined
        from of_runs r
        union all
        select r.place, l.number, r.host, r.run, r.name, l.episode, 'broken', l."check", l.count, l.first_step, null, null,
          format('%s: %s', l.meaning, l.count) || case when l."check" = 'steps_missing' then format(', the first behind step %s', l.first_step)
            when l.first_step is not null then format(', the first is step %s', l.first_step) else '' end, null
        from listed l join runs r using (run) where l.number <= \(findingsMax)
        union all
        select 9223372036854775807, 1, null, null, null, null, 'not examined', 'runs', count(*), null, null, null,
          format('runs older than the newest \(runsMax): %s', count(*)), null
        from wanted where place > \(runsMax) having count(*) > 0
      ) o
      order by place, number
      """, [host, run.map(String.init)])
  }
}
