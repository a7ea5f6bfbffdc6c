package import FleetModel

/// A regular expression for log lines that a hostile line cannot make slow.
///
/// Why not Swift's `Regex`: it backtracks, and each log line of the fleet pays for it (`signalbox-bench rules` prints ns a line
/// beside it). This one is Glushkov's automaton, one bit a position: the cost is bytes of the line times at most
/// `positionsMax` bit steps whatever the line holds, with no allocation a line.
///
/// The subset: literals, `.`, `[a-z]`, `[^…]`, `\d \w \s \D \W \S`, escapes, `( )`, `(?: )`, `|`, `* + ?` and `{n,m}` (also lazy,
/// which is the same where only "does it match" is asked), `^` and `$` at line ends, `(?i)` in front. No captures, no
/// back references, no look-around. It works on bytes; a character outside ASCII is its UTF-8.
package struct LinePattern: Sendable {
  /// Positions of a pattern after `{n,m}` is written out; keeps one line's cost bounded.
  package static let positionsMax = PatternTree.positionsMax
  /// Beside the 256 bytes: where a line begins and ends.
  private static let lineStart = 256
  private static let lineEnd = 257

  package let text: String
  /// Bytes, lower case, of which each match holds one whole; empty = not known.
  package let literals: [[UInt8]]
  private let words: Int
  /// `masks[symbol * words…]`: positions that take the symbol.
  private let masks: [UInt64]
  /// `follow[position * words…]`: positions that may come next.
  private let follow: [UInt64]
  private let first: [UInt64]
  private let last: [UInt64]

  /// - Throws: one sentence about what is wrong with the pattern.
  package init(_ text: String) throws(LinePatternError) {
    self.text = text
    var parser = LinePatternParser(text)
    let tree = try parser.parse()
    literals = LineLiterals.required(of: tree)
    var builder = PositionBuilder()
    let whole = try builder.add(tree)
    guard !whole.isNullable else {
      throw LinePatternError("matches every line, because it also matches nothing at all")
    }
    let count = builder.symbols.count
    let words = (count + 63) / 64
    var masks = [UInt64](repeating: 0, count: 258 * words)
    var follow = [UInt64](repeating: 0, count: count * words)
    for (position, symbols) in builder.symbols.enumerated() {
      for symbol in 0..<258 where symbols.contains(symbol) {
        masks[symbol * words + position / 64] |= 1 << UInt64(position % 64)
      }
      for next in builder.follow[position] { follow[position * words + next / 64] |= 1 << UInt64(next % 64) }
    }
    self.words = words
    self.masks = masks
    self.follow = follow
    first = Self.set(whole.first, words)
    last = Self.set(whole.last, words)
  }

  private static func set(_ positions: Set<Int>, _ words: Int) -> [UInt64] {
    var bits = [UInt64](repeating: 0, count: words)
    for position in positions { bits[position / 64] |= 1 << UInt64(position % 64) }
    return bits
  }

  /// Whether the pattern is found anywhere in the line. `^` and `$` also stand at the line ends inside a joined record.
  package func matches(_ line: Span<UInt8>) -> Bool {
    words == 1 ? matchesNarrow(line) : matchesWide(line)
  }

  package func matches(_ line: String) -> Bool { matches(Array(line.utf8).span) }

  /// Up to 64 positions: the whole state is one register.
  private func matchesNarrow(_ line: Span<UInt8>) -> Bool {
    let (start, end) = (first[0], last[0])
    var state: UInt64 = 0
    func step(_ symbol: Int) -> UInt64 {
      var next = start
      var rest = state
      while rest != 0 {
        next |= follow[rest.trailingZeroBitCount]
        rest &= rest &- 1
      }
      return next & masks[symbol]
    }
    state = step(Self.lineStart)
    if state & end != 0 { return true }
    for index in line.indices {
      let byte = line[index]
      if byte == UInt8(ascii: "\n") { state |= step(Self.lineEnd) }
      if state & end != 0 { return true }
      state = step(Int(byte))
      if byte == UInt8(ascii: "\n") { state |= step(Self.lineStart) }
      if state & end != 0 { return true }
    }
    return (state | step(Self.lineEnd)) & end != 0
  }

  private func matchesWide(_ line: Span<UInt8>) -> Bool {
    var state = [UInt64](repeating: 0, count: words)
    var next = state
    feed(Self.lineStart, &state, &next, isZeroWidth: true)
    if isMatch(state) { return true }
    for index in line.indices {
      let byte = line[index]
      if byte == UInt8(ascii: "\n") {
        feed(Self.lineEnd, &state, &next, isZeroWidth: true)
        if isMatch(state) { return true }
      }
      feed(Int(byte), &state, &next, isZeroWidth: false)
      if byte == UInt8(ascii: "\n") { feed(Self.lineStart, &state, &next, isZeroWidth: true) }
      if isMatch(state) { return true }
    }
    feed(Self.lineEnd, &state, &next, isZeroWidth: true)
    return isMatch(state)
  }

  private func feed(_ symbol: Int, _ state: inout [UInt64], _ next: inout [UInt64], isZeroWidth: Bool) {
    for word in 0..<words { next[word] = first[word] }
    for word in 0..<words {
      var rest = state[word]
      while rest != 0 {
        let position = word * 64 + rest.trailingZeroBitCount
        for other in 0..<words { next[other] |= follow[position * words + other] }
        rest &= rest &- 1
      }
    }
    for word in 0..<words {
      let taken = next[word] & masks[symbol * words + word]
      state[word] = isZeroWidth ? state[word] | taken : taken
    }
  }

  private func isMatch(_ state: [UInt64]) -> Bool {
    for word in 0..<words where state[word] & last[word] != 0 { return true }
    return false
  }
}

/// Glushkov's construction: which positions come first, last and after each other.
private struct PositionBuilder {
  struct Part {
    var first: Set<Int> = []
    var last: Set<Int> = []
    var isNullable = false
  }

  var symbols: [SymbolSet] = []
  var follow: [Set<Int>] = []

  mutating func add(_ tree: PatternTree) throws(LinePatternError) -> Part {
    switch tree {
    case .empty: return Part(isNullable: true)
    case .symbols(let set):
      guard symbols.count < LinePattern.positionsMax else {
        throw LinePatternError(
          "is too long: {n,m} written out, a pattern has at most \(LinePattern.positionsMax) places")
      }
      symbols.append(set)
      follow.append([])
      return Part(first: [symbols.count - 1], last: [symbols.count - 1])
    case .sequence(let parts): return try sequence(parts)
    case .choice(let parts):
      var whole = Part()
      for part in parts {
        let part = try add(part)
        whole.first.formUnion(part.first)
        whole.last.formUnion(part.last)
        whole.isNullable = whole.isNullable || part.isNullable
      }
      return whole
    case .repeated(let part, let least, let most): return try repeated(part, least, most)
    case .named(_, let part): return try add(part)
    }
  }

  private mutating func sequence(_ parts: [PatternTree]) throws(LinePatternError) -> Part {
    var whole = Part(isNullable: true)
    for part in parts {
      let part = try add(part)
      for position in whole.last { follow[position].formUnion(part.first) }
      if whole.isNullable { whole.first.formUnion(part.first) }
      whole.last = part.isNullable ? whole.last.union(part.last) : part.last
      whole.isNullable = whole.isNullable && part.isNullable
    }
    return whole
  }

  private mutating func repeated(
    _ tree: PatternTree, _ least: Int, _ most: Int?
  ) throws(LinePatternError) -> Part {
    guard let most else {
      let copies = [PatternTree](repeating: tree, count: max(0, least - 1))
      let head = try sequence(copies)
      var part = try add(tree)
      for position in part.last { follow[position].formUnion(part.first) }
      part.isNullable = part.isNullable || least == 0
      for position in head.last { follow[position].formUnion(part.first) }
      return Part(
        first: head.isNullable ? head.first.union(part.first) : head.first,
        last: part.isNullable ? head.last.union(part.last) : part.last,
        isNullable: head.isNullable && part.isNullable)
    }
    let copies = [PatternTree](repeating: tree, count: least)
    let optional = PatternTree.choice([tree, .empty])
    return try sequence(copies + [PatternTree](repeating: optional, count: max(0, most - least)))
  }
}
