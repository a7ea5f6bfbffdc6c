import Collector
import Files
import Foundation
import Paging
import Postgres
import Store
import TestSupport

/// One or two collectors on one PostgreSQL, and a receiver; all real, all of them can be killed.
final class PagingFleet {
  let directory: String
  let receiver: PageReceiver
  let configuration: PagingConfiguration
  let databaseURL: DatabaseURL
  private(set) var collectors: [Program?]
  private var server: PrivateServer

  /// Steps are seconds apart instead of minutes: what is tested is that they come, and when.
  private static func yaml(_ receiver: PageReceiver) -> String {
    """
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
    try Data(text.utf8).write(to: URL(fileURLWithPath: directory + "/signalbox.yaml"))
    guard let paging = try ConfigurationReader.read(text, file: "signalbox.yaml").paging else {
      throw HarnessError("no paging section")
    }
    configuration = paging
    server = try PrivateServer(stateDirectory: directory + "/database")
    databaseURL = server.url
    collectors = Array(repeating: nil, count: count)
    for index in 0..<count { try startCollector(index) }
  }

  func startCollector(_ index: Int) throws {
    let program = try Program(
      "signalbox-collector",
      [
        "--state-dir", "\(directory)/collector-\(index)", "--listen", "127.0.0.1:0", "--database", databaseURL.text,
        "--config", directory + "/signalbox.yaml", "--gateways", "1", "--writers", "1",
      ], errorPath: "\(directory)/collector-\(index).err")
    collectors[index] = program
    _ = try program.line(startingWith: "ready ")
  }

  func startDatabase() throws { server = try PrivateServer(stateDirectory: directory + "/database") }

  /// The server's first process, then its others.
  var databaseProcesses: [Int32] {
    PrivateServer.processID(stateDirectory: directory + "/database").map(Processes.family) ?? []
  }

  func count(_ what: String) throws -> Int64 {
    let connection = try Connection(databaseURL)
    defer { connection.close() }
    return try connection.query("select count(*) from \(what)").int(0, 0) ?? -1
  }

  /// The steps of escalation that were planned, whatever became of them.
  func steps() throws -> [Step] {
    let connection = try Connection(databaseURL)
    defer { connection.close() }
    let rows = try connection.query(
      """
      select i.dedup_key, o.receiver, o.due from signalbox.outbox o join signalbox.incidents i on i.number = o.incident
      where o.event = 'escalate' and o.receiver <> 'safety'
      """)
    return (0..<rows.count).map { row in
      Step(
        key: rows.text(row, 0) ?? "", receiver: rows.text(row, 1) ?? "", due: Double(rows.timeUs(row, 2) ?? 0) / 1e6)
    }
  }

  func tearDown() {
    for collector in collectors { collector?.kill() }
    receiver.stop()
    try? server.stop()
    try? FileManager.default.removeItem(atPath: directory)
  }
}
