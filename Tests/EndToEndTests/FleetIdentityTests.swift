import Files
import Foundation
import TLS
import Testing

extension EndToEndTests {
  /// Hosts, names and authorities, with the real programs.
  @Suite(.timeLimit(.minutes(10))) struct FleetIdentity {
    private func token(_ fleet: TestFleet, _ words: String...) throws -> String {
      let result = try Program.run(
        "signalbox", ["hosts", "invite"] + words, environment: ["SIGNALBOX_DATABASE_URL": fleet.databaseURL])
      guard result.code == 0 else { throw HarnessError("invite failed: \(result.errors)") }
      return result.output.trimmingCharacters(in: .newlines)
    }

    /// The state directory is copied with key, spool and machine id, as a cloned disk image is.
    @Test func twoMachinesWithOneIdentityTakeTurnsAreToldAndNoneStaysMute() throws {
      let fleet = try TestFleet("clone")
      defer { fleet.tearDown() }
      try fleet.startCollector()
      try fleet.join("twin")
      try fleet.startAgent()
      try fleet.eventually("a live host") { try fleet.value("select count(*) from host_samples") > 0 }
      #expect(fleet.stopAgent() == 0)
      let copy = fleet.directory + "/clone"
      try FileManager.default.copyItem(atPath: fleet.agentState, toPath: copy)
      try fleet.restartAgent()
      let clone = try Program(
        "signalbox-agent", ["run", "--state-dir", copy], errorPath: fleet.directory + "/clone.err")
      defer { clone.stop() }
      try fleet.eventually("an incident", within: 240) {
        try fleet.value("select count(*) from incidents where rule = 'AGT-05'") == 1
      }
      #expect(try fleet.value("select count(*) from signalbox.audit_log where action = 'identity.contested'") == 1)
      let notes = "select count(*) from events where subject = 'identity' and message like 'two live machines%'"
      #expect(try fleet.value(notes) > 0)
      try fleet.eventually("both have logged it", within: 240) {
        [fleet.agent?.errors, clone.errors].allSatisfy { $0?.contains("another connection of this identity") == true }
      }
      clone.kill()
      // The one that is left connects again by itself, and goes on.
      let before = try fleet.value("select count(*) from host_samples")
      try fleet.eventually("samples of the one that is left", within: 240) {
        try fleet.value("select count(*) from host_samples") > before + 5
      }
    }

    @Test func aRevokedHostThatIsInvitedAnewIsTheSameHostAndStoresNothingTwice() throws {
      let fleet = try TestFleet("again")
      defer { fleet.tearDown() }
      try fleet.startCollector()
      try fleet.join("trainer")
      try fleet.startAgent()
      try fleet.write("a.log", Array((1...200).map { "ERROR line \($0)\n" }.joined().utf8))
      try fleet.eventually("all lines") { try fleet.value("select count(*) from log_lines") == 200 }
      #expect(try fleet.signalbox("hosts", "revoke", "trainer").code == 0)
      try fleet.eventually("the agent has logged it") { fleet.agent?.errors.contains("has been revoked") == true }
      #expect(fleet.stopAgent() == 0)
      let incidents = try fleet.value("select count(*) from incidents")
      try fleet.join("trainer")
      try fleet.restartAgent()
      try fleet.write("a.log", Array("ERROR line 201\n".utf8))
      try fleet.eventually("the new line") {
        try fleet.value("select count(*) from log_lines where message like '%line 201'") == 1
      }
      #expect(try fleet.value("select count(*) from log_lines") == 201)
      #expect(try fleet.value("select count(*) from hosts") == 1)
      #expect(try fleet.value("select count(*) from incidents") == incidents)
      let actions =
        "select count(*) from signalbox.audit_log where action in ('hosts.invite', 'hosts.join', 'hosts.certificate', 'hosts.revoke')"
      #expect(try fleet.value(actions) == 7)
    }

    @Test func aNameInTheFleetIsNotTakenOverInSilenceAndAJoinMayBeRepeated() throws {
      let fleet = try TestFleet("names")
      defer { fleet.tearDown() }
      try fleet.startCollector()
      let text = try token(fleet, "one", "--label", "role=trainer")
      for _ in 0..<2 {
        let joined = try Program.run(
          "signalbox-agent", ["join", "--state-dir", fleet.agentState], environment: ["SIGNALBOX_JOIN_TOKEN": text])
        #expect(joined.code == 0, "\(joined.errors)")
      }
      let refused = try fleet.signalbox("hosts", "invite", "one")
      #expect(refused.code == 1 && refused.errors.contains("--replace"), "\(refused.errors)")
      let file = fleet.directory + "/token"
      try HostFiles.replace(file, with: Array(try token(fleet, "one", "--replace").utf8))
      let replaced = try Program.run(
        "signalbox-agent", ["join", "--token-file", file, "--state-dir", fleet.directory + "/other"])
      #expect(replaced.code == 0, "\(replaced.errors)")
      // Labels come with the invitation, and a change reaches a stream that is open.
      try fleet.startAgent()
      try fleet.eventually("a live host") { try fleet.value("select count(*) from host_samples") > 0 }
      #expect(try fleet.signalbox("hosts", "label", "one", "rack=a", "role-").output.hasSuffix("the labels rack=a\n"))
      #expect(try fleet.signalbox("hosts", "rename", "one", "two").code == 0)
      try fleet.eventually("a new stream") { try fleet.value("select max(epoch) from hosts where host = 'two'") > 1 }
      #expect(try fleet.value("select count(*) from hosts where labels = '{\"rack\": \"a\"}'") == 1)
      // An open invitation is listed and withdrawn.
      let open = try token(fleet, "later")
      let id = try #require(try fleet.json("hosts", "invitations").first?["id"] as? String)
      #expect(try fleet.signalbox("hosts", "uninvite", id).code == 0)
      #expect(try fleet.signalbox("hosts", "uninvite", id).code == 3)
      let late = try Program.run("signalbox-agent", ["join", open, "--state-dir", fleet.directory + "/late"])
      #expect(late.code == 1, "\(late.errors)")
      #expect(try fleet.signalbox("hosts", "remove", "two").code == 0)
      #expect(try fleet.json("hosts", "list").isEmpty)
    }

    /// Each in its own log, with what to do.
    @Test func anAgentOfAnotherFleetIsNamedOnBothSides() throws {
      let fleet = try TestFleet("mine")
      defer { fleet.tearDown() }
      try fleet.startCollector()
      try fleet.join("one")
      let foreign = try token(fleet, "two")
      #expect(fleet.stopCollector() == 0)
      // At the same address a collector with another authority.
      let other = try TestFleet("theirs")
      defer { other.tearDown() }
      other.port = fleet.port
      try other.startCollector()
      try fleet.startAgent()
      try fleet.eventually("the agent's sentence") {
        fleet.agent?.errors.contains("of another fleet than this host: invite the host") == true
      }
      try fleet.eventually("the collector's sentence") {
        other.collector?.errors.contains("an agent there does not trust this collector: it is of another fleet") == true
      }
      #expect(other.collector?.errors.contains("\"address\":\"127.0.0.1\"") == true)
      let join = try Program.run("signalbox-agent", ["join", foreign, "--state-dir", fleet.directory + "/two"])
      #expect(join.code == 4 && join.errors.contains("of another fleet than the token: ask for a token"), "\(join)")
      // And the other way round: an agent that trusts this collector, with a certificate that it does not know.
      try other.join("three", state: other.agentState)
      try other.execute("delete from signalbox.certificates")
      try other.startAgent()
      try other.eventually("what the agent says of a certificate that is not known") {
        other.agent?.errors.contains("does not know this certificate; join again") == true
      }
      try other.eventually("what the collector says of it") {
        other.collector?.errors.contains("a certificate that the database does not know") == true
      }
    }

    @Test func aStateDirectoryIsForOneProcess() throws {
      let fleet = try TestFleet("lock")
      defer { fleet.tearDown() }
      try fleet.startCollector()
      try fleet.join()
      try fleet.startAgent()
      try fleet.eventually("a running agent") { fleet.agent?.errors.contains("connected") == true }
      let agent = try Program.run("signalbox-agent", ["run", "--state-dir", fleet.agentState])
      #expect(agent.code == 1 && agent.errors.contains("another signalbox-agent (process "), "\(agent.errors)")
      let collector = try Program.run(
        "signalbox-collector", ["--state-dir", fleet.collectorState, "--listen", "127.0.0.1:0"])
      #expect(
        collector.code == 1 && collector.errors.contains("another signalbox-collector (process "), "\(collector.errors)"
      )
    }

    @Test func aLostAuthorityIsNotReplacedInSilenceAndComesBackFromItsExport() throws {
      let fleet = try TestFleet("authority")
      defer { fleet.tearDown() }
      try fleet.startCollector()
      try fleet.join()
      try fleet.startAgent()
      try fleet.eventually("a live host") { try fleet.value("select count(*) from host_samples") > 0 }
      let backup = fleet.directory + "/authority.pem"
      #expect(try Program.run("signalbox", ["ca", "export", backup, "--state-dir", fleet.collectorState]).code == 0)
      #expect(try FileStatus.of(path: backup).mode & 0o777 == 0o600)
      let words = ["--state-dir", fleet.collectorState, "--listen", "127.0.0.1:\(fleet.port)"]
      let url = ["SIGNALBOX_DATABASE_URL": fleet.postmasterPID == nil ? fleet.databaseURL : ""]
      #expect(fleet.stopCollector() == 0)
      try HostFiles.removeTree(fleet.collectorState + "/ca")
      let lost = try Program.run("signalbox-collector", words, environment: url)
      #expect(lost.code == 1, "\(lost.errors)")
      #expect(lost.errors.contains("signalbox ca import") && lost.errors.contains("--new-authority"), "\(lost.errors)")
      #expect(try !FileStatus.exists(fleet.collectorState + "/ca"))
      // A collector that brings another authority is refused as well.
      #expect(try Program.run("signalbox", ["ca", "init", "--state-dir", fleet.collectorState]).code == 0)
      let other = try Program.run("signalbox-collector", words, environment: url)
      #expect(other.code == 1 && other.errors.contains("is not the authority"), "\(other.errors)")
      try HostFiles.removeTree(fleet.collectorState + "/ca")
      let back = try Program.run("signalbox", ["ca", "import", backup, "--state-dir", fleet.collectorState])
      #expect(back.code == 0, "\(back.errors)")
      try fleet.startCollector()
      let rows = try fleet.value("select count(*) from host_samples")
      try fleet.eventually("fresh samples", within: 240) {
        try fleet.value("select count(*) from host_samples") > rows + 3
      }
      #expect(try Program.run("signalbox", ["ca", "renew", "--state-dir", fleet.collectorState]).code == 0)
      #expect(
        try Program.run("signalbox", ["ca", "status", "--state-dir", fleet.collectorState]).output.contains("729"))
    }

    /// The root's key is elsewhere, and no collector runs while the issuing CA is renewed.
    @Test func theEndOfTheAuthorityIsAnIncidentUntilItIsRenewed() throws {
      let fleet = try TestFleet("ends")
      defer { fleet.tearDown() }
      let dayNs: Int64 = 86_400_000_000_000
      _ = try CertificateAuthority.create(directory: fleet.collectorState, nowNs: Clock.wallNs() - 700 * dayNs)
      let (key, elsewhere) = (fleet.collectorState + "/ca/root.key", fleet.directory + "/root.key")
      try FileManager.default.moveItem(atPath: key, toPath: elsewhere)
      func incidents(_ state: String) throws -> Int64? {
        try fleet.value("select count(*) from incidents where rule = 'SIGNALBOX-AUTHORITY' and state = '\(state)'")
      }
      try fleet.startCollector()
      try fleet.eventually("an incident") { try incidents("open") == 1 }
      #expect(fleet.stopCollector() == 0)
      try FileManager.default.moveItem(atPath: elsewhere, toPath: key)
      #expect(try Program.run("signalbox", ["ca", "renew", "--state-dir", fleet.collectorState]).code == 0)
      try fleet.startCollector()
      try fleet.eventually("its end") { try incidents("resolved") == 1 }
      #expect(try incidents("open") == 0)
    }

    /// The collector's certificate has ended at the time of the join; the addresses that the token named are no longer announced.
    @Test func certificatesAndAddressesAreRenewedWithoutARestart() throws {
      let fleet = try TestFleet("clock")
      defer { fleet.tearDown() }
      let port = try FreePorts.take(1)[0]
      fleet.port = port
      try fleet.startCollector(["--server-certificate-seconds", "6", "--advertise", "localhost:\(port)"])
      usleep(9_000_000)
      try fleet.join()
      try fleet.startAgent()
      func known() throws -> [String] {
        try HostFiles.list(fleet.agentState + "/identity").compactMap(Int.init).max().map { generation in
          String(decoding: try HostFiles.read("\(fleet.agentState)/identity/\(generation)/host"), as: UTF8.self)
            .split(separator: "\n").filter { $0.hasPrefix("collector=") }.map { String($0.dropFirst(10)) }
        } ?? []
      }
      #expect(try known() == ["localhost:\(port)"])
      try fleet.eventually("a live host") { try fleet.value("select count(*) from host_samples") > 0 }
      #expect(fleet.stopCollector() == 0)
      try fleet.startCollector(["--advertise", "127.0.0.1:\(port)"])
      try fleet.eventually("the new address, the one in use last", within: 240) {
        try known() == ["127.0.0.1:\(port)", "localhost:\(port)"]
      }
      #expect(fleet.stopAgent() == 0)
      try fleet.restartAgent()
      try fleet.eventually("the new address alone", within: 240) { try known() == ["127.0.0.1:\(port)"] }
      let wildcard = try Program.run(
        "signalbox-collector", ["--state-dir", fleet.directory + "/x", "--advertise", "0.0.0.0:7443"])
      #expect(wildcard.code == 2 && wildcard.errors.contains("--advertise names what agents connect to"))
    }
  }
}
