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
}
