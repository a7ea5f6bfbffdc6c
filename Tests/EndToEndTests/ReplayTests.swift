import FleetModel
import Foundation
import Postgres
import Store
import TestSupport
import Testing

extension EndToEndTests {
  /// `signalbox rules replay` over a real database that a real store has filled.
  @Suite(.timeLimit(.minutes(10))) struct Replay {
    static let busy =
      "- { id: SITE-01, title: Busy, severity: P1, when: { metric: cpu.busy_percent, above: 80, for: 10m } }\n"
    static let boom =
      "- { id: SITE-02, title: Boom, severity: P2, scope: file, when: { log: { matches: BOOM, count: 2, within: 1m } } }\n"

    @Test func whatWouldHaveFiredIsListedWithItsTimesAndANearMissIsNot() throws {
      let past = try Past()
      try past.host("busy", 1).cpu([50] * 6 + [95] * 70 + [50] * 70).commit()
      try past.host("dips", 2).cpu([95] * 58 + [70] * 3 + [95] * 58).commit()
      let result = try past.replay(Self.busy, "--format", "json")
      #expect(result.code == 0, "\(result.errors)")
      let incidents = try past.rows(result.output)
      #expect(incidents.count == 1)
      let incident = try #require(incidents.first)
      #expect(incident["rule"] as? String == "SITE-01")
      #expect(incident["severity"] as? String == "P1")
      #expect(incident["host"] as? String == "busy")
      #expect(incident["pages"] as? Bool == true)
      #expect((incident["summary"] as? String)?.hasPrefix("Busy on busy (cpu.busy_percent = 95") == true)
      // Six samples of ten seconds, then ten minutes; it clears once it was false for as long.
      #expect(incident["opened"] as? String == past.time(660))
      #expect(incident["resolved"] as? String == past.time(60 + 700 + 600))
      #expect(try past.replay(Self.busy, "--host", "dips").code == 3)
      #expect(try past.value("select count(*) from incidents") == "0")
    }

    @Test func linesCountEachOnceInTheOrderOfTimeWhateverTheirOrderInTheFile() throws {
      let past = try Past()
      // The second line of the file is older than its first.
      try past.host("a", 1).cpu([50] * 12).lines(["BOOM 1": 50, "BOOM 2": 20, "fine": 60]).commit()
      try past.host("b", 2).cpu([50] * 12).lines(["BOOM 1": 10, "BOOM 2": 80]).commit()
      let result = try past.replay(Self.boom, "--format", "ndjson")
      #expect(result.code == 0, "\(result.errors)")
      let lines = result.output.split(separator: "\n")
      #expect(lines.count == 1)
      #expect(lines.first?.contains("\"host\":\"a\",\"entity\":\"/srv/a.log\"") == true, "\(result.output)")
    }

    @Test func aSilentHostAndWhatItMutesAreToldAsTheCollectorWould() throws {
      let rules = """
        - { id: SITE-03, title: Silent, severity: P0, when: { stale: host, for: 5m } }
        - { id: SITE-04, title: Hot, severity: P1, mutes: [SITE-01], when: { metric: cpu.busy_percent, above: 90 } }

        """
      let past = try Past()
      try past.host("a", 1).cpu([95] * 90).commit()
      try past.host("b", 2).cpu([50] * 200).commit()
      let result = try past.replay(rules + Self.busy, "--until", past.time(2000), "--format", "json")
      #expect(result.code == 0, "\(result.errors)")
      let found = try past.rows(result.output).map {
        "\($0["rule"] ?? "") \($0["host"] ?? "") \($0["muted_by"] as? String ?? "") \($0["pages"] as? Bool ?? false)"
      }
      #expect(found == ["SITE-04 a  true", "SITE-01 a SITE-04 false", "SITE-03 a  true"], "\(found)")
    }

    @Test func noHostIsSilentBetweenFilesThatAreOlderThanItsJoining() throws {
      let rules = "- { id: SITE-03, title: Silent, severity: P0, when: { stale: host, for: 5m } }\n"
      let past = try Past()
      // Lines of two hours ago, read when the host joined; its samples begin after them.
      try past.host("a", 1).lines(["old": 10, "old again": 900]).cpu([50] * 100, from: 3600).commit()
      let result = try past.replay(rules, "--until", past.time(5500), "--format", "json")
      let found = try past.rows(result.output).map { "\($0["opened"] ?? "")" }
      // Silent it was once: after its last sample, at 4590 s.
      #expect(found.count == 1 && found[0] > past.time(4590), "\(found)")
    }

    @Test func runsAndEpisodesAreJudgedByWhatIsKeptOfThem() throws {
      let rules = """
        - { id: SITE-05, title: Failed, severity: P1, scope: run, when: { run: { state: failed } } }
        - { id: SITE-06, title: Poor, severity: P2, scope: run, when: { metric: episode.total_reward, below: 0 } }
        - { id: SITE-07, title: Loss, severity: P2, scope: run, when: { metric: training.metrics.loss, above: 10 } }

        """
      let past = try Past()
      try past.host("a", 1).cpu([50] * 30).run("good", .completed, reward: 1, loss: 2)
        .run("bad", .failed, reward: -1, loss: 20).commit()
      let result = try past.replay(rules, "--format", "json")
      #expect(result.code == 0, "\(result.errors)")
      let found = try past.rows(result.output).map { "\($0["rule"] ?? "") \($0["entity"] ?? "")" }
      #expect(Set(found) == ["SITE-05 run bad", "SITE-06 run bad", "SITE-07 run bad"], "\(found)")
      #expect(found.count == 3)
    }

    @Test func aBadTimeIsUsageAndNothingFoundIsThree() throws {
      let past = try Past()
      let words = ["rules", "replay", "--database", past.url]
      for (arguments, code) in [
        (["--since", "yesterdayish"], 2), ([], 2), (["--since", "1h", "--until", "2h"], 2),
        (["--since", "1h", "--host", "nobody"], 3), (["--since", "1h"], 3), (["--since", "1h", "/nowhere.yaml"], 1),
      ] as [([String], Int32)] {
        let result = try Program.run("signalbox", words + arguments)
        #expect(result.code == code, "\(arguments): \(result.errors)")
        #expect(result.output.isEmpty)
      }
      let empty = try Program.run("signalbox", words + ["--since", "1h", "--format", "json"])
      #expect(empty.output == "[]\n")
      #expect(empty.errors.contains("nothing is stored of that time"))
    }

    @Test func theWholePackRunsOverAQuietHostAndFindsNothing() throws {
      let past = try Past()
      try past.host("a", 1).cpu([20] * 360).lines(["all is well": 100]).commit()
      let result = try past.replay("", "--until", past.time(3590), "--format", "json")
      #expect(result.code == 3, "\(result.output)")
      #expect(result.errors.contains("none would have fired"), "\(result.errors)")
    }
  }
}

/// A database with hosts that told something two hours ago.
private final class Past {
  let database: TestDatabase
  let store: Store
  let directory: String
  let startNs: Int64

  init() throws {
    database = try TestDatabase()
    store = try Store.open(database.url, migrating: true)
    directory = "/tmp/signalbox-replay-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let now = Int64(Date().timeIntervalSince1970)
    startNs = (now - 7200) * 1_000_000_000
  }

  deinit { try? FileManager.default.removeItem(atPath: directory) }

  var url: String { database.url.text }

  func host(_ name: String, _ id: UInt64) -> PastHost { PastHost(self, name, id) }

  func time(_ seconds: Int64) -> String { Timestamp.text(startNs + seconds * 1_000_000_000) }

  func replay(_ rules: String, _ words: String...) throws -> Program.Result {
    let file = directory + "/site.yaml"
    try rules.write(toFile: file, atomically: true, encoding: .utf8)
    return try Program.run(
      "signalbox",
      ["rules", "replay"] + (rules.isEmpty ? [] : [file]) + ["--since", time(0), "--database", url] + words)
  }

  func rows(_ json: String) throws -> [[String: Any]] {
    try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [[String: Any]] ?? []
  }

  func value(_ sql: String) throws -> String? {
    let connection = try database.connect()
    defer { connection.close() }
    return try connection.queryText(sql).text(0, 0)
  }
}

/// What one host has told.
private final class PastHost {
  private let past: Past
  private let name: String
  private let id: HostID
  private var batch = Batch()
  private var records = Records()

  init(_ past: Past, _ name: String, _ id: UInt64) {
    self.past = past
    self.name = name
    self.id = HostID(high: 0, low: id)
  }

  /// One sample each ten seconds.
  func cpu(_ values: [Float], from second: Int64 = 0) -> PastHost {
    for (index, value) in values.enumerated() {
      var sample = HostSample()
      sample.timeNs = past.startNs + second * 1_000_000_000 + Int64(index) * 10_000_000_000
      sample.cpuBusyPercent = value
      records.hosts.append(sample)
    }
    return self
  }

  /// Lines of one file with their seconds.
  func lines(_ lines: KeyValuePairs<String, Int64>) -> PastHost {
    var delta = FileDelta(
      file: FileIdentity(key: FileKey(high: 1, low: id.low), path: "/srv/\(name).log"), from: 0, to: 0)
    for (text, second) in lines {
      let bytes = Array(text.utf8)
      delta.lines.text += bytes
      delta.lines.lengths.append(UInt32(bytes.count))
      delta.lines.advances.append(UInt32(bytes.count + 1))
      delta.lines.timesUs.append((past.startNs + second * 1_000_000_000) / 1000)
      delta.lines.levels.append(Level.info.rawValue)
      delta.lines.flags.append(0)
      delta.to += UInt64(bytes.count + 1)
    }
    batch.files.append(delta)
    return self
  }

  /// A run of one episode of ten steps.
  func run(_ run: String, _ state: RunState, reward: Double, loss: Double) -> PastHost {
    func update(_ state: RunState, _ second: Int64) {
      var update = RunUpdate()
      update.timeNs = past.startNs + second * 1_000_000_000
      update.run = run
      update.state = state
      update.source = "/srv/\(run)"
      records.runs.append(update)
    }
    update(.running, 10)
    var summary = EpisodeSummary()
    for number in 1...10 as ClosedRange<Int64> {
      var step = TrainingStep()
      step.timeNs = past.startNs + (10 + number) * 1_000_000_000
      step.run = run
      step.episode = 1
      step.step = number
      step.reward = reward
      var metric = Metric()
      metric.name = "loss"
      metric.value = loss
      step.metrics = [metric]
      records.steps.append(step)
      summary.add(step)
    }
    summary.state = .completed
    records.episodes.append(summary)
    update(state, 30)
    return self
  }

  func commit() throws {
    let hash = [UInt8](repeating: 7, count: 32)
    let nowNs = past.startNs + 7200 * 1_000_000_000
    try past.store.invite(
      Invitation(tokenID: name, secretHash: hash, hostName: name, expiresNs: nowNs + 60_000_000_000), actor: "test")
    _ = try past.store.redeem(
      Redemption(tokenID: name, secretHash: hash, keyPin: hash, newHost: id, nowNs: nowNs))
    var hello = Hello()
    hello.bootID = BootID(high: 0, low: 1)
    hello.machineIDHash = MachineIDHash(high: 0, low: id.low)
    hello.spoolID = SpoolID(high: 0, low: id.low)
    let fence = try past.store.fence(host: id, hello: hello, receivedNs: nowNs)
    batch.number = 1
    batch.spooled = [SpooledRecords(lane: .live, firstSequence: 1, lastSequence: 1, records: records)]
    let outcome = try past.store.commit([
      StagedBatch(
        host: id, hostNumber: fence.hostNumber, epoch: fence.epoch, spool: SpoolID(high: 0, low: id.low),
        receivedNs: nowNs, batch: batch)
    ])
    #expect(outcome == [.committed])
  }
}

private func * (values: [Float], count: Int) -> [Float] { (0..<count).flatMap { _ in values } }
