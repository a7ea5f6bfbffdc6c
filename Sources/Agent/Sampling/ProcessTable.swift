internal import Files
internal import FleetModel

/// The host's training processes: finds them, follows them and reports their end.
///
/// Command lines are looked at and never leave the host: people put secrets into them.
struct ProcessTable {
  private let root: String
  private let patterns: ProcessPatterns
  private let pageSizeBytes: UInt64
  private let users: UserNames
  private var followed: [FollowedProcess] = []
  /// Processes that do not train, so that each is looked at only a few times.
  private var others: [UInt32: Other] = [:]
  private var ids: [UInt32] = []
  private var round = 0
  /// Training processes beyond `ProcessPatterns.processesMax`, in the last round.
  private(set) var leftOut = 0
  /// NVML's figures of the probe process, by process id.
  var gpuMemoryBytes: [UInt32: UInt64] = [:]

  private struct Other {
    var looks = 0
    var round = 0
  }

  /// A shell that becomes a trainer by exec does so in its first seconds; a number is used again for another process later.
  private static let looksAtFirst = 4
  private static let lookAgainRounds = 24

  init(root: String, patterns: ProcessPatterns, pageSizeBytes: UInt64) {
    self.root = root
    self.patterns = patterns
    self.pageSizeBytes = pageSizeBytes
    users = UserNames(root: root)
  }

  /// One round: samples of all that run, a last sample and an event of each that ended.
  mutating func read(
    wallNs: Int64, seconds: Double, bootSeconds: UInt64?, buffer: ReadBuffer, into records: inout Records
  ) {
    round += 1
    leftOut = 0
    var ended: [Int] = []
    for index in followed.indices where !followed[index].update(seconds: seconds, pageSizeBytes, buffer) {
      ended.append(index)
    }
    for index in ended.reversed() { reportEnd(followed.remove(at: index), wallNs, &records) }
    discover(bootSeconds, buffer)
    for process in followed {
      var sample = process.sample
      sample.timeNs = wallNs
      sample.gpuMemoryBytes = gpuMemoryBytes[sample.pid] ?? 0
      records.processes.append(sample)
    }
  }

  private func reportEnd(_ process: FollowedProcess, _ wallNs: Int64, _ records: inout Records) {
    var sample = process.sample
    sample.timeNs = wallNs
    sample.hasExited = true
    records.processes.append(sample)
    var event = Event()
    event.timeNs = wallNs
    event.kind = .processExit
    event.level = .info
    event.subject = "\(sample.name)[\(sample.pid)]"
    let seconds = sample.startedNs > 0 ? max(0, wallNs - sample.startedNs) / 1_000_000_000 : 0
    event.message = "process of user \(sample.user) ended after \(seconds) s"
    records.events.append(event)
  }

  private mutating func discover(_ bootSeconds: UInt64?, _ buffer: ReadBuffer) {
    do {
      try HostFiles.numbers(root + "/proc", into: &ids, limit: SamplingLimits.processIDsMax)
    } catch { return }
    for id in ids where !isFollowed(id) && isDue(id) {
      guard trains(id, buffer) else { continue }
      others[id] = nil
      guard followed.count < patterns.processesMax else {
        leftOut += 1
        continue
      }
      if let process = FollowedProcess(root: root, id: id, bootSeconds, users, pageSizeBytes, buffer) {
        followed.append(process)
      }
    }
    // What was not in the list for a while has gone.
    if others.count > 2 * ids.count + 64 { others = others.filter { round - $0.value.round < 2 } }
  }

  private func isFollowed(_ id: UInt32) -> Bool { followed.contains { $0.sample.pid == id } }

  /// Counts the look, too.
  private mutating func isDue(_ id: UInt32) -> Bool {
    var other = others[id] ?? Other()
    // Gone from the list for a round: another process has the number.
    if other.round != round - 1 { other.looks = 0 }
    other.round = round
    let due = other.looks < Self.looksAtFirst || (round + Int(id)) % Self.lookAgainRounds == 0
    if due { other.looks += 1 }
    others[id] = other
    return due
  }

  private func trains(_ id: UInt32, _ buffer: ReadBuffer) -> Bool {
    let directory = "\(root)/proc/\(id)"
    guard let comm = try? HostFiles.read(directory + "/comm", limitBytes: 64) else { return false }
    let name = ProcText.line(comm)
    if patterns.names.contains(where: { name.hasPrefix($0) }) { return true }
    if patterns.interpreters.contains(where: { name.hasPrefix($0) }) { return !isSystemScript(directory) }
    if !patterns.commands.isEmpty, let command = try? HostFiles.read(directory + "/cmdline", limitBytes: 4096) {
      let text = ProcText.string(command.span, 0..<command.count)
      if patterns.commands.contains(where: { text.contains($0) }) { return true }
    }
    guard !patterns.cgroups.isEmpty, let group = try? HostFiles.read(directory + "/cgroup", limitBytes: 4096) else {
      return false
    }
    let path = ControlGroup.read(group.span)
    return patterns.cgroups.contains { path.contains($0) }
  }

  private static let systemDirectories = ["/usr/bin/", "/usr/sbin/", "/usr/lib/", "/usr/share/"]

  /// The first argument that is no flag, where the interpreter runs a program that the distribution brought.
  private func isSystemScript(_ directory: String) -> Bool {
    guard let command = try? HostFiles.read(directory + "/cmdline", limitBytes: 4096) else { return false }
    let arguments = command.split(separator: 0).dropFirst()
    guard let script = arguments.first(where: { $0.first != UInt8(ascii: "-") }) else { return false }
    let path = String(decoding: script, as: UTF8.self)
    return Self.systemDirectories.contains { path.hasPrefix($0) }
  }
}

/// One process that is followed from its finding to its end.
struct FollowedProcess {
  private(set) var sample = ProcessSample()
  private let stat: KernelFile
  private let directory: String
  private var io: KernelFile?
  private var last: ProcessReading
  private var lastIO: ProcessIO?

  init?(
    root: String, id: UInt32, _ bootSeconds: UInt64?, _ users: UserNames, _ pageSizeBytes: UInt64,
    _ buffer: ReadBuffer
  ) {
    directory = "\(root)/proc/\(id)"
    stat = KernelFile(directory + "/stat")
    guard stat.read(into: buffer), let reading = buffer.parse({ ProcessReading.read($0) })
    else { return nil }
    last = reading
    sample.pid = id
    sample.name = reading.name
    if let bootSeconds {
      sample.startedNs =
        Int64(min(bootSeconds, 1 << 33)) * 1_000_000_000 + Int64(min(reading.startTicks, 1 << 40)) * 10_000_000
    }
    if let status = try? FileStatus.of(path: directory) { sample.user = users.name(status.uid) }
    if let group = try? HostFiles.read(directory + "/cgroup", limitBytes: 4096) {
      sample.cgroup = ControlGroup.read(group.span)
    }
    io = KernelFile(directory + "/io")
    readIO(seconds: 0, buffer)
    fill(reading, pageSizeBytes)
  }

  /// - Returns: false where this process has ended, also where another one has its number.
  mutating func update(seconds: Double, _ pageSizeBytes: UInt64, _ buffer: ReadBuffer) -> Bool {
    guard stat.read(into: buffer), let now = buffer.parse({ ProcessReading.read($0) }),
      now.startTicks == last.startTicks
    else { return false }
    let ticks = counterRate(now.cpuTicks, last.cpuTicks, seconds: seconds)
    sample.cpuPercent = ticks / Float(ProcessReading.ticksPerSecond) * 100
    last = now
    fill(now, pageSizeBytes)
    readIO(seconds: seconds, buffer)
    return true
  }

  private mutating func fill(_ reading: ProcessReading, _ pageSizeBytes: UInt64) {
    // Programs rename themselves once they know what they are.
    sample.name = reading.name
    sample.state = reading.state
    sample.threads = UInt32(clamping: reading.threads)
    sample.residentBytes = min(reading.residentPages, SamplingLimits.counterMax >> 20) * pageSizeBytes
    sample.fileDescriptors = UInt32(clamping: (try? HostFiles.entryCount(directory + "/fd")) ?? 0)
  }

  /// Asked no more once it was refused: it will be the next time, too.
  private mutating func readIO(seconds: Double, _ buffer: ReadBuffer) {
    guard let io else { return }
    guard io.read(into: buffer), let now = buffer.parse({ ProcessIO.read($0) }) else {
      self.io = nil
      return
    }
    if let lastIO {
      sample.readBytesPerSecond = counterRate(now.readBytes, lastIO.readBytes, seconds: seconds)
      sample.writeBytesPerSecond = counterRate(now.writtenBytes, lastIO.writtenBytes, seconds: seconds)
    }
    lastIO = now
  }
}
