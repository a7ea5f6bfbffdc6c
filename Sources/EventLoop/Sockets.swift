internal import CLinux
package import Files

/// A numeric address and port: "10.0.0.7", "::1".
package struct SocketAddress: Sendable, Hashable, CustomStringConvertible {
  package let host: String
  package let port: UInt16

  package init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  package var description: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)" }

  /// Splits "host:port" or "[v6]:port". The host may be a name.
  /// - Returns: `nil` where there is no port of 0...65535 or no host.
  package static func parse(_ text: String) -> SocketAddress? {
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else { return nil }
    var host = text[..<colon]
    if host.first == "[", host.last == "]" {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      return nil
    }
    return host.isEmpty ? nil : SocketAddress(host: String(host), port: port)
  }
}

/// Sockets, all non-blocking and closed on exec.
package enum Socket {
  private static let hostCapacity = 80

  /// The numeric addresses of a name, at most 8. getaddrinfo(3) may block on DNS; a numeric address never does.
  package static func resolve(_ name: String) throws(LoopError) -> [String] {
    var found: [String] = []
    var index: Int32 = 0
    while index < 8 {
      var count: Int32 = 0
      let host = unsafe text { unsafe count = sbx_resolve(name, index, $0, Int32(hostCapacity)) }
      if count < 0 { throw LoopError("resolve \(name)", code: count) }
      if index >= count { break }
      if !host.isEmpty { found.append(host) }
      index += 1
    }
    return found
  }

  /// Listens with SO_REUSEPORT, so that each loop may have its own listener. Port 0: the kernel's choice, see `localAddress`.
  package static func listen(_ address: SocketAddress, backlog: Int32 = 4096) throws(LoopError) -> Descriptor {
    let raw = unsafe sbx_tcp_listen(address.host, address.port, backlog, 1)
    if raw < 0 { throw .last("listen on \(address)") }
    return Descriptor(adopting: raw, path: address.description)
  }

  /// Throws where the port is in use already: `listen` shares a port, and so would not notice another program.
  package static func requireFree(_ address: SocketAddress) throws(LoopError) {
    if address.port == 0 { return }
    let raw = unsafe sbx_tcp_listen(address.host, address.port, 1, 0)
    if raw < 0 { throw .last("listen on \(address)") }
    _ = Descriptor(adopting: raw, path: address.description)
  }

  /// Begins to connect: writable means done, then ask `failure`.
  package static func connect(_ address: SocketAddress) throws(LoopError) -> StreamSocket {
    let raw = unsafe sbx_tcp_connect(address.host, address.port)
    if raw < 0 { throw .last("connect to \(address)") }
    return StreamSocket(Descriptor(adopting: raw, path: address.description), address: address)
  }

  /// Whether a machine is there: one that accepts or refuses a connection is, one that does not answer is not known to be.
  ///
  /// Blocks for up to `timeoutMs`.
  package static func answers(_ address: SocketAddress, timeoutMs: Int32) -> Bool {
    let raw = unsafe sbx_tcp_connect(address.host, address.port)
    if raw < 0 { return LoopError.last("ask \(address)").isRefused }
    let socket = Descriptor(adopting: raw, path: address.description)
    guard sbx_poll_write(socket.raw, timeoutMs) > 0 else { return false }
    let code = failure(of: socket)
    return code == 0 || LoopError("ask \(address)", code: code).isRefused
  }

  /// - Returns: `nil` where no connection waits.
  package static func accept(_ listener: borrowing Descriptor) throws(LoopError) -> StreamSocket? {
    var port: UInt16 = 0
    var raw: Int32 = -1
    let fd = listener.raw
    let host = unsafe text { unsafe raw = sbx_tcp_accept(fd, $0, Int32(hostCapacity), &port) }
    if raw < 0 {
      let code = sbx_errno()
      if LoopError.isTransient(code) { return nil }
      throw LoopError("accept", code: code)
    }
    let address = SocketAddress(host: host, port: port)
    return StreamSocket(Descriptor(adopting: raw, path: address.description), address: address)
  }

  package static func localAddress(_ socket: borrowing Descriptor) throws(LoopError) -> SocketAddress {
    var port: UInt16 = 0
    var result: Int32 = -1
    let fd = socket.raw
    let host = unsafe text { unsafe result = sbx_local_address(fd, $0, Int32(hostCapacity), &port) }
    if result != 0 { throw .last("read the address of \(socket.path)") }
    return SocketAddress(host: host, port: port)
  }

  /// TCP_NODELAY, keepalive, and how long unacknowledged data may stay so before the kernel gives up.
  package static func tune(_ socket: borrowing Descriptor, userTimeoutMs: UInt32) {
    _ = sbx_tcp_tune(socket.raw, userTimeoutMs)
  }

  /// The pending error of a connect, errno; 0 for none.
  package static func failure(of socket: borrowing Descriptor) -> Int32 { sbx_socket_error(socket.raw) }

  /// Ends our sending; the other direction stays open.
  package static func shutdownWriting(_ socket: borrowing Descriptor) { _ = sbx_shutdown_writing(socket.raw) }

  /// The path must not exist yet.
  package static func listenUnix(_ path: String, backlog: Int32 = 64) throws(LoopError) -> Descriptor {
    let raw = unsafe sbx_unix_listen(path, backlog)
    if raw < 0 { throw .last("listen on \(path)") }
    return Descriptor(adopting: raw, path: path)
  }

  package static func connectUnix(_ path: String) throws(LoopError) -> Descriptor {
    let raw = unsafe sbx_unix_connect(path)
    if raw < 0 { throw .last("connect to \(path)") }
    return Descriptor(adopting: raw, path: path)
  }

  package static func acceptUnix(_ listener: borrowing Descriptor) throws(LoopError) -> Descriptor? {
    let raw = sbx_unix_accept(listener.raw)
    if raw >= 0 { return Descriptor(adopting: raw, path: listener.path) }
    let code = sbx_errno()
    if LoopError.isTransient(code) { return nil }
    throw LoopError("accept on \(listener.path)", code: code)
  }

  /// The process at the other end of a Unix socket and its user, when it connected.
  package static func peer(of socket: borrowing Descriptor) throws(LoopError) -> (pid: Int32, uid: UInt32) {
    var pid: Int32 = 0
    var uid: UInt32 = 0
    // Both live for the call.
    if unsafe sbx_unix_peer(socket.raw, &pid, &uid) != 0 { throw .last("ask for the peer of \(socket.path)") }
    return (pid, uid)
  }

  /// Runs `fill` on a buffer of `hostCapacity` bytes that it leaves NUL-terminated.
  private static func text(_ fill: (UnsafeMutablePointer<CChar>) -> Void) -> String {
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: hostCapacity) { memory in
      unsafe memory.initialize(repeating: 0)
      unsafe fill(memory.baseAddress!)
      return unsafe String(cString: memory.baseAddress!)
    }
  }
}

/// A connected socket and its peer's address. Closed when the last reference goes.
package final class StreamSocket {
  package let descriptor: Descriptor
  package let address: SocketAddress

  package init(_ descriptor: consuming Descriptor, address: SocketAddress) {
    self.descriptor = descriptor
    self.address = address
  }
}

extension LoopError {
  /// accept(2): nothing waits, or the peer left before it was accepted.
  static func isTransient(_ code: Int32) -> Bool {
    [11 /* EAGAIN */, 4 /* EINTR */, 103 /* ECONNABORTED */, 71 /* EPROTO */].contains(code)
  }

  /// No descriptor or memory left: pause, then try again.
  package var isOutOfResources: Bool {
    [24 /* EMFILE */, 23 /* ENFILE */, 12 /* ENOMEM */, 105 /* ENOBUFS */].contains(code)
  }
}

extension Descriptor {
  /// Writes what fits now.
  /// - Returns: how much; `nil` where nothing fits (EAGAIN).
  package borrowing func writeSome(_ bytes: Span<UInt8>) throws(LoopError) -> Int? {
    let raw = self.raw
    // The span's memory lives for the call.
    let written = unsafe bytes.withUnsafeBufferPointer { unsafe sbx_write(raw, $0.baseAddress, UInt($0.count)) }
    if written >= 0 { return written }
    let code = sbx_errno()
    if code == 11 || code == 4 { return nil }
    throw LoopError("write to \(path)", code: code)
  }
}
