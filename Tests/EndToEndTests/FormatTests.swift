import FleetModel
import Incidents
import Foundation
import Postgres
import Store
import TestSupport
import Testing

extension EndToEndTests {
  /// What scripts get of commands that change something.
  @Suite(.timeLimit(.minutes(10))) struct Formats {
    let database: TestDatabase
    let store: Store

    init() throws {
      database = try TestDatabase()
      store = try Store.open(database.url, migrating: true)
    }

    func run(_ words: String...) throws -> Program.Result {
      try Program.run("signalbox", words, environment: ["SIGNALBOX_DATABASE_URL": database.url.text])
    }

    func row(_ result: Program.Result) throws -> [String: Any] {
      #expect(result.code == 0, "\(result.errors)")
      let rows = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [[String: Any]]
      #expect(rows?.count == 1)
      return try #require(rows?.first)
    }

    @Test func whatWasChangedIsToldAsItIsNow() throws {
      let now = Int64(Date().timeIntervalSince1970) * 1_000_000_000
      let change = IncidentChange(.opened, rule: "A", severity: .p1, hostName: "h", eventNs: now, detectedNs: now)
      try store.apply([change], policy: .none, nowNs: now)
      let acked = try row(run("incidents", "ack", "1", "--by", "ann", "--format", "json"))
      #expect(acked["state"] as? String == "acked")
      #expect(acked["acked_by"] as? String == "ann")
      let noted = try row(run("incidents", "note", "1", "seen", "--format", "json"))
      #expect((noted["timeline"] as? [[String: Any]])?.last?["detail"] as? String == "seen")
      #expect(try run("incidents", "resolve", "1", "--format", "ndjson").output.contains("\"state\":\"resolved\""))
      #expect(try run("incidents", "ack", "1", "--format", "json").code == 3)

      let words = ["silences", "add", "--rule", "B*", "--for", "2h", "--reason", "x"]
      let added = try row(
        Program.run(
          "signalbox", words + ["--format", "json"], environment: ["SIGNALBOX_DATABASE_URL": database.url.text]))
      #expect(added["id"] as? Int == 1)
      #expect(added["state"] as? String == "active")
      let csv = try run("silences", "end", "1", "--format", "csv").output.split(separator: "\n")
      #expect(csv.count == 2)
      #expect(csv.last?.hasPrefix("1,ended,") == true)
      // People read one word, or nothing.
      #expect(try run("silences", "add", "--rule", "B*", "--for", "2h", "--reason", "x").output == "2\n")
      #expect(try run("silences", "end", "2").output.isEmpty)
    }

    @Test(arguments: [
      (["silences", "add", "--rule", "A", "--reason", "x", "--for", "2x"], "--for takes a time of up to 366d"),
      (
        ["silences", "add", "--rule", "A", "--reason", "x", "--for", "2h", "--from", "soon"],
        "--from takes a time such as"
      ),
      (["oncall", "override", "primary", "--to", "a", "--for", "0s"], "--for takes a time of up to 366d"),
      (["oncall", "override", "primary", "--to", "a", "--for", "2h", "--format", "xml"], "xml"),
      (["paging", "test", "--policy", "P9", "--format", "json"], "--policy takes P0 to P3"),
    ])
    func mistakesAreUsage(_ words: [String], _ sentence: String) throws {
      let result = try Program.run(
        "signalbox", words, environment: ["SIGNALBOX_DATABASE_URL": database.url.text])
      #expect(result.code == 2)
      #expect(result.errors.contains(sentence), "\(result.errors)")
      #expect(result.output.isEmpty)
    }
  }
}
