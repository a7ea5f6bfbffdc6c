import FleetModel
import Incidents
import Store
import Testing

@Suite(.timeLimit(.minutes(10))) struct FenceTests {
  private let second: Int64 = 1_000_000_000

  @Test func unknownAndRevokedHostsAreRefused() throws {
    let fixture = try StoreFixture()
    #expect(throws: StoreError.unknownHost) { try fixture.fence(HostID(high: 1, low: 1)) }
    let host = try fixture.host()
    let fence = try fixture.fence(host)
    try fixture.store.revoke(hostName: "trainer-1", actor: "op")
    #expect(throws: StoreError.revokedHost) { try fixture.fence(host) }
    #expect(try fixture.store.commit([TestStream(host, fence).samples(1...1)]) == [.fenced])
  }

  @Test func firstFenceKnowsNothingAndStoresTheFacts() throws {
    let fixture = try StoreFixture()
    let host = try fixture.host()
    let fence = try fixture.fence(host)
    #expect(fence.epoch == 1)
    #expect(fence.lanes.isEmpty && fence.files.isEmpty && !fence.isSuspectedClone)
    #expect(fence.hostName == "trainer-1")
    #expect(try fixture.value("select reported_name || ' ' || state from hosts") == "trainer active")
  }

  /// The rules take up what their state does not have; a flapping incident that is quiet is over for them.
  @Test func aFenceHasTheHostsOpenIncidents() throws {
    let fixture = try StoreFixture()
    let host = try fixture.host()
    let number = try fixture.fence(host).hostNumber
    func change(_ kind: IncidentChange.Kind, _ entity: String, at seconds: Int64) -> IncidentChange {
      let ns = StoreFixture.nowNs + seconds * second
      return IncidentChange(
        kind, rule: "RES-01", severity: .p1, hostNumber: number, hostName: "trainer-1", entity: entity, eventNs: ns,
        detectedNs: ns)
    }
    var changes = [change(.opened, "gpu 1", at: 0), change(.opened, "gpu 2", at: 0), change(.cleared, "gpu 2", at: 1)]
    for turn in 0..<20 {
      changes += [change(.opened, "gpu 3", at: Int64(2 * turn)), change(.cleared, "gpu 3", at: Int64(2 * turn + 1))]
    }
    try fixture.store.apply(changes, policy: .none, nowNs: StoreFixture.nowNs + 60 * second)
    #expect(try fixture.value("select count(*) from signalbox.incidents where state <> 'resolved'") == "2")
    let open = OpenIncident(
      rule: "RES-01", hostNumber: number, entity: "gpu 1", openedNs: StoreFixture.nowNs,
      lastEventNs: StoreFixture.nowNs)
    #expect(try fixture.fence(host).open == [open])
  }

  @Test func secondMachineWithTheSameIdentityIsSuspectedWhileTheFirstIsAlive() throws {
    let fixture = try StoreFixture()
    let host = try fixture.host()
    _ = try fixture.fence(host, boot: 1)
    #expect(try !fixture.fence(host, boot: 1, at: StoreFixture.nowNs + second).isSuspectedClone)
    #expect(try fixture.fence(host, boot: 2, at: StoreFixture.nowNs + 5 * second).isSuspectedClone)
    #expect(try !fixture.fence(host, boot: 1, at: StoreFixture.nowNs + 60 * second).isSuspectedClone)
  }

  @Test func rebootOfAStreamThatHadEndedIsNoClone() throws {
    let fixture = try StoreFixture()
    let host = try fixture.host()
    let fence = try fixture.fence(host, boot: 1)
    try fixture.store.endStream(hostNumber: fence.hostNumber, epoch: fence.epoch, atNs: StoreFixture.nowNs + second)
    #expect(try fixture.value("select disconnected is not null from hosts") == "t")
    let next = try fixture.fence(host, boot: 2, at: StoreFixture.nowNs + 3 * second)
    #expect(!next.isSuspectedClone)
    // The end of the old stream, reported late, does not affect the new one.
    try fixture.store.endStream(hostNumber: fence.hostNumber, epoch: fence.epoch, atNs: StoreFixture.nowNs + 4 * second)
    #expect(try fixture.value("select disconnected is null from hosts") == "t")
  }

  @Test func aHostThatOnlyConnectsWasNotSeen() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    #expect(try fixture.value("select last_seen is null and connected is not null from hosts") == "t")
    _ = try fixture.store.commit([stream.samples(1...1)])
    let seen = try fixture.value("select last_seen from hosts")
    _ = try fixture.fence(stream.host, at: StoreFixture.nowNs + 100 * second)
    #expect(try fixture.value("select last_seen from hosts") == seen)
  }

  @Test func marksOfManyFilesComeInPagesWithoutGapOrRepetition() throws {
    let fixture = try StoreFixture()
    var stream = try fixture.stream()
    var batch = Batch()
    batch.files = (1...300 as ClosedRange<UInt64>).map { key in
      var delta = stream.delta(1, file: key)
      delta.isFinished = key % 3 == 0
      return delta
    }
    _ = try fixture.store.commit([stream.staged(batch)])
    let fence = try fixture.fence(stream.host)
    stream = TestStream(stream.host, fence)
    var keys = fence.files.map(\.file.key.low)
    var after = fence.moreFilesAfter
    var pages = 1
    while let start = after {
      let page = try fixture.store.openFiles(of: fence.hostNumber, after: start)
      keys += page.files.map(\.file.key.low)
      after = page.moreAfter
      pages += 1
    }
    #expect(keys.sorted() == (1...300).filter { $0 % 3 != 0 } && pages == 2)
    #expect(fence.files.count == 128)
  }

  @Test func identityOfAFileComesBackBitByBit() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    var delta = stream.delta(1)
    delta.file.device = .max
    delta.file.inode = 1 << 63
    delta.file.birthNs = -5
    delta.file.headHash = 0xcbf2_9ce4_8422_2325
    delta.file.headLength = 1024
    delta.file.generation = 3
    delta.file.format = .resultJSON
    delta.file.historyBytes = .max - 2
    delta.tailHash = .max - 1
    var batch = Batch()
    batch.files = [delta]
    _ = try fixture.store.commit([stream.staged(batch)])
    let mark = try fixture.fence(stream.host).files.first
    #expect(mark == FileMark(file: delta.file, offset: 10, tailHash: .max - 1))
  }

  @Test func whatAnAgentFoundAndDoesNotReadIsInTheView() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    var health = AgentHealth()
    health.matchedFiles = 100_000
    health.followedFiles = 8192
    health.waitingFiles = 91_000
    health.unreadableFiles = 1
    health.outsideFiles = 2
    health.binaryFiles = 805
    health.missingRoots = 3
    health.unwatchedDirectories = 4
    // What no column holds is kept as the largest that it can.
    health.cutDirectories = .max
    health.utf16Files = 6
    var batch = Batch()
    batch.health = health
    _ = try fixture.store.commit([stream.staged(batch)])
    let row = "select row(f.*)::text from host_following f"
    #expect(try fixture.value(row) == "(trainer-1,100000,8192,91000,1,2,805,3,4,9223372036854775807,6)")
  }
}
