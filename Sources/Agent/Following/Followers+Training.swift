internal import FleetModel

/// What only training files do: be written anew with more columns, and end while they stay.
extension Followers {
  // MARK: Written anew with more columns

  /// The bytes before the offset are no longer there. A progress file that got more columns goes on, under the same key, behind
  /// the rows that were told; anything else is a new generation.
  /// - Parameter before: size and time of the last look before.
  func changed(
    _ file: FollowedFile, _ handle: FileHandle, _ before: (size: UInt64, lookedNs: Int64), nowNs: Int64
  ) -> FileDelta? {
    guard mayHaveMoreColumns(file, size: file.size) else { return replaced(file, before, nowNs: nowNs) }
    if file.changedNs == 0 { file.changedNs = nowNs }
    // What is under way comes first: the collector's mark must be the one that is moved.
    let isSettled = file.committed == file.offset
    if isSettled, let end = rewrittenOffset(file, handle) { return rewrittenDelta(file, handle, to: end) }
    // Or it is just being written.
    if isSettled, nowNs - file.changedNs >= limits.rewrittenSettleNs { return replaced(file, before, nowNs: nowNs) }
    hold(file, untilNs: nowNs + limits.rewrittenSettleNs / 4)
    return nil
  }

  func mayHaveMoreColumns(_ file: FollowedFile, size: UInt64) -> Bool {
    file.identity.format == .progressCSV && file.isTold && file.offset > 0 && size >= file.offset
      && size <= RewrittenProgress.fileBytesMax
  }

  /// - Returns: where the rows before the offset end now; nil where they are not there with more columns.
  func rewrittenOffset(_ file: FollowedFile, _ handle: FileHandle) -> UInt64? {
    for columns in 1..<TrainingLimits.columnsMax {
      var search = RewrittenProgress(columns: columns, offset: file.offset, tailHash: file.tailHash)
      let found = run(&search, handle)
      if let end = found.end { return end }
      // Where the first row has not so many empty fields at its end, it has not more of them either.
      if found.lines < 2 { return nil }
    }
    return nil
  }

  /// - Returns: the offset of the end, and how many lines were passed before it was found, or not.
  private func run(_ search: inout RewrittenProgress, _ handle: FileHandle) -> (end: UInt64?, lines: Int) {
    var (at, lines) = (UInt64(0), 0)
    while let got = fileSystem.read(handle, at: at, count: limits.chunkBytes, into: &buffer), got > 0 {
      // Shared, not copied: nothing writes to the buffer meanwhile.
      let bytes = buffer
      let span = bytes.span.extracting(0..<got)
      var start = 0
      while let newline = LineCutter.newline(span, from: start) {
        switch search.take(span, start..<newline) {
        case .found: return (at + UInt64(newline) + 1, lines)
        case .isOther: return (nil, lines)
        case .goesOn: lines += 1
        }
        start = newline + 1
      }
      // A line longer than the buffer is none of this format.
      if start == 0 { break }
      at += UInt64(start)
    }
    return (nil, lines)
  }

  /// Nothing but the new place of what was told before.
  private func rewrittenDelta(_ file: FollowedFile, _ handle: FileHandle, to end: UInt64) -> FileDelta? {
    let count = Int(min(FollowedFile.tailBytes, end))
    guard fileSystem.read(handle, at: end - UInt64(count), count: count, into: &buffer) == count else { return nil }
    var delta = FileDelta(file: file.identity, from: file.offset, to: end)
    file.offset = end
    file.tailHash = bufferHash(0..<count)
    file.checkedModifiedNs = -1
    file.changedNs = 0
    file.reader = nil
    file.identity.headLength = 0
    refreshHead(file)
    delta.file = file.identity
    delta.tailHash = file.tailHash
    delta.lines.firstOffset = end
    enqueue(file)
    return delta
  }

  // MARK: Ends

  /// The end of a training file's run, as far as it can be seen: its program has closed it, and wrote no more, or has not written for very
  /// long. Rows that come all the same open the run again.
  func endDelta(_ file: FollowedFile, nowNs: Int64) -> FileDelta? {
    guard file.identity.format != .log, file.isFormatKnown, file.isTold, !file.isEndTold else { return nil }
    let dueNs = file.grownNs + (file.isClosed ? limits.closedIdleNs : limits.abandonedIdleNs)
    guard nowNs >= dueNs, file.committed == file.offset, prepareReader(file, isIdle: true) else {
      hold(file, untilNs: max(dueNs, nowNs + limits.scanEveryNs))
      return nil
    }
    file.isEndTold = true
    var delta = FileDelta(file: file.identity, from: file.offset, to: file.offset)
    delta.tailHash = file.tailHash
    delta.lines.firstOffset = delta.to
    // Not the time of telling: told again after a restart, the run has not ended again.
    file.reader?.finish(nowNs: max(file.modifiedNs, file.readNs), into: &delta)
    return delta.runs.isEmpty && delta.episodes.isEmpty ? nil : delta
  }
}
