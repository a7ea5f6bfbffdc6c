internal import CLinux

/// Finds where in a text one of many words may stand, without looking at most of its bytes.
///
/// Of each word a few groups of four bytes stand in a table of 65 536 bits. The text is looked at only every `stride` bytes; each
/// word has so many groups in a row that one of them lies on such a position wherever the word stands. What is found is a hint, for
/// an exact look at the few words with such a group; what is not found is not there. Case of ASCII letters makes no difference.
///
/// Source: the idea is that of S. Wu, U. Manber, "A fast algorithm for multi-pattern searching", 1994, with steps of equal length.
package struct WordSieve: Sendable {
  package static let wordBytesMin = 4
  private static let strideMax = 8
  private static let bitCount = 65_536
  private static let headCount = 1024

  /// A group of a word.
  private struct Group {
    var four: UInt32
    var word: Int
    /// Of the group in the word.
    var offset: Int
    /// The next one with the same head; -1 = none.
    var next: Int
  }

  /// Distance of the positions that are looked at, 1…8: words of eleven bytes and more make it the longest.
  package let stride: Int
  private let words: [[UInt8]]
  private var bits = [UInt64](repeating: 0, count: bitCount / 64)
  private var heads = [Int](repeating: -1, count: headCount)
  private var groups: [Group] = []

  /// - Parameter words: ASCII letters of them in lower case.
  /// - Returns: nil where there is no word, or one of fewer than four bytes.
  package init?(_ words: [[UInt8]]) {
    guard let shortest = words.map(\.count).min(), shortest >= Self.wordBytesMin else { return nil }
    stride = min(Self.strideMax, shortest - Self.wordBytesMin + 1)
    self.words = words
    for (place, word) in words.enumerated() {
      let start = Self.rarest(word, stride)
      for offset in start..<start + stride {
        let four = Self.four(word.span, offset)
        let hash = Int(sbx_sieve_hash(four))
        bits[hash >> 6] |= 1 << UInt64(hash & 63)
        groups.append(Group(four: four, word: place, offset: offset, next: heads[hash % Self.headCount]))
        heads[hash % Self.headCount] = groups.count - 1
      }
    }
  }

  /// The words that stand at a position that `find` gave.
  /// - Parameters:
  ///   - range: what they must lie in.
  ///   - found: called with the index of each among the words.
  package func look(at place: Int, in text: Span<UInt8>, _ range: Range<Int>, _ found: (Int) -> Void) {
    guard place >= range.lowerBound, place + 4 <= range.upperBound else { return }
    let four = Self.four(text, place)
    var next = heads[Int(sbx_sieve_hash(four)) % Self.headCount]
    while next >= 0 {
      let group = groups[next]
      next = group.next
      if group.four == four, stands(words[group.word], at: place - group.offset, in: text, range) { found(group.word) }
    }
  }

  private func stands(_ word: [UInt8], at start: Int, in text: Span<UInt8>, _ range: Range<Int>) -> Bool {
    guard start >= range.lowerBound, start + word.count <= range.upperBound else { return false }
    for index in word.indices {
      let byte = text[start + index]
      let lower = byte &- 65 < 26 ? byte | 0x20 : byte
      if lower != word[index] { return false }
    }
    return true
  }

  /// - Parameter places: where a word may stand, ascending: each lies within a word if it is one.
  /// - Returns: false where there are more than one in 64 bytes: then each line is worth a look.
  package func find(in text: Span<UInt8>, _ places: inout [UInt32]) -> Bool {
    let room = text.count / 64 + 16
    if places.count < room { places.append(contentsOf: repeatElement(0, count: room - places.count)) }
    let found = unsafe places.withUnsafeMutableBufferPointer { out in
      unsafe bits.withUnsafeBufferPointer { table in
        // `out` has room for `room` positions, `table` has all bits that 16 bits of hash name.
        unsafe text.withUnsafeBufferPointer {
          unsafe sbx_sieve($0.baseAddress, $0.count, stride, table.baseAddress, out.baseAddress, room)
        }
      }
    }
    places.removeLast(places.count - min(found, room))
    return found <= room
  }

  /// Four bytes as they lie in memory, letters of either case alike.
  private static func four(_ text: Span<UInt8>, _ at: Int) -> UInt32 {
    var four: UInt32 = 0
    for byte in 0..<4 { four |= UInt32(text[at + byte] | 0x20) << UInt32(8 * byte) }
    return UInt32(littleEndian: four)
  }

  /// Where in the word the groups are that ordinary text has least often.
  private static func rarest(_ word: [UInt8], _ stride: Int) -> Int {
    let common = Array(" etaoinsrhldcumpg:=.0123456789-_/".utf8)
    let weights = word.map { byte in common.firstIndex(of: byte | 0x20).map { common.count - $0 } ?? 0 }
    var best = (start: 0, weight: Int.max)
    for start in 0...(word.count - stride - 3) {
      let weight = weights[start..<start + stride + 3].reduce(0, +)
      if weight < best.weight { best = (start, weight) }
    }
    return best.start
  }
}
