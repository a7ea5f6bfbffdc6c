internal import Files

/// The one place through which every text goes before it leaves the host: log lines, events, what programs tell on the socket.
///
/// Secrets are known by the name before them (`*_TOKEN=`, `password:`, `Authorization:`, the user part of a URL) and by their
/// shape (JWT, PEM, AKIA…, ghp_…, sk-…, hf_…, high entropy behind `=` or `:`), and replaced by `[redacted:<kind>]`.
/// One is shared by all readers of a host; it counts what it removed.
package final class Redactor {
  /// Raised with every change of what is found; sent in `Hello`, so that it is known which rules a stored line went through.
  package static let version = "1"

  /// How many secrets were removed.
  package private(set) var total: UInt64 = 0

  package init() {}

  /// What was done to a text.
  package struct Outcome: Sendable, Equatable {
    package var count = 0
    /// It ends inside a PEM block: what follows belongs to that.
    package var isBlockOpen = false
  }

  /// Masks the secrets in `text[start...]` in place.
  @discardableResult
  package func redact(_ text: inout [UInt8], from start: Int) -> Outcome {
    mask(SecretFinder.find(in: text.span.extracting(start..<text.count)), in: &text, from: start)
  }

  /// Masks the secrets in `text`, and cuts it to its first `limit` bytes: between characters, and behind a secret that lies
  /// across the cut, which is masked as a whole.
  package func redact(_ text: inout [UInt8], keeping limit: Int) -> Outcome {
    let secrets = SecretFinder.find(in: text.span).filter { $0.range.lowerBound < limit }
    if text.count > limit {
      let cut = limit - UTF8Text.unfinishedSuffix(text.span, 0..<limit)
      text.removeLast(text.count - max(cut, secrets.last?.range.upperBound ?? 0))
    }
    return mask(secrets, in: &text, from: 0)
  }

  private func mask(_ secrets: [Secret], in text: inout [UInt8], from start: Int) -> Outcome {
    guard !secrets.isEmpty else { return Outcome() }
    let original = Array(text[start...])
    text.removeLast(text.count - start)
    var kept = 0
    for secret in secrets {
      text.append(contentsOf: original[kept..<secret.range.lowerBound])
      text.append(contentsOf: "[redacted:".utf8)
      text.append(contentsOf: secret.kind.rawValue.utf8)
      text.append(UInt8(ascii: "]"))
      kept = secret.range.upperBound
    }
    text.append(contentsOf: original[kept...])
    total += UInt64(secrets.count)
    return Outcome(count: secrets.count, isBlockOpen: secrets.last?.isOpen ?? false)
  }

  /// For short texts: events, socket messages.
  package func redact(_ text: String) -> String {
    var bytes = Array(text.utf8)
    return redact(&bytes, from: 0).count == 0 ? text : String(decoding: bytes, as: UTF8.self)
  }

  /// A line that lies inside a PEM block goes as a whole.
  func countBlockLine() { total += 1 }

  /// Whether `line`, which lies at `range` of the scanned bytes, may hold a secret: cheap, and never no where `redact` finds one.
  static func isSuspect(_ bytes: Span<UInt8>, _ range: Range<Int>, _ scan: LineScan) -> Bool {
    var at = range.lowerBound
    while let found = scan.first(.shape, in: at..<range.upperBound) {
      if SecretShape.mayBe(bytes, range, at: found) { return true }
      at = found + 1
    }
    at = range.lowerBound
    while let found = scan.first(.separator, in: at..<range.upperBound) {
      if SecretValue.mayFollow(bytes, range, separator: found) { return true }
      at = found + 1
    }
    return false
  }
}

/// A secret in a text.
struct Secret: Equatable {
  enum Kind: String {
    case jwt, pem, aws, google, github, gitlab, slack, openai, huggingface, pypi, url, authorization, password, key,
      token,
      entropy
  }
  var range: Range<Int>
  var kind: Kind
  /// A PEM block without an end.
  var isOpen = false
}

enum SecretFinder {
  /// All secrets in `text`, in order, none inside another.
  static func find(in text: Span<UInt8>) -> [Secret] {
    var secrets: [Secret] = []
    var at = 0
    while at < text.count {
      guard let secret = secret(text, at: at), secret.range.lowerBound >= (secrets.last?.range.upperBound ?? 0) else {
        at += 1
        continue
      }
      secrets.append(secret)
      at = secret.range.upperBound
    }
    return secrets
  }

  private static func secret(_ text: Span<UInt8>, at: Int) -> Secret? {
    switch text[at] {
    case UInt8(ascii: "="), UInt8(ascii: ":"): return SecretValue.secret(text, separator: at)
    case UInt8(ascii: "@"): return SecretShape.userInfo(text, at: at)
    case UInt8(ascii: "-"): return SecretShape.block(text, at: at) ?? SecretValue.option(text, at: at)
    case UInt8(ascii: "e"), UInt8(ascii: "A"), UInt8(ascii: "g"), UInt8(ascii: "s"), UInt8(ascii: "h"),
      UInt8(ascii: "x"),
      UInt8(ascii: "p"), UInt8(ascii: "B"):
      return SecretShape.token(text, at: at)
    default: return nil
    }
  }
}

/// Classes of bytes, by table: tested for many bytes of many lines.
enum ByteClass {
  static let digit: UInt8 = 1
  static let lower: UInt8 = 2
  static let upper: UInt8 = 4
  /// `+ / _ - =`, which base64 and its URL form use.
  static let symbol: UInt8 = 8
  static let alphanumeric: UInt8 = 7
  static let token: UInt8 = 15

  @inline(__always) static func of(_ byte: UInt8) -> UInt8 {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit
    case UInt8(ascii: "a")...UInt8(ascii: "z"): lower
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): upper
    case UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "="): symbol
    default: 0
    }
  }

  /// A letter or a digit.
  @inline(__always) static func isWord(_ byte: UInt8) -> Bool {
    isIn(0x03ff_0000_0000_0000, 0x07ff_fffe_07ff_fffe, byte)
  }

  /// A letter, a digit or a symbol.
  @inline(__always) static func isToken(_ byte: UInt8) -> Bool {
    isIn(0x23ff_a800_0000_0000, 0x07ff_fffe_87ff_fffe, byte)
  }

  /// A letter, a digit, `_` or `-`.
  @inline(__always) static func isName(_ byte: UInt8) -> Bool {
    isIn(0x03ff_2000_0000_0000, 0x07ff_fffe_87ff_fffe, byte)
  }

  /// Sets of ASCII as 128 bits: one test instead of a comparison for each range.
  @inline(__always) private static func isIn(_ low: UInt64, _ high: UInt64, _ byte: UInt8) -> Bool {
    byte < 128 && (byte < 64 ? low : high) >> UInt64(byte & 63) & 1 != 0
  }
}

extension Span<UInt8> {
  /// Whether the ASCII `text` lies at `start`.
  func holds(_ text: String, at start: Int) -> Bool {
    guard start >= 0, text.utf8.count <= count - start else { return false }
    var at = start
    for byte in text.utf8 {
      if self[at] != byte { return false }
      at += 1
    }
    return true
  }
}
