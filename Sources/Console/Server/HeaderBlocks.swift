internal import FleetModel
internal import HTTPTypes
internal import NIOCore
internal import NIOHPACK
internal import NIOHTTP2

/// The head of a frame of HTTP/2. Source: RFC 9113, section 4.1.
struct FrameHead: Equatable {
  let length: Int
  let type: UInt8
  let flags: UInt8
  let stream: UInt32

  static let headers: UInt8 = 1
  static let continuation: UInt8 = 9

  var endsHeaders: Bool { flags & 0x4 != 0 }
  var isPadded: Bool { flags & 0x8 != 0 }
  var hasPriority: Bool { flags & 0x20 != 0 }

  fileprivate init(_ bytes: [UInt8]) {
    length = Int(bytes[0]) << 16 | Int(bytes[1]) << 8 | Int(bytes[2])
    (type, flags) = (bytes[3], bytes[4])
    stream = bytes[5..<9].reduce(0) { $0 << 8 | UInt32($1) } & 0x7fff_ffff
  }
}

/// Which part of a client's frames the bytes of HTTP/2 belong to.
struct FrameWalk {
  enum Piece: Equatable {
    /// Of the connection preface, or of a head that is not complete.
    case other
    case head(FrameHead)
    case payload(FrameHead)
  }

  /// Of the preface (RFC 9113, section 3.4), then of the frame.
  private var left = 24
  private var bytes: [UInt8] = []
  private var frame: FrameHead?

  /// Between two frames, or before the first byte of one.
  var isBetweenFrames: Bool { left == 0 && bytes.isEmpty }

  /// - Parameter view: what comes next, at least one byte.
  /// - Returns: how many of them belong together, and to what.
  mutating func step(_ view: ByteBufferView) -> (count: Int, piece: Piece) {
    if left > 0 {
      let count = min(left, view.count)
      left -= count
      return (count, frame.map(Piece.payload) ?? .other)
    }
    let taken = view.prefix(9 - bytes.count)
    bytes += taken
    guard bytes.count == 9 else { return (taken.count, .other) }
    let head = FrameHead(bytes)
    (frame, left, bytes) = (head, head.length, [])
    return (taken.count, .head(head))
  }
}

/// Answers a request whose header block is larger than the server takes with 431, and ends the connection behind it: the block was not
/// decoded, so the compression's state is lost. The server itself ends the connection with an error that says nothing of the size. A frame
/// that is begun must be whole soon.
final class HeaderBlocks: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let limits: ConnectionLimits
  private var walk = FrameWalk()
  private var deadline: Scheduled<Void>?
  private var isRefused = false
  /// Has the limit of the server's own decoder, and follows the state of the compression as that does; nil where a block was malformed, of
  /// which the server has a better answer.
  private var decoder: HPACKDecoder? = HPACKDecoder(allocator: ByteBufferAllocator())
  private var block = Block()

  private struct Block {
    var stream: UInt32 = 0
    /// Of its frames' payloads.
    var length = 0
    /// Of the frame that is read.
    var payload = ByteBuffer()
    /// Without padding and priorities.
    var fields = ByteBuffer()
  }

  init(_ limits: ConnectionLimits) { self.limits = limits }

  func handlerAdded(context: ChannelHandlerContext) { watch(context) }

  func handlerRemoved(context: ChannelHandlerContext) { deadline?.cancel() }

  func channelInactive(context: ChannelHandlerContext) {
    deadline?.cancel()
    context.fireChannelInactive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    while !isRefused, bytes.readableBytes > 0 {
      let (count, piece) = walk.step(bytes.readableBytesView)
      guard let part = bytes.readSlice(length: count) else { return }
      if isTooLarge(piece, part) { return refuse(context) }
      context.fireChannelRead(wrapInboundOut(part))
      watch(context)
    }
  }

  // MARK: Header blocks

  private func isTooLarge(_ piece: FrameWalk.Piece, _ part: ByteBuffer) -> Bool {
    let frame: FrameHead
    switch piece {
    case .other: return false
    case .head(let head):
      guard head.type == FrameHead.headers || head.type == FrameHead.continuation else { return false }
      if head.type == FrameHead.headers { block = Block(stream: head.stream) }
      block.length += head.length
      block.payload.clear()
      if block.length > HPACKDecoder.defaultMaxHeaderListSize { return true }
      frame = head
    case .payload(let head):
      guard head.type == FrameHead.headers || head.type == FrameHead.continuation else { return false }
      block.payload.writeImmutableBuffer(part)
      frame = head
    }
    guard block.payload.readableBytes == frame.length else { return false }
    addFields(of: frame)
    return frame.endsHeaders && isListTooLarge()
  }

  /// Source: RFC 9113, section 6.2. A frame that is shorter than its padding is for the server to refuse.
  private func addFields(of frame: FrameHead) {
    var payload = block.payload
    if frame.type == FrameHead.headers {
      let padding = frame.isPadded ? Int(payload.readInteger(as: UInt8.self) ?? 0) : 0
      if frame.hasPriority { _ = payload.readBytes(length: min(5, payload.readableBytes)) }
      payload = payload.readSlice(length: max(0, payload.readableBytes - padding)) ?? payload
    }
    block.fields.writeImmutableBuffer(payload)
  }

  private func isListTooLarge() -> Bool {
    defer { (block.payload, block.fields) = (ByteBuffer(), ByteBuffer()) }
    do {
      _ = try decoder?.decodeHeaders(from: &block.fields)
      return false
    } catch {
      decoder = nil
      return error is NIOHPACKErrors.MaxHeaderListSizeViolation
    }
  }

  /// One deadline for each frame, from its first byte, or from the handshake for the first.
  private func watch(_ context: ChannelHandlerContext) {
    guard !walk.isBetweenFrames else {
      deadline?.cancel()
      deadline = nil
      return
    }
    guard deadline == nil else { return }
    deadline = context.eventLoop.assumeIsolated().scheduleTask(in: ConnectionLimits.requestMax) {
      self.limits.count(.request)
      context.close(promise: nil)
    }
  }

  /// What the client still sends is not looked at.
  private func refuse(_ context: ChannelHandlerContext) {
    isRefused = true
    limits.count(.header)
    deadline?.cancel()
    let problem = Problem(
      .requestHeaderFieldsTooLarge,
      "the header fields of a request have at most \(HPACKDecoder.defaultMaxHeaderListSize >> 10) KiB together")
    let body = Array((problem.json.written + "\n").utf8)
    let fields = [
      (":status", String(problem.status.code)), ("content-type", "application/problem+json"),
      ("content-length", String(body.count)), ("cache-control", "no-store"), ("x-content-type-options", "nosniff"),
    ]
    let answer =
      Self.frame(type: 1, flags: 4, block.stream, fields.flatMap(Self.literal))
      + Self.frame(type: 0, flags: 1, block.stream, body)
      // NO_ERROR: what was answered is still read.
      + Self.frame(type: 7, flags: 0, 0, Self.number(block.stream) + Self.number(0) + problem.detail.utf8)
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: answer)), promise: nil)
    // Closed at once, what the client still sends would reset the connection before the answer is read.
    context.eventLoop.assumeIsolated().scheduleTask(in: ConnectionLimits.lingerMax) { context.close(promise: nil) }
  }

  private static func frame(type: UInt8, flags: UInt8, _ stream: UInt32, _ payload: [UInt8]) -> [UInt8] {
    number(UInt32(payload.count)).dropFirst() + [type, flags] + number(stream) + payload
  }

  private static func number(_ number: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * UInt32($0))) }
  }

  /// A field that changes no table of the compression; name and value are shorter than 127. Source: RFC 7541, section 6.2.2.
  private static func literal(_ name: String, _ value: String) -> [UInt8] {
    [0, UInt8(name.utf8.count)] + name.utf8 + [UInt8(value.utf8.count)] + value.utf8
  }
}

/// Ends a connection that the server has asked to end. An idle one gets GOAWAY and a PING, whose answer the server awaits without a limit.
final class GoAwayDeadline: ChannelOutboundHandler, RemovableChannelHandler {
  typealias OutboundIn = HTTP2Frame
  typealias OutboundOut = HTTP2Frame

  private var end: Scheduled<Void>?

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    if case .goAway = unwrapOutboundIn(data).payload, end == nil {
      end = context.eventLoop.assumeIsolated().scheduleTask(in: ConnectionLimits.goAwayMax) {
        context.close(promise: nil)
      }
    }
    context.write(data, promise: promise)
  }

  func handlerRemoved(context: ChannelHandlerContext) { end?.cancel() }
}
