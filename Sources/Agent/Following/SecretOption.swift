/// Secrets on a command line: `--password x`, `-pPASSWORD` of MySQL, `-u user:password` of curl, `sshpass -p x`.
///
/// - Source: mysql(1), sshpass(1), curl(1), redis-cli(1), ldapsearch(1), docker-login(1), 7z(1), unzip(1), openssl-passphrase-options(1ssl).
enum SecretOption {
  /// A command stands so far before its option at most.
  private static let commandBytesMax = 256

  /// - Parameter at: the last dash of an option.
  static func secret(_ text: Span<UInt8>, at: Int) -> Secret? {
    guard at + 2 < text.count else { return nil }
    let isLong = at > 0 && text[at - 1] == UInt8(ascii: "-")
    if isLong, at < 2 || !ByteClass.isWord(text[at - 2]) { return long(text, at) }
    return isLong ? nil : short(text, at)
  }

  private static func long(_ text: Span<UInt8>, _ at: Int) -> Secret? {
    var end = at + 1
    while end < text.count, ByteClass.isName(text[end]) { end += 1 }
    if readsPassword(text, at, end), let found = SecretCommand.piped(text, at: at) { return found }
    guard end > at + 2, end < text.count, text[end] == UInt8(ascii: " ") || text[end] == UInt8(ascii: "=") else {
      return nil
    }
    let word = text.extracting(at + 1..<end)
    if ["user", "proxy-user", "login", "auth"].contains(where: { word.count == $0.utf8.count && word.holds($0, at: 0) })
    {
      return userAndPassword(text, end + 1)
    }
    // `--name=value` is found by its separator.
    guard text[end] == UInt8(ascii: " "), let name = SecretName.read(text, before: end), name.start > at else {
      return nil
    }
    return value(text, end + 1, name, separator: end)
  }

  /// `--password-stdin` of docker and helm, `--with-token` of gh, `--passphrase-fd` of gpg, `--stdin` of passwd.
  private static func readsPassword(_ text: Span<UInt8>, _ at: Int, _ end: Int) -> Bool {
    func isOne(_ name: String) -> Bool { end - at - 1 == name.utf8.count && text.holds(name, at: at + 1) }
    return isOne("password-stdin") || isOne("with-token") || isOne("passphrase-fd")
      || isOne("stdin") && follows(text, at, ["passwd"])
  }

  private static func value(_ text: Span<UInt8>, _ start: Int, _ name: SecretName, separator: Int) -> Secret? {
    // Another option follows: this one has no value.
    if start < text.count, text[start] == UInt8(ascii: "-") { return nil }
    guard
      let extent = SecretValue.quoted(text, start, isSpaced: false)
        ?? SecretValue.bare(text, start, isSpaced: false, isTight: false)
    else { return nil }
    return SecretValue.named(text, name, extent, separator: separator)
  }

  private static func short(_ text: Span<UInt8>, _ at: Int) -> Secret? {
    let next = text[at + 2]
    if text[at + 1] == UInt8(ascii: "S"), follows(text, at, ["sudo"]) { return SecretCommand.piped(text, at: at) }
    let isAttached = next > UInt8(ascii: " ")
    switch text[at + 1] {
    case UInt8(ascii: "p"):
      let isMySQL = follows(text, at, ["mysql", "mariadb", "7z ", "7za ", "sshpass", "mongo"])
      if isAttached { return isMySQL && !isWord(text, at + 1) ? password(text, at + 2) : passArgument(text, at) }
      return follows(
        text, at,
        ["sshpass", "mongo", "docker login", "podman login", "registry login", "az login", "oc login", "nerdctl login"])
        ? password(text, at + 3) : nil
    case UInt8(ascii: "a"), UInt8(ascii: "A"):
      if follows(text, at, ["http ", "https ", "xh ", "xhs ", "ab ", "hey ", "oha "]) {
        return userAndPassword(text, isAttached ? at + 2 : at + 3)
      }
      guard text[at + 1] == UInt8(ascii: "a") else { return nil }
      return !isAttached && follows(text, at, ["redis-cli", "redis-benchmark"]) ? password(text, at + 3) : nil
    case UInt8(ascii: "w"):
      return !isAttached && follows(text, at, ["ldap"]) ? password(text, at + 3) : nil
    case UInt8(ascii: "k"):
      return !isAttached && follows(text, at, ["openssl enc", "openssl aes"]) ? password(text, at + 3) : nil
    case UInt8(ascii: "P"):
      guard follows(text, at, ["unzip", "zip ", "sqlcmd", "bcp "]) else { return nil }
      return password(text, isAttached ? at + 2 : at + 3)
    case UInt8(ascii: "u"):
      guard follows(text, at, ["curl", "http ", "https ", "elastic", "wget", "lftp "]) else { return nil }
      return userAndPassword(text, isAttached ? at + 2 : at + 3)
    case UInt8(ascii: "U"):
      guard follows(text, at, ["smbclient", "rpcclient", "net ", "curl"]) else { return nil }
      return userAndPassword(text, isAttached ? at + 2 : at + 3)
    default: return nil
    }
  }

  /// `-passin pass:secret`.
  private static func passArgument(_ text: Span<UInt8>, _ at: Int) -> Secret? {
    var end = at + 1
    while end < text.count, ByteClass.isName(text[end]) { end += 1 }
    guard text.holds("pass", at: at + 1), text.holds(" pass:", at: end) else { return nil }
    return password(text, end + 6)
  }

  /// Whether `pass:` is the argument of such an option.
  static func isSource(_ text: Span<UInt8>, _ start: Int) -> Bool {
    start > 8 && text[start - 1] == UInt8(ascii: " ")
      && (max(0, start - 10)..<start - 1).contains { text.holds(" -pass", at: $0) }
  }

  /// Small letters alone are another option: `-port`.
  private static func isWord(_ text: Span<UInt8>, _ start: Int) -> Bool {
    ["port", "protocol", "path", "plugin", "print"].contains { text.holds($0, at: start) }
  }

  private static func password(_ text: Span<UInt8>, _ start: Int) -> Secret? {
    guard start < text.count, text[start] != UInt8(ascii: "-"),
      let extent = SecretValue.quoted(text, start, isSpaced: false)
        ?? SecretValue.bare(text, start, isSpaced: false, isTight: false)
    else { return nil }
    let range = extent.start..<extent.end
    return range.isEmpty || Placeholders.isOne(text, range, isProse: false)
      ? nil : Secret(range: range, kind: .password)
  }

  /// What follows the colon (curl) or the percent sign (smbclient).
  private static func userAndPassword(_ text: Span<UInt8>, _ start: Int) -> Secret? {
    guard start < text.count,
      let extent = SecretValue.quoted(text, start, isSpaced: false)
        ?? SecretValue.bare(text, start, isSpaced: false, isTight: false)
    else { return nil }
    let range = extent.start..<extent.end
    let sign =
      range.first { text[$0] == UInt8(ascii: ":") || text[$0] == UInt8(ascii: "%") }
      ?? (follows(text, start, ["lftp "]) ? range.first { text[$0] == UInt8(ascii: ",") } : nil)
    guard let sign, sign + 1 < extent.end, !text.holds("//", at: sign + 1) else { return nil }
    let value = sign + 1..<extent.end
    // `--user 1000:1000` are numbers of a user and a group.
    if range.allSatisfy({ $0 == sign || text[$0] &- 48 <= 9 }) { return nil }
    return Placeholders.isOne(text, value, isProse: false) ? nil : Secret(range: value, kind: .password)
  }

  /// Whether one of the commands stands before the option.
  private static func follows(_ text: Span<UInt8>, _ at: Int, _ commands: [String]) -> Bool {
    (max(0, at - commandBytesMax)..<at).contains { start in
      (start == 0 || !ByteClass.isWord(text[start - 1]))
        && commands.contains { $0.utf8.first == text[start] && text.holds($0, at: start) }
    }
  }
}
