import RPC
import Testing
import Transport

/// What a hostile peer of RELIABILITY 2.1 sends, without end.
enum Flood: String, CaseIterable, CustomTestStringConvertible {
  case rapidReset, continuation, ping, settings
  // What libnghttp2 1.52 lets pass:
  case madeYouReset, badHeader, priority, emptyData, unknownFrames, windowUpdate

  var testDescription: String { rawValue }

  /// Before the flood, on a fresh connection.
  var opening: [UInt8] {
    switch self {
    case .priority, .emptyData, .windowUpdate: Frame.headers(1)
    case .continuation: Frame.make(1, 0, 1, Frame.block("/test.Echo/Stream"))
    default: []
    }
  }

  /// The n-th frame of it, n from 0.
  func frame(_ n: Int) -> [UInt8] {
    let stream = UInt32(2 * n + 1)
    return switch self {
    case .rapidReset: Frame.headers(stream) + Frame.reset(stream)
    case .continuation: Frame.make(9, 0, 1, Frame.field("x", "y"))
    case .ping: Frame.make(6, 0, 0, [1, 2, 3, 4, 5, 6, 7, 8])
    case .settings: Frame.setting(4, UInt32(60_000 + n % 100))
    case .madeYouReset: Frame.headers(stream) + Frame.windowUpdate(stream, 0x7fff_ffff)
    case .badHeader: Frame.headers(stream, extra: Frame.field("UPPER", "case"))
    case .priority: Frame.make(2, 0, 1, [0, 0, 0, 0, 16])
    case .emptyData: Frame.data(1, [])
    case .unknownFrames: Frame.make(0x42, 0, 0, [])
    case .windowUpdate: Frame.windowUpdate(1, 1)
    }
  }
}

extension Connections {
  @Suite struct FloodTests {
    @Test("a flood ends its connection, the neighbours do not notice", arguments: Flood.allCases)
    func ends(flood: Flood) throws {
      let bed = try TestBed()
      let good = try bed.readyClient(try TestFleet.shared.client("agent2"))
      let call = good.call("/test.Echo/Stream")
      let outcome = Outcome(call)
      let peer = try RawPeer(bed.loop, bed.address, try TestFleet.shared.client())
      peer.send(Frame.hello + flood.opening)
      var sent = 0
      try bed.turn(seconds: 20) {
        if peer.unsentBytes < 1 << 16, sent < 100_000 {
          peer.send((0..<500).flatMap { flood.frame(sent + $0) })
          sent += 500
          if sent % 5000 == 0 { call.send([1]) }
        }
        return peer.isClosed
      }
      #expect(peer.isClosed, "\(sent) frames were taken")
      #expect(sent < 30_000)
      try bed.turn { bed.server.openConnections == 1 }
      #expect(bed.server.openConnections == 1)
      #expect(bed.server.counters.closed == 1)
      call.finishSending()
      try bed.turn { outcome.status != nil }
      #expect(outcome.status == .ok)
    }
  }
}
