internal import ArgumentParser
internal import FleetModel

/// How an answer is written.
package enum OutputFormat: String, CaseIterable, Sendable {
  case table, json, ndjson, csv
}

/// Writes an answer as text. Pure: the time for ages is a parameter.
package struct Renderer {
  package var format: OutputFormat
  package var nowNs: Int64

  package init(format: OutputFormat, nowNs: Int64) {
    self.format = format
    self.nowNs = nowNs
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

  /// Of each column that scripts get: its place, and its key with quotes and colon. Once an answer, not once a row.
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
    let shown = answer.columns.indices.filter { answer.columns[$0].title != nil }
    let heads = shown.map { answer.columns[$0].title ?? "" }
    let cells = answer.rows.map { row in shown.map { shortText(row[$0], answer.columns[$0].unit) } }
    let isNumeric = shown.map { column in
      answer.rows.contains { row in
        switch row[column] {
        case .integer, .real: true
        default: false
        }
      }
    }
    let widths = shown.indices.map { index in
      ([heads[index]] + cells.map { $0[index] }).map(\.count).max() ?? 0
    }
    return ([heads] + cells).map { line in
      let padded = line.indices.map { index in
        let space = String(repeating: " ", count: widths[index] - line[index].count)
        return isNumeric[index] ? space + line[index] : line[index] + space
      }
      return Self.withoutTrailingSpace(padded.joined(separator: "  ")) + "\n"
    }.joined()
  }

  private static func withoutTrailingSpace(_ line: String) -> String {
    var line = Substring(line)
    while line.last == " " { line.removeLast() }
    return String(line)
  }

  private func shortText(_ cell: Cell, _ unit: Answer.Unit) -> String {
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
      return unit == .age ? TimeSpan.text(nowNs.subtractingClamped(ns)) + " ago" : Timestamp.text(ns, digits: 0)
    case .list(let cells): return cells.map { shortText($0, unit) }.joined(separator: " ")
    case .json(let document): return Escaping.visible(document)
    }
  }
}

/// Numbers for people.
package enum Quantity {
  package static func decimal(_ number: Double, digits: Int) -> String {
    guard abs(number) < 1e15 else { return String(number) }
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
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
