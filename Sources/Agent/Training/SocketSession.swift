package import FleetModel

/// Who is at the other end of the socket, as the kernel reports it: SO_PEERCRED of unix(7).
package struct SocketPeer: Sendable, Equatable {
  package var pid: Int32
  package var uid: UInt32

  package init(pid: Int32, uid: UInt32) {
    self.pid = pid
    self.uid = uid
  }
}

/// One program's connection: bytes in, records out, complaints back. An engine: no socket, no clock.
///
/// A line that is understood is not answered; one that is not gets `{"line": n, "error": "…"}`. What comes faster than the
/// limit is dropped and reported as a loss of lines.
package struct SocketSession {
  private let peer: SocketPeer
  private let limits: SocketLimits
  /// Secrets leave no text that a program sends.
  private let redact: (String) -> String
  /// The start of a line whose end has not come yet.
  private var pending: [UInt8] = []
  /// The rest of a line that was too long is passed over.
  private var isSkipping = false
  /// Lines begun so far.
  private var lineNumber: UInt64 = 0
  private var replies = 0
  private var allowance: LineAllowance
  /// First line of the drop that is going on.
  private var droppedFrom: UInt64?
  /// Starts and ends of processes since the last `takeAnnounced`: they go by the table of processes, which knows what else is known.
  private var announced: [AnnouncedProcess] = []

  package init(
    peer: SocketPeer, limits: SocketLimits = SocketLimits(), redact: @escaping (String) -> String = { $0 }
  ) {
    self.peer = peer
    self.limits = limits
    self.redact = redact
    allowance = LineAllowance(limits)
  }

  /// - Parameters:
  ///   - bytes: what the socket gave, cut anywhere.
  ///   - nowNs: CLOCK_REALTIME, ns since 1970, for lines without a time of their own.
  ///   - monotonicNs: for the line rate.
  /// - Returns: what to write back; may be empty.
  package mutating func receive(
    _ bytes: Span<UInt8>, nowNs: Int64, monotonicNs: Int64, into records: inout Records
  ) -> [UInt8] {
    var replies: [UInt8] = []
    allowance.refill(monotonicNs)
    var position = 0
    while position < bytes.count {
      let newline = LineCutter.newline(bytes, from: position)
      let end = newline ?? bytes.count
      if isSkipping {
        isSkipping = newline == nil
      } else if pending.isEmpty, newline != nil, end - position <= limits.lineBytesMax {
        take(bytes, position..<end, nowNs: nowNs, into: &records, &replies)
      } else {
        append(bytes, position..<end, isWhole: newline != nil, nowNs: nowNs, into: &records, &replies)
      }
      position = newline.map { $0 + 1 } ?? end
    }
    return replies
  }

  /// The program has closed the connection: what has no newline yet is taken as a line.
  package mutating func close(nowNs: Int64, into records: inout Records) {
    var replies: [UInt8] = []
    let line = pending
    pending = []
    if !line.isEmpty { take(line.span, 0..<line.count, nowNs: nowNs, into: &records, &replies) }
    endDrop(nowNs: nowNs, into: &records)
  }

  package mutating func takeAnnounced() -> [AnnouncedProcess] {
    defer { announced = [] }
    return announced
  }

  private mutating func append(
    _ bytes: Span<UInt8>, _ part: Range<Int>, isWhole: Bool, nowNs: Int64, into records: inout Records,
    _ replies: inout [UInt8]
  ) {
    guard pending.count + part.count <= limits.lineBytesMax else {
      pending = []
      isSkipping = !isWhole
      lineNumber += 1
      complain("the line is longer than \(limits.lineBytesMax) bytes", &replies)
      return
    }
    for index in part { pending.append(bytes[index]) }
    guard isWhole else { return }
    let line = pending
    pending.removeAll(keepingCapacity: pending.capacity <= 4096)
    take(line.span, 0..<line.count, nowNs: nowNs, into: &records, &replies)
  }

  private mutating func take(
    _ bytes: Span<UInt8>, _ line: Range<Int>, nowNs: Int64, into records: inout Records, _ replies: inout [UInt8]
  ) {
    lineNumber += 1
    if line.allSatisfy({ bytes[$0] <= 0x20 }) { return }
    guard allowance.take() else {
      droppedFrom = droppedFrom ?? lineNumber
      return
    }
    endDrop(nowNs: nowNs, into: &records)
    do throws(SocketEvent.Failure) {
      try add(try SocketEvent(bytes, line, limits), nowNs: nowNs, to: &records)
    } catch {
      complain(error.text, &replies)
    }
  }

  private mutating func endDrop(nowNs: Int64, into records: inout Records) {
    guard let from = droppedFrom else { return }
    droppedFrom = nil
    var loss = Loss()
    loss.timeNs = nowNs
    loss.subject = "socket/pid \(peer.pid) uid \(peer.uid)"
    loss.from = from
    loss.to = max(lineNumber, from + 1)
    loss.reason = .socketOverflow
    records.losses.append(loss)
  }

  private mutating func complain(_ text: String, _ replies: inout [UInt8]) {
    guard self.replies < limits.repliesMax else { return }
    self.replies += 1
    replies.append(contentsOf: "{\"line\": \(lineNumber), \"error\": \(JSONText.quoted(text))}\n".utf8)
  }
}

// MARK: Events to records

extension SocketSession {
  private mutating func add(_ event: SocketEvent, nowNs: Int64, to records: inout Records) throws(SocketEvent.Failure) {
    guard let kind = event.event else { throw .missing("event") }
    if kind == "process_started" || kind == "process_ended" {
      return announced.append(try process(event, hasEnded: kind == "process_ended"))
    }
    guard let name = event.run, !name.isEmpty else { throw .missing("run") }
    let run = redact(name)
    let timeNs = event.timeNs ?? nowNs
    switch kind {
    case "run_started": records.runs.append(update(event, run, .running, timeNs))
    case "run_ended":
      let state: RunState =
        switch event.state {
        case nil, "completed": .completed
        case "failed": .failed
        default: throw .wrongType("state")
        }
      records.runs.append(update(event, run, state, timeNs))
    case "episode":
      guard let number = event.episode else { throw .missing("episode") }
      guard number > TrainingStep.noEpisode else { throw .negative("episode") }
      records.episodes.append(try episode(event, run, number, timeNs))
      if !event.metrics.isEmpty { records.steps.append(step(event, run, timeNs)) }
    case "metric":
      guard !event.metrics.isEmpty || event.name != nil else { throw .missing("metrics") }
      records.steps.append(step(event, run, timeNs))
    default: throw .unknownEvent(kind)
    }
  }

  private func process(_ event: SocketEvent, hasEnded: Bool) throws(SocketEvent.Failure) -> AnnouncedProcess {
    guard let pid = event.process.pid else { throw .missing("pid") }
    guard pid > 0, let number = UInt32(exactly: pid) else { throw .wrongType("pid") }
    guard let ticks = event.process.startTicks else { throw .missing("start_ticks") }
    guard let startTicks = UInt64(exactly: ticks) else { throw .negative("start_ticks") }
    var process = AnnouncedProcess(peer: peer, pid: number, startTicks: startTicks)
    process.name = redact(event.name ?? "")
    process.command = redact(event.process.command)
    process.directory = event.process.directory
    process.output = event.process.output
    process.errors = event.process.errors
    process.cgroup = event.process.cgroup
    process.hasEnded = hasEnded
    guard hasEnded else { return process }
    switch (event.process.code, event.process.signal) {
    case (nil, let signal?):
      guard (1...127).contains(signal) else { throw .wrongType("signal") }
      process.exit = .signal(UInt32(signal), coreDumped: event.process.coreDumped)
    case (let code?, nil):
      guard (0...255).contains(code) else { throw .wrongType("code") }
      process.exit = .code(Int32(code))
    case (nil, nil): break
    default: throw .wrongType("signal")
    }
    return process
  }

  private func update(_ event: SocketEvent, _ run: String, _ state: RunState, _ timeNs: Int64) -> RunUpdate {
    var update = TrainingRun.update(
      run, state, framework: redact(event.framework), source: "socket", timeNs: timeNs)
    if state == .running { update.beginning = .source }
    update.detail = "{\"pid\": \(peer.pid), \"uid\": \(peer.uid), \"detail\": \(redactedObject(event.detail ?? "{}"))}"
    return update
  }

  /// Removing a secret may take a quote along; what is no JSON any more is left out.
  private func redactedObject(_ object: String) -> String {
    let text = redact(object)
    let bytes = Array(text.utf8)
    var scanner = JSONScanner(0..<bytes.count)
    while scanner.next(bytes.span) != nil {}
    return scanner.isComplete ? text : "{\"redacted\": true}"
  }

  private func episode(
    _ event: SocketEvent, _ run: String, _ number: Int64, _ timeNs: Int64
  ) throws(SocketEvent.Failure) -> EpisodeSummary {
    var episode = EpisodeSummary()
    episode.run = run
    episode.episode = number
    episode.timeNs = timeNs
    episode.finalSteps = max(0, event.steps ?? 0)
    episode.finalReward = event.reward ?? .nan
    switch event.state {
    case nil, "completed": episode.state = .completed
    case "running": episode.startedNs = timeNs
    default: throw .wrongType("state")
    }
    return episode
  }

  private func step(_ event: SocketEvent, _ run: String, _ timeNs: Int64) -> TrainingStep {
    var step = TrainingStep()
    step.run = run
    step.timeNs = timeNs
    step.episode = max(TrainingStep.noEpisode, event.episode ?? TrainingStep.noEpisode)
    step.step = event.step ?? event.steps ?? 0
    step.reward = event.reward ?? .nan
    step.metrics = event.metrics
    if event.metricsLeftOut > 0 { step.metrics.append(Metric(RowFigures.leftOutName, Double(event.metricsLeftOut))) }
    // Outside of the limit: it is the one that the event is about.
    if let name = event.name {
      step.metrics.append(Metric(name, event.value ?? .nan))
    }
    for index in step.metrics.indices { step.metrics[index].name = redact(step.metrics[index].name) }
    return step
  }
}

/// How many lines may come now: a bucket that fills with time.
private struct LineAllowance {
  private let perSecond: Int
  private let most: Int
  private var lines: Int
  private var filledNs: Int64?

  init(_ limits: SocketLimits) {
    perSecond = limits.linesPerSecond
    most = limits.burstLines
    lines = most
  }

  mutating func refill(_ nowNs: Int64) {
    guard let filledNs else {
      self.filledNs = nowNs
      return
    }
    let elapsedMs = max(0, nowNs &- filledNs) / 1_000_000
    guard elapsedMs > 0 else { return }
    self.filledNs = nowNs
    lines = Int(min(Int64(most), Int64(lines) + min(elapsedMs, 86_400_000) * Int64(perSecond) / 1000))
  }

  mutating func take() -> Bool {
    guard lines > 0 else { return false }
    lines -= 1
    return true
  }
}
