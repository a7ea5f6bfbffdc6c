internal import Files
internal import FleetModel

/// Finds out where in a `progress.csv` that was written anew with more columns lies the end of what was read before.
///
/// Stable-Baselines3 writes the file anew, in place, when a new key appears: the header gets the new names at its end, and each
/// row that was there as many separators. So what was there before can be made from what is there now, and is believed only
/// where it has the length that was read and ends with the bytes that were read last.
/// - Source: stable_baselines3/common/logger.py (CSVOutputFormat.write).
struct RewrittenProgress {
  /// A larger file is not searched: reading it again costs rows twice, searching it would cost time again and again.
  static let fileBytesMax: UInt64 = 64 << 20

  enum Answer: Equatable {
    case goesOn
    /// What was read before ends with the line just taken.
    case found
    case isOther
  }

  private let columns: Int
  private let offset: UInt64
  private let tailHash: UInt64
  /// Bytes of the lines so far, as they were.
  private var length: UInt64 = 0
  private var tail: [UInt8] = []

  /// - Parameters:
  ///   - columns: how many there are more than before, at least 1.
  ///   - offset: how far it was read before.
  ///   - tailHash: of the 64 bytes before that.
  init(columns: Int, offset: UInt64, tailHash: UInt64) {
    self.columns = columns
    self.offset = offset
    self.tailHash = tailHash
  }

  /// - Parameter line: the next one, without its newline; the first is the header.
  mutating func take(_ bytes: Span<UInt8>, _ line: Range<Int>) -> Answer {
    guard let end = length == 0 ? endOfNames(bytes, line) : endOfFields(bytes, line) else { return .isOther }
    length += UInt64(end - line.lowerBound) + 1
    guard length <= offset else { return .isOther }
    if offset - length < FollowedFile.tailBytes {
      tail.append(bytes, line.lowerBound..<end)
      tail.append(UInt8(ascii: "\n"))
    }
    guard length == offset else { return .goesOn }
    let kept = tail.count - min(tail.count, Int(min(FollowedFile.tailBytes, offset)))
    return ContentHash.of(tail.span.extracting(kept..<tail.count)) == tailHash ? .found : .isOther
  }

  private func endOfNames(_ bytes: Span<UInt8>, _ line: Range<Int>) -> Int? {
    var left = columns
    for at in line.reversed() where bytes[at] == UInt8(ascii: ",") {
      left -= 1
      if left == 0 { return at }
    }
    return nil
  }

  private func endOfFields(_ bytes: Span<UInt8>, _ line: Range<Int>) -> Int? {
    let end = line.upperBound - columns
    guard end >= line.lowerBound else { return nil }
    for at in end..<line.upperBound where bytes[at] != UInt8(ascii: ",") { return nil }
    return end
  }
}
