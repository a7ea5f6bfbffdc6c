package import FleetModel

/// What only training files do: be written anew with more columns, and end while they stay.
extension Followers {
  // MARK: Written anew with more columns

  /// The bytes before the offset are no longer there. A progress file that got more columns goes on, under the same key, behind
  /// the rows that were reported; anything else is a new generation.
  /// - Parameter before: what the look before this one saw.
  func changed(_ file: FollowedFile, _ handle: FileHandle, _ before: FileLook, nowNs: Int64) -> FileDelta? {
    // Later looks see the size of what it was replaced by.
    if file.identity.format.isDocument { return documentChanged(file, before, nowNs: nowNs) }
    let changed = file.changed ?? (sinceNs: nowNs, before: before)
    guard mayHaveMoreColumns(file, size: file.size) else { return replaced(file, changed.before, nowNs: nowNs) }
    file.changed = changed
    // What is under way comes first: the collector's mark must be the one that is moved.
    let isSettled = file.committed == file.offset
    if isSettled, let end = rewrittenOffset(file, handle) { return rewrittenDelta(file, handle, to: end) }
    // Or it is just being written.
    if isSettled, nowNs - changed.sinceNs >= limits.rewrittenSettleNs {
      return replaced(file, changed.before, nowNs: nowNs)
    }
    hold(file, untilNs: nowNs + limits.rewrittenSettleNs / 4)
    return nil
  }

  func mayHaveMoreColumns(_ file: FollowedFile, size: UInt64) -> Bool {
    file.identity.format == .progressCSV && file.isReported && file.offset > 0 && size >= file.offset
      && size <= RewrittenProgress.fileBytesMax
  }

  /// - Returns: where the rows before the offset end now; nil where they are not there with more columns.
  func rewrittenOffset(_ file: FollowedFile, _ handle: FileHandle) -> UInt64? {
    let names = (file.reader as? ProgressReader)?.names
    var search = RewrittenProgress(offset: file.offset, tailHash: file.tailHash)
    var sorted = names.map { ResortedProgress(offset: file.offset, tailHash: file.tailHash, names: $0) }
    var at: UInt64 = 0
    while let got = fileSystem.read(handle, at: at, count: limits.chunkBytes, into: &buffer), got > 0 {
      // Shared, not copied: nothing writes to the buffer meanwhile.
      let bytes = buffer
      let span = bytes.span.extracting(0..<got)
      var start = 0
      while let newline = LineCutter.newline(span, from: start) {
        let answers = [search.take(span, start..<newline), sorted?.take(span, start..<newline) ?? .isOther]
        if answers.contains(.found) { return at + UInt64(newline) + 1 }
        if !answers.contains(.goesOn) { return nil }
        start = newline + 1
      }
      // A line longer than the buffer is none of this format.
      if start == 0 { return nil }
      at += UInt64(start)
    }
    return nil
  }

  /// Nothing but the new offset of what was reported before.
  private func rewrittenDelta(_ file: FollowedFile, _ handle: FileHandle, to end: UInt64) -> FileDelta? {
    let count = Int(min(FollowedFile.tailBytes, end))
    guard fileSystem.read(handle, at: end - UInt64(count), count: count, into: &buffer) == count else { return nil }
    var delta = FileDelta(file: file.identity, from: file.offset, to: end)
    file.offset = end
    // They were of offsets in what it was before.
    file.readTimes = ReadTimes()
    file.tailHash = bufferHash(0..<count)
    file.checkedModifiedNs = -1
    file.changed = nil
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
    let isOfRun = file.identity.format != .log || file.reader?.hasOpenRun == true
    guard isOfRun, file.isFormatKnown, file.isReported, !file.isEndReported else { return nil }
    let isClosed = file.isClosed && !file.identity.format.isClosedBetweenRows
    let dueNs = file.grownNs + (isClosed ? limits.closedIdleNs : limits.abandonedIdleNs)
    guard nowNs >= dueNs, file.committed == file.offset, prepareReader(file, isIdle: true) else {
      hold(file, untilNs: max(dueNs, nowNs + limits.scanEveryNs))
      return nil
    }
    file.isEndReported = true
    let isContinued = isRunContinued(file, nowNs: nowNs)
    var delta = FileDelta(file: file.identity, from: file.offset, to: file.offset)
    delta.tailHash = file.tailHash
    delta.lines.firstOffset = delta.to
    // Not the time of the report: reported again after a restart, the run has not ended again.
    file.reader?.finish(nowNs: max(file.modifiedNs, file.readNs), into: &delta)
    if isContinued { delta.runs = [] }
    return delta.runs.isEmpty && delta.episodes.isEmpty ? nil : delta
  }

  // MARK: Runs of several files

  /// Which run the file's rows are of.
  func place(of file: FollowedFile) -> RunPlace {
    let path = file.identity.path
    guard file.identity.format == .eventFile else { return RunPlace(path, file.identity.format) }
    if let known = file.reader?.runPlace ?? file.place { return known }
    var head: [UInt8] = []
    guard let handle = file.handle, let got = fileSystem.read(handle, at: 0, count: 4096, into: &head) else {
      return RunPlace(path, .eventFile)
    }
    let place = RunPlace(path, .eventFile, isOfTrainer: EventReader.isOfTrainer(head.span.extracting(0..<got)))
    if file.offset > 0 { file.place = place }
    return place
  }

  /// Whether the run has another source that was written to later, or that its writer may still write to: the end of this one is not the
  /// run's.
  /// - Parameter nowNs: nil: only by when they were written to.
  func isRunContinued(_ file: FollowedFile, nowNs: Int64? = nil) -> Bool {
    let run = place(of: file).path
    return files.contains { other in
      guard other !== file, other.phase == .following, other.path != nil else { return false }
      // MLflow's own word on the run counts.
      if file.identity.format == .mlflowMetric, other.statesEnd {
        return RunPlace(other.identity.path, .runParameters).path == run
      }
      guard reportsRun(other), !other.isEndReported else { return false }
      let isLater = (other.grownNs, other.key) > (file.grownNs, file.key)
      let isOpen = nowNs.map { !other.isClosed && $0 < other.grownNs + limits.abandonedIdleNs } ?? false
      return (isLater || isOpen) && place(of: other).path == run
    }
  }

  private func reportsRun(_ file: FollowedFile) -> Bool {
    switch file.identity.format {
    // Of a database, its reader knows which runs go on.
    case .runParameters, .trackio: false
    case .log: file.isFormatKnown && file.reader?.hasOpenRun == true
    default: file.isFormatKnown
    }
  }

  /// What is known of a run beyond its one file.
  func completeRuns(of file: FollowedFile, in delta: inout FileDelta) {
    guard file.identity.format == .eventFile, delta.runs.contains(where: { $0.beginning == .source }),
      takesOver(file)
    else { return }
    for index in delta.runs.indices where delta.runs[index].beginning == .source {
      delta.runs[index].beginning = .takeover
    }
  }

  /// Another process writes to the directory than before, and who wrote to its other files has closed them.
  private func takesOver(_ file: FollowedFile) -> Bool {
    let run = place(of: file).path
    let others = files.filter { other in
      other !== file && other.identity.format == file.identity.format && other.isFormatKnown && other.offset > 0
        && place(of: other).path == run
    }
    let writer = Self.writer(of: file.identity.path)
    return !others.isEmpty
      && others.allSatisfy { other in
        other.isClosed && writer != nil && Self.writer(of: other.identity.path) != writer
      }
  }

  /// Host and process in the name of an event file, `events.out.tfevents.SECONDS.HOST.PID.N`; nil where it has none.
  /// - Source: tensorboard/summary/writer/event_file_writer.py.
  private static func writer(of path: String) -> String? {
    let parts = PathParts.name(path).split(separator: ".")
    guard let mark = parts.firstIndex(of: "tfevents"), mark + 4 < parts.count else { return nil }
    // A host's name may have dots in it.
    return parts[(mark + 2)...].dropLast().joined(separator: ".")
  }

  /// The files whose rows are of a run that goes on, with that run; at most `runsMax` of them.
  package func openRuns() -> [(path: String, update: RunUpdate)] {
    var open: [(path: String, update: RunUpdate)] = []
    for file in files where file.phase == .following && reportsRun(file) && !file.isEndReported && file.path != nil {
      guard open.count < Self.runsMax else { break }
      guard file.isReported else { continue }
      let place = place(of: file)
      var update = TrainingRun.update(place, .unknown, framework: "", source: "", timeNs: file.modifiedNs)
      update.detail = ""
      open.append((file.identity.path, update))
    }
    return open
  }

  private static let runsMax = 1000
}
