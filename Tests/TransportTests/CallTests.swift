import EventLoop
import HTTP2
import RPC
import TLS
import Testing
import Transport

/// All suites of real connections, one after another: they share two cores and their limits are short.
@Suite(.serialized, .timeLimit(.minutes(10))) enum Connections {}

extension Connections {
  @Suite struct CallTests {
    @Test("messages of all sizes come back whole and in order over one stream")
    func echo() throws {
      let bed = try TestBed()
      let client = try bed.readyClient()
      #expect(client.state == .ready)
      let call = client.call("/test.Echo/Stream")
      let outcome = Outcome(call)
      let sizes = [0, 1, 5, 100, 16_383, 16_384, 65_535, 70_000, 1 << 20]
      let messages = sizes.map { size in (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ size) } }
      for message in messages { call.send(message) }
      call.finishSending()
      try bed.turn { outcome.status != nil }
      #expect(outcome.status == .ok)
      #expect(outcome.messages == messages)
      #expect(bed.server.openCalls == 0)
    }

    @Test("a unary call is answered with one message and a good end")
    func unary() throws {
      let bed = try TestBed()
      let client = try bed.readyClient()
      let call = client.call("/test.Echo/Unary")
      let outcome = Outcome(call)
      call.send([1, 2, 3])
      call.finishSending()
      try bed.turn { outcome.status != nil }
      #expect(outcome.status == .ok)
      #expect(outcome.messages == [[1, 2, 3]])
    }

    @Test("a unary call without a message is refused")
    func unaryWithoutMessage() throws {
      let bed = try TestBed()
      let client = try bed.readyClient()
      let call = client.call("/test.Echo/Unary")
      let outcome = Outcome(call)
      call.finishSending()
      try bed.turn { outcome.status != nil }
      #expect(outcome.status?.code == .invalidArgument)
    }

    @Test("an unknown method is UNIMPLEMENTED and the connection stays")
    func unknownMethod() throws {
      let bed = try TestBed()
      let client = try bed.readyClient()
      let first = Outcome(client.call("/test.Echo/Nope"))
      try bed.turn { first.status != nil }
      #expect(first.status?.code == .unimplemented)
      #expect(client.state == .ready)
    }

    @Test("a deadline ends the call on both sides and tells the handler")
    func deadline() throws {
      let bed = try TestBed()
      var told: RPCStatus?
      bed.server.register("/test.Slow/Wait", access: .certificate) { call in call.onClosed = { told = $0 } }
      let client = try bed.readyClient()
      let outcome = Outcome(client.call("/test.Slow/Wait", timeoutNs: 50_000_000))
      try bed.turn { outcome.status != nil && told != nil }
      #expect(outcome.status?.code == .deadlineExceeded)
      #expect(told?.code == .deadlineExceeded || told?.code == .cancelled)
      #expect(bed.server.openCalls == 0)
    }

    @Test("a cancelled call is told to the handler")
    func cancel() throws {
      let bed = try TestBed()
      var told: RPCStatus?
      var began = false
      bed.server.register("/test.Slow/Wait", access: .certificate) { call in
        began = true
        call.onClosed = { told = $0 }
      }
      let client = try bed.readyClient()
      let call = client.call("/test.Slow/Wait")
      let outcome = Outcome(call)
      try bed.turn { began }
      call.cancel()
      try bed.turn { told != nil }
      #expect(outcome.status?.code == .cancelled)
      #expect(told?.code == .cancelled)
    }

    @Test("a message above the limit ends the call with RESOURCE_EXHAUSTED")
    func tooLarge() throws {
      var limits = TestBed.quickLimits
      limits.messageBytes = 1000
      let bed = try TestBed(limits)
      let client = try bed.readyClient()
      let call = client.call("/test.Echo/Stream")
      let outcome = Outcome(call)
      call.send([UInt8](repeating: 1, count: 1001))
      try bed.turn { outcome.status != nil }
      #expect(outcome.status?.code == .resourceExhausted)
    }

    @Test("a method that needs a certificate refuses a peer without one; an open one serves it")
    func access() throws {
      let bed = try TestBed()
      bed.server.registerUnary("/test.Open/Ask", access: .anyone) { call, _ in
        call.reply([call.peer.certificate == nil ? 1 : 2])
      }
      let client = try bed.readyClient(try TestFleet.shared.client(nil))
      #expect(client.state == .ready)
      let refused = Outcome(client.call("/test.Echo/Stream"))
      let call = client.call("/test.Open/Ask")
      let served = Outcome(call)
      call.send([])
      call.finishSending()
      try bed.turn { refused.status != nil && served.status != nil }
      #expect(refused.status?.code == .unauthenticated)
      #expect(served.messages == [[1]])
    }

    @Test("the handler sees the peer's certificate and the metadata")
    func identity() throws {
      let bed = try TestBed()
      var seen: RPCPeer?
      var metadata: [String] = []
      bed.server.registerUnary("/test.Open/Ask", access: .certificate) { call, _ in
        seen = call.peer
        metadata = call.metadata.map(\.name)
        call.reply([])
      }
      let client = try bed.readyClient()
      let call = client.call("/test.Open/Ask", metadata: [.init("x-test", "1")])
      let outcome = Outcome(call)
      call.send([])
      call.finishSending()
      try bed.turn { outcome.status != nil }
      #expect(seen?.certificate?.uris == ["signalbox://agent/6d7a3c1e-0000-4000-8000-000000000001"])
      #expect(seen?.certificate?.fingerprint.count == 32)
      #expect(seen?.address.host == "127.0.0.1")
      #expect(metadata.contains("x-test"))
    }

    @Test("it serves IPv6 as well")
    func ipv6() throws {
      let bed = try TestBed(host: "::1")
      let client = try bed.readyClient()
      #expect(client.state == .ready)
    }
  }
}
