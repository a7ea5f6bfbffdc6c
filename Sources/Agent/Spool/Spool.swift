package import FleetModel

/// Keeps on disk what cannot be read a second time, until the collector has committed it.
///
/// Two lanes of consecutive sequences in segment files that describe themselves. No clock of its own; the disk is a
/// parameter. Whatever the directory holds, a start succeeds: what is damaged is left out and reported as lost.
///
/// Numbers are never used twice: each start jumps ahead by a random number, so that neither a torn tail, nor a
/// restored image, nor a cloned host can give an old number to a new record, which the collector would take for a
/// duplicate.
package final class Spool {
  package private(set) var id: SpoolID
  /// Bytes of all segments.
  package private(set) var bytes: UInt64 = 0
  /// Records given up: no space, no place in memory, or too large.
  package internal(set) var droppedRecordsTotal: UInt64 = 0
  /// Unreadable segments met by this start.
  package private(set) var setAsideTotal: UInt64 = 0
  /// Failed writes and syncs of the spool's disk.
  package internal(set) var diskFailuresTotal: UInt64 = 0
  package let limits: SpoolLimits

  let disk: any SpoolDisk
  let boot: BootID
  var lanes: [SpoolLane]
  /// Segments that are to be set aside.
  private var unreadable: [String] = []
  /// A disk that failed is left alone until then.
  var retryAtNs: Int64 = .min

  /// - Parameters:
  ///   - boot: the kernel's boot id: within one boot nothing written is lost, synced or not.
  ///   - random: for a new spool's id and the jump of the sequences.
  package init(
    disk: any SpoolDisk, boot: BootID, limits: SpoolLimits = SpoolLimits(), nowNs: Int64,
    random: inout some RandomNumberGenerator
  ) {
    self.disk = disk
    self.boot = boot
    self.limits = limits
    let scan = SpoolScan(disk, boot: boot, limits: limits)
    id = scan.spool ?? SpoolID(high: random.next(), low: random.next())
    let highest = max(scan.highestName, scan.lanes.map { max($0.last, ($0.loss?.to ?? 1) - 1) }.max() ?? 0)
    let jump = highest == 0 ? 0 : UInt64.random(in: Self.jump, using: &random)
    let stored = scan.lanes.flatMap(\.segments).reduce(0) { $0 + $1.bytes }
    bytes = stored
    let free = (try? disk.freeBytes()) ?? 0
    // Where room ran out, what was kept is still there, or the disk is.
    let wasFull = stored >= limits.bytesMax / 2 || free < 2 * limits.freeFloorBytes
    lanes = scan.lanes.map { SpoolLane($0, base: highest + jump + 1, wasFull: wasFull, limits: limits) }
    unreadable = scan.unusable.map(\.text)
    setAsideTotal = UInt64(unreadable.count)
    for index in lanes.indices where lanes[index].startLoss != nil { writeOut(index, nowNs: nowNs) }
    setAsideWhatIsCounted()
  }

  /// 2^36…2^37: 60 million starts fit, and two clones of a spool meet with a probability of 1 in 10^10.
  static let jump: ClosedRange<UInt64> = 1 << 36...1 << 37

  // MARK: Writing

  /// Keeps one encoded `Records` message.
  /// - Returns: false where it is larger than `recordBytesMax`; it is counted as dropped.
  @discardableResult
  package func append(_ encoded: [UInt8], lane: Lane, nowNs: Int64) -> Bool {
    guard encoded.count <= limits.recordBytesMax else {
      droppedRecordsTotal += 1
      return false
    }
    let index = Int(lane.rawValue)
    lanes[index].recent.append(encoded)
    lanes[index].next += 1
    lanes[index].isUsed = true
    writeOut(index, nowNs: nowNs)
    trimRecent(index, nowNs: nowNs)
    return true
  }

  /// Syncs what has waited for it and tries a failed disk again.
  package func timePassed(nowNs: Int64) {
    for index in lanes.indices {
      if lanes[index].hasUnwritten { writeOut(index, nowNs: nowNs) }
      if lanes[index].hasUnsynced, let since = lanes[index].unsyncedSinceNs, nowNs >= since + limits.syncNs {
        sync(index, nowNs: nowNs)
      }
    }
  }

  /// When `timePassed` is due; nil where nothing waits. CLOCK_BOOTTIME, ns.
  package var syncAtNs: Int64? {
    var dueNs: Int64?
    for lane in lanes {
      if lane.hasUnwritten { dueNs = min(dueNs ?? .max, retryAtNs) }
      if lane.hasUnsynced, let since = lane.unsyncedSinceNs { dueNs = min(dueNs ?? .max, since + limits.syncNs) }
    }
    return dueNs
  }

  /// Syncs everything and notes that nothing is missing: the last call before an orderly end.
  package func close(nowNs: Int64) {
    retryAtNs = .min
    for index in lanes.indices { closeLane(index, nowNs: nowNs) }
  }

  // MARK: Sending

  /// The collector's marks: everything behind them is sent (again).
  /// - Returns: false where the marks show that another host uses this spool's numbers. Then there is a new spool, and
  ///   this stream must end.
  package func resume(from marks: [LaneMark], nowNs: Int64, random: inout some RandomNumberGenerator) -> Bool {
    var sequences: [UInt64] = lanes.map { _ in 0 }
    for mark in marks { sequences[Int(mark.lane.rawValue)] = mark.sequence }
    for (lane, mark) in zip(lanes, sequences) where lane.isForeign(mark) {
      replace(nowNs: nowNs, random: &random)
      return false
    }
    for (index, mark) in sequences.enumerated() {
      remove(lanes[index].acked(through: mark))
      lanes[index].resume(after: mark)
    }
    return true
  }

  /// The next item of a lane, or nil where there is none or it is larger than the budget.
  package func next(_ lane: Lane, budgetBytes: Int, nowNs: Int64) -> SpooledItem? {
    lanes[Int(lane.rawValue)].take(disk, budgetBytes: budgetBytes, nowNs: nowNs, limits: limits)
  }

  /// Last sequence given to a record of the lane, or jumped over.
  package func lastSequence(_ lane: Lane) -> UInt64 { lanes[Int(lane.rawValue)].next - 1 }

  /// The disk has refused records, so that they are in memory only: they end with the agent.
  package func hasUnwritten(_ lane: Lane) -> Bool { lanes[Int(lane.rawValue)].hasUnwritten }

  /// The disk has refused what this start, or the spool before this one, found to be lost.
  package func hasUnwrittenLoss(_ lane: Lane) -> Bool {
    let lane = lanes[Int(lane.rawValue)]
    return lane.startLoss != nil && lane.segments.last.map { $0.first < lane.base } ?? true
  }

  /// Last sequence of the lane that is in a file.
  package func writtenThrough(_ lane: Lane) -> UInt64 { lanes[Int(lane.rawValue)].writtenThrough }

  package func hasUnsent(_ lane: Lane) -> Bool { lanes[Int(lane.rawValue)].hasUnsent }

  /// About how many bytes wait to be sent; no more than a segment is reported.
  package func unsentBytes(_ lane: Lane) -> Int {
    let lane = lanes[Int(lane.rawValue)]
    guard lane.hasUnsent else { return 0 }
    return lane.recent.bytes(from: lane.cursor).map { max($0, 1) } ?? Int(limits.segmentBytes)
  }

  /// The collector has committed the lane through `sequence`.
  package func acked(_ lane: Lane, through sequence: UInt64) {
    remove(lanes[Int(lane.rawValue)].acked(through: sequence))
  }

  /// Un-acked records, about: gaps are not counted.
  package var unackedRecords: UInt64 {
    lanes.reduce(0) { sum, lane in sum + lane.segments.reduce(0) { $0 + Self.unacked($1, lane) } }
  }

  /// With everything that is lost or may be and was not yet reported.
  private static func unackedAtMost(_ lane: SpoolLane) -> UInt64 {
    var sum = lane.next - 1 - lane.writtenThrough
    for segment in lane.segments { sum += unacked(segment, lane) }
    for loss in lane.losses { sum += loss.to - min(loss.to, max(loss.from, lane.acked + 1)) }
    // Numbers jumped over are no records: a start's jump bounds what is reported.
    return sum + min(jump.lowerBound, lane.missingThrough - min(lane.missingThrough, lane.acked))
  }

  private static func unacked(_ segment: Segment, _ lane: SpoolLane) -> UInt64 {
    segment.last > lane.acked ? segment.last - max(segment.first - 1, lane.acked) : 0
  }

  /// What is there, for people: each lane's segments with their sequences, and what is known to be lost.
  package var summary: String {
    lanes.map { lane in
      let segments = lane.segments.map { "\($0.first)…\($0.last) after \($0.header.previousLast)" }
      let losses = lane.losses.map { "\($0.from)..<\($0.to) \($0.reason.text)" }
      return "\(lane.lane): \(segments.joined(separator: ", ")); next \(lane.next), acked \(lane.acked)"
        + (losses.isEmpty ? "" : ", lost \(losses.joined(separator: ", "))")
    }.joined(separator: "; ")
  }

  // MARK: Files

  func remove(_ segments: [Segment]) {
    for segment in segments {
      bytes -= min(bytes, segment.bytes)
      if (try? disk.remove(segment.name)) == nil { diskFailuresTotal += 1 }
    }
  }

  func grow(_ count: Int) { bytes += UInt64(count) }

  /// Keeps unreadable segments under another name, as far as the limits go. Not before what they may have held is written down as lost: the
  /// next start would know nothing of them.
  func setAsideWhatIsCounted() {
    guard !unreadable.isEmpty, !lanes.contains(where: { hasUnwrittenLoss($0.lane) }) else { return }
    for name in unreadable where (try? disk.rename(name, to: name + SegmentName.setAsideSuffix)) == nil {
      diskFailuresTotal += 1
    }
    unreadable = []
    let kept = ((try? disk.list()) ?? []).filter { $0.hasSuffix(SegmentName.setAsideSuffix) }.sorted()
    var sum: UInt64 = 0
    for (count, name) in kept.reversed().enumerated() {
      sum += (try? disk.size(of: name)) ?? 0
      if count >= limits.setAsideFilesMax || sum > limits.setAsideBytesMax { _ = try? disk.remove(name) }
    }
  }

  /// Begins a new spool: another host has used this one's numbers. Whatever is not acked, the other may have sent, since
  /// it may have been copied with everything in it; so all of that is reported as possibly lost and nothing sent twice.
  private func replace(nowNs: Int64, random: inout some RandomNumberGenerator) {
    let lost = lanes.map(Self.unackedAtMost)
    let old = lanes.flatMap { $0.segments.map(\.name) }
    unreadable += old
    setAsideTotal += UInt64(old.count)
    bytes = 0
    id = SpoolID(high: random.next(), low: random.next())
    for index in lanes.indices {
      var found = FoundLane(lane: lanes[index].lane)
      if lost[index] > 0 {
        found.loss = LossRange(from: 1, to: lost[index] + 1, reason: .spoolDamaged, isEstimate: true)
      }
      droppedRecordsTotal += lost[index]
      lanes[index] = SpoolLane(found, base: lost[index] + 1, wasFull: false, limits: limits)
      writeOut(index, nowNs: nowNs)
    }
    setAsideWhatIsCounted()
  }
}
