internal import FleetModel

extension RuleReader {
  /// A time that no key of a table holds.
  mutating func duration(_ node: DocumentNode, _ what: String) -> Int64 {
    guard case .duration(let range, let example) = ValueShape.time else { return 0 }
    return duration(node, what, range, example: example)
  }

  mutating func count(_ fields: DocumentFields, _ key: String) -> Int? { integer(fields, key).map(Int.init) }

  /// Whole numbers, or `$name` of a list.
  mutating func numbers(_ node: DocumentNode, _ what: String) -> [Int] {
    let items = node.list == nil ? [node] : list(node, what)
    return items.flatMap { item -> [Int] in
      let word = text(item, what)
      if let number = Int(word) { return [number] }
      if let range = Self.range(word) { return Array(range) }
      if word.hasPrefix("$") {
        let name = String(word.dropFirst())
        namedLists.insert(name)
        if let numbers = lists[name] { return numbers }
        let hint = Nearest.name(to: name, among: Array(lists.keys)).map { "; did you mean '$\($0)'?" } ?? ""
        mistake(item, "there is no list '\(name)'\(hint)")
      } else {
        mistake(item, "'\(word)' in \(what) is no number, no range such as 144-150 and no $name of a list")
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
    if word.hasSuffix("%"), let number = Double(word.dropLast()), number.isFinite { return (number / 100, true) }
    if let number = Double(word), number.isFinite { return (number, false) }
    if !word.isEmpty { mistake(node, "\(what) must be a number or a share such as 50%, not '\(word)'") }
    return (0, false)
  }

  /// A share of a whole: more than all of it can never be.
  mutating func part(_ node: DocumentNode, _ what: String) -> (value: Double, isShare: Bool) {
    let read = share(node, what)
    if read.value < 0 || read.isShare && read.value > 1 {
      mistake(node, "\(what) can never be true with '\(node.scalar ?? "")'; write 0 or more, a share up to 100%")
    }
    return read
  }

  /// How many times as much.
  mutating func factor(_ fields: DocumentFields, _ key: String) -> Double? {
    guard let node = fields[key] else { return nil }
    let word = text(node, key)
    if let number = Double(word), number.isFinite, number > 0 { return number }
    if !word.isEmpty { mistake(node, "\(key) must be a number greater than 0, not '\(word)'") }
    return nil
  }

  /// A threshold in the metric's own unit.
  mutating func number(_ node: DocumentNode, _ what: String, _ unit: MetricUnit, _ metric: String) -> Double {
    let word = text(node, what)
    if let value = Double(word), value.isFinite { return value }
    if let value = Self.withUnit(word, unit) { return value }
    if !word.isEmpty {
      mistake(node, "'\(word)' does not fit \(metric), which is in \(unit.rawValue); write \(unit.example)")
    }
    return 0
  }

  private static func withUnit(_ word: String, _ unit: MetricUnit) -> Double? {
    switch unit {
    case .percent, .ratio:
      guard word.hasSuffix("%"), let number = Double(word.dropLast()), number.isFinite else { return nil }
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
    guard let number = Double(digits), number.isFinite else { return nil }
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
