import FleetModel
import Testing

@testable import Collector

@Suite struct GroupCommitTests {
  static let ms: Int64 = 1_000_000

  static func staged(_ number: UInt64, rows: Int = 1) -> StagedBatch {
    var batch = Batch()
    batch.number = number
    var records = Records()
    records.hosts = Array(repeating: HostSample(), count: rows - 1)
    batch.spooled = [SpooledRecords(lane: .live, firstSequence: number, lastSequence: number, records: records)]
    return StagedBatch(
      host: HostID(high: 0, low: 0), hostNumber: 1, epoch: 1, spool: SpoolID(high: 0, low: 0), receivedNs: 0,
      batch: batch)
  }

  @Test func aQuietWriterCommitsALoneBatchAtOnceAndABusyOneSpacesThem() {
    var writer = GroupCommit<Int>()
    let result1 = writer.stage(Self.staged(1), of: 1, bytes: 10)
    #expect(result1)
    let result2 = writer.nextGroup(nowNs: 0)
    #expect(result2?.batches.count == 1)
    let result3 = writer.stage(Self.staged(2), of: 1, bytes: 10)
    #expect(result3)
    let result4 = writer.nextGroup(nowNs: 0)
    #expect(result4 == nil)
    _ = writer.committed([.committed])
    #expect(writer.dueNs == 50 * Self.ms)
    let result5 = writer.nextGroup(nowNs: 49 * Self.ms)
    #expect(result5 == nil)
    let result6 = writer.stage(Self.staged(3), of: 2, bytes: 10)
    #expect(result6)
    let result7 = writer.nextGroup(nowNs: 50 * Self.ms)
    #expect(result7?.batches.map(\.batch.number) == [2, 3])
  }

  @Test func aFullGroupDoesNotWait() {
    var limits = GroupCommitLimits()
    limits.rowsPerGroup = 100
    var writer = GroupCommit<Int>(limits: limits)
    _ = writer.stage(Self.staged(1), of: 1, bytes: 10)
    _ = writer.nextGroup(nowNs: 0)
    _ = writer.committed([.committed])
    for number in 2...5 as ClosedRange<UInt64> { _ = writer.stage(Self.staged(number, rows: 40), of: 1, bytes: 10) }
    let group = writer.nextGroup(nowNs: 1)
    #expect(group?.batches.map(\.batch.number) == [2, 3])
    _ = writer.committed([.committed, .committed])
    #expect(writer.waitingRows == 80 && writer.waitingBatches == 2)
  }

  @Test func aWriterThatIsNeverIdleKeepsNothingOfWhatItHasCommitted() {
    var limits = GroupCommitLimits()
    limits.rowsPerGroup = 40
    var writer = GroupCommit<Int>(limits: limits)
    _ = writer.stage(Self.staged(1, rows: 40), of: 1, bytes: 10)
    for number in 2...900 as ClosedRange<UInt64> {
      _ = writer.stage(Self.staged(number, rows: 40), of: 1, bytes: 10)
      #expect(writer.nextGroup(nowNs: Int64(number))?.batches.first?.batch.number == number - 1)
      _ = writer.committed([.committed])
      #expect(writer.heldBatches == 1 && writer.waitingBatches == 1)
    }
  }

  @Test func outcomesGoToTheirSessionsInOrder() {
    var writer = GroupCommit<String>()
    for (number, session) in [(1, "a"), (1, "b"), (2, "a")] as [(UInt64, String)] {
      _ = writer.stage(Self.staged(number), of: session, bytes: 10)
    }
    _ = writer.nextGroup(nowNs: 0)
    let settled = writer.committed([.committed, .fenced, .duplicate])
    #expect(settled.map(\.session) == ["a", "b"])
    #expect(settled.map(\.outcomes) == [[.committed, .duplicate], [.fenced]])
    #expect(writer.waitingBytes == 0)
  }

  @Test func aFailedGroupComesAgainTheSameBeforeAnythingElse() {
    var random = SystemRandomNumberGenerator()
    var writer = GroupCommit<Int>()
    _ = writer.stage(Self.staged(1), of: 1, bytes: 10)
    _ = writer.nextGroup(nowNs: 0)
    _ = writer.stage(Self.staged(2), of: 1, bytes: 10)
    writer.failed(.unknown, nowNs: 10, random: &random)
    let result8 = writer.nextGroup(nowNs: 10)
    #expect(result8?.batches.map(\.batch.number) == [1])
    var nowNs: Int64 = 10
    for failures in 2...12 {
      writer.failed(.transient, nowNs: nowNs, random: &random)
      let dueNs = writer.dueNs ?? 0
      #expect(dueNs > nowNs && dueNs <= nowNs + 5000 * Self.ms)
      nowNs = dueNs
      let group = writer.nextGroup(nowNs: nowNs)
      #expect(group?.failures == failures && group?.batches.map(\.batch.number) == [1])
    }
    _ = writer.committed([.duplicate])
    let result9 = writer.nextGroup(nowNs: nowNs + 50 * Self.ms)
    #expect(result9?.batches.map(\.batch.number) == [2])
  }

  @Test func whatWaitsIsBounded() {
    var limits = GroupCommitLimits()
    limits.pauseBytes = 100
    limits.waitingBytesMax = 200
    var writer = GroupCommit<Int>(limits: limits)
    let result10 = writer.stage(Self.staged(1), of: 1, bytes: 90)
    #expect(result10)
    #expect(!writer.isBehind)
    let result11 = writer.stage(Self.staged(2), of: 1, bytes: 90)
    #expect(result11)
    #expect(writer.isBehind)
    let result12 = writer.stage(Self.staged(3), of: 1, bytes: 90)
    #expect(!result12)
    #expect(writer.waitingBytes == 180)
  }

  // MARK: Locks

  private static let dayNs: Int64 = 86_400_000_000_000

  /// A batch of one host; `daysLate` is the age of its sample.
  private static func staged(host: Int32, _ number: UInt64, daysLate: Int64 = 0) -> StagedBatch {
    let receivedNs = 100 * dayNs
    var sample = HostSample()
    sample.timeNs = receivedNs - daysLate * dayNs
    var records = Records()
    records.hosts = [sample]
    var batch = Batch()
    batch.number = number
    batch.spooled = [SpooledRecords(lane: .live, firstSequence: number, lastSequence: number, records: records)]
    return StagedBatch(
      host: HostID(high: 0, low: UInt64(host)), hostNumber: host, epoch: 1, spool: SpoolID(high: 0, low: 0),
      receivedNs: receivedNs, batch: batch)
  }

  /// A database in which some hosts' rows need a lock that another session holds.
  private struct LockedDatabase {
    var locked: Set<Int32>
    var writer = GroupCommit<Int32>()
    var stored: [Int32: [UInt64]] = [:]
    var nowNs: Int64 = 0
    /// Tries that waited for the lock in vain; each costs the lock timeout.
    var waits = 0
    var random = SystemRandomNumberGenerator()

    init(locked: Set<Int32>) { self.locked = locked }

    mutating func stage(_ host: Int32, _ number: UInt64, daysLate: Int64 = 0) {
      let isTaken = writer.stage(GroupCommitTests.staged(host: host, number, daysLate: daysLate), of: host, bytes: 10)
      #expect(isTaken)
    }

    /// Everything that is due now. `isStuck`: which batches need the lock.
    mutating func run(isStuck: (StagedBatch) -> Bool) {
      while let group = writer.nextGroup(nowNs: nowNs) {
        if group.batches.contains(where: { locked.contains($0.hostNumber) && isStuck($0) }) {
          waits += 1
          writer.failed(.locked, nowNs: nowNs, random: &random)
        } else {
          for batch in group.batches { stored[batch.hostNumber, default: []].append(batch.batch.number) }
          _ = writer.committed(group.batches.map { _ in .committed })
        }
      }
    }
  }

  @Test func hostWhoseLateRowsNeedALockKeepsNoOtherWaiting() {
    var database = LockedDatabase(locked: [3, 7])
    let isLate = { (staged: StagedBatch) in
      staged.batch.spooled[0].records.hosts[0].timeNs < staged.receivedNs - Self.dayNs
    }
    var next: UInt64 = 0
    // 42 s of a chunk's compression; every 50 ms a batch of each of 20 hosts.
    for _ in 0..<840 {
      next += 1
      for host: Int32 in 1...20 { database.stage(host, next, daysLate: host == 3 || host == 7 ? 5 : 0) }
      database.run(isStuck: isLate)
      database.nowNs += 50 * Self.ms
      if next == 20 { #expect(database.waits <= 3) }
    }
    for host: Int32 in 1...20 where host != 3 && host != 7 {
      #expect((database.stored[host] ?? []).count >= 839, "host \(host)")
    }
    #expect(database.stored[3] == nil && database.stored[7] == nil)
    // One try a second at the most.
    #expect(database.waits <= 44, "\(database.waits) waits")
    database.locked = []
    database.nowNs += 10_000 * Self.ms
    for _ in 0..<3 {
      database.run(isStuck: isLate)
      database.nowNs += 50 * Self.ms
    }
    for host: Int32 in 1...20 { #expect(database.stored[host] == Array(1...next), "host \(host)") }
    #expect(database.writer.waitingBatches == 0 && database.writer.waitingBytes == 0)
    #expect(database.writer.parkedHosts == 0)
  }

  /// A rule state without facts is behind the facts that it came from, also where its host waits for a lock; of no stream's batches is it
  /// one.
  @Test func aStateWithoutFactsStaysBehindItsHostsBatches() {
    var state = StagedBatch(
      host: HostID(high: 0, low: 5), hostNumber: 5, epoch: 1, spool: SpoolID(high: 0, low: 0), receivedNs: 0,
      batch: Batch())
    state.ruleState = SavedRuleState(
      hostNumber: 5, version: RuleStateVersion(epoch: 1, sequence: 1), bytes: [1, 2, 3])
    #expect(state.isStateOnly)
    var database = LockedDatabase(locked: [5])
    database.stage(5, 1)
    database.stage(6, 1)
    database.run { _ in true }
    let isTaken = database.writer.stage(state, of: -1, bytes: 3)
    #expect(isTaken)
    database.stage(6, 2)
    database.nowNs += 50 * Self.ms
    database.run { _ in true }
    #expect(database.stored[6] == [1, 2] && database.stored[5] == nil)
    database.locked = []
    database.nowNs += 10_000 * Self.ms
    database.run { _ in true }
    // The state has the number of no batch.
    #expect(database.stored[5] == [1, 0])
    #expect(database.writer.waitingBytes == 0)
    var writer = GroupCommit<Int32>()
    _ = writer.stage(Self.staged(host: 5, 1), of: 5, bytes: 10)
    _ = writer.stage(state, of: -1, bytes: 3)
    _ = writer.nextGroup(nowNs: 0)
    let settled = writer.committed([.committed, .committed])
    #expect(settled.map(\.session) == [5, -1] && settled[0].outcomes == [.committed])
  }

  @Test func hostThatAFrozenCollectorHoldsIsFoundAmongManyAndComesBackInOrder() {
    var database = LockedDatabase(locked: [5])
    for number in 1...3 as ClosedRange<UInt64> { for host: Int32 in 1...9 { database.stage(host, number) } }
    database.run { _ in true }
    database.nowNs += 50 * Self.ms
    database.run { _ in true }
    #expect(database.waits <= 3)
    for host: Int32 in 1...9 where host != 5 { #expect(database.stored[host] == [1, 2, 3]) }
    database.stage(5, 4)
    database.stage(6, 4)
    database.nowNs += 50 * Self.ms
    database.run { _ in true }
    #expect(database.stored[6] == [1, 2, 3, 4] && database.stored[5] == nil)
    database.locked = []
    database.nowNs += 10_000 * Self.ms
    database.run { _ in true }
    #expect(database.stored[5] == [1, 2, 3, 4])
    #expect(database.writer.parkedHosts == 0)
  }
}
