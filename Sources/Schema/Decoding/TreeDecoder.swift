internal import CProtobufC
internal import CSchema
internal import FleetModel

/// Bytes to protobuf-c's tree to the model, one arena a message.
enum TreeDecoder {
  private typealias Unpack<Node> = (
    UnsafeMutablePointer<ProtobufCAllocator>?, Int, UnsafePointer<UInt8>?
  ) -> UnsafeMutablePointer<Node>?

  private static func decode<Message: TreeMessage>(
    _ bytes: Span<UInt8>, _ name: StaticString, limitBytes: Int, _ unpack: Unpack<Message.Node>
  ) throws(SchemaError) -> Message {
    guard bytes.count <= limitBytes else { throw .tooLarge(limitBytes: limitBytes) }
    let arenaLimit = min(Limits.arenaBytes, Limits.arenaBaseBytes + Limits.arenaAmplification * bytes.count)
    let arena = Arena(limitBytes: arenaLimit, firstChunkBytes: 1024 + 4 * bytes.count)
    // protobuf-c reads `bytes` only inside the call; the tree lies in the arena, which lives to the end of this function.
    var allocator = unsafe arena.allocator
    let tree = unsafe bytes.withUnsafeBufferPointer { buffer in
      unsafe unpack(&allocator, buffer.count, buffer.baseAddress)
    }
    guard let tree = unsafe tree else {
      if arena.isExhausted { throw .arenaExhausted(limitBytes: arenaLimit) }
      throw .malformed(message: "\(name)")
    }
    return try unsafe Message(tree)
  }

  static func agentFrame(_ bytes: Span<UInt8>) throws(SchemaError) -> AgentFrame {
    try unsafe decode(bytes, "AgentFrame", limitBytes: FleetProtocol.frameBytes, signalbox__v1__agent_frame__unpack)
  }

  static func collectorFrame(_ bytes: Span<UInt8>) throws(SchemaError) -> CollectorFrame {
    try unsafe decode(
      bytes, "CollectorFrame", limitBytes: FleetProtocol.frameBytes, signalbox__v1__collector_frame__unpack)
  }

  static func records(_ bytes: Span<UInt8>) throws(SchemaError) -> Records {
    try unsafe decode(bytes, "Records", limitBytes: FleetProtocol.frameBytes, signalbox__v1__records__unpack)
  }

  static func joinRequest(_ bytes: Span<UInt8>) throws(SchemaError) -> JoinRequest {
    try unsafe decode(
      bytes, "JoinRequest", limitBytes: FleetProtocol.enrolmentRequestBytes, signalbox__v1__join_request__unpack)
  }

  static func renewRequest(_ bytes: Span<UInt8>) throws(SchemaError) -> RenewRequest {
    try unsafe decode(
      bytes, "RenewRequest", limitBytes: FleetProtocol.enrolmentRequestBytes, signalbox__v1__renew_request__unpack)
  }

  static func certificateReply(_ bytes: Span<UInt8>) throws(SchemaError) -> CertificateReply {
    try unsafe decode(
      bytes, "CertificateReply", limitBytes: FleetProtocol.certificateReplyBytes,
      signalbox__v1__certificate_reply__unpack)
  }

  static func healthCheckRequest(_ bytes: Span<UInt8>) throws(SchemaError) -> HealthCheckRequest {
    try unsafe decode(
      bytes, "HealthCheckRequest", limitBytes: FleetProtocol.healthCheckBytes,
      grpc__health__v1__health_check_request__unpack)
  }

  static func healthCheckResponse(_ bytes: Span<UInt8>) throws(SchemaError) -> HealthCheckResponse {
    try unsafe decode(
      bytes, "HealthCheckResponse", limitBytes: FleetProtocol.healthCheckBytes,
      grpc__health__v1__health_check_response__unpack
    )
  }
}
