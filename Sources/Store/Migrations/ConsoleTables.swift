/// Credentials of people and scripts at the console.
enum ConsoleTables {
  static let savedQueries = """
    -- Statements of people on the views, under a name. Parameters are the names of $1 and those behind it.
    create table signalbox.saved_queries (
      name text primary key,
      description text not null default '',
      sql text not null,
      parameters text[] not null default '{}',
      author text not null,
      saved timestamptz not null
    );

    """

  static let calendars = """
    alter table signalbox.credentials drop constraint credentials_kind_check,
      add constraint credentials_kind_check check (kind in ('token', 'link', 'session', 'calendar'));

    """

  static let sql = """
    -- One row for what lets somebody in: a token of a script, a login link that works once, the session of a browser. Only the hash of
    -- the secret is kept.
    create table signalbox.credentials (
      id text primary key,
      kind text not null check (kind in ('token', 'link', 'session')),
      name text not null,
      role text not null check (role in ('viewer', 'responder', 'editor', 'admin')),
      secret_hash bytea not null,
      created timestamptz not null default now(),
      created_by text not null,
      expires timestamptz not null,
      last_used timestamptz,
      ended timestamptz,
      ended_by text
    );
    create unique index credentials_token on signalbox.credentials (name) where kind = 'token' and ended is null;
    create index credentials_expires on signalbox.credentials (expires);

    """
}
