import FleetModel
import Postgres
import Store
import TestSupport
import Testing

/// Moments of the past, by what is stored.
@Suite(.timeLimit(.minutes(10))) struct PastTests {
  private static let startNs: Int64 = 1_790_000_000_000_000_000
  private static let minuteNs: Int64 = 60_000_000_000

  @Test func theStateOfAMomentIsThatOfItsRows() throws {
    let database = try TestDatabase()
    let store = try Store.open(database.url, migrating: true)
    try store.connection.execute(
      """
      insert into signalbox.hosts (number, host_id, name, created)
      select number, gen_random_uuid(), name, to_timestamp(1790000000 + 60 * minute)
      from (values (1, 'one', -9), (2, 'two', 0), (3, 'new', 5)) x (number, name, minute);
      do $$ begin
        if to_regproc('signalbox.ensure_partition') is not null then
          perform signalbox.ensure_partition(t, to_timestamp(1790000000)) from unnest(array['host_samples', 'process_samples']) t;
        end if;
      end $$;
      insert into signalbox.host_samples (host, time, received, cpu_busy_percent)
      select h, to_timestamp(1790000000 + 60 * m), to_timestamp(1790000000 + 60 * m), 10 * m
      from (values (1, 0), (1, 1), (1, 2), (2, 0), (2, 1)) x (h, m);
      -- Sent an hour later: at that moment it had not arrived.
      insert into signalbox.host_samples (host, time, received) values (2, to_timestamp(1790000000 + 600), to_timestamp(1790000000 + 3600));
      insert into signalbox.process_samples (host, time, received, pid, name, cpu_percent) values
        (1, to_timestamp(1790000000 + 100), now(), 7, 'python3', 50), (1, to_timestamp(1790000000 + 110), now(), 7, 'python3', 60),
        (1, to_timestamp(1790000000 + 10), now(), 8, 'old', 1);
      insert into signalbox.incidents
        (rule, title, severity, host, host_name, identity, dedup_key, opened, detected, last_event, acked, acked_by, resolved)
      select 'RES-01', 'full', s, 1, 'one', d, d, t(o), t(o), t(o), t(a), case when a is not null then 'ann' end, t(r)
      from (values (1, 'a', 0, 5, 9), (0, 'b', 4, null, null), (2, 'c', 0, null, 1)) x (s, d, o, a, r);
      """.replacing("t(o)", with: "to_timestamp(1790000000 + 60 * o)").replacing(
        "t(a)", with: "to_timestamp(1790000000 + 60 * a)"
      ).replacing("t(r)", with: "to_timestamp(1790000000 + 60 * r)"))
    let reader = try FleetReader(database.url)
    defer { reader.close() }
    func at(_ minute: Int64) -> Int64 { Self.startNs + minute * Self.minuteNs }
    func states(_ minute: Int64) throws -> [[ReadValue]] {
      try reader.read(PastQueries.hosts(atNs: at(minute))).rows.map { Array($0.prefix(2)) }
    }
    #expect(try states(2) == [["two", "late"], ["one", "live"]].map { $0.map(ReadValue.text) })
    #expect(
      try states(11) == [["new", "never"], ["two", "silent"], ["one", "silent"]].map { $0.map(ReadValue.text) })
    func incidents(_ minute: Int64) throws -> [[ReadValue]] {
      try reader.read(PastQueries.incidents(atNs: at(minute), host: "one", limit: 10)).rows.map {
        [$0[1], $0[2], $0[8]]
      }
    }
    #expect(try incidents(0) == [[.text("P1"), .text("open"), .null], [.text("P2"), .text("open"), .null]])
    #expect(try incidents(6) == [[.text("P0"), .text("open"), .null], [.text("P1"), .text("acked"), .text("ann")]])
    #expect(try incidents(9) == [[.text("P0"), .text("open"), .null]])
    let processes = try reader.read(PastQueries.processes(host: "one", atNs: at(2))).rows
    #expect(processes.map { $0[0] } == [.integer(7)] && processes.first?[2] == .real(60))
  }
}
