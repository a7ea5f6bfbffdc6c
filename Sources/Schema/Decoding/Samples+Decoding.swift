internal import CSchema
internal import FleetModel

// `tree` lies in the arena of the decode that is under way, which outlives each call; values are copied out.

extension HostSample: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__HostSample>) throws(SchemaError) {
    self.init()
    timeNs = unsafe tree.pointee.time_ns
    cpuUserPercent = unsafe tree.pointee.cpu_user_percent
    cpuNicePercent = unsafe tree.pointee.cpu_nice_percent
    cpuSystemPercent = unsafe tree.pointee.cpu_system_percent
    cpuIowaitPercent = unsafe tree.pointee.cpu_iowait_percent
    cpuIrqPercent = unsafe tree.pointee.cpu_irq_percent
    cpuStealPercent = unsafe tree.pointee.cpu_steal_percent
    cpuBusyPercent = unsafe tree.pointee.cpu_busy_percent
    cpuCoreMaxPercent = unsafe tree.pointee.cpu_core_max_percent
    load1 = unsafe tree.pointee.load1
    load5 = unsafe tree.pointee.load5
    load15 = unsafe tree.pointee.load15
    processesRunning = unsafe tree.pointee.processes_running
    processesBlocked = unsafe tree.pointee.processes_blocked
    memoryTotalBytes = unsafe tree.pointee.memory_total_bytes
    memoryAvailableBytes = unsafe tree.pointee.memory_available_bytes
    memoryCachedBytes = unsafe tree.pointee.memory_cached_bytes
    memoryDirtyBytes = unsafe tree.pointee.memory_dirty_bytes
    memorySharedBytes = unsafe tree.pointee.memory_shared_bytes
    swapTotalBytes = unsafe tree.pointee.swap_total_bytes
    swapUsedBytes = unsafe tree.pointee.swap_used_bytes
    swapInBytesPerSecond = unsafe tree.pointee.swap_in_bytes_per_second
    swapOutBytesPerSecond = unsafe tree.pointee.swap_out_bytes_per_second
    pressureCpuSomePercent = unsafe tree.pointee.pressure_cpu_some_percent
    pressureMemorySomePercent = unsafe tree.pointee.pressure_memory_some_percent
    pressureMemoryFullPercent = unsafe tree.pointee.pressure_memory_full_percent
    pressureIoSomePercent = unsafe tree.pointee.pressure_io_some_percent
    pressureIoFullPercent = unsafe tree.pointee.pressure_io_full_percent
    networkReceiveBytesPerSecond = unsafe tree.pointee.network_receive_bytes_per_second
    networkTransmitBytesPerSecond = unsafe tree.pointee.network_transmit_bytes_per_second
    diskReadBytesPerSecond = unsafe tree.pointee.disk_read_bytes_per_second
    diskWriteBytesPerSecond = unsafe tree.pointee.disk_write_bytes_per_second
    diskUsedPercentMax = unsafe tree.pointee.disk_used_percent_max
    temperatureMaxCelsius = unsafe tree.pointee.temperature_max_celsius
    oomKillsTotal = unsafe tree.pointee.oom_kills_total
    uptimeSeconds = unsafe tree.pointee.uptime_seconds
    fileDescriptorsUsed = unsafe tree.pointee.file_descriptors_used
    contextSwitchesPerSecond = unsafe tree.pointee.context_switches_per_second
  }
}

extension GPUSample: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__GPUSample>) throws(SchemaError) {
    self.init()
    timeNs = unsafe tree.pointee.time_ns
    index = unsafe tree.pointee.index
    uuid = try unsafe Tree.text(tree.pointee.uuid, "GPUSample.uuid")
    utilizationPercent = unsafe tree.pointee.utilization_percent
    memoryUtilizationPercent = unsafe tree.pointee.memory_utilization_percent
    memoryTotalBytes = unsafe tree.pointee.memory_total_bytes
    memoryUsedBytes = unsafe tree.pointee.memory_used_bytes
    powerWatts = unsafe tree.pointee.power_watts
    powerLimitWatts = unsafe tree.pointee.power_limit_watts
    temperatureCelsius = unsafe tree.pointee.temperature_celsius
    temperatureMemoryCelsius = unsafe tree.pointee.temperature_memory_celsius
    clockSmMhz = unsafe tree.pointee.clock_sm_mhz
    clockMemoryMhz = unsafe tree.pointee.clock_memory_mhz
    fanPercent = unsafe tree.pointee.fan_percent
    throttleReasons = unsafe tree.pointee.throttle_reasons
    eccCorrectedTotal = unsafe tree.pointee.ecc_corrected_total
    eccUncorrectedTotal = unsafe tree.pointee.ecc_uncorrected_total
    remappedRowsCorrected = unsafe tree.pointee.remapped_rows_corrected
    remappedRowsUncorrected = unsafe tree.pointee.remapped_rows_uncorrected
    remapPending = unsafe tree.pointee.remap_pending != 0
    remapFailed = unsafe tree.pointee.remap_failed != 0
    processCount = unsafe tree.pointee.process_count
    processMemoryBytes = unsafe tree.pointee.process_memory_bytes
    pcieReceiveBytesPerSecond = unsafe tree.pointee.pcie_receive_bytes_per_second
    pcieTransmitBytesPerSecond = unsafe tree.pointee.pcie_transmit_bytes_per_second
    state = unsafe GPUState(number: tree.pointee.state.rawValue) ?? .present
    stuckSeconds = unsafe tree.pointee.stuck_seconds
    model = try unsafe Tree.text(tree.pointee.model, "GPUSample.model")
  }
}

extension DiskSample: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__DiskSample>) throws(SchemaError) {
    self.init()
    timeNs = unsafe tree.pointee.time_ns
    mountPoint = try unsafe Tree.text(tree.pointee.mount_point, "DiskSample.mount_point")
    device = try unsafe Tree.text(tree.pointee.device, "DiskSample.device")
    fileSystem = try unsafe Tree.text(tree.pointee.file_system, "DiskSample.file_system")
    totalBytes = unsafe tree.pointee.total_bytes
    availableBytes = unsafe tree.pointee.available_bytes
    usedPercent = unsafe tree.pointee.used_percent
    inodesTotal = unsafe tree.pointee.inodes_total
    inodesFree = unsafe tree.pointee.inodes_free
    readBytesPerSecond = unsafe tree.pointee.read_bytes_per_second
    writeBytesPerSecond = unsafe tree.pointee.write_bytes_per_second
    readsPerSecond = unsafe tree.pointee.reads_per_second
    writesPerSecond = unsafe tree.pointee.writes_per_second
    busyPercent = unsafe tree.pointee.busy_percent
    waitMs = unsafe tree.pointee.wait_ms
    isReadOnly = unsafe tree.pointee.is_read_only != 0
    stuckSeconds = unsafe tree.pointee.stuck_seconds
  }
}

extension NetworkSample: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__NetworkSample>) throws(SchemaError) {
    self.init()
    timeNs = unsafe tree.pointee.time_ns
    interface = try unsafe Tree.text(tree.pointee.interface, "NetworkSample.interface")
    receiveBytesPerSecond = unsafe tree.pointee.receive_bytes_per_second
    transmitBytesPerSecond = unsafe tree.pointee.transmit_bytes_per_second
    receivePacketsPerSecond = unsafe tree.pointee.receive_packets_per_second
    transmitPacketsPerSecond = unsafe tree.pointee.transmit_packets_per_second
    receiveErrorsTotal = unsafe tree.pointee.receive_errors_total
    transmitErrorsTotal = unsafe tree.pointee.transmit_errors_total
    receiveDropsTotal = unsafe tree.pointee.receive_drops_total
    transmitDropsTotal = unsafe tree.pointee.transmit_drops_total
    isUp = unsafe tree.pointee.is_up != 0
    speedMbit = unsafe tree.pointee.speed_mbit
  }
}

extension ProcessSample: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__ProcessSample>) throws(SchemaError) {
    self.init()
    timeNs = unsafe tree.pointee.time_ns
    pid = unsafe tree.pointee.pid
    name = try unsafe Tree.text(tree.pointee.name, "ProcessSample.name")
    cgroup = try unsafe Tree.text(tree.pointee.cgroup, "ProcessSample.cgroup")
    startedNs = unsafe tree.pointee.started_ns
    cpuPercent = unsafe tree.pointee.cpu_percent
    residentBytes = unsafe tree.pointee.resident_bytes
    threads = unsafe tree.pointee.threads
    fileDescriptors = unsafe tree.pointee.file_descriptors
    readBytesPerSecond = unsafe tree.pointee.read_bytes_per_second
    writeBytesPerSecond = unsafe tree.pointee.write_bytes_per_second
    state = try unsafe Tree.text(tree.pointee.state, "ProcessSample.state")
    hasExited = unsafe tree.pointee.has_exited != 0
    gpuMemoryBytes = unsafe tree.pointee.gpu_memory_bytes
    user = try unsafe Tree.text(tree.pointee.user, "ProcessSample.user")
  }
}

extension ProbeResult: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__ProbeResult>) throws(SchemaError) {
    self.init()
    timeNs = unsafe tree.pointee.time_ns
    name = try unsafe Tree.text(tree.pointee.name, "ProbeResult.name")
    state = unsafe ProbeState(number: tree.pointee.state.rawValue) ?? .unknown
    durationMs = unsafe tree.pointee.duration_ms
    detail = try unsafe Tree.text(tree.pointee.detail, "ProbeResult.detail", limit: FleetProtocol.detailBytes)
    value = unsafe tree.pointee.value
  }
}
