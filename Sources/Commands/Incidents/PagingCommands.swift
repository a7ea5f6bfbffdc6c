internal import ArgumentParser
internal import Files
internal import FleetModel
internal import Store

struct OnCallCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "oncall", abstract: "Who takes pages.", subcommands: [Now.self, Override.self])

  struct Override: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "override",
      abstract: "Lets somebody take a turn; prints the override's number.",
      discussion:
        "The newest override that holds counts. Steps of escalation that are planned already keep their receiver.")
    @Argument(help: "A schedule, as `signalbox oncall now` lists them.") var schedule: String
    @Option(help: "Who takes it: a receiver of the configuration.") var to: String
    @OptionGroup var planned: PlannedTimeOptions
    @Option(help: "Why.") var reason = ""
    @OptionGroup var options: ChangeOptions

    func run() throws {
      let start = try planned.start(nowNs: Clock.wallNs())
      let end = start + (try planned.length())
      let number = try options.change { store throws(StoreError) in
        try store.addOverride(
          OnCallOverride(
            schedule: schedule, receiver: to, startsNs: start, endsNs: end, author: options.actor,
            reason: reason))
      }
      try options.print(
        "\(to) takes the turn of '\(schedule)' until \(Timestamp.text(end, digits: 0))", value: String(number),
        IncidentQueries.override(number))
    }
  }

  struct Now: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "now", abstract: "Who is on call in each schedule, and until when.")
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
      let answer = try database.reader().answer(
        IncidentQueries.onCall(),
        [
          .init("schedule", "SCHEDULE", rank: 0), .init("receiver", "ON CALL", rank: 1),
          .init("since", "SINCE", rank: 3), .init("until", "UNTIL", rank: 2),
        ])
      try output.print(answer, orSay: "no schedule is configured, or no collector delivers pages")
    }
  }
}

struct PagingCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "paging", abstract: "Whether pages arrive.", subcommands: [Test.self])

  struct Test: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "test",
      abstract: "Sends a test page the way that real ones go, and waits for the receiver's answer.",
      discussion: "Ends with 0 where the receiver took it, 1 where it did not, 4 where nobody delivers pages.")
    @Argument(help: "A receiver or schedule of the configuration.") var receiver: String?
    @Option(help: "Everybody whom this severity's policy names: P0 to P3.") var policy: String?
    @Option(help: "How long to wait for the answer.") var timeout = "30s"
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
      guard (receiver == nil) != (policy == nil) else {
        throw CommandFailure(.usage, "name a receiver, or --policy P0 to P3")
      }
      if let policy, Severity(word: policy) == nil {
        throw CommandFailure(.usage, "--policy takes P0 to P3, not '\(policy)'")
      }
      guard let waitNs = TimeSpan.parse(timeout) else {
        throw CommandFailure(.usage, "--timeout takes a time such as 30s, not '\(timeout)'")
      }
      let target = receiver ?? "policy:" + (policy ?? "").uppercased()
      let answer = try database.change { store throws(StoreError) in
        let row = try store.enqueue(.test, to: target, detail: "from \(Actor.name)", nowNs: Clock.wallNs())
        return try Self.wait(for: row, store, untilNs: Clock.monotonicNs() + waitNs)
      }
      guard let answer else {
        throw CommandFailure(
          .notReachable, "no answer within \(timeout): does a collector with paging: in its configuration run?")
      }
      let said = "\(target): \(answer.state): \(Escaping.visible(answer.answer))"
      if output.format != .table {
        try output.print(
          Answer(
            columns: [.init("target"), .init("state"), .init("attempts"), .init("answer")],
            rows: [[.text(target), .text(answer.state), .integer(answer.attempts), .text(answer.answer)]]))
      }
      if answer.state != "delivered" { throw CommandFailure(.failed, said) }
      if output.format == .table { try StandardStream.output.write(said + "\n") }
    }

    private static func wait(
      for row: Int64, _ store: Store, untilNs: Int64
    ) throws(StoreError) -> (state: String, attempts: Int64, answer: String)? {
      while true {
        guard let now = try store.deliveryState(row) else { return nil }
        if now.state != "waiting" { return now }
        if Clock.monotonicNs() >= untilNs {
          return now.attempts > 0 ? ("not delivered yet", now.attempts, now.answer) : nil
        }
        Process.sleep(ns: 50_000_000)
      }
    }
  }
}
