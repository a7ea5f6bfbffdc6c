internal import Files
internal import Glibc

/// The command line of `signalbox-simulate`.
package enum SimulateCommand {
  private static let usage = """
    usage: signalbox-simulate --seeds N [--from K] [--jobs J] [--part P]   runs N seeds, from K on (0), on J cores (1)
           signalbox-simulate --seed N [--part P] [--trace]               runs one seed again, with what happened
    P: fleet (files, spools, network, commits) or paging (incidents, outbox, receivers); both without
    """

  package static func run(_ arguments: [String]) async {
    var numbers: [String: UInt64] = [:]
    var parts = SeedRun.Part.allCases
    var tracing = false
    var rest = arguments[...]
    while let word = rest.popFirst() {
      switch word {
      case "--trace": tracing = true
      case "--seed", "--seeds", "--from", "--jobs":
        guard let value = rest.popFirst().flatMap({ UInt64($0) }) else { fail("\(word) needs a number") }
        numbers[word] = value
      case "--part":
        guard let part = rest.popFirst().flatMap(SeedRun.Part.init) else { fail("--part is fleet or paging") }
        parts = [part]
      case "--help", "-h":
        print(usage)
        exit(0)
      default: fail("unknown: \(word)")
      }
    }
    if let seed = numbers["--seed"] { exit(parts.filter { !one(seed, $0, tracing: tracing) }.isEmpty ? 0 : 1) }
    guard let count = numbers["--seeds"] else { fail("say --seeds N or --seed N") }
    let jobs = min(max(1, numbers["--jobs"] ?? 1), 64)
    exit(await many(count, parts, from: numbers["--from"] ?? 0, jobs: jobs) ? 0 : 1)
  }

  private static func fail(_ text: String) -> Never {
    print("signalbox-simulate: \(text)\n\(usage)")
    exit(2)
  }

  private static func one(_ seed: UInt64, _ part: SeedRun.Part, tracing: Bool) -> Bool {
    let run = SeedRun(seed: seed, of: part, tracing: tracing)
    for line in run.trace { print(line) }
    let counts =
      switch part {
      case .fleet: "\(run.samples) samples, \(run.lines) lines, \(run.commits) commits, \(run.losses) losses"
      case .paging: "\(run.incidents) incidents, \(run.messages) messages"
      }
    print(
      "\(part.rawValue) seed \(seed): \(run.steps) steps, \(counts), "
        + (run.violation.map { "VIOLATION: \($0)" } ?? "no violation"))
    return run.violation == nil
  }

  private struct Sums: Sendable {
    var violations = 0
    var samples = 0
    var lines = 0
    var losses = 0
    var incidents = 0
    var messages = 0
  }

  /// Each job takes every `jobs`-th seed; seeds know nothing of each other.
  private static func many(
    _ count: UInt64, _ parts: [SeedRun.Part], from first: UInt64, jobs: UInt64
  ) async -> Bool {
    let startNs = Clock.monotonicNs()
    let sums = await withTaskGroup(of: Sums.self) { group in
      for job in 0..<jobs { group.addTask { run(first + job..<first + count, parts, every: jobs) } }
      return await group.reduce(into: Sums()) { sums, part in
        sums.violations += part.violations
        sums.samples += part.samples
        sums.lines += part.lines
        sums.losses += part.losses
        sums.incidents += part.incidents
        sums.messages += part.messages
      }
    }
    let seconds = Double(Clock.monotonicNs() - startNs) / 1e9
    print("\(count) seeds, \(sums.violations) violations")
    print(
      "\(Int(seconds)) s, \(Int(Double(count) / max(seconds, 1e-9))) seeds/s; \(sums.samples) samples, "
        + "\(sums.lines) lines, \(sums.losses) reported losses; \(sums.incidents) incidents, \(sums.messages) messages")
    return sums.violations == 0
  }

  private static func run(_ seeds: Range<UInt64>, _ parts: [SeedRun.Part], every step: UInt64) -> Sums {
    var sums = Sums()
    for seed in stride(from: seeds.lowerBound, to: seeds.upperBound, by: Int(step)) {
      for part in parts {
        let run = SeedRun(seed: seed, of: part)
        sums.samples += run.samples
        sums.lines += run.lines
        sums.losses += run.losses
        sums.incidents += run.incidents
        sums.messages += run.messages
        guard let violation = run.violation else { continue }
        sums.violations += 1
        // At once, because a run of many seeds takes minutes.
        try? StandardStream.output.write("seed \(seed): \(part.rawValue): \(violation)\n")
      }
      if sums.violations >= 20 {
        try? StandardStream.output.write("and so on; replay one with: signalbox-simulate --seed \(seed) --trace\n")
        break
      }
    }
    return sums
  }
}
