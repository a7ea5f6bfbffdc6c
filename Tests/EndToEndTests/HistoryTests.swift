import Files
import Foundation
import Testing

extension EndToEndTests {
  /// An agent's first start meets logs that were there before it: real files, collector and receiver.
  @Suite(.timeLimit(.minutes(10))) struct History {
    /// Two logs that both have what the rule looks for; one changed an hour ago, the other yesterday.
    private static func old(_ fleet: TestFleet) throws {
      for (name, ageSeconds) in [("hour.log", 3600.0), ("yesterday.log", 86_400)] {
        try fleet.write(name, Array("BOOM in \(name)\nthen quiet\n".utf8))
        try FileManager.default.setAttributes(
          [.modificationDate: Date(timeIntervalSinceNow: -ageSeconds)], ofItemAtPath: "\(fleet.logs)/\(name)")
      }
      // Their birth must be before the agent's start by more than a tick of the kernel.
      usleep(30_000)
    }

    /// - Parameters:
    ///   - stored: lines of the old logs that are stored.
    ///   - left: old logs that are left out, each with its range in `gaps`.
    @Test(
      arguments: [([], 4, 0), (["--from", "start"], 4, 0), (["--from", "2h"], 2, 1), (["--from", "end"], 0, 2)]
        as [([String], Int64, Int)])
    func whatIsOlderThanTheAgentIsNeverPagedAndWhatComesLaterIs(_ words: [String], _ stored: Int64, _ left: Int) throws
    {
      let (fleet, receiver) = try Rules.fleet("history", rules: Rules.boom, agent: words, before: Self.old)
      defer {
        fleet.tearDown()
        receiver.stop()
      }
      try fleet.eventually("the old lines") { try fleet.value("select count(*) from log_lines") == stored }
      if left > 0 {
        try fleet.eventually("what is left out") { try fleet.json("gaps").count == left }
        #expect(try fleet.json("gaps").allSatisfy { $0["reason"] as? String == "skipped_by_from" })
      }
      // Shown, where it was read, as what would have been.
      if stored > 0 {
        try fleet.eventually("the incidents of what was read") {
          try fleet.value("select count(*) from incidents") == stored / 2
        }
      }
      #expect(try fleet.value("select count(*) from incidents where not is_observed") == 0)
      for name in ["hour.log", "yesterday.log", "new.log"] { try fleet.write(name, Array("BOOM again\n".utf8)) }
      try fleet.eventually("the pages of the new lines") {
        Set(try receiver.pages("trigger").flatMap(\.keys)).count == 3
      }
      for page in try receiver.pages("trigger") {
        let evidence = try #require(page.body()["evidence"] as? [String])
        #expect(evidence.contains { $0.contains("BOOM again") }, "\(evidence)")
      }
      // The next start has no history but what the first one found.
      #expect(fleet.stopAgent() == 0)
      try fleet.write("made-while-it-was-down.log", Array("BOOM while it was down\n".utf8))
      try fleet.restartAgent()
      try fleet.eventually("the page of the line between two agents") {
        Set(try receiver.pages("trigger").flatMap(\.keys)).count == 4
      }
      #expect(try fleet.value("select count(*) from log_lines") == stored + 4)
      #expect(try fleet.value("select count(distinct incident) from deliveries where event = 'trigger'") == 4)
      #expect(try fleet.value("select count(*) from incidents where not is_observed") == 4)
    }
  }
}
