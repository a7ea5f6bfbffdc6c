/// What bounds a spool. The defaults are what an agent runs with; the simulation shrinks them.
package struct SpoolLimits: Sendable {
  /// All segments together. Beyond it the oldest go, backfill first.
  package var bytesMax: UInt64 = 1 << 30
  /// It is the training job's disk: nothing is written that would leave less free.
  package var freeFloorBytes: UInt64 = 1 << 30
  /// A segment is closed at this size and freed as a whole. Also what a start reads of each lane at most.
  package var segmentBytes: UInt64 = 1 << 20
  /// A sample of a large host takes some 100 kB.
  package var recordBytesMax = 512 << 10
  /// What a reader holds in memory, whatever the backlog.
  package var readBytes = 64 << 10
  /// The newest records stay in memory, so that a connected agent never reads its own disk.
  package var recentBytes = 64 << 10
  /// Records that the disk would not take; beyond it the oldest are dropped.
  package var unwrittenBytesMax = 512 << 10
  /// Un-acked records are synced after so long: what a power cut can cost.
  package var syncNs: Int64 = 5_000_000_000
  /// A disk that failed is tried again after so long.
  package var retryNs: Int64 = 1_000_000_000
  /// Sequences promised ahead: how far the numbers may be used before the next sync records it. A power cut reports at
  /// most this many as possibly lost.
  package var reserveMin: UInt64 = 64
  package var reserveMax: UInt64 = 4096
  /// Unreadable segments kept for whoever wants to look.
  package var setAsideFilesMax = 16
  package var setAsideBytesMax: UInt64 = 8 << 20

  package init() {}
}
