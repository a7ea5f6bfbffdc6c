internal import Answers
internal import ArgumentParser
internal import Store

struct GapsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gaps", abstract: "Ranges of files and spools that never arrived, and why.")
  @OptionGroup var host: HostFilter
  @Option(help: "From: an age such as 2h, or a time.") var since: PointInTime?
  @OptionGroup var database: DatabaseOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var completeness: CompletenessOptions

  func run() throws {
    let reader = try database.source(output)
    try reader.requireHosts([host.pattern])
    let notes = try FollowingNotes.notes(reader.answer(.passedOver(host.pattern)))
    let answer = try reader.answer(
      .gaps(host: host.pattern, sinceNs: since?.ns),
      [
        .init("host", "HOST", rank: 2, least: 12), .init("file", "FILE", rank: 0, least: 20),
        .init("from", "FROM", rank: 3), .init("to", "TO", rank: 4),
        .init("reason", "REASON", rank: 1, least: 16), .init("is_estimate", "ESTIMATE", rank: 6),
        .init("time", "TIME", rank: 5),
      ], notes: notes)
    try completeness.check(reader, [host.pattern]) {
      try output.print(answer, orSay: FollowingNotes.nothingLost(notes))
    }
  }
}
