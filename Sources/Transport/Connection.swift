internal import EventLoop
internal import Files
internal import HTTP2
internal import TLS

protocol ConnectionDelegate: AnyObject {
  /// TLS is done and `session` is there.
  func connectionSecured(_ connection: Connection)
  /// `bytes` is what an event's range points into, valid for the call.
  func connection(_ connection: Connection, _ event: HTTP2Event, _ bytes: borrowing Span<UInt8>)
  /// Once; the connection is not used after that.
  func connectionClosed(_ connection: Connection, _ reason: DisconnectReason)
}

/// One socket with TLS and HTTP/2 on it, for both roles. What it queues is written once, when the wake ends.
final class Connection: WakeEndObserver {
  enum Phase { case connecting, handshaking, open, lingering, closed }

  let address: SocketAddress
  let createdNs: Int64
  /// Each holds the other until the connection has ended.
  var delegate: (any ConnectionDelegate)?
  private(set) var session: HTTP2Session?
  private(set) var phase: Phase
  private(set) var securedNs: Int64 = 0
  private(set) var peer: TLSPeer?
  private(set) var hasPeerSettings = false
  /// Since when the socket takes nothing.
  private(set) var blockedSinceNs: Int64?
  private let loop: EventLoop
  private let buffers: TransportBuffers
  private let limits: HTTP2Limits
  private let anonymousLimits: HTTP2Limits
  private let role: HTTP2Role
  private var socket: StreamSocket?
  private var tls: TLSSession?
  private var watch: Watch?
  private var interest: Readiness = []
  /// Frames that the socket refused, from `unsentFrom` on.
  private var unsent: [UInt8] = []
  private var unsentFrom = 0
  private var isFlushQueued = false
  private var closing: DisconnectReason?
  private var discarded = 0

  init(
    loop: EventLoop, buffers: TransportBuffers, socket: StreamSocket, role: HTTP2Role, limits: HTTP2Limits,
    anonymousLimits: HTTP2Limits? = nil
  ) {
    self.loop = loop
    self.buffers = buffers
    self.socket = socket
    address = socket.address
    self.role = role
    self.limits = limits
    self.anonymousLimits = anonymousLimits ?? limits
    createdNs = Clock.monotonicNs()
    phase = role == .client ? .connecting : .handshaking
  }

  /// Begins with the handshake; for a client, once the socket is connected.
  func start(_ context: TLSContext) throws(DisconnectReason) {
    guard let raw = socket?.descriptor.raw else { return }
    do throws(TLSError) { tls = try TLSSession.make(context, descriptor: raw) } catch { throw .tls(error) }
    interest = role == .client ? [.read, .write] : .read
    do throws(LoopError) {
      watch = try loop.watch(raw, interest) { [unowned self] in ready($0) }
    } catch {
      throw .connect(error)
    }
  }

  // MARK: Events of the loop

  private func ready(_ readiness: Readiness) {
    // A callback may drop the last reference.
    withExtendedLifetime(self) {
      switch phase {
      case .connecting: connected()
      case .handshaking: handshake()
      case .open:
        if readiness.contains(.read) { read() }
        scheduleFlush()
      case .lingering: discard()
      case .closed: break
      }
    }
  }

  private func connected() {
    let code = socket.map { Socket.failure(of: $0.descriptor) } ?? 0
    if code != 0 { return close(.connect(LoopError("connect to \(address)", code: code))) }
    phase = .handshaking
    handshake()
  }

  private func handshake() {
    switch tls?.handshake() {
    case .wantRead: setInterest(.read)
    case .wantWrite: setInterest(.write)
    case .bytes: secured()
    case .failed(let error): refuse(.tls(error))
    case .closed, nil: close(.peerClosed)
    }
  }

  private func secured() {
    phase = .open
    securedNs = loop.nowNs
    peer = tls?.peer
    setInterest(.read)
    do throws(HTTP2Error) {
      session = try HTTP2Session(role: role, limits: peer == nil ? anonymousLimits : limits, nowNs: loop.nowNs)
    } catch {
      return close(.protocolFailure(error))
    }
    delegate?.connectionSecured(self)
    scheduleFlush()
    // The first frames may have come with the handshake's last bytes.
    if phase == .open { read() }
  }

  private func read() {
    // Taken out for the time of reading: what a handler does may come back here through another connection.
    var input = buffers.input
    buffers.input = []
    defer { buffers.input = input }
    while phase == .open {
      var span = input.mutableSpan
      switch tls?.read(into: &span) {
      case .bytes(let count): receive(input.span.extracting(0..<count))
      case .wantRead, .wantWrite: return
      case .failed(let error): return close(role == .client && !hasPeerSettings ? .tls(error) : reason(of: error))
      case .closed, nil: return close(.peerClosed)
      }
      // Level-triggered epoll reports more in the socket; only what OpenSSL holds must be read now.
      if tls?.hasPending != true { return }
    }
  }

  private func reason(of error: TLSError) -> DisconnectReason {
    if case .connection = error { return .peerClosed }
    return .tls(error)
  }

  private func receive(_ bytes: borrowing Span<UInt8>) {
    guard let session else { return }
    var failure: HTTP2Error?
    do throws(HTTP2Error) { try session.receive(bytes, nowNs: loop.nowNs) } catch { failure = error }
    deliver(session, bytes)
    if let failure, phase == .open { refuse(.protocolFailure(failure)) }
  }

  private func deliver(_ session: HTTP2Session, _ bytes: borrowing Span<UInt8>) {
    for event in session.takeEvents() {
      if phase != .open { return }
      if case .settings = event { hasPeerSettings = true }
      delegate?.connection(self, event, bytes)
    }
  }

  // MARK: Writing

  /// Writes what is queued when the wake ends: many frames, one record.
  func scheduleFlush() {
    if isFlushQueued || phase != .open { return }
    isFlushQueued = true
    loop.atWakeEnd(self)
  }

  func wakeEnded() {
    isFlushQueued = false
    withExtendedLifetime(self) { flush() }
  }

  private func flush() {
    guard phase == .open, let session else { return }
    writeOut(session)
    // Sending ends streams and empties queues.
    let nothing: [UInt8] = []
    if phase == .open { deliver(session, nothing.span) }
    if phase == .open && unsent.isEmpty && !session.isAlive {
      close(closing ?? (role == .client ? .peerClosed : .local))
    }
  }

  private func writeOut(_ session: HTTP2Session) {
    while phase == .open {
      guard writeUnsent() else { return }
      var output = buffers.output
      buffers.output = []
      output.removeAll(keepingCapacity: true)
      defer { buffers.output = output }
      var failure: HTTP2Error?
      var isMore = false
      do throws(HTTP2Error) {
        isMore = try session.output(into: &output, limitBytes: buffers.outputBytes, nowNs: loop.nowNs)
      } catch {
        failure = error
      }
      if let failure { return refuse(.protocolFailure(failure)) }
      if !isMore { break }
      guard let written = write(output.span) else { return }
      if written < output.count {
        unsent = Array(output[written...])
        unsentFrom = 0
      }
    }
  }

  /// - Returns: whether all is out and the connection still lives.
  private func writeUnsent() -> Bool {
    if unsent.isEmpty {
      setInterest(.read)
      return true
    }
    guard let written = write(unsent.span.extracting(droppingFirst: unsentFrom)) else { return false }
    unsentFrom += written
    if unsentFrom < unsent.count {
      if blockedSinceNs == nil || written > 0 { blockedSinceNs = loop.nowNs }
      setInterest([.read, .write])
      return false
    }
    unsent = []
    unsentFrom = 0
    blockedSinceNs = nil
    setInterest(.read)
    return true
  }

  /// - Returns: how much the socket took; `nil` where the connection has been closed for it.
  private func write(_ bytes: borrowing Span<UInt8>) -> Int? {
    var done = 0
    while done < bytes.count {
      switch tls?.write(bytes.extracting(droppingFirst: done)) {
      case .bytes(let count): done += count
      case .wantRead, .wantWrite: return done
      case .closed, nil:
        close(.peerClosed)
        return nil
      case .failed(let error):
        // A refused client may still find the peer's alert in front of the reset.
        readAlert(error)
        return nil
      }
    }
    return done
  }

  private func readAlert(_ error: TLSError) {
    if role == .client && !hasPeerSettings {
      var input = [UInt8](repeating: 0, count: 256)
      var span = input.mutableSpan
      if case .failed(.refused(let alert)) = tls?.read(into: &span) { return close(.tls(.refused(alert))) }
    }
    close(reason(of: error))
  }

  private func setInterest(_ wanted: Readiness) {
    guard wanted != interest, let watch else { return }
    interest = wanted
    loop.change(watch, wanted)
  }

  // MARK: Ending

  /// Sends the peer the reason, by an alert or a GOAWAY, and waits a moment so that it can read that: closing a socket with
  /// unread bytes would destroy it.
  func refuse(_ reason: DisconnectReason) {
    guard phase != .closed, phase != .lingering else { return }
    if phase == .open, let session {
      var last: [UInt8] = []
      if unsent.isEmpty, (try? session.output(into: &last, limitBytes: 4 << 10, nowNs: loop.nowNs)) == true {
        _ = tls?.write(last.span)
      }
    }
    if role == .client { return close(reason) }
    if let socket { Socket.shutdownWriting(socket.descriptor) }
    setInterest(.read)
    phase = .lingering
    closing = reason
    tellClosed(reason)
  }

  private func tellClosed(_ reason: DisconnectReason) {
    let owner = delegate
    delegate = nil
    owner?.connectionClosed(self, reason)
  }

  /// Ends after what is queued has gone out and the open streams are done.
  func terminate(errorCode: UInt32, _ reason: DisconnectReason) {
    closing = reason
    session?.terminate(errorCode: errorCode)
    scheduleFlush()
  }

  /// Reads and drops, until the peer closes too.
  private func discard() {
    var bytes: [UInt8] = []
    var isOver = false
    do throws(FileError) {
      isOver = try socket?.descriptor.read(into: &bytes, count: 16 << 10) == 0
    } catch {
      isOver = true
    }
    discarded += bytes.count
    if isOver || discarded > 1 << 20 { release() }
  }

  func close(_ reason: DisconnectReason) {
    guard phase != .closed else { return }
    let wasLingering = phase == .lingering
    if phase == .open, reason == .local || reason == .peerClosed { tls?.shutdown() }
    release()
    if !wasLingering { tellClosed(reason) }
  }

  private func release() {
    phase = .closed
    if let watch { loop.unwatch(watch) }
    watch = nil
    tls = nil
    session = nil
    unsent = []
    socket = nil
  }
}
