/// One seed, run from start to end.
package struct SeedRun: Sendable {
  package let seed: UInt64
  /// What went wrong; nil where nothing did.
  package let violation: String?
  /// What happened, one line each; empty unless asked for.
  package let trace: [String]
  package let steps: Int
  package let samples: Int
  package let lines: Int
  package let commits: Int
  package let losses: Int

  /// - Parameter tracing: keep the trace; the run is the same without.
  package init(seed: UInt64, tracing: Bool = false) {
    self.seed = seed
    let world = World(seed: seed, isTracing: tracing)
    world.run()
    violation = world.violation
    trace = world.trace
    steps = world.scheduler.steps
    samples = world.truth.sampleCount
    lines = world.truth.lineCount
    commits = world.store.commits
    losses = world.store.losses.count
    world.end()
  }
}
