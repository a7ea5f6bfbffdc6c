internal import Files

/// A secret in a text.
struct Secret: Equatable {
  enum Kind: String {
    case jwt, pem, aws, google, github, gitlab, slack, openai, huggingface, pypi, url, webhook, authorization, cookie,
      password, key,
      token, entropy
  }
  var range: Range<Int>
  var kind: Kind
  /// A PEM block without an end.
  var isOpen = false
}

/// Finds secrets where `LineScan` hints at one: the scan says where to look, these decide, and there is no other place that does.
enum SecretFinder {
  /// The first secret that begins at `from` or behind it.
  /// - Parameters:
  ///   - line: the text that is judged; nothing around it is looked at.
  ///   - start: where it begins in what was scanned.
  static func next(_ line: Span<UInt8>, from: Int, _ scan: LineScan, start: Int) -> Secret? {
    let end = start + line.count
    var separator = scan.first(.separator, in: start + from..<end)
    var shape = scan.first(.shape, in: start + from..<end)
    while true {
      var found: Secret?
      if let here = separator, here <= shape ?? here {
        found = SecretValue.secret(line, separator: here - start)
        if found == nil, SecretPrompt.mayEnd(line, here - start) {
          found = SecretPrompt.answer(line, separator: here - start)
        }
        separator = scan.first(.separator, in: here + 1..<end)
      } else if let here = shape {
        found = shaped(line, here - start)
        shape = scan.first(.shape, in: here + 1..<end)
      } else {
        return nil
      }
      if let found, found.range.lowerBound >= from, !found.range.isEmpty { return found }
    }
  }

  /// All secrets in the text, in order, none inside another.
  static func all(_ line: Span<UInt8>, _ scan: LineScan, start: Int) -> [Secret] {
    var secrets: [Secret] = []
    var at = 0
    while at < line.count, let secret = next(line, from: at, scan, start: start) {
      secrets.append(secret)
      at = secret.range.upperBound
    }
    return secrets
  }

  private static func shaped(_ text: Span<UInt8>, _ at: Int) -> Secret? {
    switch text[at] {
    case UInt8(ascii: "@"): return SecretEnclosure.userInfo(text, at: at)
    case UInt8(ascii: "%"): return SecretValue.encoded(text, at: at)
    // U+FF1A and U+FF1D, the colon and the equals sign of Chinese and Japanese.
    case 0xef: return isWide(text, at) ? SecretValue.secret(text, separator: at, length: 3) : nil
    case UInt8(ascii: "-"):
      if let found = SecretEnclosure.block(text, at: at) ?? SecretOption.secret(text, at: at) { return found }
    case UInt8(ascii: "s"), UInt8(ascii: "S"):
      if let found = SecretProse.password(text, at: at) ?? SecretCommand.passwordTool(text, at: at) { return found }
    case UInt8(ascii: "a"), UInt8(ascii: "A"), UInt8(ascii: "q"), UInt8(ascii: "Q"):
      if let found = SecretCommand.directive(text, at: at) { return found }
    case UInt8(ascii: "b"), UInt8(ascii: "B"):
      if let found = SecretProse.identified(text, at: at) { return found }
    default: break
    }
    return SecretShape.run(text, last: at)
  }

  private static func isWide(_ text: Span<UInt8>, _ at: Int) -> Bool {
    guard at + 3 <= text.count, text[at + 1] == 0xbc else { return false }
    return text[at + 2] == 0x9a || text[at + 2] == 0x9d
  }
}
