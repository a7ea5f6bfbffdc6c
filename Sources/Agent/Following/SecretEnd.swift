/// Where values end. What belongs to a secret and what to the text around it cannot be known for sure: where both are possible, it is
/// the secret's, so that no half of one is left.
enum SecretEnd {
  /// The quote that closes: with as many backslashes before it as the one that opened, however many the escaped ones inside have.
  static func ofQuoted(_ text: Span<UInt8>, _ start: Int, quote: UInt8, level: Int) -> Int {
    let limit = min(text.count, start + SecretValue.endBytesMax)
    var at = start
    var slashes = 0
    while at < limit {
      let byte = text[at]
      if byte == UInt8(ascii: "\n") { return at }
      if byte == quote, slashes >= level, (slashes - level) % (2 * level + 2) == 0 { return at - level }
      slashes = byte == UInt8(ascii: "\\") ? slashes + 1 : 0
      at += 1
    }
    return at
  }

  /// To the next blank; before it where a sign ends a list, a call, a setting or a query, as what follows it shows.
  static func ofBare(_ text: Span<UInt8>, _ start: Int) -> Int {
    let limit = min(text.count, start + SecretValue.endBytesMax)
    var at = start
    while at < limit {
      switch text[at] {
      case 0...UInt8(ascii: " "): return at
      case UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "`"): if at > start { return at }
      case UInt8(ascii: ";"), UInt8(ascii: "&"): if at == text.count - 1 || isSetting(text, at + 1) { return at }
      case UInt8(ascii: ","): if isListed(text, at + 1) { return at }
      case UInt8(ascii: "("): if at > start, isCall(text, start..<at) { return at }
      case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"), UInt8(ascii: "|"), UInt8(ascii: ">"):
        if isClosed(text, at + 1) { return at }
      case UInt8(ascii: "\\"): if isEscape(text, at + 1) { return at }
      default: break
      }
      at += 1
    }
    return at
  }

  /// `; `, `;Name=`, `;"`.
  private static func isSetting(_ text: Span<UInt8>, _ start: Int) -> Bool {
    guard start < text.count else { return true }
    if !ByteClass.isName(text[start]) { return text[start] <= UInt8(ascii: " ") || isQuote(text[start]) }
    var at = start
    while at < text.count, at - start < 40,
      ByteClass.isName(text[at]) || text[at] == UInt8(ascii: " ") || text[at] == UInt8(ascii: ".")
    {
      at += 1
    }
    return at < text.count && text[at] == UInt8(ascii: "=")
  }

  /// `, `, `,name=`, `,"`, `,name:`.
  private static func isListed(_ text: Span<UInt8>, _ start: Int) -> Bool {
    guard start < text.count, text[start] > UInt8(ascii: " "), !isQuote(text[start]), text[start] != UInt8(ascii: "{")
    else { return true }
    var at = start
    while at < text.count, at - start < 40, ByteClass.isName(text[at]) || text[at] == UInt8(ascii: ".") { at += 1 }
    return at > start && at < text.count && (text[at] == UInt8(ascii: "=") || text[at] == UInt8(ascii: ":"))
  }

  private static func isClosed(_ text: Span<UInt8>, _ start: Int) -> Bool {
    guard start < text.count else { return true }
    switch text[start] {
    case 0...UInt8(ascii: " "), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: ")"), UInt8(ascii: "]"),
      UInt8(ascii: "}"),
      UInt8(ascii: ":"), UInt8(ascii: "."), UInt8(ascii: "\""), UInt8(ascii: "'"):
      return true
    default: return false
    }
  }

  /// A function's name.
  private static func isCall(_ text: Span<UInt8>, _ range: Range<Int>) -> Bool {
    range.allSatisfy { ByteClass.isWord(text[$0]) || text[$0] == UInt8(ascii: "_") || text[$0] == UInt8(ascii: ".") }
  }

  /// A newline or a quote, escaped in a text within a text.
  private static func isEscape(_ text: Span<UInt8>, _ at: Int) -> Bool {
    guard at < text.count else { return true }
    return text[at] == UInt8(ascii: "n") || text[at] == UInt8(ascii: "r") || text[at] == UInt8(ascii: "t")
      || isQuote(text[at])
      || text[at] == UInt8(ascii: "\\")
  }

  private static func isQuote(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") || byte == UInt8(ascii: "`")
  }

  /// Of a value in an encoded URL: `&`, `;`, a quote, a blank, as they are or encoded.
  static func isURLEnd(_ text: Span<UInt8>, _ at: Int) -> Bool {
    switch text[at] {
    case 0...UInt8(ascii: " "), UInt8(ascii: "&"), UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: ">"),
      UInt8(ascii: ")"):
      return true
    case UInt8(ascii: "%"):
      return ["%26", "%3B", "%3b", "%22", "%20", "%2C", "%2c", "%7D", "%7d", "%0A", "%0a"].contains {
        text.holds($0, at: at)
      }
    default: return false
    }
  }
}
