import FleetModel
import Incidents
import Foundation
import Postgres
import Store
import TestSupport
import Testing

extension EndToEndTests {
  /// What people run before the collector reads their files, and what the collector says of the same ones.
  @Suite(.timeLimit(.minutes(10))) struct ConfigCommands {
    let directory = NSTemporaryDirectory() + "/signalbox-config-command-\(UUID().uuidString)"

    static let rule = "- { id: SITE-01, title: Boom, severity: P1, when: { log: { text: BOOM } } }\n"
    static let wrong = """
      rules: [rules.yaml]
      maintenance:
        - { name: a, match: { rule: SITE-1 }, reason: x, cron: "0 2 * * 0", for: 2h }
      paging:
        receivers: { duty: { slack: { url: "http://127.0.0.1:1" } } }
        policies:
          P0: [{ to: duty, digest: yes }, { to: lead }]
          P1: [{ to: duty }]

      """

    func write(_ text: String, _ name: String) throws -> String {
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
      try text.write(toFile: directory + "/" + name, atomically: true, encoding: .utf8)
      return directory + "/" + name
    }

    func end() { try? FileManager.default.removeItem(atPath: directory) }

    @Test func everyMistakeIsPrintedWithItsPlaceAndTheCollectorSaysTheSame() throws {
      defer { end() }
      _ = try write(Self.rule, "rules.yaml")
      let path = try write(Self.wrong, "signalbox.yaml")
      let own = [
        "\(path):7:30: paging.policies.P0[0].digest: digest must be true or false, not 'yes'; write true",
        "\(path):7:43: paging.policies.P0[1].to: no receiver or schedule is called 'lead'; there are: duty",
      ]
      let unknown = "\(path):3:31: maintenance[0].match.rule: 'SITE-1' matches no rule; did you mean 'SITE-01'?"
      let result = try Program.run("signalbox", ["config", "check", path])
      #expect(result.output == ([unknown] + own).map { $0 + "\n" }.joined())
      #expect(result.code == 1 && result.errors == "signalbox: 3 mistakes\n")
      let json = try Program.run("signalbox", ["config", "check", path, "--format", "json"])
      let rows = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [[String: Any]]
      #expect(
        rows?.map { $0["path"] as? String } == [
          "maintenance[0].match.rule", "paging.policies.P0[0].digest", "paging.policies.P0[1].to",
        ])
      #expect(json.code == 1 && rows?.last?["line"] as? Int == 7 && rows?.last?["column"] as? Int == 43)

      let collector = try Program.run("signalbox-collector", ["--state-dir", directory + "/state", "--config", path])
      #expect(collector.code == 2)
      for sentence in own { #expect(collector.errors.contains(sentence), "\(collector.errors)") }
      #expect(collector.errors.contains("(and 1 more; signalbox config check prints all)"))
    }

    @Test func aRightFileIsRightAndItsRulesAreReadToo() throws {
      defer { end() }
      let rules = try write(Self.rule, "rules.yaml")
      let path = try write("rules: [rules.yaml]\n", "signalbox.yaml")
      #expect(try Program.run("signalbox", ["config", "check", path]).output == "\(path): no mistakes\n")
      _ = try write(Self.rule.replacing("log:", with: "logg:"), "rules.yaml")
      let result = try Program.run("signalbox", ["config", "check", path])
      #expect(result.code == 1 && result.output.hasPrefix("\(rules):1:"), "\(result.output)")
      // Other rules than those that it names.
      let other = try write(Self.rule, "other.yaml")
      #expect(try Program.run("signalbox", ["config", "check", path, "--rules", other]).code == 0)
      let none = try Program.run("signalbox", ["config", "check", directory + "/none.yaml"])
      #expect(none.code == 1 && none.errors.contains("--config"))
    }

    /// A pattern may be for rules to come.
    @Test func aNoteIsNoFailure() throws {
      defer { end() }
      let entry = "{ name: a, match: { rule: \"SITE-*\" }, reason: x, cron: \"0 2 * * 0\", for: 2h }"
      let path = try write("maintenance: [\(entry)]\n", "signalbox.yaml")
      let result = try Program.run("signalbox", ["config", "check", path])
      #expect(result.code == 0 && result.output.contains("note: 'SITE-*' matches no rule"), "\(result.output)")
    }

    @Test func aSeverityThatPagesNobodyIsPrintedAndLogged() throws {
      defer { end() }
      let path = try write(
        "paging:\n  receivers: { duty: { slack: { url: \"http://127.0.0.1:1\" } } }\n  policies: { P2: [{ to: duty }] }\n",
        "signalbox.yaml")
      let sentence = "P0 has no policy: such incidents page nobody; write such as P0: [{ to: duty }]"
      let result = try Program.run("signalbox", ["config", "check", path])
      #expect(result.code == 1 && result.output.contains("\(path):3:13: paging.policies: \(sentence)"), "\(result)")
      #expect(result.output.contains("note: P1 has no policy"))
      // It warns before it looks for its database.
      let collector = try Program.run(
        "signalbox-collector",
        ["--state-dir", directory + "/state", "--config", path, "--database", "postgresql://127.0.0.1:1/none"])
      #expect(
        collector.errors.contains(sentence)
          && collector.errors.contains("a severity pages nobody, or the fallback alone"), "\(collector)")
    }

    @Test func rulesCheckKnowsTheShippedRules() throws {
      defer { end() }
      let rule =
        "- { id: SITE-02, title: t, severity: P1, scope: fleet, mutes: [RUN-03], when: { hosts: AGT-01, above: 50% } }\n"
      let right = try Program.run("signalbox", ["rules", "check", write(rule, "a.yaml")])
      #expect(right.code == 0 && right.output == "1 rules, no mistakes\n", "\(right.output)")
      let wrong = try Program.run(
        "signalbox", ["rules", "check", write(rule.replacing("AGT-01", with: "AGT-001"), "a.yaml")])
      #expect(wrong.code == 1 && wrong.output.contains("did you mean 'AGT-01'?"), "\(wrong.output)")
    }

    @Test func aNewSilenceSaysWhatItMatches() throws {
      let database = try TestDatabase()
      let store = try Store.open(database.url, migrating: true)
      defer { store.close() }
      func add(_ words: String...) throws -> Program.Result {
        try Program.run(
          "signalbox", ["silences", "add", "--for", "2h", "--reason", "x"] + words,
          environment: ["SIGNALBOX_DATABASE_URL": database.url.text])
      }
      // No collector has published its rules yet: none can be refused.
      let early = try add("--rule", "RES-1")
      #expect(
        early.code == 0
          && early.errors == "silence 1 is added; it matches no open incident now; signalbox silences end 1 ends it\n",
        "\(early.errors)")

      try store.publishRules(["RES-01", "RES-02", "EPI-01"])
      let now = Int64(Date().timeIntervalSince1970) * 1_000_000_000
      try store.apply(
        ["RES-01", "RES-02"].map {
          IncidentChange(.opened, rule: $0, severity: .p1, hostName: "gpu-1", eventNs: now, detectedNs: now)
        }, policy: .none, nowNs: now)
      let both = try add("--rule", "RES-*")
      #expect(both.code == 0 && both.output == "2\n")
      #expect(both.errors.contains("is added; it matches 2 open incidents and 2 rules: RES-01, RES-02 now; "))
      let future = try add("--rule", "SITE-*")
      #expect(
        future.code == 0 && future.errors.contains("is added; warning: it matches no open incident and no rule now; "))
      let slip = try add("--rule", "RES-1")
      #expect(slip.code == 3 && slip.output.isEmpty)
      #expect(slip.errors == "signalbox: no rule is called 'RES-1'; did you mean 'RES-01'?\n")
      let host = try add("--host", "gpu-2")
      #expect(
        host.code == 0 && host.errors.contains("; warning: it matches no open incident now; no host is called 'gpu-2'"))
      #expect(try add("--host", "gpu 2").code == 2)
      // A refused one has left nothing.
      #expect(
        try Program.run(
          "signalbox", ["silences", "list", "--format", "csv"],
          environment: ["SIGNALBOX_DATABASE_URL": database.url.text]
        ).output.split(separator: "\n").count == 5)
    }
  }
}
