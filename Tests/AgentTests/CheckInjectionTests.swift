import Files
import FleetModel
import Foundation
import Testing

@testable import Agent

/// What a collector that was taken over may ask for: no more than the host's owner allowed.
@Suite(.timeLimit(.minutes(15))) struct CheckInjectionTests {
  // MARK: Words

  private static let request = "x HTTP/1.1\r\nHost: a\r\n\r\nPOST /containers/x/start"

  private static func probe(_ kind: ProbeKind, _ target: String, service: String = "", socket: String = "")
    -> ProbeSetting
  {
    var probe = ProbeSetting(kind, "p", target: target)
    probe.service = service
    probe.socket = socket
    return probe
  }

  private static let crafted: [ProbeSetting] = [
    probe(.container, request, socket: "/tmp/none.sock"), probe(.container, "../images", socket: "/tmp/none.sock"),
    probe(.container, "a?x=1", socket: "/tmp/none.sock"), probe(.container, "..", socket: "/tmp/none.sock"),
    probe(.container, "", socket: "/tmp/none.sock"), probe(.container, "a%0d%0ab", socket: "/tmp/none.sock"),
    probe(.http, "http://127.0.0.1:1/" + request), probe(.http, "http://127.0.0.1:1/a b"),
    probe(.http, "http://127.0.0.1\r\nX: y:1/"), probe(.http, "http://user:pw@127.0.0.1:1/"),
    probe(.http, "http://127.0.0.1:1/\u{0}"), probe(.http, "http://[::1%25lo]:1/"),
    probe(.http, "http://a@b@127.0.0.1:1/"),
    probe(.http, "http://127.0.0.1:1:2/"), probe(.http, "file:///etc/passwd"), probe(.http, "http:///x"),
    probe(.http, "http://127.0.0.1:1/ä"),
    probe(.prometheus, "http://127.0.0.1:1/" + request), probe(.prometheus, "http://user:pw@127.0.0.1:1/"),
    probe(.tcp, "127.0.0.1:1\r\nX:1"), probe(.redis, "127.0.0.1\r\nFLUSHALL\r\n:1"), probe(.tcp, "127.0.0.1"),
    probe(.tcp, "127.0.0.1:0"), probe(.tcp, "-x:1"), probe(.tcp, "fe80::1%lo:1"),
    probe(.postgres, "", service: "a password=x"), probe(.postgres, "", service: "a' host=evil"),
    probe(.postgres, "", service: "host=evil"), probe(.postgres, "", service: "-c"),
    probe(.postgres, "", service: "a\nb"), probe(.postgres, "127.0.0.1 5432"),
    probe(.unit, "--all.service"), probe(.unit, "*.service"), probe(.unit, "a b.service"), probe(.unit, "a.service\n"),
    probe(.unit, "service"),
    probe(.file, "/srv/../etc/*"), probe(.file, "srv/a"), probe(.json, "/srv/a\n.json"), probe(.backup, "/srv/\u{0}"),
    probe(.queue, "/srv/../q.db"), probe(.command, "/usr/bin/../bin/sh"), probe(.command, "sh"),
    probe(.certificate, "/etc/../etc/shadow"), probe(.certificate, "127.0.0.1:443\n"),
    probe(.redis, "", socket: "/run/../run/x.sock"), probe(.redis, "", socket: "run.sock"),
  ]

  @Test(arguments: crafted.indices) func `A word that could become two is not asked`(_ index: Int) {
    let probe = Self.crafted[index]
    var permissions = CheckPermissions()
    permissions.paths = ["/"]
    permissions.programs = ["/"]
    permissions.addresses = ["any"]
    let answer = Checks(permissions).answer(probe).answer
    #expect(answer.state == .unknown, "\(probe)")
    #expect(answer.detail.hasPrefix("this host does not allow such a probe: "), "\(answer.detail)")
    #expect(!answer.detail.utf8.contains { $0 < 0x20 || $0 == 0x7f }, "the answer is shown on one line")
  }

  @Test func `Arguments hold no NUL, names no blanks`() {
    var command = Self.probe(.command, "/usr/bin/true")
    #expect(command.mistake == nil)
    command.arguments = ["a\u{0}b"]
    #expect(command.mistake != nil)
    #expect(ProbeSetting(.unit, "a b", target: "a.service").mistake != nil)
  }

  @Test func `What is usual is still asked`() {
    let usual: [ProbeSetting] = [
      Self.probe(.container, "train-1_a.b"), Self.probe(.http, "https://[::1]:8443/a?b=c&d=%20"),
      Self.probe(.http, "http://localhost"), Self.probe(.http, "http://127.0.0.1:8501/_stcore/health#top"),
      Self.probe(.tcp, "[::1]:9092"), Self.probe(.redis, "cache.internal:6379"),
      Self.probe(.postgres, "", service: "main.db"),
      Self.probe(.unit, "getty@tty1.service"), Self.probe(.unit, "dev-disk-by\\x2duuid.swap"),
      Self.probe(.file, "/srv/models/**/*.pth"), Self.probe(.file, "/srv/a b/…/c"),
      Self.probe(.certificate, "a.example:443"),
      Self.probe(.redis, "", socket: "/run/redis/redis.sock"), Self.probe(.command, "/usr/lib/a..b/check"),
    ]
    for probe in usual { #expect(probe.mistake == nil, "\(probe): \(probe.mistake ?? "")") }
  }

  @Test func `A service is named to psql in the environment alone`() throws {
    let tools = "/tmp/sampling-psql-\(UUID().uuidString.prefix(8))"
    try HostFiles.makeDirectory(tools, mode: 0o755)
    defer { try? FileManager.default.removeItem(atPath: tools) }
    let script =
      "#!/bin/sh\nfor a in \"$@\"; do case \"$a\" in *service*) echo given 1;; esac; done\n"
      + "echo named_$PGSERVICE 1\n"
    try script.write(toFile: tools + "/psql", atomically: true, encoding: .utf8)
    try HostFiles.setMode(tools + "/psql", 0o755)
    let bench = try CheckBench(environment: ["PATH=\(tools):/usr/bin:/bin"], withServers: false)
    var probe = ProbeSetting.once(.postgres, "a")
    probe.service = "main"
    let results = try bench.ask(probe)
    #expect(results["postgres.named_main/a"]?.value == 1)
    #expect(results["postgres.given/a"] == nil)
    try bench.close()
  }

  // MARK: Addresses

  @Test func `Only addresses of this host are probed without permission, and link-local ones only by name`() {
    var permissions = CheckPermissions()
    #expect(permissions.allowsAsking("2130706433", numeric: "127.0.0.1"))
    #expect(permissions.allowsAsking("localhost", numeric: "::1"))
    for numeric in ["0.0.0.0", "::", "::ffff:127.0.0.1", "10.0.0.1", "12.7.0.1", "::1:2"] {
      #expect(!permissions.allowsAsking("localhost", numeric: numeric), "\(numeric)")
    }
    permissions.addresses = ["any"]
    #expect(permissions.allowsAsking("db", numeric: "10.0.0.1"))
    for numeric in ["169.254.169.254", "fe80::1", "FEBF::1", "::ffff:169.254.169.254", "fd00:ec2::254"] {
      #expect(!permissions.allowsAsking("metadata", numeric: numeric), "\(numeric)")
    }
    #expect(!permissions.allowsAsking("any", numeric: "169.254.169.254"))
    permissions.addresses.append("169.254.169.254")
    #expect(permissions.allowsAsking("metadata", numeric: "169.254.169.254"))
  }

  // MARK: Paths

  private func withTree(_ body: (String) throws -> Void) throws {
    let base = "/tmp/signalbox-allow-\(UUID().uuidString.prefix(8))"
    defer { try? FileManager.default.removeItem(atPath: base) }
    for name in [
      "home/u1/logs/a.log", "home/u1/logs/a.log.1", "home/u1/logs/deep/b.log", "home/u1/logs/key.pem",
      "home/u1/.ssh/id.log", "home/u2/logs/c.log", "srv-1/run/x.log", "srv-1/secret/y.log", "other/z.log",
    ] {
      try HostFiles.makeDirectory(HostFiles.directory(of: base + "/" + name), mode: 0o755)
      try HostFiles.replace(base + "/" + name, with: [0x61])
    }
    try body(try HostFiles.resolve(base))
  }

  @Test func `A pattern of --follow opens what it matches and nothing beside it`() throws {
    try withTree { base in
      let allowed = AllowedPaths(roots: [], patterns: [base + "/home/*/logs/*.log", base + "/srv-*/run/**"])
      let files = LinuxFollowedFileSystem(allowed: allowed, isWatching: false)
      for name in ["home/u1/logs/a.log", "home/u2/logs/c.log", "srv-1/run/x.log"] {
        #expect(files.open(base + "/" + name) != nil, "\(name)")
      }
      for name in [
        "home/u1/.ssh/id.log", "home/u1/logs/key.pem", "home/u1/logs/deep/b.log", "home/u1/logs/a.log.1",
        "srv-1/secret/y.log", "other/z.log", "srv-1/run/../secret/y.log",
      ] {
        #expect(files.open(base + "/" + name) == nil, "\(name)")
      }
      let found = files.list([
        GlobPattern(base + "/home/*/.ssh/*"), GlobPattern(base + "/**"), GlobPattern(base + "/*/*/*"),
        GlobPattern("/etc/*"), GlobPattern(base + "/home/*/logs/*"), GlobPattern(base + "/srv-1/run/*"),
      ])
      #expect(
        found.map { $0.path.dropFirst(base.count) } == [
          "/home/u1/logs/a.log", "/home/u2/logs/c.log", "/srv-1/run/x.log",
        ])
      // A rotated file is found beside the one that matched, and opened only as such.
      #expect(files.neighbours(of: base + "/home/u1/logs/a.log").contains { $0.path.hasSuffix("/a.log.1") })
      #expect(files.open(base + "/home/u1/logs/a.log.1") != nil)
      #expect(files.open(base + "/home/u1/.ssh/id.log") == nil)
    }
  }

  @Test func `A link leads a pattern nowhere else`() throws {
    try withTree { base in
      try HostFiles.link(base + "/home/u1/.ssh/id.log", at: base + "/home/u1/logs/l.log")
      try HostFiles.link(base + "/home/u1/.ssh", at: base + "/home/u3")
      try HostFiles.link(base + "/home/u1/logs/a.log", at: base + "/home/u2/logs/good.log")
      try HostFiles.link(base + "/home", at: base + "/users")
      let allowed = AllowedPaths(roots: [], patterns: [base + "/users/*/logs/*.log"])
      let files = LinuxFollowedFileSystem(allowed: allowed, isWatching: false)
      let found = files.list([GlobPattern(base + "/users/*/logs/*.log")]).map { $0.path.dropFirst(base.count) }
      #expect(found == ["/users/u1/logs/a.log", "/users/u2/logs/c.log", "/users/u2/logs/good.log"])
      #expect(files.open(base + "/users/u1/logs/l.log") == nil)
    }
  }

  @Test func `What is not there allows nothing`() throws {
    try withTree { base in
      var permissions = CheckPermissions()
      permissions.programs = [base + "/missing/.."]
      permissions.paths = [base + "/missing/..", base + "/missing/../other", base + "/gone"]
      permissions.patterns = [base + "/nowhere-*/../*", base + "/none/x/*.log", "*.log", ""]
      for path in ["/usr/bin/id", "/bin/sh", "/etc/passwd", base + "/other/z.log", base + "/missing/x", "/"] {
        #expect(!permissions.allowsRunning(path), "\(path)")
        #expect(!permissions.allowsReading(path), "\(path)")
        #expect(!permissions.allowsListing(path), "\(path)")
      }
      // A root that comes later allows what is below it.
      #expect(permissions.allowsReading(base + "/gone/a"))
      let files = LinuxFollowedFileSystem(allowed: permissions.allowed, isWatching: false)
      #expect(files.list([GlobPattern("/etc/*"), GlobPattern(base + "/**")]).isEmpty)
      #expect(files.open("/etc/hostname") == nil)
    }
  }

  @Test func `A probe sees of a pattern no more than following does`() throws {
    try withTree { base in
      var permissions = CheckPermissions()
      permissions.patterns = [base + "/home/*/logs/*.log"]
      let checks = Checks(permissions)
      #expect(checks.answer(Self.probe(.file, base + "/home/u1/logs/*.log")).answer.state == .ok)
      #expect(checks.answer(Self.probe(.file, base + "/home/u1/logs/a.log")).answer.state == .ok)
      #expect(checks.answer(Self.probe(.file, base + "/home/u1/.ssh/*")).answer.state == .unknown)
      #expect(checks.answer(Self.probe(.file, base + "/home/u1/.ssh/id.log")).answer.state == .unknown)
      #expect(checks.answer(Self.probe(.file, base + "/home/*/.ssh/*")).answer.state == .failed)
      #expect(checks.answer(Self.probe(.certificate, base + "/home/u1/logs/key.pem")).answer.state == .unknown)
    }
  }

  @Test func `Options that allow take no path that goes up`() {
    for option in ["--follow", "--allow", "--allow-command"] {
      #expect(throws: UsageError.self, "\(option)") {
        try AgentCommand.parse(["run", "--state-dir", "/x", option, "/missing/.."])
      }
    }
  }
}
