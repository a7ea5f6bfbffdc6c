internal import FleetModel
internal import Postgres

/// Samples, probe results and events as COPY rows: the columns of each table with the fields in their order.
enum SampleRows {
  static let hostColumns = """
    time, received, host, cpu_user_percent, cpu_nice_percent, cpu_system_percent, cpu_iowait_percent, \
    cpu_irq_percent, cpu_steal_percent, cpu_busy_percent, cpu_core_max_percent, load1, load5, load15, \
    processes_running, processes_blocked, memory_total_bytes, memory_available_bytes, memory_cached_bytes, \
    memory_dirty_bytes, memory_shared_bytes, swap_total_bytes, swap_used_bytes, swap_in_bytes_per_second, \
    swap_out_bytes_per_second, pressure_cpu_some_percent, pressure_memory_some_percent, \
    pressure_memory_full_percent, pressure_io_some_percent, pressure_io_full_percent, \
    network_receive_bytes_per_second, network_transmit_bytes_per_second, disk_read_bytes_per_second, \
    disk_write_bytes_per_second, disk_used_percent_max, temperature_max_celsius, oom_kills_total, \
    uptime_seconds, file_descriptors_used, context_switches_per_second
    """
  static let gpuColumns = """
    time, received, host, index, uuid, utilization_percent, memory_utilization_percent, memory_total_bytes, \
    memory_used_bytes, power_watts, power_limit_watts, temperature_celsius, temperature_memory_celsius, \
    clock_sm_mhz, clock_memory_mhz, fan_percent, throttle_reasons, ecc_corrected_total, ecc_uncorrected_total, \
    remapped_rows_corrected, remapped_rows_uncorrected, remap_pending, remap_failed, process_count, \
    process_memory_bytes, pcie_receive_bytes_per_second, pcie_transmit_bytes_per_second, state, stuck_seconds, \
    model
    """
  static let diskColumns = """
    time, received, host, mount_point, device, file_system, total_bytes, available_bytes, used_percent, \
    inodes_total, inodes_free, read_bytes_per_second, write_bytes_per_second, reads_per_second, \
    writes_per_second, busy_percent, wait_ms, is_read_only, stuck_seconds
    """
  static let networkColumns = """
    time, received, host, interface, receive_bytes_per_second, transmit_bytes_per_second, \
    receive_packets_per_second, transmit_packets_per_second, receive_errors_total, transmit_errors_total, \
    receive_drops_total, transmit_drops_total, is_up, speed_mbit
    """
  static let processColumns = """
    time, received, host, pid, name, cgroup, started, cpu_percent, resident_bytes, threads, file_descriptors, \
    read_bytes_per_second, write_bytes_per_second, state, has_exited, gpu_memory_bytes, user_name
    """
  static let probeColumns = """
    time, received, host, name, state, duration_ms, detail, value
    """
  static let eventColumns = "time, received, host, kind, level, subject, message, " + ProcessEndTables.columnNames
}

extension RowBuffers {
  mutating func append(_ sample: HostSample, _ arrival: Arrival) {
    let timeUs = time(sample.timeNs / 1000, "host_samples", arrival)
    noteSampled(timeUs, arrival)
    latest[arrival.host, default: LatestSample()].add(sample, timeUs)
    hosts.begin(40, timeUs, arrival)
    hosts.put(sample.cpuUserPercent)
    hosts.put(sample.cpuNicePercent)
    hosts.put(sample.cpuSystemPercent)
    hosts.put(sample.cpuIowaitPercent)
    hosts.put(sample.cpuIrqPercent)
    hosts.put(sample.cpuStealPercent)
    hosts.put(sample.cpuBusyPercent)
    hosts.put(sample.cpuCoreMaxPercent)
    hosts.put(sample.load1)
    hosts.put(sample.load5)
    hosts.put(sample.load15)
    hosts.put(Int32(clamping: sample.processesRunning))
    hosts.put(Int32(clamping: sample.processesBlocked))
    hosts.put(Int64(clamping: sample.memoryTotalBytes))
    hosts.put(Int64(clamping: sample.memoryAvailableBytes))
    hosts.put(Int64(clamping: sample.memoryCachedBytes))
    hosts.put(Int64(clamping: sample.memoryDirtyBytes))
    hosts.put(Int64(clamping: sample.memorySharedBytes))
    hosts.put(Int64(clamping: sample.swapTotalBytes))
    hosts.put(Int64(clamping: sample.swapUsedBytes))
    hosts.put(sample.swapInBytesPerSecond)
    hosts.put(sample.swapOutBytesPerSecond)
    hosts.put(sample.pressureCpuSomePercent)
    hosts.put(sample.pressureMemorySomePercent)
    hosts.put(sample.pressureMemoryFullPercent)
    hosts.put(sample.pressureIoSomePercent)
    hosts.put(sample.pressureIoFullPercent)
    hosts.put(sample.networkReceiveBytesPerSecond)
    hosts.put(sample.networkTransmitBytesPerSecond)
    hosts.put(sample.diskReadBytesPerSecond)
    hosts.put(sample.diskWriteBytesPerSecond)
    hosts.put(sample.diskUsedPercentMax)
    hosts.put(sample.temperatureMaxCelsius)
    hosts.put(Int64(clamping: sample.oomKillsTotal))
    hosts.put(sample.uptimeSeconds)
    hosts.put(Int64(clamping: sample.fileDescriptorsUsed))
    hosts.put(Int64(clamping: sample.contextSwitchesPerSecond))
  }

  mutating func append(_ sample: GPUSample, _ arrival: Arrival) {
    let timeUs = time(sample.timeNs / 1000, "gpu_samples", arrival)
    noteSampled(timeUs, arrival)
    latest[arrival.host, default: LatestSample()].add(sample, timeUs)
    gpus.begin(30, timeUs, arrival)
    gpus.put(Int32(clamping: sample.index))
    gpus.put(text: sample.uuid)
    gpus.put(sample.utilizationPercent)
    gpus.put(sample.memoryUtilizationPercent)
    gpus.put(Int64(clamping: sample.memoryTotalBytes))
    gpus.put(Int64(clamping: sample.memoryUsedBytes))
    gpus.put(sample.powerWatts)
    gpus.put(sample.powerLimitWatts)
    gpus.put(sample.temperatureCelsius)
    gpus.put(sample.temperatureMemoryCelsius)
    gpus.put(sample.clockSmMhz)
    gpus.put(sample.clockMemoryMhz)
    gpus.put(sample.fanPercent)
    gpus.put(Int64(clamping: sample.throttleReasons))
    gpus.put(Int64(clamping: sample.eccCorrectedTotal))
    gpus.put(Int64(clamping: sample.eccUncorrectedTotal))
    gpus.put(Int32(clamping: sample.remappedRowsCorrected))
    gpus.put(Int32(clamping: sample.remappedRowsUncorrected))
    gpus.put(sample.remapPending)
    gpus.put(sample.remapFailed)
    gpus.put(Int32(clamping: sample.processCount))
    gpus.put(Int64(clamping: sample.processMemoryBytes))
    gpus.put(sample.pcieReceiveBytesPerSecond)
    gpus.put(sample.pcieTransmitBytesPerSecond)
    gpus.put(Int16(sample.state.rawValue))
    gpus.put(sample.stuckSeconds)
    gpus.put(text: sample.model)
  }

  mutating func append(_ sample: DiskSample, _ arrival: Arrival) {
    let timeUs = time(sample.timeNs / 1000, "disk_samples", arrival)
    disks.begin(19, timeUs, arrival)
    disks.put(text: sample.mountPoint)
    disks.put(text: sample.device)
    disks.put(text: sample.fileSystem)
    disks.put(Int64(clamping: sample.totalBytes))
    disks.put(Int64(clamping: sample.availableBytes))
    disks.put(sample.usedPercent)
    disks.put(Int64(clamping: sample.inodesTotal))
    disks.put(Int64(clamping: sample.inodesFree))
    disks.put(sample.readBytesPerSecond)
    disks.put(sample.writeBytesPerSecond)
    disks.put(sample.readsPerSecond)
    disks.put(sample.writesPerSecond)
    disks.put(sample.busyPercent)
    disks.put(sample.waitMs)
    disks.put(sample.isReadOnly)
    disks.put(sample.stuckSeconds)
  }

  mutating func append(_ sample: NetworkSample, _ arrival: Arrival) {
    let timeUs = time(sample.timeNs / 1000, "network_samples", arrival)
    networks.begin(14, timeUs, arrival)
    networks.put(text: sample.interface)
    networks.put(sample.receiveBytesPerSecond)
    networks.put(sample.transmitBytesPerSecond)
    networks.put(sample.receivePacketsPerSecond)
    networks.put(sample.transmitPacketsPerSecond)
    networks.put(Int64(clamping: sample.receiveErrorsTotal))
    networks.put(Int64(clamping: sample.transmitErrorsTotal))
    networks.put(Int64(clamping: sample.receiveDropsTotal))
    networks.put(Int64(clamping: sample.transmitDropsTotal))
    networks.put(sample.isUp)
    networks.put(sample.speedMbit)
  }

  mutating func append(_ sample: ProcessSample, _ arrival: Arrival) {
    let timeUs = time(sample.timeNs / 1000, "process_samples", arrival)
    processes.begin(17, timeUs, arrival)
    processes.put(Int32(clamping: sample.pid))
    processes.put(text: sample.name)
    processes.put(text: sample.cgroup)
    processes.put(timeUs: arrival.stored(sample.startedNs / 1000, within: Limits.oldestTrainingUs))
    processes.put(sample.cpuPercent)
    processes.put(Int64(clamping: sample.residentBytes))
    processes.put(Int32(clamping: sample.threads))
    processes.put(Int32(clamping: sample.fileDescriptors))
    processes.put(sample.readBytesPerSecond)
    processes.put(sample.writeBytesPerSecond)
    processes.put(text: sample.state)
    processes.put(sample.hasExited)
    processes.put(Int64(clamping: sample.gpuMemoryBytes))
    processes.put(text: sample.user)
  }

  mutating func append(_ probe: ProbeResult, _ arrival: Arrival) {
    let timeUs = time(probe.timeNs / 1000, "probe_results", arrival)
    probes.begin(8, timeUs, arrival)
    probes.put(text: probe.name)
    probes.put(Int16(probe.state.rawValue))
    probes.put(probe.durationMs)
    probes.put(text: probe.detail)
    probes.put(probe.value)
  }

  mutating func append(_ event: Event, _ arrival: Arrival) {
    let timeUs = time(event.timeNs / 1000, "events", arrival)
    events.begin(7 + ProcessEndTables.columnCount, timeUs, arrival)
    events.put(Int16(event.kind.rawValue))
    events.put(Int16(event.level.rawValue))
    events.put(text: event.subject)
    events.put(text: event.message)
    guard let end = event.processEnd else {
      for _ in 0..<ProcessEndTables.columnCount { events.putNull() }
      return
    }
    append(end, arrival)
  }

  private mutating func append(_ end: ProcessEnd, _ arrival: Arrival) {
    events.put(end.exit != nil)
    switch end.exit {
    case nil: for _ in 0..<3 { events.putNull() }
    case .code(let code):
      events.put(code)
      for _ in 0..<2 { events.putNull() }
    case .signal(let number, let coreDumped):
      events.putNull()
      events.put(Int32(clamping: number))
      events.put(coreDumped)
    }
    events.put(Int64(end.pid))
    if end.startedNs > 0 {
      events.put(timeUs: arrival.stored(end.startedNs / 1000, within: Limits.oldestTrainingUs))
    } else {
      events.putNull()
    }
    for text in [end.cgroup, end.job, end.output, end.errors, end.directory, end.command] {
      if text.isEmpty { events.putNull() } else { events.put(text: text) }
    }
    if let kills = end.oomKills { events.put(kills) } else { events.putNull() }
  }

  /// Which hours of the host the group's samples fall into, and the oldest of them: where a pass of the aggregates has gone
  /// over it, the hour is to be made again.
  private mutating func noteSampled(_ timeUs: Int64, _ arrival: Arrival) {
    let key = HostHour(host: arrival.host, hourUs: timeUs - timeUs % 3_600_000_000)
    sampledHours[key] = min(sampledHours[key] ?? .max, timeUs)
  }
}

extension CopyBuffer {
  /// Starts a row of a table that grows with time; `columns` counts time, received and host too.
  mutating func begin(_ columns: Int, _ timeUs: Int64, _ arrival: Arrival) {
    beginRow(columns: columns)
    put(timeUs: timeUs)
    put(timeUs: arrival.receivedUs)
    put(arrival.host)
  }
}

extension Arrival {
  /// As `stored(_:)` with another limit into the past.
  func stored(_ timeUs: Int64, within oldestUs: Int64) -> Int64 {
    timeUs <= latestUs && timeUs >= receivedUs - oldestUs ? timeUs : receivedUs
  }
}
