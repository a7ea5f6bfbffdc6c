internal import ArgumentParser
internal import Files
internal import FleetModel
internal import Postgres
internal import Store
internal import TLS

struct HostsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hosts", abstract: "Who belongs to the fleet.",
    subcommands: [Invite.self, List.self, Show.self, Revoke.self])

  static let shown: [Answer.Column] = [
    .init("host", "HOST"), .init("state", "STATE"), .init("last_seen", "SEEN", .age), .init("os_name", "SYSTEM"),
    .init("cpu_count", "CPUS"), .init("memory_total_bytes", "MEMORY", .bytes), .init("gpu_count", "GPUS"),
    .init("agent_version", "AGENT"), .init("certificate_expires", "CERTIFICATE UNTIL"),
  ]

  struct Invite: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "invite",
      abstract: "A join token for one host; prints the token and nothing else.",
      discussion: "The token works once. On the host: signalbox-agent join TOKEN --state-dir DIR")
    @Argument(help: "The host's name in the fleet.") var name: String
    @Option(help: "How long the token is good for.") var expires = "1h"
    @Option(help: "HOST:PORT of a collector for the token; may be repeated; else what the collectors have announced.")
    var address: [String] = []
    @OptionGroup var database: DatabaseOptions

    func run() throws {
      guard let lifeNs = TimeSpan.parse(expires), lifeNs <= 30 * 86_400_000_000_000 else {
        throw CommandFailure(.usage, "--expires takes a time of up to 30d, such as 1h, not '\(expires)'")
      }
      let addresses = try address.map { text in
        guard let address = TLS.CollectorAddress(text) else {
          throw CommandFailure(.usage, "--address takes HOST:PORT, not '\(text)'")
        }
        return address
      }
      let token = try HostInvitation.make(name: name, database: database.url(), lifeNs: lifeNs, addresses: addresses)
      try StandardStream.output.write(token + "\n")
    }
  }

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
      abstract: "Takes a host out of the fleet and cuts its connection within a second.")
    @Argument(help: "The host's name.") var name: String
    @OptionGroup var database: DatabaseOptions

    func run() throws {
      let store = try database.store()
      defer { store.close() }
      do throws(StoreError) {
        try store.revoke(hostName: name, actor: Actor.name)
      } catch StoreError.unknownHost {
        throw CommandFailure(.nothingFound, "no active host is called '\(name)'; signalbox hosts list shows them")
      } catch {
        throw CommandFailure(error)
      }
    }
  }
}

/// Makes join tokens, for `hosts invite` and the demo.
enum HostInvitation {
  static func make(
    name: String, database: DatabaseURL, lifeNs: Int64, addresses: [TLS.CollectorAddress]
  ) throws -> String {
    let store = try DatabaseOptions.store(database)
    defer { store.close() }
    do {
      let collectors = try store.collectors()
      let pins = Array(Set(collectors.compactMap { Hex.bytes($0.caPin) })).prefix(JoinToken.pinsMax)
      let known = collectors.compactMap { TLS.CollectorAddress($0.address) }.prefix(JoinToken.addressesMax)
      guard !pins.isEmpty, !known.isEmpty || !addresses.isEmpty else {
        throw CommandFailure(
          .failed, "no collector has announced itself in this database; start signalbox-collector once")
      }
      let token = JoinToken.make(pins: Array(pins), addresses: addresses.isEmpty ? Array(known) : addresses)
      try store.createJoinToken(
        id: token.id, secretHash: token.secretHash, hostName: name, expiresNs: Clock.wallNs() + lifeNs,
        actor: Actor.name)
      return token.text
    } catch StoreError.badHostName {
      throw CommandFailure(
        .usage, "'\(Escaping.visible(name))' is no host name: letters, digits, dots, dashes and underscores, up to 255")
    } catch let failure as StoreError {
      throw CommandFailure(failure)
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

struct CACommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ca", abstract: "The fleet's certificate authority.", subcommands: [Init.self, Show.self])

  struct Init: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "init",
      abstract: "Makes the root and the issuing CA below a collector's state directory.",
      discussion: "A collector makes them itself at its first start. ca/root.key may be kept offline afterwards.")
    @Option(name: .customLong("state-dir"), help: "The collector's state directory.") var stateDirectory: String

    func run() throws {
      do throws(IdentityError) {
        _ = try CertificateAuthority.create(directory: stateDirectory, nowNs: Clock.wallNs())
      } catch {
        throw CommandFailure(.failed, error.description)
      }
    }
  }

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "show", abstract: "Pin and end of root and issuing CA.")
    @Option(name: .customLong("state-dir"), help: "The collector's state directory.") var stateDirectory: String
    @OptionGroup var output: OutputOptions

    func run() throws {
      let authority: CertificateAuthority
      do throws(IdentityError) {
        authority = try CertificateAuthority.load(directory: stateDirectory)
      } catch {
        throw CommandFailure(.failed, error.description)
      }
      try output.print(
        Answer(
          columns: [.init("certificate", "CERTIFICATE"), .init("expires", "UNTIL"), .init("pin", "PIN")],
          rows: [
            [.text("root"), .time(authority.root.notAfterNs), .text(Hex.text(authority.root.keyPin))],
            [.text("issuing"), .time(authority.issuing.notAfterNs), .text(Hex.text(authority.issuing.keyPin))],
          ]))
    }
  }
}
