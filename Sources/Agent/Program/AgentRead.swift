package import Files
package import FleetModel

/// Shows what the agent would understand of a file: the same detection and the same readers, without an agent.
package enum AgentRead {
  package struct Options: Equatable, Sendable {
    package var path = ""
    package var isJSON = false
    /// As those of `run`.
    package var metricPatterns: [CapturePattern] = []

    package init() {}
  }

  /// Read at once, as the followers do.
  private static let chunkBytes = FollowingLimits().chunkBytes
  private static let headBytes = 64 << 10

  /// - Returns: 0 done, 1 where the file cannot be read.
  static func run(_ options: Options) -> Int32 {
    do throws(FileError) {
      let found = try understand(
        HostFiles.resolve(options.path), declared: MatchedMetrics(options.metricPatterns))
      try StandardStream.output.write((options.isJSON ? found.json : found.text) + "\n")
      return 0
    } catch {
      return error.isClosedPipe ? 0 : AgentMain.fail(1, "\(error)")
    }
  }

  /// - Parameter path: absolute: runs are named by it.
  package static func understand(
    _ path: String, declared: MatchedMetrics = MatchedMetrics()
  ) throws(FileError) -> FileUnderstanding {
    let file = try Descriptor.open(path, .read)
    let status = try file.status()
    var found = FileUnderstanding(path: path)
    let readers = FormatReaders(redactor: Redactor(), zone: Clock.zoneOffsetSeconds(atWallNs:), declared: declared)
    var head: [UInt8] = []
    _ = try file.read(into: &head, count: headBytes, at: 0)
    var identity = FileIdentity(key: FileKey(high: 0, low: 0), path: path)
    identity.device = status.device
    identity.inode = status.inode
    if DatabaseFile.isDatabase(head.span), understandDatabase(identity, readers, sizeBytes: status.sizeBytes, &found) {
      return found
    }
    identity.format = readers.format(path: path, head: head.span)
    found.found(BinaryContent.kind(head.span, path: path), identity.format, sizeBytes: status.sizeBytes)
    guard found.content == .text else { return found }
    var reader = readers.make(
      ReaderContext(file: identity, offset: 0, head: head, preceding: [], modifiedNs: status.modifiedNs))
    let offset = try read(file, identity, &reader, into: &found)
    found.ended(
      readTo: reader.isAtRest ? status.sizeBytes : offset, sizeBytes: max(offset, status.sizeBytes),
      leftOut: reader.leftOut)
    return found
  }

  /// A database that is written to all the time rests for a moment between two transactions.
  private static let databaseLooksMax = 40
  private static let databaseLookNs: Int64 = 25_000_000

  /// - Returns: false where it is no database of Trackio.
  private static func understandDatabase(
    _ identity: FileIdentity, _ readers: FormatReaders, sizeBytes: UInt64, _ found: inout FileUnderstanding
  ) -> Bool {
    let path = identity.path
    let fileSystem = LinuxFollowedFileSystem(allowed: [PathParts.parent(path)])
    guard let handle = fileSystem.open(path) else { return false }
    defer { fileSystem.close(handle) }
    let database = readers.makeDatabase(DatabaseFile(fileSystem, handle, path: path), path: path)
    var (offset, hash, looks): (UInt64, UInt64, Int) = (0, ContentHash().value, 0)
    while true {
      let nowNs = Clock.wallNs()
      do throws(DatabaseTrouble) {
        let answer = try database.read(
          after: offset, hash: hash, end: nil, bytesMax: .max, nowNs: nowNs, readNs: nowNs)
        guard case .rows(let batch) = answer else { return offset > 0 }
        if offset == 0 { found.found(.text, .trackio, sizeBytes: sizeBytes) }
        var delta = FileDelta(file: identity, from: offset, to: UInt64(batch.last))
        (delta.steps, delta.runs) = (batch.steps, batch.runs)
        found.add(delta)
        (offset, hash) = (UInt64(batch.last), batch.hash)
        guard batch.hasMore else { break }
        looks = 0
      } catch {
        looks += 1
        if error == .busy, looks < databaseLooksMax {
          Process.sleep(ns: databaseLookNs)
          continue
        }
        found.found(.text, .trackio, sizeBytes: sizeBytes)
        found.trouble = error.sentence
        break
      }
    }
    found.ended(readTo: sizeBytes, sizeBytes: sizeBytes, leftOut: database.unread.parts)
    return true
  }

  /// Gives the reader the file piece by piece, and a longer one where a record is not whole in it.
  /// - Returns: how far it was read.
  private static func read(
    _ file: borrowing Descriptor, _ identity: FileIdentity, _ reader: inout any FormatReader,
    into found: inout FileUnderstanding
  ) throws(FileError) -> UInt64 {
    var offset: UInt64 = 0
    var isLong = false
    while true {
      var bytes: [UInt8] = []
      let count = isLong ? max(chunkBytes, reader.lineBytesMax + 2) : chunkBytes
      while bytes.count < count {
        let got = try file.read(into: &bytes, count: count - bytes.count, at: offset + UInt64(bytes.count))
        guard let got, got > 0 else { break }
      }
      if bytes.isEmpty { return offset }
      let isAtEnd = bytes.count < count
      var delta = FileDelta(file: identity, from: offset, to: offset)
      var taken = reader.read(
        bytes.span, at: offset, isFinal: false, nowNs: Clock.wallNs(), budget: .max, into: &delta)
      if taken == 0, reader.oversizedRecordBytes > 0 {
        let length = reader.oversizedRecordBytes
        let size = try file.status().sizeBytes
        guard length <= size - min(size, offset) else { return offset }
        found.unread.add(.tooLong, count: 1, bytes: length)
        offset += length
        continue
      }
      if taken == 0, !isAtEnd, !isLong {
        isLong = true
        continue
      }
      if taken == 0, reader.heldBytes > 0 {
        bytes.removeLast(bytes.count - reader.heldBytes)
        taken = reader.read(
          bytes.span, at: offset, isFinal: true, nowNs: Clock.wallNs(), budget: .max, into: &delta)
      }
      if taken == 0, !isAtEnd || !reader.waitsForNewline {
        taken = reader.read(
          bytes.span, at: offset, isFinal: true, nowNs: Clock.wallNs(), budget: .max, into: &delta)
      }
      found.add(delta)
      if taken == 0 { return offset }
      isLong = false
      offset += UInt64(taken)
    }
  }
}
