/// What a key's value looks like. The reader checks by it and the JSON Schema is made of it.
package indirect enum ValueShape: Sendable {
  /// A single value that is not empty.
  case text
  /// A number of any kind.
  case number
  case integer(ClosedRange<Int64>)
  /// `true` or `false`.
  case flag
  /// A length of time in ns, and one as an example; 0 may be written where the range has it.
  case duration(ClosedRange<Int64>, example: String)
  /// A length of time, or a word of its own such as `forever`.
  case durationOr(word: String, ClosedRange<Int64>, example: String)
  /// A number, or one with a unit such as 50%, 2GiB or 10m.
  case quantity
  case word([String])
  case list(of: ValueShape)
  case textOrList
  /// Names with values, such as labels.
  case labels
  case map(KeyTable)
  /// Names that the writer chooses, each with such a value.
  case named(ValueShape)
  /// One of these.
  case either([ValueShape])
  /// What a schema defines by this name.
  case reference(String)
  case anything
}

/// A key of a document.
package struct DocumentKey: Sendable {
  package let name: String
  package let shape: ValueShape
  /// One sentence for people, in the schema.
  package let doc: String
  /// What may be written, for the sentence that it is missing; empty = none.
  package let example: String

  package init(_ name: String, _ shape: ValueShape, _ doc: String, example: String = "") {
    self.name = name
    self.shape = shape
    self.doc = doc
    self.example = example
  }
}

/// The keys that may stand together.
package struct KeyTable: Sendable {
  /// For messages: "a rule", "a log condition".
  package let what: String
  package let keys: [DocumentKey]
  package let required: [String]
  /// Of each of these groups exactly one key must be there.
  package let oneOf: [[String]]
  /// Of each of these groups no more than one key may be there.
  package let atMostOneOf: [[String]]

  package init(
    _ what: String, required: [String] = [], oneOf: [[String]] = [], atMostOneOf: [[String]] = [],
    _ keys: [DocumentKey]
  ) {
    self.what = what
    self.keys = keys
    self.required = required
    self.oneOf = oneOf
    self.atMostOneOf = atMostOneOf
  }

  package var names: [String] { keys.map(\.name) }

  package subscript(name: String) -> DocumentKey? { keys.first { $0.name == name } }
}

/// What a map of a document holds, by the table that it was read with.
package struct DocumentFields: Sendable {
  package let node: DocumentNode
  package let table: KeyTable
  package let values: [String: DocumentNode]
  /// What seems to be missing then is likely to be the one that was mistyped.
  package let hasUnknownKey: Bool

  package subscript(key: String) -> DocumentNode? { values[key] }
}
