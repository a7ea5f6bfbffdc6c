/// Secrets that are known by the name before them, and random-looking values behind `=` or `:`.
enum SecretValue {
  /// How sure the name makes it.
  private enum Name {
    /// `password`, `*secret*`: nearly any value.
    case password
    /// `*api_key`, `*_KEY`.
    case key
    /// `token` also means a word's number here: only values that look like credentials.
    case token
    case authorization
  }

  private static let keyNames = [
    "api_key", "apikey", "access_key", "accesskey", "private_key", "privatekey", "account_key", "auth_key",
    "encryption_key",
    "signing_key", "license_key", "ssh_key", "master_key",
  ]
  private static let harmless = Set(
    [
      "none", "null", "nil", "true", "false", "yes", "no", "empty", "unset", "set", "missing", "required", "invalid",
      "expired",
      "incorrect", "default", "optional", "disabled", "enabled", "unknown", "hidden", "redacted", "authentication",
    ].map { Array($0.utf8) })

  /// Whether a secret may lie behind the separator: a few looks only. Never no where `secret` finds one.
  static func mayFollow(_ bytes: Span<UInt8>, _ range: Range<Int>, separator: Int) -> Bool {
    mayBeLong(bytes, range, from: separator + 1) || name(bytes, from: range.lowerBound, before: separator) != nil
  }

  @inline(__always)
  private static func mayBeLong(_ bytes: Span<UInt8>, _ range: Range<Int>, from start: Int) -> Bool {
    var at = start
    while at < range.upperBound, isOpening(bytes[at]), at - start < 6 { at += 1 }
    let end = at + 20
    guard end <= range.upperBound else { return false }
    while at < end, ByteClass.isToken(bytes[at]) { at += 1 }
    return at == end
  }

  private static func isOpening(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\\")
  }

  private static func isClosing(_ byte: UInt8) -> Bool { isOpening(byte) || byte == UInt8(ascii: "]") }

  static func secret(_ text: Span<UInt8>, separator: Int) -> Secret? {
    var start = separator + 1
    while start < text.count, text[start] == UInt8(ascii: " "), start - separator < 4 { start += 1 }
    let isSpaced = start > separator + 1
    var quote: UInt8 = 0
    if start < text.count, text[start] == UInt8(ascii: "\\") { start += 1 }
    if start < text.count, text[start] == UInt8(ascii: "\"") || text[start] == UInt8(ascii: "'") {
      quote = text[start]
      start += 1
    }
    guard start < text.count else { return nil }
    if let name = name(text, from: 0, before: separator) {
      let isUpper = isUpperCase(text, before: separator)
      if let found = named(text, name, start: start, quote: quote, isUpper: isUpper, isProse: isSpaced && quote == 0) {
        return found
      }
    }
    return random(text, start: start)
  }

  /// `--password hunter2`, `--api-key abc`: the name of an option, then a blank.
  static func option(_ text: Span<UInt8>, at: Int) -> Secret? {
    guard text.holds("--", at: at), at == 0 || !ByteClass.isWord(text[at - 1]) else { return nil }
    var end = at + 2
    while end < text.count,
      ByteClass.isWord(text[end]) || text[end] == UInt8(ascii: "-") || text[end] == UInt8(ascii: "_")
    { end += 1 }
    guard end > at + 3, end < text.count, text[end] == UInt8(ascii: " "),
      let name = name(text, from: at + 2, before: end)
    else { return nil }
    return named(text, name, start: end + 1, quote: 0, isUpper: false, isProse: true)
  }

  private static func named(
    _ text: Span<UInt8>, _ name: Name, start: Int, quote: UInt8, isUpper: Bool, isProse: Bool
  ) -> Secret? {
    if name == .authorization { return header(text, start: start, quote: quote) }
    let end = valueEnd(text, start: start, quote: quote)
    let value = (start..<end).map { text[$0] }
    guard !isHarmless(value) else { return nil }
    let classes = value.reduce(0) { $0 | ByteClass.of($1) }
    let isNumber =
      classes == ByteClass.digit || value.allSatisfy { ByteClass.of($0) == ByteClass.digit || $0 == UInt8(ascii: ".") }
    let isMixed = classes & ByteClass.digit != 0 && classes & (ByteClass.lower | ByteClass.upper) != 0
    let isPath = value[0] == UInt8(ascii: "/") || value[0] == UInt8(ascii: ".") || value[0] == UInt8(ascii: "~")
    let range = start..<end
    switch name {
    case .password:
      // "password: wrong" is a sentence, `password=wrong` is not.
      if isPath && (!isUpper || value.count { $0 == UInt8(ascii: "/") } > 1)
        || isProse && value.count < 8 && !isMixed && !isNumber
      {
        return nil
      }
      return Secret(range: range, kind: .password)
    case .key:
      let isSure = isUpper ? value.count >= 4 && !isNumber : value.count >= 8 && (isMixed || value.count >= 20)
      return isSure && !isPath ? Secret(range: range, kind: .key) : nil
    case .token:
      let isSure = isUpper ? value.count >= 6 && !isNumber && !isProse : value.count >= 8 && isMixed
      return isSure && !isPath ? Secret(range: range, kind: .token) : nil
    case .authorization: return nil
    }
  }

  /// `Authorization: Basic dXNlcjpwdw==`: the scheme stays.
  private static func header(_ text: Span<UInt8>, start: Int, quote: UInt8) -> Secret? {
    var start = start
    let isStop = { (byte: UInt8) in
      byte == quote || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: ",") || byte == UInt8(ascii: "\"")
        || byte == UInt8(ascii: "'")
    }
    for scheme in ["Bearer ", "bearer ", "Basic ", "basic ", "Token ", "token "]
    where text.holds(scheme, at: start) {
      start += scheme.utf8.count
      break
    }
    var end = start
    while end < text.count, !isStop(text[end]), text[end] != UInt8(ascii: " ") { end += 1 }
    // "authorization: denied" is a sentence.
    let classes = (start..<end).reduce(0) { $0 | ByteClass.of(text[$1]) }
    return end - start >= 6 && classes & (ByteClass.digit | ByteClass.symbol) != 0
      ? Secret(range: start..<end, kind: .authorization) : nil
  }

  private static func valueEnd(_ text: Span<UInt8>, start: Int, quote: UInt8) -> Int {
    var end = start
    while end < text.count {
      let byte = text[end]
      if quote != 0 ? byte == quote || byte == UInt8(ascii: "\n") : isEnd(byte) { break }
      end += 1
    }
    if quote != 0, end > start, text[end - 1] == UInt8(ascii: "\\") { end -= 1 }
    return end
  }

  private static func isEnd(_ byte: UInt8) -> Bool {
    switch byte {
    case 0...UInt8(ascii: " "), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: ")"), UInt8(ascii: "]"),
      UInt8(ascii: "}"),
      UInt8(ascii: "("), UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "&"), UInt8(ascii: "|"):
      true
    default: false
    }
  }

  private static func isHarmless(_ value: [UInt8]) -> Bool {
    guard let first = value.first else { return true }
    if "<[{$%*".utf8.contains(first) { return true }
    return harmless.contains(value.map { ByteClass.of($0) == ByteClass.upper ? $0 | 0x20 : $0 })
  }

  /// The meaning of the name that ends before `end`, or nil where it is no secret's.
  private static func name(_ text: Span<UInt8>, from lower: Int, before end: Int) -> Name? {
    var last = end
    while last > lower, isClosing(text[last - 1]) { last -= 1 }
    guard last - lower >= 3 else { return nil }
    let start = max(lower, last - 48)
    switch text[last - 1] | 0x20 {
    case UInt8(ascii: "n"):
      if ends(text, start, last, "token") { return .token }
      if ends(text, start, last, "authorization") { return .authorization }
    case UInt8(ascii: "d"):
      if ends(text, start, last, "password") || ends(text, start, last, "passwd") || ends(text, start, last, "pwd") {
        return .password
      }
    case UInt8(ascii: "t"): if ends(text, start, last, "passwort") { return .password }
    case UInt8(ascii: "e"): if ends(text, start, last, "passphrase") { return .password }
    case UInt8(ascii: "l"): if ends(text, start, last, "credential") { return .key }
    case UInt8(ascii: "s"): if ends(text, start, last, "credentials") { return .key }
    case UInt8(ascii: "y"): if isKey(text, start, last) { return .key }
    default: break
    }
    return holdsSecret(text, start, last) ? .password : nil
  }

  private static func isKey(_ text: Span<UInt8>, _ start: Int, _ last: Int) -> Bool {
    guard ends(text, start, last, "key") else { return false }
    if ends(text, start, last, "_key"), ByteClass.of(text[last - 1]) == ByteClass.upper { return true }
    return keyNames.contains { ends(text, start, last, $0) }
  }

  private static func ends(_ text: Span<UInt8>, _ start: Int, _ last: Int, _ suffix: String) -> Bool {
    suffix.utf8.count <= last - start && ends(text, last, suffix)
  }

  private static func ends(_ text: Span<UInt8>, _ last: Int, _ suffix: String) -> Bool {
    var at = last - suffix.utf8.count
    for byte in suffix.utf8 {
      if lowered(text[at]) != byte { return false }
      at += 1
    }
    return true
  }

  /// "secret" anywhere in the name; looked for from its end.
  private static func holdsSecret(_ text: Span<UInt8>, _ lower: Int, _ last: Int) -> Bool {
    var start = last
    var isLikely = false
    var behind: UInt8 = 0
    while start > lower {
      let byte = text[start - 1]
      guard ByteClass.isName(byte) else { break }
      start -= 1
      if behind | 0x20 == UInt8(ascii: "r"), byte | 0x20 == UInt8(ascii: "c") { isLikely = true }
      behind = byte
    }
    guard isLikely, last - start >= 6 else { return false }
    return (start...(last - 6)).contains { ends(text, $0 + 6, "secret") }
  }

  @inline(__always) private static func lowered(_ byte: UInt8) -> UInt8 {
    byte == UInt8(ascii: "-") ? UInt8(ascii: "_") : ByteClass.of(byte) == ByteClass.upper ? byte | 0x20 : byte
  }

  /// As names of environment variables are.
  private static func isUpperCase(_ text: Span<UInt8>, before end: Int) -> Bool {
    var at = end
    while at > 0, isClosing(text[at - 1]) { at -= 1 }
    return at > 0 && ByteClass.of(text[at - 1]) == ByteClass.upper
  }

  /// A value that no person wrote: long, of upper and lower case and digits that change places all the time. Names of files and
  /// models change far less often; hashes and UUIDs have one case only.
  private static func random(_ text: Span<UInt8>, start: Int) -> Secret? {
    var end = start
    while end < text.count, ByteClass.isToken(text[end]), end - start < 512 { end += 1 }
    guard end - start >= 20 else { return nil }
    var part = start
    while part < end {
      var stop = part
      while stop < end, ByteClass.isWord(text[stop]) { stop += 1 }
      if stop - part >= 16, isRandom(text, part..<stop) { return Secret(range: start..<end, kind: .entropy) }
      part = stop + 1
    }
    return nil
  }

  private static func isRandom(_ text: Span<UInt8>, _ range: Range<Int>) -> Bool {
    var classes: UInt8 = 0
    var changes = 0
    var before = ByteClass.of(text[range.lowerBound])
    for at in range {
      let here = ByteClass.of(text[at])
      classes |= here
      if here != before { changes += 1 }
      before = here
    }
    return classes & ByteClass.alphanumeric == ByteClass.alphanumeric && changes * 20 >= (range.count - 1) * 7
  }
}
