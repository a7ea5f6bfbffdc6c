internal import FleetModel

/// The index of a write-ahead log: where the newest committed content of each page stands in it. Pure: bytes in.
///
/// A frame counts where its salts are the log's and its sum continues that of all frames before it, and once a frame that ends its
/// transaction follows: what was rolled back, torn, or left from an earlier round of the log is none.
/// - Source: sqlite.org/fileformat2.html, section 4.
struct DatabaseLog {
  static let headerBytes = 32
  static let frameHeaderBytes = 24
  /// Pages that are remembered: 8 MiB of memory. A log is 1000 pages long unless readers keep it from being reused.
  private static let pagesMax = 1 << 18

  private var header: [UInt8] = []
  private var pageBytes = 0
  private var isBigEndian = false
  /// Behind the last frame that ends a transaction.
  private(set) var committedEnd = UInt64(headerBytes)
  /// Offsets in the log, by page.
  private(set) var pages: [UInt32: UInt64] = [:]
  private var committedSum: (UInt32, UInt32) = (0, 0)
  private var sum: (UInt32, UInt32) = (0, 0)
  /// Frames of a transaction whose end was not seen yet.
  private var pending: [UInt32: UInt64] = [:]

  var isBegun: Bool { !header.isEmpty }

  /// Whether the log was not begun anew.
  func isSame(_ bytes: [UInt8], pageBytes: Int) -> Bool { header == bytes && self.pageBytes == pageBytes }

  /// A log whose head is not whole or not right has no frames.
  mutating func begin(pageBytes: Int, _ bytes: [UInt8]) throws(DatabaseTrouble) {
    self = DatabaseLog()
    guard bytes.count == Self.headerBytes else { return }
    let magic = Self.word(bytes, 0)
    guard magic & ~1 == 0x377f_0682, Self.word(bytes, 4) == 3_007_000 else { return }
    isBigEndian = magic & 1 == 1
    guard Int(Self.word(bytes, 8)) == pageBytes else { return }
    add(bytes, 0..<24)
    guard sum == (Self.word(bytes, 24), Self.word(bytes, 28)) else { return }
    (header, self.pageBytes, committedSum) = (bytes, pageBytes, sum)
  }

  mutating func beginFrames() {
    sum = committedSum
    pending.removeAll(keepingCapacity: true)
  }

  /// - Parameter offset: of the first byte, which begins a frame.
  /// - Returns: whether all whole frames in `bytes` are of this log.
  mutating func take(_ bytes: [UInt8], at offset: UInt64) throws(DatabaseTrouble) -> Bool {
    let length = Self.frameHeaderBytes + pageBytes
    var start = 0
    while start + length <= bytes.count {
      guard bytes[start + 8..<start + 16].elementsEqual(header[16..<24]) else { return false }
      add(bytes, start..<start + 8)
      add(bytes, start + Self.frameHeaderBytes..<start + length)
      guard sum == (Self.word(bytes, start + 16), Self.word(bytes, start + 20)) else { return false }
      pending[Self.word(bytes, start)] = offset + UInt64(start + Self.frameHeaderBytes)
      guard pages.count + pending.count <= Self.pagesMax else {
        throw .unsupported("its write-ahead log (FILE-wal) has more than \(Self.pagesMax) pages")
      }
      start += length
      guard Self.word(bytes, start - length + 4) > 0 else { continue }
      pages.merge(pending) { $1 }
      pending.removeAll(keepingCapacity: true)
      committedEnd = offset + UInt64(start)
      committedSum = sum
    }
    return true
  }

  /// - Parameter range: a multiple of eight bytes.
  private mutating func add(_ bytes: [UInt8], _ range: Range<Int>) {
    let span = bytes.span
    var (first, second) = sum
    for at in stride(from: range.lowerBound, to: range.upperBound, by: 8) {
      first = first &+ word(span, at) &+ second
      second = second &+ word(span, at + 4) &+ first
    }
    sum = (first, second)
  }

  private func word(_ bytes: Span<UInt8>, _ at: Int) -> UInt32 {
    let word =
      UInt32(bytes[at]) << 24 | UInt32(bytes[at + 1]) << 16 | UInt32(bytes[at + 2]) << 8 | UInt32(bytes[at + 3])
    return isBigEndian ? word : word.byteSwapped
  }

  private static func word(_ bytes: [UInt8], _ at: Int) -> UInt32 {
    UInt32(bytes[at]) << 24 | UInt32(bytes[at + 1]) << 16 | UInt32(bytes[at + 2]) << 8 | UInt32(bytes[at + 3])
  }
}
