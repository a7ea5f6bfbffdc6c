internal import Answers
internal import ArgumentParser
internal import Files
internal import FleetModel
internal import Postgres
internal import Store

extension LevelName: ExpressibleByArgument {}

struct LogsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "logs", abstract: "Log lines of the fleet, oldest first.",
    discussion: """
      A table shows the newest --limit lines (200); json, ndjson and csv give all that match.
      Without --since the last day is searched.
      """)

  @OptionGroup var hosts: HostsFilter
  @Option(help: "Only of files like this: '*.log' matches names, '/srv/*/a.log' paths.") var file: String?
  @Option(help: "This level and above: debug, info, warn or error.") var level: LevelName?
  @Option(help: "This level alone: debug, info, warn or error.") var onlyLevel: LevelName?
  @Option(help: "From: an age such as 2h, or a time such as 2026-11-21T08:00Z.") var since: PointInTime?
  @Option(help: "Until: as --since.") var until: PointInTime?
  @Option(help: "Lines that hold this text.") var text: String?
  @Option(help: "Lines that match this regular expression (POSIX, as PostgreSQL has them).") var regex: String?
  @Option(help: "The newest so many.") var limit: Int?
  @Flag(name: .shortAndLong, help: "Go on with what arrives, until Ctrl-C.") var follow = false
  @OptionGroup var database: DatabaseOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var completeness: CompletenessOptions

  func validate() throws {
    if let limit { try PositiveNumber.require(limit) }
    if text == "" { throw ValidationError("--text takes at least one character.") }
    if let since, let until, since.ns >= until.ns { throw ValidationError("--since must be before --until.") }
    if level != nil, onlyLevel != nil {
      throw ValidationError("Give --level, with those above it, or --only-level: one of them.")
    }
    if follow, output.format == .json { throw ValidationError("--follow has no end: use --format ndjson.") }
  }

  func run() throws {
    let source = try database.source(output)
    try source.requireHosts(hosts.patterns)
    do {
      var filter = filter()
      let began = Clock.wallNs()
      guard follow else { return try completeness.check(source, hosts.patterns) { try printAll(source, filter) } }
      _ = try filter.limit.map { try page(source, filter, limit: $0) } ?? stream(source, filter)
      filter.limit = nil
      try LogFollower(source: source, filter: filter, startNs: began).run { try write($0, withHead: false) }
    } catch let error as PostgresError {
      switch error.sqlState {
      case "2201B": throw CommandFailure(.usage, "--regex: \(error.message)")
      case "57014": throw CommandFailure(stopped: error, advice: "narrow it with --since, --host or --file")
      default: throw CommandFailure(error)
      }
    }
  }

  private func printAll(_ source: FleetSource, _ filter: LogFilter) throws {
    let count = try filter.limit.map { try page(source, filter, limit: $0) } ?? stream(source, filter)
    guard count == 0 else { return }
    if output.format == .csv { try output.print(Answer(columns: ShownColumns.logs)) }
    throw CommandFailure(
      .nothingFound, "no line matches\(since == nil ? " in the last day; --since 30d looks further back" : "")")
  }

  private var isStreaming: Bool { limit == nil && output.format != .table }

  private func filter() -> LogFilter {
    var filter = LogFilter()
    filter.hosts = hosts.patterns
    filter.file = file
    filter.minimumLevel = level?.level
    filter.onlyLevel = onlyLevel?.level
    filter.sinceNs = since?.ns ?? Clock.wallNs() - 86_400_000_000_000
    filter.untilNs = until?.ns
    filter.text = text
    filter.pattern = regex
    filter.limit = limit ?? (output.format == .table ? 200 : nil)
    return filter
  }

  /// The newest lines at once. - Returns: how many.
  private func page(_ source: FleetSource, _ filter: LogFilter, limit: Int) throws -> Int {
    let answer = try source.newestLines(filter, limit: limit)
    if !answer.rows.isEmpty { try write(answer, withHead: true) }
    return answer.rows.count
  }

  /// All lines, in pieces.
  private func stream(_ source: FleetSource, _ filter: LogFilter) throws -> Int {
    var count = 0
    try source.lines(filter) { answer in
      try write(answer, withHead: count == 0)
      count += answer.rows.count
    }
    if output.format == .json { try StandardStream.output.write(count == 0 ? "[]\n" : "\n]\n") }
    return count
  }

  private func write(_ page: Answer, withHead: Bool) throws {
    if output.format == .table { return try StandardStream.output.write(Self.lines(page)) }
    let answer = page.without(["flags"])
    if output.format == .json, isStreaming {
      // One array over all pages: each gives its elements, the last the bracket.
      let elements = Renderer(format: .json, nowNs: 0).bytes(answer).dropFirst(2).dropLast(3)
      return try StandardStream.output.write(Array((withHead ? "[\n" : ",\n").utf8) + elements)
    }
    let text = Renderer(format: output.format, nowNs: 0).text(answer)
    let isCSVPage = output.format == .csv && !withHead
    try StandardStream.output.write(isCSVPage ? String(text.drop { $0 != "\n" }.dropFirst()) : text)
  }

  /// For people: time, host, file's name, level, message; no column widths, so that lines can be followed.
  private static func lines(_ answer: Answer) -> String {
    answer.rows.map { row in
      let words: [String] = [0, 2, 3, 5, 6].map { column in
        switch row[column] {
        case .time(let ns): Timestamp.text(ns, digits: 3)
        case .text(let text): Escaping.visible(column == 3 ? HostFiles.name(of: text) : text)
        default: "-"
        }
      }
      return words.joined(separator: " ") + "\n"
    }.joined()
  }
}

/// Asks for newly committed lines again and again and hands each on once.
private struct LogFollower {
  let source: FleetSource
  let filter: LogFilter
  let startNs: Int64

  func run(_ write: (Answer) throws -> Void) throws {
    var following = LogFollowing(startNs: startNs)
    while true {
      try source.lines(following.question(filter, nowNs: Clock.wallNs())) { page in
        let news = following.news(page)
        if !news.rows.isEmpty { try write(news) }
      }
      following.finish()
      Process.sleep(ns: 200_000_000)
    }
  }
}
