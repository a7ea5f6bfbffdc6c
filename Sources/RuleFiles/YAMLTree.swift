package import FleetModel
internal import Yams

/// YAML as a neutral tree, for configuration, rules and cases alike.
package enum YAMLTree {
  /// Nodes of one document: an alias that multiplies itself ends here.
  static let nodesMax = 1_000_000

  /// - Parameters:
  ///   - yaml: one document; an empty one is an empty value.
  ///   - file: its name, for messages.
  /// - Throws: where the text is no YAML, with the line.
  package static func read(_ yaml: String, file: String) throws(DocumentMistake) -> DocumentNode {
    let root: Node?
    do {
      root = try Yams.compose(yaml: yaml)
    } catch let error as YamlError {
      throw unreadable(error, file)
    } catch {
      throw DocumentMistake(file: file, line: 0, message: "is no YAML: \(error)")
    }
    guard let root else { return DocumentNode(.scalar(""), line: 1, column: 1) }
    var left = nodesMax
    guard let tree = convert(root, &left) else {
      throw DocumentMistake(file: file, line: 0, message: "has more than \(nodesMax) values, its aliases written out")
    }
    return tree
  }

  private static func convert(_ node: Node, _ left: inout Int) -> DocumentNode? {
    left -= 1
    guard left > 0 else { return nil }
    let (line, column) = (node.mark?.line ?? 0, node.mark?.column ?? 0)
    switch node {
    case .scalar(let scalar):
      let isQuoted = ![.any, .plain].contains(scalar.style)
      return DocumentNode(.scalar(scalar.string), line: line, column: column, isQuoted: isQuoted)
    case .sequence(let items):
      var list: [DocumentNode] = []
      for item in items {
        guard let item = convert(item, &left) else { return nil }
        list.append(item)
      }
      return DocumentNode(.list(list), line: line, column: column)
    case .mapping(let pairs):
      var entries: [DocumentNode.Entry] = []
      for (key, value) in pairs {
        guard let value = convert(value, &left) else { return nil }
        entries.append(
          DocumentNode.Entry(
            key: key.scalar?.string ?? "", line: key.mark?.line ?? line, column: key.mark?.column ?? 0, value: value))
      }
      return DocumentNode(.map(entries), line: line, column: column)
    case .alias: return DocumentNode(.scalar(""), line: line, column: column)
    }
  }

  private static func unreadable(_ error: YamlError, _ file: String) -> DocumentMistake {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      DocumentMistake(file: file, line: mark.line, column: mark.column, message: "is no YAML: \(problem)")
    case .duplicatedKeysInMapping(let duplicates, let context):
      DocumentMistake(
        file: file, line: context.mark.line,
        message: "the key '\(duplicates.first ?? "")' stands twice in the same map")
    default: DocumentMistake(file: file, line: 0, message: "is no YAML: \(error)")
    }
  }
}
