internal import EventLoop
internal import Files
internal import FleetModel
internal import Logging
internal import RPC
internal import Schema
internal import TLS
internal import Transport

/// What all gateway threads share.
struct GatewayEnvironment: Sendable {
  var index: Int
  var mailbox: Mailbox<GatewayMessage>
  var rules: RulesThread
  var control: Mailbox<ControlMessage>
  var allowList: AllowList
  var settings: SettingsBook
  var announced: AnnouncedCollectors
  var metrics: CollectorMetrics
  var logger: Logger
}

/// One gateway thread: an event loop with the connections of its share of the fleet.
///
/// Confined to its thread. Streams are named by the call's id in answers from other threads; a late answer to one that has ended is dropped.
final class Gateway {
  let environment: GatewayEnvironment
  let loop: EventLoop
  private let server: RPCServer
  private var streams: [UInt64: ReportStream] = [:]
  private var counted: RPCServerCounters
  private var seconds = 0
  private var refusals = RepeatedWarning()
  /// How often the certificates of open connections are looked at: each look costs a step a connection.
  private static let expiryCheckSeconds = 5

  init(_ environment: GatewayEnvironment, identity: ServerIdentity) throws {
    self.environment = environment
    loop = try EventLoop()
    var limits = RPCServerLimits()
    // A host reports on one stream and renews on another.
    limits.callsPerConnection = 4
    limits.anonymousMessageBytes = FleetProtocol.enrolmentRequestBytes
    server = RPCServer(loop: loop, tls: try Self.context(identity, environment.allowList), limits: limits)
    counted = server.counters
    registerMethods()
    server.onHandshakeFailure = { [unowned self] address, error in handshakeFailed(address, error) }
    try loop.receive(from: environment.mailbox) { [unowned self] in $0.forEach(receive) }
    countEverySecond()
  }

  private static func context(_ identity: ServerIdentity, _ allowList: AllowList) throws(TLSError) -> TLSContext {
    try TLSContext.server(
      TLSCredentials(chainPEM: Array(identity.chainPEM.utf8), keyPEM: Array(identity.keyPEM.utf8)),
      trust: Array(identity.rootsPEM.utf8)
    ) { peer in allowList.admission(of: peer, nowSeconds: Clock.wallNs() / 1_000_000_000) }
  }

  /// - Returns: the address with the port that the kernel chose for port 0.
  func listen(_ address: SocketAddress) throws(LoopError) -> SocketAddress { try server.listen(address) }

  func run() throws(LoopError) { try withExtendedLifetime(self) { () throws(LoopError) in try loop.run() } }

  /// The body of a gateway's thread.
  /// - Parameter started: receives the listening address, or why there is none.
  static func runThread(
    _ environment: GatewayEnvironment, identity: ServerIdentity, address: SocketAddress,
    started: Mailbox<Result<SocketAddress, CollectorFailure>>
  ) {
    do {
      let gateway = try Gateway(environment, identity: identity)
      started.post(.success(try gateway.listen(address)))
      try gateway.run()
    } catch {
      started.post(.failure(CollectorFailure(.failed, "\(error)")))
      environment.logger.error("gateway ended", metadata: ["error": "\(error)"])
    }
  }

  /// Any peer can fail a handshake: only what an operator can do something about is logged, and not each time.
  private func handshakeFailed(_ address: SocketAddress, _ error: TLSError) {
    guard let sentence = HandshakeAdvice.sentence(error),
      var metadata = refusals.metadata(sentence, nowNs: Clock.monotonicNs())
    else { return }
    metadata["address"] = "\(address.host)"
    environment.logger.warning("a connection was refused", metadata: metadata)
  }

  // MARK: Methods

  private func registerMethods() {
    server.register(
      FleetProtocol.Call.report.path, access: .certificate, messageBytes: FleetProtocol.frameBytes
    ) { [unowned self] call in open(call) }
    let requestBytes = FleetProtocol.enrolmentRequestBytes
    server.registerUnary(FleetProtocol.Call.join.path, access: .anyone, messageBytes: requestBytes) {
      [unowned self] call, bytes in
      enrol(call) { () throws(SchemaError) in
        .join(try Wire.decodeJoinRequest(bytes), address: call.peer.address.group, call: reply(to: call))
      }
    }
    server.registerUnary(
      FleetProtocol.Call.renew.path, access: .certificateOrExpired, messageBytes: requestBytes
    ) { [unowned self] call, bytes in
      guard let certificate = call.peer.certificate,
        let host = environment.allowList.entry(certificate.fingerprint)?.host
      else {
        return call.finish(RPCStatus(.unauthenticated, "this certificate is not known"))
      }
      enrol(call) { () throws(SchemaError) in
        .renew(try Wire.decodeRenewRequest(bytes), certificate: certificate, host: host, call: reply(to: call))
      }
    }
    let health = HealthService(overall: .serving)
    for service in FleetProtocol.Service.allCases { health.set(service.rawValue, .serving) }
    health.register(on: server)
  }

  private func reply(to call: ServerCall) -> ControlMessage.Call {
    ControlMessage.Call(gateway: environment.index, id: call.id)
  }

  private func enrol(_ call: ServerCall, _ message: () throws(SchemaError) -> ControlMessage) {
    do throws(SchemaError) {
      if !environment.control.post(try message()) {
        call.finish(RPCStatus(.resourceExhausted, "too many enrolments at once; try again in a minute"))
      }
    } catch {
      call.finish(RPCStatus(.invalidArgument, "the request cannot be read: \(error)"))
    }
  }

  // MARK: Report streams

  private func open(_ call: ServerCall) {
    guard let fingerprint = call.peer.certificate?.fingerprint, let entry = environment.allowList.entry(fingerprint)
    else {
      return call.finish(RPCStatus(.unauthenticated, "this certificate is not known"))
    }
    if environment.allowList.markUsed(fingerprint) { environment.control.post(.firstUsed(fingerprint)) }
    let stream = ReportStream(
      call: call, entry, fingerprint: fingerprint, id: SessionID(gateway: environment.index, number: call.id),
      loop: loop,
      environment: environment)
    streams[call.id] = stream
    environment.metrics.streamsOpen.add(1)
    stream.begin { [unowned self] in
      if streams.removeValue(forKey: $0) != nil { environment.metrics.streamsOpen.add(-1) }
    }
  }

  // MARK: Messages of other threads

  private func receive(_ message: GatewayMessage) {
    switch message {
    case .fenced(let session, let result): streams[session]?.fenced(result)
    case .marks(let session, let result): streams[session]?.marks(result)
    case .settled(let all): for (session, outcomes) in all { streams[session]?.settled(outcomes) }
    case .overrun(let session): streams[session]?.overrun()
    case .superseded(let session): streams[session]?.superseded()
    case .writerCaughtUp: for stream in streams.values { stream.grantWindow() }
    case .enrolled(let id, let answer): enrolled(id, answer)
    case .allowListChanged: allowListChanged()
    case .settingsChanged: for stream in streams.values { stream.settingsChanged() }
    case .identity(let identity): reload(identity)
    case .drain: server.drain(graceNs: Self.drainGraceNs) { [loop] in loop.stop() }
    }
  }

  /// How long streams have to finish when the collector stops.
  private static let drainGraceNs: Int64 = 5_000_000_000

  private func enrolled(_ id: UInt64, _ answer: EnrolmentAnswer) {
    guard let call = server.call(id) else { return }
    switch answer {
    case .reply(let bytes): call.reply(bytes)
    case .refused(let code, let message):
      call.finish(RPCStatus(RPCCode(rawValue: Int(code)) ?? .unknown, message))
    }
  }

  private func allowListChanged() {
    cutRevoked()
    for stream in Array(streams.values) {
      stream.hostChanged(revision: environment.allowList.entry(stream.fingerprint)?.revision)
    }
  }

  private func cutRevoked() {
    let allowList = environment.allowList
    let cut = server.disconnect { peer in
      peer.certificate.map { allowList.admission(of: $0, nowSeconds: $0.notAfter) != .accepted } ?? false
    }
    if cut > 0 { environment.logger.info("connections cut", metadata: ["reason": "revoked", "count": "\(cut)"]) }
  }

  /// A certificate that was valid at its handshake ends with its own time also on a connection that stays open.
  private func cutExpired() {
    let nowSeconds = Clock.wallNs() / 1_000_000_000
    let cut = server.disconnect(because: "certificate expired") { peer in
      peer.certificate.map {
        !$0.isExpired && Admission.endsConnection(notAfterSeconds: $0.notAfter, nowSeconds: nowSeconds)
      } ?? false
    }
    if cut > 0 { environment.logger.info("connections cut", metadata: ["reason": "expired", "count": "\(cut)"]) }
  }

  private func reload(_ identity: ServerIdentity) {
    do {
      server.reload(try Self.context(identity, environment.allowList))
    } catch {
      environment.logger.error("certificate not reloaded", metadata: ["error": "\(error)"])
    }
  }

  // MARK: Counting

  private func countEverySecond() {
    loop.after(1_000_000_000) { [weak self] in
      guard let self else { return }
      count()
      seconds += 1
      if seconds % Self.expiryCheckSeconds == 0 { cutExpired() }
      countEverySecond()
    }
  }

  private func count() {
    let now = server.counters
    let metrics = environment.metrics
    metrics.connectionsAccepted.add(now.accepted - counted.accepted)
    let refused = { (counters: RPCServerCounters) in
      counters.refusedFull + counters.refusedAnonymous + counters.handshakeFailures + counters.timeouts
        + counters.protocolFailures
    }
    metrics.connectionsRefused.add(refused(now) - refused(counted))
    metrics.anonymousRefused.add(now.refusedAnonymous - counted.refusedAnonymous)
    metrics.connectionsOpen.add(Int64(now.accepted - counted.accepted) - Int64(now.closed - counted.closed))
    counted = now
  }
}
