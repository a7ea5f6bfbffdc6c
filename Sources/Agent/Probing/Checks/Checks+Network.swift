internal import EventLoop
internal import Files
internal import FleetModel
internal import TLS

/// Probes of services: each opens one connection, asks one question, and closes it.
extension Checks {
  private static let bodyBytesMax = 64 << 10

  /// The value is the status. TLS hides the question from others; whether its certificate is good is asked by a certificate probe.
  func http(_ probe: ProbeSetting) throws(CheckFailure) -> CheckAnswer {
    guard let url = CheckURL(probe.target) else { throw CheckFailure("\(probe.target) is no URL") }
    let connection = try CheckConnection.open(url.address, permissions)
    if url.isTLS { _ = try connection.startTLS(url.address.host) }
    let wantsBody = !probe.expectBody.isEmpty
    let question = HTTPQuestion(
      path: url.path, host: url.hostField, bodyBytesMax: wantsBody ? Self.bodyBytesMax : 0)
    let answer = try question.ask(connection)
    let wanted = probe.expectStatus == 0 ? 200 : probe.expectStatus
    guard answer.status == wanted else {
      return CheckAnswer(.failed, Double(answer.status), "answered \(answer.status), not \(wanted)")
    }
    if wantsBody, !Self.holds(answer.body, Array(probe.expectBody.utf8)) {
      return CheckAnswer(.failed, Double(answer.status), "the answer does not hold '\(probe.expectBody)'")
    }
    return CheckAnswer(.ok, Double(answer.status))
  }

  private static func holds(_ body: [UInt8], _ text: [UInt8]) -> Bool {
    body.indices.contains { body[$0] == text[0] && body[$0...].starts(with: text) }
  }

  func tcp(_ probe: ProbeSetting) throws(CheckFailure) -> CheckAnswer {
    _ = try connect(probe)
    return CheckAnswer()
  }

  /// PING. A server that wants a password first does answer. Source: redis.io/docs, "Redis serialization protocol".
  func redis(_ probe: ProbeSetting) throws(CheckFailure) -> CheckAnswer {
    let connection = try connect(probe)
    try connection.send(Array("PING\r\n".utf8))
    var bytes: [UInt8] = []
    while !bytes.contains(10), bytes.count < 1024 {
      let more = try connection.receive()
      if more.isEmpty { throw CheckFailure("the connection was closed without an answer") }
      bytes += more
    }
    let line = String(decoding: bytes.prefix { $0 != 13 && $0 != 10 }, as: UTF8.self)
    if line == "+PONG" { return CheckAnswer() }
    if line.hasPrefix("-NOAUTH") { return CheckAnswer(.ok, .nan, "wants a password before it answers more") }
    throw CheckFailure("answered \(line)")
  }

  /// Whether the server takes a start: as pg_isready, any answer but that it cannot connect now. That no connection is left counts as
  /// a failure, too: no other client gets one either. Source: PostgreSQL, "Message Formats"; appendix "Error Codes".
  func postgresStart(_ probe: ProbeSetting) throws(CheckFailure) -> CheckAnswer {
    let connection = try connect(probe)
    var message: [UInt8] = [0, 3, 0, 0]
    for text in ["user", "signalbox", "database", "postgres", "application_name", "signalbox-probe"] {
      message += Array(text.utf8) + [0]
    }
    message.append(0)
    try connection.send(PostgresMessage.withLength(message))
    let head = try connection.receive(5)
    guard head[0] == UInt8(ascii: "E") else {
      guard head[0] == UInt8(ascii: "R") else { throw CheckFailure("this is no PostgreSQL") }
      try? connection.send([UInt8(ascii: "X"), 0, 0, 0, 4])
      return CheckAnswer()
    }
    let error = try PostgresMessage.error(head, connection)
    switch error.code {
    case "57P03", "53300", "57P01", "57P02": throw CheckFailure(error.text)
    default: return CheckAnswer(.ok, .nan, "answers: \(error.text)")
    }
  }

  /// The value is how many seconds are left.
  func certificate(_ probe: ProbeSetting) throws(CheckFailure) -> CheckAnswer {
    let certificate: Certificate
    if probe.target.hasPrefix("/") {
      try requireReading(probe.target)
      do {
        guard let first = try Certificate.decode(pem: HostFiles.read(probe.target)).first else {
          throw CheckFailure("there is no certificate in the file")
        }
        certificate = first
      } catch let error as IdentityError {
        throw CheckFailure(error.message)
      } catch {
        throw CheckFailure("\(error)")
      }
    } else {
      let connection = try connect(probe)
      guard let shown = try connection.startTLS(SocketAddress.parse(probe.target)?.host ?? "") else {
        throw CheckFailure("the server shows no certificate")
      }
      certificate = shown
    }
    let seconds = Double(certificate.notAfterNs - Clock.wallNs()) / 1e9
    let end = Timestamp.text(certificate.notAfterNs, digits: 0)
    if seconds <= 0 { return CheckAnswer(.failed, seconds, "\(certificate.subject) expired at \(end)") }
    if certificate.notBeforeNs > Clock.wallNs() {
      return CheckAnswer(
        .failed, seconds,
        "\(certificate.subject) is not valid before \(Timestamp.text(certificate.notBeforeNs, digits: 0))")
    }
    return CheckAnswer(.ok, seconds, "\(certificate.subject) until \(end)")
  }

  private func connect(_ probe: ProbeSetting) throws(CheckFailure) -> CheckConnection {
    if !probe.socket.isEmpty {
      try requireReading(probe.socket)
      return try CheckConnection.open(socket: probe.socket)
    }
    guard let address = SocketAddress.parse(probe.target) else { throw CheckFailure("\(probe.target) is no address") }
    return try CheckConnection.open(address, permissions)
  }
}

/// The parts of a URL that a probe needs. Source: RFC 3986.
struct CheckURL {
  let isTLS: Bool
  let address: SocketAddress
  let hostField: String
  /// With its query, without its fragment.
  let path: String

  init?(_ text: String) {
    isTLS = text.hasPrefix("https://")
    guard isTLS || text.hasPrefix("http://") else { return nil }
    let rest = text.dropFirst(isTLS ? 8 : 7).prefix { $0 != "#" }
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    let tail = rest[authority.endIndex...]
    path = tail.hasPrefix("/") ? String(tail) : "/" + tail
    hostField = String(authority)
    let hasPort =
      authority.last.map { $0.isNumber } == true && authority.split(separator: "]").last?.contains(":") == true
    guard let address = SocketAddress.parse(hasPort ? String(authority) : "\(authority):\(isTLS ? 443 : 80)") else {
      return nil
    }
    self.address = address
  }
}

/// The few messages of PostgreSQL's protocol that a probe sees.
enum PostgresMessage {
  static func withLength(_ body: [UInt8]) -> [UInt8] {
    let count = UInt32(body.count + 4)
    return (0..<4).map { UInt8(truncatingIfNeeded: count >> (24 - 8 * $0)) } + body
  }

  /// - Parameter start: of an ErrorResponse; the rest is read.
  static func error(
    _ start: [UInt8], _ connection: CheckConnection
  ) throws(CheckFailure) -> (code: String, text: String) {
    let length = start[1...4].reduce(0) { $0 << 8 | Int($1) }
    guard length < 32 << 10 else { throw CheckFailure("this is no PostgreSQL") }
    var body = Array(start.dropFirst(5))
    if body.count < length - 4 { body += try connection.receive(length - 4 - body.count) }
    var (code, text) = ("", "")
    for field in body.split(separator: 0) {
      let value = String(decoding: field.dropFirst(), as: UTF8.self)
      if field.first == UInt8(ascii: "C") { code = value }
      if field.first == UInt8(ascii: "M") { text = value }
    }
    return (code, "\(text) (\(code))")
  }
}
