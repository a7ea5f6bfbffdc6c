import Files
import Foundation
import Testing

/// The main job with real programs. One suite at a time: each starts a database and several processes.
@Suite(.serialized) struct EndToEndTests {
  @Suite(.timeLimit(.minutes(10))) struct MainJob {
    @Test func aHostsFilesBecomeRowsThatOperatorsSee() throws {
      let fleet = try TestFleet("main")
      defer { fleet.tearDown() }
      try fleet.startCollector()
      try fleet.join("gpu-host-1")
      let socket = fleet.directory + "/agent.sock"
      try fleet.startAgent(["--socket", socket])

      let lines = (0..<5000).map { "2026-11-21 08:00:00,\(String(format: "%03d", $0 % 1000)) - INFO - number \($0)\n" }
      try fleet.write("app.log", Array(lines.joined().utf8))
      try fleet.eventually("5000 lines") { try fleet.value("select count(*) from log_lines") == 5000 }
      #expect(try fleet.value("select count(distinct message) from log_lines") == 5000)

      let status = try fleet.json("fleet", "status")
      let host = try #require(status.first)
      #expect(host["host"] as? String == "gpu-host-1")
      #expect(host["state"] as? String == "live")
      for key in [
        "last_seen", "cpu_busy_percent", "memory_used_percent", "disk_used_percent_max", "load1", "gpus", "runs_live",
      ] {
        #expect(host.keys.contains(key), "fleet status lacks \(key)")
      }
      try fleet.eventually("a sample with CPU figures") {
        try fleet.json("fleet", "status").first?["cpu_busy_percent"] is Double
      }

      let found = try fleet.signalbox("logs", "--format", "ndjson", "--since", "3650d", "--text", "number 4711")
      #expect(found.code == 0)
      let line = try #require(
        JSONSerialization.jsonObject(with: Data(found.output.utf8)) as? [String: Any], "\(found.output) \(found.errors)"
      )
      #expect(Set(line.keys).isSuperset(of: ["time", "received", "host", "file", "offset", "level", "message"]))
      #expect(line["level"] as? String == "INFO")
      #expect((line["file"] as? String)?.hasSuffix("/app.log") == true)
      #expect(line["offset"] as? Int == lines[..<4711].map(\.utf8.count).reduce(0, +))

      #expect(try fleet.signalbox("gaps").code == 3)
      #expect(try fleet.signalbox("logs", "--text", "no such line").code == 3)
      let counted = try fleet.signalbox("query", "select count(*) as n from log_lines", "--format", "csv")
      #expect(counted.output == "n\n5000\n", "\(counted.errors)")
      try Self.endsOfProcessesArrive(fleet, socket)
    }

    /// With its exact status within 3 s: what `exec` runs, and what the agent found by itself.
    private static func endsOfProcessesArrive(_ fleet: TestFleet, _ socket: String) throws {
      let found = Process()
      found.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
      found.arguments = ["-c", "import time; time.sleep(600)"]
      try found.run()
      defer { found.terminate() }
      for (script, code, column) in [("exit 7", 7, "exit_code"), ("kill -9 $$", 9, "exit_signal")]
        as [(String, Int32, String)]
      {
        let words = ["exec", "--name", "job\(code)", "--socket", socket, "--", "/bin/sh", "-c", script]
        #expect(try Program.run("signalbox-agent", words).code == code)
        try fleet.eventually("the end of job\(code)", within: 3) {
          try fleet.value(
            "select count(*) from events where subject like 'job\(code)[%' and exit_known and \(column) = \(code)") == 1
        }
      }
      let pid = found.processIdentifier
      try fleet.eventually("its samples") {
        try fleet.value("select count(*) from process_samples where pid = \(pid)") > 0
      }
      kill(pid, SIGKILL)
      // Since Linux 6.15 it is known of processes that are no children.
      let release = try String(contentsOfFile: "/proc/sys/kernel/osrelease", encoding: .utf8).split(separator: ".")
      let isNew = release.count > 1 && (Int(release[0]) ?? 0, Int(release[1]) ?? 0) >= (6, 15)
      let how = isNew ? "exit_known and exit_signal = 9" : "exit_known is not null"
      try fleet.eventually("its end", within: 3) {
        try fleet.value("select count(*) from events where kind = 'process_exit' and pid = \(pid) and \(how)") == 1
      }
      // It is the process of the samples, and no end comes twice.
      #expect(
        try fleet.value(
          "select count(*) from events e join process_samples s on s.pid = e.pid and s.started = e.started and s.has_exited where e.pid = \(pid)"
        )
          == 1)
      #expect(try fleet.value("select count(*) from events where kind = 'process_exit' and pid is not null") >= 3)
      #expect(
        try fleet.value(
          "select count(*) from (select from events where kind = 'process_exit' group by pid, started having count(*) > 1) twice"
        ) == 0)
    }

    @Test func anUnchangedTrainingScriptsEpisodesAreSeen() throws {
      let fleet = try TestFleet("training")
      defer { fleet.tearDown() }
      try fleet.startCollector()
      try fleet.join()
      try fleet.startAgent()
      var csv = "episode,step,action,reward,balance,shares_held,current_price,portfolio_value,current_position\r\n"
      for episode in 1...3 {
        for step in 1...200 {
          let value = 10_000.0 + Double(step) * (episode == 2 ? -1 : 1)
          csv += "\(episode),\(step),1,0.5,100.0,32,300.0,\(value),\(step % 50 == 0 ? 0 : 1)\r\n"
        }
      }
      try fleet.write("training_log.csv", Array(csv.utf8))
      try fleet.eventually("two completed episodes") {
        try fleet.json("episodes", "list", "--status", "completed").count == 2
      }
      #expect(try fleet.value("select count(*) from training_steps") == 600)
      let episodes = try fleet.json("episodes", "list")
      let second = try #require(episodes.first { $0["episode"] as? Int == 2 })
      #expect(second["steps"] as? Int == 200)
      #expect(second["total_reward"] as? Double == 100)
      #expect(second["pnl"] as? Double == -199)
      #expect(second["win_rate_ratio"] as? Double == 0)
      let first = try #require(episodes.first { $0["episode"] as? Int == 1 })
      #expect(first["win_rate_ratio"] as? Double == 1)
      #expect(first["max_drawdown_ratio"] as? Double == 0)
      #expect(try fleet.json("runs", "latest").first?["episodes"] as? Int == 3)
      let check = try #require(try fleet.json("episodes", "check").first)
      #expect(check["completed"] as? Int == 2)
      #expect(check["running"] as? Int == 1)
    }

    @Test func theMetricsPortTellsHealthAndCounters() throws {
      let fleet = try TestFleet("metrics")
      defer { fleet.tearDown() }
      try fleet.startCollector()
      let health = try Program.run("/usr/bin/curl", ["-sS", "http://\(fleet.metricsAddress)/health"])
      #expect(health.output == "ok\n", "\(health.errors)")
      let metrics = try Program.run("/usr/bin/curl", ["-sS", "http://\(fleet.metricsAddress)/metrics"])
      #expect(metrics.output.contains("signalbox_writer_rows_committed_total"))
    }

    @Test func stoppingDrainsBothSidesAndLosesNothing() throws {
      let fleet = try TestFleet("drain")
      defer { fleet.tearDown() }
      try fleet.startCollector()
      try fleet.join()
      try fleet.startAgent()
      let writer = NumberedWriter(path: fleet.logs + "/numbers.log", linesPerSecond: 2000)
      writer.start()
      for _ in 0..<3 {
        usleep(500_000)
        #expect(fleet.stopAgent() == 0)
        try fleet.restartAgent()
        usleep(500_000)
        #expect(fleet.stopCollector() == 0)
        try fleet.startCollector()
      }
      let written = writer.stop()
      try fleet.eventually("all lines") { try fleet.value("select count(*) from log_lines") >= Int64(written) }
      #expect(try fleet.value("select count(*) from log_lines") == Int64(written))
      #expect(try fleet.value("select count(distinct message) from log_lines") == Int64(written))
    }
  }
}
