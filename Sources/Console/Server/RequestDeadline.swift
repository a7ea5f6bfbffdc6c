internal import FleetModel
internal import HTTPTypes
internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTPTypes
internal import NIOHTTPTypesHTTP1

/// A request must be whole soon after its head: one whose body comes a byte at a time is never idle, and would hold its connection, or its
/// stream of HTTP/2, for ever. Answered with 408 where nothing else has been.
final class RequestDeadline: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart
  typealias OutboundIn = HTTPResponsePart
  typealias OutboundOut = HTTPResponsePart

  private let limits: ConnectionLimits
  private var deadline: Scheduled<Void>?
  /// Requests whose answer is not complete.
  private var open = 0
  private var isAnswering = false
  /// HTTP/2 has no field `connection`: RFC 9113, section 8.2.2.
  private var isHTTP1 = false

  init(_ limits: ConnectionLimits) { self.limits = limits }

  func handlerAdded(context: ChannelHandlerContext) {
    let pipeline = context.pipeline.syncOperations
    // A stream of HTTP/2 has none: it ends with its answer.
    guard let codec = try? pipeline.handler(type: HTTP1ToHTTPServerCodec.self) else { return }
    isHTTP1 = true
    try? pipeline.addHandler(ClosesAfterAnswer(), position: .before(codec))
  }

  func handlerRemoved(context: ChannelHandlerContext) { end() }

  func channelInactive(context: ChannelHandlerContext) {
    end()
    context.fireChannelInactive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head:
      open += 1
      end()
      deadline = context.eventLoop.assumeIsolated().scheduleTask(in: ConnectionLimits.requestMax) {
        self.giveUp(context)
      }
    case .body: break
    case .end: end()
    }
    context.fireChannelRead(data)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    switch unwrapOutboundIn(data) {
    case .head(let head): isAnswering = head.status.kind != .informational
    case .body: break
    case .end:
      isAnswering = false
      open -= 1
    }
    context.write(data, promise: promise)
  }

  private func end() {
    deadline?.cancel()
    deadline = nil
  }

  private func giveUp(_ context: ChannelHandlerContext) {
    limits.count(.request)
    guard open == 1, !isAnswering else { return context.close(promise: nil) }
    let problem = Problem(
      .requestTimeout,
      "the request was not complete within \(ConnectionLimits.requestMax.nanoseconds / 1_000_000_000) s: send it again")
    let bytes = ByteBuffer(string: problem.json.written + "\n")
    var fields: HTTPFields = [
      .contentType: "application/problem+json", .contentLength: String(bytes.readableBytes),
    ]
    if isHTTP1 { fields[.connection] = "close" }
    let written = context.eventLoop.makePromise(of: Void.self)
    written.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
    context.write(wrapOutboundOut(.head(.init(status: problem.status, headerFields: fields))), promise: nil)
    context.write(wrapOutboundOut(.body(bytes)), promise: nil)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: written)
  }
}

/// Closes a connection of HTTP/1 behind the answer to a request that says so, or is of HTTP/1.0. Source: RFC 9112, section 9.3.
///
/// The server behind it closes its own direction only, and only where the field is exactly `close`: the client would wait for the other end.
final class ClosesAfterAnswer: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias InboundOut = HTTPServerRequestPart
  typealias OutboundIn = HTTPServerResponsePart
  typealias OutboundOut = HTTPServerResponsePart

  /// Of requests whose answer is not complete, the oldest first. The channel reads no further while many of them wait.
  private var open: [(isOld: Bool, keepsAlive: Bool)] = []
  /// The last request of this connection has come: what follows it is not looked at.
  private var isLast = false
  private var isPassedOver = false
  private var isLarge = false

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard case .head(let head) = unwrapInboundIn(data) else {
      if !isPassedOver { context.fireChannelRead(data) }
      return
    }
    isPassedOver = isLast
    if isLast { return }
    // An answer whose length is not known yet has its end with the connection in HTTP/1.0.
    let isOld = head.version.major < 1 || head.version == .http1_0
    let keepsAlive = head.isKeepAlive && !isOld
    open.append((isOld, keepsAlive))
    isLast = !keepsAlive
    context.fireChannelRead(data)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if case .headerOverflow? = error as? HTTPParserError { isLarge = true }
    context.fireErrorCaught(error)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    switch unwrapOutboundIn(data) {
    case .head(var head) where head.status.code >= 200:
      if let request = open.first {
        if !request.keepsAlive { head.headers.replaceOrAdd(name: "connection", value: "close") }
        if request.isOld { head.version = .http1_0 }
      } else if isLarge {
        // The server answers every head that cannot be read with 400.
        head.status = .requestHeaderFieldsTooLarge
      }
      context.write(wrapOutboundOut(.head(head)), promise: promise)
    case .head, .body: context.write(data, promise: promise)
    case .end:
      // Without a request it is the answer to one that could not be read.
      let keepsAlive = open.isEmpty ? false : open.removeFirst().keepsAlive
      if keepsAlive { return context.write(data, promise: promise) }
      let written = promise ?? context.eventLoop.makePromise()
      written.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
      context.writeAndFlush(data, promise: written)
    }
  }
}
