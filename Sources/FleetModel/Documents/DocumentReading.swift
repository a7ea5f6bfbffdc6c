/// Decodes a document and notes every mistake in it, each with its place, its keys and what to write instead.
///
/// Reading goes on after a mistake with a harmless value, so that all are reported at once: whoever takes the result looks at
/// `mistakes` first.
package protocol DocumentReading {
  var file: String { get }
  var mistakes: [DocumentMistake] { get set }
}

// MARK: Mistakes

extension DocumentReading {
  /// Of a single value only the first mistake counts: what is asked of it later follows from that one.
  package mutating func mistake(_ node: DocumentNode, _ message: String, weight: DocumentMistake.Weight = .error) {
    let new = DocumentMistake(
      file: file, line: node.line, column: node.column, path: node.path, message: message, weight: weight)
    if !mistakes.contains(where: { $0 == new || node.scalar != nil && $0.isAt(new) }) { mistakes.append(new) }
  }

  /// At a key, not at its value: there may be none that can be pointed at.
  package mutating func mistake(_ entry: DocumentNode.Entry, in node: DocumentNode, _ message: String) {
    let path = entry.value.below(node.path, key: entry.key).path
    let new = DocumentMistake(file: file, line: entry.line, column: entry.column, path: path, message: message)
    if !mistakes.contains(new) { mistakes.append(new) }
  }

  /// What is likely to be meant by a name that there is not.
  package static func hint(_ name: String, among known: [String], otherwise: String) -> String {
    Nearest.name(to: name, among: known).map { "did you mean '\($0)'?" } ?? otherwise
  }
}

// MARK: Maps and lists

extension DocumentReading {
  /// The values by key. Unknown, doubled and missing keys are mistakes.
  package mutating func fields(_ node: DocumentNode, _ table: KeyTable) -> DocumentFields {
    guard case .map(let entries) = node.value else {
      mistake(node, "\(table.what) must be keys with values, such as \(table.names[0]): …")
      return DocumentFields(node: node, table: table, values: [:], hasUnknownKey: false)
    }
    var values: [String: DocumentNode] = [:]
    var hasUnknownKey = false
    for entry in entries {
      if table[entry.key] == nil {
        hasUnknownKey = true
        let names = table.names.joined(separator: ", ")
        let hint = Self.hint(entry.key, among: table.names, otherwise: "valid are \(names)")
        mistake(entry, in: node, "unknown key '\(entry.key)' in \(table.what); \(hint)")
      } else if values[entry.key] != nil {
        mistake(entry, in: node, "the key '\(entry.key)' stands twice in \(table.what)")
      } else {
        values[entry.key] = entry.value.below(node.path, key: entry.key)
      }
    }
    checkPresence(node, table, values, hasUnknownKey)
    // Here, and not where a value is used: what decodes a map may end early, and each mistake is to be reported.
    for key in table.keys { if let value = values[key.name] { check(value, key.name, key.shape) } }
    return DocumentFields(node: node, table: table, values: values, hasUnknownKey: hasUnknownKey)
  }

  private mutating func check(_ node: DocumentNode, _ what: String, _ shape: ValueShape) {
    switch shape {
    case .text: _ = text(node, what)
    case .integer(let range): _ = integer(node, what, range)
    case .flag: _ = flag(node, what)
    case .duration(let range, let example): _ = duration(node, what, range, example: example)
    case .durationOr(let word, let range, let example):
      if node.scalar != word { _ = duration(node, what, range, example: example, orWord: word) }
    case .word(let words): _ = word(node, what, words.map { ($0, $0) })
    case .list(let item): for value in list(node, what) { check(value, "an entry of \(what)", item) }
    case .textOrList: _ = textOrTexts(node, what)
    case .labels: _ = labels(node, what)
    case .map(let table): _ = fields(node, table)
    case .named(let item): for (name, value) in named(node, what) { check(value, name, item) }
    case .number, .quantity, .either, .reference, .anything: break
    }
  }

  private mutating func checkPresence(
    _ node: DocumentNode, _ table: KeyTable, _ values: [String: DocumentNode], _ hasUnknownKey: Bool
  ) {
    for name in table.required where values[name] == nil {
      let example = table[name]?.example ?? ""
      let hint = example.isEmpty ? "" : "; write such as \(name): \(example)"
      mistake(node, "\(table.what) has no '\(name)'\(hint)")
    }
    for group in table.oneOf + table.atMostOneOf {
      let found = group.filter { values[$0] != nil }
      guard found.count > 1 else { continue }
      mistake(
        values[found[1]] ?? node, "\(table.what) takes one of \(found.joined(separator: " and ")); remove the other")
    }
    for group in table.oneOf where !group.contains(where: { values[$0] != nil }) && !hasUnknownKey {
      mistake(node, "\(table.what) needs one of \(group.joined(separator: ", "))")
    }
  }

  /// A map whose keys are names that the writer chose, in their order.
  package mutating func named(_ node: DocumentNode, _ what: String) -> [(name: String, value: DocumentNode)] {
    guard case .map(let entries) = node.value else {
      mistake(node, "\(what) must be names with values, such as name: …")
      return []
    }
    var seen: Set<String> = []
    return entries.compactMap { entry in
      if entry.key.isEmpty {
        mistake(entry, in: node, "a name in \(what) must be a single value that is not empty")
        return nil
      }
      guard seen.insert(entry.key).inserted else {
        mistake(entry, in: node, "the name '\(entry.key)' stands twice in \(what)")
        return nil
      }
      return (entry.key, entry.value.below(node.path, key: entry.key))
    }
  }

  package mutating func list(_ node: DocumentNode, _ what: String) -> [DocumentNode] {
    guard case .list(let items) = node.value else {
      mistake(node, "\(what) must be a list: [a, b], or lines that start with '- '")
      return []
    }
    return items.enumerated().map { $0.element.below(node.path, item: $0.offset) }
  }
}

// MARK: Single values

extension DocumentReading {
  /// - Returns: an empty text beside a mistake.
  package mutating func text(_ node: DocumentNode, _ what: String) -> String {
    guard case .scalar(let text) = node.value else {
      mistake(node, "\(what) must be a single value")
      return ""
    }
    if text.isEmpty || node.isNull {
      mistake(node, "\(what) is empty; write a value or leave the key out")
      return ""
    }
    return text
  }

  /// A list of texts.
  package mutating func texts(_ node: DocumentNode, _ what: String) -> [String] {
    list(node, what).map { text($0, "an entry of \(what)") }
  }

  /// A list of texts, or one alone.
  package mutating func textOrTexts(_ node: DocumentNode, _ what: String) -> [String] {
    if case .scalar = node.value { return [text(node, what)] }
    return texts(node, what)
  }

  package mutating func word<T>(_ node: DocumentNode, _ what: String, _ words: [(String, T)]) -> T? {
    let found = text(node, what)
    if found.isEmpty { return nil }
    if let match = words.first(where: { $0.0 == found }) { return match.1 }
    let names = words.map(\.0)
    let hint = Self.hint(found, among: names, otherwise: "valid are \(names.joined(separator: ", "))")
    mistake(node, "unknown \(what) '\(found)'; \(hint)")
    return nil
  }

  /// A boolean of YAML 1.2's core schema in its usual spelling. Words that YAML 1.1 took for one are texts today, and so is
  /// whatever stands in quotes: none of them is guessed at.
  package mutating func flag(_ node: DocumentNode, _ what: String) -> Bool {
    let word = text(node, what)
    if !node.isQuoted, word == "true" { return true }
    if !node.isQuoted, word == "false" || word.isEmpty { return false }
    let meant: String? =
      switch word.lowercased() {
      case "true", "yes", "on", "y": "true"
      case "false", "no", "off", "n": "false"
      default: nil
      }
    let quoted = node.isQuoted && ["true", "false"].contains(word)
    let hint = quoted ? "; write \(word) without quotes" : meant.map { "; write \($0)" } ?? ""
    mistake(node, "\(what) must be true or false, not '\(word)'\(hint)")
    return false
  }

  /// - Returns: the lowest of the range beside a mistake.
  package mutating func integer(_ node: DocumentNode, _ what: String, _ range: ClosedRange<Int64>) -> Int64 {
    let word = text(node, what)
    if let number = Int64(word), range.contains(number) {
      if !node.isQuoted { return number }
      mistake(node, "\(what) must be a number, not a text; write \(number) without quotes")
    } else if !word.isEmpty {
      mistake(
        node, "\(what) must be a whole number from \(range.lowerBound) to \(range.upperBound), not '\(word)'")
    }
    return range.lowerBound
  }

  /// - Parameter range: ns; 0 may be written where it is in it.
  /// - Returns: ns; a second, or what of it the range has, beside a mistake.
  package mutating func duration(
    _ node: DocumentNode, _ what: String, _ range: ClosedRange<Int64>, example: String, orWord other: String = ""
  ) -> Int64 {
    let word = text(node, what)
    if range.contains(0), word == "0" || word == "0s" { return 0 }
    // The wire and the database keep nothing finer than whole milliseconds of what people set.
    if let ns = TimeSpan.parse(word), range.contains(ns), ns % 1_000_000 == 0 { return ns }
    if !word.isEmpty {
      let low = TimeSpan.text(range.lowerBound)
      let or = other.isEmpty ? "" : ", or \(other)"
      let hint = Double(word) != nil ? "; it has no unit" : Self.unitHint(word)
      mistake(
        node,
        "'\(word)' is no time for \(what); write \(low) to \(TimeSpan.text(range.upperBound)), such as \(example)\(or)\(hint)"
      )
    }
    return min(max(1_000_000_000, range.lowerBound), range.upperBound)
  }

  /// `10min` and the like.
  private static func unitHint(_ word: String) -> String {
    let unit = String(word.drop { $0.isNumber || $0 == " " }).lowercased()
    let known = [
      "min": "m", "mins": "m", "minutes": "m", "minute": "m", "sec": "s", "secs": "s", "seconds": "s",
      "hour": "h", "hours": "h", "hr": "h", "day": "d", "days": "d", "week": "w", "weeks": "w",
    ]
    return known[unit].map { "; did you mean '\(word.prefix { $0.isNumber })\($0)'?" } ?? ""
  }

  /// Labels with values.
  package mutating func labels(_ node: DocumentNode, _ what: String) -> [String: String] {
    guard case .map = node.value else {
      mistake(node, "\(what) must be labels with values, such as role: trainer")
      return [:]
    }
    var labels: [String: String] = [:]
    for (name, value) in named(node, what) { labels[name] = text(value, name) }
    return labels
  }
}

// MARK: Patterns

extension DocumentReading {
  /// Reports a pattern that no host's name can fit.
  package mutating func checkHostPattern(_ node: DocumentNode, _ pattern: String) {
    if !pattern.isEmpty, !StarPattern.canMatchHost(pattern) {
      mistake(
        node, "'\(pattern)' can match no host: names are letters, digits, '.', '-' and '_'; write one such as gpu-*")
    }
  }
}

// MARK: Values of a table's keys

/// A key's own shape defines its values, here and in the schema.
extension DocumentReading {
  /// - Returns: nil where the key is missing or has a mistake.
  package mutating func text(_ fields: DocumentFields, _ key: String) -> String? {
    guard let node = fields[key] else { return nil }
    let text = text(node, key)
    return text.isEmpty ? nil : text
  }

  package mutating func integer(_ fields: DocumentFields, _ key: String) -> Int64? {
    guard let node = fields[key] else { return nil }
    guard case .integer(let range)? = fields.table[key]?.shape else { preconditionFailure("'\(key)' is no integer") }
    return integer(node, key, range)
  }

  package mutating func flag(_ fields: DocumentFields, _ key: String) -> Bool? {
    fields[key].map { flag($0, key) }
  }

  /// ns.
  package mutating func duration(_ fields: DocumentFields, _ key: String) -> Int64? {
    guard let node = fields[key] else { return nil }
    switch fields.table[key]?.shape {
    case .duration(let range, let example): return duration(node, key, range, example: example)
    case .durationOr(let word, let range, let example):
      return duration(node, key, range, example: example, orWord: word)
    default: preconditionFailure("'\(key)' is no length of time")
    }
  }

  package mutating func word(_ fields: DocumentFields, _ key: String) -> String? {
    guard let node = fields[key] else { return nil }
    guard case .word(let words)? = fields.table[key]?.shape else { preconditionFailure("'\(key)' is no word") }
    return word(node, key, words.map { ($0, $0) })
  }

  package mutating func list(_ fields: DocumentFields, _ key: String) -> [DocumentNode]? {
    fields[key].map { list($0, key) }
  }

  /// Empty where the key is missing or has a mistake.
  package mutating func named(_ fields: DocumentFields, _ key: String) -> [(name: String, value: DocumentNode)] {
    guard let node = fields[key] else { return [] }
    return named(node, key)
  }
}
