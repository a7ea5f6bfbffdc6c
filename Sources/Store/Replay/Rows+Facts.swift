internal import FleetModel
internal import Postgres

/// Rows of the tables of samples as the agent reported them: `SampleRows` the other way. NULL is what was not available.
extension Rows {
  func hostSample(_ row: Int) -> HostSample {
    var sample = HostSample()
    sample.timeNs = timeNs(row, 0) ?? 0
    sample.cpuUserPercent = float(row, 3)
    sample.cpuNicePercent = float(row, 4)
    sample.cpuSystemPercent = float(row, 5)
    sample.cpuIowaitPercent = float(row, 6)
    sample.cpuIrqPercent = float(row, 7)
    sample.cpuStealPercent = float(row, 8)
    sample.cpuBusyPercent = float(row, 9)
    sample.cpuCoreMaxPercent = float(row, 10)
    sample.load1 = float(row, 11)
    sample.load5 = float(row, 12)
    sample.load15 = float(row, 13)
    sample.processesRunning = UInt32(clamping: count(row, 14))
    sample.processesBlocked = UInt32(clamping: count(row, 15))
    sample.memoryTotalBytes = count(row, 16)
    sample.memoryAvailableBytes = count(row, 17)
    sample.memoryCachedBytes = count(row, 18)
    sample.memoryDirtyBytes = count(row, 19)
    sample.memorySharedBytes = count(row, 20)
    sample.swapTotalBytes = count(row, 21)
    sample.swapUsedBytes = count(row, 22)
    sample.swapInBytesPerSecond = float(row, 23)
    sample.swapOutBytesPerSecond = float(row, 24)
    sample.pressureCpuSomePercent = float(row, 25)
    sample.pressureMemorySomePercent = float(row, 26)
    sample.pressureMemoryFullPercent = float(row, 27)
    sample.pressureIoSomePercent = float(row, 28)
    sample.pressureIoFullPercent = float(row, 29)
    sample.networkReceiveBytesPerSecond = float(row, 30)
    sample.networkTransmitBytesPerSecond = float(row, 31)
    sample.diskReadBytesPerSecond = float(row, 32)
    sample.diskWriteBytesPerSecond = float(row, 33)
    sample.diskUsedPercentMax = float(row, 34)
    sample.temperatureMaxCelsius = float(row, 35)
    sample.oomKillsTotal = count(row, 36)
    sample.uptimeSeconds = float(row, 37)
    sample.fileDescriptorsUsed = count(row, 38)
    sample.contextSwitchesPerSecond = count(row, 39)
    return sample
  }

  func gpuSample(_ row: Int) -> GPUSample {
    var sample = GPUSample()
    sample.timeNs = timeNs(row, 0) ?? 0
    sample.index = UInt32(clamping: count(row, 3))
    sample.uuid = text(row, 4) ?? ""
    sample.utilizationPercent = float(row, 5)
    sample.memoryUtilizationPercent = float(row, 6)
    sample.memoryTotalBytes = count(row, 7)
    sample.memoryUsedBytes = count(row, 8)
    sample.powerWatts = float(row, 9)
    sample.powerLimitWatts = float(row, 10)
    sample.temperatureCelsius = float(row, 11)
    sample.temperatureMemoryCelsius = float(row, 12)
    sample.clockSmMhz = float(row, 13)
    sample.clockMemoryMhz = float(row, 14)
    sample.fanPercent = float(row, 15)
    sample.throttleReasons = count(row, 16)
    sample.eccCorrectedTotal = count(row, 17)
    sample.eccUncorrectedTotal = count(row, 18)
    sample.remappedRowsCorrected = UInt32(clamping: count(row, 19))
    sample.remappedRowsUncorrected = UInt32(clamping: count(row, 20))
    sample.remapPending = bool(row, 21) ?? false
    sample.remapFailed = bool(row, 22) ?? false
    sample.processCount = UInt32(clamping: count(row, 23))
    sample.processMemoryBytes = count(row, 24)
    sample.pcieReceiveBytesPerSecond = float(row, 25)
    sample.pcieTransmitBytesPerSecond = float(row, 26)
    sample.state = GPUState(rawValue: UInt8(clamping: count(row, 27))) ?? .present
    sample.stuckSeconds = float(row, 28)
    sample.model = text(row, 29) ?? ""
    return sample
  }

  func diskSample(_ row: Int) -> DiskSample {
    var sample = DiskSample()
    sample.timeNs = timeNs(row, 0) ?? 0
    sample.mountPoint = text(row, 3) ?? ""
    sample.device = text(row, 4) ?? ""
    sample.fileSystem = text(row, 5) ?? ""
    sample.totalBytes = count(row, 6)
    sample.availableBytes = count(row, 7)
    sample.usedPercent = float(row, 8)
    sample.inodesTotal = count(row, 9)
    sample.inodesFree = count(row, 10)
    sample.readBytesPerSecond = float(row, 11)
    sample.writeBytesPerSecond = float(row, 12)
    sample.readsPerSecond = float(row, 13)
    sample.writesPerSecond = float(row, 14)
    sample.busyPercent = float(row, 15)
    sample.waitMs = float(row, 16)
    sample.isReadOnly = bool(row, 17) ?? false
    sample.stuckSeconds = float(row, 18)
    return sample
  }

  func networkSample(_ row: Int) -> NetworkSample {
    var sample = NetworkSample()
    sample.timeNs = timeNs(row, 0) ?? 0
    sample.interface = text(row, 3) ?? ""
    sample.receiveBytesPerSecond = float(row, 4)
    sample.transmitBytesPerSecond = float(row, 5)
    sample.receivePacketsPerSecond = float(row, 6)
    sample.transmitPacketsPerSecond = float(row, 7)
    sample.receiveErrorsTotal = count(row, 8)
    sample.transmitErrorsTotal = count(row, 9)
    sample.receiveDropsTotal = count(row, 10)
    sample.transmitDropsTotal = count(row, 11)
    sample.isUp = bool(row, 12) ?? false
    sample.speedMbit = float(row, 13)
    return sample
  }

  func processSample(_ row: Int) -> ProcessSample {
    var sample = ProcessSample()
    sample.timeNs = timeNs(row, 0) ?? 0
    sample.pid = UInt32(clamping: count(row, 3))
    sample.name = text(row, 4) ?? ""
    sample.cgroup = text(row, 5) ?? ""
    sample.startedNs = timeNs(row, 6) ?? 0
    sample.cpuPercent = float(row, 7)
    sample.residentBytes = count(row, 8)
    sample.threads = UInt32(clamping: count(row, 9))
    sample.fileDescriptors = UInt32(clamping: count(row, 10))
    sample.readBytesPerSecond = float(row, 11)
    sample.writeBytesPerSecond = float(row, 12)
    sample.state = text(row, 13) ?? ""
    sample.hasExited = bool(row, 14) ?? false
    sample.gpuMemoryBytes = count(row, 15)
    sample.user = text(row, 16) ?? ""
    return sample
  }

  func probeResult(_ row: Int) -> ProbeResult {
    var probe = ProbeResult()
    probe.timeNs = timeNs(row, 0) ?? 0
    probe.name = text(row, 3) ?? ""
    probe.state = ProbeState(rawValue: UInt8(clamping: count(row, 4))) ?? .unknown
    probe.durationMs = float(row, 5)
    probe.detail = text(row, 6) ?? ""
    probe.value = double(row, 7) ?? .nan
    return probe
  }

  func event(_ row: Int) -> Event {
    var event = Event()
    event.timeNs = timeNs(row, 0) ?? 0
    event.kind = EventKind(rawValue: UInt8(clamping: count(row, 3))) ?? .other
    event.level = Level(rawValue: UInt8(clamping: count(row, 4))) ?? .unknown
    event.subject = text(row, 5) ?? ""
    event.message = text(row, 6) ?? ""
    if let isKnown = bool(row, 7) { event.processEnd = processEnd(row, isKnown) }
    return event
  }

  /// The columns of `ProcessEndTables`, behind an event's own.
  private func processEnd(_ row: Int, _ isKnown: Bool) -> ProcessEnd {
    var end = ProcessEnd()
    if isKnown {
      end.exit =
        int(row, 9).map { .signal(UInt32(clamping: $0), coreDumped: bool(row, 10) ?? false) }
        ?? .code(Int32(clamping: int(row, 8) ?? 0))
    }
    end.pid = UInt32(clamping: count(row, 11))
    end.startedNs = timeNs(row, 12) ?? 0
    end.cgroup = text(row, 13) ?? ""
    end.job = text(row, 14) ?? ""
    end.output = text(row, 15) ?? ""
    end.errors = text(row, 16) ?? ""
    end.directory = text(row, 17) ?? ""
    end.command = text(row, 18) ?? ""
    end.oomKills = int(row, 19).map { Int32(clamping: $0) }
    return end
  }

  func loss(_ row: Int) -> Loss {
    var loss = Loss()
    loss.timeNs = timeNs(row, 0) ?? 0
    loss.subject = text(row, 3) ?? ""
    loss.from = count(row, 4)
    loss.to = count(row, 5)
    let reason = text(row, 6) ?? ""
    loss.reason = LossReason.allCases.first { $0.text == reason } ?? .unknown
    loss.isEstimate = bool(row, 7) ?? false
    return loss
  }

  func runUpdate(_ row: Int) -> RunUpdate {
    var update = RunUpdate()
    update.timeNs = timeNs(row, 0) ?? 0
    update.run = text(row, 1) ?? ""
    update.state = RunState(rawValue: UInt8(clamping: count(row, 3))) ?? .unknown
    update.framework = text(row, 4) ?? ""
    update.source = text(row, 5) ?? ""
    update.detail = text(row, 6) ?? ""
    return update
  }

  func trainingStep(_ row: Int) -> TrainingStep {
    var step = TrainingStep()
    step.timeNs = timeNs(row, 0) ?? 0
    step.run = text(row, 3) ?? ""
    step.episode = int(row, 4) ?? -1
    step.step = int(row, 5) ?? 0
    step.reward = double(row, 6) ?? .nan
    step.action = double(row, 7) ?? .nan
    step.balance = double(row, 8) ?? .nan
    step.sharesHeld = double(row, 9) ?? .nan
    step.price = double(row, 10) ?? .nan
    step.portfolioValue = double(row, 11) ?? .nan
    step.position = double(row, 12) ?? .nan
    step.metrics = Store.labels(text(row, 13)).sorted { $0.key < $1.key }.map { name, value in
      var metric = Metric()
      metric.name = name
      metric.value = Double(value) ?? .nan
      return metric
    }
    return step
  }

  private func float(_ row: Int, _ column: Int) -> Float { double(row, column).map { Float($0) } ?? .nan }

  private func count(_ row: Int, _ column: Int) -> UInt64 { UInt64(clamping: int(row, column) ?? 0) }
}
