internal import EventLoop
internal import Files
internal import Postgres

/// (b) A real agent follows a real file: bytes a second from the file to committed rows, and what each side spends.
enum LogPart {
  static let megabytes = 300
  private static let tables = ["log_info", "log_warn"]

  static func run(_ bench: Bench) throws {
    let file = bench.directory + "/training.log"
    let (bytes, lines) = try write(file)
    let state = try RealAgent.join(bench, "logs")
    try bench.psql(tables.map { "truncate signalbox.\($0);" } + ["checkpoint;"])
    let connection = try bench.connection()
    defer { connection.close() }
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
      let rows = try connection.query(
        "select coalesce(max(committed_offset), 0) from signalbox.followed_files where path = $1", [.text(file)])
      return rows.int(0, 0) == Int64(bytes)
    }
    let seconds = Double(Clock.monotonicNs() - startNs) / 1e9
    guard done else { throw BenchFailure("the file was not committed; see \(bench.directory)/agent.log") }
    let agentCPU = try agent.figures.cpuNs()
    let collectorCPU = try collector.cpuNs() - collectorBefore
    let databaseCPU = try bench.databaseCPUNs() - databaseBefore
    let gigabytes = Double(bytes) / 1e9
    let stored = try connection.query(
      "select (select count(*) from signalbox.log_info) + (select count(*) from signalbox.log_warn)"
    ).int(0, 0)
    guard stored == Int64(lines) else { throw BenchFailure("\(stored ?? 0) rows of \(lines) lines") }
    let resident = Double(try agent.figures.residentKiB()) / 1024
    let dirty = Double(try agent.figures.privateDirtyKiB()) / 1024
    let again = try bench.copyAgain(tables)
    let copySeconds = again.ms / 1000
    bench.add(
      "(b) MB/s from file to committed rows (\(Int(Double(lines) / seconds / 1000))k lines/s)",
      Figures.text(Double(bytes) / seconds / 1e6))
    bench.add(
      "(b) MB/s of \\copy binary (\(Int(Double(lines) / copySeconds / 1000))k lines/s)",
      Figures.text(Double(bytes) / copySeconds / 1e6))
    bench.add(
      "(b) database CPU s/GB; of \\copy",
      Figures.text(Double(databaseCPU) / 1e9 / gigabytes) + "; "
        + Figures.text(Double(again.databaseNs) / 1e9 / gigabytes))
    bench.add("log_ratio", copySeconds / seconds, "(b) ratio", target: "≥ 0.8")
    bench.add("agent_cpu_s_per_gb", Double(agentCPU) / 1e9 / gigabytes, "(b) agent CPU s/GB", target: "≤ 6")
    bench.add("collector_cpu_s_per_gb", Double(collectorCPU) / 1e9 / gigabytes, "(b) collector CPU s/GB", target: "≤ 8")
    bench.add(
      "(b) agent after the flood: MiB resident / private dirty", Figures.text(resident) + " / " + Figures.text(dirty))
    _ = try HostFiles.remove(file)
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
