/// Secrets that are known by what encloses them: the user part of an address, and PEM blocks (RFC 7468).
enum SecretEnclosure {
  private static let addressBytesMax = 512

  /// `scheme://user:password@host`: everything between `://` and the `@`; `user:password@tcp(host)` of Go's drivers.
  static func userInfo(_ text: Span<UInt8>, at: Int) -> Secret? {
    var start = at
    var firstSlash: Int?
    while start > 0, at - start < addressBytesMax {
      let byte = text[start - 1]
      if byte <= UInt8(ascii: " ") || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'")
        || byte == UInt8(ascii: "@") || byte == UInt8(ascii: "`")
        || byte == UInt8(ascii: "<") || byte == UInt8(ascii: "(")
      {
        return driver(text, start..<at)
      }
      if start >= 3, byte == UInt8(ascii: "/"), text[start - 2] == UInt8(ascii: "/"),
        text[start - 3] == UInt8(ascii: ":")
      {
        return authority(text, start..<at, firstSlash)
      }
      if byte == UInt8(ascii: "/") { firstSlash = start - 1 }
      start -= 1
    }
    return driver(text, start..<at)
  }

  private static func authority(_ text: Span<UInt8>, _ user: Range<Int>, _ firstSlash: Int?) -> Secret? {
    let colon = user.first { text[$0] == UInt8(ascii: ":") }
    if let firstSlash {
      // `host:80/path/@name` is a path; a password may hold a slash, a port may not.
      guard let colon, colon < firstSlash, !(colon + 1..<firstSlash).allSatisfy({ text[$0] &- 48 <= 9 }) else {
        return nil
      }
    }
    // A password may hold an `@`, too: the last one counts.
    var end = user.upperBound
    var at = end + 1
    while at < text.count, text[at] > UInt8(ascii: " "), at - end < addressBytesMax,
      !["/", "?", "#", "\"", "'", "<", ">", ",", ")", "`"].contains(where: { text.holds($0, at: at) })
    {
      if text[at] == UInt8(ascii: "@") { end = at }
      at += 1
    }
    return colon != nil || user.count >= 20 ? Secret(range: user.lowerBound..<end, kind: .url) : nil
  }

  private static func driver(_ text: Span<UInt8>, _ user: Range<Int>) -> Secret? {
    if let found = oracle(text, user) { return found }
    guard text.holds("tcp(", at: user.upperBound + 1) || text.holds("unix(", at: user.upperBound + 1),
      let colon = user.first(where: { text[$0] == UInt8(ascii: ":") }), colon + 1 < user.upperBound
    else { return nil }
    return Secret(range: colon + 1..<user.upperBound, kind: .url)
  }

  /// `jdbc:oracle:thin:user/password@…`, and `sqlplus user/password@…`.
  private static func oracle(_ text: Span<UInt8>, _ user: Range<Int>) -> Secret? {
    let isURL = user.contains { text.holds("oracle:", at: $0) }
    let isTool = ["sqlplus ", "expdp ", "impdp ", "sqlldr ", "rman target "].contains { tool in
      (max(0, user.lowerBound - tool.utf8.count - 16)..<user.lowerBound).contains { text.holds(tool, at: $0) }
    }
    guard isURL || isTool, let slash = user.first(where: { text[$0] == UInt8(ascii: "/") }),
      slash > user.lowerBound, slash + 1 < user.upperBound
    else { return nil }
    return Secret(range: slash + 1..<user.upperBound, kind: .url)
  }

  /// A PEM block, to its end or to the end of the text. Public ones are none.
  /// - Parameter at: the last dash before `BEGIN`.
  static func block(_ text: Span<UInt8>, at: Int) -> Secret? {
    guard at >= 3, text.holds("BEGIN ", at: at + 1), !isPublic(text, at + 7) else { return nil }
    var start = at
    while start > 0, text[start - 1] == UInt8(ascii: "-") || text[start - 1] == UInt8(ascii: " "), at - start < 5 {
      start -= 1
    }
    var end = at + 7
    while end < text.count, !text.holds("---END ", at: end), !text.holds("-- END ", at: end) { end += 1 }
    guard end < text.count else { return Secret(range: start..<text.count, kind: .pem, isOpen: true) }
    end += 7
    while end < text.count, !text.holds("----", at: end), text[end] != UInt8(ascii: "\n") { end += 1 }
    while end < text.count, text[end] == UInt8(ascii: "-") { end += 1 }
    return Secret(range: start..<end, kind: .pem)
  }

  private static func isPublic(_ text: Span<UInt8>, _ label: Int) -> Bool {
    (label..<min(text.count, label + 24)).contains {
      text.holds("CERTIFICATE", at: $0) || text.holds("PUBLIC KEY", at: $0)
    }
  }
}
