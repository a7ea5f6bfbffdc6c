package import FleetModel

/// The protocol's messages as bytes: the only place where `proto/` meets the model.
///
/// Every function is free of state and may run on any thread. Decoding never traps and never reads or allocates beyond
/// `FleetProtocol` and `Limits`, whatever the bytes are. Encoding makes only what decoding accepts, as long as the counts
/// in `FleetProtocol` are kept: texts longer than their limit are cut at a character, a NUL in them becomes "?".
package enum Wire {
  /// - Parameter bytes: one gRPC message body, protobuf `signalbox.v1.AgentFrame`.
  /// - Throws: `.unknownFrame` for a frame of a newer version, which may be skipped; else the stream cannot go on.
  /// - Cost: O(n). Memory for the tree is given back before it returns.
  package static func decodeAgentFrame(_ bytes: Span<UInt8>) throws(SchemaError) -> AgentFrame {
    try TreeDecoder.agentFrame(bytes)
  }

  /// - Parameter bytes: one gRPC message body, protobuf `signalbox.v1.CollectorFrame`.
  /// - Throws: `.unknownFrame` for a frame of a newer version, which may be skipped.
  package static func decodeCollectorFrame(_ bytes: Span<UInt8>) throws(SchemaError) -> CollectorFrame {
    try TreeDecoder.collectorFrame(bytes)
  }

  /// - Parameter bytes: protobuf `signalbox.v1.Records`, as the spool keeps it.
  package static func decodeRecords(_ bytes: Span<UInt8>) throws(SchemaError) -> Records {
    try TreeDecoder.records(bytes)
  }

  /// - Parameter bytes: protobuf `signalbox.v1.JoinRequest`.
  package static func decodeJoinRequest(_ bytes: Span<UInt8>) throws(SchemaError) -> JoinRequest {
    try TreeDecoder.joinRequest(bytes)
  }

  /// - Parameter bytes: protobuf `signalbox.v1.RenewRequest`.
  package static func decodeRenewRequest(_ bytes: Span<UInt8>) throws(SchemaError) -> RenewRequest {
    try TreeDecoder.renewRequest(bytes)
  }

  /// - Parameter bytes: protobuf `signalbox.v1.CertificateReply`.
  package static func decodeCertificateReply(_ bytes: Span<UInt8>) throws(SchemaError) -> CertificateReply {
    try TreeDecoder.certificateReply(bytes)
  }

  /// - Parameter bytes: protobuf `grpc.health.v1.HealthCheckRequest`.
  package static func decodeHealthCheckRequest(_ bytes: Span<UInt8>) throws(SchemaError) -> HealthCheckRequest {
    try TreeDecoder.healthCheckRequest(bytes)
  }

  /// - Parameter bytes: protobuf `grpc.health.v1.HealthCheckResponse`.
  package static func decodeHealthCheckResponse(_ bytes: Span<UInt8>) throws(SchemaError) -> HealthCheckResponse {
    try TreeDecoder.healthCheckResponse(bytes)
  }

  /// Appends the encoded frame to `bytes`.
  package static func encode(_ frame: AgentFrame, into bytes: inout [UInt8]) {
    switch frame {
    case .hello(let hello): WireWriter.append(Framed(field: 1, message: hello), to: &bytes)
    case .batch(let batch): encode(batch, spooled: [], into: &bytes)
    }
  }

  /// Appends the `AgentFrame` of a batch whose spooled records are still as the spool keeps them, without reading them.
  /// - Parameter spooled: goes behind `batch.spooled`, in order.
  package static func encode(_ batch: Batch, spooled: [EncodedRecords], into bytes: inout [UInt8]) {
    WireWriter.append(Framed(field: 2, message: EmbeddingBatch(batch: batch, spooled: spooled)), to: &bytes)
  }

  /// Appends the encoded frame to `bytes`.
  package static func encode(_ frame: CollectorFrame, into bytes: inout [UInt8]) {
    switch frame {
    case .welcome(let welcome): WireWriter.append(Framed(field: 1, message: welcome), to: &bytes)
    case .ack(let number): WireWriter.append(Framed(field: 2, message: Ack(number: number)), to: &bytes)
    case .settings(let settings): WireWriter.append(Framed(field: 3, message: settings), to: &bytes)
    case .marks(let files, let more):
      WireWriter.append(Framed(field: 4, message: Marks(files: files, more: more)), to: &bytes)
    }
  }

  /// Appends the encoded records to `bytes`, as the spool keeps them.
  package static func encode(_ records: Records, into bytes: inout [UInt8]) { WireWriter.append(records, to: &bytes) }
  package static func encode(_ request: JoinRequest, into bytes: inout [UInt8]) {
    WireWriter.append(request, to: &bytes)
  }
  package static func encode(_ request: RenewRequest, into bytes: inout [UInt8]) {
    WireWriter.append(request, to: &bytes)
  }
  package static func encode(_ reply: CertificateReply, into bytes: inout [UInt8]) {
    WireWriter.append(reply, to: &bytes)
  }
  package static func encode(_ request: HealthCheckRequest, into bytes: inout [UInt8]) {
    WireWriter.append(request, to: &bytes)
  }
  package static func encode(_ response: HealthCheckResponse, into bytes: inout [UInt8]) {
    WireWriter.append(response, to: &bytes)
  }
}

/// Records of one lane in the form in which the spool keeps them, so that they are encoded once in their life.
package struct EncodedRecords: Sendable, Equatable {
  package var lane: Lane
  package var firstSequence: UInt64
  /// Greater than `firstSequence` only where a gap record stands for several.
  package var lastSequence: UInt64
  /// What `Wire.encode(_: Records, into:)` made. Not checked here; fields that this version does not know are kept.
  package var bytes: [UInt8]

  package init(lane: Lane, firstSequence: UInt64, lastSequence: UInt64, bytes: [UInt8]) {
    self.lane = lane
    self.firstSequence = firstSequence
    self.lastSequence = lastSequence
    self.bytes = bytes
  }
}
