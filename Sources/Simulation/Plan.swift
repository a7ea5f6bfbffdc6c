internal import Agent
internal import Collector

/// What one seed tries: sizes, limits and how often what goes wrong.
struct Plan {
  var agents: Int
  var collectors: Int
  var hasClone: Bool
  var writers: Int
  var faultNs: Int64
  var sampleNs: Int64
  /// Between two faults, on average.
  var faultEveryNs: Int64
  var commitFaultRatio: Double
  enum Rotation: CaseIterable { case none, rename, renameAndDelete, copyTruncate, delete }
  var rotation: Rotation
  /// Of each write, that the log is rotated after it.
  var rotationRatio: Double
  /// Of each write, that it ends inside a line.
  var partialRatio: Double
  /// The patterns find rotated files too.
  var followsRotated: Bool
  var stampGranularityNs: Int64
  /// The probability that a file's change is not reported by a notification.
  var silentRatio: Double
  var hasClockJumps: Bool
  var diskFailureRatio: Double
  var hasFullDisk: Bool
  var followingLimits = FollowingLimits()
  var spoolLimits = SpoolLimits()
  var uplinkLimits = UplinkLimits()
  var sessionLimits = HostSessionLimits()
  var commitLimits = GroupCommitLimits()

  init(random: inout SeededRandom) {
    agents = random.chance(0.3) ? 2 : 1
    collectors = random.chance(0.6) ? 2 : 1
    hasClone = random.chance(0.1)
    writers = hasClone ? 0 : random.within(0...3)
    faultNs = random.within(10 * .second...60 * .second)
    sampleNs = random.within(300 * .millisecond...2 * .second)
    faultEveryNs = random.within(1 * .second...15 * .second)
    commitFaultRatio = random.chance(0.5) ? 0 : 0.2
    rotation = Rotation.allCases[random.within(0...Rotation.allCases.count - 1)]
    rotationRatio = random.chance(0.5) ? 0.02 : 0.1
    partialRatio = random.chance(0.5) ? 0 : 0.1
    followsRotated = random.chance(0.5)
    stampGranularityNs = random.chance(0.5) ? 1 : 4 * .millisecond
    silentRatio = random.chance(0.7) ? 0 : 0.2
    hasClockJumps = random.chance(0.2)
    diskFailureRatio = random.chance(0.7) ? 0 : 0.02
    hasFullDisk = random.chance(0.15)
    shrinkLimits(&random)
  }

  /// Small limits reach the edges within a minute of simulated time.
  private mutating func shrinkLimits(_ random: inout SeededRandom) {
    spoolLimits.segmentBytes = UInt64(random.within(300...4096))
    spoolLimits.bytesMax = random.chance(0.2) ? 6 * spoolLimits.segmentBytes : 1 << 20
    spoolLimits.freeFloorBytes = 2048
    spoolLimits.recordBytesMax = 2048
    spoolLimits.readBytes = random.within(64...2048)
    spoolLimits.recentBytes = random.within(0...2048)
    spoolLimits.unwrittenBytesMax = 8192
    spoolLimits.reserveMin = UInt64(random.within(1...16))
    followingLimits.chunkBytes = random.within(256...4096)
    followingLimits.renamedIdleNs = 15 * .second
    followingLimits.deletedIdleNs = 3 * .second
    uplinkLimits.batchesMax = random.within(1...16)
    uplinkLimits.batchBytes = random.within(512...8192)
    uplinkLimits.windowBytes = 4 * uplinkLimits.batchBytes
    uplinkLimits.coalesceBytes = random.within(0...1024)
    uplinkLimits.bulkWindowFloorBytes = uplinkLimits.batchBytes
    uplinkLimits.reconnect.capNs = 5 * .second
    uplinkLimits.contested.baseNs = 1 * .second
    uplinkLimits.contested.capNs = 5 * .second
    sessionLimits.stagedBatchesPause = random.within(1...8)
    commitLimits.rowsPerGroup = random.within(10...2000)
    commitLimits.pauseBytes = random.within(4096...1 << 20)
  }

  /// But for a power cut, nothing takes a record that the spool has.
  var keepsRecords: Bool {
    !hasClone && !hasFullDisk && diskFailureRatio == 0 && spoolLimits.bytesMax >= 1 << 20
  }

  var summary: String {
    "\(agents) agents, \(collectors) collectors, \(writers) writers, rotation \(rotation) \(rotationRatio), partial "
      + "\(partialRatio), follows rotated: \(followsRotated), silent \(silentRatio), stamps \(stampGranularityNs) ns, clone: "
      + "\(hasClone), clock jumps: \(hasClockJumps), disk failures \(diskFailureRatio), full disk: \(hasFullDisk), "
      + "chunk \(followingLimits.chunkBytes), batch \(uplinkLimits.batchBytes) × \(uplinkLimits.batchesMax)"
  }
}
