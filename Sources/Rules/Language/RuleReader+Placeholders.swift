internal import FleetModel

extension RuleReader {
  /// What `StepText` and an incident's title fill in.
  static let placeholders = ["host", "entity"]

  /// Words in double braces that nothing fills in. A template of another program, such as `docker ps --format '{{.Names}}'`, is left
  /// alone: it holds more than a word.
  ///
  /// - Parameter fills: false for texts in which nothing is filled in.
  mutating func checkPlaceholders(_ node: DocumentNode, fills: Bool = true) {
    guard let text = node.scalar else { return }
    for inner in Self.braced(text) {
      let word = inner.split(separator: " ").joined(separator: " ")
      let isWord =
        word.utf8.first.map { ASCII.isLetter($0) } ?? false
        && word.utf8.allSatisfy { ASCII.isLetter($0) || ASCII.isDigit($0) || $0 == UInt8(ascii: "_") }
      guard isWord, !fills || !Self.placeholders.contains(inner) else { continue }
      let hint =
        !fills
        ? "only title and steps fill in names; write it out"
        : Self.placeholders.contains(word)
          ? "write {{\(word)}} without blanks"
          : Nearest.name(to: word, among: Self.placeholders).map { "did you mean {{\($0)}}?" }
            ?? "there are {{host}} and {{entity}}"
      mistake(node, "nothing fills in '{{\(inner)}}'; \(hint)", weight: .warning)
    }
  }

  /// What stands between each `{{` and the next `}}`.
  private static func braced(_ text: String) -> [String] {
    var found: [String] = []
    var rest = text[...]
    while let open = rest.firstRange(of: "{{") {
      rest = rest[open.upperBound...]
      guard let close = rest.firstRange(of: "}}") else { break }
      found.append(String(rest[..<close.lowerBound]))
      rest = rest[close.upperBound...]
    }
    return found
  }
}
