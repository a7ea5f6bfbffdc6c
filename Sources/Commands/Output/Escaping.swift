/// Text of logs is hostile: a terminal obeys what it prints.
package enum Escaping {
  /// Control characters (C0, DEL, C1), bidirectional overrides, zero-width and line separators as `\u{…}`; tab as `\t`.
  package static func visible(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isHostile) else { return text }
    var shown = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n": shown += "\\n"
      case "\t": shown += "\\t"
      case "\r": shown += "\\r"
      case _ where isHostile(scalar): shown += "\\u{\(String(scalar.value, radix: 16))}"
      default: shown.unicodeScalars.append(scalar)
      }
    }
    return shown
  }

  private static func isHostile(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x00...0x1f, 0x7f...0x9f: true
    case 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x2069, 0x061c, 0xfeff: true
    case 0xfff9...0xfffb, 0xe0000...0xe007f: true
    default: false
    }
  }

  /// A JSON string with quotes. Control and invisible characters are written as escapes, so that a terminal stays safe.
  package static func json(_ text: String) -> String {
    var shown = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": shown += "\\\""
      case "\\": shown += "\\\\"
      case "\n": shown += "\\n"
      case "\r": shown += "\\r"
      case "\t": shown += "\\t"
      case _ where isHostile(scalar): for unit in String(scalar).utf16 { shown += "\\u" + fourDigits(unit) }
      default: shown.unicodeScalars.append(scalar)
      }
    }
    return shown + "\""
  }

  /// A CSV field after RFC 4180; a leading = + - @ that a spreadsheet would run is guarded with an apostrophe.
  package static func csv(_ text: String, isNumber: Bool = false) -> String {
    var field = visible(text)
    if !isNumber, let first = field.first, "=+-@".contains(first) { field = "'" + field }
    guard field.contains(where: { $0 == "," || $0 == "\"" }) else { return field }
    return "\"" + field.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
  }

  private static func fourDigits(_ unit: UInt16) -> String {
    let digits = String(unit, radix: 16)
    return String(repeating: "0", count: 4 - digits.count) + digits
  }
}
