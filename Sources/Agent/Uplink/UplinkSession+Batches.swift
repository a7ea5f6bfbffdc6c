internal import FleetModel

/// How a batch is put together: live records first; backfill and files get at most half while live has more.
extension UplinkSession {
  /// Until when what there is waits for company; nil where nothing waits.
  ///
  /// Only while something is under way: a lone line leaves at once. Under load many small batches would cost more on
  /// both sides than 20 ms of patience.
  var coalescingUntilNs: Int64? {
    guard !window.isEmpty, window.hasRoom, !hasNothingReady else { return nil }
    let spooled = UInt64(spool.unsentBytes(.live)) + UInt64(spool.unsentBytes(.backfill))
    let pending = spooled.addingClamped(backlogBytes)
    guard pending > 0, pending < UInt64(limits.coalesceBytes) else { return nil }
    return lastSentNs + limits.coalesceNs
  }

  func nextBatch(time: HostTime) -> OutgoingBatch? {
    guard window.hasRoom else { return nil }
    if let untilNs = coalescingUntilNs, time.monotonicNs < untilNs { return nil }
    var batch = OutgoingBatch(number: number + 1, time: time)
    let bulkRoom = window.bulkRoomBytes
    let bulkWaits = bulkRoom > 0 && (spool.hasUnsent(.backfill) || backlogBytes > 0)
    let liveBytes = takeRecords(
      .live, time: time, budget: bulkWaits ? limits.batchBytes / 2 : limits.batchBytes, into: &batch)
    var bulkBytes = 0
    if bulkRoom > 0 {
      let share = spool.hasUnsent(.live) ? limits.batchBytes / 2 : limits.batchBytes - liveBytes
      bulkBytes = takeBulk(budget: min(share, bulkRoom), time: time, into: &batch)
    }
    batch.health = health
    // What is left is held back by its source, such as half a line: time alone brings nothing, and a timer that is over would be armed again
    // and again.
    hasNothingReady = batch.isEmpty
    guard !batch.isEmpty else { return nil }
    health = nil
    sent(batch, bytes: liveBytes + bulkBytes + 128, bulkBytes: bulkBytes, nowNs: time.monotonicNs)
    return batch
  }

  /// Backfill and files take turns in going first, each with half of what is left while both have something.
  private func takeBulk(budget: Int, time: HostTime, into batch: inout OutgoingBatch) -> Int {
    let both = spool.hasUnsent(.backfill) && backlogBytes > 0
    var taken = takeRecords(.backfill, time: time, budget: both ? budget / 2 : budget, into: &batch)
    taken += takeFiles(budget: budget - taken, time: time, into: &batch)
    return taken
  }

  private func takeRecords(_ lane: Lane, time: HostTime, budget: Int, into batch: inout OutgoingBatch) -> Int {
    var taken = 0
    while taken < budget, batch.spooled.count < limits.recordsPerBatch,
      let item = spool.next(lane, budgetBytes: taken == 0 ? .max : budget - taken, nowNs: time.wallNs)
    {
      taken += item.estimatedBytes
      batch.spooled.append(item)
    }
    return taken
  }

  private func takeFiles(budget: Int, time: HostTime, into batch: inout OutgoingBatch) -> Int {
    guard sendsFiles else { return 0 }
    var taken = 0
    // Below this a delta costs more in its frame than it brings.
    let least = min(4096, limits.batchBytes / 4)
    while budget - taken >= least, batch.files.count < limits.filesPerBatch,
      var delta = source.nextDelta(byteBudget: budget - taken, nowNs: time.wallNs)
    {
      taken += delta.estimatedBytes
      delta.file = announced.announce(delta.file)
      if delta.isFinished { announced.finished(delta.file.key) }
      batch.files.append(delta)
    }
    return taken
  }

  private func sent(_ batch: OutgoingBatch, bytes: Int, bulkBytes: Int, nowNs: Int64) {
    number = batch.number
    lastSentNs = nowNs
    var lanes: [Lane: UInt64] = [:]
    for item in batch.spooled { lanes[item.lane] = item.lastSequence }
    window.sent(
      UplinkWindow.InFlightBatch(
        number: batch.number, sentNs: nowNs, bytes: bytes, bulkBytes: bulkBytes, lanes: lanes,
        files: batch.files.map { (key: $0.file.key, offset: $0.to) }))
  }
}
