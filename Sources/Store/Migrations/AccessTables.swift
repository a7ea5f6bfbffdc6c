internal import Postgres

/// The login for people's SQL, and locks that this login can neither see nor take.
///
/// Rows instead of advisory locks: every role of a database may call pg_advisory_lock with any key, and the keys of locks that
/// are held stand in pg_locks for everyone to read.
enum AccessTables {
  private static let partitionLock =
    "perform from signalbox.locks where name = '\(StoreLock.partitions.rawValue)' for update;"

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

    """ + (capability == .plain ? PartitionFunctions.ensurePartition("create or replace", lock: partitionLock) : "")
  }
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
