internal import FleetModel

extension JoinRequest: WireMessage {
  var sizeEstimate: Int { 84 + tokenID.utf8.count + secret.utf8.count + signingRequest.count + hostName.utf8.count }

  func write(to writer: inout WireWriter) {
    writer.text(1, tokenID)
    writer.text(2, secret)
    writer.bytes(3, signingRequest.span)
    writer.message(4, HostClaims(hostName: hostName, machineIDHash: machineIDHash))
    if let previousHost { writer.identifier(20, previousHost) }
  }
}

struct HostClaims: WireMessage {
  let hostName: String
  let machineIDHash: MachineIDHash

  var sizeEstimate: Int { 24 + hostName.utf8.count }

  func write(to writer: inout WireWriter) {
    writer.text(1, hostName)
    writer.identifier(2, machineIDHash)
  }
}

extension RenewRequest: WireMessage {
  var sizeEstimate: Int { 8 + signingRequest.count }

  func write(to writer: inout WireWriter) { writer.bytes(1, signingRequest.span) }
}

extension CertificateReply: WireMessage {
  var sizeEstimate: Int { 48 + hostName.utf8.count + certificateChain.count + certificateAuthority.count }

  func write(to writer: inout WireWriter) {
    writer.identifier(1, hostID)
    writer.text(2, hostName)
    writer.bytes(3, certificateChain.span)
    writer.bytes(4, certificateAuthority.span)
    writer.signed(5, serverNs)
  }
}

extension HealthCheckRequest: WireMessage {
  var sizeEstimate: Int { 8 + service.utf8.count }

  func write(to writer: inout WireWriter) { writer.text(1, service) }
}

extension HealthCheckResponse: WireMessage {
  var sizeEstimate: Int { 8 }

  func write(to writer: inout WireWriter) { writer.unsigned(1, UInt64(status.rawValue)) }
}
