internal import EventLoop
internal import Files
internal import FleetModel
internal import Logging
internal import RPC
internal import Schema
internal import Transport

/// One agent's stream: carries out what its `HostSession` decides.
final class ReportStream {
  let host: HostID
  /// Of the certificate, SHA-256.
  let fingerprint: [UInt8]
  /// The host's name and labels as they were when the stream began.
  private var revision: Int64?
  private let id: SessionID
  private let call: ServerCall
  private let environment: GatewayEnvironment
  private let loop: EventLoop
  private var session: HostSession
  private var ended: ((UInt64) -> Void)?
  /// Received and not yet given back as window.
  private var heldBytes = 0
  private var heldMessages = 0

  init(
    call: ServerCall, _ entry: AllowList.Entry, fingerprint: [UInt8], id: SessionID, loop: EventLoop,
    environment: GatewayEnvironment
  ) {
    self.loop = loop
    self.call = call
    host = entry.host
    revision = entry.revision
    self.fingerprint = fingerprint
    self.id = id
    self.environment = environment
    session = HostSession(host: entry.host)
  }

  /// - Parameter ended: called once with the call's id when the stream is over.
  func begin(_ ended: @escaping (UInt64) -> Void) {
    self.ended = ended
    call.onMessage = { [unowned self] bytes in received(bytes) }
    call.onEnd = { [unowned self] in finish(.ok, .byAgent) }
    call.onClosed = { [unowned self] status in over(Self.end(status, call.disconnect)) }
    call.onDrain = { [unowned self] in finish(RPCStatus(.unavailable, "the collector stops; connect again")) }
  }

  // MARK: From the agent

  private func received(_ bytes: borrowing Span<UInt8>) {
    let metrics = environment.metrics
    metrics.bytesReceived.add(UInt64(bytes.count))
    heldBytes += bytes.count
    heldMessages += 1
    do throws(SchemaError) {
      let frame = try Wire.decodeAgentFrame(bytes)
      if case .batch = frame { metrics.batchesReceived.add() }
      session.received(frame, bytes: bytes.count, nowNs: Clock.wallNs()).map(carryOut)
    } catch SchemaError.unknownFrame {
      // A newer agent's: skipped, as protobuf means it.
    } catch {
      metrics.batchesRefused.add()
      finish(RPCStatus(.invalidArgument, "the frame cannot be read: \(error)"))
    }
    grantWindow()
  }

  /// Gives window back while the session, the rules and the writer have room: that is the back-pressure.
  func grantWindow() {
    guard heldMessages > 0, session.wantsInput, !environment.rules.isBehind(host) else { return }
    let (bytes, messages) = (heldBytes, heldMessages)
    (heldBytes, heldMessages) = (0, 0)
    call.consumed(bytes, messages: messages)
  }

  private func carryOut(_ action: HostSession.Action) {
    switch action {
    case .fence(let hello):
      let message = ControlMessage.fence(host: host, hello, receivedNs: Clock.wallNs(), session: id)
      if !environment.control.post(message) { fenced(.failure(FenceFailure(reason: "too many streams begin at once"))) }
    case .readMarks(let after): readMarks(after)
    case .stage(let batch, let bytes):
      if !environment.rules.stage(batch, of: id, bytes: bytes) { overrun() }
    case .send(let frame):
      var bytes: [UInt8] = []
      Wire.encode(frame, into: &bytes)
      call.send(bytes)
    case .close(let end): close(end)
    }
  }

  // MARK: From other threads

  func fenced(_ result: Result<Fence, FenceFailure>) {
    switch result {
    case .success(let fence):
      if fence.isSuspectedClone || fence.isContested {
        environment.logger.warning(
          "two machines with one identity", metadata: ["host": "\(fence.hostName)", "epoch": "\(fence.epoch)"])
      }
      beginRules(fence)
      let settings = environment.settings.settings(of: fence.labels)
      session.fenceReceived(
        fence, settings: settings, collectors: environment.announced.addresses, nowNs: Clock.wallNs()
      ).forEach(carryOut)
    case .failure(let failure):
      let action =
        failure.isReplaced
        ? session.fenceReplaced() : session.fenceFailed(failure.reason, isRefusal: failure.isRefusal)
      action.map(carryOut)
    }
    grantWindow()
  }

  /// One page is read when the one before it has gone out, so that a host with many files costs the memory of one.
  private func readMarks(_ after: Int64) {
    guard ended != nil, let fence = session.fence else { return }
    guard call.queuedBytes < Self.marksQueuedBytes else {
      loop.after(Self.marksPauseNs) { [weak self] in self?.readMarks(after) }
      return
    }
    let message = ControlMessage.marks(hostNumber: fence.hostNumber, after: after, session: id)
    if !environment.control.post(message) { marks(.failure(FenceFailure(reason: "too many streams begin at once"))) }
  }

  private static let marksQueuedBytes = 64 << 10
  private static let marksPauseNs: Int64 = 20_000_000

  func marks(_ result: Result<FileMarkPage, FenceFailure>) {
    switch result {
    case .success(let page): session.marksReceived(page).forEach(carryOut)
    case .failure(let failure): session.marksFailed(failure.reason).map(carryOut)
    }
    grantWindow()
  }

  /// Before the first batch: the rules take the host up where they left it, on whichever collector that was.
  private func beginRules(_ fence: Fence) {
    var known = KnownHost(id: host, number: fence.hostNumber, name: fence.hostName)
    known.labels = fence.labels
    known.epoch = fence.epoch
    known.lastSeenNs = Clock.wallNs()
    var began = RuleSession(id: id, host: known, saved: fence.ruleState, address: call.peer.address.host)
    began.notes = fence.notes
    began.open = fence.open
    environment.rules.mailbox.post(.began(began))
  }

  func settled(_ outcomes: [CommitOutcome]) {
    for action in session.settled(outcomes) { carryOut(action) }
    grantWindow()
  }

  func overrun() { close(.overLimit("the collector holds all it can")) }

  /// The rules take batches of the host's newest stream alone: without an end this one would wait for its acks for ever.
  func superseded() { close(.fenced) }

  /// Name and labels are read with the fence: a new Hello brings them to the rules, the settings and the agent.
  func hostChanged(revision new: Int64?) {
    guard let new, new != revision else { return }
    if revision == nil { return revision = new }
    finish(RPCStatus(.unavailable, "this host's name or labels have changed; connect again"))
  }

  func settingsChanged() {
    guard let labels = session.fence?.labels else { return }
    session.settingsChanged(environment.settings.settings(of: labels)).map(carryOut)
  }

  // MARK: End

  private func close(_ end: HostSessionEnd) {
    if case .invalid = end { environment.metrics.batchesRefused.add() }
    environment.logger.info("stream closed", metadata: ["host_id": "\(host)", "reason": "\(end)"])
    finish(RPCStatus(RPCCode(rawValue: Int(end.statusCode)) ?? .unknown, end.description))
  }

  private func finish(_ status: RPCStatus, _ end: StreamEnd = .byCollector) {
    call.finish(status)
    over(end)
  }

  private static func end(_ status: RPCStatus, _ reason: DisconnectReason?) -> StreamEnd {
    switch reason {
    case nil: status.code == .cancelled ? .byAgent : .byCollector
    case .timeout: .unanswered
    case .local: .byCollector
    default: .broken
    }
  }

  private func over(_ end: StreamEnd) {
    guard let ended else { return }
    self.ended = nil
    if let fence = session.fence {
      environment.control.post(.ended(hostNumber: fence.hostNumber, epoch: fence.epoch, atNs: Clock.wallNs()))
    }
    session.disconnected()
    environment.rules.mailbox.post(.streamEnded(id, end))
    ended(id.number)
  }
}
