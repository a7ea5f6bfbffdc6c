internal import FleetModel

/// Reads the lines of a text exposition, without an allocation a line.
///
/// Source: prometheus.io/docs, "Exposition formats" (0.0.4); OpenMetrics 1.0, section "Text format". Names in quotes (UTF-8 names) are
/// not read. Cost: O(bytes).
struct ExpositionLines {
  enum Line: Equatable {
    case type(name: Range<Int>, word: Range<Int>)
    /// `labels` holds those of the line.
    case sample(name: Range<Int>, value: Double)
    /// A comment, or nothing.
    case blank
    /// OpenMetrics' `# EOF`.
    case end
    case unreadable
  }

  struct Label: Equatable {
    var name: Range<Int>
    /// Between its quotes.
    var value: Range<Int>
    var isEscaped: Bool
  }

  let bytes: [UInt8]
  private(set) var labels: [Label] = []
  private var at = 0
  /// Of the line that is read.
  private var end = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// - Returns: nil after the last line.
  mutating func next() -> Line? {
    guard at < bytes.count else { return nil }
    end = bytes[at...].firstIndex(of: 10) ?? bytes.count
    let after = end + 1
    if end > at, bytes[end - 1] == 13 { end -= 1 }
    let line = read()
    at = after
    return line
  }

  func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

  /// - Returns: the value with `\\`, `\"` and `\n` as what they stand for.
  func text(_ label: Label) -> String {
    guard label.isEscaped else { return text(label.value) }
    var out: [UInt8] = []
    var place = label.value.lowerBound
    while place < label.value.upperBound {
      var byte = bytes[place]
      if byte == UInt8(ascii: "\\"), place + 1 < label.value.upperBound {
        place += 1
        byte = bytes[place] == UInt8(ascii: "n") ? 10 : bytes[place]
      }
      out.append(byte)
      place += 1
    }
    return String(decoding: out, as: UTF8.self)
  }

  private mutating func read() -> Line {
    skipBlanks()
    guard at < end else { return .blank }
    if bytes[at] == UInt8(ascii: "#") { return comment() }
    labels.removeAll(keepingCapacity: true)
    guard let name = word(colons: true) else { return .unreadable }
    skipBlanks()
    if at < end, bytes[at] == UInt8(ascii: "{") {
      at += 1
      guard readLabels() else { return .unreadable }
      skipBlanks()
    }
    guard let value = number() else { return .unreadable }
    skipBlanks()
    // A time, which is not used: the value is of now.
    if at < end, bytes[at] != UInt8(ascii: "#"), number() == nil { return .unreadable }
    skipBlanks()
    // What follows is an exemplar.
    return at == end || bytes[at] == UInt8(ascii: "#") ? .sample(name: name, value: value) : .unreadable
  }

  private mutating func comment() -> Line {
    at += 1
    skipBlanks()
    let keyword = token()
    if bytes[keyword].elementsEqual("EOF".utf8) { return .end }
    guard bytes[keyword].elementsEqual("TYPE".utf8) else { return .blank }
    skipBlanks()
    let name = token()
    skipBlanks()
    let word = token()
    return name.isEmpty || word.isEmpty ? .unreadable : .type(name: name, word: word)
  }

  /// Behind the opening brace; to behind the closing one.
  private mutating func readLabels() -> Bool {
    while true {
      skipBlanks()
      guard at < end else { return false }
      if bytes[at] == UInt8(ascii: "}") {
        at += 1
        return true
      }
      guard let name = word(colons: false) else { return false }
      skipBlanks()
      guard take(UInt8(ascii: "=")) else { return false }
      skipBlanks()
      guard take(UInt8(ascii: "\"")) else { return false }
      let start = at
      var isEscaped = false
      while at < end, bytes[at] != UInt8(ascii: "\"") {
        if bytes[at] == UInt8(ascii: "\\") {
          isEscaped = true
          at += 1
        }
        at += 1
      }
      guard at < end else { return false }
      labels.append(Label(name: name, value: start..<at, isEscaped: isEscaped))
      at += 1
      skipBlanks()
      guard at < end, bytes[at] == UInt8(ascii: ",") || bytes[at] == UInt8(ascii: "}") else { return false }
      if bytes[at] == UInt8(ascii: ",") { at += 1 }
    }
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard at < end, bytes[at] == byte else { return false }
    at += 1
    return true
  }

  private mutating func word(colons: Bool) -> Range<Int>? {
    let start = at
    while at < end {
      switch bytes[at] {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): break
      case UInt8(ascii: "0")...UInt8(ascii: "9") where at > start: break
      case UInt8(ascii: ":") where colons: break
      default: return at > start ? start..<at : nil
      }
      at += 1
    }
    return at > start ? start..<at : nil
  }

  private mutating func token() -> Range<Int> {
    let start = at
    while at < end, bytes[at] != 0x20, bytes[at] != 0x09 { at += 1 }
    return start..<at
  }

  private mutating func number() -> Double? {
    let range = token()
    return range.isEmpty ? nil : DecimalNumber.parse(bytes.span, range)
  }

  private mutating func skipBlanks() {
    while at < end, bytes[at] == 0x20 || bytes[at] == 0x09 { at += 1 }
  }
}
