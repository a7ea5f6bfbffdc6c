internal import FleetModel

extension MetricCatalogue {
  /// One sample of a host.
  static let host: [RuleMetric] = hostMetrics()

  /// Runs once. Not optimised: a hundred closures in one function keep the optimiser busy for many minutes.
  @_optimize(none)
  private static func hostMetrics() -> [RuleMetric] {
    var list = MetricList()
    list.add(
      "cpu.user_percent", .percent, "All CPUs: User mode.", MetricReader.host({ Double($0.cpuUserPercent) }),
      write: MetricWriter.host({ $0.cpuUserPercent = Float($1) }))
    list.add(
      "cpu.nice_percent", .percent, "All CPUs: Niced user mode.", MetricReader.host({ Double($0.cpuNicePercent) }),
      write: MetricWriter.host({ $0.cpuNicePercent = Float($1) }))
    list.add(
      "cpu.system_percent", .percent, "All CPUs: Kernel mode.", MetricReader.host({ Double($0.cpuSystemPercent) }),
      write: MetricWriter.host({ $0.cpuSystemPercent = Float($1) }))
    list.add(
      "cpu.iowait_percent", .percent, "All CPUs: Idle while waiting for disks.",
      MetricReader.host({ Double($0.cpuIowaitPercent) }), write: MetricWriter.host({ $0.cpuIowaitPercent = Float($1) }))
    list.add(
      "cpu.irq_percent", .percent, "All CPUs: Interrupts.", MetricReader.host({ Double($0.cpuIrqPercent) }),
      write: MetricWriter.host({ $0.cpuIrqPercent = Float($1) }))
    list.add(
      "cpu.steal_percent", .percent, "All CPUs: Taken by the hypervisor.",
      MetricReader.host({ Double($0.cpuStealPercent) }), write: MetricWriter.host({ $0.cpuStealPercent = Float($1) }))
    list.add(
      "cpu.busy_percent", .percent, "All CPUs: neither idle nor waiting for disks.",
      MetricReader.host({ Double($0.cpuBusyPercent) }), write: MetricWriter.host({ $0.cpuBusyPercent = Float($1) }))
    list.add(
      "cpu.core_max_percent", .percent, "The busiest single CPU.", MetricReader.host({ Double($0.cpuCoreMaxPercent) }),
      write: MetricWriter.host({ $0.cpuCoreMaxPercent = Float($1) }))
    list.add(
      "load.1", .number, "Load average of 1 min.", MetricReader.host({ Double($0.load1) }),
      write: MetricWriter.host({ $0.load1 = Float($1) }))
    list.add(
      "load.5", .number, "Load average of 5 min.", MetricReader.host({ Double($0.load5) }),
      write: MetricWriter.host({ $0.load5 = Float($1) }))
    list.add(
      "load.15", .number, "Load average of 15 min.", MetricReader.host({ Double($0.load15) }),
      write: MetricWriter.host({ $0.load15 = Float($1) }))
    list.add(
      "processes.running", .number, "Runnable threads.", MetricReader.host({ Double($0.processesRunning) }),
      write: MetricWriter.host({ $0.processesRunning = UInt32(number: $1) }))
    list.add(
      "processes.blocked", .number, "Threads that wait for I/O without interruption.",
      MetricReader.host({ Double($0.processesBlocked) }),
      write: MetricWriter.host({ $0.processesBlocked = UInt32(number: $1) }))
    list.add(
      "memory.total_bytes", .bytes, "Memory of the host.", MetricReader.host({ Double($0.memoryTotalBytes) }),
      write: MetricWriter.host({ $0.memoryTotalBytes = UInt64(number: $1) }))
    list.add(
      "memory.available_bytes", .bytes, "Memory that new work can have without swapping.",
      MetricReader.host({ Double.known($0.memoryAvailableBytes, of: $0.memoryTotalBytes) }),
      write: MetricWriter.host({
        $0.memoryAvailableBytes = UInt64(number: $1); $0.memoryTotalBytes = max($0.memoryTotalBytes, 256 << 30)
      }))
    list.add(
      "memory.used_percent", .percent, "Total less available.",
      MetricReader.host({ Double.usedPercent($0.memoryTotalBytes, free: $0.memoryAvailableBytes) }),
      write: MetricWriter.host({
        $0.memoryTotalBytes = 100 << 30; $0.memoryAvailableBytes = UInt64.scaled(100 - $1, by: 1_073_741_824)
      }))
    list.add(
      "memory.cached_bytes", .bytes, "Page cache.", MetricReader.host({ Double($0.memoryCachedBytes) }),
      write: MetricWriter.host({ $0.memoryCachedBytes = UInt64(number: $1) }))
    list.add(
      "memory.dirty_bytes", .bytes, "Waiting to be written to disk.",
      MetricReader.host({ Double($0.memoryDirtyBytes) }),
      write: MetricWriter.host({ $0.memoryDirtyBytes = UInt64(number: $1) }))
    list.add(
      "memory.shared_bytes", .bytes, "tmpfs and shared memory.", MetricReader.host({ Double($0.memorySharedBytes) }),
      write: MetricWriter.host({ $0.memorySharedBytes = UInt64(number: $1) }))
    list.add(
      "swap.total_bytes", .bytes, "Swap of the host.", MetricReader.host({ Double($0.swapTotalBytes) }),
      write: MetricWriter.host({ $0.swapTotalBytes = UInt64(number: $1) }))
    list.add(
      "swap.used_bytes", .bytes, "Swap in use.", MetricReader.host({ Double($0.swapUsedBytes) }),
      write: MetricWriter.host({ $0.swapUsedBytes = UInt64(number: $1) }))
    list.add(
      "swap.used_percent", .percent, "Swap in use.",
      MetricReader.host({ Double.percent($0.swapUsedBytes, of: $0.swapTotalBytes) }),
      write: MetricWriter.host({
        $0.swapTotalBytes = 100 << 30; $0.swapUsedBytes = UInt64.scaled($1, by: 1_073_741_824)
      }))
    list.add(
      "swap.in_bytes_per_second", .bytesPerSecond, "Read back from swap.",
      MetricReader.host({ Double($0.swapInBytesPerSecond) }),
      write: MetricWriter.host({ $0.swapInBytesPerSecond = Float($1) }))
    list.add(
      "swap.out_bytes_per_second", .bytesPerSecond, "Written to swap.",
      MetricReader.host({ Double($0.swapOutBytesPerSecond) }),
      write: MetricWriter.host({ $0.swapOutBytesPerSecond = Float($1) }))
    list.add(
      "pressure.cpu_some_percent", .percent, "Share of 10 s in which tasks waited for a CPU (PSI avg10).",
      MetricReader.host({ Double($0.pressureCpuSomePercent) }),
      write: MetricWriter.host({ $0.pressureCpuSomePercent = Float($1) }))
    list.add(
      "pressure.memory_some_percent", .percent, "Share of 10 s in which tasks waited for memory (PSI avg10).",
      MetricReader.host({ Double($0.pressureMemorySomePercent) }),
      write: MetricWriter.host({ $0.pressureMemorySomePercent = Float($1) }))
    list.add(
      "pressure.memory_full_percent", .percent,
      "Share of 10 s in which tasks waited for memory, all of them (PSI avg10).",
      MetricReader.host({ Double($0.pressureMemoryFullPercent) }),
      write: MetricWriter.host({ $0.pressureMemoryFullPercent = Float($1) }))
    list.add(
      "pressure.io_some_percent", .percent, "Share of 10 s in which tasks waited for I/O (PSI avg10).",
      MetricReader.host({ Double($0.pressureIoSomePercent) }),
      write: MetricWriter.host({ $0.pressureIoSomePercent = Float($1) }))
    list.add(
      "pressure.io_full_percent", .percent, "Share of 10 s in which tasks waited for I/O, all of them (PSI avg10).",
      MetricReader.host({ Double($0.pressureIoFullPercent) }),
      write: MetricWriter.host({ $0.pressureIoFullPercent = Float($1) }))
    list.add(
      "network.receive_bytes_per_second", .bytesPerSecond, "All physical interfaces.",
      MetricReader.host({ Double($0.networkReceiveBytesPerSecond) }),
      write: MetricWriter.host({ $0.networkReceiveBytesPerSecond = Float($1) }))
    list.add(
      "network.transmit_bytes_per_second", .bytesPerSecond, "All physical interfaces.",
      MetricReader.host({ Double($0.networkTransmitBytesPerSecond) }),
      write: MetricWriter.host({ $0.networkTransmitBytesPerSecond = Float($1) }))
    list.add(
      "disks.read_bytes_per_second", .bytesPerSecond, "All whole disks.",
      MetricReader.host({ Double($0.diskReadBytesPerSecond) }),
      write: MetricWriter.host({ $0.diskReadBytesPerSecond = Float($1) }))
    list.add(
      "disks.write_bytes_per_second", .bytesPerSecond, "All whole disks.",
      MetricReader.host({ Double($0.diskWriteBytesPerSecond) }),
      write: MetricWriter.host({ $0.diskWriteBytesPerSecond = Float($1) }))
    list.add(
      "disks.used_percent_max", .percent, "The fullest writable file system.",
      MetricReader.host({ Double($0.diskUsedPercentMax) }),
      write: MetricWriter.host({ $0.diskUsedPercentMax = Float($1) }))
    list.add(
      "temperature.max_celsius", .celsius, "The hottest sensor.",
      MetricReader.host({ Double($0.temperatureMaxCelsius) }),
      write: MetricWriter.host({ $0.temperatureMaxCelsius = Float($1) }))
    list.add(
      "oom.kills_total", .number, "Kills for want of memory since boot.",
      MetricReader.host({ Double($0.oomKillsTotal) }),
      write: MetricWriter.host({ $0.oomKillsTotal = UInt64(number: $1) }))
    list.add(
      "uptime.seconds", .seconds, "Since boot.", MetricReader.host({ Double($0.uptimeSeconds) }),
      write: MetricWriter.host({ $0.uptimeSeconds = Float($1) }))
    list.add(
      "files.descriptors_used", .number, "Open files of the whole host.",
      MetricReader.host({ Double($0.fileDescriptorsUsed) }),
      write: MetricWriter.host({ $0.fileDescriptorsUsed = UInt64(number: $1) }))
    list.add(
      "cpu.context_switches_per_second", .number, "All CPUs.",
      MetricReader.host({ Double($0.contextSwitchesPerSecond) }),
      write: MetricWriter.host({ $0.contextSwitchesPerSecond = UInt64(number: $1) }))
    return list.all
  }
}
