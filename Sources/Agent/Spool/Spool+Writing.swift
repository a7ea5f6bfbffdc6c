internal import Files
internal import FleetModel

/// How records reach the disk, and what happens when it refuses.
extension Spool {
  /// Writes what the lane has in memory only. Stops at the first failure and is called again later.
  func writeOut(_ index: Int, nowNs: Int64) {
    guard lanes[index].hasUnwritten || (lanes[index].isUsed && lanes[index].segments.last?.first != lanes[index].base)
    else { return }
    guard nowNs >= retryAtNs else { return }
    var triesLeft = 8
    while triesLeft > 0 {
      do throws(FileError) {
        try writeAll(index, nowNs: nowNs)
        return
      } catch {
        diskFailuresTotal += 1
        abandonSegment(index)
        triesLeft = error.isNoSpace && dropOldest() ? triesLeft - 1 : 0
      }
    }
    retryAtNs = nowNs + limits.retryNs
  }

  private func writeAll(_ index: Int, nowNs: Int64) throws(FileError) {
    if !lanes[index].isOpen { try openSegment(index) }
    while lanes[index].hasUnwritten {
      if !lanes[index].isOpen { try openSegment(index) }
      let sequence = max(lanes[index].writtenThrough + 1, lanes[index].recent.first)
      guard let payload = lanes[index].recent.payload(of: sequence), let segment = lanes[index].segments.last else {
        return
      }
      let recordBytes = UInt64(SegmentRecord.headerBytes + payload.count)
      let isHole = sequence != segment.last + 1
      if isHole || (segment.last >= segment.first && segment.bytes + recordBytes > limits.segmentBytes) {
        if lanes[index].hasUnsynced { sync(index, nowNs: nowNs) }
        lanes[index].isOpen = false
        try openSegment(index)
        continue
      }
      try write(index, sequence, payload, nowNs: nowNs)
    }
  }

  private func write(_ index: Int, _ sequence: UInt64, _ payload: [UInt8], nowNs: Int64) throws(FileError) {
    let newest = lanes[index].segments.count - 1
    let seed = lanes[index].segments[newest].header.recordSeed
    var bytes: [UInt8] = []
    SegmentRecord.append(.data, sequence: sequence, payload: payload, seed: seed, to: &bytes)
    try disk.append(bytes, to: lanes[index].segments[newest].name)
    grow(bytes.count)
    lanes[index].segments[newest].bytes += UInt64(bytes.count)
    lanes[index].segments[newest].last = sequence
    lanes[index].writtenThrough = sequence
    if lanes[index].unsyncedSinceNs == nil { lanes[index].unsyncedSinceNs = nowNs }
    if sequence >= lanes[index].reserved { sync(index, nowNs: nowNs) }
  }

  /// Makes what was written durable, and reserves numbers ahead in the same breath.
  ///
  /// After a failed sync the kernel has forgotten the error and perhaps the bytes: the records are written once more,
  /// elsewhere, and the file is never synced again.
  func sync(_ index: Int, nowNs: Int64) {
    guard let segment = lanes[index].segments.last, lanes[index].isOpen else { return }
    do throws(FileError) {
      try reserve(index)
      try disk.sync(segment.name)
      lanes[index].syncedThrough = lanes[index].writtenThrough
      lanes[index].segments[lanes[index].segments.count - 1].syncedBytes = lanes[index].segments.last?.bytes ?? 0
    } catch {
      diskFailuresTotal += 1
      abandonSegment(index)
      rewindToSynced(index)
    }
    lanes[index].unsyncedSinceNs = nil
  }

  private func reserve(_ index: Int) throws(FileError) {
    let newest = lanes[index].segments.count - 1
    let segment = lanes[index].segments[newest]
    let used = lanes[index].next - lanes[index].reservedAt
    lanes[index].reserveStep = min(limits.reserveMax, max(limits.reserveMin, used * 2))
    lanes[index].reservedAt = lanes[index].next
    lanes[index].reserved = lanes[index].next + lanes[index].reserveStep
    var bytes: [UInt8] = []
    SegmentRecord.append(
      .reservation, sequence: lanes[index].reserved, payload: [], seed: segment.header.recordSeed, to: &bytes)
    try disk.append(bytes, to: segment.name)
    grow(bytes.count)
    lanes[index].segments[newest].bytes += UInt64(bytes.count)
  }

  private func rewindToSynced(_ index: Int) {
    guard let newest = lanes[index].segments.indices.last else { return }
    let from = max(lanes[index].syncedThrough + 1, lanes[index].recent.first)
    guard from <= lanes[index].writtenThrough else { return }
    lanes[index].writtenThrough = from - 1
    lanes[index].segments[newest].last = min(lanes[index].segments[newest].last, from - 1)
  }

  /// Nothing more goes into the newest segment: after a failed write it may end in half a record. Empty or not, it stays until another one is
  /// durable: what its header holds, where the numbers stand and what was lost before it, may be nowhere else.
  private func abandonSegment(_ index: Int) { lanes[index].isOpen = false }

  // MARK: Segments

  private func openSegment(_ index: Int) throws(FileError) {
    try makeRoom()
    let lane = lanes[index]
    let first = max(lane.writtenThrough + 1, lane.recent.first)
    let isFirst = first == lane.base
    let header = SegmentHeader(
      spool: id, boot: boot, lane: lane.lane, first: first,
      previousLast: isFirst ? lane.previousLast : lane.segments.last?.last ?? first - 1,
      loss: isFirst ? lane.startLoss : lane.losses.last { $0.to == first }, reserved: first + lane.reserveStep)
    let name = try freeName(lane.lane, first)
    let bytes = header.encoded()
    do throws(FileError) {
      try disk.append(bytes, to: name)
      try disk.sync(name)
      try disk.syncDirectory()
    } catch {
      _ = try? disk.remove(name)
      throw error
    }
    grow(bytes.count)
    let size = UInt64(bytes.count)
    if let abandoned = lane.segments.last, abandoned.first == first {
      lanes[index].segments.removeLast()
      remove([abandoned])
    }
    lanes[index].segments.append(
      Segment(name: name, header: header, last: first - 1, bytes: size, syncedBytes: size))
    lanes[index].reserved = header.reserved
    lanes[index].reservedAt = first
    lanes[index].writtenThrough = first - 1
    lanes[index].syncedThrough = first - 1
    lanes[index].unsyncedSinceNs = nil
    lanes[index].isOpen = true
    setAsideWhatIsCounted()
  }

  private func freeName(_ lane: Lane, _ first: UInt64) throws(FileError) -> String {
    var attempt: UInt8 = 0
    while true {
      let name = SegmentName(lane: lane, first: first, attempt: attempt).text
      do throws(FileError) { _ = try disk.size(of: name) } catch {
        if error.isNotFound { return name }
        throw error
      }
      if attempt == .max { throw FileError("make", name, code: 17 /* EEXIST */) }
      attempt += 1
    }
  }

  /// Room for one more segment: below the spool's limit and above the disk's floor.
  private func makeRoom() throws(FileError) {
    while bytes + limits.segmentBytes > max(limits.bytesMax, 4 * limits.segmentBytes) {
      guard dropOldest() else { break }
    }
    while try disk.freeBytes() < limits.freeFloorBytes + limits.segmentBytes {
      guard dropOldest() else { throw FileError("keep the free-space floor", "spool", code: 28 /* ENOSPC */) }
    }
  }

  /// Gives up the oldest segment, backfill first.
  /// - Returns: false where only the segments in use are left.
  private func dropOldest() -> Bool {
    for index in [Int(Lane.backfill.rawValue), Int(Lane.live.rawValue)] where lanes[index].segments.count > 1 {
      let segment = lanes[index].segments[0]
      let from = max(segment.first, lanes[index].acked + 1)
      if from <= segment.last {
        lanes[index].addLoss(LossRange(from: from, to: segment.last + 1, reason: .spoolFull, isEstimate: false))
        droppedRecordsTotal += segment.last + 1 - from
      }
      remove(lanes[index].removeOldest(1))
      return true
    }
    return false
  }

  // MARK: Memory

  /// Lets go of records in memory: those that are on disk, and beyond the limit those that are not.
  func trimRecent(_ index: Int, nowNs: Int64) {
    while lanes[index].recent.bytes > limits.recentBytes {
      let oldest = lanes[index].recent.first
      if oldest > lanes[index].writtenThrough {
        guard lanes[index].recent.bytes > limits.unwrittenBytesMax else { return }
        lanes[index].addLoss(LossRange(from: oldest, to: oldest + 1, reason: .spoolFull, isEstimate: false))
        droppedRecordsTotal += 1
      } else if oldest > max(lanes[index].syncedThrough, lanes[index].acked) {
        // Were the sync to fail, these would be needed once more.
        guard lanes[index].recent.bytes > limits.unwrittenBytesMax / 2 else { return }
        sync(index, nowNs: nowNs)
        if oldest > lanes[index].writtenThrough { continue }
      }
      lanes[index].recent.removeFirst()
    }
  }

  func closeLane(_ index: Int, nowNs: Int64) {
    writeOut(index, nowNs: nowNs)
    guard lanes[index].isOpen, !lanes[index].hasUnwritten, let segment = lanes[index].segments.last else { return }
    var bytes: [UInt8] = []
    SegmentRecord.append(
      .closed, sequence: lanes[index].writtenThrough, payload: [], seed: segment.header.recordSeed, to: &bytes)
    do throws(FileError) {
      try disk.append(bytes, to: segment.name)
      try disk.sync(segment.name)
      lanes[index].syncedThrough = lanes[index].writtenThrough
    } catch {
      diskFailuresTotal += 1
    }
    lanes[index].isOpen = false
  }
}
