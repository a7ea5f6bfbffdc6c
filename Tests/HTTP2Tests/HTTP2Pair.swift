import HTTP2

/// Two engines and the bytes between them.
final class HTTP2Pair {
  let client: HTTP2Session
  let server: HTTP2Session
  var nowNs: Int64 = 0
  var clientEvents: [HTTP2Event] = []
  var serverEvents: [HTTP2Event] = []
  /// What the server got as data, by stream.
  var received: [Int32: [UInt8]] = [:]
  var answered: [Int32: [UInt8]] = [:]
  /// Bytes handed over at a time.
  let chunk: Int
  var consumes = true

  init(chunk: Int = .max, limits: HTTP2Limits = HTTP2Limits()) throws {
    self.chunk = chunk
    client = try HTTP2Session(role: .client, limits: .client, nowNs: 0)
    server = try HTTP2Session(role: .server, limits: limits, nowNs: 0)
  }

  /// Carries bytes both ways until both are silent.
  func exchange() throws {
    var isBusy = true
    while isBusy {
      isBusy = try carry(from: client, to: server, isServer: true)
      isBusy = try carry(from: server, to: client, isServer: false) || isBusy
    }
  }

  private func carry(from sender: HTTP2Session, to receiver: HTTP2Session, isServer: Bool) throws -> Bool {
    var bytes: [UInt8] = []
    guard try sender.output(into: &bytes, limitBytes: 128 << 10, nowNs: nowNs) else { return false }
    if isServer { clientEvents += sender.takeEvents() } else { serverEvents += sender.takeEvents() }
    var at = 0
    while at < bytes.count {
      let piece = Array(bytes[at..<min(bytes.count, at + min(chunk, bytes.count))])
      at += piece.count
      try receiver.receive(piece.span, nowNs: nowNs)
      for event in receiver.takeEvents() {
        if case .data(let stream, let range) = event {
          if isServer {
            received[stream, default: []] += piece[range]
          } else {
            answered[stream, default: []] += piece[range]
          }
          if consumes { receiver.consumed(stream, bytes: range.count) }
        } else if isServer {
          serverEvents.append(event)
        } else {
          clientEvents.append(event)
        }
      }
    }
    return true
  }

  static let request = [
    HeaderField(":method", "POST"), HeaderField(":scheme", "https"), HeaderField(":path", "/a.B/C"),
    HeaderField(":authority", "test"), HeaderField("content-type", "application/grpc"), HeaderField("te", "trailers"),
  ]
  static let response = [HeaderField(":status", "200"), HeaderField("content-type", "application/grpc")]
}
