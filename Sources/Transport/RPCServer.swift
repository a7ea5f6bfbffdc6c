package import EventLoop
internal import Files
internal import HTTP2
internal import RPC
package import TLS

/// A gRPC server on one event loop; a process has one for each loop, all listening on the same port (SO_REUSEPORT).
///
/// ```
/// let loop = try EventLoop()
/// let tls = try TLSContext.server(credentials, trust: caPEM) { peer in allowList.admission(peer.fingerprint) }
/// let server = RPCServer(loop: loop, tls: tls)
/// server.register("/signalbox.v1.Fleet/Report", access: .certificate) { call in
///   call.onMessage = { bytes in            // valid for the call; decode it now
///     work.post(decode(bytes))             // … and later, on this loop: call.consumed(bytes.count)
///   }
///   call.onEnd = { call.finish(.ok) }      // the agent has half-closed
///   call.onClosed = { status in }          // cancelled, disconnected, deadline: not after one's own `finish`
///   call.onDrain = { call.finish(RPCStatus(.unavailable, "restarting")) }
///   call.send(welcome)                     // false: the peer does not read; the call is over
/// }
/// server.registerUnary("/signalbox.v1.Enrolment/Join", access: .anyone) { call, request in call.reply(answer) }
/// let address = try server.listen(SocketAddress(host: "0.0.0.0", port: 4433))
/// try loop.run()                           // elsewhere: server.reload(newTLS), server.drain(graceNs: …) { loop.stop() }
/// ```
/// Isolation: the loop's thread. Answers that come from other threads name a call by `call.id`, see `call(_:)`.
package final class RPCServer {
  /// Who may call a method.
  package enum Access: Sendable {
    case anyone
    /// A certificate of the fleet that has not expired.
    case certificate
    /// Also an expired one that the admission let in: renewal.
    case certificateOrExpired
  }

  package typealias Handler = (ServerCall) -> Void

  struct Method {
    let access: Access
    let messageBytes: Int
    let handler: Handler
  }

  package let loop: EventLoop
  package let limits: RPCServerLimits
  package internal(set) var counters = RPCServerCounters()
  private(set) var methods: [String: Method] = [:]
  let buffers = TransportBuffers(outputBytes: 128 << 10)
  var tls: TLSContext
  var connections: [ObjectIdentifier: ServerConnection] = [:]
  private var byCertificate: [[UInt8]: [ServerConnection]] = [:]
  private var anonymous = AnonymousPeers()
  private var trims = TrimPolicy()
  var calls: [UInt64: ServerCall] = [:]
  var lastCallID: UInt64 = 0
  var lingering = 0
  /// Refused peers whose sockets stay a moment.
  private var leaving: [ObjectIdentifier: ServerConnection] = [:]
  private(set) var isDraining = false
  /// Called where TLS ended a connection before it stood: either side has refused the other's certificate, or a stranger tried.
  package var onHandshakeFailure: ((SocketAddress, TLSError) -> Void)?
  private var drained: (() -> Void)?
  private var acceptor: Acceptor?
  private var sweep: TimerID?

  package init(loop: EventLoop, tls: TLSContext, limits: RPCServerLimits = RPCServerLimits()) {
    self.loop = loop
    self.tls = tls
    self.limits = limits
  }

  /// - Parameter path: "/package.Service/Method". An unregistered path is answered with UNIMPLEMENTED.
  /// - Parameter messageBytes: largest request message; `RPCServerLimits.messageBytes` where nil.
  package func register(_ path: String, access: Access, messageBytes: Int? = nil, _ handler: @escaping Handler) {
    methods[path] = Method(access: access, messageBytes: messageBytes ?? limits.messageBytes, handler: handler)
  }

  /// A method with one request message; the handler answers with `reply` or `finish`, now or later.
  package func registerUnary(
    _ path: String, access: Access, messageBytes: Int? = nil,
    _ handler: @escaping (ServerCall, borrowing Span<UInt8>) -> Void
  ) {
    register(path, access: access, messageBytes: messageBytes) { call in
      var count = 0
      call.onMessage = { [unowned call] bytes in
        count += 1
        if count == 1 { handler(call, bytes) }
        call.consumed(bytes.count)
      }
      call.onEnd = { [unowned call] in
        if count == 0 { call.finish(RPCStatus(.invalidArgument, "the request message is missing")) }
      }
    }
  }

  /// - Returns: the address with the port that the kernel chose for port 0.
  @discardableResult
  package func listen(_ address: SocketAddress) throws(LoopError) -> SocketAddress {
    let acceptor = try Acceptor(server: self, address: address)
    self.acceptor = acceptor
    scheduleSweep()
    return acceptor.address
  }

  /// New connections use the new certificates; those that are open stay.
  package func reload(_ tls: TLSContext) { self.tls = tls }

  /// The call of that id, while it is open.
  package func call(_ id: UInt64) -> ServerCall? { calls[id] }

  package var openCalls: Int { calls.count }
  package var openConnections: Int { connections.count }

  /// Closes the connections of peers that match, at once: a revoked certificate, or one that has ended.
  /// - Parameter reason: the text of the GOAWAY.
  /// - Returns: how many.
  @discardableResult
  package func disconnect(because reason: String = "revoked", where matches: (RPCPeer) -> Bool) -> Int {
    let chosen = connections.values.filter { matches($0.peer) }
    for connection in chosen { connection.sendAway(reason) }
    return chosen.count
  }

  /// Stops listening and ends each connection in two steps of GOAWAY once its calls are done; calls are notified by `onDrain`.
  /// After `graceNs` the rest is ended with UNAVAILABLE. Calls `completion` when nothing is left.
  package func drain(graceNs: Int64, _ completion: @escaping () -> Void) {
    drained = completion
    isDraining = true
    acceptor?.close()
    for connection in Array(connections.values) { connection.drain() }
    loop.after(graceNs) { [weak self] in self?.endDrain() }
    checkDrained()
  }

  private func endDrain() {
    for connection in Array(connections.values) { connection.endCalls(RPCStatus(.unavailable, "the server stops")) }
    // What was just queued goes out with this wake.
    loop.after(100_000_000) { [weak self] in self?.close() }
  }

  /// Closes all at once.
  package func close() {
    acceptor?.close()
    for connection in Array(connections.values) { connection.close() }
    for connection in Array(leaving.values) { connection.close() }
    leaving = [:]
    if let sweep { loop.cancel(sweep) }
    sweep = nil
    checkDrained()
  }

  private func checkDrained() {
    guard connections.isEmpty, let completion = drained else { return }
    drained = nil
    completion()
  }

  // MARK: Connections

  func removed(_ connection: ServerConnection) {
    connections[ObjectIdentifier(connection)] = nil
    if connection.isCounted {
      if let fingerprint = connection.peer.certificate?.fingerprint {
        byCertificate[fingerprint]?.removeAll { $0 === connection }
        if byCertificate[fingerprint]?.isEmpty == true { byCertificate[fingerprint] = nil }
      } else {
        anonymous.remove(connection)
        trims.anonymousEnded += 1
      }
    }
    acceptor?.slotsChanged()
    checkDrained()
  }

  func gaveUp(_ connection: ServerConnection) { acceptor?.gaveUp(connection) }

  /// It has ended, but its socket lingers.
  func unlist(_ connection: ServerConnection) {
    leaving[ObjectIdentifier(connection)] = connection
    removed(connection)
  }

  func forget(_ connection: ServerConnection) { leaving[ObjectIdentifier(connection)] = nil }

  func handshakeEnded(_ connection: ServerConnection) { acceptor?.handshakeEnded(connection.address.host) }

  /// Keeps the number of connections of one certificate, and of those without, within bounds.
  /// - Returns: false where the new one must go.
  func admit(_ connection: ServerConnection) -> Bool {
    guard let fingerprint = connection.peer.certificate?.fingerprint else {
      return admitAnonymous(connection)
    }
    byCertificate[fingerprint, default: []].append(connection)
    let staying = byCertificate[fingerprint, default: []].filter { !$0.isLeaving }
    if limits.connectionsPerCertificate > 0, staying.count > limits.connectionsPerCertificate {
      staying.first?.sendAway("replaced by a newer connection")
    }
    return true
  }

  private func admitAnonymous(_ connection: ServerConnection) -> Bool {
    let verdict = anonymous.admit(connection, limits)
    if verdict != .stays { counters.refusedAnonymous += 1 }
    if case .replaces(let other) = verdict { other.sendAway("replaced by a newer connection") }
    return verdict != .refused
  }

  /// Once it is quiet: glibc keeps what handshakes and ended connections have freed.
  private func trimMemory() {
    guard acceptor?.isQuiet ?? true, trims.isDue(counters, nowNs: loop.nowNs) else { return }
    ProcessMemory.trim()
  }

  private func scheduleSweep() {
    sweep = loop.after(limits.sweepNs) { [weak self] in
      guard let self else { return }
      let now = loop.nowNs
      for connection in Array(connections.values) { connection.checkTimers(now) }
      for connection in Array(leaving.values) { connection.checkTimers(now) }
      trimMemory()
      scheduleSweep()
    }
  }
}
