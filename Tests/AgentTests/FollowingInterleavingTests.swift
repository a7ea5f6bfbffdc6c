import FleetModel
import Foundation
import Testing

@testable import Agent

/// copytruncate, each of its steps at any moment between two of the agent's system calls, while the agent is ended, started and
/// connected anew: no line comes twice, and none is missing without a word.
@Suite(.timeLimit(.minutes(10))) struct FollowingInterleavingTests {
  /// A rotation that goes on whenever chance will have it.
  private final class Rotating {
    let harness: FollowingHarness
    let random: KeyGenerator
    private var steps: [() throws -> Void] = []
    private var rotations = 0
    private(set) var history: [String] = []
    private var isBusy = false
    /// One call in so many lets the next step happen.
    private let chance: Int

    init(seed: UInt64) throws {
      random = KeyGenerator(seed: seed)
      chance = [3, 10, 40][random.below(3)]
      var limits = FollowingLimits()
      limits.chunkBytes = 64 << 10
      harness = try FollowingHarness(["app.log*"], limits: limits)
      harness.race.beforeCall = { [unowned self] in
        if !steps.isEmpty, random.below(chance) == 0 { next() }
      }
    }

    func next() {
      guard !steps.isEmpty, !isBusy else { return }
      isBusy = true
      defer { isBusy = false }
      do { try steps.removeFirst()() } catch { Issue.record("\(error)") }
    }

    var isRotating: Bool { !steps.isEmpty }

    func note(_ text: String) { history.append(text) }

    func begin() {
      guard steps.isEmpty else { return }
      rotations += 1
      let copy = "app.log.\(rotations)"
      let content = (try? String(contentsOfFile: harness.path("app.log"), encoding: .utf8)) ?? ""
      let half = String(content.prefix(content.utf8.count * random.below(100) / 100))
      steps = [
        { [self] in
          note("  copy \(copy) is begun")
          try harness.append(copy, "")
        },
        { [self] in
          note("  copy has \(half.utf8.count)")
          try harness.append(copy, half)
        },
        { [self] in
          note("  copy has \(content.utf8.count)")
          try harness.append(copy, String(content.dropFirst(half.count)))
        },
        { [self] in
          note("  truncated")
          try harness.truncate("app.log")
        },
        { [self] in
          note("  20 lines")
          try harness.write("app.log", 20)
        },
      ]
    }

    func act() throws {
      switch random.below(9) {
      case 0:
        note("look")
        harness.look()
      case 1:
        note("run")
        harness.run(seconds: 0.3)
      case 2:
        note("take")
        harness.take(1 + random.below(3), budget: 300 + random.below(4000))
      case 3:
        note("commit")
        harness.commitOldest()
      case 4:
        let count = random.below(2)
        note("reconnect, \(count) committed")
        harness.reconnect(committing: count)
      case 5:
        note("restart")
        harness.restartAgent(
          whileDown: { for _ in 0..<random.below(4) { next() } },
          beforeWelcome: {
            for _ in 0..<random.below(4) {
              note("look before the welcome")
              harness.look()
            }
          })
        note("welcome")
      case 6:
        next()
      case 7:
        if !isRotating {
          note("write")
          try harness.write("app.log", 1 + random.below(80))
        }
      default:
        if !isRotating { note("rotate") }
        begin()
      }
    }

    func finish() throws {
      while isRotating { next() }
      note("end")
      harness.run(seconds: 10)
      try harness.restartAgent()
      harness.run(seconds: 10)
    }
  }

  @Test(arguments: 0..<(Int(ProcessInfo.processInfo.environment["SIGNALBOX_INTERLEAVINGS"] ?? "") ?? 150))
  func noLineTwiceAndNoneMissingWithoutAWord(_ seed: Int) throws {
    let rotating = try Rotating(seed: UInt64(seed))
    try rotating.harness.write("app.log", 50)
    for _ in 0..<40 { try rotating.act() }
    try rotating.finish()
    let harness = rotating.harness
    let numbers = harness.numbers
    let twice = Dictionary(grouping: numbers, by: { $0 }).filter { $1.count > 1 }.keys.sorted()
    let missing = Set(1...harness.linesWritten).subtracting(numbers).sorted()
    let lineBytes = FollowingHarness.line(1).utf8.count
    let reported = harness.collector.losses.reduce(0) { $0 + Int($1.to - $1.from) }
    let story = "seed \(seed):\n\(rotating.history.joined(separator: "\n"))"
    #expect(harness.collector.violations.isEmpty, "\(story)")
    #expect(twice.isEmpty, "\(story)")
    #expect(!missing.isEmpty || reported == 0, "\(harness.collector.losses) for nothing; \(story)")
    #expect(
      reported >= missing.count * lineBytes, "\(missing.count) lines from \(missing.first ?? 0) are missing; \(story)")
  }
}
