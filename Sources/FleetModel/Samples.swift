/// One host at one time. Floats that are NaN are not available on this machine.
package struct HostSample: Sendable, Equatable {
  package var timeNs: Int64 = 0
  /// of all CPUs, 0…100; proc(5) /proc/stat, difference to the sample before.
  package var cpuUserPercent: Float = .nan
  package var cpuNicePercent: Float = .nan
  package var cpuSystemPercent: Float = .nan
  package var cpuIowaitPercent: Float = .nan
  /// irq + softirq.
  package var cpuIrqPercent: Float = .nan
  package var cpuStealPercent: Float = .nan
  /// 100 - idle - iowait.
  package var cpuBusyPercent: Float = .nan
  /// the busiest single CPU.
  package var cpuCoreMaxPercent: Float = .nan
  package var load1: Float = .nan
  package var load5: Float = .nan
  package var load15: Float = .nan
  package var processesRunning: UInt32 = 0
  package var processesBlocked: UInt32 = 0
  package var memoryTotalBytes: UInt64 = 0
  package var memoryAvailableBytes: UInt64 = 0
  package var memoryCachedBytes: UInt64 = 0
  package var memoryDirtyBytes: UInt64 = 0
  package var memorySharedBytes: UInt64 = 0
  package var swapTotalBytes: UInt64 = 0
  package var swapUsedBytes: UInt64 = 0
  package var swapInBytesPerSecond: Float = .nan
  package var swapOutBytesPerSecond: Float = .nan
  /// avg10 of /proc/pressure/cpu.
  package var pressureCpuSomePercent: Float = .nan
  package var pressureMemorySomePercent: Float = .nan
  package var pressureMemoryFullPercent: Float = .nan
  package var pressureIoSomePercent: Float = .nan
  package var pressureIoFullPercent: Float = .nan
  /// sum over physical interfaces.
  package var networkReceiveBytesPerSecond: Float = .nan
  package var networkTransmitBytesPerSecond: Float = .nan
  /// sum over whole disks.
  package var diskReadBytesPerSecond: Float = .nan
  package var diskWriteBytesPerSecond: Float = .nan
  /// fullest writable file system.
  package var diskUsedPercentMax: Float = .nan
  package var temperatureMaxCelsius: Float = .nan
  /// vmstat oom_kill since boot.
  package var oomKillsTotal: UInt64 = 0
  package var uptimeSeconds: Float = .nan
  package var fileDescriptorsUsed: UInt64 = 0
  package var contextSwitchesPerSecond: UInt64 = 0

  package init() {}
}

/// One GPU at one time.
package struct GPUSample: Sendable, Equatable {
  package var timeNs: Int64 = 0
  package var index: UInt32 = 0
  package var uuid: String = ""
  package var utilizationPercent: Float = .nan
  package var memoryUtilizationPercent: Float = .nan
  package var memoryTotalBytes: UInt64 = 0
  package var memoryUsedBytes: UInt64 = 0
  package var powerWatts: Float = .nan
  package var powerLimitWatts: Float = .nan
  package var temperatureCelsius: Float = .nan
  package var temperatureMemoryCelsius: Float = .nan
  package var clockSmMhz: Float = .nan
  package var clockMemoryMhz: Float = .nan
  package var fanPercent: Float = .nan
  /// NVML clocks event reasons bit mask.
  package var throttleReasons: UInt64 = 0
  /// volatile.
  package var eccCorrectedTotal: UInt64 = 0
  package var eccUncorrectedTotal: UInt64 = 0
  package var remappedRowsCorrected: UInt32 = 0
  package var remappedRowsUncorrected: UInt32 = 0
  package var remapPending: Bool = false
  package var remapFailed: Bool = false
  package var processCount: UInt32 = 0
  /// sum over compute processes.
  package var processMemoryBytes: UInt64 = 0
  package var pcieReceiveBytesPerSecond: Float = .nan
  package var pcieTransmitBytesPerSecond: Float = .nan
  package var state: GPUState = .present
  /// how long the driver has not answered; 0 while it does.
  package var stuckSeconds: Float = .nan
  package var model: String = ""

  package init() {}
}

/// One mounted file system and its device at one time.
package struct DiskSample: Sendable, Equatable {
  package var timeNs: Int64 = 0
  package var mountPoint: String = ""
  package var device: String = ""
  package var fileSystem: String = ""
  package var totalBytes: UInt64 = 0
  /// to unprivileged users.
  package var availableBytes: UInt64 = 0
  /// df(1)'s: used / (used + available).
  package var usedPercent: Float = .nan
  package var inodesTotal: UInt64 = 0
  package var inodesFree: UInt64 = 0
  package var readBytesPerSecond: Float = .nan
  package var writeBytesPerSecond: Float = .nan
  package var readsPerSecond: Float = .nan
  package var writesPerSecond: Float = .nan
  package var busyPercent: Float = .nan
  /// mean time of a request.
  package var waitMs: Float = .nan
  package var isReadOnly: Bool = false
  /// statfs has not answered for.
  package var stuckSeconds: Float = .nan

  package init() {}
}

/// One network interface at one time.
package struct NetworkSample: Sendable, Equatable {
  package var timeNs: Int64 = 0
  package var interface: String = ""
  package var receiveBytesPerSecond: Float = .nan
  package var transmitBytesPerSecond: Float = .nan
  package var receivePacketsPerSecond: Float = .nan
  package var transmitPacketsPerSecond: Float = .nan
  package var receiveErrorsTotal: UInt64 = 0
  package var transmitErrorsTotal: UInt64 = 0
  package var receiveDropsTotal: UInt64 = 0
  package var transmitDropsTotal: UInt64 = 0
  package var isUp: Bool = false
  package var speedMbit: Float = .nan

  package init() {}
}

/// One training process at one time.
package struct ProcessSample: Sendable, Equatable {
  package var timeNs: Int64 = 0
  package var pid: UInt32 = 0
  /// comm.
  package var name: String = ""
  package var cgroup: String = ""
  package var startedNs: Int64 = 0
  /// of one CPU.
  package var cpuPercent: Float = .nan
  package var residentBytes: UInt64 = 0
  package var threads: UInt32 = 0
  package var fileDescriptors: UInt32 = 0
  package var readBytesPerSecond: Float = .nan
  package var writeBytesPerSecond: Float = .nan
  /// proc(5) state letter.
  package var state: String = ""
  /// last sample of this process.
  package var hasExited: Bool = false
  package var gpuMemoryBytes: UInt64 = 0
  package var user: String = ""

  package init() {}
}

/// One answer of a probe.
package struct ProbeResult: Sendable, Equatable {
  package var timeNs: Int64 = 0
  package var name: String = ""
  package var state: ProbeState = .unknown
  package var durationMs: Float = .nan
  package var detail: String = ""
  package var value: Double = .nan

  package init() {}
}

package enum GPUState: UInt8, Sendable, CaseIterable {
  case present = 0
  /// It was there and no longer is.
  case absent = 1
  /// The driver does not answer.
  case stuck = 2
}

package enum ProbeState: UInt8, Sendable, CaseIterable {
  case unknown = 0
  case ok = 1
  case failed = 2
  case timedOut = 3
}
