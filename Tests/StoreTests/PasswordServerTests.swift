import Files
import Glibc
import Postgres
import Store
import TestSupport
import Synchronization
import Testing

/// People's SQL on a server that asks every user but its superuser for a password.
@Suite(.timeLimit(.minutes(10)), .serialized) struct PasswordServerTests {
  private static let server: Result<PasswordServer, any Error> = Result { try PasswordServer() }

  /// A database of an owner's own.
  private func database(_ name: String, owner: String, _ rights: String) throws -> DatabaseURL {
    let server = try Self.server.get()
    try server.admin.execute("create role \(owner) login \(rights) password 'geheim'")
    try server.admin.execute("create database \(name) owner \(owner)")
    return server.url.with(["user": owner, "password": "geheim", "dbname": name])
  }

  private func sessionUser(_ url: DatabaseURL) throws -> String? {
    try Store.openReader(url).queryText("select session_user || ' ' || current_setting('is_superuser')").text(0, 0)
  }

  @Test func everyOwnerThatMayMakeRolesGetsALoginOfItsOwn() throws {
    let first = try database("first", owner: "chief", "superuser")
    #expect(try Store.open(first, migrating: true).readerProblems == [])
    #expect(try sessionUser(first) == "signalbox_reader off")
    // The name is taken by another database's login: this one gets its own, and the first one's stays.
    let second = try database("second", owner: "maker", "createrole")
    let store = try Store.open(second, migrating: true)
    let user = try #require(try sessionUser(second))
    #expect(user.hasPrefix("signalbox_reader_") && user.hasSuffix(" off"), "\(user)")
    #expect(try sessionUser(first) == "signalbox_reader off")
    // What only a superuser can do is a statement to be pasted.
    #expect(store.readerProblems.count == 1)
    #expect(
      store.readerProblems.first?.contains("set temp_file_limit = '1GB'; do $closing$") == true,
      "\(store.readerProblems)")
    let statement = try #require(store.readerProblems.first?.components(after: "run in this database: "))
    try Connection(Self.server.get().url.with(["dbname": "second"])).execute(statement)
    #expect(try Store.open(second, migrating: true).readerProblems == [])
    #expect(throws: PostgresError.self) { try Store.openReader(second).execute("select pg_advisory_lock(1)") }
    #expect(try sessionUser(second) == user)
  }

  @Test func passwordThatWasChangedIsSetAgainByTheNextStart() throws {
    let url = try database("third", owner: "changer", "createrole")
    _ = try Store.open(url, migrating: true)
    let role = try #require(try sessionUser(url)?.components(before: " "))
    try Self.server.get().admin.execute("alter role \(role) password 'other'")
    let error = #expect(throws: StoreError.self) { try Store.openReader(url) }
    #expect("\(String(describing: error))".contains("start the collector again"), "\(String(describing: error))")
    #expect(throws: Never.self) { try Store.open(url, migrating: true) }
    #expect(try sessionUser(url) == role + " off")
  }

  /// Host, port, user, password and database's name: what is wrong in a URL is what the sentence says to check.
  @Test(arguments: [
    (["host": "no-such-host.invalid"], "check the host's name in the URL"),
    (["host": "/tmp/signalbox-no-such-socket"], "check the socket's directory and the port in the URL"),
    (["port": "1"], "check the socket's directory and the port in the URL"),
    (["host": "127.0.0.1", "port": "1"], "Check host and port in the URL"),
    (["port": "99999"], "a port is 1 to 65535"), (["user": "nobody_here"], "check user and password in the URL"),
    (["password": "falsch"], "check user and password in the URL"), (["password": ""], "put the password into the URL"),
    (["dbname": "not_there"], "check the database's name in the URL"),
  ])
  func aWrongURLSaysWhatToCheck(_ change: [String: String], _ advice: String) throws {
    let url = try Self.urlOwner.get().with(change)
    let error = #expect(throws: StoreError.self) { try Store.open(url, migrating: true) }
    #expect(error?.withAdvice.contains(advice) == true, "\(error?.withAdvice ?? "")")
    #expect(error?.withAdvice.contains("geheim") == false && error?.withAdvice.contains("falsch") == false)
  }

  private static let urlOwner: Result<DatabaseURL, any Error> = Result {
    let server = try Self.server.get()
    try server.admin.execute("create role url_owner login password 'geheim'")
    try server.admin.execute("create database urls owner url_owner")
    return server.url.with(["user": "url_owner", "password": "geheim", "dbname": "urls"])
  }

  /// Beyond its own number of connections the reader is refused; no other role's session is used in its place.
  @Test func oneReaderMoreThanAllowedIsRefusedWithWhatToDo() throws {
    let url = try database("many", owner: "counter", "createrole")
    _ = try Store.open(url, migrating: true)
    let held = try (0..<10).map { _ in try Store.openReader(url) }
    let error = #expect(throws: StoreError.self) { try Store.openReader(url) }
    guard case .database(let answer)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(
      answer.withAdvice.contains("too many connections for role") && answer.withAdvice.contains("wait until others"))
    held[0].close()
    for _ in 0..<500 where (try? Store.openReader(url)) == nil { usleep(20_000) }
    #expect(try sessionUser(url)?.hasPrefix("signalbox_reader") == true)
    #expect(held.allSatisfy { $0 === held[0] || $0.isOpen })
  }

  @Test func ownerThatMayNotMakeRolesIsGivenTheStatement() throws {
    let server = try Self.server.get()
    // As the first Signalbox of the server.
    for row in try server.roles(like: "signalbox_reader%") {
      try server.admin.execute("alter role \(row) rename to old_\(row)")
    }
    defer { try? server.admin.execute("alter role signalbox_reader rename to gone_reader") }
    let url = try database("fourth", owner: "plain", "")
    let problem = try #require(try Store.open(url, migrating: true).readerProblems.first)
    #expect(problem.contains("CREATE ROLE signalbox_reader LOGIN"), "\(problem)")
    let error = #expect(throws: StoreError.self) { try Store.openReader(url) }
    #expect("\(String(describing: error))".contains("--reader-database"))
    let statement = try #require(problem.components(after: "superuser run: ")?.components(before: ";"))
    try server.admin.execute(statement)
    let second = try #require(try Store.open(url, migrating: true).readerProblems.first)
    #expect(second.contains("SIGNALBOX_READER_URL"), "\(second)")
    let login = url.with(["user": "signalbox_reader", "password": "choose one"])
    let reader = try Store.openReader(login: login, timeoutMs: 1000)
    #expect(try reader.queryText("select count(*) from hosts").text(0, 0) == "0")
    #expect(throws: PostgresError.self) { try reader.execute("select * from signalbox.hosts") }
  }
}

/// A server whose superuser comes in by the socket, and everybody else by a password.
private final class PasswordServer: Sendable {
  let url: DatabaseURL

  var admin: Connection { get throws { try Connection(url) } }

  init() throws {
    // Beside the process's own server, and like it removed by the next run of the tests.
    let state = "/tmp/signalbox-password-" + HostFiles.randomBytes(4).map { String($0, radix: 16) }.joined()
    var options = PrivateServer.Options()
    options.isDurable = false
    options.sharedBuffersMiB = 16
    let server = try PrivateServer(stateDirectory: state, options: options)
    url = server.url
    let rules = "local all signalbox trust\nlocal all all scram-sha-256\n"
    try HostFiles.replace(server.dataDirectory + "/signalbox_hba.conf", with: Array(rules.utf8), mode: 0o644)
    let connection = try Connection(url)
    try connection.execute("alter system set hba_file = '\(server.dataDirectory)/signalbox_hba.conf'")
    connection.close()
    try server.stop()
    _ = try PrivateServer(stateDirectory: state, options: options)
    Self.atEnd.withLock { $0.append(state) }
    atexit { PasswordServer.endAll() }
  }

  func roles(like pattern: String) throws -> [String] {
    let rows = try admin.query("select rolname::text from pg_roles where rolname like $1", [.text(pattern)])
    return (0..<rows.count).compactMap { rows.text($0, 0) }
  }

  private static let atEnd = Mutex<[String]>([])

  private static func endAll() {
    for state in atEnd.withLock({ $0 }) {
      if let pid = PrivateServer.processID(stateDirectory: state) {
        kill(pid, SIGQUIT)
        for _ in 0..<200 where kill(pid, 0) == 0 { usleep(10_000) }
      }
      TestFiles.remove(state)
    }
  }
}

extension String {
  fileprivate func components(after mark: String) -> String? {
    guard let range = firstRange(of: mark) else { return nil }
    return String(self[range.upperBound...])
  }

  fileprivate func components(before mark: String) -> String? {
    guard let range = firstRange(of: mark) else { return nil }
    return String(self[..<range.lowerBound])
  }
}
