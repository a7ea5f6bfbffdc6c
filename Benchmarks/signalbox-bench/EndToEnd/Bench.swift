internal import EventLoop
internal import Files
internal import FleetModel
internal import Postgres
internal import Store
internal import TLS
internal import Transport

/// A directory of its own with a real collector and its private database; everything ends with it.
final class Bench {
  let directory: String
  let loop: EventLoop
  let binaries: String
  private(set) var figures = Figures()
  private var collector: Child?
  private var collectorExit: Child.Exit?
  private(set) var address = SocketAddress(host: "127.0.0.1", port: 0)
  private(set) var database: DatabaseURL

  init() throws {
    directory = "/tmp/signalbox-bench-\(Clock.monotonicNs())"
    binaries = HostFiles.directory(of: try HostFiles.readLink("/proc/self/exe"))
    for name in ["signalbox-collector", "signalbox-agent", "signalbox"]
    where try !FileStatus.exists(binaries + "/" + name) {
      throw BenchFailure("\(binaries)/\(name) is missing: make bench builds it")
    }
    loop = try EventLoop()
    database = DatabaseURL(settings: [:])
    try HostFiles.makeDirectory(directory, mode: 0o755)
    try startCollector()
  }

  var stateDirectory: String { directory + "/collector" }
  var collectorFigures: ProcessFigures { ProcessFigures(pid: collector?.pid ?? 0) }

  func add(_ what: String, _ value: String, target: String = "") { figures.add(what, value, target: target) }
  func add(_ key: String, _ value: Double, _ what: String, target: String) {
    figures.add(key, value, what, target: target)
  }

  func add(growth name: String, _ ms: [Int: Double], exponent: Double, _ what: String) {
    figures.add(growth: name, ms, exponent: exponent, what)
  }

  // MARK: Processes

  private static let environment = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"]

  /// A shell command in the background; `exec` keeps its process id.
  func start(_ command: String, _ onExit: @escaping (Child.Exit) -> Void = { _ in }) throws -> Child {
    let child = try Child.spawn(
      "/bin/sh", arguments: ["sh", "-c", command], environment: Self.environment, on: loop, onExit: onExit)
    child.closeInput()
    return child
  }

  /// A shell command to its end.
  /// - Returns: what it printed, and how long it took.
  @discardableResult
  func run(_ command: String, seconds: Int64 = 300) throws -> (output: String, wallNs: Int64) {
    let file = directory + "/output"
    let startNs = Clock.monotonicNs()
    var endNs: Int64 = 0
    var exit: Child.Exit?
    let child = try start("exec >\(file) 2>&1; \(command)") {
      exit = $0
      endNs = Clock.monotonicNs()
    }
    guard try wait(seconds: seconds, until: { exit != nil }) else {
      child.signal(9)
      throw BenchFailure("takes more than \(seconds) s: \(command)")
    }
    let output = String(decoding: try HostFiles.read(file, limitBytes: 64 << 20), as: UTF8.self)
    guard exit == .status(0) else { throw BenchFailure("\(command): \(output)") }
    return (output, endNs - startNs)
  }

  /// Turns the loop until the condition holds; false where the time ran out.
  func wait(seconds: Int64, until condition: () throws -> Bool) throws -> Bool {
    let deadlineNs = Clock.monotonicNs() + seconds * 1_000_000_000
    while try !condition() {
      if Clock.monotonicNs() >= deadlineNs { return false }
      try loop.turn(maximumWaitNs: 20_000_000)
    }
    return true
  }

  func pause(ms: Int64) throws {
    let untilNs = Clock.monotonicNs() + ms * 1_000_000
    while Clock.monotonicNs() < untilNs { try loop.turn(maximumWaitNs: untilNs - Clock.monotonicNs()) }
  }

  // MARK: The collector

  /// More arguments for the collector, such as `--writers 2`, to compare settings.
  private static let collectorArguments = Machine.environment("SIGNALBOX_BENCH_COLLECTOR") ?? ""

  func startCollector() throws {
    let ready = directory + "/ready"
    _ = try HostFiles.remove(ready)
    collectorExit = nil
    collector = try start(
      "exec \(binaries)/signalbox-collector --state-dir \(stateDirectory) --listen 127.0.0.1:0 \(Self.collectorArguments) >\(ready) 2>>\(directory)/collector.log"
    ) { [weak self] in self?.collectorExit = $0 }
    var line = ""
    let isUp = try wait(seconds: 60) {
      line = (try? HostFiles.read(ready)).map { String(decoding: $0, as: UTF8.self) } ?? ""
      return line.contains("\n") || collectorExit != nil
    }
    guard isUp, line.contains("\n") else {
      throw BenchFailure("the collector did not start; see \(directory)/collector.log")
    }
    for word in line.split(whereSeparator: { $0 == " " || $0 == "\n" }) {
      if word.hasPrefix("listen="), let found = SocketAddress.parse(String(word.dropFirst(7))) { address = found }
      if word.hasPrefix("database=") { database = try DatabaseURL(parsing: String(word.dropFirst(9))) }
    }
  }

  func stopCollector() throws {
    guard let child = collector, collectorExit == nil else { return }
    child.signal(15)
    if try !wait(seconds: 60, until: { collectorExit != nil }) { child.signal(9) }
    collector = nil
  }

  func end(keepingFiles: Bool = false) {
    try? stopCollector()
    if !keepingFiles { try? HostFiles.removeTree(directory) }
  }

  // MARK: The database

  func connection(_ url: DatabaseURL? = nil) throws -> Connection {
    var options = ConnectionOptions()
    options.answerTimeoutMs = 300_000
    options.settings = ["timezone": "UTC"]
    return try Connection(url ?? database, options: options)
  }

  /// CPU time of the private database, all its processes, ended ones too, ns.
  func databaseCPUNs() throws -> Int64 {
    guard let pid = PrivateServer.processID(stateDirectory: stateDirectory) else { return 0 }
    let server = ProcessFigures(pid: pid)
    var sum = try server.cpuNs() + server.endedChildrenNs()
    for child in try server.children() { sum += (try? ProcessFigures(pid: child).cpuNs()) ?? 0 }
    return sum
  }

  /// psql commands in order, each with its own time as psql measures it, ms.
  @discardableResult
  func psql(_ commands: [String]) throws -> [Double] {
    let file = directory + "/commands.sql"
    let text = "\\timing on\n" + commands.joined(separator: "\n") + "\n"
    try HostFiles.replace(file, with: Array(text.utf8), mode: 0o644)
    let output = try run("psql -X -q -v ON_ERROR_STOP=1 -f \(file) '\(database.text)'").output
    let times = output.split(separator: "\n").filter { $0.hasPrefix("Time:") }.compactMap { line in
      line.split(separator: " ").dropFirst().first.flatMap { Double($0) }
    }
    guard times.count == commands.count else { throw BenchFailure("psql: \(output)") }
    return times
  }

  /// Removes all rows of these tables, and has written what waits for the disk.
  func empty(_ tables: [String]) throws {
    try psql(tables.map { "truncate signalbox.\($0);" } + ["checkpoint;"])
  }

  /// Writes the tables' rows to files, empties the tables, and has psql put the same rows back.
  /// - Returns: ms of `\copy … from … binary`, all tables together, and what the database spent on it.
  func copyAgain(_ tables: [String]) throws -> (ms: Double, databaseNs: Int64) {
    try psql(
      tables.map { "\\copy (select * from signalbox.\($0)) to '\(directory)/\($0).copy' with (format binary)" })
    try empty(tables)
    let before = try databaseCPUNs()
    let times = try psql(
      tables.map { "\\copy signalbox.\($0) from '\(directory)/\($0).copy' with (format binary)" })
    let spent = try databaseCPUNs() - before
    for table in tables { _ = try HostFiles.remove("\(directory)/\(table).copy") }
    return (times.reduce(0, +), spent)
  }
}

extension FleetReader {
  /// Committed bytes of each file that a host follows, by path.
  func committedOffsets(of host: String) throws -> [String: Int64] {
    let table = try read(FleetQueries.files(host: host))
    guard let path = table.columns.firstIndex(of: "file"), let offset = table.columns.firstIndex(of: "committed_offset")
    else { return [:] }
    var offsets: [String: Int64] = [:]
    for row in table.rows {
      if case .text(let path) = row[path], case .integer(let bytes) = row[offset] { offsets[path] = bytes }
    }
    return offsets
  }
}
