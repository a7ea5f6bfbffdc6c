internal import FleetModel
internal import Schema

extension OutgoingFrame {
  /// Appends the frame as one protobuf `signalbox.v1.AgentFrame`: the agent, the simulation and the benchmarks send what this makes.
  ///
  /// Records are written as the spool kept them, without being decoded.
  package func encode(into bytes: inout [UInt8]) {
    switch self {
    case .hello(let hello): Wire.encode(.hello(hello), into: &bytes)
    case .batch(let outgoing):
      var batch = Batch()
      batch.number = outgoing.number
      batch.wallNs = outgoing.time.wallNs
      batch.monotonicNs = outgoing.time.monotonicNs
      batch.files = outgoing.files
      batch.health = outgoing.health
      Wire.encode(batch, spooled: outgoing.spooled.map(\.encoded), into: &bytes)
    }
  }
}

extension SpooledItem {
  /// A gap becomes a `Records` message that holds its losses.
  fileprivate var encoded: EncodedRecords {
    var bytes: [UInt8] = []
    switch content {
    case .encoded(let records): bytes = records
    case .gap(let losses):
      var records = Records()
      records.losses = losses
      Wire.encode(records, into: &bytes)
    }
    return EncodedRecords(lane: lane, firstSequence: firstSequence, lastSequence: lastSequence, bytes: bytes)
  }
}
