internal import Answers
internal import ArgumentParser
internal import Enrolment
internal import Files
internal import FleetModel
internal import Store
internal import TLS

extension Role: ExpressibleByArgument {}

struct TokensCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokens", abstract: "Who may use the console: tokens of scripts, login links, sessions of browsers.",
    subcommands: [Create.self, List.self, Revoke.self])

  struct Create: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "create", abstract: "A token for a script; prints it, alone on standard output, this once.",
      discussion: """
        curl -H "Authorization: Bearer $TOKEN" https://CONSOLE/api/v1/hosts
        viewer reads, responder acts on incidents, editor changes what is watched, admin gives access.
        """)
    @Argument(help: "Its name: what the audit and timelines of incidents show.") var name: String
    @Option(help: "viewer, responder, editor or admin.") var role: Role
    @Option(help: "How long it is good for, at most 366d.") var expires = "90d"
    @OptionGroup var options: ChangeOptions

    func run() throws {
      let endNs = try AccessLife.end(expires)
      if let client = try options.console() {
        let reply = try client.ask(
          .post("/api/v1/tokens", [("name", name), ("role", role.rawValue), ("for", expires)]))
        return try options.print(reply, value: reply.answer.value("token"))
      }
      let token = try options.change { store throws(StoreError) in
        try IssuedCredential.make(store, .token, name: name, role: role, endNs: endNs, actor: options.actor)
      }
      try options.output.printChange(CredentialSentences.token(name, role, endNs), value: token.text) {
        try options.database.reader().answer(AccessQueries.credential(id: token.id), []).with(
          "token", .text(token.text))
      }
    }
  }

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "What lets somebody in, the newest first.")
    @Flag(help: "Also what no longer does.") var all = false
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
      try output.print(
        database.source(output).answer(.credentials(all: all), ShownColumns.credentials),
        orSay: "nothing lets anybody in; signalbox tokens create NAME --role viewer makes a token")
    }
  }

  struct Revoke: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "revoke", abstract: "Ends everything that lets a name in, at once.")
    @Argument(help: "Name of the token or person; or the ID of one entry of tokens list.") var name: String
    @OptionGroup var options: ChangeOptions

    func run() throws {
      if let client = try options.console() {
        return try options.print(client.ask(.post("/api/v1/tokens/revoke", [("name", name)])))
      }
      let nowNs = Clock.wallNs()
      let count = try options.change { store throws(StoreError) in
        try store.endCredentials(named: name, actor: options.actor, nowNs: nowNs)
      }
      try options.print(CredentialSentences.ended(name, count), AccessQueries.credentials(of: name))
    }
  }
}

struct AuditCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit", abstract: "Who changed what, the newest first: nothing of it can be changed or removed.")
  @Option(name: .customLong("by"), help: "Only of this person, token or program.") var actor: String?
  @Option(help: "Only this action, such as incidents.ack; a * stands for any text.") var action: String?
  @Option(help: "Since: an age such as 2h, or a time.") var since: PointInTime?
  @Option(help: "At most so many.") var limit = 200
  @OptionGroup var database: DatabaseOptions
  @OptionGroup var output: OutputOptions

  func validate() throws { try PositiveNumber.require(limit) }

  func run() throws {
    let question = FleetQuestion.audit(actor: actor, action: action, sinceNs: since?.ns, limit: limit)
    try output.print(database.source(output).answer(question, ShownColumns.audit), orSay: "no entry matches")
  }
}

struct ConsoleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "console", abstract: "The way into the web console.", subcommands: [Link.self])

  struct Link: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "link",
      abstract: "A login link that works once, for 15 minutes; prints it, alone on standard output.")
    @Option(name: .customLong("for"), help: "Who logs in: what the audit and timelines show.") var name: String?
    @Option(help: "viewer, responder, editor or admin.") var role = Role.responder
    @Option(help: "Address of the console; else what it announced when it started.") var url: String?
    @OptionGroup var options: ChangeOptions

    func run() throws {
      let person = name ?? Actor.person
      let made = try options.change { store throws(StoreError) in
        try LoginLink.make(store, url: url, person: person, role: role, actor: options.actor)
      }
      guard let link = made else {
        throw CommandFailure(
          .nothingFound,
          "no console has been started on this database: start signalbox-console, or give --url https://HOST:PORT")
      }
      let end = Timestamp.text(link.endNs, digits: 0)
      try options.output.printChange(
        "'\(person)' can log in with it once, with the role \(role.rawValue), until \(end)", value: link.url
      ) {
        try options.database.reader().answer(AccessQueries.credential(id: link.id), []).with("url", .text(link.url))
      }
    }
  }
}

extension OnCallCommand {
  struct Calendar: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "calendar",
      abstract: "A secret address at which a calendar shows who is on call; prints it, alone on standard output.",
      discussion: """
        Whoever has the address sees who is on call, and nothing else: subscribe to it in a calendar, do not share it.
        signalbox tokens list shows it, signalbox tokens revoke NAME ends it.
        """)
    @Argument(help: "Whose calendar: the name under which it is listed and revoked.") var name: String
    @Option(help: "How long the address is good for, at most 366d.") var expires = "366d"
    @Option(help: "Address of the console; else what it announced when it started.") var url: String?
    @OptionGroup var options: ChangeOptions

    func run() throws {
      let endNs = try AccessLife.end(expires)
      if let url, !CalendarAddress.isOfConsole(url) {
        throw CommandFailure(.usage, "--url takes https://HOST:PORT of a console, not '\(Escaping.visible(url))'")
      }
      if let client = try options.console() {
        let reply = try client.ask(
          .post("/api/v1/oncall/calendars", [("name", name), ("for", expires), ("url", url)]))
        return try options.print(reply, value: reply.answer.value("url"))
      }
      let made = try options.change { store throws(StoreError) in
        try CalendarAddress.make(store, url: url, name: name, endNs: endNs, actor: options.actor)
      }
      guard let made else {
        throw CommandFailure(
          .nothingFound,
          "no console has been started on this database: start signalbox-console, or give --url https://HOST:PORT")
      }
      try options.output.printChange(CredentialSentences.calendar(name, endNs), value: made.url) {
        try options.database.reader().answer(AccessQueries.credential(id: made.secret.id), []).with(
          "url", .text(made.url))
      }
    }
  }
}

/// The address of a login page with a secret that works once.
struct LoginLink {
  let id: String
  let url: String
  /// ns since 1970.
  let endNs: Int64

  private static let lifeNs: Int64 = 15 * 60 * 1_000_000_000

  /// - Parameter url: of the console; nil takes what it announced.
  /// - Returns: nil where none is known.
  static func make(
    _ store: Store, url: String?, person: String, role: Role, actor: String
  ) throws(StoreError) -> LoginLink? {
    guard let base = try IssuedCredential.console(store, url) else { return nil }
    let endNs = Clock.wallNs().addingClamped(lifeNs)
    let secret = try IssuedCredential.make(store, .link, name: person, role: role, endNs: endNs, actor: actor)
    return LoginLink(id: secret.id, url: "\(base)/login/\(secret.text)", endNs: endNs)
  }
}

enum AccessLife {
  /// ns since 1970. - Throws: `.usage`.
  static func end(_ text: String) throws -> Int64 {
    let daysMax = IssuedCredential.daysMax
    guard let lifeNs = TimeSpan.parse(text), lifeNs <= daysMax * 86_400_000_000_000 else {
      throw CommandFailure(.usage, "--expires takes a time of up to \(daysMax)d, such as 90d, not '\(text)'")
    }
    return Clock.wallNs().addingClamped(lifeNs)
  }
}
