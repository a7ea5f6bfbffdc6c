package import FleetModel
package import Rules

/// A directory of rules with their cases and the catalogue that they cover.
package struct RulePack: Sendable {
  package let set: RuleSet
  package let cases: [RuleCase]
  package let catalogue: RuleCatalogue

  /// - Parameter shownAs: how pages name the directory; as it was given where nil.
  /// - Throws: the first mistake.
  package init(_ directory: String, shownAs name: String? = nil) throws(DocumentMistake) {
    let (set, wrongRules) = RuleDirectory.rules([directory])
    let (cases, wrongCases) = RuleDirectory.cases(directory)
    let (catalogue, wrongRows) = RuleDirectory.catalogue(directory)
    let unknown = RuleCase.unknownRules(cases, in: set)
    if let first = (wrongRules + wrongCases + wrongRows + unknown).first { throw first }
    func shown(_ file: String) -> String {
      guard let name, file.hasPrefix(directory) else { return file }
      return name + file.dropFirst(directory.count)
    }
    self.set = set.renamed(shown)
    self.cases = cases.map { test in
      var test = test
      test.file = shown(test.file)
      return test
    }
    self.catalogue = catalogue
  }

  /// A page for each rule, for each of a collector's own, and one that lists them, by file name.
  package var pages: [(name: String, text: String)] {
    let symptoms = Dictionary(catalogue.rows.map { ($0.id, $0.symptom) }) { first, _ in first }
    let pages = set.rules.map { rule in
      (
        name: rule.id + ".md",
        text: Runbook.page(rule, in: set, cases: cases, symptom: symptoms[rule.catalogueRow] ?? "")
      )
    }
    let own = OwnRule.runbooks.map { (name: $0.id + ".md", text: Runbook.page($0)) }
    return pages + own + [(name: "README.md", text: Runbook.index(set))]
  }
}
