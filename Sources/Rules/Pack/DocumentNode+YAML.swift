internal import FleetModel

extension DocumentNode {
  /// As YAML, short maps on one line.
  ///
  /// - Parameter indent: columns before each line but the first.
  func yaml(indent: Int = 0) -> String {
    if isShort { return flow }
    let blanks = "\n" + String(repeating: " ", count: indent)
    switch value {
    case .scalar: return flow
    case .list(let items): return items.map { "- " + $0.yaml(indent: indent + 2) }.joined(separator: blanks)
    case .map(let entries):
      return entries.map { entry in
        if entry.value.isShort { return "\(entry.key): \(entry.value.flow)" }
        return "\(entry.key):" + blanks + "  " + entry.value.yaml(indent: indent + 2)
      }.joined(separator: blanks)
    }
  }

  /// As YAML with its keys on lines of their own.
  var block: String {
    guard let entries else { return yaml() }
    return entries.map { entry in
      let text = entry.value.isShort ? " " + entry.value.flow : "\n  " + entry.value.yaml(indent: 2)
      return "\(entry.key):" + text
    }.joined(separator: "\n")
  }

  /// Fits on a line and has nothing of its own to show below.
  private var isShort: Bool {
    switch value {
    case .scalar: true
    case .list(let items): items.allSatisfy { $0.scalar != nil } && flow.utf8.count <= 100
    case .map(let entries):
      flow.utf8.count <= 110
        && entries.allSatisfy {
          $0.value.scalar != nil || ($0.value.list == nil && $0.value.isShort)
            || $0.value.list?.allSatisfy { $0.scalar != nil } == true
        }
    }
  }

  private var flow: String {
    switch value {
    case .scalar(let text): Self.quoted(text)
    case .list(let items): "[" + items.map(\.flow).joined(separator: ", ") + "]"
    case .map(let entries): "{ " + entries.map { "\($0.key): \($0.value.flow)" }.joined(separator: ", ") + " }"
    }
  }

  private static func quoted(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { ASCII.isLetter($0) || ASCII.isDigit($0) || "./_-$% ".utf8.contains($0) }
    let isWord = text.utf8.first.map { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "%") } ?? false
    return isPlain && isWord ? text : JSONText.quoted(text)
  }
}
