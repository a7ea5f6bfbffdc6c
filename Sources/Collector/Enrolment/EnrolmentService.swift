internal import FleetModel
package import Schema
package import TLS

/// Why a join or a renewal was not granted.
package enum EnrolmentRefusal: Error, Sendable, Equatable, CustomStringConvertible {
  /// The request does not have its format.
  case badRequest(String)
  case unknownToken
  case tokenExpired
  case tokenUsed
  /// The host's name cannot be given.
  case name(String)
  case identity(IdentityRefusal)
  /// The collector's own authority cannot sign.
  case cannotSign(String)

  /// gRPC status code. Source: grpc/doc/statuscodes.md.
  package var statusCode: UInt8 {
    switch self {
    case .badRequest: 3  // INVALID_ARGUMENT
    case .unknownToken, .tokenExpired, .tokenUsed: 16  // UNAUTHENTICATED
    case .name: 9  // FAILED_PRECONDITION
    case .identity(.revoked): 7  // PERMISSION_DENIED
    case .identity: 16
    case .cannotSign: 13  // INTERNAL
    }
  }

  /// The gRPC status message: one sentence with what to do.
  package var description: String {
    switch self {
    case .badRequest(let reason): "bad request: \(reason)"
    case .unknownToken: "this join token is not known here: make a new one with `signalbox hosts invite`"
    case .tokenExpired: "this join token has expired: make a new one with `signalbox hosts invite`"
    case .tokenUsed: "this join token was used by another machine: make a new one with `signalbox hosts invite`"
    case .name(let sentence): sentence
    case .identity(let refusal): refusal.statusMessage
    case .cannotSign(let reason): "the collector cannot sign: \(reason)"
    }
  }
}

/// Decides who gets a certificate, and signs it. Time is passed in; the database is behind `EnrolmentStore`.
package struct EnrolmentService: Sendable {
  package static let hostNameBytesMax = 255

  private let authority: CertificateAuthority
  private let lifeSeconds: Int64
  private let trust: [UInt8]

  /// - Parameter lifeSeconds: of an agent's certificate.
  /// - Parameter otherRoots: further roots that agents shall trust: the next one while the root is replaced.
  package init(
    authority: CertificateAuthority, lifeSeconds: Int64 = CertificateAuthority.agentLifeSeconds,
    otherRoots: [Certificate] = []
  ) {
    self.authority = authority
    self.lifeSeconds = lifeSeconds
    trust = [UInt8]((authority.trustPEM + otherRoots.map(\.pem).joined()).utf8)
  }

  /// Enrolment/Join: spends the token and signs the key for the token's host.
  ///
  /// Everything that could fail for a reason of the request's is checked before the token is spent; the token is spent before anything is signed.
  ///
  /// - Returns: the reply, or why there is none.
  /// - Throws: the store's failure alone; the host may try again with the same key and token.
  package func join<Store: EnrolmentStore>(
    _ request: JoinRequest, store: inout Store, nowNs: Int64
  ) throws(Store.Failure) -> Result<CertificateReply, EnrolmentRefusal> {
    guard JoinToken.isID(request.tokenID), let secretHash = JoinToken.secretHash(ofText: request.secret) else {
      return .failure(.unknownToken)
    }
    guard request.hostName.utf8.count <= Self.hostNameBytesMax else {
      return .failure(.badRequest("the host's name is longer than \(Self.hostNameBytesMax) bytes"))
    }
    let key: PublicKey
    switch publicKey(request.signingRequest) {
    case .success(let found): key = found
    case .failure(let refusal): return .failure(refusal)
    }
    let outcome = try store.redeem(
      TokenRedemption(
        tokenID: request.tokenID, secretHash: secretHash, keyPin: key.pin, claimedName: request.hostName,
        machineIDHash: request.machineIDHash, previousHost: request.previousHost, nowNs: nowNs))
    switch outcome {
    case .unknown: return .failure(.unknownToken)
    case .expired: return .failure(.tokenExpired)
    case .used: return .failure(.tokenUsed)
    case .refused(let sentence): return .failure(.name(sentence))
    case .redeemed(let hostID, let hostName):
      return try issue(key, to: hostID, hostName, .join, store: &store, nowNs: nowNs)
    }
  }

  /// Enrolment/Renew: signs a new key for the host of the certificate in use.
  ///
  /// The old certificate stays good until the new one is first used, so that a lost reply locks no host out.
  ///
  /// - Parameter certificate: the peer's, as `AgentChain.verify` returned it; expired ones within the grace are let in.
  package func renew<Store: EnrolmentStore>(
    _ request: RenewRequest, certificate: Certificate, store: inout Store, nowNs: Int64
  ) throws(Store.Failure) -> Result<CertificateReply, EnrolmentRefusal> {
    let standing = try store.standing(ofCertificate: certificate.fingerprint)
    let host: (id: HostID, name: String)
    let reason: CertificateRecord.Reason
    switch Admission.judge(certificate, standing: standing, nowNs: nowNs) {
    case .refused(let refusal): return .failure(.identity(refusal))
    case .admitted(let id, let name, _): (host, reason) = ((id, name), .renewal)
    case .renewalOnly(let id, let name): (host, reason) = ((id, name), .lateRenewal)
    }
    switch publicKey(request.signingRequest) {
    case .failure(let refusal): return .failure(refusal)
    case .success(let key) where key.pin == certificate.keyPin:
      return .failure(.badRequest("a renewal needs a new key"))
    case .success(let key):
      return try issue(key, to: host.id, host.name, reason, store: &store, nowNs: nowNs)
    }
  }

  private func publicKey(_ signingRequest: [UInt8]) -> Result<PublicKey, EnrolmentRefusal> {
    do throws(IdentityError) {
      return .success(try SigningRequest.publicKey(der: signingRequest))
    } catch {
      return .failure(.badRequest(error.message))
    }
  }

  private func issue<Store: EnrolmentStore>(
    _ key: PublicKey, to hostID: HostID, _ hostName: String, _ reason: CertificateRecord.Reason, store: inout Store,
    nowNs: Int64
  ) throws(Store.Failure) -> Result<CertificateReply, EnrolmentRefusal> {
    let issued: CertificateAuthority.Issued
    do throws(IdentityError) {
      issued = try authority.agentCertificate(publicKey: key, hostID: hostID, nowNs: nowNs, lifeSeconds: lifeSeconds)
    } catch {
      return .failure(.cannotSign(error.message))
    }
    let record = CertificateRecord(
      hostID: hostID, fingerprint: issued.certificate.fingerprint, keyPin: key.pin,
      serialHex: issued.certificate.serialHex,
      issuedNs: nowNs, expiresNs: issued.certificate.notAfterNs, reason: reason)
    guard try store.admit(record) else { return .failure(.identity(.revoked)) }
    var reply = CertificateReply()
    reply.hostID = hostID
    reply.hostName = hostName
    reply.certificateChain = [UInt8](issued.chainPEM.utf8)
    reply.certificateAuthority = trust
    reply.serverNs = nowNs
    return .success(reply)
  }
}
