internal import EventLoop
internal import Files

/// The loopback port for Prometheus and health checks, on the main loop. Few clients, one answer a connection.
final class StatusServer {
  private static let connectionsMax = 32
  private static let lifetimeNs: Int64 = 5_000_000_000

  private let loop: EventLoop
  private let listener: Descriptor
  private let metrics: () -> String
  private let problem: () -> String?
  private let detail: () -> String
  private var connections: [Int32: StatusConnection] = [:]
  let address: SocketAddress

  init(
    loop: EventLoop, address: SocketAddress, metrics: @escaping () -> String, problem: @escaping () -> String?,
    detail: @escaping () -> String
  ) throws(LoopError) {
    self.loop = loop
    listener = try Socket.listen(address, backlog: 32)
    self.address = try Socket.localAddress(listener)
    self.metrics = metrics
    self.problem = problem
    self.detail = detail
    try loop.watch(listener.raw, .read) { [unowned self] _ in accept() }
  }

  private func accept() {
    while let accepted = (try? Socket.accept(listener)) ?? nil {
      guard connections.count < Self.connectionsMax else { continue }
      let connection = StatusConnection(accepted)
      let raw = connection.socket.descriptor.raw
      guard let watch = try? loop.watch(raw, .read, { [unowned self] _ in read(raw) }) else { continue }
      connection.watch = watch
      connections[raw] = connection
      loop.after(Self.lifetimeNs) { [weak self, weak connection] in
        if let connection, self?.connections[raw] === connection { self?.close(raw) }
      }
    }
  }

  private func read(_ raw: Int32) {
    guard let connection = connections[raw] else { return }
    guard let got = (try? connection.socket.descriptor.read(into: &connection.request, count: 4096)) ?? nil, got > 0
    else {
      return close(raw)
    }
    let request = connection.request
    if let response = StatusPage.response(to: request, metrics: metrics, problem: problem, detail: detail) {
      // It fits the socket's buffer; what does not is cut with the connection.
      _ = try? connection.socket.descriptor.writeSome(response.span)
      Socket.shutdownWriting(connection.socket.descriptor)
      close(raw)
    }
  }

  private func close(_ raw: Int32) {
    guard let connection = connections.removeValue(forKey: raw) else { return }
    if let watch = connection.watch { loop.unwatch(watch) }
  }
}

private final class StatusConnection {
  let socket: StreamSocket
  var watch: Watch?
  var request: [UInt8] = []

  init(_ socket: StreamSocket) { self.socket = socket }
}
