internal import Files

/// initdb, configuration, start and stop of one cluster, as the right user.
struct ServerControl {
  let programs: ServerPrograms
  let user: SystemUser?
  let home: String
  let dataDirectory: String

  private static let startTimeoutSeconds = 60

  func initialiseIfMissing() throws(PostgresError) {
    if try Self.exists(Self.versionFile(dataDirectory)) { return }
    // A directory that is not a cluster is what an interrupted initdb left: it goes to the side, not away.
    if (try? FileStatus.of(path: dataDirectory)) != nil {
      _ = try? HostFiles.rename(dataDirectory, to: dataDirectory + ".unfinished-\(Clock.wallNs())")
    }
    let temporary = dataDirectory + ".new-\(Clock.wallNs())"
    // Trust is safe: only who may enter the socket's directory reaches the server. C collation never changes under an index.
    try run(
      "initdb",
      [
        "-D", temporary, "-U", PrivateServer.ownerName, "-E", "UTF8", "--locale=C", "--data-checksums", "-A", "trust",
        "--no-instructions",
      ],
      failing: "make the private database")
    do throws(FileError) {
      try HostFiles.rename(temporary, to: dataDirectory)
    } catch {
      throw .connectionLost(error.description, doing: "make the private database")
    }
  }

  /// What every cluster has.
  static func versionFile(_ dataDirectory: String) -> String { dataDirectory + "/PG_VERSION" }

  /// - Throws: where it cannot be seen: a directory that may not be entered, or a disk that does not answer, is not an empty one.
  static func exists(_ path: String) throws(PostgresError) -> Bool {
    do throws(FileError) {
      return try FileStatus.exists(path)
    } catch {
      throw .connectionLost(error.description, doing: "look for the private database")
    }
  }

  /// Written at every start: a team's fleet on one machine beside other programs.
  /// - Parameter access: settings of who may connect.
  func configure(
    socketDirectory: String, _ options: PrivateServer.Options, access: [String] = ["unix_socket_permissions = 0700"]
  ) throws(PostgresError) {
    var lines = [
      "# Written by the collector at each start; what postgresql.conf says after its include line wins.",
      "listen_addresses = ''",
      "unix_socket_directories = '\(socketDirectory)'",
      "port = 5432",
      "max_connections = \(options.maxConnections)",
      "shared_buffers = \(options.sharedBuffersMiB)MB",
      "maintenance_work_mem = 64MB",
      "max_wal_size = 2GB",
      "checkpoint_timeout = 10min",
      "wal_compression = on",
      "max_parallel_workers_per_gather = 1",
      "random_page_cost = 1.5",
      "jit = off",
      // A command that was killed must not keep the server at its question.
      "client_connection_check_interval = 5s",
      "max_locks_per_transaction = 256",
      "log_min_messages = warning",
      "log_timezone = 'UTC'",
      "timezone = 'UTC'",
    ]
    lines += access
    if !options.isDurable { lines += ["fsync = off", "synchronous_commit = off", "full_page_writes = off"] }
    let include = "include_if_exists = 'signalbox.conf'"
    do throws(FileError) {
      let path = dataDirectory + "/signalbox.conf"
      try HostFiles.replace(path, with: Array((lines.joined(separator: "\n") + "\n").utf8))
      let main = dataDirectory + "/postgresql.conf"
      let text = String(decoding: try HostFiles.read(main), as: UTF8.self)
      let wanted = Self.including(include, text)
      if wanted != text { try HostFiles.replace(main, with: Array(wanted.utf8)) }
    } catch {
      throw .connectionLost(error.description, doing: "configure the private database")
    }
    try user?.own(dataDirectory + "/signalbox.conf")
    try user?.own(dataDirectory + "/postgresql.conf")
  }

  /// postgresql.conf with the include line before everything else, so that the site's own settings win; what initdb wrote is no
  /// setting of the site's and becomes a comment, or it would win too.
  static func including(_ include: String, _ text: String) -> String {
    let lines = (text.hasPrefix(include) ? "" : include + "\n") + text
    return lines.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).joined(separator: " ")
      return writtenByInitdb.contains(words) ? "#" + line : String(line)
    }.joined(separator: "\n")
  }

  /// Lines of initdb's postgresql.conf about what the collector sets, with single blanks. Source: PostgreSQL 15 to 17,
  /// src/backend/utils/misc/postgresql.conf.sample and src/bin/initdb/initdb.c.
  private static let writtenByInitdb: Set<String> = [
    "max_connections = 100 # (change requires restart)", "shared_buffers = 128MB # min 128kB",
    "max_wal_size = 1GB", "log_timezone = UTC", "log_timezone = 'UTC'", "log_timezone = 'Etc/UTC'", "timezone = UTC",
    "timezone = 'UTC'", "timezone = 'Etc/UTC'",
  ]

  var isRunning: Bool {
    Self.processID(dataDirectory) != nil
  }

  func start() throws(PostgresError) {
    try run(
      "pg_ctl",
      ["-D", dataDirectory, "-l", home + "/server.log", "-w", "-t", String(Self.startTimeoutSeconds), "-s", "start"],
      failing: "start the private database")
  }

  func stop() throws(PostgresError) {
    guard isRunning else { return }
    try run(
      "pg_ctl", ["-D", dataDirectory, "-m", "fast", "-w", "-t", "60", "-s", "stop"],
      failing: "stop the private database")
  }

  /// First line of postmaster.pid, where that process lives: a killed server leaves the file, and its number may be another's now.
  static func processID(_ dataDirectory: String) -> Int32? {
    guard let bytes = try? HostFiles.read(dataDirectory + "/postmaster.pid"),
      let pid = Int32(String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)),
      let stat = try? HostFiles.read("/proc/\(pid)/stat")
    else { return nil }
    // proc(5): pid (comm) state …
    let fields = String(decoding: stat, as: UTF8.self)
    return fields.contains(" (postgres) ") && !fields.contains(" (postgres) Z ") ? pid : nil
  }

  private func run(_ program: String, _ arguments: [String], failing doing: String) throws(PostgresError) {
    if try status(program, arguments) == 0 { return }
    let log = home + "/start.log"
    let said =
      ((try? HostFiles.read(log)).map { String(decoding: $0, as: UTF8.self) } ?? "")
      .split(separator: "\n").last { !$0.isEmpty }.map(String.init) ?? "no message"
    var hint = "see \(log) and \(home)/server.log"
    if said.contains("ermission denied"), let user {
      hint = "user \(user.name) must be able to enter \(home); choose a state directory such as /var/lib/signalbox"
    }
    throw .connectionLost("\(program) failed: \(said); \(hint)", doing: doing)
  }

  private func status(_ program: String, _ arguments: [String]) throws(PostgresError) -> Int32 {
    var command = [programs.path(program)] + arguments
    if let user {
      let setpriv = ["/usr/bin/setpriv", "/bin/setpriv"].first { FileModes.isExecutable($0) }
      guard let setpriv else {
        throw .connectionLost("setpriv (package util-linux) is missing", doing: "run \(program) as user \(user.name)")
      }
      // The server's user may not be allowed to enter this process's directory.
      command =
        [
          "/usr/bin/env", "--chdir=/", setpriv, "--reuid", String(user.uid), "--regid", String(user.gid),
          "--clear-groups", "--",
        ] + command
    }
    return try Subprocess.run(command, outputPath: home + "/start.log")
  }
}
