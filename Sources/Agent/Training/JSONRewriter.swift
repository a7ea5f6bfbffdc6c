internal import FleetModel

/// Writes a JSON value anew, so that a database takes it: no NaN, no infinity, no NUL, no broken UTF-8, no lone surrogates.
enum JSONRewriter {
  /// - Parameter first: the token that `scanner` has just given.
  /// - Returns: nil where the value is damaged or becomes longer than `bytesMax`. The scanner stands behind the value.
  static func rewrite(
    _ bytes: Span<UInt8>, _ scanner: inout JSONScanner, _ first: JSONScanner.Token, bytesMax: Int
  ) -> String? {
    let depth = scanner.depth - (first == .objectStart || first == .arrayStart ? 1 : 0)
    var text = ""
    var needsComma = false
    var token = first
    while true {
      switch token {
      case .objectEnd, .arrayEnd: break
      default: if needsComma { text += ", " }
      }
      needsComma = append(bytes, token, to: &text)
      if text.utf8.count > bytesMax {
        while scanner.depth > depth, scanner.next(bytes) != nil {}
        return nil
      }
      guard scanner.depth > depth else { return text }
      guard let following = scanner.next(bytes) else { return nil }
      token = following
    }
  }

  /// - Returns: whether what follows in the same container needs a comma before it.
  private static func append(_ bytes: Span<UInt8>, _ token: JSONScanner.Token, to text: inout String) -> Bool {
    switch token {
    case .objectStart: text += "{"
    case .arrayStart: text += "["
    case .objectEnd: text += "}"
    case .arrayEnd: text += "]"
    case .key(let range): text += JSONText.string(bytes, range) + ": "
    case .string(let range): text += JSONText.string(bytes, range, bytesMax: 4096)
    case .number(let range): text += number(DecimalNumber.parse(bytes, range) ?? .nan)
    case .bool(let value): text += value ? "true" : "false"
    case .null: text += "null"
    }
    switch token {
    case .objectStart, .arrayStart, .key: return false
    default: return true
    }
  }

  static func number(_ value: Double) -> String {
    guard value.isFinite else { return "null" }
    if let whole = Int64(exactly: value), abs(value) < 0x1p53 { return String(whole) }
    return "\(value)"
  }
}
