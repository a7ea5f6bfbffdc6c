internal import EventLoop
internal import Files
internal import TLS

/// A blocking connection of a probe: TCP, TLS over it, or a Unix socket.
final class CheckConnection {
  private let socket: Descriptor
  private var tls: TLSProbe?
  private var buffer = [UInt8](repeating: 0, count: 16 << 10)

  private init(_ socket: consuming Descriptor) { self.socket = socket }

  /// Tries each address of the host in turn.
  /// - Parameter target: HOST:PORT.
  static func open(_ target: SocketAddress, _ permissions: CheckPermissions) throws(CheckFailure) -> CheckConnection {
    let numbers: [String]
    do throws(LoopError) { numbers = try Socket.resolve(target.host) } catch { throw CheckFailure(error.description) }
    let allowed = numbers.filter { permissions.allowsAsking(target.host, numeric: $0) }
    guard !allowed.isEmpty else {
      throw .notAsked(
        "\(target.host) is not this host, and may be asked only where its owner adds --allow-address \(target.host)")
    }
    var last = CheckFailure("\(target.host) has no address")
    for number in allowed {
      do throws(LoopError) {
        return CheckConnection(try Socket.connectBlocking(SocketAddress(host: number, port: target.port)))
      } catch { last = CheckFailure(error.description) }
    }
    throw last
  }

  /// - Parameter path: of a socket that the host allows to be asked.
  static func open(socket path: String) throws(CheckFailure) -> CheckConnection {
    do throws(LoopError) {
      return CheckConnection(try Socket.connectUnixBlocking(path))
    } catch { throw CheckFailure(error.description) }
  }

  /// - Returns: what the server shows.
  func startTLS(_ host: String) throws(CheckFailure) -> Certificate? {
    do throws(TLSError) {
      let session = try TLSProbe.connect(descriptor: socket.raw, host: host)
      let certificate = session.certificate
      tls = consume session
      return certificate
    } catch { throw CheckFailure("no TLS handshake: \(error)") }
  }

  func send(_ bytes: [UInt8]) throws(CheckFailure) {
    if tls != nil {
      guard tls?.write(bytes.span) == true else { throw CheckFailure("the connection was closed") }
      return
    }
    do throws(FileError) { try socket.write(bytes.span) } catch { throw CheckFailure(error.description) }
  }

  /// - Returns: what has come, nothing at the end.
  func receive() throws(CheckFailure) -> [UInt8] {
    if tls != nil { return Array(buffer[..<(tls?.read(into: &buffer) ?? 0)]) }
    do throws(FileError) {
      return Array(buffer[..<(try socket.reread(into: &buffer, from: 0, at: nil) ?? 0)])
    } catch { throw CheckFailure(error.description) }
  }

  /// Waits for so many bytes.
  /// - Throws: where the other side ends before.
  func receive(_ count: Int) throws(CheckFailure) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      let more = try receive()
      if more.isEmpty { throw CheckFailure("the connection was closed without an answer") }
      bytes += more
    }
    return bytes
  }
}

/// One question of HTTP/1.1. Source: RFC 9112.
struct HTTPQuestion {
  static let headBytesMax = 32 << 10

  let path: String
  /// For the field Host.
  let host: String
  /// Of the body; what is beyond is not read.
  let bodyBytesMax: Int
  var accept = "*/*"

  struct Answer {
    var status: UInt32
    var body: [UInt8]
    /// The body has its end: it neither broke off nor lies beyond the limit.
    var isWhole = false
  }

  func ask(_ connection: CheckConnection) throws(CheckFailure) -> Answer {
    let lines = [
      "GET \(path) HTTP/1.1", "Host: \(host)", "User-Agent: signalbox-agent", "Accept: \(accept)", "Connection: close",
      "", "",
    ]
    try connection.send(Array(lines.joined(separator: "\r\n").utf8))
    var bytes: [UInt8] = []
    var head: HTTPHead?
    while head == nil {
      let more = try connection.receive()
      if more.isEmpty { throw CheckFailure("the connection was closed without an answer of HTTP") }
      bytes += more
      head = HTTPHead(bytes)
      if head == nil, bytes.count > Self.headBytesMax { throw CheckFailure("this is no answer of HTTP") }
    }
    guard let head, let status = head.status else { throw CheckFailure("this is no answer of HTTP") }
    if bodyBytesMax == 0 { return Answer(status: status, body: []) }
    bytes.removeFirst(head.byteCount)
    // A body with chunks has their lengths in between.
    let wanted = min(head.contentLength ?? .max, bodyBytesMax)
    let limit = head.isChunked ? 2 * bodyBytesMax : wanted
    var hasEnded = false
    while bytes.count < limit, !(head.isChunked && HTTPHead.isWhole(bytes)) {
      let more = try connection.receive()
      hasEnded = more.isEmpty
      if hasEnded { break }
      bytes += more
    }
    let body = head.isChunked ? HTTPHead.joined(bytes) : bytes
    // Without a length the end of the connection is the body's.
    let isWhole =
      head.isChunked ? HTTPHead.isWhole(bytes) : head.contentLength.map { bytes.count >= $0 } ?? hasEnded
    return Answer(
      status: status, body: Array(body.prefix(bodyBytesMax)), isWhole: isWhole && body.count <= bodyBytesMax)
  }
}

/// What stands before the body.
struct HTTPHead {
  /// nil where this is no HTTP.
  var status: UInt32?
  var contentLength: Int?
  var isChunked = false
  let byteCount: Int

  /// - Returns: nil while the end of the head has not come.
  init?(_ bytes: [UInt8]) {
    var count = 0
    var lines: [Substring] = []
    let end = Self.end(bytes)
    guard let end else { return nil }
    count = end
    let text = String(decoding: bytes[..<end], as: UTF8.self)
    lines = text.split(whereSeparator: \.isNewline)
    byteCount = count
    guard let first = lines.first, first.hasPrefix("HTTP/1.") else { return }
    let words = first.split(separator: " ")
    status = words.count > 1 ? UInt32(words[1]) : nil
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { continue }
      let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
      switch line[..<colon].lowercased() {
      case "content-length": contentLength = Int(value)
      case "transfer-encoding": isChunked = value.lowercased().hasSuffix("chunked")
      default: break
      }
    }
    if let length = contentLength, length < 0 { contentLength = nil }
  }

  /// Behind the first empty line.
  private static func end(_ bytes: [UInt8]) -> Int? {
    var index = 3
    while index < bytes.count {
      if bytes[index] == 10, bytes[index - 1] == 13, bytes[index - 2] == 10, bytes[index - 3] == 13 { return index + 1 }
      index += 1
    }
    return nil
  }

  /// The last chunk has no bytes.
  static func isWhole(_ bytes: [UInt8]) -> Bool { bytes.suffix(5).elementsEqual("0\r\n\r\n".utf8) }

  /// The chunks without their lengths; what is cut short is taken as far as it came.
  static func joined(_ bytes: [UInt8]) -> [UInt8] {
    var body: [UInt8] = []
    var rest = bytes[...]
    while let lineEnd = rest.firstIndex(of: 10) {
      let digits = rest[..<lineEnd].prefix { $0 != UInt8(ascii: ";") && $0 != 13 }
      guard let length = Int(String(decoding: digits, as: UTF8.self), radix: 16), length > 0 else { break }
      let start = lineEnd + 1
      let available = min(length, rest.endIndex - start)
      body += rest[start..<start + available]
      let next = start + available + 2
      guard available == length, next <= rest.endIndex else { break }
      rest = rest[next...]
    }
    return body
  }
}
