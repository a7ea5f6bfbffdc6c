internal import FleetModel

/// What was in a file before its agent: it is sent as history, or left out.
extension Followers {
  /// How far back a line's start is looked for, where a file is taken up at its end.
  private static let lineSearchBytes = 64 << 10

  /// Of a file's start, by which a format without lines is known.
  private static let formatBytes = 1024

  /// A file's times are those of the kernel's last tick, at most 10 ms before the clock's.
  private static let tickNs: Int64 = 10_000_000

  /// Notes how much of a file that was never seen before is older than the first start with a pattern that matches.
  func noteHistory(_ file: FollowedFile, _ status: FollowedStatus, nowNs: Int64) {
    if readers.isHistory(file.identity.path) {
      file.identity.historyBytes = .max
      return
    }
    guard file.offset == 0, file.size > 0, let first = firstFollow(of: file.identity.path) else { return }
    // Where a file system has no time of birth, the time of change decides.
    let before = first.ns &- Self.tickNs
    guard status.birthNs <= before, status.modifiedNs <= before || first.isFresh else { return }
    if file.identity.format.isDatabase {
      let leavesOut = from.leavesOut(modifiedNs: status.modifiedNs, firstNs: first.ns)
      return noteDatabaseHistory(file, leavesOut: leavesOut, nowNs: nowNs)
    }
    file.identity.historyBytes = file.size
    if from.leavesOut(modifiedNs: status.modifiedNs, firstNs: first.ns) { leaveOut(file, nowNs: nowNs) }
  }

  /// - Returns: when the first of the patterns that match was first followed, and whether that was a moment ago.
  private func firstFollow(of path: String) -> (ns: Int64, isFresh: Bool)? {
    patterns.included.filter { $0.matches(path) }.compactMap { pattern in
      firstFollowed.times[pattern.text].map { (ns: $0, isFresh: freshPatterns.contains(pattern.text)) }
    }.min { $0.ns < $1.ns }
  }

  /// Begins at the last line's end. The skipped range is reported to the collector, so that a restart does not read it.
  private func leaveOut(_ file: FollowedFile, nowNs: Int64) {
    let count = Int(min(UInt64(Self.lineSearchBytes), file.size))
    guard let handle = file.handle,
      fileSystem.read(handle, at: file.size - UInt64(count), count: count, into: &buffer) == count
    else { return }
    var head: [UInt8] = []
    let headCount = fileSystem.read(handle, at: 0, count: Self.formatBytes, into: &head) ?? 0
    let format = readers.format(path: file.identity.path, head: head.span.extracting(0..<headCount))
    // Parameters are no history, and of a document the last row is what is gone on behind.
    if format == .runParameters { return }
    if format == .trainerState {
      guard let last = historyEnd(handle, size: file.size) else { return }
      return leaveOut(file, to: last.end, last.hash, nowNs: nowNs)
    }
    if format == .wandbLog {
      let start = file.size - file.size % UInt64(WandbChunks.blockBytes)
      guard start > 0, start >= file.size - UInt64(count) else { return }
      let end = Int(start - (file.size - UInt64(count)))
      return leaveOut(file, to: start, bufferHash(max(0, end - Int(FollowedFile.tailBytes))..<end), nowNs: nowNs)
    }
    let end =
      format.isBinary
      ? RecordFrame.lastBoundary(buffer.span.extracting(0..<count)) ?? count
      : (buffer[..<count].lastIndex(of: UInt8(ascii: "\n")) ?? count - 1) + 1
    let offset = file.size - UInt64(count - end)
    leaveOut(file, to: offset, bufferHash(max(0, end - Int(FollowedFile.tailBytes))..<end), nowNs: nowNs)
  }

  func leaveOut(_ file: FollowedFile, to offset: UInt64, _ tailHash: UInt64, nowNs: Int64) {
    skip(file, to: offset, tailHash: tailHash)
    file.reportsSkip = true
    var loss = Loss()
    loss.timeNs = nowNs
    loss.subject = file.identity.path
    loss.to = offset
    loss.reason = .skipped
    file.leftOut = loss
  }
}
