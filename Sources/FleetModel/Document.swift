/// A document that people write (configuration, rules, cases) as a neutral tree: what is decoded, whatever it was written in.
package struct DocumentNode: Sendable, Equatable {
  /// The content of a node.
  package indirect enum Value: Sendable, Equatable {
    /// A single value as it was written, without quotes; nothing at all is an empty one.
    case scalar(String)
    case list([DocumentNode])
    case map([Entry])
  }

  /// A key with its value.
  package struct Entry: Sendable, Equatable {
    package var key: String
    /// Where the key stands, 1….
    package var line: Int
    package var value: DocumentNode

    package init(key: String, line: Int, value: DocumentNode) {
      self.key = key
      self.line = line
      self.value = value
    }
  }

  package var value: Value
  /// 1…; 0 where it is not known.
  package var line: Int
  /// 1…; 0 where it is not known.
  package var column: Int

  package init(_ value: Value, line: Int = 0, column: Int = 0) {
    self.value = value
    self.line = line
    self.column = column
  }

  package var scalar: String? { if case .scalar(let text) = value { text } else { nil } }
  package var list: [DocumentNode]? { if case .list(let items) = value { items } else { nil } }
  package var entries: [Entry]? { if case .map(let entries) = value { entries } else { nil } }

  /// One form for all ways to write the same: keys in order, no lines. What a definition's hash is taken of.
  package var canonical: String {
    switch value {
    case .scalar(let text): JSONText.quoted(text)
    case .list(let items): "[" + items.map(\.canonical).joined(separator: ",") + "]"
    case .map(let entries):
      "{"
        + entries.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value.canonical)" }.joined(separator: ",") + "}"
    }
  }
}

/// A mistake in a document: where, what, and what would be right.
package struct DocumentMistake: Error, Equatable, Sendable, CustomStringConvertible {
  package let file: String
  /// 1…; 0 where the whole file is meant.
  package let line: Int
  package let message: String

  package init(file: String, line: Int, message: String) {
    self.file = file
    self.line = line
    self.message = message
  }

  package var description: String { line > 0 ? "\(file):\(line): \(message)" : "\(file): \(message)" }
}
