import Collector
import EventLoop
import Files
import FleetModel
import Incidents
import Foundation
import Logging
import Paging
import Postgres
import SiteConfiguration
import Store
import TestSupport
import Testing

/// The collector's own threads for paging, a real receiver, and a real PostgreSQL that can be stopped or frozen.
final class PagingStage {
  enum Absence: CaseIterable {
    /// It refuses connections.
    case ended
    /// It accepts connections and never answers.
    case frozen
    /// It answers, but transactions that write incidents block.
    case locked
  }

  let directory = "/tmp/signalbox-away-\(UUID().uuidString.prefix(8))"
  let receiver: TestReceiver
  let configuration: PagingConfiguration
  private var server: PrivateServer
  private var thread: PagingThread?
  private var running: LoopThread?
  private var lock: Connection?

  init(leadAfterNs: Int64 = 6_000_000_000, leadAnswers: Int = 200, dutyAnswers: String = "200") throws {
    // A closed socket must be an error, not the end of the process.
    signal(SIGPIPE, SIG_IGN)
    receiver = try TestReceiver()
    server = try PrivateServer(stateDirectory: directory + "/database")
    try Store.open(server.url, migrating: true).close()
    var configuration = PagingConfiguration()
    configuration.receivers = [
      "duty": .webhook(url: receiver.url("\(dutyAnswers)/duty"), secrets: []),
      "lead": .webhook(url: receiver.url("\(leadAnswers)/lead"), secrets: []),
    ]
    configuration.policies = [.p0: [.init(to: "duty"), .init(to: "lead", afterNs: leadAfterNs)]]
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
  func post(_ changes: [IncidentChange]) { thread?.post(changes) }

  private var processes: [Int32] { server.processID.map(Processes.family) ?? [] }

  func takeAway(_ absence: Absence) throws {
    switch absence {
    case .ended: try server.stop()
    case .frozen: for pid in processes { kill(pid, SIGSTOP) }
    case .locked:
      lock = try Connection(server.url)
      try lock?.execute("begin; lock table signalbox.incidents in exclusive mode")
    }
  }

  func bringBack(_ absence: Absence) throws {
    switch absence {
    case .ended: server = try PrivateServer(stateDirectory: directory + "/database")
    case .frozen: for pid in processes { kill(pid, SIGCONT) }
    case .locked:
      lock?.close()
      lock = nil
    }
  }

  /// - Returns: the host's number.
  func enrol(_ name: String) throws -> Int32 {
    let store = try Store.open(server.url)
    defer { store.close() }
    let hash = [UInt8](repeating: 7, count: 32)
    let now = Clock.wallNs()
    try store.invite(
      Invitation(tokenID: name, secretHash: hash, hostName: name, expiresNs: now + 60_000_000_000), actor: "test")
    _ = try store.redeem(
      Redemption(tokenID: name, secretHash: hash, keyPin: hash, newHost: HostID(high: 0, low: 1), nowNs: now))
    return Int32(clamping: try value("select number from signalbox.hosts where name = '\(name)'"))
  }

  func execute(_ sql: String) throws {
    let connection = try Connection(server.url)
    defer { connection.close() }
    try connection.execute(sql)
  }

  func value(_ sql: String) throws -> Int64 {
    let connection = try Connection(server.url)
    defer { connection.close() }
    return try connection.query(sql).int(0, 0) ?? -1
  }

  func eventually(_ what: String, within seconds: Double = 90, _ holds: () throws -> Bool) throws {
    let deadline = Date(timeIntervalSinceNow: seconds)
    while Date() < deadline {
      if (try? holds()) == true { return }
      usleep(20_000)
    }
    Issue.record(
      "\(what) did not come; there came: \(receiver.requests().map { "\($0.path) \($0.body["event"] ?? "")" })")
  }

  /// Messages about an entity, as `receiver event`.
  func received(_ entity: String) -> [String] {
    receiver.requests().filter { $0.body["entity"] as? String == entity }.map {
      "\($0.path.split(separator: "/").last ?? "") \($0.body["event"] as? String ?? "")"
    }
  }

  func tearDown() {
    try? bringBack(.frozen)
    try? bringBack(.locked)
    stopThread()
    try? server.stop()
    TestFiles.remove(directory)
  }

  static func change(_ kind: IncidentChange.Kind, _ entity: String, host: String = "trainer-1") -> IncidentChange {
    let now = Clock.wallNs()
    var change = IncidentChange(
      kind, rule: "RES-01", severity: .p0, hostName: host, entity: entity, eventNs: now, detectedNs: now)
    change.summary = "\(entity) is wrong"
    change.steps = ["look"]
    return change
  }
}
