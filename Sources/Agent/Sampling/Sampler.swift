package import EventLoop
internal import Files
package import FleetModel

/// Takes samples of one host from /proc and /sys, at the times that it is given.
///
/// Cost: about twelve reads of open files for each sample of the host; what costs more is read at slower phases (`SamplerSettings`).
/// Everything that may block for ever (network file systems, GPUs) is left to the probe process. Isolation: one thread.
package struct Sampler: ~Copyable {
  let root: String
  let settings: SamplerSettings
  let pageSizeBytes: UInt64
  var files: KernelFiles
  let buffer = ReadBuffer()
  private var taken = 0
  private var lastNs: Int64?
  private var processors = ProcessorReading()
  private var processorsBefore = ProcessorReading()
  private var paging = PagingReading()
  var blocks = BlockDeviceReading()
  var blocksReportedNs: Int64?
  var interfaces = InterfaceReading()
  var interfacesReportedNs: Int64?
  var mounts: [Mount] = []
  var fullestPercent = Float.nan
  private var temperatures: TemperatureReading
  private var temperature = Float.nan
  private var processes: ProcessTable
  private var processesNs: Int64?
  private var kernelLog: KernelLogReader

  /// - Parameter root: "" for this host; else a directory that holds its own `proc`, `sys`, `dev` and `etc`.
  package init(root: String = "", settings: SamplerSettings = SamplerSettings()) {
    self.root = root
    self.settings = settings
    pageSizeBytes = Machine.pageSizeBytes()
    files = KernelFiles(root: root)
    temperatures = TemperatureReading(root: root)
    processes = ProcessTable(root: root, patterns: settings.processes, pageSizeBytes: pageSizeBytes)
    kernelLog = KernelLogReader(path: root + "/dev/kmsg", after: settings.kernelLogAfter)
  }

  /// Network file systems as they are mounted now: the probe process's part.
  package var networkMounts: [Mount] { mounts.filter { $0.kind == .network } }
  /// The last record of the kernel's log that was read; to be kept over a restart within one boot.
  package var kernelSequence: UInt64? { kernelLog.sequence }
  /// False where the agent may not read the kernel's log.
  package var readsKernelLog: Bool { kernelLog.isOpen }
  /// Devices, interfaces and processes beyond their limits in the last sample.
  package var leftOut: Int { blocks.leftOut + interfaces.leftOut + processes.leftOut }

  /// Followed processes without a pidfd: of their ends it is not known how.
  package var processesWithoutHandle: Int { processes.withoutHandle }

  /// The memory that each process has on GPUs, for the process samples that follow.
  package mutating func noteGPUMemory(_ bytesByProcess: [UInt32: UInt64]) { processes.gpuMemoryBytes = bytesByProcess }

  /// Has ends of processes seen when they happen, not at the next sample.
  /// - Parameter ended: calls `processEnded` with the event and returns its answer.
  package mutating func watchEnds(on loop: EventLoop, _ ended: @escaping (ProcessEndSignal) -> Bool) {
    processes.watchEnds(on: loop) { ended(ProcessEndSignal(key: $0, isLast: $1)) }
  }

  /// - Returns: whether it was dealt with; else it comes again.
  package mutating func processEnded(
    _ signal: ProcessEndSignal, wallNs: Int64, into records: inout Records
  ) -> Bool {
    processes.end(signal.key, isLast: signal.isLast, wallNs: wallNs, buffer: buffer, into: &records)
  }

  /// The process that writes a file, as far as the host shows it: its job, and its command line for `RunParameters`. nil: not known.
  package func writer(of path: String) -> RunWriter? {
    processes.writer(of: path).map { process in
      RunWriter(
        pid: process.key.pid, startTicks: process.key.startTicks, job: process.job, command: process.end.command,
        commandLine: process.commandLine, ranks: processes.ranks(beside: process))
    }
  }

  /// What `signalbox-agent exec` reports of its program.
  package mutating func announce(_ process: AnnouncedProcess, wallNs: Int64, into records: inout Records) {
    if processors.bootSeconds == nil, files.stat.read(into: buffer) { buffer.parse { processors.read($0) } }
    let bootSeconds = processors.bootSeconds
    if process.hasEnded {
      processes.announceEnd(process, wallNs: wallNs, bootSeconds: bootSeconds, buffer: buffer, into: &records)
    } else {
      processes.announceStart(process, wallNs: wallNs, bootSeconds: bootSeconds, buffer: buffer)
    }
  }

  /// Takes the next sample.
  /// - Parameter wallNs: CLOCK_REALTIME, stamps the records.
  /// - Parameter monotonicNs: CLOCK_BOOTTIME, for rates. Where it did not move on, rates are NaN.
  /// - Returns: one host sample and, at their phases, samples of disks, interfaces and processes, and events.
  package mutating func sample(wallNs: Int64, monotonicNs: Int64) -> Records {
    var records = Records()
    if isDue(settings.discoverEvery, phase: 0) { discover() }
    var host = HostSample()
    host.timeNs = wallNs
    let seconds = elapsed(since: lastNs, monotonicNs)
    readProcessors(&host, seconds)
    readMemory(&host, seconds)
    readPressure(&host)
    readSmall(&host)
    readDevices(&host, seconds)
    if isDue(settings.disksEvery, phase: 0) { records.disks = diskSamples(wallNs, monotonicNs) }
    if isDue(settings.networksEvery, phase: 1) { records.networks = networkSamples(wallNs, monotonicNs) }
    if isDue(settings.temperatureEvery, phase: 2) { temperature = temperatures.read(buffer) }
    if isDue(settings.processesEvery, phase: 3) { readProcesses(wallNs, monotonicNs, &records) }
    if settings.readsKernelLog { kernelLog.read(wallNs: wallNs, monotonicNs: monotonicNs, into: &records.events) }
    host.diskUsedPercentMax = fullestPercent
    host.temperatureMaxCelsius = temperature
    records.hosts.append(host)
    lastNs = monotonicNs
    taken += 1
    return records
  }

  /// The first sample does everything, so that a host is known at once; later each has its own phase, so that none is dear.
  private func isDue(_ every: Int, phase: Int) -> Bool {
    every > 0 && (taken == 0 || taken % every == phase % every)
  }

  func elapsed(since before: Int64?, _ now: Int64) -> Double {
    guard let before, now > before else { return 0 }
    return Double(now - before) / 1e9
  }

  private mutating func discover() {
    temperatures.discover(buffer)
    discoverMounts()
    classifyDevices()
  }

  private mutating func readProcessors(_ host: inout HostSample, _ seconds: Double) {
    (processors, processorsBefore) = (processorsBefore, processors)
    guard files.stat.read(into: buffer) else {
      processors = ProcessorReading()
      return
    }
    buffer.parse { processors.read($0) }
    processors.fill(&host, since: processorsBefore, seconds: seconds)
  }

  private mutating func readMemory(_ host: inout HostSample, _ seconds: Double) {
    if files.meminfo.read(into: buffer) {
      buffer.parse { MemoryReading.read($0) }.fill(&host)
    }
    if files.vmstat.read(into: buffer) {
      let now = buffer.parse { PagingReading.read($0) }
      now.fill(&host, since: paging, seconds: seconds, pageSizeBytes: pageSizeBytes)
      paging = now
    }
  }

  private mutating func readPressure(_ host: inout HostSample) {
    host.pressureCpuSomePercent = pressure(files.pressureCPU).somePercent
    let memory = pressure(files.pressureMemory)
    host.pressureMemorySomePercent = memory.somePercent
    host.pressureMemoryFullPercent = memory.fullPercent
    let io = pressure(files.pressureIO)
    host.pressureIoSomePercent = io.somePercent
    host.pressureIoFullPercent = io.fullPercent
  }

  private mutating func pressure(_ file: KernelFile) -> PressureReading {
    guard file.read(into: buffer) else { return PressureReading() }
    return buffer.parse { PressureReading.read($0) }
  }

  private mutating func readSmall(_ host: inout HostSample) {
    if files.loadavg.read(into: buffer) {
      buffer.parse { SmallReadings.load($0, into: &host) }
    }
    if files.fileHandles.read(into: buffer) {
      buffer.parse { SmallReadings.fileHandles($0, into: &host) }
    }
    if files.uptime.read(into: buffer) {
      buffer.parse { SmallReadings.uptime($0, into: &host) }
    }
  }

  private mutating func readDevices(_ host: inout HostSample, _ seconds: Double) {
    if files.diskstats.read(into: buffer) { buffer.parse { blocks.read($0) } }
    if files.netDev.read(into: buffer) { buffer.parse { interfaces.read($0) } }
    if blocks.hasNewDevices || interfaces.hasNewInterfaces { classifyDevices() }
    blocks.fill(&host, seconds: seconds)
    interfaces.fill(&host, seconds: seconds)
  }

  private mutating func readProcesses(_ wallNs: Int64, _ monotonicNs: Int64, _ records: inout Records) {
    processes.read(
      wallNs: wallNs, seconds: elapsed(since: processesNs, monotonicNs), bootSeconds: processors.bootSeconds,
      buffer: buffer, into: &records)
    processesNs = monotonicNs
  }
}

/// The files that each sample reads.
struct KernelFiles {
  let stat, meminfo, vmstat, loadavg, fileHandles, uptime, diskstats, netDev: KernelFile
  let pressureCPU, pressureMemory, pressureIO: KernelFile
  let mountinfo: KernelFile

  init(root: String) {
    let proc = root + "/proc"
    stat = KernelFile(proc + "/stat")
    meminfo = KernelFile(proc + "/meminfo")
    vmstat = KernelFile(proc + "/vmstat")
    loadavg = KernelFile(proc + "/loadavg")
    fileHandles = KernelFile(proc + "/sys/fs/file-nr")
    uptime = KernelFile(proc + "/uptime")
    diskstats = KernelFile(proc + "/diskstats")
    netDev = KernelFile(proc + "/net/dev")
    pressureCPU = KernelFile(proc + "/pressure/cpu")
    pressureMemory = KernelFile(proc + "/pressure/memory")
    pressureIO = KernelFile(proc + "/pressure/io")
    mountinfo = KernelFile(proc + "/self/mountinfo")
  }
}

/// A followed process has ended, or may have.
package struct ProcessEndSignal: Sendable {
  let key: ProcessKey
  let isLast: Bool
}
