import FleetModel
import Testing

@testable import Rules

/// What counts as running, and what an incident says of a number that is not there yet.
@Suite struct LivenessTests {
  private static let second = RuleEngineTests.second

  private static func batch(_ at: Int64, _ write: (inout Records, Int64) -> Void) -> Batch {
    var batch = RuleEngineTests.batch(at, cpu: 1)
    batch.wallNs = RuleEngineTests.start + at * second
    write(&batch.spooled[0].records, batch.wallNs)
    return batch
  }

  private static func observe(_ engine: RuleEngine, _ batch: Batch, _ at: Int64) -> [Transition] {
    RuleEngineTests.observe(engine, batch, at) + engine.tick(RuleEngineTests.start + at * second)
  }

  @Test(arguments: [("S", true), ("Z", false)])
  func aZombieHasEnded(_ state: String, isLive: Bool) throws {
    let engine = try RuleEngineTests.engine(
      "- { id: T-1, title: t, severity: P2, when: { all: [ { metric: cpu.busy_percent, above: 0 }, { live: process } ] } }"
    )
    var found: [Transition] = []
    for at in Int64(0)..<3 {
      let batch = Self.batch(at) { records, timeNs in
        var process = ProcessSample()
        (process.timeNs, process.name, process.state) = (timeNs, "python", state)
        records.processes = [process]
      }
      found += Self.observe(engine, batch, at)
    }
    #expect(found.isEmpty == !isLive)
  }

  private static let stalled =
    "- { id: T-1, title: t, severity: P1, scope: run, when: { all: [ { stale: run, for: 5m, intervals: 5 }, { live: process } ] } }"

  /// - Returns: what opened while one run's steps ended after a minute and another's went on from then on.
  private static func rotation(to next: String) throws -> [Transition] {
    let engine = try RuleEngineTests.engine(stalled)
    var found: [Transition] = []
    for at in stride(from: Int64(0), through: 900, by: 5) {
      let batch = batch(at) { records, timeNs in
        var process = ProcessSample()
        (process.timeNs, process.name, process.state) = (timeNs, "python", "S")
        records.processes = [process]
        var step = TrainingStep()
        (step.timeNs, step.step, step.run) = (timeNs, at, at < 60 ? "r/training_log-0a1b2c3d" : next)
        records.steps = [step]
      }
      found += observe(engine, batch, at)
    }
    return found
  }

  /// Rotated by renaming, or written anew by a restart: the file goes on under another mark.
  @Test func aRunWhoseFileGoesOnHasNotStalled() throws {
    #expect(try Self.rotation(to: "r/training_log-99887766").isEmpty)
    #expect(try Self.rotation(to: "r/training_log-seed2").map(\.entity.name) == ["r/training_log-0a1b2c3d"])
    #expect(try Self.rotation(to: "other/training_log-99887766").count == 1)
  }

  @Test func aForecastSpeaksOfWhatWillBe() throws {
    let engine = try RuleEngineTests.engine(
      """
      - id: T-1
        title: Disk almost full
        severity: P1
        scope: disk
        when: { any: [ { metric: disk.used_percent, above: 95 }, { forecast: disk.used_percent, reaches: 100, within: 4h } ] }
      """)
    var found: [Transition] = []
    for at in stride(from: Int64(0), through: 7200, by: 60) where found.isEmpty {
      let batch = Self.batch(at) { records, timeNs in
        var disk = DiskSample()
        (disk.timeNs, disk.mountPoint, disk.usedPercent) = (timeNs, "/data", 20 + Float(at) / 120)
        records.disks = [disk]
      }
      found += Self.observe(engine, batch, at)
    }
    let rule = try #require(engine.set.rules.first)
    let change = IncidentChange(try #require(found.first), of: rule, host: nil)
    #expect(change.summary.contains("disk.used_percent reaches its limit in 2h"), "\(change.summary)")
    #expect(change.evidence.first?.contains("now") == true)
    // The comparison that does not hold stands behind it.
    #expect(change.evidence.last?.hasPrefix("disk.used_percent = ") == true, "\(change.evidence)")
  }
}
