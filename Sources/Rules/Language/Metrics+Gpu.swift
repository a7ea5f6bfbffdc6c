internal import FleetModel

extension MetricCatalogue {
  /// One sample of a GPU.
  static let gpu: [RuleMetric] = gpuMetrics()

  /// Runs once. Not optimised: a hundred closures in one function keep the optimiser busy for many minutes.
  @_optimize(none)
  private static func gpuMetrics() -> [RuleMetric] {
    var list = MetricList()
    list.add(
      "gpu.utilization_percent", .percent, "Time in which a kernel ran; weak evidence, pair it with progress.",
      MetricReader.gpu({ Double($0.utilizationPercent) }),
      write: MetricWriter.gpu({ $0.utilizationPercent = Float($1) }))
    list.add(
      "gpu.memory_utilization_percent", .percent, "Time in which memory was read or written.",
      MetricReader.gpu({ Double($0.memoryUtilizationPercent) }),
      write: MetricWriter.gpu({ $0.memoryUtilizationPercent = Float($1) }))
    list.add(
      "gpu.memory_total_bytes", .bytes, "Memory of the GPU.", MetricReader.gpu({ Double($0.memoryTotalBytes) }),
      write: MetricWriter.gpu({ $0.memoryTotalBytes = UInt64(number: $1) }))
    list.add(
      "gpu.memory_used_bytes", .bytes, "Memory in use.", MetricReader.gpu({ Double($0.memoryUsedBytes) }),
      write: MetricWriter.gpu({ $0.memoryUsedBytes = UInt64(number: $1) }))
    list.add(
      "gpu.memory_used_percent", .percent, "Memory in use.",
      MetricReader.gpu({ Double.percent($0.memoryUsedBytes, of: $0.memoryTotalBytes) }),
      write: MetricWriter.gpu({
        $0.memoryTotalBytes = 100 << 30; $0.memoryUsedBytes = UInt64.scaled($1, by: 1_073_741_824)
      }))
    list.add(
      "gpu.power_watts", .watts, "Power drawn.", MetricReader.gpu({ Double($0.powerWatts) }),
      write: MetricWriter.gpu({ $0.powerWatts = Float($1) }))
    list.add(
      "gpu.power_limit_watts", .watts, "Power cap.", MetricReader.gpu({ Double($0.powerLimitWatts) }),
      write: MetricWriter.gpu({ $0.powerLimitWatts = Float($1) }))
    list.add(
      "gpu.temperature_celsius", .celsius, "Core.", MetricReader.gpu({ Double($0.temperatureCelsius) }),
      write: MetricWriter.gpu({ $0.temperatureCelsius = Float($1) }))
    list.add(
      "gpu.temperature_memory_celsius", .celsius, "Memory.", MetricReader.gpu({ Double($0.temperatureMemoryCelsius) }),
      write: MetricWriter.gpu({ $0.temperatureMemoryCelsius = Float($1) }))
    list.add(
      "gpu.clock_sm_mhz", .megahertz, "Clock of the multiprocessors.", MetricReader.gpu({ Double($0.clockSmMhz) }),
      write: MetricWriter.gpu({ $0.clockSmMhz = Float($1) }))
    list.add(
      "gpu.clock_memory_mhz", .megahertz, "Clock of the memory.", MetricReader.gpu({ Double($0.clockMemoryMhz) }),
      write: MetricWriter.gpu({ $0.clockMemoryMhz = Float($1) }))
    list.add(
      "gpu.fan_percent", .percent, "Fan speed.", MetricReader.gpu({ Double($0.fanPercent) }),
      write: MetricWriter.gpu({ $0.fanPercent = Float($1) }))
    list.add(
      "gpu.throttled_thermal", .flag, "1 while slowed down by its software or hardware thermal limit.",
      MetricReader.gpu({ $0.throttleReasons & 0x60 != 0 ? 1 : 0 }),
      write: MetricWriter.gpu({ $0.throttleReasons = $1 != 0 ? 0x60 : 0 }))
    list.add(
      "gpu.throttled_hardware", .flag, "1 while the hardware slowdown holds.",
      MetricReader.gpu({ $0.throttleReasons & 0x8 != 0 ? 1 : 0 }),
      write: MetricWriter.gpu({ $0.throttleReasons = $1 != 0 ? 0x8 : 0 }))
    list.add(
      "gpu.throttled_hardware_thermal", .flag, "1 while the hardware's own thermal slowdown holds.",
      MetricReader.gpu({ $0.throttleReasons & 0x40 != 0 ? 1 : 0 }),
      write: MetricWriter.gpu({ $0.throttleReasons = $1 != 0 ? 0x40 : 0 }))
    list.add(
      "gpu.throttled_power_brake", .flag, "1 while the power brake holds.",
      MetricReader.gpu({ $0.throttleReasons & 0x80 != 0 ? 1 : 0 }),
      write: MetricWriter.gpu({ $0.throttleReasons = $1 != 0 ? 0x80 : 0 }))
    list.add(
      "gpu.throttled_power_cap", .flag, "1 while at its power cap.",
      MetricReader.gpu({ $0.throttleReasons & 0x4 != 0 ? 1 : 0 }),
      write: MetricWriter.gpu({ $0.throttleReasons = $1 != 0 ? 0x4 : 0 }))
    list.add(
      "gpu.ecc_corrected_total", .number, "Corrected memory errors since the driver was loaded.",
      MetricReader.gpu({ Double($0.eccCorrectedTotal) }),
      write: MetricWriter.gpu({ $0.eccCorrectedTotal = UInt64(number: $1) }))
    list.add(
      "gpu.ecc_uncorrected_total", .number, "Uncorrected memory errors since the driver was loaded.",
      MetricReader.gpu({ Double($0.eccUncorrectedTotal) }),
      write: MetricWriter.gpu({ $0.eccUncorrectedTotal = UInt64(number: $1) }))
    list.add(
      "gpu.remapped_rows_corrected", .number, "Rows replaced after corrected errors.",
      MetricReader.gpu({ Double($0.remappedRowsCorrected) }),
      write: MetricWriter.gpu({ $0.remappedRowsCorrected = UInt32(number: $1) }))
    list.add(
      "gpu.remapped_rows_uncorrected", .number, "Rows replaced after uncorrected errors.",
      MetricReader.gpu({ Double($0.remappedRowsUncorrected) }),
      write: MetricWriter.gpu({ $0.remappedRowsUncorrected = UInt32(number: $1) }))
    list.add(
      "gpu.remapped_rows", .number, "Rows replaced.",
      MetricReader.gpu({ Double($0.remappedRowsCorrected) + Double($0.remappedRowsUncorrected) }),
      write: MetricWriter.gpu({ $0.remappedRowsCorrected = UInt32(number: $1) }))
    list.add(
      "gpu.remap_pending", .flag, "1 while a row waits for a reset to be replaced.",
      MetricReader.gpu({ $0.remapPending ? 1 : 0 }), write: MetricWriter.gpu({ $0.remapPending = $1 != 0 }))
    list.add(
      "gpu.remap_failed", .flag, "1 after a row could not be replaced.", MetricReader.gpu({ $0.remapFailed ? 1 : 0 }),
      write: MetricWriter.gpu({ $0.remapFailed = $1 != 0 }))
    list.add(
      "gpu.process_count", .number, "Compute processes.", MetricReader.gpu({ Double($0.processCount) }),
      write: MetricWriter.gpu({ $0.processCount = UInt32(number: $1) }))
    list.add(
      "gpu.process_memory_bytes", .bytes, "Memory of the compute processes.",
      MetricReader.gpu({ Double($0.processMemoryBytes) }),
      write: MetricWriter.gpu({ $0.processMemoryBytes = UInt64(number: $1) }))
    list.add(
      "gpu.pcie_receive_bytes_per_second", .bytesPerSecond, "Over PCIe.",
      MetricReader.gpu({ Double($0.pcieReceiveBytesPerSecond) }),
      write: MetricWriter.gpu({ $0.pcieReceiveBytesPerSecond = Float($1) }))
    list.add(
      "gpu.pcie_transmit_bytes_per_second", .bytesPerSecond, "Over PCIe.",
      MetricReader.gpu({ Double($0.pcieTransmitBytesPerSecond) }),
      write: MetricWriter.gpu({ $0.pcieTransmitBytesPerSecond = Float($1) }))
    list.add(
      "gpu.absent", .flag, "1 once a GPU that was there no longer is.",
      MetricReader.gpu({ $0.state == .absent ? 1 : 0 }),
      write: MetricWriter.gpu({ $0.state = $1 != 0 ? .absent : .present }))
    list.add(
      "gpu.stuck", .flag, "1 while the driver does not answer.", MetricReader.gpu({ $0.state == .stuck ? 1 : 0 }),
      write: MetricWriter.gpu({ $0.state = $1 != 0 ? .stuck : .present }))
    list.add(
      "gpu.stuck_seconds", .seconds, "How long the driver has not answered.",
      MetricReader.gpu({ Double($0.stuckSeconds) }), write: MetricWriter.gpu({ $0.stuckSeconds = Float($1) }))
    return list.all
  }
}
