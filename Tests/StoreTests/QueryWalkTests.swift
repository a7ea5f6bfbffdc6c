import FleetModel
import Incidents
import Postgres
import Store
import TestSupport
import Testing

/// Each statement that reads is asked with each of its options, on a server: a parameter without a cast is an error there and nowhere else.
@Suite(.timeLimit(.minutes(10))) struct QueryWalkTests {
  private static let sinceNs = StoreFixture.nowNs

  /// All ways to give or leave out what may be left out.
  private static func choices<Value>(_ value: Value) -> [Value?] { [nil, value] }

  static var queries: [ReadQuery] {
    var all = [
      FleetLiveQueries.states(), FleetLiveQueries.hosts(), FleetLiveQueries.missing(limit: 5),
      FleetLiveQueries.ingest(),
      FleetQueries.status(), FleetQueries.status(worst: 5), FleetQueries.unknownHosts(["a", "b\"c"]),
      FleetQueries.hostNames(),
      FleetQueries.invitations(all: true), FleetQueries.invitations(all: false), FleetQueries.files(host: "a"),
      FleetQueries.quotas(host: "a"), FleetQueries.processes(host: "a"), IncidentQueries.one(1),
      IncidentQueries.texts(1), IncidentQueries.causes(limit: 5), IncidentQueries.muted(), IncidentQueries.timeline(1),
      IncidentQueries.deliveries(1),
      IncidentQueries.silences(includingEnded: true), IncidentQueries.silences(includingEnded: false),
      IncidentQueries.silence(1), IncidentQueries.rules(), IncidentQueries.paged(by: "msg_1", limit: 5),
      IncidentQueries.matched(by: Silence(author: "a", reason: "r", startsNs: 0, endsNs: 1)),
      IncidentQueries.override(1), IncidentQueries.onCall(), IncidentQueries.turns(), IncidentQueries.pagingCollector(),
      IncidentQueries.overrides(includingEnded: true), IncidentQueries.overrides(includingEnded: false),
      ViewQueries.columns(of: "episodes"), ViewQueries.views(), AccessQueries.receiverEvents(),
      RuleQueries.list(), RuleQueries.page(of: "RES-01"), AnalysisQueries.analysis(run: 1), WhyQueries.why(run: 1),
      CompareQueries.summaries([1, 2]), CompareQueries.finals([1, 2]),
      ModelQueries.newest(host: nil), ModelQueries.newest(host: "a*"), SavedQueries.list(),
      ServingQueries.newest(host: nil), ServingQueries.newest(host: "a*"),
      ServingQueries.figures(host: "a", target: "t", limit: 5),
      ServingQueries.history(host: "a", target: "t", sinceNs: sinceNs - 1_000_000_000, untilNs: sinceNs, points: 5),
      SavedQueries.list(named: "a"), LogQueries.kept(sinceNs: sinceNs),
      LogQueries.templatesSeen(["a #"], LogFilter(), LogScope(), sinceNs: sinceNs - 1_000, untilNs: sinceNs),
      GPUQueries.idle(limit: 5), GPUQueries.hours(), PastQueries.hosts(atNs: sinceNs),
      PastQueries.processes(host: "a", atNs: sinceNs),
      SeriesQueries.gaps("a", sinceNs: sinceNs - 3_600_000_000_000, untilNs: sinceNs, limit: 5),
    ]
    for host in [nil, "a", "a*"] {
      for run in choices(Int64(1)) { all.append(VerificationQueries.verification(host: host, run: run)) }
      all += [
        PastQueries.hosts(atNs: sinceNs, host: host), PastQueries.runs(atNs: sinceNs, host: host, limit: 5),
        PastQueries.incidents(atNs: sinceNs, host: host, limit: 5),
        PastQueries.incidents(atNs: sinceNs, host: host, rule: "RES-*", limit: 5),
      ]
      all += [FleetQueries.hosts(named: host), FollowingQueries.passedOver(host: host)]
      all.append(TrainingQueries.episode(host: host, run: "r", episode: 1))
      for sinceNs in choices(sinceNs) {
        all.append(FleetQueries.gaps(host: host, sinceNs: sinceNs))
        all.append(FleetQueries.gaps(host: host, sinceNs: sinceNs, newest: 5))
        for rule in choices("RES-*") {
          for state in [nil, "all", "open"] {
            all.append(IncidentQueries.list(state: state, host: host, rule: rule, sinceNs: sinceNs, limit: 5))
          }
        }
      }
      for run in choices("r") {
        all.append(TrainingQueries.check(host: host, run: run, staleMinutes: 15, limit: 5))
        for state in choices("running") {
          all.append(TrainingQueries.runs(host: host, state: state, run: run, limit: 5))
          for episode in choices(Int64(1)) {
            all.append(TrainingQueries.episodes(host: host, run: run, status: state, episode: episode, limit: 5))
          }
        }
      }
    }
    return all
  }

  @Test func everyStatementIsAnsweredWithEachOfItsOptions() throws {
    let fixture = try StoreFixture()
    try fixture.host("a")
    let reader = try FleetReader(fixture.database.url)
    for query in Self.queries {
      #expect(throws: Never.self, "\(query.parameters)\n\(query.sql)") { _ = try reader.read(query) }
    }
  }

  /// A time that bounds a search is a value of the plan: of a million rows, a text would be read a million times.
  @Test func aTimeIsReadOnceAndNotForEveryRow() throws {
    let fixture = try StoreFixture()
    try fixture.host("a")
    let connection = try fixture.database.connect()
    defer { connection.close() }
    let templates = LogQueries.templates(
      LogFilter(), LogScope(), sinceNs: Self.sinceNs, untilNs: Self.sinceNs + 3_600_000_000_000, limit: 5)
    for query in Self.queries + [templates] {
      let plan = try connection.queryText("explain (verbose) " + query.sql, query.typedParameters)
      let lines = (0..<plan.count).compactMap { plan.text($0, 0) }
      #expect(!lines.contains { $0.contains("::cstring)::timestamp") }, "\(query.parameters)\n\(query.sql)")
    }
    let mixed = ReadQuery(
      "select $1::timestamptz, $2::text, lower($2), $3::int4[], $10::bigint, '$' || $4",
      ["2026-01-01T00:00:00Z", "a", "{1}", "b", nil])
    #expect(
      mixed.typedParameters == [.untyped("2026-01-01T00:00:00Z"), .text("a"), .untyped("{1}"), .text("b"), .null])
  }

  /// Each option alone and all of them together, whole and page by page.
  @Test func linesAreAnsweredWithEachOfTheirOptions() throws {
    let options: [@Sendable (inout LogFilter) -> Void] = [
      { $0.hosts = ["a"] }, { $0.hosts = ["*a*", "b*"] }, { $0.withoutHosts = ["b*"] },
      { $0.hosts = (0..<40).map { "a\($0)" } + ["a"] }, { $0.file = "*.log" },
      { $0.file = "/var/log/*.log" }, { $0.minimumLevel = .warn }, { $0.sinceNs = Self.sinceNs },
      { $0.untilNs = Self.sinceNs + 60_000_000_000 }, { $0.receivedAfterNs = Self.sinceNs - 1_000_000 },
      { $0.text = "10" },
      { $0.pattern = "1.*0" }, { $0.onlyLevel = .error },
    ]
    let fixture = try StoreFixture()
    let stream = try fixture.stream("a")
    #expect(
      try fixture.store.commit([stream.lines(5), stream.lines(3, file: 10, level: .error)]) == [.committed, .committed])
    let reader = try FleetReader(fixture.database.url)
    var filters = options.map { option in
      var filter = LogFilter()
      option(&filter)
      return filter
    }
    var all = LogFilter()
    for option in options { option(&all) }
    filters += [LogFilter(), all]
    var found = 0
    for filter in filters {
      #expect(throws: Never.self, "\(filter)") {
        found += try reader.newestLines(filter, limit: 2).rows.count
        // Pages of one line, so that one goes on behind another.
        try reader.lines(filter, pageRows: 1) { _ in true }
      }
    }
    #expect(found > 0)
  }
}
