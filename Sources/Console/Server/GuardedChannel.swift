internal import HummingbirdCore
internal import HummingbirdHTTP2
internal import Logging
internal import NIOCore
internal import NIOSSL
internal import NIOTLS
internal import Synchronization

/// How many connections each address has open, so that one client cannot take all that the console accepts.
final class ConnectionLimits: Sendable {
  private let counts = Mutex<[String: Int]>([:])
  let perAddress: Int

  init(perAddress: Int) { self.perAddress = perAddress }

  func take(_ address: String) -> Bool {
    counts.withLock { counts in
      guard counts[address, default: 0] < perAddress else { return false }
      counts[address, default: 0] += 1
      return true
    }
  }

  func give(_ address: String) {
    counts.withLock { counts in
      let left = (counts[address] ?? 1) - 1
      counts[address] = left > 0 ? left : nil
    }
  }
}

/// A connection that must complete its TLS handshake soon, and of which an address may have so many.
struct GuardedChannel: ServerChildChannel {
  typealias Value = HTTP2UpgradeChannel.Value

  let inner: HTTP2UpgradeChannel
  let limits: ConnectionLimits

  private static let handshakeMax = TimeAmount.seconds(10)

  func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
    let address = channel.remoteAddress?.ipAddress ?? ""
    guard limits.take(address) else {
      channel.close(promise: nil)
      return channel.eventLoop.makeFailedFuture(ChannelError.connectTimeout(.zero))
    }
    channel.closeFuture.whenComplete { [limits] _ in limits.give(address) }
    let deadline = channel.eventLoop.scheduleTask(in: Self.handshakeMax) { channel.close(promise: nil) }
    channel.closeFuture.whenComplete { _ in deadline.cancel() }
    return inner.setup(channel: channel, logger: logger).flatMapThrowing { value in
      let pipeline = channel.pipeline.syncOperations
      try pipeline.addHandler(EndsWithItsClient(), position: .first)
      let tls = try pipeline.handler(type: NIOSSLServerHandler.self)
      try pipeline.addHandler(HandshakeWatch(deadline), position: .after(tls))
      return value
    }
  }

  @concurrent func handle(value: Value, logger: Logger) async { await inner.handle(value: value, logger: logger) }
}

/// Lifts the deadline once the handshake is complete.
private final class HandshakeWatch: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  private let deadline: Scheduled<Void>

  init(_ deadline: Scheduled<Void>) { self.deadline = deadline }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .handshakeCompleted? = event as? TLSUserEvent { deadline.cancel() }
    context.fireUserInboundEventTriggered(event)
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
