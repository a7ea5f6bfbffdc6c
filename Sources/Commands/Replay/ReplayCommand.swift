internal import Answers
internal import ArgumentParser
internal import Files
internal import FleetModel
internal import Postgres
internal import RuleFiles
internal import Rules
internal import Store

extension RulesCommand {
  struct Replay: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "replay",
      abstract: "Which incidents rules would have opened over what the database holds.",
      discussion: """
        Runs the rules through the collector's engine, in the order of time, and changes nothing. Holds and usual values
        begin anew at --since: begin a day earlier for rules that compare with what is usual.

        It cannot know what is not stored: what the agent says of itself (agent.*, the clock's skew), how a run or an
        episode went on the way (only its first beginning and its last state are kept), when a fact arrived (a backlog
        counts as if it had come in time, so that such a host was never silent), why a host was silent, and samples and
        lines that retention has removed. Silences are not applied, and the same on many hosts is not gathered.

        Ends with 3 where no rule would have fired.
        """)
    @Argument(help: "Rule files, or directories of them; else the rules that come with Signalbox.") var files:
      [String] = []
    @Option(help: "From: an age such as 7d, or a time such as 2026-11-21T08:00Z.") var since: PointInTime
    @Option(help: "Until: as --since; now.") var until: PointInTime?
    @OptionGroup var hosts: HostsFilter
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
      if since.ns >= until?.ns ?? Clock.wallNs() {
        throw ValidationError("--since must be before \(until == nil ? "now" : "--until").")
      }
    }

    func run() throws {
      let set = try rules()
      let untilNs = until?.ns ?? Clock.wallNs()
      let url = try database.url()
      let past: RuleReplay.Past
      do {
        past = try replay(set, FactReader(url), untilNs)
      } catch let error as PostgresError {
        throw CommandFailure(error)
      }
      let over = "\(Self.counted(past.facts, "fact")) of \(Self.counted(past.hosts, "host"))"
      let rules = Self.counted(set.rules.count, "rule")
      let nothing =
        past.facts == 0 ? "nothing is stored of that time" : "\(rules) over \(over): none would have fired"
      try output.print(Self.answer(past.ledger, "\(rules) over \(over)"), orSay: nothing)
    }

    private func rules() throws -> RuleSet {
      guard let paths = files.isEmpty ? RuleDirectory.shipped().map({ [$0] }) : files else {
        throw CommandFailure(.usage, "say which rules: those that come with Signalbox are not installed here")
      }
      return try RuleSource.rules(paths)
    }

    private func replay(_ set: RuleSet, _ reader: FactReader, _ untilNs: Int64) throws -> RuleReplay.Past {
      defer { reader.close() }
      let hosts = try self.hosts(reader)
      let replay = RuleReplay(set, hosts: hosts, sinceNs: since.ns)
      try reader.read(hosts: hosts.map { $0.number }, sinceNs: since.ns, untilNs: untilNs) { replay.take($0) }
      return replay.finish(at: untilNs)
    }

    private func hosts(_ reader: FactReader) throws -> [KnownHost] {
      let known = try reader.hosts(named: hosts.patterns)
      for name in hosts.patterns where !known.contains(where: { StarPattern.matches($0.name, name) }) {
        let names = try reader.hosts(named: []).map(\.name)
        throw CommandFailure(.nothingFound, HostNames.unknown(name, among: names))
      }
      return known
    }

    static func answer(_ ledger: ReplayLedger, _ over: String) -> Answer {
      let incidents = ledger.incidents.sorted {
        ($0.openedNs, $0.host, $0.rule, $0.entity) < ($1.openedNs, $1.host, $1.rule, $1.entity)
      }
      var notes = ["\(over): \(counted(incidents.count, "incident")), \(incidents.count(where: \.pages)) to be told"]
      if ledger.omitted > 0 {
        notes.append("\(ledger.omitted) more are left out: a rule fires too often, or --since is too far back")
      }
      return Answer(
        columns: [
          .init("opened", "OPENED", rank: 0), .init("resolved", "RESOLVED", rank: 6), .init("rule", "RULE", rank: 4),
          .init("severity", "SEV", rank: 1), .init("host", "HOST", rank: 3),
          .init("entity", "ENTITY", rank: 7, least: 16), .init("pages", "PAGES", rank: 5),
          .init("muted_by", "MUTED BY", rank: 8), .init("is_observed"), .init("flaps", "FLAPS", rank: 9),
          .init("summary", "SUMMARY", rank: 2, least: 12),
          .init("evidence"),
        ],
        rows: incidents.map { incident in
          [
            .time(incident.openedNs), incident.resolvedNs.map { .time($0) } ?? .null, .text(incident.rule),
            .text(incident.severity.word), .text(incident.host), .text(incident.entity), .boolean(incident.pages),
            incident.mutedBy.isEmpty ? .null : .text(incident.mutedBy), .boolean(incident.isObserved),
            .integer(Int64(incident.flaps)), .text(incident.summary), .list(incident.evidence.map { .text($0) }),
          ]
        }, notes: notes)
    }

    private static func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
  }
}
