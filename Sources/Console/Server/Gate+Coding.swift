internal import Compression
internal import FleetModel
internal import HTTPTypes
internal import Hummingbird
internal import HummingbirdCore
internal import NIOCore
internal import Synchronization
internal import TLS

/// What an answer costs on the wire: its tag, whether the client has it already, and its compressed form.
extension Gate {
  private enum Limits {
    /// Less than this is sent as it is: the headers are as long.
    static let plainBytes = 1024
    static let codedBytes = 64 << 20
  }

  /// - Returns: the same answer, shorter where that is possible; a stream as it is.
  func coded(_ response: Response, _ route: Route, _ request: Request) async -> Response {
    guard response.status == .ok, request.method == .get else { return response }
    guard let length = response.body.contentLength, length <= Limits.codedBytes,
      let bytes = await Self.bytes(response.body)
    else { return response }
    var response = response
    response.headers[.vary] = "Accept, Accept-Encoding"
    let hash = CodedAnswers.hash(bytes)
    if let tag = Self.tag(bytes, hash, route) {
      response.headers[.eTag] = tag
      if let known = request.headers[.ifNoneMatch], EntityTag.matches(tag, known) {
        response.status = .notModified
        response.headers[.contentType] = nil
        response.body = ResponseBody()
        response.headers[.contentLength] = nil
        return response
      }
    }
    guard length > Limits.plainBytes, Self.isCompressed(response, route),
      EncodingChoice.takesGzip(request.headers[.acceptEncoding]),
      let packed = CodedAnswers.shared.gzip(bytes, hash, isKept: route.role == nil)
    else { return response }
    response.headers[.contentEncoding] = "gzip"
    if let tag = response.headers[.eTag] { response.headers[.eTag] = EntityTag.ofGzip(tag) }
    response.body = ResponseBody(byteBuffer: ByteBuffer(bytes: packed))
    return response
  }

  /// Answers that can be asked for without a login are compressed only where they are files: the page of a login link holds that link.
  private static func isCompressed(_ response: Response, _ route: Route) -> Bool {
    if route.role == nil { guard case .document = route.shape else { return false } }
    let type = response.headers[.contentType] ?? ""
    return ["text/", "application/json", "application/x-ndjson", "image/svg"].contains { type.hasPrefix($0) }
  }

  /// Of files and documents the content's hash; of lists and objects the hash of all but `as_of`, which is another in each answer: such a tag is
  /// weak, because the bytes differ. Pages have none: their forms differ.
  private static func tag(_ bytes: [UInt8], _ hash: [UInt8], _ route: Route) -> String? {
    switch route.shape {
    case .document: "\"\(Base64.url.encode(Array(hash.prefix(12))))\""
    case .list, .rows, .one: "W/\"\(Base64.url.encode(Array(CodedAnswers.hash(withoutAsOf(bytes)).prefix(12))))\""
    case .change, .page, .stream: nil
    }
  }

  /// The last `"as_of":"…"`: a quote within a text is escaped, so no text can look like it.
  static func withoutAsOf(_ bytes: [UInt8]) -> [UInt8] {
    let pattern = Array("\"as_of\":\"".utf8)
    guard bytes.count > pattern.count else { return bytes }
    var start = bytes.count - pattern.count
    while start >= 0 {
      if bytes[start] == pattern[0], bytes[start..<start + pattern.count].elementsEqual(pattern) {
        let end = bytes[(start + pattern.count)...].firstIndex(of: UInt8(ascii: "\"")) ?? bytes.count
        return Array(bytes[..<start]) + bytes[end...]
      }
      start -= 1
    }
    return bytes
  }

  private static func bytes(_ body: ResponseBody) async -> [UInt8]? {
    let writer = CollectingWriter()
    guard (try? await body.write(writer)) != nil else { return nil }
    return writer.bytes.withLock { $0 }
  }

  static func stream(_ body: ResponseBody, _ type: MediaType) -> Response {
    var response = response(.ok, [], type.contentType)
    response.body = body
    response.headers[.contentLength] = nil
    // Source: nginx.org, ngx_http_proxy_module, proxy_buffering.
    if let name = HTTPField.Name("X-Accel-Buffering") { response.headers[name] = "no" }
    return response
  }
}

/// Takes up a body that is whole already.
private final class CollectingWriter: ResponseBodyWriter {
  let bytes = Mutex<[UInt8]>([])

  func write(_ buffer: ByteBuffer) async throws { bytes.withLock { $0.append(contentsOf: buffer.readableBytesView) } }
  func finish(_ trailingHeaders: HTTPFields?) async throws {}
}

/// Source: RFC 9110, sections 8.8.3 and 13.1.2.
enum EntityTag {
  /// The compressed form has other bytes, and so another strong tag.
  static func ofGzip(_ tag: String) -> String {
    tag.hasPrefix("W/") ? tag : String(tag.dropLast()) + "-gzip\""
  }

  /// - Parameter header: `If-None-Match`; compared weakly.
  static func matches(_ tag: String, _ header: String) -> Bool {
    let wanted = opaque(Substring(tag))
    return header.split(separator: ",").prefix(64).contains { part in
      let given = part.drop { $0 == " " }
      if given.first == "*" { return true }
      let text = opaque(given)
      return text == wanted || text == opaque(Substring(ofGzip(tag)))
    }
  }

  private static func opaque(_ tag: Substring) -> Substring {
    let tag = tag.hasPrefix("W/") ? tag.dropFirst(2) : tag
    return tag.prefix { $0 != " " }
  }
}

enum EncodingChoice {
  /// Source: RFC 9110, section 12.5.3.
  static func takesGzip(_ header: String?) -> Bool {
    var best: (isNamed: Bool, weight: Double)?
    for part in (header ?? "").lowercased().split(separator: ",").prefix(32) {
      let words = part.split(separator: ";").map { $0.split(separator: " ").joined() }
      guard let name = words.first, name == "gzip" || name == "*", best?.isNamed != true || name == "gzip" else {
        continue
      }
      let weight = words.dropFirst().first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
      best = (name == "gzip", weight)
    }
    return best.map { $0.weight > 0 } ?? false
  }
}

/// Compressed answers that are asked for again: files for good, and large answers that several ask for within a second.
final class CodedAnswers: Sendable {
  static let shared = CodedAnswers()

  private struct State {
    var files: [[UInt8]: [UInt8]] = [:]
    /// The newest last.
    var recent: [(hash: [UInt8], packed: [UInt8])] = []
  }

  /// Answers of at least this many bytes are worth remembering.
  private static let keptBytesMin = 64 << 10
  private static let recentMax = 8
  private static let filesMax = 64

  private let state = Mutex(State())

  static func hash(_ bytes: [UInt8]) -> [UInt8] { Digest.sha256(bytes) }

  /// - Parameter isKept: it is a file of the program.
  /// - Returns: nil where it cannot be compressed.
  func gzip(_ bytes: [UInt8], _ hash: [UInt8], isKept: Bool) -> [UInt8]? {
    let known = state.withLock { state in
      state.files[hash] ?? state.recent.last { $0.hash == hash }?.packed
    }
    if let known { return known }
    guard let packed = Gzip.compress(bytes, effort: isKept ? .best : .fast) else { return nil }
    state.withLock { state in
      if isKept {
        if state.files.count < Self.filesMax { state.files[hash] = packed }
      } else if bytes.count >= Self.keptBytesMin {
        if state.recent.count >= Self.recentMax { state.recent.removeFirst() }
        state.recent.append((hash, packed))
      }
    }
    return packed
  }
}
