import Files
import Foundation
import Postgres
import TestSupport

/// A collector, its database and one agent on this machine, below one temporary directory.
final class TestFleet {
  let directory: String
  private(set) var collector: Program?
  private(set) var agent: Program?
  var port = 0
  private(set) var databaseURL = ""
  private(set) var metricsAddress = ""
  private var agentWords: [String] = []
  private var agentEnvironment: [String: String] = [:]
  /// Set where the tests run on a server of their own instead of the collector's private one.
  private let ownDatabase: String?
  /// Words before the collector's own, such as those that make it another user's; its program is the last of them then.
  var collectorRunner: [String] = []

  /// - Parameter onTestServer: false where the test is about where the database runs.
  init(_ name: String, onTestServer: Bool = true) throws {
    directory = "/tmp/signalbox-e2e-\(name)-\(UUID().uuidString.prefix(8))"
    try HostFiles.makeDirectory(directory + "/logs", mode: 0o755)
    ownDatabase = onTestServer ? try ExternalDatabase.create() : nil
  }

  var logs: String { directory + "/logs" }
  var collectorState: String { directory + "/collector" }
  var agentState: String { directory + "/agent" }

  func tearDown() {
    agent?.stop()
    collector?.stop()
    if let ownDatabase { ExternalDatabase.drop(ownDatabase) }
    try? FileManager.default.removeItem(atPath: directory)
  }

  /// Writes a followed file as a program would: under its own name from the first byte.
  func write(_ name: String, _ bytes: [UInt8]) throws {
    try Descriptor.open(logs + "/" + name, .append, mode: 0o644).write(bytes.span)
  }

  // MARK: Collector

  /// - Parameter port: 0 at the first start; the same again after a kill, since agents know it.
  func startCollector(_ extra: [String] = []) throws {
    var words = ["--state-dir", collectorState, "--listen", "127.0.0.1:\(port)"] + extra
    if let ownDatabase { words += ["--database", ownDatabase] }
    let command = collectorRunner.isEmpty ? ["signalbox-collector"] : collectorRunner
    let program = try Program(command[0], command.dropFirst() + words, errorPath: directory + "/collector.err")
    collector = program
    let ready = try program.line(startingWith: "ready ")
    let fields = Dictionary(
      ready.split(separator: " ").dropFirst().compactMap { field -> (String, String)? in
        guard let equals = field.firstIndex(of: "=") else { return nil }
        return (String(field[..<equals]), String(field[field.index(after: equals)...]))
      }, uniquingKeysWith: { $1 })
    guard let listen = fields["listen"], let port = Int(listen.split(separator: ":").last ?? "") else {
      throw HarnessError("no listen= in '\(ready)'")
    }
    self.port = port
    databaseURL = fields["database"] ?? ""
    metricsAddress = fields["metrics"] ?? ""
  }

  func killCollector() { collector?.kill() }
  func stopCollector() -> Int32 { collector?.stop() ?? -1 }

  /// The postmaster of the collector's private database; nil where the tests use another server.
  var postmasterPID: Int32? {
    guard ownDatabase == nil, let files = FileManager.default.enumerator(atPath: collectorState) else { return nil }
    for case let name as String in files where name.hasSuffix("/postmaster.pid") {
      let text = try? String(contentsOfFile: collectorState + "/" + name, encoding: .utf8)
      return text?.split(separator: "\n").first.flatMap { Int32($0) }
    }
    return nil
  }

  /// The private database and its backends.
  var databasePIDs: [Int32] { postmasterPID.map(Processes.family) ?? [] }

  var databaseDirectory: String { collectorState + "/postgres/data" }

  /// What `/health` answers; empty where nothing does.
  func health() throws -> String {
    try Program.run("/usr/bin/curl", ["-s", "-m", "3", "http://\(metricsAddress)/health"]).output
  }

  /// One of the collector's own figures; nil where it does not tell it.
  func metric(_ name: String) throws -> Double? {
    let text = try Program.run("/usr/bin/curl", ["-s", "-m", "3", "http://\(metricsAddress)/metrics"]).output
    return text.split(separator: "\n").first { $0.hasPrefix(name + " ") }?.split(separator: " ").last.flatMap {
      Double($0)
    }
  }

  func signalCollector(_ number: Int32) { collector?.signal(number) }

  // MARK: Agent

  func join(_ name: String = "host-1", state: String? = nil) throws {
    let token = try signalbox("hosts", "invite", name).output.trimmingCharacters(in: .newlines)
    let result = try Program.run("signalbox-agent", ["join", token, "--state-dir", state ?? agentState])
    guard result.code == 0 else { throw HarnessError("join failed (\(result.code)): \(result.errors)") }
  }

  func startAgent(_ extra: [String] = [], environment: [String: String] = [:]) throws {
    agentEnvironment = environment
    agentWords = ["run", "--state-dir", agentState, "--follow", logs + "/**"] + extra
    try restartAgent()
    // What is written before its first start is history, which is never paged.
    try eventually("the agent's first look") { try FileStatus.exists(agentState + "/followed-since") }
  }

  func restartAgent() throws {
    agent = try Program(
      "signalbox-agent", agentWords, environment: agentEnvironment, errorPath: directory + "/agent.err")
  }

  func killAgent() { agent?.kill() }
  func stopAgent() -> Int32 { agent?.stop() ?? -1 }

  // MARK: Asking

  /// Runs `signalbox` against this fleet's database.
  @discardableResult
  func signalbox(_ words: String...) throws -> Program.Result {
    try Program.run("signalbox", words, environment: ["SIGNALBOX_DATABASE_URL": databaseURL])
  }

  func json(_ words: String...) throws -> [[String: Any]] {
    let result = try Program.run(
      "signalbox", words + ["--format", "json"], environment: ["SIGNALBOX_DATABASE_URL": databaseURL])
    // Some tests look at what a host has left behind.
    guard [0, 3, 5].contains(result.code) else { throw HarnessError("signalbox \(words): \(result.errors)") }
    return try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [[String: Any]] ?? []
  }

  /// Rows, distinct messages and offsets of each generation of a file, for a message.
  func rowsByFile() throws -> String {
    let connection = try Connection(DatabaseURL(parsing: databaseURL))
    defer { connection.close() }
    let rows = try connection.query(
      """
      select concat_ws(' ', f.number, f.path, 'inode', f.inode, 'generation', f.generation, 'committed', f.committed_offset,
        'head', f.head_length, 'finished', f.finished, 'seen', f.first_seen::time, f.updated::time, 'rows', count(message),
        'distinct', count(distinct message), 'lines', min(n), max(n), 'offsets', min(file_offset), max(file_offset))
      from signalbox.followed_files f
      left join (select *, substring(message from 'line ([0-9]+)')::int as n from signalbox.log_info) l on l.file = f.number
      group by f.number order by f.number
      """)
    return (0..<rows.count).map { "\n  " + (rows.text($0, 0) ?? "") }.joined()
  }

  /// Asks the database directly; every test may.
  func value(_ sql: String) throws -> Int64 {
    let connection = try Connection(DatabaseURL(parsing: databaseURL))
    defer { connection.close() }
    return try connection.query(sql).int(0, 0) ?? 0
  }

  /// A connection of the test's own, such as one that holds a lock; to be closed.
  func connect() throws -> Connection { try Connection(DatabaseURL(parsing: databaseURL)) }

  /// Runs a statement on the database directly.
  func execute(_ sql: String) throws {
    let connection = try Connection(DatabaseURL(parsing: databaseURL))
    defer { connection.close() }
    try connection.execute(sql)
  }

  /// The database's URL with other settings.
  func url(with changes: [String: String]) throws -> String {
    try DatabaseURL(parsing: databaseURL).with(changes).text
  }

  /// Waits until a condition holds; the harness's only wait.
  func eventually(_ what: String, within seconds: Double = 60, _ holds: () throws -> Bool) throws {
    let deadline = Date(timeIntervalSinceNow: seconds)
    var failure = ""
    while Date() < deadline {
      do {
        if try holds() { return }
        failure = ""
      } catch { failure = "\(error)" }
      usleep(100_000)
    }
    throw HarnessError(
      "\(what) did not come within \(seconds) s. \(failure)\nagent: \(agent?.errors.suffix(2000) ?? "")\ncollector: \(collector?.errors.suffix(2000) ?? "")"
    )
  }
}

/// A database on the server of `SIGNALBOX_TEST_DATABASE_URL`, where that is set.
enum ExternalDatabase {
  static func create() throws -> String? {
    guard let server = ProcessInfo.processInfo.environment["SIGNALBOX_TEST_DATABASE_URL"] else { return nil }
    let name = "e2e_\(UUID().uuidString.prefix(8).lowercased())"
    try execute(server, "create database \(name)")
    var parts = URLComponents(string: server)
    parts?.path = "/" + name
    return parts?.string
  }

  static func drop(_ url: String) {
    guard let server = ProcessInfo.processInfo.environment["SIGNALBOX_TEST_DATABASE_URL"],
      let name = URLComponents(string: url)?.path.dropFirst()
    else { return }
    try? execute(server, "drop database if exists \(name) with (force)")
  }

  private static func execute(_ server: String, _ sql: String) throws {
    let connection = try Connection(DatabaseURL(parsing: server))
    defer { connection.close() }
    try connection.execute(sql)
  }
}
