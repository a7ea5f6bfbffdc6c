internal import Files

/// Reads one segment's records in order through a buffer of bounded size.
struct SegmentReader {
  enum Step: Equatable {
    case record(SegmentRecord.Kind, sequence: UInt64, payload: [UInt8])
    /// Every byte was read.
    case end
    /// From here on the file is not what was written, or cannot be read.
    case bad
  }

  let name: String
  private let seed: Checksum
  private var buffer: [UInt8] = []
  private var position = 0
  /// Of the byte behind the buffer.
  private var fileOffset = UInt64(SegmentHeader.byteCount)

  init(name: String, header: SegmentHeader) {
    self.name = name
    seed = header.recordSeed
  }

  /// File offset behind the last record returned.
  var offset: UInt64 { fileOffset - UInt64(buffer.count - position) }

  /// - Parameter endOffset: bytes of the file that count.
  mutating func next(_ disk: any SpoolDisk, endOffset: UInt64, limits: SpoolLimits) -> Step {
    while true {
      switch SegmentRecord.parse(buffer, at: position, seed: seed, payloadMax: limits.recordBytesMax) {
      case .record(let location):
        position = location.payload.upperBound
        return .record(location.kind, sequence: location.sequence, payload: Array(buffer[location.payload]))
      case .bad: return .bad
      case .needs(let count):
        let isAtEnd = position == buffer.count
        guard fill(disk, count: count, endOffset: endOffset, limits: limits) else {
          return isAtEnd && fileOffset >= endOffset ? .end : .bad
        }
      }
    }
  }

  /// Makes the buffer hold `count` bytes from `position` on.
  private mutating func fill(_ disk: any SpoolDisk, count: Int, endOffset: UInt64, limits: SpoolLimits) -> Bool {
    buffer.removeFirst(position)
    position = 0
    let left = endOffset > fileOffset ? endOffset - fileOffset : 0
    let wanted = Int(min(left, UInt64(max(limits.readBytes, count - buffer.count))))
    guard wanted > 0, let bytes = try? disk.read(name, at: fileOffset, count: wanted), !bytes.isEmpty else {
      return false
    }
    fileOffset += UInt64(bytes.count)
    if buffer.isEmpty { buffer = bytes } else { buffer.append(contentsOf: bytes) }
    return buffer.count >= count
  }
}
