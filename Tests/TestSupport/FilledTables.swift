package import FleetModel
package import Postgres

/// Rows of a fleet that has reported for long, made by the server itself: benchmarks measure questions about them, and reporting them
/// would take hours. For a migrated database that is otherwise empty.
package enum FilledTables {
  /// Hosts `NAME-1`…, each with an epoch and a certificate on the allow-list, of which every collector is notified.
  /// - Parameters:
  ///   - fingerprints: SHA-256 of each host's certificate, 64 hexadecimal digits.
  ///   - expiresUs: the certificates' ends, µs since 1970.
  package static func register(
    _ hosts: [HostID], named name: String, fingerprints: [String], expiresUs: [Int64], on connection: Connection
  ) throws {
    _ = try connection.query(
      """
      with made as (
        insert into signalbox.hosts (host_id, name)
        select id, $4 || '-' || row_number() over () from unnest($1::uuid[]) as u (id) returning number, host_id
      ), fenced as (insert into signalbox.epochs (host) select number from made)
      insert into signalbox.certificates (fingerprint, host, issued, expires)
      select decode(u.print, 'hex'), m.number, now(), u.expires
      from unnest($1::uuid[], $2::text[], $3::timestamptz[]) as u (id, print, expires) join made m on m.host_id = u.id
      """,
      [.uuids(hosts.map { ($0.high, $0.low) }), .texts(fingerprints), .times(us: expiresUs), .text(name)])
    try connection.execute("notify signalbox_hosts")
  }

  /// Hosts `node-00001`… that were seen just now, every fifth with four GPUs, every third with a run under way.
  package static func liveFleet(hosts: Int, on connection: Connection) throws {
    try connection.execute(
      """
      insert into signalbox.hosts (host_id, name, gpu_count)
        select gen_random_uuid(), 'node-' || lpad(i::text, 5, '0'), case when i % 5 = 0 then 4 else 0 end
        from generate_series(1, \(hosts)) i;
      insert into signalbox.epochs (host, epoch, last_seen) select number, 1, now() from signalbox.hosts;
      insert into signalbox.runs (host, run, state, started, updated)
        select number, '/runs/' || number, 1, now(), now() from signalbox.hosts where number % 3 = 0;
      analyze
      """)
  }

  /// Hosts `node-00001`… with three runs each, one of them under way, and twenty episodes a run. Totals of runs are left to
  /// `Store.recomputeRunTotals`.
  package static func trainingFleet(hosts: Int, on connection: Connection) throws {
    try connection.execute(
      """
      insert into signalbox.hosts (host_id, name)
        select gen_random_uuid(), 'node-' || lpad(i::text, 5, '0') from generate_series(1, \(hosts)) i;
      insert into signalbox.epochs (host, epoch, last_seen) select number, 1, now() from signalbox.hosts;
      insert into signalbox.runs (host, run, state, started, updated)
        select h.number, 'run-' || n, case when n = 3 then 1 when h.number % 50 = 0 then 3 else 2 end, now() - interval '1 day',
          now() - (3 - n) * interval '1 hour' - h.number * interval '1 ms'
        from signalbox.hosts h, generate_series(1, 3) n;
      insert into signalbox.episodes
        select r.number, n, r.updated - (20 - n) * interval '1 minute', case when r.state = 1 and n = 20 then 0 else 1 end,
          r.started, 1000, 1, 1000, 1000, n, -1, 1, 1000, 1000, 100, 101, 110, 90, 0.1, 999, 0.01, 0.1, 0.05, 10, 5, 0, 100, 0, 100,
          0, null
        from signalbox.runs r, generate_series(1, 20) n;
      """)
  }

  /// Lines of the 20 hours before `nowUs`, oldest first, as they come in: of the hosts `node-00001` (half of all), `node-00002` (the
  /// other half) and `quiet` (100 lines); `mute` has none. Three lines hold a rare word, `rare-7-word` among them.
  package static func lines(_ lines: Int, nowUs: Int64, on connection: Connection) throws {
    for daysAgo in [0, 1] {
      try connection.execute("select signalbox.ensure_partition('log_info', now() - \(daysAgo) * interval '1 day')")
    }
    try connection.execute(
      """
      insert into signalbox.hosts (host_id, name)
        select gen_random_uuid(), n from unnest(array['node-00001', 'node-00002', 'quiet', 'mute']) n;
      insert into signalbox.followed_files (host, key, path, first_seen, updated, device, inode, birth_ns, head_hash, head_length,
          generation, format)
        select h.number, gen_random_uuid(), '/srv/train/' || h.name || '.log', now(), now(), 0, 0, 0, 0, 0, 0, 0
        from signalbox.hosts h where h.name <> 'mute';
      """)
    let stepUs = 20 * 3_600_000_000 / Int64(lines)
    try connection.execute(
      """
      insert into signalbox.log_info (time, received, host, file_offset, file, level, flags, message)
        select t, t, h.number, i * 100, f.number, 2, 0,
          '12:00:00,123 - trainer.ppo - INFO - episode ' || i || ' finished after 972 steps, reward -12.5137, portfolio 9990.42'
            || case when i % (\(lines) / 3) = 7 then ' rare-' || i || '-word' else '' end
        from (
          select i, case when i % (\(lines) / 100) = 0 then 'quiet' when i % 2 = 0 then 'node-00001' else 'node-00002' end as name,
            to_timestamp((\(nowUs) - (\(lines) - i) * \(stepUs)) / 1e6) as t
          from generate_series(1::bigint, \(lines)) i
        ) x join signalbox.hosts h on h.name = x.name join signalbox.followed_files f on f.host = h.number;
      insert into signalbox.log_counts (time, host, file, level, lines, bytes)
        select date_trunc('hour', time), host, file, level, count(*), 0 from signalbox.log_info group by 1, 2, 3, 4;
      """)
    try connection.execute("vacuum analyze signalbox.log_info")
    try connection.execute("analyze")
  }

  /// An aggregate over all episodes, as an operator writes it for `signalbox sql`.
  package static let operatorsAggregate =
    "select host, count(*), avg(total_reward) from public.episodes group by host"
}

extension Connection {
  /// Makes a database for `body` and drops it afterwards, whatever is still connected to it.
  package func withDatabase<Result>(named name: String, _ body: () throws -> Result) throws -> Result {
    try execute("create database \(Self.quoted(name))")
    defer { try? execute("drop database \(Self.quoted(name)) with (force)") }
    return try body()
  }

  /// Rows of all these tables of the schema `signalbox` together.
  package func rowCount(of tables: [String]) throws -> Int64 {
    let sum = tables.map { "(select count(*) from signalbox.\(Self.quoted($0)))" }.joined(separator: " + ")
    return try query("select \(sum)").int(0, 0) ?? 0
  }

  /// Runs a statement and discards its rows.
  /// - Returns: what the server reports for planning and execution together, ms.
  package func serverMs(of statement: String) throws -> Double {
    let plan = try queryText("explain (analyze, timing off) " + statement)
    return (0..<plan.count).compactMap { plan.text($0, 0) }
      .filter { $0.hasPrefix("Execution Time") || $0.hasPrefix("Planning Time") }
      .compactMap { $0.split(separator: " ").dropLast().last.flatMap { Double($0) } }.reduce(0, +)
  }
}
