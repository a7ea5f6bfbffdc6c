internal import Answers
internal import ArgumentParser
internal import FleetModel
internal import Store

extension EpisodesCommand {
  struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "verify",
      abstract: "Whether the stored steps of episodes are whole, in order, and agree with themselves.",
      discussion: """
        Steps that are missing or stored twice, times that go backwards, more sold than bought, units against the
        position, accounts that do not add up, episodes that are missing. Of the newest \(VerificationQueries.runsMax)
        runs, \(AnalysisQueries.stepsMax) steps at most: of each its newest episodes first.
        Exit codes: 0 what was looked at is sound; 1 something is broken; 3 nothing could be looked at; 5 hosts are missing.
        """)
    @OptionGroup var host: HostFilter
    @Option(name: .customLong("run"), help: "Only of this run: its id or its name.") var runName: String?
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var completeness: CompletenessOptions

    private static let shown: [Answer.Column] = [
      .init("host", "HOST", rank: 4, least: 12), .init("id", "ID", rank: 1), .init("run", "RUN", rank: 5, least: 16),
      .init("episode", "EPISODE", rank: 3), .init("state", "STATE", rank: 0, least: 12),
      .init("check", "CHECK", rank: 2, least: 25),
      .init("detail", "DETAIL", rank: 6, least: 20), .init("not_examined", "NOT LOOKED AT", rank: 7, least: 20),
    ]

    func run() throws {
      let source = try database.source(output)
      try source.requireHosts([host.pattern])
      let run = try runName.map { try source.runNumber($0, host: host.pattern) }
      let answer = try source.answer(.verification(host: host.pattern, run: run), Self.shown)
      let asked = run == nil ? [host.pattern] : answer.hosts
      // What is broken is so whichever hosts are missing.
      let broken = Self.findings(answer)
      var nothing: CommandFailure?
      do {
        try completeness.check(source, asked) {
          try output.print(answer, orSay: "no run matches: nothing was looked at")
          if Self.ofRuns(answer, "state").allSatisfy({ $0 == .text("not examined") }) {
            throw CommandFailure(.nothingFound, "no step of these runs is stored: nothing was looked at")
          }
        }
      } catch let failure as CommandFailure {
        nothing = failure
      }
      if broken > 0 {
        let sentence =
          "\(broken) finding\(broken == 1 ? "" : "s"): what the rows with the state broken name is not sound"
        throw CommandFailure(.failed, ([sentence] + [nothing?.message].compactMap { $0 }).joined(separator: "; "))
      }
      if let nothing { throw nothing }
    }

    /// Values of a column in the runs' own rows.
    private static func ofRuns(_ answer: Answer, _ column: String) -> [Cell] {
      guard let place = answer.columns.firstIndex(where: { $0.name == column }),
        let check = answer.columns.firstIndex(where: { $0.name == "check" })
      else { return [] }
      return answer.rows.filter { $0[check] == .text("run") }.map { $0[place] }
    }

    private static func findings(_ answer: Answer) -> Int64 {
      ofRuns(answer, "count").reduce(0) { sum, cell in if case .integer(let count) = cell { sum + count } else { sum } }
    }
  }
}
