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
    /// 1…; 0 where it is not known.
    package var column: Int
    package var value: DocumentNode

    package init(key: String, line: Int, column: Int = 0, value: DocumentNode) {
      self.key = key
      self.line = line
      self.column = column
      self.value = value
    }
  }

  package var value: Value
  /// 1…; 0 where it is not known.
  package var line: Int
  /// 1…; 0 where it is not known.
  package var column: Int
  /// A single value in quotes, or a block of text: YAML makes no number, boolean or null of it.
  package var isQuoted: Bool
  /// The keys that lead to it, such as `paging.policies.P0[1].digest`; a reader fills them in on its way down.
  package var path = ""

  package init(_ value: Value, line: Int = 0, column: Int = 0, isQuoted: Bool = false) {
    self.value = value
    self.line = line
    self.column = column
    self.isQuoted = isQuoted
  }

  package var scalar: String? { if case .scalar(let text) = value { text } else { nil } }
  package var list: [DocumentNode]? { if case .list(let items) = value { items } else { nil } }
  package var entries: [Entry]? { if case .map(let entries) = value { entries } else { nil } }

  /// Nothing is written behind the key, or YAML's word for it.
  package var isNull: Bool { !isQuoted && scalar.map { ["", "~", "null"].contains($0) } ?? false }

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

  /// The same node, reached through a key.
  package func below(_ path: String, key: String) -> DocumentNode {
    var node = self
    node.path = path.isEmpty ? key : path + "." + key
    return node
  }

  /// The same node, reached as an item of a list.
  package func below(_ path: String, item: Int) -> DocumentNode {
    var node = self
    node.path = "\(path)[\(item)]"
    return node
  }
}

/// A mistake in a document: where, what, and what would be right.
package struct DocumentMistake: Error, Equatable, Sendable, CustomStringConvertible {
  package let file: String
  /// 1…; 0 where the whole file is meant.
  package let line: Int
  /// 1…; 0 where it is not known.
  package let column: Int
  /// The keys that lead to it, such as `paging.policies.P0[1].digest`; empty where the whole file is meant.
  package let path: String
  /// One sentence, with what to write instead.
  package let message: String
  package let weight: Weight

  package enum Weight: Sendable, Equatable {
    /// What holds it is left out, or the whole document refused.
    case error
    /// What holds it works all the same; a name in it leads nowhere.
    case warning
    /// It may be meant.
    case note
  }

  package init(
    file: String, line: Int, column: Int = 0, path: String = "", message: String, weight: Weight = .error
  ) {
    self.file = file
    self.line = line
    self.column = column
    self.path = path
    self.message = message
    self.weight = weight
  }

  func isAt(_ other: DocumentMistake) -> Bool {
    !path.isEmpty && path == other.path && line == other.line && column == other.column && file == other.file
  }

  /// `FILE:LINE:COLUMN`, as compilers print it and editors jump to; what is not known is left out.
  package var place: String {
    line == 0 ? file : column == 0 ? "\(file):\(line)" : "\(file):\(line):\(column)"
  }

  package var description: String { "\(place): " + (path.isEmpty ? "" : "\(path): ") + sentence }

  /// The message, with a note marked as one.
  package var sentence: String { weight == .note ? "note: \(message)" : message }
}

extension [DocumentMistake] {
  /// As a person reads a file: each file's from top to bottom, files in the order in which they were read.
  package var inOrderOfLines: [DocumentMistake] {
    var files: [String: Int] = [:]
    for mistake in self where files[mistake.file] == nil { files[mistake.file] = files.count }
    return enumerated().sorted { one, other in
      let (left, right) = (one.element, other.element)
      let key = (files[left.file] ?? 0, left.line, left.column, one.offset)
      return key < (files[right.file] ?? 0, right.line, right.column, other.offset)
    }.map(\.element)
  }
}
