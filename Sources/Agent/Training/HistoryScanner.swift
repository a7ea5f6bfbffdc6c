/// Finds the rows in a `trainer_state.json`, byte by byte, without a tree: the objects in the array `log_history` of the outermost object.
///
/// A row can be gone on behind: where the bytes before an offset end with one, the scanner is made anew from that alone.
struct HistoryScanner {
  enum Event: Equatable {
    case none
    case rowStart
    /// The byte is the row's last.
    case rowEnd
    case historyEnd
    /// The byte is the document's last.
    case over
  }

  private static let depthMax = 64
  private static let name = Array("log_history".utf8)

  private var depth: Int
  private var isInHistory: Bool
  private var isInString = false
  private var isEscaped = false
  /// The last string of the outermost object, as far as it is compared.
  private var string: [UInt8] = []
  private(set) var isOver = false
  /// The bytes are no such document.
  private(set) var isFailed = false

  /// - Parameter isBehindRow: the bytes before the first one end with a row.
  init(isBehindRow: Bool = false) {
    depth = isBehindRow ? 2 : 0
    isInHistory = isBehindRow
  }

  mutating func take(_ byte: UInt8) -> Event {
    if isInString {
      takeOfString(byte)
      return .none
    }
    switch byte {
    case UInt8(ascii: "\""):
      isInString = true
      if depth == 1 { string.removeAll(keepingCapacity: true) }
    case UInt8(ascii: "{"), UInt8(ascii: "["): return open(byte)
    case UInt8(ascii: "}"), UInt8(ascii: "]"): return close()
    default: if isOver, byte > 0x20 { isFailed = true }
    }
    return .none
  }

  private mutating func takeOfString(_ byte: UInt8) {
    if isEscaped {
      isEscaped = false
    } else if byte == UInt8(ascii: "\\") {
      isEscaped = true
    } else if byte == UInt8(ascii: "\"") {
      isInString = false
      return
    }
    if depth == 1, string.count <= Self.name.count { string.append(byte) }
  }

  private mutating func open(_ byte: UInt8) -> Event {
    depth += 1
    if isOver || depth > Self.depthMax { isFailed = true }
    if isInHistory { return depth == 3 && byte == UInt8(ascii: "{") ? .rowStart : .none }
    if depth == 2, byte == UInt8(ascii: "["), string == Self.name { isInHistory = true }
    return .none
  }

  private mutating func close() -> Event {
    depth -= 1
    if depth < 0 { isFailed = true }
    if isInHistory, depth == 2 { return .rowEnd }
    if isInHistory, depth == 1 {
      isInHistory = false
      string.removeAll()
      return .historyEnd
    }
    isOver = depth == 0
    return isOver ? .over : .none
  }
}
