internal import FleetModel

/// Which conditions on log lines a line meets: one pass over its bytes for all texts of all rules, then an exact look at the few
/// conditions whose text was found.
struct LineMatcher {
  struct Condition {
    let rule: CompiledRule
    let node: Int
    let query: LineQuery
    /// One of those of which others are a share.
    let isWhole: Bool
    let text: [UInt8]
  }

  typealias Wanted = (rule: CompiledRule, node: Int, query: LineQuery, isWhole: Bool)

  let conditions: [Condition]
  private let scanner: LiteralScanner
  /// Condition of each text of the scanner.
  private let owners: [Int]
  /// Conditions without a text to look for, by the least level that any of them asks for.
  private let others: [Int]
  private let othersLevel: UInt8
  private let othersNeedText: Bool

  init(_ rules: [Wanted]) {
    conditions = rules.map {
      Condition(rule: $0.rule, node: $0.node, query: $0.query, isWhole: $0.isWhole, text: Array($0.query.text.utf8))
    }
    var texts: [[UInt8]] = []
    var owners: [Int] = []
    var others: [Int] = []
    for (place, condition) in conditions.enumerated() {
      let wanted = condition.text.isEmpty ? condition.query.matches?.literals ?? [] : [condition.text.map(ASCII.lower)]
      let fits = texts.reduce(0) { $0 + $1.count } + wanted.reduce(0) { $0 + $1.count } < LiteralScanner.statesMax - 1
      if wanted.isEmpty || !fits {
        others.append(place)
      } else {
        texts += wanted
        owners += wanted.map { _ in place }
      }
    }
    scanner = LiteralScanner(texts)
    self.owners = owners
    self.others = others
    othersNeedText = others.contains { rules[$0].query.level == nil && !rules[$0].query.mustBeRedacted }
    othersLevel = others.map { rules[$0].query.level?.rawValue ?? 0 }.min() ?? .max
  }

  var isEmpty: Bool { conditions.isEmpty }

  /// - Parameters:
  ///   - line: place among the lines.
  ///   - range: of its bytes in `lines.text`.
  ///   - found: places of the conditions that the line meets, in order; cleared first. The caller's, so that none is allocated a line.
  func match(_ lines: borrowing LogLines, _ bytes: Span<UInt8>, _ line: Int, _ range: Range<Int>, _ found: inout [Int])
  {
    found.removeAll(keepingCapacity: true)
    if !scanner.isEmpty {
      scanner.scan(bytes, range) { text in
        let owner = owners[Int(text)]
        if !found.contains(owner) { found.append(owner) }
      }
    }
    let level = lines.levels[line]
    let isMarked = lines.flags[line] & LineFlags.redacted.rawValue != 0
    if othersNeedText || isMarked || level >= othersLevel { found += others }
    if found.isEmpty { return }
    found.removeAll { !holds(conditions[$0], bytes, range, level, isMarked) }
    found.sort()
  }

  private func holds(
    _ condition: Condition, _ bytes: Span<UInt8>, _ range: Range<Int>, _ level: UInt8, _ isRedacted: Bool
  ) -> Bool {
    if let least = condition.query.level, level < least.rawValue { return false }
    if condition.query.mustBeRedacted, !isRedacted { return false }
    if !condition.text.isEmpty, !Self.contains(bytes, range, condition.text) { return false }
    guard let pattern = condition.query.matches else { return true }
    return pattern.matches(bytes.extracting(range))
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
