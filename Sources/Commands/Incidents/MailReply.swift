internal import FleetModel

/// A person's reply to a page by mail. Pure; nothing that a mail holds makes it slow or ends it.
///
/// Source: RFC 5322 (messages), RFC 2045 and 2046 (parts and their encodings), RFC 3834 (automatic answers), RFC 3464 (reports of delivery).
enum MailReply {
  enum Action: Equatable {
    case acknowledge, resolve
    case note(String)
  }

  enum Reading: Equatable {
    /// A program wrote it: it never acts, and is never answered, or two programs would answer each other.
    case automatic(String)
    case act(token: String, Action)
    /// What its author has to do, in a sentence.
    case refused(String)
  }

  /// A reply with the page that it quotes, signatures and pictures.
  static let bytesMax = 1 << 20
  /// Of a note, as the console takes it.
  static let noteCharactersMax = 500

  private enum Limits {
    static let headers = 500
    static let depth = 4
    static let parts = 50
    static let boundaryBytes = 70
    static let lines = 1_000
    /// Base64 of `PageToken`.
    static let tokenCharacters = 48
  }

  private static let howTo = "write ack, resolve, or note and its text, in the first line of the reply"

  /// - Parameters:
  ///   - bytes: the message as the mail server has it, with line ends of either kind.
  ///   - recipient: its envelope's recipient; nil: looked for in the headers.
  static func read(_ bytes: [UInt8], recipient: String?) -> Reading {
    guard bytes.count <= bytesMax else {
      return .refused("the message has more than \(bytesMax >> 20) MiB: reply without attachments")
    }
    let message = Part(bytes)
    if let reason = automatic(message) { return .automatic(reason) }
    let addresses =
      recipient.map { [$0] } ?? ["x-original-to", "delivered-to", "to", "cc"].flatMap { message.all($0) }
    let tokens = Set(addresses.flatMap(tokens))
    guard tokens.count == 1, let token = tokens.first else {
      return .refused(
        tokens.isEmpty
          ? "the address names no page: reply to the page itself, so that its Reply-To is used"
          : "the address names several pages: reply to each by itself")
    }
    var parts = 0
    guard let text = text(of: message, depth: 0, &parts) else {
      return .refused("the message has no plain text: \(howTo)")
    }
    return action(text).map { .act(token: token, $0) } ?? .refused("that is no command: \(howTo)")
  }

  // MARK: Whether a person wrote it

  private static func automatic(_ message: Part) -> String? {
    if let word = message.first("auto-submitted").map(Self.word), word != "no" { return "Auto-Submitted: \(word)" }
    if let word = message.first("precedence").map(Self.word), ["bulk", "junk", "list", "auto_reply"].contains(word) {
      return "Precedence: \(word)"
    }
    if let path = message.first("return-path")?.lowercased() {
      let address = path.filter { !" \t<>".contains($0) }
      if address.isEmpty || address.hasPrefix("mailer-daemon") { return "Return-Path: <\(address)>" }
    }
    for name in ["x-autoreply", "x-autorespond", "x-autoresponse", "list-id", "x-failed-recipients"]
    where message.first(name) != nil {
      return name
    }
    let type = message.contentType
    return type.hasPrefix("multipart/report") || type.hasPrefix("message/delivery-status") ? type : nil
  }

  /// The first word of a header in small letters, without parameters and comments.
  private static func word(_ value: String) -> String {
    String(value.drop { " \t".contains($0) }.prefix { !" \t;(\r\n".contains($0) }).lowercased()
  }

  // MARK: Which page it answers

  /// `anything+TOKEN@…`, where the token is as long as those of this fleet: the console says whether it is one.
  private static func tokens(_ header: String) -> [String] {
    header.split(separator: "+").dropFirst().compactMap { rest in
      let token = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
      return token.utf8.count == Limits.tokenCharacters && rest.dropFirst(token.count).first == "@"
        ? String(token) : nil
    }
  }

  // MARK: What it says

  private static func action(_ text: String) -> Action? {
    let lines = text.split(omittingEmptySubsequences: true) { $0.isNewline }.prefix(Limits.lines)
    let line = lines.lazy.map { $0.drop(while: \.isWhitespace) }.first { !$0.isEmpty && $0.first != ">" }
    guard let line else { return nil }
    let words = line.split(maxSplits: 1, whereSeparator: \.isWhitespace)
    let rest = words.count > 1 ? words[1] : ""
    let verb = String(words[0].lowercased().reversed().drop { ".!:,".contains($0) }.reversed())
    switch verb {
    case "ack" where rest.allSatisfy(\.isWhitespace): return .acknowledge
    case "resolve" where rest.allSatisfy(\.isWhitespace): return .resolve
    case "note":
      let note = PlainText.line(String(rest))
      let trimmed = String(note.reversed().drop(while: \.isWhitespace).reversed())
      return trimmed.isEmpty ? nil : .note(PlainText.cut(trimmed, scalarsMax: noteCharactersMax))
    default: return nil
    }
  }

  /// The first part that is plain text.
  private static func text(of part: Part, depth: Int, _ parts: inout Int) -> String? {
    parts += 1
    guard depth <= Limits.depth, parts <= Limits.parts else { return nil }
    let type = part.contentType
    if type.hasPrefix("multipart/") {
      guard let boundary = part.parameter("boundary"), (1...Limits.boundaryBytes).contains(boundary.utf8.count) else {
        return nil
      }
      for inner in part.parts(Array(boundary.utf8), limit: Limits.parts) {
        if let text = text(of: inner, depth: depth + 1, &parts) { return text }
      }
      return nil
    }
    // RFC 2045, section 5.2: without a type it is plain text.
    guard type.isEmpty || type.hasPrefix("text/plain"), !word(part.first("content-disposition") ?? "").hasPrefix("att")
    else { return nil }
    let bytes = part.decoded
    switch (part.parameter("charset") ?? "utf-8").lowercased() {
    case "iso-8859-1", "windows-1252", "latin1":
      return String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
    default: return String(decoding: bytes, as: UTF8.self)
    }
  }

  // MARK: Parts

  private struct Part {
    /// Names in small letters; values unfolded.
    private var headers: [(name: String, value: String)] = []
    private let body: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { self.init(bytes[...]) }

    init(_ bytes: ArraySlice<UInt8>) {
      var rest = bytes
      while let line = Self.line(&rest), !line.isEmpty {
        let text = String(decoding: line, as: UTF8.self)
        if text.first == " " || text.first == "\t" {
          if let last = headers.indices.last { headers[last].value += text }
        } else if let colon = text.firstIndex(of: ":"), headers.count < Limits.headers {
          headers.append((text[..<colon].lowercased(), String(text[text.index(after: colon)...])))
        }
      }
      body = rest
    }

    /// - Returns: the next line without its end; nil at the end.
    private static func line(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
      if rest.isEmpty { return nil }
      let end = rest.firstIndex(of: 0x0a) ?? rest.endIndex
      var line = rest[..<end]
      rest = rest[min(end + 1, rest.endIndex)...]
      if line.last == 0x0d { line.removeLast() }
      return line
    }

    func all(_ name: String) -> [String] { headers.filter { $0.name == name }.map(\.value) }
    func first(_ name: String) -> String? { headers.first { $0.name == name }?.value }

    /// `text/plain`, in small letters; empty where there is none.
    var contentType: String { MailReply.word(first("content-type") ?? "") }

    /// Of the content's type.
    func parameter(_ name: String) -> String? {
      for piece in (first("content-type") ?? "").split(separator: ";").dropFirst() {
        let pair = piece.split(separator: "=", maxSplits: 1)
        guard pair.count == 2, pair[0].filter({ !$0.isWhitespace }).lowercased() == name else { continue }
        let value = pair[1].drop(while: \.isWhitespace)
        return value.first == "\""
          ? String(value.dropFirst().prefix { $0 != "\"" }) : String(value.prefix { !$0.isWhitespace })
      }
      return nil
    }

    /// The parts between lines of two hyphens and the boundary.
    func parts(_ boundary: [UInt8], limit: Int) -> [Part] {
      let start = [0x2d, 0x2d] + boundary
      var parts: [Part] = []
      var rest = body
      var from: Int?
      while parts.count < limit {
        let at = rest.startIndex
        let line = Self.line(&rest)
        if line == nil || line?.starts(with: start) == true {
          if let from { parts.append(Part(body[from..<at])) }
          if line == nil || line?.dropFirst(start.count).starts(with: [0x2d, 0x2d]) == true { break }
          from = rest.startIndex
        }
      }
      return parts
    }

    /// The content without its transfer encoding.
    var decoded: [UInt8] {
      switch MailReply.word(first("content-transfer-encoding") ?? "") {
      case "base64":
        let digits = body.filter { $0 > 0x20 }
        // What was cut in the middle of a group still has its first line.
        return Base64.standard.decode(digits) ?? Base64.standard.decode(digits.prefix(digits.count / 4 * 4)) ?? []
      case "quoted-printable": return quotedPrintable
      default: return Array(body)
      }
    }

    private var quotedPrintable: [UInt8] {
      var bytes: [UInt8] = []
      var rest = body
      while let byte = rest.popFirst() {
        guard byte == UInt8(ascii: "=") else {
          bytes.append(byte)
          continue
        }
        if rest.first == 0x0a {
          rest.removeFirst()
        } else if rest.starts(with: [0x0d, 0x0a]) {
          rest = rest.dropFirst(2)
        } else if let value = Hex.bytes(String(decoding: rest.prefix(2), as: UTF8.self).lowercased())?.first {
          bytes.append(value)
          rest = rest.dropFirst(2)
        } else {
          bytes.append(byte)
        }
      }
      return bytes
    }
  }
}
