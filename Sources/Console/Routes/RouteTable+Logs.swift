internal import Answers
internal import FleetModel
internal import HTTPTypes
internal import Store

extension RouteTable {
  private static let levels = LevelName.allCases.map(\.rawValue)
  static let lineParameters: [Route.Parameter] = [
    .init(
      "q", .query, .text, "Text that the message contains, upper and lower case told apart.",
      example: "CUDA out of memory"),
    .init(
      "regex", .query, .text, "Regular expression, as PostgreSQL has them, that the message matches.",
      example: "rank [0-9]+"),
    host,
    .init(
      "file", .query, .text, "Name of the file, or its path where there is a slash; * and ? stand for others.",
      example: "*.err"),
    .init("level", .query, .choice(levels), "This level and those above it.", example: "error"), since,
    .init("until", .query, .moment, "Before it: an age such as 1h, or a time of RFC 3339.", example: "1h"),
    .init("limit", .query, .integer(1...5_000), "The newest so many.", example: "200"),
  ]

  static let logs: [Route] = [
    Route(
      method: .get, path: "/api/v1/logs", role: .viewer,
      summary: "Log lines, the newest of them, the oldest first; of the last day where no time is given.",
      parameters: lineParameters, shape: .list
    ) { question in
      let count = Int(question.integer("limit") ?? 200)
      return cutOldest(try await lines(question, count + 1), to: count)
    },
    Route(
      method: .get, path: "/logs", role: .viewer, summary: "Search in the log lines of all hosts.",
      parameters: lineParameters, allowsEmpty: true, shape: .page
    ) { question in .page(try await logsPage(question)) },
  ]

  static let dayNs: Int64 = 86_400_000_000_000

  private static func lines(_ question: Question, _ limit: Int) async throws -> Answer {
    var filter = LogFilter()
    filter.hosts = question["host"].map { [$0] } ?? []
    filter.file = question["file"]
    filter.minimumLevel = question["level"].flatMap(LevelName.init)?.level
    filter.sinceNs = question.moment("since") ?? question.nowNs - dayNs
    filter.untilNs = question.moment("until")
    filter.text = question["q"]
    filter.pattern = question["regex"]
    if let pattern = filter.pattern { _ = try await question.database.answer(LogQueries.check(pattern: pattern)) }
    if let sinceNs = filter.sinceNs, let untilNs = filter.untilNs, sinceNs >= untilNs {
      throw Problem(.badRequest, "since must be before until")
    }
    try await requireHost(filter.hosts.first, question)
    return try await question.database.lines(filter, limit: limit).without(["flags"])
  }

  /// Of lines the oldest is the one too many.
  private static func cutOldest(_ answer: Answer, to count: Int) -> Reply {
    var answer = answer
    let isCut = answer.rows.count > count
    if isCut { answer.rows.removeFirst(answer.rows.count - count) }
    return .list(answer, isCut: isCut)
  }

  private static func logsPage(_ question: Question) async throws -> Page {
    let limit = Int(question.integer("limit") ?? 200)
    let answer = try await lines(question, limit)
    let value = { (name: String) in question[name] ?? "" }
    let search = Page.Search(
      path: "/logs", button: "Search",
      inputs: [
        .init(name: "q", label: "Text", value: value("q")), .init(name: "host", label: "Host", value: value("host")),
        .init(name: "level", label: "Level", value: value("level"), choices: [""] + levels),
        .init(name: "since", label: "Since", value: question["since"] ?? "24h"),
      ])
    let cut = answer.rows.count == limit ? "These are the newest \(limit); ask for less time to see older ones." : ""
    return Page(
      title: "Logs",
      blocks: [.search(search)] + (cut.isEmpty ? [] : [.text(cut)]) + [
        .table(
          name: "lines", Answer(columns: answer.columns, rows: answer.rows.reversed()),
          links: [.init(column: "host", path: "/hosts/")], empty: "No line matches."
        )
      ], command: command(question))
  }

  private static func command(_ question: Question) -> String {
    let options = [
      ("q", "--text"), ("regex", "--regex"), ("host", "--host"), ("file", "--file"), ("level", "--level"),
      ("since", "--since"),
    ]
    return "signalbox logs"
      + options.compactMap { name, option in question[name].map { " \(option) \(ShellWord.quoted($0))" } }.joined()
  }
}
