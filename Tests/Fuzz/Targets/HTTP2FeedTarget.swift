internal import HTTP2

/// Any bytes as an HTTP/2 connection, to a server and to a client with a call under way, cut anywhere; and a real
/// conversation with some of its bytes changed.
enum HTTP2FeedTarget {
  private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0]

  static func run(_ input: [UInt8]) {
    var choices = Choices(input)
    let mode = choices.below(3)
    let piece = choices.below(200) + 1
    let bytes = Array(choices.rest)
    switch mode {
    case 0: feed(.server, preface + bytes, piece)
    case 1: feed(.client, bytes, piece)
    default: converse(&choices, piece)
    }
  }

  private static func feed(_ role: HTTP2Role, _ bytes: [UInt8], _ piece: Int) {
    guard let session = try? HTTP2Session(role: role, limits: limits(role), nowNs: 0) else { return }
    if role == .client, let stream = try? session.request(request) { session.send(stream, [1, 2, 3]) }
    give(session, bytes, piece)
  }

  private static func limits(_ role: HTTP2Role) -> HTTP2Limits { role == .client ? .client : HTTP2Limits() }

  /// Gives the bytes in pieces and answers what can be answered.
  @discardableResult private static func give(_ session: HTTP2Session, _ bytes: [UInt8], _ piece: Int) -> [UInt8] {
    var output: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: piece) {
      let part = Array(bytes[start..<min(bytes.count, start + piece)])
      let isRead = (try? session.receive(part.span, nowNs: Int64(start) * 1000)) != nil
      for event in session.takeEvents() { answer(event, session, part) }
      _ = try? session.output(into: &output, limitBytes: 1 << 20, nowNs: Int64(start) * 1000)
      if !isRead { break }
    }
    _ = session.isAlive
    _ = session.blockedStreams(forNs: 1, nowNs: 1 << 40)
    return output
  }

  private static func answer(_ event: HTTP2Event, _ session: HTTP2Session, _ part: [UInt8]) {
    switch event {
    case .data(let stream, let range):
      precondition(range.lowerBound >= 0 && range.upperBound <= part.count, "data outside of what was given")
      session.consumed(stream, bytes: range.count)
    case .headers(let stream, _, _) where session.role == .server:
      session.respond(stream, [HeaderField(":status", "200")], endStream: false)
      session.send(stream, [0, 0, 0, 0, 0])
    case .end(let stream) where session.role == .server:
      session.finish(stream, trailers: [HeaderField("grpc-status", "0")])
    case .trailers(let stream, _): session.reset(stream, errorCode: 8)
    default: break
    }
  }

  private static let request = [
    HeaderField(":method", "POST"), HeaderField(":scheme", "https"), HeaderField(":path", "/a.B/C"),
    HeaderField(":authority", "test"), HeaderField("content-type", "application/grpc"), HeaderField("te", "trailers"),
  ]

  /// Client and server talk; the choices say which bytes on the way change.
  private static func converse(_ choices: inout Choices, _ piece: Int) {
    guard let client = try? HTTP2Session(role: .client, limits: .client, nowNs: 0),
      let server = try? HTTP2Session(role: .server, limits: HTTP2Limits(), nowNs: 0),
      let stream = try? client.request(request)
    else { return }
    client.send(stream, [UInt8](repeating: 7, count: choices.below(200)))
    client.finish(stream)
    var toServer: [UInt8] = []
    for _ in 0..<4 {
      _ = try? client.output(into: &toServer, limitBytes: 1 << 20, nowNs: 0)
      let toClient = give(server, damaged(toServer, &choices), piece)
      toServer = give(client, damaged(toClient, &choices), piece)
    }
  }

  private static func damaged(_ bytes: [UInt8], _ choices: inout Choices) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<choices.below(4) where !bytes.isEmpty {
      bytes[(choices.below(256) << 8 | choices.below(256)) % bytes.count] = choices.byte()
    }
    return bytes
  }
}
