internal import FleetModel

extension RuleReader {
  /// The values by key. Unknown, doubled and missing keys are mistakes.
  mutating func fields(_ node: DocumentNode, _ table: KeyTable) -> [String: DocumentNode] {
    guard case .map(let entries) = node.value else {
      mistake(node.line, "\(table.what) must be keys with values, such as \(table.names[0]): …")
      return [:]
    }
    var fields: [String: DocumentNode] = [:]
    hadUnknownKey = false
    for entry in entries {
      if !table.names.contains(entry.key) {
        hadUnknownKey = true
        let hint =
          Nearest.name(to: entry.key, among: table.names).map { "did you mean '\($0)'?" }
          ?? "valid are \(table.names.joined(separator: ", "))"
        mistake(entry.line, "unknown key '\(entry.key)' in \(table.what); \(hint)")
      } else if fields.updateValue(entry.value, forKey: entry.key) != nil {
        mistake(entry.line, "the key '\(entry.key)' stands twice in \(table.what)")
      }
    }
    for name in table.required where fields[name] == nil {
      mistake(node.line, "\(table.what) has no '\(name)'")
    }
    return fields
  }

  mutating func text(_ node: DocumentNode, _ what: String) -> String {
    guard case .scalar(let text) = node.value else {
      mistake(node.line, "\(what) must be a single value")
      return ""
    }
    if text.isEmpty { mistake(node.line, "\(what) is empty") }
    return text
  }

  mutating func list(_ node: DocumentNode, _ what: String) -> [DocumentNode] {
    guard case .list(let items) = node.value else {
      mistake(node.line, "\(what) must be a list: [a, b], or lines that start with '- '")
      return []
    }
    return items
  }

  /// A list of texts, or one alone.
  mutating func texts(_ node: DocumentNode, _ what: String) -> [String] {
    if case .scalar = node.value { return [text(node, what)] }
    return list(node, what).map { text($0, "an entry of \(what)") }
  }

  mutating func word<T>(_ node: DocumentNode, _ what: String, _ words: [(String, T)]) -> T? {
    let found = text(node, what)
    if found.isEmpty { return nil }
    if let match = words.first(where: { $0.0 == found }) { return match.1 }
    let names = words.map(\.0)
    let hint =
      Nearest.name(to: found, among: names).map { "did you mean '\($0)'?" }
      ?? "valid are \(names.joined(separator: ", "))"
    mistake(node.line, "unknown \(what) '\(found)'; \(hint)")
    return nil
  }

  mutating func flag(_ node: DocumentNode, _ what: String) -> Bool {
    switch text(node, what) {
    case "true", "yes": return true
    case "false", "no": return false
    case let other:
      if !other.isEmpty { mistake(node.line, "\(what) must be true or false, not '\(other)'") }
      return false
    }
  }

  mutating func count(_ node: DocumentNode, _ what: String) -> Int {
    let word = text(node, what)
    if let count = Int(word), (1...1_000_000).contains(count) { return count }
    mistake(node.line, "\(what) must be a whole number from 1 to 1000000, not '\(word)'")
    return 1
  }

  mutating func duration(_ node: DocumentNode, _ what: String) -> Int64 {
    let word = text(node, what)
    if let ns = TimeSpan.parse(word), ns <= Self.durationMaxNs { return ns }
    let hint = Double(word) != nil ? "; it has no unit" : Self.unitHint(word)
    mistake(node.line, "'\(word)' is no time for \(what); write such as 30s, 10m, 1h30m, 7d\(hint)")
    return 1_000_000_000
  }

  private static let durationMaxNs: Int64 = 400 * 86_400_000_000_000

  /// `10min` and the like.
  private static func unitHint(_ word: String) -> String {
    let unit = String(word.drop { $0.isNumber || $0 == " " }).lowercased()
    let known = [
      "min": "m", "mins": "m", "minutes": "m", "minute": "m", "sec": "s", "secs": "s", "seconds": "s",
      "hour": "h", "hours": "h", "hr": "h", "day": "d", "days": "d", "week": "w", "weeks": "w",
    ]
    return known[unit].map { "; did you mean '\(word.prefix { $0.isNumber })\($0)'?" } ?? ""
  }

  mutating func labels(_ node: DocumentNode) -> [String: String] {
    guard case .map(let entries) = node.value else {
      mistake(node.line, "match must be labels with values, such as role: trainer")
      return [:]
    }
    var labels: [String: String] = [:]
    for entry in entries { labels[entry.key] = text(entry.value, entry.key) }
    return labels
  }

  /// Whole numbers, or `$name` of a list.
  mutating func numbers(_ node: DocumentNode, _ what: String) -> [Int] {
    let items: [DocumentNode]
    if case .list(let inner) = node.value { items = inner } else { items = [node] }
    return items.flatMap { item -> [Int] in
      let word = text(item, what)
      if let number = Int(word) { return [number] }
      if let range = Self.range(word) { return Array(range) }
      if word.hasPrefix("$") {
        let name = String(word.dropFirst())
        namedLists.insert(name)
        if let numbers = lists[name] { return numbers }
        let hint = Nearest.name(to: name, among: Array(lists.keys)).map { "; did you mean '$\($0)'?" } ?? ""
        mistake(item.line, "there is no list '\(name)'\(hint)")
      } else {
        mistake(item.line, "'\(word)' in \(what) is no number, no range such as 144-150 and no $name of a list")
      }
      return []
    }
  }

  private static func range(_ word: String) -> ClosedRange<Int>? {
    let ends = word.split(separator: "-").map { Int($0) }
    guard ends.count == 2, let low = ends[0], let high = ends[1], low <= high, high - low < 10_000 else { return nil }
    return low...high
  }

  /// A number, or a share such as 50% as 0.5.
  mutating func share(_ node: DocumentNode, _ what: String) -> (value: Double, isShare: Bool) {
    let word = text(node, what)
    if word.hasSuffix("%"), let number = Double(word.dropLast()) { return (number / 100, true) }
    if let number = Double(word) { return (number, false) }
    mistake(node.line, "\(what) must be a number or a share such as 50%, not '\(word)'")
    return (0, false)
  }

  /// A threshold in the metric's own unit.
  mutating func number(_ node: DocumentNode, _ what: String, _ unit: MetricUnit, _ metric: String) -> Double {
    let word = text(node, what)
    if let value = Double(word), value.isFinite { return value }
    if let value = Self.withUnit(word, unit) { return value }
    if !word.isEmpty {
      mistake(node.line, "'\(word)' does not fit \(metric), which is in \(unit.rawValue); write \(unit.example)")
    }
    return 0
  }

  private static func withUnit(_ word: String, _ unit: MetricUnit) -> Double? {
    switch unit {
    case .percent, .ratio:
      guard word.hasSuffix("%"), let number = Double(word.dropLast()) else { return nil }
      return unit == .percent ? number : number / 100
    case .bytes, .bytesPerSecond: return bytes(word)
    case .seconds: return TimeSpan.parse(word).map { Double($0) / 1e9 }
    case .milliseconds: return TimeSpan.parse(word).map { Double($0) / 1e6 }
    case .flag: return word == "true" ? 1 : word == "false" ? 0 : nil
    case .number, .celsius, .watts, .megahertz: return nil
    }
  }

  /// `500MB` (powers of 1000) or `2GiB` (powers of 1024).
  private static func bytes(_ word: String) -> Double? {
    let digits = word.prefix { $0.isNumber || $0 == "." }
    guard let number = Double(digits) else { return nil }
    let units: [String: Double] = [
      "B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KiB": 1024, "MiB": 1_048_576,
      "GiB": 1_073_741_824, "TiB": 1_099_511_627_776,
    ]
    return units[word.dropFirst(digits.count).trimmingBlanks()].map { number * $0 }
  }
}

extension Substring {
  fileprivate func trimmingBlanks() -> String { String(drop { $0 == " " }) }
}
