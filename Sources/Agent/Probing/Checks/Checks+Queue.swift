internal import EventLoop
internal import Files
internal import FleetModel
internal import SQLite

/// The task queue in SQLite that several seeds run: tables `task_queue` and `workers`.
extension Checks {
  private static let walSuffix = "-wal"
  private static let sharedMemorySuffix = "-shm"
  /// The value is the number of queued tasks.
  func queue(_ probe: ProbeSetting) throws(CheckFailure) -> CheckAnswer {
    try requireReading(probe.target)
    guard let status = try? FileStatus.of(path: probe.target), status.kind == .file else {
      throw CheckFailure("there is no database \(probe.target)")
    }
    // The name behind the links: beside it lie the files of its write-ahead log.
    let path = (try? HostFiles.resolve(probe.target)) ?? probe.target
    let wal = (try? FileStatus.of(path: path + Self.walSuffix))?.sizeBytes ?? 0
    var answer = CheckAnswer()
    answer.add("wal_bytes", Double(wal))
    // Before the database is opened: see `Descriptor.isLocked`.
    let writes = WriteLockSample(path)
    do throws(SQLiteError) {
      let database = try open(path, walBytes: wal)
      let isBusy = try isHeld(database) || writes.isHeld
      answer.add(
        "busy", isBusy ? max(writes.ratio, 1 / Double(WriteLockSample.looks)) : writes.ratio, isBusy ? .failed : .ok)
      // Half of the time that there is: that it stays held must be reported, too.
      database.waitForLocks(ms: Int32(clamping: probe.timeoutNs / 2_000_000))
      try QueueReading(database).fill(&answer)
    } catch {
      switch error {
      case .noLibrary: throw .notAsked(error.description)
      case .busy:
        answer.add("busy", 1, .failed)
        answer.state = .failed
        answer.detail = error.description
      case .failed: throw CheckFailure(error.description)
      }
    }
    return answer
  }

  private func open(_ path: String, walBytes: UInt64) throws(SQLiteError) -> SQLiteDatabase {
    let database = try SQLiteDatabase(path: path)
    do throws(SQLiteError) {
      _ = try database.number("pragma schema_version")
    } catch {
      // Held just now: that is found out, and waited for, by who reads.
      if error == .busy { return database }
      let isAlone = walBytes == 0 && (try? FileStatus.of(path: path + Self.sharedMemorySuffix)) == nil
      guard isAlone else { throw error }
      // In WAL mode without a writer, and this user may not make the shared memory: then no process changes it while it is read.
      return try SQLiteDatabase(path: path, isImmutable: true)
    }
    return database
  }

  /// Whether a reader would have had to wait just now.
  private func isHeld(_ database: SQLiteDatabase) throws(SQLiteError) -> Bool {
    do throws(SQLiteError) {
      _ = try database.number(ForeignQueries.anyTable)
      return false
    } catch {
      if case .busy = error { return true }
      throw error
    }
  }
}

/// Whether a program that wanted to write, without waiting, would have got SQLITE_BUSY: the share of such moments is the share of
/// SQLITE_BUSY that the queue's own workers see. Nothing is locked by looking.
///
/// Source: sqlite.org/walformat.html "WAL locks" (WAL_WRITE_LOCK, byte 120 of the shared memory); sqlite.org/lockingv3.html
/// (RESERVED byte, 2³⁰ + 1 of the database).
private struct WriteLockSample {
  static let looks = 20
  private static let pauseNs: Int64 = 10_000_000

  /// At the first look.
  private(set) var isHeld = false
  /// Of all looks.
  private(set) var ratio = 0.0

  init(_ path: String) {
    let shared = path + "-shm"
    let isWAL = (try? FileStatus.of(path: shared)) != nil
    let offset = isWAL ? 120 : 0x4000_0001
    guard let file = try? Descriptor.open(isWAL ? shared : path, .read) else { return }
    var held = 0
    for look in 0..<Self.looks {
      guard let isLocked = file.isLocked(at: offset) else { return }
      if isLocked {
        held += 1
        if look == 0 { isHeld = true }
      }
      Process.sleep(ns: Self.pauseNs)
    }
    ratio = Double(held) / Double(Self.looks)
  }
}

/// Reads the figures of one queue; its columns are those of the seed, or what other queues of that kind call them.
private struct QueueReading {
  private let database: SQLiteDatabase

  init(_ database: SQLiteDatabase) { self.database = database }

  func fill(_ answer: inout CheckAnswer) throws(SQLiteError) {
    guard let status = try column("task_queue", ["status", "state"]) else {
      answer.state = .failed
      answer.detail = "there is no table task_queue with a status"
      return
    }
    let queue = ForeignQueries.Queue(
      status: status, created: try column("task_queue", ["created_at_utc", "created_at", "created_ts", "queued_at"]),
      runAfter: try column("task_queue", ["run_after_utc", "run_after"]),
      claimed: try column(
        "task_queue", ["reserved_at_utc", "claimed_at_utc", "claimed_at", "locked_at", "started_at"]),
      finished: try column(
        "task_queue",
        ["finished_at_utc", "completed_at_utc", "finished_at", "completed_at", "updated_at_utc", "updated_at"]),
      lockedBy: try column("task_queue", ["locked_by", "worker_id", "claimed_by"]))
    let queued = try database.number(queue.queued)
    answer.value = queued
    answer.add("queued", queued)
    let oldest = queued == 0 ? 0 : try number(queue.oldestSeconds)
    answer.add("oldest_seconds", oldest)
    // A task that has just come to an idle queue has not waited since the last claim.
    let claimed = try number(queue.claimAgeSeconds)
    answer.add("claim_age_seconds", queued == 0 ? 0 : claimed.isNaN ? oldest : min(oldest, claimed))
    answer.add("failed_ratio", try number(queue.failedRatio))
    answer.add("dead_letters", try database.number(queue.deadLetters))
    if let heartbeat = try column("workers", ["heartbeat_utc", "heartbeat_at", "last_heartbeat"]),
      let worker = try column("workers", ["worker_id", "id"])
    {
      answer.add("stale_workers", try number(queue.staleWorkers(heartbeat: heartbeat, worker: worker)))
    }
  }

  /// The first of the names that the table has.
  private func column(_ table: String, _ names: [String]) throws(SQLiteError) -> String? {
    for name in names where try database.number(ForeignQueries.countColumns(of: table, named: name)) > 0 {
      return name
    }
    return nil
  }

  /// NaN where a column is missing for it.
  private func number(_ sql: String?) throws(SQLiteError) -> Double {
    guard let sql else { return .nan }
    return try database.number(sql)
  }
}
