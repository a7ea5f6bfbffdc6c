import EventLoop
import Files
import FleetModel
import Foundation
import Testing

@testable import Agent

/// Configured probes of files and programs, asked by a real probe process.
@Suite(.serialized, .timeLimit(.minutes(10))) struct CheckHostTests {
  @Test func `A file is as old as its newest match; none is a failure`() throws {
    let bench = try CheckBench(withServers: false)
    try bench.write("models/a.pth", "12345")
    try bench.write("models/deep/b.pth", "1234567")
    try bench.age("models/a.pth", 1000)
    try bench.age("models/deep/b.pth", 300)
    let results = try bench.ask([
      .once(.file, "any", bench.directory + "/models/**/*.pth"), .once(.file, "one", bench.directory + "/models/a.pth"),
      .once(.file, "none", bench.directory + "/models/*.onnx"), .once(.file, "nowhere", bench.directory + "/not/*.pth"),
    ])
    let any = try #require(results["file/any"])
    #expect(any.state == .ok && any.value >= 300 && any.value < 400 && any.detail.hasSuffix("/models/deep/b.pth"))
    #expect(results["file.bytes/any"]?.value == 7 && results["file.count/any"]?.value == 2)
    #expect((results["file.oldest_seconds/any"]?.value ?? 0) >= 1000)
    #expect((results["file/one"]?.value ?? 0) >= 1000)
    #expect(results["file/none"]?.state == .failed && results["file/nowhere"]?.state == .failed)
    try bench.close()
  }

  @Test func `A backup is compared with the one before it`() throws {
    let bench = try CheckBench(withServers: false)
    try bench.write("backup/full-1.dump", String(repeating: "x", count: 1000))
    try bench.write("backup/full-2.dump", String(repeating: "x", count: 400))
    try bench.write("backup/incremental-1.dump", "x")
    try bench.age("backup/full-1.dump", 200_000)
    try bench.age("backup/full-2.dump", 100_000)
    let results = try bench.ask([
      .once(.backup, "full", bench.directory + "/backup/full-*.dump"),
      .once(.backup, "first", bench.directory + "/backup/incremental-*.dump"),
      .once(.backup, "none", bench.directory + "/backup/none-*"),
    ])
    let full = try #require(results["backup/full"])
    #expect(full.state == .ok && full.value >= 100_000 && full.value < 101_000)
    #expect(results["backup.size_ratio/full"]?.value == 0.4)
    #expect(results["backup/first"]?.state == .ok && results["backup.size_ratio/first"] == nil)
    #expect(results["backup/none"]?.state == .failed)
    try bench.close()
  }

  @Test func `Models whose description breaks off, or is missing, are counted, and the first is named`() throws {
    let bench = try CheckBench(withServers: false)
    func model(_ name: String, _ json: String?) throws {
      try bench.write("models/\(name).pth", "weights")
      try bench.age("models/\(name).pth", 1000)
      guard let json else { return }
      try bench.write("models/\(name).json", json)
      try bench.age("models/\(name).json", 1000)
    }
    try model("good", #"{"metrics": {"sharpe_ratio": NaN, "pnl": [1, -2.5e3]}}"#)
    try bench.write("models/unsettled.json", "{\"broken\": ")
    try bench.write("models/unsettled.pth", "weights")
    var probe = ProbeSetting.once(.json, "models", bench.directory + "/models/**/*.json")
    probe.settleNs = 60_000_000_000
    let fine = try bench.ask(probe)
    #expect(fine["json/models"]?.state == .ok && fine["json/models"]?.value == 0)
    #expect(fine["json.checked/models"]?.value == 1 && fine["json.settling/models"]?.value == 1)
    try model("cut", #"{"model_id": "m", "parameters": {"action_size": "#)
    try model("empty", "")
    try model("latin", "{\"name\": \"caf\u{fffd}\"} trailing")
    try model("lonely", nil)
    let bad = try bench.ask(probe)
    let result = try #require(bad["json/models"])
    #expect(result.state == .failed && result.value == 4)
    #expect(result.detail.contains("/models/") && bad["json.checked/models"]?.value == 4)
    probe.settleNs = 0
    #expect(try bench.ask(probe)["json/models"]?.value == 5)
    try bench.close()
  }

  @Test func `A command is judged by its exit code and tells its own figures`() throws {
    let bench = try CheckBench(allow: ["--allow-command", "/usr/bin", "--allow-command", "/bin"], withServers: false)
    func shell(_ name: String, _ script: String, timeoutMs: Int64 = 20_000) -> ProbeSetting {
      var probe = ProbeSetting.once(.command, name, "/bin/sh", timeoutMs: timeoutMs)
      probe.arguments = ["-c", script]
      return probe
    }
    let marker = bench.directory + "/survivor"
    let results = try bench.ask([
      shell("fine", "echo queued 7; echo 'all is well'; echo ratio 0.5; echo Not-a-figure 3"),
      shell("bad", "echo 'disk is worn out' >&2; exit 3"), shell("silent", "exit 4"),
      shell("killed", "kill -9 $$"),
      shell("many", "i=0; while [ $i -lt 40 ]; do echo f$i $i; i=$((i+1)); done"),
      shell("loud", "yes | head -c 10000000; exit 0"),
      shell("hang", "(sleep 2; touch \(marker)) & sleep 600", timeoutMs: 300),
      shell("child", "(sleep 2; touch \(marker)) & exit 0"),
    ])
    let fine = try #require(results["command/fine"])
    #expect(fine.state == .ok && fine.value == 0 && fine.detail == "all is well")
    #expect(results["command.queued/fine"]?.value == 7 && results["command.ratio/fine"]?.value == 0.5)
    let bad = try #require(results["command/bad"])
    #expect(bad.state == .failed && bad.value == 3 && bad.detail == "disk is worn out")
    #expect(results["command/silent"]?.detail == "ended with exit code 4")
    #expect(results["command/killed"]?.value == 137 && results["command/killed"]?.state == .failed)
    #expect(results["command.f15/many"]?.value == 15 && results["command.f16/many"] == nil)
    #expect(results["command/loud"]?.state == .ok && results["command/hang"]?.state == .timedOut)
    try bench.close()
    // All that a probe starts ends with it: this one takes longer than what would have made the marker.
    let later = try CheckBench(allow: ["--allow-command", "/bin"], withServers: false)
    _ = try later.ask(shell("later", "sleep 3"))
    #expect(!FileManager.default.fileExists(atPath: marker))
    try later.close()
  }

  @Test func `What the owner does not allow is not asked, whatever links lead there`() throws {
    let bench = try CheckBench(allow: ["--allow-command", "/usr/bin/true"], withServers: false)
    try FileManager.default.createSymbolicLink(
      atPath: bench.directory + "/link", withDestinationPath: "/etc")
    try FileManager.default.createSymbolicLink(
      atPath: bench.directory + "/passwd.json", withDestinationPath: "/etc/passwd")
    var container = ProbeSetting.once(.container, "docker", "x")
    container.socket = "/var/run/docker.sock"
    let results = try bench.ask([
      .once(.file, "etc", "/etc/*"), .once(.file, "up", bench.directory + "/../*"),
      .once(.file, "link", bench.directory + "/link/*"), .once(.json, "linked", bench.directory + "/*.json"),
      .once(.certificate, "etc", "/etc/hostname"), .once(.queue, "etc", "/etc/q.db"), .once(.backup, "etc", "/etc/*"),
      .once(.command, "sh", "/bin/sh"), .once(.command, "up", "/usr/bin/true/../sh"), container,
      .once(.command, "true", "/usr/bin/true"),
    ])
    for name in [
      "file/etc", "file/up", "file/link", "certificate/etc", "queue/etc", "backup/etc", "command/sh",
      "container/docker",
    ] {
      #expect(results[name]?.state == .unknown, "\(name)")
      #expect(results[name]?.detail.contains("does not allow") == true, "\(name)")
    }
    #expect(results["command/up"]?.state != .ok && results["command/true"]?.state == .ok)
    // The link's target is not even looked at.
    #expect(results["json/linked"]?.value == 0 && results["json.checked/linked"]?.value == 0)
    try bench.close()
  }

  @Test func `A unit of systemd is told with its state and restarts`() throws {
    // systemctl as it answers; there is no systemd to ask where tests run.
    let tools = "/tmp/sampling-tools-\(UUID().uuidString.prefix(8))"
    try HostFiles.makeDirectory(tools, mode: 0o755)
    defer { try? FileManager.default.removeItem(atPath: tools) }
    let script = """
      #!/bin/sh
      case "$4" in
        run.service) echo LoadState=loaded; echo ActiveState=active; echo SubState=running; echo Result=success; echo NRestarts=2;;
        loop.service) echo LoadState=loaded; echo ActiveState=activating; echo SubState=auto-restart; echo Result=exit-code; echo NRestarts=9;;
        none.service) echo LoadState=not-found; echo ActiveState=inactive; echo SubState=dead; echo NRestarts=0;;
        slow.service) sleep 600;;
        *) echo 'Failed to connect to bus' >&2; exit 1;;
      esac
      """
    try script.write(toFile: tools + "/systemctl", atomically: true, encoding: .utf8)
    try HostFiles.setMode(tools + "/systemctl", 0o755)
    let bench = try CheckBench(environment: ["PATH=\(tools):/usr/bin:/bin"], withServers: false)
    let results = try bench.ask([
      .once(.unit, "run", "run.service"), .once(.unit, "loop", "loop.service"), .once(.unit, "none", "none.service"),
      .once(.unit, "other", "other.service"), .once(.unit, "slow", "slow.service", timeoutMs: 300),
    ])
    #expect(results["unit/run"]?.state == .ok && results["unit/run"]?.value == 2)
    #expect(results["unit/loop"]?.state == .failed && results["unit/loop"]?.value == 9)
    #expect(results["unit/loop"]?.detail == "activating (auto-restart), exit-code")
    #expect(results["unit/none"]?.state == .failed && results["unit/slow"]?.state == .timedOut)
    #expect(results["unit/other"]?.state == .unknown && results["unit/other"]?.detail == "Failed to connect to bus")
    try bench.close()
  }

  @Test func `Hanging probes keep neither the others waiting nor the process from ending`() throws {
    let bench = try CheckBench(allow: ["--allow-command", "/usr/bin"])
    var probes = (0..<14).map { ProbeSetting.once(.tcp, "h\($0)", "", timeoutMs: 60_000) }
    for index in probes.indices {
      probes[index] = .once(.redis, "h\(index)", bench.address("silent"), timeoutMs: 60_000)
    }
    bench.runner.setProbes(probes + [.once(.redis, "quick", bench.address("redis"))])
    var names: [String] = []
    while names.isEmpty {
      names = bench.runner.takeRecords().probes.map(\.name)
      try bench.loop.turn(maximumWaitNs: 100_000_000)
    }
    #expect(names == ["redis/quick"])
    let processes = bench.runner.processIDs
    #expect(processes.count == 1)
    let copies = Self.children(of: processes[0])
    #expect(copies.count >= 14)
    // Killed with no chance to clean up: the copies end with it.
    kill(processes[0], SIGKILL)
    while copies.contains(where: { FileManager.default.fileExists(atPath: "/proc/\($0)/exe") }) {
      try bench.loop.turn(maximumWaitNs: 10_000_000)
    }
    try bench.close()
  }

  private static func children(of pid: Int32) -> [Int32] {
    let text = (try? HostFiles.read("/proc/\(pid)/task/\(pid)/children")) ?? []
    return String(decoding: text, as: UTF8.self).split(separator: " ").compactMap { Int32($0) }
  }
}
