/// What the worlds of one seed have in common: simulated time, chance, the first violation, and the trace.
class SeededWorld {
  let scheduler = Scheduler()
  var random: SeededRandom
  private(set) final var violation: String?
  private(set) final var trace: [String] = []
  private let isTracing: Bool

  init(seed: UInt64, isTracing: Bool) {
    random = SeededRandom(seed: seed)
    self.isTracing = isTracing
  }

  /// One line of the trace, with the time; not made where it is not asked for.
  final func log(_ text: () -> String) {
    guard isTracing else { return }
    let ms = scheduler.nowNs / .millisecond
    trace.append("\(ms / 1000).\(String(1000 + ms % 1000).dropFirst()) \(text())")
  }

  /// The first one counts: what comes after may follow from it.
  final func fail(_ text: String) {
    guard violation == nil else { return }
    violation = text
    describe()
    log { "VIOLATION: \(text)" }
  }

  /// Adds the state of the world to the trace of a violation.
  func describe() {}

  /// Lets everything happen until a time, or until a violation.
  final func advance(to untilNs: Int64, inStepsOf stepNs: Int64, atMost stepsMax: Int) {
    while violation == nil, scheduler.nowNs < untilNs {
      scheduler.run(untilNs: min(untilNs, scheduler.nowNs + stepNs))
      if scheduler.steps > stepsMax { fail("no end: \(stepsMax) steps") }
    }
  }

  /// Lets go of everything: parts refer to each other.
  final func end() { scheduler.clear() }
}
