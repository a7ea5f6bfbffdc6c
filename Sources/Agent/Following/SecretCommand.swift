/// Secrets that a command or a directive takes behind a blank, or from a pipe: `requirepass x`, `AUTH x`, `echo x | docker login
/// --password-stdin`.
///
/// - Source: redis.conf, redis.io/commands/auth, docker-login(1), sudo(8), chpasswd(8), RFC 4954 (SMTP AUTH), htpasswd(1).
enum SecretCommand {
  private static let commandBytesMax = 256

  // MARK: Directives

  /// `requirepass x` and `masterauth x`, in a file or behind `CONFIG SET`: all of the rest of the line, or what is no word.
  /// - Parameter at: of its `qu` or `au`.
  static func directive(_ text: Span<UInt8>, at: Int) -> Secret? {
    for (word, offset) in [("requirepass", 2), ("masterauth", 6)] where SecretProse.holds(word, text, at - offset) {
      let end = at - offset + word.utf8.count
      guard let start = argument(text, behind: end) else { return nil }
      return value(text, start, isSure: false)
    }
    return auth(text, at: at)
  }

  /// `AUTH password` and `AUTH user password`, in capitals or behind a prompt; `AUTH PLAIN …` and `AUTH LOGIN …` of SMTP.
  private static func auth(_ text: Span<UInt8>, at: Int) -> Secret? {
    guard SecretProse.holds("auth", text, at), let start = argument(text, behind: at + 4) else { return nil }
    for mechanism in ["PLAIN ", "LOGIN ", "XOAUTH2 "] where text.holds(mechanism, at: start) {
      return value(text, start + mechanism.utf8.count, isSure: false)
    }
    let isPrompt = isPrompt(text, before: at)
    guard isPrompt || text.holds("AUTH", at: at) && isStart(text, at) else { return nil }
    guard let first = extent(text, start) else { return nil }
    if let second = argument(text, behind: first.end + (first.isQuoted ? 1 : 0)), let last = extent(text, second),
      isEnd(text, behind: last)
    {
      return value(text, second, isSure: isPrompt)
    }
    return value(text, start, isSure: isPrompt)
  }

  /// Where the argument behind a word begins: the word may be quoted, as MONITOR of Redis prints it.
  private static func argument(_ text: Span<UInt8>, behind end: Int) -> Int? {
    var at = end
    if at < text.count, text[at] == UInt8(ascii: "\"") || text[at] == UInt8(ascii: "'") { at += 1 }
    let first = at
    while at < text.count, text[at] == UInt8(ascii: " ") || text[at] == UInt8(ascii: "\t") { at += 1 }
    return at > first && at < text.count ? at : nil
  }

  /// A value: sure of itself where nothing follows it, or where it is no word.
  private static func value(_ text: Span<UInt8>, _ start: Int, isSure: Bool) -> Secret? {
    guard let extent = extent(text, start) else { return nil }
    let range = extent.start..<extent.end
    let traits = ValueTraits(text, range.prefix(commandBytesMax), extent)
    if traits.isPlaceholder || traits.isReference(text) || text[extent.start] == UInt8(ascii: "-") { return nil }
    let isCode = traits.count >= 6 && (traits.isMixed || traits.hasSign)
    return isSure || isCode || isEnd(text, behind: extent) ? Secret(range: range, kind: .password) : nil
  }

  private static func extent(_ text: Span<UInt8>, _ start: Int) -> SecretValue.Extent? {
    guard start < text.count else { return nil }
    return SecretValue.quoted(text, start, isSpaced: false)
      ?? SecretValue.bare(text, start, isSpaced: true, isTight: false)
  }

  private static func isEnd(_ text: Span<UInt8>, behind extent: SecretValue.Extent) -> Bool {
    var at = extent.end
    if extent.isQuoted, at < text.count { at += 1 }
    while at < text.count, text[at] == UInt8(ascii: " ") || text[at] == UInt8(ascii: "\r") { at += 1 }
    return at >= text.count || text[at] == UInt8(ascii: "\n")
  }

  /// At the line's start, or quoted as MONITOR prints it.
  private static func isStart(_ text: Span<UInt8>, _ at: Int) -> Bool {
    at == 0 || text[at - 1] == UInt8(ascii: "\"") || text[at - 1] == UInt8(ascii: "\n") || isPrompt(text, before: at)
  }

  /// `127.0.0.1:6379> AUTH …`, or an argument of `redis-cli`.
  private static func isPrompt(_ text: Span<UInt8>, before at: Int) -> Bool {
    guard at >= 2, text[at - 1] == UInt8(ascii: " ") else { return false }
    if text[at - 2] == UInt8(ascii: ">") { return true }
    return (max(0, at - commandBytesMax)..<at).contains { text.holds("redis-cli", at: $0) }
  }

  // MARK: Pipes

  /// What `echo` or `printf` writes into a command that reads a password: before `|`, or behind `<<<`.
  /// - Parameter at: within the command that reads it.
  static func piped(_ text: Span<UInt8>, at: Int) -> Secret? {
    hereString(text, behind: at) ?? pipe(text, before: at)
  }

  private static func pipe(_ text: Span<UInt8>, before at: Int) -> Secret? {
    guard var end = (max(0, at - commandBytesMax)..<at).last(where: { text[$0] == UInt8(ascii: "|") }) else {
      return nil
    }
    while end > 0, text[end - 1] == UInt8(ascii: " ") { end -= 1 }
    let command = (max(0, end - commandBytesMax)..<end).last { start in
      (start == 0 || !ByteClass.isWord(text[start - 1]))
        && ["echo ", "printf "].contains { text.holds($0, at: start) }
    }
    guard let command else { return nil }
    let isFormat = text.holds("printf ", at: command)
    return written(text, from: command + (isFormat ? 7 : 5), to: end, isFormat: isFormat)
  }

  /// The words that are written, without options, a format and quotes.
  private static func written(_ text: Span<UInt8>, from: Int, to end: Int, isFormat: Bool) -> Secret? {
    var start = from
    while start < end, text[start] == UInt8(ascii: "-") || text[start] == UInt8(ascii: " ") {
      while start < end, text[start] != UInt8(ascii: " ") { start += 1 }
      while start < end, text[start] == UInt8(ascii: " ") { start += 1 }
    }
    if isFormat, let blank = (start..<end).first(where: { text[$0] == UInt8(ascii: " ") }),
      (start..<blank).contains(where: { text[$0] == UInt8(ascii: "%") })
    {
      start = blank + 1
    }
    return secret(text, start, end)
  }

  private static func hereString(_ text: Span<UInt8>, behind at: Int) -> Secret? {
    guard let sign = (at..<min(text.count, at + commandBytesMax)).first(where: { text.holds("<<<", at: $0) }) else {
      return nil
    }
    var start = sign + 3
    while start < text.count, text[start] == UInt8(ascii: " ") { start += 1 }
    guard let extent = extent(text, start) else { return nil }
    return secret(text, extent.start, extent.end)
  }

  private static func secret(_ text: Span<UInt8>, _ first: Int, _ last: Int) -> Secret? {
    var (start, end) = (first, last)
    while start < end, text[start] == UInt8(ascii: "\"") || text[start] == UInt8(ascii: "'") { start += 1 }
    while end > start, text[end - 1] == UInt8(ascii: "\"") || text[end - 1] == UInt8(ascii: "'") { end -= 1 }
    // A variable or another command's output.
    guard start < end, text[start] != UInt8(ascii: "$"), text[start] != UInt8(ascii: "`"),
      !Placeholders.isOne(text, start..<end, isProse: false)
    else { return nil }
    return Secret(range: start..<end, kind: .password)
  }

  /// `echo user:password | chpasswd`, and `htpasswd -b file user password`.
  /// - Parameter at: of the `sw` of either.
  static func passwordTool(_ text: Span<UInt8>, at: Int) -> Secret? {
    if SecretProse.holds("chpasswd", text, at - 5), let found = piped(text, at: at) {
      guard let colon = found.range.first(where: { text[$0] == UInt8(ascii: ":") }), colon + 1 < found.range.upperBound
      else { return found }
      return Secret(range: colon + 1..<found.range.upperBound, kind: .password)
    }
    guard SecretProse.holds("htpasswd -", text, at - 5) else { return nil }
    var words: [Range<Int>] = []
    var start = at + 5
    while start < text.count, words.count < 5 {
      var end = start
      while end < text.count, text[end] > UInt8(ascii: " ") { end += 1 }
      if end > start { words.append(start..<end) }
      start = end + 1
    }
    guard words.count >= 3, words[0].contains(where: { text[$0] == UInt8(ascii: "b") }), let last = words.last else {
      return nil
    }
    return secret(text, last.lowerBound, last.upperBound)
  }
}
