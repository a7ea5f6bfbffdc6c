internal import FleetModel

/// Who gets one of the places: those that changed last, of each owner alike; what was read to its end and is still gives its place back.
extension Followers {
  /// What a file's place is worth.
  enum Worth {
    /// Read to its end and still: its place is free for the asking.
    case idle
    /// Nothing of it is under way, so that its place may go to a file that changed later.
    case movable
    case busy
  }

  private func worth(_ file: FollowedFile, nowNs: Int64) -> Worth {
    // What was sent under another key is known by nothing but this.
    let isKept = file.isReported ? file.committed == file.offset : file.skipped.to == 0
    guard file.phase == .following, file.path != nil, isKept, file.leftOut == nil else { return .busy }
    let isRead = file.unread == 0 && (file.isReported || file.size == 0 || file.holeEnd > 0)
    let isStill = nowNs - max(file.grownNs, file.usedNs) >= limits.parkIdleNs
    // The end of a run is reported once its file has not changed for long.
    let isOver = file.identity.format == .log || file.isEndReported
    return isRead && isStill && isOver ? .idle : .movable
  }

  /// Frees places as far as the candidates deserve them.
  /// - Returns: those that have one now.
  func makePlaces(for candidates: FollowedCandidates, nowNs: Int64) -> [FoundFile] {
    guard !candidates.isEmpty else { return [] }
    let kept = candidates.byOwner.mapValues { FollowedCandidates.newestFirst(uniqueNodes($0)) }
    let wanted = kept.values.reduce(0) { $0 + $1.count }
    var free = limits.files - limits.files / limits.placesReserve - files.count - starting.count
    if wanted <= free { return kept.values.flatMap { $0 } }
    var held = HeldPlaces(files.map { ($0, worth($0, nowNs: nowNs)) })
    // The reserve is there for owners with few.
    free = limits.files - files.count - starting.count
    let shares = held.shares(
      kept.mapValues(\.count), of: limits.files, reserve: limits.files / limits.placesReserve)
    var chosen: [FoundFile] = []
    for (owner, files) in kept.sorted(by: { ($0.value.count, $0.key) < ($1.value.count, $1.key) }) {
      for item in files {
        let isWithinShare = held.busy[owner, default: 0] < shares[owner, default: 0]
        if isWithinShare, free > 0 {
          free -= 1
        } else {
          let victim = held.takeVictim(for: item, owner: owner, isWithinShare: isWithinShare, shares)
          guard let victim, park(victim, for: item, nowNs: nowNs) else { break }
        }
        held.busy[owner, default: 0] += 1
        chosen.append(item)
      }
    }
    return chosen
  }

  /// A file with several names needs one place.
  private func uniqueNodes(_ files: [FoundFile]) -> [FoundFile] {
    var seen: Set<FollowedFile.Node> = []
    return files.filter { seen.insert(node($0.status)).inserted }
  }

  /// Takes the file's place away; it goes on from its mark when it comes back.
  /// - Parameter item: what gets the place. A backlog of old files leaves marks for those that are written to.
  /// - Returns: false where no more marks can be kept.
  private func park(_ file: FollowedFile, for item: FoundFile, nowNs: Int64) -> Bool {
    guard byKey[file.key] === file, let path = file.path else { return false }
    if file.isReported {
      let isFresh = nowNs &- item.status.modifiedNs < limits.freshNs
      let reserve = isFresh ? 0 : limits.parked / limits.placesReserve
      guard parked.markCount < limits.parked - reserve else { return false }
      let mark = FileMark(file: file.identity, offset: file.offset, tailHash: file.tailHash)
      parked.insert(
        ParkedFiles.Entry(
          node: file.node, mark: mark, path: path, sizeBytes: file.size, modifiedNs: file.modifiedNs,
          hasUnread: file.unread > 0, birthNs: file.identity.birthNs, scan: passNumber, lookedNs: nowNs))
    }
    close(file)
    remove(file)
    return true
  }

  /// A parked file gets a place again.
  func bringBack(_ node: FollowedFile.Node, at path: String, nowNs: Int64) {
    guard let entry = parked.remove(node), let mark = entry.mark else { return }
    let file = FollowedFile(mark.file, nowNs: nowNs)
    file.rewind(to: mark.offset, tailHash: mark.tailHash)
    file.isKnownCentrally = true
    file.isFormatKnown = true
    file.size = max(mark.offset, entry.sizeBytes)
    file.path = path
    file.scan = scanNumber
    add(file)
    byNode[node] = file
    setName(path, file)
    enqueueUrgent(file)
  }

  /// A copy is known by its original, so that must have a place.
  func bringBackOriginal(of path: String, nowNs: Int64) {
    guard parked.count > 0 else { return }
    for name in Self.originals(of: path) {
      if let entry = parked.entry(at: name), entry.mark != nil { bringBack(entry.node, at: name, nowNs: nowNs) }
    }
  }

  /// The parked file is gone, or is no text after all: the collector need not keep its mark.
  func endParked(_ entry: ParkedFiles.Entry, nowNs: Int64) {
    guard let mark = entry.mark else { return }
    let file = FollowedFile(mark.file, nowNs: nowNs)
    file.rewind(to: mark.offset, tailHash: mark.tailHash)
    file.isKnownCentrally = true
    file.size = mark.offset
    file.detachedNs = nowNs
    add(file)
    let end = entry.hasUnread ? max(mark.offset, entry.sizeBytes) : mark.offset
    lose(file, to: end, .deletedUnread, isEstimate: entry.hasUnread, nowNs: nowNs)
  }

  /// A followed file that is now excluded: where the collector has a mark of it, the mark is finished.
  func exclude(_ file: FollowedFile) {
    guard file.isReported else {
      close(file)
      return remove(file)
    }
    guard file.phase == .following else { return }
    lose(file, to: file.offset, .skipped, isEstimate: false, nowNs: lastNowNs)
  }

  // MARK: No text

  /// - Returns: whether the open file, of which nothing was sent, holds no text. Then it has no place, and is known as such.
  func setAsideIfBinary(_ file: FollowedFile, nowNs: Int64) -> Bool {
    guard file.size > 0, readers.mayBeBinary(file.identity.path), let handle = file.handle,
      let got = fileSystem.read(handle, at: 0, count: BinaryContent.headBytes, into: &buffer), got > 0
    else { return false }
    let head = buffer
    file.content = BinaryContent.kind(head.span.extracting(0..<got), path: file.identity.path)
    guard file.content != .text else { return false }
    setAside(file, nowNs: nowNs)
    return true
  }

  func setAside(_ file: FollowedFile, nowNs: Int64) {
    let isKnown = byKey[file.key] === file
    // Beyond the limit it is found, and looked at, again.
    if let path = file.path, parked.binaryCount < limits.binaries {
      parked.insert(
        ParkedFiles.Entry(
          node: file.node, mark: nil, path: path, sizeBytes: file.size, modifiedNs: file.modifiedNs,
          birthNs: file.identity.birthNs, isWideText: file.content == .wideText, scan: passNumber, lookedNs: nowNs))
    }
    close(file)
    if isKnown { remove(file) }
  }
}

/// The places as they are taken, by owner.
struct HeldPlaces {
  /// Places of files that have something to read, or had a moment ago.
  var busy: [UInt32: Int] = [:]
  /// The one that changed longest ago last.
  private var idle: [FollowedFile] = []
  private var movable: [UInt32: [FollowedFile]] = [:]

  init(_ files: [(file: FollowedFile, worth: Followers.Worth)]) {
    for (file, worth) in files {
      if worth == .idle {
        idle.append(file)
      } else {
        busy[file.owner, default: 0] += 1
        if worth == .movable { movable[file.owner, default: []].append(file) }
      }
    }
    idle.sort { $0.modifiedNs > $1.modifiedNs }
    for owner in movable.keys { movable[owner]?.sort { $0.modifiedNs > $1.modifiedNs } }
  }

  /// Everybody's share by what they need. One owner alone does not get the reserve.
  func shares(_ candidates: [UInt32: Int], of total: Int, reserve: Int) -> [UInt32: Int] {
    let needed = candidates.merging(busy, uniquingKeysWith: +)
    return FollowedCandidates.shares(needed.mapValues { min($0, total - reserve) }, of: total)
  }

  /// Whose place `item` gets.
  /// - Parameter isWithinShare: its owner has a right to one more; else one of the owner's own must go, that changed before it.
  mutating func takeVictim(
    for item: FoundFile, owner: UInt32, isWithinShare: Bool, _ shares: [UInt32: Int]
  ) -> FollowedFile? {
    if isWithinShare {
      if let file = idle.popLast() { return file }
      let greedy = movable.first { other, files in
        other != owner && !files.isEmpty && busy[other, default: 0] > shares[other, default: 0]
      }
      if let greedy { return take(from: greedy.key) }
    }
    guard let oldest = movable[owner]?.last, oldest.modifiedNs < item.status.modifiedNs else { return nil }
    return take(from: owner)
  }

  private mutating func take(from owner: UInt32) -> FollowedFile? {
    guard let file = movable[owner]?.popLast() else { return nil }
    busy[owner, default: 1] -= 1
    return file
  }
}
