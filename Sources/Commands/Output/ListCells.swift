internal import Answers
internal import FleetModel

extension Answer {
  /// A list of objects within an answer, as a table of its own.
  /// - Parameters:
  ///   - cell: a JSON array; nil or anything else is a table without rows.
  ///   - shown: the columns; a member that an object does not have is null.
  init(list cell: Cell?, _ shown: [Column]) {
    var rows: [[Cell]] = []
    if case .json(let text)? = cell, let items = JSON.read(Array(text.utf8))?.items {
      rows = items.map { item in shown.map { Self.cell(item[$0.name]) } }
    }
    self.init(columns: shown, rows: rows)
  }

  /// Texts of a JSON array.
  static func texts(list cell: Cell?) -> [String] {
    guard case .json(let text)? = cell else { return [] }
    return JSON.read(Array(text.utf8))?.items?.compactMap(\.text) ?? []
  }

  /// As `list`, with the columns that its first object has.
  /// - Parameter shown: titles, units and ranks of those that have some.
  init(listOfAny cell: Cell?, _ shown: [Column]) {
    var names: [String] = []
    if case .json(let text)? = cell, case .object(let members)? = JSON.read(Array(text.utf8))?.items?.first {
      names = members.map(\.0)
    }
    let known = Dictionary(shown.map { ($0.name, $0) }) { first, _ in first }
    self.init(list: cell, names.map { known[$0] ?? Column($0, $0.uppercased().replacing("_", with: " "), .ratio) })
  }

  private static func cell(_ value: JSON?) -> Cell {
    switch value {
    case .text(let text): .text(text)
    case .number(let number): .integer(number)
    case .real(let number): .real(number)
    case .boolean(let flag): .boolean(flag)
    case .list, .object, .document: value.map { .json($0.written) } ?? .null
    case .null, nil: .null
    }
  }
}
