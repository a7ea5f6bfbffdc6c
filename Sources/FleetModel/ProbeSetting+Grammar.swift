/// What the words of a probe may look like.
///
/// Checked where the configuration is read and again on the host: an agent obeys a collector that was taken over no further than
/// its owner allowed, and a word that becomes part of a request, a path or a command line must not be able to become two.
extension ProbeSetting {
  /// Bytes of a unit's name; systemd.unit(5), UNIT_NAME_MAX without its NUL.
  package static let unitBytes = 255
  /// RFC 1035, 2.3.4.
  package static let hostBytes = 253

  /// - Returns: what is wrong with its words, as the end of a sentence; nil where nothing is. Lengths are the protocol's affair.
  package var mistake: String? {
    guard Self.isName(name) else { return "its name is none" }
    let words = [target, socket, service, expectBody] + arguments
    if words.contains(where: { $0.utf8.contains(0) }) { return "it holds a NUL" }
    if !socket.isEmpty, !Self.isPath(socket) { return "'\(Self.shown(socket))' is no absolute path" }
    switch kind {
    case .http: return Self.isURL(target) ? nil : "'\(Self.shown(target))' is no URL"
    case .prometheus:
      if let word = arguments.first(where: { SeriesPattern($0) == nil }) {
        return "'\(Self.shown(word))' is no pattern of series"
      }
      return Self.isURL(target) ? nil : "'\(Self.shown(target))' is no URL"
    case .tcp, .redis: return socket.isEmpty ? Self.addressMistake(target) : nil
    case .postgres:
      if !service.isEmpty { return Self.isService(service) ? nil : "'\(Self.shown(service))' is no service" }
      return socket.isEmpty ? Self.addressMistake(target) : nil
    case .certificate where !target.hasPrefix("/"): return socket.isEmpty ? Self.addressMistake(target) : nil
    case .file, .json, .backup, .queue, .certificate, .command:
      return Self.isPath(target) ? nil : "'\(Self.shown(target))' is no absolute path"
    case .container: return Self.isContainer(target) ? nil : "'\(Self.shown(target))' is no container"
    case .unit: return Self.isUnit(target) ? nil : "'\(Self.shown(target))' is no unit"
    case nil: return nil
    }
  }

  /// Letters, digits, '.', '_' and '-', not empty.
  package static func isName(_ text: String) -> Bool { !text.isEmpty && text.utf8.allSatisfy(isNameByte) }

  /// As Docker names them: `[a-zA-Z0-9][a-zA-Z0-9_.-]*`. A '/' would lead to another question of its engine.
  package static func isContainer(_ text: String) -> Bool {
    isName(text) && text.utf8.first.map { isLetterOrDigit($0) } == true
  }

  /// A section of pg_service.conf, which the host's own psql looks up.
  package static func isService(_ text: String) -> Bool { isName(text) && text.utf8.first != UInt8(ascii: "-") }

  /// systemd.unit(5): letters, digits and `:-_.\@`; never a pattern or an option.
  package static func isUnit(_ text: String) -> Bool {
    text.utf8.count <= unitBytes && text.contains(".") && text.utf8.first != UInt8(ascii: "-")
      && text.utf8.allSatisfy {
        isNameByte($0) || $0 == UInt8(ascii: "@") || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "\\")
      }
  }

  /// Absolute, without control characters, and without components that go up: where those lead depends on links.
  package static func isPath(_ text: String) -> Bool {
    text.hasPrefix("/") && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }
      && !text.utf8.split(separator: UInt8(ascii: "/")).contains { $0.elementsEqual("..".utf8) }
  }

  /// A name or a numeric address, IPv6 without its brackets. A zone (`%eth0`) is none: it is of one machine only.
  package static func isHost(_ text: some StringProtocol) -> Bool {
    !text.isEmpty && text.utf8.count <= hostBytes && text.utf8.first != UInt8(ascii: "-")
      && text.utf8.allSatisfy { isNameByte($0) || $0 == UInt8(ascii: ":") }
  }

  /// HOST:PORT, or [IPv6]:PORT.
  package static func isAddress(_ text: some StringProtocol) -> Bool {
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0 else {
      return false
    }
    return isAuthorityHost(text[..<colon])
  }

  /// RFC 3986 of http or https, printable ASCII only, so that it cannot end the line of the request; without a user, whose password
  /// every host of the profile would get.
  package static func isURL(_ text: String) -> Bool {
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }),
      let scheme = ["http://", "https://"].first(where: { text.hasPrefix($0) })
    else { return false }
    return isAuthority(text.dropFirst(scheme.count).prefix { $0 != "/" && $0 != "?" && $0 != "#" })
  }

  /// What a URL connects to: HOST or HOST:PORT, IPv6 in brackets, without a user; a port is 1 to 65535.
  package static func isAuthority(_ text: some StringProtocol) -> Bool { isAddress(text) || isAuthorityHost(text) }

  private static func isAuthorityHost(_ text: some StringProtocol) -> Bool {
    if text.first == "[", text.last == "]" { return isHost(text.dropFirst().dropLast()) }
    return isHost(text) && !text.contains(":")
  }

  private static func addressMistake(_ text: String) -> String? {
    isAddress(text) ? nil : "'\(shown(text))' is no address"
  }

  /// For a sentence: what is no printable ASCII becomes '?', so that it cannot end the line that it is shown in.
  private static func shown(_ text: String) -> String {
    let bytes = text.utf8.prefix(64).map { $0 >= 0x20 && $0 < 0x7f ? $0 : UInt8(ascii: "?") }
    return String(decoding: bytes, as: UTF8.self)
  }

  package static func isNameByte(_ byte: UInt8) -> Bool {
    isLetterOrDigit(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
  }

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: false
    }
  }
}
