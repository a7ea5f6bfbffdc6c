/// One record of a TFRecord file: `u64 length, u32 masked crc of the length, data, u32 masked crc of the data`, little-endian.
///
/// Source: tensorflow/core/lib/io/record_writer.h; tensorboard/compat/tensorflow_stub/pywrap_tensorflow.py (`PyRecordReader_New`).
enum RecordFrame: Equatable {
  /// Fewer bytes than the record has.
  case incomplete
  /// The length is not what was written: where the next record begins is not known.
  case damagedLength
  /// Longer than the limit; `bytes` is the length of the whole record.
  case tooLong(bytes: UInt64)
  /// - Parameter isIntact: the data are what was written.
  case whole(data: Range<Int>, end: Int, isIntact: Bool)

  /// What a record has beside its data, in bytes: length, its checksum and that of the data.
  static let overheadBytes = 16
  static let headerBytes = 12

  /// The record that begins at `start`.
  /// - Parameter limitBytes: of the data.
  static func at(_ bytes: Span<UInt8>, _ start: Int, limitBytes: Int) -> RecordFrame {
    guard bytes.count - start >= headerBytes else { return .incomplete }
    guard isHeader(bytes, start) else { return isUnwritten(bytes, start) ? .incomplete : .damagedLength }
    let length = bytes.littleEndian64(at: start)
    guard length <= UInt64(limitBytes) else {
      return length > UInt64(Int64.max) ? .damagedLength : .tooLong(bytes: length + UInt64(overheadBytes))
    }
    let data = start + headerBytes..<start + headerBytes + Int(length)
    guard bytes.count - data.upperBound >= 4 else { return .incomplete }
    let isIntact = bytes.littleEndian32(at: data.upperBound) == masked(bytes, data)
    return .whole(data: data, end: data.upperBound + 4, isIntact: isIntact)
  }

  /// Whether a length with its checksum stands at `start`: by chance once in 2^32 places.
  static func isHeader(_ bytes: Span<UInt8>, _ start: Int) -> Bool {
    guard start >= 0, bytes.count - start >= headerBytes else { return false }
    return bytes.littleEndian32(at: start + 8) == masked(bytes, start..<start + 8)
  }

  /// Space that a writer, or a crash of its host, left at the end of a file.
  private static func isUnwritten(_ bytes: Span<UInt8>, _ start: Int) -> Bool {
    (start..<start + headerBytes).allSatisfy { bytes[$0] == 0 }
  }

  /// CRC-32C, rotated and offset so that a checksum of data that hold checksums is not one of them.
  static func masked(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt32 {
    var checksum = Checksum()
    checksum.update(bytes, from: range.lowerBound, to: range.upperBound)
    let value = checksum.value
    return (value >> 15 | value << 17) &+ 0xa282_ead8
  }

  /// Whether whole records reach up to an offset.
  ///
  /// - Parameters:
  ///   - preceding: the bytes before it.
  ///   - isWhole: they are all of the file; else the first record that is found in them is gone on from.
  /// - Returns: nil where no record begins in them.
  static func isChain(_ preceding: Span<UInt8>, isWhole: Bool) -> Bool? {
    var start = 0
    while !isWhole, start < preceding.count, !isHeader(preceding, start) { start += 1 }
    guard start < preceding.count else { return nil }
    while start < preceding.count {
      guard isHeader(preceding, start) else { return false }
      let length = preceding.littleEndian64(at: start)
      let left = UInt64(preceding.count - start - headerBytes)
      guard length <= left, left - length >= 4 else { return false }
      start += overheadBytes + Int(length)
    }
    return true
  }

  /// Where the next record after the last whole one begins; nil where no record is in the bytes.
  /// - Parameter bytes: the end of a file.
  static func lastBoundary(_ bytes: Span<UInt8>) -> Int? {
    var start = bytes.count - headerBytes
    while start >= 0 {
      if isHeader(bytes, start) {
        let length = bytes.littleEndian64(at: start)
        let left = UInt64(bytes.count - start - headerBytes)
        return length <= left && left - length >= 4 ? start + overheadBytes + Int(length) : start
      }
      start -= 1
    }
    return nil
  }
}

extension Span<UInt8> {
  /// - Precondition: four bytes lie at `start`.
  func littleEndian32(at start: Int) -> UInt32 {
    UInt32(self[start]) | UInt32(self[start + 1]) << 8 | UInt32(self[start + 2]) << 16 | UInt32(self[start + 3]) << 24
  }

  /// - Precondition: eight bytes lie at `start`.
  func littleEndian64(at start: Int) -> UInt64 {
    UInt64(littleEndian32(at: start)) | UInt64(littleEndian32(at: start + 4)) << 32
  }
}
