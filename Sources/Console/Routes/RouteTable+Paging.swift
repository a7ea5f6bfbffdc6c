internal import Answers
internal import FleetModel
internal import HTTPTypes
internal import Incidents
internal import Store

/// Who is on call, who takes whose turn, and what is silenced.
extension RouteTable {
  private static let overrideFields: [Route.Field] = [
    .init(name: "schedule", summary: "Of which schedule.", charactersMax: 200),
    .init(name: "to", summary: "Who takes it: a receiver of the configuration.", charactersMax: 200),
    .init(name: "from", summary: "From when, RFC 3339; now where it is left out.", charactersMax: 40, isOptional: true),
    .init(name: "for", summary: "How long, such as 8h.", charactersMax: 40, isAge: true),
    .init(name: "reason", summary: "Why.", charactersMax: 500, isOptional: true),
  ]
  private static let overrideNumber = Route.Parameter(
    "number", .path, .integer(1...Int64(Int32.max)), "Number of the override.", example: "3")

  static let paging: [Route] = [
    Route(
      method: .post, path: "/api/v1/oncall/overrides", role: .responder,
      summary: "Lets somebody take a turn of a schedule; the newest override that holds counts.",
      fields: overrideFields, shape: .change
    ) { question in try await override(question) },
    Route(
      method: .post, path: "/api/v1/oncall/overrides/{number}/end", role: .responder,
      summary: "Gives a turn back to its owner.", parameters: [overrideNumber], shape: .change
    ) { question in
      let (number, actor, nowNs) = (question.integer("number") ?? 0, question.actor, question.nowNs)
      try await question.database.change { store throws(StoreError) in
        try store.endOverride(number, actor: actor, nowNs: nowNs)
      }
      return .change(
        "Override \(number) is ended: the turn is its owner's again.",
        try await question.database.answer(IncidentQueries.override(number), overrideColumns), back: "/oncall")
    },
    Route(
      method: .get, path: "/oncall", role: .viewer, summary: "Who is on call, and who takes whose turn.", shape: .page
    ) { question in .page(try await onCallPage(question)) },
    Route(
      method: .get, path: "/silences", role: .viewer, summary: "What is muted, and until when.",
      parameters: [.init("all", .query, .choice(["true", "false"]), "Also those that are over.", example: "true")],
      shape: .page
    ) { question in .page(try await silencesPage(question)) },
  ]

  private static let turnsShown = 12
  static let turnColumns: [Answer.Column] = [
    .init("schedule", "SCHEDULE", rank: 0), .init("receiver", "ON CALL", rank: 1), .init("starts", "FROM", rank: 2),
    .init("ends", "UNTIL", rank: 3),
  ]

  private static let overrideColumns: [Answer.Column] = [
    .init("id", "ID", rank: 0), .init("state", "STATE", rank: 1), .init("schedule", "SCHEDULE", rank: 2),
    .init("receiver", "TAKEN BY", rank: 3), .init("starts", "FROM", rank: 4), .init("ends", "UNTIL", rank: 5),
    .init("author", "BY", rank: 6), .init("reason", "REASON", rank: 7), .init("ended_by", "ENDED BY", rank: 8),
  ]

  private static func override(_ question: Question) async throws -> Reply {
    let lengthNs = try length(question, such: "8h")
    let startNs = try start(question)
    let wanted = OnCallOverride(
      schedule: question.fields["schedule"] ?? "", receiver: question.fields["to"] ?? "", startsNs: startNs,
      endsNs: startNs.addingClamped(lengthNs), author: question.actor, reason: question.fields["reason"] ?? "")
    let number = try await question.database.change { store throws(StoreError) in try store.addOverride(wanted) }
    return .change(
      "\(wanted.receiver) takes the turn of '\(wanted.schedule)' until \(Timestamp.text(wanted.endsNs, digits: 0)).",
      try await question.database.answer(IncidentQueries.override(number), overrideColumns), back: "/oncall")
  }

  /// The field `for`, ns. - Parameter example: for the sentence of a refusal.
  static func length(_ question: Question, such example: String) throws -> Int64 {
    guard let lengthNs = TimeSpan.parse(question.fields["for"] ?? ""), lengthNs <= 366 * dayNs else {
      throw Problem(.badRequest, "for takes a time of up to 366d, such as \(example)")
    }
    return lengthNs
  }

  /// The field `from`, ns since 1970; now where it is not given.
  static func start(_ question: Question) throws -> Int64 {
    guard let from = question.given("from") else { return question.nowNs }
    guard let startNs = Timestamp.parse(from) else {
      throw Problem(.badRequest, "from takes a time of RFC 3339, such as 2026-01-31T18:00:00Z")
    }
    return startNs
  }

  private static func onCallPage(_ question: Question) async throws -> Page {
    let answers = try await question.database.answers([
      (IncidentQueries.onCall(), ShownColumns.onCall),
      (IncidentQueries.overrides(includingEnded: false), overrideColumns),
      (IncidentQueries.pagingCollector(), []), (IncidentQueries.turns(), turnColumns),
    ])
    var blocks: [Page.Block] = []
    if answers[2].value("is_delivering") != .boolean(true) {
      blocks.append(.notice("No collector delivers pages now: signalbox fleet status says why."))
    }
    blocks += [
      .table(
        name: "on_call", answers[0],
        empty: "Nobody is on call by a schedule: policies name their receivers, or no collector pages."),
      .heading("Turns taken over"),
      .table(name: "overrides", answers[1], empty: "Nobody takes another one's turn."),
    ]
    if !answers[3].rows.isEmpty {
      blocks += [.heading("Turns of the rotation"), .table(name: "turns", answers[3].first(turnsShown), empty: "")]
    }
    if let caller = question.caller, caller.role >= .responder {
      blocks += [
        .form(
          .init(
            path: "/oncall/calendar", button: "Show it in a calendar",
            inputs: [.init(name: "name", label: "Whose calendar", value: caller.name)]))
      ]
    }
    if let caller = question.caller, caller.role >= .responder, !answers[0].rows.isEmpty {
      blocks += [
        .form(
          .init(
            path: "/api/v1/oncall/overrides", button: "Take a turn over",
            inputs: [
              .init(name: "schedule", label: "Schedule"), .init(name: "to", label: "Who takes it"),
              .init(name: "for", label: "For", value: "8h"), .init(name: "reason", label: "Why"),
            ]))
      ]
      blocks += numbers(answers[1]).map { number in
        .form(.init(path: "/api/v1/oncall/overrides/\(number)/end", button: "End override \(number)"))
      }
    }
    return Page(title: "On call", blocks: blocks, command: "signalbox oncall now")
  }

  private static func silencesPage(_ question: Question) async throws -> Page {
    let isAll = question["all"] == "true"
    let silences = try await question.database.answer(
      IncidentQueries.silences(includingEnded: isAll), ShownColumns.silences)
    var blocks: [Page.Block] = [
      .choices(
        "Show",
        [
          .init("in force and ahead", "/silences", isChosen: !isAll),
          .init("all", "/silences?all=true", isChosen: isAll),
        ]),
      .table(name: "silences", silences, empty: "Nothing is silenced, and no silence is planned."),
    ]
    if let caller = question.caller, caller.role >= .responder {
      blocks += [
        .heading("Silence something"),
        .text(
          "What matches stays visible and pages nobody. A * stands for any text; a field that is left empty matches everything."
        ),
        .form(
          .init(
            path: "/api/v1/silences", button: "Silence",
            inputs: [
              .init(name: "rule", label: "Rule", isOptional: true),
              .init(name: "host", label: "Host", isOptional: true),
              .init(name: "severity", label: "Severity", isOptional: true),
              .init(name: "for", label: "For", value: "2h"), .init(name: "reason", label: "Why"),
              .init(name: "cron", label: "Comes back at (crontab)", isOptional: true),
              .init(name: "zone", label: "By the clocks of", isOptional: true),
            ])),
      ]
      blocks += numbers(silences).map { number in
        .form(.init(path: "/api/v1/silences/\(number)/end", button: "End silence \(number)"))
      }
      if silences.rows.count > buttonsMax {
        blocks.append(.text("The first \(buttonsMax) have a button: signalbox silences end ID ends any."))
      }
    }
    return Page(title: "Silences", blocks: blocks, command: "signalbox silences list\(isAll ? " --all" : "")")
  }

  /// Rows of a page that have a button each.
  static let buttonsMax = 20

  /// Of the rows that are not over, the first ones: each has a button.
  private static func numbers(_ answer: Answer) -> [Int64] {
    guard let id = answer.columns.firstIndex(where: { $0.name == "id" }),
      let state = answer.columns.firstIndex(where: { $0.name == "state" })
    else { return [] }
    return answer.rows.filter { $0[state] != .text(SilenceState.ended.rawValue) }.prefix(buttonsMax).compactMap {
      if case .integer(let number) = $0[id] { number } else { nil }
    }
  }
}
