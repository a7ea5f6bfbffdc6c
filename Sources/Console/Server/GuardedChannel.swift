internal import HummingbirdCore
internal import HummingbirdHTTP2
internal import Logging
internal import NIOCore
internal import NIOHTTP2
internal import NIOSSL
internal import NIOTLS
internal import Synchronization

/// What connections may take: how many each address has open, so that one client cannot take all that the console accepts, and how long a
/// client has for each part of what it sends.
final class ConnectionLimits: Sendable {
  /// For the TLS handshake, from the connection's first packet.
  static let handshakeMax = TimeAmount.seconds(10)
  /// From the first byte of a frame of HTTP/2, and from the head of a request, to its last byte.
  static let requestMax = TimeAmount.seconds(30)
  /// For a client to read the answer to what it has not yet sent whole.
  static let lingerMax = TimeAmount.seconds(1)
  /// For a client of HTTP/2 to leave after it was asked to; longer than answers that are under way have at the console's end.
  static let goAwayMax = TimeAmount.seconds(10)

  /// What was ended by which limit.
  enum Limit: String, CaseIterable { case connections, handshake, request, header }

  private struct State {
    var open: [String: Int] = [:]
    var ended: [Limit: Int] = [:]
  }

  private let state = Mutex(State())
  let perAddress: Int

  init(perAddress: Int) { self.perAddress = perAddress }

  func take(_ address: String) -> Bool {
    state.withLock { state in
      guard state.open[address, default: 0] < perAddress else {
        state.ended[.connections, default: 0] += 1
        return false
      }
      state.open[address, default: 0] += 1
      return true
    }
  }

  func give(_ address: String) {
    state.withLock { state in
      let left = (state.open[address] ?? 1) - 1
      state.open[address] = left > 0 ? left : nil
    }
  }

  func count(_ limit: Limit) { state.withLock { $0.ended[limit, default: 0] += 1 } }

  /// Of all limits, since the start.
  var ended: [(limit: Limit, count: Int)] {
    state.withLock { state in Limit.allCases.map { ($0, state.ended[$0] ?? 0) } }
  }
}

/// A connection that must complete its TLS handshake soon, and of which an address may have so many.
struct GuardedChannel: ServerChildChannel {
  typealias Value = HTTP2UpgradeChannel.Value

  let inner: HTTP2UpgradeChannel
  let limits: ConnectionLimits

  func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
    let address = channel.remoteAddress?.ipAddress ?? ""
    guard limits.take(address) else {
      channel.close(promise: nil)
      return channel.eventLoop.makeFailedFuture(ChannelError.connectTimeout(.zero))
    }
    channel.closeFuture.whenComplete { [limits] _ in limits.give(address) }
    let deadline = channel.eventLoop.scheduleTask(in: ConnectionLimits.handshakeMax) { [limits] in
      limits.count(.handshake)
      channel.close(promise: nil)
    }
    channel.closeFuture.whenComplete { _ in deadline.cancel() }
    return inner.setup(channel: channel, logger: logger).flatMapThrowing { value in
      let pipeline = channel.pipeline.syncOperations
      try pipeline.addHandler(EndsWithItsClient(), position: .first)
      let tls = try pipeline.handler(type: NIOSSLServerHandler.self)
      try pipeline.addHandler(HandshakeWatch(deadline, limits), position: .after(tls))
      return value
    }
  }

  @concurrent func handle(value: Value, logger: Logger) async { await inner.handle(value: value, logger: logger) }
}

/// Lifts the deadline once the handshake is complete, and watches what HTTP/2 then brings.
private final class HandshakeWatch: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  private let deadline: Scheduled<Void>
  private let limits: ConnectionLimits

  init(_ deadline: Scheduled<Void>, _ limits: ConnectionLimits) {
    self.deadline = deadline
    self.limits = limits
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard case .handshakeCompleted(let version)? = event as? TLSUserEvent else {
      return context.fireUserInboundEventTriggered(event)
    }
    deadline.cancel()
    guard version == "h2" else { return context.fireUserInboundEventTriggered(event) }
    let pipeline = context.pipeline.syncOperations
    try? pipeline.addHandler(HeaderBlocks(limits), position: .after(self))
    // This makes the handlers of HTTP/2.
    context.fireUserInboundEventTriggered(event)
    guard let frames = try? pipeline.handler(type: NIOHTTP2Handler.self) else { return }
    try? pipeline.addHandler(GoAwayDeadline(), position: .after(frames))
  }
}

/// A client that has closed its side waits for no answer: what works for it is to end.
private final class EndsWithItsClient: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .inputClosed? = event as? ChannelEvent { return context.close(promise: nil) }
    context.fireUserInboundEventTriggered(event)
  }
}
