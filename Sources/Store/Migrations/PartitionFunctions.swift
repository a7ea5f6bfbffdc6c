/// One set of functions for chunks, whatever makes them: Timescale's hypertables or native partitions.
enum PartitionFunctions {
  static func sql(_ capability: Capability) -> String { capability == .plain ? plain : timescale }

  /// The same function whatever keeps two transactions from making one partition; later steps use another lock than the first.
  /// - Parameters:
  ///   - create: `create`, or `create or replace`.
  ///   - lock: a statement that holds until the transaction ends.
  static func ensurePartition(_ create: String, lock: String) -> String {
    """
    -- Makes the partition that holds `at`; true where it was missing. Attached, not created as a partition: that takes no
    -- lock which would stop readers or writers.
    \(create) function signalbox.ensure_partition(table_name text, at timestamptz) returns boolean language plpgsql as $$
    declare
      width interval; first timestamptz; partition text;
    begin
      select chunk into strict width from signalbox.time_tables where name = table_name;
      first := date_bin(width, at, timestamptz '2000-01-03 00:00:00+00');
      partition := table_name || '_' || to_char(first at time zone 'UTC', 'YYYYMMDD"t"HH24');
      if to_regclass(format('signalbox.%I', partition)) is not null then return false; end if;
      \(lock)
      if to_regclass(format('signalbox.%I', partition)) is not null then return false; end if;
      execute format('create table signalbox.%I (like signalbox.%I including defaults including constraints)', partition, table_name);
      execute format('alter table signalbox.%I attach partition signalbox.%I for values from (%L) to (%L)',
        table_name, partition, first, first + width);
      return true;
    end $$;

    """
  }

  private static let plain =
    ensurePartition("create", lock: "perform pg_advisory_xact_lock(hashtext('signalbox.ensure_partition'));") + """

      create function signalbox.chunks(table_name text)
      returns table (chunk regclass, first timestamptz, until timestamptz) language sql stable as $$
        select c.oid::regclass,
          (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \\(''([^'']+)''\\)'))[1]::timestamptz,
          (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \\(''([^'']+)''\\)'))[1]::timestamptz
        from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = format('signalbox.%I', table_name)::regclass
      $$;

      -- Drops what lies wholly before `before`; returns how many.
      create function signalbox.drop_chunks_before(table_name text, before timestamptz) returns integer
      language plpgsql as $$
      declare
        old record; dropped integer := 0;
      begin
        for old in select * from signalbox.chunks(table_name) c where c.until <= before order by c.first loop
          execute format('drop table %s', old.chunk);
          dropped := dropped + 1;
        end loop;
        return dropped;
      end $$;
      """

  private static let timescale = """
    create function signalbox.ensure_partition(table_name text, at timestamptz) returns boolean language sql as $$
      select false
    $$;

    create function signalbox.chunks(table_name text)
    returns table (chunk regclass, first timestamptz, until timestamptz) language sql stable as $$
      select format('%I.%I', c.chunk_schema, c.chunk_name)::regclass, c.range_start, c.range_end
      from timescaledb_information.chunks c
      where c.hypertable_schema = 'signalbox' and c.hypertable_name = table_name
    $$;

    create function signalbox.drop_chunks_before(table_name text, before timestamptz) returns integer
    language sql as $$
      select count(*)::integer from drop_chunks(format('signalbox.%I', table_name)::regclass, older_than => before)
    $$;
    """
}
