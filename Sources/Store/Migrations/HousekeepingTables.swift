/// What housekeeping needs so that neither ingest nor a reader waits for it.
enum HousekeepingTables {
  static func sql(_ capability: Capability) -> String {
    notes + AggregateTable.all.map { $0.partition(capability) }.joined() + (capability == .plain ? partitions : "")
  }

  /// By host, so that one host that was away costs its own rows and not an hour of the whole fleet.
  private static let notes = """
    create table signalbox.aggregate_late (
      hour timestamptz not null,
      host integer not null,
      primary key (hour, host)
    );
    insert into signalbox.aggregate_late select distinct d.hour, e.host from signalbox.aggregate_dirty d, signalbox.epochs e;
    drop table signalbox.aggregate_dirty;
    drop function signalbox.drop_chunks_before(text, timestamptz);

    """

  /// A partition that retention has detached, but could not drop yet because of an open reader, is attached again when a
  /// row comes for it.
  private static let partitions = """
    create or replace function signalbox.ensure_partition(table_name text, at timestamptz) returns boolean language plpgsql as $$
    declare
      width interval; begins timestamptz; partition text;
    begin
      select chunk into strict width from signalbox.time_tables where name = table_name;
      begins := date_bin(width, at, timestamptz '2000-01-03 00:00:00+00');
      if exists (select from signalbox.chunks(table_name) c where (c.first is null or c.first <= begins) and c.until > begins) then
        return false;
      end if;
      perform from signalbox.locks where name = '\(StoreLock.partitions.rawValue)' for update;
      if exists (select from signalbox.chunks(table_name) c where (c.first is null or c.first <= begins) and c.until > begins) then
        return false;
      end if;
      partition := table_name || '_' || to_char(begins at time zone 'UTC', 'YYYYMMDD"t"HH24');
      if to_regclass(format('signalbox.%I', partition)) is null then
        execute format('create table signalbox.%I (like signalbox.%I including defaults including constraints)', partition, table_name);
      end if;
      execute format('alter table signalbox.%I attach partition signalbox.%I for values from (%L) to (%L)',
        table_name, partition, begins, begins + width);
      return true;
    end $$;

    -- Detached and not yet dropped: what a pass of retention could not end.
    create function signalbox.detached(table_name text) returns setof regclass language sql stable as $$
      select c.oid::regclass from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'signalbox' and c.relkind = 'r' and not c.relispartition
        and c.relname ~ ('^' || table_name || '_([0-9]{8}t[0-9]{2}|first)$')
    $$;

    """
}
