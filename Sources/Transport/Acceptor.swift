internal import EventLoop
internal import Files

/// Accepts connections within the limits on half-open ones: each address gets a few handshakes at a time, the rest wait.
final class Acceptor {

  let address: SocketAddress
  private unowned let server: RPCServer
  private let loop: EventLoop
  private var listener: StreamSocket?
  private var watch: Watch?
  /// Handshakes under way by address.
  private var handshakes: [String: Int] = [:]
  /// Accepted connections that wait for their turn, oldest first, by address.
  private var waiting: [String: [ServerConnection]] = [:]
  private var halfOpen = 0
  private var isPaused = false

  /// No handshake is under way.
  var isQuiet: Bool { halfOpen == 0 }

  init(server: RPCServer, address: SocketAddress) throws(LoopError) {
    self.server = server
    loop = server.loop
    let socket = try Socket.listen(address)
    let bound = try Socket.localAddress(socket)
    self.address = bound
    let raw = socket.raw
    listener = StreamSocket(socket, address: bound)
    watch = try loop.watch(raw, .read) { [unowned self] _ in acceptAll() }
  }

  func close() {
    if let watch { loop.unwatch(watch) }
    watch = nil
    listener = nil
  }

  private func acceptAll() {
    // A bounded number a wake: the connections that are there have their turn too.
    for _ in 0..<64 where !isPaused {
      do throws(LoopError) {
        guard let accepted = try acceptOne() else { return }
        admit(accepted)
      } catch {
        if error.isOutOfResources { pause() }
        return
      }
    }
  }

  private func acceptOne() throws(LoopError) -> StreamSocket? {
    guard let listener else { return nil }
    return try Socket.accept(listener.descriptor)
  }

  private func admit(_ socket: StreamSocket) {
    server.counters.accepted += 1
    let host = socket.address.host
    let isFull =
      server.openConnections >= server.limits.connections
      || waiting[host, default: []].count >= server.limits.waitingPerAddress
    if isFull {
      // Closed by leaving: the peer sees an end and backs off.
      server.counters.refusedFull += 1
      return
    }
    Socket.tune(socket.descriptor, userTimeoutMs: server.limits.userTimeoutMs)
    let connection = ServerConnection(server: server, socket: socket)
    server.connections[ObjectIdentifier(connection)] = connection
    halfOpen += 1
    if handshakes[host, default: 0] < server.limits.halfOpenPerAddress {
      begin(connection)
    } else {
      waiting[host, default: []].append(connection)
    }
    // The kernel's backlog holds the others until one of these is done or out of time.
    if halfOpen >= server.limits.halfOpen { setListening(false) }
  }

  private func begin(_ connection: ServerConnection) {
    handshakes[connection.address.host, default: 0] += 1
    connection.start()
  }

  /// A handshake has succeeded, failed or run out of time: the next of that address has its turn.
  func handshakeEnded(_ host: String) {
    halfOpen -= 1
    let left = handshakes[host, default: 1] - 1
    handshakes[host] = left > 0 ? left : nil
    var queue = waiting.removeValue(forKey: host) ?? []
    while !queue.isEmpty, handshakes[host, default: 0] < server.limits.halfOpenPerAddress {
      begin(queue.removeFirst())
    }
    if !queue.isEmpty { waiting[host] = queue }
    slotsChanged()
  }

  /// One that waited has gone.
  func gaveUp(_ connection: ServerConnection) {
    halfOpen -= 1
    let host = connection.address.host
    waiting[host]?.removeAll { $0 === connection }
    if waiting[host]?.isEmpty == true { waiting[host] = nil }
    slotsChanged()
  }

  func slotsChanged() {
    if !isPaused, halfOpen < server.limits.halfOpen { setListening(true) }
  }

  /// Descriptors have run out: the waiting connection would wake the loop again and again.
  private func pause() {
    server.counters.acceptPauses += 1
    isPaused = true
    setListening(false)
    loop.after(server.limits.acceptPauseNs) { [weak self] in
      guard let self else { return }
      isPaused = false
      slotsChanged()
    }
  }

  private func setListening(_ isOn: Bool) {
    if let watch { loop.change(watch, isOn ? .read : []) }
  }
}
