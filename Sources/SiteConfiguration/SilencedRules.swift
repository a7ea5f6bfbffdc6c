package import FleetModel

extension Configuration {
  /// A rule that something else of the configuration names, and where.
  package struct NamedRule: Sendable, Equatable {
    package let pattern: String
    let file: String
    let node: DocumentNode
  }

  /// What `maintenance:` silences and no rule is called.
  ///
  /// The configuration stands all the same: a rule with a mistake is left out, and must not take a silence of other rules with it.
  /// - Parameter ids: of the rules that run beside it.
  package func unknownRules(among ids: [String]) -> [DocumentMistake] {
    silencedRules.compactMap { named in
      guard !ids.contains(where: { StarPattern.matches($0, named.pattern) }) else { return nil }
      let isPattern = named.pattern.utf8.contains(UInt8(ascii: "*"))
      let near = Nearest.name(to: named.pattern, among: ids).map { "did you mean '\($0)'?" }
      return DocumentMistake(
        file: named.file, line: named.node.line, column: named.node.column, path: named.node.path,
        message: "'\(named.pattern)' matches no rule; \(near ?? "signalbox rules list shows them")",
        weight: isPattern ? .note : .warning)
    }
  }
}
