internal import ArgumentParser
internal import Files
internal import FleetModel
internal import Store

struct SilencesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "silences", abstract: "What must not page for a while.", subcommands: [Add.self, List.self, End.self])

  struct Add: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Mutes what matches until an end, or in a window that comes back; prints the silence's number.",
      discussion: """
        Muted incidents stay visible; what still holds when a silence ends is paged then. A * at the end of a pattern stands for any
        rest. A maintenance window, two hours from 02:00 each Sunday by Berlin's clocks:
          signalbox silences add --host 'trainer-*' --cron '0 2 * * 0' --zone Europe/Berlin --for 2h --reason updates
        """)
    @Option(help: "Rule.") var rule: String?
    @Option(help: "Host.") var host: String?
    @Option(help: "What on the host.") var entity: String?
    @Option(help: "P0 to P3.") var severity: String?
    @Option(name: .customLong("for"), help: "How long, such as 2h.") var duration: String
    @Option(help: "From when: a time; else now.") var from: String?
    @Option(help: "When it comes back: minute, hour, day of month, month, day of week, as in crontab(5).") var cron:
      String?
    @Option(help: "Whose clocks --cron means, such as Europe/Berlin.") var zone: String?
    @Option(help: "Why.") var reason: String
    @Option(help: "In whose name.") var by: String?
    @OptionGroup var database: DatabaseOptions

    func run() throws {
      let now = Clock.wallNs()
      guard let length = TimeSpan.parse(duration), length <= 366 * 86_400_000_000_000 else {
        throw CommandFailure(.usage, "--for takes a time of up to 366d, such as 2h, not '\(duration)'")
      }
      guard rule != nil || host != nil || entity != nil || severity != nil else {
        throw CommandFailure(.usage, "say what to silence: --rule, --host, --entity or --severity")
      }
      var start = now
      if let from {
        guard let time = Timestamp.parse(from) else {
          throw CommandFailure(.usage, "--from takes a time such as 2026-11-21T20:00Z, not '\(from)'")
        }
        start = time
      }
      var silence = Silence(author: by ?? Actor.name, reason: reason, startsNs: start, endsNs: start + length)
      (silence.rule, silence.host, silence.entity) = (rule, host, entity)
      if let severity {
        guard let known = Severity(word: severity) else {
          throw CommandFailure(.usage, "--severity takes P0 to P3, not '\(severity)'")
        }
        silence.severity = known
      }
      silence.repetition = try repetition(length)
      let number = try database.change { store throws(StoreError) in try store.addSilence(silence, nowNs: now) }
      try StandardStream.output.write("\(number)\n")
    }

    private func repetition(_ lengthNs: Int64) throws -> Repetition? {
      guard let cron else {
        if zone != nil { throw CommandFailure(.usage, "--zone goes with --cron") }
        return nil
      }
      if from != nil { throw CommandFailure(.usage, "--from does not go with --cron, which says when it begins") }
      do {
        return Repetition(cron: try CronExpression(cron), zone: zone ?? "UTC", lengthNs: lengthNs)
      } catch {
        throw CommandFailure(.usage, "--cron: \(error)")
      }
    }
  }

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Silences in force and ahead.")
    @Flag(help: "Also those that are over.") var all = false
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
      let answer = try database.reader().answer(
        IncidentQueries.silences(includingEnded: all),
        [
          .init("id", "ID"), .init("state", "STATE"), .init("rule", "RULE"), .init("host", "HOST"),
          .init("entity", "ENTITY"), .init("severity", "SEVERITY"), .init("starts", "FROM"), .init("ends", "UNTIL"),
          .init("repeats", "COMES BACK"), .init("author", "BY"),
          .init("reason", "REASON"),
        ])
      try output.print(answer, orSay: "no silence")
    }
  }

  struct End: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Ends a silence now; what it muted pages within seconds.")
    @Argument(help: "Its number.") var number: Int64
    @Option(help: "In whose name.") var by: String?
    @OptionGroup var database: DatabaseOptions

    func run() throws {
      try database.change { store throws(StoreError) in
        try store.endSilence(number, actor: by ?? Actor.name, nowNs: Clock.wallNs())
      }
    }
  }
}
