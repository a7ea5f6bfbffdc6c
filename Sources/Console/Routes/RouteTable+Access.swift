internal import Answers
internal import FleetModel
internal import HTTPTypes
internal import Store

extension RouteTable {
  static let access: [Route] = [
    Route(
      method: .get, path: "/login", role: nil, summary: "A form for a login link's or a token's text.",
      parameters: [next], shape: .page
    ) { question in .page(loginPage(question["next"], question.console.oidc)) },
    // A visit alone uses nothing up: scanners of mails and chats open links before people do.
    Route(
      method: .get, path: "/login/{link}", role: nil, summary: "What a login link shows; its button logs in.",
      parameters: [link], shape: .page
    ) { question in
      guard let owner = try await question.console.login.owner(ofLink: question["link"] ?? "", nowNs: question.nowNs)
      else { throw unusable }
      return .page(
        Page(
          title: "Log in",
          blocks: [
            .text("You log in as \(owner.name), with the role \(owner.role.rawValue)."),
            .form(
              .init(path: "/login/\(PercentEncoding.pathPart(question["link"] ?? ""))", button: "Log in", isMain: true)),
          ]))
    },
    Route(
      method: .post, path: "/login", role: nil, summary: "Begins a session with a login link's or a token's text.",
      parameters: [next], fields: [secretField], shape: .page
    ) { question in try await logIn(question, question.fields["secret"] ?? "", [.link, .token]) },
    Route(
      method: .post, path: "/login/{link}", role: nil, summary: "Begins a session with a login link.",
      parameters: [link], shape: .page
    ) { question in try await logIn(question, question["link"] ?? "", [.link]) },
    Route(
      method: .get, path: OIDCLogin.start, role: nil, summary: "Leads to the identity provider, which logs in.",
      parameters: [next], shape: .page
    ) { question in try await provider(question).start(question) },
    Route(
      method: .get, path: OIDCLogin.callback, role: nil,
      summary: "Where the identity provider leads back to; begins a session.",
      parameters: [
        .init("code", .query, .opaque, "The authorization code.", example: "SplxlOBeZQQYbYS6WxSbIA"),
        .init("state", .query, .opaque, "Of the login that was begun.", example: "af0ifjsldkj"),
        .init("iss", .query, .opaque, "The provider, as RFC 9207 has it.", example: "https://login.example.org"),
        .init("error", .query, .opaque, "Why there is no code.", example: "access_denied"),
      ], allowsEmpty: true, takesOthers: true, shape: .page
    ) { question in try await provider(question).finish(question) },
    Route(
      method: .post, path: "/logout", role: .viewer, summary: "Ends this browser's session.", shape: .page
    ) { question in
      guard let caller = question.caller, caller.kind == .session else {
        throw Problem(.badRequest, "only a browser's session can log out: revoke a token with signalbox tokens revoke")
      }
      let (id, actor, nowNs) = (caller.credentialID, caller.name, question.nowNs)
      _ = try await question.database.change { store throws(StoreError) in
        try store.endCredentials(named: id, actor: actor, nowNs: nowNs)
      }
      return .redirect("/login", cookies: [SessionCookie.clearing])
    },
    Route(
      method: .get, path: "/api/v1/tokens", role: .admin, summary: "Tokens, links and sessions that let somebody in.",
      parameters: [.init("all", .query, .choice(["true", "false"]), "Also those that no longer do.", example: "true")],
      shape: .list
    ) { question in
      .list(
        try await question.database.answer(
          AccessQueries.credentials(all: question["all"] == "true"), ShownColumns.credentials))
    },
    Route(
      method: .get, path: "/api/v1/audit", role: .admin, summary: "Who changed what, the newest first.",
      parameters: [
        .init("actor", .query, .text, "Only of this person, token or program.", example: "ann"),
        .init("action", .query, .text, "Only this action; a * stands for any text.", example: "incidents.*"), since,
        limit, cursor,
      ], shape: .list
    ) { question in
      let count = Int(question.integer("limit") ?? 200)
      let after = try position(question, AccessQueries.auditPosition)
      let query = AccessQueries.audit(
        actor: question["actor"], action: question["action"], sinceNs: question.moment("since"),
        after: after, limit: count + 1)
      return cut(try await question.database.answer(query, ShownColumns.audit), to: count, by: ["id"])
    },
  ]

  private static let secretField = Route.Field(
    name: "secret", summary: "The text of a login link or a token.", charactersMax: 256)

  private static let link = Route.Parameter("link", .path, .text, "The link's secret.", example: "sbk_…")
  private static let next = Route.Parameter(
    "next", .query, .text, "Where to go afterwards: a path of the console.", example: "/incidents/7")
  private static let unusable = Problem(
    .unauthorized,
    "this link or token lets nobody in: it was mistyped, used, revoked, or has expired; ask for a new one")

  private static func provider(_ question: Question) throws -> OIDCLogin {
    guard let oidc = question.console.oidc else {
      throw Problem(.notFound, "no identity provider is configured here: log in with a token or a login link")
    }
    return oidc
  }

  private static func loginPage(_ next: String?, _ oidc: OIDCLogin?) -> Page {
    let provider = oidc.map { oidc in
      Page.Block.links([
        (
          "Log in with \(oidc.settings.label)",
          path: OIDCLogin.start + (next.map { "?next=\(PercentEncoding.pathPart($0))" } ?? "")
        )
      ])
    }
    let path = next.map { "/login?next=\(PercentEncoding.pathPart($0))" } ?? "/login"
    return Page(
      title: "Log in",
      blocks: (provider.map { [$0] } ?? []) + [
        .text("Paste a token, or open a login link: signalbox console link prints one, on the collector's machine."),
        .form(
          .init(
            path: path, button: "Log in", inputs: [.init(name: "secret", label: "Token", isSecret: true)], isMain: true)
        ),
      ])
  }

  private static func logIn(_ question: Question, _ secret: String, _ kinds: [Credential.Kind]) async throws -> Reply {
    guard
      let session = try await question.console.login.begin(with: secret, kinds: kinds, nowNs: question.nowNs)
    else { throw unusable }
    let next = question["next"].flatMap(LocalPath.checked)
    return .redirect(next.map(PercentEncoding.path) ?? "/", cookies: [SessionCookie.setting(session)])
  }
}
