internal import FleetModel

/// Truncation, and the copies that are made before it (logrotate's copytruncate).
extension Followers {
  /// The bytes before the offset are no longer there: truncated, or written anew. What follows is a new generation, from 0.
  /// - Parameter before: what the last look at the old generation saw.
  /// - Returns: nil: both generations are queued.
  func replaced(_ file: FollowedFile, _ before: FileLook, nowNs: Int64) -> FileDelta? {
    let isDocument = file.identity.format.isDocument || file.identity.format.isDatabase
    let old = FollowedFile(file.identity, nowNs: nowNs)
    old.offset = file.offset
    old.tailHash = file.tailHash
    old.committed = file.committed
    old.readTimes = file.readTimes
    old.isKnownCentrally = file.isKnownCentrally
    old.isFormatKnown = file.isFormatKnown
    old.skipped = file.skipped
    old.ending = file.reader
    old.detachedNs = nowNs
    old.size = max(before.size, file.offset)
    let lost = max(before.size, file.offset) + before.growth
    renew(file, nowNs: nowNs)
    guard old.offset > 0 || old.isKnownCentrally || lost > 0 && !isDocument else { return nil }
    add(old)
    if isDocument {
      // Nothing of it is lost, and its run goes on in what replaced it.
      old.ending = nil
      lose(old, to: old.offset, .truncated, isEstimate: false, nowNs: nowNs)
      return nil
    }
    retargetCopies(of: old)
    if !adopt(old, nowNs: nowNs) { lose(old, to: lost, .truncated, isEstimate: true, nowNs: nowNs) }
    return nil
  }

  /// Goes on in a copy of the truncated file, if there is one.
  func adopt(_ old: FollowedFile, nowNs: Int64) -> Bool {
    let (identity, seen) = (old.identity, old.size)
    guard adoptCopy(for: old, nowNs: nowNs) || adoptNeighbour(for: old, nowNs: nowNs) else { return false }
    if seen > old.size { loseRest(of: identity, from: old.size, to: seen, nowNs: nowNs) }
    return true
  }

  /// What came after the copy was made, and was seen before the truncation: copytruncate loses it. Reported under a key of its
  /// own, because the copy goes on under the original's.
  private func loseRest(of original: FileIdentity, from copied: UInt64, to seen: UInt64, nowNs: Int64) {
    var identity = original
    identity.key = makeKey()
    let rest = FollowedFile(identity, nowNs: nowNs)
    skip(rest, to: copied, tailHash: ContentHash().value)
    add(rest)
    lose(rest, to: seen, .truncated, isEstimate: true, nowNs: nowNs)
  }

  /// Makes `file` the next generation under a key of its own.
  func renew(_ file: FollowedFile, nowNs: Int64) {
    byKey[file.key] = nil
    var status = FollowedStatus(
      device: file.identity.device, inode: file.identity.inode, sizeBytes: file.size, modifiedNs: file.modifiedNs,
      birthNs: file.identity.birthNs, links: file.links)
    if let handle = file.handle, let now = fileSystem.status(of: handle) { status = now }
    file.predecessor = file.identity.key
    let isDatabase = file.identity.format.isDatabase
    file.identity = newIdentity(
      path: nameNow(file), status: status, generation: file.identity.generation.addingClamped(1))
    file.rewind(to: 0, tailHash: ContentHash().value)
    file.readTimes = ReadTimes()
    file.isKnownCentrally = false
    file.isFormatKnown = isDatabase
    if isDatabase { file.identity.format = .trackio }
    file.isDamageReported = false
    file.isHistorySearched = false
    file.reportsSkip = false
    file.isSkipReported = false
    file.skipped = (0, ContentHash().value)
    file.size = 0
    file.note(status, nowNs: nowNs)
    file.grownNs = nowNs
    byKey[file.key] = file
    refreshHead(file)
    enqueue(file)
  }

  /// The copies belong to the generation that was copied.
  private func retargetCopies(of old: FollowedFile) {
    for file in files where file.phase == .copy(of: old.key) { file.predecessor = nil }
  }

  /// A copy that the patterns find takes the place of the original, whose rest it holds.
  /// - Returns: whether there was one.
  func adoptCopy(for old: FollowedFile, nowNs: Int64) -> Bool {
    guard let copy = files.first(where: { $0.phase == .copy(of: old.key) }), let handle = copy.handle,
      let status = fileSystem.status(of: handle)
    else { return false }
    guard verify(handle, size: status.sizeBytes, offset: old.offset, tailHash: old.tailHash) else {
      skipSentCopy(copy, handle, status, of: old)
      return false
    }
    giveHandleAway(copy)
    let path = copy.path
    remove(copy)
    move(old, to: handle, status, path: path, nowNs: nowNs)
    return true
  }

  /// The copy ended before the last line that was read of its original: all of it was sent.
  private func skipSentCopy(_ copy: FollowedFile, _ handle: FileHandle, _ status: FollowedStatus, of old: FollowedFile)
  {
    guard status.sizeBytes > 0, status.sizeBytes < old.offset else { return }
    let count = Int(min(FollowedFile.tailBytes, status.sizeBytes))
    guard fileSystem.read(handle, at: status.sizeBytes - UInt64(count), count: count, into: &buffer) == count else {
      return
    }
    skip(copy, to: status.sizeBytes, tailHash: bufferHash(0..<count))
    copy.phase = .following
    copy.reportsSkip = true
    enqueue(copy)
  }

  /// The same for a copy that no pattern finds.
  func adoptNeighbour(for old: FollowedFile, nowNs: Int64) -> Bool {
    guard !old.identity.format.isDatabase, old.offset > 0 || old.identity.headLength >= 64 else { return false }
    for item in neighbours(of: old.identity.path, nowNs: nowNs)
    where Self.isRelated(item.path, to: old.identity.path) && !Self.isCompressed(item.path)
      && item.status.sizeBytes >= old.offset
    {
      let other = byNode[node(item.status)]
      if let other, other.isKnownCentrally || other.offset != other.skipped.to || !other.isUntouched { continue }
      guard let handle = fileSystem.open(item.path) else { continue }
      guard let status = fileSystem.status(of: handle), isContinuation(handle, status, of: old) else {
        fileSystem.close(handle)
        continue
      }
      let path = other?.path
      if let other { forget(other) }
      move(old, to: handle, status, path: path, nowNs: nowNs)
      return true
    }
    return false
  }

  /// Head and the bytes before the offset are the same.
  func isContinuation(_ handle: FileHandle, _ status: FollowedStatus, of old: FollowedFile) -> Bool {
    // The row before its offset is looked at when it is read.
    if old.identity.format.isDatabase { return true }
    if old.identity.format == .progressCSV, old.offset > 0 {
      // Its head changes where more columns come.
      return verify(handle, size: status.sizeBytes, offset: old.offset, tailHash: old.tailHash)
    }
    let count = Int(old.identity.headLength)
    if count > 0 {
      guard UInt64(count) <= status.sizeBytes, let got = fileSystem.read(handle, at: 0, count: count, into: &buffer),
        got == count,
        bufferHash(0..<count) == old.identity.headHash
      else { return false }
    }
    return verify(handle, size: status.sizeBytes, offset: old.offset, tailHash: old.tailHash)
  }

  /// `file` goes on in another inode, at the same offset.
  func move(_ file: FollowedFile, to handle: FileHandle, _ status: FollowedStatus, path: String?, nowNs: Int64) {
    close(file)
    if byNode[file.node] === file { byNode[file.node] = nil }
    opened(file, handle)
    file.phase = .following
    file.ending = nil
    file.identity.device = status.device
    file.identity.inode = status.inode
    file.identity.birthNs = status.birthNs
    file.path = path
    file.scan = scanNumber
    file.detachedNs = nowNs
    file.checkedModifiedNs = -1
    file.size = status.sizeBytes
    file.note(status, nowNs: nowNs)
    file.grownNs = nowNs
    byNode[file.node] = file
    if let path { setName(path, file) }
    enqueue(file)
  }

  // MARK: Copies beside their original

  /// Whether the new file repeats one that is followed; then it is left alone for now.
  func deferCopy(_ file: FollowedFile, nowNs: Int64) -> Bool {
    // An empty file beside one whose copy it may become: its first bytes decide, or its original's truncation does.
    guard file.offset == 0, !file.identity.format.isDatabase, let path = file.path,
      let original = original(of: path, file),
      file.size == 0 || isRepetition(file, of: original)
    else { return false }
    file.phase = .copy(of: original.key)
    return true
  }

  func original(of path: String, _ file: FollowedFile) -> FollowedFile? {
    for candidate in Self.originals(of: path) {
      if let original = byPath[candidate], original !== file, original.phase == .following { return original }
    }
    return nil
  }

  /// Compares the head and the last KiB that both have; a copy may still be growing.
  private func isRepetition(_ copy: FollowedFile, of original: FollowedFile) -> Bool {
    guard let one = copy.handle, open(original, nowNs: original.usedNs), let other = original.handle,
      let now = fileSystem.status(of: other), now.sizeBytes >= original.offset, isHeadSame(original, other)
    else { return false }
    original.size = max(original.size, now.sizeBytes)
    // From here on its generation must be distinguishable from the next, even if nothing of it was read yet.
    if original.offset < FollowedFile.tailBytes { refreshHead(original) }
    let common = min(copy.size, now.sizeBytes)
    let count = min(UInt64(FollowedFile.headBytes), common)
    guard count > 0 else { return false }
    return same(one, other, at: 0, Int(count)) && same(one, other, at: common - count, Int(count))
  }

  private func same(_ one: FileHandle, _ other: FileHandle, at offset: UInt64, _ count: Int) -> Bool {
    guard fileSystem.read(one, at: offset, count: count, into: &buffer) == count else { return false }
    let hash = bufferHash(0..<count)
    guard fileSystem.read(other, at: offset, count: count, into: &buffer) == count else { return false }
    return bufferHash(0..<count) == hash
  }

  /// A file is no repetition of its original: either it never was, or the original was truncated a moment ago, after it was
  /// listed. Then it goes on in its copy, which must not become a file of its own as well.
  /// - Returns: whether that is so.
  func isReplacedMeanwhile(_ original: FollowedFile, nowNs: Int64) -> Bool {
    let key = original.key
    guard open(original, nowNs: nowNs), let handle = original.handle, let status = fileSystem.status(of: handle) else {
      return false
    }
    look(original, status, nowNs: nowNs)
    return byKey[key] !== original
  }

  /// A deferred copy whose original is gone, or is no longer the same, becomes a file of its own.
  func reviewCopy(_ file: FollowedFile, nowNs: Int64) {
    // One that was adopted a moment ago is none of the files any more.
    guard case .copy(let key) = file.phase, byKey[file.key] === file else { return }
    if let original = byKey[key] {
      if original.phase == .following, original.path != nil, original.handle != nil, file.size > 0,
        !isRepetition(file, of: original), !isReplacedMeanwhile(original, nowNs: nowNs)
      {
        file.phase = .following
        enqueue(file)
      }
      return
    }
    file.phase = .following
    if let old = retired.last(where: { $0.key == key }), verify(file, offset: old.offset, tailHash: old.tailHash) {
      skip(file, to: old.offset, tailHash: old.tailHash)
    }
    enqueue(file)
  }

  // MARK: Names

  private static func isJoint(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "~")
  }

  private static func split(_ path: String) -> (directory: String, name: [UInt8]) {
    let bytes = Array(path.utf8)
    let slash = bytes.lastIndex(of: UInt8(ascii: "/")) ?? -1
    return (String(decoding: bytes[..<(slash + 1)], as: UTF8.self), Array(bytes[(slash + 1)...]))
  }

  /// What a rotated file may have been called before: `app.log.1`, `app.log-20250514` and `app-2025.log` were `app.log`.
  static func originals(of path: String) -> [String] {
    let (directory, name) = split(path)
    var parents = [directory]
    let (above, _) = split(String(directory.dropLast()))
    if above.count > 1 { parents.append(above) }
    let joints = name.indices.dropFirst().filter { isJoint(name[$0]) }
    let extensionStart = name.lastIndex(of: UInt8(ascii: "."))
    var names: [[UInt8]] = joints.reversed().map { Array(name[..<$0]) }
    if let extensionStart {
      for joint in joints.reversed() where joint < extensionStart {
        names.append(Array(name[..<joint] + name[extensionStart...]))
      }
    }
    return parents.flatMap { parent in names.prefix(16).map { parent + String(decoding: $0, as: UTF8.self) } }
  }

  /// Whether a rotation may have made `path` of `original`.
  static func isRelated(_ path: String, to original: String) -> Bool {
    let (_, name) = split(path)
    let (_, first) = split(original)
    if name == first { return path != original }
    let stem = first[..<(first.lastIndex(of: UInt8(ascii: ".")) ?? first.count)]
    return name.starts(with: stem) && name.count > stem.count && isJoint(name[stem.count])
  }
}
