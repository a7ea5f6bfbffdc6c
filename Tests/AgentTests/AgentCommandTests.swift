import Agent
import Testing

@Suite struct AgentCommandTests {
  @Test func readsEveryOptionOfRun() throws {
    let words = [
      "run", "--state-dir", "/var/lib/a", "--follow=/srv/**/*.log", "--follow", "/tmp/x", "--allow", "/srv",
      "--interval",
      "500ms", "--socket", "/run/s.sock", "--process", "trainer",
      "--journal", "train.service", "--journal", "all", "--inbox", "/srv/inbox", "--allow-command", "/opt/checks",
      "--allow-address", "db.example", "--allow-address=any", "--exclude", "*.tmp", "--exclude=/srv/cache/**", "--from",
      "2d",
    ]
    guard case .run(let options) = try AgentCommand.parse(words) else {
      Issue.record("not a run")
      return
    }
    #expect(options.stateDirectory == "/var/lib/a")
    #expect(options.follow == ["/srv/**/*.log", "/tmp/x"])
    #expect(options.allow == ["/srv"])
    #expect(options.exclude == ["*.tmp", "/srv/cache/**"])
    #expect(options.from == .since(172_800_000_000_000))
    #expect(options.intervalNs == 500_000_000)
    #expect(options.socketPath == "/run/s.sock")
    #expect(options.processPatterns == ["trainer"])
    #expect(options.journals == ["train.service", "all"])
    #expect(options.inbox == "/srv/inbox")
    #expect(options.allowCommands == ["/opt/checks"] && options.allowAddresses == ["db.example", "any"])
  }

  @Test(arguments: [("start", FollowFrom.start), ("end", .end), ("12h", .since(43_200_000_000_000))])
  func whereToBeginIsAWordOrAnAge(_ word: String, _ from: FollowFrom) throws {
    guard case .run(let options) = try AgentCommand.parse(["run", "--state-dir", "/a", "--from", word]) else {
      Issue.record("not a run")
      return
    }
    #expect(options.from == from)
  }

  @Test(arguments: [["--from", "yesterday"], ["--from", "0s"], ["--exclude", "cache/*.tmp"], ["--exclude", ""]])
  func mistakesOfFollowingAreReportedInASentence(_ words: [String]) {
    #expect(throws: UsageError.self) { try AgentCommand.parse(["run", "--state-dir", "/a"] + words) }
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

  @Test func whatStandsBehindTheDashesIsThePrograms() throws {
    var options = ExecOptions()
    options.words = ["python", "train.py", "--name=x", "--", "-y"]
    #expect(try AgentCommand.parse(["exec", "--"] + options.words) == .exec(options))
    options.name = "nightly"
    options.socketPath = "/run/s.sock"
    #expect(
      try AgentCommand.parse(["exec", "--name=nightly", "--socket", "/run/s.sock", "--"] + options.words)
        == .exec(options))
    for mistake in [
      ["exec"], ["exec", "python"], ["exec", "--"], ["exec", "--to", "x", "--", "ls"], ["exec", "--name", "--", "ls"],
    ] {
      #expect(throws: UsageError.self) { try AgentCommand.parse(mistake) }
    }
  }

  @Test func pipeKnowsItsInbox() throws {
    var options = PipeOptions()
    options.name = "train"
    #expect(try AgentCommand.parse(["pipe", "train"]) == .pipe(options))
    options.inbox = "/x/inbox"
    options.makesInbox = true
    options.limitBytes = 2 << 20
    #expect(try AgentCommand.parse(["pipe", "--state-dir", "/x", "train", "--limit", "2"]) == .pipe(options))
  }

  @Test func aTokenComesFromWhereNoOtherUserReadsIt() throws {
    var options = JoinOptions()
    options.stateDirectory = "/x"
    #expect(try AgentCommand.parse(["join", "--state-dir", "/x"], hasToken: true) == .join(options))
    options.source = .standardInput
    #expect(try AgentCommand.parse(["join", "-", "--state-dir", "/x"]) == .join(options))
    options.source = .file("/t")
    #expect(try AgentCommand.parse(["join", "--token-file", "/t", "--state-dir", "/x"]) == .join(options))
    options.source = .environment
    options.token = "t"
    #expect(try AgentCommand.parse(["join", "t", "--state-dir", "/x"], hasToken: true) == .join(options))
  }

  @Test(
    arguments: [
      ([], "Say what to do"), (["fly"], "Unknown command 'fly'"), (["run"], "--state-dir DIR"),
      (["run", "--state-dir"], "--state-dir needs a value"), (["run", "--interval", "1"], "not '1'"),
      (["run", "--interval", "2h"], "100ms to 1h"), (["run", "--follow", "x.log"], "absolute path"),
      (["run", "--speed"], "Unknown option '--speed'"), (["join"], "Give the token"),
      (["join", "t"], "--state-dir DIR"),
      (["join", "a", "b", "--state-dir", "/x"], "'b' is a second one"), (["join", "-", "t"], "'t' is a second one"),
      (["join", "-", "--token-file", "/t"], "second one"), (["join", "--token-file"], "needs a value"),
      (["redact"], "Name the file"),
      (["run", "--allow-command", "check"], "absolute path"),
      (["probe", "--x"], "Unknown option '--x'"), (["run", "--spool-limit", "0"], "1 to 1048576"),
      (["pipe"], "Name the stream"), (["pipe", "a/b"], "not 'a/b'"),
      (["pipe", "a", "b"], "'b' is a second one"), (["run", "--journal", ".."], "not '..'"),
      (["run", "--follow", "/x[a"], "--follow '/x[a': a '[' has no ']'"),
      (["run", "--exclude", "*.{tmp,bak}"], "{a,b}"),
    ] as [([String], String)])
  func mistakesGetOneSentence(_ words: [String], _ part: String) {
    let error = #expect(throws: UsageError.self) { try AgentCommand.parse(words) }
    #expect(error?.message.contains(part) == true)
    #expect(error?.message.contains("\n") == false)
  }
}
