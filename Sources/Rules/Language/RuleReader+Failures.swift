internal import FleetModel

/// Classes of failures, and conditions on them.
extension RuleReader {
  /// Bytes of text that each match of a pattern must hold, so that lines are sieved before any pattern is tried.
  private static let wordBytesMin = 4

  mutating func failures(_ tree: DocumentNode) -> [FailureClass] {
    guard case .map(let entries) = tree.value, let entry = entries.first(where: { $0.key == "failures" }) else {
      return []
    }
    return list(entry.value.below(tree.path, key: "failures"), "failures").compactMap { failure($0) }
  }

  private mutating func failure(_ node: DocumentNode) -> FailureClass? {
    let before = mistakes.count
    let fields = fields(node, RuleKeys.failure)
    var failure = FailureClass()
    failure.file = file
    failure.line = node.line
    if let value = fields["class"] { failure.id = classID(value) }
    failure.title = text(fields, "title") ?? ""
    if let word = word(fields, "kind") { failure.kind = Diagnosis.Kind(rawValue: word) ?? .root }
    failure.severity = word(fields, "severity").flatMap(Severity.init(word:)) ?? .p1
    failure.isGeneric = flag(fields, "generic") ?? false
    failure.isRetried = flag(fields, "retried") ?? false
    let levels: [(String, Level)] = [("info", .info), ("warn", .warn), ("error", .error)]
    failure.level = fields["level"].flatMap { word($0, "level", levels) } ?? .error
    if let value = fields["lines"] { failure.patterns = linePatterns(value, "lines", needsWord: true) }
    if let value = fields["ends"] { failure.ends = linePatterns(value, "ends", needsWord: true) }
    if let value = fields["except"] { failure.exceptions = linePatterns(value, "except", needsWord: false) }
    if let value = fields["signals"] { failure.signals = numbers(value, "signals").map { Int32(clamping: $0) } }
    if let value = fields["causes"] { failure.causes = texts(value, "causes") }
    if let value = fields["steps"] { failure.steps = texts(value, "steps") }
    failure.retry = text(fields, "retry") ?? ""
    failure.source = text(fields, "source") ?? ""
    if failure.patterns.isEmpty, failure.ends.isEmpty, failure.signals.isEmpty, mistakes.count == before {
      mistake(node, "the class '\(failure.id)' has no lines, ends or signals: nothing would show it")
    }
    return mistakes[before...].contains { $0.weight == .error } ? nil : failure
  }

  private mutating func classID(_ node: DocumentNode) -> String {
    let id = text(node, "class")
    let isRight = id.utf8.allSatisfy { $0 == UInt8(ascii: "-") || ASCII.isDigit($0) || (97...122).contains($0) }
    if !isRight || id.isEmpty || id.utf8.count > 40 {
      mistake(node, "'\(id)' is no class: write at most 40 small letters, digits and dashes, such as device-memory")
    }
    return id
  }

  private mutating func linePatterns(_ node: DocumentNode, _ what: String, needsWord: Bool) -> [LinePattern] {
    (node.list == nil ? [node] : list(node, what)).compactMap { item in
      do throws(LinePatternError) {
        let pattern = try LinePattern(text(item, what))
        if needsWord, pattern.literals.isEmpty || pattern.literals.contains(where: { $0.count < Self.wordBytesMin }) {
          mistake(
            item, "each match of this must hold a text of at least \(Self.wordBytesMin) bytes, such as 'out of memory'")
          return nil
        }
        return pattern
      } catch {
        mistake(item, "this expression \(error.message)")
        return nil
      }
    }
  }

  mutating func failureCondition(_ node: DocumentNode) -> Condition? {
    let fields = fields(node, RuleKeys.failureCondition)
    var query = FailureQuery()
    for key in ["class", "except"] {
      guard let value = fields[key] else { continue }
      let names = value.list == nil ? [text(value, key)] : texts(value, key)
      for name in names { namedClasses.append((name, value)) }
      if key == "class" { query.classes = Set(names) } else { query.except = Set(names) }
    }
    let ends: [(String, Bool?)] = [("known", true), ("unknown", false), ("any", nil)]
    query.isEndKnown = fields["end"].flatMap { word($0, "end", ends) } ?? nil
    return occurrence(.failure(query), fields)
  }
}
