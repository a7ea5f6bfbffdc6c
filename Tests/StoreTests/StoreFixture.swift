import FleetModel
import Incidents
import Postgres
import Store
import TestSupport

/// A migrated database with one or two enrolled hosts.
final class StoreFixture {
  let database: TestDatabase
  let store: Store
  static let nowNs: Int64 = 1_790_000_000_000_000_000

  /// Copying a migrated database is five times faster than migrating; a server of somebody else's may run workers that
  /// keep a template in use.
  private static let template: Result<TestDatabase, any Error> = Result {
    let database = try TestDatabase()
    try Store.open(database.url, migrating: true).close()
    return database
  }

  init(migrated: Bool = true) throws {
    if migrated, !TestDatabase.isForeignServer {
      database = try TestDatabase(template: Self.template.get().databaseName)
      store = try Store.open(database.url)
    } else {
      database = try TestDatabase()
      store = try Store.open(database.url, migrating: true)
    }
  }

  /// A second writer.
  func another() throws -> Store { try Store.open(database.url) }

  @discardableResult
  func host(_ name: String = "trainer-1", _ id: UInt64 = 1) throws -> HostID {
    let host = HostID(high: 0, low: id)
    try store.invite(
      Invitation(
        tokenID: "token-\(name)", secretHash: Self.hash, hostName: name, expiresNs: Self.nowNs + 60_000_000_000),
      actor: "test")
    _ = try store.redeem(
      Redemption(
        tokenID: "token-\(name)", secretHash: Self.hash, keyPin: Self.hash, newHost: host, nowNs: Self.nowNs))
    return host
  }

  static let hash = [UInt8](repeating: 7, count: 32)

  func stream(_ name: String = "trainer-1", _ id: UInt64 = 1, boot: UInt64 = 1) throws -> TestStream {
    let host = try host(name, id)
    return TestStream(host, try fence(host, boot: boot))
  }

  func fence(_ host: HostID, boot: UInt64 = 1, at nowNs: Int64 = nowNs) throws -> Fence {
    try store.fence(host: host, hello: Self.hello(boot: boot), receivedNs: nowNs)
  }

  /// One agent process's Hello, of several that may share a machine and boot id.
  func fence(_ host: HostID, instance: UInt64, knows collectors: [String] = [], at nowNs: Int64) throws -> Fence {
    var hello = Self.hello()
    hello.instanceID = InstanceID(high: 0, low: instance)
    hello.knownCollectors = collectors
    return try store.fence(host: host, hello: hello, receivedNs: nowNs)
  }

  static func hello(boot: UInt64 = 1, spool: UInt64 = 5) -> Hello {
    var hello = Hello()
    hello.bootID = BootID(high: 0, low: boot)
    hello.machineIDHash = MachineIDHash(high: 0, low: boot)
    hello.spoolID = SpoolID(high: 0, low: spool)
    hello.facts.hostName = "trainer"
    return hello
  }

  /// The first column of the first row, as text.
  func value(_ sql: String) throws -> String? {
    let rows = try store.connection.queryText(sql)
    return rows.count == 0 ? nil : rows.text(0, 0)
  }

  func count(_ table: String) throws -> Int { Int(try value("select count(*) from \(table)") ?? "") ?? -1 }
}

/// What an agent would send: batches with their place.
struct TestStream {
  let host: HostID
  let fence: Fence
  var number: UInt64 = 0

  init(_ host: HostID, _ fence: Fence) {
    self.host = host
    self.fence = fence
  }

  func staged(_ batch: Batch, receivedNs: Int64 = StoreFixture.nowNs) -> StagedBatch {
    StagedBatch(
      host: host, hostNumber: fence.hostNumber, epoch: fence.epoch, spool: SpoolID(high: 0, low: 5),
      receivedNs: receivedNs, batch: batch)
  }

  /// One host sample a sequence.
  func samples(_ sequences: ClosedRange<UInt64>, lane: Lane = .live) -> StagedBatch {
    var batch = Batch()
    for sequence in sequences {
      var records = Records()
      var sample = HostSample()
      sample.timeNs = StoreFixture.nowNs - 1_000_000_000 * Int64(100 - min(sequence, 100))
      sample.load1 = Float(sequence)
      records.hosts = [sample]
      batch.spooled.append(
        SpooledRecords(lane: lane, firstSequence: sequence, lastSequence: sequence, records: records))
    }
    return staged(batch)
  }

  /// Lines of ten bytes each, from line `first` on.
  func lines(_ count: Int, from first: Int = 0, file key: UInt64 = 9, level: Level = .info) -> StagedBatch {
    var batch = Batch()
    batch.files = [delta(count, from: first, file: key, level: level)]
    return staged(batch)
  }

  func delta(_ count: Int, from first: Int = 0, file key: UInt64 = 9, level: Level = .info) -> FileDelta {
    var delta = FileDelta(
      file: FileIdentity(key: FileKey(high: 0, low: key), path: "/var/log/train-\(key).log"), from: UInt64(first * 10),
      to: UInt64((first + count) * 10))
    delta.tailHash = UInt64(first + count)
    delta.lines.firstOffset = delta.from
    for line in first..<first + count {
      let text = Array(String(1_000_000 + line).utf8) + Array("..".utf8)
      delta.lines.append(text, advance: 10, timeUs: StoreFixture.nowNs / 1000 + Int64(line), level: level)
    }
    return delta
  }
}

extension LogLines {
  mutating func append(_ text: [UInt8], advance: UInt32, timeUs: Int64, level: Level, flags: LineFlags = []) {
    self.text += text
    lengths.append(UInt32(text.count))
    advances.append(advance)
    timesUs.append(timeUs)
    levels.append(level.rawValue)
    self.flags.append(flags.rawValue)
  }
}

extension PagingPolicy {
  /// Pages one receiver at once, and `lead` a quarter of an hour later.
  static func escalating(from first: String) -> PagingPolicy {
    PagingPolicy { _, nowNs in
      [
        PlannedDelivery(receiver: first, dueNs: nowNs),
        PlannedDelivery(receiver: "lead", dueNs: nowNs + 900_000_000_000, step: 1),
      ]
    }
  }
}
