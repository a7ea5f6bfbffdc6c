internal import Files

/// A PostgreSQL server with a system user of its own, in the foreground: what a unit beside the collector's runs.
///
/// Why: an attacker who takes the server over (a superuser's `COPY … FROM PROGRAM`, a fault in PostgreSQL) acts as its user, and the
/// collector's user reads the fleet's issuing key. Here the server has another user; the kernel reports to it who connects
/// (`peer`: the collector's user, root, its own), and `requirepeer` in the URL checks for the collector who answers.
package struct DedicatedServer {
  /// Where the cluster is: `postgres/data` below it, as in a collector's state directory, from which it can be moved here.
  private let stateDirectory: String
  private let socketDirectory: String
  /// System users who may connect as the database's owner.
  private let clients: [String]
  private let user: SystemUser
  private let programs: ServerPrograms
  /// What the collector is given as `--database`.
  package let url: DatabaseURL

  /// - Parameters:
  ///   - socketDirectory: of this user's own; made with mode 0750 where it is missing.
  ///   - collectorUsers: names of system users.
  /// - Throws: one sentence with the remedy; nothing has been changed then.
  package init(stateDirectory: String, socketDirectory: String, collectorUsers: [String]) throws(PostgresError) {
    guard !SystemUser.isRoot, let user = SystemUser.effective else {
      throw Self.refusal(
        "the database needs a system user of its own, neither root nor the collector's: start it as such a user, for example "
          + "runuser -u signalbox-db -- signalbox-collector database …")
    }
    guard socketDirectory.hasPrefix("/"), !socketDirectory.contains(where: { $0 == "," || $0 == "'" }) else {
      throw Self.refusal("the socket's directory is an absolute path without , and ', not '\(socketDirectory)'")
    }
    for name in collectorUsers {
      guard let client = SystemUser.named(name) else { throw Self.refusal("there is no system user '\(name)'") }
      if client.uid == user.uid {
        throw Self.refusal(
          "the database runs as \(name), the collector's own user, and could read its keys: give it another one")
      }
    }
    self.stateDirectory = stateDirectory
    self.socketDirectory = socketDirectory
    self.user = user
    clients = ["root", user.name] + collectorUsers
    programs = try ServerPrograms.find(stateDirectory: stateDirectory)
    url = DatabaseURL(settings: [
      "host": socketDirectory, "user": PrivateServer.ownerName, "dbname": PrivateServer.databaseName,
      "requirepeer": user.name,
    ])
  }

  private static func refusal(_ sentence: String) -> PostgresError {
    .connectionLost(sentence, doing: "run a database for a collector")
  }

  /// Makes the cluster ready where it is not, and becomes the server: SIGTERM, SIGINT and SIGQUIT are PostgreSQL's own ways to
  /// stop (smart, fast, immediate), its log goes to standard error, and it reports to systemd when it is ready.
  package func run() throws(PostgresError) -> Never {
    let home = try makeDirectories()
    let control = ServerControl(programs: programs, user: nil, home: home, dataDirectory: home + "/data")
    if try !ServerControl.exists(control.dataDirectory + "/" + Self.accessFile) { try makeDatabase() }
    try configure(control)
    try PrivateServer.note(url, stateDirectory: stateDirectory)
    try Subprocess.become([programs.path("postgres"), "-D", control.dataDirectory])
  }

  private func makeDirectories() throws(PostgresError) -> String {
    do throws(FileError) {
      try HostFiles.makeDirectory(stateDirectory)
      // The server resolves it from its data directory.
      guard let state = FileModes.absolute(stateDirectory) else { throw FileError("find", stateDirectory, code: 2) }
      try HostFiles.makeDirectory(socketDirectory, mode: 0o750)
      try PrivateServer.requireOwner(of: socketDirectory, [user.uid])
      return state + "/postgres"
    } catch {
      throw .connectionLost(error.description, doing: "make the database's directories")
    }
  }

  /// The first start of a cluster that is new, or moved here from a collector: it runs privately for a moment, which makes or
  /// finds the database, before any client can connect.
  private func makeDatabase() throws(PostgresError) {
    try PrivateServer(stateDirectory: stateDirectory).stop()
  }

  private func configure(_ control: ServerControl) throws(PostgresError) {
    let map = "signalbox"
    let owner = PrivateServer.ownerName
    let access = """
      # Written at each start; hba_file in postgresql.conf names another one.
      local all \(owner) peer map=\(map)
      local replication \(owner) peer map=\(map)
      local all all scram-sha-256

      """
    let identities = clients.map { "\(map) \"\($0)\" \(owner)\n" }.joined()
    let data = control.dataDirectory
    do throws(FileError) {
      try HostFiles.replace(data + "/" + Self.identityFile, with: Array(identities.utf8))
      try HostFiles.replace(data + "/" + Self.accessFile, with: Array(access.utf8))
    } catch {
      throw .connectionLost(error.description, doing: "configure the database")
    }
    // Connecting takes both: to enter the directory, which is the group's, and to be one of the users above.
    try control.configure(
      socketDirectory: socketDirectory, PrivateServer.Options(),
      access: [
        "unix_socket_permissions = 0770", "hba_file = '\(data)/\(Self.accessFile)'",
        "ident_file = '\(data)/\(Self.identityFile)'",
      ])
  }

  /// It exists from the first complete start on.
  private static let accessFile = "signalbox-hba.conf"
  private static let identityFile = "signalbox-ident.conf"
}
