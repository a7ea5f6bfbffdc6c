import Foundation
import Testing

@testable import Simulation

/// The simulation of paging trusts a plain model of the statements in `Store/Incidents`. Here both do the same on a real PostgreSQL.
@Suite struct OutboxEqualityTests {
  private static let operations = 60
  private static let parts: UInt64 = 4
  private static let seeds =
    UInt64(ProcessInfo.processInfo.environment["SIGNALBOX_OUTBOX_SEEDS"] ?? "") ?? 40

  /// More with `SIGNALBOX_OUTBOX_SEEDS=n`.
  @Test(.timeLimit(.minutes(60)), arguments: 0..<parts) func modelAndStoreHaveTheSameRows(part: UInt64) throws {
    let stored = try StoredOutbox()
    for seed in stride(from: part, to: Self.seeds, by: Int(Self.parts)) {
      let run = try OutboxRun(seed: seed, stored: stored)
      for operation in 0..<Self.operations {
        if let difference = try run.step() {
          Issue.record("seed \(seed), operation \(operation): \(difference)")
          return
        }
      }
    }
  }

  /// What the sequences mean: each state of each event, lists and singles, returns, and what memory sent.
  @Test func seedsReachWhatTheyAreFor() throws {
    var seen: Set<String> = []
    for seed in 0..<40 as Range<UInt64> {
      let run = try OutboxRun(seed: seed, stored: nil)
      for _ in 0..<Self.operations { _ = try run.step() }
      seen.formUnion(run.seen)
    }
    let marks: Set = [
      "a return", "a lease that moves", "an answer without the lease", "rows of what memory sent", "a second alert",
      "single trigger", "single escalate", "single acknowledge", "single resolve", "list trigger", "list resolve",
      "row trigger refused", "row trigger cancelled", "row escalate cancelled", "row acknowledge superseded",
      "row resolve superseded", "row resolve delivered", "row escalate delivered",
    ]
    #expect(marks.subtracting(seen).isEmpty)
  }
}
