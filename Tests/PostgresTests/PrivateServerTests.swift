import Files
import Glibc
import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10)), .serialized) struct PrivateServerTests {
  /// Gone when the test ends.
  private func withDirectory(_ body: (String) throws -> Void) throws {
    let state = "/tmp/signalbox-server-" + HostFiles.randomBytes(4).map { String($0, radix: 16) }.joined()
    defer { TestFiles.remove(state) }
    try body(state)
  }

  private var options: PrivateServer.Options {
    var options = PrivateServer.Options()
    options.isDurable = false
    options.sharedBuffersMiB = 16
    return options
  }

  @Test func serverIsMadeAdoptedStoppedAndStartedAgainWithItsData() throws {
    try withDirectory { root in
      let state = root
      let first = try PrivateServer(stateDirectory: state, options: options)
      defer { try? first.stop() }
      #expect(!first.wasAdopted)
      let connection = try Connection(first.url)
      try connection.execute("create table t (a int); insert into t values (7)")
      #expect(try connection.queryText("show data_checksums").text(0, 0) == "on")
      #expect(try connection.queryText("show listen_addresses").text(0, 0) == "")
      #expect(try connection.queryText("show server_encoding").text(0, 0) == "UTF8")
      #expect(try connection.queryText("show jit").text(0, 0) == "off")
      // Each of these stands in initdb's own file, too.
      for (name, value) in [("max_connections", "40"), ("shared_buffers", "16MB"), ("max_wal_size", "2GB")] {
        #expect(try connection.queryText("show \(name)").text(0, 0) == value, "\(name)")
      }
      connection.close()

      // What a collector finds that was started after a kill -9 of the one before it.
      let second = try PrivateServer(stateDirectory: state, options: options)
      #expect(second.wasAdopted && second.processID == first.processID)
      let noted = try PrivateServer.notedURL(stateDirectory: state)
      #expect(noted == second.url)
      #expect(try FileStatus.of(path: PrivateServer.urlFile(state)).mode & 0o777 == 0o600)
      try second.stop()
      #expect(PrivateServer.processID(stateDirectory: state) == nil)

      // What the site writes wins over the collector's settings.
      let file = first.dataDirectory + "/postgresql.conf"
      let own = try HostFiles.read(file) + Array("max_connections = 55\n".utf8)
      let status = try FileStatus.of(path: file)
      try HostFiles.replace(file, with: own)
      #expect(unsafe chown(file, status.uid, gid_t.max) == 0)
      let third = try PrivateServer(stateDirectory: state, options: options)
      #expect(!third.wasAdopted)
      #expect(try Connection(third.url).queryText("show max_connections").text(0, 0) == "55")
      #expect(try Connection(third.url).query("select a from t").int(0, 0) == 7)
      if geteuid() == 0 { #expect(try FileStatus.of(path: third.dataDirectory).uid != 0) }
      try third.stop()
    }
  }

  @Test func serverThatWasKilledStartsAgain() throws {
    try withDirectory { root in
      let state = root
      let server = try PrivateServer(stateDirectory: state, options: options)
      let pid = try #require(server.processID)
      kill(pid, SIGKILL)
      while kill(pid, 0) == 0 { usleep(10_000) }
      let again = try PrivateServer(stateDirectory: state, options: options)
      #expect(again.processID != pid)
      #expect(try Connection(again.url).query("select 1").int(0, 0) == 1)
      try again.stop()
    }
  }

  @Test func clusterThatCannotBeLookedAtIsNotTakenForAMissingOne() throws {
    try withDirectory { state in
      let server = try PrivateServer(stateDirectory: state, options: options)
      try server.stop()
      // Stands for a disk that does not answer: looking for PG_VERSION fails, and not because it is not there.
      TestFiles.remove(server.dataDirectory + "/PG_VERSION")
      #expect(unsafe symlink("PG_VERSION", server.dataDirectory + "/PG_VERSION") == 0)
      #expect(throws: PostgresError.self) { try PrivateServer(stateDirectory: state, options: options) }
      #expect(try FileStatus.exists(server.dataDirectory + "/base"))
    }
  }

  @Test func longStateDirectoryGetsAShortSocketDirectory() throws {
    try withDirectory { root in
      let state = root + "/" + String(repeating: "long/", count: 20)
      let server = try PrivateServer(stateDirectory: state, options: options)
      let socket = try #require(server.url["host"])
      #expect(socket.utf8.count <= 93)
      #expect(try FileStatus.of(path: socket).mode & 0o777 == 0o700)
      #expect(try Connection(server.url).query("select 1").int(0, 0) == 1)
      try server.stop()
    }
  }

  @Test func aNewerPostgreSQLBesideTheClustersOwnIsNotTaken() throws {
    try withDirectory { folder in
      for version in [15, 17] {
        try HostFiles.makeDirectory("\(folder)/\(version)/bin")
        for program in ["initdb", "pg_ctl", "postgres"] {
          try HostFiles.replace("\(folder)/\(version)/bin/\(program)", with: [], mode: 0o700)
        }
      }
      for (cluster, taken) in [(nil, 17), (15, 15), (17, 17), (16, 17)] {
        let found = try ServerPrograms.find(libraryFolder: folder, path: "", version: cluster)
        #expect(found.directory == "\(folder)/\(taken)/bin", "\(String(describing: cluster))")
      }
    }
  }

  @Test func missingProgramsAndUnusableDirectoriesAreOneSentence() {
    let none = #expect(throws: PostgresError.self) { try ServerPrograms.find(libraryFolder: "/nonexistent", path: "") }
    #expect(none?.message.contains("install the package postgresql") == true)
    let error = #expect(throws: PostgresError.self) {
      try PrivateServer(stateDirectory: "/dev/null/x", options: options)
    }
    #expect(error?.message.contains("/dev/null") == true)
    let missing = #expect(throws: PostgresError.self) { try PrivateServer.notedURL(stateDirectory: "/nonexistent") }
    #expect(missing?.message.contains("/nonexistent") == true)
  }
}
