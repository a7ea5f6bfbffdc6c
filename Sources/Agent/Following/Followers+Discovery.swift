internal import FleetModel

extension Followers {
  /// Endings of compressed files, which hold what was followed before.
  private static let compressed = [".gz", ".zst", ".xz", ".bz2", ".lz4", ".zip", ".Z", ".7z", ".tgz"]

  static func isCompressed(_ path: String) -> Bool {
    compressed.contains { path.hasSuffix($0) }
  }

  func node(_ status: FollowedStatus) -> FollowedFile.Node {
    FollowedFile.Node(device: status.device, inode: status.inode)
  }

  /// - Returns: false where it is none of the files that are followed.
  func recognise(_ item: FoundFile, nowNs: Int64) -> Bool {
    guard let file = byNode[node(item.status)], isSameBirth(file.identity.birthNs, item.status.birthNs) else {
      return false
    }
    if file.scan != scanNumber {
      if let before = file.path, before != item.path { unsetName(before, file) }
      file.path = item.path
      rename(file)
      file.scan = scanNumber
      look(file, item.status, nowNs: nowNs)
    } else if file.path == nil {
      // It took over this copy a moment ago.
      file.path = item.path
    }
    setName(item.path, file)
    return true
  }

  /// A file is known by the name under which its first bytes were reported: a program that writes to a temporary name and renames
  /// then, means the second one. A rotation before that is no renaming of this kind: its lines were written under the old name.
  private func rename(_ file: FollowedFile) {
    guard !file.isReported, file.phase == .following, !nameNow(file).hasBytes(of: file.identity.path) else { return }
    file.identity.path = nameNow(file)
    file.isFormatKnown = false
    file.reader = nil
  }

  /// The file's path, unless a rotation gave it that.
  func nameNow(_ file: FollowedFile) -> String {
    guard let path = file.path, !Self.originals(of: path).contains(file.identity.path) else {
      return file.identity.path
    }
    return path
  }

  func isSameBirth(_ one: Int64, _ other: Int64) -> Bool { FollowedStatus.isSameBirth(one, other) }

  func look(_ file: FollowedFile, _ status: FollowedStatus, nowNs: Int64) {
    if case .copy = file.phase {
      file.note(status, nowNs: nowNs)
      return
    }
    let hasChanged = status.sizeBytes != file.size || status.modifiedNs != file.modifiedNs
    // A generation of which nothing was read yet may be gone before its turn comes: its loss is found now or never.
    let isDocument = file.identity.format.isDocument && file.isReported
    if hasChanged, !isDocument, !file.identity.format.isDatabase, !mayHaveMoreColumns(file, size: status.sizeBytes),
      isReplaced(file, status, nowNs: nowNs)
    {
      _ = replaced(file, file.look(nowNs: nowNs), nowNs: nowNs)
      return
    }
    file.note(status, nowNs: nowNs)
    if status.sizeBytes != file.offset || status.modifiedNs != file.checkedModifiedNs { enqueue(file) }
  }

  private func isReplaced(_ file: FollowedFile, _ status: FollowedStatus, nowNs: Int64) -> Bool {
    guard file.phase == .following, file.handle != nil || status.sizeBytes < file.size, open(file, nowNs: nowNs),
      let handle = file.handle
    else { return false }
    return !isHeadSame(file, handle)
      || !verify(handle, size: status.sizeBytes, offset: file.offset, tailHash: file.tailHash)
  }

  /// No pattern finds it any more: renamed, deleted, or its link points elsewhere. An open file is read on all the same.
  func detach(_ file: FollowedFile, nowNs: Int64) {
    file.path = nil
    file.detachedNs = nowNs
    guard file.phase == .following || isCopy(file) else { return }
    if file.handle == nil { findAgain(file, nowNs: nowNs) }
    if isCopy(file) { forget(file) } else { enqueue(file) }
  }

  private func isCopy(_ file: FollowedFile) -> Bool {
    if case .copy = file.phase { true } else { false }
  }

  func lookAtDetached(_ file: FollowedFile, nowNs: Int64) {
    guard file.phase == .following else { return }
    enqueue(file)
  }

  /// A file that was closed to spare its descriptor, and whose name is gone now.
  func findAgain(_ file: FollowedFile, nowNs: Int64) {
    guard file.phase == .following else { return }
    let beside = neighbours(of: file.identity.path, nowNs: nowNs)
    let found = beside.first { node($0.status) == file.node && isSameBirth($0.status.birthNs, file.identity.birthNs) }
    if let found, let handle = fileSystem.open(found.path) {
      opened(file, handle)
    } else {
      let before = file.look(nowNs: nowNs)
      lose(file, to: before.size + before.growth, .deletedUnread, isEstimate: true, nowNs: nowNs)
    }
  }

  /// Takes up a file that was not followed.
  func start(_ item: FoundFile, predecessor: FileKey?, nowNs: Int64) {
    bringBackOriginal(of: item.path, nowNs: nowNs)
    let file = FollowedFile(newIdentity(path: item.path, status: item.status, generation: 0), nowNs: nowNs)
    file.path = item.path
    file.scan = scanNumber
    file.predecessor = predecessor
    file.isClosed = closed.contains(item.path)
    // Until now it grew as fast as on average since its birth.
    file.lookedNs = item.status.birthNs > 0 ? min(nowNs, item.status.birthNs) : nowNs - 1_000_000_000
    file.note(item.status, nowNs: nowNs)
    if let old = byNode[file.node] {
      // The inode was reused; what had it is gone.
      byNode[file.node] = nil
      if old.handle == nil { lose(old, to: old.size, .deletedUnread, isEstimate: true, nowNs: nowNs) }
    }
    guard open(file, nowNs: nowNs) else { return }
    guard let isDatabase = takeUpDatabase(file, nowNs: nowNs) else { return close(file) }
    if !isDatabase, setAsideIfBinary(file, nowNs: nowNs) { return }
    refreshHead(file)
    skipRetired(file)
    noteHistory(file, item.status, nowNs: nowNs)
    let isDeferred = deferCopy(file, nowNs: nowNs)
    if !isDeferred, file.offset == 0, let original = original(of: item.path, file),
      isReplacedMeanwhile(original, nowNs: nowNs), recognise(item, nowNs: nowNs)
    {
      // The original goes on in it.
      close(file)
      return
    }
    add(file)
    byNode[file.node] = file
    setName(item.path, file)
    if isDeferred { return }
    if nowNs &- item.status.modifiedNs < limits.urgentAgeNs { enqueueUrgent(file) } else { enqueue(file) }
  }

  /// A finished file whose name came back: what was sent is not sent again.
  private func skipRetired(_ file: FollowedFile) {
    let found = retired.last {
      $0.node == file.node && isSameBirth($0.birthNs, file.identity.birthNs)
        && (file.identity.format.isDatabase || verify(file, offset: $0.offset, tailHash: $0.tailHash))
    }
    guard let old = found else { return }
    skip(file, to: old.offset, tailHash: old.tailHash)
  }

  func skip(_ file: FollowedFile, to offset: UInt64, tailHash: UInt64) {
    file.skipped = (offset, tailHash)
    file.offset = offset
    file.tailHash = tailHash
  }

  /// Whether the bytes before `offset` are those of the hash.
  func verify(_ file: FollowedFile, offset: UInt64, tailHash: UInt64) -> Bool {
    guard let handle = file.handle else { return false }
    return verify(handle, size: file.size, offset: offset, tailHash: tailHash)
  }

  func verify(_ handle: FileHandle, size: UInt64, offset: UInt64, tailHash: UInt64) -> Bool {
    guard size >= offset else { return false }
    let count = Int(min(FollowedFile.tailBytes, offset))
    guard count > 0 else { return true }
    guard let got = fileSystem.read(handle, at: offset - UInt64(count), count: count, into: &buffer), got == count
    else { return false }
    return bufferHash(0..<count) == tailHash
  }

  // MARK: Descriptors

  /// Opens by name where the file is not open; another file under that name is not taken for it.
  func open(_ file: FollowedFile, nowNs: Int64) -> Bool {
    if file.handle != nil { return true }
    guard let path = file.path else { return false }
    if openCount >= limits.openFiles { closeOne(except: file, nowNs: nowNs) }
    guard let handle = fileSystem.open(path) else { return false }
    guard let status = fileSystem.status(of: handle), node(status) == file.node,
      isSameBirth(status.birthNs, file.identity.birthNs)
    else {
      fileSystem.close(handle)
      return false
    }
    opened(file, handle)
    return true
  }

  /// First those that can be opened again by their names; only where there is none, a renamed file that is still unread. Of those that have
  /// been read to their end some are closed at once: the search goes through all that are open.
  private func closeOne(except file: FollowedFile, nowNs: Int64) {
    let named = openFiles.filter { $0.path != nil && $0 !== file }.sorted { $0.usedNs < $1.usedNs }
    let read = named.lazy.filter { $0.unread == 0 }.prefix(max(1, limits.openFiles / 8))
    if !read.isEmpty { return close(Array(read)) }
    if let victim = named.first { return close(victim) }
    guard let victim = openFiles.filter({ $0 !== file }).min(by: { $0.detachedNs < $1.detachedNs })
    else { return }
    close(victim)
    // One whose end was reported needs nothing more.
    guard victim.phase == .following else { return }
    lose(victim, to: victim.size, .descriptorLimit, isEstimate: false, nowNs: nowNs)
  }
}
