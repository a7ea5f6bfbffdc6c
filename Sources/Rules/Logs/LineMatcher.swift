internal import Files
internal import FleetModel

/// A condition on log lines.
final class LineCondition {
  let rule: CompiledRule
  let node: Int
  let query: LineQuery
  /// One of those of which others are a share.
  let isWhole: Bool
  let text: [UInt8]

  init(_ wanted: LineMatcher.Wanted) {
    rule = wanted.rule
    node = wanted.node
    query = wanted.query
    isWhole = wanted.isWhole
    text = Array(wanted.query.text.utf8)
  }

  /// Bytes, lower case, of which each line that meets it holds one whole; empty = not known.
  var words: [[UInt8]] { text.isEmpty ? query.matches?.literals ?? [] : [text.map(ASCII.lower)] }

  func holds(_ bytes: Span<UInt8>, _ range: Range<Int>, level: UInt8, isRedacted: Bool) -> Bool {
    if let least = query.level, level < least.rawValue { return false }
    if query.mustBeRedacted, !isRedacted { return false }
    if !text.isEmpty, !LineMatcher.contains(bytes, range, text) { return false }
    guard let pattern = query.matches else { return true }
    return pattern.matches(bytes.extracting(range))
  }
}

/// Which conditions the lines of each file can meet. A file that no rule asks for costs nothing, and the many others share a few plans.
struct LineMatcher {
  typealias Wanted = (rule: CompiledRule, node: Int, query: LineQuery, isWhole: Bool)

  /// Paths and plans that are remembered; more begin anew.
  private static let pathsMax = 16_384
  private static let plansMax = 256

  private let conditions: [LineCondition]
  private var plansByPath = NameTable<LinePlan>()
  private var plans: [[Bool]: LinePlan] = [:]

  init(_ wanted: [Wanted]) {
    conditions = wanted.map(LineCondition.init)
  }

  var isEmpty: Bool { conditions.isEmpty }

  mutating func plan(of path: String) -> LinePlan {
    if let known = plansByPath[path] { return known }
    if plansByPath.count >= Self.pathsMax || plans.count >= Self.plansMax {
      plansByPath.removeAll()
      plans = [:]
    }
    let fits = conditions.map { $0.query.file?.matches(path) ?? true }
    let plan = plans[fits] ?? LinePlan(zip(conditions, fits).filter(\.1).map(\.0))
    plans[fits] = plan
    plansByPath[path] = plan
    return plan
  }

  static func contains(_ bytes: Span<UInt8>, _ range: Range<Int>, _ text: [UInt8]) -> Bool {
    guard let first = text.first, range.count >= text.count else { return text.isEmpty }
    for start in range.lowerBound...(range.upperBound - text.count) where bytes[start] == first {
      var length = 1
      while length < text.count, bytes[start + length] == text[length] { length += 1 }
      if length == text.count { return true }
    }
    return false
  }
}

/// How the lines of some files are looked at: a sieve over all text of a delta, then an exact look at the conditions whose text it
/// found. Where it finds too much or cannot be made, one pass over the bytes of each line replaces it.
final class LinePlan {
  let conditions: [LineCondition]
  private let scanner: LiteralScanner
  /// Condition of each text of the scanner.
  private let owners: [Int]
  /// nil where a text is too short for one: then each line is scanned.
  private let sieve: WordSieve?
  /// Conditions without a text to look for, and the least level that any of them asks for.
  private let others: [Int]
  private let othersLevel: UInt8
  private let othersNeedText: Bool
  /// Kept from delta to delta, so that none is allocated.
  private var spare: [UInt32] = []

  init(_ conditions: [LineCondition]) {
    self.conditions = conditions
    var texts: [[UInt8]] = []
    var owners: [Int] = []
    var others: [Int] = []
    for (place, condition) in conditions.enumerated() {
      let wanted = condition.words
      let fits = texts.reduce(0) { $0 + $1.count } + wanted.reduce(0) { $0 + $1.count } < LiteralScanner.statesMax - 1
      if wanted.isEmpty || !fits {
        others.append(place)
      } else {
        texts += wanted
        owners += wanted.map { _ in place }
      }
    }
    scanner = LiteralScanner(texts)
    sieve = WordSieve(texts)
    self.owners = owners
    self.others = others
    othersNeedText = others.contains { conditions[$0].query.level == nil && !conditions[$0].query.mustBeRedacted }
    othersLevel = others.map { conditions[$0].query.level?.rawValue ?? 0 }.min() ?? .max
  }

  /// Looks at the lines of a delta.
  ///
  /// - Parameters:
  ///   - wanted: offsets of the file at which lines to be looked at begin.
  ///   - met: called for each line that meets a condition: its index, its bytes in `lines.text`, and the indexes of the conditions.
  func look(
    _ lines: borrowing LogLines, in wanted: Range<UInt64>,
    _ met: (_ line: Int, _ range: Range<Int>, _ conditions: [Int]) -> Void
  ) {
    // What changes with each line is local: a property of a class costs a check at each access.
    var hints: [UInt32] = []
    swap(&hints, &spare)
    defer { swap(&hints, &spare) }
    let bytes = lines.text.span
    let isSieved = sieve?.find(in: bytes, &hints) ?? scanner.isEmpty
    let hintCount = isSieved && sieve != nil ? hints.count : 0
    let (asksLevel, asksAll) = (others.isEmpty ? .max : othersLevel, !others.isEmpty && othersNeedText)
    let redacted = LineFlags.redacted.rawValue
    var found: [Int] = []
    var (start, offset, hint) = (0, lines.firstOffset, 0)
    for line in 0..<lines.lengths.count {
      let end = start + Int(lines.lengths[line])
      let firstHint = hint
      while hint < hintCount, hints[hint] < end { hint += 1 }
      let isMarked = lines.flags[line] & redacted != 0
      let asksOthers = asksAll || lines.levels[line] >= asksLevel || (isMarked && !others.isEmpty)
      if hint > firstHint || !isSieved || asksOthers, wanted.contains(offset) {
        for place in firstHint..<hint {
          sieve?.look(at: Int(hints[place]), in: bytes, start..<end) { add(owners[$0], &found) }
        }
        if !isSieved { scanner.scan(bytes, start..<end) { add(owners[Int($0)], &found) } }
        if asksOthers { found += others }
        let level = lines.levels[line]
        found.removeAll { !conditions[$0].holds(bytes, start..<end, level: level, isRedacted: isMarked) }
        if !found.isEmpty {
          if found.count > 1 { found.sort() }
          met(line, start..<end, found)
          found.removeAll(keepingCapacity: true)
        }
      }
      start = end
      // Chosen by the peer: a first offset near 2^64 wraps.
      offset &+= UInt64(lines.advances[line])
    }
  }

  private func add(_ place: Int, _ found: inout [Int]) {
    if !found.contains(place) { found.append(place) }
  }
}
