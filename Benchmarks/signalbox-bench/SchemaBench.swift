internal import Files
internal import FleetModel
internal import Schema

/// What a message costs on each side: the agent pays for encoding, the collector for decoding.
enum SchemaBench {
  static func run() {
    measure("log delta, 5 000 lines of 120 bytes", logBatch(lines: 5000, characters: asciiLine), lines: 5000)
    measure(
      "log delta, 5 000 lines of 120 bytes, Cyrillic", logBatch(lines: 5000, characters: cyrillicLine), lines: 5000)
    measure("samples of one second", sampleBatch(), lines: nil)
    measure("training log, 2 000 steps", stepBatch(steps: 2000), lines: 2000)
  }

  private static func measure(_ name: String, _ batch: Batch, lines: Int?) {
    let frame = AgentFrame.batch(batch)
    var bytes: [UInt8] = []
    let encodeNs = best {
      bytes.removeAll(keepingCapacity: true)
      Wire.encode(frame, into: &bytes)
    }
    var decoded: AgentFrame?
    let decodeNs = best { decoded = try? Wire.decodeAgentFrame(bytes.span) }
    precondition(decoded != nil, "the benchmark's own frame is not valid")
    print("\(name): \(bytes.count) bytes")
    report("encode", encodeNs, bytes.count, lines)
    report("decode", decodeNs, bytes.count, lines)
  }

  private static func report(_ what: String, _ ns: Int64, _ bytes: Int, _ lines: Int?) {
    let perLine = lines.map { ", \(ns / Int64($0)) ns a line" } ?? ""
    print("  \(what): \(ns) ns\(perLine), \(Int64(bytes) * 1000 / max(ns, 1)) MB/s")
  }

  /// The shortest of many rounds: other programs on the machine only ever add.
  private static func best(_ body: () -> Void) -> Int64 {
    var best = Int64.max
    let end = Clock.monotonicNs() + 1_000_000_000
    while Clock.monotonicNs() < end {
      let start = Clock.monotonicNs()
      body()
      best = min(best, Clock.monotonicNs() - start)
    }
    return best
  }

  private static let asciiLine =
    Array("2025-06-01 12:00:00,123 INFO trainer: ".utf8) + [UInt8](repeating: 0x61, count: 82)
  private static let cyrillicLine = Array("2025-06-01 ".utf8) + Array(String(repeating: "ж", count: 54).utf8) + [0x61]

  private static func logBatch(lines: Int, characters: [UInt8]) -> Batch {
    var delta = FileDelta(
      file: FileIdentity(key: FileKey(high: 1, low: 2), path: "/var/log/train.log"), from: 0, to: UInt64(lines * 121))
    for line in 0..<lines {
      delta.lines.text += characters
      delta.lines.lengths.append(UInt32(characters.count))
      delta.lines.advances.append(UInt32(characters.count + 1))
      delta.lines.timesUs.append(1_760_000_000_000_000 + Int64(line) * 500)
      delta.lines.levels.append(2)
      delta.lines.flags.append(16)
    }
    var batch = Batch()
    batch.number = 1
    batch.files = [delta]
    return batch
  }

  /// As a host with 8 GPUs, 4 disks and 4 interfaces reports each second.
  private static func sampleBatch() -> Batch {
    var records = Records()
    var host = HostSample()
    host.timeNs = 1_760_000_000_000_000_000
    host.memoryTotalBytes = 1 << 40
    records.hosts = [host]
    for index in 0..<8 {
      var gpu = GPUSample()
      gpu.timeNs = host.timeNs
      gpu.index = UInt32(index)
      gpu.uuid = "GPU-5f5ad3a8-0d2d-4d4c-9d64-3d2a8d1d0d2\(index)"
      gpu.memoryTotalBytes = 80 << 30
      records.gpus.append(gpu)
    }
    for index in 0..<4 {
      var disk = DiskSample()
      disk.timeNs = host.timeNs
      disk.mountPoint = "/data\(index)"
      disk.device = "/dev/nvme\(index)n1"
      disk.fileSystem = "ext4"
      disk.totalBytes = 4 << 40
      records.disks.append(disk)
      var network = NetworkSample()
      network.timeNs = host.timeNs
      network.interface = "eth\(index)"
      records.networks.append(network)
    }
    var batch = Batch()
    batch.number = 1
    batch.spooled = [SpooledRecords(lane: .live, firstSequence: 1, lastSequence: 1, records: records)]
    return batch
  }

  private static func stepBatch(steps: Int) -> Batch {
    var delta = FileDelta(
      file: FileIdentity(key: FileKey(high: 1, low: 2), path: "/runs/a/training_log.csv"), from: 0, to: 1 << 20)
    for index in 0..<steps {
      var step = TrainingStep()
      step.timeNs = 1_760_000_000_000_000_000 + Int64(index)
      step.run = "/runs/a/training_log.csv"
      step.episode = 3
      step.step = Int64(index)
      step.reward = 0.25
      step.balance = 10_000
      delta.steps.append(step)
    }
    var batch = Batch()
    batch.number = 1
    batch.files = [delta]
    return batch
  }
}
