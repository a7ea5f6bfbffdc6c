internal import EventLoop
internal import HTTP2
internal import RPC
internal import TLS

/// One peer of a server and its calls.
final class ServerConnection: ConnectionDelegate {
  private enum Drain { case no, announced, final }
  private static let drainPing: UInt64 = 0x7369_676e_616c_626f

  let address: SocketAddress
  let createdNs: Int64
  private unowned let server: RPCServer
  private let connection: Connection
  private(set) var peer: RPCPeer
  private(set) var isSecured = false
  private(set) var isCounted = false
  /// When its turn to shake hands came.
  private var begunNs: Int64?
  private var isGone = false
  private var drainStep = Drain.no
  private var calls: [Int32: ServerCall] = [:]
  private var lingeringSinceNs: Int64?

  var isLeaving: Bool { drainStep != .no }
  var session: HTTP2Session? { connection.session }
  var isOpen: Bool { !isGone }
  var limits: RPCServerLimits { server.limits }
  var loop: EventLoop { server.loop }

  init(server: RPCServer, socket: StreamSocket) {
    self.server = server
    address = socket.address
    peer = RPCPeer(address: socket.address, certificate: nil)
    connection = Connection(
      loop: server.loop, buffers: server.buffers, socket: socket, role: .server, limits: server.limits.http2,
      anonymousLimits: server.limits.anonymousHTTP2)
    createdNs = connection.createdNs
    connection.delegate = self
  }

  /// It is this connection's turn to shake hands.
  func start() {
    begunNs = loop.nowNs
    do { try connection.start(server.tls) } catch { connection.close(error) }
  }

  // MARK: Events

  func connectionSecured(_ connection: Connection) {
    isSecured = true
    peer = RPCPeer(address: address, certificate: connection.peer)
    isCounted = true
    server.handshakeEnded(self)
    if !server.admit(self) { return sendAway("too many connections without a certificate; try again in a moment") }
    if server.isDraining { drain() }
  }

  func connection(_ connection: Connection, _ event: HTTP2Event, _ bytes: borrowing Span<UInt8>) {
    switch event {
    case .headers(let stream, let fields, let endStream): opened(stream, fields, endStream)
    case .data(let stream, let range):
      if let call = calls[stream] {
        call.received(bytes.extracting(range))
      } else {
        session?.consumed(stream, bytes: range.count)
      }
    case .end(let stream): calls[stream]?.halfClosed()
    case .closed(let stream, let errorCode): ended(stream, errorCode)
    case .pong(Self.drainPing): finishDrain()
    case .trailers, .settings, .pong, .goAway, .drained: break
    }
  }

  func connectionClosed(_ connection: Connection, _ reason: DisconnectReason) {
    isGone = true
    count(reason)
    let open = calls
    calls = [:]
    for (_, call) in open {
      call.disconnect = reason
      call.ended(RPCStatus(.unavailable, reason.description))
    }
    if !isSecured, begunNs != nil {
      server.handshakeEnded(self)
    } else if begunNs == nil {
      server.gaveUp(self)
    }
    if connection.phase == .lingering && server.lingering < server.limits.lingering {
      // Its calls are over, its certificate's slot is free; only the socket stays a moment.
      lingeringSinceNs = loop.nowNs
      server.lingering += 1
      server.unlist(self)
    } else {
      if connection.phase == .lingering { connection.close(reason) }
      server.removed(self)
    }
  }

  private func count(_ reason: DisconnectReason) {
    server.counters.closed += 1
    switch reason {
    case .timeout: server.counters.timeouts += 1
    case .protocolFailure: server.counters.protocolFailures += 1
    case .tls(let error) where !isSecured:
      server.counters.handshakeFailures += 1
      server.onHandshakeFailure?(address, error)
    default: break
    }
  }

  // MARK: Calls

  private func opened(_ stream: Int32, _ fields: [HeaderField], _ endStream: Bool) {
    guard let session else { return }
    let head = RequestHead(fields)
    server.counters.calls += 1
    if let refusal = head.httpRefusal {
      server.counters.callsRefused += 1
      return session.respond(stream, [HeaderField(":status", refusal)], endStream: true)
    }
    let method = server.methods[head.path]
    let call = ServerCall(
      server: server, connection: self, stream: stream, head: head,
      messageBytes: method.map(messageBytes) ?? 0)
    calls[stream] = call
    guard let method else {
      return call.refuse(RPCStatus(.unimplemented, "unknown method \(head.path)"))
    }
    if let refusal = head.refusal ?? accessRefusal(method.access) { return call.refuse(refusal) }
    if drainStep == .final { return call.refuse(RPCStatus(.unavailable, "the server stops")) }
    call.begin()
    method.handler(call)
    scheduleFlush()
  }

  /// Known before the first byte of the request is kept.
  private func messageBytes(_ method: RPCServer.Method) -> Int {
    peer.certificate == nil ? min(method.messageBytes, limits.anonymousMessageBytes) : method.messageBytes
  }

  private func accessRefusal(_ access: RPCServer.Access) -> RPCStatus? {
    switch (access, peer.certificate) {
    case (.anyone, _): nil
    case (_, nil): RPCStatus(.unauthenticated, "this method needs a certificate")
    case (.certificate, .some(let certificate)) where certificate.isExpired:
      RPCStatus(.unauthenticated, "the certificate has expired: renew it")
    default: nil
    }
  }

  private func ended(_ stream: Int32, _ errorCode: UInt32) {
    guard let call = calls.removeValue(forKey: stream) else { return }
    call.ended(errorCode == 0 ? RPCStatus(.cancelled, "the peer ended the call") : .ofReset(errorCode))
    if calls.isEmpty && drainStep == .final { connection.terminate(errorCode: 0, .local) }
  }

  func scheduleFlush() { connection.scheduleFlush() }

  /// Ends all calls and notifies their handlers.
  func endCalls(_ status: RPCStatus) {
    for (_, call) in calls { call.end(status) }
    connection.terminate(errorCode: 0, .local)
  }

  // MARK: Leaving

  /// First step: the peer is asked to open no more streams; the ping's answer shows that it has received it.
  func drain() {
    guard isSecured else { return connection.close(.local) }
    guard drainStep == .no, let session else { return }
    drainStep = .announced
    session.announceShutdown()
    session.ping(Self.drainPing)
    scheduleFlush()
    loop.after(1_000_000_000) { [weak self] in self?.finishDrain() }
    for (_, call) in calls { call.onDrain?() }
  }

  private func finishDrain() {
    guard drainStep == .announced, let session else { return }
    drainStep = .final
    session.goAway()
    if calls.isEmpty { connection.terminate(errorCode: 0, .local) }
    scheduleFlush()
  }

  /// Ends the connection at once; the peer is notified by a GOAWAY.
  func sendAway(_ text: String) {
    guard !isGone else { return }
    drainStep = .final
    session?.goAway(text: text)
    connection.refuse(.local)
  }

  func close() { connection.close(.local) }

  // MARK: Timers

  func checkTimers(_ nowNs: Int64) {
    if let since = lingeringSinceNs {
      if nowNs - since >= limits.lingerNs || connection.phase == .closed {
        connection.close(.local)
        server.lingering -= 1
        server.forget(self)
      }
      return
    }
    if let timer = overdue(nowNs) {
      session?.terminate(errorCode: timer == .settings ? 4 : 0)
      return isSecured ? connection.refuse(.timeout(timer)) : connection.close(.timeout(timer))
    }
    guard let session else { return }
    for stream in session.blockedStreams(forNs: limits.stalledCallNs, nowNs: nowNs) {
      server.counters.timeouts += 1
      calls[stream]?.reset(RPCStatus(.deadlineExceeded, "the peer does not read"))
    }
  }

  private func overdue(_ nowNs: Int64) -> DisconnectReason.Timer? {
    guard isSecured, let session else {
      if let begunNs { return nowNs - begunNs >= limits.handshakeNs ? .handshake : nil }
      return nowNs - createdNs >= limits.waitingNs ? .handshake : nil
    }
    if !connection.hasPeerSettings { return nowNs - connection.securedNs >= limits.settingsNs ? .settings : nil }
    if let since = session.headerBlockSinceNs, nowNs - since >= limits.headersNs { return .headers }
    if let since = connection.blockedSinceNs, nowNs - since >= limits.stalledConnectionNs { return .write }
    if nowNs - session.lastFrameNs >= limits.idleNs { return .idle }
    if peer.certificate == nil, nowNs - createdNs >= limits.anonymousLifetimeNs { return .lifetime }
    return nil
  }
}
