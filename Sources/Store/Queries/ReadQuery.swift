internal import FleetModel
package import Postgres

/// One question to the database: a statement with its parameters as text. Nothing that people typed is ever part of the statement.
package struct ReadQuery: Sendable, Equatable {
  package var sql: String
  /// `$1`, `$2`, …; nil is null. Each use in the statement casts its parameter.
  package var parameters: [String?]

  package init(_ sql: String, _ parameters: [String?] = []) {
    self.sql = sql
    self.parameters = parameters
  }
}

extension ReadQuery {
  /// A parameter that every use casts to one type goes to the server as a value of that type. As a text it would be read anew for every
  /// row, and the planner would not know the time that it bounds: of a million lines that took longer than adding them up.
  package var typedParameters: [Parameter] {
    let casts = Self.casts(Array(sql.utf8))
    return parameters.enumerated().map { place, value in
      guard let value else { return .null }
      let uses = casts[place + 1] ?? []
      return uses.count == 1 && !uses.contains("") ? .untyped(value) : .text(value)
    }
  }

  /// By a parameter's number, the types that its uses are cast to; empty for a use without a cast.
  private static func casts(_ sql: [UInt8]) -> [Int: Set<String>] {
    var casts: [Int: Set<String>] = [:]
    var place = 0
    func word(_ isPart: (UInt8) -> Bool) -> ArraySlice<UInt8> {
      let start = place
      while place < sql.count, isPart(sql[place]) { place += 1 }
      return sql[start..<place]
    }
    let isDigit = { (byte: UInt8) in (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    while place < sql.count {
      place += 1
      guard sql[place - 1] == UInt8(ascii: "$"),
        let number = Int(String(decoding: word(isDigit), as: UTF8.self))
      else { continue }
      var type = ""
      if sql[place...].starts(with: "::".utf8) {
        place += 2
        // Letters, digits, underscores, and the brackets of an array.
        type = String(
          decoding: word { byte in
            isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || "_[]".utf8.contains(byte)
          }, as: UTF8.self)
      }
      casts[number, default: []].insert(type)
    }
    return casts
  }
}

/// One value of an answer.
package enum ReadValue: Sendable, Hashable {
  case null
  case text(String)
  case integer(Int64)
  case real(Double)
  case boolean(Bool)
  /// ns since 1970.
  case time(Int64)
  case json(String)
}

/// Rows as the database gave them.
package struct ReadTable: Sendable, Equatable {
  package var columns: [String]
  package var rows: [[ReadValue]]

  package init(columns: [String], rows: [[ReadValue]]) {
    self.columns = columns
    self.rows = rows
  }
}

extension ReadValue {
  /// - Parameters:
  ///   - text: a value in PostgreSQL's text format, with `timezone=UTC` and `datestyle=ISO`.
  ///   - typeID: its type's OID (PostgreSQL, src/include/catalog/pg_type.dat).
  package init(text: String, typeID: UInt32) {
    switch typeID {
    case 16: self = .boolean(text == "t")
    case 20, 21, 23, 26: self = Int64(text).map(ReadValue.integer) ?? .text(text)
    case 700, 701: self = Double(text).map(ReadValue.real) ?? .text(text)
    case 1700: self = Self.numeric(text)
    case 1184, 1114: self = Self.time(fromText: text)
    case 114, 3802: self = .json(text)
    default: self = .text(text)
    }
  }

  /// A whole number stays what it is; one that is too large to be a number of JSON's readers is a text.
  private static func numeric(_ text: String) -> ReadValue {
    guard let number = Double(text), number.isFinite else { return .text(text) }
    guard number.magnitude >= 0x1p53, !text.utf8.contains(UInt8(ascii: ".")) else { return .real(number) }
    return Int64(text).map(ReadValue.integer) ?? .text(text)
  }

  private static func time(fromText text: String) -> ReadValue {
    Timestamp.parse(text).map(ReadValue.time) ?? .text(text)
  }
}

/// A list of texts as one array parameter, `{"a","b"}`.
/// Source: PostgreSQL documentation, "Array Input and Output Syntax".
package enum ArrayParameter {
  package static func text(_ values: [String]) -> String {
    "{"
      + values.map { value in
        // By scalars: a quote with a combining mark is a quote to the server.
        "\"" + value.unicodeScalars.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : "\($0)" }.joined() + "\""
      }.joined(separator: ",")
      + "}"
  }
}
