import FleetModel
import Incidents
import Postgres
import Store
import TestSupport
import Testing

/// What a failure was put down to, from the finding to who asks.
@Suite(.timeLimit(.minutes(10))) struct WhyQueryTests {
  private let fixture: StoreFixture
  private static let nowNs = StoreFixture.nowNs
  private static let secondNs: Int64 = 1_000_000_000

  init() throws {
    fixture = try StoreFixture()
    let (start, now) = (Timestamp.text(Self.nowNs - 3600 * Self.secondNs), Timestamp.text(Self.nowNs))
    try fixture.store.connection.execute(
      """
      insert into signalbox.hosts (number, host_id, name) values (1, gen_random_uuid(), 'one');
      insert into signalbox.runs (number, host, run, source, started, updated) overriding system value
        values (5, 1, 'ppo', '/srv/ppo/progress.csv', '\(start)', '\(now)'), (6, 1, 'dqn', '/srv/dqn/progress.csv', '\(start)', '\(now)');
      """)
  }

  private func change(_ failureClass: String, file: String, at seconds: Int64) -> IncidentChange {
    let ns = Self.nowNs + seconds * Self.secondNs
    var change = IncidentChange(
      .opened, rule: "RUN-02-FAILED", severity: .p1, hostNumber: 1, hostName: "one", entity: file, eventNs: ns,
      detectedNs: ns)
    var diagnosis = Diagnosis()
    (diagnosis.failureClass, diagnosis.title, diagnosis.kind, diagnosis.confidence) = (failureClass, "t", .root, 0.95)
    (diagnosis.line, diagnosis.file, diagnosis.rank) = ("KeyError: \"a\"\n\u{1b}[31m", file, 3)
    (diagnosis.exitCode, diagnosis.cascade, diagnosis.evidence) = (1, 2, ["python[7] ended with exit code 1"])
    change.diagnosis = diagnosis
    change.steps = ["read it"]
    return change
  }

  private func why(_ run: Int64) throws -> [String: ReadValue] {
    let table = try FleetReader(fixture.database.url).read(WhyQueries.why(run: run))
    return table.rows.first.map { Dictionary(uniqueKeysWithValues: zip(table.columns, $0)) } ?? [:]
  }

  @Test func aFailureIsFoundByTheRunInWhoseDirectoryItsLineLies() throws {
    try fixture.store.apply(
      [change("lookup", file: "/srv/ppo/train.log", at: 1), change("shape", file: "/srv/dqn/train.log", at: 2)],
      policy: .none, nowNs: Self.nowNs + 3 * Self.secondNs)
    let row = try why(5)
    #expect(row["class"] == .text("lookup") && row["host"] == .text("one") && row["rank"] == .integer(3))
    #expect(row["line"] == .text("KeyError: \"a\"\n\u{1b}[31m") && row["cascade"] == .integer(2))
    #expect(row["exit"] == .json("{\"code\": 1, \"signal\": null}") && row["steps"] == .json("[\"read it\"]"))
    #expect(try why(6)["class"] == .text("shape"))
    #expect(try why(7).isEmpty)
    let stored = try fixture.value("select string_agg(failure_class, ' ' order by incident) from public.incidents")
    #expect(stored == "lookup shape")
  }

  /// A finding that comes back is named anew.
  @Test func aFailureThatComesBackHasTheNameOfTheLast() throws {
    try fixture.store.apply([change("lookup", file: "/srv/ppo/train.log", at: 1)], policy: .none, nowNs: Self.nowNs)
    var end = change("lookup", file: "/srv/ppo/train.log", at: 2)
    (end.kind, end.diagnosis) = (.cleared, nil)
    try fixture.store.apply([end], policy: .none, nowNs: Self.nowNs)
    try fixture.store.apply([change("shape", file: "/srv/ppo/train.log", at: 4)], policy: .none, nowNs: Self.nowNs)
    #expect(try why(5)["class"] == .text("shape"))
    #expect(try fixture.count("signalbox.incidents") == 1)
  }
}
