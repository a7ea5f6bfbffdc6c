import FleetModel
import Incidents
import Postgres
import Testing

@testable import Store

@Suite(.timeLimit(.minutes(10))) struct EvidenceTests {
  static let nowNs = StoreFixture.nowNs

  /// A host with one of everything that evidence is taken from, a few seconds before the finding.
  private func fixture() throws -> (StoreFixture, Int32) {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    var batch = stream.samples(1...1)
    var records = Records()
    let timeNs = Self.nowNs - 5_000_000_000
    for (pid, cpu) in [(7, 12.5), (8, 99), (9, 50)] {
      var process = ProcessSample()
      process.timeNs = timeNs
      process.pid = UInt32(pid)
      process.name = "python3"
      process.cpuPercent = Float(cpu)
      process.residentBytes = UInt64(pid) << 20
      records.processes.append(process)
    }
    for index in 0..<2 {
      var gpu = GPUSample()
      gpu.timeNs = timeNs
      gpu.index = UInt32(index)
      gpu.temperatureCelsius = 80 + Float(index)
      gpu.state = index == 0 ? .present : .absent
      records.gpus.append(gpu)
    }
    var event = Event()
    event.timeNs = timeNs
    event.kind = .oomKill
    event.subject = "python3"
    event.message = "Killed process 8 (python3)"
    records.events = [event]
    var run = RunUpdate()
    run.timeNs = timeNs
    run.run = "train-9"
    records.runs = [run]
    for number in 1...8 {
      var step = TrainingStep()
      step.timeNs = timeNs
      step.run = "train-9"
      step.episode = 1
      step.step = Int64(number)
      step.reward = Double(number)
      records.steps.append(step)
    }
    batch.batch.spooled = [SpooledRecords(lane: .live, firstSequence: 1, lastSequence: 1, records: records)]
    #expect(try fixture.store.commit([batch, stream.lines(30)]) == [.committed, .committed])
    return (fixture, batch.hostNumber)
  }

  @Test func eachRequestIsAnsweredFromTheFleetsTables() throws {
    let (fixture, host) = try fixture()
    func evidence(_ request: EvidenceRequest, _ entity: String = "") throws -> [String] {
      try fixture.store.evidence([request], hostNumber: host, entity: entity, atNs: Self.nowNs)
    }
    #expect(
      try evidence(.topProcesses) == [
        "python3[8] cpu 99.0 %, memory 8 MiB", "python3[9] cpu 50.0 %, memory 9 MiB",
        "python3[7] cpu 12.5 %, memory 7 MiB",
      ])
    let kernel = try evidence(.kernelMessages)
    #expect(kernel.count == 1 && kernel[0].hasSuffix(" Killed process 8 (python3)"))
    let gpus = try evidence(.gpuState)
    #expect(gpus.count == 2 && gpus[0].contains("80 °C") && gpus[1].hasPrefix("gpu 1 ABSENT"))
    let steps = try evidence(.recentSteps, "run train-9")
    #expect(steps.count == 5 && steps.allSatisfy { $0.contains("episode 1 step") })
    #expect(try evidence(.recentSteps, "run another").isEmpty)
    let value = try evidence(.metric(name: "gpu.temperature_celsius", overNs: 60_000_000_000), "gpu 1")
    #expect(value == ["gpu.temperature_celsius of 1: min 81.00, mean 81.00, max 81.00, last 81.00"])
    #expect(try evidence(.metric(name: "cpu.no_such_figure", overNs: 60_000_000_000)).isEmpty)
  }

  @Test func linesAreTheLastOnesOfTheFilesThatFit() throws {
    let (fixture, host) = try fixture()
    try fixture.store.connection.execute(
      "update signalbox.log_info set time = '\(Timestamp.text(Self.nowNs, digits: 6))'")
    func lines(_ file: String, _ entity: String = "") throws -> [String] {
      try fixture.store.evidence([.log(file: file, lines: 3)], hostNumber: host, entity: entity, atNs: Self.nowNs)
    }
    #expect(
      try lines("train-*.log") == [27, 28, 29].map { "/var/log/train-9.log: 10000\($0).." })
    #expect(try lines("/var/**/train-9.log").count == 3)
    #expect(try lines("*.log", "/var/log/train-9.log").count == 3)
    #expect(try lines("*.log", "/var/log/other.log").isEmpty)
    #expect(try lines("rain-9.log").isEmpty)
  }

  @Test(arguments: [
    ("*.log", "(^|/)[^/]*\\.log$"), ("/srv/**/x?.log", "^/srv/.*/x[^/]\\.log$"), ("a+b(1)", "(^|/)a\\+b\\(1\\)$"),
  ])
  func patternsBecomeExpressions(pattern: String, expression: String) {
    #expect(Store.expression(pattern) == expression)
  }

  /// A page waits for no slow database.
  @Test func whatIsNotReadInTimeIsSaid() throws {
    let (fixture, host) = try fixture()
    let other = try fixture.another()
    try other.connection.execute("begin; lock table signalbox.process_samples in access exclusive mode")
    defer { try? other.connection.execute("rollback") }
    let found = try fixture.store.evidence(
      [.topProcesses, .gpuState], hostNumber: host, entity: "", atNs: Self.nowNs)
    #expect(found.first == "(top_processes could not be read in time)")
    #expect(found.count == 3)
  }
}
