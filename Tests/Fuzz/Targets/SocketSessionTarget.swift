internal import Agent
internal import FleetModel
internal import Schema

/// What a program writes to the agent's socket, cut anywhere.
enum SocketSessionTarget {
  static func run(_ input: [UInt8]) {
    var choices = Choices(input)
    let piece = choices.below(64) + 1
    let bytes = Array(choices.rest)
    var session = SocketSession(peer: SocketPeer(pid: 1, uid: 1))
    var records = Records()
    for start in stride(from: 0, to: bytes.count, by: piece) {
      let part = Array(bytes[start..<min(bytes.count, start + piece)])
      _ = session.receive(
        part.span, nowNs: 1_760_000_000_000_000_000, monotonicNs: Int64(start) * 1_000_000, into: &records)
    }
    session.close(nowNs: 1_760_000_000_000_000_000, into: &records)
    var encoded: [UInt8] = []
    Wire.encode(records, into: &encoded)
    do { _ = try Wire.decodeRecords(encoded.span) } catch { fatalError("the collector refuses it: \(error)") }
  }
}
