internal import FleetModel

/// Questions about runs and their episodes.
package enum TrainingQueries {
  /// What a list shows of an episode.
  private static let episodeColumns = """
    e.host, e.run, e.attempt, e.episode, e.status, e.steps, e.total_reward, e.pnl, e.win_rate_ratio, e.max_drawdown_ratio,
    e.sharpe_ratio, e.sortino_ratio, e.calmar_ratio, e.trades_closed, e.started, e.updated
    """

  /// Which runs are shown: the page is taken before anything is added up, so that a list costs by its rows.
  private static func page(_ more: String = "") -> String {
    "select r.* from signalbox.runs r where \(filters) \(more) \(newestFirst)"
  }

  /// One row of each run: its newest attempt, and of a job of several hosts the first of them, where none of them is asked for.
  private static let listed = "and not r.is_superseded and (r.of_job is null or $1::text is not null)"

  private static let filters = """
    ($1::text is null or r.host = any (\(FleetQueries.hosts("$1"))))
      and ($2::text is null or r.state = array_position(array['unknown', 'running', 'completed', 'failed'], $2::text) - 1)
      and ($3::text is null or r.run = any (\(keys("$3"))))
      and ($6::timestamptz is null or (r.updated, r.number) < ($6::timestamptz, $7::int4))
    """

  /// Keys of the runs that a text names, by what people call them or by their key.
  static func keys(_ name: String) -> String {
    "array[\(name)::text] || array(select n.run from signalbox.runs n where n.name = \(name)::text)"
  }

  private static let newestFirst = "order by r.updated desc, r.number desc limit $4::bigint"

  /// Of the list of runs: updated, id.
  package static let runPosition: [ListPosition.Kind] = [.time, .integer]
  /// Of the list of episodes: updated, episode, host, run.
  package static let episodePosition: [ListPosition.Kind] = [.time, .bigint, .text, .text]

  /// So many of the newest runs are looked up one by one before all texts are read.
  private static let newestMax = 2000

  /// The runs whose text, or whose host's name, contains `$8`.
  ///
  /// A text that many runs contain fills the page from the newest of them, the newest few first, without reading the texts of all; one that
  /// few contain is looked for in all texts, which are narrow (`RunTextTables`): a hundred thousand are read within a tenth of a second.
  private static let found: String = {
    let text = "lower($8::text collate \"C\")"
    let matches =
      "(strpos(t.text, \(text)) > 0 or t.host in "
      + "(select number from signalbox.hosts where strpos(lower(name collate \"C\"), \(text)) > 0))"
    let columns = "r.number, r.updated, r.run"
    let ofRun =
      "cross join lateral (select from signalbox.run_texts t where t.run = r.number and \(matches) offset 0) t"
    return """
      select r.* from signalbox.runs r where r.number in (
        with newest as (
          select \(columns) from signalbox.runs r where \(filters) \(listed) order by r.updated desc limit \(newestMax)
        ), recent as materialized (
          select \(columns) from newest r
          \(ofRun) \(newestFirst)
        ), matching as materialized (
          select t.run from signalbox.run_texts t where \(matches) and (select count(*) from recent) < $4::bigint
          limit \(newestMax)
        ), counted as materialized (
          select count(*) as runs from matching
        )
        select number from recent where (select count(*) from recent) = $4::bigint
        union all
        (select r.number from matching m join signalbox.runs r on r.number = m.run
          where (select runs from counted) < \(newestMax) and \(filters) \(listed) \(newestFirst))
        union all
        (select r.number from signalbox.runs r \(ofRun)
          where (select runs from counted) = \(newestMax) and \(filters) \(listed) \(newestFirst))
      )
      """
  }()

  /// What the running episodes of `p` add to the stored totals `t` of the ended ones. Looked up run by run (`offset 0`): the
  /// planner would rather read all totals once than a hundred through their index.
  private static let running = """
    left join lateral (select * from signalbox.run_totals where run = p.number offset 0) t on true
    left join lateral (
      select count(*) as episodes, sum(f.steps) as steps, max(e.updated) as newest,
        count(*) filter (where e.updated < now() - make_interval(mins => $5::int)) as stale
      from signalbox.episodes e \(EpisodeFigures.laterals)
      where e.run = p.number and e.state = 0
    ) c on true
    """

  /// Of this row, and of those of the other hosts of its job.
  private static let ranks = """
    case when \(RunJobTables.isOfHosts("p.job"))
      then array(
        select distinct rank from (
          select unnest(p.ranks) as rank union all select unnest(o.ranks) from signalbox.runs o where o.of_job = p.number
        ) m order by 1)
      else p.ranks end
    """

  private static let hostName = "(select name from signalbox.hosts where number = p.host)"

  /// Newest first, a run a row. Columns: id (its number), host, name, run (its key on the host), attempt, state, failure (the class of its
  /// newest failure), job, ranks and sources (JSON lists; of a job of several hosts those of all), framework, source, started, updated, ended,
  /// episodes, episodes_completed, steps, reward_mean, sharpe_mean, parameters (JSON object), detail. Means are of the episodes that have ended, as in `CompareQueries`: half an episode has half
  /// a reward.
  /// - Parameter text: contained in the run's name, its host's name, or what it reported of itself; Latin letters of either case.
  package static func runs(
    host: String?, state: String?, run: String? = nil, text: String? = nil, after: ListPosition? = nil, limit: Int
  ) -> ReadQuery {
    let parameters = [host, state, run, String(limit), "0"] + ListPosition.parameters(after, runPosition.count)
    return text.map { runs(parameters + [$0], found) } ?? runs(parameters, page(listed))
  }

  /// The one with a number: `id` of the list.
  package static func run(_ number: Int64) -> ReadQuery {
    runs([nil, nil, nil, "1", "0", nil, nil, String(number)], page("and r.number = $8::bigint"))
  }

  private static func runs(_ parameters: [String?], _ page: String) -> ReadQuery {
    ReadQuery(
      """
      select p.number as id, \(hostName) as host, coalesce(nullif(p.name, ''), p.run) as name, p.run, p.attempt,
        (array['unknown', 'running', 'completed', 'failed'])[p.state + 1] as state, \(WhyQueries.failureClass(of: "p")) as failure,
        p.job, to_json(\(ranks)) as ranks, to_json(\(RunAttemptTables.sources(of: "p"))) as sources, p.framework, p.source, p.started, p.updated, p.ended,
        coalesce(t.ended, 0) + c.episodes as episodes, coalesce(t.completed, 0) as episodes_completed,
        case when t.ended + c.episodes > 0 or c.episodes > 0
          then least(coalesce(t.steps, 0) + coalesce(c.steps, 0), 9223372036854775807)::bigint end as steps,
        t.reward_sum / nullif(t.reward_count, 0) as reward_mean, t.sharpe_sum / nullif(t.sharpe_count, 0) as sharpe_mean,
        signalbox.parameters(p.detail) as parameters, p.detail
      from (\(page)) p
      \(running)
      order by p.updated desc, p.number desc
      """, parameters)
  }

  /// Newest first. Columns as the contract of `episodes list` names them, and more.
  package static func episodes(
    host: String?, run: String?, attempt: Int64? = nil, status: String?, episode: Int64? = nil,
    after: ListPosition? = nil,
    limit: Int
  ) -> ReadQuery {
    ReadQuery(
      """
      select \(episodeColumns) from public.episodes e
      where ($1::text is null or e.host = any (\(FleetQueries.hosts("$1", "name")))) and ($2::text is null or e.run = any (\(keys("$2"))))
        and ($3::text is null or e.status = $3) and ($4::bigint is null or e.episode = $4::bigint)
        and ($10::int4 is null or e.attempt = $10::int4)
        and ($6::timestamptz is null or (e.updated, e.episode, e.host, e.run) < ($6::timestamptz, $7::bigint, $8::text, $9::text))
      order by e.updated desc, e.episode desc, e.host desc, e.run desc limit $5::bigint
      """,
      [host, run, status, episode.map(String.init), String(limit)]
        + ListPosition.parameters(after, episodePosition.count) + [attempt.map(String.init)])
  }

  /// Everything known of one episode, and how each metric is defined; without an attempt, of the newest that has it first.
  package static func episode(host: String?, run: String, attempt: Int64? = nil, episode: Int64) -> ReadQuery {
    ReadQuery(
      """
      select e.* from public.episodes e
      where ($1::text is null or e.host = any (\(FleetQueries.hosts("$1", "name")))) and e.run = any (\(keys("$2"))) and e.episode = $3::bigint
        and ($4::int4 is null or e.attempt = $4::int4)
      order by e.attempt desc
      """, [host, run, String(episode), attempt.map(String.init)])
  }

  /// Per run that has episodes, the newest first: how many of them ended, and how many did not although nothing has come
  /// for `staleMinutes`. Columns: host, run, episodes, completed, running, stale, hollow, completion_rate_ratio, newest.
  package static func check(host: String?, run: String?, staleMinutes: Int, limit: Int) -> ReadQuery {
    let hasEpisodes = """
       and (exists (select from signalbox.run_totals x where x.run = r.number)
        or exists (select from signalbox.episodes x where x.run = r.number and x.state = 0))
      """
    return ReadQuery(
      """
      select \(hostName) as host, p.run, coalesce(t.ended, 0) + c.episodes as episodes,
        coalesce(t.completed, 0) as completed, c.episodes as running, c.stale, coalesce(t.hollow, 0) as hollow,
        coalesce(t.completed, 0)::float8 / nullif(coalesce(t.ended, 0) + c.episodes, 0) as completion_rate_ratio,
        greatest(t.newest, c.newest) as newest
      from (\(page(listed + hasEpisodes))) p
      \(running)
      order by p.updated desc, p.number desc
      """, [host, nil, run, String(limit), String(staleMinutes), nil, nil])
  }
}
