internal import EventLoop
internal import Files
internal import FleetModel

/// The host's training processes: finds them, follows them and reports the end of each once.
///
/// Of command lines only program and script leave the host: people put secrets into the rest.
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
  /// Where ends are seen when they happen; without it, in the round that follows.
  private var watching: EndWatching?
  private var oomKills: ControlGroupKills
  /// Ends that were reported, the newest last, so that who reports one a second time is not believed.
  private var reported: [ProcessKey] = []
  /// Processes that are followed without a pidfd: their ends are seen a round later, and not how.
  var withoutHandle: Int { followed.count { !$0.hasHandle } }

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
    oomKills = ControlGroupKills(root: root)
  }

  /// - Parameter ended: has `end` called, with the same arguments; returns whether the end was dealt with.
  mutating func watchEnds(on loop: EventLoop, _ ended: @escaping (ProcessKey, _ isLast: Bool) -> Bool) {
    watching = EndWatching(loop: loop, ended: ended)
    for index in followed.indices { followed[index].watch(watching) }
  }

  /// One round: samples of all that run, a last sample and an event of each that ended.
  mutating func read(
    wallNs: Int64, seconds: Double, bootSeconds: UInt64?, buffer: ReadBuffer, into records: inout Records
  ) {
    round += 1
    leftOut = 0
    for process in followed { oomKills.read(process.sample.cgroup, round: round, wallNs: wallNs, buffer) }
    oomKills.forget(before: round)
    var ended: [Int] = []
    for index in followed.indices
    where !followed[index].update(seconds: seconds, pageSizeBytes, buffer) && !followed[index].waitsForEnd(buffer) {
      ended.append(index)
    }
    for index in ended.reversed() { reportEnd(index, wallNs, buffer, &records) }
    discover(wallNs, bootSeconds, buffer)
    for process in followed where process.isAlive {
      var sample = process.sample
      sample.timeNs = wallNs
      sample.gpuMemoryBytes = gpuMemoryBytes[sample.pid] ?? 0
      records.processes.append(sample)
    }
  }

  /// Who writes a file, as far as it can be seen: the process whose output it is, else the only one that works in a directory which holds
  /// it, or one of several of one job.
  func writer(of path: String) -> FollowedProcess? {
    let near = followed.filter { $0.isAlive && $0.end.mayWrite(path) }
    if let own = near.first(where: { $0.end.output == path || $0.end.errors == path }) { return own }
    guard let deepest = near.map({ $0.end.directory.utf8.count }).max() else { return nil }
    let writers = near.filter { $0.end.directory.utf8.count == deepest }
    // The others were started by the first, or by the same job.
    guard let first = writers.min(by: { $0.key.startTicks < $1.key.startTicks }) else { return nil }
    let isOneJob = writers.allSatisfy { $0.job == first.job || $0.end.parent == first.end.pid }
    return writers.count == 1 || isOneJob && !first.job.hasPrefix(ProcessJob.Kind.session.rawValue) ? first : nil
  }

  /// Ranks of a job of several hosts that run beside this process: its own, of those that it started, and of those that were started with it.
  func ranks(beside writer: FollowedProcess) -> [UInt32] {
    guard let job = writer.distributed.job else { return [] }
    let ranks = followed.compactMap { process -> UInt32? in
      let isNear =
        process.key == writer.key || process.end.parent == writer.end.pid || process.end.parent == writer.end.parent
      return process.isAlive && isNear && process.distributed.job == job ? process.distributed.rank : nil
    }
    return Set(ranks).sorted()
  }

  /// A pidfd says that a process has ended.
  /// - Parameter isLast: nothing more will come of the kernel.
  /// - Returns: whether this was dealt with; else it is asked again.
  mutating func end(
    _ key: ProcessKey, isLast: Bool, wallNs: Int64, buffer: ReadBuffer, into records: inout Records
  ) -> Bool {
    guard let index = followed.firstIndex(where: { $0.key == key }) else { return true }
    // A process of several threads that execs looks like an ended one for a moment.
    if followed[index].lives(buffer) { return true }
    guard isLast || followed[index].exit(buffer) != nil else { return false }
    reportEnd(index, wallNs, buffer, &records)
    return true
  }

  private mutating func reportEnd(_ index: Int, _ wallNs: Int64, _ buffer: ReadBuffer, _ records: inout Records) {
    let process = followed.remove(at: index)
    process.stopWatching()
    var sample = process.sample
    sample.timeNs = wallNs
    sample.hasExited = true
    records.processes.append(sample)
    var end = process.end
    end.exit = process.exit(buffer)
    end.oomKills = oomKills.newest(end.cgroup, wallNs: wallNs, buffer)
    records.events.append(ProcessEnding.event(of: end, name: process.name, user: sample.user, timeNs: wallNs))
    remember(process.key)
  }

  private mutating func remember(_ key: ProcessKey) {
    if reported.count == SamplingLimits.reportedEndsMax { reported.removeFirst() }
    reported.append(key)
  }

  private mutating func discover(_ wallNs: Int64, _ bootSeconds: UInt64?, _ buffer: ReadBuffer) {
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
        follow(process, wallNs, buffer)
      }
    }
    // What was not in the list for a while has gone.
    if others.count > 2 * ids.count + 64 { others = others.filter { round - $0.value.round < 2 } }
  }

  private mutating func follow(_ process: FollowedProcess, _ wallNs: Int64, _ buffer: ReadBuffer) {
    process.watch(watching)
    oomKills.read(process.sample.cgroup, round: round, wallNs: wallNs, buffer)
    followed.append(process)
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

// MARK: What `signalbox-agent exec` reports

extension ProcessTable {
  /// Follows a process that its parent announces, whatever its name is.
  mutating func announceStart(
    _ start: AnnouncedProcess, wallNs: Int64, bootSeconds: UInt64?, buffer: ReadBuffer
  ) {
    let key = start.key
    if let index = followed.firstIndex(where: { $0.key == key }) {
      return followed[index].announce(start, buffer)
    }
    guard followed.count < patterns.processesMax,
      let process = FollowedProcess(root: root, id: key.pid, bootSeconds, users, pageSizeBytes, buffer),
      process.key == key
    else { return }
    var announced = process
    announced.announce(start, buffer)
    // Who is not its parent may not have it followed.
    guard announced.announcer == start.peer.pid else { return }
    others[key.pid] = nil
    follow(announced, wallNs, buffer)
  }

  /// The end of a process as its parent reports it; nothing where it is reported already, still runs, or is another user's.
  mutating func announceEnd(
    _ end: AnnouncedProcess, wallNs: Int64, bootSeconds: UInt64?, buffer: ReadBuffer, into records: inout Records
  ) {
    let key = end.key
    if let index = followed.firstIndex(where: { $0.key == key }) {
      guard followed[index].announcer == end.peer.pid, !followed[index].lives(buffer) else { return }
      followed[index].announcedExit = end.exit
      return reportEnd(index, wallNs, buffer, &records)
    }
    guard !reported.contains(key), !FollowedProcess.lives(root: root, key, buffer) else { return }
    remember(key)
    var own = ProcessEnd()
    own.exit = end.exit
    own.pid = key.pid
    own.startedNs = FollowedProcess.startedNs(key.startTicks, bootSeconds)
    own.output = end.output
    own.errors = end.errors
    own.directory = end.directory
    own.command = end.command
    own.cgroup = end.cgroup
    own.job = ProcessJob(cgroup: end.cgroup)?.text ?? ""
    let name = end.name.isEmpty ? "process" : end.name
    records.events.append(
      ProcessEnding.event(of: own, name: name, user: users.name(end.peer.uid), timeNs: wallNs))
  }
}
