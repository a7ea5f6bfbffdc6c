import FleetModel
import RuleFiles
import Rules
import Schema
import Testing

/// Numbers that are none, times that never were: through the real encoding and decoding, into the whole pack.
@Suite struct WireNumberTests {
  static let second: Int64 = 1_000_000_000
  static let start: Int64 = 1_760_000_000_000_000_000
  static let host = HostID(high: 1, low: 1)

  static func sent(_ batch: Batch) throws -> Batch {
    var bytes: [UInt8] = []
    Wire.encode(AgentFrame.batch(batch), into: &bytes)
    guard case .batch(let decoded) = try Wire.decodeAgentFrame(bytes.span) else {
      throw SchemaError.unknownFrame
    }
    return decoded
  }

  static func engine() throws -> RuleEngine { RuleEngine(try RulePackTests.pack().set) }

  static func observe(_ engine: RuleEngine, _ records: Records, _ at: Int64) throws -> [Transition] {
    var batch = Batch()
    batch.wallNs = start + at * second
    batch.spooled = [SpooledRecords(lane: .live, firstSequence: 1, lastSequence: 1, records: records)]
    let nowNs = start + at * second
    return engine.observe(try sent(batch), from: host, name: "h", labels: [:], nowNs: nowNs) + engine.tick(nowNs)
  }

  static func step(_ at: Int64, reward: Double = .nan, loss: Double? = nil) -> Records {
    var step = TrainingStep()
    step.timeNs = start + at * second
    step.run = "ppo/one"
    step.step = at
    step.reward = reward
    if let loss {
      var metric = Metric()
      metric.name = "train/loss"
      metric.value = loss
      step.metrics = [metric]
    } else {
      step.action = Double(at % 3)
      step.balance = 10_000
      step.sharesHeld = Double(at % 5)
      step.price = 100
      step.portfolioValue = 10_000
    }
    var records = Records()
    records.steps = [step]
    return records
  }

  @Test func aRewardThatIsNotANumberOpensItsRuleAndNoOther() throws {
    let engine = try Self.engine()
    for at in 0..<60 as Range<Int64> {
      let found = try Self.observe(engine, Self.step(at, reward: 1 + Double(at % 7) / 10), at)
      #expect(!found.contains { $0.rule == "LRN-01" })
    }
    #expect(try Self.observe(engine, Self.step(60, reward: .nan), 60).map(\.rule) == ["LRN-01"])
  }

  @Test(arguments: [Double.nan, .infinity, -.infinity])
  func aLossThatIsNotFiniteOpensItsRuleAndNoOther(loss: Double) throws {
    let engine = try Self.engine()
    for at in 0..<60 as Range<Int64> {
      #expect(try Self.observe(engine, Self.step(at, loss: 0.5 + Double(at % 7) / 100), at) == [])
    }
    #expect(try Self.observe(engine, Self.step(60, loss: loss), 60).map(\.rule) == ["LRN-01"])
  }

  /// One of each kind; `number` stands for whatever a sample measures, nil for what is usual.
  static func samples(_ at: Int64, _ number: Float?) -> Records {
    var records = Records()
    var host = HostSample()
    host.timeNs = start + at * second
    host.cpuBusyPercent = number ?? 40
    host.cpuIowaitPercent = number ?? 1
    host.memoryTotalBytes = 1 << 40
    host.memoryAvailableBytes = 1 << 39
    host.pressureMemoryFullPercent = number ?? 0
    host.networkReceiveBytesPerSecond = number ?? 1000
    host.uptimeSeconds = number ?? 500_000
    records.hosts = [host]
    for index in 0..<2 as Range<UInt32> {
      var gpu = GPUSample()
      gpu.timeNs = host.timeNs
      gpu.index = index
      gpu.utilizationPercent = number ?? 90
      gpu.memoryTotalBytes = 80 << 30
      gpu.memoryUsedBytes = 60 << 30
      gpu.processCount = 1
      gpu.temperatureMemoryCelsius = number ?? 70
      gpu.stuckSeconds = number ?? 0
      gpu.temperatureCelsius = number ?? 60
      gpu.clockSmMhz = number ?? 1900
      records.gpus.append(gpu)
    }
    var disk = DiskSample()
    disk.timeNs = host.timeNs
    disk.mountPoint = "/data"
    disk.totalBytes = 4 << 40
    disk.availableBytes = 2 << 40
    disk.usedPercent = number ?? 50
    disk.inodesTotal = 1000
    disk.inodesFree = 900
    disk.stuckSeconds = number ?? 0
    records.disks = [disk]
    return records
  }

  @Test func samplesWithoutANumberOpenNothing() throws {
    let engine = try Self.engine()
    for at in 0..<240 as Range<Int64> {
      let found = try Self.observe(engine, Self.samples(at * 5, (100..<110).contains(at) ? .nan : nil), at * 5)
      // No process is told of: the memory of the GPUs is held by nobody.
      #expect(found.allSatisfy { $0.rule == "GPU-15" })
    }
  }

  @Test(arguments: [Float.infinity, -.infinity, .greatestFiniteMagnitude, -.greatestFiniteMagnitude])
  func numbersBeyondAllMeasureStopNothing(number: Float) throws {
    let engine = try Self.engine()
    for at in 0..<60 as Range<Int64> {
      _ = try Self.observe(engine, Self.samples(at * 60, (10..<12).contains(at) ? number : nil), at * 60)
    }
    let bytes = engine.encodedState(of: Self.host)
    try engine.restore(bytes, of: Self.host, name: "h", labels: [:])
    #expect(engine.encodedState(of: Self.host) == bytes)
  }

  @Test(arguments: [Int64.min, -1, 0, Int64.max, Int64.max - 1])
  func timesThatNeverWereStopNothing(timeNs: Int64) throws {
    let engine = try Self.engine()
    for at in 0..<3 as Range<Int64> { _ = try Self.observe(engine, Self.samples(at, nil), at) }
    var records = Self.samples(3, nil)
    records.hosts[0].timeNs = timeNs
    records.gpus[0].timeNs = timeNs
    records.disks[0].timeNs = timeNs
    records.steps = Self.step(3, reward: 1).steps
    records.steps[0].timeNs = timeNs
    var event = Event()
    event.timeNs = timeNs
    event.subject = "0000:01:00"
    event.message = "Xid 79 on 0000:01:00:"
    event.kind = .xid
    records.events = [event]
    var batch = Batch()
    batch.wallNs = timeNs
    batch.spooled = [SpooledRecords(lane: .live, firstSequence: 1, lastSequence: 1, records: records)]
    for path in ["/srv/train/a.log", "/srv/train/b.log"] {
      var delta = FileDelta(
        file: FileIdentity(key: FileKey(high: 1, low: UInt64(path.utf8.count)), path: path), from: 0, to: 200)
      for text in ["CUDA out of memory", "Traceback (most recent call last)"] {
        delta.lines.text += Array(text.utf8)
        delta.lines.lengths.append(UInt32(text.utf8.count))
        delta.lines.advances.append(UInt32(text.utf8.count + 1))
        delta.lines.timesUs.append(timeNs)
        delta.lines.levels.append(Level.error.rawValue)
        delta.lines.flags.append(0)
      }
      batch.files.append(delta)
    }
    for _ in 0..<2 {
      _ = engine.observe(try Self.sent(batch), from: Self.host, name: "h", labels: [:], nowNs: Self.start)
      _ = engine.tick(Self.start + 20 * Self.second)
    }
    for at in 30..<40 as Range<Int64> { _ = try Self.observe(engine, Self.samples(at, nil), at) }
    #expect(engine.hostCount == 1)
  }
}
