import Files
import FleetModel
import Incidents
import Foundation
import Postgres
import Store
import TLS
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
    }

    /// What a script reads by the names of its columns has them also where there is nothing.
    @Test(arguments: [
      "incidents list", "incidents show 7", "silences list", "oncall overrides", "oncall now", "runs list", "gaps",
      "logs",
      "logs --limit 5", "hosts list",
    ])
    func anAnswerWithoutRowsHasAHeadInCSV(_ command: String) throws {
      let words = command.split(separator: " ").map(String.init) + ["--format", "csv"]
      let result = try Program.run("signalbox", words, environment: ["SIGNALBOX_DATABASE_URL": database.url.text])
      #expect(result.code == 3)
      let lines = result.output.split(separator: "\n", omittingEmptySubsequences: false)
      #expect(lines.count == 2 && lines[0].split(separator: ",").count > 2 && lines[1] == "", "\(result)")
    }

    /// Where a person on call looks first; a script's answer stays as it is.
    @Test func fleetStatusNamesTheReceiversWhoseMessagesAreLate() throws {
      let directory = "/tmp/signalbox-changes-\(UUID().uuidString)"
      defer { try? HostFiles.removeTree(directory) }
      try prepare(directory)
      let now = Int64(Date().timeIntervalSince1970) * 1_000_000_000
      func notes() throws -> String {
        try run("fleet", "status").errors.split(separator: "\n").joined(separator: " ")
      }
      #expect(try !notes().contains("message"))
      try store.apply(
        [IncidentChange(.opened, rule: "B", severity: .p1, hostName: "h", eventNs: now, detectedNs: now)],
        policy: PagingPolicy { _, _ in [PlannedDelivery(receiver: "duty", dueNs: now - 120_000_000_000)] }, nowNs: now)
      let sentence =
        "1 message is late by a minute or more: 1 to duty; the oldest, of incident 2 to duty: no answer yet"
      #expect(try notes().contains(sentence))
      #expect(try run("fleet", "status", "--format", "json", "--allow-missing").errors.isEmpty)
    }

    /// One that is unknown keeps no other from being taken.
    @Test func severalIncidentsAreChangedAtOnce() throws {
      let now = Int64(Date().timeIntervalSince1970) * 1_000_000_000
      for rule in ["A", "B", "C"] {
        try store.apply(
          [IncidentChange(.opened, rule: rule, severity: .p1, hostName: "h", eventNs: now, detectedNs: now)],
          policy: .none, nowNs: now)
      }
      let acked = try run("incidents", "ack", "1", "99", "3", "1", "--by", "ann")
      #expect(acked.output == "incident 1 is acknowledged by ann\nincident 3 is acknowledged by ann\n", "\(acked)")
      #expect(acked.code == 3 && acked.errors.contains("no open incident has the number 99"), "\(acked)")
      let over = try run("incidents", "resolve", "1", "2", "--by", "ann", "--format", "ndjson")
      #expect(over.code == 0 && over.output.split(separator: "\n").count == 2, "\(over)")
      #expect(try run("incidents", "ack").code == 2)
    }

    @Test func whatHadBeenSoBeforeIsReportedAsThat() throws {
      let now = Int64(Date().timeIntervalSince1970) * 1_000_000_000
      for rule in ["A", "B"] {
        try store.apply(
          [IncidentChange(.opened, rule: rule, severity: .p1, hostName: "h", eventNs: now, detectedNs: now)],
          policy: .none, nowNs: now)
      }
      #expect(try run("incidents", "ack", "1", "--by", "ann").output == "incident 1 is acknowledged by ann\n")
      let again = try run("incidents", "ack", "1", "--by", "bob")
      #expect(again.code == 0 && again.output.hasPrefix("incident 1 has been acknowledged by ann since 20"), "\(again)")
      #expect(try run("incidents", "resolve", "1", "--by", "bob").output == "incident 1 is resolved by bob\n")
      let over = try run("incidents", "resolve", "1", "--by", "ann")
      #expect(over.code == 0 && over.output.hasPrefix("incident 1 has been over since 20"), "\(over)")
      #expect(over.output.hasSuffix(", ended by bob; nothing is changed\n"), "\(over)")
      try store.apply(
        [IncidentChange(.cleared, rule: "B", severity: .p1, hostName: "h", eventNs: now + 1_000, detectedNs: now)],
        policy: .none, nowNs: now)
      #expect(try run("incidents", "resolve", "2").output.hasSuffix(", ended by its rule; nothing is changed\n"))
      #expect(
        try store.connection.query("select resolved_by from signalbox.incidents where number = 2").text(0, 0) == "rule")
    }

    @Test func aTimeThatIsOverAndANoteOfNothingAreRefused() throws {
      let over = ["--from", "2026-01-01T00:00Z", "--for", "2h"]
      for words in [
        ["silences", "add", "--rule", "B*", "--reason", "x"] + over,
        ["oncall", "override", "primary", "--to", "ann"] + over,
      ] {
        let result = try Program.run(
          "signalbox", words, environment: ["SIGNALBOX_DATABASE_URL": database.url.text])
        #expect(result.code == 2 && result.errors.contains("was over at 2026-01-01T02:00:00Z"), "\(result)")
        #expect(result.errors.split(separator: "\n").count == 1)
      }
      for text in ["", "  ", "\t\n"] {
        let result = try run("incidents", "note", "1", text)
        #expect(result.code == 2 && result.errors.contains("the line is empty"), "\(result)")
      }
    }

    /// In a narrow terminal the timeline and the messages are lines of their own, and nothing of them is left out.
    @Test(arguments: ["40", "80", "200"]) func anIncidentIsShownWholeAtAnyWidth(_ columns: String) throws {
      let now = Int64(Date().timeIntervalSince1970) * 1_000_000_000
      var change = IncidentChange(
        .opened, rule: "A", severity: .p1, hostName: "h", entity: "/srv/a-long-path/to/a-file.log", eventNs: now,
        detectedNs: now)
      change.summary = "the log has reported an error for much longer than a line of forty columns holds"
      change.causes = ["the disk is full"]
      change.steps = ["look at it"]
      change.runbook = "docs/runbooks/A.md"
      try store.apply(
        [change], policy: PagingPolicy { _, nowNs in [PlannedDelivery(receiver: "duty", dueNs: nowNs)] }, nowNs: now)
      try store.acknowledge(incident: 1, actor: "ann", nowNs: now)
      let result = try Program.run(
        "signalbox", ["incidents", "show", "1"],
        environment: ["SIGNALBOX_DATABASE_URL": database.url.text, "COLUMNS": columns])
      #expect(result.code == 0 && result.errors == "", "\(result)")
      let lines = result.output.split(separator: "\n")
      #expect(lines.allSatisfy { $0.count <= Int(columns) ?? 0 }, "\(result.output)")
      for part in ["Likely causes:", "the disk is full", "Runbook: docs/runbooks/A.md", "acked", "ann", "waiting"] {
        #expect(result.output.contains(part), "\(part): \(result.output)")
      }
      let row = try row(run("incidents", "show", "1", "--format", "json"))
      #expect(row["causes"] as? [String] == ["the disk is full"] && row["runbook"] as? String == "docs/runbooks/A.md")
    }

    /// Every command that changes something: people read one sentence, beside the value where there is one; scripts get
    /// one object.
    static let changes: [Change] = [
      Change(["incidents", "ack", "1"], "incident 1 is acknowledged by ann", ["state": "acked"], by: "ann"),
      Change(["incidents", "note", "1", "seen"], "noted in the timeline of incident 1", ["id": "1"]),
      Change(
        ["silences", "add", "--rule", "B*", "--for", "2h", "--reason", "x"], "ends it", ["state": "active"],
        hasValue: true),
      Change(["silences", "end", "1"], "silence 1 is ended", ["state": "ended"]),
      Change(
        ["oncall", "override", "primary", "--to", "ann", "--for", "2h"], "ann takes the turn of 'primary' until",
        ["receiver": "ann"], hasValue: true),
      Change(["oncall", "end", "1"], "override 1 is ended", ["state": "ended"]),
      Change(["incidents", "resolve", "1"], "incident 1 is resolved by ann", ["state": "resolved"], by: "ann"),
      Change(
        ["hosts", "invite", "two", "--label", "role=eval"], "invited 'two': the token is good once, until ",
        ["host": "two", "state": "open"], hasValue: true),
      Change(["hosts", "uninvite", "pending"], "invitation pending is withdrawn", ["state": "withdrawn"]),
      Change(["hosts", "label", "one", "rack=a"], "host 'one' has the labels rack=a", ["host": "one"]),
      Change(["hosts", "rename", "one", "three"], "host 'one' is called 'three' now", ["host": "three"]),
      Change(["hosts", "revoke", "one"], "host 'one' is revoked", ["state": "revoked"]),
      Change(["hosts", "remove", "one"], "host 'one' is removed", ["host": "one", "state": "removed"]),
      Change(
        ["tokens", "create", "other", "--role", "viewer", "--expires", "2d"],
        "token 'other' is good for what the role viewer may, until ",
        ["name": "other", "role": "viewer", "state": "valid"], by: "ann", hasValue: true),
      Change(["tokens", "revoke", "script"], "'script' has 1 way in less", ["name": "script", "state": "revoked"]),
      Change(
        ["console", "link", "--for", "ben", "--role", "viewer", "--url", "https://c:7444"],
        "'ben' can log in with it once, with the role viewer, until ", ["name": "ben", "role": "viewer"], by: "ann",
        hasValue: true),
      Change(["ca", "init", "--state-dir", "DIR/new"], "an authority is in ", ["directory": "DIR/new/ca"]),
      Change(["ca", "renew", "--state-dir", "DIR/old"], "the issuing CA is good until", ["directory": "DIR/old/ca"]),
      Change(
        ["ca", "export", "DIR/backup", "--state-dir", "DIR/old"], "the authority, with the root's key, is in ",
        ["file": "DIR/backup", "has_root_key": "1"]),
      Change(
        ["oncall", "calendar", "ben", "--expires", "30d", "--url", "https://c.example"],
        "the calendar of 'ben' shows who is on call until ", ["name": "ben", "kind": "calendar"], by: "ann",
        hasValue: true),
      Change(
        ["ca", "import", "DIR/export", "--state-dir", "DIR/new"], "the authority is in ", ["directory": "DIR/new/ca"]),
    ]

    struct Change: Sendable {
      var words: [String]
      var sentence: String
      /// Members of the object, as text.
      var members: [String: String]
      var by: String?
      var hasValue: Bool

      init(
        _ words: [String], _ sentence: String, _ members: [String: String], by: String? = nil, hasValue: Bool = false
      ) {
        (self.words, self.sentence, self.members) = (words, sentence, members)
        (self.by, self.hasValue) = (by, hasValue)
      }

      /// The command's name.
      var name: String { words.prefix(2).joined(separator: " ") }
    }

    @Test(arguments: changes.indices) func aChangeSaysWhatItDid(_ index: Int) throws {
      let change = Self.changes[index]
      for format in ["table", "json"] {
        let other = try Formats()
        let directory = "/tmp/signalbox-changes-\(UUID().uuidString)"
        defer { try? HostFiles.removeTree(directory) }
        try other.prepare(directory)
        let inPlace = { (text: String) in text.replacingOccurrences(of: "DIR", with: directory) }
        let words = change.words.map(inPlace) + (change.by.map { ["--by", $0] } ?? []) + ["--format", format]
        let result = try Program.run(
          "signalbox", words, environment: ["SIGNALBOX_DATABASE_URL": other.database.url.text])
        #expect(result.code == 0, "\(words): \(result.errors)")
        guard format == "table" else {
          let row = try other.row(result)
          for (key, value) in change.members { #expect(row[key].map { "\($0)" } == inPlace(value), "\(key): \(row)") }
          continue
        }
        let (told, rest) = change.hasValue ? (result.errors, result.output) : (result.output, result.errors)
        #expect(told.contains(change.sentence) && told.split(separator: "\n").count == 1, "\(words): \(result)")
        let isValue = !rest.contains(" ") && rest.split(separator: "\n").count == 1
        #expect(change.hasValue ? isValue : rest.isEmpty, "\(result)")
      }
    }

    /// One of each thing that a command changes.
    private func prepare(_ directory: String) throws {
      let now = Int64(Date().timeIntervalSince1970) * 1_000_000_000
      let change = IncidentChange(.opened, rule: "A", severity: .p1, hostName: "h", eventNs: now, detectedNs: now)
      try store.apply([change], policy: .none, nowNs: now)
      var silence = Silence(author: "ann", reason: "x", startsNs: now, endsNs: now + 3_600_000_000_000)
      silence.rule = "OTHER-*"
      _ = try store.addSilence(silence, nowNs: now)
      let hash = [UInt8](repeating: 7, count: 32)
      for (id, name) in [("joined", "one"), ("pending", "later")] {
        try store.invite(
          Invitation(tokenID: id, secretHash: hash, hostName: name, expiresNs: now + 60_000_000_000), actor: "test")
      }
      _ = try store.redeem(
        Redemption(tokenID: "joined", secretHash: hash, keyPin: hash, newHost: HostID(high: 0, low: 1), nowNs: now))
      try store.announceCollector(
        CollectorID(high: 0, low: 1), addresses: ["c:7443"], names: ["c"],
        caPin: String(repeating: "ab", count: 32), version: "1")
      try store.addCredential(
        Credential(
          id: "t", kind: .token, name: "script", role: .viewer, secretHash: hash, expiresNs: now + 3_600_000_000_000),
        actor: "ann")
      let connection = try database.connect()
      defer { connection.close() }
      try connection.execute("insert into signalbox.receivers (name, kind) values ('ann', '')")
      try connection.execute(
        "insert into signalbox.on_call (schedule, receiver, since, until, updated) values ('primary', 'ann', now(), now() + interval '1 h', now())"
      )
      // `oncall` shows a schedule only while a collector delivers pages.
      _ = try store.takeLease("paging", holder: "test", seconds: 600)
      try connection.execute(
        "insert into signalbox.on_call_overrides (schedule, receiver, starts, ends, author) values ('primary', 'ann', now(), now() + interval '1 h', 'ann')"
      )
      try HostFiles.makeDirectory(directory, mode: 0o755)
      _ = try CertificateAuthority.create(directory: directory + "/old", nowNs: now)
      let text = try CertificateAuthority.export(directory: directory + "/old", includingRootKey: true)
      try HostFiles.replace(directory + "/export", with: Array(text.utf8))
    }

    @Test(arguments: [
      (["silences", "add", "--rule", "A", "--reason", "x", "--for", "2x"], "--for takes a time of up to 366d"),
      (
        ["silences", "add", "--rule", "A", "--reason", "x", "--for", "2h", "--from", "soon"],
        "--from takes a time such as"
      ),
      (
        ["silences", "add", "--rule", "A", "--reason", "x", "--for", "2h", "--from", "2026-02-30T10:00Z"],
        "not '2026-02-30T10:00Z'"
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
