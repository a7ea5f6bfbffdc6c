import FleetModel
import Postgres
import Store
import Testing

/// The order of the rules' saved states: with their facts or not at all, and never an older one over a newer one.
@Suite(.timeLimit(.minutes(10))) struct RuleStateTests {
  private static let nowNs = StoreFixture.nowNs

  private static func state(_ epoch: UInt64, _ sequence: UInt64, host: Int32 = 1) -> SavedRuleState {
    SavedRuleState(
      hostNumber: host, version: RuleStateVersion(epoch: epoch, sequence: sequence),
      bytes: [UInt8(truncatingIfNeeded: epoch), UInt8(truncatingIfNeeded: sequence)])
  }

  private func kept(_ fixture: StoreFixture, host: Int32 = 1) throws -> RuleStateVersion? {
    try fixture.store.ruleStates(of: host).first?.version
  }

  /// The statement against the function that plan and simulation ask: each pair of versions that may meet.
  @Test func theDatabaseReplacesAStateExactlyWhereTheVersionDoes() throws {
    let fixture = try StoreFixture()
    let lease = try #require(try fixture.store.takeLease("rules", holder: "a", seconds: 60))
    let numbers: [UInt64] = [0, 1, 2, UInt64(Int64.max) / 2]
    let versions = numbers.flatMap { epoch in numbers.map { RuleStateVersion(epoch: epoch, sequence: $0) } }
    for before in versions {
      for after in versions {
        try fixture.store.connection.execute("delete from signalbox.rule_states")
        for version in [before, after] {
          try fixture.store.saveFleetState(
            SavedRuleState(hostNumber: 0, version: version, bytes: [1]), under: lease, nowNs: Self.nowNs)
        }
        #expect(try kept(fixture, host: 0) == (after.replaces(before) ? after : before), "\(before) \(after)")
      }
    }
  }

  @Test func aStateIsKeptWithItsFactsAndAnOlderOneOfTheSameEpochIsNot() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    func commit(_ sequences: ClosedRange<UInt64>, _ sequence: UInt64) throws -> CommitOutcome? {
      var staged = stream.samples(sequences)
      staged.ruleState = Self.state(stream.fence.epoch, sequence)
      return try fixture.store.commit([staged]).first
    }
    #expect(try commit(1...2, 7) == .committed)
    #expect(try kept(fixture) == RuleStateVersion(epoch: 1, sequence: 7))
    // The facts count, the older state does not; of an equal one nothing changes.
    #expect(try commit(3...3, 6) == .committed)
    #expect(try kept(fixture) == RuleStateVersion(epoch: 1, sequence: 7))
    #expect(try fixture.value("select saved from signalbox.rule_states") != nil)
    #expect(try commit(4...4, 8) == .committed)
    // A batch that does not fit takes its state along, and what follows it in its group as well.
    #expect(try commit(9...9, 9) == .outOfOrder)
    var follows = stream.staged(Batch())
    follows.ruleState = Self.state(stream.fence.epoch, 10)
    #expect(try fixture.store.commit([stream.samples(9...9), follows]) == [.outOfOrder, .outOfOrder])
    #expect(try kept(fixture) == RuleStateVersion(epoch: 1, sequence: 8))
    // The next stream reads it with its marks.
    #expect(try fixture.fence(stream.host).ruleState?.version == RuleStateVersion(epoch: 1, sequence: 8))
  }

  /// Of several in one group the newest is kept; that of a stream that was fenced is not, however high its number.
  @Test func aStreamThatWasFencedSavesNoState() throws {
    let fixture = try StoreFixture()
    let old = try fixture.stream()
    var late = old.samples(1...1)
    late.ruleState = Self.state(old.fence.epoch, 99)
    let new = TestStream(old.host, try fixture.fence(old.host, boot: 2))
    var group = [new.samples(1...1), new.samples(2...2), new.staged(Batch())]
    for (index, sequence) in [3, 5, 4].enumerated() {
      group[index].ruleState = Self.state(new.fence.epoch, UInt64(sequence))
    }
    #expect(try fixture.store.commit([late] + group) == [.fenced, .committed, .committed, .committed])
    #expect(try kept(fixture) == RuleStateVersion(epoch: 2, sequence: 5))
  }

  /// The state of a host that is silent is saved without facts: the host is as silent as before.
  @Test func aStateWithoutFactsIsNoReportOfItsHost() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    #expect(try fixture.store.commit([stream.samples(1...1)]) == [.committed])
    let seen = try fixture.value("select last_seen || ' ' || skew_ms from signalbox.epochs")
    var staged = stream.staged(Batch(), receivedNs: Self.nowNs + 3_600_000_000_000)
    staged.ruleState = Self.state(stream.fence.epoch, 1)
    #expect(staged.isStateOnly)
    #expect(try fixture.store.commit([staged]) == [.committed])
    #expect(try kept(fixture) == RuleStateVersion(epoch: 1, sequence: 1))
    #expect(try fixture.value("select last_seen || ' ' || skew_ms from signalbox.epochs") == seen)
  }

  /// The whole fleet's belongs to the lease: whoever has lost it saves nothing more, whatever the number.
  @Test func theFleetsStateIsSavedUnderTheLeaseAlone() throws {
    let fixture = try StoreFixture()
    let first = try #require(try fixture.store.takeLease("rules", holder: "a", seconds: 60))
    try fixture.store.saveFleetState(Self.state(1, 5, host: 0), under: first, nowNs: Self.nowNs)
    try fixture.store.releaseLease(first)
    let second = try #require(try fixture.store.takeLease("rules", holder: "b", seconds: 60))
    #expect(throws: StoreError.leaseLost) {
      try fixture.store.saveFleetState(Self.state(9, 9, host: 0), under: first, nowNs: Self.nowNs)
    }
    #expect(try kept(fixture, host: 0) == RuleStateVersion(epoch: 1, sequence: 5))
    try fixture.store.saveFleetState(
      Self.state(UInt64(second.fence), 6, host: 0), under: second, nowNs: Self.nowNs)
    #expect(try kept(fixture, host: 0) == RuleStateVersion(epoch: UInt64(second.fence), sequence: 6))
  }

  /// A row of the release before, with the epoch of its stream, is older than what the next stream saves.
  @Test func aStateOfTheReleaseBeforeIsReplaced() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    try fixture.store.connection.execute(
      "insert into signalbox.rule_states (host, epoch, state, saved) values (1, 1, 'x', now())")
    #expect(try kept(fixture) == RuleStateVersion(epoch: 1, sequence: 0))
    var staged = stream.samples(1...1)
    staged.ruleState = Self.state(stream.fence.epoch, 1)
    #expect(try fixture.store.commit([staged]) == [.committed])
    #expect(try kept(fixture) == RuleStateVersion(epoch: 1, sequence: 1))
  }
}
