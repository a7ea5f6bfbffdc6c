internal import Files
internal import Glibc
package import Postgres

/// A database of its own for one test, on a real server.
///
/// The server is one private PostgreSQL per test process (Unix socket, fsync off, below /tmp, ended with the process), or the
/// one that `SIGNALBOX_TEST_DATABASE_URL` names. The database is dropped when this is released.
package final class TestDatabase: Sendable {
  package let url: DatabaseURL
  private let server: DatabaseURL
  private let name: String

  /// - Parameters:
  ///   - template: a database to copy, for example one that has been migrated once for the whole process.
  ///   - icuLocale: of an empty database, such as `en`; the server's own without one.
  package init(template: String? = nil, icuLocale: String? = nil) throws {
    server = try TestServer.shared.get()
    name = "test_" + HostFiles.randomBytes(8).map { String($0, radix: 16) }.joined()
    url = server.with(["dbname": name])
    let connection = try Connection(server)
    defer { connection.close() }
    var copy = template.map { " template \(Connection.quoted($0))" } ?? ""
    if let icuLocale { copy = " template template0 locale_provider icu icu_locale '\(icuLocale)'" }
    try connection.execute("create database \(Connection.quoted(name))\(copy)")
  }

  deinit {
    // The private server goes with the process; dropping would cost a checkpoint each.
    guard Self.isForeignServer, let connection = try? Connection(server) else { return }
    try? connection.execute("drop database if exists \(Connection.quoted(name)) with (force)")
    connection.close()
  }

  package func connect(_ options: ConnectionOptions = ConnectionOptions()) throws -> Connection {
    try Connection(url, options: options)
  }

  /// A connection as the server's superuser, whatever the test does to its own user.
  package func connectToServer() throws -> Connection { try Connection(server) }

  package var databaseName: String { name }

  /// `SIGNALBOX_TEST_DATABASE_URL` names the server.
  package static var isForeignServer: Bool { unsafe getenv("SIGNALBOX_TEST_DATABASE_URL") != nil }
}

/// The server that this test process uses.
enum TestServer {
  static let shared: Result<DatabaseURL, PostgresError> = Result { () throws(PostgresError) in
    // A closed socket must be an error, not the end of the process.
    signal(SIGPIPE, SIG_IGN)
    if let text = unsafe getenv("SIGNALBOX_TEST_DATABASE_URL").map({ unsafe String(cString: $0) }), !text.isEmpty {
      return try DatabaseURL(parsing: text)
    }
    removeAbandoned()
    let directory = prefix + String(getpid())
    var options = PrivateServer.Options()
    options.isDurable = false
    options.maxConnections = 100
    let server = try PrivateServer(stateDirectory: directory, options: options)
    // The process ends without a hook of the test library: end the server with it.
    atexit { TestServer.end(prefix + String(getpid())) }
    return server.url
  }

  private static let prefix = "/tmp/signalbox-test-"

  /// What a killed test process left.
  private static func removeAbandoned() {
    for name in (try? HostFiles.list("/tmp")) ?? [] {
      let path = "/tmp/" + name
      guard path.hasPrefix(prefix), let pid = Int32(path.dropFirst(prefix.count)), kill(pid, 0) != 0 else { continue }
      end(path)
    }
  }

  private static func end(_ directory: String) {
    if let server = PrivateServer.processID(stateDirectory: directory) {
      // Immediate shutdown: nothing here is kept.
      kill(server, SIGQUIT)
      for _ in 0..<200 where kill(server, 0) == 0 { usleep(10_000) }
    }
    TestFiles.remove(directory)
  }
}

/// Files of tests.
package enum TestFiles {
  /// Removes a file, or a directory with all that is in it.
  package static func remove(_ path: String) {
    guard let status = try? FileStatus.of(path: path, followingLinks: false) else { return }
    if status.kind == .directory {
      for name in (try? HostFiles.list(path)) ?? [] { remove(path + "/" + name) }
      unsafe _ = rmdir(path)
    } else {
      _ = try? HostFiles.remove(path)
    }
  }
}
