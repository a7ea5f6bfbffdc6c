internal import EventLoop
internal import Files
internal import Postgres
internal import Store
internal import TestSupport

/// (b) A real agent follows a real file: bytes a second from the file to committed rows, and what each side spends.
enum LogPart {
  static let megabytes = 300
  private static let tables = ["log_info", "log_warn"]

  private static let rounds = 3

  private struct Round {
    var bytes = 0.0
    var lines = 0.0
    var seconds = 0.0
    var copySeconds = 0.0
    /// CPU time, ns.
    var agentNs: Int64 = 0
    var collectorNs: Int64 = 0
    var databaseNs: Int64 = 0
    var copyNs: Int64 = 0
    var memory = ""

    func perGigabyte(_ ns: Int64) -> Double { Double(ns) / bytes }
  }

  static func run(_ bench: Bench) throws {
    let all = try (1...rounds).map { try round(bench, "logs-\($0)") }
    func median(_ value: (Round) -> Double) -> Double { all.map(value).median }
    func each(_ value: (Round) -> Double) -> String { all.map { Figures.text(value($0)) }.joined(separator: " ") }
    bench.add(
      "(b) MB/s from file to committed rows (\(Int(median { $0.lines / $0.seconds } / 1000))k lines/s)",
      each { $0.bytes / $0.seconds / 1e6 })
    bench.add(
      "(b) MB/s of \\copy binary (\(Int(median { $0.lines / $0.copySeconds } / 1000))k lines/s)",
      each { $0.bytes / $0.copySeconds / 1e6 })
    bench.add(
      "(b) database CPU s/GB; of \\copy",
      Figures.text(median { $0.perGigabyte($0.databaseNs) }) + "; " + Figures.text(median { $0.perGigabyte($0.copyNs) })
    )
    bench.add(
      "log_ratio", median { $0.copySeconds / $0.seconds }, "(b) ratio, median of \(rounds) rounds", target: "≥ 0.8")
    bench.add(
      "agent_cpu_s_per_gb", median { $0.perGigabyte($0.agentNs) }, "(b) agent CPU s/GB, median", target: "≤ 6")
    bench.add(
      "collector_cpu_s_per_gb", median { $0.perGigabyte($0.collectorNs) }, "(b) collector CPU s/GB, median",
      target: "≤ 8")
    bench.add("(b) agent after the flood: MiB resident / private dirty", all.last?.memory ?? "")
  }

  private static func round(_ bench: Bench, _ name: String) throws -> Round {
    var figures = Round()
    let file = bench.directory + "/\(name).log"
    let (bytes, lines) = try write(file)
    (figures.bytes, figures.lines) = (Double(bytes), Double(lines))
    let state = try RealAgent.join(bench, name)
    try bench.empty(tables)
    let connection = try bench.connection()
    defer { connection.close() }
    let reader = try FleetReader(bench.database)
    defer { reader.close() }
    let collector = bench.collectorFigures
    let collectorBefore = try collector.cpuNs()
    let databaseBefore = try bench.databaseCPUNs()
    let startNs = Clock.monotonicNs()
    let agent = try RealAgent(bench, state, ["--follow \(file)", "--allow \(bench.directory)"])
    defer { try? agent.stop() }
    var askedNs: Int64 = 0
    let done = try bench.wait(seconds: 180) {
      if Clock.monotonicNs() - askedNs < 100_000_000 { return false }
      askedNs = Clock.monotonicNs()
      return try reader.committedOffsets(of: name)[file] == Int64(bytes)
    }
    figures.seconds = Double(Clock.monotonicNs() - startNs) / 1e9
    guard done else { throw BenchFailure("the file was not committed; see \(bench.directory)/agent.log") }
    figures.agentNs = try agent.figures.cpuNs()
    figures.collectorNs = try collector.cpuNs() - collectorBefore
    figures.databaseNs = try bench.databaseCPUNs() - databaseBefore
    let stored = try connection.rowCount(of: tables)
    guard stored == Int64(lines) else { throw BenchFailure("\(stored) rows of \(lines) lines") }
    figures.memory =
      Figures.text(Double(try agent.figures.residentKiB()) / 1024) + " / "
      + Figures.text(Double(try agent.figures.privateDirtyKiB()) / 1024)
    let again = try bench.copyAgain(tables)
    (figures.copySeconds, figures.copyNs) = (again.ms / 1000, again.databaseNs)
    _ = try HostFiles.remove(file)
    return figures
  }

  private static func write(_ path: String) throws -> (bytes: Int, lines: Int) {
    let file = try Descriptor.open(path, .replace)
    var bytes = 0
    var number = 0
    var buffer: [UInt8] = []
    while bytes < megabytes * 1_000_000 {
      buffer.removeAll(keepingCapacity: true)
      for _ in 0..<10_000 {
        buffer += BenchData.lines[number % BenchData.lines.count]
        buffer.append(UInt8(ascii: "\n"))
        number += 1
      }
      try file.write(buffer.span)
      bytes += buffer.count
    }
    // What the kernel still has to write would be in the way of what is measured.
    try file.sync()
    return (bytes, number)
  }
}

/// A joined `signalbox-agent` of the same build.
final class RealAgent {
  private let bench: Bench
  private let child: Child

  var figures: ProcessFigures { ProcessFigures(pid: child.pid) }

  /// Invites and joins a host.
  /// - Returns: the agent's state directory.
  static func join(_ bench: Bench, _ name: String) throws -> String {
    let state = bench.directory + "/agent-" + name
    let token = try bench.run("\(bench.binaries)/signalbox hosts invite \(name) --state-dir \(bench.stateDirectory)")
      .output
    guard let token = token.split(separator: "\n").first else { throw BenchFailure("no token came") }
    try bench.run("\(bench.binaries)/signalbox-agent join \(token) --state-dir \(state)")
    return state
  }

  init(_ bench: Bench, _ state: String, _ arguments: [String]) throws {
    self.bench = bench
    let command = "exec \(bench.binaries)/signalbox-agent run --state-dir \(state) \(arguments.joined(separator: " "))"
    let flag = Flag()
    child = try bench.start("\(command) >>\(bench.directory)/agent.log 2>&1") { _ in flag.isSet = true }
    ended = flag
  }

  private final class Flag { var isSet = false }
  private let ended: Flag

  func stop() throws {
    child.signal(15)
    if try !bench.wait(seconds: 20, until: { ended.isSet }) { child.signal(9) }
  }
}
