/// What went wrong, and what housekeeping has done.
enum OperationTables {
  static let sql = """
    create table signalbox.loss_ledger (
      number bigint generated always as identity primary key,
      time timestamptz not null,
      received timestamptz not null,
      host integer not null references signalbox.hosts,
      subject text not null,
      from_offset bigint not null,
      to_offset bigint not null,
      reason text not null,
      is_estimate boolean not null
    );
    create index loss_ledger_host on signalbox.loss_ledger (host, time desc);

    -- Rows that the database refused, as they were sent (one binary COPY row), with its reason.
    create table signalbox.dead_letters (
      number bigint generated always as identity primary key,
      received timestamptz not null,
      host integer not null,
      table_name text not null,
      sqlstate text not null,
      reason text not null,
      row_bytes bytea not null
    );
    create index dead_letters_received on signalbox.dead_letters (received);

    -- Rows whose own time was impossible: they are stored under the time of their arrival.
    create table signalbox.clock_suspect (
      number bigint generated always as identity primary key,
      received timestamptz not null,
      host integer not null,
      table_name text not null,
      rows bigint not null,
      first_claimed_us bigint not null,
      last_claimed_us bigint not null
    );
    create index clock_suspect_received on signalbox.clock_suspect (received);

    -- Settable by the site: UPDATE signalbox.time_tables SET keep = '14 days' WHERE name = 'log_info'. NULL keeps for good.
    create table signalbox.time_tables (
      name text primary key,
      chunk interval not null,
      keep interval,
      compress_after interval,
      search_index boolean not null default false
    );

    -- Not a table itself: how long the 1-minute and 1-hour figures and the counts of log lines are kept.
    insert into signalbox.time_tables (name, chunk, keep) values ('aggregates', '7 days', '400 days');

    -- Hours whose samples changed after they were aggregated (plain PostgreSQL and Apache edition).
    create table signalbox.aggregate_dirty (
      hour timestamptz primary key
    );
    create table signalbox.aggregate_marks (
      name text primary key,
      until timestamptz not null
    );
    """
}
