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
  /// Between two tries of parked hosts. Each may cost the lock timeout of a writer, in which no one else commits.
  package var parkedSpacingNs: Int64 = 1_000_000_000

  package init() {}
}

/// What went wrong with a whole group.
package enum CommitFailure: Sendable, Equatable {
  /// The transaction was not begun or was rolled back; it may go through later.
  case transient
  /// The connection broke around COMMIT: the result is not known. The same group again; the marks show what had been committed.
  case unknown
  /// Nothing was stored because a lock was not had in time: a chunk that is being compressed, or a host that a frozen
  /// collector still holds. Only the hosts that need the lock are to wait for it.
  case locked
}

/// Gathers staged batches of many hosts into transactions: one under way at a time, each host's batches in order.
///
/// An engine: the caller runs each group against the store and reports what came of it. A group that failed is given out
/// again, the same, after a back-off: as long as the database is away at most `waitingBytesMax` are kept here, and the
/// agents keep the rest.
package struct GroupCommit<Session: Hashable & Sendable>: Sendable {
  package struct Group: Sendable {
    /// Of each batch, whose it is.
    package var sessions: [Session]
    package var batches: [StagedBatch]
    /// Encoded size of each.
    fileprivate var sizes: [Int] = []
    package var rows: Int
    package var bytes: Int
    /// Tries before this one.
    package var failures: Int
  }

  fileprivate struct Waiting: Sendable {
    var session: Session
    var batch: StagedBatch
    var rows: Int
    var bytes: Int
  }

  /// The batches of a host that waits for a lock, in order; those of other hosts pass them.
  private struct Parked: Sendable {
    var batches: [Waiting] = []
    var bytes = 0
    var retryAtNs: Int64
    var failures = 1
  }

  /// nil where it was given out: a batch's memory is not kept until its slot goes.
  private var waiting: [Waiting?] = []
  /// Elements of `waiting` already given out.
  private var head = 0
  /// Groups to be committed before anything else: one that is under way or is tried again, and the parts of one that a lock
  /// has split.
  private var queue: [Group] = []
  private var parked: [Int32: Parked] = [:]
  private var parkedRetryAtNs: Int64 = .min
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
  package var waitingBatches: Int { waiting.count - head + queuedBatches + parkedBatches }

  /// Batches in memory, whether settled or not.
  var heldBatches: Int { waiting.count { $0 != nil } + queuedBatches + parkedBatches }

  private var queuedBatches: Int { queue.reduce(0) { $0 + $1.batches.count } }
  private var parkedBatches: Int { parked.values.reduce(0) { $0 + $1.batches.count } }
  private var parkedBytes: Int { parked.values.reduce(0) { $0 + $1.bytes } }

  /// Hosts whose batches wait for a lock.
  package var parkedHosts: Int { parked.count }

  /// Sessions are to stop reading: the database does not keep up. What a parked host has staged, bounded by its own window,
  /// does not stop the others.
  package var isBehind: Bool { waitingBytes - parkedBytes >= limits.pauseBytes }

  /// - Parameter bytes: encoded size, as a measure of memory.
  /// - Returns: false where the limit is reached; the session is to be ended with `.overLimit`.
  package mutating func stage(_ batch: StagedBatch, of session: Session, bytes: Int) -> Bool {
    guard waitingBytes + bytes <= limits.waitingBytesMax else { return false }
    let rows = batch.batch.rowCount
    let next = Waiting(session: session, batch: batch, rows: rows, bytes: bytes)
    if parked[batch.hostNumber] != nil { park(next, nowNs: parkedRetryAtNs) } else { waiting.append(next) }
    waitingRows += rows
    waitingBytes += bytes
    return true
  }

  /// The next transaction, if one is due. Until `committed` or `failed` there is no other.
  package mutating func nextGroup(nowNs: Int64) -> Group? {
    guard !isUnderWay, let dueNs, nowNs >= dueNs else { return nil }
    if queue.isEmpty {
      let group = takeParked(nowNs) ?? takeGroup(nowNs)
      // All that waited may just have been parked.
      guard !group.batches.isEmpty else { return nil }
      queue = [group]
    }
    isUnderWay = true
    lastStartNs = nowNs
    return queue[0]
  }

  /// When to ask for a group again; nil while one is under way or nothing waits. Monotonic, ns.
  package var dueNs: Int64? {
    if isUnderWay { return nil }
    if !queue.isEmpty { return retryAtNs }
    return [parkedDueNs, waitingDueNs].compactMap { $0 }.min()
  }

  private var waitingDueNs: Int64? {
    guard head < waiting.count else { return nil }
    if waitingRows >= limits.rowsPerGroup || waitingBytes >= limits.bytesPerGroup { return .min }
    // A quiet writer commits a lone batch at once; a busy one waits for its turn.
    return lastStartNs == .min ? .min : lastStartNs + limits.spacingNs
  }

  private var parkedDueNs: Int64? {
    parked.values.map(\.retryAtNs).min().map { max($0, parkedRetryAtNs) }
  }

  private mutating func takeGroup(_ nowNs: Int64) -> Group {
    var group = Group(sessions: [], batches: [], rows: 0, bytes: 0, failures: 0)
    while head < waiting.count, let next = waiting[head] {
      // Late rows may need the lock that others already wait for: they do not hold up the group to find out.
      let parks = parked[next.batch.hostNumber] != nil || (!parked.isEmpty && next.batch.isLate)
      let isFull = group.rows + next.rows > limits.rowsPerGroup || group.bytes + next.bytes > limits.bytesPerGroup
      if !parks, isFull, !group.batches.isEmpty { break }
      if parks { park(next, nowNs: nowNs) } else { group.append(next) }
      waiting[head] = nil
      head += 1
    }
    // The slots of what was given out go in large pieces, so that a long queue is not moved for each group.
    if head == waiting.count || head > 1024 {
      waiting.removeFirst(head)
      head = 0
    }
    return group
  }

  // MARK: Hosts that wait for a lock

  private mutating func park(_ next: Waiting, nowNs: Int64) {
    var host = parked[next.batch.hostNumber] ?? Parked(retryAtNs: nowNs)
    host.batches.append(next)
    host.bytes += next.bytes
    parked[next.batch.hostNumber] = host
  }

  /// The batches of the parked host that has waited longest for its try, if one is due.
  private mutating func takeParked(_ nowNs: Int64) -> Group? {
    guard let dueNs = parkedDueNs, nowNs >= dueNs,
      let number = parked.min(by: { ($0.value.retryAtNs, $0.key) < ($1.value.retryAtNs, $1.key) })?.key,
      var host = parked[number]
    else { return nil }
    var group = Group(sessions: [], batches: [], rows: 0, bytes: 0, failures: 0)
    var taken = 0
    for next in host.batches {
      let isFull = group.rows + next.rows > limits.rowsPerGroup || group.bytes + next.bytes > limits.bytesPerGroup
      if isFull && taken > 0 { break }
      group.append(next)
      taken += 1
    }
    host.batches.removeFirst(taken)
    host.bytes -= group.bytes
    parked[number] = host
    return group
  }

  /// Puts the batches of a group of one host before what else of it is parked, and takes along what of it still waits.
  private mutating func putBack(_ group: Group, nowNs: Int64) {
    let number = group.batches[0].hostNumber
    var host = parked[number] ?? Parked(retryAtNs: nowNs, failures: 0)
    host.batches.insert(contentsOf: group.parts, at: 0)
    host.bytes += group.bytes
    host.failures += 1
    host.retryAtNs =
      nowNs.addingReportingOverflow(
        min(limits.retryCapNs, limits.retryBaseNs << Int64(min(host.failures, 20)))
      ).partialValue
    parked[number] = host
    parkedRetryAtNs = nowNs.addingReportingOverflow(limits.parkedSpacingNs).partialValue
  }

  /// A host that has come through is an ordinary one again, once nothing of it is parked.
  private mutating func unpark(_ group: Group) {
    for number in Set(group.batches.map(\.hostNumber)) {
      guard var host = parked[number] else { continue }
      if host.batches.isEmpty {
        parked[number] = nil
      } else {
        host.failures = 0
        host.retryAtNs = .min
        parked[number] = host
      }
      // What one host needed is to be had: the others need not wait for their turns.
      parkedRetryAtNs = .min
    }
  }

  /// A lock was not had: the group goes on without the hosts that are likely to need it; a host alone is parked.
  private mutating func split(_ group: Group, nowNs: Int64) {
    let parts = group.parts
    let late = Set(parts.filter { $0.batch.isLate }.map(\.batch.hostNumber))
    let hosts = parts.map(\.batch.hostNumber)
    if Set(hosts).count == 1 { return putBack(group, nowNs: nowNs) }
    retryAtNs = nowNs
    if !late.isEmpty, hosts.contains(where: { !late.contains($0) }) {
      queue.insert(Group(parts.filter { !late.contains($0.batch.hostNumber) }), at: 0)
      for next in parts where late.contains(next.batch.hostNumber) { park(next, nowNs: nowNs) }
      return
    }
    var order: [Int32] = []
    for host in hosts where !order.contains(host) { order.append(host) }
    queue.insert(contentsOf: order.map { host in Group(parts.filter { $0.batch.hostNumber == host }) }, at: 0)
  }

  /// The group's transaction is through.
  /// - Parameter outcomes: one for each of its batches, in order.
  /// - Returns: for each session, the outcomes of its batches in order.
  package mutating func committed(_ outcomes: [CommitOutcome]) -> [(session: Session, outcomes: [CommitOutcome])] {
    guard isUnderWay, !queue.isEmpty else { return [] }
    let group = queue.removeFirst()
    precondition(outcomes.count == group.batches.count, "one outcome for each batch")
    isUnderWay = false
    unpark(group)
    waitingRows -= group.rows
    waitingBytes -= group.bytes
    groupsTotal += 1
    rowsTotal += UInt64(group.rows)
    var settled: [(session: Session, outcomes: [CommitOutcome])] = []
    var indexes: [Session: Int] = [:]
    for (session, outcome) in zip(group.sessions, outcomes) {
      if let index = indexes[session] {
        settled[index].outcomes.append(outcome)
      } else {
        indexes[session] = settled.count
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
    guard isUnderWay, var group = queue.first else { return }
    isUnderWay = false
    retriesTotal += 1
    if failure == .locked {
      queue.removeFirst()
      return split(group, nowNs: nowNs)
    }
    group.failures += 1
    let ceiling = min(limits.retryCapNs, limits.retryBaseNs << Int64(min(group.failures - 1, 20)))
    // An unknown result is most often a killed connection: one try at once shows what became of it.
    let isFirstUnknown = failure == .unknown && group.failures == 1
    retryAtNs = isFirstUnknown ? nowNs : nowNs + Int64.random(in: ceiling / 2...ceiling, using: &random)
    queue[0] = group
  }
}

extension GroupCommit.Group {
  fileprivate init(_ parts: [GroupCommit.Waiting]) {
    self.init(sessions: [], batches: [], rows: 0, bytes: 0, failures: 0)
    for part in parts { append(part) }
  }

  fileprivate mutating func append(_ next: GroupCommit.Waiting) {
    sessions.append(next.session)
    batches.append(next.batch)
    sizes.append(next.bytes)
    rows += next.rows
    bytes += next.bytes
  }

  /// Its batches, each with its session and size.
  fileprivate var parts: [GroupCommit.Waiting] {
    batches.indices.map {
      GroupCommit.Waiting(
        session: sessions[$0], batch: batches[$0], rows: batches[$0].batch.rowCount, bytes: sizes[$0])
    }
  }
}

extension StagedBatch {
  /// Older rows lie in chunks that housekeeping compresses; the youngest of those end two days ago.
  private static let lateNs: Int64 = 86_400_000_000_000

  /// Holds a row that is more than a day older than its arrival.
  fileprivate var isLate: Bool {
    let beforeNs = receivedNs.subtractingReportingOverflow(Self.lateNs).partialValue
    return batch.files.contains { delta in
      delta.lines.timesUs.contains { $0 < beforeNs / 1000 } || delta.steps.contains { $0.timeNs < beforeNs }
    }
      || batch.spooled.contains { part in
        part.records.hosts.contains { $0.timeNs < beforeNs } || part.records.events.contains { $0.timeNs < beforeNs }
          || part.records.steps.contains { $0.timeNs < beforeNs }
          || part.records.probes.contains { $0.timeNs < beforeNs }
      }
  }
}
