internal import Answers
internal import FleetModel
internal import HTTPTypes
internal import Incidents
internal import Store

extension RouteTable {
  static let pages: [Route] =
    runs + [
      Route(
        method: .get, path: "/", role: .viewer, summary: "The fleet at a glance.", parameters: [by, sort, at],
        allowsEmpty: true, shape: .page
      ) { question in
        if let atNs = try past(question) { return .page(try await pastFleet(question, atNs: atNs)) }
        return .page(try await fleetPage(question))
      },
      Route(
        method: .get, path: "/incidents", role: .viewer, summary: "What is wrong, the most urgent first.",
        parameters: incidentFilters + [at], allowsEmpty: true, shape: .page
      ) { question in
        if let atNs = try past(question) { return .page(try await pastIncidents(question, atNs: atNs)) }
        return .page(try await incidentsPage(question))
      },
      Route(
        method: .get, path: "/incidents/{number}", role: .viewer,
        summary: "One incident: what, since when, why, what to do.",
        parameters: [.init("number", .path, .integer(1...Int64(Int32.max)), "Its number.", example: "12")], shape: .page
      ) { question in .page(try await incidentPage(question)) },
      Route(
        method: .get, path: "/hosts/{host}", role: .viewer, summary: "One host.",
        parameters: [.init("host", .path, .text, "Its name.", example: "trainer-1"), since, until, at],
        allowsEmpty: true, shape: .page
      ) { question in
        if let atNs = try past(question) { return .page(try await pastHost(question, atNs: atNs)) }
        return .page(try await hostPage(question))
      },
    ]

  /// Rows of one table of a page: more is what the API and the command line are for.
  static let rowsMax = 100
  static let toIncident = Page.Link(column: "id", path: "/incidents/")
  static let toHost = Page.Link(column: "host", path: "/hosts/")
  static let toRun = Page.Link(column: "name", path: "/runs/", key: "id")

  private static func openIncidents(host: String? = nil) -> (ReadQuery, [Answer.Column]) {
    (
      IncidentQueries.list(state: nil, host: host, rule: nil, sinceNs: nil, limit: rowsMax), ShownColumns.incidents
    )
  }

  private static let incidentFilters: [Route.Parameter] = [
    .init(
      "state", .query, .choice(IncidentState.allCases.map(\.rawValue) + ["all", "not resolved"]), "Only in it.",
      example: "resolved"),
    .init("host", .query, .text, "Only of this host; a * stands for any text.", example: "gpu-*"),
    .init("rule", .query, .text, "Only of this rule; a * stands for any text.", example: "RES-*"), since,
  ]

  private static func incidentsPage(_ question: Question) async throws -> Page {
    let state = question["state"].flatMap { $0 == "not resolved" ? nil : $0 }
    let answer = try await question.database.answer(
      IncidentQueries.list(
        state: state, host: question["host"], rule: question["rule"], sinceNs: question.moment("since"),
        limit: rowsMax + 1), ShownColumns.incidents)
    var shown = answer
    shown.rows = Array(answer.rows.prefix(rowsMax))
    let isNarrowed = incidentFilters.contains { question[$0.name] != nil }
    var blocks: [Page.Block] = [
      .search(
        .init(
          path: "/incidents", button: "Show",
          inputs: [
            .init(
              name: "state", label: "State", value: question["state"] ?? "not resolved",
              choices: ["not resolved"] + IncidentState.allCases.map(\.rawValue) + ["all"]),
            .init(name: "host", label: "Host", value: question["host"] ?? ""),
            .init(name: "rule", label: "Rule", value: question["rule"] ?? ""),
            .init(name: "since", label: "Since", value: question["since"] ?? ""),
          ])),
      .table(
        name: "incidents", shown, links: [toIncident, toHost],
        empty: isNarrowed ? "No incident matches." : "No incident is open."),
    ]
    if answer.rows.count > rowsMax {
      blocks.append(
        .text("The most urgent \(rowsMax); there are more: narrow the search, or signalbox incidents list."))
    }
    return Page(title: "Incidents", blocks: blocks, command: "signalbox incidents list")
  }

  private static func hostPage(_ question: Question) async throws -> Page {
    let name = question["host"] ?? ""
    let span = try span(question, orElse: hourNs)
    let (sinceNs, untilNs) = (span.fromNs, span.toNs)
    let questions: [(ReadQuery, [Answer.Column])] = [
      (FleetQueries.hosts(named: name), hostColumns), openIncidents(host: name),
      (TrainingQueries.runs(host: name, state: nil, limit: 20), ShownColumns.runs),
      (FleetQueries.processes(host: name), processColumns),
      (SeriesQueries.gaps(name, sinceNs: sinceNs, untilNs: untilNs, limit: gapsMax), gapColumns),
      servedQuestion(host: name),
    ]
    let series = HostMetric.all.map { metric in
      (SeriesQueries.host(name, metric, sinceNs: sinceNs, untilNs: untilNs, points: 150), [Answer.Column]())
    }
    let answers = try await question.database.answers(questions + series)
    guard !answers[0].rows.isEmpty else { throw Problem(.notFound, "no host is called '\(name)'") }
    let hasReported = answers[0].value("state") != .text("waiting")
    let charts = zip(HostMetric.all, answers.dropFirst(questions.count)).map { metric, answer in
      var chart = Chart(metric, answer, sinceNs: sinceNs, untilNs: untilNs)
      chart.bands = Chart.gaps(answers[4])
      return chart
    }
    return Page(
      title: name,
      blocks: [
        .table(name: "host", answers[0], empty: ""),
        .text(HostSentences.labels(name, FleetInventory.labels(answers[0].value("labels") ?? .null)).asSentence),
        .heading("Incidents"),
        .table(
          name: "incidents", answers[1].without(["host", "rule"]), links: [toIncident],
          empty: hasReported ? "No incident of it is open." : "It has never reported: nothing is known of it."),
        .heading(
          "\(Timestamp.text(sinceNs, digits: 0)) to \(question["until"] == nil ? "now" : Timestamp.text(untilNs, digits: 0))"
        ),
        // A host without GPUs has no empty drawing of them.
        .charts(charts.filter { !$0.points.isEmpty || $0.title != HostMetric.gpu.title }),
        .search(
          .init(
            path: "/hosts/\(PercentEncoding.pathPart(name))", button: "Show",
            inputs: [
              .init(name: "since", label: "Since", value: question["since"] ?? "1h"),
              .init(name: "until", label: "Until", value: question["until"] ?? ""),
            ])),
        .table(
          name: "gaps", answers[4],
          empty: hasReported ? "There is no gap between its reports of this time." : "It has never reported."),
        .heading("Runs"), .table(name: "runs", answers[2], links: [toRun], empty: "No run has been seen here."),
        .heading("Processes"),
        .table(
          name: "processes", answers[3], empty: "No training process was reported in its newest minute."),
      ] + served(answers[5]) + (answers[0].value("state") == .text("revoked") ? [] : hostForms(name, question)),
      command: "signalbox hosts show \(ShellWord.quoted(name))")
  }

  /// Gaps of one chart: more are not distinguished.
  static let gapsMax = 100

  static let gapColumns: [Answer.Column] = [
    .init("from", "NOTHING FROM"), .init("to", "TO"), .init("reason", "WHY"),
  ]

  /// What `since` and `until` ask for, a minute at least. - Throws: `Problem` 400.
  static func span(_ question: Question, orElse lengthNs: Int64) throws -> RunView.Span {
    let toNs = min(question.moment("until") ?? question.nowNs, question.nowNs)
    let fromNs = question.moment("since") ?? toNs.subtractingClamped(lengthNs)
    guard fromNs < toNs else { throw Problem(.badRequest, "since must be before until, and before now") }
    return RunView.Span(fromNs: min(fromNs, toNs.subtractingClamped(60_000_000_000)), toNs: toNs)
  }

  private static let hostColumns: [Answer.Column] = [
    .init("state", "STATE"), .init("last_seen", "SEEN", .age), .init("os_name", "SYSTEM"), .init("cpu_count", "CPUS"),
    .init("memory_total_bytes", "MEMORY", .bytes), .init("gpu_count", "GPUS"), .init("gpu_model", "GPU"),
    .init("agent_version", "AGENT"), .init("certificate_expires", "CERTIFICATE UNTIL"),
  ]

  static let processColumns: [Answer.Column] = [
    .init("pid", "PID"), .init("name", "PROCESS"), .init("cpu_percent", "CPU", .percent),
    .init("resident_bytes", "MEMORY", .bytes), .init("state", "STATE"), .init("user", "USER"),
    .init("time", "SEEN", .age),
  ]

  private static func incidentPage(_ question: Question) async throws -> Page {
    let number = question.integer("number") ?? 0
    let answers = try await question.database.answers([
      (IncidentQueries.one(number), ShownColumns.incidents), (IncidentQueries.texts(number), []),
      (IncidentQueries.timeline(number), timelineColumns), (IncidentQueries.deliveries(number), deliveryColumns),
    ])
    guard !answers[0].rows.isEmpty else { throw Problem(.notFound, "no incident has the number \(number)") }
    let view = IncidentView(IncidentDetails(answers[0], answers[1], nowNs: question.nowNs))
    var page = Page(
      title: view.title, blocks: view.head(for: question.caller), command: "signalbox incidents show \(number)")
    page.blocks += view.details
    page.blocks += [
      .heading("Timeline"), .table(name: "timeline", answers[2], empty: "Nothing yet."),
      .heading("Messages"),
      .table(name: "messages", answers[3], empty: "Nobody was paged about it."),
    ]
    if let caller = question.caller, caller.role >= .responder { page.blocks += view.forms }
    return page
  }

  private static let timelineColumns: [Answer.Column] = [
    .init("time", "TIME"), .init("kind", "WHAT"), .init("actor", "WHO"), .init("detail", "DETAIL"),
  ]

  private static let deliveryColumns: [Answer.Column] = [
    .init("receiver", "RECEIVER"), .init("event", "MESSAGE"), .init("state", "STATE"), .init("due", "DUE"),
    .init("attempts", "ATTEMPTS"), .init("last_answer", "ANSWER"),
  ]
}
