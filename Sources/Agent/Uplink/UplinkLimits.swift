internal import Schema

/// What bounds one uplink. The defaults are what an agent runs with; the simulation shrinks them.
package struct UplinkLimits: Sendable {
  /// Batches sent and not acked.
  package var batchesMax = FleetProtocol.unackedBatches
  /// Estimated bytes sent and not acked: three of the collector's groups, so that one can be committed while the next one comes.
  package var windowBytes = 8 << 20
  /// What one batch aims at. A quarter of what a frame may have, because a file's bytes can grow fourfold when they
  /// become steps or very short lines.
  package var batchBytes = FleetProtocol.batchBytes / 4
  /// Parts of one batch, so that a thousand files with a line each do not make one frame of unknown size.
  package var filesPerBatch = FleetProtocol.filesPerBatch / 4
  package var recordsPerBatch = FleetProtocol.spooledPerBatch / 2
  /// Bulk un-acked when acks are slow: enough to keep going, little enough that a fresh sample never waits long behind it.
  package var bulkWindowFloorBytes = 64 << 10
  /// An ack later than this halves the bulk window. Fresh samples must not be older than 5 s while a backlog drains.
  package var slowAckNs: Int64 = 2_000_000_000
  /// Acks that are out for longer than this: the database is away though the collector is there. New records then wait as
  /// backfill, so that the first sample after its return is the newest, not the oldest of a long outage.
  package var stalledAckNs: Int64 = 30_000_000_000
  /// While something is under way, less than `coalesceBytes` waits this long for company.
  package var coalesceNs: Int64 = 20_000_000
  package var coalesceBytes = 64 << 10
  /// How long a collector may take to answer Hello.
  package var greetingNs: Int64 = 30_000_000_000
  package var reconnect = ReconnectPolicy()
  /// After another connection of this identity took the stream: two machines that share one must take turns that a person can see,
  /// not fence each other several times a second.
  package var contested = ReconnectPolicy(baseNs: 5_000_000_000, capNs: 60_000_000_000)
  /// A stream that lasted so long was not contested: the next time begins with the short pause again.
  package var contestMemoryNs: Int64 = 600_000_000_000
  /// Marks of one stream that are gathered before the files go on, of 100 000 files and some more: a collector cannot fill the
  /// host's memory.
  package var marksMax = 131_072

  package init() {}
}

/// Exponential back-off with full jitter: a random time between zero and the cap, so that a thousand agents whose
/// collector comes back do not come at once.
package struct ReconnectPolicy: Sendable {
  package var baseNs: Int64 = 250_000_000
  package var capNs: Int64 = 30_000_000_000

  package init() {}

  package init(baseNs: Int64, capNs: Int64) {
    self.baseNs = baseNs
    self.capNs = capNs
  }

  /// - Parameter failures: connections since the last one that was welcomed, 1 for the first.
  func delayNs(failures: Int, random: inout some RandomNumberGenerator) -> Int64 {
    Int64.random(in: 0...ceilingNs(failures), using: &random)
  }

  /// As `delayNs`, and at least half of its ceiling.
  func pauseNs(failures: Int, random: inout some RandomNumberGenerator) -> Int64 {
    let ceiling = ceilingNs(failures)
    return ceiling - Int64.random(in: 0...ceiling / 2, using: &random)
  }

  private func ceilingNs(_ failures: Int) -> Int64 {
    min(capNs, baseNs << Int64(min(max(failures, 1) - 1, 20)))
  }
}
