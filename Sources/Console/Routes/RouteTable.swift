internal import Answers
internal import FleetModel
internal import HTTPTypes
internal import Incidents
internal import Store

/// Every address of the console. A new one is one entry and one handler.
enum RouteTable {
  static let all: [Route] =
    open + files + live + fleet + training + episodes + compare + models + serving + logs + incidents + access + admin
    + hostSearch + hostChanges + tokens + paging + links + hooks + rules + query + savedQueries + pages + commandLine
    + assistants + feeds

  static let limit = Route.Parameter(
    "limit", .query, .integer(1...10_000), "At most so many.", example: "100")
  static let host = Route.Parameter(
    "host", .query, .text, "Only of this host; a * stands for any text.", example: "trainer-1")
  static let since = Route.Parameter(
    "since", .query, .moment, "An age such as 2h, or a time of RFC 3339.", example: "2h")

  static let until = Route.Parameter(
    "until", .query, .moment, "Before it: an age such as 1h, or a time of RFC 3339.", example: "1h")

  /// Without a login.
  private static let open: [Route] = [
    Route(
      method: .get, path: "/healthz", role: nil, summary: "Whether this console and its database answer.",
      shape: .document("text/plain")
    ) { question in
      try await question.database.requireAnswer(within: .seconds(2))
      return .document(Array("ok\n".utf8), contentType: "text/plain; charset=utf-8")
    },
    Route(
      method: .get, path: "/api/v1/openapi.json", role: nil, summary: "This interface as OpenAPI 3.1.",
      shape: .document("application/json")
    ) { _ in .document(Array((OpenAPI.document(all).written + "\n").utf8), contentType: "application/json") },
  ]

  static let hourNs: Int64 = 3_600_000_000_000

  private static let fleet: [Route] = [
    Route(
      method: .get, path: "/api/v1/hosts", role: .viewer, summary: "One entry a host with its newest sample.",
      shape: .list
    ) { question in
      let reading = try await question.console.fleet.status()
      return .list(reading.value, asOfNs: reading.asOfNs)
    },
    Route(
      method: .get, path: "/api/v1/hosts/{host}", role: .viewer,
      summary: "One host: what machine it is, and how its agent does.",
      parameters: [.init("host", .path, .text, "Its name.", example: "trainer-1")], shape: .one
    ) { question in
      let name = question["host"] ?? ""
      return .one(
        try await question.database.answer(FleetQueries.hosts(named: name), ShownColumns.fleet),
        missing: "no host is called '\(name)'")
    },
    Route(
      method: .get, path: "/api/v1/hosts/{host}/series", role: .viewer,
      summary:
        "A figure of a host over time, in buckets with average, minimum and maximum: of the last hour where no time is given.",
      parameters: [
        .init("host", .path, .text, "Its name.", example: "trainer-1"),
        .init(
          "metric", .query, .choice(HostMetric.all.map(\.name)), "Which figure.", example: "cpu.busy_percent",
          isRequired: true),
        since, until,
        .init("points", .query, .integer(1...5_000), "At most so many buckets.", example: "300"),
      ], shape: .list
    ) { question in
      guard let metric = question["metric"].flatMap(HostMetric.named) else {
        throw Problem(.badRequest, "no such metric")
      }
      let (host, untilNs) = (question["host"] ?? "", question.moment("until") ?? question.nowNs)
      let sinceNs = question.moment("since") ?? untilNs - hourNs
      guard sinceNs < untilNs else { throw Problem(.badRequest, "since must be before until") }
      try await requireHost(host, question, isPattern: false)
      return .list(
        try await question.database.answer(
          SeriesQueries.host(
            host, metric, sinceNs: sinceNs, untilNs: untilNs, points: question.integer("points") ?? 300)))
    },
    Route(
      method: .get, path: "/api/v1/gpus/idle", role: .viewer,
      summary: "GPUs that were held and idle today, by hours. \(IdleGPUs.definition)", shape: .list
    ) { question in
      let reading = try await question.console.fleet.idleGPUs()
      let gpus = reading.value.gpus
      return .list(gpus, isCut: gpus.rows.count == GPUQueries.rowsMax, asOfNs: reading.asOfNs)
    },
    Route(
      method: .get, path: "/api/v1/gaps", role: .viewer, summary: "What never arrived, and why.",
      parameters: [host, since], shape: .list
    ) { question in
      try await requireHost(question["host"], question)
      return .list(
        try await question.database.answer(
          FleetQueries.gaps(host: question["host"], sinceNs: question.moment("since"))))
    },
  ]

  static let runID = Route.Parameter(
    "id", .path, .integer(1...Int64(Int32.max)), "Its number, `id` in the list of runs.", example: "12")

  private static let training: [Route] = [
    Route(
      method: .get, path: "/api/v1/runs", role: .viewer, summary: "Training runs, newest first.",
      parameters: [
        host, .init("run", .query, .text, "Only of this name.", example: "ppo_1"), searchOfRuns,
        .init(
          "state", .query, .choice(["running", "completed", "failed", "unknown"]), "Only in it.", example: "running"),
        limit, cursor,
      ], shape: .list
    ) { question in
      let count = Int(question.integer("limit") ?? 100)
      let after = try position(question, TrainingQueries.runPosition)
      try await requireHost(question["host"], question)
      let answer = try await question.database.answer(
        TrainingQueries.runs(
          host: question["host"], state: question["state"], run: question["run"], text: question["q"], after: after,
          limit: count + 1), ShownColumns.runs)
      return cut(answer, to: count, by: ["updated", "id"])
    },
    Route(
      method: .get, path: "/api/v1/runs/{id}", role: .viewer, summary: "One training run.", parameters: [runID],
      shape: .one
    ) { question in
      .one(
        try await question.database.answer(TrainingQueries.run(question.integer("id") ?? 0), ShownColumns.runs),
        missing: "no run has the number \(question["id"] ?? "")")
    },
    Route(
      method: .get, path: "/api/v1/episodes", role: .viewer, summary: "Episodes and their metrics, newest first.",
      parameters: [
        host, .init("run", .query, .text, "Only of this run.", example: "ppo_1"),
        .init(
          "status", .query, .choice(["running", "completed", "force_closed"]), "Only with it.", example: "completed"),
        limit, cursor,
      ], shape: .list
    ) { question in
      let count = Int(question.integer("limit") ?? 1000)
      let after = try position(question, TrainingQueries.episodePosition)
      try await requireHost(question["host"], question)
      let answer = try await question.database.answer(
        TrainingQueries.episodes(
          host: question["host"], run: question["run"], status: question["status"], after: after, limit: count + 1),
        ShownColumns.episodes)
      return cut(answer, to: count, by: ["updated", "episode", "host", "run"])
    },
  ]

  /// Nothing about a mistyped name, or a pattern that no name matches, would be a lie.
  /// - Parameter isPattern: a `*` stands for any text; else the name is one host's.
  /// - Throws: `Problem` 404.
  static func requireHost(_ name: String?, _ question: Question, isPattern: Bool = true) async throws {
    guard let name else { return }
    let isOne = isPattern || !name.utf8.contains(UInt8(ascii: "*"))
    let unknown = try await question.database.answer(FleetQueries.unknownHosts([name]))
    if isOne, unknown.rows.isEmpty { return }
    let known = try await question.database.answer(FleetQueries.hostNames()).texts
    throw Problem(.notFound, HostNames.unknown(name, among: known))
  }

  /// One row more than asked for was read: it says whether there is more.
  /// - Parameter columns: those by which the list is ordered: the values of its last row are the cursor; none: it has no further pages.
  static func cut(_ answer: Answer, to count: Int, by columns: [String] = []) -> Reply {
    var answer = answer
    let isCut = answer.rows.count > count
    if isCut { answer.rows.removeLast(answer.rows.count - count) }
    guard isCut, !columns.isEmpty, let last = answer.rows.last else { return .list(answer, isCut: isCut) }
    let values = columns.compactMap { name in
      answer.columns.firstIndex { $0.name == name }.flatMap { place in
        switch last[place] {
        case .text(let text): text
        case .integer(let number): String(number)
        case .time(let ns): Timestamp.text(ns)
        default: nil
        }
      }
    }
    return .list(answer, isCut: true, next: values.count == columns.count ? ListPosition(values).cursor : nil)
  }

  static let cursor = Route.Parameter(
    "cursor", .query, .opaque, "`next` of the page before: the rows behind it.", example: "WyIxMiJd")

  /// - Throws: `Problem` 400 for a cursor that this list did not make.
  static func position(_ question: Question, _ kinds: [ListPosition.Kind]) throws -> ListPosition? {
    guard let text = question["cursor"] else { return nil }
    guard let position = ListPosition(cursor: text, kinds) else {
      throw badCursor
    }
    return position
  }

  static let badCursor = Problem(.badRequest, "cursor takes `next` of the page before, unchanged")
}
