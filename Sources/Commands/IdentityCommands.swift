internal import Answers
internal import ArgumentParser
internal import Files
internal import FleetModel
internal import Postgres
internal import Store
internal import TLS

struct HostsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hosts", abstract: "Who belongs to the fleet.",
    subcommands: [
      Invite.self, Invitations.self, Uninvite.self, List.self, Show.self, Label.self, Rename.self, Revoke.self,
      Remove.self,
    ])

  static let shown: [Answer.Column] = [
    .init("host", "HOST", rank: 0, least: 16), .init("state", "STATE", rank: 1),
    .init("last_seen", "SEEN", .age, rank: 2), .init("os_name", "SYSTEM", rank: 7),
    .init("cpu_count", "CPUS", rank: 4), .init("memory_total_bytes", "MEMORY", .bytes, rank: 5),
    .init("gpu_count", "GPUS", rank: 3),
    .init("agent_version", "AGENT", rank: 8), .init("certificate_expires", "CERTIFICATE UNTIL", rank: 6),
  ]

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "All hosts.")
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
      let answer = try database.source(output).answer(.hosts, HostsCommand.shown)
      try output.print(answer, orSay: "no host has joined yet; signalbox hosts invite NAME begins")
    }
  }

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "show", abstract: "One host, its files and its training processes.")
    @Argument(help: "The host's name or id.") var name: String
    @Flag(help: "Only its training processes.") var processes = false
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var completeness: CompletenessOptions

    func run() throws {
      let reader = try database.source(output)
      let host = try reader.answer(.host(name), HostsCommand.shown)
      let nothing = "no host is called '\(name)'; signalbox hosts list shows them"
      if host.rows.isEmpty { return try output.print(host, orSay: nothing) }
      guard processes else { return try print(host, reader) }
      try completeness.check(reader, host.hosts) { try print(host, reader) }
    }

    private func print(_ host: Answer, _ reader: FleetSource) throws {
      var host = host
      if processes { return try output.print(running(reader), orSay: "no training process runs on '\(name)'") }
      if output.format != .table {
        let whole = try host.with("quotas") { _ in try quotas(reader) }.with("processes") { _ in try running(reader) }
        let passedOver = try reader.answer(.passedOver(name))
        return try output.print(whole.with("files") { _ in try files(reader) }.with("passed_over") { _ in passedOver })
      }
      host.notes = try FollowingNotes.notes(reader.answer(.passedOver(name)))
      try output.print(host)
      let curves = try HostMetric.curves(reader, host: Self.name(host) ?? name, nowNs: Clock.wallNs())
      if curves.contains(where: { $0.values.contains { $0 != nil } }) { try StandardStream.output.write("\n") }
      try output.printCurves(curves)
      for part in try [quotas(reader), running(reader), files(reader)] where !part.rows.isEmpty {
        try StandardStream.output.write("\n")
        try output.print(part)
      }
    }

    /// A host may have been named by its id.
    private static func name(_ host: Answer) -> String? {
      if case .text(let name)? = host.value("host") { name } else { nil }
    }

    private func quotas(_ reader: FleetSource) throws -> Answer {
      try reader.answer(
        .quotas(name),
        [
          .init("kind", "BEYOND ITS QUOTA"), .init("rows_refused", "REFUSED"), .init("first", "FIRST", .age),
          .init("last", "LAST", .age),
        ])
    }

    private func running(_ reader: FleetSource) throws -> Answer {
      try reader.answer(
        .processes(name),
        [
          .init("pid", "PID", rank: 0), .init("name", "PROCESS", rank: 1), .init("user", "USER", rank: 4),
          .init("cpu_percent", "CPU", .percent, rank: 2),
          .init("resident_bytes", "MEMORY", .bytes, rank: 3), .init("threads", "THREADS", rank: 6),
          .init("file_descriptors", "FILES", rank: 7),
          .init("state", "STATE", rank: 5),
        ])
    }

    private func files(_ reader: FleetSource) throws -> Answer {
      try reader.answer(
        .files(name),
        [
          .init("file", "FILE", rank: 0, least: 20), .init("committed_offset", "STORED", .bytes, rank: 2),
          .init("finished", "FINISHED", rank: 3),
          .init("updated", "UPDATED", .age, rank: 1),
        ])
    }
  }

  struct Revoke: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "revoke",
      abstract: "Takes a host out of the fleet and cuts its connection within a second.",
      discussion: "Invited again under its name, the same machine is the same host: nothing is read or stored twice.")
    @Argument(help: "The host's name.") var name: String
    @OptionGroup var options: ChangeOptions

    func run() throws {
      if let client = try options.console() {
        return try options.print(client.ask(.change(host: name, "revoke")))
      }
      let host = try options.change(host: name) { (store) throws(StoreError) in
        try store.revoke(hostName: name, actor: options.actor)
      }
      try options.print(
        HostSentences.revoked(name), FleetQueries.hosts(named: host.description))
    }
  }
}

/// Who changes something, for the audit log.
enum Actor {
  static var name: String { "cli " + person }

  /// The shell's user; services and containers set neither variable.
  static var person: String {
    Process.environment("SUDO_USER") ?? Process.environment("USER") ?? "uid \(Process.effectiveUser)"
  }
}

extension CommandFailure {
  init(_ error: StoreError) {
    switch error {
    case .database(let database): self.init(database)
    default: self.init(.failed, error.description)
    }
  }
}

extension DatabaseOptions {
  func store() throws -> Store { try Self.store(url()) }

  static func store(_ url: DatabaseURL) throws -> Store {
    do {
      return try Store.open(url)
    } catch {
      throw CommandFailure(error)
    }
  }
}
