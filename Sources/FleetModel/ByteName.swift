/// A name as the kernel and the database compare it: by its bytes.
///
/// Why: two `String`s are equal where they are canonically equivalent, so "é" as one scalar and as two is one key of a dictionary, but two
/// files of a directory and two rows of a table. What is known by path, mount or run must not be merged.
package struct ByteName: Hashable, Sendable {
  package let text: String

  package init(_ text: String) { self.text = text }

  package static func == (left: ByteName, right: ByteName) -> Bool { left.text.hasBytes(of: right.text) }

  /// What has the same bytes is equal, so its hash is too.
  package func hash(into hasher: inout Hasher) { hasher.combine(text) }
}

extension String {
  /// Whether both are the same bytes. Most texts differ at once; only equal ones are looked at byte by byte.
  package func hasBytes(of other: String) -> Bool { self == other && utf8.elementsEqual(other.utf8) }
}

/// A dictionary of names by their bytes.
package struct NameTable<Value> {
  private var entries: [ByteName: Value] = [:]

  package init() {}

  package subscript(name: String) -> Value? {
    get { entries[ByteName(name)] }
    set { entries[ByteName(name)] = newValue }
  }

  package var count: Int { entries.count }
  package var values: some Collection<Value> { entries.values }
  package var names: some Collection<String> { entries.keys.lazy.map(\.text) }

  package mutating func removeAll() { entries.removeAll() }
}

extension NameTable: Sendable where Value: Sendable {}

/// A set of names by their bytes.
package struct NameSet: Sendable, Equatable, ExpressibleByArrayLiteral {
  private var entries: Set<ByteName>

  package init(_ names: some Sequence<String>) { entries = Set(names.map(ByteName.init)) }
  package init(arrayLiteral elements: String...) { self.init(elements) }

  package var count: Int { entries.count }
  package var isEmpty: Bool { entries.isEmpty }
  package func contains(_ name: String) -> Bool { entries.contains(ByteName(name)) }
  package var names: some Collection<String> { entries.lazy.map(\.text) }

  /// - Returns: whether it was not there.
  @discardableResult
  package mutating func insert(_ name: String) -> Bool { entries.insert(ByteName(name)).inserted }
  package mutating func remove(_ name: String) { entries.remove(ByteName(name)) }
  package mutating func removeAll() { entries.removeAll() }
}
