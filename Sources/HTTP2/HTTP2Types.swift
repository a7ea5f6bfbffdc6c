internal import CNGHTTP2

/// A header field; names are lower case.
package struct HeaderField: Sendable, Equatable {
  package let name: String
  package let value: String

  package init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
}

package enum HTTP2Role: Sendable { case server, client }

/// What an engine found in the bytes that it was given.
package enum HTTP2Event: Sendable, Equatable {
  /// A request's or a response's head.
  case headers(stream: Int32, fields: [HeaderField], endStream: Bool)
  case trailers(stream: Int32, fields: [HeaderField])
  /// `range` lies in the bytes given to `receive`. Their consumer calls `consumed` in time: that is the backpressure.
  case data(stream: Int32, range: Range<Int>)
  /// The peer sends nothing more on this stream. Comes after its last data or trailers.
  case end(stream: Int32)
  /// The stream is gone; 0 is a clean end.
  case closed(stream: Int32, errorCode: UInt32)
  /// The peer's SETTINGS. The first of a server's proves to a client that its certificate was accepted.
  case settings
  /// A client's queue for this stream has become empty.
  case drained(stream: Int32)
  case pong(UInt64)
  case goAway(lastStream: Int32, errorCode: UInt32, text: String)
}

package enum HTTP2Error: Error, Sendable, Equatable, CustomStringConvertible {
  /// libnghttp2's own code: the session is over.
  case library(code: Int32, doing: String)
  /// The peer sends more frames than it has credit for.
  case frameFlood
  /// The peer makes us reset streams.
  case resetFlood
  /// The peer makes us queue more than we may.
  case outboundFlood

  package var description: String {
    switch self {
    case .library(let code, let doing):
      // A static string of the library.
      unsafe "HTTP/2: \(doing): \(String(cString: nghttp2_strerror(code)))"
    case .frameFlood: "HTTP/2: too many frames"
    case .resetFlood: "HTTP/2: too many reset streams"
    case .outboundFlood: "HTTP/2: too much is waiting to be sent"
    }
  }
}

/// What one connection may cost. Defaults are a server's towards agents.
package struct HTTP2Limits: Sendable {
  /// Streams that the peer may have open at once; the library's default would be 2^32 - 1.
  package var concurrentStreams: UInt32 = 16
  package var streamWindowBytes: UInt32 = 64 << 10
  package var connectionWindowBytes: Int32 = 1 << 20
  /// One head or trailer: sum of names, values and 32 a field (RFC 9113, 6.5.2).
  package var headerListBytes = 16 << 10
  package var headerFields = 64
  /// Tokens: a frame takes one, a KiB of data gives one back, time gives `framesPerSecond`.
  package var frameBurst: Double = 10_000
  package var framesPerSecond: Double = 330
  /// Resets that we send because of the peer's errors.
  package var resetBurst: Double = 50
  package var resetsPerSecond: Double = 50.0 / 60
  /// Streams that the peer opens and resets: stopped by the library.
  package var rapidResetBurst: UInt64 = 100
  package var rapidResetsPerSecond: UInt64 = 10
  package var continuations = 8
  package var settingsEntries = 32
  /// Acknowledgements of PING and SETTINGS that wait to be sent.
  package var outboundAcknowledgements = 1_000
  /// Frames that wait to be sent, bodies not counted.
  package var outboundFrames = 2_000

  package init() {}

  /// What a server gives a peer that has shown no certificate: one call at a time with a small request.
  ///
  /// Everything such a peer can make the server keep lies within these: 4 KiB of header fields, and of the request what the
  /// method's own limit allows.
  package static var anonymous: HTTP2Limits {
    var limits = HTTP2Limits()
    limits.concurrentStreams = 1
    limits.streamWindowBytes = 16 << 10
    // HTTP/2's own: a smaller one is not in force before the peer has acknowledged it.
    limits.connectionWindowBytes = 65_535
    limits.headerListBytes = 4 << 10
    limits.headerFields = 32
    limits.frameBurst = 200
    limits.framesPerSecond = 20
    limits.outboundAcknowledgements = 32
    limits.outboundFrames = 64
    return limits
  }

  /// What a client allows the server that it has chosen and verified.
  package static var client: HTTP2Limits {
    var limits = HTTP2Limits()
    limits.frameBurst = 100_000
    limits.framesPerSecond = 20_000
    limits.concurrentStreams = 1
    return limits
  }
}

/// Tokens that come back with time.
package struct TokenBucket: Sendable {
  private let burst: Double
  private let perSecond: Double
  private var tokens: Double
  private var lastNs: Int64

  package init(burst: Double, perSecond: Double, nowNs: Int64) {
    self.burst = burst
    self.perSecond = perSecond
    tokens = burst
    lastNs = nowNs
  }

  package mutating func advance(to nowNs: Int64) {
    if nowNs <= lastNs { return }
    tokens = min(burst, tokens + Double(nowNs - lastNs) / 1e9 * perSecond)
    lastNs = nowNs
  }

  package mutating func refund(_ count: Double) { tokens = min(burst, tokens + count) }

  /// - Returns: false once the bucket is empty.
  package mutating func take(_ count: Double = 1) -> Bool {
    tokens -= count
    return tokens >= 0
  }

  package var isOverdrawn: Bool { tokens < 0 }
}
