/// Which series of a Prometheus exposition a probe keeps: a pattern of the metric's name, and of labels where they are given.
///
/// Grammar: `NAME` or `NAME{label="value",…}`; `*` in the name and in values stands for any bytes (`StarPattern`). A series needs
/// every label that is given. Source: prometheus.io/docs, "Data model" (names), "Querying basics" (matchers).
package struct SeriesPattern: Sendable, Equatable {
  package let name: String
  package let labels: [(name: String, value: String)]

  package static func == (left: SeriesPattern, right: SeriesPattern) -> Bool {
    left.name == right.name && left.labels.elementsEqual(right.labels, by: ==)
  }

  /// - Returns: nil where the text is no pattern.
  package init?(_ text: String) {
    guard text.utf8.last == UInt8(ascii: "}") else {
      guard Self.isName(text[...]) else { return nil }
      (name, labels) = (text, [])
      return
    }
    guard let brace = text.firstIndex(of: "{"), Self.isName(text[..<brace]) else { return nil }
    var rest = text[text.index(after: brace)...].dropLast()
    var read: [(name: String, value: String)] = []
    while !rest.isEmpty {
      guard let equals = rest.firstIndex(of: "="), Self.isLabel(rest[..<equals]) else { return nil }
      let label = rest[..<equals]
      rest = rest[rest.index(after: equals)...]
      guard rest.first == "\"", let end = rest.dropFirst().firstIndex(of: "\"") else { return nil }
      let value = rest[rest.index(after: rest.startIndex)..<end]
      if value.utf8.contains(UInt8(ascii: "\\")) { return nil }
      read.append((String(label), String(value)))
      rest = rest[rest.index(after: end)...]
      if rest.isEmpty { break }
      guard rest.first == ",", rest.count > 1 else { return nil }
      rest = rest.dropFirst()
    }
    (name, labels) = (String(text[..<brace]), read)
  }

  package func matchesName(_ word: String) -> Bool { StarPattern.matches(word, name) }

  /// - Parameter value: of the series' label with this name; nil where it has none.
  package func matchesLabels(_ value: (String) -> String?) -> Bool {
    labels.allSatisfy { label in value(label.name).map { StarPattern.matches($0, label.value) } ?? false }
  }

  private static func isName(_ text: Substring) -> Bool {
    !text.isEmpty
      && text.utf8.allSatisfy { isLabelByte($0) || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "*") }
  }

  private static func isLabel(_ text: Substring) -> Bool { !text.isEmpty && text.utf8.allSatisfy(isLabelByte) }

  private static func isLabelByte(_ byte: UInt8) -> Bool {
    ProbeSetting.isNameByte(byte) && byte != UInt8(ascii: ".") && byte != UInt8(ascii: "-")
  }
}
