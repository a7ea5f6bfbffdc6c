internal import RPC

/// grpc.health.v1.Health on a server: https://github.com/grpc/grpc/blob/master/doc/health-checking.md
///
/// Its two messages are one field each, so they are read and written here.
package final class HealthService {
  package enum Status: UInt8, Sendable {
    case unknown = 0
    case serving = 1
    case notServing = 2
    case serviceUnknown = 3
  }

  private static let watchersMax = 1_000
  /// A service name of at most 127 bytes.
  private static let requestBytes = 256
  private var statuses: [String: Status] = [:]
  private var watchers: [UInt64: (service: String, call: ServerCall)] = [:]

  /// - Parameter overall: the status of the service "".
  package init(overall: Status) { statuses[""] = overall }

  package func register(on server: RPCServer) {
    server.registerUnary("/grpc.health.v1.Health/Check", access: .anyone, messageBytes: Self.requestBytes) {
      [self] call, request in
      guard let service = Self.service(request) else {
        return call.finish(RPCStatus(.invalidArgument, "the request is no HealthCheckRequest"))
      }
      guard let status = statuses[service] else { return call.finish(RPCStatus(.notFound, "unknown service")) }
      call.reply(Self.response(status))
    }
    server.register("/grpc.health.v1.Health/Watch", access: .anyone, messageBytes: Self.requestBytes) { [self] call in
      call.onMessage = { [unowned call] request in
        call.consumed(request.count)
        self.watch(call, request)
      }
    }
  }

  /// Notifies watchers too. "" is the server as a whole.
  package func set(_ service: String, _ status: Status) {
    guard statuses.updateValue(status, forKey: service) != status else { return }
    for (_, watcher) in watchers where watcher.service == service { watcher.call.send(Self.response(status)) }
  }

  private func watch(_ call: ServerCall, _ request: borrowing Span<UInt8>) {
    guard let service = Self.service(request) else {
      return call.finish(RPCStatus(.invalidArgument, "the request is no HealthCheckRequest"))
    }
    if watchers.count >= Self.watchersMax { return call.finish(RPCStatus(.resourceExhausted, "too many watchers")) }
    let id = call.id
    watchers[id] = (service, call)
    call.onClosed = { [weak self] _ in self?.watchers[id] = nil }
    call.onDrain = { [weak self, unowned call] in
      self?.watchers[id] = nil
      call.finish(RPCStatus(.unavailable, "the server stops"))
    }
    call.send(Self.response(statuses[service] ?? .serviceUnknown))
  }

  static func response(_ status: Status) -> [UInt8] { status == .unknown ? [] : [0x08, status.rawValue] }

  /// Field 1, a string of at most 127 bytes; unknown fields are not expected of a request this small.
  static func service(_ request: borrowing Span<UInt8>) -> String? {
    if request.count == 0 { return "" }
    guard request.count >= 2, request[0] == 0x0a, Int(request[1]) == request.count - 2 else { return nil }
    var bytes: [UInt8] = []
    for index in 2..<request.count { bytes.append(request[index]) }
    return String(decoding: bytes, as: UTF8.self)
  }
}
