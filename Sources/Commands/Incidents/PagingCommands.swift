internal import Answers
internal import ArgumentParser
internal import Files
internal import FleetModel
internal import Incidents
internal import Store

struct OnCallCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "oncall", abstract: "Who takes pages.",
    subcommands: [Now.self, Override.self, Overrides.self, End.self, Calendar.self])

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
      let nowNs = Clock.wallNs()
      let (start, end) = try planned.window(nowNs: nowNs)
      if let client = try options.console() {
        let from = planned.from.map { _ in Timestamp.text(start) }
        let fields = [
          ("schedule", schedule), ("to", to), ("from", from), ("for", planned.duration),
          ("reason", reason.isEmpty ? nil : reason),
        ]
        let reply = try client.ask(.post("/api/v1/oncall/overrides", fields))
        return try options.print(reply, value: reply.answer.value("id"))
      }
      let number = try options.change { store throws(StoreError) in
        try store.addOverride(
          OnCallOverride(
            schedule: schedule, receiver: to, startsNs: start, endsNs: end, author: options.actor,
            reason: reason))
      }
      try options.print(
        "\(to) takes the turn of '\(schedule)' \(start > nowNs ? "from \(Timestamp.text(start, digits: 0)) " : "")"
          + "until \(Timestamp.text(end, digits: 0))", value: String(number),
        IncidentQueries.override(number))
    }
  }

  struct Overrides: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "overrides", abstract: "Turns that somebody has taken over, in force and ahead; the newest counts.")
    @Flag(help: "Also those that are over.") var all = false
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
      let answer = try database.source(output).answer(
        .overrides(all: all),
        [
          .init("id", "ID"), .init("state", "STATE"), .init("schedule", "SCHEDULE"), .init("receiver", "TAKEN BY"),
          .init("starts", "FROM"), .init("ends", "UNTIL"), .init("author", "BY"), .init("reason", "REASON"),
          .init("ended_by", "ENDED BY"),
        ])
      try output.print(
        answer,
        orSay: all ? "nobody has taken a turn over" : "nobody takes a turn over; --all shows those that are over")
    }
  }

  struct End: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "end", abstract: "Gives a turn back to its owner.",
      discussion: "Steps of escalation that are planned already keep their receiver.")
    @Argument(help: "The override's number, as `signalbox oncall overrides` lists it.") var number: Int64
    @OptionGroup var options: ChangeOptions

    func run() throws {
      if let client = try options.console() {
        return try options.print(client.ask(.post("/api/v1/oncall/overrides/\(number)/end")))
      }
      try options.change { store throws(StoreError) in
        try store.endOverride(number, actor: options.actor, nowNs: Clock.wallNs())
      }
      try options.print("override \(number) is ended: the turn is its owner's again", IncidentQueries.override(number))
    }
  }

  struct Now: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "now", abstract: "Who is on call in each schedule, and until when.")
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
      let source = try database.source(output)
      let answer = try source.answer(.onCall, ShownColumns.onCall)
      try output.print(answer, orSay: answer.rows.isEmpty ? Self.reason(source) : "")
    }

    /// Why no schedule has a person on call.
    private static func reason(_ source: FleetSource) throws -> String {
      let row = try source.answer(.pagingCollector).rows.first ?? []
      if row.first == .boolean(true) { return "no schedule is configured: policies name their receivers themselves" }
      var since = ""
      if case .time(let ns)? = row.last { since = " since \(Timestamp.text(ns, digits: 0))" }
      return "nobody is on call: no collector has delivered pages\(since.isEmpty ? " yet" : since); "
        + "one that runs with paging: in its configuration does"
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
      discussion:
        "Ends with 0 where the receiver took it, 1 where it did not, 3 where there is none of the name, 4 where nobody delivers pages."
    )
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
      let (reports, pausedUntilNs) = try database.change { store throws(StoreError) in
        let row = try store.enqueue(.test, to: target, detail: "from \(Actor.name)", nowNs: Clock.wallNs())
        let reports = try Self.wait(for: row, store, untilNs: Clock.monotonicNs() + waitNs)
        return (reports, try store.pauses(nowNs: Clock.wallNs())[target])
      }
      guard !reports.isEmpty else {
        if let pausedUntilNs {
          throw CommandFailure(
            .failed,
            "\(target): not delivered yet: it asked to be sent nothing before \(Timestamp.text(pausedUntilNs, digits: 0)); "
              + "the test is sent then")
        }
        throw CommandFailure(
          .notReachable, "no answer within \(timeout): does a collector with paging: in its configuration run?")
      }
      let said = reports.map { report in
        let isOpen = report.state == .waiting && report.answer.isEmpty
        let answer = isOpen ? "no answer within \(timeout); it is tried again" : Escaping.visible(report.answer)
        return "\(report.receiver): \(Self.word(report.state)): \(answer)"
      }
      if output.format != .table {
        try output.print(
          Answer(
            columns: [.init("target"), .init("state"), .init("attempts"), .init("answer")],
            rows: reports.map {
              [.text($0.receiver), .text(Self.word($0.state)), .integer($0.attempts), .text($0.answer)]
            }))
      }
      let text = said.joined(separator: "\n")
      if reports.contains(where: { $0.state != .delivered }) {
        throw CommandFailure(reports.allSatisfy(\.isOfUnknownReceiver) ? .nothingFound : .failed, text)
      }
      if output.format == .table { try StandardStream.output.write(text + "\n") }
    }

    private static func word(_ state: DeliveryState) -> String {
      state == .waiting ? "not delivered yet" : state.rawValue
    }

    /// - Returns: nothing where no collector has begun to deliver it in time.
    private static func wait(
      for row: Int64, _ store: Store, untilNs: Int64
    ) throws(StoreError) -> [DeliveryReport] {
      while true {
        let (isSettled, reports) = try store.deliveryReports(row)
        if isSettled { return reports }
        if Clock.monotonicNs() >= untilNs {
          return reports.contains { $0.attempts > 0 || $0.state != .waiting } ? reports : []
        }
        Process.sleep(ns: 50_000_000)
      }
    }
  }
}
