internal import FleetModel

/// A range of sequences that is or may be lost.
struct LossRange: Sendable, Equatable {
  /// First lost sequence.
  var from: UInt64
  /// One past the last.
  var to: UInt64
  var reason: LossReason
  /// At most this much.
  var isEstimate: Bool

  /// The part of it from `first` to `last`, or nil.
  func clamped(_ first: UInt64, _ last: UInt64) -> LossRange? {
    let range = LossRange(from: max(from, first), to: min(to, last + 1), reason: reason, isEstimate: isEstimate)
    return range.from < range.to ? range : nil
  }
}

/// What stands at the start of each segment file: enough to know the segment without any other file.
///
/// 96 bytes, little-endian: magic 8, CRC-32C of the 84 bytes behind it 4, version 1, lane 1, loss reason 1, loss is
/// an estimate 1, spool id 16, boot id 16, first sequence 8, last sequence before it 8, lost from 8, lost to 8,
/// reserved through 8, zero 8.
struct SegmentHeader: Sendable, Equatable {
  static let byteCount = 96
  private static let magic: [UInt8] = Array("SBXSPOOL".utf8)

  var spool: SpoolID
  var boot: BootID
  var lane: Lane
  /// Sequence of the first record.
  var first: UInt64
  /// The last sequence used before it. Numbers between the two were never used: each start of an agent jumps ahead.
  var previousLast: UInt64
  /// What is known to be lost just before this segment.
  var loss: LossRange?
  /// Sequences up to here may be used before the next reservation is durable.
  var reserved: UInt64

  func encoded() -> [UInt8] {
    var body: [UInt8] = [1, lane.rawValue, loss?.reason.rawValue ?? 0, loss?.isEstimate == true ? 1 : 0]
    for word in [spool.high, spool.low, boot.high, boot.low, first, previousLast, loss?.from ?? 0, loss?.to ?? 0] {
      body.appendLittleEndian(word)
    }
    body.appendLittleEndian(reserved)
    body.appendLittleEndian(UInt64(0))
    var bytes = Self.magic
    bytes.appendLittleEndian(Checksum.of(body))
    return bytes + body
  }

  /// - Parameter bytes: the start of a file; nil where it is no whole header.
  init?(_ bytes: [UInt8]) {
    guard bytes.count >= Self.byteCount, bytes.starts(with: Self.magic) else { return nil }
    guard Checksum.of(Array(bytes[12..<Self.byteCount])) == bytes.littleEndian(at: 8, as: UInt32.self) else {
      return nil
    }
    guard bytes[12] == 1, let lane = Lane(rawValue: bytes[13]), let reason = LossReason(rawValue: bytes[14]) else {
      return nil
    }
    func word(_ index: Int) -> UInt64 { bytes.littleEndian(at: 16 + 8 * index, as: UInt64.self) }
    self.lane = lane
    spool = SpoolID(high: word(0), low: word(1))
    boot = BootID(high: word(2), low: word(3))
    first = word(4)
    previousLast = word(5)
    if word(6) < word(7) {
      loss = LossRange(from: word(6), to: word(7), reason: reason, isEstimate: bytes[15] == 1)
    }
    reserved = word(8)
    // A checksum protects from accidents only; sequences beyond these would overflow.
    guard first > 0, first < 1 << 62, previousLast < first, reserved < 1 << 62 else { return nil }
  }

  init(
    spool: SpoolID, boot: BootID, lane: Lane, first: UInt64, previousLast: UInt64, loss: LossRange?, reserved: UInt64
  ) {
    self.spool = spool
    self.boot = boot
    self.lane = lane
    self.first = first
    self.previousLast = previousLast
    self.loss = loss
    self.reserved = reserved
  }

  /// Checksums of a segment's records start from here, so that a block of another segment never passes for one of its own.
  var recordSeed: Checksum {
    var seed: [UInt8] = [lane.rawValue]
    for word in [spool.high, spool.low, first] { seed.appendLittleEndian(word) }
    var checksum = Checksum()
    checksum.update(seed.span)
    return checksum
  }
}

/// One record of a segment: CRC-32C 4 (seeded, of all that follows), payload bytes 4, sequence 8, kind 1, zero 3, payload.
enum SegmentRecord {
  enum Kind: UInt8 {
    case data = 0
    /// No payload; `sequence` may be used up to here before the next reservation.
    case reservation = 1
    /// No payload; the spool was closed in order and synced: nothing before a power cut is missing.
    case closed = 2
  }

  static let headerBytes = 20

  struct Location: Equatable {
    var kind: Kind
    var sequence: UInt64
    /// Of the payload, in the buffer given.
    var payload: Range<Int>
  }

  static func append(
    _ kind: Kind, sequence: UInt64, payload: [UInt8], seed: Checksum, to bytes: inout [UInt8]
  ) {
    var body: [UInt8] = []
    body.reserveCapacity(headerBytes - 4 + payload.count)
    body.appendLittleEndian(UInt32(payload.count))
    body.appendLittleEndian(sequence)
    body.append(contentsOf: [kind.rawValue, 0, 0, 0])
    body.append(contentsOf: payload)
    var checksum = seed
    checksum.update(body.span)
    bytes.appendLittleEndian(checksum.value)
    bytes.append(contentsOf: body)
  }

  enum Parsed: Equatable {
    case record(Location)
    /// So many bytes in all are needed to decide.
    case needs(Int)
    case bad
  }

  /// The first record of `bytes` as if it had this length.
  static func withLength(_ length: Int, _ bytes: [UInt8]) -> [UInt8] {
    var field: [UInt8] = []
    field.appendLittleEndian(UInt32(clamping: length))
    return bytes[..<4] + field + bytes[8...]
  }

  /// - Parameter start: where in `bytes` the record starts.
  static func parse(_ bytes: [UInt8], at start: Int, seed: Checksum, payloadMax: Int) -> Parsed {
    guard start + headerBytes <= bytes.count else { return .needs(headerBytes) }
    let length = Int(bytes.littleEndian(at: start + 4, as: UInt32.self))
    guard length <= payloadMax, let kind = Kind(rawValue: bytes[start + 16]) else { return .bad }
    let end = start + headerBytes + length
    guard end <= bytes.count else { return .needs(headerBytes + length) }
    var checksum = seed
    checksum.update(bytes.span, from: start + 4, to: end)
    guard checksum.value == bytes.littleEndian(at: start, as: UInt32.self) else { return .bad }
    let sequence = bytes.littleEndian(at: start + 8, as: UInt64.self)
    return .record(Location(kind: kind, sequence: sequence, payload: start + headerBytes..<end))
  }
}

extension [UInt8] {
  mutating func appendLittleEndian(_ value: some FixedWidthInteger & UnsignedInteger) {
    var value = value
    for _ in 0..<value.bitWidth / 8 {
      append(UInt8(truncatingIfNeeded: value))
      value >>= 8
    }
  }

  func littleEndian<Word: FixedWidthInteger & UnsignedInteger>(at start: Int, as type: Word.Type) -> Word {
    var value: Word = 0
    for index in (0..<Word.bitWidth / 8).reversed() { value = value << 8 | Word(self[start + index]) }
    return value
  }
}
