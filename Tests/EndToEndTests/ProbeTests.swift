import Files
import Foundation
import Testing

extension EndToEndTests {
  /// What a profile asks for is asked on the host, within what its owner allows, and stands in the database.
  @Suite(.timeLimit(.minutes(10))) struct Probes {
    private static func write(_ fleet: TestFleet, _ probes: String) throws -> String {
      let path = fleet.directory + "/signalbox.yaml"
      let yaml = "profiles:\n  - match: {}\n    probes:\n" + probes
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
    }
  }
}
