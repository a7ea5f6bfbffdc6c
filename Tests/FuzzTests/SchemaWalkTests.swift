import FleetModel
import FuzzTargets
import Postgres
import Store
import TestSupport
import Testing

/// Every number that a report can carry, at every value that no honest agent sends.
@Suite(.serialized, .timeLimit(.minutes(20))) struct SchemaWalkTests {
  private static let numbers = ProtoSchema.report.numbers(in: "Batch")

  private static func frames(_ path: [String], _ type: String, at seconds: Int64 = 10) -> [[UInt8]] {
    ProtoSchema.report.extremes(of: type).enumerated().map { index, extreme in
      WholeBatchTarget.frame(at: seconds + Int64(index)) { here, _ in here == path ? extreme : nil }
    }
  }

  private static let usual = WholeBatchTarget.frame { _, _ in nil }

  @Test func theWalkKnowsTheSchema() throws {
    #expect(ProtoSchema.report.messages.count >= 25 && ProtoSchema.report.enums.count >= 8)
    let names = Set(Self.numbers.map { $0.path.joined(separator: ".") })
    #expect(names.count == Self.numbers.count && names.count > 200)
    for name in [
      "spooled.records.gpus.utilization_percent", "files.lines.first_offset_bytes", "health.followed_files",
      "files.episodes.episode", "spooled.records.steps.metrics.value", "files.lines.time_delta_us",
    ] {
      #expect(names.contains(name), "\(name)")
    }
    // As it is usually sent it is accepted, and the shipped rules find something in it.
    let batch = try #require(WholeBatchTarget.batch(of: Self.usual))
    #expect(batch.files.first?.lines.count == 1 && batch.spooled.first?.records.gpus.count == 2)
  }

  @Test func rulesRowsMetricsAndPagesTakeEveryNumber() {
    for (path, type) in Self.numbers {
      let last = WholeBatchTarget.frame(at: 60, runState: 2) { _, _ in nil }
      if path.last?.hasSuffix("_ns") == true {
        // A time in the far future would make the rules pass over everything behind it.
        for frame in Self.frames(path, type) { WholeBatchTarget.exercise([Self.usual, frame, last]) }
      } else {
        WholeBatchTarget.exercise([Self.usual] + Self.frames(path, type) + [last])
      }
    }
  }

  /// Each batch is another host's first, so that none stands in another's way; every group also has a host that sends what is usual.
  @Test func theDatabaseTakesEveryNumberOrSetsItAside() throws {
    let database = try TestDatabase()
    let store = try Store.open(database.url, migrating: true)
    defer { store.close() }
    let batches = Self.numbers.flatMap { Self.frames($0.path, $0.type) }.compactMap(WholeBatchTarget.batch)
      .filter { batch in
        // What the session refuses before the store sees it.
        batch.spooled.allSatisfy { $0.firstSequence == 1 && $0.lastSequence < 1 << 63 }
          && batch.files.allSatisfy { $0.from == 0 && $0.to < 1 << 63 }
      }
    #expect(batches.count > 3000)
    let groupSize = 100
    let hosts = batches.count + batches.count / groupSize + 1
    try store.connection.execute(
      """
      insert into signalbox.hosts (host_id, name) select gen_random_uuid(), 'h' || n from generate_series(1, \(hosts)) n;
      insert into signalbox.epochs (host, epoch) select number, 1 from signalbox.hosts;
      """)
    var next: Int32 = 0
    func staged(_ batch: Batch) -> StagedBatch {
      next += 1
      return StagedBatch(
        host: HostID(high: 0, low: UInt64(next)), hostNumber: next, epoch: 1, spool: SpoolID(high: 0, low: 1),
        receivedNs: WholeBatchTarget.nowNs, batch: batch)
    }
    let usual = try #require(WholeBatchTarget.batch(of: Self.usual))
    var left = batches[...]
    while !left.isEmpty {
      let group = left.prefix(groupSize).map(staged) + [staged(usual)]
      left = left.dropFirst(groupSize)
      let outcomes = try store.commit(group)
      #expect(outcomes.allSatisfy { $0 == .committed }, "\(outcomes)")
    }
    #expect(store.takeSetAside() == [])
    func count(_ sql: String) throws -> Int64? { try store.connection.query(sql).int(0, 0) }
    #expect(try count("select count(*) from signalbox.dead_letters") == 0)
    #expect(try count("select count(*) from signalbox.host_samples") == Int64(next))
    #expect(try count("select count(*) from signalbox.epochs where last_seen is not null") == Int64(next))
    // Whoever asks for the fleet must not be refused because of one host's numbers.
    let views = try store.connection.query(
      "select viewname::text from pg_views where schemaname = 'public' and viewname not like 'pg_%'")
    for row in 0..<views.count {
      let name = views.text(row, 0) ?? ""
      #expect(throws: Never.self, "\(name)") { _ = try store.connection.queryText("select * from public.\(name)") }
    }
    let report = try #require(try store.housekeep(nowNs: WholeBatchTarget.nowNs + 7_200_000_000_000))
    #expect(report.problems == [])
  }
}
