import Files
import Foundation
import Testing

extension EndToEndTests {
  /// Whatever is wrong: one sentence on standard error that says what to do, and the contract's exit code.
  @Suite(.timeLimit(.minutes(10))) struct BadInput {
    @Test(
      arguments: [
        ("signalbox", ["fly"], 2, "fly"), ("signalbox", ["logs", "--level", "loud"], 2, "loud"),
        ("signalbox", ["fleet", "status"], 2, "--state-dir"),
        ("signalbox", ["fleet", "status", "--state-dir", "/nonexistent"], 4, "/nonexistent"),
        ("signalbox", ["fleet", "status", "--database", "postgresql://127.0.0.1:1/none"], 4, "running"),
        ("signalbox", ["fleet", "status", "--database", "http://x"], 2, "--database"),
        ("signalbox", ["logs", "--format", "xml"], 2, "xml"), ("signalbox", ["logs", "--since", "soon"], 2, "soon"),
        ("signalbox-agent", ["fly"], 2, "fly"), ("signalbox-agent", ["run"], 2, "--state-dir"),
        ("signalbox-agent", ["run", "--state-dir", "/tmp/signalbox-never-joined"], 1, "join"),
        ("signalbox-agent", ["join", "rubbish", "--state-dir", "/tmp/signalbox-never-joined"], 2, "token"),
        ("signalbox-collector", ["--listen", "nonsense", "--state-dir", "/tmp/signalbox-x"], 2, "nonsense"),
        ("signalbox-collector", [], 2, "--state-dir"),
        ("signalbox-collector", ["database", "--state-dir", "/tmp/signalbox-x"], 2, "--socket-dir"),
        (
          "signalbox-collector", ["--state-dir", "/tmp/signalbox-x", "--config", "/nonexistent.yaml"], 2,
          "/nonexistent.yaml"
        ),
        (
          "signalbox-collector",
          [
            "--state-dir", "/tmp/signalbox-x", "--listen", "127.0.0.1:0", "--database", "postgresql://127.0.0.1:1/none",
          ], 4, "Check host and port in the URL"
        ),
      ] as [(String, [String], Int32, String)])
    func oneSentenceAndTheRightCode(_ program: String, _ words: [String], _ code: Int32, _ part: String) throws {
      let result = try Program.run(program, words, environment: ["SIGNALBOX_DATABASE_URL": ""])
      #expect(result.code == code, "\(program) \(words): \(result.errors)")
      #expect(result.errors.contains(part), "\(result.errors)")
      // The collector's log lines are JSON; the sentence is the one line that is not.
      let sentences = result.errors.split(separator: "\n").filter { !$0.hasPrefix("{") }
      #expect(sentences.count == 1, "\(result.errors)")
      #expect(result.output.isEmpty)
    }

    @Test func aPortInUseIsSaid() throws {
      let fleet = try TestFleet("port")
      defer { fleet.tearDown() }
      try fleet.startCollector()
      let result = try Program.run(
        "signalbox-collector", ["--state-dir", fleet.directory + "/other", "--listen", "127.0.0.1:\(fleet.port)"])
      #expect(result.code == 1)
      #expect(result.errors.contains("\(fleet.port)"), "\(result.errors)")
    }

    @Test func anUnreadableConfigurationIsSaidWithItsPlace() throws {
      let directory = NSTemporaryDirectory() + "/signalbox-config-\(UUID().uuidString)"
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(atPath: directory) }
      let cases: [(text: String, part: String)] = [
        ("retention: [1,\n", ":2:1: is no YAML"), ("retentoin: {}\n", "did you mean 'retention'"),
        ("just words\n", ":1:"),
      ]
      for (index, entry) in cases.enumerated() {
        let path = directory + "/\(index).yaml"
        try entry.text.write(toFile: path, atomically: true, encoding: .utf8)
        let result = try Program.run(
          "signalbox-collector", ["--state-dir", directory + "/state", "--config", path])
        #expect(result.code == 2, "\(result.errors)")
        #expect(result.errors.contains(path) && result.errors.contains(entry.part), "\(result.errors)")
      }
      let folder = try Program.run("signalbox-collector", ["--state-dir", directory + "/state", "--config", directory])
      #expect(folder.code == 2)
      #expect(folder.errors.contains("name a readable file with --config"), "\(folder.errors)")
    }

    @Test func aDatabaseThatRefusesIsSaidWithWhatToDo() throws {
      let fleet = try TestFleet("rights")
      defer { fleet.tearDown() }
      try fleet.startCollector()
      func collector(_ changes: [String: String]) throws -> Program.Result {
        try Program.run(
          "signalbox-collector",
          [
            "--state-dir", fleet.directory + "/other", "--listen", "127.0.0.1:0", "--database",
            try fleet.url(with: changes),
          ])
      }
      let missing = try collector(["dbname": "no_such_database"])
      #expect(missing.code == 4)
      #expect(missing.errors.contains("CREATE DATABASE"), "\(missing.errors)")
      // Who may only read may not build the schema: said at once, with the statement that helps.
      try fleet.execute("create role signalbox_test_weak login")
      try fleet.execute("create database signalbox_test_bare")
      defer {
        try? fleet.execute("drop database signalbox_test_bare")
        try? fleet.execute("drop role signalbox_test_weak")
      }
      let weak = try collector(["dbname": "signalbox_test_bare", "options": "-c role=signalbox_test_weak"])
      #expect(weak.code == 1)
      #expect(weak.errors.contains("CREATE DATABASE signalbox OWNER"), "\(weak.errors)")
    }

    @Test func aTokenWorksOnceAndAStaleOneNever() throws {
      let fleet = try TestFleet("token")
      defer { fleet.tearDown() }
      try fleet.startCollector()
      let token = try fleet.signalbox("hosts", "invite", "once").output.trimmingCharacters(in: .newlines)
      let first = try Program.run("signalbox-agent", ["join", token, "--state-dir", fleet.directory + "/a1"])
      #expect(first.code == 0, "\(first.errors)")
      let second = try Program.run("signalbox-agent", ["join", token, "--state-dir", fleet.directory + "/a2"])
      #expect(second.code == 1)
      #expect(second.errors.contains("used by another machine"), "\(second.errors)")
      let short = try fleet.signalbox("hosts", "invite", "stale", "--expires", "1s").output
        .trimmingCharacters(in: .newlines)
      usleep(1_200_000)
      let stale = try Program.run("signalbox-agent", ["join", short, "--state-dir", fleet.directory + "/a3"])
      #expect(stale.code == 1)
      #expect(stale.errors.contains("expired"), "\(stale.errors)")
      let cut = try Program.run(
        "signalbox-agent", ["join", String(token.dropLast(3)), "--state-dir", fleet.directory + "/a4"])
      #expect(cut.code == 2)
    }

    @Test func queryOnlyReads() throws {
      let fleet = try TestFleet("query")
      defer { fleet.tearDown() }
      try fleet.startCollector()
      for sql in [
        "delete from hosts", "drop view hosts", "create table x (a int)", "select * from signalbox.certificates",
        "select pg_read_file('/etc/passwd')", "select 1; select 2", "set role postgres",
        "do $$ begin perform set_config('role', 'none', false); create role evil superuser; end $$",
        "select secret_hash from signalbox.join_tokens", "copy (select 1) to program 'id'", "copy (select 1) to stdout",
        "select pg_advisory_lock(hashtext('signalbox.incidents'))", "select lo_from_bytea(0, 'x')",
      ] {
        let result = try fleet.signalbox("query", sql)
        #expect(result.code != 0 && result.code != 3, "\(sql): \(result.output)")
        #expect(result.errors.split(separator: "\n").count == 1, "\(sql): \(result.errors)")
      }
      let slow = try fleet.signalbox(
        "query", "select count(*) from generate_series(1, (select 100000000000))", "--timeout", "1")
      #expect(slow.code == 1 && slow.errors.contains("took too long"), "\(slow)")
      // It takes neither --since nor --host.
      #expect(slow.errors.contains("--timeout gives it more than 1 s") && !slow.errors.contains("--since"), "\(slow)")
      let user = try fleet.signalbox("query", "select session_user as name", "--format", "csv")
      #expect(user.output == "name\nsignalbox_reader\n", "\(user)")
      let owner = try fleet.signalbox("query", "select 1", "--reader-database", fleet.databaseURL)
      #expect(owner.code == 1 && owner.errors.contains("may do more than read"), "\(owner)")
    }
  }

  @Suite(.timeLimit(.minutes(10))) struct Identity {
    @Test func revokingCutsTheLiveConnection() throws {
      let fleet = try TestFleet("revoke")
      defer { fleet.tearDown() }
      try fleet.startCollector()
      try fleet.join("doomed")
      try fleet.startAgent()
      try fleet.eventually("a live host") {
        try fleet.json("fleet", "status").first?["state"] as? String == "live"
      }
      let open = try metric(fleet, "signalbox_gateway_streams_open")
      #expect(open == 1)
      #expect(try fleet.signalbox("hosts", "revoke", "doomed").code == 0)
      try fleet.eventually("the cut") { try metric(fleet, "signalbox_gateway_streams_open") == 0 }
      #expect(try fleet.json("fleet", "status", "--all").first?["state"] as? String == "revoked")
      let rows = try fleet.value("select count(*) from host_samples")
      usleep(2_000_000)
      #expect(try fleet.value("select count(*) from host_samples") == rows)
    }

    /// Neither a restart nor a signal, though the pauses between an agent's attempts have grown meanwhile.
    @Test func aRunningAgentTakesAnIdentityOverThatIsJoinedBesideIt() throws {
      let fleet = try TestFleet("anew")
      defer { fleet.tearDown() }
      try fleet.startCollector()
      try fleet.join("gpu-02")
      try fleet.startAgent()
      try fleet.eventually("a live host") { try fleet.value("select count(*) from host_samples") > 0 }
      let host = "select count(*) from signalbox.hosts where name = 'gpu-02' and state = 'active'"
      #expect(try fleet.signalbox("hosts", "revoke", "gpu-02").code == 0)
      try fleet.eventually("the refusal") { fleet.agent?.errors.contains("has been revoked") == true }
      #expect(try fleet.value(host) == 0)
      let rows = try fleet.value("select count(*) from host_samples")
      let token = try fleet.signalbox("hosts", "invite", "gpu-02").output.trimmingCharacters(in: .newlines)
      let joined = try Program.run("signalbox-agent", ["join", "-", "--state-dir", fleet.agentState], input: token)
      #expect(joined.code == 0, "\(joined.errors)")
      #expect(joined.errors.contains("takes the new identity over within seconds"), "\(joined.errors)")
      try fleet.eventually("fresh samples") { try fleet.value("select count(*) from host_samples") > rows }
      #expect(try fleet.json("fleet", "status").first?["state"] as? String == "live")
      #expect(fleet.agent?.errors.contains("\"new identity\"") == true)
      // The generations before are removed once the new one has been used.
      try fleet.eventually("one generation") {
        try HostFiles.list(fleet.agentState + "/identity").compactMap { Int($0) }.count == 1
      }
    }

    private func metric(_ fleet: TestFleet, _ name: String) throws -> Int? {
      let text = try Program.run("/usr/bin/curl", ["-sS", "http://\(fleet.metricsAddress)/metrics"]).output
      return text.split(separator: "\n").first { $0.hasPrefix(name + " ") }
        .flatMap { Int($0.split(separator: " ")[1]) }
    }
  }

  @Suite(.timeLimit(.minutes(10))) struct Poison {
    @Test func poisonRowsCostOnlyThemselves() throws {
      let fleet = try TestFleet("poison")
      defer { fleet.tearDown() }
      try fleet.startCollector()
      try fleet.join()
      try fleet.startAgent()
      var bytes = Array("good 1\n".utf8)
      bytes += [UInt8(ascii: "n"), 0, UInt8(ascii: "l"), 10, 0xff, 0xfe, UInt8(ascii: "x"), 10]
      bytes += Array(
        "2026-11-21 08:00:00,000 - ERROR - bad \u{1b}[31mred\n294277-01-01 00:00:00,000 - INFO - far\n".utf8)
      bytes += Array(repeating: UInt8(ascii: "L"), count: 1 << 20) + [10] + Array("good 2\n".utf8)
      try fleet.write("poison.log", bytes)
      var csv = "episode,step,action,reward,balance,shares_held,current_price,portfolio_value,current_position\n"
      csv += "1,1,0,nan,1,1,1,1,0\n1,2,0,1e400,1,1,1,-inf,0\n1,3,0,x,1,1,1,1,0\n1,4,0,0.5,1,1,1,1,0\n"
      try fleet.write("training_log.csv", Array(csv.utf8))
      try fleet.eventually("the good rows") {
        try fleet.value("select count(*) from log_lines where message like '%good%'") == 2
          && fleet.value("select count(*) from training_steps") >= 3
      }
      #expect(try fleet.value("select count(*) from log_lines where file like '%poison.log'") == 7)
      let shown = try fleet.signalbox("logs", "--since", "3650d", "--level", "error")
      #expect(shown.output.contains("\\u{1b}[31mred"), "\(shown.output)")
      #expect(!shown.output.unicodeScalars.contains("\u{1b}"))
    }
  }
}
