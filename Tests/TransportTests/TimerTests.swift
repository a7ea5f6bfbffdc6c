import EventLoop
import RPC
import Testing
import Transport

extension Connections {
  @Suite struct TimerTests {
    private func limits(_ change: (inout RPCServerLimits) -> Void) -> RPCServerLimits {
      var limits = TestBed.quickLimits
      change(&limits)
      return limits
    }

    @Test("a peer that never shakes hands is closed, and so is one that sends no preface")
    func silent() throws {
      let bed = try TestBed(
        limits {
          $0.handshakeNs = 100_000_000
          $0.settingsNs = 100_000_000
        })
      let plain = try RawPeer(bed.loop, bed.address, nil)
      let secured = try RawPeer(bed.loop, bed.address, try TestFleet.shared.client())
      try bed.turn { plain.isClosed && secured.isClosed }
      #expect(plain.isClosed && secured.isClosed && secured.isSecured)
      #expect(bed.server.counters.timeouts == 2)
      #expect(bed.server.openConnections == 0)
    }

    @Test("half a block of headers is not waited for for long, although pings keep the connection busy")
    func halfHeaders() throws {
      let bed = try TestBed(limits { $0.headersNs = 100_000_000 })
      let peer = try RawPeer(bed.loop, bed.address, try TestFleet.shared.client())
      peer.send(Frame.hello + Array(Frame.headers(1).prefix(30)))
      try bed.turn { peer.isClosed }
      #expect(peer.isClosed)
      #expect(bed.server.counters.timeouts == 1)
    }

    @Test("a silent connection is closed; one that pings is kept")
    func idle() throws {
      let bed = try TestBed(limits { $0.idleNs = 300_000_000 })
      let silent = try RawPeer(bed.loop, bed.address, try TestFleet.shared.client())
      silent.send(Frame.hello + Frame.settingsAcknowledgement)
      var pinging = RPCClient.Limits()
      pinging.keepaliveNs = 50_000_000
      let client = try bed.readyClient(try TestFleet.shared.client("agent2"), limits: pinging)
      try bed.turn { silent.isClosed }
      #expect(silent.isClosed)
      try bed.turn(seconds: 0.6) { false }
      #expect(client.state == .ready)
    }

    @Test("a peer that gives no window has its call reset; its connection stays")
    func zeroWindow() throws {
      let bed = try TestBed(limits { $0.stalledCallNs = 100_000_000 })
      var told: RPCStatus?
      bed.server.register("/test.Push/All", access: .certificate) { call in
        call.onClosed = { told = $0 }
        call.send([UInt8](repeating: 1, count: 1000))
      }
      let peer = try RawPeer(bed.loop, bed.address, try TestFleet.shared.client())
      peer.send(
        Frame.preface + Frame.setting(4, 0) + Frame.settingsAcknowledgement + Frame.headers(1, "/test.Push/All"))
      try bed.turn { told != nil }
      #expect(told?.code == .deadlineExceeded)
      try bed.turn { Frame.types(peer.received).contains(3) }
      #expect(Frame.types(peer.received).contains(3))
      #expect(!peer.isClosed && bed.server.openCalls == 0)
    }

    @Test("a peer that does not read its socket is closed")
    func deadSocket() throws {
      let bed = try TestBed(
        limits {
          $0.stalledConnectionNs = 200_000_000
          $0.queuedBytesPerCall = 64 << 20
        })
      var told: RPCStatus?
      bed.server.register("/test.Push/All", access: .certificate) { call in
        call.onClosed = { told = $0 }
        call.send([UInt8](repeating: 1, count: 32 << 20))
      }
      let peer = try RawPeer(bed.loop, bed.address, try TestFleet.shared.client())
      try bed.turn { peer.isSecured }
      peer.reads = false
      peer.send(Frame.preface + Frame.setting(4, 0x7fff_ffff) + Frame.windowUpdate(0, 0x7fff_0000))
      peer.send(Frame.settingsAcknowledgement + Frame.headers(1, "/test.Push/All"))
      try bed.turn { told != nil }
      #expect(told?.code == .unavailable)
      try bed.turn { bed.server.openConnections == 0 }
      #expect(bed.server.openConnections == 0)
    }

    @Test("a client notices a server that has stopped answering")
    func keepalive() throws {
      let bed = try TestBed()
      let other = try TestBed()
      var limits = RPCClient.Limits()
      limits.keepaliveNs = 100_000_000
      limits.pingTimeoutNs = 100_000_000
      let client = RPCClient(loop: other.loop, target: bed.address, tls: try TestFleet.shared.client(), limits: limits)
      var reason: DisconnectReason?
      client.onClosed = { reason = $0 }
      client.connect()
      try bed.turn {
        (try? other.loop.turn(maximumWaitNs: 1_000_000)) == nil || client.state == .ready
      }
      #expect(client.state == .ready)
      // From here on nobody turns the server's loop.
      try other.turn { reason != nil }
      #expect(reason == .timeout(.keepalive))
    }

    @Test("a connection without a certificate has an end")
    func anonymousLifetime() throws {
      let bed = try TestBed(limits { $0.anonymousLifetimeNs = 200_000_000 })
      let client = try bed.readyClient(try TestFleet.shared.client(nil))
      #expect(client.state == .ready)
      try bed.turn { client.state == .closed }
      #expect(client.state == .closed)
    }
  }
}
