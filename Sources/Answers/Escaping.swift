internal import FleetModel

/// Text of logs is hostile: a terminal obeys what it prints.
package enum Escaping {
  /// Control and invisible characters, and more combining marks than any script writes, as `\u{…}`; tab as `\t`.
  package static func visible(_ text: String) -> String { PlainText.visible(text) }

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

  /// A CSV field after RFC 4180. What a spreadsheet would run as a formula is guarded with an apostrophe: `=`, `+`, `-`, `@` at the
  /// start, also their wide forms and behind blanks; a tab or carriage return at the start is an escape already.
  package static func csv(_ text: String) -> String {
    var field = visible(text)
    let first = field.unicodeScalars.first { $0 != " " && $0 != "\u{a0}" && $0 != "\u{3000}" }
    if let first, formulaStarts.contains(first) { field = "'" + field }
    guard field.utf8.contains(where: { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "\"") }) else { return field }
    return "\"" + field.unicodeScalars.map { $0 == "\"" ? "\"\"" : String($0) }.joined() + "\""
  }

  private static let formulaStarts: Set<Unicode.Scalar> = [
    "=", "+", "-", "@", "\u{ff1d}", "\u{ff0b}", "\u{ff0d}", "\u{ff20}",
  ]
}
