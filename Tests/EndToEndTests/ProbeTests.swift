import Files
import Foundation
import Testing

extension EndToEndTests {
  /// What a profile asks for is asked on the host, within what its owner allows, and stands in the database.
  @Suite(.timeLimit(.minutes(10))) struct Probes {
    private static func write(_ fleet: TestFleet, _ probes: String) throws -> String {
      let path = fleet.directory + "/signalbox.yaml"
      let yaml = "rules: [\"rules/*.yaml\"]\nprofiles:\n  - match: {}\n    probes:\n" + probes
      try HostFiles.replace(path, with: Array(yaml.utf8), mode: 0o644)
      return path
    }

    private static func latest(_ fleet: TestFleet) throws -> [String: [String: Any]] {
      let rows = try fleet.json(
        "query", "select distinct on (name) name, state, value, detail from probe_results order by name, time desc")
      return Dictionary(rows.compactMap { row in (row["name"] as? String).map { ($0, row) } }) { $1 }
    }

    @Test func aProfilesProbesReachTheTableAndChangeWithIt() throws {
      let fleet = try TestFleet("probes")
      defer { fleet.tearDown() }
      try HostFiles.makeDirectory(fleet.directory + "/models", mode: 0o755)
      try HostFiles.makeDirectory(fleet.directory + "/rules", mode: 0o755)
      let rules = """
        - id: SITE-01
          title: Batches arrive
          severity: P3
          scope: probe
          when: { metric: probe.value, of: "prometheus.signalbox_gateway_batches_received_total.rate/**", above: 0, samples: 3 of 3 }
        - id: SITE-02
          title: No metrics
          severity: P3
          scope: probe
          when: { metric: probe.failed, of: "prometheus/**", equals: 1, samples: 3 of 3 }

        """
      try HostFiles.replace(fleet.directory + "/rules/site.yaml", with: Array(rules.utf8))
      try HostFiles.replace(fleet.directory + "/models/a.json", with: Array("{\"cut\": ".utf8))
      let path = try Self.write(
        fleet,
        """
              - { name: cut, json: { path: "\(fleet.directory)/models/*.json", settle: 0s }, every: 1s }
              - { name: own, command: [/bin/sh, -c, "echo depth 7; echo password=hunter2hunter2"], every: 1s }
              - { name: secret, file: { path: /etc/passwd }, every: 1s }
              - { name: nobody, tcp: { address: "127.0.0.1:1" }, every: 1s }

        """)
      try fleet.startCollector(["--config", path])
      try fleet.join()
      try fleet.startAgent(["--allow", fleet.directory + "/models", "--allow-command", "/bin"])
      try fleet.eventually("the first results") {
        try Self.latest(fleet).keys.filter { !$0.contains(".") }.count == 4
      }
      var results = try Self.latest(fleet)
      #expect(results["json/cut"]?["state"] as? String == "failed" && results["json/cut"]?["value"] as? Double == 1)
      #expect(results["command/own"]?["state"] as? String == "ok")
      #expect(results["command.depth/own"]?["value"] as? Double == 7)
      #expect((results["command/own"]?["detail"] as? String)?.contains("hunter2") == false)
      #expect(results["file/secret"]?["state"] as? String == "unknown")
      #expect(results["tcp/nobody"]?["state"] as? String == "failed")

      // The file is mended, and the profile asks for another thing: neither needs a restart.
      try HostFiles.replace(fleet.directory + "/models/a.json", with: Array("{\"whole\": 1}".utf8))
      _ = try Self.write(
        fleet,
        """
              - { name: cut, json: { path: "\(fleet.directory)/models/*.json", settle: 0s }, every: 1s }
              - { name: centre, http: { url: "http://\(fleet.metricsAddress)/health" }, every: 1s }
              - { name: own, prometheus: { url: "http://\(fleet.metricsAddress)/metrics", keep: ["signalbox_*"] }, every: 1s }
              - { name: page, prometheus: { url: "http://\(fleet.metricsAddress)/health" }, every: 1s }

        """)
      fleet.collector?.signal(SIGHUP)
      try fleet.eventually("the second results") {
        let results = try Self.latest(fleet)
        return results["http/centre"] != nil && results["json/cut"]?["state"] as? String == "ok"
      }
      results = try Self.latest(fleet)
      #expect(results["http/centre"]?["state"] as? String == "ok" && results["http/centre"]?["value"] as? Double == 200)
      let before = try fleet.value("select count(*) from probe_results where name = 'tcp/nobody'")
      let asked = try fleet.value("select count(*) from probe_results where name = 'http/centre'")
      try fleet.eventually("three more answers") {
        try fleet.value("select count(*) from probe_results where name = 'http/centre'") >= asked + 3
      }
      #expect(try fleet.value("select count(*) from probe_results where name = 'tcp/nobody'") == before)

      // The collector's own metrics, and a page that has none: rules see the one and the other.
      try fleet.eventually("both incidents") {
        try fleet.value("select count(distinct rule) from incidents where rule in ('SITE-01', 'SITE-02')") == 2
      }
      results = try Self.latest(fleet)
      #expect(results["prometheus/own"]?["state"] as? String == "ok")
      #expect(results["prometheus/page"]?["state"] as? String == "failed")
      #expect(results["prometheus.left_out/own"]?["value"] as? Double == 0)
      #expect(results["prometheus.unreadable_lines/own"]?["value"] as? Double == 0)
      #expect(results.keys.contains { $0.hasPrefix("prometheus.signalbox_writer_commit_duration_seconds.p95/own") })
      #expect((results["prometheus.signalbox_writer_rows_committed_total.rate/own"]?["value"] as? Double ?? 0) >= 0)
    }
  }
}
