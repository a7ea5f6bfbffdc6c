import EventLoop
import Files
import RPC
import TLS
import Transport

/// A loop with a server and clients on one thread, turned until something is true.
final class TestBed {
  let loop: EventLoop
  let server: RPCServer
  let address: SocketAddress
  private(set) var opened = 0

  init(_ limits: RPCServerLimits = TestBed.quickLimits, host: String = "127.0.0.1", tls: TLSContext? = nil) throws {
    loop = try EventLoop()
    server = RPCServer(loop: loop, tls: try tls ?? TestFleet.shared.server(), limits: limits)
    let server = server
    server.register("/test.Echo/Stream", access: .certificate) { call in
      call.onMessage = { [unowned call] bytes in
        call.send(bytes)
        call.consumed(bytes.count)
      }
      call.onEnd = { [unowned call] in call.finish(.ok) }
      call.onDrain = { [unowned call] in call.finish(RPCStatus(.unavailable, "drain")) }
    }
    server.registerUnary("/test.Echo/Unary", access: .certificate) { call, bytes in
      call.send(bytes)
      call.finish(.ok)
    }
    address = try server.listen(SocketAddress(host: host, port: 0))
  }

  /// Timers are looked at often, so that tests of short limits are short.
  static var quickLimits: RPCServerLimits {
    var limits = RPCServerLimits()
    limits.sweepNs = 20_000_000
    return limits
  }

  func client(_ tls: TLSContext? = nil, limits: RPCClient.Limits = .init()) throws -> RPCClient {
    RPCClient(
      loop: loop, target: SocketAddress(host: address.host, port: address.port),
      tls: try tls ?? TestFleet.shared.client(),
      limits: limits)
  }

  /// - Returns: whether it became true in time.
  @discardableResult
  func turn(seconds: Double = 10, until condition: () -> Bool) throws -> Bool {
    let end = Clock.monotonicNs() + Int64(seconds * 1e9)
    while !condition() {
      if Clock.monotonicNs() >= end { return false }
      try loop.turn(maximumWaitNs: 20_000_000)
    }
    return true
  }

  func readyClient(_ tls: TLSContext? = nil, limits: RPCClient.Limits = .init()) throws -> RPCClient {
    let client = try client(tls, limits: limits)
    client.connect()
    try turn { client.state != .idle && client.state != .connecting }
    return client
  }
}

/// What a call has brought.
final class Outcome {
  var messages: [[UInt8]] = []
  var status: RPCStatus?
  var headers = 0

  init(_ call: ClientCall) {
    call.onMessage = { [unowned self] in messages.append(copy($0)) }
    call.onHeaders = { [unowned self] _ in headers += 1 }
    call.onStatus = { [self] status, _ in self.status = status }
  }
}

func copy(_ bytes: borrowing Span<UInt8>) -> [UInt8] {
  var out: [UInt8] = []
  for index in bytes.indices { out.append(bytes[index]) }
  return out
}
