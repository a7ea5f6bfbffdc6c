internal import FleetModel

/// One value of an answer, before it is written as a table, JSON or CSV.
package enum Cell: Hashable, Sendable {
  case null
  case text(String)
  case integer(Int64)
  case real(Double)
  case boolean(Bool)
  /// ns since 1970.
  case time(Int64)
  case list([Cell])
  /// A JSON document as the database wrote it.
  case json(String)

  /// As a word of a sentence: texts, whole numbers and times; "" for everything else.
  package var words: String {
    switch self {
    case .text(let text): text
    case .integer(let number): String(number)
    case .time(let ns): Timestamp.text(ns, digits: 0)
    default: ""
    }
  }
}

/// An answer: named columns and rows. Scripts get every column; people those with a title.
package struct Answer: Sendable {
  package struct Column: Sendable {
    /// Key in JSON and CSV.
    package var name: String
    /// Heading in a table; nil leaves the column to scripts.
    package var title: String?
    package var unit: Unit
    /// Left out of JSON and CSV: a short form of what another column has in full.
    package var isForPeopleOnly: Bool
    /// Where a table is too wide, columns of the highest rank are left out first, of one rank the last.
    package var rank: Int
    /// What is left of a text that is cut, in columns of the terminal: enough to know it again.
    package var least: Int
    /// A page shows it even where no row has a value in it.
    package var isAlwaysShown = false

    package init(
      _ name: String, _ title: String? = nil, _ unit: Unit = .plain, rank: Int = .max, least: Int = 10,
      forPeopleOnly: Bool = false
    ) {
      self.name = name
      self.title = title
      self.unit = unit
      self.rank = rank
      self.least = least
      isForPeopleOnly = forPeopleOnly
    }
  }

  /// How a table shows a number. JSON and CSV always carry it unchanged.
  package enum Unit: Sendable {
    case plain, percent, bytes, ratio, money
    /// Time as the age of it.
    case age
  }

  package var columns: [Column]
  package var rows: [[Cell]]
  /// Shown below a table on standard error: what is missing from the answer, what to do next.
  package var notes: [String]
  /// A limit has left rows out.
  package var isCut = false

  package init(columns: [Column], rows: [[Cell]] = [], notes: [String] = []) {
    self.columns = columns
    self.rows = rows
    self.notes = notes
  }

  /// Of the first row; nil where there is no such column, or no row.
  package func value(_ name: String) -> Cell? {
    columns.firstIndex { $0.name == name }.flatMap { index in rows.first?[index] }
  }

  /// The same rows without some columns.
  package func without(_ names: Set<String>) -> Answer {
    var left = self
    let kept = columns.indices.filter { !names.contains(columns[$0].name) }
    left.columns = kept.map { columns[$0] }
    left.rows = rows.map { row in kept.map { row[$0] } }
    return left
  }

  /// The same rows with one more value in each.
  package func with(_ name: String, _ value: Cell) -> Answer {
    var whole = self
    whole.columns.append(Column(name))
    for index in rows.indices { whole.rows[index].append(value) }
    return whole
  }

  /// The same rows with another answer as one more column of each: for scripts, which get in one document what people get in
  /// several tables.
  package func with(_ name: String, _ part: (_ row: [String: Cell]) throws -> Answer) rethrows -> Answer {
    var whole = self
    whole.columns.append(Column(name))
    for index in rows.indices {
      let row = Dictionary(zip(columns.map(\.name), rows[index])) { first, _ in first }
      whole.rows[index].append(.json(try Renderer(format: .ndjson, nowNs: 0).array(part(row))))
    }
    return whole
  }
}

extension Answer {
  /// The same with its first rows only.
  package func first(_ count: Int) -> Answer {
    var part = self
    part.rows = Array(rows.prefix(count))
    return part
  }
}
