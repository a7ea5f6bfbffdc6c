package import FleetModel

/// The symptoms that a pack must cover, and what each of the operations documents asks for.
package struct RuleCatalogue: Sendable {
  /// In the order of the catalogue.
  package private(set) var rows: [(id: String, symptom: String)] = []
  /// Rows, or patterns of them such as `RES-*`, by document.
  package private(set) var seeds: [(name: String, rows: [String])] = []

  package init() {}

  /// - Returns: what is right of it, and every mistake.
  package static func read(_ tree: DocumentNode, file: String) -> (
    catalogue: RuleCatalogue, mistakes: [DocumentMistake]
  ) {
    var reader = RuleReader(file: file)
    var found = RuleCatalogue()
    let fields = reader.fields(tree, keys)
    for (row, value) in reader.named(fields, "rows") { found.rows.append((row, reader.text(value, row))) }
    for (seed, value) in reader.named(fields, "seeds") {
      let names = reader.textOrTexts(value, seed)
      for name in names where found.rows(fitting: name).isEmpty {
        reader.mistake(value, "\(seed) asks for \(name), which is no row")
      }
      found.seeds.append((seed, names))
    }
    return (found, reader.mistakes)
  }

  private static let keys = KeyTable(
    "a catalogue", required: ["rows", "seeds"],
    [
      DocumentKey("rows", .labels, "Id and symptom of each row."),
      DocumentKey("seeds", .named(.textOrList), "Rows that each operations document asks for."),
    ])

  /// Rows that a name or a pattern means.
  package func rows(fitting name: String) -> [String] {
    let pattern = Wildcard(name)
    return rows.map(\.id).filter { pattern.matches($0) }
  }
}

/// What covers a row of the catalogue: a rule, where it stands, a case in which it fires and one in which it nearly does.
package struct RuleCoverage: Sendable {
  package var row: String
  package var symptom: String
  /// Empty where no rule covers the row.
  package var rule = ""
  package var severity = ""
  package var isObserved = false
  /// File and line; empty where there is none.
  package var place = ""
  package var fires = ""
  package var nearMiss = ""

  package var isComplete: Bool { !rule.isEmpty && !fires.isEmpty && !nearMiss.isEmpty }

  /// One entry for each rule of each row; a row without a rule has one, too.
  package static func of(_ catalogue: RuleCatalogue, _ set: RuleSet, _ cases: [RuleCase]) -> [RuleCoverage] {
    catalogue.rows.flatMap { row -> [RuleCoverage] in
      let rules = set.rules.filter { $0.catalogueRow == row.id }
      if rules.isEmpty { return [RuleCoverage(row: row.id, symptom: row.symptom)] }
      return rules.map { rule in
        let own = cases.filter { $0.rule == rule.id }
        var entry = RuleCoverage(row: row.id, symptom: row.symptom)
        entry.rule = rule.id
        entry.severity = rule.severity.word
        entry.isObserved = rule.observe
        entry.place = "\(rule.file):\(rule.line)"
        entry.fires = own.first { !$0.expected.isEmpty }.map(Self.text) ?? ""
        entry.nearMiss = own.first { $0.expected.isEmpty }.map(Self.text) ?? ""
        return entry
      }
    }
  }

  private static func text(_ test: RuleCase) -> String { "\(test.file):\(test.line) \(test.name)" }

  /// Rules that belong to no row, such as those of a site.
  package static func extra(_ catalogue: RuleCatalogue, _ set: RuleSet) -> [String] {
    set.rules.filter { rule in !catalogue.rows.contains { $0.id == rule.catalogueRow } }.map(\.id)
  }

  /// The rows that each document asks for and no complete rule covers.
  package static func open(_ catalogue: RuleCatalogue, _ coverage: [RuleCoverage]) -> [(
    seed: String, rows: [String], missing: [String]
  )] {
    catalogue.seeds.map { seed in
      let wanted = seed.rows.flatMap { catalogue.rows(fitting: $0) }
      return (seed.name, wanted, wanted.filter { row in !coverage.contains { $0.row == row && $0.isComplete } })
    }
  }

  /// The table as a page.
  package static func page(_ catalogue: RuleCatalogue, _ coverage: [RuleCoverage]) -> String {
    var text = """
      # Coverage of the catalogue

      Made by `signalbox rules coverage deploy/rules --page`; do not edit. Each row of the catalogue, the rules that cover it, where
      they stand, and two of their cases: one in which the rule must fire and one in which it nearly does and must not.

      | row | symptom | rule | severity | file | fires | near miss |
      |---|---|---|---|---|---|---|

      """
    for entry in coverage {
      let rule = entry.rule.isEmpty ? "" : "[\(entry.rule)](runbooks/\(entry.rule).md)"
      let severity = entry.severity + (entry.isObserved ? ", observed" : "")
      let cells = [entry.row, entry.symptom, rule, severity, entry.place, entry.fires, entry.nearMiss]
      text += "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |\n"
    }
    text += "\n## What the operations documents ask for\n\n| document | rows | not covered |\n|---|---|---|\n"
    for seed in open(catalogue, coverage) {
      let missing = seed.missing.isEmpty ? "none" : seed.missing.joined(separator: ", ")
      text += "| \(seed.seed) | \(seed.rows.joined(separator: ", ")) | \(missing) |\n"
    }
    let rules = Set(coverage.map(\.rule)).subtracting([""]).count
    text += "\n\(catalogue.rows.count) rows, \(rules) rules, \(coverage.count { !$0.isComplete }) empty cells.\n"
    return text
  }
}

extension RuleSet {
  /// The same rules, their files named otherwise.
  package func renamed(_ name: (String) -> String) -> RuleSet {
    var set = self
    for place in set.rules.indices { set.rules[place].file = name(set.rules[place].file) }
    return set
  }
}
