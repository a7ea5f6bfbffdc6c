internal import Files
internal import FleetModel

/// Finds out where in a `progress.csv` that was written anew with more columns lies the end of what was read before.
///
/// Stable-Baselines3 writes the file anew, in place, when a new key appears: the header gets the new names at its end, and each
/// row that was there as many separators. So what was there before can be made from what is there now, and is taken for it only
/// where it has the length that was read and ends with the bytes that were read last. How many columns came is not known: every number
/// that the lines so far allow is followed at once, so that the file is passed once.
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

  /// A number of new columns, and how long the lines so far were without them.
  private struct Candidate {
    var columns: Int
    var length: UInt64
  }

  /// A line without the separators at its end, of which `commas` stood there; only its last bytes.
  private struct Row {
    var text: [UInt8]
    var commas: Int
  }

  private let offset: UInt64
  private let tailHash: UInt64
  private var candidates: [Candidate] = []
  private var header: [UInt8] = []
  private var isHeaderTaken = false
  /// The last ones: each has at least its newline among the bytes that the hash covers.
  private var rows: [Row] = []
  private static let tailBytes = Int(FollowedFile.tailBytes)

  /// - Parameters:
  ///   - offset: how far it was read before.
  ///   - tailHash: of the 64 bytes before that.
  init(offset: UInt64, tailHash: UInt64) {
    self.offset = offset
    self.tailHash = tailHash
  }

  /// - Parameter line: the next one, without its newline; the first is the header.
  mutating func take(_ bytes: Span<UInt8>, _ line: Range<Int>) -> Answer {
    if isHeaderTaken, candidates.isEmpty { return .isOther }
    if isHeaderTaken { takeRow(bytes, line) } else { takeHeader(bytes, line) }
    if candidates.contains(where: { $0.length == offset && ContentHash.of(tail($0.columns).span) == tailHash }) {
      return .found
    }
    candidates.removeAll { $0.length >= offset }
    return candidates.isEmpty ? .isOther : .goesOn
  }

  /// One name or more must have been there before.
  private mutating func takeHeader(_ bytes: Span<UInt8>, _ line: Range<Int>) {
    isHeaderTaken = true
    header.append(bytes, line)
    for at in line.reversed() where bytes[at] == UInt8(ascii: ",") {
      guard candidates.count < TrainingLimits.columnsMax else { break }
      candidates.append(Candidate(columns: candidates.count + 1, length: UInt64(at - line.lowerBound) + 1))
    }
  }

  private mutating func takeRow(_ bytes: Span<UInt8>, _ line: Range<Int>) {
    var end = line.upperBound
    while end > line.lowerBound, bytes[end - 1] == UInt8(ascii: ",") { end -= 1 }
    let commas = line.upperBound - end
    candidates.removeAll { $0.columns > commas }
    for index in candidates.indices {
      candidates[index].length += UInt64(line.count - candidates[index].columns) + 1
    }
    if rows.count == Self.tailBytes { rows.removeFirst() }
    var row = Row(text: [], commas: commas)
    row.text.append(bytes, max(line.lowerBound, end - Self.tailBytes)..<end)
    rows.append(row)
  }

  /// The bytes that the hash covers, if `columns` came.
  private func tail(_ columns: Int) -> [UInt8] {
    let wanted = Int(min(FollowedFile.tailBytes, offset))
    var reversed: [UInt8] = []
    for row in rows.reversed() where reversed.count < wanted {
      reversed.append(UInt8(ascii: "\n"))
      reversed.append(contentsOf: repeatElement(UInt8(ascii: ","), count: min(row.commas - columns, wanted)))
      reversed.append(contentsOf: row.text.reversed())
    }
    if reversed.count < wanted {
      var left = columns
      let end = header.lastIndex { byte in
        if byte == UInt8(ascii: ",") { left -= 1 }
        return left == 0
      }
      reversed.append(UInt8(ascii: "\n"))
      reversed.append(contentsOf: header[..<(end ?? 0)].reversed())
    }
    return reversed.prefix(wanted).reversed()
  }
}

/// The same for a file whose columns are sorted anew when one comes (Lightning): what a line was before is made from what it is now by the
/// names that the columns had, which only the reader of that time knows.
/// - Source: lightning/fabric/loggers/csv_logs.py (`_rewrite_with_new_header`).
struct ResortedProgress {
  private let offset: UInt64
  private let tailHash: UInt64
  private let names: [String]
  /// Where in a row of now the columns of before are; nil before the header.
  private var places: [Int]?
  private var columns = 0
  private var isOther = false
  private var length: UInt64 = 0
  /// The last bytes of what was before.
  private var tail: [UInt8] = []
  private var row = DelimitedRow()

  init(offset: UInt64, tailHash: UInt64, names: [String]) {
    (self.offset, self.tailHash, self.names) = (offset, tailHash, names)
  }

  mutating func take(_ bytes: Span<UInt8>, _ line: Range<Int>) -> RewrittenProgress.Answer {
    let content = LineCutter.content(bytes, line)
    guard !isOther, row.split(bytes, content), places != nil || takeHeader(bytes), let places,
      row.fields.count == columns
    else { return other() }
    var before: [UInt8] = []
    for (index, place) in places.enumerated() {
      if index > 0 { before.append(UInt8(ascii: ",")) }
      before.append(bytes, row.fields[place])
    }
    // What was added is empty in the rows of before.
    let added = row.fields.indices.filter { !places.contains($0) }
    guard length == 0 || added.allSatisfy({ row.fields[$0].isEmpty }) else { return other() }
    before.append(bytes, content.upperBound..<line.upperBound)
    before.append(UInt8(ascii: "\n"))
    length += UInt64(before.count)
    tail = Array((tail + before).suffix(Int(FollowedFile.tailBytes)))
    if length == offset, ContentHash.of(tail.span) == tailHash { return .found }
    return length < offset ? .goesOn : other()
  }

  private mutating func other() -> RewrittenProgress.Answer {
    isOther = true
    return .isOther
  }

  private mutating func takeHeader(_ bytes: Span<UInt8>) -> Bool {
    let now = row.names(bytes)
    columns = now.count
    let found = names.compactMap { name in now.firstIndex(of: name) }
    guard found.count == names.count, now.count > names.count, Set(now).count == now.count else { return false }
    places = found
    return true
  }
}
