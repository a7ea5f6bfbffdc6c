import FleetModel
import Incidents
import SiteConfiguration
import Store
import Testing

@Suite struct MaintenanceConfigurationTests {
  @Test func readsWhatComesBackAndWhatHappensOnce() throws {
    let yaml = """
      maintenance:
        - name: sunday-updates
          match: { host: "trainer-*", severity: P1 }
          cron: "0 2 * * 0"
          zone: Europe/Berlin
          for: 2h
          reason: updates
        - name: move
          match: { rule: RES-01, entity: "/data*" }
          from: 2026-12-01T08:00Z
          until: 2026-12-01T12:30Z
          reason: a new rack
      """
    let found = try #require(try ConfigurationReader.read(yaml, file: "x").maintenance)
    #expect(found.map(\.name) == ["sunday-updates", "move"])
    let updates = found[0].silence
    #expect((updates.host, updates.severity, updates.rule) == ("trainer-*", .p1, nil))
    #expect(updates.author == "configuration")
    #expect(
      updates.repetition
        == Repetition(cron: try CronExpression("0 2 * * 0"), zone: "Europe/Berlin", lengthNs: 7_200_000_000_000))
    let move = found[1].silence
    #expect(move.repetition == nil)
    #expect(Timestamp.text(move.startsNs, digits: 0) == "2026-12-01T08:00:00Z")
    #expect(Timestamp.text(move.endsNs, digits: 0) == "2026-12-01T12:30:00Z")
    #expect((move.rule, move.entity, move.reason) == ("RES-01", "/data*", "a new rack"))
  }

  @Test func aFileWithoutTheSectionDeclaresNoneAndNoFileSaysNothing() throws {
    #expect(try ConfigurationReader.read("retention: {}", file: "x").maintenance == [])
    #expect(try ConfigurationReader.read("", file: "x").maintenance == [])
    #expect(Configuration().maintenance == nil)
  }

  @Test(arguments: [
    ("maintenence: []", "x:1: unknown key 'maintenence' in the file; did you mean 'maintenance'?"),
    ("maintenance: {}", "x:1: maintenance must be a list: [a, b], or lines that start with '- '"),
    ("maintenance:\n- reson: x", "x:2: unknown key 'reson' in an entry of maintenance; did you mean 'reason'?"),
    ("maintenance:\n- reason: x", "x:2: an entry of maintenance has no 'name'; write such as name: sunday-updates"),
    (
      "maintenance:\n- name: a b",
      "x:2: 'a b' is no name of maintenance; write 1 to 64 letters, digits, '.', '_' and '-'"
    ),
    ("maintenance:\n- name: a", "x:2: an entry of maintenance has no 'reason'; write such as reason: updates"),
    (
      "maintenance:\n- name: a\n  reason: x",
      "x:2: an entry of maintenance has no 'match'; write such as match: { host: \"trainer-*\" }"
    ),
    ("\(head)\n  match: {}", "x:4: match needs one of rule, host, entity and severity"),
    ("\(head)\n  match: { hots: b }", "x:4: unknown key 'hots' in match; did you mean 'host'?"),
    ("\(head)\n  match: { severity: P9 }", "x:4: unknown severity 'P9'; did you mean 'P0'?"),
    ("\(host)", "x:2: an entry of maintenance needs one of cron, from"),
    ("\(host)\n  cron: 0 2 * * 0", "x:2: an entry of maintenance with cron has no 'for'; write such as for: 2h"),
    (
      "\(host)\n  cron: 0 2 * * 0\n  until: 2026-12-01",
      "x:6: cron says when maintenance begins: write for instead of until"
    ),
    ("\(host)\n  cron: 0 2 * * 0\n  for: 2x", "x:6: '2x' is no time for for; write 1m to 366d, such as 2h"),
    (
      "\(host)\n  cron: 0 25 * * 0\n  for: 2h",
      "x:5: '25' is no hour: write 0 to 23, a range such as 1-5, or */n"
    ),
    (
      "\(host)\n  cron: 0 2 * * 0\n  for: 2h\n  zone: Mars/Base",
      "x:7: this machine knows no time zone 'Mars/Base'; write one such as Europe/Berlin"
    ),
    (
      "\(host)\n  for: 2h\n  from: 2026-12-01",
      "x:5: for goes with cron, which is missing here: write from and until"
    ),
    (
      "\(host)\n  from: soon\n  until: 2026-12-01",
      "x:5: 'soon' is no time for from; write one such as 2026-12-01T08:00Z"
    ),
    ("\(host)\n  from: 2026-12-02\n  until: 2026-12-01", "x:6: maintenance ends before it begins; write a later time"),
    ("\(host)\n  from: 2026-12-02\n  until: 2028-12-01", "x:6: maintenance is longer than 366d; write an earlier time"),
    (
      "\(host)\n  from: 2026-12-01\n  until: 2026-12-02\n- { name: a, match: { rule: B }, reason: y, cron: 0 2 * * 0, for: 1h }",
      "x:7: maintenance has 'a' twice; give each entry a name of its own"
    ),
  ])
  func mistakesAreToldWithLineAndRemedy(_ yaml: String, _ message: String) {
    #expect(sentences(yaml).contains(message), "\(sentences(yaml))")
  }

  static let head = "maintenance:\n- name: a\n  reason: x"
  static let host = head + "\n  match: { host: b }"
}
