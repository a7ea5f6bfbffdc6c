package import FleetModel

/// An answer as one program sends it to another: columns once, rows as lists, and of each value the kind that plain JSON does not tell.
///
/// Why beside the JSON for scripts: a table needs to know that `5` is a time, a ratio that happens to be whole, or a count, and columns for
/// people stand in none of the others.
extension Answer {
  /// `{"columns":["host",…],"rows":[["gpu-1",5,0.5,{"time":"1764455334000000000"}],…]}`
  package var rowsJSON: JSON {
    .object([
      ("columns", .texts(columns.map(\.name))),
      ("rows", .list(rows.map { .list($0.map(Self.json)) })),
    ])
  }

  /// - Parameters:
  ///   - document: as `rowsJSON` wrote it.
  ///   - shown: titles and units by column name.
  /// - Returns: nil where it is none.
  package init?(rows document: JSON, _ shown: [Column]) {
    guard let names = document["columns"]?.items, let items = document["rows"]?.items else { return nil }
    let known = Dictionary(shown.map { ($0.name, $0) }) { first, _ in first }
    let columns = names.compactMap(\.text).map { known[$0] ?? Column($0) }
    let rows = items.compactMap { row in row.items.map { $0.compactMap(Self.cell) } }
    guard columns.count == names.count, rows.count == items.count, rows.allSatisfy({ $0.count == columns.count })
    else { return nil }
    self.init(columns: columns, rows: rows)
  }

  private static func json(_ cell: Cell) -> JSON {
    switch cell {
    case .null: .null
    case .text(let text): .text(text)
    case .integer(let number): .number(number)
    case .real(let number): number.isFinite ? .real(number) : .object([("real", .text(String(number)))])
    case .boolean(let flag): .boolean(flag)
    // As text: a reader whose numbers are doubles would round it.
    case .time(let ns): .object([("time", .text(String(ns)))])
    case .json(let document): .object([("json", .text(document))])
    case .list(let cells): .object([("list", .list(cells.map(json)))])
    }
  }

  private static func cell(_ value: JSON) -> Cell? {
    switch value {
    case .null: return .null
    case .text(let text): return .text(text)
    case .number(let number): return .integer(number)
    case .real(let number): return .real(number)
    case .boolean(let flag): return .boolean(flag)
    case .list, .document: return nil
    case .object(let members):
      guard members.count == 1, let (kind, inner) = members.first else { return nil }
      switch kind {
      case "time": return inner.text.flatMap { Int64($0) }.map(Cell.time)
      case "real": return inner.text.flatMap { Double($0) }.map(Cell.real)
      case "json": return inner.text.map(Cell.json)
      case "list": return inner.items.map { .list($0.compactMap(cell)) }
      default: return nil
      }
    }
  }
}
