internal import Answers
internal import FleetModel
internal import HTTPTypes
internal import Postgres
internal import Store

/// What the command line asks beside the addresses that everybody does.
extension RouteTable {
  static let commandLine: [Route] = hostParts + trainingParts + incidentParts + pagingParts + callers + [logPages]

  /// An address whose answer is one question's.
  /// - Parameter count: rows at most where `limit` is not given, of a question that reads one more; nil: it has no limit.
  private static func question(
    _ path: String, role: Role = .viewer, _ summary: String, _ parameters: [Route.Parameter] = [],
    _ shown: [Answer.Column] = [], count: Int? = nil, _ query: @escaping @Sendable (Question) -> ReadQuery
  ) -> Route {
    Route(method: .get, path: path, role: role, summary: summary, parameters: parameters, shape: .list) { question in
      try await requireHost(question["host"], question, isPattern: !path.contains("{host}"))
      let answer = try await question.database.answer(query(question), shown)
      return count.map { cut(answer, to: question.integer("limit").map { Int($0) } ?? $0) } ?? .list(answer)
    }
  }

  private static let over = Route.Parameter(
    "all", .query, .choice(["true", "false"]), "Also those that are over.", example: "true")
  private static let hostName = Route.Parameter("host", .path, .text, "Its name.", example: "trainer-1")
  private static let runName = Route.Parameter("run", .query, .text, "Only of this run.", example: "ppo_1")
  private static let incidentNumber = Route.Parameter(
    "number", .path, .integer(1...Int64(Int32.max)), "Number of the incident.", example: "12")

  private static let checkedMax = 1000

  private static let hostParts: [Route] = [
    question("/api/v1/meta", "Every host with its state: what answers can speak for.") { _ in FleetQueries.presence() },
    question("/api/v1/inventory", "What machine each host is, and how its agent does.", [], ShownColumns.fleet) { _ in
      FleetQueries.hosts()
    },
    question(
      "/api/v1/hosts/{host}/processes", "Its training processes in its newest minute, the busiest first.", [hostName]
    ) { FleetQueries.processes(host: $0["host"] ?? "") },
    question(
      "/api/v1/hosts/{host}/files", "Its followed files, the busiest first, and what of each is stored.", [hostName]
    ) { FleetQueries.files(host: $0["host"] ?? "") },
    question("/api/v1/hosts/{host}/quotas", "What it sent beyond its quota, and was refused.", [hostName]) {
      FleetQueries.quotas(host: $0["host"] ?? "")
    },
    question("/api/v1/following", "Hosts that found files and do not read all of them, with the reasons.", [host]) {
      FollowingQueries.passedOver(host: $0["host"])
    },
    question("/api/v1/invitations", role: .admin, "Join tokens, the newest first.", [over]) {
      FleetQueries.invitations(all: $0["all"] == "true")
    },
    Route(
      method: .get, path: "/api/v1/fleet/problems", role: .viewer,
      summary: "What of storing and paging needs a person, a sentence each.", shape: .list
    ) { question in
      let nowNs = question.nowNs
      let sentences = try await question.database.read { (reader) in reader.problems(nowNs: nowNs) }
      return .list(Answer(columns: [.init("problem", "PROBLEM")], rows: sentences.map { [.text($0)] }))
    },
  ]

  private static let trainingParts: [Route] = [
    Route(
      method: .get, path: "/api/v1/runs/{id}/analysis", role: .viewer,
      summary:
        "What a run's steps, episodes and lines add up to: operations and their trend, transitions between actions, episodes with a negative reward, large changes of what is held, errors by the hour, slow statements, and what was not looked at.",
      parameters: [
        runID,
        .init(
          "large_change", .query, .text,
          "A change of what is held is large beyond it, in the account's currency; \(Int(AnalysisQueries.largeChange)) without.",
          example: "10000"),
      ], shape: .one
    ) { question in
      guard let large = question["large_change"].map(Double.init) ?? AnalysisQueries.largeChange, large > 0,
        large <= 1e100
      else { throw Problem(.badRequest, "large_change takes an amount above 0") }
      return .one(
        try await question.database.answer(
          AnalysisQueries.analysis(run: question.integer("id") ?? 0, largeChange: large)),
        missing: "no run has the number \(question["id"] ?? "")")
    },
    Route(
      method: .get, path: "/api/v1/runs/{id}/why", role: .viewer,
      summary:
        "Why a run failed: the class of its failure, the line that shows it, how its process ended, what to do, and how far it had come.",
      parameters: [runID], shape: .one
    ) { question in
      .one(
        try await question.database.answer(WhyQueries.why(run: question.integer("id") ?? 0)),
        missing: "no failure is known of a run with the number \(question["id"] ?? "")")
    },
    question(
      "/api/v1/episodes/verification",
      "Whether the stored steps of episodes are whole, in order, and agree with themselves: a row a run, and one a finding.",
      [
        host,
        .init("run", .query, .integer(1...Int64(Int32.max)), "Only of the run with this number.", example: "12"),
      ]
    ) { VerificationQueries.verification(host: $0["host"], run: $0.integer("run")) },
    question(
      "/api/v1/episodes/check", "Of each run how many episodes ended, and which did not.",
      [
        host, runName,
        .init(
          "stale_minutes", .query, .integer(1...525_600), "After so long without a step one is stale.", example: "15"),
        limit,
      ], count: checkedMax
    ) {
      TrainingQueries.check(
        host: $0["host"], run: $0["run"], staleMinutes: Int($0.integer("stale_minutes") ?? 15),
        limit: ($0.integer("limit").map { Int($0) } ?? checkedMax) + 1)
    },
    question(
      "/api/v1/episodes/whole", "Everything known of one episode, of each host that has a run of that name.",
      [
        host, .init("run", .query, .text, "The run's name.", example: "ppo_1", isRequired: true),
        .init(
          "episode", .query, .integer(0...Int64.max), "The episode's number.", example: "3", isRequired: true),
      ]
    ) {
      TrainingQueries.episode(host: $0["host"], run: $0["run"] ?? "", episode: $0.integer("episode") ?? 0)
    },
  ]

  private static let incidentParts: [Route] = [
    question("/api/v1/incidents/{number}/texts", "Its evidence, causes and steps, a row each.", [incidentNumber]) {
      IncidentQueries.texts($0.integer("number") ?? 0)
    },
    question("/api/v1/incidents/{number}/timeline", "What happened to it, and who did it.", [incidentNumber]) {
      IncidentQueries.timeline($0.integer("number") ?? 0)
    },
    question("/api/v1/incidents/{number}/deliveries", "What was or will be sent about it.", [incidentNumber]) {
      IncidentQueries.deliveries($0.integer("number") ?? 0)
    },
  ]

  private static let pagingParts: [Route] = [
    question("/api/v1/oncall/overrides", "Turns that somebody has taken over, the newest first.", [over]) {
      IncidentQueries.overrides(includingEnded: $0["all"] == "true")
    },
    question("/api/v1/oncall/collector", "Whether a collector delivers pages, and until when the last one did.") { _ in
      IncidentQueries.pagingCollector()
    },
  ]

  private static let callers: [Route] = [
    Route(
      method: .get, path: "/api/v1/whoami", role: .viewer, summary: "Whose token this is, its role and its end.",
      shape: .one
    ) { question in
      let id = question.caller?.credentialID ?? ""
      let answer = try await question.database.answer(AccessQueries.credential(id: id), ShownColumns.credentials)
      return .one(
        answer.with("version", .text(Build.version)).with("time", .time(question.nowNs)), missing: "the token has ended"
      )
    }
  ]

  // MARK: Logs

  private static let newestMax: Int64 = 100_000

  /// Beside `/api/v1/logs`, which people and scripts ask for the newest lines: all of them, of several hosts, and those that arrive.
  private static let logPages = Route(
    method: .get, path: "/api/v1/logs/pages", role: .viewer,
    summary: "All log lines that match, the oldest first, page by page: `next` is the `cursor` of the page after.",
    parameters: lineParameters.filter { !["host", "limit"].contains($0.name) } + [
      .init(
        "host", .query, .text, "Only of these hosts, separated by commas; a * stands for any text.",
        example: "trainer-1,gpu-*"),
      .init("newest", .query, .integer(1...newestMax), "Only the newest so many, in one page.", example: "200"),
      .init(
        "received_after", .query, .moment, "Only those that the collector read after it: for following.", example: "10s"
      ),
      cursor,
    ], shape: .list
  ) { question in
    var filter = try await logFilter(
      question, hosts: question["host"]?.split(separator: ",").map(String.init) ?? [])
    filter.receivedAfterNs = question.moment("received_after")
    if let newest = question.integer("newest") {
      return .list(try await question.database.lines(filter, limit: Int(newest)).without(["flags"]))
    }
    var after: LogPosition?
    if let cursor = question["cursor"] {
      guard let position = LogPosition(cursor: cursor) else {
        throw badCursor
      }
      after = position
    }
    let (wanted, start) = (filter, after)
    let page = try await question.database.read { (reader) throws(PostgresError) in
      let (table, next) = try reader.linesPage(wanted, after: start)
      return (Answer(table, ShownColumns.logs), next)
    }
    return .list(page.0.without(["flags"]), isCut: page.1 != nil, next: page.1?.cursor)
  }
}
