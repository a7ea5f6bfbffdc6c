internal import FleetModel

extension MetricCatalogue {
  /// One sample of a training process.
  static let process: [RuleMetric] = processMetrics()

  /// Runs once. Not optimised: a hundred closures in one function keep the optimiser busy for many minutes.
  @_optimize(none)
  private static func processMetrics() -> [RuleMetric] {
    var list = MetricList()
    list.add(
      "process.cpu_percent", .percent, "Of one CPU.", MetricReader.process({ Double($0.cpuPercent) }),
      write: MetricWriter.process({ $0.cpuPercent = Float($1) }))
    list.add(
      "process.resident_bytes", .bytes, "Resident memory.", MetricReader.process({ Double($0.residentBytes) }),
      write: MetricWriter.process({ $0.residentBytes = UInt64(number: $1) }))
    list.add(
      "process.threads", .number, "Threads.", MetricReader.process({ Double($0.threads) }),
      write: MetricWriter.process({ $0.threads = UInt32(number: $1) }))
    list.add(
      "process.file_descriptors", .number, "Open files.", MetricReader.process({ Double($0.fileDescriptors) }),
      write: MetricWriter.process({ $0.fileDescriptors = UInt32(number: $1) }))
    list.add(
      "process.read_bytes_per_second", .bytesPerSecond, "From disks.",
      MetricReader.process({ Double($0.readBytesPerSecond) }),
      write: MetricWriter.process({ $0.readBytesPerSecond = Float($1) }))
    list.add(
      "process.write_bytes_per_second", .bytesPerSecond, "To disks.",
      MetricReader.process({ Double($0.writeBytesPerSecond) }),
      write: MetricWriter.process({ $0.writeBytesPerSecond = Float($1) }))
    list.add(
      "process.gpu_memory_bytes", .bytes, "On all GPUs.", MetricReader.process({ Double($0.gpuMemoryBytes) }),
      write: MetricWriter.process({ $0.gpuMemoryBytes = UInt64(number: $1) }))
    list.add(
      "process.age_seconds", .seconds, "Since its start.",
      MetricReader.process({ $0.startedNs > 0 ? Double($0.timeNs.subtractingClamped($0.startedNs)) / 1e9 : .nan }),
      write: MetricWriter.process({ $0.startedNs = $0.timeNs.subtractingClamped(Int64(number: $1 * 1e9)) }))
    list.add(
      "process.blocked", .flag, "1 in uninterruptible sleep (state D).",
      MetricReader.process({ $0.state == "D" ? 1 : 0 }), write: MetricWriter.process({ $0.state = $1 != 0 ? "D" : "S" })
    )
    list.add(
      "process.zombie", .flag, "1 as a zombie (state Z).", MetricReader.process({ $0.state == "Z" ? 1 : 0 }),
      write: MetricWriter.process({ $0.state = $1 != 0 ? "Z" : "S" }))
    list.add(
      "process.exited", .flag, "1 in its last sample.", MetricReader.process({ $0.hasExited ? 1 : 0 }),
      write: MetricWriter.process({ $0.hasExited = $1 != 0 }))
    return list.all
  }
}
