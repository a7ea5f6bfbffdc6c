import FleetModel
import Postgres
import Store
import TestSupport
import Testing

/// GPUs that are held and not used.
@Suite(.timeLimit(.minutes(10))) struct IdleGPUTests {
  @Test func heldAndIdleHoursAreCountedByWhoHoldsThem() throws {
    let database = try TestDatabase()
    let store = try Store.open(database.url, migrating: true)
    // The present hour alone: a test that begins behind midnight has no other one today.
    try store.connection.execute(
      """
      insert into signalbox.hosts (number, host_id, name, gpu_model) values (1, gen_random_uuid(), 'one', 'H200'), (2, gen_random_uuid(), 'two', 'H200');
      do $$ begin
        if to_regproc('signalbox.ensure_partition') is not null then
          perform signalbox.ensure_partition(t, now()) from unnest(array['process_samples', 'gpu_1m']) t;
        end if;
      end $$;
      insert into signalbox.gpu_1m (host, index, time, utilization_percent, memory_used_bytes)
      select g.host, g.index, date_trunc('hour', now(), 'UTC') + m * interval '1 minute', g.used, g.held
      from generate_series(0, 29) m,
        (values (1, 0, 0.5, 8::bigint << 30), (1, 1, 90, 8::bigint << 30), (2, 0, 0, 200::bigint << 20), (2, 1, 4.9, 1::bigint << 30))
          g (host, index, used, held);
      insert into signalbox.process_samples (host, time, received, pid, gpu_memory_bytes, user_name) values
        (1, now(), now(), 7, 1 << 30, 'ann'), (1, now(), now(), 8, 1 << 30, 'ben'), (1, now(), now(), 9, 0, 'eve');
      """)
    let reader = try FleetReader(database.url)
    defer { reader.close() }
    let rows = try reader.read(GPUQueries.idle(limit: 10)).rows
    #expect(rows.map { $0[0] } == [.text("one"), .text("two")] && rows.map { $0[1] } == [.integer(0), .integer(1)])
    #expect(rows.map { $0[3] } == [.real(0.5), .real(0.5)] && rows.first?[5] == .integer(8 << 30), "\(rows)")
    #expect(rows.map { $0[6] } == [.text("ann, ben"), .null])
    #expect(try reader.read(GPUQueries.hours()).rows.first == [.real(2), .real(1)])
    #expect(try reader.read(GPUQueries.idle(limit: 1)).rows.count == 1)
  }
}
