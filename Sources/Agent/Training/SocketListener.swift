package import EventLoop
internal import Files
package import FleetModel

/// The local Unix socket on which training programs report: accepts, reads, hands records over.
///
/// What it answers and refuses is `SocketSession`'s; this only moves bytes. It never waits for a program, and a program never
/// waits for it: what is written is read at once, and complaints that the program does not read are dropped.
package final class SocketListener {
  private let loop: EventLoop
  private let path: String
  private let listener: Descriptor
  private let limits: SocketLimits
  private let redact: (String) -> String
  private let deliver: (Records) -> Void
  private let announce: (AnnouncedProcess) -> Void
  private var watch: Watch?
  private var connections: [Int32: Connection] = [:]
  private var buffer: [UInt8] = []
  /// Connections that were closed at once because there were too many.
  package private(set) var refusedTotal: UInt64 = 0

  private final class Connection {
    let socket: Descriptor
    var session: SocketSession
    var watch: Watch?
    /// A complaint did not fit whole: another one behind its half would be unreadable.
    var isDeaf = false

    init(_ socket: consuming Descriptor, _ session: SocketSession) {
      self.socket = socket
      self.session = session
    }
  }

  /// How long to wait for a free descriptor.
  private static let retryNs: Int64 = 1_000_000_000
  private static let chunkBytes = 64 << 10
  /// A program that writes on and on does not keep the agent from ending.
  private static let lastChunksMax = 16

  /// Listens on `path` with mode 0660: who may write to the socket is decided by its group and directory. A socket that a
  /// dead agent left there is replaced; one that a process listens on, or another kind of file, is an error.
  ///
  /// - Parameters:
  ///   - redact: removes secrets from a text.
  ///   - deliver: receives what programs reported, on the loop's thread.
  ///   - announce: receives the starts and ends of processes.
  package init(
    path: String, loop: EventLoop, limits: SocketLimits = SocketLimits(), redact: @escaping (String) -> String,
    announce: @escaping (AnnouncedProcess) -> Void = { _ in }, deliver: @escaping (Records) -> Void
  ) throws(LoopError) {
    try Self.removeStale(path)
    listener = try Socket.listenUnix(path)
    do throws(FileError) {
      try HostFiles.setMode(path, 0o660)
    } catch {
      _ = try? HostFiles.remove(path)
      throw LoopError("set permissions of \(path)", code: error.code)
    }
    self.path = path
    self.loop = loop
    self.limits = limits
    self.redact = redact
    self.deliver = deliver
    self.announce = announce
    try listen()
  }

  package var connectionCount: Int { connections.count }

  /// Takes what programs have written so far, closes all connections and removes the socket.
  package func close() {
    if let watch { loop.unwatch(watch) }
    watch = nil
    for connection in Array(connections.values) {
      var chunks = 0
      while chunks < Self.lastChunksMax, receive(connection) { chunks += 1 }
      end(connection)
    }
    _ = try? HostFiles.remove(path)
  }

  private static func removeStale(_ path: String) throws(LoopError) {
    guard let status = try? FileStatus.of(path: path, followingLinks: false) else { return }
    guard status.kind == .socket else { throw LoopError("listen on \(path)", code: LoopError.addressInUse) }
    do throws(LoopError) {
      _ = try Socket.connectUnix(path)
    } catch {
      guard error.code == LoopError.connectionRefused else { throw error }
      _ = try? HostFiles.remove(path)
      return
    }
    throw LoopError("listen on \(path)", code: LoopError.addressInUse)
  }

  private func listen() throws(LoopError) {
    watch = try loop.watch(listener.raw, .read) { [weak self] _ in self?.accept() }
  }

  private func accept() {
    do throws(LoopError) {
      while let socket = try Socket.acceptUnix(listener) {
        let peer = try Socket.peer(of: socket)
        guard connections.count < limits.connectionsMax else {
          refusedTotal += 1
          _ = try? socket.writeSome(Array("{\"error\": \"too many connections\"}\n".utf8).span)
          continue
        }
        try serve(socket, SocketPeer(pid: peer.pid, uid: peer.uid))
      }
    } catch {
      pause()
    }
  }

  /// No descriptor is free: level-triggered, the loop would spin on the waiting connection.
  private func pause() {
    guard let watch else { return }
    loop.unwatch(watch)
    self.watch = nil
    loop.after(Self.retryNs) { [weak self] in
      guard let self, self.watch == nil else { return }
      try? self.listen()
    }
  }

  private func serve(_ socket: consuming Descriptor, _ peer: SocketPeer) throws(LoopError) {
    let raw = socket.raw
    let connection = Connection(socket, SocketSession(peer: peer, limits: limits, redact: redact))
    connection.watch = try loop.watch(raw, .read) { [weak self, weak connection] _ in
      guard let self, let connection else { return }
      self.receive(connection)
    }
    connections[raw] = connection
  }

  /// - Returns: whether there may be more to read.
  @discardableResult
  private func receive(_ connection: Connection) -> Bool {
    buffer.removeAll(keepingCapacity: true)
    do throws(FileError) {
      guard let count = try connection.socket.read(into: &buffer, count: Self.chunkBytes) else { return false }
      if count > 0 {
        take(connection)
        return true
      }
    } catch {
      // Reset by the program: the same as its end.
    }
    end(connection)
    return false
  }

  private func take(_ connection: Connection) {
    var records = Records()
    let replies = connection.session.receive(
      buffer.span, nowNs: Clock.wallNs(), monotonicNs: loop.nowNs, into: &records)
    if !records.isEmpty { deliver(records) }
    for process in connection.session.takeAnnounced() { announce(process) }
    answer(connection, replies)
  }

  private func answer(_ connection: Connection, _ replies: [UInt8]) {
    guard !replies.isEmpty, !connection.isDeaf else { return }
    let written = (try? connection.socket.writeSome(replies.span)) ?? 0
    connection.isDeaf = written < replies.count
  }

  private func end(_ connection: Connection) {
    guard let watch = connection.watch else { return }
    loop.unwatch(watch)
    connection.watch = nil
    connections[connection.socket.raw] = nil
    var records = Records()
    connection.session.close(nowNs: Clock.wallNs(), into: &records)
    if !records.isEmpty { deliver(records) }
    for process in connection.session.takeAnnounced() { announce(process) }
  }
}

extension LoopError {
  /// EADDRINUSE and ECONNREFUSED of errno(3).
  fileprivate static let addressInUse: Int32 = 98
  fileprivate static let connectionRefused: Int32 = 111
}
