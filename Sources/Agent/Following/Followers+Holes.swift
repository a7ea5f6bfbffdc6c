internal import FleetModel

/// Runs of NULs that are no text: what copytruncate leaves before the next line of a program that does not append, the tail of a file after a
/// power loss, the holes of sparse files.
extension Followers {
  /// Whether the bytes in the buffer are all NUL.
  func isHole(_ range: Range<Int>) -> Bool {
    let bytes = buffer
    let span = bytes.span
    for index in range where span[index] != 0 { return false }
    return true
  }

  /// Passes over a hole at once, however long: the file system knows where it ends. A hole at the end of a file that still has its name is
  /// left until something follows: it may be space that is written to later.
  /// - Parameter length: of NULs that were read at the file's offset.
  func holeDelta(_ file: FollowedFile, _ handle: FileHandle, length: Int, nowNs: Int64) -> FileDelta? {
    let readTo = file.offset + UInt64(length)
    let data = readTo < file.size ? fileSystem.nextData(handle, from: readTo) : nil
    if data == nil, file.path != nil {
      file.holeEnd = file.size
      return endDelta(file, nowNs: nowNs)
    }
    return pass(file, handle, to: min(file.size, max(readTo, data ?? file.size)))
  }

  /// Passes over a record that is too long for its reader, once all of it is there.
  /// - Parameter length: of the record, which begins at the file's offset.
  func passOver(_ file: FollowedFile, _ length: UInt64, nowNs: Int64) -> FileDelta? {
    guard let handle = file.handle else { return nil }
    let isOver = file.path == nil && nowNs - file.grownNs >= limits.deletedIdleNs
    guard isOver || length <= file.size - file.offset else {
      hold(file, untilNs: nowNs + limits.scanEveryNs)
      return nil
    }
    return pass(file, handle, to: file.offset + min(length, file.size - file.offset))
  }

  /// Nothing but a new offset.
  private func pass(_ file: FollowedFile, _ handle: FileHandle, to end: UInt64) -> FileDelta? {
    let count = Int(min(FollowedFile.tailBytes, end))
    guard fileSystem.read(handle, at: end - UInt64(count), count: count, into: &buffer) == count else { return nil }
    var delta = FileDelta(file: file.identity, from: file.offset, to: end)
    if file.offset == file.skipped.to, !file.isKnownCentrally, !file.isSkipReported { delta.from = 0 }
    file.offset = end
    file.isEndReported = false
    file.tailHash = bufferHash(0..<count)
    delta.tailHash = file.tailHash
    delta.lines.firstOffset = end
    refreshHead(file)
    delta.file = file.identity
    enqueue(file)
    return delta
  }
}
