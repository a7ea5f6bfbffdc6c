internal import Answers
internal import ArgumentParser
internal import Files
internal import FleetModel
internal import Store

struct FleetCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fleet", abstract: "The fleet at a glance.", subcommands: [Status.self])

  struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "status",
      abstract: "One row a host with its newest sample.",
      discussion: "A host is live while it reports, late after \(FleetQueries.lateSeconds) s, silent after "
        + "\(FleetQueries.silentSeconds) s without a report, waiting before its first one. "
        + "Ends with 5 where one is none of the live ones.")

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var watching: WatchOptions
    @OptionGroup var completeness: CompletenessOptions
    @Flag(name: .long, help: "Also hosts that were revoked.") var all = false

    func run() throws {
      let source = try database.source(output)
      try completeness.check(source, []) {
        try watching.repeatedly(output) { try FleetStatus.answer(source, withRevoked: all, isWatched: watching.watch) }
      }
    }
  }
}

/// Looking again and again at the same question.
struct WatchOptions: ParsableArguments {
  @Flag(name: .long, help: "Look again every second until Ctrl-C.")
  var watch = false

  func repeatedly(_ output: OutputOptions, _ ask: () throws -> Answer) throws {
    guard watch else {
      return try output.print(ask(), orSay: "no host has joined yet; signalbox hosts invite NAME begins")
    }
    while true {
      let answer = try ask()
      // Cursor home and clear, only for people.
      if output.format == .table, StandardStream.output.isTerminal {
        try StandardStream.output.write("\u{1b}[H\u{1b}[J")
      }
      try output.print(answer)
      Process.sleep(ns: 1_000_000_000)
    }
  }
}

/// The fleet table, for `fleet status` and the demo.
enum FleetStatus {
  /// - Parameter isWatched: hosts that are missing are a note; else the command's end names them.
  static func answer(_ source: FleetSource, withRevoked: Bool = false, isWatched: Bool = true) throws -> Answer {
    var answer = try source.answer(.fleet, ShownColumns.fleet)
    let left = withRevoked ? 0 : removeRevoked(&answer)
    if isWatched { answer.notes = silentHosts(answer) }
    // What a collector's log and metrics say of paging, where a person on call looks.
    answer.notes += source.problems()
    if left > 0 { answer.notes.append("\(left) revoked not shown; --all shows them") }
    return answer
  }

  /// What has left the fleet needs no attention.
  private static func removeRevoked(_ answer: inout Answer) -> Int {
    guard let state = answer.columns.firstIndex(where: { $0.name == "state" }) else { return 0 }
    let before = answer.rows.count
    answer.rows.removeAll { $0[state] == .text("revoked") }
    return before - answer.rows.count
  }

  /// Every fleet-wide answer names the hosts that are silent.
  private static func silentHosts(_ answer: Answer) -> [String] {
    guard let host = answer.columns.firstIndex(where: { $0.name == "host" }),
      let state = answer.columns.firstIndex(where: { $0.name == "state" })
    else { return [] }
    return ["late", "silent", "waiting"].compactMap { word in
      let names = answer.rows.filter { $0[state] == .text(word) }.compactMap { row in
        if case .text(let name) = row[host] { name } else { nil }
      }
      guard !names.isEmpty else { return nil }
      let more = names.count > 5 ? " and \(names.count - 5) more" : ""
      return "\(names.count) \(word): \(names.prefix(5).joined(separator: ", "))\(more)"
    }
  }
}
