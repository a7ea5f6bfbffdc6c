internal import EventLoop
internal import Files
internal import FleetModel
internal import RPC
internal import Schema
internal import TLS
internal import Transport

/// The agent's connection to a collector: connects when the session asks, moves its frames, renews the certificate.
final class AgentConnection {
  /// Frames that wait in the transport: what is beyond stays in the session, where live goes before bulk.
  private static let queuedBytesMax = 256 << 10
  private static let renewTimeoutNs: Int64 = 20_000_000_000
  /// How often the certificate's clock is looked at.
  private static let renewalCheckNs: Int64 = 60_000_000_000
  /// How often the identity's directory is looked at: whoever joins beside a running agent expects it to report within seconds,
  /// while the pause between two attempts may be half a minute.
  private static let identityCheckNs: Int64 = 3_000_000_000

  private let loop: EventLoop
  private let session: UplinkSession
  private let directory: IdentityDirectory
  private let settingsChanged: (Settings) -> Void
  /// Called after each `pump`: what frames were built from may have a deadline that it did not have before.
  var pumped: () -> Void = {}
  private(set) var identity: AgentIdentity
  private var client: RPCClient?
  private var call: ClientCall?
  private var renewal: RenewalStateMachine
  private var nextAddress = 0
  private var wakeTimer: TimerID?
  private var buffer: [UInt8] = []
  private var random = SystemRandomNumberGenerator()
  /// The last generation is removed once this one has been welcomed.
  private var retiresPrevious = false
  private(set) var isDraining = false
  private var lastReason = ""
  private var lastIdentityProblem = ""
  private var renewalTimer: TimerID?
  /// A renewal is under way on the open connection, which must stay for its answer.
  private var isRenewing = false

  init(
    loop: EventLoop, session: UplinkSession, identity: AgentIdentity, directory: IdentityDirectory,
    settingsChanged: @escaping (Settings) -> Void
  ) {
    self.loop = loop
    self.session = session
    self.identity = identity
    self.directory = directory
    self.settingsChanged = settingsChanged
    renewal = RenewalStateMachine(
      notBeforeNs: identity.certificate.notBeforeNs, notAfterNs: identity.certificate.notAfterNs,
      random: Double.random(in: 0..<1))
    session.knownCollectors = identity.collectors.map(\.description)
    checkRenewal()
    watchIdentity()
  }

  private var now: HostTime { HostTime(wallNs: Clock.wallNs(), monotonicNs: Clock.bootNs()) }

  // MARK: Moving frames

  /// Sends what there is and the window allows; connects where that is due. To be called whenever something may be new.
  func pump() {
    let time = now
    session.spool.timePassed(nowNs: time.monotonicNs)
    if session.isStuck(nowNs: time.monotonicNs) { drop("no Welcome came") }
    if !isDraining, session.shouldConnect(nowNs: time.monotonicNs) { connect() }
    if let call, call.isOpen, !isDraining { send(on: call) }
    scheduleWake()
    pumped()
  }

  private func send(on call: ClientCall) {
    while call.queuedBytes < Self.queuedBytesMax, let frame = session.nextFrame(time: now) {
      buffer.removeAll(keepingCapacity: true)
      frame.encode(into: &buffer)
      call.send(buffer.span)
    }
    // One long line must not keep its size for ever.
    if buffer.capacity > 2 << 20 { buffer = [] }
  }

  private func scheduleWake() {
    if let wakeTimer { loop.cancel(wakeTimer) }
    wakeTimer = nil
    guard let wakeAtNs = session.wakeAtNs else { return }
    wakeTimer = loop.after(max(0, wakeAtNs - Clock.bootNs())) { [unowned self] in
      wakeTimer = nil
      pump()
    }
  }

  private func received(_ bytes: borrowing Span<UInt8>) {
    do {
      let frame = try Wire.decodeCollectorFrame(bytes)
      let settings = try session.received(frame, time: now)
      if case .welcome(let welcome) = frame { welcomed(welcome.collectors) }
      if let settings { settingsChanged(settings) }
      pump()
    } catch SchemaError.unknownFrame {
      // A newer collector's: skipped, as protobuf means it.
    } catch UplinkError.spoolReplaced {
      AgentLog.warning("\(UplinkError.spoolReplaced)")
      close()
      session.reconnectAtOnce(nowNs: now.monotonicNs)
      pump()
    } catch {
      drop("\(error)")
    }
  }

  private func welcomed(_ announced: [String]) {
    lastReason = ""
    takeCollectors(announced)
    AgentLog.info("connected", [("collector", client?.target.description ?? ""), ("epoch", "\(session.epoch)")])
    guard retiresPrevious else { return }
    retiresPrevious = false
    try? directory.retirePrevious()
  }

  /// Addresses that the fleet's collectors announce now take the place of what this host knew. The one in use stays for as long as
  /// none of them has been used: an address announced by mistake must not shut this host out.
  private func takeCollectors(_ announced: [String]) {
    guard let used = client?.target else { return }
    let inUse = TLS.CollectorAddress(host: used.host, port: used.port)
    let wanted = CollectorList.merged(announced, inUse: inUse)
    guard !wanted.isEmpty, Set(wanted) != Set(identity.collectors) else { return }
    do throws(IdentityError) {
      identity = try directory.replaceCollectors(wanted)
      nextAddress = 0
      session.knownCollectors = wanted.map(\.description)
      AgentLog.info("collectors", [("addresses", wanted.map(\.description).joined(separator: ","))])
    } catch {
      AgentLog.warning("the collectors' new addresses cannot be kept", [("reason", error.message)])
    }
  }

  // MARK: Connecting

  private func connect() {
    takeIdentity()
    let address = identity.collectors[nextAddress % identity.collectors.count]
    nextAddress += 1
    do {
      let credentials = try TLSCredentials(
        chainPEM: HostFiles.read(identity.certificatePath), keyPEM: HostFiles.read(identity.keyPath))
      let tls = try TLSContext.client(
        credentials, trust: .authorities(pem: HostFiles.read(identity.rootsPath)), server: .host(address.host))
      let client = RPCClient(loop: loop, target: SocketAddress(host: address.host, port: address.port), tls: tls)
      self.client = client
      client.onReady = { [unowned self, unowned client] in ready(client) }
      client.onClosed = { [unowned self, unowned client] reason in
        if self.client === client { drop(reason.advice) }
      }
      client.onGoAway = { [unowned self] in
        // The collector drains: what is un-acked is asked for again by the next one's Welcome.
        close()
        session.disconnected(nowNs: now.monotonicNs)
        pump()
      }
      client.connect()
    } catch {
      drop("\(error)")
    }
  }

  private func ready(_ client: RPCClient) {
    follow(renewal.connected(nowNs: Clock.wallNs()))
    let call = client.call(FleetProtocol.Call.report.path)
    self.call = call
    call.onMessage = { [unowned self] bytes in received(bytes) }
    call.onWritable = { [unowned self] in pump() }
    call.onStatus = { [unowned self, unowned call] status, _ in
      if self.call === call { streamEnded(status) }
    }
    session.connected(nowNs: now.monotonicNs)
    pump()
  }

  private func streamEnded(_ status: RPCStatus) {
    if status.code == .unauthenticated, isRenewing {
      // The certificate has ended: this connection is good for its renewal alone, whose answer ends it.
      call = nil
      return
    }
    if status.code == .aborted, status.message == FleetProtocol.fencedMessage {
      close()
      session.fenced(nowNs: now.monotonicNs)
      let sentence =
        "another connection of this identity took over: if it is another machine, invite one of the two anew under a name of its own"
      note(sentence)
      return scheduleWake()
    }
    drop("the stream ended: \(status)")
  }

  private func drop(_ reason: String) {
    close()
    session.disconnected(nowNs: now.monotonicNs)
    note(reason)
    scheduleWake()
  }

  /// Once a reason: an outage of hours is one line.
  private func note(_ reason: String) {
    if reason != lastReason { AgentLog.warning("disconnected", [("reason", reason)]) }
    lastReason = reason
  }

  private func close() {
    let old = client
    isRenewing = false
    client = nil
    call = nil
    old?.close()
  }

  /// Ends the connection and begins anew at once, with the identity that is on disk.
  func reconnect() {
    takeIdentity()
    close()
    session.reconnectAtOnce(nowNs: now.monotonicNs)
    pump()
  }

  // MARK: Identity

  private func watchIdentity() {
    loop.after(Self.identityCheckNs) { [weak self] in
      guard let self, !isDraining else { return }
      if takeIdentity() { reconnect() }
      watchIdentity()
    }
  }

  /// Takes over what another process has put into the identity's directory since it was read: `signalbox-agent join`.
  ///
  /// - Returns: whether there is another identity now.
  @discardableResult
  private func takeIdentity() -> Bool {
    guard let version = directory.version, version != identity.version else { return false }
    do throws(IdentityError) {
      guard let loaded = try directory.load() else { return false }
      identity = loaded
    } catch {
      // Such as files of another user. The one in use stays, and the next look tries again.
      if error.message != lastIdentityProblem {
        AgentLog.warning("the new identity cannot be read: join as the agent's user", [("reason", error.message)])
      }
      lastIdentityProblem = error.message
      return false
    }
    (lastReason, lastIdentityProblem) = ("", "")
    nextAddress = 0
    retiresPrevious = true
    session.knownCollectors = identity.collectors.map(\.description)
    AgentLog.info("new identity", [("host", identity.hostName)])
    // What the old certificate's renewal came to, its end by a revocation too, is not the new one's.
    renewal.renewed(
      notBeforeNs: identity.certificate.notBeforeNs, notAfterNs: identity.certificate.notAfterNs,
      random: Double.random(in: 0..<1))
    checkRenewal()
    return true
  }

  // MARK: Renewal

  private func checkRenewal() { follow(renewal.timePassed(nowNs: Clock.wallNs())) }

  private func follow(_ action: RenewalStateMachine.Action) {
    switch action {
    case .wait(let untilNs):
      let waitNs = min(Self.renewalCheckNs, max(100_000_000, untilNs - Clock.wallNs()))
      if let renewalTimer { loop.cancel(renewalTimer) }
      renewalTimer = loop.after(waitNs) { [weak self] in self?.checkRenewal() }
    case .renew: renew()
    case .stopped(let stop): AgentLog.warning("the certificate is renewed no more; join again", [("reason", "\(stop)")])
    }
  }

  private func renew() {
    guard let client, client.state == .ready else {
      return renewal.notConnected(nowNs: Clock.wallNs())
    }
    do {
      let key = try directory.prepareKey()
      var request: [UInt8] = []
      Wire.encode(RenewRequest(signingRequest: try SigningRequest.make(key: key)), into: &request)
      let call = client.call(FleetProtocol.Call.renew.path, timeoutNs: Self.renewTimeoutNs)
      isRenewing = true
      var reply: CertificateReply?
      call.onMessage = { bytes in reply = try? Wire.decodeCertificateReply(bytes) }
      call.onStatus = { [unowned self] status, _ in
        if let reply { return renewed(reply) }
        renewalFailed("\(status)", refusal: IdentityRefusal(statusMessage: status.message))
      }
      call.send(request)
      call.finishSending()
    } catch {
      renewalFailed("\(error)", refusal: nil)
    }
  }

  private func renewed(_ reply: CertificateReply) {
    do throws(IdentityError) {
      let pins = identity.roots.map(\.keyPin)
      isRenewing = false
      identity = try directory.accept(reply, pins: pins, collectors: identity.collectors, token: identity.tokenID)
      renewal.renewed(
        notBeforeNs: identity.certificate.notBeforeNs, notAfterNs: identity.certificate.notAfterNs,
        random: Double.random(in: 0..<1))
      AgentLog.info("certificate renewed", [("expires", Timestamp.text(identity.certificate.notAfterNs, digits: 0))])
      retiresPrevious = true
      reconnect()
      checkRenewal()
    } catch {
      renewalFailed(error.message, refusal: nil)
    }
  }

  private func renewalFailed(_ reason: String, refusal: IdentityRefusal?) {
    let wasRenewing = isRenewing
    isRenewing = false
    // Kept open for the renewal alone.
    if wasRenewing, client != nil, call == nil { drop("the certificate is not renewed: \(reason)") }
    AgentLog.warning("certificate not renewed", [("reason", reason)])
    renewal.failed(nowNs: Clock.wallNs(), refusal: refusal, random: Double.random(in: 0..<1))
    checkRenewal()
  }

  // MARK: End

  /// Nothing new is sent; `completion` when all that is under way is acked, or after `patienceNs`.
  func drain(patienceNs: Int64, _ completion: @escaping () -> Void) {
    isDraining = true
    let deadlineNs = Clock.bootNs() + patienceNs
    waitForAcks(deadlineNs, completion)
  }

  private func waitForAcks(_ deadlineNs: Int64, _ completion: @escaping () -> Void) {
    let isDone = call == nil || session.batchesInFlight == 0 || Clock.bootNs() >= deadlineNs
    guard isDone else {
      loop.after(10_000_000) { [unowned self] in waitForAcks(deadlineNs, completion) }
      return
    }
    close()
    completion()
  }
}
