internal import Postgres

/// The login for people's SQL, and locks that this login can neither see nor take.
///
/// Rows instead of advisory locks: every role of a database may call pg_advisory_lock with any key, and the keys of locks that
/// are held stand in pg_locks for everyone to read.
enum AccessTables {
  static func sql(_ capability: Capability) -> String {
    """
    -- Which login people's SQL takes; its password, empty where the server asks for none. Whoever may read this owns the
    -- tables, so the password gives him nothing that he has not.
    create table signalbox.reader_access (
      role text primary key,
      password text not null,
      created timestamptz not null default now()
    );

    create table signalbox.locks (
      name text primary key
    );
    insert into signalbox.locks (name) values \(StoreLock.allCases.map { "('\($0.rawValue)')" }.joined(separator: ", "));

    """ + (capability == .plain ? ensurePartition : "")
  }

  /// As in the first step, but for its lock.
  private static let ensurePartition = """
    create or replace function signalbox.ensure_partition(table_name text, at timestamptz) returns boolean
    language plpgsql as $$
    declare
      width interval; first timestamptz; partition text;
    begin
      select chunk into strict width from signalbox.time_tables where name = table_name;
      first := date_bin(width, at, timestamptz '2000-01-03 00:00:00+00');
      partition := table_name || '_' || to_char(first at time zone 'UTC', 'YYYYMMDD"t"HH24');
      if to_regclass(format('signalbox.%I', partition)) is not null then return false; end if;
      perform from signalbox.locks where name = '\(StoreLock.partitions.rawValue)' for update;
      if to_regclass(format('signalbox.%I', partition)) is not null then return false; end if;
      execute format('create table signalbox.%I (like signalbox.%I including defaults including constraints)', partition, table_name);
      execute format('alter table signalbox.%I attach partition signalbox.%I for values from (%L) to (%L)',
        table_name, partition, first, first + width);
      return true;
    end $$;

    """
}

/// What only one transaction of the fleet's collectors may do at a time.
enum StoreLock: String, CaseIterable {
  /// Incidents are opened and ended in one order.
  case incidents
  /// A partition is made once.
  case partitions
}

extension Store {
  /// Holds the lock until the transaction ends.
  func take(_ lock: StoreLock) throws(StoreError) {
    try run("select from signalbox.locks where name = $1 for update", [.text(lock.rawValue)])
  }
}
