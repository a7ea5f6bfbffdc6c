/// Passwords that are plain words, known by what asks for them: a prompt that was answered on its own line, or a user's name right before.
///
/// - Source: ssh-keygen(1), sudo(8), git-credential(1).
enum SecretPrompt {
  private static let promptBytesMax = 128
  private static let wordBytesMin = 6
  private static let wordBytesMax = 128
  private static let userBytesMax = 64
  private static let asked = ["password for ", "passphrase for "]
  private static let users = ["login", "user", "username", "user_name", "userid", "email", "account"]

  // MARK: Prompts

  /// Whether a prompt may end here, which few separators look like: neither a name of JSON stands before it, nor a figure behind it.
  @inline(__always) static func mayEnd(_ text: Span<UInt8>, _ separator: Int) -> Bool {
    text[separator] == UInt8(ascii: ":") && separator > 0 && text[separator - 1] != UInt8(ascii: "\"")
      && separator + 2 < text.count && text[separator + 1] == UInt8(ascii: " ") && ByteClass.isWord(text[separator + 2])
  }

  /// `Enter passphrase for key '/root/.ssh/id_rsa': …`, `[sudo] password for joe: …`: one word, and the line ends.
  @inline(never) static func answer(_ text: Span<UInt8>, separator: Int) -> Secret? {
    let start = separator + 2
    var end = start
    while end < text.count, text[end] > UInt8(ascii: " ") {
      end += 1
      if end - start > wordBytesMax { return nil }
    }
    guard end == text.count, end - start >= wordBytesMin, isPrompt(text, before: separator) else { return nil }
    let extent = SecretValue.Extent(start: start, end: end, isQuoted: false, isProse: true, isTight: false)
    let traits = ValueTraits(text, start..<end, extent)
    return traits.isPlaceholder || traits.isPath || traits.isInflected(text)
      ? nil : Secret(range: start..<end, kind: .password)
  }

  /// A question, no report of one: it begins with a capital or the text, or behind "enter" or a bracket.
  private static func isPrompt(_ text: Span<UInt8>, before end: Int) -> Bool {
    (max(0, end - promptBytesMax)..<end).contains { at in
      guard text[at] | 0x20 == UInt8(ascii: "p"), asked.contains(where: { SecretProse.holds($0, text, at) }) else {
        return false
      }
      return at == 0 || text[at] == UInt8(ascii: "P") || text.holds("] ", at: at - 2)
        || SecretProse.holds("enter ", text, at - 6)
    }
  }

  // MARK: Pairs

  /// `login: joe / pass: …`: a user's name and this are a pair, and no sentence goes on behind it.
  @inline(never) static func isPair(_ text: Span<UInt8>, _ name: SecretName, _ extent: SecretValue.Extent) -> Bool {
    guard extent.end - extent.start >= 4, extent.end == text.count || isBreak(text[extent.end]) else { return false }
    var at = name.start
    while at > 0, ByteClass.isName(text[at - 1]) { at -= 1 }
    let limit = max(0, at - userBytesMax)
    while at > limit, text[at - 1] == UInt8(ascii: " ") || isBreak(text[at - 1]) { at -= 1 }
    let end = at
    while at > limit, text[at - 1] > UInt8(ascii: " "), !isSign(text[at - 1]) { at -= 1 }
    // Counts of logins have no letter.
    guard (at..<end).contains(where: { ByteClass.of(text[$0]) & (ByteClass.lower | ByteClass.upper) != 0 }) else {
      return false
    }
    while at > limit, text[at - 1] == UInt8(ascii: " ") { at -= 1 }
    guard at > limit, isSign(text[at - 1]) else { return false }
    return users.contains { user in
      let start = at - 1 - user.utf8.count
      return SecretProse.holds(user, text, start) && (start == 0 || !ByteClass.isName(text[start - 1]))
    }
  }

  private static func isSign(_ byte: UInt8) -> Bool { byte == UInt8(ascii: ":") || byte == UInt8(ascii: "=") }

  private static func isBreak(_ byte: UInt8) -> Bool {
    [UInt8(ascii: "/"), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "|"), UInt8(ascii: ")")].contains(byte)
  }
}
