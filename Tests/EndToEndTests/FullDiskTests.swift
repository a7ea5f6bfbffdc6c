import Files
import Foundation
import Postgres
import Testing

extension EndToEndTests {
  /// A database that answers and stores nothing: the collector's own incident is paged, and `/health` holds the database's words.
  @Suite(.timeLimit(.minutes(10))) struct FullDisk {
    private static let mount = "/usr/bin/mount"

    /// A file system of a given size needs root, and a container may keep even that one from it.
    private static let canMount: Bool = {
      guard Process.isRoot, ProcessInfo.processInfo.environment["SIGNALBOX_TEST_DATABASE_URL"] == nil,
        let directory = try? temporaryDirectory()
      else { return false }
      defer { try? HostFiles.removeTree(directory) }
      guard (try? mount(at: directory, megabytes: 1)) == 0 else { return false }
      return (try? Program.run("/usr/bin/umount", [directory]).code) == 0
    }()

    private static func temporaryDirectory() throws -> String {
      let directory = "/tmp/signalbox-mount-\(UUID().uuidString)"
      try HostFiles.makeDirectory(directory)
      return directory
    }

    private static func mount(at directory: String, megabytes: Int) throws -> Int32 {
      try Program.run(mount, ["-t", "tmpfs", "-o", "size=\(megabytes)m", "signalbox-test", directory]).code
    }

    private func databasePages(_ receiver: PageReceiver, _ event: String) throws -> Int {
      try receiver.pages(event).count { $0.text.contains("SIGNALBOX-DATABASE") }
    }

    @Test func aWriterThatTheDatabaseRefusesIsPagedAndNamedWithTheDatabasesWords() throws {
      let (fleet, receiver) = try Rules.fleet("diskfull", rules: Rules.boom)
      defer {
        fleet.tearDown()
        receiver.stop()
      }
      try fleet.eventually("a live host") { try fleet.value("select count(*) from host_samples") > 0 }
      // What PostgreSQL answers to a COPY whose table cannot grow; everything else goes on.
      try fleet.execute(
        """
        create function signalbox.full_disk() returns trigger language plpgsql as $$ begin
          raise exception using errcode = '53100', message = 'could not extend file "base/5/1": No space left on device';
        end $$;
        create trigger full_disk before insert on signalbox.agent_ledger for each statement
          execute function signalbox.full_disk()
        """)
      try fleet.eventually("a report of the writer") {
        let health = try fleet.health()
        return health.hasPrefix("writer-") && health.contains("No space left on device")
      }
      #expect(try !fleet.health().contains("does not answer"))
      #expect(try fleet.metric("signalbox_database_up") == 1)
      try fleet.eventually("the page", within: 120) { try databasePages(receiver, "trigger") > 0 }
      let page = try #require(try receiver.pages("trigger").first { $0.text.contains("SIGNALBOX-DATABASE") })
      #expect(page.text.contains("No space left on device") && page.text.contains("writer-"), "\(page.text)")
      #expect(page.text.contains("SIGNALBOX-DATABASE.md"), "\(page.text)")
      try fleet.execute("drop trigger full_disk on signalbox.agent_ledger")
      try fleet.eventually("health") { try fleet.health().hasPrefix("ok") }
      try fleet.eventually("the end of the incident") { try databasePages(receiver, "resolve") > 0 }
      #expect(try databasePages(receiver, "trigger") == 1)
    }

    @Test(.enabled(if: canMount)) func aFileSystemThatIsFullIsPagedAndWhatWaitedIsStoredAfterwards() throws {
      let fleet = try TestFleet("nospace")
      let receiver = try PageReceiver(directory: fleet.directory, seed: 1, isCalm: true)
      let place = fleet.collectorState + "/postgres"
      try HostFiles.makeDirectory(place, mode: 0o755)
      #expect(try Self.mount(at: place, megabytes: 400) == 0)
      defer {
        fleet.tearDown()
        receiver.stop()
        _ = try? Program.run("/usr/bin/umount", ["-l", place])
        try? HostFiles.removeTree(fleet.directory)
      }
      try HostFiles.makeDirectory(fleet.directory + "/rules", mode: 0o755)
      try Rules.write(Rules.boom, fleet)
      try Rules.configure(fleet, receiver)
      try Rules.start(fleet)
      try fleet.join("train-1")
      try fleet.startAgent()
      try fleet.eventually("a live host") { try fleet.value("select count(*) from host_samples") > 0 }
      let ballast = place + "/ballast"
      // Ends when nothing more fits.
      _ = try Program.run("/bin/dd", ["if=/dev/zero", "of=\(ballast)", "bs=64k"])
      let lines = (1...200_000).map { "line \($0) of a training that prints much, and finds no room for it\n" }.joined()
      try fleet.write("much.log", Array(lines.utf8))
      try fleet.eventually("a report of a full disk", within: 120) {
        // Whether a table or the log of writes cannot grow, a start or a connection: the database chooses.
        let health = try fleet.health()
        return health.contains("writer-") && health.contains(" has failed for ")
      }
      try fleet.eventually("the page", within: 180) { try databasePages(receiver, "trigger") > 0 }
      try HostFiles.remove(ballast)
      try fleet.eventually("health", within: 180) { try fleet.health().hasPrefix("ok") }
      try fleet.eventually("every line", within: 180) { try fleet.value("select count(*) from log_lines") >= 200_000 }
      #expect(try fleet.value("select count(distinct message) from log_lines") == 200_000)
    }
  }
}
