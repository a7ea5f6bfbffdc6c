internal import CProtobufC
internal import CSchema
internal import FleetModel

// `tree` lies in the arena of the decode that is under way, which outlives each call; values are copied out.

extension JoinRequest: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__JoinRequest>) throws(SchemaError) {
    self.init()
    tokenID = try unsafe Tree.text(tree.pointee.token_id, "JoinRequest.token_id")
    secret = try unsafe Tree.text(tree.pointee.secret, "JoinRequest.secret")
    signingRequest = try unsafe Tree.bytes(
      tree.pointee.signing_request, "JoinRequest.signing_request", limit: FleetProtocol.signingRequestBytes)
    guard let claims = unsafe tree.pointee.claims else { throw .missing(field: "JoinRequest.claims") }
    hostName = try unsafe Tree.text(claims.pointee.host_name, "HostClaims.host_name")
    machineIDHash = try unsafe Tree.identifier(claims.pointee.machine_id_hash, "HostClaims.machine_id_hash")
    if unsafe tree.pointee.previous_host_id.len > 0 {
      previousHost = try unsafe Tree.identifier(tree.pointee.previous_host_id, "JoinRequest.previous_host_id")
    }
  }
}

extension RenewRequest: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__RenewRequest>) throws(SchemaError) {
    self.init(
      signingRequest: try unsafe Tree.bytes(
        tree.pointee.signing_request, "RenewRequest.signing_request", limit: FleetProtocol.signingRequestBytes))
  }
}

extension CertificateReply: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__CertificateReply>) throws(SchemaError) {
    self.init()
    hostID = try unsafe Tree.identifier(tree.pointee.host_id, "CertificateReply.host_id")
    hostName = try unsafe Tree.text(tree.pointee.host_name, "CertificateReply.host_name")
    certificateChain = try unsafe Tree.bytes(
      tree.pointee.certificate_chain, "CertificateReply.certificate_chain", limit: FleetProtocol.certificateReplyBytes)
    certificateAuthority = try unsafe Tree.bytes(
      tree.pointee.certificate_authority, "CertificateReply.certificate_authority",
      limit: FleetProtocol.certificateReplyBytes)
    serverNs = unsafe tree.pointee.server_ns
  }
}

extension HealthCheckRequest: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Grpc__Health__V1__HealthCheckRequest>) throws(SchemaError) {
    self.init(service: try unsafe Tree.text(tree.pointee.service, "HealthCheckRequest.service"))
  }
}

extension HealthCheckResponse: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Grpc__Health__V1__HealthCheckResponse>) throws(SchemaError) {
    self.init(status: unsafe ServingStatus(number: tree.pointee.status.rawValue) ?? .unknown)
  }
}
