internal import Answers
internal import FleetModel
internal import HTTPTypes
internal import Incidents
internal import Store

extension RouteTable {
  private static let number = Route.Parameter(
    "number", .path, .integer(1...Int64(Int32.max)), "Number of the incident.", example: "12")

  static let incidents: [Route] = [
    Route(
      method: .get, path: "/api/v1/incidents", role: .viewer,
      summary: "Incidents, the most urgent first: without `state` those that are not resolved, muted ones too.",
      parameters: [
        .init(
          "state", .query, .choice(IncidentState.allCases.map(\.rawValue) + ["all"]), "Only in it.", example: "open"),
        host, .init("rule", .query, .text, "Only of this rule; a * stands for any text.", example: "RES-*"), since,
        limit, cursor,
      ], shape: .list
    ) { question in
      let count = Int(question.integer("limit") ?? 1000)
      let after = try position(question, IncidentQueries.position)
      let query = IncidentQueries.list(
        state: question["state"], host: question["host"], rule: question["rule"], sinceNs: question.moment("since"),
        after: after, limit: count + 1)
      return cut(
        try await question.database.answer(query, ShownColumns.incidents), to: count, by: ["state", "severity", "id"])
    },
    Route(
      method: .get, path: "/api/v1/incidents/{number}", role: .viewer,
      summary: "One incident with its timeline and its messages.", parameters: [number], shape: .one
    ) { question in
      .one(try await incident(question), missing: "no incident has the number \(question["number"] ?? "")")
    },
    Route(
      method: .post, path: "/api/v1/incidents/{number}/ack", role: .responder,
      summary: "Takes care of it: its escalation stops, and who was paged is informed.", parameters: [number],
      shape: .change
    ) { question in try await acknowledge(question) },
    Route(
      method: .post, path: "/api/v1/incidents/{number}/resolve", role: .responder, summary: "Ends it by hand.",
      parameters: [number], shape: .change
    ) { question in try await resolve(question) },
    Route(
      method: .post, path: "/api/v1/incidents/{number}/note", role: .responder,
      summary: "Writes a line into its timeline.", parameters: [number],
      fields: [.init(name: "text", summary: "The line.", charactersMax: IncidentLimits.detailCharactersMax)],
      shape: .change
    ) { question in try await note(question) },
    Route(
      method: .get, path: "/api/v1/silences", role: .viewer, summary: "Silences in force and ahead.",
      parameters: [.init("all", .query, .choice(["true", "false"]), "Also those that are over.", example: "true")],
      shape: .list
    ) { question in
      .list(
        try await question.database.answer(
          IncidentQueries.silences(includingEnded: question["all"] == "true"), ShownColumns.silences))
    },
    Route(
      method: .post, path: "/api/v1/silences", role: .responder,
      summary: "Mutes what matches for a while, or in a window that comes back: it stays visible and pages nobody.",
      fields: silenceFields, anyOf: ["rule", "host", "entity", "severity"], shape: .change
    ) { question in try await silence(question) },
    Route(
      method: .post, path: "/api/v1/silences/{number}/end", role: .responder,
      summary: "Ends a silence now; what it muted pages within seconds.",
      parameters: [.init("number", .path, .integer(1...Int64(Int32.max)), "Number of the silence.", example: "3")],
      shape: .change
    ) { question in
      let (number, actor, nowNs) = (id(question), question.actor, question.nowNs)
      try await question.database.change { store throws(StoreError) in
        try store.endSilence(number, actor: actor, nowNs: nowNs)
      }
      return .change(
        "Silence \(number) is over: what it muted pages within seconds.",
        try await question.database.answer(IncidentQueries.silence(number), ShownColumns.silences), back: "/silences")
    },
    Route(
      method: .get, path: "/api/v1/oncall", role: .viewer, summary: "Who is on call now, by schedule.", shape: .list
    ) { question in .list(try await question.database.answer(IncidentQueries.onCall(), ShownColumns.onCall)) },
    Route(
      method: .get, path: "/api/v1/oncall/turns", role: .viewer,
      summary: "Turns of the rotations, under way and ahead, whoever has taken one over.", shape: .list
    ) { question in .list(try await question.database.answer(IncidentQueries.turns(), turnColumns)) },
  ]

  private static let silenceFields: [Route.Field] = [
    .init(name: "rule", summary: "Rule; a * stands for any text.", charactersMax: 200, isOptional: true),
    .init(name: "host", summary: "Host; a * stands for any text.", charactersMax: 200, isOptional: true),
    .init(name: "entity", summary: "What on the host; a * stands for any text.", charactersMax: 1000, isOptional: true),
    .init(name: "severity", summary: "P0 to P3.", charactersMax: 2, isOptional: true),
    .init(name: "for", summary: "How long, such as 2h.", charactersMax: 40, isAge: true),
    .init(name: "from", summary: "From when, RFC 3339; now without.", charactersMax: 40, isOptional: true),
    .init(
      name: "cron", summary: "When it comes back, for as long as `for`: five fields as in crontab(5).",
      charactersMax: 200, isOptional: true),
    .init(
      name: "zone", summary: "Whose clocks `cron` means, such as Europe/Berlin; UTC without.", charactersMax: 100,
      isOptional: true),
    .init(name: "reason", summary: "Why.", charactersMax: 500),
  ]

  private static func silence(_ question: Question) async throws -> Reply {
    let silence = try wantedSilence(question)
    let answers = try await question.database.answers([
      (IncidentQueries.matched(by: silence), []), (IncidentQueries.rules(), []), (FleetQueries.hostNames(), []),
    ])
    let count: Int64 = if case .integer(let count)? = answers[0].value("incidents") { count } else { 0 }
    let matches: SilenceMatches
    do throws(SilenceRefusal) {
      matches = try SilenceMatches(silence, rules: answers[1].texts, hosts: answers[2].texts, incidents: count)
    } catch {
      switch error {
      case .unknownRule(let sentence): throw Problem(.notFound, sentence)
      case .impossibleHost(let sentence): throw Problem(.badRequest, "host \(sentence)")
      }
    }
    let (wanted, nowNs) = (silence, question.nowNs)
    let number = try await question.database.change { store throws(StoreError) in
      try store.addSilence(wanted, nowNs: nowNs)
    }
    let stored = try await question.database.answer(IncidentQueries.silence(number), ShownColumns.silences)
    return .change(
      "Silence \(number) \(span(silence, nowNs)): nobody is paged about what it matches. "
        + matches.sentence.asSentence,
      stored, back: "/silences")
  }

  /// - Throws: `Problem` 400 for what is no severity, no time or no cron expression, and for a time that is over.
  private static func wantedSilence(_ question: Question) throws -> Silence {
    let lengthNs = try length(question, such: "2h")
    let startNs = try start(question)
    guard startNs.addingClamped(lengthNs) > question.nowNs else {
      throw Problem(.badRequest, "from and for were over before now: nothing would change")
    }
    var silence = Silence(
      author: question.actor, reason: question.fields["reason"] ?? "", startsNs: startNs,
      endsNs: startNs.addingClamped(lengthNs))
    (silence.rule, silence.host) = (question.given("rule"), question.given("host"))
    silence.entity = question.given("entity")
    if let word = question.given("severity") {
      guard let severity = Severity(word: word) else { throw Problem(.badRequest, "severity takes P0 to P3") }
      silence.severity = severity
    }
    do throws(Repetition.Mistake) {
      silence.repetition = try Repetition.given(
        cron: question.given("cron"), zone: question.given("zone"), from: question.given("from"), lengthNs: lengthNs)
    } catch {
      throw Problem(.badRequest, error.sentence(""))
    }
    return silence
  }

  /// When it mutes, as a verb.
  private static func span(_ silence: Silence, _ nowNs: Int64) -> String {
    if let repetition = silence.repetition {
      return "comes back at '\(repetition.cron.text)' of \(repetition.zone), for \(TimeSpan.text(repetition.lengthNs))"
    }
    let from = silence.startsNs > nowNs ? "from \(Timestamp.text(silence.startsNs, digits: 0)) " : ""
    return "lasts \(from)until \(Timestamp.text(silence.endsNs, digits: 0))"
  }

  private static func id(_ question: Question) -> Int64 { question.integer("number") ?? 0 }

  private static func incident(_ question: Question) async throws -> Answer {
    try await question.database.answer(IncidentQueries.one(id(question)), ShownColumns.incidents)
  }

  private static func acknowledge(_ question: Question) async throws -> Reply {
    try await change(question) { store, number, actor, nowNs throws(StoreError) in
      try store.acknowledge(incident: number, actor: actor, nowNs: nowNs)
    } sentence: { number, change in
      switch change {
      case .done: "You have incident \(number). Its escalation is stopped."
      case .before(let sinceNs, let name):
        "\(name ?? "Its rule") has had incident \(number) since \(Timestamp.text(sinceNs, digits: 0)); nothing is changed."
      }
    }
  }

  private static func resolve(_ question: Question) async throws -> Reply {
    try await change(question) { store, number, actor, nowNs throws(StoreError) in
      try store.resolve(incident: number, actor: actor, nowNs: nowNs)
    } sentence: { number, change in
      switch change {
      case .done: "Incident \(number) is resolved; whoever was paged about it gets its end."
      case .before(let sinceNs, let name):
        "Incident \(number) has been resolved since \(Timestamp.text(sinceNs, digits: 0)) by \(name ?? "its rule"); nothing is changed."
      }
    }
  }

  private static func change<Change: Sendable>(
    _ question: Question,
    _ body: @escaping @Sendable (Store, _ number: Int64, _ actor: String, _ nowNs: Int64) throws(StoreError) -> Change,
    sentence: (Int64, Change) -> String
  ) async throws -> Reply {
    let (number, actor, nowNs) = (id(question), question.actor, question.nowNs)
    let change = try await question.database.change { store throws(StoreError) in try body(store, number, actor, nowNs)
    }
    return .change(
      sentence(number, change),
      try await question.database.answer(IncidentQueries.one(number), ShownColumns.incidents),
      back: "/incidents/\(number)")
  }

  private static func note(_ question: Question) async throws -> Reply {
    let text = question.fields["text"] ?? ""
    return try await change(question) { store, number, actor, nowNs throws(StoreError) in
      try store.addNote(incident: number, actor: actor, text: text, nowNs: nowNs)
    } sentence: { number, _ in
      "Noted in the timeline of incident \(number)."
    }
  }
}
