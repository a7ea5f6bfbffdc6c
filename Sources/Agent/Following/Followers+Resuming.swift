package import FleetModel

extension Followers {
  package func resume(from marks: [FileMark], nowNs: Int64) {
    tick(nowNs: nowNs)
    clearQueues()
    var known: [FileKey: FileMark] = [:]
    for mark in marks { known[mark.file.key] = mark }
    for file in files { rewind(file, known[file.key], nowNs: nowNs) }
    for file in files { adoptAgain(file, nowNs: nowNs) }
    for mark in marks where byKey[mark.file.key] == nil { attach(mark, nowNs: nowNs) }
    for file in files {
      reviewCopy(file, nowNs: nowNs)
      enqueue(file)
    }
  }

  private func rewind(_ file: FollowedFile, _ mark: FileMark?, nowNs: Int64) {
    if let mark {
      file.rewind(to: mark.offset, tailHash: mark.tailHash)
      file.isKnownCentrally = true
    } else if file.phase == .finishing, file.isKnownCentrally || file.toldLoss == nil {
      // The collector keeps no marks of finished files: the last delta did arrive. Where it was the only one, it may also be
      // that none did; told again word for word, it is known as a repetition.
      forget(file)
    } else {
      file.rewind(to: file.skipped.to, tailHash: file.skipped.tailHash)
      file.committed = 0
      file.isKnownCentrally = false
      file.isSkipTold = false
    }
  }

  /// A truncated file whose content was under way: what did not arrive may still be in its copy.
  private func adoptAgain(_ file: FollowedFile, nowNs: Int64) {
    guard case .lost(let loss) = file.phase, loss.reason == .truncated, file.isKnownCentrally || file.toldLoss == nil
    else { return }
    file.size = loss.to
    if adopt(file, nowNs: nowNs) { file.toldLoss = nil }
  }

  /// Finds the file of a mark: under its name, under another, or a copy of it. Head and tail must be the same, or nothing of it is believed.
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
      file.identity.generation = max(file.identity.generation, mark.file.generation + 1)
      reason = .truncated
    } else if let moved = findMoved(old) {
      add(old)
      openCount += 1
      return move(old, to: moved.handle, moved.status, path: nil, nowNs: nowNs)
    }
    add(old)
    if adopt(old, nowNs: nowNs) { return }
    if let finished = retired.last(where: { $0.key == mark.file.key }), finished.offset > mark.offset {
      // It was acknowledged to its end, and is gone since: the database knows less than it did.
      return lose(old, to: finished.offset, .databaseRestored, isEstimate: false, nowNs: nowNs)
    }
    lose(old, to: old.size, reason, isEstimate: true, nowNs: nowNs)
  }

  /// Where `file` was truncated between the agent's start and its welcome, what was seen of it before is the mark's to tell; unless its
  /// head says that it had been written anew by then.
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
    file.handle = nil
    let path = file.path
    remove(file)
    add(old)
    for copy in files where copy.phase == .copy(of: file.key) { copy.phase = .copy(of: old.key) }
    move(old, to: handle, status, path: path, nowNs: nowNs)
  }

  /// Renamed while no agent looked.
  private func findMoved(_ old: FollowedFile) -> (handle: FileHandle, status: FollowedStatus)? {
    for item in fileSystem.neighbours(of: old.identity.path)
    where node(item.status) == old.node && isSameBirth(item.status.birthNs, old.identity.birthNs) {
      guard let handle = fileSystem.open(item.path) else { continue }
      if let status = fileSystem.status(of: handle), isContinuation(handle, status, of: old) { return (handle, status) }
      fileSystem.close(handle)
    }
    return nil
  }
}
