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
    let end = min(file.size, max(readTo, data ?? file.size))
    let count = Int(min(FollowedFile.tailBytes, end))
    guard fileSystem.read(handle, at: end - UInt64(count), count: count, into: &buffer) == count else { return nil }
    var delta = FileDelta(file: file.identity, from: file.offset, to: end)
    if file.offset == file.skipped.to, !file.isKnownCentrally, !file.isSkipReported { delta.from = 0 }
    file.offset = end
    file.tailHash = bufferHash(0..<count)
    delta.tailHash = file.tailHash
    delta.lines.firstOffset = end
    refreshHead(file)
    delta.file = file.identity
    enqueue(file)
    return delta
  }
}
