import Files
import Foundation
import TestSupport
import Testing

extension EndToEndTests {
  /// Lines and rows stay equal while agent, collector and PostgreSQL are killed at random moments.
  ///
  /// `SIGNALBOX_CHAOS_KILLS` sets how many kills (12), `SIGNALBOX_CHAOS_SEED` replays their order.
  @Suite(.timeLimit(.minutes(60))) struct Chaos {
    @Test func linesAndRowsStayEqualOverKillsWithRenameRotation() throws {
      try run("rename", rotation: .rename) { (fleet: TestFleet, written: Int) throws in
        let losses = try fleet.value("select count(*) from loss_ledger")
        let told = try fleet.signalbox("gaps", "--format", "ndjson").output
        #expect(losses == 0, "\(told)")
        #expect(try fleet.value("select count(*) from log_lines") == Int64(written))
        #expect(try fleet.value("select count(distinct message) from log_lines") == Int64(written))
      }
    }

    @Test func copytruncateNeverDuplicatesAndReportsWhatItLost() throws {
      try run("copytruncate", rotation: .copyTruncate) { (fleet: TestFleet, written: Int) throws in
        let rows = try fleet.value("select count(*) from log_lines where message like '%of the test%'")
        #expect(try fleet.value("select count(distinct message) from log_lines") >= rows)
        let lost = Int64(written) - rows
        let reported = try fleet.value("select coalesce(sum(to_offset - from_offset), 0) from loss_ledger")
        #expect(lost >= 0)
        // A line has at least 40 bytes.
        #expect(lost * 40 <= reported, "\(lost) lines are missing, \(reported) bytes are reported")
      }
    }

    private func run(
      _ name: String, rotation: NumberedWriter.Rotation, check: (TestFleet, Int) throws -> Void
    ) throws {
      let environment = Foundation.ProcessInfo.processInfo.environment
      let kills = Int(environment["SIGNALBOX_CHAOS_KILLS"] ?? "") ?? 12
      let seed = UInt64(environment["SIGNALBOX_CHAOS_SEED"] ?? "") ?? UInt64.random(in: 1...1_000_000)
      print("chaos \(name): \(kills) kills, SIGNALBOX_CHAOS_SEED=\(seed)")
      var random = SplitMix(seed: seed)
      let fleet = try TestFleet("chaos-\(name)")
      defer { fleet.tearDown() }
      try fleet.startCollector()
      try fleet.join()
      try fleet.startAgent()
      let writer = NumberedWriter(path: fleet.logs + "/numbers.log", linesPerSecond: 2000)
      writer.start()
      var events: [String] = []
      for kill in 0..<kills {
        usleep(UInt32.random(in: 50_000...1_200_000, using: &random))
        if kill % 3 == 1 { writer.rotate(rotation) }
        let victim = Int.random(in: 0..<3, using: &random)
        events.append("\(Date().logTime): kill \(["agent", "collector", "database"][victim])")
        switch victim {
        case 0:
          fleet.killAgent()
          usleep(UInt32.random(in: 0...300_000, using: &random))
          try fleet.restartAgent()
        case 1:
          fleet.killCollector()
          usleep(UInt32.random(in: 0...300_000, using: &random))
          try fleet.startCollector()
        default:
          if let postmaster = fleet.postmasterPID { Foundation.kill(postmaster, SIGKILL) }
        }
      }
      let written = writer.stop()
      // The last line tells that all has arrived; what was lost before it is in the ledger.
      let last = "line \(written - 1) of the test"
      try fleet.eventually("the last line, \(last) (seed \(seed))", within: 180) {
        try fleet.value("select count(*) from log_lines where message like '%\(last)'") == 1
      }
      do {
        try fleet.eventually("the rest (seed \(seed))", within: 60) {
          let rows = try fleet.value("select count(*) from log_lines")
          let lost = try fleet.value("select coalesce(sum(to_offset - from_offset), 0) from loss_ledger")
          return rows == Int64(written) || lost > 0
        }
      } catch {
        // What came instead says more than that it did not come.
        Issue.record(
          """
          \(written) lines; \((events + writer.rotations).sorted().joined(separator: "\n  "))
          \(try fleet.rowsByFile()): \(error)
          """)
      }
      print("chaos \(name): \(written) lines, \(try fleet.value("select count(*) from log_lines")) rows")
      try check(fleet, written)
    }
  }
}
