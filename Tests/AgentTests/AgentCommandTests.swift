import Agent
import Testing

@Suite struct AgentCommandTests {
  @Test func readsEveryOptionOfRun() throws {
    let words = [
      "run", "--state-dir", "/var/lib/a", "--follow=/srv/**/*.log", "--follow", "/tmp/x", "--allow", "/srv",
      "--interval",
      "500ms", "--socket", "/run/s.sock", "--process", "trainer",
      "--journal", "train.service", "--journal", "all", "--inbox", "/srv/inbox", "--allow-command", "/opt/checks",
      "--allow-address", "db.example", "--allow-address=any",
    ]
    guard case .run(let options) = try AgentCommand.parse(words) else {
      Issue.record("not a run")
      return
    }
    #expect(options.stateDirectory == "/var/lib/a")
    #expect(options.follow == ["/srv/**/*.log", "/tmp/x"])
    #expect(options.allow == ["/srv"])
    #expect(options.intervalNs == 500_000_000)
    #expect(options.socketPath == "/run/s.sock")
    #expect(options.processPatterns == ["trainer"])
    #expect(options.journals == ["train.service", "all"])
    #expect(options.inbox == "/srv/inbox")
    #expect(options.allowCommands == ["/opt/checks"] && options.allowAddresses == ["db.example", "any"])
  }

  @Test func theProbeProcessGetsWhatTheHostAllows() throws {
    var permissions = CheckPermissions()
    permissions.paths = ["/srv", "/var/run/docker.sock"]
    permissions.patterns = ["/home/*/logs/*.log"]
    permissions.programs = ["/opt/checks"]
    permissions.addresses = ["any"]
    #expect(try AgentCommand.parse(["probe", "--checks"] + permissions.words) == .checks(permissions))
    #expect(try AgentCommand.parse(["probe"]) == .probe)
  }

  @Test func pipeKnowsItsInbox() throws {
    var options = PipeOptions()
    options.name = "train"
    #expect(try AgentCommand.parse(["pipe", "train"]) == .pipe(options))
    options.inbox = "/x/inbox"
    options.limitBytes = 2 << 20
    #expect(try AgentCommand.parse(["pipe", "--state-dir", "/x", "train", "--limit", "2"]) == .pipe(options))
  }

  @Test(
    arguments: [
      ([], "Say what to do"), (["fly"], "Unknown command 'fly'"), (["run"], "--state-dir DIR"),
      (["run", "--state-dir"], "--state-dir needs a value"), (["run", "--interval", "1"], "not '1'"),
      (["run", "--interval", "2h"], "100ms to 1h"), (["run", "--follow", "x.log"], "absolute path"),
      (["run", "--speed"], "Unknown option '--speed'"), (["join"], "Give the token"),
      (["join", "t"], "--state-dir DIR"),
      (["join", "a", "b", "--state-dir", "/x"], "'b' is a second one"), (["redact"], "Name the file"),
      (["run", "--allow-command", "check"], "absolute path"),
      (["probe", "--x"], "Unknown option '--x'"), (["run", "--spool-limit", "0"], "1 to 1048576"),
      (["pipe"], "Name the stream"), (["pipe", "a/b"], "not 'a/b'"),
      (["pipe", "a", "b"], "'b' is a second one"), (["run", "--journal", ".."], "not '..'"),
    ] as [([String], String)])
  func mistakesGetOneSentence(_ words: [String], _ part: String) {
    let error = #expect(throws: UsageError.self) { try AgentCommand.parse(words) }
    #expect(error?.message.contains(part) == true)
    #expect(error?.message.contains("\n") == false)
  }
}
