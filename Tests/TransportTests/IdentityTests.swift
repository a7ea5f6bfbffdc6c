import EventLoop
import RPC
import TLS
import Testing
import Transport

extension Connections {
  @Suite struct IdentityTests {
    /// Connects with a certificate and says how that ended.
    private func outcome(_ bed: TestBed, _ context: TLSContext) throws -> DisconnectReason? {
      let client = try bed.client(context)
      var reason: DisconnectReason?
      client.onClosed = { reason = $0 }
      client.connect()
      try bed.turn { client.state == .ready || client.state == .closed }
      return reason
    }

    @Test(
      "the fleet's refusal reaches the agent as an alert of its own, every time",
      arguments: [
        (TLSAdmission.revoked, TLSAlert.revoked), (.unknown, .unknown), (.expired, .expired),
      ])
    func admission(answer: TLSAdmission, alert: TLSAlert) throws {
      let bed = try TestBed(tls: try TestFleet.shared.server { _ in answer })
      for _ in 0..<20 {
        #expect(try outcome(bed, try TestFleet.shared.client()) == .tls(.refused(alert)))
      }
      #expect(bed.server.counters.handshakeFailures == 20)
      try bed.turn { bed.server.openConnections == 0 }
    }

    @Test(
      "bad certificates are refused, each with its alert",
      arguments: [
        ("stranger", TLSAlert.unknownAuthority), ("expired", .expired), ("future", .badCertificate),
        ("wronguse", .other(43)),
      ])
    func badCertificates(name: String, alert: TLSAlert) throws {
      let bed = try TestBed()
      #expect(try outcome(bed, try TestFleet.shared.client(name)) == .tls(.refused(alert)))
    }

    @Test("an expired certificate that the fleet lets in may renew and nothing else")
    func grace() throws {
      let bed = try TestBed(tls: try TestFleet.shared.server { $0.isExpired ? .accepted : .unknown })
      bed.server.registerUnary("/test.Renew/Now", access: .certificateOrExpired) { call, _ in call.reply([1]) }
      let client = try bed.readyClient(try TestFleet.shared.client("expired"))
      #expect(client.state == .ready)
      let refused = Outcome(client.call("/test.Echo/Stream"))
      let call = client.call("/test.Renew/Now")
      let renewed = Outcome(call)
      call.send([])
      call.finishSending()
      try bed.turn { refused.status != nil && renewed.status != nil }
      #expect(refused.status?.code == .unauthenticated)
      #expect(renewed.status == .ok)
    }

    @Test("the admission is asked for certificates of the fleet only")
    func asked() throws {
      var asked: [[String]] = []
      let bed = try TestBed(
        tls: try TestFleet.shared.server {
          asked.append($0.uris)
          return .accepted
        })
      _ = try outcome(bed, try TestFleet.shared.client("stranger"))
      _ = try outcome(bed, try TestFleet.shared.client("future"))
      #expect(asked.isEmpty)
      _ = try outcome(bed, try TestFleet.shared.client())
      #expect(asked == [["signalbox://agent/6d7a3c1e-0000-4000-8000-000000000001"]])
    }

    @Test("a client takes a server by host name, address or URI, and no other")
    func serverNames() throws {
      let bed = try TestBed()
      let good: [TLSServerName] = [.host("localhost"), .host("127.0.0.1"), .uri("signalbox://collector"), .any]
      for name in good { #expect(try outcome(bed, try TestFleet.shared.client(server: name)) == nil) }
      let bad: [TLSServerName] = [.host("elsewhere"), .host("127.0.0.2"), .uri("signalbox://collector2")]
      for name in bad {
        let reason = try outcome(bed, try TestFleet.shared.client(server: name))
        guard case .tls(.certificate) = reason else {
          Issue.record("\(name): \(String(describing: reason))")
          continue
        }
      }
    }

    @Test("a client of another authority refuses the server")
    func wrongAuthority() throws {
      let bed = try TestBed()
      let other = TLSTrust.authorities(pem: TestFleet.shared.pem("other.pem"))
      guard case .tls(.certificate) = try outcome(bed, try TestFleet.shared.client(trust: other)) else {
        Issue.record("accepted")
        return
      }
    }

    @Test("a pinned authority is believed when the server sends it; another pin is not")
    func pins() throws {
      let bed = try TestBed()
      #expect(
        TestFleet.shell(
          TestFleet.shared.directory,
          "openssl x509 -in ca.pem -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary > ca.pin"
        ) == 0)
      let pin = TestFleet.shared.pem("ca.pin")
      #expect(pin.count == 32)
      let zero = [UInt8](repeating: 0, count: 32)
      #expect(try outcome(bed, try TestFleet.shared.client(nil, trust: .pins([zero, pin]), server: .any)) == nil)
      guard
        case .tls(.certificate) = try outcome(bed, try TestFleet.shared.client(nil, trust: .pins([zero]), server: .any))
      else {
        Issue.record("accepted")
        return
      }
    }

    @Test("an agent's certificate is no server's, although the fleet signed it")
    func agentAsServer() throws {
      let fleet = TestFleet.shared
      let tls = try TLSContext.server(fleet.credentials("agent"), trust: fleet.authority)
      let bed = try TestBed(tls: tls)
      guard case .tls(.certificate) = try outcome(bed, try fleet.client(server: .any)) else {
        Issue.record("accepted")
        return
      }
    }

    @Test("TLS 1.2 and clients without HTTP/2 are refused")
    func oldClients() throws {
      let bed = try TestBed()
      for option in ["-tls1_2 -alpn h2", "-tls1_3", "-tls1_3 -alpn http/1.1"] {
        var exit: Child.Exit?
        let script = "openssl s_client -connect \(bed.address) \(option) </dev/null"
        let child = try Child.spawn(
          "/bin/sh", arguments: ["sh", "-c", script], environment: ["PATH=/usr/bin:/bin"], on: bed.loop
        ) { exit = $0 }
        try withExtendedLifetime(child) { _ = try bed.turn { exit != nil } }
        // Its exit code says nothing: a TLS 1.3 client may be done with its own half, and gone, before it is refused.
        #expect(exit != nil, "\(option)")
      }
      let mine = bed.server
      try bed.turn { mine.counters.handshakeFailures == 3 }
      #expect(mine.counters.handshakeFailures == 3)
    }

    @Test("a revoked peer is cut at once, others stay")
    func disconnect() throws {
      let bed = try TestBed()
      let revoked = try bed.readyClient()
      let other = try bed.readyClient(try TestFleet.shared.client("agent2"))
      let outcome = Outcome(revoked.call("/test.Echo/Stream"))
      var reason: DisconnectReason?
      revoked.onClosed = { reason = $0 }
      let mine = bed.server
      try bed.turn { mine.openCalls == 1 }
      let expected = try #require(fingerprint(of: "agent"))
      #expect(mine.disconnect { $0.certificate?.fingerprint == expected } == 1)
      try bed.turn { reason != nil }
      #expect(reason == .goAway(errorCode: 0, text: "revoked"))
      #expect(outcome.status?.code == .unavailable)
      #expect(other.state == .ready)
    }

    private func fingerprint(of name: String) -> [UInt8]? {
      let fleet = TestFleet.shared
      let script = "openssl x509 -in \(name).leaf -outform DER | openssl dgst -sha256 -binary > \(name).sha256"
      guard TestFleet.shell(fleet.directory, script) == 0 else { return nil }
      return fleet.pem("\(name).sha256")
    }
  }
}
