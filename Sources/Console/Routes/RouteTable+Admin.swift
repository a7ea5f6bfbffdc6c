internal import Answers
internal import Enrolment
internal import FleetModel
internal import HTTPTypes
internal import Store
internal import TLS

/// Who may come in: hosts by invitations and certificates, people and scripts by credentials.
extension RouteTable {
  private static let invitationFields: [Route.Field] = [
    .init(name: "name", summary: "The host's name; with count a pattern such as gpu-*.", charactersMax: 255),
    .init(name: "for", summary: "How long it is good, at most 30d; 1h without.", charactersMax: 20, isOptional: true),
    .init(name: "count", summary: "How many hosts may join with it; 1 without.", charactersMax: 6, isOptional: true),
    .init(
      name: "labels", summary: "What each host gets: KEY=VALUE, one a line.", charactersMax: 2000,
      isOptional: true),
    .init(
      name: "replace", summary: "true: the machine takes the place of the host of that name.", charactersMax: 5,
      isOptional: true),
    .init(
      name: "addresses",
      summary: "HOST:PORT of collectors for the token, separated by commas; what they have announced without.",
      charactersMax: 1000, isOptional: true),
  ]

  static let admin: [Route] = [
    Route(
      method: .post, path: "/api/v1/invitations", role: .admin,
      summary: "A join token for one host, or for several; it is in the answer and nowhere else.",
      fields: invitationFields, shape: .change
    ) { question in
      let token = try await invite(question)
      return .change(
        "Invited '\(question.fields["name"] ?? "")': on the host run signalbox-agent join - --state-dir DIR, and paste the token.",
        try await question.database.answer(FleetQueries.invitations(id: token.id)).with("token", .text(token.text)),
        back: "/admin")
    },
    // Not by way of a redirect: the token would stand in an address.
    Route(
      method: .post, path: "/admin/invite", role: .admin, summary: "Invites a host, and shows the line to paste.",
      fields: invitationFields, shape: .page
    ) { question in
      let token = try await invite(question)
      return .page(
        Page(
          title: "Invited",
          blocks: [
            .notice(
              "This token is shown once. On the host, run the first line as the agent's user and paste the second."),
            .quoted(["sudo -u signalbox-agent signalbox-agent join - --state-dir /var/lib/signalbox-agent", token.text]
            ),
            .links([("Back to Admin", path: "/admin")]),
          ], command: "signalbox hosts invite \(ShellWord.quoted(question.fields["name"] ?? ""))"))
    },
    Route(
      method: .post, path: "/api/v1/invitations/{id}/withdraw", role: .admin,
      summary: "Withdraws a join token; hosts that have joined with it stay.",
      parameters: [.init("id", .path, .text, "The token's id.", example: "q1w2e3")], shape: .change
    ) { question in
      let (id, actor, nowNs) = (question["id"] ?? "", question.actor, question.nowNs)
      try await question.database.change { store throws(StoreError) in
        try store.withdrawInvitation(id, actor: actor, nowNs: nowNs)
      }
      return .change(
        "The invitation is withdrawn; hosts that have joined with it stay.",
        try await question.database.answer(FleetQueries.invitations(id: id)), back: "/admin")
    },
    Route(
      method: .get, path: "/admin", role: .admin, summary: "Who may come in, and who changed what.", shape: .page
    ) { question in .page(try await adminPage(question)) },
  ]

  private static func invite(_ question: Question) async throws -> JoinToken {
    let name = question.fields["name"] ?? ""
    guard let lifeNs = TimeSpan.parse(question.given("for") ?? "1h"), lifeNs <= HostInvitation.lifeMaxNs else {
      throw Problem(.badRequest, "for takes a time of up to 30d, such as 1h")
    }
    guard let count = Int(question.given("count") ?? "1"), (1...Invitation.usesLimit).contains(count) else {
      throw Problem(.badRequest, "count takes 1 to \(Invitation.usesLimit) hosts")
    }
    guard count == 1 || HostNaming.isPattern(name) else {
      throw Problem(
        .badRequest,
        "an invitation of several hosts needs a * in its name, such as gpu-*: each joins under its own name")
    }
    guard let replaces = Bool(question.given("replace") ?? "false") else {
      throw Problem(.badRequest, "replace takes true or false")
    }
    let addresses = try (question.given("addresses") ?? "").split(separator: ",").map { text in
      guard let address = TLS.CollectorAddress(String(text)), !HostInvitation.isWildcard(address.host) else {
        throw Problem(.badRequest, "addresses takes HOST:PORT that hosts can connect to, separated by commas")
      }
      return address
    }
    let labelWords = lines(question.given("labels"))
    let (actor, endNs) = (question.actor, question.nowNs.addingClamped(lifeNs))
    let made = try await question.database.change { store throws(StoreError) -> Result<JoinToken, Problem> in
      do {
        let labels = try LabelChange.labels(ofNewHost: labelWords)
        return .success(
          try HostInvitation.make(store, endNs: endNs, addresses: addresses, name: name, actor: actor) {
            ($0.usesMax, $0.labels, $0.replaces) = (count, labels, replaces)
          })
      } catch let problem as InvitationProblem {
        return .failure(Problem(.conflict, problem.description))
      } catch let error as StoreError {
        throw error
      } catch {
        return .failure(Problem(.internalServerError, "no invitation was made"))
      }
    }
    return try made.get()
  }

  private static func adminPage(_ question: Question) async throws -> Page {
    let answers = try await question.database.answers([
      (FleetQueries.invitations(all: false), invitationColumns),
      (FleetQueries.certificates(limit: 50), certificateColumns),
      (AccessQueries.credentials(all: false), ShownColumns.credentials),
      (AccessQueries.audit(actor: nil, action: nil, sinceNs: nil, limit: 100), ShownColumns.audit),
      (AccessQueries.receiverEvents(), ShownColumns.receiverEvents),
    ])
    var blocks: [Page.Block] = [
      .heading("Invite a host"),
      .form(
        .init(
          path: "/admin/invite", button: "Invite",
          inputs: [
            .init(name: "name", label: "Name"), .init(name: "for", label: "Good for", value: "1h"),
            .init(name: "count", label: "Hosts", value: "1"),
            .init(name: "labels", label: "Labels (KEY=VALUE, one a line)", isLong: true, isOptional: true),
          ])),
      .table(name: "invitations", answers[0], empty: "No invitation is open."),
    ]
    blocks += ids(answers[0]).map { id, name in
      .form(
        .init(
          path: "/api/v1/invitations/\(PercentEncoding.pathPart(id))/withdraw", button: "Withdraw \(id), for \(name)"))
    }
    if answers[0].rows.count > buttonsMax {
      blocks.append(
        .text("Of more than \(buttonsMax) the newest have a button: signalbox hosts uninvite ID withdraws any."))
    }
    blocks += [
      .heading("Certificates, the first to expire first"),
      .table(
        name: "certificates", answers[1], links: [.init(column: "host", path: "/hosts/")],
        empty: "No host has a certificate."),
      .heading("What lets somebody in"), .table(name: "credentials", answers[2], empty: "Nothing."),
      .form(
        .init(
          path: "/admin/token", button: "Make a token",
          inputs: [
            .init(name: "name", label: "Name"), .init(name: "role", label: "Role", value: Role.viewer.rawValue),
            .init(name: "for", label: "Good for", value: "90d"),
          ])),
      .form(
        .init(
          path: "/api/v1/tokens/revoke", button: "Revoke", inputs: [.init(name: "name", label: "Name or ID")])),
      .heading("What PagerDuty and Slack sent back in the last seven days"),
      .table(name: "receiver_events", answers[4], empty: "Nothing."),
    ]
    if let connections = question.console.slack.answer {
      blocks += [
        .heading("Connections of this console to Slack, by which its buttons act"),
        .table(name: "slack_connections", connections, empty: "None."),
      ]
    }
    blocks += [
      .heading("The newest 100 changes"), .table(name: "audit", answers[3], empty: "Nothing was changed yet."),
    ]
    return Page(title: "Admin", blocks: blocks, command: "signalbox audit")
  }

  private static func ids(_ invitations: Answer) -> [(id: String, name: String)] {
    guard let id = invitations.columns.firstIndex(where: { $0.name == "id" }),
      let host = invitations.columns.firstIndex(where: { $0.name == "host" })
    else { return [] }
    return invitations.rows.prefix(buttonsMax).compactMap { row in
      guard case .text(let text) = row[id], case .text(let name) = row[host] else { return nil }
      return (text, name)
    }
  }

  private static let invitationColumns: [Answer.Column] = [
    .init("host", "FOR", rank: 0), .init("joined", "JOINED", rank: 2), .init("uses_max", "OF", rank: 3),
    .init("expires", "UNTIL", rank: 1), .init("created_by", "BY", rank: 4), .init("id", "ID", rank: 5),
    .init("replaces", "REPLACES A HOST", rank: 6),
  ]

  private static let certificateColumns: [Answer.Column] = [
    .init("host", "HOST", rank: 0), .init("expires", "UNTIL", rank: 1), .init("issued", "SINCE", rank: 2),
  ]
}
