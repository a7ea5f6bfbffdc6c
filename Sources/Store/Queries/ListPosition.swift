internal import FleetModel

/// Where the next page of a list begins: behind the row that has these values of the columns by which the list is ordered.
///
/// A row that changes meanwhile moves to the front of a list whose newest are first: whoever wants it asks from the start.
package struct ListPosition: Sendable, Equatable {
  package enum Kind: Sendable {
    case time, text
    /// `integer` as a row's number is, `bigint` as an episode's.
    case integer, bigint
  }

  package let values: [String]

  package init(_ values: [String]) { self.values = values }

  /// As text that a client sends back unchanged.
  package var cursor: String { Base64.url.encode(Array(JSON.texts(values).written.utf8)) }

  /// - Parameter kinds: of the list's columns.
  /// - Returns: nil for a text that no position of this list wrote: each value becomes a parameter of a statement, which would fail on
  ///   another.
  package init?(cursor: String, _ kinds: [Kind]) {
    guard let bytes = Base64.url.decode(Array(cursor.utf8)), case .list(let items)? = JSON.read(bytes) else {
      return nil
    }
    let values = items.compactMap(\.text)
    guard values.count == items.count, values.count == kinds.count else { return nil }
    let known = zip(values, kinds).compactMap(Self.known)
    guard known.count == values.count else { return nil }
    self.values = known
  }

  /// As the statement's column takes it; nil for a value that it could not have.
  private static func known(_ value: String, _ kind: Kind) -> String? {
    switch kind {
    case .time: Timestamp.parse(value).map { Timestamp.text($0) }
    case .integer: Int32(value).flatMap { $0 > 0 ? String($0) : nil }
    case .bigint: Int64(value).map { String($0) }
    case .text: value.utf8.contains(0) ? nil : value
    }
  }

  /// Parameters of a statement for so many columns; null where the list begins.
  static func parameters(_ position: ListPosition?, _ count: Int) -> [String?] {
    position.map { $0.values.map(Optional.some) } ?? Array(repeating: nil, count: count)
  }
}
