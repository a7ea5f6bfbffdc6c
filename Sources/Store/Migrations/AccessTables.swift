internal import Postgres

/// The login for people's SQL, and locks that this login can neither see nor take.
///
/// Rows instead of advisory locks: every role of a database may call pg_advisory_lock with any key, and the keys of locks that
/// are held stand in pg_locks for everyone to read.
enum AccessTables {
  private static let partitionLock =
    "perform from signalbox.locks where name = '\(StoreLock.partitions.rawValue)' for update;"

  /// One login a purpose.
  static let purposes = """
    alter table signalbox.reader_access add purpose text not null default 'people' check (purpose in ('people', 'console'));

    """

  static func sql(_ capability: Capability) -> String {
    """
    -- Which login people's SQL takes; its password, empty where the server asks for none. Whoever may read this owns the
    -- tables, so the password gives him nothing that he has not.
    create table signalbox.reader_access (
      role text primary key,
      password text not null,
      created timestamptz not null default now()
    );

    -- Held by a transaction as the row's lock, or by a session that is named here; a session that is gone holds nothing.
    create table signalbox.locks (
      name text primary key,
      holder_pid integer,
      holder_started timestamptz
    );
    insert into signalbox.locks (name) values \(StoreLock.allCases.map { "('\($0.rawValue)')" }.joined(separator: ", "));

    """ + (capability == .plain ? PartitionFunctions.ensurePartition("create or replace", lock: partitionLock) : "")
  }
}

/// What only one transaction, or one session, of the fleet's collectors may do at a time.
enum StoreLock: String, CaseIterable {
  /// Incidents are opened and ended in one order.
  case incidents
  /// A partition is made once.
  case partitions
  /// One pass of housekeeping at a time, by whichever collector. Its statements build indexes and detach partitions concurrently, which
  /// no transaction may: so it is held by a session.
  case housekeeping
}

extension Store {
  /// Holds the lock until the transaction ends.
  func take(_ lock: StoreLock) throws(StoreError) {
    try run("select from signalbox.locks where name = $1 for update", [.text(lock.rawValue)])
  }

  /// Makes this session the lock's holder until `release`, or until the session ends.
  /// - Returns: false while another session that is alive holds it.
  func hold(_ lock: StoreLock) throws(StoreError) -> Bool {
    try inTransaction { () throws(StoreError) in
      // A statement of its own: what follows sees what the holder before has written.
      try take(lock)
      return try ask(
        """
        update signalbox.locks l set holder_pid = own.pid, holder_started = own.backend_start
        from pg_stat_activity own
        where l.name = $1 and own.pid = pg_backend_pid() and not exists (
          select from pg_stat_activity other where other.pid = l.holder_pid and other.pid <> own.pid
            and coalesce(other.backend_start = l.holder_started, true))
        """, [.text(lock.rawValue)]
      ).affected == 1
    }
  }

  func release(_ lock: StoreLock) throws(StoreError) {
    try run(
      "update signalbox.locks set holder_pid = null, holder_started = null where name = $1 and holder_pid = pg_backend_pid()",
      [.text(lock.rawValue)])
  }
}
