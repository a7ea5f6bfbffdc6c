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

  @Test func aBrokenStoreIsNoticed() {
    var truth = Truth()
    let store = SimulatedStore()
    truth.appended(
      truth.nextSampleID(), host: .init(high: 0, low: 0), spool: .init(high: 0, low: 0), lane: .live, sequence: 1)
    #expect(truth.missing(in: store, StoredText(store), readable: []) != nil)
  }
}
