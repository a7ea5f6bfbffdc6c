import Collector
import EventLoop
import Files
import FleetModel
import Foundation
import Logging
import Paging
import Postgres
import Store
import TestSupport
import Testing

/// The collector's own threads, a real receiver, and a real PostgreSQL that is stopped or frozen.
@Suite(.timeLimit(.minutes(2))) struct DatabaseAwayTests {
  enum Absence: CaseIterable {
    /// It refuses connections.
    case ended
    /// It takes connections and never answers.
    case frozen
  }

  /// What each test has for itself.
  final class Stage {
    let directory = "/tmp/signalbox-away-\(UUID().uuidString.prefix(8))"
    let receiver: TestReceiver
    let configuration: PagingConfiguration
    private var server: PrivateServer
    private var thread: PagingThread?
    private var running: LoopThread?

    init() throws {
      // A closed socket must be an error, not the end of the process.
      signal(SIGPIPE, SIG_IGN)
      receiver = try TestReceiver()
      server = try PrivateServer(stateDirectory: directory + "/database")
      try Store.open(server.url, migrating: true).close()
      var configuration = PagingConfiguration()
      configuration.receivers = [
        "duty": .webhook(url: receiver.url("200/duty"), secrets: []),
        "lead": .webhook(url: receiver.url("200/lead"), secrets: []),
      ]
      configuration.policies = [.p0: [.init(to: "duty"), .init(to: "lead", afterNs: 5_000_000_000)]]
      self.configuration = configuration
      try startThread()
    }

    func startThread() throws {
      let thread = try PagingThread(
        database: server.url, stateDirectory: directory + "/collector", configuration: configuration,
        metrics: CollectorMetrics(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
      self.thread = thread
      running = try thread.start()
    }

    func stopThread() {
      thread?.stop()
      running?.join()
      (running, thread) = (nil, nil)
    }

    func post(_ change: IncidentChange) { thread?.post([change]) }

    private var processes: [Int32] {
      guard let first = server.processID, let names = try? HostFiles.list("/proc") else { return [] }
      return [first]
        + names.compactMap { name in
          guard let pid = Int32(name), let stat = try? HostFiles.read("/proc/\(name)/stat"),
            let end = stat.lastIndex(of: UInt8(ascii: ")"))
          else { return nil }
          // proc(5): pid (comm) state ppid …
          let fields = String(decoding: stat[(end + 2)...], as: UTF8.self).split(separator: " ")
          return fields.count > 1 && Int32(fields[1]) == first ? pid : nil
        }
    }

    func takeAway(_ absence: Absence) throws {
      switch absence {
      case .ended: try server.stop()
      case .frozen: for pid in processes { kill(pid, SIGSTOP) }
      }
    }

    func bringBack(_ absence: Absence) throws {
      switch absence {
      case .ended: server = try PrivateServer(stateDirectory: directory + "/database")
      case .frozen: for pid in processes { kill(pid, SIGCONT) }
      }
    }

    func value(_ sql: String) throws -> Int64 {
      let connection = try Connection(server.url)
      defer { connection.close() }
      return try connection.query(sql).int(0, 0) ?? -1
    }

    func eventually(_ what: String, within seconds: Double = 30, _ holds: () throws -> Bool) throws {
      let deadline = Date(timeIntervalSinceNow: seconds)
      while Date() < deadline {
        if (try? holds()) == true { return }
        usleep(20_000)
      }
      Issue.record(
        "\(what) did not come; there came: \(receiver.requests().map { "\($0.path) \($0.body["event"] ?? "")" })")
    }

    /// Messages about an entity, as `receiver event`.
    func heard(_ entity: String) -> [String] {
      receiver.requests().filter { $0.body["entity"] as? String == entity }.map {
        "\($0.path.split(separator: "/").last ?? "") \($0.body["event"] as? String ?? "")"
      }
    }

    func tearDown() {
      try? bringBack(.frozen)
      stopThread()
      try? server.stop()
      TestFiles.remove(directory)
    }
  }

  func change(_ kind: IncidentChange.Kind, _ entity: String, host: String = "trainer-1") -> IncidentChange {
    let now = Clock.wallNs()
    var change = IncidentChange(
      kind, rule: "RES-01", severity: .p0, hostName: host, entity: entity, eventNs: now, detectedNs: now)
    change.summary = "\(entity) is wrong"
    change.steps = ["look"]
    return change
  }

  @Test(arguments: Absence.allCases) func pagesGoOutOnceAndTheirRowsFollow(_ absence: Absence) throws {
    let stage = try Stage()
    defer { stage.tearDown() }
    stage.post(change(.opened, "before"))
    try stage.eventually("the page with the database") { stage.heard("before") == ["duty trigger"] }
    try stage.takeAway(absence)
    let begun = Date()
    stage.post(change(.opened, "stays"))
    stage.post(change(.opened, "passes"))
    try stage.eventually("the pages without the database", within: 5) {
      stage.heard("stays") == ["duty trigger"] && stage.heard("passes") == ["duty trigger"]
    }
    #expect(Date().timeIntervalSince(begun) < 4)
    stage.post(change(.cleared, "passes"))
    try stage.eventually("the end", within: 8) { stage.heard("passes") == ["duty trigger", "duty resolve"] }
    try stage.eventually("the escalation", within: 8) { stage.heard("stays") == ["duty trigger", "lead escalate"] }
    try stage.bringBack(absence)
    try stage.eventually("the rows") {
      try stage.value("select count(*) from signalbox.incidents where entity in ('stays', 'passes')") == 2
        && stage.value("select count(*) from signalbox.outbox where state = 'waiting'") == 0
    }
    #expect(
      try stage.value("select count(*) from signalbox.incidents where entity = 'passes' and state = 'resolved'") == 1)
    #expect(
      try stage.value(
        "select count(*) from signalbox.incidents i join signalbox.incident_timeline t on t.incident = i.number where i.entity = 'stays' and t.kind = 'paged'"
      ) == 1)
    // The incident goes on under the key that its receivers know.
    let store = try Store.open(
      DatabaseURL(parsing: try PrivateServer.notedURL(stateDirectory: stage.directory + "/database").text))
    let number = try stage.value("select number from signalbox.incidents where entity = 'stays'")
    try store.acknowledge(incident: number, actor: "ann", nowNs: Clock.wallNs())
    store.close()
    try stage.eventually("the ack") { stage.heard("stays").contains("duty acknowledge") }
    #expect(stage.heard("passes") == ["duty trigger", "duty resolve"])
    #expect(stage.heard("stays").filter { $0 == "duty trigger" }.count == 1)
    let keys = Set(
      stage.receiver.requests().filter { $0.body["entity"] as? String == "stays" }.compactMap {
        $0.body["dedup_key"] as? String
      })
    #expect(keys.count == 1)
  }

  @Test func aRestartOfTheCollectorWithoutTheDatabasePagesNobodyTwice() throws {
    let stage = try Stage()
    defer { stage.tearDown() }
    stage.post(change(.opened, "before"))
    try stage.eventually("the page with the database") { stage.heard("before") == ["duty trigger"] }
    try stage.takeAway(.ended)
    stage.post(change(.opened, "held"))
    try stage.eventually("the page without the database", within: 5) { stage.heard("held") == ["duty trigger"] }
    // Later ones too: not yet paged when the collector ends.
    stage.post(change(.opened, "late"))
    stage.stopThread()
    try stage.startThread()
    try stage.eventually("the page after the restart", within: 8) { stage.heard("late") == ["duty trigger"] }
    try stage.bringBack(.ended)
    try stage.eventually("the rows") {
      try stage.value("select count(*) from signalbox.incidents where entity in ('held', 'late')") == 2
        && stage.value("select count(*) from signalbox.outbox where state = 'waiting' and due <= now()") == 0
    }
    #expect(stage.heard("held").filter { $0 == "duty trigger" }.count == 1)
    #expect(stage.heard("late").filter { $0 == "duty trigger" }.count == 1)
  }

  @Test func manyIncidentsWithoutTheDatabaseAreFewMessagesThatCountThemAll() throws {
    let stage = try Stage()
    defer { stage.tearDown() }
    stage.post(change(.opened, "before"))
    try stage.eventually("the page with the database") { stage.heard("before") == ["duty trigger"] }
    try stage.takeAway(.ended)
    for number in 0..<500 { stage.post(change(.opened, "job \(number)", host: "h\(number)")) }
    try stage.eventually("the list", within: 8) {
      stage.receiver.requests().contains { ($0.body["count"] as? Int ?? 0) == 500 }
    }
    #expect(stage.receiver.requests().filter { $0.path == "/200/duty" }.count <= 3)
  }
}
