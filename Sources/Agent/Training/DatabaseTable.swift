internal import FleetModel

/// A table with row ids: where it begins, and what its columns are called.
struct DatabaseTable: Equatable {
  /// Its first page.
  var root: UInt32
  /// In the order of their values in a record, lower case.
  var columns: [String]

  /// - Parameter sql: the statement that made the table, as SQLite keeps it.
  /// - Returns: nil where it is no plain table: a virtual one, or one without row ids.
  init?(root: UInt32, sql: String) {
    guard root > 0, sql.utf8.count <= 65_536 else { return nil }
    let bytes = Array(sql.utf8)
    guard let open = bytes.firstIndex(of: UInt8(ascii: "(")),
      !String(decoding: bytes[..<open], as: UTF8.self).lowercased().contains("virtual")
    else { return nil }
    self.root = root
    columns = []
    var (depth, start, at) = (0, open + 1, open)
    while at < bytes.count {
      switch bytes[at] {
      case UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "`"):
        at = bytes[(at + 1)...].firstIndex(of: bytes[at]) ?? bytes.count
      case UInt8(ascii: "("): depth += 1
      case UInt8(ascii: ")"), UInt8(ascii: ","):
        if depth == 1 {
          if let name = Self.columnName(bytes[start..<at]) { columns.append(name) }
          start = at + 1
        }
        if bytes[at] == UInt8(ascii: ")") { depth -= 1 }
        if depth == 0 {
          let rest = String(decoding: bytes[(at + 1)...], as: UTF8.self).lowercased()
          if rest.contains("without") { return nil }
          return
        }
      default: break
      }
      at += 1
    }
    return nil
  }

  /// What a definition names; nil for a constraint of the table.
  private static func columnName(_ definition: ArraySlice<UInt8>) -> String? {
    let text = definition.drop { $0 <= 0x20 }
    guard let first = text.first else { return nil }
    if [UInt8(ascii: "\""), UInt8(ascii: "`"), UInt8(ascii: "[")].contains(first) {
      let end = first == UInt8(ascii: "[") ? UInt8(ascii: "]") : first
      return String(decoding: text.dropFirst().prefix { $0 != end }, as: UTF8.self).lowercased()
    }
    let name = String(decoding: text.prefix { $0 > 0x20 && $0 != UInt8(ascii: "(") }, as: UTF8.self).lowercased()
    return ["constraint", "primary", "unique", "check", "foreign"].contains(name) ? nil : name
  }

  func column(_ name: String) -> Int? { columns.firstIndex(of: name) }
}

/// A row's values.
struct DatabaseRecord {
  enum Value: Equatable {
    case null
    case integer(Int64)
    case real(Double)
    /// A text or a blob.
    case bytes(Range<Int>)
  }

  let bytes: [UInt8]
  private(set) var values: [Value] = []

  /// - Returns: nil where the bytes are no record. Columns that were added to the table later are missing at its end.
  init?(_ bytes: [UInt8], columnsMax: Int = 64) {
    self.bytes = bytes
    var at = 0
    guard let head = DatabaseBytes.varint(bytes, &at), head >= 1, head <= Int64(bytes.count) else { return nil }
    var position = Int(head)
    while at < Int(head), values.count < columnsMax {
      guard let type = DatabaseBytes.varint(bytes, &at), type >= 0 else { return nil }
      let length: Int
      switch type {
      case 0, 8, 9: length = 0
      case 1...4: length = Int(type)
      case 5: length = 6
      case 6, 7: length = 8
      case 10, 11: return nil
      default: length = Int(clamping: (type - 12) / 2)
      }
      guard length <= bytes.count - position else { return nil }
      let range = position..<position + length
      switch type {
      case 0: values.append(.null)
      case 8, 9: values.append(.integer(type - 8))
      case 1...6: values.append(.integer(DatabaseBytes.integer(bytes, range)))
      case 7: values.append(.real(Double(bitPattern: UInt64(bitPattern: DatabaseBytes.integer(bytes, range)))))
      default: values.append(.bytes(range))
      }
      position += length
    }
  }

  func integer(_ column: Int?) -> Int64? {
    guard let column, column < values.count else { return nil }
    switch values[column] {
    case .integer(let value): return value
    case .real(let value): return Int64(exactly: value)
    default: return nil
    }
  }

  /// Of a text or a blob.
  func range(_ column: Int?) -> Range<Int>? {
    guard let column, column < values.count, case .bytes(let range) = values[column] else { return nil }
    return range
  }

  func text(_ column: Int?, bytesMax: Int) -> String? {
    range(column).map { SafeText.make(bytes[$0].prefix(bytesMax), bytesMax: bytesMax) }
  }
}

enum DatabaseBytes {
  /// - Returns: nil where it is not whole.
  static func varint(_ bytes: [UInt8], _ at: inout Int) -> Int64? {
    var value: UInt64 = 0
    for index in 0..<9 {
      guard at < bytes.count else { return nil }
      let byte = bytes[at]
      at += 1
      if index == 8 { return Int64(bitPattern: value << 8 | UInt64(byte)) }
      value = value << 7 | UInt64(byte & 0x7f)
      if byte & 0x80 == 0 { return Int64(bitPattern: value) }
    }
    return nil
  }

  /// Big-endian, with a sign.
  static func integer(_ bytes: [UInt8], _ range: Range<Int>) -> Int64 {
    var value: Int64 = range.isEmpty || bytes[range.lowerBound] < 0x80 ? 0 : -1
    for index in range { value = value << 8 | Int64(bytes[index]) }
    return value
  }
}

extension DatabaseFile {
  /// Deeper trees hold more rows than there are.
  private static let depthMax = 20

  /// The plain tables of the database, by name.
  func tables(named names: [String]) throws(DatabaseTrouble) -> [String: DatabaseTable] {
    var tables: [String: DatabaseTable] = [:]
    try rows(root: 1, after: 0, payloadMax: 65_536) { _, payload in
      guard let payload, let row = DatabaseRecord(payload), row.text(0, bytesMax: 16) == "table",
        let name = row.text(1, bytesMax: 256), names.contains(name), let sql = row.text(4, bytesMax: 65_536),
        let root = row.integer(3).flatMap({ UInt32(exactly: $0) })
      else { return true }
      tables[name] = DatabaseTable(root: root, sql: sql)
      return true
    }
    return tables
  }

  /// Rows by ascending id.
  ///
  /// - Parameters:
  ///   - after: the first has a greater id.
  ///   - payloadMax: of a longer row `body` gets nil.
  ///   - body: gets a row's id and its record; false ends the reading.
  func rows(
    root: UInt32, after: Int64, payloadMax: Int, _ body: (Int64, [UInt8]?) -> Bool
  ) throws(DatabaseTrouble) {
    var after = after
    _ = try walk(root, &after, payloadMax, depth: 0, body)
  }

  /// - Returns: the greatest id; nil where the table is empty.
  func lastRow(root: UInt32) throws(DatabaseTrouble) -> Int64? {
    var number = root
    for _ in 0..<Self.depthMax {
      let page = try page(number)
      let start = number == 1 ? 100 : 0
      let count = short(page, start + 3)
      switch page[start] {
      case 5: number = word(page, start + 8)
      case 13:
        if count == 0 { return nil }
        var at = short(page, start + 8 + (count - 1) * 2)
        guard start + 8 + count * 2 <= page.count, DatabaseBytes.varint(page, &at) != nil,
          let row = DatabaseBytes.varint(page, &at)
        else { throw .damaged }
        return row
      default: throw .damaged
      }
    }
    throw .damaged
  }

  /// - Returns: whether to go on.
  private func walk(
    _ number: UInt32, _ after: inout Int64, _ payloadMax: Int, depth: Int, _ body: (Int64, [UInt8]?) -> Bool
  ) throws(DatabaseTrouble) -> Bool {
    guard depth < Self.depthMax else { throw .damaged }
    let page = try page(number)
    let start = number == 1 ? 100 : 0
    let count = short(page, start + 3)
    let isLeaf = page[start] == 13
    guard isLeaf || page[start] == 5 else { throw .damaged }
    let cells = start + (isLeaf ? 8 : 12)
    guard cells + count * 2 <= page.count else { throw .damaged }
    for index in 0..<count {
      var at = short(page, cells + index * 2)
      if isLeaf {
        guard let length = DatabaseBytes.varint(page, &at), let row = DatabaseBytes.varint(page, &at), length >= 0
        else { throw .damaged }
        if row <= after { continue }
        after = row
        let payload = length <= payloadMax ? try payload(page, at, Int(length)) : nil
        if !body(row, payload) { return false }
      } else {
        guard at + 4 <= page.count else { throw .damaged }
        let child = word(page, at)
        at += 4
        guard let key = DatabaseBytes.varint(page, &at) else { throw .damaged }
        if key <= after { continue }
        if try !walk(child, &after, payloadMax, depth: depth + 1, body) { return false }
      }
    }
    return isLeaf ? true : try walk(word(page, start + 8), &after, payloadMax, depth: depth + 1, body)
  }

  /// A record, of which what does not fit its page lies in a chain of others.
  private func payload(_ page: [UInt8], _ at: Int, _ length: Int) throws(DatabaseTrouble) -> [UInt8] {
    let most = usableBytes - 35
    let least = (usableBytes - 12) * 32 / 255 - 23
    let share = least + (length - least) % (usableBytes - 4)
    let local = length <= most ? length : share <= most ? share : least
    guard at + local + (local < length ? 4 : 0) <= page.count else { throw .damaged }
    var bytes = Array(page[at..<at + local])
    if local == length { return bytes }
    bytes.reserveCapacity(length)
    var next = word(page, at + local)
    while bytes.count < length {
      let more = try self.page(next)
      let count = min(length - bytes.count, usableBytes - 4)
      bytes += more[4..<4 + count]
      next = word(more, 0)
    }
    return bytes
  }

  private func short(_ bytes: [UInt8], _ at: Int) -> Int {
    at + 2 <= bytes.count ? Int(bytes[at]) << 8 | Int(bytes[at + 1]) : 0
  }

  private func word(_ bytes: [UInt8], _ at: Int) -> UInt32 {
    guard at + 4 <= bytes.count else { return 0 }
    return UInt32(bytes[at]) << 24 | UInt32(bytes[at + 1]) << 16 | UInt32(bytes[at + 2]) << 8 | UInt32(bytes[at + 3])
  }
}
