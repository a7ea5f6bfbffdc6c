internal import Answers
internal import FleetModel
internal import HTTPTypes
internal import Incidents
internal import Store
internal import TLS

/// Links of messages, by which their receivers act without a login. A visit changes nothing, however often and with whatever method: scanners
/// of mails and chats open links before people do. What acts is the form of the page.
extension RouteTable {
  static let links: [Route] = [
    Route(
      method: .get, path: "/i/{token}", role: nil, summary: "What a message was about, with a button that takes it.",
      parameters: [linkToken], shape: .page
    ) { question in .page(try await linkPage(question, try await messageLink(question))) },
    Route(
      method: .post, path: "/i/{token}", role: nil,
      summary: "Acknowledges what a message was about, or resolves or notes it, each once.",
      parameters: [linkToken], fields: [confirmation, action, note], shape: .page
    ) { question in .page(try await take(question, try await messageLink(question))) },
  ]

  private static let linkToken = Route.Parameter(
    "token", .path, .text, "Of the message's link.", example: "kBq3…")
  /// Only the form of the page sends it: what posts to links blindly changes nothing.
  private static let confirmation = Route.Field(
    name: "confirm", summary: "What the page's form sends.", charactersMax: 64)
  /// Replies by mail send it; the page's form does not.
  private static let action = Route.Field(
    name: "action", summary: "ack, resolve or note: of a reply by mail.", charactersMax: 16, isOptional: true)
  private static let note = Route.Field(
    name: "text", summary: "Of a note.", charactersMax: IncidentLimits.detailCharactersMax, isOptional: true)
  /// Incidents of a list that one page shows.
  private static let listedMax = 100

  /// A link that is signed, of a message that is known.
  private struct MessageLink {
    let text: String
    let token: PageToken
    let message: PagedMessage

    var confirmation: String { PageToken.confirmation(of: text) }
    var isList: Bool { message.incidents.count > 1 }
  }

  /// - Throws: `Problem` 401 where it was not made here, 410 where it has expired.
  private static func messageLink(_ question: Question) async throws -> MessageLink {
    let text = question["token"] ?? ""
    let key = try await question.database.change { store throws(StoreError) in try store.pageLinkKey() }
    guard let token = PageToken.read(text, key: key) else {
      throw Problem(
        .unauthorized, "this link is not whole, or was not made here: copy all of it from the message, or log in")
    }
    let expired = Problem(
      .gone,
      "this link expired at \(Timestamp.text(token.expiresNs, digits: 0)): log in to see what its message was about")
    guard token.expiresNs > question.nowNs else { throw expired }
    let id = token.messageID
    let found = try await question.database.change { store throws(StoreError) in try store.pagedMessage(id) }
    guard let message = found else { throw expired }
    return MessageLink(text: text, token: token, message: message)
  }

  private static func take(_ question: Question, _ link: MessageLink) async throws -> Page {
    let given = Array((question.fields["confirm"] ?? "").utf8)
    guard Digest.equal(given, Array(link.confirmation.utf8)) else {
      throw Problem(.forbidden, "open the link and press the button on its page: nothing is changed")
    }
    let (id, receiver, nowNs) = (link.token.messageID, link.message.receiver, question.nowNs)
    let byMail = "by a reply to a mail"
    switch question.fields["action"] {
    case "resolve":
      let ended = try await question.database.change { store throws(StoreError) in
        try store.resolve(pagedBy: id, actor: receiver, through: byMail, nowNs: nowNs)
      }
      return try await donePage(question, link, ended.isEmpty ? nil : "\(incidents(ended.count)) resolved.")
    case "note":
      guard let text = question.fields["text"] else { throw Problem(.badRequest, "a note takes a text") }
      let noted = try await question.database.change { store throws(StoreError) in
        try store.addNote(pagedBy: id, actor: receiver, text: PlainText.line(text), through: byMail, nowNs: nowNs)
      }
      guard let noted else {
        throw Problem(
          .conflict,
          "this message has \(Store.notesOfMessageMax) notes already, and this one is not kept: write it on the incident's page"
        )
      }
      return try await donePage(question, link, noted.isEmpty ? nil : "Noted at \(incidents(noted.count)).")
    case nil, "ack": break
    case let other?:
      throw Problem(.badRequest, "action takes ack, resolve or note, not '\(PlainText.visible(PlainText.line(other)))'")
    }
    let through = question.fields["action"] == nil ? "by the link of a message" : byMail
    let done = try await question.database.change { store throws(StoreError) in
      try store.acknowledge(pagedBy: id, actor: receiver, through: through, nowNs: nowNs)
    }
    return try await donePage(
      question, link, done.flatMap { $0.taken.isEmpty ? nil : AcknowledgementText.sentence($0, nowNs: nowNs) })
  }

  private static func incidents(_ count: Int) -> String { count == 1 ? "1 incident" : "\(count) incidents" }

  /// - Parameter sentence: what was changed; nil: nothing.
  private static func donePage(_ question: Question, _ link: MessageLink, _ sentence: String?) async throws -> Page {
    var page = try await linkPage(question, link, isTaken: true)
    page.blocks.insert(
      sentence.map(Page.Block.done) ?? .notice("This is taken already, or over: nothing is changed."), at: 0)
    return page
  }

  private static func linkPage(_ question: Question, _ link: MessageLink, isTaken: Bool = false) async throws -> Page {
    let incidents = try await question.database.answer(
      IncidentQueries.paged(by: link.token.messageID, limit: listedMax), ShownColumns.incidents)
    let action = action(link, canTake: !isTaken && link.message.usedNs == nil && !link.message.open.isEmpty)
    var page =
      link.isList
      ? listPage(incidents, link, action) : try await incidentPage(question, link.message.incidents.first ?? 0, action)
    let path = link.isList ? "/incidents" : "/incidents/\(link.message.incidents.first ?? 0)"
    page.blocks.append(.links([("Log in to see more", path: "/login?next=\(PercentEncoding.pathPart(path))")]))
    return page
  }

  private static func action(_ link: MessageLink, canTake: Bool) -> [Page.Block] {
    guard canTake else {
      guard let usedNs = link.message.usedNs else { return [] }
      let rest = link.message.open.isEmpty ? "" : " What is open now takes a login."
      return [.text("This link was used at \(Timestamp.text(usedNs, digits: 0)).\(rest)")]
    }
    let button = link.isList ? "I have them all" : "I have it"
    return [
      .form(
        .init(
          path: "/i/\(PercentEncoding.pathPart(link.text))", button: button,
          inputs: [.init(name: confirmation.name, label: "", value: link.confirmation, isHidden: true)], isMain: true)),
      .text(
        "You act as \(link.message.receiver), who was sent this. The link works once, until "
          + "\(Timestamp.text(link.token.expiresNs, digits: 0))."),
    ]
  }

  private static func incidentPage(_ question: Question, _ number: Int64, _ action: [Page.Block]) async throws -> Page {
    let answers = try await question.database.answers([
      (IncidentQueries.one(number), ShownColumns.incidents), (IncidentQueries.texts(number), []),
    ])
    guard !answers[0].rows.isEmpty else { throw Problem(.notFound, "no incident has the number \(number)") }
    let view = IncidentView(IncidentDetails(answers[0], answers[1], nowNs: question.nowNs))
    return Page(
      title: view.title, blocks: view.head(for: nil) + action + view.details,
      command: "signalbox incidents ack \(number)")
  }

  private static func listPage(_ incidents: Answer, _ link: MessageLink, _ action: [Page.Block]) -> Page {
    let count = link.message.incidents.count
    var blocks = action + [.table(name: "incidents", incidents, empty: "They are gone.")]
    if count > listedMax { blocks.append(.text("\(count - listedMax) more, none of them more urgent.")) }
    return Page(title: "\(count) incidents", blocks: blocks, command: "signalbox incidents list")
  }
}

/// What now happens, in a sentence.
enum AcknowledgementText {
  /// - Parameter done: with at least one incident.
  static func sentence(_ done: Acknowledgement, nowNs: Int64) -> String {
    let what = done.taken.count == 1 ? "it" : "all \(done.taken.count) of them"
    let time = Timestamp.text(nowNs, digits: 0).dropFirst("2026-01-05T".count).dropLast()
    let stopped = "Escalation stopped at \(time) UTC."
    guard !done.underWay.isEmpty else { return "You have \(what); nobody else is woken. \(stopped)" }
    return "You have \(what). \(stopped) Already on its way to \(done.underWay.joined(separator: ", "))."
  }
}
