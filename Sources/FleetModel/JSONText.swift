/// Strings as JSON.
package enum JSONText {
  /// With quotes. Control, invisible and direction-changing characters become escapes: what prints it stays safe.
  package static func quoted(_ text: String) -> String {
    if text.utf8.allSatisfy(isPlain) { return "\"\(text)\"" }
    var shown = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": shown += "\\\""
      case "\\": shown += "\\\\"
      case "\n": shown += "\\n"
      case "\r": shown += "\\r"
      case "\t": shown += "\\t"
      case _ where isHostile(scalar): shown += escape(scalar)
      default: shown.unicodeScalars.append(scalar)
      }
    }
    return shown + "\""
  }

  /// Printable ASCII that means itself: nearly every text there is.
  private static func isPlain(_ byte: UInt8) -> Bool {
    byte >= 0x20 && byte < 0x7f && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
  }

  /// `\u` escapes of one character, a pair for those beyond 16 bits.
  package static func escape(_ scalar: Unicode.Scalar) -> String {
    String(scalar).utf16.map { unit in
      let digits = String(unit, radix: 16)
      return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }.joined()
  }

  /// C0, DEL, C1, bidirectional overrides and isolates, zero-width, line and paragraph separators, fillers that show nothing, tags and
  /// the variation selectors that hide text in text. Source: Unicode 15, general categories Cc, Cf, Zl, Zp; Default_Ignorable.
  package static func isHostile(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x00...0x1f, 0x7f...0x9f, 0xad, 0x34f, 0x61c: true
    case 0x115f, 0x1160, 0x17b4, 0x17b5, 0x180b...0x180f, 0x3164, 0xffa0: true
    case 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x206f, 0xfeff: true
    case 0xfff0...0xfffb, 0xe0000...0xe0fff: true
    default: false
    }
  }
}
