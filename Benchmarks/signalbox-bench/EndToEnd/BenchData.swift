internal import FleetModel

/// Samples and lines as a training host has them.
enum BenchData {
  /// About 120 bytes each, as Python's logging writes them.
  static let lines: [[UInt8]] = (0..<1000).map { Array(line($0).utf8) }

  static func line(_ number: Int) -> String {
    let seconds = number % 60
    let minutes = number / 60 % 60
    let time = "\(minutes < 10 ? "0" : "")\(minutes):\(seconds < 10 ? "0" : "")\(seconds)"
    let level = number % 20 == 7 ? "WARNING" : "INFO"
    return
      "12:\(time),\(100 + number % 900) - trainer.ppo - \(level) - episode \(number) finished after 972 steps, reward -12.5137, portfolio 9990.\(10 + number % 90)"
  }

  static func sample(timeNs: Int64) -> Records {
    var host = HostSample()
    host.timeNs = timeNs
    host.cpuUserPercent = 41.5
    host.cpuNicePercent = 0
    host.cpuSystemPercent = 3.25
    host.cpuIowaitPercent = 0.5
    host.cpuIrqPercent = 0.1
    host.cpuStealPercent = 0
    host.cpuBusyPercent = 45.3
    host.cpuCoreMaxPercent = 99.5
    host.load1 = 7.4
    host.load5 = 7.1
    host.load15 = 6.9
    host.processesRunning = 9
    host.memoryTotalBytes = 64 << 30
    host.memoryAvailableBytes = 21 << 30
    host.memoryCachedBytes = 12 << 30
    host.memoryDirtyBytes = 1 << 20
    host.memorySharedBytes = 1 << 28
    host.swapTotalBytes = 8 << 30
    host.swapInBytesPerSecond = 0
    host.swapOutBytesPerSecond = 0
    host.pressureCpuSomePercent = 4.5
    host.pressureMemorySomePercent = 0
    host.pressureMemoryFullPercent = 0
    host.pressureIoSomePercent = 0.75
    host.pressureIoFullPercent = 0.5
    host.networkReceiveBytesPerSecond = 1_250_000
    host.networkTransmitBytesPerSecond = 730_000
    host.diskReadBytesPerSecond = 40_000
    host.diskWriteBytesPerSecond = 2_100_000
    host.diskUsedPercentMax = 71.2
    host.temperatureMaxCelsius = 66
    host.uptimeSeconds = 864_000
    host.fileDescriptorsUsed = 4712
    host.contextSwitchesPerSecond = 15_300
    var records = Records()
    records.hosts = [host]
    return records
  }
}
