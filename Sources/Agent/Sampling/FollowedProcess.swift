internal import EventLoop
internal import Files
internal import FleetModel

/// What tells a process from a later one of the same number: its start, in hundredths of a second after the kernel's.
struct ProcessKey: Hashable, Sendable {
  var pid: UInt32
  var startTicks: UInt64
}

/// Where ends of followed processes are seen when they happen.
struct EndWatching {
  let loop: EventLoop
  let ended: (ProcessKey, _ isLast: Bool) -> Bool
}

/// One process that is followed from its finding to its end.
struct FollowedProcess {
  private(set) var sample = ProcessSample()
  /// What its end will be reported with, but how it ended.
  private(set) var end = ProcessEnd()
  let key: ProcessKey
  /// The process that announced it as its child.
  private(set) var announcer: Int32?
  /// How it ended, by its parent.
  var announcedExit: ProcessExit?
  private(set) var isAlive = true
  private var announcedName = ""
  /// The job of several hosts that it is a part of, as far as its launcher shows.
  private(set) var distributed = DistributedJob()
  /// Its command line: words that end with NUL. Only what a run may show of it leaves the host.
  private(set) var commandLine: [UInt8] = []
  private let handle: ProcessHandle?
  private let stat: KernelFile
  private let directory: String
  private let root: String
  private var group: ProcessJob?
  private var io: KernelFile?
  private var last: ProcessReading
  private var lastIO: ProcessIO?
  private var rounds = 0

  /// What it is called in its end: the name that it was announced with, else its own.
  var name: String { announcedName.isEmpty ? sample.name : announcedName }
  /// What a run of it belongs to: the job on all its hosts, else what its control group shows of this one; empty where none is known.
  var job: String { (distributed.job ?? group)?.whole ?? "" }
  var hasHandle: Bool { handle != nil }

  init?(
    root: String, id: UInt32, _ bootSeconds: UInt64?, _ users: UserNames, _ pageSizeBytes: UInt64,
    _ buffer: ReadBuffer
  ) {
    self.root = root
    directory = "\(root)/proc/\(id)"
    stat = KernelFile(directory + "/stat")
    // A zombie is none that could be followed: its end is over.
    guard stat.read(into: buffer), let reading = buffer.parse({ ProcessReading.read($0) }), !reading.hasEnded
    else { return nil }
    last = reading
    key = ProcessKey(pid: id, startTicks: reading.startTicks)
    handle = Self.handle(root: root, key, stat, buffer)
    sample.pid = id
    sample.name = reading.name
    sample.startedNs = Self.startedNs(reading.startTicks, bootSeconds)
    if let status = try? FileStatus.of(path: directory) { sample.user = users.name(status.uid) }
    if let group = try? HostFiles.read(directory + "/cgroup", limitBytes: 4096) {
      sample.cgroup = ControlGroup.read(group.span)
    }
    io = KernelFile(directory + "/io")
    readIO(seconds: 0, buffer)
    fill(reading, pageSizeBytes)
    end.pid = id
    end.startedNs = sample.startedNs
    end.cgroup = sample.cgroup
    group = ProcessJob(cgroup: sample.cgroup)
    end.job = group?.text ?? ""
    readWhereabouts()
  }

  /// /proc/PID/stat's field 22 as a time, the same in samples and ends; 0 where the start of the kernel is not known.
  static func startedNs(_ ticks: UInt64, _ bootSeconds: UInt64?) -> Int64 {
    guard let bootSeconds else { return 0 }
    return Int64(min(bootSeconds, 1 << 33)) * 1_000_000_000 + Int64(min(ticks, 1 << 40)) * 10_000_000
  }

  /// Only where this host's own /proc is read. The number may have gone to another process since its file was read.
  private static func handle(
    root: String, _ key: ProcessKey, _ stat: KernelFile, _ buffer: ReadBuffer
  ) -> ProcessHandle? {
    guard root.isEmpty, let handle = ProcessHandle(pid: key.pid), stat.read(into: buffer),
      buffer.parse({ ProcessReading.read($0) })?.startTicks == key.startTicks
    else { return nil }
    return handle
  }

  /// While it lives: nothing of it can be seen at its end. The directory and descriptors of another user's process are not readable.
  private mutating func readWhereabouts() {
    // A process that is just ending has none any more.
    if let bytes = try? HostFiles.read(directory + "/cmdline", limitBytes: 4096), !bytes.isEmpty {
      end.command = ProcessCommand.shown(bytes)
      commandLine = bytes
    }
    let cwd = Self.path(directory + "/cwd")
    if !cwd.isEmpty { end.directory = cwd }
    let output = Self.path(directory + "/fd/1")
    let errors = Self.path(directory + "/fd/2")
    if !output.isEmpty || !errors.isEmpty { (end.output, end.errors) = (output, errors == output ? "" : errors) }
    distributed = DistributedJob(of: end.pid, parent: end.parent, command: commandLine, group: group, root: root)
  }

  /// Where a link of /proc leads, if to a file that others can open: no pipe, socket, device or deleted file.
  static func path(_ link: String) -> String {
    guard let target = try? HostFiles.readLink(link), target.hasPrefix("/"), !target.hasPrefix("/dev/"),
      !target.hasSuffix(" (deleted)"), target.utf8.count <= SamplingLimits.pathBytesMax
    else { return "" }
    return SafeText.make(target.utf8, bytesMax: SamplingLimits.pathBytesMax)
  }

  /// - Returns: false where this process has ended, also where another one has its number, or it is a zombie.
  mutating func update(seconds: Double, _ pageSizeBytes: UInt64, _ buffer: ReadBuffer) -> Bool {
    guard stat.read(into: buffer), let now = buffer.parse({ ProcessReading.read($0) }),
      now.startTicks == last.startTicks, !now.hasEnded
    else {
      isAlive = false
      return false
    }
    rounds += 1
    // A program opens its own log in its first seconds.
    if rounds == 1 { readWhereabouts() }
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
    end.parent = UInt32(clamping: reading.parent)
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

// MARK: The end

extension FollowedProcess {
  /// How long after its end the kernel, or its parent, may still say how it ended.
  private static let patienceNs: Int64 = 1_000_000_000

  func watch(_ watching: EndWatching?) {
    guard let watching, let handle, !handle.isWatched else { return }
    let key = key
    // Without a free slot in epoll the next round sees the end.
    try? handle.watch(on: watching.loop, patienceNs: Self.patienceNs) { watching.ended(key, $0) }
  }

  func stopWatching() { handle?.stop() }

  /// Whether this ended process is still to be reported by its pidfd, because so more may become known of it.
  func waitsForEnd(_ buffer: ReadBuffer) -> Bool {
    guard let handle, handle.isWatched else { return false }
    return exit(buffer) == nil
  }

  /// How it ended, as far as it is known by now: by the kernel, by the zombie, by its parent.
  func exit(_ buffer: ReadBuffer) -> ProcessExit? {
    if case .status(let status)? = handle?.end { return ProcessExit(waitStatus: status) }
    // Not readable of another user's process, where it reads as zero; so zero says nothing.
    if stat.read(into: buffer), let now = buffer.parse({ ProcessReading.read($0) }), now.startTicks == key.startTicks,
      now.hasEnded, now.waitStatus != 0
    {
      return ProcessExit(waitStatus: now.waitStatus)
    }
    return announcedExit
  }

  func lives(_ buffer: ReadBuffer) -> Bool {
    guard stat.read(into: buffer), let now = buffer.parse({ ProcessReading.read($0) }) else { return false }
    return now.startTicks == key.startTicks && !now.hasEnded
  }

  static func lives(root: String, _ key: ProcessKey, _ buffer: ReadBuffer) -> Bool {
    let stat = KernelFile("\(root)/proc/\(key.pid)/stat")
    guard stat.read(into: buffer), let now = buffer.parse({ ProcessReading.read($0) }) else { return false }
    return now.startTicks == key.startTicks && !now.hasEnded
  }

  /// Takes over what its parent says of it, where it is its parent.
  mutating func announce(_ start: AnnouncedProcess, _ buffer: ReadBuffer) {
    guard stat.read(into: buffer), let now = buffer.parse({ ProcessReading.read($0) }),
      now.startTicks == key.startTicks,
      now.parent == UInt64(clamping: start.peer.pid)
    else { return }
    announcer = start.peer.pid
    announcedName = start.name
    // Between fork and exec the kernel shows the command of its parent.
    if !start.command.isEmpty { end.command = start.command }
    // Its own process sees them, whoever its user is.
    if end.output.isEmpty, end.errors.isEmpty { (end.output, end.errors) = (start.output, start.errors) }
    if end.directory.isEmpty { end.directory = start.directory }
  }
}
