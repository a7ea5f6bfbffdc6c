import Files
import Foundation
import Testing

extension EndToEndTests {
  /// A database that is away for longer than a restart; `Tests/endurance.sh` does the same for ten minutes.
  @Suite(
    .timeLimit(.minutes(10)), .enabled(if: ProcessInfo.processInfo.environment["SIGNALBOX_TEST_DATABASE_URL"] == nil))
  struct Outage {
    @Test func afterAFrozenDatabaseEverythingFlowsAgain() throws {
      try run("frozen") { fleet in
        let frozen = fleet.databasePIDs
        for pid in frozen { kill(pid, SIGSTOP) }
        defer { for pid in frozen { kill(pid, SIGCONT) } }
        sleep(5)
      }
    }

    @Test func aDatabaseThatCannotStartForAWhileIsToldAndComesBack() throws {
      try run("gone") { fleet in
        // Nobody can start it while its directory cannot be entered; it must not be taken for a missing one either.
        unsafe chmod(fleet.databaseDirectory, 0)
        defer { unsafe chmod(fleet.databaseDirectory, 0o700) }
        for pid in fleet.databasePIDs { kill(pid, SIGKILL) }
        try fleet.eventually("a health check that fails") {
          try fleet.health().hasPrefix("the database does not answer")
        }
        sleep(3)
        let health = try fleet.health()
        #expect(
          health.hasPrefix("the database does not answer: writer-") && health.contains(" has failed for "), "\(health)")
      }
    }

    private func run(_ name: String, _ outage: (TestFleet) throws -> Void) throws {
      let fleet = try TestFleet(name)
      defer { fleet.tearDown() }
      try fleet.startCollector()
      try fleet.join()
      try fleet.startAgent()
      let writer = NumberedWriter(path: fleet.logs + "/numbers.log", linesPerSecond: 2000)
      writer.start()
      try fleet.eventually("first lines") { try fleet.value("select count(*) from log_lines") > 1000 }
      try outage(fleet)
      try fleet.eventually("a fresh sample") {
        try fleet.value("select count(*) from host_samples where time > now() - interval '3 seconds'") > 0
      }
      let written = writer.stop()
      try fleet.eventually("all lines") { try fleet.value("select count(*) from log_lines") >= Int64(written) }
      #expect(try fleet.value("select count(*) from log_lines") == Int64(written))
      #expect(try fleet.value("select count(distinct message) from log_lines") == Int64(written))
      #expect(try fleet.value("select count(*) from loss_ledger") == 0)
      #expect(
        try fleet.value(
          """
          select count(*) from
            (select extract(epoch from time - lag(time) over (order by time)) as gap from host_samples) s where gap > 2.5
          """) == 0)
    }
  }
}
