package import EventLoop
internal import Files
package import HTTP2
internal import RPC
package import TLS

/// One connection to a gRPC server, on an event loop. It does not come back by itself: make a new one after a back-off.
///
/// ```
/// let tls = try TLSContext.client(credentials, trust: .authorities(pem: caPEM), server: .host("collector"))
/// let client = RPCClient(loop: loop, target: SocketAddress(host: "collector", port: 4433), tls: tls)
/// client.onReady = {                       // the server's SETTINGS came: it has taken our certificate
///   backoff.reset()
///   let call = client.call("/signalbox.v1.Fleet/Report")
///   call.onMessage = { bytes in }          // valid for the call; its window is given back afterwards
///   call.onWritable = { more() }           // what was queued has gone out
///   call.onStatus = { status, trailers in }// once
///   call.send(hello)
///   call.finishSending()                   // or call.cancel()
/// }
/// client.onClosed = { reason in            // once; `.tls(.refused(.unknown))`: join again
///   loop.after(backoff.nextNs(random: …)) { connectAgain() }
/// }
/// client.connect()
/// ```
/// Isolation: the loop's thread.
package final class RPCClient {
  package enum State: Sendable { case idle, connecting, ready, leaving, closed }

  package struct Limits: Sendable {
    package var http2 = HTTP2Limits.client
    package var messageBytes = 4 << 20
    /// Until the server's SETTINGS are there, each address.
    package var connectNs: Int64 = 10_000_000_000
    /// A ping is sent after so long without a frame, and must be answered within `pingTimeoutNs`.
    package var keepaliveNs: Int64 = 30_000_000_000
    package var pingTimeoutNs: Int64 = 20_000_000_000
    package var userTimeoutMs: UInt32 = 30_000
    /// Gathered before it is encrypted.
    package var outputBytes = 32 << 10

    package init() {}
  }

  package let target: SocketAddress
  package private(set) var state = State.idle
  /// The server has accepted us.
  package var onReady: (() -> Void)?
  /// Once. Calls have been given their status before.
  package var onClosed: ((DisconnectReason) -> Void)?
  /// The server asks to leave: its calls go on, new ones belong on a new connection.
  package var onGoAway: (() -> Void)?
  /// The server's verified certificate.
  package private(set) var server: TLSPeer?

  let loop: EventLoop
  let limits: Limits
  private let tls: TLSContext
  private let buffers: TransportBuffers
  private var addresses: [String] = []
  private var connection: Connection?
  private var calls: [Int32: ClientCall] = [:]
  private var startTimer: TimerID?
  private var keepalive: TimerID?
  private var pingSentNs: Int64?
  private var goAway: DisconnectReason?

  package init(loop: EventLoop, target: SocketAddress, tls: TLSContext, limits: Limits = Limits()) {
    self.loop = loop
    self.target = target
    self.tls = tls
    self.limits = limits
    buffers = TransportBuffers(outputBytes: limits.outputBytes)
  }

  /// Resolves the name (this may block on DNS), then connects to its addresses one after another.
  /// Once for each client; the result comes by `onReady` or `onClosed`, never from inside this call.
  package func connect() {
    guard state == .idle else { return }
    state = .connecting
    // Holds the client until it has an end.
    loop.after(0) { [self] in
      do throws(LoopError) { addresses = try Socket.resolve(target.host) } catch { return end(.connect(error)) }
      connectNext(after: .connect(LoopError("resolve \(target.host)", code: -2)))
    }
  }

  private func connectNext(after failure: DisconnectReason) {
    guard state == .connecting else { return }
    guard !addresses.isEmpty else { return end(failure) }
    let address = SocketAddress(host: addresses.removeFirst(), port: target.port)
    do throws(LoopError) {
      let socket = try Socket.connect(address)
      Socket.tune(socket.descriptor, userTimeoutMs: limits.userTimeoutMs)
      let connection = Connection(
        loop: loop, buffers: buffers, socket: socket, role: .client, limits: limits.http2)
      self.connection = connection
      connection.delegate = self
      startTimer = loop.after(limits.connectNs) { [weak connection] in connection?.close(.timeout(.connect)) }
      do throws(DisconnectReason) { try connection.start(tls) } catch { connection.close(error) }
    } catch {
      connectNext(after: .connect(error))
    }
  }

  /// Starts a call. Where the client is not ready the call ends at once with UNAVAILABLE, by `onStatus`, on the next wake.
  /// - Parameter timeoutNs: also sent to the server.
  package func call(_ path: String, metadata: [HeaderField] = [], timeoutNs: Int64? = nil) -> ClientCall {
    let call = ClientCall(client: self, path: path)
    var fields = [
      HeaderField(":method", "POST"), HeaderField(":scheme", "https"), HeaderField(":path", path),
      HeaderField(":authority", target.description), HeaderField("content-type", RPCHeaders.contentType),
      HeaderField("te", "trailers"),
    ]
    if let timeoutNs { fields.append(HeaderField("grpc-timeout", RPCHeaders.timeout(ns: timeoutNs))) }
    guard state == .ready, let session = connection?.session,
      let stream = try? session.request(fields + metadata)
    else {
      loop.after(0) { call.end(RPCStatus(.unavailable, "not connected")) }
      return call
    }
    calls[stream] = call
    call.begin(stream, timeoutNs: timeoutNs)
    connection?.scheduleFlush()
    return call
  }

  package var openCalls: Int { calls.count }

  /// Closes at once; `onClosed` follows with `.local`.
  package func close() {
    if let connection { connection.close(.local) } else { end(.local) }
  }

  private func end(_ reason: DisconnectReason) {
    guard state != .closed else { return }
    state = .closed
    if let startTimer { loop.cancel(startTimer) }
    if let keepalive { loop.cancel(keepalive) }
    connection = nil
    let open = calls
    calls = [:]
    for (_, call) in open { call.end(RPCStatus(.unavailable, reason.description)) }
    let report = onClosed
    onReady = nil
    onGoAway = nil
    onClosed = nil
    report?(reason)
  }

  // MARK: For calls

  var session: HTTP2Session? { connection?.session }
  func scheduleFlush() { connection?.scheduleFlush() }
  func forget(_ stream: Int32) { calls[stream] = nil }

  // MARK: Keepalive

  private func scheduleKeepalive(_ delayNs: Int64) {
    keepalive = loop.after(delayNs) { [weak self] in self?.checkKeepalive() }
  }

  private func checkKeepalive() {
    guard let connection, let session = connection.session else { return }
    let silentNs = loop.nowNs - session.lastFrameNs
    if let sent = pingSentNs, session.lastFrameNs < sent {
      if loop.nowNs - sent >= limits.pingTimeoutNs { return connection.close(.timeout(.keepalive)) }
      return scheduleKeepalive(limits.pingTimeoutNs - (loop.nowNs - sent))
    }
    pingSentNs = nil
    if silentNs < limits.keepaliveNs { return scheduleKeepalive(limits.keepaliveNs - silentNs) }
    pingSentNs = loop.nowNs
    session.ping(UInt64(bitPattern: loop.nowNs))
    connection.scheduleFlush()
    scheduleKeepalive(min(limits.keepaliveNs, limits.pingTimeoutNs))
  }
}

extension RPCClient: ConnectionDelegate {
  func connectionSecured(_ connection: Connection) { server = connection.peer }

  func connection(_ connection: Connection, _ event: HTTP2Event, _ bytes: borrowing Span<UInt8>) {
    switch event {
    case .settings: settingsArrived()
    case .headers(let stream, let fields, _): calls[stream]?.headersArrived(fields)
    case .trailers(let stream, let fields): calls[stream]?.trailersArrived(fields)
    case .data(let stream, let range):
      calls[stream]?.received(bytes.extracting(range))
      connection.session?.consumed(stream, bytes: range.count)
    case .end: break
    case .closed(let stream, let errorCode): calls.removeValue(forKey: stream)?.closed(errorCode)
    case .goAway(_, let errorCode, let text): goAwayArrived(errorCode, text)
    case .drained(let stream): calls[stream]?.drained()
    case .pong: break
    }
  }

  private func settingsArrived() {
    guard state == .connecting else { return }
    state = .ready
    if let startTimer { loop.cancel(startTimer) }
    startTimer = nil
    scheduleKeepalive(limits.keepaliveNs)
    onReady?()
  }

  private func goAwayArrived(_ errorCode: UInt32, _ text: String) {
    goAway = .goAway(errorCode: errorCode, text: text)
    guard state == .ready else { return }
    state = .leaving
    onGoAway?()
  }

  func connectionClosed(_ connection: Connection, _ reason: DisconnectReason) {
    guard connection === self.connection else { return }
    self.connection = nil
    if let startTimer { loop.cancel(startTimer) }
    startTimer = nil
    if state == .connecting, case .connect = reason { return connectNext(after: reason) }
    if state == .connecting, reason == .timeout(.connect) { return connectNext(after: reason) }
    end(reason == .local ? reason : goAway ?? reason)
  }
}
