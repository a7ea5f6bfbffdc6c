internal import Files

/// A PostgreSQL server of the collector's own, in its state directory, on a Unix socket only.
///
/// It outlives a killed collector and is adopted by the next one: its data directory names it. Started by root it runs as
/// an unprivileged system user, because PostgreSQL refuses to run as root. Everyone who can enter the socket's directory
/// (its owner and root) is trusted; no one else can.
package final class PrivateServer {
  package struct Options: Sendable {
    /// false only for tests.
    package var isDurable = true
    package var sharedBuffersMiB = 128
    package var maxConnections = 40
    package init() {}
  }

  package let url: DatabaseURL
  package let dataDirectory: String
  /// This start found it running.
  package let wasAdopted: Bool
  private let programs: ServerPrograms
  private let user: SystemUser?
  private let home: String

  static let databaseName = "signalbox"
  /// The superuser that owns it.
  static let ownerName = "signalbox"
  /// sockaddr_un.sun_path less its NUL, less "/.s.PGSQL.5432".
  private static let socketDirectoryLengthMax = 107 - 14

  /// Makes the cluster if it is missing, starts it if it does not run, and makes its database.
  /// - Throws: one sentence with the remedy; PostgreSQL's own messages are in `<state-dir>/postgres/start.log` and `server.log`.
  package init(stateDirectory: String, options: Options = Options()) throws(PostgresError) {
    programs = try ServerPrograms.find(stateDirectory: stateDirectory)
    user = SystemUser.isRoot ? try Self.unprivilegedUser(stateDirectory) : nil
    home = try Self.makeHome(stateDirectory, user)
    dataDirectory = home + "/data"
    let socketDirectory = try Self.makeSocketDirectory(home, user)
    url = DatabaseURL(settings: ["host": socketDirectory, "user": Self.ownerName, "dbname": Self.databaseName])
    let control = ServerControl(programs: programs, user: user, home: home, dataDirectory: dataDirectory)
    try control.initialiseIfMissing()
    wasAdopted = control.isRunning
    if !wasAdopted { try control.configure(socketDirectory: socketDirectory, options) }
    try Self.bringUp(control, url)
    try Self.note(url, stateDirectory: stateDirectory)
  }

  /// Ends the server: clients are disconnected, everything committed is kept.
  package func stop() throws(PostgresError) {
    try ServerControl(programs: programs, user: user, home: home, dataDirectory: dataDirectory).stop()
  }

  /// Process of the server; nil where it does not run.
  package var processID: Int32? { ServerControl.processID(dataDirectory) }

  /// Process of the server that a state directory holds; nil where none runs.
  package static func processID(stateDirectory: String) -> Int32? {
    ServerControl.processID(stateDirectory + "/postgres/data")
  }

  /// 0600; holds the URL for the other programs of this state directory.
  package static func urlFile(_ stateDirectory: String) -> String { stateDirectory + "/database-url" }

  /// Writes the URL for the other programs of this state directory.
  package static func note(_ url: DatabaseURL, stateDirectory: String) throws(PostgresError) {
    do throws(FileError) {
      try HostFiles.replace(urlFile(stateDirectory), with: Array((url.text + "\n").utf8))
    } catch {
      throw .connectionLost(error.description, doing: "note the database's URL")
    }
  }

  /// Whether a state directory holds a cluster, running or not.
  package static func hasCluster(stateDirectory: String) throws(PostgresError) -> Bool {
    try ServerControl.exists(ServerControl.versionFile(stateDirectory + "/postgres/data"))
  }

  /// The URL that a collector with this state directory has noted.
  package static func notedURL(stateDirectory: String) throws(PostgresError) -> DatabaseURL {
    let path = urlFile(stateDirectory)
    let bytes: [UInt8]
    do throws(FileError) {
      bytes = try HostFiles.read(path)
    } catch {
      throw .connectionLost(
        error.isNotFound ? "no collector has noted a database in \(stateDirectory)" : error.description,
        doing: "find the database")
    }
    return try DatabaseURL(parsing: ValueFile.firstLine(bytes))
  }

  /// A user who can read neither the fleet's authority nor what the collector's and the agent's users own. A cluster that is there
  /// keeps its owner.
  private static func unprivilegedUser(_ stateDirectory: String) throws(PostgresError) -> SystemUser {
    let users = ["signalbox-db", "postgres", "signalbox", "nobody"].compactMap(SystemUser.named).filter { $0.uid != 0 }
    let owner = (try? FileStatus.of(path: stateDirectory + "/postgres/data"))?.uid
    if let user = users.first(where: { $0.uid == owner }) ?? users.first { return user }
    throw .connectionLost(
      "PostgreSQL does not run as root, and there is no user signalbox-db, postgres, signalbox or nobody to run it as",
      doing: "start a private database")
  }

  private static func makeHome(_ stateDirectory: String, _ user: SystemUser?) throws(PostgresError) -> String {
    do throws(FileError) {
      // The server's user must be able to pass through to its own directory, not to list this one.
      try HostFiles.makeDirectory(stateDirectory, mode: user == nil ? 0o700 : 0o711)
      guard let absolute = FileModes.absolute(stateDirectory) else { throw FileError("find", stateDirectory, code: 2) }
      let home = absolute + "/postgres"
      try HostFiles.makeDirectory(home)
      if let user {
        FileModes.set(absolute, 0o711)
        try? user.own(home)
      }
      return home
    } catch {
      throw .connectionLost(error.description, doing: "make the private database's directory")
    }
  }

  /// Beside the data, or, where that path is too long for a socket, a directory of its own under /tmp.
  private static func makeSocketDirectory(_ home: String, _ user: SystemUser?) throws(PostgresError) -> String {
    var directory = home + "/socket"
    if directory.utf8.count > socketDirectoryLengthMax {
      // FNV-1a of the path: the same at every start.
      let hash = home.utf8.reduce(UInt64(0xcbf2_9ce4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
      directory = "/tmp/signalbox-" + String(hash, radix: 16)
    }
    do throws(FileError) {
      try HostFiles.makeDirectory(directory)
      try requireOwner(of: directory, [SystemUser.effectiveUID, user?.uid ?? SystemUser.effectiveUID])
      FileModes.set(directory, 0o700)
    } catch {
      throw .connectionLost(error.description, doing: "make the private database's socket directory")
    }
    try user?.own(directory)
    return directory
  }

  /// Another user's socket directory, under /tmp for example, would let them pose as the database.
  static func requireOwner(of directory: String, _ own: Set<UInt32>) throws(FileError) {
    let status = try FileStatus.of(path: directory, followingLinks: false)
    guard status.kind == .directory, own.contains(status.uid) else {
      throw FileError("use as the database's socket directory", directory, code: 1)
    }
  }

  /// Waits for a server that starts or recovers, and starts it again where it does not come up: after a kill its last
  /// processes hold the shared memory for a moment.
  private static func bringUp(_ control: ServerControl, _ url: DatabaseURL) throws(PostgresError) {
    let beganNs = Clock.monotonicNs()
    while true {
      do throws(PostgresError) {
        if !control.isRunning { try control.start() }
        return try makeDatabase(url)
      } catch {
        let patienceNs = control.isRunning ? recoveryPatienceNs : startPatienceNs
        guard error.isConnectionLost, Clock.monotonicNs() - beganNs < patienceNs else { throw error }
      }
      Process.sleep(ns: 200_000_000)
    }
  }

  private static let startPatienceNs: Int64 = 10_000_000_000
  /// A server that recovers replays up to `max_wal_size`.
  private static let recoveryPatienceNs: Int64 = 300_000_000_000

  private static func makeDatabase(_ url: DatabaseURL) throws(PostgresError) {
    let connection = try Connection(url.with(["dbname": "postgres"]))
    let found = try connection.query("select 1 from pg_database where datname = $1", [.text(databaseName)]).count
    if found == 0 { try connection.execute("create database \(databaseName)") }
    connection.close()
  }
}
