/// Secrets that are known by how they look, whatever stands before them. Prefixes as their issuers publish them: RFC 7519 (JWT),
/// RFC 7468 (PEM), AWS IAM identifiers, GitHub, GitLab, Slack, Google, OpenAI, Hugging Face and PyPI token formats.
enum SecretShape {
  private struct Prefix {
    var text: [UInt8]
    var kind: Secret.Kind
    /// Bytes behind the prefix, at least.
    var minimum: Int
    /// Only upper case and digits, and exactly `minimum`.
    var isFixed = false

    init(_ text: String, _ kind: Secret.Kind, _ minimum: Int, isFixed: Bool = false) {
      self.text = Array(text.utf8)
      self.kind = kind
      self.minimum = minimum
      self.isFixed = isFixed
    }
  }

  private static let prefixes: [Prefix] =
    [
      Prefix("AKIA", .aws, 16, isFixed: true), Prefix("ASIA", .aws, 16, isFixed: true), Prefix("AIza", .google, 30),
      Prefix("github_pat_", .github, 20), Prefix("glpat-", .gitlab, 16), Prefix("sk-", .openai, 20),
      Prefix("sk_live_", .key, 16),
      Prefix("sk_test_", .key, 16), Prefix("hf_", .huggingface, 20), Prefix("pypi-", .pypi, 40),
    ] + ["p", "o", "u", "s", "r"].map { Prefix("gh\($0)_", .github, 30) }
    + ["a", "b", "e", "o", "p", "r", "s"].map { Prefix("xox\($0)-", .slack, 10) }

  /// Whether a secret may be told by the two bytes at `at`, which `LineScan` found.
  static func mayBe(_ bytes: Span<UInt8>, _ range: Range<Int>, at: Int) -> Bool {
    func byte(_ offset: Int) -> UInt8 { range.contains(at + offset) ? bytes[at + offset] : 0 }
    switch bytes[at] {
    case UInt8(ascii: "y"): return byte(-1) == UInt8(ascii: "e")
    case UInt8(ascii: "I"):
      let before = byte(-1)
      return before == UInt8(ascii: "K") || before == UInt8(ascii: "S") || before == UInt8(ascii: "A")
    case UInt8(ascii: "g"): return byte(3) == UInt8(ascii: "_")
    case UInt8(ascii: "b"): return byte(-1) == UInt8(ascii: "u") && byte(2) == UInt8(ascii: "p")
    case UInt8(ascii: "t"): return byte(-1) == UInt8(ascii: "a") && byte(-2) == UInt8(ascii: "p")
    case UInt8(ascii: "k"): return byte(-1) == UInt8(ascii: "s") && !ByteClass.isWord(byte(-2))
    case UInt8(ascii: "f"): return byte(-1) == UInt8(ascii: "h") && !ByteClass.isWord(byte(-2))
    case UInt8(ascii: "i"): return byte(-1) == UInt8(ascii: "p") && byte(-2) == UInt8(ascii: "y")
    case UInt8(ascii: "x"): return byte(2) == UInt8(ascii: "x")
    case UInt8(ascii: "B"):
      return byte(2) == UInt8(ascii: "a") && byte(3) == UInt8(ascii: "r")
        || byte(2) == UInt8(ascii: "s") && byte(3) == UInt8(ascii: "i")
    case UInt8(ascii: "-"):
      if byte(1) == UInt8(ascii: "B") { return byte(-1) == UInt8(ascii: "-") }
      return byte(-1) != UInt8(ascii: "-") && ByteClass.isWord(byte(2))
    default: return true
    }
  }

  static func token(_ text: Span<UInt8>, at: Int) -> Secret? {
    guard at == 0 || !ByteClass.isWord(text[at - 1]) || isEscapedNewline(text, before: at) else { return nil }
    if text[at] == UInt8(ascii: "e") { return webToken(text, at: at) }
    if text[at] == UInt8(ascii: "B") { return scheme(text, at: at) }
    for prefix in prefixes where prefix.text[0] == text[at] {
      if let end = end(of: prefix, text, at: at) { return Secret(range: at..<end, kind: prefix.kind) }
    }
    return nil
  }

  /// `\n` as two characters, as in a JSON string, ends the word before it.
  private static func isEscapedNewline(_ text: Span<UInt8>, before at: Int) -> Bool {
    at >= 2 && text[at - 2] == UInt8(ascii: "\\")
  }

  private static func end(of prefix: Prefix, _ text: Span<UInt8>, at: Int) -> Int? {
    var end = at
    for byte in prefix.text {
      guard end < text.count, text[end] == byte else { return nil }
      end += 1
    }
    let start = end
    var classes: UInt8 = 0
    let allowed = prefix.isFixed ? ByteClass.upper | ByteClass.digit : ByteClass.token
    while end < text.count, ByteClass.of(text[end]) & allowed != 0, text[end] != UInt8(ascii: "="),
      text[end] != UInt8(ascii: "/")
    {
      classes |= ByteClass.of(text[end])
      end += 1
    }
    if prefix.isFixed { return end - start == prefix.minimum ? end : nil }
    // Words joined by dashes ("sk-learn-…") have no digit, or no letter.
    let isMixed = classes & ByteClass.digit != 0 && classes & (ByteClass.lower | ByteClass.upper) != 0
    return end - start >= prefix.minimum && isMixed ? end : nil
  }

  /// Three parts of base64url with dots between; the first is a JSON object, so it starts with `eyJ`.
  private static func webToken(_ text: Span<UInt8>, at: Int) -> Secret? {
    guard text.holds("eyJ", at: at) else { return nil }
    var end = at
    var dots = 0
    while end < text.count {
      if text[end] == UInt8(ascii: ".") {
        dots += 1
        if dots > 4 { break }
      } else if ByteClass.of(text[end]) & ByteClass.token == 0 || text[end] == UInt8(ascii: "/") {
        break
      }
      end += 1
    }
    while end > at, text[end - 1] == UInt8(ascii: ".") { end -= 1 }
    return dots >= 1 && end - at >= 24 ? Secret(range: at..<end, kind: .jwt) : nil
  }

  /// RFC 7235 credentials without the header's name before them.
  private static func scheme(_ text: Span<UInt8>, at: Int) -> Secret? {
    let isBearer = text.holds("Bearer ", at: at)
    guard isBearer || text.holds("Basic ", at: at) else { return nil }
    let start = at + (isBearer ? 7 : 6)
    var end = start
    var classes: UInt8 = 0
    while end < text.count, ByteClass.of(text[end]) & ByteClass.token != 0 || text[end] == UInt8(ascii: ".") {
      classes |= ByteClass.of(text[end])
      end += 1
    }
    let isCode = classes & ByteClass.digit != 0 || end > start && text[end - 1] == UInt8(ascii: "=")
    return isCode && end - start >= 12 ? Secret(range: start..<end, kind: .authorization) : nil
  }

  /// `scheme://user:password@host`: everything between `://` and the `@`.
  static func userInfo(_ text: Span<UInt8>, at: Int) -> Secret? {
    var start = at
    var hasPassword = false
    while start > 0, at - start < 256 {
      let byte = text[start - 1]
      if byte == UInt8(ascii: "/") { break }
      if byte <= UInt8(ascii: " ") || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") { return nil }
      if byte == UInt8(ascii: ":") { hasPassword = true }
      start -= 1
    }
    guard start >= 3, text[start - 1] == UInt8(ascii: "/"), text[start - 2] == UInt8(ascii: "/"),
      text[start - 3] == UInt8(ascii: ":")
    else { return nil }
    return hasPassword || at - start >= 20 ? Secret(range: start..<at, kind: .url) : nil
  }

  /// A PEM block, to its end or to the end of the text.
  static func block(_ text: Span<UInt8>, at: Int) -> Secret? {
    guard text.holds("-----BEGIN ", at: at) else { return nil }
    var end = at + 11
    while end < text.count, !text.holds("-----END ", at: end) { end += 1 }
    guard end < text.count else { return Secret(range: at..<text.count, kind: .pem, isOpen: true) }
    end += 9
    while end < text.count, !text.holds("-----", at: end), text[end] != UInt8(ascii: "\n") { end += 1 }
    return Secret(range: at..<min(end + 5, text.count), kind: .pem)
  }
}
