package import FleetModel

/// A document with one wrong value, and where a reader must report it.
package struct WrongDocument: Sendable, CustomStringConvertible {
  /// YAML in flow form.
  package let yaml: String
  /// The keys that lead to the value.
  package let path: String

  package var description: String { "\(path) in \(yaml)" }
}

/// Every key that a reader's tables hold, each in turn with values that it must refuse: a key that the reader forgets shows here.
package struct KeyWalk: Sendable {
  /// What a table needs beside a key, so that it is the one that is read.
  package typealias Siblings = @Sendable (_ table: KeyTable, _ key: String) -> [String]

  /// Tables of a `ValueShape.reference`, and what tells each of them from the others.
  private let references: [String: [KeyTable]]
  private let siblings: Siblings

  package init(references: [String: [KeyTable]] = [:], siblings: @escaping Siblings = { _, _ in [] }) {
    self.references = references
    self.siblings = siblings
  }

  /// - Parameters:
  ///   - path: of the table's map; empty for the root.
  ///   - around: the document around the map's text.
  package func wrong(
    _ table: KeyTable, path: String = "", _ around: (String) -> String = { $0 }
  ) -> [WrongDocument] {
    walk(table, path, around, seen: [])
  }

  private func walk(
    _ table: KeyTable, _ path: String, _ around: (String) -> String, seen: Set<String>
  ) -> [WrongDocument] {
    var found: [WrongDocument] = []
    let others = siblings(table, "") + ["no_such_key: 1"]
    found.append(WrongDocument(yaml: around("{ \(others.joined(separator: ", ")) }"), path: below(path, "no_such_key")))
    for key in table.keys {
      let beside = siblings(table, key.name)
      found += walk(
        key.shape, below(path, key.name),
        { inner in
          around("{ \((beside + ["\(key.name): \(inner)"]).joined(separator: ", ")) }")
        }, seen: seen)
    }
    return found
  }

  private func walk(
    _ shape: ValueShape, _ path: String, _ around: (String) -> String, seen: Set<String>
  ) -> [WrongDocument] {
    let here = Self.wrongValues(shape).map { WrongDocument(yaml: around($0), path: path) }
    switch shape {
    case .list(let item): return here + walk(item, path + "[0]", { around("[\($0)]") }, seen: seen)
    case .map(let table): return here + walk(table, path, around, seen: seen)
    case .named(let value): return here + walk(value, below(path, "name"), { around("{ name: \($0) }") }, seen: seen)
    case .either(let shapes):
      return here
        + shapes.flatMap { shape -> [WrongDocument] in
          guard case .map = shape else { return [] }
          return walk(shape, path, around, seen: seen)
        }
    case .reference(let name) where !seen.contains(name):
      return here + (references[name] ?? []).flatMap { walk($0, path, around, seen: seen.union([name])) }
    default: return here
    }
  }

  private func below(_ path: String, _ key: String) -> String { path.isEmpty ? key : path + "." + key }

  /// Of another type, out of range, or nothing at all.
  private static func wrongValues(_ shape: ValueShape) -> [String] {
    switch shape {
    case .text: ["[a]", "{ a: b }", "''", "~"]
    case .number: ["[1]", "soon", "~", ".nan"]
    case .integer(let range):
      [
        "[1]", "{ a: 1 }", "soon", "1.5", "'\(range.lowerBound)'", "~", "\(range.lowerBound - 1)",
        "\(range.upperBound + 1)",
      ]
    case .flag: ["[true]", "yes", "no", "on", "off", "1", "'true'", "True", "~"]
    case .duration(let range, _), .durationOr(_, let range, _):
      ["[1s]", "{ a: 1s }", "soon", "10", "-1s", "~"]
        + (range.lowerBound > 1_000_000 ? ["\(range.lowerBound - 1_000_000)ns"] : [])
        + (range.upperBound < TimeSpan.longestNs ? ["\(range.upperBound + 1_000_000)ns"] : [])
    case .quantity: ["{ a: 1 }", "soon", "nan", "~"]
    case .word: ["[a]", "no-such-word", "~"]
    case .list: ["one", "{ a: b }", "~"]
    case .textOrList: ["{ a: b }", "~", "[[a]]"]
    case .labels: ["one", "[a]", "{ a: [b] }", "~"]
    case .map, .named: ["one", "[a]", "~"]
    case .reference, .either: ["no.such", "[a]", "~"]
    case .anything: []
    }
  }
}
