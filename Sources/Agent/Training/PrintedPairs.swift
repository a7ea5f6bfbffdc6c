internal import FleetModel

/// Names with numbers in one printed line, as far as they are separated by bars, commas, dashes or blanks.
struct PrintedPairs {
  private static let nameBytesMax = 64
  /// What may follow a number; all else means that it was none.
  private static let units = ["%", "ms", "s", "GiB", "MiB", "KiB", "GB", "MB", "KB", "it/s", "B"]

  private var at: Int
  private let end: Int

  init(_ bytes: Span<UInt8>, _ line: Range<Int>) {
    at = line.lowerBound
    var end = line.upperBound
    while end > at, Self.isBlank(bytes[end - 1]) { end -= 1 }
    self.end = end
  }

  /// `step 250:`, `iteration      100/    1000 |`, `[10]`, `global_step=10,`: the number; nil where there is none.
  mutating func lead(_ bytes: Span<UInt8>) -> Int64? {
    while at < end, Self.isName(bytes[at]), bytes[at] &- 48 > 9 { at += 1 }
    while at < end, Self.isBlank(bytes[at]) || Self.isOf(bytes[at], Sets.lead) { at += 1 }
    guard let number = digits(bytes) else { return nil }
    skipBlanks(bytes)
    if at < end, bytes[at] == UInt8(ascii: "/") {
      at += 1
      skipBlanks(bytes)
      _ = digits(bytes)
    }
    while at < end, Self.isBlank(bytes[at]) || Self.isOf(bytes[at], Sets.behindLead) { at += 1 }
    return number
  }

  /// `10/100 ━━━━ 1s 3ms/step - `: up to the first dash between blanks.
  mutating func skipBar(_ bytes: Span<UInt8>) {
    while at < end, !bytes.holds(" - ", at: at) { at += 1 }
    at = min(end, at + 3)
  }

  private mutating func digits(_ bytes: Span<UInt8>) -> Int64? {
    let start = at
    while at < end, bytes[at] &- 48 <= 9 { at += 1 }
    return at > start ? DecimalNumber.parseInteger(bytes, start..<at) : nil
  }

  private mutating func skipBlanks(_ bytes: Span<UInt8>) { while at < end, Self.isBlank(bytes[at]) { at += 1 } }

  /// All pairs that are left, by what separates them.
  mutating func takeAll(_ bytes: Span<UInt8>, into figures: inout RowFigures) {
    let rest = at..<end
    if rest.contains(where: { bytes[$0] == UInt8(ascii: "|") }) {
      split(bytes, into: &figures) { bytes[$0] == UInt8(ascii: "|") }
    } else if rest.contains(where: { bytes[$0] == UInt8(ascii: "\t") }) {
      split(bytes, into: &figures) { bytes[$0] == UInt8(ascii: "\t") }
    } else if rest.contains(where: { bytes.holds(", ", at: $0) }) {
      split(bytes, into: &figures) { bytes.holds(", ", at: $0) }
    } else if rest.contains(where: { bytes.holds(" - ", at: $0) }) {
      split(bytes, into: &figures) { bytes.holds(" - ", at: $0) }
    } else {
      words(bytes, into: &figures)
      // `loss 0.25` alone.
      if figures.metrics.isEmpty { segment(bytes, rest, into: &figures) }
    }
  }

  /// Pairs between tabs, also where there is one.
  mutating func takeTabbed(_ bytes: Span<UInt8>, into figures: inout RowFigures) {
    split(bytes, into: &figures) { bytes[$0] == UInt8(ascii: "\t") }
  }

  /// Segments outside of brackets.
  private mutating func split(
    _ bytes: Span<UInt8>, into figures: inout RowFigures, at isSeparator: (Int) -> Bool
  ) {
    var (start, depth) = (at, 0)
    while at < end {
      if Self.isOf(bytes[at], Sets.opening) { depth += 1 }
      if Self.isOf(bytes[at], Sets.closing) { depth -= 1 }
      if depth <= 0, isSeparator(at) {
        segment(bytes, start..<at, into: &figures)
        start = at + (bytes[at] == UInt8(ascii: " ") ? 3 : 1)
        at = max(start, at + 1)
      } else {
        at += 1
      }
    }
    if start < end { segment(bytes, start..<end, into: &figures) }
  }

  /// `lm loss: 1.2E+00`, `lr=[0.001]`, `train loss 2.1`.
  private func segment(_ bytes: Span<UInt8>, _ range: Range<Int>, into figures: inout RowFigures) {
    let separator = range.last { Self.isOf(bytes[$0], Sets.assigning) }
    guard let middle = separator ?? range.dropLast().last(where: { Self.isBlank(bytes[$0]) }) else { return }
    add(bytes, range.lowerBound..<middle, middle + 1..<range.upperBound, into: &figures)
  }

  /// `step:  1  loss:  8.1  memory: 0.5GiB(1%)`: names end with a colon, or have their value behind `=`.
  private mutating func words(_ bytes: Span<UInt8>, into figures: inout RowFigures) {
    var name = 0..<0
    while at < end {
      skipBlanks(bytes)
      let start = at
      while at < end, !Self.isBlank(bytes[at]) { at += 1 }
      guard at > start else { return }
      if bytes[at - 1] == UInt8(ascii: ":") {
        name = start..<at - 1
      } else if let middle = (start..<at).first(where: { Self.isOf(bytes[$0], Sets.assigning) }) {
        add(bytes, start..<middle, middle + 1..<at, into: &figures)
        name = 0..<0
      } else {
        if !name.isEmpty { add(bytes, name, start..<at, into: &figures) }
        name = 0..<0
      }
    }
  }

  private func add(
    _ bytes: Span<UInt8>, _ name: Range<Int>, _ value: Range<Int>, into figures: inout RowFigures
  ) {
    var (start, end) = (name.lowerBound, name.upperBound)
    while start < end, Self.isBlank(bytes[start]) { start += 1 }
    while end > start, Self.isBlank(bytes[end - 1]) { end -= 1 }
    guard end > start, end - start <= Self.nameBytesMax, (start..<end).allSatisfy({ Self.isName(bytes[$0]) }),
      (start..<end).contains(where: { bytes[$0] | 0x20 >= 97 && bytes[$0] | 0x20 <= 122 }),
      let number = Self.number(bytes, value)
    else { return }
    figures.add(MetricName.text((start..<end).map { bytes[$0] }), number)
  }

  /// A number with a unit, with commas between thousands, or alone in a list.
  private static func number(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Double? {
    var (start, end) = (range.lowerBound, range.upperBound)
    while start < end, isBlank(bytes[start]) || isOf(bytes[start], Sets.before) { start += 1 }
    while end > start, isBlank(bytes[end - 1]) || isOf(bytes[end - 1], Sets.behind) { end -= 1 }
    if let value = DecimalNumber.parseLogged(bytes, start..<end) { return value }
    var digits: [UInt8] = []
    var at = start
    while at < end, (97...122).contains(bytes[at] | 0x20) { at += 1 }
    // `nan (nan%)`, `inf ms`
    let notFinite = at > start && at < end ? DecimalNumber.parseLogged(bytes, start..<at) : nil
    if notFinite == nil { at = start }
    while notFinite == nil, at < end, digits.count < 40 {
      let byte = bytes[at]
      let isExponent = byte | 0x20 == UInt8(ascii: "e") && at + 1 < end && isOf(bytes[at + 1], Sets.exponent)
      let isSign = isOf(byte, Sets.signs) && (at == start || bytes[at - 1] | 0x20 == UInt8(ascii: "e"))
      let isThousands = byte == UInt8(ascii: ",") && at + 3 < end && bytes[at + 1] &- 48 <= 9
      guard byte &- 48 <= 9 || byte == UInt8(ascii: ".") || isExponent || isSign || isThousands else { break }
      if !isThousands { digits.append(byte) }
      at += 1
    }
    while at < end, isBlank(bytes[at]) { at += 1 }
    let isWhole =
      at == end || notFinite != nil && bytes[at] == UInt8(ascii: "(")
      || units.contains { unit in
        bytes.holds(unit, at: at) && (at + unit.utf8.count == end || isOf(bytes[at + unit.utf8.count], Sets.behindUnit))
      }
    // `0.24 + 0.01`: the deviation of a cross-validation stands behind its mean.
    let isMean = at + 1 < end && bytes[at] == UInt8(ascii: "+")
    return isWhole || isMean ? notFinite ?? DecimalNumber.parse(digits.span, 0..<digits.count) : nil
  }

  // MARK: Python

  /// `{'loss': 1.2, 'epoch': 0.1}`: what `print` makes of a flat dict; numbers may be quoted.
  /// - Returns: false where it is something else.
  mutating func takeDict(_ bytes: Span<UInt8>, into figures: inout RowFigures) -> Bool {
    guard at < end, bytes[end - 1] == UInt8(ascii: "}") else { return false }
    at += 1
    while at < end - 1 {
      while at < end, Self.isBlank(bytes[at]) || bytes[at] == UInt8(ascii: ",") { at += 1 }
      guard bytes[at] == UInt8(ascii: "'"), let quote = (at + 1..<end).first(where: { bytes[$0] == UInt8(ascii: "'") }),
        bytes.holds("': ", at: quote)
      else { return false }
      let name = at + 1..<quote
      at = quote + 3
      let start = at
      while at < end - 1, bytes[at] != UInt8(ascii: ",") {
        if Self.isOf(bytes[at], Sets.nesting) { return false }
        at += 1
      }
      add(bytes, name, start..<at, into: &figures)
    }
    return true
  }

  // MARK: Bytes

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

  @inline(__always) private static func isOf(_ byte: UInt8, _ set: SymbolSet) -> Bool { set.contains(Int(byte)) }

  private enum Sets {
    private static func set(_ text: String) -> SymbolSet { SymbolSet(text.utf8.map { $0...$0 }) }

    static let lead = set(":=[#")
    static let behindLead = set("]:,|-")
    static let opening = set("[(")
    static let closing = set("])")
    static let assigning = set(":=")
    static let before = set("['")
    static let behind = set("]',")
    static let exponent = set("+-0123456789")
    static let signs = set("+-")
    static let behindUnit = set("( ")
    static let nesting = set("[({")
    static let inNames = set(" _-/.()@'%")
  }

  /// Letters, digits and what metrics have in their names.
  private static func isName(_ byte: UInt8) -> Bool {
    byte &- 48 <= 9 || (97...122).contains(byte | 0x20) || isOf(byte, Sets.inNames) || byte == 0x09
  }
}
