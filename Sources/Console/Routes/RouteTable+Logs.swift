internal import Answers
internal import FleetModel
internal import HTTPTypes
internal import Store

extension RouteTable {
  private static let levels = LevelName.allCases.map(\.rawValue)
  private static let filterParameters: [Route.Parameter] = [
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
    .init("level", .query, .choice(levels), "This level and those above it.", example: "error"),
    .init("only_level", .query, .choice(levels), "This level alone, instead of level.", example: "warn"),
    .init(
      "run", .query, .integer(1...Int64(Int32.max)), "Only of this run's host, while the run went on.", example: "12"),
    .init("without", .query, .text, "Text that the message does not contain.", example: "heartbeat"),
    .init("without_host", .query, .text, "Not of this host.", example: "trainer-2"),
    .init("without_file", .query, .text, "Not of such files, as in file.", example: "*.out"),
    .init("template", .query, .text, "Only of this template of lines.", example: "step # loss=#"),
    .init("without_template", .query, .text, "Not of this template of lines.", example: "step # loss=#"),
    since, until,
  ]
  static let lineParameters =
    filterParameters + [.init("limit", .query, .integer(1...5_000), "The newest so many.", example: "200")]

  static let logs: [Route] = [
    liveLogs,
    Route(
      method: .get, path: "/api/v1/logs", role: .viewer,
      summary: "Log lines, the newest of them, the oldest first; of the last day where no time is given.",
      parameters: lineParameters, shape: .list
    ) { question in
      let count = Int(question.integer("limit") ?? 200)
      return cutOldest(try await lines(try await logFilter(question), question, count + 1), to: count)
    },
    Route(
      method: .get, path: "/api/v1/logs/counts", role: .viewer,
      summary:
        "How many lines there are, all of them: over the time by level, by level, and of the hosts and files that have most.",
      parameters: filterParameters, shape: .list
    ) { question in
      let filter = try await logFilter(question)
      let buckets = buckets(filter, question)
      return .list(try await question.database.answers(filter) { [(LogQueries.counts(filter, $0, buckets), [])] }[0])
    },
    Route(
      method: .get, path: "/api/v1/logs/templates", role: .viewer,
      summary:
        "Lines folded by what they have in common: how many, on how many hosts, when, and who wrote it first. One row stands for all that the limit leaves out, so that the counts add up. `new`: the same search finds none in the time before, of the same length; null where lines are not kept that far back.",
      parameters: filterParameters + [
        .init("limit", .query, .integer(1...1_000), "At most so many templates.", example: "100")
      ], shape: .list
    ) { question in
      let filter = try await logFilter(question)
      let limit = Int(question.integer("limit") ?? 100)
      let answer = try await question.database.answers(filter) { [templates(filter, $0, limit, question.nowNs)] }[0]
      return .list(try await withNews(answer, filter, question), isCut: answer.rows.count > limit)
    },
    Route(
      method: .get, path: "/api/v1/logs/context", role: .viewer,
      summary:
        "A line with those before and behind it in its file, and what the other hosts of its run wrote at that moment.",
      parameters: contextParameters, shape: .list
    ) { question in .list(try await context(question)) },
    Route(
      method: .get, path: "/logs", role: .viewer, summary: "Search in the log lines of all hosts.",
      parameters: lineParameters + [
        .init("view", .query, .choice(["lines", "templates"]), "Lines, or folded.", example: "templates")
      ], allowsEmpty: true, shape: .page
    ) { question in .page(try await logsPage(question)) },
    Route(
      method: .get, path: "/logs/context", role: .viewer, summary: "One line and what stands around it.",
      parameters: contextParameters, shape: .page
    ) { question in .page(try await contextPage(question)) },
  ]

  static let dayNs: Int64 = 86_400_000_000_000
  private static let templatesMax = 50
  private static let runsMax = 10
  /// More than a reader looks through, and what a phone still lays out at once.
  private static let linesOfPage: Int64 = 150

  /// What a search asks for; of the last day where it names no time.
  /// - Parameter hosts: instead of the one of the question.
  /// - Throws: `Problem` where a host, run or expression is none, or the time is empty.
  static func logFilter(_ question: Question, hosts: [String]? = nil) async throws -> LogFilter {
    var filter = LogFilter()
    filter.hosts = hosts ?? question["host"].map { [$0] } ?? []
    filter.file = question["file"]
    filter.minimumLevel = question["level"].flatMap(LevelName.init)?.level
    filter.onlyLevel = question["only_level"].flatMap(LevelName.init)?.level
    if filter.minimumLevel != nil, filter.onlyLevel != nil {
      throw Problem(.badRequest, "give level, with those above it, or only_level, not both")
    }
    filter.sinceNs = question.moment("since")
    filter.untilNs = question.moment("until")
    filter.text = question["q"]
    filter.pattern = question["regex"]
    filter.withoutText = question["without"]
    filter.withoutHosts = question["without_host"].map { [$0] } ?? []
    filter.withoutFile = question["without_file"]
    filter.template = question["template"]
    filter.withoutTemplate = question["without_template"]
    if let pattern = filter.pattern { _ = try await question.database.answer(LogQueries.check(pattern: pattern)) }
    if let number = question.integer("run") { try await restrict(&filter, toRun: number, question) }
    filter.sinceNs = filter.sinceNs ?? question.nowNs - dayNs
    if let sinceNs = filter.sinceNs, sinceNs >= filter.untilNs ?? .max {
      throw Problem(.badRequest, "since must be before until")
    }
    for host in filter.hosts { try await requireHost(host, question) }
    return filter
  }

  /// To the run's host, and to its time where that is narrower than what was asked for.
  private static func restrict(_ filter: inout LogFilter, toRun number: Int64, _ question: Question) async throws {
    let run = try await question.database.answer(TrainingQueries.run(number))
    guard case .text(let host)? = run.value("host"), case .time(let startedNs)? = run.value("started"),
      case .time(let updatedNs)? = run.value("updated")
    else { throw Problem(.notFound, "no run has the number \(number)") }
    guard filter.hosts.isEmpty || filter.hosts.contains(where: { StarPattern.matches(host, $0) }) else {
      throw Problem(.badRequest, "run \(number) is on host \(host): leave host out")
    }
    filter.hosts = [host]
    let (fromNs, toNs) = around(startedNs, updatedNs)
    filter.sinceNs = max(filter.sinceNs ?? fromNs, fromNs)
    filter.untilNs = min(filter.untilNs ?? toNs, toNs)
  }

  /// A run's first line comes before its first figure, and the line that ends it behind its last one.
  static func around(_ startedNs: Int64, _ updatedNs: Int64) -> (fromNs: Int64, toNs: Int64) {
    (startedNs.subtractingClamped(60_000_000_000), updatedNs.addingClamped(60_000_000_000))
  }

  private static func lines(_ filter: LogFilter, _ question: Question, _ limit: Int) async throws -> Answer {
    try await question.database.lines(filter, limit: limit).without(["flags"])
  }

  private static func buckets(_ filter: LogFilter, _ question: Question) -> LogBuckets {
    let untilNs = filter.untilNs ?? question.nowNs
    return LogBuckets(filter, sinceNs: min(filter.sinceNs ?? 0, untilNs.subtractingClamped(1)), untilNs: untilNs)
  }

  private static func templates(
    _ filter: LogFilter, _ scope: LogScope, _ limit: Int, _ nowNs: Int64
  ) -> (ReadQuery, [Answer.Column]) {
    (
      LogQueries.templates(
        filter, scope, sinceNs: filter.sinceNs ?? 0, untilNs: filter.untilNs ?? nowNs, limit: limit),
      LogsView.templateColumns
    )
  }

  /// With a column `new`: whether the search has no line of the template in the time before its own, of the same length. Unknown where lines
  /// of the template's level do not reach back to the start of that time.
  private static func withNews(_ templates: Answer, _ filter: LogFilter, _ question: Question) async throws -> Answer {
    var answer = templates
    answer.columns.append(.init("new"))
    let texts = templates.rows.compactMap { row in if case .text(let text) = row[0] { text } else { nil } }
    guard !texts.isEmpty else {
      answer.rows = answer.rows.map { $0 + [.null] }
      return answer
    }
    let (sinceNs, untilNs) = (filter.sinceNs ?? 0, filter.untilNs ?? question.nowNs)
    let startNs = sinceNs.subtractingClamped(untilNs.subtractingClamped(sinceNs))
    let found = try await question.database.answers(filter) { scope in
      [
        (LogQueries.templatesSeen(texts, filter, scope, sinceNs: startNs, untilNs: sinceNs), []),
        (LogQueries.kept(sinceNs: startNs), []),
      ]
    }
    let seen = Set(found[0].texts)
    let kept = Set(found[1].rows.filter { $0[1] == .boolean(true) }.map { $0[0] })
    answer.rows = answer.rows.map { row in
      guard case .text(let text) = row[0] else { return row + [.null] }
      if seen.contains(text) { return row + [.boolean(false)] }
      // Lines without a level are kept as long as those of INFO.
      return row + [kept.contains(row[2] == .null ? .text("INFO") : row[2]) ? .boolean(true) : .null]
    }
    return answer
  }

  /// Of lines the oldest is the one too many.
  private static func cutOldest(_ answer: Answer, to count: Int) -> Reply {
    var answer = answer
    let isCut = answer.rows.count > count
    if isCut { answer.rows.removeFirst(answer.rows.count - count) }
    return .list(answer, isCut: isCut)
  }

  private static func logsPage(_ question: Question) async throws -> Page {
    let filter = try await logFilter(question)
    let buckets = buckets(filter, question)
    let isFolded = question["view"] == "templates"
    let nowNs = question.nowNs
    let folded = try await question.database.answers(filter) { scope in
      [
        (LogQueries.counts(filter, scope, buckets), []),
        (
          RunQueries.overlapping(
            hosts: filter.hosts, sinceNs: buckets.sinceNs, untilNs: buckets.untilNs, limit: runsMax),
          LogsView.runColumns
        ),
      ]
        + (isFolded ? [templates(filter, scope, templatesMax, nowNs)] : [])
    }
    let limit = Int(question.integer("limit") ?? linesOfPage)
    let names = filterParameters.map(\.name) + ["limit", "view"]
    var view = LogsView(
      address: Address(LogsView.path, names.map { ($0, question[$0]) }), buckets: buckets, counts: folded[0],
      runs: folded[1])
    if isFolded {
      view.templates = try await withNews(folded[2], filter, question)
    } else {
      let lines = try await lines(filter, question, limit)
      view.lines = Answer(columns: lines.columns, rows: lines.rows.reversed())
    }
    var blocks: [Page.Block] = [.search(search(question))] + view.blocks
    if let shown = view.lines?.rows.count, Int64(shown) < view.total {
      blocks.append(.text("These are the newest \(shown) of \(view.total); ask for less time to see older ones."))
    }
    var page = Page(title: "Logs", blocks: blocks, command: command(question))
    // A search that ends in the past has no more lines to come.
    if !isFolded, question["until"] == nil {
      let names = filterParameters.map(\.name).filter { !["since", "until"].contains($0) }
      page.tail =
        Address("/api/v1/logs/live", names.map { ($0, question[$0]) } + [("from", Timestamp.text(question.nowNs))]).text
    }
    return page
  }

  /// Lines that arrive. Times are left out: what arrives has its own.
  static let liveLogs = Route(
    method: .get, path: "/api/v1/logs/live", role: .viewer,
    summary:
      "Log lines as they arrive, as server-sent events (lines, state, away, end) or as NDJSON: asked for once a second for all who follow the same search; state says how many come, or why it is quiet.",
    parameters: filterParameters.filter { !["since", "until"].contains($0.name) } + [
      .init(
        "from", .query, .moment, "First those that arrived since then, to join what a page shows.", example: "10s"),
      frames,
    ], shape: .stream
  ) { question in
    guard let caller = question.caller else { throw Problem.unauthorized }
    var filter = try await logFilter(question)
    if let untilNs = filter.untilNs, untilNs < question.nowNs {
      throw Problem(.badRequest, "run \(question["run"] ?? "") has ended, and writes no more lines: leave run out")
    }
    (filter.sinceNs, filter.untilNs) = (nil, nil)
    try question.console.live.requireRoom(for: caller)
    try question.console.tails.requireRoom(for: filter)
    let stream = LogTailStream(
      context: question.console, caller: caller, database: question.database, filter: filter,
      fromNs: question.moment("from"), frames: question.integer("frames").map { Int($0) },
      isForScripts: question.isStreamed, whenGone: question.whenGone)
    return .stream(stream.body, question.isStreamed ? .ndjson : .events)
  }

  private static func search(_ question: Question) -> Page.Search {
    let value = { (name: String) in question[name] ?? "" }
    // What the form does not show stays as it is.
    let kept = [
      "regex", "file", "run", "without", "without_host", "without_file", "template", "without_template", "view",
    ]
    // Both together are refused: beside a single level the form offers none.
    let levels = question["only_level"] == nil ? [""] + levels : [""]
    return Page.Search(
      path: LogsView.path, button: "Search",
      inputs: [
        .init(name: "q", label: "Text", value: value("q")), .init(name: "host", label: "Host", value: value("host")),
        .init(name: "level", label: "Level", value: value("level"), choices: levels),
        .init(name: "since", label: "Since", value: question["since"] ?? (question["run"] == nil ? "24h" : "")),
      ] + kept.filter { question[$0] != nil }.map { .init(name: $0, label: "", value: value($0), isHidden: true) })
  }

  private static func command(_ question: Question) -> String {
    let options = [
      ("q", "--text"), ("regex", "--regex"), ("host", "--host"), ("file", "--file"), ("level", "--level"),
      ("only_level", "--only-level"), ("since", "--since"),
    ]
    return "signalbox logs"
      + options.compactMap { name, option in question[name].map { " \(option) \(ShellWord.quoted($0))" } }.joined()
  }

  // MARK: Context

  private static let contextParameters: [Route.Parameter] = [
    .init("host", .query, .text, "The line's host.", example: "trainer-1", isRequired: true),
    .init("file", .query, .text, "The path of its file.", example: "/var/log/train.log", isRequired: true),
    .init("time", .query, .moment, "Its time.", example: "2026-11-21T03:25:53.123456Z", isRequired: true),
    .init("offset", .query, .integer(0...Int64.max), "Its offset in the file.", example: "4096", isRequired: true),
    .init("lines", .query, .integer(1...500), "So many to each side.", example: "20"),
  ]

  private static func context(_ question: Question) async throws -> Answer {
    try await requireHost(question["host"], question, isPattern: false)
    return try await question.database.answer(
      LogQueries.context(
        host: question["host"] ?? "", file: question["file"] ?? "", timeNs: question.moment("time") ?? 0,
        offset: question.integer("offset") ?? 0, lines: Int(question.integer("lines") ?? 20)),
      [.init("place", "PLACE")] + ShownColumns.logs)
  }

  private static func contextPage(_ question: Question) async throws -> Page {
    let answer = try await context(question)
    let isElsewhere = { (row: [Cell]) in row.first == .text("elsewhere") }
    let part = { (rows: [[Cell]]) in LogsView.withContext(Answer(columns: answer.columns, rows: rows)) }
    let links: [Page.Link] = [
      .init(column: "host", path: "/hosts/"), .init(column: "time", path: "", key: "context_path", isWhole: true),
    ]
    let (host, file) = (question["host"] ?? "", question["file"] ?? "")
    return Page(
      title: "Around a line of \(host)",
      blocks: [
        .text("\(file), at \(question["time"] ?? "")"),
        .table(
          name: "file", part(answer.rows.filter { !isElsewhere($0) }).without(["host", "file"]),
          links: Array(links.dropFirst()), empty: "The line is not kept any more, or its file is none."),
        .heading("The run's other hosts within \(LogQueries.momentSeconds) s"),
        .table(
          name: "elsewhere", part(answer.rows.filter(isElsewhere)).without(["place"]), links: links,
          empty: "Its run has no other host, or they wrote nothing."),
      ], command: "signalbox logs --host \(ShellWord.quoted(host)) --file \(ShellWord.quoted(file))")
  }
}
