/// A run has sources and attempts: a row of `signalbox.runs` is one attempt at a run on one host.
enum RunAttemptTables {
  static let views = ["run_attempts"]

  /// Rows of before are first attempts with one source, which is in `source`.
  static let sql =
    """
    alter table signalbox.runs
      add column attempt integer not null default 1,
      -- There is a later attempt.
      add column is_superseded boolean not null default false,
      add column name text not null default '',
      add column job text not null default '',
      add column ranks integer[] not null default '{}',
      -- The row by which a run of a job of several hosts is listed; null: by its own.
      add column of_job integer;
    alter table signalbox.runs drop constraint runs_host_run_key;
    alter table signalbox.runs add constraint runs_host_run_attempt unique (host, run, attempt);
    update signalbox.runs set name = case when source like '/%' then regexp_replace(run, '-[0-9a-f]{8}$', '') else run end;
    create index runs_of_names on signalbox.runs (name);
    create index runs_of_one_job on signalbox.runs (of_job) where of_job is not null;
    create index runs_of_jobs on signalbox.runs (job, run) where job like 'slurm:%';

    -- Each generation of a file belongs to one attempt.
    create table signalbox.run_sources (
      run integer not null references signalbox.runs,
      key uuid not null,
      path text not null,
      mark bigint not null,
      began timestamptz not null,
      primary key (run, key)
    );

    -- What a run reports of itself is whatever a program wrote.
    create function signalbox.parameters(detail text) returns json language plpgsql immutable as $$
    begin
      return coalesce((detail::jsonb -> 'detail')::json, '{}');
    exception when data_exception then
      return '{}';
    end $$;

    create or replace view public.runs as \(columns) where not r.is_superseded and r.of_job is null;
    create view public.run_attempts as \(columns);
    create or replace view public.training_steps as
      select s.time, s.received, h.name as host, r.run, s.episode, s.step, s.reward, s.action, s.balance, s.shares_held,
        s.price, s.portfolio_value, s.position, s.metrics, r.attempt
      from signalbox.training_steps s
      left join signalbox.runs r on r.number = s.run
      left join signalbox.hosts h on h.number = s.host;

    """ + EpisodeView.ofAttempts + comments

  /// The files of one row, as far as people look at them.
  static func sources(of run: String) -> String {
    """
    case when exists (select from signalbox.run_sources s where s.run = \(run).number)
      then array(select distinct s.path from signalbox.run_sources s where s.run = \(run).number order by 1 limit 100)
      else array_remove(array[\(run).source], '') end
    """
  }

  private static let columns = """
    select h.name as host, r.run, (array['unknown', 'running', 'completed', 'failed'])[r.state + 1] as state,
      r.framework, r.source, r.started, r.updated, r.ended, r.detail, r.number as id, r.name, r.job, r.attempt,
      \(sources(of: "r")) as sources, r.ranks
    from signalbox.runs r left join signalbox.hosts h on h.number = r.host
    """

  private static let ofRuns = [
    ("id", "the number by which pages and commands name it"),
    ("name", "what people call it: its directory, or its log"),
    ("job", "what its process belongs to: slurm:JOB, kubernetes:POD, unit:NAME …; empty where not known"),
    ("attempt", "which attempt at the run it is: how often it was started in its place, from 1"),
    ("sources", "the files that it was read from"), ("ranks", "ranks of which something was read on its host"),
    ("source", "the file that was read last"),
  ]

  private static let ofAttempts = [
    ("host", "the host's name"), ("run", "the run's key on its host"),
    ("state", "running, completed, failed or unknown"),
    ("framework", "which trainer's format it is"), ("started", "its first time"), ("updated", "its last time"),
    ("ended", "when it ended; null while it runs"), ("detail", "what it reports of itself, as a JSON object"),
  ]

  private static let comments: String = {
    var sql = """
      comment on view public.runs is
        'Training runs, as their files or they themselves report: of each the newest attempt, and of a job of several hosts one row.';
      comment on view public.run_attempts is 'All attempts at training runs, on all their hosts.';
      comment on column public.episodes.environment is
        'which of the run''s environments it is of; its episodes are numbered from this times 10^12';

      """
    func add(_ view: String, _ columns: [(String, String)]) {
      for (column, text) in columns {
        sql += "comment on column public.\(view).\(column) is \(ViewDocumentation.literal(text));\n"
      }
    }
    add("runs", ofRuns)
    add("run_attempts", ofRuns + ofAttempts)
    for view in ["episodes", "training_steps"] {
      add(view, [("attempt", "the attempt at its run that it is of, from 1")])
    }
    return sql
  }()
}
