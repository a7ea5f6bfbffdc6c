import FleetModel

extension RandomModel {
  mutating func hostFacts() -> HostFacts {
    var value = HostFacts()
    value.hostName = text()
    value.osName = text()
    value.kernelRelease = text()
    value.cpuModel = text()
    value.cpuCount = integer()
    value.memoryTotalBytes = integer()
    value.swapTotalBytes = integer()
    value.gpuCount = integer()
    value.gpuModel = text()
    value.gpuDriverVersion = text()
    value.architecture = text()
    return value
  }

  mutating func hostSample() -> HostSample {
    var value = HostSample()
    value.timeNs = integer()
    value.cpuUserPercent = number()
    value.cpuNicePercent = number()
    value.cpuSystemPercent = number()
    value.cpuIowaitPercent = number()
    value.cpuIrqPercent = number()
    value.cpuStealPercent = number()
    value.cpuBusyPercent = number()
    value.cpuCoreMaxPercent = number()
    value.load1 = number()
    value.load5 = number()
    value.load15 = number()
    value.processesRunning = integer()
    value.processesBlocked = integer()
    value.memoryTotalBytes = integer()
    value.memoryAvailableBytes = integer()
    value.memoryCachedBytes = integer()
    value.memoryDirtyBytes = integer()
    value.memorySharedBytes = integer()
    value.swapTotalBytes = integer()
    value.swapUsedBytes = integer()
    value.swapInBytesPerSecond = number()
    value.swapOutBytesPerSecond = number()
    value.pressureCpuSomePercent = number()
    value.pressureMemorySomePercent = number()
    value.pressureMemoryFullPercent = number()
    value.pressureIoSomePercent = number()
    value.pressureIoFullPercent = number()
    value.networkReceiveBytesPerSecond = number()
    value.networkTransmitBytesPerSecond = number()
    value.diskReadBytesPerSecond = number()
    value.diskWriteBytesPerSecond = number()
    value.diskUsedPercentMax = number()
    value.temperatureMaxCelsius = number()
    value.oomKillsTotal = integer()
    value.uptimeSeconds = number()
    value.fileDescriptorsUsed = integer()
    value.contextSwitchesPerSecond = integer()
    return value
  }

  mutating func gpuSample() -> GPUSample {
    var value = GPUSample()
    value.timeNs = integer()
    value.index = integer()
    value.uuid = text()
    value.utilizationPercent = number()
    value.memoryUtilizationPercent = number()
    value.memoryTotalBytes = integer()
    value.memoryUsedBytes = integer()
    value.powerWatts = number()
    value.powerLimitWatts = number()
    value.temperatureCelsius = number()
    value.temperatureMemoryCelsius = number()
    value.clockSmMhz = number()
    value.clockMemoryMhz = number()
    value.fanPercent = number()
    value.throttleReasons = integer()
    value.eccCorrectedTotal = integer()
    value.eccUncorrectedTotal = integer()
    value.remappedRowsCorrected = integer()
    value.remappedRowsUncorrected = integer()
    value.remapPending = .random(using: &self)
    value.remapFailed = .random(using: &self)
    value.processCount = integer()
    value.processMemoryBytes = integer()
    value.pcieReceiveBytesPerSecond = number()
    value.pcieTransmitBytesPerSecond = number()
    value.state = element(GPUState.allCases)
    value.stuckSeconds = number()
    value.model = text()
    return value
  }

  mutating func diskSample() -> DiskSample {
    var value = DiskSample()
    value.timeNs = integer()
    value.mountPoint = text()
    value.device = text()
    value.fileSystem = text()
    value.totalBytes = integer()
    value.availableBytes = integer()
    value.usedPercent = number()
    value.inodesTotal = integer()
    value.inodesFree = integer()
    value.readBytesPerSecond = number()
    value.writeBytesPerSecond = number()
    value.readsPerSecond = number()
    value.writesPerSecond = number()
    value.busyPercent = number()
    value.waitMs = number()
    value.isReadOnly = .random(using: &self)
    value.stuckSeconds = number()
    return value
  }

  mutating func networkSample() -> NetworkSample {
    var value = NetworkSample()
    value.timeNs = integer()
    value.interface = text()
    value.receiveBytesPerSecond = number()
    value.transmitBytesPerSecond = number()
    value.receivePacketsPerSecond = number()
    value.transmitPacketsPerSecond = number()
    value.receiveErrorsTotal = integer()
    value.transmitErrorsTotal = integer()
    value.receiveDropsTotal = integer()
    value.transmitDropsTotal = integer()
    value.isUp = .random(using: &self)
    value.speedMbit = number()
    return value
  }

  mutating func processSample() -> ProcessSample {
    var value = ProcessSample()
    value.timeNs = integer()
    value.pid = integer()
    value.name = text()
    value.cgroup = text()
    value.startedNs = integer()
    value.cpuPercent = number()
    value.residentBytes = integer()
    value.threads = integer()
    value.fileDescriptors = integer()
    value.readBytesPerSecond = number()
    value.writeBytesPerSecond = number()
    value.state = text()
    value.hasExited = .random(using: &self)
    value.gpuMemoryBytes = integer()
    value.user = text()
    return value
  }

  mutating func probeResult() -> ProbeResult {
    var value = ProbeResult()
    value.timeNs = integer()
    value.name = text()
    value.state = element(ProbeState.allCases)
    value.durationMs = number()
    value.detail = text()
    value.value = number()
    return value
  }

  mutating func event() -> Event {
    var value = Event()
    value.timeNs = integer()
    value.kind = element(EventKind.allCases)
    value.level = element(Level.allCases)
    value.subject = text()
    value.message = text()
    if below(2) == 0 { value.processEnd = processEnd() }
    return value
  }

  mutating func processEnd() -> ProcessEnd {
    var value = ProcessEnd()
    value.exit = element([
      nil, .code(0), .code(7), .code(-1), .signal(9, coreDumped: false), .signal(11, coreDumped: true),
    ])
    value.pid = integer()
    value.startedNs = integer()
    value.cgroup = text()
    value.job = text()
    value.output = text()
    value.errors = text()
    value.directory = text()
    value.command = text()
    value.oomKills = element([nil, 0, 3, .max])
    value.runs = list(3) { $0.text() }
    return value
  }

  mutating func loss() -> Loss {
    var value = Loss()
    value.timeNs = integer()
    value.subject = text()
    value.from = integer()
    value.to = integer()
    value.reason = element(LossReason.allCases)
    value.isEstimate = .random(using: &self)
    return value
  }

  mutating func agentHealth() -> AgentHealth {
    var value = AgentHealth()
    value.spoolBytes = integer()
    value.spoolLimitBytes = integer()
    value.spoolRecords = integer()
    value.backlogBytes = integer()
    value.followedFiles = integer()
    value.droppedRecordsTotal = integer()
    value.redactionsTotal = integer()
    value.residentBytes = integer()
    value.cpuSecondsTotal = number()
    value.refusedPathsTotal = integer()
    value.matchedFiles = integer()
    value.waitingFiles = integer()
    value.unreadableFiles = integer()
    value.outsideFiles = integer()
    value.binaryFiles = integer()
    value.utf16Files = integer()
    value.missingRoots = integer()
    value.unwatchedDirectories = integer()
    value.cutDirectories = integer()
    return value
  }

  mutating func runUpdate() -> RunUpdate {
    var value = RunUpdate()
    value.timeNs = integer()
    value.run = text()
    value.state = element(RunState.allCases)
    value.framework = text()
    value.source = text()
    value.detail = text()
    value.beginning = element(RunBeginning.allCases)
    value.mark = integer()
    value.name = text()
    value.job = text()
    value.rank = element([nil, 0, 7, .max - 1])
    return value
  }

  mutating func trainingStep() -> TrainingStep {
    var value = TrainingStep()
    value.timeNs = integer()
    value.run = text()
    value.episode = integer()
    value.step = integer()
    value.reward = number()
    value.action = number()
    value.balance = number()
    value.sharesHeld = number()
    value.price = number()
    value.portfolioValue = number()
    value.position = number()
    value.metrics = list(4) { $0.metric() }
    return value
  }

  mutating func metric() -> Metric {
    var value = Metric()
    value.name = text()
    value.value = number()
    return value
  }

  mutating func episodeSummary() -> EpisodeSummary {
    var value = EpisodeSummary()
    value.timeNs = integer()
    value.run = text()
    value.episode = integer()
    value.state = element(EpisodeState.allCases)
    value.startedNs = integer()
    value.steps = integer()
    value.firstStep = integer()
    value.lastStep = integer()
    value.rewardSum = number()
    value.rewardMinimum = number()
    value.rewardMaximum = number()
    value.rewardSquareSum = number()
    value.rewardCount = integer()
    value.valueCount = integer()
    value.valueFirst = number()
    value.valueLast = number()
    value.valuePeak = number()
    value.valueTrough = number()
    value.drawdownMaximumRatio = number()
    value.returnCount = integer()
    value.returnSum = number()
    value.returnSquareSum = number()
    value.returnDownsideSquareSum = number()
    value.tradesClosed = integer()
    value.tradesWon = integer()
    value.headPosition = number()
    value.headEndValue = number()
    value.tailPosition = number()
    value.tailStartValue = number()
    value.finalSteps = integer()
    value.finalReward = number()
    return value
  }
}
