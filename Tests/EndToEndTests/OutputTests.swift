import FleetModel
import Incidents
import Foundation
import Postgres
import Store
import TestSupport
import Testing

extension EndToEndTests {
  /// Every command that answers, in every format, over a database that holds something of everything.
  @Suite(.timeLimit(.minutes(20))) struct Outputs {
    let database: TestDatabase

    init() throws {
      database = try TestDatabase()
      try FilledDatabase.fill(database)
    }

    func run(_ words: [String], columns: String = "80") throws -> Program.Result {
      try Program.run(
        "signalbox", words, environment: ["SIGNALBOX_DATABASE_URL": database.url.text, "COLUMNS": columns])
    }

    static let commands: [[String]] = [
      ["fleet", "status"], ["fleet", "status", "--all"], ["hosts", "list"], ["hosts", "show", "trainer-1"],
      ["hosts", "show", "trainer-1", "--processes"], ["runs", "list"], ["runs", "latest"], ["runs", "show", "run-a"],
      ["runs", "analyze", "run-a"], ["compare", "run-a"], ["episodes", "verify"],
      ["episodes", "list"], ["episodes", "check"], ["episodes", "show", "run-a", "1"], ["logs"],
      ["logs", "--limit", "3"],
      ["logs", "--host", "trainer-1", "--level", "info"], ["gaps"], ["gaps", "--host", "trainer-1"],
      ["incidents", "list"],
      ["incidents", "list", "--state", "all"], ["incidents", "show", "1"], ["silences", "list"], ["oncall", "now"],
      ["oncall", "overrides"],
      ["query", "select * from hosts"], ["query", "select 1 as \"\u{1b}[31m,\", 'x' as \"=a\""],
      ["rules", "list", "deploy/rules"], ["rules", "metrics"], ["rules", "check", "deploy/rules"],
      ["rules", "coverage", "deploy/rules"],
    ]

    @Test(arguments: commands)
    func everyFormatOfEveryCommand(_ words: [String]) throws {
      let words = words.map { $0 == "deploy/rules" ? Self.root.appending(path: $0).path : $0 }
      var rows: [Int] = []
      for format in ["json", "ndjson", "csv", "table"] {
        let result = try run(words + ["--format", format])
        // One host has never reported: what is made of reports ends with 5.
        #expect([0, 5].contains(result.code), "\(words) \(format): \(result.errors)")
        #expect(!result.output.unicodeScalars.contains("\u{1b}"))
        switch format {
        case "json": rows.append(try #require(Self.json(result.output) as? [[String: Any]]).count)
        case "ndjson":
          let lines = result.output.split(separator: "\n")
          for line in lines { #expect(try Self.json(String(line)) is [String: Any]) }
          rows.append(lines.count)
        case "csv":
          let table = Self.csv(result.output)
          #expect(Set(table.map(\.count)).count == 1, "\(words)")
          rows.append(table.count - 1)
        default:
          if words[0] == "logs" { continue }
          // Figures and texts: nothing is wider than what every terminal has.
          for line in result.output.split(separator: "\n") { #expect(line.count <= 80, "\(words): \(line)") }
          let phone = try run(words, columns: "40")
          for line in phone.output.split(separator: "\n") { #expect(line.count <= 40, "\(words): \(line)") }
          let wide = try run(words + ["--wide"])
          #expect([0, 5].contains(wide.code) && !wide.output.isEmpty && !wide.errors.contains("not shown at"))
        }
      }
      #expect(Set(rows).count <= 1, "\(words): \(rows)")
    }

    /// A document holds what the tables hold.
    @Test func aDocumentLeavesNoTableOut() throws {
      let host = try #require(
        (try Self.json(run(["hosts", "show", "trainer-1", "--format", "json"]).output) as? [[String: Any]])?.first)
      #expect((host["files"] as? [[String: Any]])?.first?["file"] as? String == "/srv/app.log")
      #expect((host["processes"] as? [[String: Any]])?.first?["name"] as? String == "python3")
      let run = try #require(
        (try Self.json(run(["runs", "show", "run-a", "--format", "json"]).output) as? [[String: Any]])?.first)
      #expect((run["episode_list"] as? [[String: Any]])?.count == 1)
      let incident = try #require(
        (try Self.json(self.run(["incidents", "show", "1", "--format", "json"]).output) as? [[String: Any]])?.first)
      #expect((incident["timeline"] as? [[String: Any]])?.isEmpty == false)
      #expect((incident["deliveries"] as? [[String: Any]])?.first?["receiver"] as? String == "duty")
    }

    @Test func twoColumnsOfOneNameAreBothThere() throws {
      let rows =
        try Self.json(run(["query", "select 1 as a, 2 as a, 3 as a_2", "--format", "json"]).output) as? [[String: Any]]
      #expect(rows?.first?.values.compactMap { $0 as? Int }.sorted() == [1, 2, 3])
    }

    @Test func anIncidentIsAPageAndNoLine() throws {
      let text = try run(["incidents", "show", "1"]).output
      let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
      #expect(lines.first == "P1  SITE-01  open  trainer-1  /srv/app.log")
      for part in ["Evidence:", "Steps:", "  1. Look at it.", "  2. Then at the rest."] {
        #expect(lines.contains(Substring(part)), "\(text)")
      }
      #expect(lines.count > 20)
    }

    @Test(arguments: [
      ["gaps"], ["logs"], ["runs", "list"], ["runs", "latest"], ["runs", "show", "run-a"], ["episodes", "list"],
      ["episodes", "check"], ["episodes", "show", "run-a", "1"], ["incidents", "list"],
      ["rules", "replay", "--since", "1h"],
    ])
    func aHostThatThereIsNotIsNoAnswer(_ words: [String]) throws {
      for (name, said) in [("trainer-l", "did you mean 'trainer-1'"), ("elsewhere", "hosts: trainer-1, trainer-2")] {
        let result = try run(words + ["--host", name])
        #expect(result.code == 3, "\(words): \(result.errors)")
        #expect(
          result.errors.contains("no host is called '\(name)'") && result.errors.contains(said), "\(result.errors)")
        #expect(result.output.isEmpty)
      }
    }

    @Test func theHeadOfNoLinesIsThatOfLines() throws {
      let none = try run(["logs", "--text", "no such text", "--format", "csv", "--allow-missing"])
      #expect(none.code == 3 && Self.csv(none.output).count == 1)
      #expect(try run(["logs", "--format", "csv"]).output.hasPrefix(none.output))
    }

    @Test func whoLeftTheFleetIsCountedAndNotShown() throws {
      let shown = try run(["fleet", "status"])
      #expect(!shown.output.contains("gone-1") && shown.errors.contains("1 revoked not shown; --all shows them"))
      #expect(try run(["fleet", "status", "--all"]).output.contains("gone-1"))
      // Nothing came of it yet: that is no silence.
      #expect(shown.output.contains("trainer-2  waiting"), "\(shown.output)")
      #expect(shown.code == 5 && shown.errors.contains("never reported: trainer-2"), "\(shown.errors)")
    }

    @Test func whatWasTypedIsRepeatedWithoutPasswordsAndControls() throws {
      let url = "postgresql://u:geheim@127.0.0.1/x"
      for words in [["hosts", "show", "--database=\(url)", url, url], [url], ["gaps", url]] {
        let result = try run(words)
        #expect(result.code == 2)
        #expect(!result.errors.contains("geheim"), "\(result.errors)")
      }
      let result = try run(["hosts", "show", "\u{1b}[31m\u{202e}x"])
      #expect(result.code == 3 && !result.errors.unicodeScalars.contains("\u{1b}"), "\(result.errors)")
      #expect(!result.errors.unicodeScalars.contains("\u{202e}"))
    }

    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()

    static func json(_ text: String) throws -> Any { try JSONSerialization.jsonObject(with: Data(text.utf8)) }

    /// RFC 4180; the program writes no line breaks within fields.
    static func csv(_ text: String) -> [[String]] {
      text.split(separator: "\n").map { line in
        var fields = [""]
        var isQuoted = false
        for scalar in line.unicodeScalars {
          if scalar == "\"" {
            isQuoted.toggle()
          } else if scalar == ",", !isQuoted {
            fields.append("")
          } else {
            fields[fields.count - 1].unicodeScalars.append(scalar)
          }
        }
        return fields
      }
    }
  }
}

/// Something of everything that commands ask for.
enum FilledDatabase {
  static func fill(_ database: TestDatabase) throws {
    let store = try Store.open(database.url, migrating: true)
    defer { store.close() }
    let nowNs = Int64(Date().timeIntervalSince1970) * 1_000_000_000
    let host = try join(store, "trainer-1", 1, nowNs)
    _ = try join(store, "trainer-2", 2, nowNs)
    _ = try join(store, "gone-1", 3, nowNs)
    try store.revoke(hostName: "gone-1", actor: "test")
    var hello = Hello()
    hello.bootID = BootID(high: 0, low: 1)
    hello.machineIDHash = MachineIDHash(high: 0, low: 1)
    hello.spoolID = SpoolID(high: 0, low: 1)
    let fence = try store.fence(host: host, hello: hello, receivedNs: nowNs)
    let staged = StagedBatch(
      host: host, hostNumber: fence.hostNumber, epoch: fence.epoch, spool: hello.spoolID, receivedNs: nowNs,
      batch: batch(nowNs))
    #expect(try store.commit([staged]) == [.committed])
    var change = IncidentChange(
      .opened, rule: "SITE-01", severity: .p1, hostNumber: fence.hostNumber, hostName: "trainer-1", eventNs: nowNs,
      detectedNs: nowNs)
    change.entity = "/srv/app.log"
    change.summary = "boom " + String(repeating: "and more ", count: 20)
    change.steps = ["Look at it.", "Then at the rest."]
    change.evidence = (0..<40).map { "line \($0) \u{1b}[31m " + String(repeating: "x", count: 200) }
    let policy = PagingPolicy { _, nowNs in [PlannedDelivery(receiver: "duty", dueNs: nowNs)] }
    try store.apply([change], policy: policy, nowNs: nowNs)
    var silence = Silence(author: "ann", reason: "x", startsNs: nowNs, endsNs: nowNs + 3_600_000_000_000)
    silence.rule = "OTHER-*"
    _ = try store.addSilence(silence, nowNs: nowNs)
    let query = SavedQuery(
      name: "of-host", description: "One host.", sql: "select host from hosts where host = $1", parameters: ["host"])
    try store.save(query, actor: "ann", nowNs: nowNs)
    try store.addCredential(
      Credential(
        id: "t", kind: .token, name: "script", role: .viewer, secretHash: [7], expiresNs: nowNs + 3_600_000_000_000),
      actor: "ann")
    let connection = try database.connect()
    defer { connection.close() }
    try connection.execute(
      "insert into signalbox.on_call (schedule, receiver, since, until, updated) values ('primary', 'duty', now(), now() + interval '1 h', now())"
    )
    // `oncall` shows a schedule only while a collector delivers pages.
    _ = try store.takeLease("paging", holder: "test", seconds: 600)
    try connection.execute("insert into signalbox.receivers (name, kind) values ('duty', '')")
    _ = try store.addOverride(
      OnCallOverride(
        schedule: "primary", receiver: "duty", startsNs: nowNs, endsNs: nowNs + 3_600_000_000_000, author: "ann"))
  }

  private static func join(_ store: Store, _ name: String, _ id: UInt64, _ nowNs: Int64) throws -> HostID {
    let hash = [UInt8](repeating: 7, count: 32)
    let host = HostID(high: 0, low: id)
    try store.invite(
      Invitation(tokenID: name, secretHash: hash, hostName: name, expiresNs: nowNs + 60_000_000_000), actor: "test")
    _ = try store.redeem(Redemption(tokenID: name, secretHash: hash, keyPin: hash, newHost: host, nowNs: nowNs))
    return host
  }

  private static func batch(_ nowNs: Int64) -> Batch {
    var records = Records()
    var sample = HostSample()
    sample.timeNs = nowNs
    sample.cpuBusyPercent = 0.3
    records.hosts = [sample]
    var process = ProcessSample()
    process.timeNs = nowNs
    process.pid = 7
    process.name = "python3"
    records.processes = [process]
    var update = RunUpdate()
    update.timeNs = nowNs
    update.run = "run-a"
    update.state = .running
    update.detail = "{\"lr\": 0.5}"
    records.runs = [update]
    var summary = EpisodeSummary()
    for number in 1...3 as ClosedRange<Int64> {
      var step = TrainingStep()
      step.timeNs = nowNs
      step.run = "run-a"
      step.episode = 1
      step.step = number
      step.reward = -0.0016
      step.portfolioValue = 100 - Double(number)
      records.steps.append(step)
      summary.add(step)
    }
    records.episodes = [summary]
    var loss = Loss()
    loss.timeNs = nowNs
    loss.subject = "/srv/app.log.1"
    (loss.from, loss.to, loss.reason) = (10, 20, .truncated)
    records.losses = [loss]
    var batch = Batch()
    batch.number = 1
    batch.spooled = [SpooledRecords(lane: .live, firstSequence: 1, lastSequence: 1, records: records)]
    var delta = FileDelta(file: FileIdentity(key: FileKey(high: 1, low: 1), path: "/srv/app.log"), from: 0, to: 0)
    for (number, text) in ["one", "two, \"three\"", "\u{1b}[2J=four\u{338}", "five\u{202e}"].enumerated() {
      let bytes = Array(text.utf8)
      delta.lines.text += bytes
      delta.lines.lengths.append(UInt32(bytes.count))
      delta.lines.advances.append(UInt32(bytes.count + 1))
      delta.lines.timesUs.append(nowNs / 1000 + Int64(number))
      delta.lines.levels.append(Level.info.rawValue)
      delta.lines.flags.append(0)
      delta.to += UInt64(bytes.count + 1)
    }
    batch.files = [delta]
    return batch
  }
}
