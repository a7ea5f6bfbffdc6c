internal import FleetModel

// Field numbers are those of proto/signalbox/v1/report.proto; the tests compare every message with what Python writes.

extension HostSample: WireMessage {
  var sizeEstimate: Int { 238 }

  func write(to writer: inout WireWriter) {
    writer.signed(1, timeNs)
    writer.float(2, cpuUserPercent)
    writer.float(3, cpuNicePercent)
    writer.float(4, cpuSystemPercent)
    writer.float(5, cpuIowaitPercent)
    writer.float(6, cpuIrqPercent)
    writer.float(7, cpuStealPercent)
    writer.float(8, cpuBusyPercent)
    writer.float(9, cpuCoreMaxPercent)
    writer.float(10, load1)
    writer.float(11, load5)
    writer.float(12, load15)
    writer.unsigned(13, UInt64(processesRunning))
    writer.unsigned(14, UInt64(processesBlocked))
    writer.unsigned(15, memoryTotalBytes)
    writer.unsigned(16, memoryAvailableBytes)
    writer.unsigned(17, memoryCachedBytes)
    writer.unsigned(18, memoryDirtyBytes)
    writer.unsigned(19, memorySharedBytes)
    writer.unsigned(20, swapTotalBytes)
    writer.unsigned(21, swapUsedBytes)
    writer.float(22, swapInBytesPerSecond)
    writer.float(23, swapOutBytesPerSecond)
    writer.float(24, pressureCpuSomePercent)
    writer.float(25, pressureMemorySomePercent)
    writer.float(26, pressureMemoryFullPercent)
    writer.float(27, pressureIoSomePercent)
    writer.float(28, pressureIoFullPercent)
    writer.float(29, networkReceiveBytesPerSecond)
    writer.float(30, networkTransmitBytesPerSecond)
    writer.float(31, diskReadBytesPerSecond)
    writer.float(32, diskWriteBytesPerSecond)
    writer.float(33, diskUsedPercentMax)
    writer.float(34, temperatureMaxCelsius)
    writer.unsigned(35, oomKillsTotal)
    writer.float(36, uptimeSeconds)
    writer.unsigned(37, fileDescriptorsUsed)
    writer.unsigned(38, contextSwitchesPerSecond)
  }
}

extension GPUSample: WireMessage {
  var sizeEstimate: Int { 157 + uuid.utf8.count + model.utf8.count }

  func write(to writer: inout WireWriter) {
    writer.signed(1, timeNs)
    writer.unsigned(2, UInt64(index))
    writer.text(3, uuid)
    writer.float(4, utilizationPercent)
    writer.float(5, memoryUtilizationPercent)
    writer.unsigned(6, memoryTotalBytes)
    writer.unsigned(7, memoryUsedBytes)
    writer.float(8, powerWatts)
    writer.float(9, powerLimitWatts)
    writer.float(10, temperatureCelsius)
    writer.float(11, temperatureMemoryCelsius)
    writer.float(12, clockSmMhz)
    writer.float(13, clockMemoryMhz)
    writer.float(14, fanPercent)
    writer.unsigned(15, throttleReasons)
    writer.unsigned(16, eccCorrectedTotal)
    writer.unsigned(17, eccUncorrectedTotal)
    writer.unsigned(18, UInt64(remappedRowsCorrected))
    writer.unsigned(19, UInt64(remappedRowsUncorrected))
    writer.flag(20, remapPending)
    writer.flag(21, remapFailed)
    writer.unsigned(22, UInt64(processCount))
    writer.unsigned(23, processMemoryBytes)
    writer.float(24, pcieReceiveBytesPerSecond)
    writer.float(25, pcieTransmitBytesPerSecond)
    writer.unsigned(26, UInt64(state.rawValue))
    writer.float(27, stuckSeconds)
    writer.text(28, model)
  }
}

extension DiskSample: WireMessage {
  var sizeEstimate: Int { 91 + mountPoint.utf8.count + device.utf8.count + fileSystem.utf8.count }

  func write(to writer: inout WireWriter) {
    writer.signed(1, timeNs)
    writer.text(2, mountPoint)
    writer.text(3, device)
    writer.text(4, fileSystem)
    writer.unsigned(5, totalBytes)
    writer.unsigned(6, availableBytes)
    writer.float(7, usedPercent)
    writer.unsigned(8, inodesTotal)
    writer.unsigned(9, inodesFree)
    writer.float(10, readBytesPerSecond)
    writer.float(11, writeBytesPerSecond)
    writer.float(12, readsPerSecond)
    writer.float(13, writesPerSecond)
    writer.float(14, busyPercent)
    writer.float(15, waitMs)
    writer.flag(16, isReadOnly)
    writer.float(17, stuckSeconds)
  }
}

extension NetworkSample: WireMessage {
  var sizeEstimate: Int { 68 + interface.utf8.count }

  func write(to writer: inout WireWriter) {
    writer.signed(1, timeNs)
    writer.text(2, interface)
    writer.float(3, receiveBytesPerSecond)
    writer.float(4, transmitBytesPerSecond)
    writer.float(5, receivePacketsPerSecond)
    writer.float(6, transmitPacketsPerSecond)
    writer.unsigned(7, receiveErrorsTotal)
    writer.unsigned(8, transmitErrorsTotal)
    writer.unsigned(9, receiveDropsTotal)
    writer.unsigned(10, transmitDropsTotal)
    writer.flag(11, isUp)
    writer.float(12, speedMbit)
  }
}

extension ProcessSample: WireMessage {
  var sizeEstimate: Int { 78 + name.utf8.count + cgroup.utf8.count + state.utf8.count + user.utf8.count }

  func write(to writer: inout WireWriter) {
    writer.signed(1, timeNs)
    writer.unsigned(2, UInt64(pid))
    writer.text(3, name)
    writer.text(4, cgroup)
    writer.signed(5, startedNs)
    writer.float(6, cpuPercent)
    writer.unsigned(7, residentBytes)
    writer.unsigned(8, UInt64(threads))
    writer.unsigned(9, UInt64(fileDescriptors))
    writer.float(10, readBytesPerSecond)
    writer.float(11, writeBytesPerSecond)
    writer.text(12, state)
    writer.flag(13, hasExited)
    writer.unsigned(14, gpuMemoryBytes)
    writer.text(15, user)
  }
}

extension ProbeResult: WireMessage {
  var sizeEstimate: Int { 32 + name.utf8.count + detail.utf8.count }

  func write(to writer: inout WireWriter) {
    writer.signed(1, timeNs)
    writer.text(2, name)
    writer.unsigned(3, UInt64(state.rawValue))
    writer.float(4, durationMs)
    writer.text(5, detail, limit: FleetProtocol.detailBytes)
    writer.double(6, value)
  }
}
