internal import FleetModel

extension Followers {
  /// The file's next delta, or nil where it has none now.
  func delta(of file: FollowedFile, byteBudget: Int, nowNs: Int64) -> FileDelta? {
    switch file.phase {
    case .copy, .finishing: return nil
    case .lost(let loss): return lossDelta(file, loss)
    case .following: return followedDelta(file, byteBudget: byteBudget, nowNs: nowNs)
    }
  }

  private func followedDelta(_ file: FollowedFile, byteBudget: Int, nowNs: Int64) -> FileDelta? {
    guard open(file, nowNs: nowNs), let handle = file.handle else {
      // Neither open nor with a name, as after a reconnection: it is found again, or what is left of it is lost.
      if file.path == nil { findAgain(file, nowNs: nowNs) }
      if file.handle != nil { enqueue(file) }
      return nil
    }
    guard let status = fileSystem.status(of: handle) else { return readFailed(file, nowNs: nowNs) }
    // Before the new size is noted: it may be that of another generation.
    let before = file.look(nowNs: nowNs)
    file.note(status, nowNs: nowNs)
    let isDatabase = file.identity.format.isDatabase
    if !isDatabase, status.sizeBytes < file.offset || !isHeadSame(file, handle) {
      return changed(file, handle, before, nowNs: nowNs)
    }
    if file.reportsSkip, !file.isSkipReported, !file.isKnownCentrally, file.offset == file.skipped.to {
      return skipDelta(file)
    }
    if isDatabase { return databaseDelta(file, handle, byteBudget: byteBudget, nowNs: nowNs) }
    if status.sizeBytes == file.offset, status.modifiedNs == file.checkedModifiedNs {
      return drained(file, nowNs: nowNs)
    }
    if status.sizeBytes == file.holeEnd, status.modifiedNs == file.checkedModifiedNs, file.path != nil {
      return endDelta(file, nowNs: nowNs)
    }
    if shouldWait(for: file) { return nil }
    let tail = file.tailLength
    let chunk = max(limits.chunkBytes, file.longLineBytes)
    let count = tail + Int(min(UInt64(chunk), status.sizeBytes - file.offset))
    guard let got = fileSystem.read(handle, at: file.offset - UInt64(tail), count: count, into: &buffer) else {
      return readFailed(file, nowNs: nowNs)
    }
    guard got >= tail, bufferHash(0..<tail) == file.tailHash, file.offset > 0 || takeHead(file, 0..<got) else {
      return changed(file, handle, before, nowNs: nowNs)
    }
    file.changed = nil
    file.checkedModifiedNs = status.modifiedNs
    file.usedNs = nowNs
    if got == tail { return drained(file, nowNs: nowNs) }
    if isHole(tail..<got) { return holeDelta(file, handle, length: got - tail, nowNs: nowNs) }
    return read(file, tail..<got, byteBudget: byteBudget, nowNs: nowNs)
  }

  /// Near a file's start there is no tail to know it by, but what its head was when it was found.
  func isHeadSame(_ file: FollowedFile, _ handle: FileHandle) -> Bool {
    guard file.offset < FollowedFile.tailBytes, file.identity.headLength > 0 else { return true }
    // Its head is not the one in a mark, after more columns came; what was read of it is all in the tail.
    if file.identity.format == .progressCSV, file.offset > 0 { return true }
    let count = Int(file.identity.headLength)
    guard let got = fileSystem.read(handle, at: 0, count: count, into: &buffer) else { return true }
    return got == count && bufferHash(0..<count) == file.identity.headHash
  }

  /// Nothing but how far the file was sent under another key.
  private func skipDelta(_ file: FollowedFile) -> FileDelta {
    file.isSkipReported = true
    refreshHead(file)
    var delta = FileDelta(file: file.identity, from: 0, to: file.skipped.to)
    if let leftOut = file.leftOut { delta.losses = [leftOut] }
    delta.tailHash = file.skipped.tailHash
    delta.lines.firstOffset = delta.to
    enqueue(file)
    return delta
  }

  /// The old file of a rotation goes first while it has little left: its last record may go on in the new one.
  private func shouldWait(for file: FollowedFile) -> Bool {
    guard let key = file.predecessor, let before = byKey[key], before.isQueued || before.isUrgent, before.unread > 0,
      before.unread <= UInt64(limits.chunkBytes)
    else { return false }
    enqueue(file)
    return true
  }

  /// `bytes`: the part of the buffer that is new.
  private func read(_ file: FollowedFile, _ bytes: Range<Int>, byteBudget: Int, nowNs: Int64) -> FileDelta? {
    let isAtEnd = file.offset + UInt64(bytes.count) >= file.size
    let idle = nowNs - file.grownNs
    guard prepareReader(file, isIdle: isAtEnd && idle >= limits.partialIdleNs) else {
      if file.content != .text {
        setAside(file, nowNs: nowNs)
        return nil
      }
      hold(file, untilNs: file.grownNs + limits.partialIdleNs)
      return nil
    }
    guard areRunsKnown(file, nowNs: nowNs), isHistoryReady(file, nowNs: nowNs) else { return nil }
    refreshHead(file)
    var delta = FileDelta(file: file.identity, from: file.offset, to: file.offset)
    // What was read before and not acknowledged is read again at the time of that read, so that the same records come of it.
    let earlier = file.readTimes.read(at: file.offset)
    let readNs = earlier?.ns ?? nowNs
    let taken =
      readAgain(file, bytes, earlier, byteBudget: byteBudget, into: &delta)
      ?? take(
        file, bytes, isAtEnd: isAtEnd, idle: idle, byteBudget: byteBudget, nowNs: nowNs, readNs: readNs, into: &delta)
    guard taken > 0 else {
      if let length = file.reader?.oversizedRecordBytes, length > 0 { return passOver(file, length, nowNs: nowNs) }
      if file.reader?.isAtRest == true, isAtEnd, file.path != nil {
        return restDelta(file, delta, nowNs: nowNs)
      }
      if file.longLineBytes > bytes.count, !isAtEnd {
        enqueue(file)
        return nil
      }
      if idle >= limits.partialIdleNs { return waitsLonger(file, nowNs: nowNs) }
      let record = file.heldRecord
      let recordNs = record.end > file.offset ? record.sinceNs + limits.recordIdleNs(file.reader) : .min
      hold(file, untilNs: recordNs > nowNs ? recordNs : file.grownNs + limits.partialIdleNs)
      return nil
    }
    if file.offset == file.skipped.to, !file.isKnownCentrally, !file.isSkipReported { delta.from = 0 }
    let end = bytes.lowerBound + taken
    file.offset += UInt64(taken)
    file.tailHash = bufferHash(end - file.tailLength..<end)
    delta.to = file.offset
    delta.tailHash = file.tailHash
    if file.longLineBytes > 0 {
      file.longLineBytes = 0
      buffer = []
    }
    file.readNs = readNs
    delta.readNs = readNs
    if let place = file.reader?.runPlace { file.place = place }
    noteRun(file, delta)
    file.readTimes.note(delta.to - UInt64(taken), delta.to, ns: readNs)
    file.isEndReported = false
    if !delta.runs.isEmpty { completeRuns(of: file, in: &delta) }
    if file.unread > 0 {
      enqueue(file)
    } else if file.path == nil || file.identity.format != .log || file.reader?.hasOpenRun == true {
      hold(file, untilNs: nowNs + limits.scanEveryNs)
    }
    return delta
  }

  /// The last line of a training file may never become whole.
  private func waitsLonger(_ file: FollowedFile, nowNs: Int64) -> FileDelta? {
    hold(file, untilNs: nowNs + limits.scanEveryNs)
    return file.path == nil ? nil : endDelta(file, nowNs: nowNs)
  }

  /// The bytes of an earlier read and no more, all of them: it took them as they were.
  /// - Returns: how many were taken; nil where there was none or not all of its bytes are there, as in a copy.
  private func readAgain(
    _ file: FollowedFile, _ bytes: Range<Int>, _ earlier: ReadTimes.Read?, byteBudget: Int, into delta: inout FileDelta
  ) -> Int? {
    guard let earlier, earlier.end - file.offset <= UInt64(bytes.count), var reader = file.reader else { return nil }
    file.reader = nil
    defer { file.reader = reader }
    let shared = buffer
    let end = bytes.lowerBound + Int(earlier.end - file.offset)
    let taken = reader.read(
      shared.span.extracting(bytes.lowerBound..<end), at: file.offset, isFinal: true, nowNs: earlier.ns,
      budget: byteBudget, into: &delta)
    return taken > 0 ? taken : nil
  }

  /// Lets the reader take what is whole; what waited long enough is taken as it is.
  private func take(
    _ file: FollowedFile, _ bytes: Range<Int>, isAtEnd: Bool, idle: Int64, byteBudget: Int, nowNs: Int64,
    readNs: Int64, into delta: inout FileDelta
  ) -> Int {
    guard var reader = file.reader else { return 0 }
    // Out of the file while it changes, so that it is not copied.
    file.reader = nil
    defer { file.reader = reader }
    let offset = file.offset
    // Shared, not copied: nothing writes to the buffer meanwhile.
    let shared = buffer
    let span = shared.span
    let hasLines = file.identity.format.hasLines
    // Space that a writer has prepared is no text yet; it may be written to.
    var bytes = bytes
    if isAtEnd, file.path != nil, hasLines {
      while !bytes.isEmpty, span[bytes.upperBound - 1] == 0 { bytes.removeLast() }
      if bytes.isEmpty { return 0 }
    }
    var taken = reader.read(
      span.extracting(bytes), at: offset, isFinal: false, nowNs: readNs, budget: byteBudget, into: &delta)
    guard taken == 0, reader.oversizedRecordBytes == 0 else { return taken }
    if !isAtEnd, bytes.count <= reader.lineBytesMax {
      // With its line end; the next look reads so much.
      file.longLineBytes = reader.lineBytesMax + 2
      return 0
    }
    let isOver = file.path == nil && idle >= limits.deletedIdleNs
    if !isAtEnd || idle >= limits.partialIdleNs && (isOver || !reader.waitsForNewline) {
      taken = reader.read(
        span.extracting(bytes), at: offset, isFinal: true, nowNs: readNs, budget: byteBudget, into: &delta)
    } else {
      var end = hasLines ? bytes.upperBound : bytes.lowerBound + reader.heldBytes
      while hasLines, end > bytes.lowerBound, span[end - 1] != UInt8(ascii: "\n") { end -= 1 }
      guard end > bytes.lowerBound else { return 0 }
      file.noteHeldRecord(end: offset + UInt64(end - bytes.lowerBound))
      guard nowNs - file.heldRecord.sinceNs >= limits.recordIdleNs(reader) else { return 0 }
      taken = reader.read(
        span.extracting(bytes.lowerBound..<end), at: offset, isFinal: true, nowNs: readNs, budget: byteBudget,
        into: &delta)
    }
    return taken
  }

  /// - Returns: false where the first line, by which the format is known, is not whole yet.
  func prepareReader(_ file: FollowedFile, isIdle: Bool) -> Bool {
    if file.reader != nil { return true }
    guard let handle = file.handle else { return false }
    let limit = 64 << 10
    var head: [UInt8] = []
    let headCount = fileSystem.read(handle, at: 0, count: Int(min(UInt64(limit), file.size)), into: &head) ?? 0
    head.removeLast(head.count - min(headCount, head.count))
    if !file.isFormatKnown {
      var format = readers.format(path: file.identity.path, head: head.span)
      if format == .log, isOfParameters(file.identity.path, head.span) { format = .runParameters }
      guard isIdle || head.count >= limit || !format.hasLines || head.contains(UInt8(ascii: "\n")) else { return false }
      let isLookedAt = !file.isReported && readers.mayBeBinary(file.identity.path)
      file.content = isLookedAt ? BinaryContent.kind(head.span, path: file.identity.path) : .text
      if file.content != .text { return false }
      file.identity.format = format
      file.isFormatKnown = true
    }
    let format = file.identity.format
    if format != .log, format.hasLines, head.count >= limit, !head.contains(UInt8(ascii: "\n")) {
      // A header of thousands of columns: without it, no row after the offset has names.
      let whole = fileSystem.read(handle, at: 0, count: TrainingLimits.lineBytesMax, into: &head) ?? 0
      head.removeLast(head.count - min(whole, head.count))
    }
    let preceding = bytes(of: handle, before: file.offset, limit: limit)
    var predecessorTail: [UInt8] = []
    if file.offset == 0, let key = file.predecessor, let old = byKey[key], let handle = old.handle {
      predecessorTail = bytes(of: handle, before: old.offset, limit: limit)
    }
    file.reader = readers.make(
      ReaderContext(
        file: file.identity, offset: file.offset, head: head, preceding: preceding,
        linesBefore: readers.countsLines(file.identity.format) ? newlines(in: handle, before: file.offset) : nil,
        predecessorTail: predecessorTail, modifiedNs: file.modifiedNs,
        runs: format == .runParameters ? runsBeside(file.identity.path) : []))
    return true
  }

  private func newlines(in handle: FileHandle, before offset: UInt64) -> UInt64? {
    var chunk: [UInt8] = []
    var (at, count) = (UInt64(0), UInt64(0))
    while at < offset {
      let wanted = Int(min(UInt64(limits.chunkBytes), offset - at))
      guard let got = fileSystem.read(handle, at: at, count: wanted, into: &chunk), got > 0 else { return nil }
      count += UInt64(chunk[..<got].count { $0 == UInt8(ascii: "\n") })
      at += UInt64(got)
    }
    return count
  }

  private func bytes(of handle: FileHandle, before offset: UInt64, limit: Int) -> [UInt8] {
    let count = Int(min(UInt64(limit), offset))
    guard count > 0 else { return [] }
    var bytes: [UInt8] = []
    let got = fileSystem.read(handle, at: offset - UInt64(count), count: count, into: &bytes) ?? 0
    return got == count ? Array(bytes.prefix(count)) : []
  }

  /// The head hash covers up to 1 KiB; a file that was shorter when it was found gets its full head as it grows.
  func refreshHead(_ file: FollowedFile) {
    guard let handle = file.handle, file.identity.headLength < FollowedFile.headBytes, !file.identity.format.isDatabase,
      file.size > UInt64(file.identity.headLength)
    else { return }
    var head: [UInt8] = []
    var got = fileSystem.read(handle, at: 0, count: FollowedFile.headBytes, into: &head) ?? 0
    // Space that a writer has prepared is not yet what the file is known by.
    while got > 0, head[got - 1] == 0 { got -= 1 }
    guard got > Int(file.identity.headLength), isHeadOfWhatWasRead(file, head.span.extracting(0..<got)) else { return }
    file.identity.headHash = ContentHash.of(head.span.extracting(0..<got))
    file.identity.headLength = UInt32(got)
  }

  /// The file may be truncated and written anew at any moment: the head must begin with the one that is known, and be that of
  /// the bytes that were read.
  private func isHeadOfWhatWasRead(_ file: FollowedFile, _ head: Span<UInt8>) -> Bool {
    let known = Int(file.identity.headLength)
    if known > 0, ContentHash.of(head.extracting(0..<known)) != file.identity.headHash { return false }
    if file.offset == 0 || file.offset > UInt64(FollowedFile.headBytes) { return true }
    let offset = Int(file.offset)
    return offset <= head.count
      && ContentHash.of(head.extracting(offset - file.tailLength..<offset)) == file.tailHash
  }

  /// The head of bytes that were read from the start: not read again, where others may stand by now.
  /// - Returns: false where they are not those that the known head is of.
  private func takeHead(_ file: FollowedFile, _ bytes: Range<Int>) -> Bool {
    let known = Int(file.identity.headLength)
    var count = min(FollowedFile.headBytes, bytes.count)
    while count > 0, buffer[bytes.lowerBound + count - 1] == 0 { count -= 1 }
    // A chunk that is shorter than a head shows nothing.
    if known > bytes.count { return bytes.count == limits.chunkBytes }
    if known > 0, bufferHash(bytes.lowerBound..<bytes.lowerBound + known) != file.identity.headHash { return false }
    guard count > known else { return true }
    file.identity.headHash = bufferHash(bytes.lowerBound..<bytes.lowerBound + count)
    file.identity.headLength = UInt32(count)
    return true
  }

  // MARK: Ends

  /// Read to its end. A file that no pattern finds any more is finished once it is acked and quiet.
  func drained(_ file: FollowedFile, nowNs: Int64) -> FileDelta? {
    guard file.path == nil else { return file.identity.format.isDatabase ? nil : endDelta(file, nowNs: nowNs) }
    guard file.isKnownCentrally || file.offset > file.skipped.to else {
      // It never had anything to report.
      if nowNs - file.detachedNs >= limits.deletedIdleNs { forget(file) }
      return nil
    }
    let idleNs = file.links == 0 ? limits.deletedIdleNs : limits.renamedIdleNs
    let sinceNs = max(file.grownNs, file.detachedNs)
    guard file.committed == file.offset, nowNs - sinceNs >= idleNs else {
      hold(file, untilNs: max(nowNs + limits.scanEveryNs / 2, min(sinceNs + idleNs, nowNs + limits.scanEveryNs)))
      return nil
    }
    if adoptCopy(for: file, nowNs: nowNs) { return nil }
    file.phase = .finishing
    var delta = FileDelta(file: file.identity, from: file.offset, to: file.offset)
    delta.tailHash = file.tailHash
    delta.isFinished = true
    // A log that is rotated goes on under its name, and so does the run of what was printed in it.
    if file.identity.format.isDatabase {
      delta.runs = file.database?.takeEnded(idleNs: nil, nowNs: nowNs) ?? []
    } else if file.identity.format != .log, !isRunContinued(file), prepareReader(file, isIdle: true) {
      file.reader?.finish(nowNs: max(file.modifiedNs, file.readNs), into: &delta)
    }
    return delta
  }

  /// The range that is gone, after everything before it is committed.
  func lossDelta(_ file: FollowedFile, _ loss: Loss) -> FileDelta? {
    // What lies before may have been sent under another key: then this is the first that the collector receives of it.
    let isFirst = !file.isKnownCentrally && !file.isSkipReported && file.offset == file.skipped.to
    guard isFirst || file.committed == file.offset else { return nil }
    var delta = FileDelta(file: file.identity, from: isFirst ? 0 : file.offset, to: max(file.offset, loss.to))
    delta.isFinished = true
    if loss.to > loss.from || loss.isEstimate { delta.losses = [loss] }
    // A training file that is written over belongs to another run: this one gets no more rows.
    // Of a directory's run another of its files reports the end.
    let isEnd = !file.identity.format.isRunOfDirectory || !isRunContinued(file)
    if file.identity.format != .log, isEnd, var ending = file.ending {
      ending.finish(nowNs: loss.timeNs, into: &delta)
    }
    file.offset = delta.to
    file.reportedLoss = loss
    file.phase = .finishing
    return delta
  }

  func lose(_ file: FollowedFile, to: UInt64, _ reason: LossReason, isEstimate: Bool, nowNs: Int64) {
    var loss = Loss()
    loss.timeNs = nowNs
    loss.subject = file.identity.path
    loss.from = file.offset
    // How many rows a database had is not known where it is gone.
    loss.to = file.identity.format.isDatabase ? file.offset : max(file.offset, to)
    loss.reason = reason
    loss.isEstimate = isEstimate
    file.phase = .lost(loss)
    enqueue(file)
  }

  /// The disk does not give the bytes. Tried again at the next looks; where it is gone for good, that is reported.
  private func readFailed(_ file: FollowedFile, nowNs: Int64) -> FileDelta? {
    hold(file, untilNs: nowNs + limits.scanEveryNs)
    guard file.path == nil, nowNs - file.detachedNs >= limits.renamedIdleNs else { return nil }
    close(file)
    lose(file, to: file.size, .readError, isEstimate: false, nowNs: nowNs)
    return nil
  }
}
