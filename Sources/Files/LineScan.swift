internal import CLinux
internal import Glibc

/// Where in a buffer of log text something is worth a look: newlines, bytes that are no plain text, hints of secrets.
///
/// One pass finds all of it, so that an ordinary line is not looked at byte by byte again.
package struct LineScan: Sendable {
  @frozen package enum Finding: Int, Sendable {
    case newline = 0
    /// NUL, carriage return, escape, or not ASCII.
    case odd = 1
    /// `=`, or `:` that does not belong to `://`.
    case separator = 2
    /// Where a secret may be, other than behind a separator: a run of 16 bytes that tokens are made of, an option, an `@`….
    case shape = 3
  }

  /// Four words for each 64 bytes, in the order of `Finding`.
  @usableFromInline package private(set) var words: [UInt64] = []
  private var count = 0

  package init() {}

  package mutating func scan(_ bytes: Span<UInt8>) {
    count = bytes.count
    let needed = (count + 63) / 64 * 4
    if words.count < needed { words.append(contentsOf: repeatElement(0, count: needed - words.count)) }
    guard count > 0 else { return }
    unsafe words.withUnsafeMutableBufferPointer { out in
      // `out` has at least `needed` words, which is what the scan of `count` bytes writes.
      unsafe bytes.withUnsafeBufferPointer { unsafe sbx_scan_lines($0.baseAddress, $0.count, out.baseAddress) }
    }
  }

  /// The first finding in `range`, or nil. Inlined: it is asked several times for each line.
  @inlinable package func first(_ finding: Finding, in range: Range<Int>) -> Int? {
    guard range.lowerBound < range.upperBound else { return nil }
    var block = range.lowerBound >> 6
    let last = (range.upperBound - 1) >> 6
    var word = words[block << 2 + finding.rawValue] & (~0 << UInt64(range.lowerBound & 63))
    while true {
      if word != 0 {
        let at = block << 6 + word.trailingZeroBitCount
        return at < range.upperBound ? at : nil
      }
      if block == last { return nil }
      block += 1
      word = words[block << 2 + finding.rawValue]
    }
  }
}

extension Array where Element == UInt8 {
  /// Appends a part of `bytes` in one copy.
  package mutating func append(_ bytes: Span<UInt8>, _ range: Range<Int>) {
    let part = bytes.extracting(range)
    unsafe part.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
  }
}

extension Descriptor {
  /// Reads at most `count` bytes at `offset` to the start of `buffer`, which grows to `count` where it is shorter and is never
  /// given up: for repeated reading.
  /// - Returns: how many; 0 at the end of the file.
  package borrowing func fill(_ buffer: inout [UInt8], count: Int, at offset: UInt64) throws(FileError) -> Int {
    if buffer.count < count { buffer.append(contentsOf: repeatElement(0, count: count - buffer.count)) }
    let raw = self.raw
    var failure: Int32 = 0
    let got = unsafe buffer.withUnsafeMutableBytes { memory in
      // `memory` holds at least `count` bytes.
      while true {
        let got = unsafe pread(raw, memory.baseAddress, count, off_t(clamping: offset))
        failure = got < 0 ? sbx_errno() : 0
        if failure != EINTR { return got }
      }
    }
    if failure != 0 { throw FileError("read", path, code: failure) }
    return got
  }
}
