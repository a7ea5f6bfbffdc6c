internal import Answers
internal import FleetModel
internal import HTTPTypes
internal import Store

extension RouteTable {
  static let serving: [Route] = [
    Route(
      method: .get, path: "/api/v1/serving", role: .viewer,
      summary: "What serves models, by its own metrics: the newest reading of each target, what is wrong first.",
      parameters: [host], shape: .list
    ) { question in
      try await requireHost(question["host"], question)
      return .list(try await question.database.answer(ServingQueries.newest(host: question["host"]), targetColumns))
    },
    Route(
      method: .get, path: "/api/v1/serving/figures", role: .viewer,
      summary: "All figures of the newest reading of one target, those of serving first.",
      parameters: [oneHost(isRequired: true), target(isRequired: true)], shape: .list
    ) { question in
      let name = question["host"] ?? ""
      try await requireHost(name, question, isPattern: false)
      return .list(
        try await question.database.answer(
          ServingQueries.figures(host: name, target: question["target"] ?? "", limit: figuresMax), figureColumns))
    },
    Route(
      method: .get, path: "/serving", role: .viewer,
      summary: "What serves models, and of one target how it went.",
      parameters: [host, target(isRequired: false), since, until], allowsEmpty: true, shape: .page
    ) { question in .page(try await servingPage(question)) },
  ]

  /// More than one probe may report.
  private static let figuresMax = 512

  private static func oneHost(isRequired: Bool) -> Route.Parameter {
    .init("host", .query, .text, "Its host.", example: "gpu-1", isRequired: isRequired)
  }

  private static func target(isRequired: Bool) -> Route.Parameter {
    .init(
      "target", .query, .text, "Name of the probe that reads its metrics; with its host.", example: "llm",
      isRequired: isRequired)
  }

  /// What is drawn of a target: title, and its figures with what the key calls them.
  private static let drawn: [(title: String, lines: [(figure: String, name: String)])] =
    [("Seconds of a request", "request_seconds"), ("Seconds of a whole answer", "generation_seconds")].map {
      title, figure in (title, ["p50", "p95", "p99"].map { (figure: "\(figure).\($0)", name: $0) })
    } + [
      ("Seconds to the first token", ["p50", "p95", "p99"].map { (figure: "first_token_seconds.\($0)", name: $0) }),
      ("Requests per second", [("requests_per_second", "")]), ("Share of requests that failed", [("error_ratio", "")]),
      ("Requests", [("running", "running"), ("waiting", "waiting")]),
      ("Share of the cache in use", [("cache_ratio", "")]), ("Tokens per second", [("tokens_per_second", "")]),
      ("Memory, bytes", [("memory_bytes", "process"), ("gpu_memory_bytes", "GPU")]),
    ]

  private static func servingPage(_ question: Question) async throws -> Page {
    let isOne = question["target"] != nil
    if isOne, question["host"] == nil { throw Problem(.badRequest, "give the host of the target, too") }
    try await requireHost(question["host"], question, isPattern: !isOne)
    var answer = try await question.database.answer(ServingQueries.newest(host: question["host"]), targetColumns)
    if let target = question["target"] {
      answer.rows = answer.rows.filter { $0[1] == .text(target) }
      if answer.rows.isEmpty {
        throw Problem(.notFound, "no metrics of '\(target)' were read on this host within the last hour")
      }
    }
    let failing = answer.rows.count { $0[2] != .text("ok") }
    let total = answer.rows.count
    let sentence =
      total == 0
      ? "No metrics of a service were read within the last hour. A probe prometheus of the configuration does."
      : failing == 0
        ? "The metrics of all \(total) targets are read."
        : "The metrics of \(failing) of \(total) targets are not read."
    answer.rows = Array(answer.rows.prefix(rowsMax))
    var blocks: [Page.Block] = [
      failing == 0 ? .text(sentence) : .notice(sentence),
      .table(
        name: "targets", withDetails(answer),
        links: [toHost, .init(column: "target", path: "", key: "path", isWhole: true)], empty: ""),
    ]
    if isOne {
      blocks += try await oneTarget(question)
    } else {
      blocks.append(
        .text(
          "Seconds are quantiles of the requests between two readings: of a request, or of a whole answer where texts are generated. Nothing stands where nothing was asked, or the target does not expose it."
        ))
    }
    return Page(title: question["target"].map { "Serving: \($0)" } ?? "Serving", blocks: blocks)
  }

  /// What serves models on one host, for its page.
  static func servedQuestion(host: String) -> (ReadQuery, [Answer.Column]) {
    (ServingQueries.newest(host: host), targetColumns)
  }

  /// Nothing where nothing serves there.
  static func served(_ answer: Answer) -> [Page.Block] {
    if answer.rows.isEmpty { return [] }
    let link = Page.Link(column: "target", path: "", key: "path", isWhole: true)
    return [
      .heading("Serving"),
      .table(name: "targets", withDetails(answer.first(rowsMax)).without(["host"]), links: [link], empty: ""),
    ]
  }

  private static func withDetails(_ answer: Answer) -> Answer {
    var answer = answer
    answer.columns.append(.init("path"))
    answer.rows = answer.rows.map { row in
      guard case .text(let host) = row[0], case .text(let target) = row[1] else { return row + [.null] }
      return row + [.text(Address("/serving").with("host", host).with("target", target).text)]
    }
    return answer
  }

  private static func oneTarget(_ question: Question) async throws -> [Page.Block] {
    let (name, target) = (question["host"] ?? "", question["target"] ?? "")
    let span = try span(question, orElse: hourNs)
    let (from, to) = (Double(span.fromNs), Double(span.toNs))
    let answers = try await question.database.answers([
      (
        ServingQueries.history(
          host: name, target: target, sinceNs: span.fromNs, untilNs: span.toNs, points: 150), [Answer.Column]()
      ), (ServingQueries.figures(host: name, target: target, limit: figuresMax), figureColumns),
    ])
    var byFigure: [String: Answer] = [:]
    for row in answers[0].rows {
      guard case .text(let figure) = row[0] else { continue }
      byFigure[figure, default: Answer(columns: answers[0].columns)].rows.append(row)
    }
    let charts = drawn.compactMap { chart -> Chart? in
      let lines = chart.lines.enumerated().compactMap { style, line in
        byFigure[line.figure].map {
          Chart.Line(name: line.name, points: Chart.points($0, x: "time"), style: style)
        }
      }
      return lines.isEmpty ? nil : Chart(chart.title, lines, axis: .time, from: from, to: to, bottom: 0)
    }
    return [
      .heading("\(Timestamp.text(span.fromNs, digits: 0)) to \(Timestamp.text(span.toNs, digits: 0))"),
      charts.isEmpty ? .text("No figure of serving was read in this time.") : .charts(charts),
      .search(
        .init(
          path: "/serving", button: "Show",
          inputs: [
            .init(name: "host", label: "Host", value: name), .init(name: "target", label: "Target", value: target),
            .init(name: "since", label: "Since", value: question["since"] ?? "1h"),
            .init(name: "until", label: "Until", value: question["until"] ?? ""),
          ])), .heading("Newest reading"),
      .table(name: "figures", answers[1], empty: "The newest reading has no figure."),
    ]
  }

  private static let targetColumns: [Answer.Column] = [
    .init("host", "HOST"), .init("target", "TARGET"), .init("state", "STATE"), .init("detail", "DETAIL"),
    .init("requests_per_second", "REQUESTS/S", .ratio), .init("error_ratio", "ERRORS", .ratio),
    .init("p50_seconds", "P50 S", .ratio), .init("p95_seconds", "P95 S", .ratio), .init("p99_seconds", "P99 S", .ratio),
    .init("first_token_seconds", "FIRST TOKEN P95 S", .ratio), .init("queue_seconds", "QUEUED S", .ratio),
    .init("running", "RUNNING"), .init("waiting", "WAITING"), .init("cache_ratio", "CACHE", .ratio),
    .init("memory_bytes", "MEMORY", .bytes), .init("gpu_memory_bytes", "GPU MEMORY", .bytes),
    .init("left_out", "LEFT OUT"), .init("time", "READ", .age),
  ]

  private static let figureColumns: [Answer.Column] = [
    .init("figure", "FIGURE"), .init("labels", "LABELS"), .init("value", "VALUE"),
  ]
}
