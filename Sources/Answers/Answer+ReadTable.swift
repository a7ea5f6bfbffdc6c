package import Store

extension Answer {
  /// - Parameter shown: titles and units by column name.
  package init(_ table: ReadTable, _ shown: [Column], notes: [String] = []) {
    let known = Dictionary(shown.map { ($0.name, $0) }) { first, _ in first }
    self.init(
      columns: table.columns.map { known[$0] ?? Column($0) }, rows: table.rows.map { $0.map(Cell.init) }, notes: notes)
  }
}

extension Cell {
  package init(_ value: ReadValue) {
    self =
      switch value {
      case .null: .null
      case .text(let text): .text(text)
      case .integer(let number): .integer(number)
      case .real(let number): .real(number)
      case .boolean(let flag): .boolean(flag)
      case .time(let ns): .time(ns)
      case .json(let document): .json(document)
      }
  }
}
