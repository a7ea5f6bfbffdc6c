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
    .init("host", "HOST"), .init("state", "STATE"), .init("last_seen", "SEEN", .age), .init("os_name", "SYSTEM"),
    .init("cpu_count", "CPUS"), .init("memory_total_bytes", "MEMORY", .bytes), .init("gpu_count", "GPUS"),
    .init("agent_version", "AGENT"), .init("certificate_expires", "CERTIFICATE UNTIL"),
  ]

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "All hosts.")
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
      let answer = try database.reader().answer(FleetQueries.hosts(), HostsCommand.shown)
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

    func run() throws {
      let reader = try database.reader()
      let host = try reader.answer(FleetQueries.hosts(named: name), HostsCommand.shown)
      let nothing = "no host is called '\(name)'; signalbox hosts list shows them"
      if host.rows.isEmpty { return try output.print(host, orSay: nothing) }
      if processes { return try output.print(running(reader), orSay: "no training process runs on '\(name)'") }
      if output.format != .table {
        let whole = try host.with("quotas") { _ in try quotas(reader) }.with("processes") { _ in try running(reader) }
        return try output.print(whole.with("files") { _ in try files(reader) })
      }
      try output.print(host)
      for part in try [quotas(reader), running(reader), files(reader)] where !part.rows.isEmpty {
        try StandardStream.output.write("\n")
        try output.print(part)
      }
    }

    private func quotas(_ reader: FleetReader) throws -> Answer {
      try reader.answer(
        FleetQueries.quotas(host: name),
        [
          .init("kind", "BEYOND ITS QUOTA"), .init("rows_refused", "REFUSED"), .init("first", "FIRST", .age),
          .init("last", "LAST", .age),
        ])
    }

    private func running(_ reader: FleetReader) throws -> Answer {
      try reader.answer(
        FleetQueries.processes(host: name),
        [
          .init("pid", "PID"), .init("name", "PROCESS"), .init("user", "USER"), .init("cpu_percent", "CPU", .percent),
          .init("resident_bytes", "MEMORY", .bytes), .init("threads", "THREADS"), .init("file_descriptors", "FILES"),
          .init("state", "STATE"),
        ])
    }

    private func files(_ reader: FleetReader) throws -> Answer {
      try reader.answer(
        FleetQueries.files(host: name),
        [
          .init("file", "FILE"), .init("committed_offset", "STORED", .bytes), .init("finished", "FINISHED"),
          .init("updated", "UPDATED", .age),
        ])
    }
  }

  struct Revoke: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "revoke",
      abstract: "Takes a host out of the fleet and cuts its connection within a second.",
      discussion: "Invited again under its name, the same machine is the same host: nothing is read or stored twice.")
    @Argument(help: "The host's name.") var name: String
    @OptionGroup var database: DatabaseOptions

    func run() throws {
      try database.change(host: name) { (store) throws(StoreError) in
        try store.revoke(hostName: name, actor: Actor.name)
      }
    }
  }
}

/// Who changes something, for the audit log.
enum Actor {
  static var name: String { "cli " + (Process.environment("SUDO_USER") ?? Process.environment("USER") ?? "unknown") }
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
