/// One seed, run from start to end.
package struct SeedRun: Sendable {
  package let seed: UInt64
  /// What went wrong; nil where nothing did.
  package let violation: String?
  /// What happened, one line each; empty unless asked for.
  package let trace: [String]
  package let steps: Int
  package private(set) var samples = 0
  package private(set) var lines = 0
  package private(set) var commits = 0
  package private(set) var losses = 0
  package private(set) var incidents = 0
  package private(set) var messages = 0

  /// - Parameter tracing: keep the trace; the run is the same without.
  package init(seed: UInt64, of part: Part = .fleet, tracing: Bool = false) {
    self.seed = seed
    switch part {
    case .fleet:
      let world = World(seed: seed, isTracing: tracing)
      world.run()
      (violation, trace, steps) = (world.violation, world.trace, world.scheduler.steps)
      (samples, lines) = (world.truth.sampleCount, world.truth.lineCount)
      (commits, losses) = (world.store.commits, world.store.losses.count)
      world.end()
    case .paging:
      let world = PagingWorld(seed: seed, isTracing: tracing)
      world.run()
      (violation, trace, steps) = (world.violation, world.trace, world.scheduler.steps)
      incidents = world.outbox.incidents.count
      messages = world.receivers.values.reduce(0) { $0 + $1.taken.count }
      world.end()
    }
  }

  /// What is simulated: the two have no state in common.
  package enum Part: String, Sendable, CaseIterable {
    /// From the hosts' files to the committed rows.
    case fleet
    /// From the rules' findings to the receivers.
    case paging
  }
}
