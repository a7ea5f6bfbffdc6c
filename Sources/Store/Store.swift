internal import FleetModel
package import Postgres

/// The fleet's database: every SQL statement of Signalbox lives in this target.
///
/// One connection, confined to its thread. Not Sendable: each thread opens its own.
package final class Store {
  /// For statements of this target's extensions.
  package let connection: Connection
  /// As given, for connections that stand beside this one.
  let url: DatabaseURL
  package private(set) var capability: Capability
  /// What the last `migrate` could not do for those who only read; sentences for the log.
  package internal(set) var readerProblems: [String] = []
  /// Rows older than this before their arrival, µs, are stored under their arrival (`clock_suspect`).
  var oldestUs: Int64 = Limits.oldestDefaultUs
  /// Lengths of chunks by table, µs.
  var chunkUs: [String: Int64] = [:]
  /// Partitions that are known to exist, so that a commit need not ask.
  var knownPartitions: Set<PartitionKey> = []
  /// Numbers of runs, which never change once committed.
  var runNumbers: [RunKey: Int32] = [:]
  var rows = RowBuffers()
  /// How the group under way is sent.
  var care = CommitCare.none
  /// Under which new rows of the outbox are reserved, while `apply` writes them.
  var reservation: String?
  /// What the transaction under way could not store.
  var refusals: [Refusal] = []
  /// What the transactions before it could not.
  var setAside: [SetAside] = []
  /// Handed on to the next connection of the same writer.
  package var quotas = HostQuotas()

  init(_ connection: Connection, _ capability: Capability, _ url: DatabaseURL) {
    self.connection = connection
    self.capability = capability
    self.url = url
  }

  /// What a collector that is frozen, or whose machine has gone, may keep of its hosts from another collector: in a transaction the
  /// server waits no longer for it. Its own statements follow each other within milliseconds.
  package static let idleInTransactionMs = 10_000

  /// How a writer's connection is set: everything has an end, and a commit is on disk when it is answered.
  package static var writerOptions: ConnectionOptions {
    var options = ConnectionOptions()
    options.applicationName = "signalbox-store"
    options.statementTimeoutMs = 50_000
    options.lockTimeoutMs = 20_000
    options.idleInTransactionTimeoutMs = idleInTransactionMs
    options.settings = ["synchronous_commit": "on", "timezone": "UTC", "search_path": "public"].merging(peerLimits) {
      $1
    }
    return options
  }

  /// How a thread's connection is set that commits for many hosts: one that waits for a lock keeps all of them waiting, so
  /// that the hosts that need it are set aside instead.
  package static var commitOptions: ConnectionOptions {
    var options = writerOptions
    options.lockTimeoutMs = 200
    return options
  }

  /// The server's side of a TCP connection: a client whose machine has gone is noticed after 11 s, not after two hours, so that its
  /// locks go. In s, s, probes, ms; without effect on Unix sockets.
  private static let peerLimits = [
    "tcp_keepalives_idle": "5", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
  ]

  /// Of several servers the one that writes; a single one that only reads is refused as such. Left to the URL where it sets this.
  private static func forWriting(_ url: DatabaseURL) -> DatabaseURL {
    url["target_session_attrs"] == nil ? url.with(["target_session_attrs": "read-write"]) : url
  }

  /// Connects to a database that has been migrated, or makes it so.
  /// - Parameter migrating: applies missing migrations (the collector); false refuses an unmigrated or newer schema (all others).
  package static func open(
    _ url: DatabaseURL, migrating: Bool = false, options: ConnectionOptions = writerOptions
  ) throws(StoreError) -> Store {
    let connection = try asking { () throws(PostgresError) in try Connection(forWriting(url), options: options) }
    let store = Store(connection, .plain, url)
    do throws(StoreError) {
      if store.connection.serverVersion < 150_000 { throw .oldServer(version: store.connection.serverVersion) }
      if migrating {
        try store.refuseUnfit()
        try store.migrate()
      } else {
        try store.requireSchema()
      }
    } catch {
      store.close()
      throw error
    }
    return store
  }

  package func close() { connection.close() }

  /// Reads what the schema was made for.
  func loadLayout(_ capability: Capability) throws(StoreError) {
    self.capability = capability
    let rows = try asking { () throws(PostgresError) in
      try connection.query(
        """
        select name, (extract(epoch from chunk) * 1000000)::int8, (extract(epoch from keep) * 1000000)::int8
        from signalbox.time_tables where name <> 'aggregates'
        """)
    }
    var oldest: Int64 = 0
    for row in 0..<rows.count {
      // Settable by the site: a length of nothing would divide by zero.
      chunkUs[rows.text(row, 0) ?? ""] = rows.int(row, 1).flatMap { $0 > 0 ? $0 : nil } ?? Limits.dayUs
      oldest = max(oldest, rows.int(row, 2) ?? 0)
    }
    oldestUs = oldest > 0 ? min(oldest, Limits.oldestMaxUs) : Limits.oldestDefaultUs
  }
}

/// Runs database calls, turning their errors into the store's.
func asking<Result: ~Copyable>(
  _ body: () throws(PostgresError) -> Result
) throws(StoreError) -> Result {
  do throws(PostgresError) { return try body() } catch { throw .database(error) }
}

/// Bounds of what is stored, and why.
enum Limits {
  static let dayUs: Int64 = 86_400_000_000
  static let oldestDefaultUs: Int64 = 90 * dayUs
  /// Whatever the site keeps: a hundred years before now, sums of times stay within 64 bits.
  static let oldestMaxUs: Int64 = 36_525 * dayUs
  /// Training files are read long after they were written; their steps are kept for good.
  static let oldestTrainingUs: Int64 = 3650 * dayUs
  /// A clock this far ahead is wrong: its rows would make chunks in the future that nothing ever drops.
  static let aheadUs: Int64 = 3_600_000_000
  /// A run's name is part of a unique index, whose entries end at 2704 bytes.
  static let runNameBytesMax = 1024
  /// Of a run on one host.
  static let ranksMax = 1024
  /// Rows of `runNumbers` and `knownPartitions`; beyond it the cache starts anew.
  static let cacheMax = 100_000
  /// A stream that was alive so short ago under another boot or machine is a clone.
  static let cloneWindowUs: Int64 = 15_000_000
  /// Refused rows of one group that are looked for one by one; beyond it whole ranges are set aside, because each costs statements
  /// while every other host of the writer waits.
  static let refusalsMax = 500
  /// Of what was refused, kept in its dead letter.
  static let letterBytesMax = 64 << 10
  /// Aggregates end so long ago: by then nearly all samples of a minute are committed, and the minute is made once.
  static let aggregateDelayUs: Int64 = 180_000_000
  /// A sample that is committed so shortly before a pass reaches its minute may be one that the pass does not see yet.
  static let aggregateSlackUs: Int64 = 120_000_000
  /// Tries of a group whose late rows a compression keeps out: undoing one takes longer than one lock timeout.
  static let interruptionsMax = 4
  /// A spool is replaced when its disk is, or when a host was cloned; one that is forgotten would be stored again.
  static let spoolsPerHost = 64
  /// Files of one page of marks: with paths of 4 KiB they still fit one frame of the wire and the queue of one call (1 MiB).
  static let marksPerPage = 128
  /// Of one host: certificates that were never used, or that a newer one has replaced.
  static let spareCertificatesMax = 16
  /// Certificates of one host that the audit log lists in a day; a healthy host needs one in three weeks.
  static let auditedCertificatesPerDay: Int64 = 20
  /// An agent process that comes back so soon after another one was welcomed may have sent Hello before that one.
  static let contestMinimumUs: Int64 = 1_000_000
  /// A contest that goes on is one entry of the audit log in this time.
  static let contestAuditUs: Int64 = 3_600_000_000
  /// Addresses that an agent reports to know: as many as a join token holds, and one that it is connected through.
  static let knownCollectorsMax = 9
  /// A host name of 253 bytes, brackets and a port.
  static let collectorAddressBytesMax = 264
  /// Addresses of collectors that are gone for so long are no longer given to hosts.
  static let collectorGoneDays = 7
  /// How long a name stays in the certificates after its last announcement: as long as a join token may live, and a day.
  static let serverNameDays = 31
}

struct PartitionKey: Hashable {
  let table: String
  let index: Int64
}

/// A source of a run: which attempt at it its rows belong to is decided once.
struct RunKey: Hashable {
  let host: Int32
  let run: String
  /// nil: what programs report by themselves belongs to the newest attempt.
  let file: FileKey?

  var ofRun: RunKey { RunKey(host: host, run: run, file: nil) }

  /// By bytes, as the database compares names: two forms of one accented letter are one String, and two runs.
  static func == (left: RunKey, right: RunKey) -> Bool {
    left.host == right.host && left.file == right.file && left.run.hasBytes(of: right.run)
  }

  func hash(into hasher: inout Hasher) {
    hasher.combine(host)
    hasher.combine(run)
    hasher.combine(file)
  }
}
