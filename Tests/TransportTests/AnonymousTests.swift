import EventLoop
import HTTP2
import RPC
import Testing

@testable import Transport

extension Connections {
  /// What a peer without a certificate can make a server keep.
  @Suite struct AnonymousTests {
    private func bed(_ change: (inout RPCServerLimits) -> Void = { _ in }) throws -> TestBed {
      var limits = TestBed.quickLimits
      change(&limits)
      let bed = try TestBed(limits)
      bed.server.registerUnary("/test.Open/Unary", access: .anyone) { call, bytes in call.reply(copy(bytes)) }
      bed.server.registerUnary("/test.Open/Small", access: .anyone, messageBytes: 100) { call, bytes in
        call.reply(copy(bytes))
      }
      return bed
    }

    @Test("a request is refused by its prefix, before its bytes are kept; a certificate may send more")
    func requestLimit() throws {
      let bed = try bed()
      let stranger = try bed.readyClient(try TestFleet.shared.client(nil))
      let host = try bed.readyClient()
      func ask(_ client: RPCClient, _ path: String, _ count: Int) throws -> RPCCode? {
        let call = client.call(path)
        let outcome = Outcome(call)
        call.send([UInt8](repeating: 1, count: count))
        call.finishSending()
        try bed.turn { outcome.status != nil }
        return outcome.status?.code
      }
      #expect(try ask(stranger, "/test.Open/Unary", 16 << 10) == .ok)
      #expect(try ask(stranger, "/test.Open/Unary", 16 << 10 + 1) == .resourceExhausted)
      #expect(try ask(host, "/test.Open/Unary", 1 << 20) == .ok)
      #expect(try ask(stranger, "/test.Open/Small", 101) == .resourceExhausted)
      #expect(try ask(host, "/test.Open/Small", 101) == .resourceExhausted)
    }

    @Test("the first bytes of a long request end its call, and a second stream is refused")
    func oneStream() throws {
      let bed = try bed()
      let peer = try RawPeer(bed.loop, bed.address, try TestFleet.shared.client(nil))
      let head = Frame.headers(1, "/test.Open/Unary")
      // A message of 4 MiB is announced; 1 KiB of it comes.
      peer.send(Frame.hello + head + Frame.data(1, [0, 0, 64, 0, 0] + [UInt8](repeating: 1, count: 1024)))
      try bed.turn { bed.server.openCalls == 0 && bed.server.counters.calls == 1 }
      #expect(bed.server.openCalls == 0)
      let other = try RawPeer(bed.loop, bed.address, try TestFleet.shared.client(nil))
      other.send(Frame.hello + Frame.settingsAcknowledgement + head)
      try bed.turn { bed.server.counters.calls == 2 }
      other.send((1...15).flatMap { Frame.headers(UInt32(2 * $0 + 1), "/test.Open/Unary") })
      try bed.turn(seconds: 0.5) { bed.server.counters.calls > 2 }
      #expect(bed.server.counters.calls == 2)
    }

    @Test("an address has its share of the places, and the newest beyond it is refused")
    func perAddress() throws {
      let bed = try bed {
        $0.anonymousPerAddress = 3
        $0.anonymousConnections = 100
      }
      let clients = try (0..<5).map { _ in try bed.readyClient(try TestFleet.shared.client(nil)) }
      try bed.turn { bed.server.openConnections == 3 }
      #expect(bed.server.openConnections == 3 && bed.server.counters.refusedAnonymous == 2)
      #expect(clients[0].state == .ready && clients[1].state == .ready && clients[2].state == .ready)
      // Hosts with a certificate are not counted.
      #expect(try bed.readyClient().state == .ready)
      clients[0].close()
      try bed.turn { bed.server.openConnections == 3 }
      #expect(try bed.readyClient(try TestFleet.shared.client(nil)).state == .ready)
    }

    @Test("where all places are taken, the address that holds most makes room for another")
    func fairShare() throws {
      let bed = try bed()
      var limits = RPCServerLimits()
      limits.anonymousPerAddress = 3
      limits.anonymousConnections = 4
      func peer(_ host: String) throws -> ServerConnection {
        let descriptor = try Socket.listen(SocketAddress(host: "127.0.0.1", port: 0))
        let socket = StreamSocket(descriptor, address: SocketAddress(host: host, port: 1))
        return ServerConnection(server: bed.server, socket: socket)
      }
      var peers = AnonymousPeers()
      let greedy = try (0..<3).map { _ in try peer("10.0.0.1") }
      for one in greedy { #expect(peers.admit(one, limits) == .stays) }
      #expect(try peers.admit(peer("10.0.0.2"), limits) == .stays)
      #expect(try peers.admit(peer("10.0.0.3"), limits) == .replaces(greedy[0]))
      peers.remove(greedy[0])
      // Both hold as few as the one that comes.
      #expect(try peers.admit(peer("10.0.0.1"), limits) == .refused)
    }
  }
}
