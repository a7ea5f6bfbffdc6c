internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// A request whose sender signs its body: as it came.
struct RawRequest: Sendable {
  let body: [UInt8]
  let headers: HTTPFields

  /// - Parameter name: in any case. - Returns: the first of several.
  func header(_ name: String) -> String? { HTTPField.Name(name).flatMap { headers[$0] } }
}

extension Gate {
  /// - Returns: nil where the route takes fields.
  /// - Throws: `Problem` 413.
  func raw(_ route: Route, _ request: Request) async throws -> RawRequest? {
    guard route.rawBytesMax > 0 else { return nil }
    var request = request
    do {
      let buffer = try await request.collectBody(upTo: route.rawBytesMax)
      return RawRequest(body: Array(buffer.readableBytesView), headers: request.headers)
    } catch {
      throw Problem(.contentTooLarge, "a request's body has at most \(route.rawBytesMax >> 10) KiB here")
    }
  }
}

extension Route {
  /// What is wrong where a request of this route is refused for its secret; for the audit.
  var secretName: String {
    if rawBytesMax > 0 { return "signature" }
    return path.hasPrefix("/i/") ? "link" : role == nil ? "login" : "token"
  }
}
