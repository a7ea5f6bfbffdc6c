internal import FleetModel

/// Failures: what files raise and how processes end, put together to one diagnosis of each crash.
///
/// A line alone proves little: what was raised may be handled, and a program that ends says why before it ends. So a failure is concluded
/// where a process has ended badly, from what its own log raised last; or where a log stops with an exception and nothing of it goes on.
extension RuleEngine {
  /// A file that logs on as usual so long after what it raised has handled it; what a program still says while it ends takes less.
  private static let handledNs: Int64 = 5_000_000_000
  /// How long after a bad end what belongs to it may come.
  private static let settleNs: Int64 = 700_000_000
  /// A launcher that ends its processes by SIGTERM has a reason, which another process's log has.
  private static let terminatedSettleNs: Int64 = 1_700_000_000
  /// What was raised so long before a bad end may still be its cause.
  private static let causeNs: Int64 = 120_000_000_000
  /// So near to its end, what was raised last ended it.
  private static let nearNs: Int64 = 10_000_000_000
  /// Ends within so long of a failure belong to the same crash.
  private static let crashNs: Int64 = 60_000_000_000
  /// So long a launcher's report of an end waits for what that process itself wrote.
  private static let launcherNs: Int64 = 3_000_000_000
  /// A log that stopped with an exception, or an error that programs do not go on after, has ended where a sample since then shows no
  /// training process…
  private static let quietGoneNs: Int64 = 2_000_000_000
  /// …one that stopped with another error, or where no sample has come, for so long…
  private static let quietAloneNs: Int64 = 10_000_000_000
  /// …and for so long where one is there that may be its own.
  private static let quietNs: Int64 = 20_000_000_000
  /// A process that runs for so long is among the samples.
  private static let newProcessNs: Int64 = 1_200_000_000

  // MARK: facts

  /// Lines of one file that begin in a range of its offsets.
  func noteFailures(
    _ lines: borrowing LogLines, path: String, _ host: inout HostState, _ entity: Int, in range: Range<UInt64>
  ) {
    guard !failureMatcher.isEmpty, host.role == .current, !Self.isOfSystem(path) else { return }
    var place = host.failures.cases.firstIndex { $0.file == entity }
    failureMatcher.look(lines, in: range) { line, bytes, suspect in
      let atNs = max(0, min(Int64(nsOfUs: lines.timesUs[line]), arrivedNs - host.offsetNs))
      if var suspect {
        suspect.atNs = atNs
        let known = place ?? addCase(of: entity, &host)
        place = known
        host.failures.cases[known].add(suspect, arrivedNs: arrivedNs)
        host.isUrgent = true
      } else if let place, isOrdinary(lines.levels[line]), bytes.count > 1 {
        host.failures.cases[place].isLast = false
        if atNs &- host.failures.cases[place].lastNs >= Self.handledNs { host.failures.cases[place].isHandled = true }
      }
    }
    if let place {
      host.failures.cases[place].quietSinceNs = arrivedNs
      host.wakeNs = 0
    }
  }

  private func isOrdinary(_ level: UInt8) -> Bool { level < Level.warn.rawValue }

  /// Logs of the machine itself, whose errors are no training's.
  private static func isOfSystem(_ path: String) -> Bool {
    guard path.hasPrefix("/var/log/") else { return false }
    let name = path.dropFirst("/var/log/".count)
    return systemLogs.contains { name.hasPrefix($0) }
  }

  private static let systemLogs = [
    "apt/", "dpkg", "syslog", "messages", "kern", "auth", "daemon", "dmesg", "journal", "postgresql", "nginx",
    "apache2",
    "cron", "mail", "boot", "cloud-init", "audit", "unattended-upgrades", "signalbox", "yum", "dnf",
  ]

  private func addCase(of entity: Int, _ host: inout HostState) -> Int {
    if host.failures.cases.count >= FailureWatch.casesMax {
      let oldest = host.failures.cases.indices.min { left, right in
        host.failures.cases[left].lastNs < host.failures.cases[right].lastNs
      }
      if let oldest { host.failures.cases.remove(at: oldest) }
      untrackedFailures &+= 1
    }
    host.failures.cases.append(FailureCase(file: entity))
    return host.failures.cases.count - 1
  }

  func noteFailure(_ event: Event, _ host: inout HostState) {
    guard !failureMatcher.isEmpty, host.role == .current else { return }
    switch event.kind {
    case .processExit:
      var end = EndedProcess(event)
      let isTerminated = end.shownSignal == 15
      end.dueNs = arrivedNs.addingClamped(isTerminated ? Self.terminatedSettleNs : Self.settleNs)
      if host.failures.ends.count >= FailureWatch.endsMax {
        host.failures.ends.removeFirst()
        untrackedFailures &+= 1
      }
      host.failures.ends.append(end)
      host.isUrgent = true
      host.wakeNs = 0
    case .oomKill, .xid, .ioError, .kernel:
      if host.failures.messages.count >= FailureWatch.messagesMax { host.failures.messages.removeFirst() }
      let text = event.subject.isEmpty ? event.message : "\(event.subject): \(event.message)"
      host.failures.messages.append(
        KernelMessage(
          atNs: min(max(0, event.timeNs), RuleLimits.timeNsMax), isOutOfMemory: event.kind == .oomKill,
          text: Self.shortened(text)))
    default: break
    }
  }

  /// Where a run's rows come from, by which it ends with the process that writes there.
  func noteRunFile(_ name: String?, _ file: Int, _ host: inout HostState) {
    guard !failureMatcher.isEmpty, let name, let run = host.known(.run, name) else { return }
    if let place = host.runFiles.firstIndex(where: { $0.run == run }) {
      host.runFiles[place].file = file
    } else {
      if host.runFiles.count >= RunFile.countMax { host.runFiles.removeFirst() }
      host.runFiles.append(RunFile(run: run, file: file))
    }
  }

  /// A run whose process has ended makes no more steps: it is not stalled. Its next step says that it goes on all the same.
  private func endRuns(of end: EndedProcess, _ host: inout HostState) {
    for name in end.process.runs {
      if let run = host.known(.run, name), host.entities[run].markNs <= end.atNs {
        host.entities[run].set(.ended, true)
      }
    }
    let places =
      [end.process.output, end.process.errors].filter { !$0.isEmpty }.map(Self.directory) + [end.process.directory]
    guard places.contains(where: { $0.utf8.count > 1 }), !hasLivingParent(end, host) else { return }
    for one in host.runFiles where host.entities[one.run].markNs <= end.atNs {
      let directory = Self.directory(of: host.entities[one.file].name)
      let isIts = places.contains { $0.utf8.count > 1 && ($0 == directory || directory.hasPrefix($0 + "/")) }
      if isIts { host.entities[one.run].set(.ended, true) }
    }
  }

  private static func shortened(_ text: String) -> String { PlainText.cut(text, scalarsMax: 300) }

  // MARK: conclusions

  /// What has ended and settled, and what has stopped with an exception, is concluded.
  func concludeFailures(_ host: inout HostState) {
    if host.failures.isEmpty { return }
    if let due = host.failures.ends.map(\.dueNs).min(), due <= arrivedNs {
      let ends = host.failures.ends
      host.failures.ends = []
      concludeEnds(ends, &host)
    }
    for place in host.failures.cases.indices { concludeQuiet(place, &host) }
    dropOld(&host)
  }

  private func concludeEnds(_ ends: [EndedProcess], _ host: inout HostState) {
    var open: [(end: EndedProcess, place: Int?)] = []
    for end in ends {
      endRuns(of: end, &host)
      let place = caseOf(end, host)
      if end.isFine {
        // Its program went on to a good end, whatever it raised.
        if let place, end.writes(to: host.entities[host.failures.cases[place].file].name) {
          host.failures.cases[place].concludedNs = max(1, arrivedNs)
        }
        continue
      }
      open.append((end, place))
    }
    // What its own log explains comes before what the end alone shows: the others follow from it.
    func weight(_ one: (end: EndedProcess, place: Int?)) -> Int {
      one.place.flatMap { host.failures.cases[$0].first }.map { Int($0.weight.rawValue) } ?? 100
    }
    open.sort { (weight($0), $0.end.atNs) < (weight($1), $1.end.atNs) }
    for (end, place) in open { conclude(end, place, &host) }
  }

  /// Whose log raised what ended the process: the file that its output goes to, one of its directory, or, where neither is known, the one
  /// that raised something last.
  private func caseOf(_ end: EndedProcess, _ host: borrowing HostState) -> Int? {
    let cases = host.failures.cases
    func isNear(_ one: FailureCase) -> Bool {
      guard one.concludedNs == 0 else { return false }
      return end.atNs &- one.lastNs <= Self.causeNs && one.lastNs &- end.atNs <= Self.nearNs
        || Self.isLastWord(one, of: end, host)
    }
    // Of those that raised something last, the one that says most: ranks of one job fail within seconds.
    func newest(_ isMeant: (FailureCase) -> Bool) -> Int? {
      let meant = cases.indices.filter { isNear(cases[$0]) && isMeant(cases[$0]) }
      let open = meant.contains { !cases[$0].isHandled } ? meant.filter { !cases[$0].isHandled } : meant
      guard let lastNs = open.map({ cases[$0].lastNs }).max() else { return nil }
      return open.filter { lastNs &- cases[$0].lastNs <= Self.nearNs }.min { left, right in
        (weight(cases[left]), cases[left].lastNs) < (weight(cases[right]), cases[right].lastNs)
      }
    }
    func weight(_ one: FailureCase) -> UInt8 { one.first?.weight.rawValue ?? .max }
    if let own = newest({ end.writes(to: host.entities[$0.file].name) }) {
      guard weight(cases[own]) >= Suspect.Weight.cascade.rawValue else { return own }
      // A launcher reports that a process failed; what that process wrote beside it says why.
      let directory = Self.directory(of: host.entities[cases[own].file].name) + "/"
      let beside = newest { host.entities[$0.file].name.hasPrefix(directory) && !$0.isHandled }
      return beside ?? own
    }
    if end.process.directory.utf8.count > 1,
      let near = newest({ host.entities[$0.file].name.hasPrefix(end.process.directory + "/") && !$0.isHandled })
    {
      return near
    }
    // A process whose output is known to go elsewhere did not write this.
    guard end.process.output.isEmpty, end.process.errors.isEmpty, end.process.directory.isEmpty else { return nil }
    return newest { one in
      let isLast = one.first?.failureClass != Diagnosis.unknownClass && end.atNs &- one.lastNs <= Self.nearNs
      return !one.isHandled && (one.hasTraceback || one.saysEnd || end.isBad || isLast)
    }
  }

  /// What a file raised came in when the process ended, and nothing after it. A program may write times of another zone or clock, by which
  /// the two do not belong together.
  private static func isLastWord(_ one: FailureCase, of end: EndedProcess, _ host: borrowing HostState) -> Bool {
    one.isLast && (one.quietSinceNs &- host.offsetNs &- end.atNs).magnitude <= UInt64(nearNs)
  }

  private func conclude(_ end: EndedProcess, _ place: Int?, _ host: inout HostState) {
    if let place, host.failures.cases[place].concludedNs > 0 { return }
    if place == nil {
      // Without a line of its own: one of several processes of a crash, or of a program that ends them itself.
      let isOfCrash = isOfCrash(atNs: end.atNs, directory: end.process.directory, job: end.process.job, host)
      if !end.isBad || isOfCrash || hasLivingParent(end, host) { return }
    }
    var diagnosis = diagnose(end, place.map { host.failures.cases[$0] }, host)
    if let place { diagnosis.file = host.entities[host.failures.cases[place].file].name }
    if let place, isShown(diagnosis, by: host.failures.cases[place], of: end, host) {
      host.failures.cases[place].concludedNs = max(1, arrivedNs)
      return
    }
    let entity: Int?
    if let place {
      host.failures.cases[place].concludedNs = max(1, arrivedNs)
      entity = host.failures.cases[place].file
    } else {
      entity = thing(.process, end.subject, &host, end.atNs)
    }
    let directory = Self.directory(of: end, or: diagnosis.file)
    noteConcluded(
      ConcludedFailure(
        atNs: end.atNs, directory: directory, job: end.process.job, failureClass: diagnosis.failureClass,
        file: diagnosis.file), &host)
    guard let entity else { return }
    report(diagnosis, isEndKnown: true, &host, entity, atNs: end.atNs)
  }

  /// Whether it is part of a crash for which an incident was opened: of the same job, or the same place.
  private func isOfCrash(atNs: Int64, directory: String, job: String, _ host: borrowing HostState) -> Bool {
    host.failures.concluded.contains { isOfCrash($0, atNs: atNs, directory: directory, job: job) }
  }

  private func isOfCrash(_ one: ConcludedFailure, atNs: Int64, directory: String, job: String) -> Bool {
    (one.atNs &- atNs).magnitude <= UInt64(Self.crashNs)
      && (one.job == job || one.job.isEmpty || job.isEmpty) && Self.isSamePlace(one.directory, directory)
  }

  private static func directory(of end: EndedProcess, or log: String) -> String {
    end.process.directory.isEmpty ? directory(of: log) : end.process.directory
  }

  /// SIGINT, SIGKILL, SIGTERM.
  private static let launcherSignals: [Int32] = [2, 9, 15]

  /// Whether the log of another process of the same crash shows as much: each rank writes that a collective failed, or runs into the same
  /// mistake; a launcher writes that one of its processes failed.
  private func isShown(
    _ diagnosis: Diagnosis, by one: FailureCase, of end: EndedProcess, _ host: borrowing HostState
  ) -> Bool {
    // A launcher ends the others by a signal: that one of them was ended says nothing beside what failed by itself.
    let isEnded = Self.launcherSignals.contains { failureMatcher.ofSignal($0)?.id == diagnosis.failureClass }
    let saysNoCause = isEnded || (one.first.map { $0.weight >= .cascade } ?? true)
    let directory = Self.directory(of: end, or: diagnosis.file)
    return host.failures.concluded.contains { concluded in
      let isSame = concluded.failureClass == diagnosis.failureClass && concluded.failureClass != Diagnosis.unknownClass
      return concluded.file != diagnosis.file && (saysNoCause || isSame)
        && isOfCrash(concluded, atNs: end.atNs, directory: directory, job: end.process.job)
    }
  }

  /// One directory lies in the other, or is not known.
  private static func isSamePlace(_ left: String, _ right: String) -> Bool {
    left.isEmpty || right.isEmpty || left == right || left.hasPrefix(right + "/") || right.hasPrefix(left + "/")
  }

  private static func directory(of path: String) -> String {
    path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
  }

  /// A worker that ends is its parent's business while that lives, or has ended well.
  private func hasLivingParent(_ end: EndedProcess, _ host: borrowing HostState) -> Bool {
    guard end.process.parent > 1 else { return false }
    let mark = "[\(end.process.parent)]"
    return host.entities.contains { $0.kind == .process && !$0.hasEnded && $0.name.hasSuffix(mark) }
  }

  private func concludeQuiet(_ place: Int, _ host: inout HostState) {
    let one = host.failures.cases[place]
    guard one.concludedNs == 0, one.saysEnd || one.endsWithRoot || one.hasTraceback && !one.isHandled else { return }
    let isAlone: Bool
    let isGone = isWithoutProcess(since: one.quietSinceNs - host.offsetNs, host)
    if one.saysEnd {
      // Its process's own log, and its end, come within this time.
      guard arrivedNs &- one.beganNs >= (isGone ? Self.quietGoneNs : Self.launcherNs) else { return }
      isAlone = true
    } else {
      let quietNs = arrivedNs &- one.quietSinceNs
      let isRetried = one.first.flatMap { failureMatcher[$0.failureClass] }?.isRetried ?? true
      let isEnough = isGone && (one.hasTraceback || !isRetried)
      guard quietNs >= (isEnough ? Self.quietGoneNs : Self.quietAloneNs) else { return }
      isAlone = !isLive(.process, RuleLimits.liveNs, host, .max)
      guard isAlone || one.hasTraceback && quietNs >= Self.quietNs else { return }
    }
    host.failures.cases[place].concludedNs = max(1, arrivedNs)
    let directory = Self.directory(of: host.entities[one.file].name)
    if isOfCrash(atNs: one.lastNs, directory: directory, job: "", host) { return }
    var diagnosis = diagnose(nil, one, host)
    diagnosis.file = host.entities[one.file].name
    if !isAlone { diagnosis.confidence *= 0.6 }
    noteConcluded(ConcludedFailure(atNs: one.lastNs, directory: directory), &host)
    report(diagnosis, isEndKnown: isAlone, &host, one.file, atNs: one.lastNs)
  }

  /// Samples of the host that are newer than a time show no training process: the first may have missed one that had just begun.
  private func isWithoutProcess(since timeNs: Int64, _ host: borrowing HostState) -> Bool {
    host.entities[0].markNs &- timeNs > Self.newProcessNs && !isLive(.process, RuleLimits.liveNs, host, .max)
  }

  private func noteConcluded(_ failure: ConcludedFailure, _ host: inout HostState) {
    if host.failures.concluded.count >= FailureWatch.concludedMax { host.failures.concluded.removeFirst() }
    host.failures.concluded.append(failure)
  }

  private func report(
    _ diagnosis: Diagnosis, isEndKnown: Bool, _ host: inout HostState, _ entity: Int, atNs: Int64
  ) {
    host.isUrgent = true
    let kind = host.entities[entity].kind
    for (rule, node, query) in failureRules
    where rule.scope == kind && query.fits(diagnosis, isEndKnown: isEndKnown) {
      // The end's own time, not the clock's: what is judged again after a restart is the same finding.
      let atNs = min(max(0, atNs), max(arrivedNs - host.offsetNs, 0))
      occurred(rule, node, &host, entity, atNs: atNs, atNs, .failure(diagnosis))
    }
  }

  private func dropOld(_ host: inout HostState) {
    let nowNs = arrivedNs - host.offsetNs
    let offsetNs = host.offsetNs
    host.failures.cases.removeAll { one in
      // While a log may still stop with it, it is kept; by its arrival where it was written with another clock.
      (one.isHandled || one.concludedNs > 0 || !one.hasTraceback)
        && nowNs &- max(one.lastNs, one.beganNs &- offsetNs) > 2 * Self.causeNs
    }
    host.failures.concluded.removeAll { nowNs &- $0.atNs > 2 * Self.crashNs }
    host.failures.messages.removeAll { nowNs &- $0.atNs > Self.causeNs }
  }

  // MARK: diagnosis

  /// - Parameters:
  ///   - end: nil where the process's end was not seen.
  ///   - one: what the log raised; nil = nothing.
  private func diagnose(_ end: EndedProcess?, _ one: FailureCase?, _ host: borrowing HostState) -> Diagnosis {
    var diagnosis = Diagnosis()
    let suspect = one?.first
    let own = suspect.flatMap { failureMatcher[$0.failureClass] }
    let ofEnd = end.flatMap { classOf($0, host) }
    let isNear = one.map { Self.isNear($0, end, host) } ?? false
    let prefersEnd: Bool
    switch suspect?.weight {
    case .root: prefersEnd = false
    case .generic, .cascade: prefersEnd = !isNear
    case .exception: prefersEnd = false
    case .errorLine, nil: prefersEnd = true
    }
    let chosen = prefersEnd ? ofEnd ?? own : own ?? ofEnd
    if let suspect {
      diagnosis.line = suspect.text
      diagnosis.rank = suspect.rank
    }
    if let chosen {
      fill(&diagnosis, chosen)
      diagnosis.confidence = confidence(
        suspect, chosen, isNear: isNear, isOfEnd: own == nil || prefersEnd && ofEnd != nil)
    } else {
      diagnosis.title = Self.ownName(suspect) ?? end?.words ?? "its log stopped with an error"
      diagnosis.confidence = 0.3
      diagnosis.steps = ["Read the lines around the error in {{entity}} on {{host}}: the first one, not the last."]
    }
    diagnosis.cascade = max(0, (one?.folded ?? 1) - 1)
    diagnosis.exitCode = end?.code
    diagnosis.exitSignal = end?.signal
    if let end { diagnosis.evidence.append(end.text) }
    let atNs = end?.atNs ?? one?.lastNs ?? 0
    diagnosis.run = run(of: end, one?.file, host)
    diagnosis.evidence += host.failures.messages.filter { (atNs &- $0.atNs).magnitude <= UInt64(Self.crashNs) }.map(
      \.text)
    return diagnosis
  }

  /// The run whose rows come from the log, from the directory of the process, or from near the log; empty where none does.
  private func run(of end: EndedProcess?, _ log: Int?, _ host: borrowing HostState) -> String {
    if let own = end?.process.runs.first { return own }
    if let log, let own = host.runFiles.last(where: { $0.file == log }) { return host.entities[own.run].name }
    var places: [String] = []
    if let end {
      places = [end.process.directory, end.process.output, end.process.errors].filter { $0.utf8.count > 1 }
    }
    if places.isEmpty, let log { places = [Self.directory(of: host.entities[log].name)] }
    let near = host.runFiles.filter { one in
      let directory = Self.directory(of: host.entities[one.file].name)
      return places.contains { place in
        place.utf8.count > 1 && Self.isSamePlace(place, directory) || Self.directory(of: place) == directory
      }
    }
    let newest = near.max { host.entities[$0.run].markNs < host.entities[$1.run].markNs }
    return newest.map { host.entities[$0.run].name } ?? ""
  }

  /// What a file raised first of those that say most belongs to its process's end.
  private static func isNear(_ one: FailureCase, _ end: EndedProcess?, _ host: borrowing HostState) -> Bool {
    guard let suspect = one.first else { return false }
    guard let end else { return true }
    return end.atNs &- suspect.atNs <= nearNs || isLastWord(one, of: end, host)
  }

  private func fill(_ diagnosis: inout Diagnosis, _ failure: FailureClass) {
    diagnosis.failureClass = failure.id
    diagnosis.title = failure.title
    diagnosis.kind = failure.kind
    diagnosis.causes = failure.causes
    diagnosis.steps = failure.steps
    diagnosis.retry = failure.retry
    diagnosis.severity = failure.severity
  }

  private func confidence(_ suspect: Suspect?, _ failure: FailureClass, isNear: Bool, isOfEnd: Bool) -> Double {
    if isOfEnd { return 0.9 }
    let ofClass = failure.kind == .cascade ? 0.5 : failure.isGeneric ? 0.8 : 0.95
    return isNear ? ofClass : ofClass * 0.7
  }

  /// The class that the end alone shows: by its signal, and by what the kernel reported of it.
  private func classOf(_ end: EndedProcess, _ host: borrowing HostState) -> FailureClass? {
    guard let signal = end.shownSignal else { return nil }
    if signal == 9 {
      let mark = String(end.process.pid)
      let isKernels = host.failures.messages.contains { message in
        message.isOutOfMemory && (message.atNs &- end.atNs).magnitude <= UInt64(Self.nearNs)
          && message.text.split(whereSeparator: { !$0.isNumber }).contains { $0 == mark }
      }
      if end.process.isOutOfMemory { return failureMatcher["host-memory-cgroup"] ?? failureMatcher.ofSignal(signal) }
      if isKernels { return failureMatcher["host-memory-kernel"] ?? failureMatcher.ofSignal(signal) }
    }
    return failureMatcher.ofSignal(signal)
  }

  /// `MyError: boom`, as far as a title goes.
  private static func ownName(_ suspect: Suspect?) -> String? {
    guard let suspect, suspect.weight == .exception || suspect.weight == .errorLine else { return nil }
    let line = suspect.text.split(separator: "\n", maxSplits: 1).first.map(String.init) ?? suspect.text
    return PlainText.cut(line, scalarsMax: 100)
  }
}

extension EndedProcess {
  init(_ event: Event) {
    subject = event.subject
    atNs = min(max(0, event.timeNs), RuleLimits.timeNsMax)
    message = event.message
    process = event.processEnd ?? ProcessEnd()
    if process.pid == 0, let open = event.subject.lastIndex(of: "["), event.subject.hasSuffix("]") {
      process.pid = UInt32(event.subject[event.subject.index(after: open)...].dropLast()) ?? 0
    }
  }
}
