import Files
import Foundation
import Testing

extension EndToEndTests {
  /// `signalbox hosts …` beside a real collector: what is printed in every format, and each refusal with its exit code.
  @Suite(.timeLimit(.minutes(10))) struct HostCommands {
    private let fleet: TestFleet

    init() throws {
      fleet = try TestFleet("hosts")
      try fleet.startCollector()
    }

    private func invite(_ words: String...) throws -> String {
      let result = try Program.run(
        "signalbox", ["hosts", "invite"] + words, environment: ["SIGNALBOX_DATABASE_URL": fleet.databaseURL])
      #expect(result.code == 0 && result.errors.hasPrefix("invited '"), "\(result.errors)")
      #expect(result.output.hasSuffix("\n") && result.output.split(separator: "\n").count == 1)
      return result.output.trimmingCharacters(in: .newlines)
    }

    private func agent(
      _ state: String, _ words: [String], input: String = "", environment: [String: String] = [:]
    ) throws -> Program.Result {
      try Program.run(
        "signalbox-agent", ["join"] + words + ["--state-dir", fleet.directory + "/" + state],
        environment: environment, input: input)
    }

    /// The rows of a listing: the same ones in every format, and nothing wider than a terminal of 80 columns.
    private func rows(_ words: String...) throws -> [[String: Any]] {
      func run(_ more: [String]) throws -> String {
        let result = try Program.run(
          "signalbox", words + more, environment: ["SIGNALBOX_DATABASE_URL": fleet.databaseURL, "COLUMNS": "80"])
        #expect(result.code == 0, "\(words) \(more): \(result.errors)")
        return result.output
      }
      let rows = try #require(try Outputs.json(run(["--format", "json"])) as? [[String: Any]])
      let lines = try run(["--format", "ndjson"]).split(separator: "\n").map { try Outputs.json(String($0)) }
      #expect(lines.count == rows.count)
      let table = Outputs.csv(try run(["--format", "csv"]))
      #expect(table.count == rows.count + 1 && Set(table.map(\.count)).count == 1)
      #expect(Set(table[0]) == Set(rows.flatMap(\.keys)), "\(table[0])")
      for line in try run([]).split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
      #expect(try run(["--wide"]).split(separator: "\n").count == rows.count + 1)
      return rows
    }

    @Test func invitationsAreMadeListedAndWithdrawn() throws {
      defer { fleet.tearDown() }
      let empty = try fleet.signalbox("hosts", "invitations")
      #expect(empty.code == 3 && empty.errors.contains("no invitation is open"), "\(empty)")
      _ = try invite("one", "--expires", "2h", "--label", "role=trainer", "--label", "rack=a")
      _ = try invite("gpu-*", "--count", "3", "--expires", "7d")
      let open = try rows("hosts", "invitations")
      #expect(open.map { $0["host"] as? String } == ["gpu-*", "one"])
      #expect(open.map { $0["uses_max"] as? Int } == [3, 1] && open.allSatisfy { $0["joined"] as? Int == 0 })
      #expect(open.allSatisfy { $0["state"] as? String == "open" })
      let ends = """
        select count(*) from signalbox.join_tokens
        where expires between now() + $1::interval - interval '1 min' and now() + $1::interval
        """
      #expect(try fleet.value(ends.replacingOccurrences(of: "$1", with: "'2 h'")) == 1)
      #expect(try fleet.value(ends.replacingOccurrences(of: "$1", with: "'7 d'")) == 1)
      let labels =
        "select count(*) from signalbox.join_tokens where labels = '{\"role\": \"trainer\", \"rack\": \"a\"}'"
      #expect(try fleet.value(labels) == 1)
      let id = try #require(open.last?["id"] as? String)
      let withdrawn = try fleet.signalbox("hosts", "uninvite", id)
      #expect(withdrawn.code == 0 && withdrawn.errors.isEmpty, "\(withdrawn)")
      #expect(try rows("hosts", "invitations").count == 1)
      let all = try rows("hosts", "invitations", "--all")
      #expect(all.count == 2 && all.contains { $0["state"] as? String == "withdrawn" && $0["id"] as? String == id })
    }

    @Test func aTokenComesFromStandardInputAFileOrTheEnvironment() throws {
      defer { fleet.tearDown() }
      let file = fleet.directory + "/token"
      try HostFiles.replace(file, with: Array((try invite("b") + "\n").utf8), mode: 0o600)
      let joins = [
        try agent("a", ["-"], input: try invite("a") + "\n"), try agent("b", ["--token-file", file]),
        try agent("c", [], environment: ["SIGNALBOX_JOIN_TOKEN": try invite("c")]),
      ]
      for join in joins { #expect(join.code == 0, "\(join.errors)") }
      #expect(try rows("hosts", "list").map { $0["host"] as? String } == ["a", "b", "c"])
      for (words, code, part) in [
        (["-"], 2, "token"), (["--token-file", fleet.directory + "/none"], 2, "/none"), ([], 2, "token"),
      ] as [([String], Int32, String)] {
        let result = try agent("d", words)
        #expect(result.code == code && result.errors.contains(part), "\(words): \(result)")
        #expect(result.errors.split(separator: "\n").count == 1 && result.output.isEmpty)
      }
    }

    @Test func aTokenForSeveralHostsCountsThem() throws {
      defer { fleet.tearDown() }
      let name = ProcessInfo.processInfo.hostName
      let token = try invite("*", "--count", "2")
      #expect(try agent("a", [token]).code == 0)
      #expect(try rows("hosts", "invitations").first?["joined"] as? Int == 1)
      // This machine's name is taken by now: another identity under it is refused.
      let second = try agent("b", [token])
      #expect(second.code == 1 && second.errors.split(separator: "\n").count == 1, "\(second.errors)")
      #expect(try fleet.json("hosts", "list").map { $0["host"] as? String } == [name])
    }

    @Test func hostsAreRenamedLabelledAndRemoved() throws {
      defer { fleet.tearDown() }
      try fleet.join("one")
      let labelled = try fleet.signalbox("hosts", "label", "one", "role=trainer", "rack=a")
      #expect(labelled.output == "host 'one' has the labels rack=a role=trainer\n" && labelled.errors.isEmpty)
      let changed = try fleet.signalbox("hosts", "label", "one", "rack-", "role=eval").output
      #expect(changed == "host 'one' has the labels role=eval\n")
      let renamed = try fleet.signalbox("hosts", "rename", "one", "two")
      #expect(renamed.code == 0 && renamed.output == "host 'one' is called 'two' now\n" && renamed.errors.isEmpty)
      let host = try #require(try rows("hosts", "list").first)
      #expect(host["host"] as? String == "two" && "\(host["labels"] ?? "")".contains("eval"), "\(host)")
      #expect(try rows("hosts", "show", "two").count == 1)
      let removed = try fleet.signalbox("hosts", "remove", "two")
      #expect(removed.code == 0 && removed.errors.isEmpty && removed.output.split(separator: "\n").count == 1)
      let none = try fleet.signalbox("hosts", "list")
      #expect(none.code == 3 && none.errors.contains("no host has joined"), "\(none)")
      #expect(
        try fleet.value(
          "select count(distinct action) from signalbox.audit_log where action in ('hosts.label', 'hosts.rename', 'hosts.remove')"
        ) == 3)
    }

    /// Without a reload and without a restart; and back where the new name fits no entry.
    @Test func labelsByNameFollowARenamedHostAtOnce() throws {
      let fleet = try TestFleet("renamed")
      defer {
        fleet.tearDown()
        self.fleet.tearDown()
      }
      let configuration = fleet.directory + "/signalbox.yaml"
      let yaml = "hosts:\n  \"gpu-*\": { labels: { role: trainer } }\n"
      try HostFiles.replace(configuration, with: Array(yaml.utf8))
      try fleet.startCollector(["--config", configuration])
      try fleet.join("one")
      func labels(_ name: String) throws -> String? {
        try fleet.json("hosts", "show", name).first?["labels"].map { "\($0)" }
      }
      #expect(try labels("one")?.contains("trainer") == false)
      #expect(try fleet.signalbox("hosts", "rename", "one", "gpu-1").code == 0)
      try fleet.eventually("the labels of its new name") {
        try labels("gpu-1")?.contains("trainer") == true
      }
      #expect(try fleet.signalbox("hosts", "rename", "gpu-1", "cpu-1").code == 0)
      try fleet.eventually("no labels") { try labels("cpu-1")?.contains("trainer") == false }
    }

    /// One sentence on standard error, nothing on standard output, and the code by which a script decides.
    @Test func whatCannotBeDoneIsSaidInOneSentence() throws {
      defer { fleet.tearDown() }
      try fleet.join("here")
      try fleet.join("other", state: fleet.directory + "/other")
      let cases: [([String], Int32, String)] = [
        (["rename", "gone", "new"], 3, "no active host is called 'gone'"),
        (["rename", "here", "no name"], 2, "'no name' is no host name"),
        (["rename", "here", ""], 2, "is no host name"), (["rename", "here", "gpu-*"], 2, "is no host name"),
        (["rename", "here", "other"], 1, "'other'"), (["rename", "here"], 2, "new-name"),
        (["label", "gone", "a=b"], 3, "no active host is called 'gone'"), (["label", "here"], 2, "say what to change"),
        (["label", "here", "role"], 2, "'role' is no label"), (["label", "here", "=x"], 2, "label"),
        (["label", "here", "a b=c"], 2, "a b"), (["label", "here", "-"], 2, "is no label"),
        (["label", "here", "a=" + String(repeating: "x", count: 5000)], 2, "label"),
        (["label", "here", "a=\u{1b}[31m"], 2, "label"), (["remove", "gone"], 3, "no active host is called 'gone'"),
        (["revoke", "gone"], 3, "no active host is called 'gone'"), (["show", "gone"], 3, "'gone'"),
        (["uninvite", "gone"], 3, "no open invitation has the id 'gone'"), (["invite", "here"], 1, "--replace"),
        (["invite", "no name"], 2, "is no host name"), (["invite", "x", "--expires", "40d"], 2, "40d"),
        (["invite", "x", "--expires", "0s"], 2, "0s"), (["invite", "x", "--expires", "soon"], 2, "soon"),
        (["invite", "x", "--count", "0"], 2, "not 0"), (["invite", "x", "--count", "2"], 2, "a *"),
        (["invite", "x-*", "--count", "999999999"], 2, "999999999"), (["invite", "x", "--label", "role"], 2, "'role'"),
        (["invite", "x", "--label", "role-"], 2, "role"), (["invite", "x", "--address", "0.0.0.0:1"], 2, "0.0.0.0:1"),
      ]
      for (words, code, part) in cases {
        let result = try Program.run(
          "signalbox", ["hosts"] + words, environment: ["SIGNALBOX_DATABASE_URL": fleet.databaseURL])
        let words = words.map { String($0.prefix(40)) }
        #expect(result.code == code && result.errors.contains(part), "\(words): \(result)")
        #expect(result.errors.split(separator: "\n").count == 1, "\(words): \(result.errors)")
        #expect(result.output.isEmpty && !result.errors.unicodeScalars.contains("\u{1b}"), "\(words)")
        #expect(result.errors.utf8.count < 400, "\(words): \(result.errors)")
      }
      #expect(try fleet.json("hosts", "list").count == 2 && fleet.signalbox("hosts", "invitations").code == 3)
    }
  }
}
