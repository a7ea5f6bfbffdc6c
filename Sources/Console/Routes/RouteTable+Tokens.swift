internal import Answers
internal import Enrolment
internal import FleetModel
internal import HTTPTypes
internal import Store
internal import TLS

/// What lets scripts and calendars in: made and ended by people.
extension RouteTable {
  private static let tokenFields: [Route.Field] = [
    .init(name: "name", summary: "What the audit and timelines show.", charactersMax: 64),
    .init(name: "role", summary: "viewer, responder, editor or admin.", charactersMax: 9),
    .init(
      name: "for", summary: "How long it is good, at most 366d; 90d without.", charactersMax: 20, isOptional: true),
  ]

  static let tokens: [Route] = [
    Route(
      method: .post, path: "/api/v1/tokens", role: .admin,
      summary: "A token for a script; it is in the answer and nowhere else.", fields: tokenFields, shape: .change
    ) { question in
      let (token, sentence) = try await make(question)
      return .change(
        sentence,
        try await question.database.answer(AccessQueries.credential(id: token.id)).with("token", .text(token.text)),
        back: "/admin")
    },
    // Not by way of a redirect: the token would stand in an address.
    Route(
      method: .post, path: "/admin/token", role: .admin, summary: "Makes a token, and shows it once.",
      fields: tokenFields, shape: .page
    ) { question in
      let (token, sentence) = try await make(question)
      return .page(
        Page(
          title: "Token",
          blocks: [
            .notice("\(sentence) It is shown once."), .quoted([token.text]),
            .links([("Back to Admin", path: "/admin")]),
          ],
          command: "signalbox tokens create \(ShellWord.quoted(question.fields["name"] ?? "")) --role ROLE"))
    },
    Route(
      method: .post, path: "/api/v1/tokens/revoke", role: .admin,
      summary: "Ends everything that lets a name in, at once.",
      fields: [.init(name: "name", summary: "Name of the token or person, or the ID of one entry.", charactersMax: 64)],
      shape: .change
    ) { question in
      let (name, actor, nowNs) = (question.fields["name"] ?? "", question.actor, question.nowNs)
      let count = try await question.database.change { store throws(StoreError) in
        try store.endCredentials(named: name, actor: actor, nowNs: nowNs)
      }
      return .change(
        CredentialSentences.ended(name, count).asSentence,
        try await question.database.answer(AccessQueries.credentials(of: name)), back: "/admin")
    },
    Route(
      method: .post, path: "/api/v1/oncall/calendars", role: .responder,
      summary: "A secret address at which a calendar shows who is on call; it is in the answer and nowhere else.",
      fields: calendarFields, shape: .change
    ) { question in
      let (secret, address, sentence) = try await calendar(question)
      return .change(
        sentence,
        try await question.database.answer(AccessQueries.credential(id: secret.id)).with("url", .text(address)),
        back: "/oncall")
    },
    Route(
      method: .post, path: "/oncall/calendar", role: .responder,
      summary: "Makes a calendar's secret address, and shows it once.", fields: calendarFields, shape: .page
    ) { question in
      let (_, address, sentence) = try await calendar(question)
      return .page(
        Page(
          title: "Calendar",
          blocks: [
            .notice(
              "\(sentence) Subscribe to this address in a calendar, and do not share it: it is shown once, and opens "
                + "nothing else."),
            .quoted([address]), .links([("Back to On call", path: "/oncall")]),
          ], command: "signalbox oncall calendar \(ShellWord.quoted(question.fields["name"] ?? ""))"))
    },
  ]

  private static let calendarFields: [Route.Field] = [
    .init(
      name: "name", summary: "Whose calendar: under this name it is listed and revoked.", charactersMax: 64),
    .init(
      name: "for", summary: "How long it is good, at most 366d; that without.", charactersMax: 20, isOptional: true),
    .init(
      name: "url", summary: "Address of the console; what it has announced without.", charactersMax: 300,
      isOptional: true),
  ]

  private static func make(_ question: Question) async throws -> (AccessToken, sentence: String) {
    let (name, endNs) = (question.fields["name"] ?? "", try end(question, "90d"))
    guard let role = Role(rawValue: question.fields["role"] ?? "") else {
      throw Problem(.badRequest, "role takes viewer, responder, editor or admin")
    }
    let actor = question.actor
    let token = try await question.database.change { store throws(StoreError) in
      try IssuedCredential.make(store, .token, name: name, role: role, endNs: endNs, actor: actor)
    }
    return (token, CredentialSentences.token(name, role, endNs).asSentence)
  }

  private static func calendar(
    _ question: Question
  ) async throws -> (AccessToken, address: String, sentence: String) {
    let (name, endNs) = (question.fields["name"] ?? "", try end(question, "\(IssuedCredential.daysMax)d"))
    let (url, actor) = (question.given("url"), question.actor)
    if let url, !CalendarAddress.isOfConsole(url) {
      throw Problem(.badRequest, "url takes https://HOST:PORT of a console")
    }
    let made = try await question.database.change { store throws(StoreError) in
      try CalendarAddress.make(store, url: url, name: name, endNs: endNs, actor: actor)
    }
    guard let made else {
      throw Problem(.conflict, "this console has not announced its address: give url, such as https://console:8443")
    }
    return (made.secret, made.url, CredentialSentences.calendar(name, endNs).asSentence)
  }

  /// Of the field `for`, ns since 1970.
  private static func end(_ question: Question, _ usual: String) throws -> Int64 {
    let daysMax = IssuedCredential.daysMax
    guard let lifeNs = TimeSpan.parse(question.given("for") ?? usual), lifeNs <= daysMax * dayNs else {
      throw Problem(.badRequest, "for takes a time of up to \(daysMax)d, such as 90d")
    }
    return question.nowNs.addingClamped(lifeNs)
  }
}
