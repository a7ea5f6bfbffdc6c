internal import FoundationEssentials

/// A value of libpg_query's JSON. `JSON.read` goes 64 levels deep, which a statement with a few subqueries exceeds.
indirect enum SQLTree: Decodable, Equatable {
  case object([String: SQLTree])
  case list([SQLTree])
  case text(String)
  case number(Double)
  case flag(Bool)
  case null

  /// - Returns: nil where the text is nested deeper than the decoder goes (512 levels).
  static func decode(_ json: String) -> SQLTree? {
    try? JSONDecoder().decode(SQLTree.self, from: Data(json.utf8))
  }

  init(from decoder: any Decoder) throws {
    if let fields = try? decoder.container(keyedBy: Key.self) {
      var object: [String: SQLTree] = [:]
      for key in fields.allKeys { object[key.stringValue] = try fields.decode(SQLTree.self, forKey: key) }
      self = .object(object)
      return
    }
    if var items = try? decoder.unkeyedContainer() {
      var list: [SQLTree] = []
      while !items.isAtEnd { list.append(try items.decode(SQLTree.self)) }
      self = .list(list)
      return
    }
    let value = try decoder.singleValueContainer()
    if value.decodeNil() {
      self = .null
    } else if let flag = try? value.decode(Bool.self) {
      self = .flag(flag)
    } else if let number = try? value.decode(Double.self) {
      self = .number(number)
    } else {
      self = .text(try value.decode(String.self))
    }
  }

  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  subscript(_ field: String) -> SQLTree? {
    if case .object(let fields) = self { fields[field] } else { nil }
  }

  var items: [SQLTree] {
    if case .list(let items) = self { items } else { [] }
  }

  var string: String? {
    if case .text(let text) = self { text } else { nil }
  }

  var double: Double? {
    if case .number(let number) = self { number } else { nil }
  }

  /// A node as the library wraps it: `{"ColumnRef": {…}}`.
  var node: (kind: String, fields: SQLTree)? {
    guard case .object(let fields) = self, fields.count == 1, let (kind, inner) = fields.first,
      kind.utf8.first.map({ $0 >= UInt8(ascii: "A") && $0 <= UInt8(ascii: "Z") }) == true
    else { return nil }
    return (kind, inner)
  }

  /// The fields of a node of this kind.
  func node(_ kind: String) -> SQLTree? {
    if let (found, fields) = node, found == kind { fields } else { nil }
  }

  /// The words of a list of String nodes: a name with its schema.
  var words: [String] { items.compactMap { $0.node("String")?["sval"]?.string } }
}
