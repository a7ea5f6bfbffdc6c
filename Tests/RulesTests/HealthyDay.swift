import Agent
import FleetModel
import Foundation
import TestSupport

/// A day of a host on which nothing is wrong: recorded samples and training files, repeated with seeded variation.
///
/// Samples are the agent's own, of a recorded /proc tree; training files are recorded, and the agent's own readers read them as
/// they grow. One run follows the other, all day; the agent is updated at noon, the host boots once.
struct HealthyDay {
  static let stepNs: Int64 = 60_000_000_000
  static let startNs: Int64 = 1_760_000_000_000_000_000
  static let lengthNs: Int64 = 86_400_000_000_000

  private var random: SplitMix
  private let base: Records
  private var runs: [GrowingRun] = []
  private var pid: UInt32 = 4000
  private var processStartedNs: Int64 = startNs
  private var restUntilNs: Int64 = startNs
  private var lineOffset: UInt64 = 0
  private(set) var samples = 0
  private(set) var lines = 0
  private(set) var steps = 0
  private(set) var runsEnded = 0

  init(root: String, seed: UInt64) {
    random = SplitMix(seed: seed)
    var settings = SamplerSettings()
    settings.disksEvery = 1
    settings.networksEvery = 1
    var sampler = Sampler(root: root + "/Tests/Fixtures/proc-6.18", settings: settings)
    _ = sampler.sample(wallNs: Self.startNs, monotonicNs: 1_000_000_000)
    base = sampler.sample(wallNs: Self.startNs + Self.stepNs, monotonicNs: 11_000_000_000)
    files = GrowingRun.recorded(root + "/Tests/Fixtures/training")
  }

  private let files: [(name: String, bytes: [UInt8])]

  /// What the host reports at a time of the day; nil while it is away.
  mutating func batch(at dayNs: Int64) -> Batch? {
    let timeNs = Self.startNs + dayNs
    // An update of the agent at noon, a boot in the evening, whatever runs.
    if (43_200_000_000_000..<43_230_000_000_000).contains(dayNs) { return nil }
    if (72_000_000_000_000..<72_180_000_000_000).contains(dayNs) {
      runs = []
      return nil
    }
    var batch = Batch()
    batch.wallNs = timeNs + Int64.random(in: -40_000_000...40_000_000, using: &random)
    batch.health = health()
    var records = Records()
    let isTraining = train(timeNs, &records, &batch)
    sample(timeNs, dayNs, isTraining, &records)
    if dayNs % 30_000_000_000 == 0 { probe(timeNs, dayNs, &records) }
    log(timeNs, &batch)
    batch.spooled = [SpooledRecords(lane: .live, firstSequence: 1, lastSequence: 1, records: records)]
    samples += 1
    return batch
  }

  private mutating func about(_ value: Double, _ share: Double) -> Double {
    value * (1 + Double.random(in: -share...share, using: &random))
  }

  private func health() -> AgentHealth {
    var health = AgentHealth()
    health.spoolLimitBytes = 1 << 30
    health.spoolBytes = 4096
    health.residentBytes = 10 << 20
    return health
  }

  // MARK: samples

  private mutating func sample(_ timeNs: Int64, _ dayNs: Int64, _ isTraining: Bool, _ records: inout Records) {
    for recorded in base.hosts {
      var host = recorded
      host.timeNs = timeNs
      // A minute of compiling now and then is no trouble.
      let isBurst = Int.random(in: 0..<400, using: &random) == 0
      host.cpuBusyPercent = Float(isBurst ? 98 : about(isTraining ? 62 : 6, 0.2))
      host.cpuIowaitPercent = Float(about(1.5, 0.8))
      host.memoryTotalBytes = 256 << 30
      host.memoryAvailableBytes = UInt64(about(isTraining ? 130 : 220, 0.05) * 1_073_741_824)
      host.pressureMemoryFullPercent = 0
      host.uptimeSeconds = Float(
        dayNs < 72_180_000_000_000 ? 500_000 + dayNs / 1_000_000_000 : (dayNs - 72_100_000_000_000) / 1_000_000_000)
      records.hosts.append(host)
    }
    for recorded in base.disks {
      var disk = recorded
      disk.timeNs = timeNs
      // Checkpoints fill it by day, a clean-up empties it in the night.
      disk.usedPercent = Float(55 + 12 * Double(dayNs) / Double(Self.lengthNs))
      disk.availableBytes = UInt64(Double(disk.totalBytes) * (1 - Double(disk.usedPercent) / 100))
      records.disks.append(disk)
    }
    for recorded in base.networks {
      var network = recorded
      network.timeNs = timeNs
      records.networks.append(network)
    }
    for index in 0..<2 { records.gpus.append(gpu(UInt32(index), timeNs, isTraining)) }
    guard isTraining else { return }
    var process = ProcessSample()
    process.timeNs = timeNs
    process.pid = pid
    process.name = "python3"
    process.state = Int.random(in: 0..<50, using: &random) == 0 ? "D" : "R"
    process.startedNs = processStartedNs
    process.cpuPercent = Float(about(400, 0.2))
    process.residentBytes = UInt64(about(60, 0.03) * 1_073_741_824)
    records.processes.append(process)
  }

  private mutating func gpu(_ index: UInt32, _ timeNs: Int64, _ isTraining: Bool) -> GPUSample {
    var gpu = GPUSample()
    gpu.timeNs = timeNs
    gpu.index = index
    gpu.utilizationPercent = Float(isTraining ? about(82, 0.2) : 0)
    gpu.memoryTotalBytes = 80 << 30
    gpu.memoryUsedBytes = isTraining ? UInt64(about(41, 0.02) * 1_073_741_824) : 5 << 20
    gpu.powerWatts = Float(isTraining ? about(480, 0.1) : 70)
    gpu.powerLimitWatts = 700
    gpu.temperatureCelsius = Float(isTraining ? about(66, 0.08) : 34)
    gpu.temperatureMemoryCelsius = Float(isTraining ? about(78, 0.08) : 38)
    gpu.clockSmMhz = Float(isTraining ? about(1900, 0.04) : 345)
    gpu.throttleReasons = isTraining ? 0x4 : 0x1
    gpu.processCount = isTraining ? 1 : 0
    gpu.stuckSeconds = 0
    gpu.eccCorrectedTotal = 12
    return gpu
  }

  private func probe(_ timeNs: Int64, _ dayNs: Int64, _ records: inout Records) {
    let hour = dayNs / 3_600_000_000_000
    let values: [(String, Double, Float)] = [
      ("http/api", 200, 14), ("http/dashboard", 200, 22), ("postgres/runs", .nan, 3), ("tcp/kafka", .nan, 1),
      ("redis/cache", .nan, 1), ("unit/train.service", 2, 4), ("container/api", 0, 4), ("json/models", 0, 9),
      ("backup/full", Double((hour + 20) % 24) * 3600 + 1800, 2),
      ("backup/incremental", Double(hour % 6) * 3600 + 1800, 2),
      ("backup.size_ratio/full", 1.01, 2), ("file/checkpoint", 240, 1), ("queue/tasks", .nan, 4),
      ("queue.queued/tasks", 12, 4), ("queue.claim_age_seconds/tasks", 3, 4), ("queue.oldest_seconds/tasks", 40, 4),
      ("queue.failed_ratio/tasks", 0.02, 4), ("queue.busy/tasks", 0.01, 4), ("postgres.slow_mean_ms/runs", 120, 3),
      ("command.error_ratio/serving", 0.002, 30), ("command.p99_ms/serving", 180, 30),
      ("certificate/collector", 1_500_000, 1),
    ]
    for (name, value, duration) in values {
      var probe = ProbeResult()
      probe.timeNs = timeNs
      probe.name = name
      probe.state = .ok
      probe.value = value
      probe.durationMs = duration
      records.probes.append(probe)
    }
  }

  // MARK: training and logs

  /// - Returns: whether a run is under way.
  private mutating func train(_ timeNs: Int64, _ records: inout Records, _ batch: inout Batch) -> Bool {
    if runs.isEmpty, timeNs >= restUntilNs {
      pid += 7
      processStartedNs = timeNs
      let minutes = Double.random(in: 22...34, using: &random)
      runs = files.enumerated().map { place, file in
        GrowingRun(
          name: file.name, bytes: file.bytes, number: UInt64(pid) << 8 | UInt64(place), startNs: timeNs,
          lengthNs: Int64(minutes * 60e9))
      }
    }
    guard !runs.isEmpty else { return false }
    for place in runs.indices {
      guard let delta = runs[place].grow(to: timeNs, &random) else { continue }
      steps += delta.steps.count + delta.episodes.count
      batch.files.append(delta)
    }
    if runs.allSatisfy(\.hasEnded) {
      runs = []
      runsEnded += 1
      restUntilNs = timeNs + Int64.random(in: 60...600, using: &random) * 1_000_000_000
      var last = ProcessSample()
      last.timeNs = timeNs
      last.pid = pid
      last.name = "python3"
      last.hasExited = true
      records.processes.append(last)
      var event = Event()
      event.timeNs = timeNs
      event.kind = .processExit
      event.subject = "python3[\(pid)]"
      event.message =
        "\(event.subject) ended with exit code 0 after \((timeNs - processStartedNs) / 1_000_000_000)s (user ann)"
      records.events.append(event)
      return false
    }
    return true
  }

  private mutating func log(_ timeNs: Int64, _ batch: inout Batch) {
    var texts: [(String, Level)] = [
      ("INFO trainer: Iteration \(samples)/100000: reward 0.12 loss 0.03", .info),
      ("INFO collector: Collected prices for SPY", .info), ("INFO: 10.0.0.7 - \"GET / HTTP/1.1\" 200 OK", .info),
    ]
    if samples % 5 == 0 {
      texts.append(("INFO trainer: Checkpoint saved at iteration \(samples) in /srv/ckpt", .info))
    }
    if samples % 10 == 0 {
      texts.append(("INFO collector: Collection cycle complete: {'success': 12, 'failed': 0}", .info))
    }
    if samples % 60 == 7 { texts.append(("ERROR downloader: attempt 1 timed out, trying again", .error)) }
    if samples % 130 == 9 {
      texts.append(("WARNING trainer: No improvement in validation Sharpe. Patience: 1/3", .warn))
    }
    if samples % 230 == 11 {
      texts.append(("INFO: 10.0.0.7 - \"GET /api/v1/runs/none HTTP/1.1\" 404 Not Found", .info))
    }
    var delta = FileDelta(
      file: FileIdentity(key: FileKey(high: 9, low: 9), path: "/srv/train/train.log"), from: lineOffset, to: lineOffset)
    delta.lines.firstOffset = lineOffset
    for (text, level) in texts {
      delta.lines.text += Array(text.utf8)
      delta.lines.lengths.append(UInt32(text.utf8.count))
      delta.lines.advances.append(UInt32(text.utf8.count + 1))
      delta.lines.timesUs.append(timeNs / 1000)
      delta.lines.levels.append(level.rawValue)
      delta.lines.flags.append(0)
      lineOffset += UInt64(text.utf8.count + 1)
      lines += 1
    }
    delta.to = lineOffset
    batch.files.append(delta)
  }
}

/// A recorded training file that grows again, read by the agent's own reader.
private struct GrowingRun {
  private let bytes: [UInt8]
  private let startNs: Int64
  private let lengthNs: Int64
  private let file: FileIdentity
  private var reader: any FormatReader
  private var read = 0
  private(set) var hasEnded = false

  init(name: String, bytes: [UInt8], number: UInt64, startNs: Int64, lengthNs: Int64) {
    self.bytes = bytes
    self.startNs = startNs
    self.lengthNs = lengthNs
    let path = "/srv/runs/\(number)/\(name)"
    let head = Array(bytes.prefix(65536))
    var file = FileIdentity(key: FileKey(high: 3, low: number), path: path)
    file.format = TrainingFormats.detect(path: path, head: head.span)
    self.file = file
    guard let reader = TrainingFormats.make(ReaderContext(file: file, offset: 0, head: head, preceding: [])) else {
      preconditionFailure("\(name) is a training file")
    }
    self.reader = reader
  }

  /// The committed recordings.
  static func recorded(_ directory: String) -> [(name: String, bytes: [UInt8])] {
    let names = [
      "sb3-cartpole-ppo/0.monitor.csv", "sb3-cartpole-ppo/progress.csv", "rllib-cartpole-ppo/result.json",
      "seed-format/training_log.csv",
    ]
    return names.map { name in
      guard let data = FileManager.default.contents(atPath: directory + "/" + name) else {
        preconditionFailure("\(name) is committed")
      }
      return (String(name.split(separator: "/").last ?? ""), Array(data))
    }
  }

  /// What was written since.
  mutating func grow(to timeNs: Int64, _ random: inout SplitMix) -> FileDelta? {
    if hasEnded { return nil }
    let share = min(1, Double(timeNs - startNs) / Double(lengthNs))
    // Programs write in blocks: a fifth of the time nothing new is there.
    if share < 1, Int.random(in: 0..<5, using: &random) == 0 { return nil }
    var end = share >= 1 ? bytes.count : Int(Double(bytes.count) * share)
    while end > read, end < bytes.count, bytes[end - 1] != UInt8(ascii: "\n") { end -= 1 }
    guard end > read || share >= 1 else { return nil }
    var delta = FileDelta(file: file, from: UInt64(read), to: UInt64(end))
    let part = Array(bytes[read..<end])
    _ = reader.read(
      part.span, at: UInt64(read), isFinal: share >= 1, nowNs: timeNs, budget: .max, into: &delta)
    read = end
    if share >= 1 {
      reader.finish(nowNs: timeNs, into: &delta)
      hasEnded = true
    }
    return delta
  }
}
