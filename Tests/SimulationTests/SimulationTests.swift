import FleetModel
import Testing

@testable import Simulation

@Suite struct SimulationTests {
  /// Agents, collectors, network, disks and store under one seed each; more with `make simulate SEEDS=n`.
  @Test(.timeLimit(.minutes(10)), arguments: 0..<8) func seedsRunWithoutViolation(part: UInt64) {
    for seed in part * 25..<part * 25 + 25 {
      let run = SeedRun(seed: seed)
      #expect(run.violation == nil, "replay with: signalbox-simulate --seed \(seed) --trace")
    }
  }

  /// Findings, hand-over, outbox and receivers.
  @Test(.timeLimit(.minutes(10)), arguments: 0..<8) func seedsOfPagingRunWithoutViolation(part: UInt64) {
    for seed in part * 50..<part * 50 + 50 {
      let run = SeedRun(seed: seed, of: .paging)
      #expect(run.violation == nil, "replay with: signalbox-simulate --part paging --seed \(seed) --trace")
    }
  }

  @Test func aSeedOfPagingReplaysExactly() {
    let first = SeedRun(seed: 7, of: .paging, tracing: true)
    #expect(first.trace == SeedRun(seed: 7, of: .paging, tracing: true).trace && first.messages > 0)
    #expect(SeedRun(seed: 7, of: .paging).steps == first.steps)
  }

  /// What a run of paging means: each fault happens, and messages go out both ways.
  @Test func seedsOfPagingReachWhatTheyAreFor() {
    var seen: Set<String> = []
    let marks = [
      "is killed", "is stopped", "the database is away", "the database is frozen", "is acknowledged",
      "sends from memory",
      "sends: trigger", "sends: resolve", "sends: escalate", ", list", "to safety", "kept: [\"opened",
    ]
    for seed in 0..<40 as Range<UInt64> {
      let trace = SeedRun(seed: seed, of: .paging, tracing: true).trace
      for mark in marks where trace.contains(where: { $0.contains(mark) }) { seen.insert(mark) }
    }
    #expect(Set(marks).subtracting(seen).isEmpty)
  }

  @Test func aSeedReplaysExactly() {
    let first = SeedRun(seed: 7, tracing: true)
    let second = SeedRun(seed: 7, tracing: true)
    #expect(first.trace == second.trace)
    #expect(!first.trace.isEmpty)
    #expect(SeedRun(seed: 7).steps == first.steps)
  }

  /// What a run means: faults do happen, and data does flow.
  @Test func seedsReachWhatTheyAreFor() {
    var seen: Set<String> = []
    let marks = [
      "is killed", "loses power", "stops", "is cut", "store is away", "network is down", "rotated by renaming",
      "copied and truncated", "is deleted", "cloned", "fenced by a newer connection of this identity", "duplicate",
      "unknown",
      "transient", "disk of host", "clock jumps", "a new spool was begun",
    ]
    for seed in 0..<80 as Range<UInt64> {
      let trace = SeedRun(seed: seed, tracing: true).trace
      for mark in marks where trace.contains(where: { $0.contains(mark) }) { seen.insert(mark) }
    }
    #expect(Set(marks).subtracting(seen).isEmpty)
  }

  /// The seeds' checks of the rules' states, each with what it is for.
  @Test func aBrokenRuleStateIsNoticed() {
    let host = HostID(high: 0, low: 1)
    let key = FileKey(high: 0, low: 1)
    func batch(to offset: UInt64, _ state: ModelRuleState?, epoch: UInt64) -> StagedBatch {
      var batch = Batch()
      batch.number = 1
      batch.files = [FileDelta(file: FileIdentity(key: key, path: "/a"), from: 0, to: offset)]
      var staged = StagedBatch(
        host: host, hostNumber: 1, epoch: epoch, spool: SpoolID(high: 0, low: 0), receivedNs: 0, batch: batch)
      staged.ruleState = state.map {
        SavedRuleState(
          hostNumber: 1, version: RuleStateVersion(epoch: epoch, sequence: $0.sequence), bytes: $0.encoded)
      }
      return staged
    }
    func fault(_ state: ModelRuleState?, isRecorded: Bool) -> String? {
      let store = SimulatedStore()
      let fence = store.fence(host, spool: SpoolID(high: 0, low: 0))
      if isRecorded { store.record(ModelFinding.all(in: key, from: 0, to: 600)) }
      #expect(store.commit([batch(to: 600, state, epoch: fence.epoch)]) == [.committed])
      return store.stateFault ?? store.restFault
    }
    var whole = ModelRuleState()
    #expect(ModelRuleState(whole.encoded).offsets.isEmpty)
    (whole.sequence, whole.judgedBytes, whole.offsets) = (1, 600, [key: 600])
    #expect(fault(whole, isRecorded: true) == nil)
    #expect(fault(nil, isRecorded: true)?.contains("committed to 600") == true)
    #expect(fault(whole, isRecorded: false)?.contains("not recorded") == true)
    var twice = whole
    twice.judgedBytes = 700
    #expect(fault(twice, isRecorded: true)?.contains("judged 700 bytes of 600") == true)
    var ahead = whole
    (ahead.judgedBytes, ahead.offsets) = (650, [key: 650])
    #expect(fault(ahead, isRecorded: true)?.contains("judged to 650") == true)
  }

  @Test func aBrokenStoreIsNoticed() {
    var truth = Truth()
    let store = SimulatedStore()
    truth.appended(
      truth.nextSampleID(), host: .init(high: 0, low: 0), spool: .init(high: 0, low: 0), lane: .live, sequence: 1)
    #expect(truth.missing(in: store, StoredText(store), readable: []) != nil)
  }
}
