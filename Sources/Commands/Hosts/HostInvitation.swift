internal import Answers
internal import ArgumentParser
internal import Enrolment
internal import Files
internal import FleetModel
internal import Postgres
internal import Store
internal import TLS

extension HostsCommand {
  struct Invite: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "invite",
      abstract: "A join token for one host, or for several; prints the token, alone on standard output.",
      discussion: """
        On the host: signalbox-agent join - --state-dir DIR, and paste the token.
        With --count the name may hold one *: hosts join under their own names, where these fit, such as 'gpu-*'.
        """)
    @Argument(help: "The host's name in the fleet; with --count a pattern such as 'gpu-*'.") var name: String
    @Option(help: "How long the token is good for, at most 30d.") var expires = "1h"
    @Option(help: "How many hosts may join with it.") var count = 1
    @Option(name: .customLong("label"), help: "KEY=VALUE that the host gets; may be repeated.")
    var labels: [String] = []
    @Flag(help: "The machine takes the place of the host of that name that is in the fleet.") var replace = false
    @Option(help: "HOST:PORT of a collector for the token; may be repeated; else what the collectors have announced.")
    var address: [String] = []
    @OptionGroup var options: ChangeOptions

    func run() throws {
      guard let lifeNs = TimeSpan.parse(expires), lifeNs > 0, lifeNs <= HostInvitation.lifeMaxNs else {
        throw CommandFailure(.usage, "--expires takes a time of up to 30d, such as 1h, not '\(expires)'")
      }
      guard (1...Invitation.usesLimit).contains(count) else {
        throw CommandFailure(.usage, "--count takes 1 to \(Invitation.usesLimit) hosts, not \(count)")
      }
      if count > 1, !HostNaming.isPattern(name) {
        throw CommandFailure(
          .usage, "an invitation of several hosts needs a * in its name, such as 'gpu-*': each joins under its own name"
        )
      }
      let addresses = try address.map { text in
        guard let address = TLS.CollectorAddress(text), !HostInvitation.isWildcard(address.host) else {
          throw CommandFailure(.usage, "--address takes HOST:PORT that hosts can connect to, not '\(text)'")
        }
        return address
      }
      let labels = try CommandFailure.ofBadLabel { () throws(StoreError) in
        try LabelChange.labels(ofNewHost: self.labels)
      }
      if let client = try options.console() { return try invite(client) }
      let endNs = Clock.wallNs().addingClamped(lifeNs)
      let token = try HostInvitation.make(
        database: options.database.url(), endNs: endNs, addresses: addresses, name: name, actor: options.actor
      ) {
        $0.usesMax = count
        $0.labels = labels
        $0.replaces = replace
      }
      let uses = count == 1 ? "once" : "for \(count) hosts"
      let sentence = "invited '\(name)': the token is good \(uses), until \(Timestamp.text(endNs, digits: 0))"
      try options.output.printChange(sentence, value: token.text) {
        try options.database.reader().answer(FleetQueries.invitations(id: token.id), []).with(
          "token", .text(token.text))
      }
    }

    private func invite(_ client: ConsoleClient) throws {
      let reply = try client.ask(
        .post(
          "/api/v1/invitations",
          [
            ("name", name), ("for", expires), ("count", String(count)),
            ("labels", labels.isEmpty ? nil : labels.joined(separator: "\n")), ("replace", replace ? "true" : nil),
            ("addresses", address.isEmpty ? nil : address.joined(separator: ",")),
          ]))
      try options.print(reply, value: reply.answer.value("token"))
    }
  }

  struct Invitations: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "invitations", abstract: "Join tokens that can still be used.")
    @Flag(help: "Also those that are used, expired or withdrawn.") var all = false
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
      let answer = try database.source(output).answer(
        .invitations(all: all),
        [
          .init("id", "ID", rank: 0, least: 12), .init("host", "FOR", rank: 1, least: 12),
          .init("state", "STATE", rank: 2), .init("joined", "JOINED", rank: 4),
          .init("uses_max", "OF", rank: 5), .init("expires", "UNTIL", rank: 3), .init("created_by", "BY", rank: 6),
        ])
      try output.print(answer, orSay: "no invitation is open; signalbox hosts invite NAME makes one")
    }
  }

  struct Uninvite: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "uninvite", abstract: "Withdraws a join token; hosts that have joined with it stay.")
    @Argument(help: "The token's id, as signalbox hosts invitations shows it.") var id: String
    @OptionGroup var options: ChangeOptions

    func run() throws {
      if let client = try options.console() {
        return try options.print(client.ask(.post("/api/v1/invitations/\(PercentEncoding.pathPart(id))/withdraw")))
      }
      try withdraw()
      try options.print(
        "invitation \(id) is withdrawn; hosts that have joined with it stay", FleetQueries.invitations(id: id))
    }

    private func withdraw() throws {
      let store = try options.database.store()
      defer { store.close() }
      do throws(StoreError) {
        try store.withdrawInvitation(id, actor: options.actor, nowNs: Clock.wallNs())
      } catch StoreError.unknownInvitation {
        throw CommandFailure(
          .nothingFound,
          "no open invitation has the id '\(Escaping.visible(id))'; signalbox hosts invitations shows them")
      } catch {
        throw CommandFailure(error)
      }
    }
  }
}

extension HostInvitation {
  /// Over a connection of its own.
  /// - Throws: `CommandFailure`.
  static func make(
    database: DatabaseURL, endNs: Int64, addresses: [TLS.CollectorAddress], name: String, actor: String = Actor.name,
    fill: (inout Invitation) -> Void = { _ in }
  ) throws -> JoinToken {
    let store = try DatabaseOptions.store(database)
    defer { store.close() }
    do {
      return try make(store, endNs: endNs, addresses: addresses, name: name, actor: actor, fill: fill)
    } catch let problem as InvitationProblem {
      throw CommandFailure(.failed, problem.description)
    } catch StoreError.badHostName {
      throw CommandFailure(
        .usage,
        "'\(Escaping.visible(name))' is no host name: up to 255 letters, digits, dots, dashes and underscores, no dash in front"
      )
    } catch StoreError.hostNameInUse {
      throw CommandFailure(
        .failed,
        "a host called '\(name)' is in the fleet: revoke it first, or let another machine take its place with --replace"
      )
    } catch let failure as StoreError {
      throw CommandFailure(failure)
    }
  }
}
