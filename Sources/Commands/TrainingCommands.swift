internal import Answers
internal import ArgumentParser
internal import Files
internal import FleetModel
internal import Store

struct RunsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "runs", abstract: "Training runs.",
    subcommands: [List.self, Latest.self, Show.self, Why.self, Analyze.self])

  struct Filter: ParsableArguments {
    @OptionGroup var host: HostFilter
    @Option(help: "running, completed, failed or unknown.") var state: String?
    @Option(help: "At most so many.") var limit = 100

    func validate() throws {
      if let state, !["running", "completed", "failed", "unknown"].contains(state) {
        throw ValidationError("--state takes running, completed, failed or unknown, not '\(state)'.")
      }
      try PositiveNumber.require(limit)
    }
  }

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Runs, newest first.")
    @OptionGroup var filter: Filter
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var completeness: CompletenessOptions

    func run() throws {
      let reader = try database.source(output)
      try reader.requireHosts([filter.host.pattern])
      let question = FleetQuestion.runs(host: filter.host.pattern, state: filter.state, limit: filter.limit)
      try completeness.check(reader, [filter.host.pattern]) {
        try output.print(reader.answer(question, ShownColumns.runs), orSay: "no run matches")
      }
    }
  }

  struct Latest: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "latest", abstract: "The newest run and its averages.")
    @OptionGroup var host: HostFilter
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var completeness: CompletenessOptions

    func run() throws {
      let reader = try database.source(output)
      try reader.requireHosts([host.pattern])
      let question = FleetQuestion.runs(host: host.pattern, state: nil, limit: 1)
      try completeness.check(reader, [host.pattern]) {
        try output.print(reader.answer(question, ShownColumns.runs), orSay: "no run has been seen yet")
      }
    }
  }

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "One run and its episodes.")
    @Argument(help: "The run: its id or its name, as `runs list` prints them.") var name: String
    @OptionGroup var host: HostFilter
    @Option(help: "At most so many episodes.") var limit = 50
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var completeness: CompletenessOptions

    /// Of the curve of rewards: what the list of episodes gives at once.
    private static let curveEpisodes = 1000

    func validate() throws { try PositiveNumber.require(limit) }

    func run() throws {
      let reader = try database.source(output)
      try reader.requireHosts([host.pattern])
      let run = try reader.run(name, host: host.pattern)
      try completeness.check(reader, run.hosts) { try print(run, reader) }
    }

    private func print(_ run: Answer, _ reader: FleetSource) throws {
      guard output.format == .table, !run.rows.isEmpty else {
        let whole = try run.with("episode_list") { _ in try self.episodes(reader, of: run, limit) }
        return try output.print(whole, orSay: RunName.nothing(name))
      }
      try output.print(run)
      try StandardStream.output.write("\n")
      let episodes = try self.episodes(reader, of: run, max(limit, Self.curveEpisodes))
      try printCurve(episodes)
      try output.print(episodes.first(limit))
    }

    private func episodes(_ reader: FleetSource, of run: Answer, _ count: Int) throws -> Answer {
      guard case .text(let host)? = run.value("host"), case .text(let name)? = run.value("run") else {
        return Answer(columns: [])
      }
      return try reader.answer(.episodes(host: host, run: name, status: nil, limit: count), ShownColumns.episodes)
    }

    /// Their rewards, in the order of their numbers.
    private func printCurve(_ episodes: Answer) throws {
      guard let number = episodes.columns.firstIndex(where: { $0.name == "episode" }),
        let reward = episodes.columns.firstIndex(where: { $0.name == "total_reward" })
      else { return }
      let points = episodes.rows.compactMap { row in row[number].double.map { (number: $0, reward: row[reward].double) }
      }
      .sorted { $0.number < $1.number }
      guard let first = points.first, let last = points.last, points.count > 1 else { return }
      let range =
        "reward, episodes \(Quantity.decimal(first.number, digits: 0)) to \(Quantity.decimal(last.number, digits: 0))"
      try output.printCurves([.init(name: range, values: points.map(\.reward), unit: .ratio)])
      try StandardStream.output.write("\n")
    }
  }
}

struct EpisodesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "episodes", abstract: "Episodes and their metrics.",
    subcommands: [List.self, Check.self, Verify.self, Show.self])

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Episodes, newest first.")
    @OptionGroup var host: HostFilter
    @Option(name: .customLong("run"), help: "Only of this run: its name or its id.") var runName: String?
    @Option(help: "running, completed or force_closed.") var status: String?
    @Option(help: "At most so many.") var limit = 1000
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var completeness: CompletenessOptions

    func validate() throws {
      if let status, !["running", "completed", "force_closed"].contains(status) {
        throw ValidationError("--status takes running, completed or force_closed, not '\(status)'.")
      }
      try PositiveNumber.require(limit)
    }

    func run() throws {
      let reader = try database.source(output)
      try reader.requireHosts([host.pattern])
      let (name, owner) = try reader.runs(runName, host: host.pattern)
      let question = FleetQuestion.episodes(host: owner, run: name, status: status, limit: limit)
      try completeness.check(reader, [owner]) {
        try output.print(reader.answer(question, ShownColumns.episodes), orSay: "no episode matches")
      }
    }
  }

  struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "check",
      abstract: "How many episodes of each run ended, and which did not.",
      discussion: "An episode is stale when it still runs and nothing came for --stale-minutes.")
    @OptionGroup var host: HostFilter
    @Option(name: .customLong("run"), help: "Only of this run: its name or its id.") var runName: String?
    @Option(help: "Minutes without a step after which a running episode is stale.") var staleMinutes = 15
    @Option(help: "At most so many runs, the newest.") var limit = 1000
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var completeness: CompletenessOptions

    func validate() throws {
      try PositiveNumber.require(limit)
      try PositiveNumber.require(staleMinutes, "--stale-minutes")
    }

    func run() throws {
      let reader = try database.source(output)
      try reader.requireHosts([host.pattern])
      let (name, owner) = try reader.runs(runName, host: host.pattern)
      let query = FleetQuestion.episodeCheck(host: owner, run: name, staleMinutes: staleMinutes, limit: limit)
      let answer = try reader.answer(
        query,
        [
          .init("host", "HOST", rank: 4, least: 12), .init("run", "RUN", rank: 0, least: 18),
          .init("episodes", "EPISODES", rank: 1), .init("completed", "COMPLETED", rank: 2),
          .init("running", "RUNNING", rank: 7), .init("stale", "STALE", rank: 5), .init("hollow", "HOLLOW", rank: 6),
          .init("completion_rate_ratio", "RATE", .ratio, rank: 3), .init("newest", "NEWEST", .age, rank: 8),
        ])
      try completeness.check(reader, [owner]) { try output.print(answer, orSay: "no episode has been seen yet") }
    }
  }

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "Everything known of one episode.")
    @Argument(help: "The run's name or its id.") var runName: String
    @Argument(help: "The episode's number.") var episode: Int64
    @OptionGroup var host: HostFilter
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var completeness: CompletenessOptions

    func run() throws {
      let reader = try database.source(output)
      try reader.requireHosts([host.pattern])
      let (name, owner) = try reader.runs(runName, host: host.pattern)
      let answer = try reader.answer(.episode(host: owner, run: name ?? runName, episode: episode))
      try completeness.check(reader, answer.hosts) { try print(answer, reader) }
    }

    private func print(_ answer: Answer, _ reader: FleetSource) throws {
      let nothing =
        "run '\(runName)' has no episode \(episode); signalbox episodes list --run \(PlainText.shellWord(runName)) shows them"
      guard output.format == .table, !answer.rows.isEmpty else { return try output.print(answer, orSay: nothing) }
      let definitions = try reader.answer(.columns(of: "episodes")).definitions
      try output.print(Self.upright(answer, definitions))
    }

    /// One line a metric, with its definition: a row of 30 columns fits no terminal.
    private static func upright(_ answer: Answer, _ definitions: [String: String]) -> Answer {
      let rows = answer.rows.flatMap { row in
        zip(answer.columns, row).map { [Cell.text($0.name), $1, .text(definitions[$0.name] ?? "")] }
      }
      return Answer(
        columns: [.init("metric", "METRIC"), .init("value", "VALUE"), .init("definition", "DEFINITION")], rows: rows)
    }
  }
}

extension Answer {
  /// The hosts that its rows are of; that of no row where nothing was found, so that all are meant.
  var hosts: [String?] {
    guard let place = columns.firstIndex(where: { $0.name == "host" }) else { return [] }
    return rows.map { row in if case .text(let name) = row[place] { name } else { nil } }
  }
}
