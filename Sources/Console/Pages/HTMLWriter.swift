internal import FleetModel

/// Writes HTML. Names of elements and attributes are literals of the program; every other text is escaped on its way in, and there is no
/// way around that.
struct HTMLWriter {
  private(set) var bytes: [UInt8] = []

  mutating func open(_ element: StaticString, _ attributes: [(StaticString, String)] = []) {
    raw("<")
    raw(element)
    for (name, value) in attributes {
      raw(" ")
      raw(name)
      raw("=\"")
      text(value)
      raw("\"")
    }
    raw(">")
  }

  mutating func close(_ element: StaticString) {
    raw("</")
    raw(element)
    raw(">")
  }

  mutating func element(_ element: StaticString, _ attributes: [(StaticString, String)] = [], _ text: String) {
    open(element, attributes)
    self.text(text)
    close(element)
  }

  /// Control and invisible characters are shown as escapes: a name must not look like another one.
  mutating func text(_ text: String) { escape(PlainText.visible(text)) }

  /// A line break of the text is one on the page, unlike other control characters.
  mutating func lines(_ text: String) {
    let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    for (number, line) in lines.enumerated() {
      if number > 0 { raw("\n") }
      self.text(String(Substring(line)))
    }
  }

  /// What a person edits: also tabs stay, or the text could not be sent again as it was.
  mutating func edited(_ text: String) {
    let parts = text.utf8.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
    for (number, part) in parts.enumerated() {
      if number > 0 { raw("\t") }
      lines(String(Substring(part)))
    }
  }

  mutating func raw(_ literal: StaticString) { bytes.append(contentsOf: literal.description.utf8) }

  private mutating func escape(_ text: String) {
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "&"): raw("&amp;")
      case UInt8(ascii: "<"): raw("&lt;")
      case UInt8(ascii: ">"): raw("&gt;")
      case UInt8(ascii: "\""): raw("&quot;")
      case UInt8(ascii: "'"): raw("&#39;")
      default: bytes.append(byte)
      }
    }
  }
}
