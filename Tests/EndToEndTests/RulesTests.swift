import Files
import Foundation
import Testing

extension EndToEndTests {
  /// From a line on a host to a page at a receiver, with real programs, over kills and reloads.
  @Suite(.timeLimit(.minutes(10))) struct Rules {
    static let boom =
      "- { id: SITE-01, title: Boom, severity: P1, scope: file, when: { log: { file: \"*.log\", matches: BOOM } } }\n"

    /// A fleet whose pages go to a receiver of this machine.
    /// - Parameters:
    ///   - words: of the agent's command line.
    ///   - before: what there is before the agent's first start.
    static func fleet(
      _ name: String, rules: String, agent words: [String] = [], before: (TestFleet) throws -> Void = { _ in }
    ) throws -> (TestFleet, PageReceiver) {
      let fleet = try TestFleet(name)
      let receiver = try PageReceiver(directory: fleet.directory, seed: 1, isCalm: true)
      try HostFiles.makeDirectory(fleet.directory + "/rules", mode: 0o755)
      try write(rules, fleet)
      try configure(fleet, receiver)
      try start(fleet)
      try fleet.join("train-1")
      try before(fleet)
      try fleet.startAgent(words)
      return (fleet, receiver)
    }

    static func configure(_ fleet: TestFleet, _ receiver: PageReceiver) throws {
      let configuration = """
        rules: ["rules/*.yaml"]
        paging:
          receivers:
            duty: { webhook: { url: "\(receiver.url("duty"))" } }
          policies:
            P1: [{ to: duty }]
          messages_per_minute: 600
        """
      try HostFiles.replace(fleet.directory + "/signalbox.yaml", with: Array(configuration.utf8))
    }

    static func start(_ fleet: TestFleet) throws {
      try fleet.startCollector(["--config", fleet.directory + "/signalbox.yaml"])
    }

    static func write(_ rules: String, _ fleet: TestFleet) throws {
      try HostFiles.replace(fleet.directory + "/rules/site.yaml", with: Array(rules.utf8))
    }

    @Test func aLineBecomesAPageAndARestartTellsItNeitherAgainNorAsResolved() throws {
      let (fleet, receiver) = try Self.fleet("boom", rules: Self.boom)
      defer {
        fleet.tearDown()
        receiver.stop()
      }
      try fleet.write("train.log", Array("all is well\nBOOM in epoch 7\n".utf8))
      try fleet.eventually("the page") { try receiver.pages("trigger").count == 1 }
      let page = try #require(try receiver.pages("trigger").first?.body())
      #expect(page["rule"] as? String == "SITE-01")
      #expect(page["severity"] as? String == "P1")
      #expect(page["host"] as? String == "train-1")
      #expect(page["entity"] as? String == fleet.logs + "/train.log")
      #expect((page["evidence"] as? [String])?.contains { $0.contains("BOOM in epoch 7") } == true)

      let tested = try #require(try fleet.json("paging", "test", "duty").first)
      #expect(tested["target"] as? String == "duty")
      #expect(tested["state"] as? String == "delivered")
      let unknown = try fleet.signalbox("paging", "test", "dutty", "--format", "ndjson")
      #expect(unknown.code == 3)
      #expect(unknown.output.contains("\"target\":\"dutty\",\"state\":\"refused\""), "\(unknown.output)")

      // One that asked for a pause: the test says until when, not that no collector runs.
      try fleet.execute("update signalbox.receivers set paused_until = now() + interval '1 h' where name = 'duty'")
      let paused = try fleet.signalbox("paging", "test", "duty", "--timeout", "2s")
      #expect(paused.code == 1, "\(paused)")
      #expect(paused.errors.contains("duty: not delivered yet: it asked to be sent nothing before 20"), "\(paused)")
      try fleet.execute("update signalbox.receivers set paused_until = null")

      // What is in the database by now gives the same incident.
      try fleet.eventually("the lines") { try fleet.value("select count(*) from log_lines") == 2 }
      let replayed = try #require(
        try fleet.json("rules", "replay", fleet.directory + "/rules", "--since", "10m").first)
      #expect(replayed["rule"] as? String == "SITE-01")
      #expect(replayed["host"] as? String == "train-1")
      #expect(replayed["entity"] as? String == fleet.logs + "/train.log")
      #expect((replayed["evidence"] as? [String])?.contains { $0.contains("BOOM in epoch 7") } == true)

      let incident = try #require(try fleet.json("incidents", "list").first)
      #expect(incident["state"] as? String == "open")
      #expect((incident["event_to_page_ms"] as? Int).map { $0 < 60_000 } == true)
      let id = try #require(incident["id"] as? Int)
      #expect(try fleet.signalbox("incidents", "ack", "\(id)", "--by", "ann").code == 0)
      try fleet.eventually("the acknowledgement") { try receiver.pages("acknowledge").count == 1 }

      fleet.killCollector()
      try Self.start(fleet)
      try fleet.write("train.log", Array("quiet again\n".utf8))
      try fleet.eventually("the line after the restart") { try fleet.value("select count(*) from log_lines") == 3 }
      // The judge of the fleet has had its turn.
      try fleet.eventually("the lease") { try fleet.metric("signalbox_rules_lease") == 1 }
      #expect(try fleet.json("incidents", "list").first?["state"] as? String == "acked")
      #expect(try receiver.pages("trigger").count == 1)
      #expect(try receiver.pages("resolve").isEmpty)

      // Stopped in order, it leaves the host's state under the epoch of its stream, the fleet's under the fence of its lease.
      #expect(fleet.stopCollector() == 0)
      try Self.start(fleet)
      let states = "select count(*) from signalbox.rule_states s where s.sequence > 0 and s.epoch > 0"
      #expect(try fleet.value(states + " and epoch <= (select epoch from signalbox.epochs where host = s.host)") == 1)
      let fence = "select fence from signalbox.leases where name = 'rules'"
      #expect(try fleet.value(states + " and host = 0 and epoch <= (\(fence))") == 1)
    }

    /// Findings are in the database before their rows: at whatever moment the collector dies, each is told, and once.
    @Test func eachFindingIsToldOnceOverKillsOfTheCollector() throws {
      let (fleet, receiver) = try Self.fleet("kills", rules: Self.boom)
      defer {
        fleet.tearDown()
        receiver.stop()
      }
      let rounds = 12
      for round in 0..<rounds {
        try fleet.write("run-\(round).log", Array("BOOM \(round)\n".utf8))
        usleep(UInt32(round) * 6_000)
        fleet.killCollector()
        try Self.start(fleet)
      }
      try fleet.eventually("all pages") {
        Set(try receiver.pages("trigger").flatMap(\.keys)).count == rounds
      }
      try fleet.eventually("all lines") { try fleet.value("select count(*) from log_lines") == Int64(rounds) }
      #expect(try fleet.value("select count(*) from incidents") == Int64(rounds))
      #expect(try fleet.value("select count(distinct dedup_key) from incidents") == Int64(rounds))
      #expect(Set(try receiver.pages("trigger").flatMap(\.keys)).count == rounds)
    }

    /// What one collector has counted, another goes on from.
    @Test func aSecondCollectorTakesTheRulesStateOver() throws {
      let fleet = try TestFleet("pair")
      let receiver = try PageReceiver(directory: fleet.directory, seed: 1, isCalm: true)
      defer {
        fleet.tearDown()
        receiver.stop()
      }
      try HostFiles.makeDirectory(fleet.directory + "/rules", mode: 0o755)
      let rule =
        "- { id: SITE-01, title: Boom, severity: P1, scope: file, when: { log: { text: BOOM, count: 3, within: 10m } } }\n"
      try Self.write(rule, fleet)
      try Self.configure(fleet, receiver)
      let ports = try FreePorts.take(2)
      let shared = [
        "--config", fleet.directory + "/signalbox.yaml", "--advertise", "127.0.0.1:\(ports[0])", "--advertise",
        "127.0.0.1:\(ports[1])",
      ]
      fleet.port = ports[0]
      try fleet.startCollector(shared)
      let state = fleet.directory + "/second"
      try HostFiles.makeDirectory(state, mode: 0o755)
      try FileManager.default.copyItem(atPath: fleet.collectorState + "/ca", toPath: state + "/ca")
      let second = try Program(
        "signalbox-collector",
        ["--state-dir", state, "--listen", "127.0.0.1:\(ports[1])", "--database", fleet.databaseURL] + shared,
        errorPath: fleet.directory + "/second.err")
      defer { second.stop() }
      _ = try second.line(startingWith: "ready ")
      try fleet.join()
      try fleet.startAgent()
      try fleet.write("x.log", Array("BOOM 1\nBOOM 2\n".utf8))
      try fleet.eventually("two lines") { try fleet.value("select count(*) from log_lines") == 2 }
      if try fleet.metric("signalbox_gateway_streams_open") == 1 { fleet.killCollector() } else { second.kill() }
      try fleet.write("x.log", Array("BOOM 3\n".utf8))
      try fleet.eventually("the page of the third line") { try receiver.pages("trigger").count == 1 }
      #expect(try fleet.value("select count(*) from incidents") == 1)
    }

    @Test func rulesAreReadAgainOnSIGHUP() throws {
      let (fleet, receiver) = try Self.fleet("reload", rules: Self.boom)
      defer {
        fleet.tearDown()
        receiver.stop()
      }
      try fleet.write("a.log", Array("BOOM\n".utf8))
      try fleet.eventually("the first incident") { try fleet.json("incidents", "list").count == 1 }

      try Self.write("- { id: SITE-01, title: Boom, severity: P1, when: { logg: { text: FOO } } }\n", fleet)
      fleet.signalCollector(SIGHUP)
      try fleet.eventually("the mistake is told") {
        fleet.collector?.errors.contains("did you mean 'log'") == true
      }
      #expect(try fleet.metric("signalbox_rules_refused") == 1)
      try fleet.write("b.log", Array("BOOM\n".utf8))
      try fleet.eventually("the old rules still run") { try fleet.json("incidents", "list").count == 2 }

      try Self.write("- { id: SITE-02, title: Foo, severity: P1, when: { log: { text: FOO } } }\n", fleet)
      fleet.signalCollector(SIGHUP)
      try fleet.eventually("what the old rule had opened ends") {
        try fleet.value("select count(*) from incidents where rule = 'SITE-01' and state = 'resolved'") == 2
      }
      try fleet.write("a.log", Array("FOO\n".utf8))
      try fleet.eventually("the new rule runs") {
        try fleet.value("select count(*) from incidents where rule = 'SITE-02' and state = 'open'") == 1
      }
    }

    /// It ended every incident of these rules, and receivers were sent RESOLVED.
    @Test func aDirectoryOfRulesThatIsGoneChangesNothing() throws {
      let (fleet, receiver) = try Self.fleet("gone", rules: Self.boom)
      defer {
        fleet.tearDown()
        receiver.stop()
      }
      try fleet.write("a.log", Array("BOOM\n".utf8))
      try fleet.eventually("the incident") { try fleet.json("incidents", "list").count == 1 }
      try FileManager.default.moveItem(atPath: fleet.directory + "/rules", toPath: fleet.directory + "/rules.away")
      fleet.signalCollector(SIGHUP)
      try fleet.eventually("the reload is refused") {
        fleet.collector?.errors.contains("no rule is changed") == true
      }
      try fleet.write("b.log", Array("BOOM\n".utf8))
      try fleet.eventually("the rules still run") { try fleet.json("incidents", "list").count == 2 }
      #expect(try fleet.value("select count(*) from incidents where state = 'resolved'") == 0)
    }

    /// Against a mistake in one rule the others stand, at the start and at a reload.
    @Test func aBadRuleIsLeftOutAndTheOthersRun() throws {
      let bad = "- { id: SITE-09, title: Bad, severity: P1, when: { logg: { text: FOO } } }\n"
      let (fleet, receiver) = try Self.fleet("bad-rule", rules: bad + Self.boom)
      defer {
        fleet.tearDown()
        receiver.stop()
      }
      #expect(fleet.collector?.errors.contains("did you mean 'log'") == true)
      #expect(try fleet.metric("signalbox_rules_refused") == 1)
      #expect(try fleet.metric("signalbox_rules_loaded") == 1)
      try fleet.write("a.log", Array("BOOM\n".utf8))
      try fleet.eventually("the incident of the other rule") { try fleet.json("incidents", "list").count == 1 }
      try Self.write("a: [", fleet)
      try HostFiles.replace(
        fleet.directory + "/rules/more.yaml",
        with: Array("- { id: SITE-02, title: Foo, severity: P1, when: { log: { text: FOO } } }\n".utf8))
      fleet.signalCollector(SIGHUP)
      try fleet.eventually("the new rule") { try fleet.metric("signalbox_rules_loaded") == 2 }
      try fleet.write("a.log", Array("FOO\n".utf8))
      try fleet.eventually("the incident of the new rule") {
        try fleet.value("select count(*) from incidents where rule = 'SITE-02' and state = 'open'") == 1
      }
      #expect(try fleet.value("select count(*) from incidents where rule = 'SITE-01' and state = 'open'") == 1)
      // A configuration that cannot be read is refused as a whole, which is counted.
      try HostFiles.replace(fleet.directory + "/signalbox.yaml", with: Array("rules: {".utf8))
      fleet.signalCollector(SIGHUP)
      try fleet.eventually("the refusal") {
        try fleet.metric("signalbox_configuration_reload_failures_total") == 1
      }
      // So is one beside an authority that cannot be read: nothing of it is taken over.
      let loaded = try fleet.metric("signalbox_rules_loaded")
      try HostFiles.replace(fleet.directory + "/signalbox.yaml", with: Array("rules: []".utf8))
      try HostFiles.replace(fleet.collectorState + "/ca/issuing.pem", with: Array("damaged".utf8))
      fleet.signalCollector(SIGHUP)
      try fleet.eventually("the second refusal") {
        try fleet.metric("signalbox_configuration_reload_failures_total") == 2
      }
      #expect(try fleet.metric("signalbox_rules_loaded") == loaded && loaded == 2)
    }

    /// After an incident was ended by hand, the next line of its kind opens another.
    @Test func whatGoesOnAfterAnEndByHandPagesAgain() throws {
      let (fleet, receiver) = try Self.fleet("by-hand", rules: Self.boom)
      defer {
        fleet.tearDown()
        receiver.stop()
      }
      try fleet.write("a.log", Array("BOOM 1\n".utf8))
      try fleet.eventually("the first page") { try receiver.pages("trigger").count == 1 }
      let first = try #require(try fleet.json("incidents", "list").first?["id"] as? Int)
      #expect(try fleet.signalbox("incidents", "resolve", "\(first)", "--by", "ann").code == 0)
      try fleet.eventually("the rule is armed") {
        fleet.collector?.errors.contains("their rules are armed again") == true
      }
      try fleet.write("a.log", Array("BOOM 2\n".utf8))
      try fleet.eventually("the second page") { try receiver.pages("trigger").count == 2 }
      // The same for an end while no collector is there.
      let second = try #require(try fleet.json("incidents", "list").first?["id"] as? Int)
      #expect(second != first)
      fleet.killCollector()
      #expect(try fleet.signalbox("incidents", "resolve", "\(second)", "--by", "ann").code == 0)
      try Self.start(fleet)
      try fleet.write("a.log", Array("BOOM 3\n".utf8))
      try fleet.eventually("the third page") { try receiver.pages("trigger").count == 3 }
      #expect(try fleet.value("select count(*) from incidents") == 3)
    }

    @Test func maintenanceOfTheConfigurationIsTakenOverAtTheStartAndOnSIGHUP() throws {
      let fleet = try TestFleet("maintenance")
      defer { fleet.tearDown() }
      func declare(_ entries: String) throws {
        try HostFiles.replace(
          fleet.directory + "/signalbox.yaml", with: Array("rules: []\nmaintenance:\n\(entries)\n".utf8))
      }
      func entry(_ name: String, _ reason: String) -> String {
        "- { name: \(name), match: { rule: A }, cron: 0 2 * * 0, zone: Europe/Berlin, for: 2h, reason: \(reason) }"
      }
      func shown() throws -> [String] {
        try fleet.json("silences", "list").map { "\($0["name"] ?? "") \($0["author"] ?? "") \($0["reason"] ?? "")" }
      }
      try declare([entry("a", "first"), entry("b", "second")].joined(separator: "\n"))
      try Self.start(fleet)
      #expect(try shown().sorted() == ["a configuration first", "b configuration second"])
      try declare(entry("b", "changed"))
      fleet.signalCollector(SIGHUP)
      try fleet.eventually("the new maintenance") { try shown() == ["b configuration changed"] }
      #expect(try fleet.value("select count(*) from public.silences where ended_by = 'configuration'") == 1)
    }

    @Test func aSilentHostIsToldWithTheReasonOfItsSilence() throws {
      let rule = """
        - id: SITE-03
          title: Silent
          severity: P1
          when: { stale: host, for: 3s }
          until: { not: { stale: host, for: 3s } }

        """
      let (fleet, receiver) = try Self.fleet("silent", rules: rule)
      defer {
        fleet.tearDown()
        receiver.stop()
      }
      try fleet.eventually("a sample") { try fleet.value("select count(*) from host_samples") > 0 }
      fleet.killAgent()
      try fleet.eventually("the page") { try receiver.pages("trigger").count == 1 }
      let evidence = try #require(try receiver.pages("trigger").first?.body()["evidence"] as? [String])
      #expect(evidence.contains { $0.hasPrefix("diagnosis: agent down") }, "\(evidence)")
      try fleet.restartAgent()
      try fleet.eventually("its end") { try receiver.pages("resolve").count == 1 }
    }
  }
}
