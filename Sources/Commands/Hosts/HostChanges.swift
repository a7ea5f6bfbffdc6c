internal import Answers
internal import ArgumentParser
internal import Enrolment
internal import Files
internal import FleetModel
internal import Store

extension HostsCommand {
  struct Label: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "label",
      abstract: "Sets and removes labels of a host, by which rules and profiles choose; prints all that it then has.",
      discussion: """
        signalbox hosts label gpu-07 role=trainer rack=a old-label-
        Labels of many hosts by their names stand in signalbox.yaml under hosts:; these here take their place.
        """)
    @Argument(help: "The host's name.") var name: String
    @Argument(help: "KEY=VALUE sets, KEY- removes.") var changes: [String] = []
    @OptionGroup var options: ChangeOptions

    func run() throws {
      if changes.isEmpty { throw CommandFailure(.usage, "say what to change: KEY=VALUE sets a label, KEY- removes it") }
      let change = try CommandFailure.ofBadLabel { () throws(StoreError) in try LabelChange(changes) }
      if let client = try options.console() {
        let fields = [("labels", Optional(changes.joined(separator: "\n")))]
        return try options.print(client.ask(.change(host: name, "labels", fields)))
      }
      let labels = try options.change(host: name) { (store) throws(StoreError) in
        try store.label(hostName: name, set: change.set, remove: change.remove, actor: options.actor)
      }
      try options.print(HostSentences.labels(name, labels), FleetQueries.activeHost(named: name))
    }
  }

  struct Rename: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "rename", abstract: "Gives a host another name; all that is stored of it stays.",
      discussion: "Open incidents keep the name under which they were opened.")
    @Argument(help: "The host's name.") var name: String
    @Argument(help: "Its new name.") var newName: String
    @OptionGroup var options: ChangeOptions

    func run() throws {
      if let client = try options.console() {
        return try options.print(client.ask(.change(host: name, "rename", [("name", newName)])))
      }
      try options.change(host: name) { (store) throws(StoreError) in
        try store.rename(hostName: name, to: newName, actor: options.actor)
      }
      try options.print(HostSentences.renamed(name, to: newName), FleetQueries.activeHost(named: newName))
    }
  }

  struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "remove",
      abstract: "Takes a host out of the fleet for good: revoked, and no longer listed.",
      discussion: """
        Its samples and lines stay until their retention ends, its runs and episodes for good; --host NAME still finds them.
        Invited again, its name is another host's. A host that is to come back is revoked instead.
        """)
    @Argument(help: "The host's name.") var name: String
    @OptionGroup var options: ChangeOptions

    func run() throws {
      if let client = try options.console() {
        return try options.print(client.ask(.change(host: name, "remove")))
      }
      try options.change(host: name) { (store) throws(StoreError) in
        try store.remove(hostName: name, actor: options.actor)
      }
      try options.output.printChange(HostSentences.removed(name)) { HostSentences.gone(name) }
    }
  }
}

extension ChangeOptions {
  /// Changes one host; a failure becomes a sentence with its exit code.
  @discardableResult
  func change<Result>(host name: String, _ body: (Store) throws(StoreError) -> Result) throws -> Result {
    let store = try database.store()
    defer { store.close() }
    do throws(StoreError) {
      return try body(store)
    } catch .unknownHost {
      throw CommandFailure(
        .nothingFound, "no active host is called '\(Escaping.visible(name))'; signalbox hosts list shows them")
    } catch .badHostName(let name) {
      throw CommandFailure(.usage, "\(StoreError.badHostName(Escaping.visible(name)))")
    } catch .badLabel(let problem) {
      throw CommandFailure(.usage, problem)
    } catch {
      throw CommandFailure(error)
    }
  }
}

extension CommandFailure {
  /// What is no label is one for the database as for a console. - Throws: `.usage`.
  static func ofBadLabel<Value>(_ read: () throws(StoreError) -> Value) throws -> Value {
    do throws(StoreError) {
      return try read()
    } catch {
      throw CommandFailure(.usage, error.description)
    }
  }
}

extension ConsoleCall {
  /// - Parameter change: the last part of the address.
  static func change(host name: String, _ change: String, _ fields: [(String, String?)] = []) -> ConsoleCall {
    .post("/api/v1/hosts/\(PercentEncoding.pathPart(name))/\(change)", fields)
  }
}
