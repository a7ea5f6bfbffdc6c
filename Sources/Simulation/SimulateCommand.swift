internal import Files
internal import Glibc

/// The command line of `signalbox-simulate`.
package enum SimulateCommand {
  private static let usage = """
    usage: signalbox-simulate --seeds N [--from K] [--jobs J]     runs N seeds, from K on (0), on J cores (1)
           signalbox-simulate --seed N [--trace]                  runs one seed again, with what happened
    """

  package static func run(_ arguments: [String]) async {
    var numbers: [String: UInt64] = [:]
    var tracing = false
    var rest = arguments[...]
    while let word = rest.popFirst() {
      switch word {
      case "--trace": tracing = true
      case "--seed", "--seeds", "--from", "--jobs":
        guard let value = rest.popFirst().flatMap({ UInt64($0) }) else { fail("\(word) needs a number") }
        numbers[word] = value
      case "--help", "-h":
        print(usage)
        exit(0)
      default: fail("unknown: \(word)")
      }
    }
    if let seed = numbers["--seed"] { exit(one(seed, tracing: tracing) ? 0 : 1) }
    guard let count = numbers["--seeds"] else { fail("say --seeds N or --seed N") }
    let jobs = min(max(1, numbers["--jobs"] ?? 1), 64)
    exit(await many(count, from: numbers["--from"] ?? 0, jobs: jobs) ? 0 : 1)
  }

  private static func fail(_ text: String) -> Never {
    print("signalbox-simulate: \(text)\n\(usage)")
    exit(2)
  }

  private static func one(_ seed: UInt64, tracing: Bool) -> Bool {
    let run = SeedRun(seed: seed, tracing: tracing)
    for line in run.trace { print(line) }
    print(
      "seed \(seed): \(run.steps) steps, \(run.samples) samples, \(run.lines) lines, \(run.commits) commits, "
        + "\(run.losses) losses, \(run.violation.map { "VIOLATION: \($0)" } ?? "no violation")")
    return run.violation == nil
  }

  private struct Sums: Sendable {
    var violations = 0
    var samples = 0
    var lines = 0
    var losses = 0
  }

  /// Each job takes every `jobs`-th seed; seeds know nothing of each other.
  private static func many(_ count: UInt64, from first: UInt64, jobs: UInt64) async -> Bool {
    let startNs = Clock.monotonicNs()
    let sums = await withTaskGroup(of: Sums.self) { group in
      for job in 0..<jobs { group.addTask { run(first + job..<first + count, every: jobs) } }
      return await group.reduce(into: Sums()) { sums, part in
        sums.violations += part.violations
        sums.samples += part.samples
        sums.lines += part.lines
        sums.losses += part.losses
      }
    }
    let seconds = Double(Clock.monotonicNs() - startNs) / 1e9
    print("\(count) seeds, \(sums.violations) violations")
    print(
      "\(Int(seconds)) s, \(Int(Double(count) / max(seconds, 1e-9))) seeds/s; \(sums.samples) samples, "
        + "\(sums.lines) lines, \(sums.losses) reported losses")
    return sums.violations == 0
  }

  private static func run(_ seeds: Range<UInt64>, every step: UInt64) -> Sums {
    var sums = Sums()
    for seed in stride(from: seeds.lowerBound, to: seeds.upperBound, by: Int(step)) {
      let run = SeedRun(seed: seed)
      sums.samples += run.samples
      sums.lines += run.lines
      sums.losses += run.losses
      guard let violation = run.violation else { continue }
      sums.violations += 1
      // At once, because a run of many seeds takes minutes.
      try? StandardStream.output.write("seed \(seed): \(violation)\n")
      if sums.violations >= 20 {
        try? StandardStream.output.write("and so on; replay one with: signalbox-simulate --seed \(seed) --trace\n")
        break
      }
    }
    return sums
  }
}
