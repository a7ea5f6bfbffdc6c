internal import FleetModel

/// How an answer is written.
package enum OutputFormat: String, CaseIterable, Sendable {
  case table, json, ndjson, csv
}

/// Writes an answer as text. Pure: the time for ages is a parameter.
package struct Renderer {
  package var format: OutputFormat
  package var nowNs: Int64
  /// Columns of a line that a table must fit; nil: as wide as it is.
  package var width: Int?
  /// States and severities of a table stand in colour beside their words.
  package var isColoured: Bool

  package init(format: OutputFormat, nowNs: Int64, width: Int? = nil, isColoured: Bool = false) {
    self.format = format
    self.nowNs = nowNs
    self.width = width
    self.isColoured = isColoured
  }

  /// The whole answer, ending with a newline (empty for no ndjson rows).
  package func text(_ answer: Answer) -> String { String(decoding: bytes(answer), as: UTF8.self) }

  /// The same as UTF-8. Bytes all the way: a fleet's answer is a hundred thousand values, and appending to a String costs
  /// several times as much.
  package func bytes(_ answer: Answer) -> [UInt8] {
    switch format {
    case .table: Array(table(answer).utf8)
    case .json: json(answer)
    case .ndjson: ndjson(answer)
    case .csv: Array(csv(answer).utf8)
    }
  }

  // MARK: JSON

  private func json(_ answer: Answer) -> [UInt8] {
    if answer.rows.isEmpty { return Array("[]\n".utf8) }
    let keys = keys(answer.columns)
    var bytes = Array("[\n".utf8)
    bytes.reserveCapacity(answer.rows.count * 256)
    for (index, row) in answer.rows.enumerated() {
      bytes.append(contentsOf: (index == 0 ? "  " : ",\n  ").utf8)
      append(row, keys, to: &bytes)
    }
    bytes.append(contentsOf: "\n]\n".utf8)
    return bytes
  }

  private func ndjson(_ answer: Answer) -> [UInt8] {
    let keys = keys(answer.columns)
    var bytes: [UInt8] = []
    for row in answer.rows {
      append(row, keys, to: &bytes)
      bytes.append(UInt8(ascii: "\n"))
    }
    return bytes
  }

  /// A JSON array on one line.
  package func array(_ answer: Answer) -> String {
    let lines = ndjson(answer).split(separator: UInt8(ascii: "\n"))
    return "[" + lines.map { String(decoding: $0, as: UTF8.self) }.joined(separator: ",") + "]"
  }

  /// Of each column that scripts get: its index, and its key with quotes and colon. Once an answer, not once a row.
  private func keys(_ columns: [Answer.Column]) -> [(place: Int, bytes: [UInt8])] {
    columns.indices.filter { !columns[$0].isForPeopleOnly }
      .map { ($0, Array((Escaping.json(columns[$0].name) + ":").utf8)) }
  }

  private func append(_ row: [Cell], _ keys: [(place: Int, bytes: [UInt8])], to bytes: inout [UInt8]) {
    var separator = UInt8(ascii: "{")
    for (place, key) in keys {
      bytes.append(separator)
      bytes.append(contentsOf: key)
      append(row[place], to: &bytes)
      separator = UInt8(ascii: ",")
    }
    if keys.isEmpty { bytes.append(separator) }
    bytes.append(UInt8(ascii: "}"))
  }

  private func append(_ cell: Cell, to bytes: inout [UInt8]) {
    switch cell {
    case .null: bytes.append(contentsOf: "null".utf8)
    case .text(let text): bytes.append(contentsOf: Escaping.json(text).utf8)
    case .integer(let number): bytes.append(contentsOf: String(number).utf8)
    // JSON has no NaN or infinity: what is not available is null.
    case .real(let number): bytes.append(contentsOf: (number.isFinite ? Self.shortest(number) : "null").utf8)
    case .boolean(let flag): bytes.append(contentsOf: (flag ? "true" : "false").utf8)
    case .time(let ns): bytes.append(contentsOf: "\"\(Timestamp.text(ns))\"".utf8)
    case .list(let cells):
      bytes.append(UInt8(ascii: "["))
      for (index, cell) in cells.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        append(cell, to: &bytes)
      }
      bytes.append(UInt8(ascii: "]"))
    case .json(let document): bytes.append(contentsOf: Escaping.jsonDocument(document).utf8)
    }
  }

  private static func shortest(_ number: Double) -> String {
    let text = String(number)
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }

  // MARK: CSV

  private func csv(_ answer: Answer) -> String {
    let shown = answer.columns.indices.filter { !answer.columns[$0].isForPeopleOnly }
    let head = shown.map { Escaping.csv(answer.columns[$0].name) }.joined(separator: ",")
    let rows = answer.rows.map { row in shown.map { csvField(row[$0]) }.joined(separator: ",") }
    return ([head] + rows).joined(separator: "\n") + "\n"
  }

  private func csvField(_ cell: Cell) -> String {
    switch cell {
    case .null: ""
    case .text(let text): Escaping.csv(text)
    case .integer(let number): String(number)
    case .real(let number): number.isFinite ? Self.shortest(number) : ""
    case .boolean(let flag): flag ? "true" : "false"
    case .time(let ns): Timestamp.text(ns)
    case .list, .json: Escaping.csv(document(cell))
    }
  }

  private func document(_ cell: Cell) -> String {
    var bytes: [UInt8] = []
    append(cell, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  // MARK: Table

  private func table(_ answer: Answer) -> String {
    let (shown, layout, lines) = laidOut(answer)
    let isNumeric = layout.places.map { Self.isNumeric(answer, shown[$0]) }
    let isState = layout.places.map { isColoured && ["state", "severity"].contains(answer.columns[shown[$0]].name) }
    return lines.map { line in
      let padded = layout.widths.indices.map { index in
        let text = TableLayout.cut(line[layout.places[index]], to: layout.widths[index])
        let space = String(repeating: " ", count: max(0, layout.widths[index] - PlainText.columns(text)))
        let word = isState[index] ? Self.coloured(text) : text
        return isNumeric[index] ? space + word : word + space
      }
      return Self.withoutTrailingSpace(padded.joined(separator: String(repeating: " ", count: TableLayout.gap))) + "\n"
    }.joined()
  }

  private static let colours: [String: Int] = [
    "live": 32, "completed": 32, "ok": 32, "running": 32, "late": 33, "acked": 33, "partly": 33, "not examined": 33,
    "P2": 33,
    "silent": 31, "failed": 31, "broken": 31, "open": 31, "P0": 31, "P1": 31,
  ]

  /// Source: ECMA-48, Select Graphic Rendition.
  private static func coloured(_ word: String) -> String {
    colours[word].map { "\u{1b}[\($0)m\(word)\u{1b}[0m" } ?? word
  }

  /// Headings of the columns that a table of this width leaves out.
  package func leftOut(_ answer: Answer) -> [String] {
    guard format == .table, width != nil else { return [] }
    let (shown, layout, _) = laidOut(answer)
    return shown.indices.filter { !layout.places.contains($0) }.map {
      Escaping.visible(answer.columns[shown[$0]].title ?? "")
    }
  }

  /// Each row as lines: its short cells in one line, the last column's text below it, wrapped.
  package func paragraphs(_ answer: Answer, width: Int) -> String {
    let shown = answer.columns.indices.filter { answer.columns[$0].title != nil }
    guard let last = shown.last else { return "" }
    return answer.rows.flatMap { row in
      let head = shown.dropLast().compactMap { index in
        row[index] == .null ? nil : shortText(row[index], answer.columns[index].unit)
      }.filter { !$0.isEmpty }.joined(separator: "  ")
      let text = row[last] == .null ? "" : shortText(row[last], answer.columns[last].unit)
      return TableLayout.wrapped(head, to: width)
        + (text.isEmpty ? [] : TableLayout.wrapped(text, to: width - 2).map { "  " + $0 })
    }.map { $0 + "\n" }.joined()
  }

  private func laidOut(_ answer: Answer) -> (shown: [Int], TableLayout, lines: [[String]]) {
    let shown = answer.columns.indices.filter { answer.columns[$0].title != nil }
    let heads = shown.map { Escaping.visible(answer.columns[$0].title ?? "") }
    let lines = [heads] + answer.rows.map { row in shown.map { shortText(row[$0], answer.columns[$0].unit) } }
    let columns = shown.indices.map { index in
      let column = answer.columns[shown[index]]
      return TableLayout.Column(
        natural: lines.map { PlainText.columns($0[index]) }.max() ?? 0, isText: Self.isText(answer, shown[index]),
        kept: column.least, rank: column.rank)
    }
    return (shown, TableLayout(columns, width: width), lines)
  }

  private static func isNumeric(_ answer: Answer, _ column: Int) -> Bool {
    answer.rows.contains { row in
      switch row[column] {
      case .integer, .real: true
      default: false
      }
    }
  }

  /// What may be cut: a time or a figure may not.
  private static func isText(_ answer: Answer, _ column: Int) -> Bool {
    answer.rows.contains { row in
      switch row[column] {
      case .text, .list, .json: true
      default: false
      }
    }
  }

  private static func withoutTrailingSpace(_ line: String) -> String {
    var line = Substring(line)
    while line.last == " " { line.removeLast() }
    return String(line)
  }

  /// A value as people read it, in a table.
  package func shortText(_ cell: Cell, _ unit: Answer.Unit) -> String {
    switch cell {
    case .null: return "-"
    case .text(let text): return Escaping.visible(text)
    case .integer(let number): return unit == .bytes ? Quantity.bytes(Double(number)) : String(number)
    case .real(let number):
      guard number.isFinite else { return "-" }
      switch unit {
      case .percent: return Quantity.decimal(number, digits: 0) + " %"
      case .bytes: return Quantity.bytes(number)
      case .ratio: return Quantity.decimal(number, digits: 3)
      case .money: return Quantity.decimal(number, digits: 2)
      case .plain, .age: return Quantity.decimal(number, digits: 2)
      }
    case .boolean(let flag): return flag ? "yes" : "no"
    case .time(let ns):
      return unit == .age ? TimeSpan.age(nowNs.subtractingClamped(ns)) + " ago" : Timestamp.text(ns, digits: 0)
    case .list(let cells): return cells.map { shortText($0, unit) }.joined(separator: " ")
    case .json(let document): return Escaping.visible(document)
    }
  }
}

/// Numbers for people.
package enum Quantity {
  /// So many digits behind the point; a number that would be shown as nothing gets two significant ones instead: a loss of 0.0016
  /// is none of 0.00.
  package static func decimal(_ number: Double, digits: Int) -> String {
    guard number != 0 else { return fixed(0, digits: digits) }
    guard abs(number) < 1e15, abs(number) >= 1e-9 else { return String(number) }
    var needed = digits
    while (abs(number) * power(needed)).rounded() == 0 { needed += 1 }
    return fixed(number, digits: needed > digits ? needed + 1 : digits)
  }

  private static func power(_ digits: Int) -> Double { (0..<digits).reduce(1) { scale, _ in scale * 10 } }

  /// - Parameter digits: so few that the scaled number fits 64 bits.
  private static func fixed(_ number: Double, digits: Int) -> String {
    let scale = power(digits)
    let scaled = Int64((abs(number) * scale).rounded())
    let whole = scaled / Int64(scale)
    let sign = number < 0 && scaled != 0 ? "-" : ""
    guard digits > 0 else { return sign + String(whole) }
    let fraction = String(scaled % Int64(scale))
    return sign + "\(whole)." + String(repeating: "0", count: digits - fraction.count) + fraction
  }

  /// Powers of 1024: `1.5 GiB`.
  package static func bytes(_ count: Double) -> String {
    var value = count
    for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
      if abs(value) < 1024 || unit == "TiB" { return decimal(value, digits: unit == "B" ? 0 : 1) + " " + unit }
      value /= 1024
    }
    return decimal(count, digits: 0) + " B"
  }
}
