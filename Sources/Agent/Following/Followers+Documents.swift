internal import FleetModel

/// Documents that are written anew as a whole, in place or in a new file each time: what was reported of one stands again in the next.
extension Followers {
  // MARK: Histories

  /// Whether the file may be read from its offset on. A history that was not read before is first looked through as a whole for the last row
  /// that was reported of its run, from whatever file: its rows go on behind that one. So each row of a run is reported once, by whichever of
  /// its checkpoints was read first, and a document that is just being written is waited for.
  func isHistoryReady(_ file: FollowedFile, nowNs: Int64) -> Bool {
    guard file.identity.format == .trainerState, file.offset == 0, !file.isReported, !file.isHistorySearched,
      let handle = file.handle
    else { return true }
    guard file.size <= TrainingLimits.historyBytesMax else {
      leaveOutHistory(file, handle, nowNs: nowNs)
      return false
    }
    guard !mayBeRepeatedNow(file) || nowNs - file.grownNs >= limits.closedIdleNs else {
      hold(file, untilNs: nowNs + limits.rewrittenSettleNs / 4)
      return false
    }
    let known = reportedHistories(file, nowNs: nowNs)
    var found: (end: UInt64, hash: UInt64)?
    let isWhole = forEachHistoryRow(handle, size: file.size) { end, hash in
      if known.contains(hash) { found = (end, hash) }
    }
    guard isWhole else {
      hold(file, untilNs: nowNs + limits.rewrittenSettleNs / 4)
      return false
    }
    file.isHistorySearched = true
    guard let found else { return true }
    skip(file, to: found.end, tailHash: found.hash)
    file.reportsSkip = true
    file.reader = nil
    enqueue(file)
    return false
  }

  /// Another file of the run is being read: the rows that it still has may be this one's as well.
  private func mayBeRepeatedNow(_ file: FollowedFile) -> Bool {
    let directory = RunPlace(file.identity.path, .trainerState).directory
    return files.contains { other in
      other !== file && other.identity.format == .trainerState && other.path != nil && other.unread > 0
        && (other.isReported || other.isHistorySearched)
        && RunPlace(other.identity.path, .trainerState).directory == directory
    }
  }

  /// A larger history is not searched, nor read: its size is a loss.
  private func leaveOutHistory(_ file: FollowedFile, _ handle: FileHandle, nowNs: Int64) {
    let count = Int(FollowedFile.tailBytes)
    guard fileSystem.read(handle, at: file.size - UInt64(count), count: count, into: &buffer) == count else { return }
    skip(file, to: file.size, tailHash: bufferHash(0..<count))
    file.reportsSkip = true
    file.reader = nil
    var loss = Loss()
    loss.timeNs = nowNs
    loss.subject = file.identity.path
    loss.to = file.size
    loss.reason = .unreadable
    file.leftOut = loss
    enqueue(file)
  }

  /// Hashes of the bytes before the ends of rows that were reported of the file's run: of every file the last one, and of those that are
  /// longer than this one all of them, because it may be an older checkpoint of the same history.
  private func reportedHistories(_ file: FollowedFile, nowNs: Int64) -> Set<UInt64> {
    let directory = RunPlace(file.identity.path, .trainerState).directory
    func isOfRun(_ path: String) -> Bool {
      path.hasSuffix(TrainerStateReader.fileName) && RunPlace(path, .trainerState).directory == directory
    }
    var hashes: Set<UInt64> = []
    for mark in parked.marks(where: { isOfRun($0.path) }) { hashes.insert(mark.tailHash) }
    for old in retired where isOfRun(old.path) { hashes.insert(old.tailHash) }
    for other in files
    where other !== file && other.identity.format == .trainerState && other.offset > 0 && isOfRun(other.identity.path) {
      hashes.insert(other.tailHash)
      guard other.phase == .following, other.size >= file.size, other.size <= TrainingLimits.historyBytesMax,
        open(other, nowNs: nowNs), let handle = other.handle
      else { continue }
      _ = forEachHistoryRow(handle, size: other.size) { end, hash in if end <= other.offset { hashes.insert(hash) } }
    }
    return hashes
  }

  /// - Parameter body: gets each row's end, and the hash of the bytes before it.
  /// - Returns: whether the document is whole.
  private func forEachHistoryRow(_ handle: FileHandle, size: UInt64, _ body: (UInt64, UInt64) -> Void) -> Bool {
    var scanner = HistoryScanner()
    var at: UInt64 = 0
    while at < size {
      // With the bytes before it, which a row's end may need.
      let before = Int(min(FollowedFile.tailBytes, at))
      let wanted = before + Int(min(UInt64(limits.chunkBytes), size - at))
      guard let got = fileSystem.read(handle, at: at - UInt64(before), count: wanted, into: &buffer), got > before
      else { return false }
      // Shared, not copied: nothing writes to the buffer meanwhile.
      let bytes = buffer
      let span = bytes.span
      for index in before..<got where scanner.take(span[index]) == .rowEnd {
        let end = index + 1
        let start = max(0, end - Int(FollowedFile.tailBytes))
        body(at - UInt64(before) + UInt64(end), ContentHash.of(span.extracting(start..<end)))
      }
      if scanner.isFailed { return false }
      at += UInt64(got - before)
    }
    return scanner.isOver
  }

  /// Where the last row of a history ends, for one that is left out as older than its agent.
  func historyEnd(_ handle: FileHandle, size: UInt64) -> (end: UInt64, hash: UInt64)? {
    var last: (end: UInt64, hash: UInt64)?
    guard size <= TrainingLimits.historyBytesMax else { return nil }
    _ = forEachHistoryRow(handle, size: size) { last = ($0, $1) }
    return last
  }

  /// Written anew in place. What is under way comes first: only then the key can be ended without a loss.
  func documentChanged(_ file: FollowedFile, _ before: FileLook, nowNs: Int64) -> FileDelta? {
    guard file.offset == 0 || file.committed == file.offset else {
      hold(file, untilNs: nowNs + limits.rewrittenSettleNs / 4)
      return nil
    }
    return replaced(file, before, nowNs: nowNs)
  }

  /// All rows of a document were taken: it is left as it is until it changes.
  /// - Parameter delta: with what follows from the bytes behind the rows.
  func restDelta(_ file: FollowedFile, _ delta: FileDelta, nowNs: Int64) -> FileDelta? {
    // The next rows are of another document, with another time.
    file.reader = nil
    file.holeEnd = file.size
    guard file.isReported, !delta.runs.isEmpty else { return endDelta(file, nowNs: nowNs) }
    var delta = delta
    delta.tailHash = file.tailHash
    delta.lines.firstOffset = delta.to
    hold(file, untilNs: nowNs + limits.scanEveryNs)
    return delta
  }

  // MARK: Parameters

  /// Whether it is known which runs a file of parameters belongs to. A file without a run beside it is a log like any other, after a
  /// while in which one may begin.
  func areRunsKnown(_ file: FollowedFile, nowNs: Int64) -> Bool {
    let path = file.identity.path
    guard file.identity.format == .runParameters, MLflowPath(path) == nil, runsBeside(path).isEmpty else { return true }
    // With the runs, once there are some.
    file.reader = nil
    if !file.isReported, nowNs - file.grownNs >= limits.parametersIdleNs {
      file.identity.format = .log
      enqueue(file)
    } else {
      hold(file, untilNs: nowNs + limits.scanEveryNs)
    }
    return false
  }

  /// The runs in the directory of a file, or in the one above it: RL Zoo keeps its parameters in a directory of their own.
  func runsBeside(_ path: String) -> [String] {
    let directory = RunPlace(path, .runParameters).directory
    return runsByDirectory[directory] ?? runsByDirectory[PathParts.parent(directory)] ?? []
  }

  /// Whether a file that its name does not show to be one of parameters is one: a whole document beside a known run.
  func isOfParameters(_ path: String, _ head: Span<UInt8>) -> Bool {
    !runsByDirectory.isEmpty && runsByDirectory[PathParts.parent(path)] != nil
      && TrainingFormats.isParameterFile(path: path, head, isNamed: false)
  }

  /// A run was reported of the file, or its end.
  func noteRun(_ file: FollowedFile, _ delta: FileDelta) {
    if file.identity.format == .runParameters { file.statesEnd = delta.runs.last.map { $0.state != .unknown } ?? false }
    guard file.identity.format != .runParameters,
      let run = delta.runs.last?.run ?? delta.steps.last?.run ?? delta.episodes.last?.run, file.run != run
    else { return }
    file.run = run
    let directory = place(of: file).directory
    if runsByDirectory.count >= limits.files { runsByDirectory.removeAll() }
    let known = runsByDirectory[directory] ?? []
    if !known.contains(run), known.count < TrainingLimits.runsOfDirectoryMax {
      runsByDirectory[directory, default: []].append(run)
    }
  }
}
