package import EventLoop
package import HTTP2
package import TLS

/// Why a connection ended.
package enum DisconnectReason: Error, Sendable, Equatable, CustomStringConvertible {
  package enum Timer: String, Sendable {
    case connect, handshake, settings, headers, idle, keepalive, write, lifetime
  }

  /// We closed it.
  case local
  case peerClosed
  /// The name could not be resolved, or nothing listens.
  case connect(LoopError)
  /// `.tls(.refused(alert))`: the peer sent the reason for which it refuses our certificate.
  case tls(TLSError)
  case timeout(Timer)
  case protocolFailure(HTTP2Error)
  case goAway(errorCode: UInt32, text: String)

  package var description: String {
    switch self {
    case .local: "closed"
    case .peerClosed: "the peer closed the connection"
    case .connect(let error): "\(error)"
    case .tls(let error): "\(error)"
    case .timeout(let timer): "the \(timer.rawValue) timer ran out"
    case .protocolFailure(let error): "\(error)"
    case .goAway(let code, let text): "the peer went away (\(code)\(text.isEmpty ? "" : ", \(text)"))"
    }
  }
}

/// Who is at the other end of a connection.
package struct RPCPeer: Sendable {
  package let address: SocketAddress
  /// Verified; `nil` where it has shown none.
  package let certificate: TLSPeer?
}

/// What a server's connections may cost. Reasons: RELIABILITY "The exposed server".
package struct RPCServerLimits: Sendable {
  package var http2 = HTTP2Limits()
  /// Largest request message of a method that names no limit of its own.
  package var messageBytes = 4 << 20
  /// What peers without a certificate get instead of `http2`.
  package var anonymousHTTP2 = HTTP2Limits.anonymous
  /// The same, whatever the method takes from others: a join request.
  package var anonymousMessageBytes = 16 << 10
  /// Per call, of messages that the peer does not take.
  package var queuedBytesPerCall = 1 << 20
  package var connections = 20_000
  /// Connections that have shown no certificate, of each loop: about 100 kB each with what they may send.
  package var anonymousConnections = 64
  /// The same, of one address (`SocketAddress.group`), so that one machine cannot take all of them.
  package var anonymousPerAddress = 16
  /// The newest wins; the oldest is sent away. 0: no limit.
  package var connectionsPerCertificate = 2
  /// TLS handshakes under way, and those that wait for their turn.
  package var halfOpen = 256
  /// Handshakes of one address at once; more wait for their turn.
  package var halfOpenPerAddress = 4
  /// Waiting for their turn from one address; more are refused.
  package var waitingPerAddress = 128
  package var handshakeNs: Int64 = 5_000_000_000
  /// How long one may wait for its turn to shake hands.
  package var waitingNs: Int64 = 10_000_000_000
  package var settingsNs: Int64 = 5_000_000_000
  package var headersNs: Int64 = 10_000_000_000
  /// Without a whole frame.
  package var idleNs: Int64 = 120_000_000_000
  /// A whole connection without a certificate, its handshake included: a join or a health check takes a second.
  package var anonymousLifetimeNs: Int64 = 20_000_000_000
  /// No progress of a call's output: the call is reset.
  package var stalledCallNs: Int64 = 30_000_000_000
  /// No progress of the socket: the connection is closed.
  package var stalledConnectionNs: Int64 = 60_000_000_000
  package var userTimeoutMs: UInt32 = 30_000
  /// Sockets that still show a refused peer why, and for how long.
  package var lingering = 64
  package var lingerNs: Int64 = 1_000_000_000
  /// How long no connection is accepted when descriptors have run out.
  package var acceptPauseNs: Int64 = 1_000_000_000
  /// How often timers are looked at: they may be late by so much.
  package var sweepNs: Int64 = 500_000_000

  /// Calls that a peer with a certificate may have open on one connection.
  package var callsPerConnection: UInt32 {
    get { http2.concurrentStreams }
    set { http2.concurrentStreams = newValue }
  }

  package init() {}
}

/// What has happened on a server since it was made.
package struct RPCServerCounters: Sendable, Equatable {
  package var accepted: UInt64 = 0
  package var refusedFull: UInt64 = 0
  /// Connections without a certificate beyond their limits, and those that had to make room.
  package var refusedAnonymous: UInt64 = 0
  package var acceptPauses: UInt64 = 0
  package var handshakeFailures: UInt64 = 0
  package var timeouts: UInt64 = 0
  package var protocolFailures: UInt64 = 0
  package var closed: UInt64 = 0
  package var calls: UInt64 = 0
  package var callsRefused: UInt64 = 0
  package var callsReset: UInt64 = 0
  package var messagesReceived: UInt64 = 0
  package var messagesSent: UInt64 = 0
}

/// Buffers that all connections of one loop share: nothing is in them between two wakes.
final class TransportBuffers {
  /// SSL_read hands out one record, 16 KiB, at a time.
  var input = [UInt8](repeating: 0, count: 16 << 10)
  var output: [UInt8] = []
  let outputBytes: Int

  init(outputBytes: Int) {
    self.outputBytes = outputBytes
    // nghttp2 hands over a frame of up to 16 KiB and its header beyond the limit.
    output.reserveCapacity(outputBytes + (17 << 10))
  }
}
