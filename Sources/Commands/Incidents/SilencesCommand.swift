internal import Answers
internal import ArgumentParser
internal import Files
internal import FleetModel
internal import Incidents
internal import Store

struct SilencesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "silences", abstract: "What must not page for a while.", subcommands: [Add.self, List.self, End.self])

  struct Add: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "add",
      abstract: "Mutes what matches until an end, or in a window that comes back; prints the silence's number.",
      discussion: """
        Muted incidents stay visible; what still holds when a silence ends is paged then. A * in a pattern stands for any text.
        Says on standard error which open incidents and rules it matches now: none may be meant, for what is still to come.
        A maintenance window, two hours from 02:00 each Sunday by Berlin's clocks:
          signalbox silences add --host 'trainer-*' --cron '0 2 * * 0' --zone Europe/Berlin --for 2h --reason updates
        """)
    @Option(help: "Rule.") var rule: String?
    @Option(help: "Host.") var host: String?
    @Option(help: "What on the host.") var entity: String?
    @Option(help: "P0 to P3.") var severity: String?
    @OptionGroup var planned: PlannedTimeOptions
    @Option(help: "When it comes back: minute, hour, day of month, month, day of week, as in crontab(5).") var cron:
      String?
    @Option(help: "Whose clocks --cron means, such as Europe/Berlin.") var zone: String?
    @Option(help: "Why.") var reason: String
    @OptionGroup var options: ChangeOptions

    func run() throws {
      let now = Clock.wallNs()
      let length = try planned.length()
      guard rule != nil || host != nil || entity != nil || severity != nil else {
        throw CommandFailure(.usage, "say what to silence: --rule, --host, --entity or --severity")
      }
      let (start, end) = try planned.window(nowNs: now)
      var silence = Silence(author: options.actor, reason: reason, startsNs: start, endsNs: end)
      (silence.rule, silence.host, silence.entity) = (rule, host, entity)
      if let severity {
        guard let known = Severity(word: severity) else {
          throw CommandFailure(.usage, "--severity takes P0 to P3, not '\(severity)'")
        }
        silence.severity = known
      }
      silence.repetition = try repetition(length)
      if let client = try options.console() { return try add(client) }
      let matched = try SilenceMatches.of(silence, options.database.reader())
      let number = try options.change { store throws(StoreError) in try store.addSilence(silence, nowNs: now) }
      try options.print(
        "silence \(number) is added; \(matched.sentence); signalbox silences end \(number) ends it",
        value: String(number), IncidentQueries.silence(number))
    }

    private func add(_ client: ConsoleClient) throws {
      let reply = try client.ask(
        .post(
          "/api/v1/silences",
          [
            ("rule", rule), ("host", host), ("entity", entity), ("severity", severity), ("for", planned.duration),
            ("from", planned.from), ("cron", cron), ("zone", zone), ("reason", reason),
          ]))
      try options.print(reply, value: reply.answer.value("id"))
    }

    private func repetition(_ lengthNs: Int64) throws -> Repetition? {
      do throws(Repetition.Mistake) {
        return try Repetition.given(cron: cron, zone: zone, from: planned.from, lengthNs: lengthNs)
      } catch {
        throw CommandFailure(.usage, error.sentence("--"))
      }
    }
  }

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Silences in force and ahead.")
    @Flag(help: "Also those that are over.") var all = false
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
      let answer = try database.source(output).answer(.silences(all: all), ShownColumns.silences)
      try output.print(answer, orSay: "no silence")
    }
  }

  struct End: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "end", abstract: "Ends a silence now; what it muted pages within seconds.")
    @Argument(help: "Its number.") var number: Int64
    @OptionGroup var options: ChangeOptions

    func run() throws {
      if let client = try options.console() {
        return try options.print(client.ask(.post("/api/v1/silences/\(number)/end")))
      }
      try options.change { store throws(StoreError) in
        try store.endSilence(number, actor: options.actor, nowNs: Clock.wallNs())
      }
      try options.print(
        "silence \(number) is ended; what still holds is paged within seconds", IncidentQueries.silence(number))
    }
  }
}

extension SilenceMatches {
  /// Asked of the database.
  /// - Throws: `CommandFailure.nothingFound` for a rule that no collector runs; `.usage` for a host that no host can be called.
  static func of(_ silence: Silence, _ reader: FleetReader) throws -> SilenceMatches {
    let matched = try reader.answer(IncidentQueries.matched(by: silence), []).rows.first?.first
    let rules = try reader.answer(IncidentQueries.rules(), []).texts
    let hosts = try reader.answer(FleetQueries.hostNames(), []).texts
    let incidents: Int64 = if case .integer(let count)? = matched { count } else { 0 }
    do throws(SilenceRefusal) {
      return try SilenceMatches(silence, rules: rules, hosts: hosts, incidents: incidents)
    } catch {
      switch error {
      case .unknownRule(let sentence): throw CommandFailure(.nothingFound, sentence)
      case .impossibleHost(let sentence): throw CommandFailure(.usage, "--host \(sentence)")
      }
    }
  }
}
