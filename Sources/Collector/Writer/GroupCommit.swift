package import FleetModel

/// What bounds a group commit.
package struct GroupCommitLimits: Sendable {
  /// A group of so many rows is committed at once: one fdatasync then costs at most 8 % (docs/architecture.md).
  package var rowsPerGroup = 20_000
  package var bytesPerGroup = 8 << 20
  /// Between the starts of two groups that are not full. It caps what small transactions can cost (20 a second, a few
  /// ms each): a thousand hosts with a sample a second share them, and a line waits 25 ms on average, 0 on a quiet
  /// writer. A longer wait would fill groups better but leave the one host that sends much with its window full and idle.
  package var spacingNs: Int64 = 50_000_000
  /// Waiting batches above which sessions stop reading.
  package var pauseBytes = 32 << 20
  /// Waiting batches above which nothing more is taken. Beyond `pauseBytes` by what flow control had already granted.
  package var waitingBytesMax = 256 << 20
  package var retryBaseNs: Int64 = 100_000_000
  package var retryCapNs: Int64 = 5_000_000_000

  package init() {}
}

/// What went wrong with a whole group.
package enum CommitFailure: Sendable, Equatable {
  /// The transaction was not begun or was rolled back; it may go through later.
  case transient
  /// The connection broke around COMMIT: nobody knows. The same group again; the marks tell what had been committed.
  case unknown
}

/// Gathers staged batches of many hosts into transactions: one under way at a time, each host's batches in order.
///
/// An engine: the caller runs each group against the store and says what came of it. A group that failed is given out
/// again, the same, after a back-off: as long as the database is away at most `waitingBytesMax` are kept here, and the
/// agents keep the rest.
package struct GroupCommit<Session: Hashable & Sendable>: Sendable {
  package struct Group: Sendable {
    /// Of each batch, whose it is.
    package var sessions: [Session]
    package var batches: [StagedBatch]
    package var rows: Int
    package var bytes: Int
    /// Tries before this one.
    package var failures: Int
  }

  private struct Waiting: Sendable {
    var session: Session
    var batch: StagedBatch
    var rows: Int
    var bytes: Int
  }

  /// nil where it was given out: a batch's memory is not kept until its place goes.
  private var waiting: [Waiting?] = []
  /// Elements of `waiting` already given out.
  private var head = 0
  private var current: Group?
  private var isUnderWay = false
  private var retryAtNs: Int64 = .min
  private var lastStartNs: Int64 = .min
  package private(set) var waitingRows = 0
  package private(set) var waitingBytes = 0
  package private(set) var groupsTotal: UInt64 = 0
  package private(set) var rowsTotal: UInt64 = 0
  package private(set) var retriesTotal: UInt64 = 0
  private let limits: GroupCommitLimits

  package init(limits: GroupCommitLimits = GroupCommitLimits()) {
    self.limits = limits
  }

  /// Batches not yet settled, those of the group under way among them.
  package var waitingBatches: Int { waiting.count - head + (current?.batches.count ?? 0) }

  /// Batches in memory, whether settled or not.
  var heldBatches: Int { waiting.count { $0 != nil } + (current?.batches.count ?? 0) }

  /// Sessions are to stop reading: the database does not keep up.
  package var isBehind: Bool { waitingBytes >= limits.pauseBytes }

  /// - Parameter bytes: encoded size, as a measure of memory.
  /// - Returns: false where the limit is reached; the session is to be ended with `.overLimit`.
  package mutating func stage(_ batch: StagedBatch, of session: Session, bytes: Int) -> Bool {
    guard waitingBytes + bytes <= limits.waitingBytesMax else { return false }
    let rows = batch.batch.rowCount
    waiting.append(Waiting(session: session, batch: batch, rows: rows, bytes: bytes))
    waitingRows += rows
    waitingBytes += bytes
    return true
  }

  /// The next transaction, if one is due. Until `committed` or `failed` there is no other.
  package mutating func nextGroup(nowNs: Int64) -> Group? {
    guard !isUnderWay, let dueNs, nowNs >= dueNs else { return nil }
    if current == nil { current = takeGroup() }
    isUnderWay = true
    lastStartNs = nowNs
    return current
  }

  /// When to ask for a group again; nil while one is under way or nothing waits. Monotonic, ns.
  package var dueNs: Int64? {
    if isUnderWay { return nil }
    if current != nil { return retryAtNs }
    guard head < waiting.count else { return nil }
    if waitingRows >= limits.rowsPerGroup || waitingBytes >= limits.bytesPerGroup { return .min }
    // A quiet writer commits a lone batch at once; a busy one waits for its turn.
    return lastStartNs == .min ? .min : lastStartNs + limits.spacingNs
  }

  private mutating func takeGroup() -> Group {
    var group = Group(sessions: [], batches: [], rows: 0, bytes: 0, failures: 0)
    while head < waiting.count, let next = waiting[head] {
      let isFull = group.rows + next.rows > limits.rowsPerGroup || group.bytes + next.bytes > limits.bytesPerGroup
      if isFull && !group.batches.isEmpty { break }
      group.sessions.append(next.session)
      group.batches.append(next.batch)
      group.rows += next.rows
      group.bytes += next.bytes
      waiting[head] = nil
      head += 1
    }
    // The places of what was given out go in large pieces, so that a long queue is not moved for each group.
    if head == waiting.count || head > 1024 {
      waiting.removeFirst(head)
      head = 0
    }
    return group
  }

  /// The group's transaction is through.
  /// - Parameter outcomes: one for each of its batches, in order.
  /// - Returns: for each session, the outcomes of its batches in order.
  package mutating func committed(_ outcomes: [CommitOutcome]) -> [(session: Session, outcomes: [CommitOutcome])] {
    guard isUnderWay, let group = current else { return [] }
    precondition(outcomes.count == group.batches.count, "one outcome for each batch")
    isUnderWay = false
    current = nil
    waitingRows -= group.rows
    waitingBytes -= group.bytes
    groupsTotal += 1
    rowsTotal += UInt64(group.rows)
    var settled: [(session: Session, outcomes: [CommitOutcome])] = []
    var places: [Session: Int] = [:]
    for (session, outcome) in zip(group.sessions, outcomes) {
      if let place = places[session] {
        settled[place].outcomes.append(outcome)
      } else {
        places[session] = settled.count
        settled.append((session: session, outcomes: [outcome]))
      }
    }
    return settled
  }

  /// The group's transaction failed as a whole; the same group comes again after a back-off with jitter.
  ///
  /// A transient failure and an unknown result are treated alike: the store recognises what was committed. What can
  /// never be stored does not come here: the store sets it aside in `dead_letters` and commits the rest.
  package mutating func failed(_ failure: CommitFailure, nowNs: Int64, random: inout some RandomNumberGenerator) {
    guard isUnderWay, var group = current else { return }
    isUnderWay = false
    group.failures += 1
    retriesTotal += 1
    let ceiling = min(limits.retryCapNs, limits.retryBaseNs << Int64(min(group.failures - 1, 20)))
    // An unknown result is most often a killed connection: one try at once tells what became of it.
    let isFirstUnknown = failure == .unknown && group.failures == 1
    retryAtNs = isFirstUnknown ? nowNs : nowNs + Int64.random(in: ceiling / 2...ceiling, using: &random)
    current = group
  }
}
