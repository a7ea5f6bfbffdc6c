internal import Answers
internal import ArgumentParser
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
      let change = try LabelChange(changes)
      if changes.isEmpty { throw CommandFailure(.usage, "say what to change: KEY=VALUE sets a label, KEY- removes it") }
      let labels = try options.change(host: name) { (store) throws(StoreError) in
        try store.label(hostName: name, set: change.set, remove: change.remove, actor: options.actor)
      }
      let text = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
      try options.print(
        "host '\(name)' has " + (text.isEmpty ? "no labels" : "the labels \(text)"),
        FleetQueries.activeHost(named: name))
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
      try options.change(host: name) { (store) throws(StoreError) in
        try store.rename(hostName: name, to: newName, actor: options.actor)
      }
      try options.print("host '\(name)' is called '\(newName)' now", FleetQueries.activeHost(named: newName))
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
      try options.change(host: name) { (store) throws(StoreError) in
        try store.remove(hostName: name, actor: options.actor)
      }
      let sentence =
        "host '\(name)' is removed; its samples and lines stay until their retention ends, its runs and episodes for good"
      try options.output.printChange(sentence) {
        Answer(columns: [.init("host"), .init("state")], rows: [[.text(name), .text("removed")]])
      }
    }
  }
}

/// Words such as `role=trainer` and `role-`.
struct LabelChange {
  private(set) var set: [String: String] = [:]
  private(set) var remove: [String] = []

  init(_ words: [String]) throws {
    for word in words {
      if let equals = word.firstIndex(of: "=") {
        let (key, value) = (String(word[..<equals]), String(word[word.index(after: equals)...]))
        if let problem = HostNaming.problem(ofLabel: key, value) { throw CommandFailure(.usage, problem) }
        set[key] = value
      } else if word.hasSuffix("-"), word.utf8.count > 1 {
        remove.append(String(word.dropLast()))
      } else {
        throw CommandFailure(.usage, "'\(Escaping.visible(word))' is no label: write KEY=VALUE, or KEY- to remove it")
      }
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
