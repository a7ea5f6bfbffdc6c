internal import Files
internal import Foundation
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL
internal import NIOTLS
internal import NIOWebSocket
internal import TLS

/// One WebSocket over TLS. Source: RFC 6455.
enum WebSocketClient {
  /// A connection: what the peer sends, in order, and what it is sent.
  struct Socket: Sendable {
    fileprivate let channel: any Channel
    /// Whole messages and control frames; ends with the connection.
    let frames: AsyncStream<WebSocketFrame>

    /// Returns when the kernel has taken it.
    /// - Throws: an error of NIO where the connection has ended.
    func write(_ opcode: WebSocketOpcode, _ data: ByteBuffer) async throws {
      try await channel.writeAndFlush(Self.frame(opcode, data)).get()
    }

    func close() {
      var code = ByteBuffer()
      code.write(webSocketErrorCode: .normalClosure)
      // A peer that takes nothing does not hold up the end.
      channel.writeAndFlush(Self.frame(.connectionClose, code), promise: nil)
      channel.close(promise: nil)
    }

    /// What a client sends is masked (RFC 6455, section 5.3).
    private static func frame(_ opcode: WebSocketOpcode, _ data: ByteBuffer) -> WebSocketFrame {
      WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: data)
    }
  }

  struct Failure: Error, CustomStringConvertible {
    /// Holds nothing that the peer has sent, and of the address at most the host: its query is a secret.
    let description: String
  }

  private enum Upgrade {
    case socket(Socket)
    case refused
  }

  private enum Limits {
    static let connect = TimeAmount.seconds(5)
    /// From the connection to the end of the HTTP upgrade, with the handshake of TLS.
    static let upgrade = TimeAmount.seconds(5)
    /// Of one message.
    static let framesMax = 64
    /// Frames that wait for their reader; a peer that sends more at once is cut off.
    static let waitingMax = 64
  }

  /// - Parameters:
  ///   - address: `wss://…`.
  ///   - authorities: PEM file of those that the server's certificate may come from, and no others; nil: the system's.
  ///   - messageBytesMax: of one message, in however many frames; more ends the connection.
  ///   - silence: of the peer, after which the connection is closed.
  /// - Throws: `Failure`.
  static func connect(
    to address: String, authorities: String?, messageBytesMax: Int, silence: Duration
  ) async throws -> Socket {
    guard let url = URL(string: address), url.scheme == "wss", let host = url.host(), !host.isEmpty, url.user() == nil
    else { throw Failure(description: "the address of the WebSocket does not begin with wss://HOST") }
    let path = url.path(percentEncoded: true)
    let query = url.query(percentEncoded: true).map { "?\($0)" } ?? ""
    var headers = HTTPHeaders()
    let name = host.contains(":") ? "[\(host)]" : host
    headers.add(name: "Host", value: url.port.map { "\(name):\($0)" } ?? name)
    headers.add(name: "User-Agent", value: "signalbox")
    let head = HTTPRequestHead(
      version: .http1_1, method: .GET, uri: (path.isEmpty ? "/" : path) + query, headers: headers)
    do {
      var tls = TLSConfiguration.makeClientConfiguration()
      if let authorities { tls.trustRoots = .file(authorities) }
      let context = try NIOSSLContext(configuration: tls)
      let upgrade: EventLoopFuture<Upgrade> = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .connectTimeout(Limits.connect)
        .connect(host: host, port: url.port ?? 443) { channel in
          channel.eventLoop.makeCompletedFuture {
            // Also ends a connection whose upgrade was answered wrongly.
            let limit = channel.eventLoop.scheduleTask(in: Limits.upgrade) { channel.close(promise: nil) }
            let handler = try NIOSSLClientHandler(context: context, serverHostname: isAddress(host) ? nil : host)
            let check = NameCheck(host, channel.eventLoop.makePromise())
            let named = check.named.futureResult
            try channel.pipeline.syncOperations.addHandlers([handler, check])
            return named.flatMap {
              channel.eventLoop.makeCompletedFuture {
                try upgrading(channel, head, messageBytesMax, TimeAmount(silence), limit)
              }.flatMap { $0 }
            }
          }
        }
      if case .socket(let socket) = try await upgrade.get() { return socket }
    } catch {
      throw Failure(description: sentence(error, host))
    }
    throw Failure(description: "\(host) refuses the WebSocket: a proxy may stand before it")
  }

  private static func upgrading(
    _ channel: any Channel, _ head: HTTPRequestHead, _ messageBytesMax: Int, _ silence: TimeAmount,
    _ limit: Scheduled<Void>
  ) throws -> EventLoopFuture<Upgrade> {
    let upgrader = NIOTypedWebSocketClientUpgrader<Upgrade>(maxFrameSize: messageBytesMax) { channel, _ in
      channel.eventLoop.makeCompletedFuture {
        limit.cancel()
        return .socket(try socket(channel, messageBytesMax, silence))
      }
    }
    var configuration = NIOUpgradableHTTPClientPipelineConfiguration(
      upgradeConfiguration: NIOTypedHTTPClientUpgradeConfiguration(
        upgradeRequestHead: head, upgraders: [upgrader],
        notUpgradingCompletionHandler: { channel in
          limit.cancel()
          return channel.close().map { .refused }.flatMapErrorThrowing { _ in .refused }
        }))
    // A server's first frames may come in one piece with its answer to the upgrade.
    configuration.leftOverBytesStrategy = .forwardBytes
    return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(configuration: configuration)
  }

  private static func socket(_ channel: any Channel, _ messageBytesMax: Int, _ silence: TimeAmount) throws -> Socket {
    let pipeline = channel.pipeline.syncOperations
    let (frames, sink) = AsyncStream.makeStream(
      of: WebSocketFrame.self, bufferingPolicy: .bufferingOldest(Limits.waitingMax))
    try pipeline.addHandler(
      NIOWebSocketFrameAggregator(
        minNonFinalFragmentSize: 1, maxAccumulatedFrameCount: Limits.framesMax,
        maxAccumulatedFrameSize: messageBytesMax))
    try pipeline.addHandlers([IdleStateHandler(readTimeout: silence), FrameReader(sink)])
    return Socket(channel: channel, frames: frames)
  }

  /// A name of a certificate is none of an address, which is checked against its own list.
  private static func isAddress(_ host: String) -> Bool {
    host.contains(":") || host.utf8.allSatisfy { $0 == UInt8(ascii: ".") || (0x30...0x39).contains($0) }
  }

  /// Errors of NIO may hold what the peer has sent, which is not repeated.
  private static func sentence(_ error: any Error, _ host: String) -> String {
    let host = host.prefix(100)
    return switch error {
    case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError, is IdentityError:
      "TLS with \(host) fails: its certificate is not its own, or of no authority that is trusted (--slack-ca)"
    case is NIOHTTPClientUpgradeError, is HTTPParserError: "\(host) does not speak the WebSocket protocol"
    case let error as ChannelError where error == .inappropriateOperationForState || error == .eof:
      "\(host) has ended the connection before the WebSocket began"
    default: "no connection to \(host): allow the console outgoing TCP to it (\(type(of: error)))"
    }
  }
}

/// Checks the server's name before anything is sent: NIOSSL also takes a certificate for the address that the name has led to, which whoever
/// can forge answers of DNS may have of a public authority.
private final class NameCheck: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  /// Succeeds where TLS has begun with a server of that name.
  let named: EventLoopPromise<Void>
  private let host: String

  init(_ host: String, _ named: EventLoopPromise<Void>) { (self.host, self.named) = (host, named) }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    context.fireUserInboundEventTriggered(event)
    guard case .handshakeCompleted = event as? TLSUserEvent else { return }
    do {
      guard let presented = try context.pipeline.syncOperations.nioSSL_peerCertificate() else {
        throw NIOSSLError.noCertificateToValidate
      }
      // That it comes from an authority that is trusted is checked by NIOSSL.
      let certificate = try Certificate(der: presented.toDERBytes())
      try CertificateChain.verify(
        [certificate], trusted: [certificate], purpose: .server(host: host), nowNs: Clock.wallNs())
      named.succeed()
    } catch {
      named.fail(error)
      context.close(promise: nil)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    named.fail(error)
    context.fireErrorCaught(error)
  }

  /// Also of a connection that was never made.
  func handlerRemoved(context: ChannelHandlerContext) { named.fail(ChannelError.eof) }
}

/// Hands frames to one reader. The connection ends where they wait for it too long, where they are wrong, and where the peer is silent.
private final class FrameReader: ChannelInboundHandler {
  typealias InboundIn = WebSocketFrame

  private let sink: AsyncStream<WebSocketFrame>.Continuation

  init(_ sink: AsyncStream<WebSocketFrame>.Continuation) { self.sink = sink }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    if case .dropped = sink.yield(unwrapInboundIn(data)) { context.close(promise: nil) }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event is IdleStateHandler.IdleStateEvent { context.close(promise: nil) }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
  func channelInactive(context: ChannelHandlerContext) { sink.finish() }
  func handlerRemoved(context: ChannelHandlerContext) { sink.finish() }
}
