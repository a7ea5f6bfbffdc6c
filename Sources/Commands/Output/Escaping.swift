internal import FleetModel

/// Text of logs is hostile: a terminal obeys what it prints.
package enum Escaping {
  /// Control characters (C0, DEL, C1), bidirectional overrides, zero-width and line separators as `\u{…}`; tab as `\t`.
  package static func visible(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: JSONText.isHostile) else { return text }
    var shown = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n": shown += "\\n"
      case "\t": shown += "\\t"
      case "\r": shown += "\\r"
      case _ where JSONText.isHostile(scalar): shown += "\\u{\(String(scalar.value, radix: 16))}"
      default: shown.unicodeScalars.append(scalar)
      }
    }
    return shown
  }

  /// A JSON string with quotes. Control and invisible characters are written as escapes, so that a terminal stays safe.
  package static func json(_ text: String) -> String { JSONText.quoted(text) }

  /// A JSON document that is valid already, with invisible and control characters as escapes.
  package static func jsonDocument(_ document: String) -> String {
    // Nearly every document is printable ASCII.
    if document.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) { return document }
    guard document.unicodeScalars.contains(where: JSONText.isHostile) else { return document }
    var shown = ""
    for scalar in document.unicodeScalars {
      if scalar != "\n", scalar != "\t", scalar != "\r", JSONText.isHostile(scalar) {
        shown += JSONText.escape(scalar)
      } else {
        shown.unicodeScalars.append(scalar)
      }
    }
    return shown
  }

  /// A CSV field after RFC 4180; a leading = + - @ that a spreadsheet would run is guarded with an apostrophe.
  package static func csv(_ text: String, isNumber: Bool = false) -> String {
    var field = visible(text)
    if !isNumber, let first = field.first, "=+-@".contains(first) { field = "'" + field }
    guard field.contains(where: { $0 == "," || $0 == "\"" }) else { return field }
    return "\"" + field.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
  }
}
