internal import FleetModel

/// One segment file as the spool knows it.
struct Segment {
  var name: String
  var header: SegmentHeader
  /// Last sequence in it; `first - 1` while it has none.
  var last: UInt64
  /// Of the file, as far as it counts.
  var bytes: UInt64
  /// Of it, what a power cut leaves.
  var syncedBytes: UInt64

  var first: UInt64 { header.first }
}

/// One lane's numbers, segments and losses; reading from where the uplink is.
///
/// Sequences are consecutive on the wire. Where there is no record for one, a gap stands for it: numbers jumped over at
/// a start, or records that were dropped or damaged.
struct SpoolLane {
  let lane: Lane
  /// Oldest first. The newest stays even when acked: the next start learns from it where the numbers stand.
  var segments: [Segment] = []
  /// The newest segment takes records.
  var isOpen = false
  /// First sequence that this start of the agent may use.
  let base: UInt64
  /// The next one to use.
  var next: UInt64
  /// Last one of earlier starts.
  let previousLast: UInt64
  /// Last one that earlier starts may have sent.
  let knownThrough: UInt64
  /// What the start found to be lost behind `previousLast`.
  let startLoss: LossRange?
  /// Whether there is anything of this start: a record, or a loss to report.
  var isUsed = false
  var reserved: UInt64 = 0
  /// `next` when it was reserved.
  var reservedAt: UInt64
  var reserveStep: UInt64
  /// Committed by the collector through here.
  var acked: UInt64 = 0
  /// The next one to send.
  var cursor: UInt64 = 1
  /// Last one sent since the start.
  var sentThrough: UInt64 = 0
  var recent: RecentRecords
  var writtenThrough: UInt64
  var syncedThrough: UInt64
  /// When the oldest un-synced record was written.
  var unsyncedSinceNs: Int64?
  var losses: [LossRange] = []
  /// Records through here may have been in segments that are no longer there, acked or dropped before the start: asked
  /// for again, they are missing.
  var missingThrough: UInt64
  /// Records through here may have been in segments that this start found damaged.
  private let damagedThrough: UInt64
  /// Why segments of earlier starts may be gone.
  private let earlierReason: LossReason
  private var reader: SegmentReader?
  private var readerSegment: UInt64 = 0
  private var pending: SpooledItem?

  /// - Parameter wasFull: the spool is so full that earlier starts may have dropped records that were not acked.
  init(_ found: FoundLane, base: UInt64, wasFull: Bool, limits: SpoolLimits) {
    lane = found.lane
    segments = found.segments
    previousLast = found.last
    knownThrough = found.knownThrough
    startLoss = found.loss
    missingThrough = found.segments.first?.header.previousLast ?? 0
    damagedThrough = found.hasDamagedHead ? missingThrough : 0
    earlierReason = wasFull ? .spoolFull : .databaseRestored
    losses = []
    // Of two headers with the same one, the first was of a segment that was begun anew.
    for loss in found.segments.compactMap(\.header.loss) + (found.loss.map { [$0] } ?? []) where losses.last != loss {
      losses.append(loss)
    }
    self.base = base
    next = base
    isUsed = found.loss != nil
    reserveStep = limits.reserveMin
    reservedAt = base
    recent = RecentRecords(next: base)
    writtenThrough = base - 1
    syncedThrough = base - 1
  }

  /// Last sequence that there is to send.
  var end: UInt64 { isUsed ? next - 1 : previousLast }
  var hasUnsent: Bool { cursor <= end }
  var hasUnwritten: Bool { writtenThrough + 1 < next }
  /// Records that only the page cache holds, and that are not acked.
  var hasUnsynced: Bool { max(syncedThrough, acked) < writtenThrough }

  /// The collector has everything up to `sequence`.
  /// - Returns: segments that are no longer needed.
  mutating func acked(through sequence: UInt64) -> [Segment] {
    guard sequence > acked else { return [] }
    acked = sequence
    cursor = max(cursor, sequence + 1)
    losses.removeAll { $0.to <= sequence + 1 }
    let freed = segments.prefix { $0.last <= sequence }.count
    let removed = removeOldest(min(freed, segments.count - 1))
    if let last = removed.last?.last { missingThrough = max(missingThrough, last) }
    return removed
  }

  mutating func removeOldest(_ count: Int) -> [Segment] {
    guard count > 0 else { return [] }
    let removed = Array(segments.prefix(count))
    segments.removeFirst(count)
    if reader != nil, removed.contains(where: { $0.first == readerSegment }) { reader = nil }
    return removed
  }

  mutating func addLoss(_ range: LossRange) {
    if let last = losses.last, last.to == range.from, last.reason == range.reason, last.isEstimate == range.isEstimate {
      losses[losses.count - 1].to = range.to
    } else {
      losses.append(range)
    }
  }

  /// Go on behind `mark`: everything after it is sent (again).
  mutating func resume(after mark: UInt64) {
    cursor = mark + 1
    pending = nil
    reader = nil
  }

  /// Whether the collector has a number that this spool cannot have sent: beyond all of them, or inside a start's jump.
  /// Of a jump only the end is ever sent, by the gap record that stands for it.
  func isForeign(_ mark: UInt64) -> Bool {
    if mark > max(knownThrough, sentThrough) || (mark > knownThrough && mark < base - 1) { return true }
    return segments.contains { segment in
      let used = max(segment.header.previousLast, segment.header.loss.map { $0.to - 1 } ?? 0)
      let isJump = segment.first - 1 >= segment.header.previousLast + Spool.jump.lowerBound
      return isJump && mark > used && mark < segment.first - 1
    }
  }

  // MARK: Reading

  /// The item at the cursor, if it fits.
  mutating func take(_ disk: any SpoolDisk, budgetBytes: Int, nowNs: Int64, limits: SpoolLimits) -> SpooledItem? {
    guard let item = pending ?? peek(disk, nowNs: nowNs, limits: limits) else { return nil }
    guard item.estimatedBytes <= budgetBytes else {
      pending = item
      return nil
    }
    pending = nil
    cursor = item.lastSequence + 1
    sentThrough = max(sentThrough, item.lastSequence)
    return item
  }

  private mutating func peek(_ disk: any SpoolDisk, nowNs: Int64, limits: SpoolLimits) -> SpooledItem? {
    guard hasUnsent else { return nil }
    if let payload = recent.payload(of: cursor) { return record(payload) }
    if let index = segmentIndex, cursor <= segments[index].last {
      if let payload = read(index, disk, limits: limits) { return record(payload) }
      damaged(index)
    }
    return gap(nowNs: nowNs)
  }

  private func record(_ payload: [UInt8]) -> SpooledItem {
    SpooledItem(lane: lane, firstSequence: cursor, lastSequence: cursor, content: .encoded(payload))
  }

  /// The newest segment that starts at or before the cursor.
  private var segmentIndex: Int? {
    var low = 0
    var high = segments.count
    while low < high {
      let middle = (low + high) / 2
      if segments[middle].first <= cursor { low = middle + 1 } else { high = middle }
    }
    return low == 0 ? nil : low - 1
  }

  private mutating func read(_ index: Int, _ disk: any SpoolDisk, limits: SpoolLimits) -> [UInt8]? {
    let segment = segments[index]
    var reader =
      if let reader, readerSegment == segment.first, reader.name == segment.name { reader } else {
        SegmentReader(name: segment.name, header: segment.header)
      }
    self.reader = nil
    while case .record(let kind, let sequence, let payload) = reader.next(
      disk, endOffset: segment.bytes, limits: limits)
    {
      guard kind == .data, sequence >= cursor else { continue }
      guard sequence == cursor else { return nil }
      self.reader = reader
      readerSegment = segment.first
      return payload
    }
    return nil
  }

  /// The segment ends before the record at the cursor, or is no longer what was written: the rest of it is lost.
  private mutating func damaged(_ index: Int) {
    addLoss(LossRange(from: cursor, to: segments[index].last + 1, reason: .spoolDamaged, isEstimate: true))
    segments[index].last = cursor - 1
    if index == segments.count - 1 { isOpen = false }
  }

  /// The parts from the cursor on that no known loss explains.
  private func untold(upTo last: UInt64, beside ranges: [LossRange]) -> [LossRange] {
    var untold: [LossRange] = []
    var from = cursor
    for range in ranges.sorted(by: { $0.from < $1.from }) where from <= last {
      if range.from > from {
        untold.append(missing(from: from, to: min(range.from, last + 1)))
      }
      from = max(from, range.to)
    }
    if from <= last { untold.append(missing(from: from, to: last + 1)) }
    return untold
  }

  /// What this start dropped for want of room has a loss of its own. Segments that are gone without one were acked: a collector that
  /// asks for them again has a database that was restored, or that failed over to a standby which was behind.
  private func missing(from: UInt64, to: UInt64) -> LossRange {
    let reason: LossReason =
      if from <= acked { .databaseRestored } else if from <= damagedThrough { .spoolDamaged } else { earlierReason }
    return LossRange(from: from, to: to, reason: reason, isEstimate: true)
  }

  /// What stands for the numbers from the cursor up to the next record.
  private func gap(nowNs: Int64) -> SpooledItem {
    var last = end
    if !recent.isEmpty, recent.first > cursor { last = min(last, recent.first - 1) }
    if let after = segments.first(where: { $0.first > cursor }) { last = min(last, after.first - 1) }
    var ranges = losses.compactMap { $0.clamped(cursor, last) }
    ranges += untold(upTo: min(last, missingThrough), beside: ranges)
    let losses = ranges.map { range in
      var loss = Loss()
      loss.timeNs = nowNs
      loss.subject = lane == .live ? "spool/live" : "spool/backfill"
      loss.from = range.from
      loss.to = range.to
      loss.reason = range.reason
      loss.isEstimate = range.isEstimate
      return loss
    }
    return SpooledItem(lane: lane, firstSequence: cursor, lastSequence: last, content: .gap(losses))
  }
}
