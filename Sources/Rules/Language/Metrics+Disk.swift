internal import FleetModel

extension MetricCatalogue {
  /// One sample of a mounted file system.
  static let disk: [RuleMetric] = diskMetrics()

  /// Runs once. Not optimised: a hundred closures in one function keep the optimiser busy for many minutes.
  @_optimize(none)
  private static func diskMetrics() -> [RuleMetric] {
    var list = MetricList()
    list.add(
      "disk.total_bytes", .bytes, "Size of the file system.", MetricReader.disk({ Double($0.totalBytes) }),
      write: MetricWriter.disk({ $0.totalBytes = UInt64(number: $1) }))
    list.add(
      "disk.available_bytes", .bytes, "Left for unprivileged users.",
      MetricReader.disk({ Double.known($0.availableBytes, of: $0.totalBytes) }),
      write: MetricWriter.disk({
        $0.availableBytes = UInt64(number: $1); $0.totalBytes = max($0.totalBytes, 4 << 40)
      }))
    list.add(
      "disk.used_percent", .percent, "As df(1) counts it.", MetricReader.disk({ Double($0.usedPercent) }),
      write: MetricWriter.disk({ $0.usedPercent = Float($1) }))
    list.add(
      "disk.inodes_total", .number, "Inodes; 0 where the file system has no fixed number.",
      MetricReader.disk({ Double($0.inodesTotal) }), write: MetricWriter.disk({ $0.inodesTotal = UInt64(number: $1) }))
    list.add(
      "disk.inodes_free", .number, "Free inodes.", MetricReader.disk({ Double($0.inodesFree) }),
      write: MetricWriter.disk({ $0.inodesFree = UInt64(number: $1) }))
    list.add(
      "disk.inodes_used_percent", .percent, "Inodes in use.",
      MetricReader.disk({ Double.usedPercent($0.inodesTotal, free: $0.inodesFree) }),
      write: MetricWriter.disk({
        $0.inodesTotal = 1_000_000; $0.inodesFree = UInt64.scaled(100 - $1, by: 10_000)
      }))
    list.add(
      "disk.read_bytes_per_second", .bytesPerSecond, "Of the device.",
      MetricReader.disk({ Double($0.readBytesPerSecond) }),
      write: MetricWriter.disk({ $0.readBytesPerSecond = Float($1) }))
    list.add(
      "disk.write_bytes_per_second", .bytesPerSecond, "Of the device.",
      MetricReader.disk({ Double($0.writeBytesPerSecond) }),
      write: MetricWriter.disk({ $0.writeBytesPerSecond = Float($1) }))
    list.add(
      "disk.reads_per_second", .number, "Requests.", MetricReader.disk({ Double($0.readsPerSecond) }),
      write: MetricWriter.disk({ $0.readsPerSecond = Float($1) }))
    list.add(
      "disk.writes_per_second", .number, "Requests.", MetricReader.disk({ Double($0.writesPerSecond) }),
      write: MetricWriter.disk({ $0.writesPerSecond = Float($1) }))
    list.add(
      "disk.busy_percent", .percent, "Time with a request under way.", MetricReader.disk({ Double($0.busyPercent) }),
      write: MetricWriter.disk({ $0.busyPercent = Float($1) }))
    list.add(
      "disk.wait_ms", .milliseconds, "Mean time of a request.", MetricReader.disk({ Double($0.waitMs) }),
      write: MetricWriter.disk({ $0.waitMs = Float($1) }))
    list.add(
      "disk.read_only", .flag, "1 while mounted read-only.", MetricReader.disk({ $0.isReadOnly ? 1 : 0 }),
      write: MetricWriter.disk({ $0.isReadOnly = $1 != 0 }))
    list.add(
      "disk.stuck_seconds", .seconds, "How long the file system has not answered.",
      MetricReader.disk({ Double($0.stuckSeconds) }), write: MetricWriter.disk({ $0.stuckSeconds = Float($1) }))
    return list.all
  }
}
