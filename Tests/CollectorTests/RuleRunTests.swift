import EventLoop
import Files
import FleetModel
import Logging
import Paging
import Postgres
import RuleFiles
import Rules
import SiteConfiguration
import Synchronization
import Testing

@testable import Collector

/// Two collectors' rules, handed from one to the other as their database would.
@Suite struct RuleRunTests {
  fileprivate static let rules = """
    - { id: SITE-01, title: t, severity: P1, scope: file, when: { log: { text: STOPPED } }, until: { log: { text: GOES ON } } }
    - { id: SITE-03, title: t, severity: P2, scope: file, when: { log: { text: COUNTED, count: 3, within: 1h } } }
    - { id: SITE-04, title: t, severity: P2, scope: file, when: { log: { text: FLAKY, within: 30m } } }
    - { id: SITE-02, title: t, severity: P2, when: { event: { kind: agent, subject: identity, within: 30m } } }
    """
  private static let id = HostID(high: 1, low: 1)
  private static let nowNs: Int64 = 1_760_000_000_000_000_000

  private struct OneCollector {
    let thread: RulesThread
    let run: RuleRun
    let writer: WriterThread
    private let session = SessionID(gateway: 0, number: 1)
    /// What a gateway would get.
    let gateway: Mailbox<GatewayMessage>

    init(_ rules: String = RuleRunTests.rules) throws {
      gateway = try Mailbox(limit: 16)
      let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
      let metrics = CollectorMetrics()
      let database = try DatabaseURL(parsing: "postgresql://nobody@localhost/none")
      let paging = try PagingThread(
        database: database, stateDirectory: "/tmp/signalbox-no-such", configuration: nil, metrics: metrics,
        logger: logger)
      writer = try WriterThread(
        name: "writer-0", database: database, gateways: [], settings: SettingsBook(Configuration()), metrics: metrics,
        logger: logger)
      let set = RuleSet.read([("t.yaml", try YAMLTree.read(rules, file: "t.yaml"))]).set
      thread = try RulesThread(
        set, writers: [writer], gateways: [gateway], paging: paging, diagnosis: try SilenceDiagnosis(),
        metrics: metrics,
        logger: logger)
      run = RuleRun(thread, set)
    }

    func begin(
      epoch: UInt64, _ saved: SavedRuleState?, session number: UInt64 = 1, notes: [Event] = [],
      open: [OpenIncident] = []
    ) {
      var began = RuleSession(
        id: SessionID(gateway: 0, number: number), host: known(epoch), saved: saved, address: "127.0.0.1")
      began.notes = notes
      began.open = open
      run.take(.began(began))
    }

    /// Sessions that were ended, oldest first.
    func superseded() -> [UInt64] {
      gateway.take().compactMap { if case .superseded(let session) = $0 { session } else { nil } }
    }

    func observe(_ line: String, from: UInt64, epoch: UInt64) {
      var delta = FileDelta(
        file: FileIdentity(key: FileKey(high: 1, low: 9), path: "/srv/a.log"), from: from,
        to: from + UInt64(line.utf8.count + 1))
      delta.lines.firstOffset = from
      delta.lines.text = Array(line.utf8)
      delta.lines.lengths = [UInt32(line.utf8.count)]
      delta.lines.advances = [UInt32(line.utf8.count + 1)]
      delta.lines.timesUs = [nowNs / 1000 + Int64(from)]
      delta.lines.levels = [Level.info.rawValue]
      delta.lines.flags = [0]
      var batch = Batch()
      batch.wallNs = nowNs + Int64(from) * 1000
      batch.files = [delta]
      let staged = StagedBatch(
        host: RuleRunTests.id, hostNumber: 7, epoch: epoch, spool: SpoolID(high: 1, low: 1),
        receivedNs: batch.wallNs, batch: batch)
      run.take(.batch(staged, session, bytes: 0))
      run.judgeRound()
    }

    /// What was handed on to be written, oldest first.
    func records() -> [RuleRecord] {
      thread.paging.mailbox.take().compactMap { if case .record(let record) = $0 { record } else { nil } }
    }

    /// What the writer was handed, oldest first.
    func written() -> [StagedBatch] {
      writer.mailbox.take().compactMap { if case .stage(let batch, _, _) = $0 { batch } else { nil } }
    }

    /// All that was handed to paging is in the database.
    func recorded() { run.take(.recorded(run.lastRecord)) }
  }

  private static func known(_ epoch: UInt64) -> KnownHost {
    var host = KnownHost(id: id, number: 7, name: "h")
    host.epoch = epoch
    return host
  }

  private static func memory(_ states: [SavedRuleState], epoch: UInt64) -> RulesThread.FleetMemory {
    RulesThread.FleetMemory(fence: 1, hosts: [known(epoch)], states: states, open: [])
  }

  /// A collector with a stream that has found something, and the state that it saved before that.
  private static func foundSomething() throws -> (collector: OneCollector, before: SavedRuleState) {
    let collector = try OneCollector()
    collector.begin(epoch: 5, nil)
    collector.observe("well", from: 0, epoch: 5)
    collector.run.saveChanged(all: true)
    let before = try #require(collector.written().last?.ruleState)
    collector.observe("STOPPED", from: 5, epoch: 5)
    return (collector, before)
  }

  /// What the collector itself holds up is no silence of hosts, as far as it was held up.
  @Test(
    arguments: [
      (Int64(0), true, true, true), (11, true, true, false), (11, true, false, false), (11, false, false, false),
      (11, false, true, true),
      // Not held up for long.
      (7, true, true, true),
    ] as [(Int64, Bool, Bool, Bool)])
  func aHostIsNotLateWhileTheCollectorHoldsItsReports(
    _ stalledSeconds: Int64, _ isWriter: Bool, _ hasStream: Bool, _ isSilent: Bool
  ) throws {
    let collector = try OneCollector("- { id: SITE-05, title: t, severity: P3, when: { stale: host, for: 60s } }")
    collector.run.take(.lease(held: true, RulesThread.FleetMemory(fence: 1, hosts: [], states: [], open: [])))
    let control = collector.thread.metrics.health.watch("control", holds: .hostsWithoutStream)
    let (second, nowNs, monotonicNs) = (Int64(1_000_000_000), Clock.wallNs(), Clock.monotonicNs())
    var known = Self.known(5)
    known.lastSeenNs = nowNs - 68 * second
    if hasStream { collector.begin(epoch: 5, nil) }
    collector.run.take(.fleet([known]))
    let health = isWriter ? collector.writer.health : control
    if stalledSeconds > 0 { health.began(nowNs: monotonicNs - stalledSeconds * second) }
    // It has become long just now: all of it counts.
    collector.run.lastTickNs = monotonicNs - 2 * second
    collector.run.tick(monotonicNs)
    #expect(collector.run.engine.silentHosts == (isSilent ? [Self.id] : []))
  }

  /// It knew the host's state from when it began to judge the fleet; another collector went on with it under the same epoch.
  @Test func whoJudgesTheFleetTakesUpWhatAnotherHasFoundSince() throws {
    let (first, before) = try Self.foundSomething()
    let second = try OneCollector()
    second.run.take(.lease(held: true, Self.memory([before], epoch: 5)))
    let found = try #require(first.records().last)
    #expect(found.changes.map(\.kind) == [.opened])
    first.recorded()
    let saved = try #require(first.written().last?.ruleState)
    #expect(before.version < saved.version && saved.version.epoch == 5)
    second.begin(epoch: 6, saved)
    second.observe("it GOES ON", from: 13, epoch: 6)
    #expect(second.records().flatMap(\.changes).map(\.kind) == [.cleared])
  }

  /// Whoever holds the lease has a copy of the host's state that ages; a person's end changes it. The collector with the stream saves.
  @Test func aBorrowedStateIsNeverSaved() throws {
    let (first, _) = try Self.foundSomething()
    let change = try #require(first.records().last?.changes.first)
    first.recorded()
    let saved = try #require(first.written().last?.ruleState)
    let second = try OneCollector()
    second.run.take(.lease(held: true, Self.memory([saved], epoch: 5)))
    let end = EndedIncident(
      number: 1, rule: change.rule, hostNumber: 7, entity: change.entity, lastEventUs: change.eventNs / 1000)
    for collector in [first, second] {
      collector.run.take(.endedByHand([end]))
      collector.run.saveChanged(all: true)
    }
    #expect(second.written().isEmpty)
    // The one with the stream saves it at once, without waiting for a batch, and not as a report of the host.
    let own = try #require(first.written().last)
    #expect(own.isStateOnly && own.epoch == 5 && saved.version < own.ruleState?.version ?? saved.version)
    // With a stream of its own the copy is its own, and later than what it was copied from.
    second.begin(epoch: 6, saved)
    second.observe("STOPPED", from: 13, epoch: 6)
    second.recorded()
    let next = try #require(second.written().last?.ruleState?.version)
    #expect(next.epoch == 6 && next.sequence > saved.version.sequence)
  }

  /// The line comes again and again where the stream is; whoever only judges silence must not end what it has found.
  @Test(arguments: [true, false]) func aBorrowedStateEndsNothingByTime(hadTheStream: Bool) throws {
    let first = try OneCollector()
    first.begin(epoch: 5, nil)
    first.observe("FLAKY", from: 0, epoch: 5)
    #expect(first.records().flatMap(\.changes).map(\.kind) == [.opened])
    first.recorded()
    let saved = try #require(first.written().last?.ruleState)
    var known = Self.known(6)
    known.lastSeenNs = Clock.wallNs()
    // The host has gone to another collector, which reports it every few seconds.
    let holder = hadTheStream ? first : try OneCollector()
    if hadTheStream {
      first.run.take(.streamEnded(SessionID(gateway: 0, number: 1), .broken))
      first.run.judgeRound()
    }
    holder.run.take(
      .lease(held: true, RulesThread.FleetMemory(fence: 1, hosts: [known], states: [saved], open: [])))
    holder.run.take(.fleet([known]))
    for second in 1...20 as ClosedRange<Int64> { holder.run.tick(second * 1_000_000_000) }
    #expect(holder.records().flatMap(\.changes).isEmpty)
    holder.run.saveChanged(all: true)
    #expect(holder.written().isEmpty)
    // With the stream it goes on, and time ends it.
    holder.begin(epoch: 7, saved)
    for second in 21...40 as ClosedRange<Int64> { holder.run.tick(second * 1_000_000_000) }
    #expect(holder.records().flatMap(\.changes).map(\.kind) == [.cleared])
  }

  /// The fleet's state waits for the fleet's findings, and goes to the thread that holds the lease, under its fence.
  @Test func theFleetsStateIsOfferedUnderTheFenceOfTheLease() throws {
    let collector = try OneCollector()
    collector.run.saveChanged(all: true)
    #expect(collector.thread.fleetState.withLock { $0 } == nil)
    var memory = Self.memory([], epoch: 5)
    memory.fence = 4
    collector.run.take(.lease(held: true, memory))
    collector.run.saveChanged(all: true)
    collector.run.saveChanged(all: true)
    let state = try #require(collector.thread.fleetState.withLock { $0 })
    #expect(state.hostNumber == 0 && state.version == RuleStateVersion(epoch: 4, sequence: 2))
    // Incidents whose rule is gone end as findings of the fleet.
    memory.open = [OpenIncident(rule: "GONE-1", hostNumber: 7, entity: "", openedNs: 0, lastEventNs: 0)]
    collector.run.take(.lease(held: true, memory))
    #expect(collector.records().flatMap(\.changes).map(\.kind) == [.cleared])
    collector.run.saveChanged(all: true)
    #expect(collector.thread.fleetState.withLock { $0?.version.sequence } == 2)
    collector.recorded()
    collector.run.saveRequired()
    #expect(collector.thread.fleetState.withLock { $0?.version.sequence } == 3)
  }

  // MARK: Open incidents

  private static let stopped = OpenIncident(
    rule: "SITE-01", hostNumber: 7, entity: "/srv/a.log", openedNs: nowNs, lastEventNs: nowNs)

  /// Its finding was recorded, and its collector ended before the state that holds it was saved; or the state cannot be read.
  @Test func anIncidentThatTheStateDoesNotHaveIsEndedByItsFacts() throws {
    let (_, before) = try Self.foundSomething()
    let broken = SavedRuleState(hostNumber: 7, version: before.version, bytes: [99])
    for saved in [before, broken, nil] {
      let next = try OneCollector()
      next.begin(epoch: 6, saved, open: [Self.stopped])
      // It goes on: that is known.
      next.observe("STOPPED", from: 20, epoch: 6)
      #expect(next.records().isEmpty)
      next.observe("it GOES ON", from: 28, epoch: 6)
      let changes = next.records().flatMap(\.changes)
      #expect(changes.map(\.kind) == [.cleared] && changes.map(\.entity) == ["/srv/a.log"])
    }
  }

  /// The state in memory has an end that the database does not have yet.
  @Test func anIncidentThatHasEndedInMemoryIsNotTakenUp() throws {
    let (first, _) = try Self.foundSomething()
    first.recorded()
    first.observe("it GOES ON", from: 13, epoch: 5)
    #expect(first.records().flatMap(\.changes).map(\.kind) == [.opened, .cleared])
    first.begin(epoch: 6, nil, session: 1, open: [Self.stopped])
    first.observe("STOPPED", from: 24, epoch: 6)
    #expect(first.records().flatMap(\.changes).map(\.kind) == [.opened])
  }

  // MARK: Findings before facts

  /// A batch that opens nothing, but that a rule must remember, carries the state and waits for no record.
  @Test func aBatchThatOnlyChangesTheStateIsNotHeld() throws {
    let collector = try OneCollector()
    collector.begin(epoch: 5, nil)
    collector.observe("well", from: 0, epoch: 5)
    #expect(collector.written().map { $0.ruleState == nil } == [true])
    // The first of three that SITE-03 counts.
    collector.observe("COUNTED", from: 5, epoch: 5)
    #expect(collector.records().isEmpty)
    #expect(collector.written().map { $0.ruleState?.version } == [RuleStateVersion(epoch: 5, sequence: 1)])
  }

  @Test func aBatchWithAFindingWaitsForItsRecordAndHoldsWhatFollows() throws {
    let collector = try OneCollector()
    collector.begin(epoch: 5, nil)
    collector.observe("STOPPED", from: 0, epoch: 5)
    collector.observe("COUNTED", from: 8, epoch: 5)
    #expect(collector.written().isEmpty && collector.records().count == 1)
    collector.recorded()
    #expect(collector.written().map { $0.ruleState?.version.sequence } == [1, 2])
    // A state holds all findings before it: while one of them is not recorded, no later state is saved.
    collector.observe("it GOES ON", from: 16, epoch: 5)
    collector.run.take(.endedByHand([]))
    collector.run.requireSave(of: Self.id)
    collector.run.saveRequired()
    #expect(collector.written().isEmpty)
    collector.recorded()
    #expect(collector.written().map(\.isStateOnly) == [false])
    collector.run.saveRequired()
    #expect(collector.written().map(\.isStateOnly) == [true])
  }

  /// The collector ends between the finding's record and the commit: the batch comes again, and with it the same finding.
  @Test func theKeptStateFindsTheSameInTheBatchThatComesAgain() throws {
    let (first, before) = try Self.foundSomething()
    let found = first.records().flatMap(\.changes)
    let second = try OneCollector()
    second.begin(epoch: 6, before)
    second.observe("STOPPED", from: 5, epoch: 6)
    let again = second.records().flatMap(\.changes)
    #expect(again.map(\.identity) == found.map(\.identity) && again.map(\.eventNs) == found.map(\.eventNs))
    #expect(again.map(\.kind) == [.opened])
  }

  /// What was judged and never committed is passed over when it comes again: the first batch of the stream has to carry its state.
  @Test func theFirstBatchOfANewStreamCarriesWhatWasNotCommitted() throws {
    let (collector, before) = try Self.foundSomething()
    collector.run.take(.streamEnded(SessionID(gateway: 0, number: 1), .broken))
    collector.run.judgeRound()
    collector.recorded()
    #expect(collector.written().isEmpty)
    collector.begin(epoch: 6, before)
    collector.observe("STOPPED", from: 5, epoch: 6)
    let first = try #require(collector.written().first)
    #expect(!first.isStateOnly && first.ruleState?.version.epoch == 6)
    #expect(before.version < first.ruleState?.version ?? before.version)
    // What the database has already is not written again.
    let kept = try #require(first.ruleState)
    collector.begin(epoch: 7, kept)
    collector.observe("well", from: 13, epoch: 7)
    #expect(collector.written().map { $0.ruleState == nil } == [true])
  }

  /// Batches of a stream that a newer one has replaced are taken no more: without an end its agent would wait for acks for ever.
  @Test func aStreamThatANewerOneReplacesIsEnded() throws {
    let collector = try OneCollector()
    collector.begin(epoch: 5, nil)
    #expect(collector.superseded().isEmpty)
    collector.begin(epoch: 6, nil, session: 2)
    #expect(collector.superseded() == [1])
    // Two gateways' threads: the older stream's beginning may come last.
    collector.begin(epoch: 5, nil, session: 3)
    #expect(collector.superseded() == [3])
    collector.observe("STOPPED", from: 0, epoch: 5)
    #expect(collector.records().flatMap(\.changes).isEmpty)
  }

  /// What the collector finds out while it takes a stream opens incidents as the host's own events do.
  @Test func aNoteOfTheCollectorGoesThroughTheRules() throws {
    let collector = try OneCollector()
    var note = Event()
    note.timeNs = Self.nowNs
    note.kind = .agent
    note.subject = "identity"
    note.message = "two live machines use this host's certificate"
    collector.begin(epoch: 5, nil, notes: [note])
    let changes = collector.records().flatMap(\.changes)
    #expect(changes.map(\.rule) == ["SITE-02"] && changes.map(\.kind) == [.opened])
    #expect(changes.first?.hostNumber == 7)
  }

  /// Its own memory is newer than what it saved last.
  @Test func aStreamThatComesBackGoesOnFromMemory() throws {
    let (collector, before) = try Self.foundSomething()
    #expect(collector.records().count == 1)
    collector.recorded()
    collector.observe("still", from: 13, epoch: 5)
    collector.run.saveChanged(all: true)
    #expect(collector.records().isEmpty)
    let versions = collector.written().compactMap { $0.ruleState?.version }
    #expect(versions.count == 2 && versions == versions.sorted())
    collector.begin(epoch: 6, before)
    collector.observe("it GOES ON", from: 19, epoch: 6)
    #expect(collector.records().flatMap(\.changes).map(\.kind) == [.cleared])
  }

  /// A person ends what the engine takes for open: the next line opens another incident.
  @Test func anEndByHandArmsTheRuleAgain() throws {
    let collector = try OneCollector()
    collector.begin(epoch: 5, nil)
    collector.observe("STOPPED", from: 0, epoch: 5)
    let opened = try #require(collector.records().last)
    collector.observe("STOPPED", from: 8, epoch: 5)
    #expect(collector.records().flatMap(\.changes).isEmpty)
    let change = try #require(opened.changes.first)
    let end = EndedIncident(
      number: 1, rule: change.rule, hostNumber: 7, entity: change.entity, lastEventUs: change.eventNs / 1000)
    collector.run.take(.endedByHand([end]))
    collector.observe("STOPPED", from: 16, epoch: 5)
    #expect(collector.records().flatMap(\.changes).map(\.kind) == [.opened])

    // The same where the end came while no collector had the host: with its state.
    collector.recorded()
    var saved = try #require(collector.written().compactMap(\.ruleState).first)
    saved.ended = [end]
    let other = try OneCollector()
    other.begin(epoch: 6, saved)
    other.observe("STOPPED", from: 24, epoch: 6)
    #expect(other.records().flatMap(\.changes).map(\.kind) == [.opened])
  }

  /// 33 batches of 1 000 mounts each wait for their own turn; a host with one line is judged in the first round.
  @Test func aHostThatFloodsHoldsNobodyUp() throws {
    let collector = try OneCollector()
    collector.begin(epoch: 5, nil)
    let flooding = SessionID(gateway: 0, number: 2)
    var host = KnownHost(id: HostID(high: 9, low: 9), number: 9, name: "flood")
    host.epoch = 1
    collector.run.take(.began(RuleSession(id: flooding, host: host, saved: nil, address: "127.0.0.2")))
    for number in 0..<UInt64(33) {
      var records = Records()
      for mount in 0..<1000 {
        var disk = DiskSample()
        (disk.timeNs, disk.mountPoint) = (Self.nowNs + Int64(number), "/\(mount)")
        records.disks.append(disk)
      }
      var batch = Batch()
      batch.spooled = [
        SpooledRecords(lane: .live, firstSequence: number + 1, lastSequence: number + 1, records: records)
      ]
      let staged = StagedBatch(
        host: host.id, hostNumber: 9, epoch: 1, spool: SpoolID(high: 2, low: 2), receivedNs: Self.nowNs, batch: batch)
      collector.run.take(.batch(staged, flooding, bytes: 0))
    }
    collector.observe("STOPPED", from: 0, epoch: 5)
    #expect(collector.records().flatMap(\.changes).map(\.kind) == [.opened])
    #expect(collector.run.turns.count > 20)
    // A stream that is over leaves nothing behind.
    host.epoch = 2
    let next = RuleSession(id: SessionID(gateway: 0, number: 3), host: host, saved: nil, address: "127.0.0.2")
    collector.run.take(.began(next))
    #expect(collector.run.turns.isEmpty)
  }
}
