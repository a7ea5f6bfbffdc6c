/// Answers the questions that the loopback port takes: `GET /metrics`, `GET /health` and `GET /health-detail`. Bytes in, bytes out.
package struct StatusPage {
  /// A request head longer than this is refused.
  package static let requestBytesMax = 8192

  /// - Parameters:
  ///   - request: what has arrived so far.
  ///   - metrics: body for `/metrics`.
  ///   - problem: nil while the collector can take reports; else what is wrong.
  ///   - detail: body for `/health-detail`.
  /// - Returns: the whole HTTP/1.1 response, after which the connection is closed; nil while the head is not complete.
  package static func response(
    to request: [UInt8], metrics: () -> String, problem: () -> String?, detail: () -> String = { "" }
  ) -> [UInt8]? {
    let text = String(decoding: request.prefix(requestBytesMax), as: UTF8.self)
    guard text.contains("\r\n\r\n") || text.contains("\n\n") else {
      return request.count >= requestBytesMax ? write("431 Request Header Fields Too Large", "too long\n") : nil
    }
    let words = text.prefix { $0 != "\r\n" && $0 != "\n" && $0 != "\r" }.split(separator: " ")
    guard words.count == 3, words[2].hasPrefix("HTTP/1.") else { return write("400 Bad Request", "no HTTP\n") }
    guard words[0] == "GET" || words[0] == "HEAD" else { return write("405 Method Not Allowed", "GET only\n") }
    switch words[1].prefix(while: { $0 != "?" }) {
    case "/metrics": return write("200 OK", metrics(), type: "text/plain; version=0.0.4; charset=utf-8")
    case "/health":
      if let problem = problem() { return write("503 Service Unavailable", problem + "\n") }
      return write("200 OK", "ok\n")
    case "/health-detail": return write("200 OK", detail())
    default: return write("404 Not Found", "try /metrics, /health or /health-detail\n")
    }
  }

  private static func write(_ status: String, _ body: String, type: String = "text/plain; charset=utf-8") -> [UInt8] {
    Array(
      """
      HTTP/1.1 \(status)\r
      Content-Type: \(type)\r
      Content-Length: \(body.utf8.count)\r
      X-Content-Type-Options: nosniff\r
      Connection: close\r
      \r
      \(body)
      """.utf8)
  }
}
