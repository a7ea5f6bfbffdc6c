internal import FleetModel

extension Followers {
  func goOn(from marks: [FileMark], nowNs: Int64) {
    clearQueues()
    // Where they stand: a second copy of a hundred thousand marks would not fit beside the first.
    var indexes: [FileKey: Int] = [:]
    indexes.reserveCapacity(marks.count)
    for (index, mark) in marks.enumerated() { indexes[mark.file.key] = index }
    parked.resume { key in indexes[key].map { marks[$0] } }
    for file in files { rewind(file, indexes[file.key].map { marks[$0] }, nowNs: nowNs) }
    indexes = [:]
    for file in files { adoptAgain(file, nowNs: nowNs) }
    let parkedKeys = parked.keys
    for mark in marks where byKey[mark.file.key] == nil && !parkedKeys.contains(mark.file.key) {
      if !parkInPlace(mark, nowNs: nowNs) { attach(mark, nowNs: nowNs) }
    }
    for file in files {
      reviewCopy(file, nowNs: nowNs)
      enqueue(file)
    }
    // What waits may have a place now, and what was parked may have to be read again.
    nextScanNs = min(nextScanNs, nowNs)
  }

  /// The file of the mark is where it was and has no place: it goes on from there when it gets one.
  private func parkInPlace(_ mark: FileMark, nowNs: Int64) -> Bool {
    let node = FollowedFile.Node(device: mark.file.device, inode: mark.file.inode)
    if let entry = parked[node], entry.mark == nil, isSameBirth(entry.birthNs, mark.file.birthNs) {
      // An earlier agent sent it as text: that ends here.
      parked.remove(node)
      endParked(
        ParkedFiles.Entry(
          node: node, mark: mark, path: mark.file.path, sizeBytes: mark.offset, modifiedNs: 0, birthNs: 0, scan: 0,
          lookedNs: 0),
        nowNs: nowNs)
      return true
    }
    guard byNode[node] == nil, figures.matched > UInt64(files.count), patterns.matches(mark.file.path),
      let found = fileSystem.find(mark.file.path), self.node(found.status) == node,
      isSameBirth(found.status.birthNs, mark.file.birthNs), found.status.sizeBytes >= mark.offset
    else { return false }
    parked.insert(
      ParkedFiles.Entry(
        node: node, mark: mark, path: mark.file.path, sizeBytes: found.status.sizeBytes,
        modifiedNs: found.status.modifiedNs, hasUnread: found.status.sizeBytes > mark.offset,
        birthNs: mark.file.birthNs, scan: passNumber, lookedNs: nowNs))
    return true
  }

  private func rewind(_ file: FollowedFile, _ mark: FileMark?, nowNs: Int64) {
    if let mark {
      file.rewind(to: mark.offset, tailHash: mark.tailHash)
      file.isKnownCentrally = true
      file.leftOut = nil
    } else if file.phase == .finishing, file.isKnownCentrally || file.reportedLoss == nil {
      // The collector keeps no marks of finished files: the last delta did arrive. Where it was the only one, it may also be
      // that none did; sent again byte for byte, it is recognised as a repetition.
      if file.isKnownCentrally, file.reportedLoss == nil { finished(file) } else { forget(file) }
    } else {
      file.rewind(to: file.skipped.to, tailHash: file.skipped.tailHash)
      file.committed = 0
      file.isKnownCentrally = false
      file.isSkipReported = false
    }
  }

  /// A truncated file whose content was under way: what did not arrive may still be in its copy.
  private func adoptAgain(_ file: FollowedFile, nowNs: Int64) {
    guard case .lost(let loss) = file.phase, loss.reason == .truncated,
      file.isKnownCentrally || file.reportedLoss == nil
    else { return }
    file.size = loss.to
    if adopt(file, nowNs: nowNs) { file.reportedLoss = nil }
  }

  /// Finds the file of a mark: under its name, under another, or a copy of it. Head and tail must be the same, or the mark is not accepted.
  private func attach(_ mark: FileMark, nowNs: Int64) {
    let node = FollowedFile.Node(device: mark.file.device, inode: mark.file.inode)
    let old = FollowedFile(mark.file, nowNs: nowNs)
    old.rewind(to: mark.offset, tailHash: mark.tailHash)
    old.isKnownCentrally = true
    old.isFormatKnown = true
    old.size = mark.offset
    old.detachedNs = nowNs
    var reason = LossReason.deletedUnread
    if let file = byNode[node], !file.isKnownCentrally, isSameBirth(file.identity.birthNs, mark.file.birthNs),
      open(file, nowNs: nowNs), let handle = file.handle, let status = fileSystem.status(of: handle)
    {
      let isRewritten = mayHaveMoreColumns(old, size: status.sizeBytes) && rewrittenOffset(old, handle) != nil
      if isRewritten || isContinuation(handle, status, of: old) { return rebind(file, old, nowNs: nowNs) }
      takeSeen(of: file, handle, to: old, nowNs: nowNs)
      file.identity.generation = max(file.identity.generation, mark.file.generation.addingClamped(1))
      reason = .truncated
    } else if !isListed(mark.file.path), hide(old, mark, where: .present, nowNs: nowNs) {
      return
    } else if let moved = findMoved(old, nowNs: nowNs) {
      add(old)
      return move(old, to: moved.handle, moved.status, path: nil, nowNs: nowNs)
    }
    add(old)
    if old.identity.format.isDocument || old.identity.format.isDatabase {
      if reason == .deletedUnread, hide(old, mark, where: .unknown, nowNs: nowNs) { return remove(old) }
      return lose(old, to: old.offset, reason, isEstimate: false, nowNs: nowNs)
    }
    if adopt(old, nowNs: nowNs) { return }
    if let finished = retired.last(where: { $0.key == mark.file.key }), finished.offset > mark.offset {
      // It was acknowledged to its end, and is gone since: the database knows less than it did.
      return lose(old, to: finished.offset, .databaseRestored, isEstimate: false, nowNs: nowNs)
    }
    if reason == .deletedUnread, hide(old, mark, where: .unknown, nowNs: nowNs) { return remove(old) }
    lose(old, to: old.size, reason, isEstimate: true, nowNs: nowNs)
  }

  /// What is not seen is not taken for deleted: its mark is kept, so that nothing is read twice when it is seen again.
  /// - Returns: false where the file is not absent in the way of `absence`, or too many are hidden.
  private func hide(_ file: FollowedFile, _ mark: FileMark, where absence: FileAbsence, nowNs: Int64) -> Bool {
    guard parked.hiddenCount < limits.hidden, parked.markCount < limits.parked,
      fileSystem.absence(of: mark.file.path, mark.file) == absence
    else { return false }
    parked.insert(
      ParkedFiles.Entry(
        node: file.node, mark: mark, path: mark.file.path, sizeBytes: mark.offset, modifiedNs: 0,
        birthNs: mark.file.birthNs, scan: passNumber, lookedNs: nowNs,
        hiddenUntilNs: nowNs.addingClamped(limits.hiddenNs)))
    return true
  }

  /// Whether a file of that name would be found.
  private func isListed(_ path: String) -> Bool { patterns.matches(path) && fileSystem.isReadable(path) }

  /// Of what was hidden for long, that which is still there stays so.
  func reviewHidden(nowNs: Int64) {
    for var entry in parked.takeHidden(dueNs: nowNs) {
      if let mark = entry.mark, fileSystem.absence(of: entry.path, mark.file) == .present {
        entry.hiddenUntilNs = nowNs.addingClamped(limits.hiddenNs)
        parked.insert(entry)
      } else {
        // Whether there was anything behind its mark is not known.
        entry.hasUnread = true
        endParked(entry, nowNs: nowNs)
      }
    }
  }

  /// Where `file` was truncated between the agent's start and its welcome, the mark decides what was seen of it before; unless its
  /// head shows that it had been written anew by then.
  private func takeSeen(of file: FollowedFile, _ handle: FileHandle, to old: FollowedFile, nowNs: Int64) {
    let (seen, mark) = (file.identity, old.identity)
    if seen.headLength == mark.headLength, seen.headHash != mark.headHash { return }
    guard let now = fileSystem.status(of: handle), now.sizeBytes < file.size || !isHeadSame(file, handle) else {
      return
    }
    old.size = max(old.size, file.size)
    renew(file, nowNs: nowNs)
    file.predecessor = old.key
  }

  /// `file`, found before its mark was known, is the mark's.
  private func rebind(_ file: FollowedFile, _ old: FollowedFile, nowNs: Int64) {
    guard let handle = file.handle, let status = fileSystem.status(of: handle) else { return }
    giveHandleAway(file)
    let path = file.path
    remove(file)
    add(old)
    for copy in files where copy.phase == .copy(of: file.key) { copy.phase = .copy(of: old.key) }
    move(old, to: handle, status, path: path, nowNs: nowNs)
  }

  /// Renamed while no agent looked.
  private func findMoved(_ old: FollowedFile, nowNs: Int64) -> (handle: FileHandle, status: FollowedStatus)? {
    for item in neighbours(of: old.identity.path, nowNs: nowNs)
    where node(item.status) == old.node && isSameBirth(item.status.birthNs, old.identity.birthNs) {
      guard let handle = fileSystem.open(item.path) else { continue }
      if let status = fileSystem.status(of: handle), isContinuation(handle, status, of: old) { return (handle, status) }
      fileSystem.close(handle)
    }
    return nil
  }
}
