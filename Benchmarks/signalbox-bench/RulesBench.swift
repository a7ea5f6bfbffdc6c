internal import Files
internal import FleetModel
internal import RuleFiles
internal import Rules

/// What the rules cost a collector: on 10 000 hosts, 80 rules of the shipped pack and all of it.
enum RulesBench {
  private static let hostCount = 10_000
  private static let ruleCount = 80
  private static let rounds: Int64 = 40
  /// So that windows of some minutes fill.
  private static let stepNs: Int64 = 60_000_000_000
  private static let startNs: Int64 = 1_760_000_000_000_000_000

  /// What was measured with one set of rules.
  struct Cost {
    var rules = 0
    var nsPerSample: Int64 = 0
    /// Of those that read the sample.
    var usPerRuleAndSample = 0.0
    /// Of all rules.
    var usPerAnyRuleAndSample = 0.0
    var bytesPerHost = 0
    var savedBytesPerHost = 0
    var opened = 0
    /// The rules that remember most of a host.
    var remembered = ""
  }

  static func run(_ arguments: [String]) {
    guard let pack = pack(arguments.first ?? "deploy/rules") else { return }
    for set in [RuleSet(repeating: pack, upTo: ruleCount), pack] {
      let cost = samples(set)
      print(
        "rules: \(cost.rules) rules, \(hostCount) hosts of 1 host, 8 GPU, 4 disk and 2 process samples and a step a second"
      )
      print("  \(cost.nsPerSample) ns a sample with all its rules (\(cost.opened) opened)")
      print("  \(cost.usPerRuleAndSample) µs a rule and sample, of the rules that read the sample")
      print("  \(cost.usPerAnyRuleAndSample) µs a rule and sample, of all rules")
      print(
        "  \(cost.bytesPerHost) bytes of state a host, \(cost.savedBytesPerHost) saved; numbers: \(cost.remembered)")
    }
    lines(pack)
  }

  /// As a part of `all`.
  static func part(_ bench: Bench) throws {
    guard let pack = pack("deploy/rules") else { throw BenchFailure("no rules in deploy/rules") }
    let cost = samples(RuleSet(repeating: pack, upTo: ruleCount))
    bench.add(
      "rules_us_per_rule_sample", cost.usPerRuleAndSample,
      "(g) µs a rule and sample, \(hostCount) hosts, \(ruleCount) rules",
      target: "≤ 0.2")
    bench.add(
      "rules_bytes_per_host", Double(cost.bytesPerHost), "(g) bytes of state a host, with a run", target: "≤ 2000")
    let whole = samples(pack)
    bench.add(
      "(g) the whole pack, \(whole.rules) rules: µs a rule and sample; bytes a host",
      "\(whole.usPerRuleAndSample); \(whole.bytesPerHost)")
  }

  private static func pack(_ directory: String) -> RuleSet? {
    let (pack, mistakes) = RuleDirectory.rules([directory])
    if mistakes.isEmpty, !pack.rules.isEmpty { return pack }
    print("no rules: \(mistakes.first?.description ?? "the directory is empty"); run it where deploy/rules is")
    return nil
  }

  // MARK: samples

  private static func samples(_ set: RuleSet) -> Cost {
    let engine = RuleEngine(set)
    let ids = (0..<hostCount).map { HostID(high: 1, low: UInt64($0)) }
    let labels = ["host": "h"]
    var cost = Cost(rules: set.rules.count)
    var evaluations = 0
    var facts = 0
    var spentNs: Int64 = 0
    for round in 0..<rounds {
      let timeNs = startNs + round * stepNs
      let calm = batch(timeNs, isBusy: false)
      let busy = batch(timeNs, isBusy: true)
      let begin = Clock.threadCPUNs()
      for (place, id) in ids.enumerated() {
        // A tenth of the hosts has a disk, a GPU and a CPU over their limits.
        cost.opened +=
          engine.observe(place % 10 == 0 ? busy : calm, from: id, name: "h", labels: labels, nowNs: timeNs).count
      }
      cost.opened += engine.tick(timeNs).count
      // The first round makes the hosts.
      if round > 0 {
        spentNs += Clock.threadCPUNs() - begin
        facts += hostCount * (1 + 8 + 4 + 2 + 1)
        evaluations += hostCount * engine.evaluations(of: calm)
      }
    }
    let most = engine.remembered(of: ids[1])
    cost.remembered = most.prefix(12).map { "\($0.rule) \($0.count)" }.joined(separator: ", ")
    cost.bytesPerHost = ids.reduce(0) { $0 + engine.stateBytes(of: $1) } / hostCount
    cost.savedBytesPerHost = ids.reduce(0) { $0 + engine.encodedState(of: $1).count } / hostCount
    cost.nsPerSample = spentNs / Int64(facts)
    cost.usPerRuleAndSample = Double(spentNs * 10 / Int64(max(evaluations, 1))) / 10_000
    cost.usPerAnyRuleAndSample = Double(spentNs * 100 / Int64(facts * set.rules.count)) / 100_000
    return cost
  }

  private static func batch(_ timeNs: Int64, isBusy: Bool) -> Batch {
    var records = Records()
    var host = HostSample()
    host.timeNs = timeNs
    host.cpuBusyPercent = isBusy ? 97 : 40
    host.cpuIowaitPercent = 1
    host.memoryTotalBytes = 1 << 40
    host.memoryAvailableBytes = 1 << 39
    host.pressureMemoryFullPercent = 0
    host.networkReceiveBytesPerSecond = 1
    host.uptimeSeconds = 500_000
    records.hosts = [host]
    for index in 0..<8 {
      var gpu = GPUSample()
      gpu.timeNs = timeNs
      gpu.index = UInt32(index)
      gpu.utilizationPercent = isBusy && index == 0 ? 3 : 90
      gpu.memoryTotalBytes = 80 << 30
      gpu.memoryUsedBytes = 60 << 30
      gpu.stuckSeconds = 0
      gpu.processCount = 1
      gpu.temperatureCelsius = 60
      gpu.temperatureMemoryCelsius = 70
      gpu.clockSmMhz = 1900
      records.gpus.append(gpu)
    }
    for index in 0..<4 {
      var disk = DiskSample()
      disk.timeNs = timeNs
      disk.mountPoint = "/data\(index)"
      disk.totalBytes = 4 << 40
      disk.availableBytes = 2 << 40
      disk.usedPercent = isBusy && index == 0 ? 92 : 50
      disk.inodesTotal = 1000
      disk.inodesFree = 900
      disk.stuckSeconds = 0
      records.disks.append(disk)
    }
    for index in 0..<2 {
      var process = ProcessSample()
      process.timeNs = timeNs
      process.pid = UInt32(1000 + index)
      process.name = "python3"
      process.state = "R"
      process.startedNs = timeNs - 7_200_000_000_000
      process.residentBytes = 8 << 30
      records.processes.append(process)
    }
    records.steps = [step(timeNs)]
    var batch = Batch()
    batch.wallNs = timeNs
    batch.spooled = [SpooledRecords(lane: .live, firstSequence: 1, lastSequence: 1, records: records)]
    return batch
  }

  private static func step(_ timeNs: Int64) -> TrainingStep {
    var step = TrainingStep()
    step.timeNs = timeNs
    step.run = "ppo/progress-1f2e3d4c"
    step.step = timeNs / 1_000_000_000
    let wave = Double(step.step % 7)
    step.reward = 10 + wave
    var loss = Metric()
    loss.name = "train/loss"
    loss.value = 0.5 + wave / 100
    var rate = Metric()
    rate.name = "train/learning_rate"
    rate.value = 0.0003
    step.metrics = [loss, rate]
    return step
  }

  // MARK: lines

  private static func lines(_ set: RuleSet) {
    let plain = Array(
      "2025-06-01 12:00:00,123 INFO trainer: episode 12 step 1400 reward 0.125 loss 0.0315 value 10231.5 sps 412".utf8)
    line(set, plain[...], .info, "a log line")
    line(set, plain.dropFirst(38), .unknown, "a printed line")
    patterns(String(decoding: plain, as: UTF8.self), plain)
  }

  private static func line(_ set: RuleSet, _ line: ArraySlice<UInt8>, _ level: Level, _ name: String) {
    let plain = Array(line)
    let count = 200_000
    var delta = FileDelta(
      file: FileIdentity(key: FileKey(high: 1, low: 1), path: "/srv/train/a.log"), from: 0, to: UInt64(count * 121))
    for line in 0..<count {
      delta.lines.text += plain
      delta.lines.lengths.append(UInt32(plain.count))
      delta.lines.advances.append(UInt32(plain.count + 1))
      delta.lines.timesUs.append(startNs / 1000 + Int64(line))
      delta.lines.levels.append(level.rawValue)
      delta.lines.flags.append(0)
    }
    var batch = Batch()
    batch.wallNs = startNs
    batch.files = [delta]
    let engine = RuleEngine(set)
    let begin = Clock.threadCPUNs()
    let found = engine.observe(batch, from: HostID(high: 1, low: 1), name: "h", labels: [:], nowNs: startNs)
    let perLine = (Clock.threadCPUNs() - begin) / Int64(count)
    print("  \(perLine) ns \(name) of \(plain.count) bytes with all log rules (\(found.count) opened)")
  }

  /// The exact look at one line, beside Swift's own regular expressions.
  private static func patterns(_ text: String, _ bytes: [UInt8]) {
    let source = "ModuleNotFoundError|FileNotFoundError|PermissionError"
    guard let own = try? LinePattern(source), let theirs = try? Regex(source) else { return }
    let rounds = 2000
    var hits = 0
    var begin = Clock.threadCPUNs()
    for _ in 0..<rounds where own.matches(bytes.span) { hits += 1 }
    let ownNs = (Clock.threadCPUNs() - begin) / Int64(rounds)
    begin = Clock.threadCPUNs()
    for _ in 0..<rounds where text.firstMatch(of: theirs) != nil { hits += 1 }
    let theirNs = (Clock.threadCPUNs() - begin) / Int64(rounds)
    print("  one pattern alone on that line: \(ownNs) ns; Swift's Regex \(theirNs) ns (\(hits) hits)")
  }
}
