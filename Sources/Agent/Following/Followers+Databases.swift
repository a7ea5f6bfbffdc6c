internal import FleetModel

/// Databases of Trackio: what is followed of them are rows by their ids, not bytes. An offset is the id of the last row that was reported.
///
/// The file's bytes say nothing of what was read: pages are written anew in place, and rows lie in the write-ahead log beside it.
extension Followers {
  /// How often a database is looked at: what is written to its log beside it notifies of nothing here.
  private static let lookEveryNs: Int64 = 1_000_000_000
  /// Until a change of the file must have shown.
  private static let settleNs: Int64 = 30_000_000
  /// It is called damaged only when it stays as it is for so long: a copy may just be made.
  private static let damagedAfterNs: Int64 = 5_000_000_000

  /// Whether the file, which was just opened, is a database of Trackio; then its format is known.
  /// - Returns: nil where that cannot be known now: it is found again.
  func takeUpDatabase(_ file: FollowedFile, nowNs: Int64) -> Bool? {
    guard file.identity.format == .log, let handle = file.handle, let path = file.path,
      readers.mayBeBinary(path),
      let got = fileSystem.read(handle, at: 0, count: BinaryContent.headBytes, into: &buffer)
    else { return false }
    let head = buffer
    guard DatabaseFile.isDatabase(head.span.extracting(0..<got)) else { return false }
    let database = readers.makeDatabase(DatabaseFile(fileSystem, handle, path: path), path: path)
    var answer = database.isTrackio(nowNs: nowNs)
    if answer == nil, file.modifiedNs > nowNs { answer = database.isTrackio(nowNs: nowNs + 2 * Self.settleNs) }
    guard let isTrackio = answer else { return nil }
    guard isTrackio else { return false }
    file.identity.format = .trackio
    file.isFormatKnown = true
    file.database = database
    return true
  }

  private func database(of file: FollowedFile, _ handle: FileHandle) -> TrackioDatabase {
    if let database = file.database {
      database.file.reopened(handle)
      return database
    }
    let path = file.path ?? file.identity.path
    let database = readers.makeDatabase(DatabaseFile(fileSystem, handle, path: path), path: file.identity.path)
    file.database = database
    return database
  }

  /// - Parameter status: was noted.
  func databaseDelta(_ file: FollowedFile, _ handle: FileHandle, byteBudget: Int, nowNs: Int64) -> FileDelta? {
    guard file.path != nil else { return drained(file, nowNs: nowNs) }
    let database = database(of: file, handle)
    hold(file, untilNs: nowNs + Self.lookEveryNs)
    if database.isRead(nowNs: nowNs) { return endedRuns(file, database, nowNs: nowNs) }
    // What was read before and not acknowledged is read again as it was, at the time of that read.
    let earlier = file.readTimes.read(at: file.offset)
    let readNs = earlier?.ns ?? nowNs
    do throws(DatabaseTrouble) {
      let answer = try database.read(
        after: file.offset, hash: file.tailHash, end: earlier.map { Int64(clamping: $0.end) }, bytesMax: byteBudget,
        nowNs: nowNs, readNs: readNs)
      switch answer {
      case .other:
        return troubleDelta(file, database, nowNs: nowNs)
      case .replaced:
        return file.committed == file.offset
          ? replaced(file, FileLook(size: file.offset, growth: 0), nowNs: nowNs) : nil
      case .rows(let batch):
        return rowsDelta(file, batch, readNs: readNs, nowNs: nowNs)
      }
    } catch {
      if error == .busy { hold(file, untilNs: nowNs + Self.settleNs) }
      return troubleDelta(file, database, nowNs: nowNs)
    }
  }

  private func rowsDelta(
    _ file: FollowedFile, _ batch: TrackioDatabase.Batch, readNs: Int64, nowNs: Int64
  ) -> FileDelta? {
    guard batch.last > Int64(clamping: file.offset) || !batch.runs.isEmpty && file.isReported else { return nil }
    var delta = FileDelta(file: file.identity, from: file.offset, to: UInt64(batch.last))
    if file.offset == file.skipped.to, !file.isKnownCentrally, !file.isSkipReported { delta.from = 0 }
    delta.steps = batch.steps
    delta.runs = batch.runs
    delta.tailHash = batch.hash
    delta.lines.firstOffset = delta.to
    delta.readNs = readNs
    file.readTimes.note(file.offset, delta.to, ns: readNs)
    file.offset = delta.to
    file.tailHash = batch.hash
    file.readNs = readNs
    file.grownNs = nowNs
    file.usedNs = nowNs
    if batch.hasMore { enqueue(file) }
    return delta
  }

  /// Runs of which no row has come for long.
  private func endedRuns(_ file: FollowedFile, _ database: TrackioDatabase, nowNs: Int64) -> FileDelta? {
    guard file.isReported, file.committed == file.offset else { return nil }
    let ended = database.takeEnded(idleNs: limits.abandonedIdleNs, nowNs: nowNs)
    guard !ended.isEmpty else { return nil }
    return databaseRuns(file, ended)
  }

  private func databaseRuns(_ file: FollowedFile, _ runs: [RunUpdate]) -> FileDelta {
    var delta = FileDelta(file: file.identity, from: file.offset, to: file.offset)
    delta.tailHash = file.tailHash
    delta.lines.firstOffset = delta.to
    delta.runs = runs
    return delta
  }

  /// What cannot be read is reported once, where it stays so: the agent's log says what to do.
  private func troubleDelta(_ file: FollowedFile, _ database: TrackioDatabase, nowNs: Int64) -> FileDelta? {
    guard let trouble = database.trouble, trouble.kind == .damaged, !file.isDamageReported,
      nowNs - trouble.sinceNs >= Self.damagedAfterNs, file.committed == file.offset
    else { return nil }
    file.isDamageReported = true
    var loss = Loss()
    loss.timeNs = nowNs
    loss.subject = file.identity.path
    (loss.from, loss.to) = (file.offset, file.offset)
    loss.reason = .unreadable
    loss.isEstimate = true
    var delta = databaseRuns(file, [])
    delta.losses = [loss]
    return delta
  }

  /// Databases of which rows may wait, each with a sentence.
  func databaseTroubles(nowNs: Int64) -> ListingFigures.Finding {
    var finding = ListingFigures.Finding()
    for file in files {
      guard let trouble = file.database?.trouble, nowNs - trouble.sinceNs >= Self.damagedAfterNs else { continue }
      finding.add(file.identity.path + ": " + trouble.kind.sentence)
    }
    return finding
  }

  /// `--from` leaves out the rows that there are; without it they are older than the agent.
  func noteDatabaseHistory(_ file: FollowedFile, leavesOut: Bool, nowNs: Int64) {
    guard let database = file.database else { return }
    var last: (row: Int64, hash: UInt64)?
    // A look that comes too early counts later.
    for delay in 0..<3 where last == nil {
      last = try? database.lastRow(nowNs: nowNs + Int64(delay) * 2 * Self.settleNs)
    }
    guard let last else { return }
    file.identity.historyBytes = UInt64(last.row)
    if leavesOut { leaveOut(file, to: UInt64(last.row), last.hash, nowNs: nowNs) }
  }
}
