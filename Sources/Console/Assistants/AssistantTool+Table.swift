internal import Answers
internal import FleetModel
internal import HTTPTypes
internal import Store

extension AssistantTool {
  static let all: [AssistantTool] = fleet + training + logs + paging

  // MARK: Parameters

  private static func parameter(_ name: String, of path: String, isRequired: Bool = false) -> Route.Parameter {
    guard let route = RouteTable.all.first(where: { $0.path == path }),
      let known = route.parameters.first(where: { $0.name == name })
    else { preconditionFailure("the table of routes has no \(name) at \(path)") }
    return Route.Parameter(
      name, .query, known.kind, known.summary, example: known.example, isRequired: isRequired || known.place == .path)
  }

  private static func parameters(_ names: [String], of path: String) -> [Route.Parameter] {
    names.map { parameter($0, of: path) }
  }

  private static func limit(_ most: Int64, _ example: String) -> Route.Parameter {
    .init("limit", .query, .integer(1...most), "At most so many rows.", example: example)
  }

  /// Shown columns as a table whose cells are divided by ` | `.
  private static func table(_ answer: Answer, _ nowNs: Int64) -> [String] {
    let shown = answer.columns.indices.filter { answer.columns[$0].title != nil }
    let renderer = Renderer(format: .table, nowNs: nowNs)
    let head = shown.map { answer.columns[$0].title ?? "" }.joined(separator: " | ")
    if answer.rows.isEmpty { return [] }
    return [head]
      + answer.rows.map { row in
        shown.map { renderer.shortText(row[$0], answer.columns[$0].unit) }.joined(separator: " | ")
      }
  }

  /// Each column of the first row that has a value, a line each.
  private static func upright(_ answer: Answer, _ nowNs: Int64) -> [String] {
    let renderer = Renderer(format: .table, nowNs: nowNs)
    return zip(answer.columns, answer.rows.first ?? []).compactMap { column, cell in
      switch cell {
      case .null, .json: nil
      default: "\(column.name): \(renderer.shortText(cell, column.unit))"
      }
    }
  }

  private static func part(_ title: String, _ answer: Answer, _ nowNs: Int64, empty: String) -> [AssistantText] {
    answer.rows.isEmpty ? [.said("\(title): \(empty)")] : [.said("\(title):"), .quoted(table(answer, nowNs))]
  }

  /// Log lines with their time, host, file and level, a line each.
  static func lines(_ answer: Answer) -> [String] {
    let places = ["time", "host", "file", "level", "message"].map { name in
      answer.columns.firstIndex { $0.name == name } ?? 0
    }
    return answer.rows.map { row in
      places.map { place in
        switch row[place] {
        case .time(let ns): Timestamp.text(ns, digits: 3)
        case .text(let text): text
        default: "-"
        }
      }.joined(separator: " ")
    }
  }

  // MARK: Fleet

  private static let fleet: [AssistantTool] = [
    AssistantTool(
      name: "fleet_summary", title: "Fleet summary",
      summary:
        "Start here: how many hosts are live, which are missing, what is open, what runs, what storing or paging needs.",
      role: .viewer, parameters: []
    ) { call in
      let nowNs = call.base.nowNs
      let open = try await call.rows("/api/v1/incidents", ["limit": "20"])
      let runs = try await call.rows("/api/v1/runs", ["state": "running", "limit": "10"])
      let problems = try await call.rows("/api/v1/fleet/problems", [:]).texts
      return [.said(try await call.presence().sentence)] + problems.map(AssistantText.said)
        + part("Incidents that are not resolved", open, nowNs, empty: "none")
        + part("Runs under way", runs, nowNs, empty: "none")
    },
    AssistantTool(
      name: "find_hosts", title: "Find hosts",
      summary: "Hosts with their newest sample, by state and by name; * in a name stands for any text.", role: .viewer,
      parameters: [
        .init("name", .query, .text, "Only hosts of this name; a * stands for any text.", example: "trainer-*"),
        .init(
          "state", .query, .choice(["live", "late", "silent", "waiting"]), "Only hosts in it.", example: "silent"),
        limit(500, "50"),
      ]
    ) { call in
      var hosts = try await call.rows("/api/v1/hosts", [:])
      let places = ["host", "state"].map { name in hosts.columns.firstIndex { $0.name == name } ?? 0 }
      hosts.rows = hosts.rows.filter { row in
        guard case .text(let name) = row[places[0]], case .text(let state) = row[places[1]] else { return false }
        return call["state"].map { $0 == state } ?? (state != "revoked")
          && call["name"].map { StarPattern.matches(name, $0) } ?? true
      }
      let count = hosts.rows.count
      hosts.rows = Array(hosts.rows.prefix(Int(call.integer("limit") ?? 50)))
      return [.said("\(count) hosts match; \(hosts.rows.count) are shown.")]
        + part("Hosts", hosts, call.base.nowNs, empty: "none")
    },
    AssistantTool(
      name: "host_report", title: "Host report",
      summary: "One host: what machine it is, how its agent does, its incidents, runs and training processes.",
      role: .viewer, parameters: parameters(["host"], of: "/api/v1/hosts/{host}")
    ) { call in
      let (nowNs, host) = (call.base.nowNs, call["host"] ?? "")
      let one = try await call.rows("/api/v1/hosts/{host}", ["host": host])
      let incidents = try await call.rows("/api/v1/incidents", ["host": host, "limit": "10"])
      let runs = try await call.rows("/api/v1/runs", ["host": host, "limit": "10"])
      let processes = try await call.rows("/api/v1/hosts/{host}/processes", ["host": host])
      return [.said("Host:"), .quoted(upright(one, nowNs))]
        + part("Incidents that are not resolved", incidents, nowNs, empty: "none")
        + part("Newest runs", runs, nowNs, empty: "none")
        + part("Training processes of its newest minute", processes.titled, nowNs, empty: "none")
    },
    AssistantTool(
      name: "series", title: "A figure over time",
      summary: "One figure of a host over time, at most 200 buckets with average, minimum and maximum.", role: .viewer,
      parameters: parameters(["host", "metric", "since", "until"], of: "/api/v1/hosts/{host}/series") + [
        .init("points", .query, .integer(1...200), "At most so many buckets.", example: "60")
      ]
    ) { call in
      var values = call.picked("host", "metric", "since", "until")
      values["points"] = call["points"] ?? "60"
      let answer = try await call.rows("/api/v1/hosts/{host}/series", values)
      return part("Buckets", answer.titled, call.base.nowNs, empty: "no sample in that time")
    },
  ]

  // MARK: Training

  private static let training: [AssistantTool] = [
    AssistantTool(
      name: "find_runs", title: "Find runs", summary: "Training runs, the newest first; id names one for run_report.",
      role: .viewer, parameters: parameters(["q", "host", "run", "state"], of: "/api/v1/runs") + [limit(500, "20")]
    ) { call in
      var values = call.picked("q", "host", "run", "state")
      values["limit"] = call["limit"] ?? "20"
      let answer = try await call.rows("/api/v1/runs", values)
      return part("Runs", answer.titling("id"), call.base.nowNs, empty: "none match")
    },
    AssistantTool(
      name: "run_report", title: "Run report",
      summary: "One training run by its id: state, figures, its newest episodes, and the incidents of its host.",
      role: .viewer, parameters: parameters(["id"], of: "/api/v1/runs/{id}")
    ) { call in
      let nowNs = call.base.nowNs
      let run = try await call.rows("/api/v1/runs/{id}", call.picked("id"))
      guard case .text(let host)? = run.value("host"), case .text(let name)? = run.value("run") else {
        throw Problem(.notFound, "no run has that id")
      }
      let episodes = try await call.rows("/api/v1/episodes", ["host": host, "run": name, "limit": "15"])
      let incidents = try await call.rows("/api/v1/incidents", ["host": host, "limit": "5"])
      return [.said("Run:"), .quoted(upright(run, nowNs))]
        + part("Newest episodes", episodes.without(["host", "run"]), nowNs, empty: "none was read yet")
        + part("Incidents of its host that are not resolved", incidents, nowNs, empty: "none")
    },
    AssistantTool(
      name: "episode_report", title: "Episode report",
      summary: "Everything known of one episode of a run, with how each figure is defined.", role: .viewer,
      parameters: parameters(["run", "episode", "host"], of: "/api/v1/episodes/whole").map { parameter in
        parameter.name == "host" ? parameter : parameter.required
      }
    ) { call in
      let answer = try await call.rows("/api/v1/episodes/whole", call.picked("run", "episode", "host"))
      guard !answer.rows.isEmpty else { throw Problem(.notFound, "that run has no such episode: find_runs lists runs") }
      let known = try await call.rows("/api/v1/views/{view}", ["view": "episodes"]).definitions
      let lines = upright(answer, call.base.nowNs).map { line in
        known[String(line.prefix { $0 != ":" })].map { "\(line) (\($0))" } ?? line
      }
      return [.said("Episode:"), .quoted(lines)]
    },
  ]

  // MARK: Logs

  private static let logs: [AssistantTool] = [
    AssistantTool(
      name: "search_logs", title: "Search logs",
      summary:
        "Log lines that match, folded by default into templates with exact counts, hosts, first and last time, and who wrote it first.",
      role: .viewer,
      parameters: parameters(
        ["q", "regex", "host", "file", "level", "only_level", "run", "without", "template", "since", "until"],
        of: "/api/v1/logs") + [
          .init(
            "folded", .query, .choice(["true", "false"]), "false gives the newest lines themselves.", example: "true"),
          limit(1_000, "40"),
        ]
    ) { call in
      var values = call.picked(
        "q", "regex", "host", "file", "level", "only_level", "run", "without", "template", "since", "until", "limit")
      guard call["folded"] == "false" else {
        values["limit"] = values["limit"] ?? "40"
        let answer = try await call.rows("/api/v1/logs/templates", values)
        return part("Templates, the most frequent first", answer.titled, call.base.nowNs, empty: "no line matches")
      }
      values["limit"] = values["limit"] ?? "100"
      let answer = try await call.rows("/api/v1/logs", values)
      return answer.rows.isEmpty
        ? [.said("No line matches.")]
        : [.said("The newest \(answer.rows.count) lines, the newest first:"), .quoted(lines(answer).reversed())]
    },
    AssistantTool(
      name: "log_context", title: "Lines around a moment",
      summary: "What a file of a host says around a time, all levels: for a line that search_logs has found.",
      role: .viewer,
      parameters: [
        parameter("host", of: "/api/v1/logs").required, parameter("file", of: "/api/v1/logs").required,
        .init(
          "at", .query, .moment, "The time of the line.", example: "2026-11-21T08:00:00Z", isRequired: true),
        .init("seconds", .query, .integer(1...3600), "So long before and after it.", example: "10"),
      ]
    ) { call in
      let atNs = Question.moment(call["at"] ?? "", call.base.nowNs) ?? call.base.nowNs
      let spanNs = (call.integer("seconds") ?? 10) * 1_000_000_000
      var values = call.picked("host", "file")
      values["since"] = Timestamp.text(atNs.subtractingClamped(spanNs))
      values["until"] = Timestamp.text(atNs.addingClamped(spanNs))
      values["limit"] = "500"
      let answer = try await call.rows("/api/v1/logs", values)
      return answer.rows.isEmpty
        ? [.said("That file has no line within that time.")] : [.quoted(lines(answer))]
    },
  ]

  // MARK: Incidents

  private static let paging: [AssistantTool] = [
    AssistantTool(
      name: "incidents", title: "Incidents",
      summary: "Incidents, the most urgent first: those that are not resolved where no state is given.", role: .viewer,
      parameters: parameters(["state", "host", "rule", "since"], of: "/api/v1/incidents") + [limit(500, "20")]
    ) { call in
      var values = call.picked("state", "host", "rule", "since")
      values["limit"] = call["limit"] ?? "20"
      return part(
        "Incidents", try await call.rows("/api/v1/incidents", values), call.base.nowNs, empty: "none match")
    },
    AssistantTool(
      name: "incident_report", title: "Incident report",
      summary: "One incident: what, where, since when, its evidence, likely causes, steps to take, timeline.",
      role: .viewer, parameters: parameters(["number"], of: "/api/v1/incidents/{number}")
    ) { call in
      let (nowNs, number) = (call.base.nowNs, call.picked("number"))
      let incident = try await call.rows("/api/v1/incidents/{number}", number)
      let texts = try await call.rows("/api/v1/incidents/{number}/texts", number)
      let timeline = try await call.rows("/api/v1/incidents/{number}/timeline", number)
      let lines = texts.rows.compactMap { row -> String? in
        guard case .text(let kind)? = row.first, case .text(let text)? = row.last else { return nil }
        return "\(kind): \(text)"
      }
      return [.said("Incident:"), .quoted(upright(incident, nowNs)), .said("Evidence, causes and steps:")]
        + [.quoted(lines)] + part("Timeline", timeline.titled, nowNs, empty: "nothing yet")
    },
    AssistantTool(
      name: "act_on_incident", title: "Acknowledge or note",
      summary:
        "Acknowledges an incident in the name of your token's owner (nobody else is woken then), or writes a line into its timeline. "
        + "Only when a person has asked for it; confirm says that one has.",
      role: .responder,
      parameters: [
        parameter("number", of: "/api/v1/incidents/{number}"),
        .init("action", .query, .choice(["acknowledge", "note"]), "What.", example: "acknowledge", isRequired: true),
        .init("text", .query, .text, "The line of a note.", example: "the fan was replaced"),
        .init(
          "confirm", .query, .choice(["yes"]), "yes: a person has asked for exactly this.", example: "yes",
          isRequired: true),
      ], isChange: true
    ) { call in
      let number = call.integer("number") ?? 0
      let (actor, nowNs) = (call.base.actor, call.base.nowNs)
      guard call["action"] == "acknowledge" else {
        guard let text = call["text"], text.contains(where: { !$0.isWhitespace }) else {
          throw Problem(.badRequest, "a note takes text")
        }
        try await call.base.database.change { store throws(StoreError) in
          try store.addNote(incident: number, actor: actor, text: text, nowNs: nowNs)
        }
        return [.said("Noted in the timeline of incident \(number).")]
      }
      let change = try await call.base.database.change { store throws(StoreError) in
        try store.acknowledge(incident: number, actor: actor, nowNs: nowNs)
      }
      switch change {
      case .done: return [.said("\(actor) has incident \(number). Its escalation is stopped.")]
      case .before(let sinceNs, let name):
        return [
          .said(
            "\(name ?? "Its rule") has had incident \(number) since \(Timestamp.text(sinceNs, digits: 0)); nothing is changed."
          )
        ]
      }
    },
  ]
}

extension Route.Parameter {
  fileprivate var required: Route.Parameter {
    Route.Parameter(name, place, kind, summary, example: example, isRequired: true)
  }
}

extension Answer {
  /// Every column has its name as its heading.
  fileprivate var titled: Answer {
    var answer = self
    for index in answer.columns.indices where answer.columns[index].title == nil {
      answer.columns[index].title = answer.columns[index].name
    }
    return answer
  }

  /// One more column is shown.
  fileprivate func titling(_ name: String) -> Answer {
    var answer = self
    for index in answer.columns.indices where answer.columns[index].name == name { answer.columns[index].title = name }
    return answer
  }
}
