/// Silences that come back, and turns that another receiver takes.
enum RepetitionTables {
  static let sql = """
    -- A silence that comes back: its starts and ends are those of the window in force or ahead.
    alter table signalbox.silences add column cron text, add column zone text, add column length interval,
      -- Those of the configuration have its name for them.
      add column configured_as text unique,
      add check ((cron is null) = (zone is null) and (cron is null) = (length is null));

    create or replace view public.silences as
      select s.number as silence, s.rule, s.host, s.entity, 'P' || s.severity as severity, s.author, s.reason, s.created,
        s.starts, s.ends, s.ended_by, s.cron, s.zone, s.length
      from signalbox.silences s;

    create table signalbox.on_call_overrides (
      number bigint generated always as identity primary key,
      schedule text not null,
      receiver text not null,
      starts timestamptz not null,
      ends timestamptz not null check (ends > starts),
      author text not null,
      reason text not null default '',
      created timestamptz not null default now()
    );
    create index on_call_overrides_ends on signalbox.on_call_overrides (ends);

    -- What the configuration of the collector that delivers pages names, for those who ask.
    create table signalbox.receivers (
      name text primary key,
      kind text not null
    );

    """

  /// The rotation's turns, whoever has taken one over.
  static let turns = """
    create table signalbox.on_call_turns (
      schedule text not null,
      starts timestamptz not null,
      ends timestamptz not null,
      receiver text not null,
      primary key (schedule, starts)
    );
    """

  /// As `StarPattern`: one grammar for silences, mutes, profiles and labels. LIKE has other signs, which are escaped.
  static let patterns = #"""
    create or replace function signalbox.matches(pattern text, word text) returns boolean
    language sql immutable parallel safe as $$
      select pattern is null or pattern = word or (strpos(pattern, '*') > 0 and word like
        replace(replace(replace(replace(pattern, '\', '\\'), '%', '\%'), '_', '\_'), '*', '%'))
    $$;

    """#
}
