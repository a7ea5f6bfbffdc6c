import Files
import Foundation
import Testing

extension EndToEndTests {
  /// Standard input and the journal: what has no file of its own arrives all the same, each line once.
  @Suite(.timeLimit(.minutes(10))) struct Streams {
    /// A `journalctl` that knows `--after-cursor` and `--follow`; the cursor of line n of the journal is "c=n".
    private static func installJournal(_ fleet: TestFleet) throws -> String {
      let directory = fleet.directory + "/bin"
      try HostFiles.makeDirectory(directory, mode: 0o755)
      let script = """
        #!/bin/sh
        echo "$*" >> \(fleet.directory)/journalctl.calls
        after=0
        for word in "$@"; do
          case "$word" in --after-cursor=c=*) after="${word#--after-cursor=c=}" ;; esac
        done
        follow=
        case " $* " in *" --follow "*) follow=-f ;; esac
        exec tail -n "+$((after + 1))" $follow \(fleet.directory)/journal.json

        """
      try HostFiles.replace(directory + "/journalctl", with: Array(script.utf8), mode: 0o755)
      try Data().write(to: URL(fileURLWithPath: fleet.directory + "/journal.json"))
      return directory
    }

    private static func writeEntries(_ fleet: TestFleet, _ numbers: Range<Int>) throws {
      var text = ""
      let start = Int(Date().timeIntervalSince1970) * 1_000_000
      for number in numbers {
        text += #"{"__CURSOR":"c=\#(number + 1)","__REALTIME_TIMESTAMP":"\#(start + number)","#
        text += #""PRIORITY":"3","_SYSTEMD_UNIT":"train.service","MESSAGE":"entry \#(number)"}"# + "\n"
      }
      try Descriptor.open(fleet.directory + "/journal.json", .append, mode: 0o644).write(Array(text.utf8).span)
    }

    @Test func theJournalArrivesOnceOverKillsOfTheAgent() throws {
      let fleet = try TestFleet("journal")
      defer { fleet.tearDown() }
      try fleet.startCollector()
      try fleet.join()
      let programs = try Self.installJournal(fleet)
      // 12 MB: three segments at least, and kills in the middle of them.
      let perRound = 16_000
      try Self.writeEntries(fleet, 0..<perRound)
      let path = ["PATH": programs + ":/usr/bin:/bin"]
      try fleet.startAgent(["--journal", "train.service"], environment: path)
      for round in 1...4 {
        try fleet.eventually("rows of round \(round)") {
          try fleet.value("select count(*) from log_lines") > Int64((round - 1) * perRound + perRound / 10)
        }
        fleet.killAgent()
        if round < 4 { try Self.writeEntries(fleet, round * perRound..<(round + 1) * perRound) }
        try fleet.restartAgent()
      }
      let all = Int64(4 * perRound)
      try fleet.eventually("all entries", within: 120) { try fleet.value("select count(*) from log_lines") >= all }
      try Self.writeEntries(fleet, Int(all)..<Int(all) + 10)
      try fleet.eventually("what comes while it follows") {
        try fleet.value("select count(*) from log_lines") >= all + 10
      }
      #expect(try fleet.value("select count(*) from log_lines") == all + 10)
      #expect(try fleet.value("select count(distinct message) from log_lines") == all + 10)
      #expect(
        try fleet.value("select count(*) from log_lines where file = 'journal:train.service' and level = 'ERROR'")
          == all + 10)
      #expect(try fleet.signalbox("gaps").code == 3)
      let calls = try String(contentsOfFile: fleet.directory + "/journalctl.calls", encoding: .utf8)
      #expect(calls.contains("--unit=train.service"))
      #expect(calls.contains("--after-cursor=c="))
    }

    /// Runs `printer | signalbox-agent pipe train > copy`.
    private static func pipe(_ fleet: TestFleet, _ printer: String) throws -> Program.Result {
      try Program.run(
        "/bin/sh",
        [
          "-c",
          "(\(printer)) 2>&1 | \(Program.path("signalbox-agent")) pipe train --state-dir \(fleet.agentState) >> \(fleet.directory)/copy",
        ])
    }

    @Test func whatAProgramOnlyPrintsArrivesOnceAndIsPassedOn() throws {
      let fleet = try TestFleet("pipe")
      defer { fleet.tearDown() }
      try fleet.startCollector()
      try fleet.join()
      // No agent runs: the program does not wait for one.
      #expect(try Self.pipe(fleet, "seq -f 'line %.0f of the run before any agent' 1 200000").code == 0)
      try fleet.startAgent()
      try fleet.eventually("a part") { try fleet.value("select count(*) from log_lines") > 1000 }
      fleet.killAgent()
      #expect(try Self.pipe(fleet, "seq -f 'line %.0f of the second run' 1 1000; printf unfinished").code == 0)
      try fleet.restartAgent()
      try fleet.eventually("all lines", within: 120) { try fleet.value("select count(*) from log_lines") >= 201_001 }
      #expect(try fleet.value("select count(*) from log_lines where file = 'pipe:train'") == 201_001)
      #expect(try fleet.value("select count(distinct message) from log_lines") == 201_001)
      let copy = try String(contentsOfFile: fleet.directory + "/copy", encoding: .utf8)
      #expect(copy.split(separator: "\n").count == 201_001)
      // What the collector has is taken out of the inbox.
      try fleet.eventually("an empty inbox") {
        try HostFiles.list(fleet.agentState + "/inbox").allSatisfy { $0.hasSuffix(".done") }
      }
      #expect(try fleet.signalbox("gaps").code == 3)
    }
  }
}
