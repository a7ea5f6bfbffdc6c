package import Files

/// Writes a stream into segments of a directory: bytes in order, cut between lines, never more than a limit on the disk.
///
/// A segment is locked (flock(2)) while it is written, so that no process takes an unfinished one away, and has its final name
/// only once it is locked. Each write is one system call: what was given before a kill -9 is there after it.
package final class SegmentWriter {
  /// Without a newline a segment may become longer by so much before it is cut anyway.
  private static let lineBytesMax: UInt64 = 1 << 20

  private final class OpenSegment {
    let file: Descriptor
    let path: String
    var bytes: UInt64

    init(_ file: consuming Descriptor, _ path: String, bytes: UInt64) {
      self.file = file
      self.path = path
      self.bytes = bytes
    }
  }

  package let directory: String
  package let name: String
  private let segmentBytes: UInt64
  private let limitBytes: UInt64
  private var current: OpenSegment?
  private var serial: UInt64
  /// Full segments, as far as they are not taken away yet.
  private var full: [(path: String, bytes: UInt64)] = []

  /// - Parameters:
  ///   - serial: of the next new segment; later ones are larger.
  ///   - segmentBytes: size at which a segment is full.
  ///   - limitBytes: of all segments that the collector does not have yet.
  package init(directory: String, name: String, serial: UInt64, segmentBytes: UInt64 = 8 << 20, limitBytes: UInt64) {
    self.directory = directory
    self.name = name
    self.serial = serial
    self.segmentBytes = min(segmentBytes, max(1, limitBytes / 4))
    self.limitBytes = limitBytes
  }

  /// Goes on in segments of an earlier process; a last line that was cut by its end is removed, it comes again.
  /// - Parameter paths: in order.
  package func adopt(_ paths: [String]) throws(FileError) {
    for path in paths.dropLast() { full.append((path, try FileStatus.of(path: path).sizeBytes)) }
    guard let path = paths.last else { return }
    let bytes = try HostFiles.read(path, limitBytes: Int(segmentBytes + Self.lineBytesMax) * 2)
    let whole = (bytes.lastIndex(of: UInt8(ascii: "\n")) ?? -1) + 1
    if whole < bytes.count { try Descriptor.open(path, .update).truncate(to: UInt64(whole)) }
    let file = try Descriptor.open(path, .append)
    _ = file.lockForWriting()
    current = OpenSegment(file, path, bytes: UInt64(whole))
  }

  /// Bytes that are on the disk and not the collector's yet; asks the disk only near the limit.
  package func hasRoom(for count: Int) -> Bool {
    let wanted = UInt64(count) + (current?.bytes ?? 0)
    if full.reduce(wanted, { $0 + $1.bytes }) <= limitBytes { return true }
    full.removeAll { (try? FileStatus.of(path: $0.path)) == nil }
    return full.reduce(wanted, { $0 + $1.bytes }) <= limitBytes
  }

  /// Writes `bytes`, of which a segment that is full takes what belongs to its last line. The limit is the caller's to ask for.
  package func append(_ bytes: Span<UInt8>) throws(FileError) {
    guard !bytes.isEmpty else { return }
    guard let segment = current, segment.bytes >= segmentBytes else { return try write(bytes) }
    var end = 0
    while end < bytes.count, bytes[end] != UInt8(ascii: "\n") { end += 1 }
    if end == bytes.count, segment.bytes < segmentBytes + Self.lineBytesMax { return try write(bytes) }
    let rest = end == bytes.count ? 0 : end + 1
    if rest > 0 { try write(bytes.extracting(0..<rest)) }
    full.append((segment.path, segment.bytes))
    current = nil
    if rest < bytes.count { try write(bytes.extracting(rest..<bytes.count)) }
  }

  private func write(_ bytes: Span<UInt8>) throws(FileError) {
    let segment: OpenSegment
    if let current { segment = current } else { segment = try begin() }
    current = segment
    try segment.file.write(bytes)
    segment.bytes += UInt64(bytes.count)
  }

  /// The agent may be of another user: it reads by the directory's group.
  private func begin() throws(FileError) -> OpenSegment {
    while (try? FileStatus.exists(FollowedStreams.segment(directory, name, serial: serial))) == true { serial &+= 1 }
    let path = FollowedStreams.segment(directory, name, serial: serial)
    let file = try Descriptor.open(path + ".new", .createNew, mode: 0o640)
    _ = file.lockForWriting()
    try HostFiles.rename(path + ".new", to: path)
    // The first one comes from a file's name, which may be any number.
    serial &+= 1
    return OpenSegment(file, path, bytes: 0)
  }
}
