import EventLoop
import Foundation
import RPC
import Testing
import Transport

extension Connections {
  @Suite struct LimitTests {
    private func limits(_ change: (inout RPCServerLimits) -> Void) -> RPCServerLimits {
      var limits = TestBed.quickLimits
      change(&limits)
      return limits
    }

    @Test("an address gets few handshakes at a time, some wait, the rest are refused; then the others have their turn")
    func halfOpen() throws {
      let bed = try TestBed(
        limits {
          $0.halfOpenPerAddress = 2
          $0.waitingPerAddress = 3
          $0.handshakeNs = 300_000_000
        })
      let silent = try (0..<8).map { _ in try RawPeer(bed.loop, bed.address, nil) }
      try bed.turn { bed.server.counters.accepted == 8 }
      #expect(bed.server.counters.refusedFull == 3)
      #expect(bed.server.openConnections == 5)
      try bed.turn { silent.allSatisfy(\.isClosed) }
      #expect(bed.server.openConnections == 0)
      let client = try bed.readyClient()
      #expect(client.state == .ready)
    }

    @Test("one that waits for its turn is served as soon as another's handshake has ended")
    func turn() throws {
      let bed = try TestBed(
        limits {
          $0.halfOpenPerAddress = 1
          $0.handshakeNs = 400_000_000
        })
      let silent = try RawPeer(bed.loop, bed.address, nil)
      try bed.turn { bed.server.counters.accepted == 1 }
      let client = try bed.client()
      client.connect()
      try bed.turn { bed.server.counters.accepted == 2 }
      #expect(client.state == .connecting)
      // The silent one holds the only place until its time is over.
      try bed.turn { silent.isClosed }
      try bed.turn { client.state == .ready }
      #expect(client.state == .ready)
    }

    @Test("when as many are half open as may be, the rest wait in the kernel and come later")
    func totalHalfOpen() throws {
      let bed = try TestBed(
        limits {
          $0.halfOpen = 3
          $0.connectionsPerCertificate = 0
        })
      let clients = try (0..<20).map { _ in try bed.client() }
      for client in clients { client.connect() }
      try bed.turn { clients.allSatisfy { $0.state == .ready } }
      #expect(clients.allSatisfy { $0.state == .ready })
    }

    @Test("the third connection of a certificate sends the first away")
    func perCertificate() throws {
      let bed = try TestBed()
      let first = try bed.readyClient()
      var reason: DisconnectReason?
      first.onClosed = { reason = $0 }
      let second = try bed.readyClient()
      let third = try bed.readyClient()
      try bed.turn { reason != nil }
      #expect(reason == .goAway(errorCode: 0, text: "replaced by a newer connection"))
      #expect(second.state == .ready && third.state == .ready)
    }

    @Test("connections without a certificate are few")
    func anonymous() throws {
      let bed = try TestBed(limits { $0.anonymousConnections = 2 })
      let clients = try (0..<3).map { _ in try bed.readyClient(try TestFleet.shared.client(nil)) }
      try bed.turn { bed.server.openConnections == 2 }
      #expect(clients[0].state == .ready && clients[1].state == .ready)
      #expect(bed.server.openConnections == 2)
    }

    @Test("a connection above the total is refused at once")
    func total() throws {
      let bed = try TestBed(limits { $0.connections = 1 })
      let first = try bed.readyClient()
      let second = try bed.readyClient()
      #expect(first.state == .ready && second.state == .closed)
      #expect(bed.server.counters.refusedFull == 1)
    }

    @Test("a call that queues more than its peer reads is ended, and the handler is told")
    func outQueue() throws {
      let bed = try TestBed(limits { $0.queuedBytesPerCall = 200_000 })
      var told: RPCStatus?
      var sent = 0
      bed.server.register("/test.Push/All", access: .certificate) { call in
        call.onClosed = { told = $0 }
        while call.send([UInt8](repeating: 1, count: 10_000)) { sent += 1 }
      }
      let client = try bed.readyClient()
      let outcome = Outcome(client.call("/test.Push/All"))
      try bed.turn { outcome.status != nil }
      #expect(sent == 20 || sent == 19)
      #expect(told?.code == .resourceExhausted)
    }

    @Test("a handler that consumes nothing stops its peer at the window, and consuming lets it go on")
    func backPressure() throws {
      let bed = try TestBed()
      var calls: [ServerCall] = []
      var got = 0
      bed.server.register("/test.Slow/Take", access: .certificate) { call in
        calls.append(call)
        call.onMessage = { _ in got += 1 }
      }
      let client = try bed.readyClient()
      let call = client.call("/test.Slow/Take")
      for _ in 0..<200 { call.send([UInt8](repeating: 1, count: 2043)) }
      try bed.turn(seconds: 0.3) { false }
      #expect((31...32).contains(got))
      #expect(call.queuedBytes > 300_000)
      for _ in 0..<got { calls[0].consumed(2043) }
      let first = got
      try bed.turn(seconds: 0.3) { false }
      #expect((first + 31...2 * first + 1).contains(got))
    }

    @Test("messages that are consumed together leave room for one larger than the window")
    func consumedTogether() throws {
      let bed = try TestBed()
      var calls: [ServerCall] = []
      var got: [Int] = []
      bed.server.register("/test.Slow/Take", access: .certificate) { call in
        calls.append(call)
        call.onMessage = { got.append($0.count) }
      }
      let client = try bed.readyClient()
      let call = client.call("/test.Slow/Take")
      for _ in 0..<3 { call.send([UInt8](repeating: 1, count: 1000)) }
      try bed.turn { got.count == 3 }
      calls[0].consumed(3000, messages: 3)
      call.send([UInt8](repeating: 2, count: 200_000))
      try bed.turn(seconds: 5) { got.count == 4 }
      #expect(got == [1000, 1000, 1000, 200_000])
    }

    @Test("when descriptors run out it stops accepting for a moment and then goes on")
    func descriptors() async {
      await #expect(processExitsWith: .success) {
        var limits = TestBed.quickLimits
        limits.acceptPauseNs = 100_000_000
        limits.connectionsPerCertificate = 0
        let bed = try TestBed(limits)
        let clients = try (0..<4).map { _ in try bed.client() }
        var old = rlimit()
        unsafe getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &old)
        // The clients' sockets fit, the accepted ones do not.
        let used = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
        var small = old
        small.rlim_cur = rlim_t(used + 4)
        unsafe setrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &small)
        for client in clients { client.connect() }
        try bed.turn { bed.server.counters.acceptPauses >= 2 }
        guard bed.server.counters.acceptPauses >= 2 else { exit(2) }
        unsafe setrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &old)
        try bed.turn { clients.allSatisfy { $0.state == .ready } }
        exit(clients.allSatisfy { $0.state == .ready } ? 0 : 3)
      }
    }
  }
}
