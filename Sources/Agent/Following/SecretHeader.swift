/// Credentials in the fields of HTTP. Source: RFC 9110 11 (authentication), RFC 6265 (cookies), RFC 7616 (Digest), RFC 5849 (OAuth).
enum SecretHeader {
  private static let schemeBytesMax = 24
  private static let nameBytesMax = 64
  /// A ticket of Kerberos has some kilobytes.
  private static let lineBytesMax = 16 << 10
  /// Schemes behind which any value is a credential; the second list names words of sentences, too.
  private static let schemes = ["bearer", "basic", "apikey", "negotiate", "dpop", "privatetoken", "geniekey", "jwt"]
  private static let wordSchemes = ["token", "key", "bot", "api-key"]
  /// "Authorization: Bearer token required", "Authorization: Basic authentication failed".
  private static let descriptions = [
    "token", "tokens", "auth", "authentication", "authorization", "scheme", "header", "credential", "credentials",
    "realm", "type",
  ]
  /// Schemes whose credentials are a list: it goes as a whole.
  private static let lists = ["digest", "aws4-hmac-sha256", "oauth", "hawk", "mac", "signature", "sharedkey", "ntlm"]

  /// `Authorization: Basic dXNlcjpwdw==`: the scheme stays.
  static func authorization(_ text: Span<UInt8>, _ extent: SecretValue.Extent) -> Secret? {
    var start = extent.start
    // `Authorization: 'Bearer …'` is a quoted place; a bare one ends at a blank, which here stands within the value.
    let limit = extent.isQuoted ? extent.end : lineEnd(text, start)
    var scheme = start
    while scheme < limit, scheme - start < schemeBytesMax, ByteClass.isName(text[scheme]) { scheme += 1 }
    let hasScheme = scheme > start && scheme < limit && text[scheme] == UInt8(ascii: " ")
    let name = (start..<scheme).map { ByteClass.of(text[$0]) == ByteClass.upper ? text[$0] | 0x20 : text[$0] }
    if hasScheme, lists.contains(where: { Array($0.utf8) == name }) {
      start = scheme + 1
      let range = start..<limit
      return range.count >= 6 && hasCode(text, range) ? Secret(range: range, kind: .authorization) : nil
    }
    if hasScheme {
      // "authorization: denied for user" is a sentence.
      var end = scheme + 1
      while end < limit, text[end] > UInt8(ascii: " "), text[end] != UInt8(ascii: ",") { end += 1 }
      let range = scheme + 1..<end
      let isSure =
        range.count >= 6 && hasCode(text, range)
        || schemes.contains { Array($0.utf8) == name } && isValue(text, range)
        || end == limit && wordSchemes.contains { Array($0.utf8) == name } && isValue(text, range)
      return isSure ? Secret(range: range, kind: .authorization) : nil
    }
    let range = start..<scheme
    // A function or a variable of a program's line.
    if !extent.isQuoted, ValueTraits(text, extent.start..<extent.end, extent).isReference(text) { return nil }
    let whole = extent.isQuoted ? extent.start..<extent.end : extent.start..<max(extent.end, range.upperBound)
    return whole.count >= 6 && hasCode(text, whole) ? Secret(range: whole, kind: .authorization) : nil
  }

  /// Neither a placeholder, nor a variable or a call, nor a word about the header.
  private static func isValue(_ text: Span<UInt8>, _ range: Range<Int>) -> Bool {
    if Placeholders.isOne(text, range, isProse: false) { return false }
    let isConstant = range.allSatisfy {
      ByteClass.of(text[$0]) == ByteClass.upper || text[$0] == UInt8(ascii: "_")
    }
    if isConstant && range.contains(where: { text[$0] == UInt8(ascii: "_") }) { return false }
    var end = range.upperBound
    while end > range.lowerBound, !ByteClass.isWord(text[end - 1]) { end -= 1 }
    return !descriptions.contains {
      $0.utf8.count == end - range.lowerBound && SecretProse.holds($0, text, range.lowerBound)
    }
      && !text.holds("realm=", at: range.lowerBound)
  }

  /// All of them, with their names: which one is the session's is not known.
  static func cookie(_ text: Span<UInt8>, _ extent: SecretValue.Extent) -> Secret? {
    let equals = (extent.start..<min(text.count, extent.start + nameBytesMax)).first { text[$0] == UInt8(ascii: "=") }
    guard let equals, equals > extent.start, !extent.isQuoted || equals < extent.end,
      (extent.start..<equals).allSatisfy({ ByteClass.isName(text[$0]) || text[$0] == UInt8(ascii: ".") })
    else { return nil }
    let range = extent.start..<(extent.isQuoted ? extent.end : lineEnd(text, extent.start))
    return range.count >= 6 ? Secret(range: range, kind: .cookie) : nil
  }

  /// A quote ends it, too: the header may be a word of a command.
  private static func lineEnd(_ text: Span<UInt8>, _ start: Int) -> Int {
    var end = start
    var isOpen = false
    while end < text.count, end - start < lineBytesMax, text[end] != UInt8(ascii: "\n") {
      let byte = text[end]
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
        // `Digest username="…"`: a quote behind `=` opens one of the header's own.
        let isOwn = isOpen || end > start && text[end - 1] == UInt8(ascii: "=")
        guard isOwn else { return end }
        isOpen.toggle()
      }
      if byte == UInt8(ascii: "\\"), end + 1 < text.count, !isOpen,
        text[end + 1] == UInt8(ascii: "n") || text[end + 1] == UInt8(ascii: "r")
      {
        return end
      }
      end += 1
    }
    return end
  }

  private static func hasCode(_ text: Span<UInt8>, _ range: Range<Int>) -> Bool {
    let classes = range.prefix(256).reduce(UInt8(0)) { $0 | ByteClass.of(text[$1]) }
    let hasSign = range.prefix(256).contains { text[$0] == UInt8(ascii: "=") || text[$0] == UInt8(ascii: "+") }
    return classes & ByteClass.digit != 0 || hasSign || SecretRandom.changesCase(text, range.prefix(256))
  }
}
