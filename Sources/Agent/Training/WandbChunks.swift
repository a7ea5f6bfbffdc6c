internal import TLS

/// Cuts the log of a Weights & Biases run into records: blocks of 32 KiB, of which each holds chunks that do not reach over its end, and
/// records of one chunk or of a first, middle and last ones.
///
/// A record begins wherever a chunk says so, which is what a reader that begins in the middle of one relies on. A chunk that is damaged costs
/// the rest of its block.
/// - Source: wandb/core/pkg/leveldb/record.go; github.com/google/leveldb, doc/log_format.md. The checksum is CRC-32 (IEEE) of type and data.
struct WandbChunks {
  enum Piece: Equatable {
    /// Fewer bytes than the next chunk has.
    case incomplete
    /// Nothing that belongs to a record: the file's head, padding, the rest of a record that began before.
    case filler(end: Int)
    case damaged(end: Int)
    /// `data` has the ranges of the record's chunks.
    case record(data: [Range<Int>], end: Int)
    /// The record was longer than the limit.
    case tooLong(end: Int)
  }

  static let blockBytes = 32 << 10
  static let headBytes = 7
  private static let chunkHeadBytes = 7

  /// `:W&B`, 0xBEE1 little-endian, version 0.
  static func isHead(_ bytes: Span<UInt8>) -> Bool {
    let head: [UInt8] = [0x3a, 0x57, 0x26, 0x42, 0xe1, 0xbe, 0x00]
    return bytes.count >= headBytes && head.indices.allSatisfy { bytes[$0] == head[$0] }
  }

  /// What begins at `start`.
  /// - Parameter offset: of the first byte in the file.
  static func next(_ bytes: Span<UInt8>, _ start: Int, at offset: UInt64, limitBytes: Int) -> Piece {
    var ranges: [Range<Int>] = []
    var (at, length) = (start, 0)
    if offset == 0, start == 0 {
      guard bytes.count >= headBytes else { return .incomplete }
      return isHead(bytes) ? .filler(end: headBytes) : .damaged(end: bytes.count)
    }
    while true {
      let left = blockBytes - Int((offset + UInt64(at)) % UInt64(blockBytes))
      if left < chunkHeadBytes {
        guard bytes.count - at >= left else { return .incomplete }
        at += left
        if ranges.isEmpty { return .filler(end: at) }
        continue
      }
      guard bytes.count - at >= chunkHeadBytes else { return .incomplete }
      let data = at + chunkHeadBytes..<at + chunkHeadBytes + Int(bytes[at + 4]) + Int(bytes[at + 5]) << 8
      let kind = bytes[at + 6]
      // Space that was prepared, or that a crash left: what follows in the file may be the next block.
      if kind == 0, data.isEmpty, bytes.littleEndian32(at: at) == 0 {
        return bytes.count - at > left ? .damaged(end: at + left) : .incomplete
      }
      guard data.upperBound - at <= left, (1...4).contains(kind) else {
        return .damaged(end: min(at + left, bytes.count))
      }
      guard data.upperBound <= bytes.count else { return .incomplete }
      guard Digest.crc32([kind] + data.map { bytes[$0] }) == bytes.littleEndian32(at: at) else {
        return .damaged(end: min(at + left, bytes.count))
      }
      let begins = kind == 1 || kind == 2
      // The record before has no end.
      if begins, !ranges.isEmpty { return .damaged(end: at) }
      at = data.upperBound
      if !begins, ranges.isEmpty { return .filler(end: at) }
      ranges.append(data)
      length += data.count
      if kind == 1 || kind == 4 { return length <= limitBytes ? .record(data: ranges, end: at) : .tooLong(end: at) }
    }
  }
}
