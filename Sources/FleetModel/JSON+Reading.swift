extension JSON {
  /// Reads one JSON text as RFC 8259 has it.
  /// - Parameter bytes: UTF-8; a byte that is none becomes U+FFFD. The caller limits how many.
  /// - Returns: nil where it is no JSON, or nested deeper than `JSONScanner.depthMax`; members in the order of the text, also where two have
  ///   one name. A number without point and exponent that fits is `.number`, any other `.real`.
  package static func read(_ bytes: [UInt8]) -> JSON? {
    var scanner = JSONScanner(0..<bytes.count)
    guard let first = scanner.next(bytes.span), let value = value(first, bytes, &scanner) else { return nil }
    return scanner.next(bytes.span) == nil && scanner.isComplete ? value : nil
  }

  /// Of an object: the first member of a name.
  package subscript(_ name: String) -> JSON? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.0 == name }?.1
  }

  package var text: String? { if case .text(let text) = self { text } else { nil } }
  package var items: [JSON]? { if case .list(let items) = self { items } else { nil } }
  package var integer: Int64? { if case .number(let number) = self { number } else { nil } }
  package var flag: Bool? { if case .boolean(let flag) = self { flag } else { nil } }

  /// The scanner's limit of depth is that of the recursion.
  private static func value(_ token: JSONScanner.Token, _ bytes: [UInt8], _ scanner: inout JSONScanner) -> JSON? {
    switch token {
    case .null: return .null
    case .bool(let flag): return .boolean(flag)
    case .string(let range): return .text(text(bytes, range))
    case .number(let range): return number(bytes, range)
    case .arrayStart: return list(bytes, &scanner)
    case .objectStart: return object(bytes, &scanner)
    case .arrayEnd, .objectEnd, .key: return nil
    }
  }

  private static func list(_ bytes: [UInt8], _ scanner: inout JSONScanner) -> JSON? {
    var items: [JSON] = []
    while let token = scanner.next(bytes.span) {
      if token == .arrayEnd { return .list(items) }
      guard let item = value(token, bytes, &scanner) else { return nil }
      items.append(item)
    }
    return nil
  }

  private static func object(_ bytes: [UInt8], _ scanner: inout JSONScanner) -> JSON? {
    var members: [(String, JSON)] = []
    while let token = scanner.next(bytes.span) {
      if token == .objectEnd { return .object(members) }
      guard case .key(let name) = token, let next = scanner.next(bytes.span), let item = value(next, bytes, &scanner)
      else { return nil }
      members.append((text(bytes, name), item))
    }
    return nil
  }

  private static func text(_ bytes: [UInt8], _ range: Range<Int>) -> String {
    guard bytes[range].contains(UInt8(ascii: "\\")) else { return String(decoding: bytes[range], as: UTF8.self) }
    return String(decoding: JSONScanner.text(bytes.span, range, bytesMax: range.count), as: UTF8.self)
  }

  private static func number(_ bytes: [UInt8], _ range: Range<Int>) -> JSON? {
    let written = String(decoding: bytes[range], as: UTF8.self)
    if let whole = Int64(written) { return .number(whole) }
    return DecimalNumber.parse(bytes.span, range).map(JSON.real)
  }
}
