import EventLoop
import Files
import TLS

/// A client that speaks TLS, or not even that, and then whatever bytes a test gives it.
final class RawPeer {
  private(set) var received: [UInt8] = []
  private(set) var isClosed = false
  private(set) var isSecured = false
  private(set) var failure: TLSError?
  /// False: bytes stay in the socket, as with a peer that hangs.
  var reads = true
  private let loop: EventLoop
  private let socket: StreamSocket
  private var tls: TLSSession?
  private var watch: Watch?
  private var pending: [UInt8] = []

  init(_ loop: EventLoop, _ address: SocketAddress, _ context: TLSContext?) throws {
    self.loop = loop
    socket = try Socket.connect(address)
    if let context { tls = try TLSSession.make(context, descriptor: socket.descriptor.raw) }
    watch = try loop.watch(socket.descriptor.raw, [.read, .write]) { [unowned self] in ready($0) }
  }

  deinit { close() }

  func close() {
    if let watch { loop.unwatch(watch) }
    watch = nil
    isClosed = true
  }

  func send(_ bytes: [UInt8]) {
    pending += bytes
    flush()
  }

  var unsentBytes: Int { pending.count }

  private func ready(_ readiness: Readiness) {
    if tls == nil { return readPlain() }
    if !isSecured {
      switch tls?.handshake() {
      case .bytes: isSecured = true
      case .failed(let error): return fail(error)
      case .closed: return close()
      default: return
      }
    }
    if reads { read() }
    flush()
  }

  private func fail(_ error: TLSError) {
    failure = error
    close()
  }

  private func readPlain() {
    var bytes: [UInt8] = []
    do {
      if let got = try socket.descriptor.read(into: &bytes, count: 1000), got == 0 { close() }
    } catch {
      close()
    }
  }

  private func read() {
    var buffer = [UInt8](repeating: 0, count: 16 << 10)
    while !isClosed {
      var span = buffer.mutableSpan
      switch tls?.read(into: &span) {
      case .bytes(let count): received += buffer[..<count]
      case .wantRead, .wantWrite: return
      case .failed(let error): return fail(error)
      case .closed, nil: return close()
      }
    }
  }

  private func flush() {
    while isSecured, !isClosed, !pending.isEmpty {
      switch tls?.write(pending.span) {
      case .bytes(let count): pending.removeFirst(count)
      case .wantRead, .wantWrite: return interest()
      case .failed(let error): return fail(error)
      case .closed, nil: return close()
      }
    }
    interest()
  }

  private func interest() {
    guard let watch, isSecured else { return }
    var wanted: Readiness = reads ? .read : []
    if !pending.isEmpty { wanted.insert(.write) }
    loop.change(watch, wanted)
  }
}

/// HTTP/2 frames by hand (RFC 9113, 4.1).
enum Frame {
  static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
  static let settings = make(4, 0, 0, [])
  static let settingsAcknowledgement = make(4, 1, 0, [])
  static let hello = preface + settings

  static func make(_ type: UInt8, _ flags: UInt8, _ stream: UInt32, _ payload: [UInt8]) -> [UInt8] {
    [
      UInt8(payload.count >> 16), UInt8(truncatingIfNeeded: payload.count >> 8),
      UInt8(truncatingIfNeeded: payload.count),
    ]
      + [type, flags] + number(stream) + payload
  }

  static func number(_ value: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
  }

  /// A literal field without indexing (RFC 7541, 6.2.2); both parts shorter than 127 bytes.
  static func field(_ name: String, _ value: String) -> [UInt8] {
    [0, UInt8(name.utf8.count)] + Array(name.utf8) + [UInt8(value.utf8.count)] + Array(value.utf8)
  }

  static func block(_ path: String) -> [UInt8] {
    field(":method", "POST") + field(":scheme", "https") + field(":path", path) + field(":authority", "x")
      + field("content-type", "application/grpc") + field("te", "trailers")
  }

  static func headers(_ stream: UInt32, _ path: String = "/test.Echo/Stream", extra: [UInt8] = []) -> [UInt8] {
    make(1, 4, stream, block(path) + extra)
  }

  static func data(_ stream: UInt32, _ bytes: [UInt8]) -> [UInt8] { make(0, 0, stream, bytes) }
  static func reset(_ stream: UInt32) -> [UInt8] { make(3, 0, stream, number(8)) }
  static func windowUpdate(_ stream: UInt32, _ increment: UInt32) -> [UInt8] { make(8, 0, stream, number(increment)) }
  static func setting(_ id: UInt16, _ value: UInt32) -> [UInt8] {
    make(4, 0, 0, [UInt8(id >> 8), UInt8(truncatingIfNeeded: id)] + number(value))
  }

  /// Types of the whole frames in `bytes`.
  static func types(_ bytes: [UInt8]) -> [UInt8] {
    var found: [UInt8] = []
    var at = 0
    while at + 9 <= bytes.count {
      found.append(bytes[at + 3])
      at += 9 + Int(bytes[at]) << 16 + Int(bytes[at + 1]) << 8 + Int(bytes[at + 2])
    }
    return found
  }
}
