internal import FleetModel

/// A look at everything that the patterns match, in parts.
struct DiscoveryPass {
  let number: UInt64
  let listing: any FileListing
  /// What the names lead to, as far as they were found.
  var names = NameTable<FollowedFile>()
  var candidates: FollowedCandidates
  var matched: UInt64 = 0
  /// Compressed, by their names.
  var compressed: UInt64 = 0
  var unreadable = ListingFigures.Finding()

  mutating func forget(_ file: FollowedFile) {
    for path in file.names where names[path] === file { names[path] = nil }
  }
}

/// A file that has got a place.
struct StartingFile {
  var item: FoundFile
  var predecessor: FileKey?
}

/// Discovery: what came, went, moved, grew or was replaced. A pass is made of parts of bounded length, so that reading, samples and signals
/// never wait for it; between passes, changed names are looked at one by one.
extension Followers {
  func beginPass(nowNs: Int64) {
    scanNumber += 1
    passNumber += 1
    lastScanNs = nowNs
    nextScanNs = .max
    nextSliceNs = min(nextSliceNs, nowNs)
    pass = DiscoveryPass(
      number: scanNumber, listing: fileSystem.startListing(patterns.included, excluding: patterns.excluded),
      candidates: FollowedCandidates(limit: limits.files))
  }

  func continuePass(nowNs: Int64) {
    guard let listing = pass?.listing else { return }
    let part =
      hasListed
      ? listing.next(names: limits.namesPerSlice, withinNs: limits.sliceNs)
      : listing.next(names: limits.namesPerFirstSlice, withinNs: limits.firstSliceNs)
    // In the order of their paths, where all come at once: an original before its copies.
    for item in part.sorted(by: { $0.path < $1.path }) { take(item, nowNs: nowNs) }
    if listing.isOver { finishPass(nowNs: nowNs) }
  }

  /// Moves first: whether a new file under an old name is a new one is known when all names were seen.
  private func take(_ item: FoundFile, nowNs: Int64) {
    pass?.matched += 1
    if Self.isCompressed(item.path) {
      pass?.compressed += 1
    } else if !recognise(item, nowNs: nowNs), isCandidate(item, nowNs: nowNs) {
      if fileSystem.isReadable(item.path) { pass?.candidates.add(item) } else { pass?.unreadable.add(item.path) }
    }
  }

  /// Whether there is, or may be, something to read in a file without a place.
  private func isCandidate(_ item: FoundFile, nowNs: Int64) -> Bool {
    let node = node(item.status)
    guard let entry = parked[node], isSameBirth(entry.birthNs, item.status.birthNs) else {
      // It is empty: no data can be delayed.
      return item.status.sizeBytes > 0 || files.count < limits.files - limits.files / limits.placesReserve
    }
    parked.note(node, path: item.path, scan: passNumber)
    return ParkedFiles.hasChanged(entry, item.status, nowNs: nowNs, recheckNs: limits.binaryRecheckNs)
  }

  private func finishPass(nowNs: Int64) {
    guard let done = pass else { return }
    pass = nil
    byPath = done.names
    for file in files { file.names.removeAll { byPath[$0] !== file } }
    let formerly = detachGone(files.filter { $0.scan < done.number && $0.path != nil }, nowNs: nowNs)
    for entry in parked.takeGone(before: passNumber) { endParked(entry, nowNs: nowNs) }
    reviewHidden(nowNs: nowNs)
    let chosen = makePlaces(for: done.candidates, nowNs: nowNs)
    starting = inOrder(chosen).map { StartingFile(item: $0, predecessor: formerly[$0.path]) }
    note(done, waiting: done.candidates.total - UInt64(chosen.count))
    scheduleNextPass(nowNs: nowNs)
    startSome(nowNs: nowNs)
    for file in files where file.path == nil { lookAtDetached(file, nowNs: nowNs) }
    for file in files { reviewCopy(file, nowNs: nowNs) }
    hasListed = true
  }

  /// An original before its copies. What one turn cannot take up comes newest first, so that a log that is written to does not wait
  /// for thousands that are not; an original was written to after its copies were made.
  private func inOrder(_ chosen: [FoundFile]) -> [FoundFile] {
    guard chosen.count > limits.startsPerTurn else { return chosen.sorted { $0.path < $1.path } }
    return chosen.sorted { ($1.status.modifiedNs, $0.path) < ($0.status.modifiedNs, $1.path) }
  }

  private func scheduleNextPass(nowNs: Int64) {
    let perName = figures.unwatched.count > 0 ? limits.scanEachNameUnwatchedNs : limits.scanEachNameNs
    let pauseNs = min(limits.scanEveryMaxNs, max(limits.scanEveryNs, Int64(lastNames) * perName))
    // Of many names, a pass that a change asks for is not made at once either.
    if lastNames > limits.wholePassNames { nextScanNs = max(nextScanNs, nowNs + pauseNs / 4) }
    nextScanNs = min(nextScanNs, nowNs + pauseNs)
  }

  private func note(_ done: DiscoveryPass, waiting: UInt64) {
    let listing = done.listing.figures
    lastNames = listing.names
    figures.matched = done.matched
    figures.waiting = waiting
    figures.wideText = parked.wideText
    figures.binary = done.compressed + UInt64(parked.binaryCount) - figures.wideText.count
    figures.unreadable = listing.unreadable
    figures.unreadable.add(done.unreadable)
    figures.misnamed = listing.misnamed
    figures.outside = listing.outside
    figures.missingRoots = listing.missingRoots
    figures.unwatched = listing.unwatched
    figures.cut = listing.cut
    figures.databases = databaseTroubles(nowNs: lastNowNs)
  }

  /// - Returns: the names that they had.
  private func detachGone(_ gone: [FollowedFile], nowNs: Int64) -> NameTable<FileKey> {
    var formerly = NameTable<FileKey>()
    for file in gone {
      guard let path = file.path else { continue }
      formerly[path] = file.key
      unsetName(path, file)
      detach(file, nowNs: nowNs)
    }
    return formerly
  }

  /// Opens what has got a place, some in each turn.
  func startSome(nowNs: Int64) {
    let turn = starting.prefix(limits.startsPerTurn)
    starting.removeFirst(turn.count)
    for next in turn { startOrBringBack(next, nowNs: nowNs) }
    if starting.isEmpty {
      freshPatterns.removeAll()
      closed.removeAll()
    }
    figures.followed = UInt64(files.count)
  }

  private func startOrBringBack(_ next: StartingFile, nowNs: Int64) {
    let node = node(next.item.status)
    // It may have come with its original, or with one that goes on in it.
    if let file = byNode[node], isSameBirth(file.identity.birthNs, next.item.status.birthNs) { return }
    if let entry = parked[node], isSameBirth(entry.birthNs, next.item.status.birthNs), entry.mark != nil {
      bringBack(node, at: next.item.path, nowNs: nowNs)
    } else {
      parked.remove(node)
      start(next.item, predecessor: next.predecessor, nowNs: nowNs)
    }
  }

  // MARK: Name by name

  /// What a pass does, for some names alone.
  func lookAtChangedNames(nowNs: Int64) {
    scanNumber += 1
    let paths = changedNames.names.prefix(limits.startsPerTurn).sorted()
    for path in paths { changedNames.remove(path) }
    var candidates = FollowedCandidates(limit: limits.files)
    for path in paths where patterns.matches(path) && !Self.isCompressed(path) {
      guard let item = fileSystem.find(path), !recognise(item, nowNs: nowNs), isCandidate(item, nowNs: nowNs),
        fileSystem.isReadable(path)
      else { continue }
      candidates.add(item)
    }
    let gone = paths.compactMap { byPath[$0] }.filter { $0.scan != scanNumber && $0.path != nil }
    let formerly = detachGone(gone, nowNs: nowNs)
    for item in makePlaces(for: candidates, nowNs: nowNs).sorted(by: { $0.path < $1.path }) {
      startOrBringBack(StartingFile(item: item, predecessor: formerly[item.path]), nowNs: nowNs)
    }
    figures.followed = UInt64(files.count)
  }

  // MARK: Neighbours

  /// Where there are many, one listing serves all who ask within a moment: a directory of a hundred thousand files that is emptied would
  /// be listed as often.
  func neighbours(of path: String, nowNs: Int64) -> [FoundFile] {
    let directory = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[..<$0]) } ?? ""
    if let list = neighbourList, list.directory == directory, nowNs < list.untilNs { return list.files }
    let files = fileSystem.neighbours(of: path)
    neighbourList = files.count > limits.startsPerTurn ? (directory, files, nowNs + limits.scanEveryNs) : nil
    return files
  }
}
