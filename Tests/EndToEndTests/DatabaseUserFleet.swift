import Files
import Foundation
import Glibc
import Postgres

/// A fleet whose collector and database run as system users of their own, as the shipped units run them; root is needed for it.
final class DatabaseUserFleet {
  /// Users that every Debian has.
  static let collectorUser = "daemon"
  static let databaseUser = "bin"
  static let stranger = "games"
  static let isPossible = geteuid() == 0

  let fleet: TestFleet
  private(set) var database: Program?

  init(_ name: String) throws {
    fleet = try TestFleet(name, onTestServer: false)
    // Where the tests were built may be closed to other users.
    for program in ["signalbox-collector", "signalbox"] {
      try FileManager.default.copyItem(atPath: Program.path(program), toPath: copy(program))
    }
    // What systemd makes of StateDirectory= and RuntimeDirectory=.
    try makeDirectory(fleet.collectorState, mode: 0o700, owner: Self.collectorUser)
    try makeDirectory(databaseState, mode: 0o700, owner: Self.databaseUser)
    try makeDirectory(socketDirectory, mode: 0o750, owner: Self.databaseUser)
    fleet.collectorRunner = ["/usr/bin/setpriv"] + Self.words(Self.collectorUser) + [copy("signalbox-collector")]
  }

  var databaseState: String { fleet.directory + "/database" }
  var socketDirectory: String { fleet.directory + "/socket" }
  var url: DatabaseURL {
    DatabaseURL(settings: [
      "host": socketDirectory, "user": "signalbox", "dbname": "signalbox", "requirepeer": Self.databaseUser,
    ])
  }

  private func copy(_ program: String) -> String { fleet.directory + "/" + program }

  private func makeDirectory(_ path: String, mode: UInt32, owner: String) throws {
    try HostFiles.makeDirectory(path, mode: mode)
    _ = unsafe chmod(path, mode)
    try run("/usr/bin/chown", ["\(owner):", path])
  }

  func run(_ program: String, _ words: [String]) throws {
    let result = try Program.run(program, words)
    if result.code != 0 { throw HarnessError("\(program) \(words): \(result.errors)") }
  }

  func tearDown() {
    _ = fleet.stopAgent()
    _ = fleet.stopCollector()
    stopDatabase()
    fleet.tearDown()
  }

  /// setpriv's words. Who may enter the socket's directory is in the database's group.
  private static func words(_ user: String, inGroup: Bool = true) -> [String] {
    ["--reuid", user, "--regid", user] + (inGroup ? ["--groups", databaseUser] : ["--clear-groups"]) + ["--"]
  }

  // MARK: Database

  /// Starts it until it answers: after a kill -9 its last processes hold the shared memory for a moment, and a unit has Restart=.
  func startDatabase() throws {
    let words = databaseWords()
    try fleet.eventually("a database of its own user") {
      if database?.isRunning != true {
        database = try Program("/usr/bin/setpriv", words, errorPath: fleet.directory + "/database.err")
      }
      try Connection(url).close()
      return true
    }
  }

  private func databaseWords() -> [String] {
    Self.words(Self.databaseUser, inGroup: false) + [
      copy("signalbox-collector"), "database", "--state-dir", databaseState, "--socket-dir", socketDirectory,
      "--collector-user", Self.collectorUser,
    ]
  }

  /// Where it does not come up: with other words, or as another user.
  func refusedDatabase(
    as user: String = databaseUser, socket: String? = nil, collectorUser: String = collectorUser
  ) throws -> Program.Result {
    try Program.run(
      "/usr/bin/setpriv",
      Self.words(user, inGroup: false) + [
        copy("signalbox-collector"), "database", "--state-dir", databaseState, "--socket-dir",
        socket ?? socketDirectory, "--collector-user", collectorUser,
      ])
  }

  func killDatabase() { database?.kill() }

  /// As its unit does it (KillSignal=SIGINT).
  @discardableResult func stopDatabase() -> Int32 {
    database?.signal(SIGINT)
    return database?.wait(within: 30) ?? 0
  }

  // MARK: Collector and commands

  func startCollector() throws { try fleet.startCollector(["--database", url.text]) }

  /// A collector that ends by itself.
  func refusedCollector() throws -> Program.Result {
    try Program.run(
      fleet.collectorRunner[0],
      fleet.collectorRunner.dropFirst() + [
        "--state-dir", fleet.collectorState, "--listen", "127.0.0.1:\(fleet.port)", "--database", url.text,
      ])
  }

  /// `signalbox` as a system user.
  func signalbox(as user: String = collectorUser, inGroup: Bool = true, _ words: [String]) throws -> Program.Result {
    try Program.run("/usr/bin/setpriv", Self.words(user, inGroup: inGroup) + [copy("signalbox")] + words)
  }

  func samplesArrive(_ after: String) throws {
    let before = try fleet.value("select count(*) from host_samples")
    try fleet.eventually("samples after \(after)", within: 120) {
      try fleet.value("select count(*) from host_samples") > before + 2
    }
  }
}
