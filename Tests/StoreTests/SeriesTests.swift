import FleetModel
import Postgres
import Store
import TestSupport
import Testing

/// Figures over time: from samples, and from aggregates where the span is long.
@Suite(.timeLimit(.minutes(10))) struct SeriesTests {
  static let startNs: Int64 = 1_790_000_000_000_000_000
  private let database: TestDatabase
  private let store: Store

  init() throws {
    database = try TestDatabase()
    store = try Store.open(database.url, migrating: true)
    try store.connection.execute(
      """
      insert into signalbox.hosts (number, host_id, name) values (1, gen_random_uuid(), 'one'), (2, gen_random_uuid(), 'two');
      do $$ begin
        if to_regproc('signalbox.ensure_partition') is not null then
          perform signalbox.ensure_partition('host_samples', to_timestamp(1790000000));
        end if;
      end $$;
      """)
  }

  private func rows(_ metric: String, seconds: Int64, points: Int64, host: String = "one") throws -> [[ReadValue]] {
    let reader = try FleetReader(database.url)
    defer { reader.close() }
    let metric = try #require(HostMetric.named(metric))
    return try reader.read(
      SeriesQueries.host(
        host, metric, sinceNs: Self.startNs, untilNs: Self.startNs + seconds * 1_000_000_000, points: points)
    ).rows
  }

  @Test func bucketsKeepLowestAndHighest() throws {
    try store.connection.execute(
      """
      insert into signalbox.host_samples (host, time, received, cpu_busy_percent)
      select 1, to_timestamp(1790000000 + s), now(), case when s = 7 then 100 else s end from generate_series(0, 19) s
      """)
    let rows = try rows("cpu.busy_percent", seconds: 20, points: 2)
    #expect(rows.count == 2)
    #expect(rows.map { $0[0] } == [.time(Self.startNs), .time(Self.startNs + 10_000_000_000)])
    #expect(rows[0][2] == .real(0) && rows[0][3] == .real(100) && rows[1][2] == .real(10) && rows[1][3] == .real(19))
    #expect(try self.rows("cpu.busy_percent", seconds: 20, points: 2, host: "two").isEmpty)
    #expect(try self.rows("memory.used_percent", seconds: 20, points: 2).isEmpty)
  }

  /// A gap has its reason: what was found meanwhile, else what is known to be lost, else that nothing is recorded. What is before the
  /// first report is no gap, and one that lasts until now is.
  @Test func gapsHaveTheirReasons() throws {
    try store.connection.execute(
      """
      insert into signalbox.host_samples (host, time, received)
      select 1, to_timestamp(1790000000 + 60 * m), now() from unnest(array[5, 6, 10, 11, 20, 30]) m;
      insert into signalbox.incidents (rule, title, severity, host, host_name, identity, dedup_key, opened, detected, last_event)
      select 'AGT-01', 'Host is silent', 1, 1, 'one', 'i', 'd', t, t, t from to_timestamp(1790000000 + 60 * 9) t;
      insert into signalbox.loss_ledger (time, received, host, subject, from_offset, to_offset, reason, is_estimate)
      values (to_timestamp(1790000000 + 60 * 15), now(), 1, 'live', 1, 9, 'spool full', false);
      """)
    let reader = try FleetReader(database.url)
    defer { reader.close() }
    func gaps(_ host: String, hours: Int64, limit: Int = 10) throws -> [[ReadValue]] {
      try reader.read(
        SeriesQueries.gaps(
          host, sinceNs: Self.startNs, untilNs: Self.startNs + hours * 3_600_000_000_000, limit: limit)
      ).rows
    }
    let found = try gaps("one", hours: 1)
    #expect(
      found.map { $0[2] } == [
        .text("incident 1: Host is silent"), .text("lost: spool full"),
        .text("no report came, and no reason is recorded"), .text("no report came, and no reason is recorded"),
      ], "\(found)")
    #expect(found.last?[1] == .time(Self.startNs + 3_600_000_000_000))
    #expect(try gaps("one", hours: 1, limit: 2).count == 2 && gaps("two", hours: 1).isEmpty)
    for hours: Int64 in [24, 30 * 24] { #expect(try gaps("one", hours: hours).isEmpty, "no aggregate was made") }
  }

  /// Every metric is asked of every table that it may be read from.
  @Test func eachMetricIsReadFromEachTable() throws {
    for metric in HostMetric.all {
      for seconds: Int64 in [60, 86_400, 30 * 86_400] {
        #expect(try rows(metric.name, seconds: seconds, points: 100).isEmpty, "\(metric.name) over \(seconds) s")
      }
    }
  }
}
