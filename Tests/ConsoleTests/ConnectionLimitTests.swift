import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOHTTPTypes
import Testing

@testable import Console

/// How long a client has for each part of what it sends; time is the channel's own.
@Suite struct ConnectionLimitTests {
  private let limits = ConnectionLimits(perAddress: 1)

  private func count(_ limit: ConnectionLimits.Limit) -> Int? { limits.ended.first { $0.limit == limit }?.count }

  private func request() -> (EmbeddedChannel, body: HTTPRequestPart) {
    (EmbeddedChannel(handler: RequestDeadline(limits)), .body(ByteBuffer(string: "x")))
  }

  private static let head = HTTPRequestPart.head(
    HTTPRequest(method: .post, scheme: "https", authority: "console", path: "/login"))

  /// A body that comes a byte a second is answered with 408, and its connection ends.
  @Test func aRequestMustBeWholeInTime() throws {
    let (channel, body) = request()
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    try channel.writeInbound(Self.head)
    for _ in 0..<29 {
      channel.embeddedEventLoop.advanceTime(by: .seconds(1))
      try channel.writeInbound(body)
    }
    #expect(try channel.readOutbound(as: HTTPResponsePart.self) == nil)
    #expect(channel.isActive)
    channel.embeddedEventLoop.advanceTime(by: .seconds(1))
    guard case .head(let head)? = try channel.readOutbound(as: HTTPResponsePart.self) else {
      Issue.record("no answer")
      return
    }
    // As on a stream of HTTP/2, which has no codec of HTTP/1.
    #expect(head.status == .requestTimeout && head.headerFields[.connection] == nil)
    guard case .body(let text)? = try channel.readOutbound(as: HTTPResponsePart.self) else {
      Issue.record("no sentence")
      return
    }
    #expect(String(buffer: text).contains("not complete within 30 s"))
    #expect(!channel.isActive && count(.request) == 1)
  }

  /// Who has got an answer already, such as 413, gets no second one: what it still sends is not read for ever.
  @Test func anAnsweredRequestEndsWithoutASecondAnswer() throws {
    let (channel, body) = request()
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    try channel.writeInbound(Self.head)
    try channel.writeOutbound(HTTPResponsePart.head(HTTPResponse(status: .contentTooLarge)))
    try channel.writeOutbound(HTTPResponsePart.end(nil))
    try channel.writeInbound(body)
    channel.embeddedEventLoop.advanceTime(by: .seconds(31))
    let parts = try (0..<3).map { _ in try channel.readOutbound(as: HTTPResponsePart.self) }
    #expect(parts.count { $0 != nil } == 2 && !channel.isActive && count(.request) == 1, "\(parts)")
  }

  /// An answer may take as long as it wants, such as a live stream.
  @Test func aWholeRequestHasNoDeadline() throws {
    let (channel, _) = request()
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    try channel.writeInbound(Self.head)
    try channel.writeInbound(HTTPRequestPart.end(nil))
    channel.embeddedEventLoop.advanceTime(by: .hours(1))
    #expect(channel.isActive && count(.request) == 0)
    _ = try channel.finish()
  }

  /// A frame of HTTP/2 whose end does not come, and none between frames.
  @Test func aFrameMustBeWholeInTime() throws {
    let preface = ByteBuffer(string: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    let channel = EmbeddedChannel(handler: HeaderBlocks(limits))
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    // A PING, whole; a minute later the head of HEADERS, and its bytes one by one.
    try channel.writeInbound(preface)
    try channel.writeInbound(ByteBuffer(bytes: [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]))
    channel.embeddedEventLoop.advanceTime(by: .minutes(1))
    #expect(channel.isActive)
    try channel.writeInbound(ByteBuffer(bytes: [0, 1, 0, 1, 4, 0, 0, 0, 1]))
    for _ in 0..<29 {
      channel.embeddedEventLoop.advanceTime(by: .seconds(1))
      try channel.writeInbound(ByteBuffer(bytes: [0x82]))
    }
    #expect(channel.isActive && count(.request) == 0)
    channel.embeddedEventLoop.advanceTime(by: .seconds(1))
    #expect(!channel.isActive && count(.request) == 1)
  }

  /// However the bytes are cut, what the frames are is known, and every byte goes on to the server.
  @Test(arguments: [1, 2, 3, 7, 8, 9, 10, 64]) func framesAreFollowedInPieces(size: Int) throws {
    var bytes = [UInt8](repeating: 0x50, count: 24)
    // SETTINGS, HEADERS of stream 5 with padding and priority, DATA of four bytes that look like a frame, HEADERS of stream 7.
    bytes += [0, 0, 0, 4, 0, 0, 0, 0, 0]
    bytes += [0, 0, 9, 1, 0x2c, 0, 0, 0, 5, 2, 0, 0, 0, 0, 16, 0x82, 0, 0]
    bytes += [0, 0, 4, 0, 1, 0, 0, 0, 5, 0, 0, 3, 1]
    bytes += [0, 0, 1, 1, 5, 0, 0, 0, 7, 0x82]
    var (walk, heads) = (FrameWalk(), [FrameHead]())
    let channel = EmbeddedChannel(handler: HeaderBlocks(limits))
    var rest = bytes[...]
    while !rest.isEmpty {
      var piece = ByteBuffer(bytes: rest.prefix(size))
      try channel.writeInbound(piece)
      rest = rest.dropFirst(size)
      while piece.readableBytes > 0 {
        let (count, what) = walk.step(piece.readableBytesView)
        if case .head(let head) = what { heads.append(head) }
        piece.moveReaderIndex(forwardBy: count)
      }
    }
    #expect(heads.map(\.type) == [4, 1, 0, 1] && heads.map(\.stream) == [0, 5, 5, 7] && walk.isBetweenFrames)
    var passed: [UInt8] = []
    while let part = try channel.readInbound(as: ByteBuffer.self) { passed += part.readableBytesView }
    #expect(passed == bytes && count(.header) == 0)
  }

  /// A list that is small on the wire and large when it is unpacked, also by what an earlier block has put into the table.
  @Test(arguments: [100, 200]) func aPackedListIsMeasuredUnpacked(repeats: Int) throws {
    let channel = EmbeddedChannel(handler: HeaderBlocks(limits))
    try channel.writeInbound(ByteBuffer(string: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
    // A literal that the table keeps: "x" with 100 bytes, 133 in the list; then its index again and again.
    let first = [0x40, 1, 0x78, 100] + [UInt8](repeating: 0x79, count: 100)
    try channel.writeInbound(ByteBuffer(bytes: [0, 0, UInt8(first.count), 1, 5, 0, 0, 0, 1] + first))
    let second = [UInt8](repeating: 0xbe, count: repeats)
    try channel.writeInbound(ByteBuffer(bytes: [0, 0, UInt8(repeats), 1, 5, 0, 0, 0, 3] + second))
    let answer = try channel.readOutbound(as: ByteBuffer.self).map { String(buffer: $0) }
    #expect((answer?.contains("at most 16 KiB together") == true) == (repeats * 133 > 16_384))
    #expect(count(.header) == (repeats == 200 ? 1 : 0))
  }

  /// What follows a last request in the same packet is not looked at.
  @Test func nothingIsReadBehindTheLastRequest() throws {
    let channel = EmbeddedChannel(handler: ClosesAfterAnswer())
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    for (version, headers, isRead) in [
      (HTTPVersion.http1_1, HTTPHeaders(), true), (.http1_1, ["Connection": "Close"], true), (.http1_1, [:], false),
    ] {
      let head = HTTPRequestHead(version: version, method: .GET, uri: "/healthz", headers: headers)
      try channel.writeInbound(HTTPServerRequestPart.head(head))
      try channel.writeInbound(HTTPServerRequestPart.end(nil))
      let parts = try (0..<2).map { _ in try channel.readInbound(as: HTTPServerRequestPart.self) }
      #expect(parts.allSatisfy { ($0 != nil) == isRead }, "\(headers)")
    }
    for value in [nil, "close"] {
      try channel.writeOutbound(HTTPServerResponsePart.head(HTTPResponseHead(version: .http1_1, status: .ok)))
      guard case .head(let head)? = try channel.readOutbound(as: HTTPServerResponsePart.self) else {
        Issue.record("no answer")
        return
      }
      #expect(head.headers.first(name: "connection") == value && channel.isActive)
      try channel.writeOutbound(HTTPServerResponsePart.end(nil))
      _ = try channel.readOutbound(as: HTTPServerResponsePart.self)
    }
    #expect(!channel.isActive)
  }
}
