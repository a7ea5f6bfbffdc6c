/// What a pattern means.
package indirect enum PatternTree: Sendable {
  /// Positions of a pattern after `{n,m}` is written out; keeps one line's cost bounded.
  package static let positionsMax = 512

  case empty
  case symbols(SymbolSet)
  case sequence([PatternTree])
  case choice([PatternTree])
  /// - Parameter most: nil = any number.
  case repeated(PatternTree, least: Int, most: Int?)
  /// A capture, by its number.
  case named(Int, PatternTree)
}

package enum ASCII {
  package static func lower(_ byte: UInt8) -> UInt8 { byte &- 65 < 26 ? byte | 0x20 : byte }
  package static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- 97 < 26 }
  package static func isDigit(_ byte: UInt8) -> Bool { byte &- 48 < 10 }
}

/// What is wrong with a pattern, as the end of a sentence that begins with the pattern.
package struct LinePatternError: Error, Equatable, Sendable {
  package let message: String

  package init(_ message: String) { self.message = message }
}

/// Reads the subset that `LinePattern` describes, and named captures where they are asked for.
package struct LinePatternParser {
  /// Groups inside groups.
  private static let depthMax = 50
  private let bytes: [UInt8]
  private var at = 0
  private var depth = 0
  private var ignoresCase = false
  private let takesNames: Bool
  /// Of the captures, in the order in which they begin.
  package private(set) var names: [String] = []

  package init(_ text: String, takesNames: Bool = false) {
    self.takesNames = takesNames
    bytes = Array(text.utf8)
    if bytes.starts(with: "(?i)".utf8) {
      ignoresCase = true
      at = 4
    }
  }

  package mutating func parse() throws(LinePatternError) -> PatternTree {
    let tree = try choice()
    guard at == bytes.count else { throw LinePatternError("has a ')' without a '('") }
    return tree
  }

  private var next: UInt8? { at < bytes.count ? bytes[at] : nil }

  private mutating func skip(_ byte: UInt8) -> Bool {
    guard next == byte else { return false }
    at += 1
    return true
  }

  private mutating func choice() throws(LinePatternError) -> PatternTree {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.depthMax else { throw LinePatternError("has more than \(Self.depthMax) groups inside groups") }
    var parts = [try sequence()]
    while skip(UInt8(ascii: "|")) { parts.append(try sequence()) }
    return parts.count == 1 ? parts[0] : .choice(parts)
  }

  private mutating func sequence() throws(LinePatternError) -> PatternTree {
    var parts: [PatternTree] = []
    while let byte = next, byte != UInt8(ascii: "|"), byte != UInt8(ascii: ")") {
      parts.append(try repetitions(of: try atom()))
    }
    return parts.count == 1 ? parts[0] : .sequence(parts)
  }

  private mutating func repetitions(of atom: PatternTree) throws(LinePatternError) -> PatternTree {
    var tree = atom
    while let byte = next {
      switch byte {
      case UInt8(ascii: "*"): tree = .repeated(tree, least: 0, most: nil)
      case UInt8(ascii: "+"): tree = .repeated(tree, least: 1, most: nil)
      case UInt8(ascii: "?"): tree = .repeated(tree, least: 0, most: 1)
      case UInt8(ascii: "{"):
        let (least, most) = try bounds()
        tree = .repeated(tree, least: least, most: most)
      default: return tree
      }
      at += 1
      _ = skip(UInt8(ascii: "?"))
    }
    return tree
  }

  /// `{n}`, `{n,}` or `{n,m}`; ends on the closing brace.
  private mutating func bounds() throws(LinePatternError) -> (least: Int, most: Int?) {
    at += 1
    let least = number()
    var most: Int? = least
    if skip(UInt8(ascii: ",")) { most = next == UInt8(ascii: "}") ? nil : (number() ?? -1) }
    guard let least, next == UInt8(ascii: "}"), (most ?? least) >= least, (most ?? least) <= PatternTree.positionsMax
    else {
      throw LinePatternError("has a '{' that begins no repetition such as {2,5}; write \\{ for the character")
    }
    return (least, most)
  }

  private mutating func number() -> Int? {
    var value: Int?
    while let byte = next, ASCII.isDigit(byte), (value ?? 0) < 100_000 {
      value = (value ?? 0) * 10 + Int(byte - 48)
      at += 1
    }
    return value
  }

  private mutating func atom() throws(LinePatternError) -> PatternTree {
    let byte = bytes[at]
    at += 1
    switch byte {
    case UInt8(ascii: "."): return .symbols(SymbolSet().inverted)
    case UInt8(ascii: "^"): return .symbols(.lineStart)
    case UInt8(ascii: "$"): return .symbols(.lineEnd)
    case UInt8(ascii: "("): return try group()
    case UInt8(ascii: "["): return .symbols(try characterClass())
    case UInt8(ascii: "\\"): return .symbols(try escape())
    case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"), UInt8(ascii: "{"):
      throw LinePatternError(
        "repeats nothing with '\(Character(Unicode.Scalar(byte)))'; write a \\ before it for the character")
    default: return .symbols(literal(byte))
    }
  }

  private mutating func group() throws(LinePatternError) -> PatternTree {
    if takesNames, let name = try captureName() {
      names.append(name)
      let number = names.count - 1
      return .named(number, try rest())
    }
    if skip(UInt8(ascii: "?")) {
      guard skip(UInt8(ascii: ":")) else {
        throw LinePatternError(
          "uses '(?' for more than (?: ) and a leading (?i), such as look-around, which is not supported")
      }
    }
    return try rest()
  }

  /// Of a group that was opened.
  private mutating func rest() throws(LinePatternError) -> PatternTree {
    let tree = try choice()
    guard skip(UInt8(ascii: ")")) else { throw LinePatternError("has a '(' without a ')'") }
    return tree
  }

  /// `?<name>`, or Python's `?P<name>`.
  private mutating func captureName() throws(LinePatternError) -> String? {
    let start = ["?<", "?P<"].first { bytes[at...].starts(with: $0.utf8) }
    guard let start else { return nil }
    at += start.utf8.count
    let end = bytes[at...].firstIndex(of: UInt8(ascii: ">")) ?? bytes.count
    let name = String(decoding: bytes[at..<end], as: UTF8.self)
    let isName = name.utf8.allSatisfy { ASCII.isLetter($0) || ASCII.isDigit($0) || "_/.-".utf8.contains($0) }
    guard end < bytes.count, isName, (1...64).contains(name.utf8.count), !names.contains(name) else {
      throw LinePatternError(
        "has a capture without a name of its own; names have 1 to 64 letters, digits, '_', '/', '.' or '-'")
    }
    at = end + 1
    return name
  }

  private func literal(_ byte: UInt8) -> SymbolSet {
    var set = SymbolSet(byte)
    if ignoresCase, ASCII.isLetter(byte) { set.insert(byte ^ 0x20) }
    return set
  }

  private mutating func escape() throws(LinePatternError) -> SymbolSet {
    guard let byte = next else { throw LinePatternError("ends with a single '\\'") }
    at += 1
    switch byte {
    case UInt8(ascii: "d"): return Self.digits
    case UInt8(ascii: "D"): return Self.digits.inverted
    case UInt8(ascii: "w"): return Self.wordBytes
    case UInt8(ascii: "W"): return Self.wordBytes.inverted
    case UInt8(ascii: "s"): return Self.blanks
    case UInt8(ascii: "S"): return Self.blanks.inverted
    case UInt8(ascii: "t"): return SymbolSet(UInt8(ascii: "\t"))
    case UInt8(ascii: "n"): return SymbolSet(UInt8(ascii: "\n"))
    case _ where ASCII.isLetter(byte) || ASCII.isDigit(byte):
      throw LinePatternError(
        "uses '\\\(Character(Unicode.Scalar(byte)))', which is not supported; \\d \\w \\s and their capitals are")
    default: return SymbolSet(byte)
    }
  }

  private static let digits = SymbolSet([48...57])
  private static let wordBytes = SymbolSet([48...57, 65...90, 95...95, 97...122, 128...255])
  private static let blanks = SymbolSet([9...13, 32...32])

  private mutating func characterClass() throws(LinePatternError) -> SymbolSet {
    let isInverted = skip(UInt8(ascii: "^"))
    var set = SymbolSet()
    var isFirst = true
    while let byte = next, byte != UInt8(ascii: "]") || isFirst {
      isFirst = false
      at += 1
      guard byte < 128 else {
        throw LinePatternError("has a character outside ASCII in [ ]; write (é|è) instead of [éè]")
      }
      if byte == UInt8(ascii: "\\") {
        set.formUnion(try escape())
        continue
      }
      if next == UInt8(ascii: "-"), at + 1 < bytes.count, bytes[at + 1] != UInt8(ascii: "]") {
        let high = bytes[at + 1]
        guard high < 128, high != UInt8(ascii: "\\"), byte <= high else {
          throw LinePatternError("has a range in [ ] that runs backwards or does not end in a plain character")
        }
        at += 2
        for member in byte...high { set.formUnion(literal(member)) }
      } else {
        set.formUnion(literal(byte))
      }
    }
    guard skip(UInt8(ascii: "]")) else { throw LinePatternError("has a '[' without a ']'") }
    return isInverted ? set.inverted : set
  }
}

/// Which texts each match must hold: what the prefilter looks for.
package enum LineLiterals {
  /// More alternatives than these are as good as none.
  private static let countMax = 24
  /// Shorter ones are in every second line.
  private static let bytesMin = 3

  /// - Returns: lower-case texts of which each match holds one; empty = not known.
  package static func required(of tree: PatternTree) -> [[UInt8]] {
    let best = candidates(tree)
    return best.allSatisfy { $0.count >= bytesMin } ? best : []
  }

  private static func candidates(_ tree: PatternTree) -> [[UInt8]] {
    switch tree {
    case .empty: return []
    case .symbols(let set): return set.singleByte.map { [[$0]] } ?? []
    case .sequence(let parts): return sequence(parts)
    case .choice(let parts):
      var all: [[UInt8]] = []
      for part in parts {
        let found = candidates(part)
        if found.isEmpty { return [] }
        all += found
      }
      return all.count <= countMax ? all : []
    case .repeated(let part, let least, _): return least > 0 ? candidates(part) : []
    case .named(_, let part): return candidates(part)
    }
  }

  /// The run of single bytes, or the part, whose shortest text is the longest.
  private static func sequence(_ parts: [PatternTree]) -> [[UInt8]] {
    var best: [[UInt8]] = []
    var run: [UInt8] = []
    func offer(_ found: [[UInt8]]) {
      let least = found.map(\.count).min() ?? 0
      if least > best.map(\.count).min() ?? 0 { best = found }
    }
    for part in parts {
      if case .symbols(let set) = part, let byte = set.singleByte {
        run.append(byte)
        continue
      }
      // A line's start or end takes no byte: the run would go on, but nothing can stand before or after it.
      if !run.isEmpty { offer([run]) }
      run = []
      offer(candidates(part))
    }
    if !run.isEmpty { offer([run]) }
    return best
  }
}
