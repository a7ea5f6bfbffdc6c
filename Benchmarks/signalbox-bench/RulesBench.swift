internal import Files
internal import FleetModel
internal import RuleFiles
internal import Rules

/// What the rules cost a collector: the shipped pack, repeated up to 80 rules, on 10 000 hosts.
enum RulesBench {
  private static let hostCount = 10_000
  private static let ruleCount = 80
  private static let rounds: Int64 = 30
  private static let startNs: Int64 = 1_760_000_000_000_000_000

  static func run(_ arguments: [String]) {
    let (pack, mistakes) = RuleDirectory.rules([arguments.first ?? "deploy/rules"])
    guard mistakes.isEmpty, !pack.rules.isEmpty else {
      print("no rules: \(mistakes.first?.description ?? "the directory is empty"); run it where deploy/rules is")
      return
    }
    let set = RuleSet(repeating: pack, upTo: ruleCount)
    samples(set)
    lines(set)
  }

  // MARK: samples

  private static func samples(_ set: RuleSet) {
    let engine = RuleEngine(set)
    let ids = (0..<hostCount).map { HostID(high: 1, low: UInt64($0)) }
    let labels = ["host": "h"]
    var opened = 0
    var evaluations = 0
    var facts = 0
    var spentNs: Int64 = 0
    for round in 0..<rounds {
      let timeNs = startNs + round * 1_000_000_000
      let calm = batch(timeNs, isBusy: false)
      let busy = batch(timeNs, isBusy: true)
      let begin = Clock.threadCPUNs()
      for (place, id) in ids.enumerated() {
        // A tenth of the hosts has a disk, a GPU and a CPU over their limits.
        opened +=
          engine.observe(place % 10 == 0 ? busy : calm, from: id, name: "h", labels: labels, nowNs: timeNs).count
      }
      opened += engine.tick(timeNs).count
      // The first round makes the hosts.
      if round > 0 {
        spentNs += Clock.threadCPUNs() - begin
        facts += hostCount * (1 + 8 + 4 + 2)
        evaluations += hostCount * engine.evaluations(of: calm)
      }
    }
    let bytes = ids.reduce(0) { $0 + engine.stateBytes(of: $1) } / hostCount
    let saved = ids.reduce(0) { $0 + engine.encodedState(of: $1).count } / hostCount
    print("rules: \(set.rules.count) rules, \(hostCount) hosts of 1 host, 8 GPU, 4 disk and 2 process samples a second")
    print("  \(spentNs / Int64(facts)) ns a sample with all its rules (\(opened) opened)")
    print(
      "  \(Double(spentNs * 10 / Int64(max(evaluations, 1))) / 10_000) µs a rule and sample, of the rules that read the sample"
    )
    print("  \(Double(spentNs * 100 / Int64(facts * set.rules.count)) / 100_000) µs a rule and sample, of all rules")
    print("  \(bytes) bytes of state a host, \(saved) saved")
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
    records.hosts = [host]
    for index in 0..<8 {
      var gpu = GPUSample()
      gpu.timeNs = timeNs
      gpu.index = UInt32(index)
      gpu.utilizationPercent = isBusy && index == 0 ? 3 : 90
      gpu.memoryTotalBytes = 80 << 30
      gpu.memoryUsedBytes = 60 << 30
      gpu.stuckSeconds = 0
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
      records.processes.append(process)
    }
    var batch = Batch()
    batch.wallNs = timeNs
    batch.spooled = [SpooledRecords(lane: .live, firstSequence: 1, lastSequence: 1, records: records)]
    return batch
  }

  // MARK: lines

  private static func lines(_ set: RuleSet) {
    let count = 200_000
    var delta = FileDelta(
      file: FileIdentity(key: FileKey(high: 1, low: 1), path: "/srv/train/a.log"), from: 0, to: UInt64(count * 121))
    let plain = Array(
      "2025-06-01 12:00:00,123 INFO trainer: episode 12 step 1400 reward 0.125 loss 0.0315 value 10231.5 sps 412".utf8)
    for line in 0..<count {
      delta.lines.text += plain
      delta.lines.lengths.append(UInt32(plain.count))
      delta.lines.advances.append(UInt32(plain.count + 1))
      delta.lines.timesUs.append(startNs / 1000 + Int64(line))
      delta.lines.levels.append(Level.info.rawValue)
      delta.lines.flags.append(0)
    }
    var batch = Batch()
    batch.wallNs = startNs
    batch.files = [delta]
    let engine = RuleEngine(set)
    let begin = Clock.threadCPUNs()
    let found = engine.observe(batch, from: HostID(high: 1, low: 1), name: "h", labels: [:], nowNs: startNs)
    let perLine = (Clock.threadCPUNs() - begin) / Int64(count)
    print("  \(perLine) ns a log line of \(plain.count) bytes with all log rules (\(found.count) opened)")
    patterns(String(decoding: plain, as: UTF8.self), plain)
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
