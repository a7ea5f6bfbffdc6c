internal import Files
internal import Glibc

/// The command line of `signalbox-simulate`.
package enum SimulateCommand {
  private static let usage = """
    usage: signalbox-simulate --seeds N [--from K]     runs N seeds, from K on (0)
           signalbox-simulate --seed N [--trace]       runs one seed again, with what happened
    """

  package static func run(_ arguments: [String]) {
    var numbers: [String: UInt64] = [:]
    var tracing = false
    var rest = arguments[...]
    while let word = rest.popFirst() {
      switch word {
      case "--trace": tracing = true
      case "--seed", "--seeds", "--from":
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
    exit(many(count, from: numbers["--from"] ?? 0) ? 0 : 1)
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

  private static func many(_ count: UInt64, from first: UInt64) -> Bool {
    let startNs = Clock.monotonicNs()
    var violations = 0
    var sums = (samples: 0, lines: 0, losses: 0)
    for seed in first..<first + count {
      let run = SeedRun(seed: seed)
      sums.samples += run.samples
      sums.lines += run.lines
      sums.losses += run.losses
      guard let violation = run.violation else { continue }
      violations += 1
      print("seed \(seed): \(violation)")
      if violations >= 20 {
        print("and so on; replay one with: signalbox-simulate --seed \(seed) --trace")
        return false
      }
    }
    let seconds = Double(Clock.monotonicNs() - startNs) / 1e9
    print("\(count) seeds, \(violations) violations")
    print(
      "\(Int(Double(count) / max(seconds, 1e-9))) seeds/s; \(sums.samples) samples, \(sums.lines) lines, "
        + "\(sums.losses) reported losses")
    return violations == 0
  }
}
