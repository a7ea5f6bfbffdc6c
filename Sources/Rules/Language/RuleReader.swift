package import FleetModel

/// The rules of one or several files, with the lists that they share.
package struct RuleSet: Sendable {
  package internal(set) var rules: [Rule] = []
  /// Classes of failures, most telling first.
  package internal(set) var failures: [FailureClass] = []

  package init() {}

  /// Gives a page to each rule that names none.
  package mutating func describe(where isMeant: (Rule) -> Bool, _ page: (Rule) -> String) {
    for index in rules.indices where rules[index].runbook.isEmpty && isMeant(rules[index]) {
      rules[index].runbook = page(rules[index])
    }
  }

  /// Most rules a collector takes: their indexes are 12 bits wide in its state.
  package static let rulesMax = 4000
  /// Most classes of failures: a line that several could fit is held against each.
  package static let failuresMax = 500

  /// Reads documents that belong together: lists of one may be named in another, ids are unique over all.
  ///
  /// - Parameters:
  ///   - documents: a tree a file.
  ///   - others: ids of rules that run beside these, which these may name.
  /// - Returns: the rules that are right, and every mistake of all files, in the order of their lines. A rule with a warning is among
  ///   the rules: a name in it leads nowhere, and it watches all the same.
  package static func read(_ documents: [(file: String, tree: DocumentNode)], beside others: [String] = []) -> (
    set: RuleSet, mistakes: [DocumentMistake]
  ) {
    var set = RuleSet()
    var mistakes: [DocumentMistake] = []
    var lists: [String: [Int]] = [:]
    var words: [(word: String, entry: DocumentNode.Entry, file: String)] = []
    var named: Set<String> = []
    // Also of rules that are left out: what names one of them has no mistake of its own.
    var ids = Set(others)
    for (file, tree) in documents {
      var reader = RuleReader(file: file)
      for (name, numbers) in reader.lists(tree) { lists[name] = numbers }
      words += reader.tableLines.map { ($0.word, $0.entry, file) }
      for failure in reader.failures(tree) {
        if let other = set.failures.first(where: { $0.id == failure.id }) {
          reader.mistake(failure.line, "the class \(failure.id) is already that of \(other.file):\(other.line)")
        } else if set.failures.count == failuresMax {
          reader.mistake(failure.line, "there are more than \(failuresMax) classes of failures")
        } else {
          set.failures.append(failure)
        }
      }
      mistakes += reader.mistakes
    }
    let classes = set.failures.map(\.id) + [Diagnosis.unknownClass]
    for (file, tree) in documents {
      var reader = RuleReader(file: file)
      reader.lists = lists
      for rule in reader.rules(tree) {
        if let other = set.rules.first(where: { $0.id == rule.id }) {
          reader.mistake(rule.line, "the id \(rule.id) is already that of the rule in \(other.file):\(other.line)")
        } else if set.rules.count == rulesMax {
          reader.mistake(rule.line, "there are more than \(rulesMax) rules")
        } else {
          set.rules.append(rule)
        }
      }
      for (name, node) in reader.namedClasses where !set.failures.isEmpty && !classes.contains(name) {
        let hint = Nearest.name(to: name, among: classes).map { "; did you mean '\($0)'?" } ?? ""
        reader.mistake(node, "there is no class of failures '\(name)'\(hint)", weight: .warning)
      }
      mistakes += reader.mistakes
      named.formUnion(reader.namedLists)
      ids.formUnion(reader.ids)
    }
    for (word, entry, file) in words where !named.contains(word) {
      let hint = Nearest.name(to: word, among: Array(named)).map { "; did you mean '\($0)'?" } ?? ""
      mistakes.append(
        DocumentMistake(
          file: file, line: entry.line, column: entry.column, message: "no rule names the list '$\(word)'\(hint)"))
    }
    mistakes += set.unknownMutes(among: ids)
    mistakes += set.removeUnresolved(beside: others)
    return (set, mistakes.inOrderOfLines)
  }

  /// A rule that asks for one which is left out can never be true: it is left out, too, and so on.
  private mutating func removeUnresolved(beside others: [String]) -> [DocumentMistake] {
    var mistakes: [DocumentMistake] = []
    while true {
      let unknown = unknownReferences(beside: others)
      if unknown.isEmpty { return mistakes }
      mistakes += unknown
      let places = Set(unknown.map { Place(file: $0.file, line: $0.line) })
      rules.removeAll { places.contains(Place(file: $0.file, line: $0.line)) }
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

  /// What a rule mutes and no rule is called: its incidents would page, against what the rule's writer meant.
  private func unknownMutes(among ids: Set<String>) -> [DocumentMistake] {
    rules.flatMap { rule in
      rule.mutes.filter { pattern in !ids.contains { StarPattern.matches($0, pattern) } }.map { pattern in
        let hint = Nearest.name(to: pattern, among: ids.sorted()).map { "; did you mean '\($0)'?" } ?? ""
        return DocumentMistake(
          file: rule.file, line: rule.line, message: "rule \(rule.id) mutes '\(pattern)', which matches no rule\(hint)",
          weight: .warning)
      }
    }
  }

  /// `open` and `hosts` that name no rule.
  private func unknownReferences(beside others: [String]) -> [DocumentMistake] {
    let ids = rules.map(\.id) + others
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

/// Decodes one file.
struct RuleReader: DocumentReading {
  let file: String
  var mistakes: [DocumentMistake] = []
  var lists: [String: [Int]] = [:]
  /// Words of tables, each with a line of its, and the lists that rules name: a word that none names is a slip.
  var tableLines: [(word: String, entry: DocumentNode.Entry)] = []
  var namedLists: Set<String> = []
  /// Classes of failures that conditions name.
  var namedClasses: [(name: String, node: DocumentNode)] = []
  /// Of all rules of the file, those with mistakes among them.
  var ids: Set<String> = []

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
      mistake(lists, in: tree, "lists must be names with lists of numbers, such as xid_fatal: [48, 79]")
      return []
    }
    return named.flatMap { entry -> [(name: String, numbers: [Int])] in
      let value = entry.value.below("lists", key: entry.key)
      guard case .map(let lines) = value.value else { return [(entry.key, numbers(value, entry.key))] }
      return table(entry.key, lines, value)
    }
  }

  /// A number or a range of them, with its word, a line: one list for each word.
  private mutating func table(
    _ name: String, _ lines: [DocumentNode.Entry], _ owner: DocumentNode
  ) -> [(name: String, numbers: [Int])] {
    var lists: [(name: String, numbers: [Int])] = []
    var seen: Set<Int> = []
    for line in lines {
      let word = name + "." + text(line.value.below(owner.path, key: line.key), "the word of \(line.key)")
      let codes = numbers(DocumentNode(.scalar(line.key), line: line.line, column: line.column), name)
      if let twice = codes.first(where: { !seen.insert($0).inserted }) {
        mistake(line, in: owner, "\(twice) stands twice in the table \(name)")
      }
      tableLines.append((word, line))
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
    case .list: return list(tree, "a rule file").compactMap { rule($0) }
    case .map(let entries) where entries.contains { $0.key == "id" || $0.key == "when" }:
      mistake(tree, "a rule file is a list: begin the rule with '- '")
      return []
    case .map:
      let fields = fields(tree, RuleKeys.ruleFile)
      guard let rules = fields["rules"] else { return [] }
      return list(rules, "rules").compactMap { rule($0) }
    case .scalar:
      mistake(tree, "a rule file is a list of rules, each beginning with '- id:'")
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
    ids.insert(rule.id)
    rule.severity = word(fields, "severity").flatMap(Severity.init(word:)) ?? .p3
    rule.observe = flag(fields, "observe") ?? false
    if let word = word(fields, "scope") { rule.scope = EntityKind.allCases.first { $0.word == word } ?? .host }
    if let value = fields["match"] {
      rule.match = labels(value, "match")
      for (label, pattern) in named(value, "match") where label == "host" {
        checkHostPattern(pattern, pattern.scalar ?? "")
      }
    }
    if let value = fields["when"], let when = condition(value) { rule.when = when }
    if let value = fields["until"] { rule.until = condition(value) }
    // One report proves that a host is not silent.
    let clearNs = rule.watchesHosts ? 0 : max(rule.when.longestHoldNs, Self.clearNs)
    rule.clearAfterNs = duration(fields, "clear_after") ?? clearNs
    if let value = fields["evidence"] { rule.evidence = evidence(value) }
    if let value = fields["mutes"] { rule.mutes = texts(value, "mutes") }
    texts(fields, &rule)
    if rule.when.asksForHosts != (rule.scope == .fleet), !mistakes[before...].contains(where: { $0.weight == .error }) {
      mistake(
        node,
        rule.scope == .fleet
          ? "rule \(rule.id) has scope fleet, which needs a condition such as { hosts: AGT-01, above: 50% } alone"
          : "rule \(rule.id) asks for hosts, which needs scope: fleet")
    }
    if rule.when.leafCount > Self.conditionsMax {
      mistake(node, "rule \(rule.id) has more than \(Self.conditionsMax) conditions; make several rules of it")
    }
    guard !mistakes[before...].contains(where: { $0.weight == .error }) else { return nil }
    rule.definitionHash = hash(fields, rule)
    for key in ["when", "until", "clear_after"] {
      guard let value = fields[key] else { continue }
      rule.definition += DocumentNode(.map([.init(key: key, line: 0, value: value)])).block + "\n"
    }
    return rule
  }

  /// What people read.
  private mutating func texts(_ fields: DocumentFields, _ rule: inout Rule) {
    rule.title = text(fields, "title") ?? ""
    rule.needs = text(fields, "needs") ?? ""
    rule.runbook = text(fields, "runbook") ?? ""
    rule.source = text(fields, "source") ?? ""
    if let value = fields["causes"] { rule.causes = texts(value, "causes") }
    if let value = fields["steps"] { rule.steps = texts(value, "steps") }
    if let title = fields["title"] { checkPlaceholders(title) }
    for key in ["causes", "steps"] {
      guard let value = fields[key], value.list != nil else { continue }
      for item in list(value, key) { checkPlaceholders(item, fills: key == "steps") }
    }
  }

  /// Indexes of conditions are 8 bits wide in the state.
  private static let conditionsMax = 60
  private static let clearNs: Int64 = 300_000_000_000

  /// What decides when the rule fires; texts for people do not.
  private func hash(_ fields: DocumentFields, _ rule: Rule) -> UInt64 {
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
      mistake(node, "'\(id)' is no id: write at most 40 capitals, digits and dashes, such as RES-01")
    }
    return id
  }

  private mutating func evidence(_ node: DocumentNode) -> [EvidenceRequest] {
    let words: [(String, EvidenceRequest)] = zip(
      RuleKeys.evidenceWords, [.topProcesses, .kernelMessages, .gpuState, .recentSteps] as [EvidenceRequest]
    ).map { ($0, $1) }
    return list(node, "evidence").compactMap { item in
      guard case .map = item.value else { return word(item, "evidence", words) }
      let fields = fields(item, RuleKeys.evidence)
      if let log = fields["log"] {
        if let over = fields["over"] { mistake(over, "over belongs to metric; log has lines") }
        let inner = self.fields(log, RuleKeys.logEvidence)
        return .log(file: fileWildcard(inner, "file")?.text ?? "*", lines: count(inner, "lines") ?? 20)
      }
      guard let value = fields["metric"], let metric = metric(value) else { return nil }
      return .metric(name: metric.name, overNs: duration(fields, "over") ?? 3_600_000_000_000)
    }
  }
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
