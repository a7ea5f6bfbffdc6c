internal import Answers
internal import FleetModel
internal import HTTPTypes
internal import Store

/// Pages at a moment of the past: what the stored rows say of it, and what they do not.
extension RouteTable {
  static let at = Route.Parameter(
    "at", .query, .moment, "The page as it was then: an age such as 2h, or a time of RFC 3339.",
    example: "2026-11-21T03:25:00Z")

  /// - Returns: nil for the present. - Throws: `Problem` 400.
  static func past(_ question: Question) throws -> Int64? {
    guard let atNs = question.moment("at") else { return nil }
    guard atNs <= question.nowNs else { throw Problem(.badRequest, "at names a time that is yet to come") }
    return atNs
  }

  private static func head(_ question: Question, _ atNs: Int64, path: String, notKnown: String) -> [Page.Block] {
    let laterNs = atNs.addingClamped(hourNs)
    let later = (name: "An hour later", path: "\(path)?at=\(Timestamp.text(laterNs, digits: 0))")
    return [
      .notice("As it was at \(Timestamp.text(atNs, digits: 0)), by what is stored."),
      .text("Not known of then: \(notKnown)."),
      .links(
        [(name: "An hour before", path: "\(path)?at=\(Timestamp.text(atNs.subtractingClamped(hourNs), digits: 0))")]
          + (laterNs < question.nowNs ? [later] : []) + [(name: "The present", path: path)]),
    ]
  }

  private static let incidentColumns = ShownColumns.incidents.filter { $0.name != "muted_by" }
  private static let runColumns: [Answer.Column] = [
    .init("id"), .init("run", "RUN"), .init("host", "HOST"), .init("started", "STARTED"), .init("updated", "UPDATED"),
  ]
  private static let stateColumns: [Answer.Column] = [
    .init("host", "HOST"), .init("state", "STATE"), .init("last_seen", "LAST REPORT OF THEN"),
    .init("cpu_busy_percent", "CPU", .percent), .init("memory_used_percent", "MEMORY", .percent),
  ]

  static func pastIncidents(_ question: Question, atNs: Int64) async throws -> Page {
    for name in ["state", "since"] where question[name] != nil {
      throw Problem(.badRequest, "at shows what was open then: leave \(name) out")
    }
    let answer = try await question.database.answer(
      PastQueries.incidents(
        atNs: atNs, host: question["host"], rule: question["rule"], limit: rowsMax + 1), incidentColumns)
    var blocks = head(
      question, atNs, path: "/incidents",
      notKnown: "which incidents were muted, and of those that opened again, when they had been closed meanwhile")
    blocks.append(
      .table(
        name: "incidents", answer.first(rowsMax), links: [toIncident, toHost], empty: "No incident was open then."))
    if answer.rows.count > rowsMax { blocks.append(.text("The most urgent \(rowsMax); there were more.")) }
    return Page(title: "Incidents then", blocks: blocks, atNs: atNs)
  }

  static func pastFleet(_ question: Question, atNs: Int64) async throws -> Page {
    let answers = try await question.database.answers([
      (PastQueries.hosts(atNs: atNs), stateColumns),
      (PastQueries.incidents(atNs: atNs, host: nil, limit: FleetParts.incidentsMax + 1), incidentColumns),
      (PastQueries.runs(atNs: atNs, limit: FleetParts.runsMax), runColumns),
    ])
    let counts = ["live", "late", "silent", "never"].map { word in
      (word, answers[0].rows.count { $0[1] == .text(word) })
    }
    let words = counts.filter { $0.1 > 0 }.map { word, count in
      word == "never" ? "\(count) without a report of the day before" : "\(count) \(word)"
    }
    var missing = answers[0]
    missing.rows = Array(answers[0].rows.filter { $0[1] != .text("live") }.prefix(FleetParts.missingMax))
    var blocks = head(
      question, atNs, path: "/",
      notKnown: "hosts that were removed since, labels of then, which incidents were muted, and the collector's backlog"
    )
    blocks += [
      .text(words.isEmpty ? "No host had joined." : "Hosts: " + words.joined(separator: ", ") + "."),
      .table(
        name: "incidents", answers[1].first(FleetParts.incidentsMax), links: [toIncident, toHost],
        empty: "No incident was open then."),
    ]
    if answers[1].rows.count > FleetParts.incidentsMax {
      blocks.append(
        .links([(name: "All of them", path: "/incidents?at=\(Timestamp.text(atNs, digits: 0))")]))
    }
    if !missing.rows.isEmpty {
      blocks += [.heading("Missing then"), .table(name: "missing", missing, links: [toHost], empty: "")]
    }
    blocks += [
      .heading("Runs then"),
      .table(name: "runs", answers[2], links: [toRun, toHost], empty: "No run was live then."),
    ]
    return Page(title: "Fleet then", blocks: blocks, atNs: atNs)
  }

  static func pastHost(_ question: Question, atNs: Int64) async throws -> Page {
    if question["until"] != nil { throw Problem(.badRequest, "at is the end of what is shown: leave until out") }
    let name = question["host"] ?? ""
    try await requireHost(name, question)
    let sinceNs = question.moment("since") ?? atNs.subtractingClamped(hourNs)
    guard sinceNs < atNs else { throw Problem(.badRequest, "since must be before at") }
    let questions: [(ReadQuery, [Answer.Column])] = [
      (PastQueries.hosts(atNs: atNs, host: name), stateColumns),
      (PastQueries.incidents(atNs: atNs, host: name, limit: rowsMax), incidentColumns),
      (PastQueries.runs(atNs: atNs, host: name, limit: 20), runColumns),
      (PastQueries.processes(host: name, atNs: atNs), processColumns),
      (SeriesQueries.gaps(name, sinceNs: sinceNs, untilNs: atNs, limit: gapsMax), gapColumns),
    ]
    let series = HostMetric.all.map { metric in
      (SeriesQueries.host(name, metric, sinceNs: sinceNs, untilNs: atNs, points: 150), [Answer.Column]())
    }
    let answers = try await question.database.answers(questions + series)
    let charts = zip(HostMetric.all, answers.dropFirst(questions.count)).map { metric, answer in
      var chart = Chart(metric, answer, sinceNs: sinceNs, untilNs: atNs)
      chart.bands = Chart.gaps(answers[4])
      return chart
    }
    var blocks = head(
      question, atNs, path: "/hosts/\(PercentEncoding.pathPart(name))",
      notKnown: "the machine's facts and its agent's version of then, files it followed, and which incidents were muted"
    )
    blocks += [
      .table(name: "host", answers[0], empty: ""), .heading("Incidents"),
      .table(
        name: "incidents", answers[1].without(["host", "rule"]), links: [toIncident], empty: "Nothing was wrong here."),
      .heading("\(Timestamp.text(sinceNs, digits: 0)) to \(Timestamp.text(atNs, digits: 0))"),
      .charts(charts.filter { !$0.points.isEmpty || $0.title != HostMetric.gpu.title }),
      .table(name: "gaps", answers[4], empty: "There is no gap between its reports of this time."), .heading("Runs"),
      .table(name: "runs", answers[2].without(["host"]), links: [toRun], empty: "No run was live here then."),
      .heading("Processes"),
      .table(name: "processes", answers[3], empty: "No training process was reported in the minute before."),
    ]
    return Page(title: "\(name) then", blocks: blocks, atNs: atNs)
  }
}
