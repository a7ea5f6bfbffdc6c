import EventLoop
import RPC
import TLS
import Testing
import Transport

extension Connections {
  @Suite struct ReloadAndDrainTests {
    @Test("certificates are reloaded under load: open calls go on, new connections see the new certificate")
    func reload() throws {
      var limits = TestBed.quickLimits
      limits.connectionsPerCertificate = 0
      let bed = try TestBed(limits)
      let old = try bed.readyClient()
      let call = old.call("/test.Echo/Stream")
      let outcome = Outcome(call)
      var serials: Set<String> = []
      for round in 0..<20 {
        call.send([UInt8](repeating: UInt8(round), count: 10_000))
        let name = round % 2 == 0 ? "server2" : "server"
        let fleet = TestFleet.shared
        bed.server.reload(try TLSContext.server(fleet.credentials(name), trust: fleet.authority))
        let new = try bed.readyClient()
        #expect(new.state == .ready)
        serials.insert(new.server?.serial ?? "")
        new.close()
      }
      call.finishSending()
      try bed.turn { outcome.status != nil }
      #expect(outcome.status == .ok)
      #expect(outcome.messages.count == 20)
      #expect(serials.count == 2)
    }

    @Test("a drain ends calls as their handlers see fit, then the connections, then it is done; nobody new gets in")
    func drain() throws {
      let bed = try TestBed()
      let client = try bed.readyClient()
      var reason: DisconnectReason?
      var wentAway = false
      client.onGoAway = { wentAway = true }
      client.onClosed = { reason = $0 }
      let outcome = Outcome(client.call("/test.Echo/Stream"))
      let server = bed.server
      try bed.turn { server.openCalls == 1 }
      var isDone = false
      server.drain(graceNs: 5_000_000_000) { isDone = true }
      try bed.turn { isDone && reason != nil }
      #expect(isDone && wentAway)
      #expect(outcome.status == RPCStatus(.unavailable, "drain"))
      #expect(reason == .goAway(errorCode: 0, text: ""))
      let late = try bed.readyClient(try TestFleet.shared.client("agent2"))
      #expect(late.state == .closed)
    }

    @Test("what does not end by itself is ended after the grace")
    func grace() throws {
      let bed = try TestBed()
      var told: RPCStatus?
      bed.server.register("/test.Slow/Wait", access: .certificate) { call in call.onClosed = { told = $0 } }
      let client = try bed.readyClient()
      let outcome = Outcome(client.call("/test.Slow/Wait"))
      let server = bed.server
      try bed.turn { server.openCalls == 1 }
      var isDone = false
      server.drain(graceNs: 100_000_000) { isDone = true }
      try bed.turn { isDone && outcome.status != nil }
      #expect(isDone)
      #expect(told?.code == .unavailable)
      #expect(outcome.status?.code == .unavailable)
    }

    @Test("a server with nothing open is drained at once")
    func empty() throws {
      let bed = try TestBed()
      var isDone = false
      bed.server.drain(graceNs: 1_000_000_000) { isDone = true }
      #expect(isDone)
    }

    @Test("a client says why it could not connect, and ends its calls")
    func refusedConnection() throws {
      let bed = try TestBed()
      bed.server.close()
      let client = try bed.client()
      var reason: DisconnectReason?
      client.onClosed = { reason = $0 }
      client.connect()
      let outcome = Outcome(client.call("/test.Echo/Stream"))
      try bed.turn { reason != nil && outcome.status != nil }
      guard case .connect(let error) = reason else {
        Issue.record("\(String(describing: reason))")
        return
      }
      #expect(error.code == 111)
      #expect(outcome.status?.code == .unavailable)
    }

    @Test("health is served, changes are told to watchers, and a drain ends them")
    func health() throws {
      let bed = try TestBed()
      let health = HealthService(overall: .serving)
      health.register(on: bed.server)
      let client = try bed.readyClient(try TestFleet.shared.client(nil))
      let check = client.call("/grpc.health.v1.Health/Check")
      let checked = Outcome(check)
      check.send([])
      check.finishSending()
      let unknown = client.call("/grpc.health.v1.Health/Check")
      let refused = Outcome(unknown)
      unknown.send([0x0a, 1, 0x78])
      unknown.finishSending()
      let watch = client.call("/grpc.health.v1.Health/Watch")
      let watched = Outcome(watch)
      watch.send([])
      watch.finishSending()
      try bed.turn { checked.status != nil && refused.status != nil && watched.messages.count == 1 }
      #expect(checked.messages == [[8, 1]])
      #expect(refused.status?.code == .notFound)
      health.set("", .notServing)
      health.set("", .notServing)
      try bed.turn { watched.messages.count == 2 }
      #expect(watched.messages == [[8, 1], [8, 2]])
      bed.server.drain(graceNs: 5_000_000_000) {}
      try bed.turn { watched.status != nil }
      #expect(watched.status?.code == .unavailable)
    }
  }
}
