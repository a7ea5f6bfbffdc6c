import FleetModel
import Testing

@testable import Rules

/// A host whose clock was ahead and is set back: its rules go on at the new time, whatever they ask about.
@Suite struct ClockTests {
  private static let host = RuleEngineTests.host
  private static let second = RuleEngineTests.second
  /// The collector's clock.
  private static let start = RuleEngineTests.start
  private static let aheadSeconds: Int64 = 1800

  /// A batch of one record with all that a host reports.
  private static func batch(_ at: Int64, aheadBy ahead: Int64, _ write: (inout Records, Int64) -> Void) -> Batch {
    let timeNs = start + (at + ahead) * second
    var records = Records()
    var sample = HostSample()
    sample.timeNs = timeNs
    records.hosts = [sample]
    write(&records, timeNs)
    var batch = Batch()
    batch.wallNs = timeNs
    batch.spooled = [
      SpooledRecords(lane: .live, firstSequence: UInt64(at + 1), lastSequence: UInt64(at + 1), records: records)
    ]
    return batch
  }

  private static func observe(_ engine: RuleEngine, _ batch: Batch, _ at: Int64) -> [Transition] {
    let nowNs = start + at * second
    return engine.observe(batch, from: host, name: "h", labels: [:], nowNs: nowNs, spool: RuleEngineTests.spool)
      + engine.tick(nowNs)
  }

  /// A condition, and reports that make it true or false.
  private static let kinds:
    [(name: String, when: String, scope: String, write: @Sendable (inout Records, Int64, Bool) -> Void)] = [
      (
        "host", "{ metric: cpu.busy_percent, above: 80, for: 30s }", "host",
        { $0.hosts[0].cpuBusyPercent = $2 ? 95 : 5 }
      ),
      (
        "disk", "{ metric: disk.used_percent, above: 80 }", "disk",
        { records, timeNs, isBad in
          var disk = DiskSample()
          (disk.timeNs, disk.mountPoint) = (timeNs, "/data")
          disk.usedPercent = isBad ? 95 : 5
          records.disks = [disk]
        }
      ),
      (
        "gpu", "{ metric: gpu.temperature_celsius, above: 80 }", "gpu",
        { records, timeNs, isBad in
          var gpu = GPUSample()
          (gpu.timeNs, gpu.temperatureCelsius) = (timeNs, isBad ? 95 : 40)
          records.gpus = [gpu]
        }
      ),
      (
        "interface", "{ metric: interface.up, equals: 0 }", "interface",
        { records, timeNs, isBad in
          var network = NetworkSample()
          (network.timeNs, network.interface, network.isUp) = (timeNs, "eth0", !isBad)
          records.networks = [network]
        }
      ),
      (
        "process", "{ metric: process.resident_bytes, above: 1GB }", "process",
        { records, timeNs, isBad in
          var process = ProcessSample()
          (process.timeNs, process.name, process.residentBytes) = (timeNs, "python", isBad ? 2_000_000_000 : 1)
          records.processes = [process]
        }
      ),
      (
        "probe", "{ metric: probe.value, above: 10 }", "probe",
        { records, timeNs, isBad in
          var probe = ProbeResult()
          (probe.timeNs, probe.name, probe.state, probe.value) = (timeNs, "http/a", .ok, isBad ? 95 : 1)
          records.probes = [probe]
        }
      ),
      (
        "run", "{ metric: training.metrics.loss, above: 100 }", "run",
        { records, timeNs, isBad in
          var step = TrainingStep()
          (step.timeNs, step.run) = (timeNs, "r")
          var loss = Metric()
          (loss.name, loss.value) = ("loss", isBad ? 500 : 1)
          step.metrics = [loss]
          records.steps = [step]
        }
      ),
      (
        "events", "{ event: { kind: oom_kill, count: 3, within: 1h } }", "host",
        { records, timeNs, isBad in
          guard isBad else { return }
          var event = Event()
          (event.timeNs, event.kind, event.subject) = (timeNs, .oomKill, "python")
          records.events = [event]
        }
      ),
    ]

  @Test(arguments: kinds.indices, [false, true])
  func aClockThatIsSetBackBlindsNoRule(_ kind: Int, isRestarted: Bool) throws {
    let (name, when, scope, write) = Self.kinds[kind]
    let yaml = "- { id: T-1, title: t, severity: P2, scope: \(scope), when: \(when) }"
    var engine = try RuleEngineTests.engine(yaml)
    for at in stride(from: Int64(0), to: 100, by: 10) {
      let batch = Self.batch(at, aheadBy: Self.aheadSeconds) { write(&$0, $1, false) }
      #expect(Self.observe(engine, batch, at).isEmpty, "\(name)")
    }
    if isRestarted {
      let saved = engine.encodedState(of: Self.host)
      engine = try RuleEngineTests.engine(yaml)
      try engine.restore(saved, of: Self.host, name: "h", labels: [:])
    }
    var found: [Transition] = []
    for at in stride(from: Int64(100), to: 160, by: 10) {
      let batch = Self.batch(at, aheadBy: 0) { write(&$0, $1, true) }
      found += Self.observe(engine, batch, at)
    }
    #expect(found.map(\.kind) == [.opened], "\(name)")
    #expect(found.first.map { $0.timeNs <= Self.start + 160 * Self.second } == true, "\(name)")
  }

  /// Ten minutes, of which half were by the old clock.
  @Test func whatHasHeldBeforeGoesOnAfterwards() throws {
    let engine = try RuleEngineTests.engine(RuleEngineTests.busy)
    var found: [Transition] = []
    for at in stride(from: Int64(0), through: 640, by: 10) {
      let batch = Self.batch(at, aheadBy: at < 300 ? Self.aheadSeconds : 0) { records, _ in
        records.hosts[0].cpuBusyPercent = 95
      }
      let now = Self.observe(engine, batch, at)
      #expect(now.isEmpty || at >= 590)
      found += now
    }
    #expect(found.map(\.rule) == ["RES-01"])
  }

  /// An incident that was open when the clock was set back ends like any other.
  @Test func whatIsOpenClearsAfterwards() throws {
    let engine = try RuleEngineTests.engine(
      "- { id: T-1, title: t, severity: P2, when: { metric: cpu.busy_percent, above: 80 } }")
    var found: [Transition] = []
    for at in stride(from: Int64(0), through: 700, by: 10) {
      let isBusy = at < 200
      let batch = Self.batch(at, aheadBy: at < 300 ? Self.aheadSeconds : 0) { records, _ in
        records.hosts[0].cpuBusyPercent = isBusy ? 95 : 5
      }
      found += Self.observe(engine, batch, at)
    }
    #expect(found.map(\.kind) == [.opened, .cleared(.recovered)])
  }

  /// Lines of one file whose times go back count all the same.
  @Test func linesWhoseTimesGoBackCount() throws {
    let engine = try RuleEngineTests.engine(
      "- { id: T-1, title: t, severity: P1, scope: file, when: { log: { matches: BOOM, count: 3, within: 5m } } }")
    var from: UInt64 = 0
    var opened = 0
    for (number, back) in [Int64(0), 1, 2].enumerated() {
      var batch = RuleEngineTests.delta(["BOOM \(number)"], from: from)
      batch.files[0].lines.timesUs[0] -= back * 20_000_000
      from = batch.files[0].to
      opened += RuleEngineTests.observe(engine, batch, Int64(number)).count
    }
    #expect(opened == 1)
  }
}
