package import FleetModel
internal import Schema

/// What bounds one host's stream.
package struct HostSessionLimits: Sendable {
  /// Batches staged and not settled: an agent keeps no more of them un-acked, so one more is a broken peer.
  package var batchesMax = FleetProtocol.unackedBatches
  /// Reading stops at so many staged batches or bytes: what an agent has beyond waits in its own window, not here. Less than
  /// two groups' worth would leave the database idle between the commits of one host that sends much (docs/benchmarks.md, (b)).
  package var stagedBatchesPause = 24
  package var stagedBytesPause = 8 << 20
  /// Marks that a Welcome may hold, for an agent that does not take them in parts: of 270 bytes each, they fit one frame.
  package var inlineMarksMax = 4096

  package init() {}
}

/// Why a stream ends. Its text is the gRPC status message.
package enum HostSessionEnd: Error, Sendable, Equatable, CustomStringConvertible {
  /// The agent is at fault: it will make the same mistake again. gRPC INVALID_ARGUMENT.
  case invalid(String)
  /// More than the limits allow. gRPC RESOURCE_EXHAUSTED.
  case overLimit(String)
  /// A newer stream of the host took over. gRPC ABORTED.
  case fenced
  /// A batch before this one is missing; the agent resumes from the marks. gRPC ABORTED.
  case outOfOrder
  /// The collector cannot take the host just now. gRPC UNAVAILABLE.
  case unavailable(String)
  /// The fleet does not want this host. gRPC PERMISSION_DENIED.
  case refused(String)

  /// Number of the gRPC status code. Source: grpc/doc/statuscodes.md.
  package var statusCode: UInt32 {
    switch self {
    case .invalid: 3
    case .overLimit: 8
    case .fenced, .outOfOrder: 10
    case .unavailable: 14
    case .refused: 7
    }
  }

  package var description: String {
    switch self {
    case .invalid(let what): "invalid: \(what)"
    case .overLimit(let what): "over the limit: \(what)"
    case .fenced: FleetProtocol.fencedMessage
    case .outOfOrder: "a batch before this one is missing; resume from the marks"
    case .unavailable(let what), .refused(let what): what
    }
  }
}

/// The collector's half of the protocol for one stream. No socket, no clock, no database.
///
/// Hello asks for a fence, the fence's answer becomes Welcome, each Batch is staged, and only what the database has
/// committed is acked. The caller carries the actions out in order.
package struct HostSession: Sendable {
  package enum Action: Sendable {
    /// Raise the host's epoch and read its marks; answer with `fenceReceived` or `fenceFailed`.
    case fence(Hello)
    /// Read the page of the host's marks behind this one; answer with `marksReceived` or `marksFailed`.
    case readMarks(after: Int64)
    /// Hand this to the writer; answer with `settled`.
    case stage(StagedBatch, bytes: Int)
    case send(CollectorFrame)
    /// End the stream with this status. Nothing follows.
    case close(HostSessionEnd)
  }

  package enum State: Sendable, Equatable {
    case waitingForHello
    case fencing
    case streaming
    case closed
  }

  package private(set) var state: State = .waitingForHello
  package let host: HostID
  /// From the host's Hello.
  package private(set) var hello = Hello()
  package private(set) var fence: Fence?
  /// Staged and not settled.
  package private(set) var stagedBatches = 0
  package private(set) var stagedBytes = 0
  package private(set) var lastAcked: UInt64 = 0
  private var stagedSizes: [Int] = []
  private var lastNumber: UInt64 = 0
  private var identities = NamedFiles()
  /// Waits for the rest of the marks, where the agent takes them in no other way.
  private var unsentWelcome: Welcome?
  private let limits: HostSessionLimits

  /// - Parameter host: from the peer's certificate.
  package init(host: HostID, limits: HostSessionLimits = HostSessionLimits()) {
    self.host = host
    self.limits = limits
  }

  /// Whether more may be read from the peer. While false the caller grants no flow-control window.
  package var wantsInput: Bool {
    switch state {
    case .waitingForHello: true
    case .fencing, .closed: false
    case .streaming: stagedBatches < limits.stagedBatchesPause && stagedBytes < limits.stagedBytesPause
    }
  }

  // MARK: From the agent

  /// - Parameters:
  ///   - bytes: encoded size of the frame.
  ///   - nowNs: when it was read, ns since 1970.
  package mutating func received(_ frame: AgentFrame, bytes: Int, nowNs: Int64) -> Action? {
    switch (state, frame) {
    case (.closed, _): return nil
    case (.waitingForHello, .hello(let hello)): return helloReceived(hello)
    case (.streaming, .batch(let batch)): return batchReceived(batch, bytes: bytes, nowNs: nowNs)
    case (_, .hello): return close(.invalid("a second Hello"))
    case (_, .batch): return close(.invalid("a Batch before Welcome"))
    }
  }

  private mutating func helloReceived(_ hello: Hello) -> Action {
    guard hello.protocolVersion == FleetProtocol.version else {
      return close(.invalid("protocol version \(hello.protocolVersion) is not known here"))
    }
    self.hello = hello
    state = .fencing
    return .fence(hello)
  }

  private mutating func batchReceived(_ batch: Batch, bytes: Int, nowNs: Int64) -> Action {
    guard let fence else { return close(.invalid("a Batch before Welcome")) }
    guard batch.number == lastNumber + 1 else {
      return close(.invalid("batch \(batch.number) after \(lastNumber)"))
    }
    guard stagedBatches < limits.batchesMax else { return close(.overLimit("\(limits.batchesMax) batches un-acked")) }
    if let fault = Self.fault(in: batch) { return close(.invalid(fault)) }
    var batch = batch
    if let end = nameFiles(&batch) { return close(end) }
    lastNumber = batch.number
    stagedBatches += 1
    stagedBytes += bytes
    stagedSizes.append(bytes)
    let staged = StagedBatch(
      host: host, hostNumber: fence.hostNumber, epoch: fence.epoch, spool: hello.spoolID, receivedNs: nowNs,
      batch: batch)
    return .stage(staged, bytes: bytes)
  }

  /// What no agent of ours would send: the store may rely on these.
  private static func fault(in batch: Batch) -> String? {
    for part in batch.spooled {
      if part.firstSequence == 0 || part.firstSequence > part.lastSequence || part.lastSequence >= 1 << 63 {
        return "sequences \(part.firstSequence) to \(part.lastSequence)"
      }
    }
    for delta in batch.files where delta.from > delta.to || delta.to >= 1 << 63 {
      return "file range \(delta.from) to \(delta.to)"
    }
    return nil
  }

  /// A file's identity comes whole the first time and as a key afterwards; the store always sees it whole.
  private mutating func nameFiles(_ batch: inout Batch) -> HostSessionEnd? {
    for index in batch.files.indices {
      let key = batch.files[index].file.key
      if batch.files[index].file.path.isEmpty {
        guard let known = identities[key] else { return .invalid("file \(key) was never named on this stream") }
        batch.files[index].file = known
      } else {
        identities.name(batch.files[index].file)
      }
      if batch.files[index].isFinished { identities.finished(key) }
    }
    return nil
  }

  // MARK: From the database

  /// The fence stands: nothing of an older stream can be committed any more.
  ///
  /// The marks cannot move before the agent has the last of them: it sends no file until then, and no other stream can.
  /// - Parameter collectors: HOST:PORT of the fleet's collectors as they are announced now.
  package mutating func fenceReceived(
    _ fence: Fence, settings: Settings, collectors: [String] = [], nowNs: Int64
  ) -> [Action] {
    guard state == .fencing else { return [] }
    self.fence = fence
    // Not kept: a thousand sessions would hold a page each.
    self.fence?.files = []
    var welcome = Welcome()
    welcome.epoch = fence.epoch
    welcome.serverNs = nowNs
    welcome.lanes = fence.lanes
    welcome.files = fence.files
    welcome.settings = settings
    welcome.hostID = host
    welcome.collectors = collectors
    guard let after = fence.moreFilesAfter else {
      state = .streaming
      return [.send(.welcome(welcome))]
    }
    guard hello.takesMarks else {
      unsentWelcome = welcome
      return [.readMarks(after: after)]
    }
    state = .streaming
    welcome.marksFollow = true
    return [.send(.welcome(welcome)), .readMarks(after: after)]
  }

  /// The next page of the host's marks.
  package mutating func marksReceived(_ page: FileMarkPage) -> [Action] {
    guard var welcome = unsentWelcome else {
      guard state == .streaming else { return [] }
      let send = Action.send(.marks(page.files, more: page.moreAfter != nil))
      return [send] + (page.moreAfter.map { [.readMarks(after: $0)] } ?? [])
    }
    unsentWelcome = nil
    guard welcome.files.count + page.files.count <= limits.inlineMarksMax else {
      return [close(.overLimit("more than \(limits.inlineMarksMax) open files; install a newer agent on this host"))]
    }
    welcome.files += page.files
    if let after = page.moreAfter {
      unsentWelcome = welcome
      return [.readMarks(after: after)]
    }
    state = .streaming
    return [.send(.welcome(welcome))]
  }

  package mutating func marksFailed(_ reason: String) -> Action? {
    state == .closed ? nil : close(.unavailable(reason))
  }

  /// - Parameter isRefusal: the host is not wanted; else it may come again.
  package mutating func fenceFailed(_ reason: String, isRefusal: Bool = false) -> Action? {
    state == .fencing ? close(isRefusal ? .refused(reason) : .unavailable(reason)) : nil
  }

  /// A newer stream of the host sent Hello before this one's turn.
  package mutating func fenceReplaced() -> Action? { state == .fencing ? close(.fenced) : nil }

  /// What became of staged batches, oldest first and without holes.
  /// - Returns: at most one ack, for everything committed up to the first that was not, and the end where there is one.
  package mutating func settled(_ outcomes: [CommitOutcome]) -> [Action] {
    guard state == .streaming else { return [] }
    var end: HostSessionEnd?
    var settledBatches = 0
    for outcome in outcomes where end == nil {
      switch outcome {
      case .committed, .duplicate: settledBatches += 1
      case .fenced: end = .fenced
      case .outOfOrder: end = .outOfOrder
      }
    }
    precondition(settledBatches <= stagedBatches, "more batches settled than staged")
    stagedBatches -= settledBatches
    stagedBytes -= stagedSizes.prefix(settledBatches).reduce(0, +)
    stagedSizes.removeFirst(settledBatches)
    lastAcked += UInt64(settledBatches)
    var actions: [Action] = settledBatches > 0 ? [.send(.ack(number: lastAcked))] : []
    if let end { actions.append(close(end)) }
    return actions
  }

  // MARK: From the operator

  /// New settings for the agent; before Welcome they go with it.
  package func settingsChanged(_ settings: Settings) -> Action? {
    state == .streaming ? .send(.settings(settings)) : nil
  }

  /// The connection is gone, or the caller ends it. Outcomes that still come are ignored.
  package mutating func disconnected() {
    state = .closed
    identities = NamedFiles()
    unsentWelcome = nil
  }

  private mutating func close(_ end: HostSessionEnd) -> Action {
    disconnected()
    return .close(end)
  }
}
