import HTTP2
import TestSupport
import Testing

@Suite struct HTTP2SessionTests {
  @Test(
    "a call goes through with head, bodies and trailers, however the bytes are cut",
    arguments: [1, 2, 3, 7, 1000, Int.max])
  func call(chunk: Int) throws {
    let pair = try HTTP2Pair(chunk: chunk)
    let stream = try pair.client.request(HTTP2Pair.request)
    let body = (0..<40_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    pair.client.send(stream, body)
    pair.client.finish(stream)
    try pair.exchange()
    #expect(pair.received[stream] == body)
    #expect(pair.serverEvents.contains(.headers(stream: stream, fields: HTTP2Pair.request, endStream: false)))
    #expect(pair.serverEvents.contains(.end(stream: stream)))
    pair.server.respond(stream, HTTP2Pair.response, endStream: false)
    pair.server.send(stream, [1, 2, 3])
    pair.server.finish(stream, trailers: [HeaderField("grpc-status", "0")])
    try pair.exchange()
    #expect(pair.answered[stream] == [1, 2, 3])
    #expect(pair.clientEvents.contains(.trailers(stream: stream, fields: [HeaderField("grpc-status", "0")])))
    #expect(pair.clientEvents.contains(.closed(stream: stream, errorCode: 0)))
    #expect(pair.serverEvents.contains(.closed(stream: stream, errorCode: 0)))
    #expect(pair.server.openStreams == 0 && pair.client.openStreams == 0)
  }

  @Test("the client learns that it is accepted from the server's SETTINGS")
  func settings() throws {
    let pair = try HTTP2Pair()
    try pair.exchange()
    #expect(pair.clientEvents.contains(.settings))
    #expect(pair.serverEvents.contains(.settings))
  }

  @Test("request trailers end the body and open nothing")
  func requestTrailers() throws {
    let pair = try HTTP2Pair()
    let stream = try pair.client.request(HTTP2Pair.request)
    pair.client.send(stream, [1])
    pair.client.finish(stream, trailers: [HeaderField("x-sum", "1")])
    try pair.exchange()
    let heads = pair.serverEvents.count { if case .headers = $0 { true } else { false } }
    #expect(heads == 1)
    #expect(pair.serverEvents.contains(.trailers(stream: stream, fields: [HeaderField("x-sum", "1")])))
    #expect(pair.serverEvents.count { $0 == .end(stream: stream) } == 1)
  }

  @Test("window is given back only for what was consumed: the sender stops at 64 KiB and goes on afterwards")
  func backPressure() throws {
    let pair = try HTTP2Pair()
    pair.consumes = false
    let stream = try pair.client.request(HTTP2Pair.request)
    pair.client.send(stream, [UInt8](repeating: 1, count: 200_000))
    pair.client.finish(stream)
    try pair.exchange()
    #expect(pair.received[stream]?.count == 65_535 || pair.received[stream]?.count == 65_536)
    #expect(pair.client.queuedBytes(stream) > 0)
    pair.consumes = true
    pair.server.consumed(stream, bytes: pair.received[stream]?.count ?? 0)
    try pair.exchange()
    #expect(pair.received[stream]?.count == 200_000)
    #expect(pair.client.queuedBytes == 0)
  }

  @Test("a queue that does not move is reported after its time, and not before")
  func blocked() throws {
    let pair = try HTTP2Pair()
    pair.consumes = false
    let stream = try pair.client.request(HTTP2Pair.request)
    pair.client.send(stream, [UInt8](repeating: 1, count: 200_000))
    try pair.exchange()
    #expect(pair.client.blockedStreams(forNs: 30, nowNs: 100).isEmpty)
    #expect(pair.client.blockedStreams(forNs: 30, nowNs: 129).isEmpty)
    #expect(pair.client.blockedStreams(forNs: 30, nowNs: 130) == [stream])
    pair.server.consumed(stream, bytes: 65_535)
    try pair.exchange()
    #expect(pair.client.blockedStreams(forNs: 30, nowNs: 140).isEmpty)
  }

  @Test("a server that answers early ends the stream without calling it an error")
  func earlyEnd() throws {
    let pair = try HTTP2Pair()
    let stream = try pair.client.request(HTTP2Pair.request)
    try pair.exchange()
    pair.server.respond(stream, HTTP2Pair.response + [HeaderField("grpc-status", "12")], endStream: true)
    try pair.exchange()
    #expect(pair.clientEvents.contains(.closed(stream: stream, errorCode: 0)))
    #expect(pair.server.openStreams == 0)
  }

  @Test("a drain in two steps: the first lets streams on their way in, the second names the last")
  func drain() throws {
    let pair = try HTTP2Pair()
    try pair.exchange()
    pair.server.announceShutdown()
    pair.server.ping(5)
    let stream = try pair.client.request(HTTP2Pair.request)
    try pair.exchange()
    #expect(pair.serverEvents.contains(.headers(stream: stream, fields: HTTP2Pair.request, endStream: false)))
    #expect(pair.serverEvents.contains(.pong(5)))
    #expect(pair.clientEvents.contains(.goAway(lastStream: .max, errorCode: 0, text: "")))
    pair.server.goAway()
    pair.server.respond(stream, HTTP2Pair.response, endStream: true)
    try pair.exchange()
    #expect(pair.clientEvents.contains(.goAway(lastStream: stream, errorCode: 0, text: "")))
    #expect(!pair.server.isAlive)
  }

  @Test("more header fields or bytes than allowed reset the stream, and the connection lives on")
  func headerLimits() throws {
    let pair = try HTTP2Pair()
    let many = try pair.client.request(HTTP2Pair.request + (0..<64).map { HeaderField("x-\($0)", "1") })
    let large = try pair.client.request(HTTP2Pair.request + [HeaderField("x", String(repeating: "a", count: 16_300))])
    let good = try pair.client.request(HTTP2Pair.request)
    try pair.exchange()
    #expect(pair.clientEvents.contains(.closed(stream: many, errorCode: 2)))
    #expect(pair.clientEvents.contains(.closed(stream: large, errorCode: 2)))
    #expect(pair.serverEvents.contains(.headers(stream: good, fields: HTTP2Pair.request, endStream: false)))
    #expect(!pair.serverEvents.contains { if case .headers(large, _, _) = $0 { true } else { false } })
  }

  @Test("more streams than allowed wait on the client's side")
  func concurrentStreams() throws {
    let pair = try HTTP2Pair()
    try pair.exchange()
    for _ in 0..<20 { _ = try pair.client.request(HTTP2Pair.request) }
    try pair.exchange()
    #expect(pair.server.openStreams == 16)
  }

  @Test("bytes of a stream that was reset come to nothing, and nothing is left queued")
  func reset() throws {
    let pair = try HTTP2Pair()
    let stream = try pair.client.request(HTTP2Pair.request)
    pair.consumes = false
    pair.client.send(stream, [UInt8](repeating: 1, count: 200_000))
    try pair.exchange()
    pair.client.reset(stream, errorCode: 8)
    try pair.exchange()
    #expect(pair.client.queuedBytes == 0)
    #expect(pair.serverEvents.contains(.closed(stream: stream, errorCode: 8)))
    pair.client.send(stream, [1])
    pair.client.finish(stream)
    try pair.exchange()
    #expect(pair.client.openStreams == 0)
  }

  @Test("frames that carry data pay for themselves: 12 000 in no time are no flood, as many empty ones are")
  func budget() throws {
    let pair = try HTTP2Pair()
    let stream = try pair.client.request(HTTP2Pair.request)
    try pair.exchange()
    let full = [0, 8, 0, 0, 0, 0, 0, 0, UInt8(stream)] + [UInt8](repeating: 1, count: 2048)
    for _ in 0..<12_000 {
      try pair.server.receive(full.span, nowNs: 0)
      _ = pair.server.takeEvents()
      pair.server.consumed(stream, bytes: 2048)
      var out: [UInt8] = []
      _ = try pair.server.output(into: &out, limitBytes: 1 << 16, nowNs: 0)
    }
    let empty: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, UInt8(stream)]
    #expect(throws: HTTP2Error.frameFlood) {
      for _ in 0..<12_000 { try pair.server.receive(empty.span, nowNs: 0) }
    }
  }

  @Test("a budget that time fills again lets a slow stream of empty frames through")
  func slowFrames() throws {
    let pair = try HTTP2Pair()
    let stream = try pair.client.request(HTTP2Pair.request)
    try pair.exchange()
    let empty: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, UInt8(stream)]
    for n in 0..<20_000 as Range<Int64> { try pair.server.receive(empty.span, nowNs: n * 4_000_000) }
    #expect(pair.server.framesReceived > 20_000)
  }

  @Test("garbage ends the session with an error, never with a trap", arguments: 0..<300)
  func garbage(seed: Int) throws {
    var generator = SplitMix(seed: UInt64(seed))
    let session = try HTTP2Session(role: .server, limits: HTTP2Limits(), nowNs: 0)
    var bytes = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0]
    for _ in 0..<20 {
      // A well-formed frame header with random type, flags, stream and content.
      let length = Int.random(in: 0...40, using: &generator)
      bytes += [
        0, 0, UInt8(length), UInt8.random(in: 0...11, using: &generator), UInt8.random(in: 0...255, using: &generator),
      ]
      bytes += [0, 0, 0, UInt8.random(in: 0...5, using: &generator)]
      bytes += (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }
    var at = 0
    do {
      while at < bytes.count {
        let end = min(bytes.count, at + Int.random(in: 1...100, using: &generator))
        try session.receive(Array(bytes[at..<end]).span, nowNs: 0)
        for event in session.takeEvents() {
          if case .headers(let stream, _, _) = event { session.respond(stream, HTTP2Pair.response, endStream: true) }
          if case .data(let stream, let range) = event { session.consumed(stream, bytes: range.count) }
        }
        var out: [UInt8] = []
        _ = try session.output(into: &out, limitBytes: 1 << 16, nowNs: 0)
        at = end
      }
    } catch { #expect(!error.description.isEmpty) }
  }
}

@Suite struct TokenBucketTests {
  @Test("tokens come back with time and refunds, never above the burst")
  func refill() {
    var bucket = TokenBucket(burst: 2, perSecond: 1, nowNs: 0)
    let first = bucket.take()
    let second = bucket.take()
    let third = bucket.take()
    #expect(first && second && !third)
    bucket.advance(to: 3_000_000_000)
    bucket.refund(100)
    let again = bucket.take(2)
    let over = bucket.take()
    #expect(again && !over)
    bucket.advance(to: 0)
    #expect(bucket.isOverdrawn)
  }
}
