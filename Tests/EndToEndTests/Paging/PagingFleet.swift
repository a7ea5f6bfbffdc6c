import Collector
import Files
import Foundation
import Paging
import Postgres
import SiteConfiguration
import Store
import TestSupport

/// An agent, one or two collectors on one PostgreSQL, and a receiver; all real, all of them can be killed.
final class PagingFleet {
  let directory: String
  let receiver: PageReceiver
  let configuration: PagingConfiguration
  let databaseURL: DatabaseURL
  private(set) var collectors: [Program?]
  private(set) var agent: Program?
  private var server: PrivateServer
  private let ports: [Int]

  private static let rule =
    "- { id: CHAOS-01, title: A job has stopped, severity: P0, scope: file, when: { log: { text: STOPPED } }, until: { log: { text: GOES ON } } }\n"

  /// Steps are seconds apart instead of minutes: what is tested is that they come, and when.
  private static func yaml(_ receiver: PageReceiver) -> String {
    """
    rules: ["rules.yaml"]
    paging:
      receivers:
        duty: { webhook: { url: "\(receiver.url("duty"))" } }
        lead: { webhook: { url: "\(receiver.url("lead"))" } }
        boss: { webhook: { url: "\(receiver.url("boss"))" } }
        safety: { webhook: { url: "\(receiver.url("safety"))" } }
      policies:
        P0: [{ to: duty }, { to: lead, after: 4s }, { to: boss, after: 9s }]
      fallback: safety
      messages_per_minute: 1000000

    """
  }

  init(_ name: String, collectors count: Int, seed: UInt64) throws {
    directory = "/tmp/signalbox-paging-\(name)-\(UUID().uuidString.prefix(8))"
    try HostFiles.makeDirectory(directory, mode: 0o755)
    receiver = try PageReceiver(directory: directory, seed: seed)
    let text = Self.yaml(receiver)
    try HostFiles.replace(directory + "/signalbox.yaml", with: Array(text.utf8))
    try HostFiles.replace(directory + "/rules.yaml", with: Array(Self.rule.utf8))
    try HostFiles.makeDirectory(directory + "/logs", mode: 0o755)
    guard let paging = try ConfigurationReader.read(text, file: "signalbox.yaml").paging else {
      throw HarnessError("no paging section")
    }
    configuration = paging
    server = try PrivateServer(stateDirectory: directory + "/database")
    databaseURL = server.url
    collectors = Array(repeating: nil, count: count)
    ports = try FreePorts.take(count)
    try startCollector(0)
    for index in 1..<max(1, count) {
      // One authority for both.
      let state = "\(directory)/collector-\(index)"
      try HostFiles.makeDirectory(state, mode: 0o755)
      try FileManager.default.copyItem(atPath: "\(directory)/collector-0/ca", toPath: state + "/ca")
      try startCollector(index)
    }
    try startAgent()
  }

  private func startAgent() throws {
    let token = try Program.run(
      "signalbox", ["hosts", "invite", "train-1", "--state-dir", directory + "/collector-0"],
      environment: ["SIGNALBOX_DATABASE_URL": databaseURL.text]
    ).output.trimmingCharacters(in: .whitespacesAndNewlines)
    let joined = try Program.run("signalbox-agent", ["join", token, "--state-dir", directory + "/agent"])
    guard joined.code == 0 else { throw HarnessError("join failed (\(joined.code)): \(joined.errors)") }
    agent = try Program(
      "signalbox-agent", ["run", "--state-dir", directory + "/agent", "--follow", directory + "/logs/*.log"],
      errorPath: directory + "/agent.err")
    // What is written before its first start is history, which is never paged.
    let deadline = Date(timeIntervalSinceNow: 60)
    while try !FileStatus.exists(directory + "/agent/followed-since") {
      guard Date() < deadline else { throw HarnessError("the agent has not started; see \(directory)/agent.err") }
      Thread.sleep(forTimeInterval: 0.02)
    }
  }

  /// One more line of a job's log, in one write.
  func write(job: Int, _ line: String) throws {
    try Descriptor.open(log(of: job), .append, mode: 0o644).write(Array("\(line)\n".utf8).span)
  }

  func log(of job: Int) -> String { "\(directory)/logs/job-\(job).log" }

  func startCollector(_ index: Int) throws {
    let program = try Program(
      "signalbox-collector",
      [
        "--state-dir", "\(directory)/collector-\(index)", "--listen", "127.0.0.1:\(ports[index])", "--database",
        databaseURL.text, "--config", directory + "/signalbox.yaml", "--gateways", "1", "--writers", "1",
      ] + ports.flatMap { ["--advertise", "127.0.0.1:\($0)"] }, errorPath: "\(directory)/collector-\(index).err")
    collectors[index] = program
    _ = try program.line(startingWith: "ready ")
  }

  func startDatabase() throws { server = try PrivateServer(stateDirectory: directory + "/database") }

  /// The server's first process, then its others.
  var databaseProcesses: [Int32] {
    PrivateServer.processID(stateDirectory: directory + "/database").map(Processes.family) ?? []
  }

  private func query(_ sql: String, _ parameters: [Parameter] = []) throws -> Rows {
    let connection = try Connection(databaseURL)
    defer { connection.close() }
    return try connection.query(sql, parameters)
  }

  func count(_ what: String) throws -> Int64 {
    try query("select count(*) from \(what)").int(0, 0) ?? -1
  }

  /// For messages: a text and a number in each row.
  func rows(_ sql: String) throws -> String {
    let rows = try query(sql)
    return (0..<rows.count).map { "\(rows.text($0, 0) ?? "") \(rows.int($0, 1) ?? 0)" }.joined(separator: ", ")
  }

  /// Incidents' keys by what they are about.
  func keys() throws -> [String: [String]] {
    let rows = try query("select entity, dedup_key from signalbox.incidents where rule = 'CHAOS-01'")
    return Dictionary(
      grouping: (0..<rows.count).map { (rows.text($0, 0) ?? "", rows.text($0, 1) ?? "") }, by: \.0
    ).mapValues { $0.map(\.1) }
  }

  /// The steps of escalation that were planned, whatever became of them.
  func steps() throws -> [Step] {
    let rows = try query(
      """
      select i.dedup_key, o.receiver, o.due from signalbox.outbox o join signalbox.incidents i on i.number = o.incident
      where o.event = 'escalate' and o.receiver <> 'safety'
      """)
    return (0..<rows.count).map { row in
      Step(
        key: rows.text(row, 0) ?? "", receiver: rows.text(row, 1) ?? "", due: Double(rows.timeUs(row, 2) ?? 0) / 1e6)
    }
  }

  /// For messages: what became of each row about an incident, and what its file's lines are to the database.
  func outbox(of key: String) throws -> String {
    let rows = try query(
      """
      select concat_ws(' ', '  row', o.receiver, o.event, o.step, o.state, o.message_id, 'after', o.created - i.opened, o.due - i.opened,
        o.settled - i.opened, 'tries', o.attempts, o.detail, o.last_answer, 'in list ' || o.bundle)
      from signalbox.outbox o join signalbox.incidents i on i.number = o.incident where i.dedup_key = $1
      union all select concat_ws(' ', '  line', l.time::time, l.message)
      from public.log_lines l join signalbox.incidents i on i.entity = l.file where i.dedup_key = $1
      union all select concat_ws(' ', '  incident', i.number, i.opened::time, i.last_event::time, i.resolved::time, i.state)
      from signalbox.incidents i where i.entity = (select entity from signalbox.incidents where dedup_key = $1 limit 1)
      """, [.text(key)])
    return (0..<rows.count).map { rows.text($0, 0) ?? "" }.joined(separator: "\n")
  }

  func tearDown() {
    agent?.kill()
    for collector in collectors { collector?.kill() }
    receiver.stop()
    try? server.stop()
    try? FileManager.default.removeItem(atPath: directory)
  }
}
