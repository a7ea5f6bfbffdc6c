/// When the bytes of a file that are not acknowledged yet were read.
///
/// A record without a time of its own has the time at which it is read. After a reconnection it is read again and must be the same record:
/// with a newer time a finding of it would be a new finding, and its incident would be paged again. So every read is repeated as it was, with
/// its end and its time. Kept in memory only: after a restart of the agent such a record has the time of the second read.
struct ReadTimes {
  struct Read: Equatable {
    var start: UInt64
    var end: UInt64
    /// CLOCK_REALTIME, ns since 1970.
    var ns: Int64
  }

  /// Reads of one file between two acknowledgements; past that the last one takes in what follows it.
  static let readsMax = 128
  private(set) var reads: [Read] = []

  /// Bytes from `start` were read to `end`.
  mutating func note(_ start: UInt64, _ end: UInt64, ns: Int64) {
    guard start < end, end > reads.last?.end ?? 0 else { return }
    if reads.count == Self.readsMax, reads[reads.count - 1].end == start {
      reads[reads.count - 1].end = end
    } else {
      if reads.count == Self.readsMax { reads.removeFirst() }
      reads.append(Read(start: start, end: end, ns: ns))
    }
  }

  /// What lies before `offset` will not be read again.
  mutating func drop(before offset: UInt64) {
    guard let first = reads.first, first.end <= offset else { return }
    reads.removeFirst(reads.firstIndex { $0.end > offset } ?? reads.count)
  }

  /// The read in which the byte at `offset` was; nil where it was not read before.
  func read(at offset: UInt64) -> Read? {
    guard let last = reads.last, offset < last.end else { return nil }
    return reads.first { $0.end > offset && $0.start <= offset }
  }
}
