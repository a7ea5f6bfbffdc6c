package import FleetModel

/// The rules of one or several files, with the lists that they share.
package struct RuleSet: Sendable {
  package internal(set) var rules: [Rule] = []

  package init() {}

  /// Most rules a collector takes: their indexes are 12 bits wide in its state.
  package static let rulesMax = 4000

  /// Reads documents that belong together: lists of one may be named in another, ids are unique over all.
  ///
  /// - Parameter documents: a tree a file.
  /// - Returns: the rules that are right, and every mistake of all files, in the order of their lines.
  package static func read(_ documents: [(file: String, tree: DocumentNode)]) -> (
    set: RuleSet, mistakes: [DocumentMistake]
  ) {
    var set = RuleSet()
    var mistakes: [DocumentMistake] = []
    var lists: [String: [Int]] = [:]
    var words: [(word: String, file: String, line: Int)] = []
    var named: Set<String> = []
    for (file, tree) in documents {
      var reader = RuleReader(file: file)
      for (name, numbers) in reader.lists(tree) { lists[name] = numbers }
      words += reader.tableLines.map { ($0.word, file, $0.line) }
      mistakes += reader.mistakes
    }
    for (file, tree) in documents {
      var reader = RuleReader(file: file)
      reader.lists = lists
      let rules = reader.rules(tree)
      for rule in rules {
        if let other = set.rules.first(where: { $0.id == rule.id }) {
          reader.mistake(rule.line, "the id \(rule.id) is already that of the rule in \(other.file):\(other.line)")
        } else if set.rules.count == rulesMax {
          reader.mistake(rule.line, "there are more than \(rulesMax) rules")
        } else {
          set.rules.append(rule)
        }
      }
      mistakes += reader.mistakes.sorted { $0.line < $1.line }
      named.formUnion(reader.namedLists)
    }
    for (word, file, line) in words where !named.contains(word) {
      let hint = Nearest.name(to: word, among: Array(named)).map { "; did you mean '\($0)'?" } ?? ""
      mistakes.append(DocumentMistake(file: file, line: line, message: "no rule names the list '$\(word)'\(hint)"))
    }
    // A rule that asks for one which is left out can never be true: it is left out, too, and so on.
    while true {
      let unknown = set.unknownReferences()
      if unknown.isEmpty { return (set, mistakes) }
      mistakes += unknown
      let places = Set(unknown.map { Place(file: $0.file, line: $0.line) })
      set.rules.removeAll { places.contains(Place(file: $0.file, line: $0.line)) }
    }
  }

  /// With rules of another set that come from files in which there is a mistake now: a slip while a file is edited ends no watch that
  /// was there before.
  ///
  /// - Returns: how many were kept.
  package mutating func keep(from before: RuleSet, whereMistaken mistakes: [DocumentMistake]) -> Int {
    let files = Set(mistakes.map(\.file))
    let ids = Set(rules.map(\.id))
    let kept = before.rules.filter { files.contains($0.file) && !ids.contains($0.id) }
      .prefix(max(0, Self.rulesMax - rules.count))
    rules += kept
    return kept.count
  }

  private struct Place: Hashable {
    let file: String
    let line: Int
  }

  /// `open` and `hosts` that name no rule.
  private func unknownReferences() -> [DocumentMistake] {
    let ids = rules.map(\.id)
    return rules.flatMap { rule in
      rule.when.namedRules.filter { !ids.contains($0) }.map { name in
        let hint = Nearest.name(to: name, among: ids).map { "; did you mean '\($0)'?" } ?? ""
        return DocumentMistake(
          file: rule.file, line: rule.line, message: "rule \(rule.id) asks for '\(name)', which is no rule\(hint)")
      }
    }
  }
}

extension Condition {
  fileprivate var namedRules: [String] {
    switch self {
    case .all(let parts, _, _), .any(let parts, _): parts.flatMap(\.namedRules)
    case .not(let part, _): part.namedRules
    case .hosts(let rule, _), .open(let rule): [rule]
    default: []
    }
  }
}

/// Decodes one file. Every mistake is noted and reading goes on, so that all are reported at once.
struct RuleReader {
  let file: String
  var mistakes: [DocumentMistake] = []
  var lists: [String: [Int]] = [:]
  /// Words of tables, each with a line where it stands, and the lists that rules name: a word that none names is a slip.
  var tableLines: [(word: String, line: Int)] = []
  var namedLists: Set<String> = []
  /// Among the keys read last: what seems to be missing then is likely to be the one that was mistyped.
  var hadUnknownKey = false

  init(file: String) { self.file = file }

  mutating func mistake(_ line: Int, _ message: String) {
    mistakes.append(DocumentMistake(file: file, line: line, message: message))
  }

  // MARK: files and rules

  /// The named lists of a file.
  mutating func lists(_ tree: DocumentNode) -> [(name: String, numbers: [Int])] {
    guard case .map(let entries) = tree.value, let lists = entries.first(where: { $0.key == "lists" }) else {
      return []
    }
    guard case .map(let named) = lists.value.value else {
      mistake(lists.line, "lists must be names with lists of numbers, such as xid_fatal: [48, 79]")
      return []
    }
    return named.flatMap { entry -> [(name: String, numbers: [Int])] in
      guard case .map(let lines) = entry.value.value else { return [(entry.key, numbers(entry.value, entry.key))] }
      return table(entry.key, lines)
    }
  }

  /// A number or a range of them, with its word, a line: one list for each word.
  private mutating func table(_ name: String, _ lines: [DocumentNode.Entry]) -> [(name: String, numbers: [Int])] {
    var lists: [(name: String, numbers: [Int])] = []
    var seen: Set<Int> = []
    for line in lines {
      let word = name + "." + text(line.value, "the word of \(line.key)")
      let codes = numbers(DocumentNode(.scalar(line.key), line: line.line), name)
      if let twice = codes.first(where: { !seen.insert($0).inserted }) {
        mistake(line.line, "\(twice) stands twice in the table \(name)")
      }
      tableLines.append((word, line.line))
      if let place = lists.firstIndex(where: { $0.name == word }) {
        lists[place].numbers += codes
      } else {
        lists.append((word, codes))
      }
    }
    return lists
  }

  mutating func rules(_ tree: DocumentNode) -> [Rule] {
    switch tree.value {
    case .scalar(let text) where text.isEmpty: return []
    case .list(let items): return items.compactMap { rule($0) }
    case .map(let entries) where entries.contains { $0.key == "id" || $0.key == "when" }:
      mistake(tree.line, "a rule file is a list: begin the rule with '- '")
      return []
    case .map:
      let fields = fields(tree, RuleKeys.ruleFile)
      guard let rules = fields["rules"] else { return [] }
      return list(rules, "rules").compactMap { rule($0) }
    case .scalar:
      mistake(tree.line, "a rule file is a list of rules, each beginning with '- id:'")
      return []
    }
  }

  /// nil where it is not right; the mistakes give the reason.
  mutating func rule(_ node: DocumentNode) -> Rule? {
    let before = mistakes.count
    let fields = fields(node, RuleKeys.rule)
    var rule = Rule()
    rule.file = file
    rule.line = node.line
    if let value = fields["id"] { rule.id = identifier(value) }
    if let value = fields["title"] { rule.title = text(value, "title") }
    if let value = fields["severity"] {
      rule.severity = word(value, "severity", Severity.allCases.map { ($0.word, $0) }) ?? .p3
    }
    if let value = fields["observe"] { rule.observe = flag(value, "observe") }
    if let value = fields["scope"] {
      rule.scope = word(value, "scope", EntityKind.allCases.map { ($0.word, $0) }) ?? .host
    }
    if let value = fields["match"] { rule.match = labels(value) }
    if let value = fields["when"], let when = condition(value) { rule.when = when }
    if let value = fields["until"] { rule.until = condition(value) }
    rule.clearAfterNs =
      fields["clear_after"].map { duration($0, "clear_after") } ?? max(rule.when.longestHoldNs, Self.clearNs)
    if let value = fields["causes"] { rule.causes = texts(value, "causes") }
    if let value = fields["steps"] { rule.steps = texts(value, "steps") }
    if let value = fields["evidence"] { rule.evidence = evidence(value) }
    if let value = fields["needs"] { rule.needs = text(value, "needs") }
    if let value = fields["runbook"] { rule.runbook = text(value, "runbook") }
    if let value = fields["mutes"] { rule.mutes = texts(value, "mutes") }
    if let value = fields["source"] { rule.source = text(value, "source") }
    if rule.when.asksForHosts != (rule.scope == .fleet), mistakes.count == before {
      mistake(
        node.line,
        rule.scope == .fleet
          ? "rule \(rule.id) has scope fleet, which needs a condition such as { hosts: AGT-01, above: 50% } alone"
          : "rule \(rule.id) asks for hosts, which needs scope: fleet")
    }
    if rule.when.leafCount > Self.conditionsMax {
      mistake(node.line, "rule \(rule.id) has more than \(Self.conditionsMax) conditions; make several rules of it")
    }
    guard mistakes.count == before else { return nil }
    rule.definitionHash = hash(fields, rule)
    for key in ["when", "until", "clear_after"] {
      guard let value = fields[key] else { continue }
      rule.definition += DocumentNode(.map([.init(key: key, line: 0, value: value)])).block + "\n"
    }
    return rule
  }

  /// Indexes of conditions are 8 bits wide in the state.
  private static let conditionsMax = 60
  private static let clearNs: Int64 = 300_000_000_000

  /// What decides when the rule fires; texts for people do not.
  private func hash(_ fields: [String: DocumentNode], _ rule: Rule) -> UInt64 {
    var text = rule.id
    for key in ["scope", "match", "when", "until", "clear_after"] { text += "\n" + (fields[key]?.canonical ?? "") }
    // A list that is only named is part of the definition, too.
    for name in lists.keys.sorted() where text.contains("$" + name) { text += "\n\(lists[name] ?? [])" }
    let bytes = Array(text.utf8)
    return ContentHash.of(bytes.span)
  }

  private mutating func identifier(_ node: DocumentNode) -> String {
    let id = text(node, "id")
    let isRight = id.utf8.allSatisfy { $0 == UInt8(ascii: "-") || ASCII.isDigit($0) || (65...90).contains($0) }
    if !isRight || id.isEmpty || id.utf8.count > 40 {
      mistake(node.line, "'\(id)' is no id: write at most 40 capitals, digits and dashes, such as RES-01")
    }
    return id
  }

  private mutating func evidence(_ node: DocumentNode) -> [EvidenceRequest] {
    let words: [(String, EvidenceRequest)] = [
      ("top_processes", .topProcesses), ("kernel_messages", .kernelMessages), ("gpu_state", .gpuState),
      ("recent_steps", .recentSteps),
    ]
    return list(node, "evidence").compactMap { item in
      guard case .map = item.value else { return word(item, "evidence", words) }
      let fields = fields(item, Self.evidenceKeys)
      if let log = fields["log"] {
        let inner = self.fields(log, Self.logEvidenceKeys)
        return .log(
          file: inner["file"].map { text($0, "file") } ?? "*", lines: inner["lines"].map { count($0, "lines") } ?? 20)
      }
      guard let value = fields["metric"] else { return nil }
      return .metric(
        name: metric(value)?.name ?? "", overNs: fields["over"].map { duration($0, "over") } ?? 3_600_000_000_000)
    }
  }

  private static let evidenceKeys = KeyTable(
    "evidence",
    [
      RuleKey("log", .map(logEvidenceKeys), "The last lines of the files that fit."),
      RuleKey("metric", .metric, "The last values."), RuleKey("over", .duration, "Of this time; 1h if not given."),
    ])
  private static let logEvidenceKeys = KeyTable(
    "log", [RuleKey("file", .text, "Pattern of the file."), RuleKey("lines", .count, "How many; 20 if not given.")])
}

extension Condition {
  /// The longest time that a part of it must hold.
  fileprivate var longestHoldNs: Int64 {
    switch self {
    case .all(let parts, let holdNs, _), .any(let parts, let holdNs): max(holdNs, parts.map(\.longestHoldNs).max() ?? 0)
    case .not(_, let holdNs): holdNs
    case .measure(_, _, let holding): holding.holdNs
    default: 0
    }
  }

  fileprivate var asksForHosts: Bool { if case .hosts = self { true } else { false } }

  fileprivate var leafCount: Int {
    switch self {
    case .all(let parts, _, _), .any(let parts, _): 1 + parts.reduce(0) { $0 + $1.leafCount }
    case .not(let part, _): 1 + part.leafCount
    default: 1
    }
  }
}
