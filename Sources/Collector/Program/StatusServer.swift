package import EventLoop
internal import Files

/// What bounds the status port.
package struct StatusLimits: Sendable {
  /// A fresh connection takes the place of the oldest one: connections that are held open cannot block the port.
  package var connections = 64
  /// A whole connection, whatever it sends: a probe's question comes with its first packet.
  package var lifetimeNs: Int64 = 5_000_000_000
  /// Accepted at one wake, so that a flood leaves turns for signals and supervision.
  package var acceptsPerWake = 32
  /// How long none is accepted when descriptors have run out; the waiting one would wake the loop again and again.
  package var pauseNs: Int64 = 200_000_000

  package init() {}
}

/// The port for Prometheus and health checks, on the main loop. One answer a connection, and bounds of its own, so that
/// neither agents nor strangers at this port decide whether `/health` answers.
package final class StatusServer {
  private let loop: EventLoop
  private let listener: Descriptor
  private let limits: StatusLimits
  private let metrics: () -> String
  private let problem: () -> String?
  private let detail: () -> String
  /// Oldest first.
  private var connections: [StatusConnection] = []
  private var watch: Watch?
  package let address: SocketAddress
  /// Connections that had to make room for a newer one.
  package private(set) var displaced: UInt64 = 0

  package init(
    loop: EventLoop, address: SocketAddress, limits: StatusLimits = StatusLimits(), metrics: @escaping () -> String,
    problem: @escaping () -> String?, detail: @escaping () -> String = { "" }
  ) throws(LoopError) {
    self.loop = loop
    self.limits = limits
    listener = try Socket.listen(address, backlog: 128)
    self.address = try Socket.localAddress(listener)
    self.metrics = metrics
    self.problem = problem
    self.detail = detail
    watch = try loop.watch(listener.raw, .read) { [unowned self] _ in accept() }
  }

  package var openConnections: Int { connections.count }

  private func accept() {
    for _ in 0..<limits.acceptsPerWake {
      do throws(LoopError) {
        guard let accepted = try Socket.accept(listener) else { return }
        begin(StatusConnection(accepted))
      } catch {
        if error.isOutOfResources { makeRoomOrPause() }
        return
      }
    }
  }

  private func begin(_ connection: StatusConnection) {
    // Most questions are there already: their answer needs no place.
    if answer(connection) { return }
    if connections.count >= limits.connections, let oldest = connections.first {
      displaced += 1
      close(oldest)
    }
    let raw = connection.socket.descriptor.raw
    guard
      let watch = try? loop.watch(
        raw, .read,
        { [unowned self, unowned connection] _ in
          if answer(connection) { close(connection) }
        })
    else { return }
    connection.watch = watch
    connections.append(connection)
    connection.deadline = loop.after(limits.lifetimeNs) { [weak self, weak connection] in
      if let connection { self?.close(connection) }
    }
  }

  /// The process has no descriptor left; an idle connection of this port gives up its own.
  private func makeRoomOrPause() {
    if let oldest = connections.first {
      displaced += 1
      return close(oldest)
    }
    guard let watch else { return }
    loop.change(watch, [])
    loop.after(limits.pauseNs) { [weak self] in
      if let self, let watch = self.watch { loop.change(watch, .read) }
    }
  }

  /// Reads what has come.
  /// - Returns: whether the connection is over: it was answered, or the peer has gone.
  private func answer(_ connection: StatusConnection) -> Bool {
    let got: Int?
    do throws(FileError) {
      got = try connection.socket.descriptor.read(into: &connection.request, count: 4096)
    } catch {
      return true
    }
    // Nothing has come yet.
    guard let got else { return false }
    if got == 0 { return true }
    guard let response = StatusPage.response(to: connection.request, metrics: metrics, problem: problem, detail: detail)
    else {
      return false
    }
    // It fits the socket's buffer; what does not is cut with the connection.
    _ = try? connection.socket.descriptor.writeSome(response.span)
    Socket.shutdownWriting(connection.socket.descriptor)
    return true
  }

  private func close(_ connection: StatusConnection) {
    guard let index = connections.firstIndex(where: { $0 === connection }) else { return }
    connections.remove(at: index)
    if let watch = connection.watch { loop.unwatch(watch) }
    if let deadline = connection.deadline { loop.cancel(deadline) }
  }
}

private final class StatusConnection {
  let socket: StreamSocket
  var watch: Watch?
  var deadline: TimerID?
  var request: [UInt8] = []

  init(_ socket: StreamSocket) { self.socket = socket }
}
