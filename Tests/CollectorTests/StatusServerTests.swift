import EventLoop
import Files
import Testing

@testable import Collector

@Suite(.timeLimit(.minutes(15))) struct StatusServerTests {
  /// A status port and its clients on one loop.
  private final class Bed {
    let loop: EventLoop
    let server: StatusServer

    init(_ change: (inout StatusLimits) -> Void = { _ in }) throws {
      var limits = StatusLimits()
      change(&limits)
      loop = try EventLoop()
      server = try StatusServer(
        loop: loop, address: SocketAddress(host: "127.0.0.1", port: 0), limits: limits, metrics: { "m 1\n" },
        problem: { nil })
    }

    func turn(until condition: () -> Bool) throws {
      let end = Clock.monotonicNs() + 60_000_000_000
      while !condition(), Clock.monotonicNs() < end { try loop.turn(maximumWaitNs: 20_000_000) }
    }

    func hold() throws -> StreamSocket {
      let socket = try Socket.connect(server.address)
      return socket
    }

    /// What a fresh client gets.
    func ask(_ path: String) throws -> String {
      let socket = try hold()
      _ = try socket.descriptor.writeSome(Array("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n".utf8).span)
      var answer: [UInt8] = []
      var isOver = false
      try turn {
        if let got = try? socket.descriptor.read(into: &answer, count: 10_000), got == 0 { isOver = true }
        return isOver
      }
      return String(decoding: answer, as: UTF8.self)
    }
  }

  @Test func heldConnectionsDoNotBlindHealth() throws {
    let bed = try Bed()
    let held = try (0..<120).map { _ in try bed.hold() }
    try bed.turn { bed.server.displaced >= 56 }
    for _ in 0..<3 {
      #expect(try bed.ask("/health").hasSuffix("\r\n\r\nok\n"))
      #expect(try bed.ask("/metrics").hasSuffix("\r\n\r\nm 1\n"))
    }
    #expect(bed.server.openConnections <= 64)
    withExtendedLifetime(held) {}
  }

  @Test func aRequestThatComesByteByByteEndsAtItsDeadline() throws {
    let bed = try Bed { $0.lifetimeNs = 200_000_000 }
    let slow = try bed.hold()
    var isClosed = false
    var sent = 0
    try bed.turn {
      if sent < 10_000, (try? slow.descriptor.writeSome([UInt8(ascii: "G")].span)) != nil { sent += 1 }
      var bytes: [UInt8] = []
      do {
        if let got = try slow.descriptor.read(into: &bytes, count: 10), got == 0 { isClosed = true }
      } catch { isClosed = true }
      return isClosed
    }
    #expect(isClosed && bed.server.openConnections == 0)
    #expect(try bed.ask("/health").contains("200 OK"))
  }
}
