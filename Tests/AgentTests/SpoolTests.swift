import FleetModel
import TestSupport
import Testing

@testable import Agent

/// The spool against a disk in memory: order, limits, restarts.
@Suite struct SpoolTests {
  static let boot = BootID(high: 1, low: 1)
  static let otherBoot = BootID(high: 1, low: 2)

  static var smallLimits: SpoolLimits {
    var limits = SpoolLimits()
    limits.bytesMax = 16 << 10
    limits.freeFloorBytes = 1024
    limits.segmentBytes = 512
    limits.recordBytesMax = 4096
    limits.readBytes = 128
    limits.recentBytes = 128
    limits.unwrittenBytesMax = 1024
    return limits
  }

  static func payload(_ index: Int, _ count: Int = 40) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: index &* 31 &+ $0) }
  }

  static func start(_ disk: MemoryDisk, boot: BootID = boot, seed: UInt64 = 1, limits: SpoolLimits = smallLimits)
    -> Spool
  {
    var random = SplitMix(seed: seed)
    return Spool(disk: disk, boot: boot, limits: limits, nowNs: 0, random: &random)
  }

  static func resume(_ spool: Spool, _ marks: [LaneMark] = []) -> Bool {
    var random = SplitMix(seed: 99)
    return spool.resume(from: marks, nowNs: 0, random: &random)
  }

  @Test func recordsComeBackInOrderFromMemoryAndFromDisk() {
    let spool = Self.start(MemoryDisk())
    for index in 0..<100 { spool.append(Self.payload(index), lane: .live, nowNs: 0) }
    #expect(Self.resume(spool))
    let (drained, fault) = Drained.drain(spool, .live)
    #expect(fault == nil)
    #expect(drained.records.count == 100)
    #expect(drained.records[1] == Self.payload(0) && drained.records[100] == Self.payload(99))
    #expect(drained.lost.isEmpty)
  }

  /// A spool of 100 records that were all sent, 90 of them acknowledged.
  private static func ackedThrough90(of disk: MemoryDisk) -> Spool {
    let spool = start(disk)
    for index in 0..<100 { spool.append(payload(index), lane: .live, nowNs: 0) }
    #expect(resume(spool))
    _ = Drained.drain(spool, .live)
    spool.acked(.live, through: 90)
    return spool
  }

  @Test func whatIsAckedIsFreedAndNeverSentAgain() {
    let disk = MemoryDisk()
    let spool = Self.ackedThrough90(of: disk)
    #expect(disk.used < 2048)
    #expect(Self.resume(spool, [LaneMark(lane: .live, sequence: 90)]))
    #expect(Drained.drain(spool, .live, after: 90).0.records.keys.sorted() == Array(91...100))
  }

  @Test(arguments: [true, false]) func aRestartKeepsEverythingAndJumpsAhead(closed: Bool) {
    let disk = MemoryDisk()
    let first = Self.start(disk)
    for index in 0..<50 { first.append(Self.payload(index), lane: index % 2 == 0 ? .live : .backfill, nowNs: 0) }
    if closed { first.close(nowNs: 0) }
    let second = Self.start(disk, boot: closed ? Self.otherBoot : Self.boot, seed: 2)
    #expect(second.id == first.id)
    second.append(Self.payload(1000), lane: .live, nowNs: 0)
    #expect(Self.resume(second))
    let (live, fault) = Drained.drain(second, .live)
    #expect(fault == nil)
    #expect(live.records.count == 26 && live.lost.isEmpty)
    #expect(live.last > 1 << 36)
    #expect(Drained.drain(second, .backfill).0.records.count == 25)
  }

  /// kill -9 at any byte of the last write: a record that was never whole was never sent, and nobody is told of a loss.
  @Test func aKillInTheMiddleOfAWriteIsNoLoss() {
    let disk = MemoryDisk()
    let first = Self.start(disk)
    for index in 0..<4 { first.append(Self.payload(index), lane: .live, nowNs: 0) }
    let before = disk.files
    first.append(Self.payload(4), lane: .live, nowNs: 0)
    let changed = disk.files.filter { before[$0.key] != $0.value }
    #expect(changed.count == 1)
    for (name, bytes) in changed {
      for count in (before[name]?.count ?? 0)..<bytes.count {
        disk.files = before
        disk.files[name] = Array(bytes.prefix(count))
        let second = Self.start(disk, seed: 2)
        second.append(Self.payload(5), lane: .live, nowNs: 0)
        #expect(Self.resume(second))
        let (drained, fault) = Drained.drain(second, .live)
        #expect(fault == nil && drained.records.count == 5 && drained.lost.isEmpty, "cut at \(count)")
      }
    }
  }

  /// kill -9 while a start makes its first segment: the file is there, its header is not, or not whole.
  @Test(arguments: [0, 1, SegmentHeader.byteCount - 1]) func aKillWhileASegmentBeginsIsNoLoss(bytes: Int) throws {
    let disk = MemoryDisk()
    let first = Self.start(disk)
    for index in 0..<4 { first.append(Self.payload(index), lane: .live, nowNs: 0) }
    let before = Set(disk.files.keys)
    let second = Self.start(disk, seed: 2)
    second.append(Self.payload(4), lane: .live, nowNs: 0)
    let begun = try #require(disk.files.keys.first { !before.contains($0) && $0.hasPrefix("live-") })
    disk.files[begun] = Array((disk.files[begun] ?? []).prefix(bytes))
    let third = Self.start(disk, seed: 3)
    third.append(Self.payload(5), lane: .live, nowNs: 0)
    #expect(Self.resume(third))
    let (drained, fault) = Drained.drain(third, .live)
    #expect(fault == nil && drained.records.count == 5 && drained.lost.isEmpty, "\(drained.lost)")
  }

  @Test func aPowerCutReportsAtMostTheReservedNumbers() {
    let disk = MemoryDisk()
    let first = Self.start(disk)
    for index in 0..<10 { first.append(Self.payload(index), lane: .live, nowNs: 0) }
    let second = Self.start(disk, boot: Self.otherBoot, seed: 2)
    #expect(Self.resume(second, [LaneMark(lane: .live, sequence: 4)]))
    let (drained, _) = Drained.drain(second, .live, after: 4)
    #expect(drained.records.count == 6)
    #expect(drained.lost.count == 1)
    #expect(drained.lost.first?.lowerBound == 11 && drained.lost.first?.count ?? 1000 <= 64)
    // What the mark covers is not lost.
    let third = Self.start(disk, boot: Self.otherBoot, seed: 3)
    #expect(Self.resume(third, [LaneMark(lane: .live, sequence: 60)]))
    #expect(Drained.drain(third, .live, after: 60).0.lost.first?.lowerBound == 61)
  }

  @Test func aFullSpoolDropsTheOldestBackfillFirstAndSaysSo() {
    let spool = Self.start(MemoryDisk())
    for index in 0..<20 { spool.append(Self.payload(index), lane: .live, nowNs: 0) }
    for index in 0..<1000 { spool.append(Self.payload(index), lane: .backfill, nowNs: 0) }
    #expect(spool.bytes <= Self.smallLimits.bytesMax)
    #expect(Self.resume(spool))
    let (live, _) = Drained.drain(spool, .live)
    #expect(live.records.count == 20 && live.lost.isEmpty)
    let (backfill, fault) = Drained.drain(spool, .backfill)
    #expect(fault == nil)
    #expect(backfill.lost.count == 1)
    #expect(UInt64(backfill.records.count) + spool.droppedRecordsTotal == 1000)
    for sequence in 1...1000 as ClosedRange<UInt64> {
      #expect((backfill.records[sequence] != nil) != backfill.isLost(sequence))
    }
  }

  @Test func aFullDiskKeepsTheFloorAndRecoversWithoutARestart() {
    let disk = MemoryDisk()
    disk.capacity = 4096
    let spool = Self.start(disk)
    for index in 0..<300 { spool.append(Self.payload(index), lane: .live, nowNs: Int64(index)) }
    #expect(disk.capacity - disk.used >= 1024)
    disk.capacity = 1 << 20
    spool.timePassed(nowNs: 2_000_000_000)
    spool.append(Self.payload(300), lane: .live, nowNs: 2_000_000_000)
    #expect(Self.resume(spool))
    let (drained, fault) = Drained.drain(spool, .live)
    #expect(fault == nil)
    for sequence in 1...301 as ClosedRange<UInt64> {
      #expect((drained.records[sequence] != nil) != drained.isLost(sequence), "\(sequence)")
    }
    #expect(drained.records[301] == Self.payload(300))
  }

  @Test func aDiskThatWritesNothingStillDeliversFromMemory() {
    let disk = MemoryDisk()
    disk.capacity = 0
    let spool = Self.start(disk)
    for index in 0..<5 { spool.append(Self.payload(index), lane: .live, nowNs: 0) }
    #expect(Self.resume(spool))
    #expect(Drained.drain(spool, .live).0.records.count == 5)
  }

  @Test func anotherHostsUseOfTheSpoolBeginsANewOne() {
    let disk = MemoryDisk()
    let first = Self.start(disk)
    for index in 0..<10 { first.append(Self.payload(index), lane: .live, nowNs: 0) }
    let second = Self.start(disk, seed: 2)
    second.append(Self.payload(77), lane: .live, nowNs: 0)
    let old = second.id
    #expect(!Self.resume(second, [LaneMark(lane: .live, sequence: 1 << 40)]))
    #expect(second.id != old)
    #expect(Self.resume(second))
    let (drained, fault) = Drained.drain(second, .live)
    #expect(fault == nil)
    #expect(drained.records.isEmpty)
    #expect(drained.lost == [1..<12])
    // A start finds the new one.
    let third = Self.start(disk, seed: 3)
    #expect(third.id == second.id)
  }

  /// A copy of the spool may use numbers that lie below ours by now: in the jump of a start, of which only the end is sent.
  @Test func anotherHostsNumbersInsideAJumpAreNoticed() {
    let disk = MemoryDisk()
    let first = Self.start(disk)
    for index in 0..<10 { first.append(Self.payload(index), lane: .live, nowNs: 0) }
    for seed in 2...3 as ClosedRange<UInt64> {
      let spool = Self.start(disk, seed: seed)
      spool.append(Self.payload(77), lane: .live, nowNs: 0)
      let base = spool.lastSequence(.live)
      #expect(Self.resume(spool))
      _ = Drained.drain(spool, .live)
      if seed == 2 { #expect(Self.resume(spool, [LaneMark(lane: .live, sequence: base - 1)])) }
      #expect(Self.resume(spool, [LaneMark(lane: .live, sequence: 10)]))
    }
    // In the jump of the start before this one, which this one knows from its segments only.
    let last = Self.start(disk, seed: 4)
    last.append(Self.payload(78), lane: .live, nowNs: 0)
    #expect(Self.resume(last, [LaneMark(lane: .live, sequence: 10)]))
    let old = last.id
    #expect(!Self.resume(last, [LaneMark(lane: .live, sequence: 1 << 30)]))
    #expect(last.id != old)
  }

  @Test func aRestoredDatabaseThatKnowsLessGetsTheLoss() {
    let spool = Self.start(MemoryDisk())
    for index in 0..<100 { spool.append(Self.payload(index), lane: .live, nowNs: 0) }
    #expect(Self.resume(spool))
    _ = Drained.drain(spool, .live)
    spool.acked(.live, through: 100)
    #expect(Self.resume(spool, [LaneMark(lane: .live, sequence: 10)]))
    let (drained, fault) = Drained.drain(spool, .live, after: 10)
    #expect(fault == nil)
    for sequence in 11...100 as ClosedRange<UInt64> {
      #expect(drained.records[sequence] != nil || drained.isLost(sequence))
    }
    #expect(drained.reasons == [.databaseRestored] && drained.lost.allSatisfy { !$0.isEmpty })
  }

  /// The segments that are gone were acked to an agent that has been started again since.
  @Test func aRestoredDatabaseIsNamedAlsoByALaterStart() {
    let disk = MemoryDisk()
    let spool = Self.ackedThrough90(of: disk)
    spool.close(nowNs: 0)
    let later = Self.start(disk, seed: 2)
    #expect(Self.resume(later, [LaneMark(lane: .live, sequence: 10)]))
    let (drained, fault) = Drained.drain(later, .live, after: 10)
    #expect(fault == nil)
    #expect(drained.isLost(11) && drained.reasons == [.databaseRestored])
  }

  @Test func syncsAreSharedAndOnlyMadeForWhatIsNotAcked() {
    let disk = MemoryDisk()
    let spool = Self.start(disk, limits: SpoolLimits())
    _ = Self.resume(spool)
    let before = { disk.syncs }
    spool.append(Self.payload(0), lane: .live, nowNs: 0)
    let opened = before()
    for second in 1...60 {
      let nowNs = Int64(second) * 1_000_000_000
      spool.append(Self.payload(second), lane: .live, nowNs: nowNs)
      spool.acked(.live, through: UInt64(second + 1))
      spool.timePassed(nowNs: nowNs)
    }
    #expect(disk.syncs == opened)
    for second in 61...80 {
      let nowNs = Int64(second) * 1_000_000_000
      spool.append(Self.payload(second), lane: .live, nowNs: nowNs)
      spool.timePassed(nowNs: nowNs)
    }
    #expect(disk.syncs - opened <= 5)
  }

  /// The n-th call on the disk fails, for every n: nothing is lost unsaid, nothing comes twice, nothing stops.
  @Test func everySingleFailureOfTheDiskIsSurvived() {
    for failAfter in 0..<160 {
      let disk = MemoryDisk()
      disk.failAfter = failAfter
      let spool = Self.start(disk)
      for index in 0..<60 {
        let nowNs = Int64(index) * 1_000_000_000
        spool.append(Self.payload(index), lane: .live, nowNs: nowNs)
        spool.timePassed(nowNs: nowNs)
      }
      #expect(Self.resume(spool))
      let (drained, fault) = Drained.drain(spool, .live)
      #expect(fault == nil, "\(failAfter)")
      for sequence in 1...60 as ClosedRange<UInt64> {
        let isThere = drained.records[sequence] == Self.payload(Int(sequence) - 1)
        #expect(isThere != drained.isLost(sequence), "failure \(failAfter), sequence \(sequence)")
      }
      spool.close(nowNs: 100_000_000_000)
      let again = Self.start(disk, boot: Self.otherBoot, seed: 2)
      #expect(Self.resume(again))
      let (second, secondFault) = Drained.drain(again, .live)
      #expect(secondFault == nil, "\(failAfter)")
      for (sequence, payload) in second.records { #expect(payload == Self.payload(Int(sequence) - 1)) }
      for sequence in 1...60 as ClosedRange<UInt64> {
        #expect(
          second.records[sequence] != nil || second.isLost(sequence), "failure \(failAfter), sequence \(sequence)")
      }
    }
  }
}
