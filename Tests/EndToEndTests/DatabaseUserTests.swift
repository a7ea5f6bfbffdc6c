import Files
import Foundation
import Glibc
import Postgres
import Testing

extension EndToEndTests {
  /// Collector and database as two system users: what the one may read, the other may not.
  @Suite(
    .timeLimit(.minutes(10)),
    .enabled(if: DatabaseUserFleet.isPossible, "only root can start programs as several users")
  ) struct DatabaseUsers {
    /// What code that runs in the server, or that a superuser makes it run, gets at.
    private func requireUnreadable(_ path: String, _ connection: Connection) throws {
      #expect(try FileStatus.exists(path), "\(path)")
      let read = #expect(throws: PostgresError.self) {
        try connection.query("select pg_read_binary_file($1)", [.text(path)]).count
      }
      #expect(read?.message.contains("Permission denied") == true, "\(path): \(String(describing: read))")
      let shell = try output("cat \(path) 2>&1; true", connection)
      #expect(shell.count == 1 && shell[0].contains("Permission denied"), "\(path): \(shell)")
    }

    private func output(_ command: String, _ connection: Connection) throws -> [String] {
      try connection.execute("create temporary table printed (line text)")
      defer { try? connection.execute("drop table printed") }
      try connection.execute("copy printed from program \(Connection.literal(command))")
      let rows = try connection.query("select line from printed")
      return (0..<rows.count).map { rows.text($0, 0) ?? "" }
    }

    @Test func aDatabaseOfItsOwnUserServesTheFleetAndCannotReadItsKeys() throws {
      let users = try DatabaseUserFleet("users")
      defer { users.tearDown() }
      let fleet = users.fleet
      try users.startDatabase()
      try users.startCollector()
      try fleet.join()
      try fleet.startAgent()
      try users.samplesArrive("the start")

      let state = ["--state-dir", fleet.collectorState]
      let status = try users.signalbox(["fleet", "status"] + state)
      #expect(status.code == 0 && status.output.contains("host-1"), "\(status)")
      let query = try users.signalbox(["query", "select session_user as name", "--format", "csv"] + state)
      #expect(query.output == "name\nsignalbox_reader\n", "\(query)")

      let superuser = try fleet.connect()
      defer { superuser.close() }
      #expect(try superuser.queryText("select rolsuper from pg_roles where rolname = current_user").text(0, 0) == "t")
      #expect(try output("id -un", superuser) == [DatabaseUserFleet.databaseUser])
      #expect(try superuser.query("select pg_read_file('PG_VERSION')").count == 1)
      #expect(try FileStatus.of(path: fleet.collectorState + "/ca").mode & 0o777 == 0o700)
      for name in ["ca/issuing.key", "ca/root.key", "database-url"] {
        try requireUnreadable(fleet.collectorState + "/" + name, superuser)
      }
      #expect(try output("ls \(fleet.collectorState)/ca 2>&1; true", superuser)[0].contains("Permission denied"))

      // Others: stopped by the kernel's word about who connects, and without the group by the directory.
      let words = ["fleet", "status", "--database", users.url.text]
      let known = try users.signalbox(as: DatabaseUserFleet.stranger, words)
      #expect(known.code == 4 && known.errors.contains("Peer authentication failed"), "\(known)")
      #expect(known.errors.contains("the collector's user"), "\(known)")
      let unknown = try users.signalbox(as: DatabaseUserFleet.stranger, inGroup: false, words)
      #expect(unknown.code == 4 && unknown.errors.contains("Permission denied"), "\(unknown)")
      // A server of another user's at that place is none.
      let posing = users.url.with(["requirepeer": DatabaseUserFleet.stranger])
      #expect(throws: PostgresError.self) { try Connection(posing) }
    }

    @Test func eachOfTheTwoMayBeKilledAndStartedInAnyOrder() throws {
      let users = try DatabaseUserFleet("orders")
      defer { users.tearDown() }
      let fleet = users.fleet
      // The collector first: it ends with the code and the sentence for a database that is not there; its unit starts it again.
      let early = try users.refusedCollector()
      #expect(early.code == 4 && early.errors.contains("is PostgreSQL running there?"), "\(early)")
      try users.startDatabase()
      try users.startCollector()
      try fleet.join()
      try fleet.startAgent()
      try users.samplesArrive("the start")
      fleet.killCollector()
      try users.startCollector()
      try users.samplesArrive("a kill of the collector")
      let collector = fleet.collector?.pid
      users.killDatabase()
      try users.startDatabase()
      try users.samplesArrive("a kill of the database")
      // The database stops under the collector, which waits for it.
      #expect(users.stopDatabase() == 0)
      try fleet.eventually("a collector that reports it") { try fleet.health().contains("the database") }
      try users.startDatabase()
      try users.samplesArrive("a restart of the database")
      #expect(fleet.collector?.pid == collector && fleet.collector?.isRunning == true)
      // As at a shutdown of the machine: the collector first.
      #expect(fleet.stopCollector() == 0)
      #expect(users.stopDatabase() == 0)
      try users.startDatabase()
      try users.startCollector()
      try users.samplesArrive("a restart of both")
      let number = "select count(*) from host_samples"
      #expect(try fleet.value(number) == fleet.value("select count(distinct (host, time)) from host_samples"))
    }

    @Test func thePrivateDatabaseOfAnExistingInstallationMovesToItsOwnUser() throws {
      let users = try DatabaseUserFleet("moving")
      defer { users.tearDown() }
      let fleet = users.fleet
      try fleet.startCollector()
      try fleet.join("old-host")
      #expect(try fleet.value("select count(*) from hosts") == 1)
      #expect(fleet.stopCollector() == 0)

      // The new units beside the old state: nothing is begun anew in silence.
      try users.startDatabase()
      let refused = try users.refusedCollector()
      #expect(refused.code == 1 && refused.errors.contains("\(fleet.collectorState)/postgres"), "\(refused)")
      #expect(refused.errors.contains("is empty: move"), "\(refused)")
      let empty = try Connection(users.url)
      #expect(try empty.query("select from pg_namespace where nspname = 'signalbox'").count == 0)
      empty.close()
      #expect(users.stopDatabase() == 0)

      // docs/operations.md, A user for the database.
      try HostFiles.removeTree(users.databaseState + "/postgres")
      try users.run("/usr/bin/mv", [fleet.collectorState + "/postgres", users.databaseState])
      try users.run("/usr/bin/chown", ["-R", "\(DatabaseUserFleet.databaseUser):", users.databaseState + "/postgres"])
      try users.startDatabase()
      try users.startCollector()
      #expect(try fleet.value("select count(*) from hosts where host = 'old-host'") == 1)
      let connection = try fleet.connect()
      defer { connection.close() }
      #expect(try connection.queryText("show hba_file").text(0, 0)?.hasSuffix("/signalbox-hba.conf") == true)
      let query = try users.signalbox(["query", "select host from hosts", "--state-dir", fleet.collectorState])
      #expect(query.code == 0 && query.output.contains("old-host"), "\(query)")
    }

    @Test func aDatabaseThatWouldNotBeApartIsRefused() throws {
      let users = try DatabaseUserFleet("refusals")
      defer { users.tearDown() }
      for (result, words) in [
        (try users.refusedDatabase(as: "root"), "a system user of its own"),
        (try users.refusedDatabase(collectorUser: DatabaseUserFleet.databaseUser), "could read its keys"),
        (try users.refusedDatabase(collectorUser: "no-such-user"), "no system user 'no-such-user'"),
        (try users.refusedDatabase(socket: "socket"), "absolute path"),
        (try users.refusedDatabase(socket: fleetDirectory(users)), "socket directory"),
      ] {
        #expect(result.code == 1, "\(result)")
        #expect(result.errors.contains(words) && result.errors.split(separator: "\n").count == 1, "\(result)")
      }
      #expect(try !FileStatus.exists(users.databaseState + "/postgres"))
    }

    /// Somebody else's.
    private func fleetDirectory(_ users: DatabaseUserFleet) -> String { users.fleet.directory }

    /// Without a unit: the collector of root's starts its private server as another user.
    @Test func thePrivateServerOfRootsCollectorCannotReadTheKeysEither() throws {
      let fleet = try TestFleet("root", onTestServer: false)
      defer { fleet.tearDown() }
      try fleet.startCollector()
      let superuser = try fleet.connect()
      defer { superuser.close() }
      #expect(try output("id -un", superuser) != ["root"])
      #expect(try FileStatus.of(path: fleet.collectorState + "/ca").mode & 0o777 == 0o700)
      for name in ["ca/issuing.key", "ca/root.key", "database-url"] {
        try requireUnreadable(fleet.collectorState + "/" + name, superuser)
      }
    }
  }
}
