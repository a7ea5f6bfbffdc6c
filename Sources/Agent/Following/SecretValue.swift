/// Secrets that are known by the name before them, and random-looking values behind `=` or `:`.
enum SecretValue {
  /// Of a value, so much is looked at to decide; what is removed goes on to its end.
  private static let judgedBytesMax = 256
  /// An end is looked for within so many bytes before it is known that the value goes: a line of nothing but names would else cost its
  /// length for each of them.
  static let endBytesMax = 2048
  /// Blanks between a separator and its value.
  private static let blanksMax = 4

  /// Where a value lies, and what is around it.
  struct Extent {
    var start: Int
    var end: Int
    /// Between quotes.
    var isQuoted: Bool
    /// Behind a blank and without quotes, as in a sentence.
    var isProse: Bool
    /// The separator is `:`, and nothing is between it and the value.
    var isTight: Bool
  }

  // MARK: Separators

  /// - Parameters:
  ///   - separator: `=`, `:`, or the first byte of a longer one.
  ///   - length: bytes of the separator.
  static func secret(_ text: Span<UInt8>, separator: Int, length: Int = 1) -> Secret? {
    if let found = telegram(text, separator) { return found }
    if let name = SecretName.read(text, before: separator), let extent = extent(text, separator, length),
      let found = named(text, name, extent, separator: separator)
    {
      return found
    }
    return SecretRandom.find(text, start: start(text, separator, length), separator: separator)
  }

  /// `%3D` and `%3A`, as URLs hold them.
  static func encoded(_ text: Span<UInt8>, at: Int) -> Secret? {
    guard at + 3 < text.count else { return nil }
    let sign = text[at + 2] | 0x20
    // Versions in names of packages: `passwd_1%3a4.13`.
    guard sign == UInt8(ascii: "d") || sign == UInt8(ascii: "a"), at > 2,
      text[at - 1] &- 48 > 9 || text[at - 3] == UInt8(ascii: "%"), let name = SecretName.read(text, before: at)
    else {
      return nil
    }
    var start = at + 3
    var isQuoted = false
    while text.holds("%2", at: start) && start + 3 <= text.count
      || start < text.count && text[start] == UInt8(ascii: "+")
    {
      guard text[start] == UInt8(ascii: "%") else {
        start += 1
        continue
      }
      let code = text[start + 2]
      guard code == UInt8(ascii: "0") || code == UInt8(ascii: "2") || code == UInt8(ascii: "7") else { break }
      if code != UInt8(ascii: "0") { isQuoted = true }
      start += 3
    }
    var end = start
    while end < text.count, end - start < endBytesMax, !SecretEnd.isURLEnd(text, end) { end += 1 }
    let extent = Extent(start: start, end: end, isQuoted: isQuoted, isProse: false, isTight: false)
    return start < end ? named(text, name, extent, separator: at) : nil
  }

  /// Behind the separator, the rest of a longer one (`=>` of Ruby and PHP, `==`) and blanks.
  private static func start(_ text: Span<UInt8>, _ separator: Int, _ length: Int) -> Int {
    var start = separator + length
    if start < text.count, text[start] == UInt8(ascii: ">") || text[start] == UInt8(ascii: "=") { start += 1 }
    let first = start
    while start < text.count, text[start] == UInt8(ascii: " "), start - first < blanksMax { start += 1 }
    return start
  }

  /// Where the value behind the separator lies; nil where there is none.
  private static func extent(_ text: Span<UInt8>, _ separator: Int, _ length: Int) -> Extent? {
    let start = start(text, separator, length)
    let isSpaced = start > separator + length
    return quoted(text, start, isSpaced: isSpaced)
      ?? bare(text, start, isSpaced: isSpaced, isTight: !isSpaced && text[separator] == UInt8(ascii: ":"))
  }

  /// A value between quotes, which may be escaped, once or several times, as in JSON within JSON.
  static func quoted(_ text: Span<UInt8>, _ start: Int, isSpaced: Bool) -> Extent? {
    var open = start
    // b'…', u"…", r'…', f"…".
    if open + 1 < text.count, text[open + 1] == UInt8(ascii: "'") || text[open + 1] == UInt8(ascii: "\""),
      ["b", "u", "r", "f"].contains(where: { text.holds($0, at: open) })
    {
      open += 1
    }
    var level = 0
    while open < text.count, text[open] == UInt8(ascii: "\\"), level < 15 {
      level += 1
      open += 1
    }
    guard open < text.count else { return nil }
    let quote = text[open]
    guard quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") || quote == UInt8(ascii: "`") else { return nil }
    let first = open + 1
    let end = SecretEnd.ofQuoted(text, first, quote: quote, level: level)
    return first < text.count ? Extent(start: first, end: end, isQuoted: true, isProse: false, isTight: false) : nil
  }

  static func bare(_ text: Span<UInt8>, _ start: Int, isSpaced: Bool, isTight: Bool) -> Extent? {
    let end = SecretEnd.ofBare(text, start)
    return start < end ? Extent(start: start, end: end, isQuoted: false, isProse: isSpaced, isTight: isTight) : nil
  }

  /// `123456789:AA…`, a bot's token of Telegram.
  private static func telegram(_ text: Span<UInt8>, _ separator: Int) -> Secret? {
    guard separator >= 8, text[separator] == UInt8(ascii: ":"), text[separator - 1] &- 48 <= 9,
      text.holds("AA", at: separator + 1)
    else { return nil }
    var start = separator
    while start > 0, separator - start < 11, text[start - 1] &- 48 <= 9 { start -= 1 }
    var end = separator + 1
    while end < text.count, ByteClass.isName(text[end]), end - separator < 48 { end += 1 }
    return separator - start >= 8 && end - separator > 32 ? Secret(range: start..<end, kind: .token) : nil
  }

  // MARK: Decisions

  static func named(_ text: Span<UInt8>, _ name: SecretName, _ extent: Extent, separator: Int) -> Secret? {
    guard var found = judged(text, name, extent, separator: separator) else { return nil }
    if found.range.upperBound - extent.start >= endBytesMax {
      var end = found.range.upperBound
      while end < text.count, text[end] > UInt8(ascii: " "), text[end] != UInt8(ascii: "\""),
        text[end] != UInt8(ascii: "'")
      { end += 1 }
      found.range = found.range.lowerBound..<end
    }
    return found
  }

  private static func judged(_ text: Span<UInt8>, _ name: SecretName, _ extent: Extent, separator: Int) -> Secret? {
    switch name.kind {
    case .authorization: return SecretHeader.authorization(text, extent)
    case .cookie: return SecretHeader.cookie(text, extent)
    default: break
    }
    let traits = ValueTraits(text, extent.start..<min(extent.end, extent.start + judgedBytesMax), extent)
    if traits.isPlaceholder || traits.isReference(text) { return nil }
    let range = extent.start..<extent.end
    if name.kind == .password || name.kind == .weak, !traits.isPath, !traits.isInflected(text),
      SecretPrompt.isPair(text, name, extent)
    {
      return Secret(range: range, kind: .password)
    }
    switch name.kind {
    case .password:
      return isPassword(text, name, extent, traits, separator)
        ? Secret(range: phrase(text, extent), kind: .password) : nil
    case .weak:
      let isChosen =
        traits.count >= 4 && !traits.isNumber && !traits.isPath && !(extent.isProse && text[extent.start] &- 48 <= 9)
        && (traits.isMixed || traits.hasSign || extent.isQuoted || !extent.isProse)
      let isSure = isChosen && isPassword(text, name, extent, traits, separator)
      return isSure
        && !(extent.isTight && !traits.isMixed && !traits.hasSign && !SecretOption.isSource(text, name.start))
        ? Secret(range: range, kind: .password) : nil
    case .key:
      let isSure =
        name.isUpper && !extent.isProse
        ? traits.count >= 4 && !traits.isNumber
        : traits.count >= 8 && (traits.isMixed || traits.count >= 20 && !traits.isSentence && !traits.isSnake(text))
          || traits.isHash
      return isSure && !traits.isPath && !traits.isSentence ? Secret(range: range, kind: .key) : nil
    case .code:
      let isCode =
        SecretRandom.isRandom(text, range, minimum: 12)
        || traits.count >= 32 && SecretShape.isCode(text, range, minimum: 32)
      return isCode && !traits.isPath ? Secret(range: range, kind: .key) : nil
    case .token:
      let isSure =
        name.isUpper && !extent.isProse
        ? traits.count >= 6 && !traits.isNumber
        : traits.count >= 8 && traits.isMixed || traits.count >= 20 && SecretRandom.changesCase(text, range)
      return isSure && !traits.isPath ? Secret(range: range, kind: .token) : nil
    case .authorization, .cookie: return nil
    }
  }

  private static func isPassword(
    _ text: Span<UInt8>, _ name: SecretName, _ extent: Extent, _ traits: ValueTraits, _ separator: Int
  ) -> Bool {
    if traits.isPath, !name.isUpper || traits.slashes > 1 { return false }
    if extent.isTight {
      // A package's architecture (passwd:amd64), a file's line, a module's hook: `pam_unix(passwd:chauthtok)`.
      if traits.isArchitecture || isFile(text, name) { return false }
      let isProgram = text.holds("passwd", at: name.start) && !traits.isMixed && !traits.hasSign
      return !isProgram
    }
    guard extent.isProse else { return true }
    // "password: wrong" is a sentence.
    if traits.isMixed || traits.hasSign { return true }
    if traits.isNumber { return traits.count >= 4 }
    return isWord(text, name, extent, traits) || SecretPhrase.end(text, extent.start) != nil
  }

  /// A plain word, at the end of the line: more likely a password than not where the line is `name: value` and no more, as in YAML.
  private static func isWord(_ text: Span<UInt8>, _ name: SecretName, _ extent: Extent, _ traits: ValueTraits) -> Bool {
    let range = extent.start..<extent.end
    guard isLast(text, extent), !traits.isInflected(text), !traits.isSnake(text), range.allSatisfy({ text[$0] < 0x80 })
    else { return false }
    let isLine = (0..<name.start).allSatisfy { text[$0] == UInt8(ascii: " ") || text[$0] == UInt8(ascii: "-") }
    let isEnglish = SecretProse.holds("password", text, name.start) || SecretProse.holds("secret", text, name.start)
    return traits.count >= (isLine && isEnglish ? 6 : 10)
  }

  /// `/etc/passwd:12:`, `secrets/db_password:…`.
  private static func isFile(_ text: Span<UInt8>, _ name: SecretName) -> Bool {
    var at = name.start
    while at > 0, ByteClass.isName(text[at - 1]) || text[at - 1] == UInt8(ascii: ".") { at -= 1 }
    return at > 0 && text[at - 1] == UInt8(ascii: "/")
  }

  private static func isLast(_ text: Span<UInt8>, _ extent: Extent) -> Bool {
    var at = extent.end
    while at < text.count, text[at] <= UInt8(ascii: " ") { at += 1 }
    return at == text.count
  }

  /// A passphrase of several words goes as a whole.
  private static func phrase(_ text: Span<UInt8>, _ extent: Extent) -> Range<Int> {
    guard extent.isProse, let end = SecretPhrase.end(text, extent.start) else { return extent.start..<extent.end }
    return extent.start..<end
  }
}
