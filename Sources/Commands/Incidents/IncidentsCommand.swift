internal import Answers
internal import ArgumentParser
internal import Files
internal import FleetModel
internal import Incidents
internal import Store

struct IncidentsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "incidents", abstract: "What is wrong, since when, and who takes care of it.",
    subcommands: [List.self, Show.self, Acknowledge.self, Note.self, Resolve.self, ReplyCommand.self])

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list",
      abstract: "Incidents that are not resolved, the most urgent first; muted ones too.")
    @Option(help: "open, acked, muted, resolved or all; else everything that is not resolved.") var state: String?
    @OptionGroup var host: HostFilter
    @Option(help: "Only of this rule; a * stands for any text.") var rule: String?
    @Option(help: "Opened since: an age such as 2h, or a time.") var since: PointInTime?
    @Option(help: "At most so many.") var limit = 1000
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
      if let state, state != "all", IncidentState(rawValue: state) == nil {
        throw ValidationError("--state takes open, acked, muted, resolved or all, not '\(state)'.")
      }
      if !(1...100_000).contains(limit) { throw ValidationError("--limit takes 1 to 100000, not \(limit).") }
    }

    func run() throws {
      let reader = try database.source(output)
      let answer = try reader.answer(
        .incidents(state: state, host: host.pattern, rule: rule, sinceNs: since?.ns, limit: limit),
        ShownColumns.incidents)
      // An incident outlives its host's row.
      if answer.rows.isEmpty { try reader.requireHosts([host.pattern]) }
      try output.print(answer, orSay: "no incident")
    }
  }

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "show",
      abstract: "One incident with its evidence, steps, timeline and messages.")
    @Argument(help: "Its number.") var number: Int64
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
      let reader = try database.source(output)
      let incident = try reader.answer(.incident(number), ShownColumns.incidents)
      guard output.format == .table, !incident.rows.isEmpty else {
        return try output.print(incident, orSay: "no incident has the number \(number)")
      }
      let texts = try reader.answer(.incidentTexts(number))
      let page = IncidentPage(IncidentDetails(incident, texts, nowNs: Clock.wallNs()), width: output.width)
      try StandardStream.output.write(page.text)
      try StandardStream.output.write("\n")
      try output.printWhole(
        reader.answer(
          .timeline(number),
          [
            .init("time", "TIME", rank: 0), .init("kind", "WHAT", rank: 2), .init("actor", "WHO", rank: 3),
            .init("detail", "DETAIL", rank: 1, least: 18),
          ]))
      let deliveries = try reader.answer(
        .deliveries(number),
        [
          .init("receiver", "RECEIVER", rank: 0), .init("event", "MESSAGE", rank: 3), .init("state", "STATE", rank: 1),
          .init("due", "DUE", rank: 4),
          .init("attempts", "ATTEMPTS", rank: 5), .init("last_answer", "ANSWER", rank: 2, least: 16),
        ])
      guard !deliveries.rows.isEmpty else { return }
      try StandardStream.output.write("\n")
      try output.printWhole(deliveries)
    }
  }

  struct Acknowledge: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "ack", abstract: "Takes care: nobody else is paged about it.",
      discussion:
        "Several numbers are taken one by one; one that is over or unknown is named, and ends the command with 3.")
    @OptionGroup var incidents: IncidentNumbers
    @OptionGroup var options: ChangeOptions

    func run() throws {
      try incidents.change(options, verb: "ack") { store, number throws(StoreError) in
        try store.acknowledge(incident: number, actor: options.actor, nowNs: Clock.wallNs())
      } sentence: { number, change in
        switch change {
        case .done: "incident \(number) is acknowledged by \(options.actor)"
        case .before(let sinceNs, let name):
          "incident \(number) has been acknowledged by \(name ?? "nobody") since \(Timestamp.text(sinceNs, digits: 0)); nothing is changed"
        }
      }
    }
  }

  struct Note: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "note", abstract: "Writes a line into its timeline.")
    @Argument(help: "Its number.") var number: Int64
    @Argument(help: "The line.") var text: String
    @OptionGroup var options: ChangeOptions

    func validate() throws {
      if text.unicodeScalars.allSatisfy(\.properties.isWhitespace) {
        throw ValidationError("the line is empty: write what is to stand in the timeline.")
      }
    }

    func run() throws {
      if let client = try options.console() {
        return try options.print(client.ask(.post("/api/v1/incidents/\(number)/note", [("text", text)])))
      }
      try options.change { store throws(StoreError) in
        try store.addNote(incident: number, actor: options.actor, text: text, nowNs: Clock.wallNs())
      }
      try options.print("noted in the timeline of incident \(number)", IncidentQueries.one(number))
    }
  }

  struct Resolve: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "resolve", abstract: "Ends it by hand.",
      discussion: "Several numbers are taken one by one; one that is unknown is named, and ends the command with 3.")
    @OptionGroup var incidents: IncidentNumbers
    @OptionGroup var options: ChangeOptions

    func run() throws {
      try incidents.change(options, verb: "resolve") { store, number throws(StoreError) in
        try store.resolve(incident: number, actor: options.actor, nowNs: Clock.wallNs())
      } sentence: { number, change in
        switch change {
        case .done: "incident \(number) is resolved by \(options.actor)"
        case .before(let sinceNs, let name):
          "incident \(number) has been over since \(Timestamp.text(sinceNs, digits: 0)), ended by \(name ?? "its rule"); nothing is changed"
        }
      }
    }
  }
}

/// One incident or several that a command changes.
struct IncidentNumbers: ParsableArguments {
  @Argument(help: "Its number, or several.") var numbers: [Int64]

  /// Changes each in a transaction of its own, so that one that cannot be changed keeps no other from it.
  /// - Throws: `.nothingFound` after all others, where some are unknown.
  func change(
    _ options: ChangeOptions, verb: String, _ change: (Store, Int64) throws(StoreError) -> HandChange,
    sentence: (Int64, HandChange) -> String
  ) throws {
    if let client = try options.console() { return try options.changeEach(numbers, client, verb: verb) }
    var sentences: [String] = []
    var changed: [Int64] = []
    var problems: [String] = []
    for number in numbers where !changed.contains(number) {
      do {
        let result = try options.change { store throws(StoreError) in try change(store, number) }
        sentences.append(sentence(number, result))
        changed.append(number)
      } catch let failure as CommandFailure where failure.code == .nothingFound {
        problems.append(failure.message)
      }
    }
    if !changed.isEmpty { try options.print(sentences, IncidentQueries.several(changed)) }
    if !problems.isEmpty { throw CommandFailure(.nothingFound, problems.joined(separator: "; ")) }
  }
}
