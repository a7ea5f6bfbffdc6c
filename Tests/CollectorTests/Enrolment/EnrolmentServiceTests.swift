import Files
import FleetModel
import Foundation
import Schema
import TLS
import Testing

@testable import Collector

private let nowNs: Int64 = 1_800_000_000_000_000_000
private let dayNs: Int64 = 86_400_000_000_000

/// The rules that the database's implementation must keep, in memory; fails before the n-th call where asked to.
private struct MemoryStore: EnrolmentStore {
  struct Away: Error {}
  struct Token {
    var secretHash: [UInt8]
    var hostName: String
    var expiresNs: Int64
    var redeemed: (key: [UInt8], host: HostID)?
  }

  var tokens: [String: Token] = [:]
  var certificates: [[UInt8]: (record: CertificateRecord, used: Bool, retired: Bool)] = [:]
  var names: [HostID: String] = [:]
  var revoked: Set<HostID> = []
  var callsUntilAway = Int.max

  private mutating func call() throws(Away) {
    callsUntilAway -= 1
    if callsUntilAway == 0 { throw Away() }
  }

  mutating func redeem(_ redemption: TokenRedemption) throws(Away) -> TokenOutcome {
    try call()
    guard let token = tokens[redemption.tokenID], Digest.equal(token.secretHash, redemption.secretHash) else {
      return .unknown
    }
    if let redeemed = token.redeemed, redeemed.key != redemption.keyPin { return .used }
    guard redemption.nowNs < token.expiresNs else { return .expired }
    if let redeemed = token.redeemed {
      return .redeemed(redeemed.host, hostName: token.hostName)
    }
    let host = HostID(bytes: HostFiles.randomBytes(16))!
    names[host] = token.hostName
    tokens[redemption.tokenID]?.redeemed = (redemption.keyPin, host)
    return .redeemed(host, hostName: token.hostName)
  }

  mutating func admit(_ record: CertificateRecord) throws(Away) -> Bool {
    try call()
    if revoked.contains(record.hostID) { return false }
    certificates[record.fingerprint] = (record, false, false)
    return true
  }

  mutating func standing(ofCertificate fingerprint: [UInt8]) throws(Away) -> CertificateStanding? {
    try call()
    guard let row = certificates[fingerprint] else { return nil }
    return CertificateStanding(
      hostID: row.record.hostID, hostName: names[row.record.hostID] ?? "",
      isRevoked: revoked.contains(row.record.hostID),
      isRetired: row.retired, wasUsed: row.used)
  }

  mutating func certificateUsed(_ fingerprint: [UInt8], nowNs: Int64) throws(Away) {
    try call()
    guard let used = certificates[fingerprint], !used.used else { return }
    certificates[fingerprint]?.used = true
    for (other, row) in certificates
    where row.record.hostID == used.record.hostID && row.record.issuedNs < used.record.issuedNs {
      certificates[other]?.retired = true
    }
  }
}

@Suite(.timeLimit(.minutes(10))) struct EnrolmentServiceTests {
  private let authority: CertificateAuthority
  private let service: EnrolmentService
  private let token: JoinToken

  init() throws {
    let directory = "/tmp/signalbox-enrolment-" + UUID().uuidString
    try HostFiles.makeDirectory(directory)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    authority = try CertificateAuthority.create(directory: directory, nowNs: nowNs)
    service = EnrolmentService(authority: authority)
    token = JoinToken.make(pins: [authority.pin], addresses: [CollectorAddress(host: "c", port: 1)])
  }

  private func store() -> MemoryStore {
    var store = MemoryStore()
    store.tokens[token.id] = .init(
      secretHash: token.secretHash, hostName: "trainer-1", expiresNs: nowNs + 3_600_000_000_000)
    return store
  }

  private func request(_ key: PrivateKey) throws -> JoinRequest {
    var request = JoinRequest()
    request.tokenID = token.id
    request.secret = token.secretText
    request.signingRequest = try SigningRequest.make(key: key)
    request.hostName = "claimed-name"
    return request
  }

  private func joined(_ store: inout MemoryStore, at timeNs: Int64 = nowNs) throws -> Certificate {
    let reply = try service.join(request(PrivateKey.generate()), store: &store, nowNs: timeNs).get()
    return try Certificate.decode(pem: reply.certificateChain)[0]
  }

  private func renewal(_ key: PrivateKey) throws -> RenewRequest {
    RenewRequest(signingRequest: try SigningRequest.make(key: key))
  }

  private func admission(_ certificate: Certificate, _ store: inout MemoryStore, at timeNs: Int64 = nowNs) throws
    -> Admission
  {
    Admission.judge(certificate, standing: try store.standing(ofCertificate: certificate.fingerprint), nowNs: timeNs)
  }

  @Test func `A token gives one host a certificate under the name that the collector chose`() throws {
    var store = store()
    let key = try PrivateKey.generate()
    let reply = try service.join(request(key), store: &store, nowNs: nowNs).get()
    #expect(reply.hostName == "trainer-1")
    #expect(reply.serverNs == nowNs)
    #expect(try Certificate.decode(pem: reply.certificateAuthority) == [authority.root])
    let chain = try Certificate.decode(pem: reply.certificateChain)
    let leaf = try AgentChain.verify(derChain: chain.map(\.der), roots: [authority.root], nowNs: nowNs)
    #expect(leaf.hostID == reply.hostID)
    #expect(leaf.keyPin == (try key.publicKey.pin))
    #expect(store.certificates.count == 1)
    #expect(try admission(leaf, &store) == .admitted(reply.hostID, hostName: "trainer-1", isFirstUse: true))
  }

  @Test func `A second machine gets nothing for a used token, the first gets its host again`() throws {
    var store = store()
    let first = try request(PrivateKey.generate())
    let host = try service.join(first, store: &store, nowNs: nowNs).get().hostID
    #expect(try service.join(request(PrivateKey.generate()), store: &store, nowNs: nowNs) == .failure(.tokenUsed))
    #expect(try service.join(first, store: &store, nowNs: nowNs).get().hostID == host)
    #expect(store.names.count == 1)
  }

  @Test func `A join that the database cut short at any call is repeated with the same key`() throws {
    for call in 1...2 {
      var store = store()
      store.callsUntilAway = call
      let asked = try request(PrivateKey.generate())
      #expect(throws: MemoryStore.Away.self) { try service.join(asked, store: &store, nowNs: nowNs) }
      let reply = try service.join(asked, store: &store, nowNs: nowNs).get()
      #expect(store.names.count == 1)
      #expect(store.names[reply.hostID] == "trainer-1")
    }
  }

  @Test func `A wrong, expired or foreign token is refused`() throws {
    var store = store()
    let key = try PrivateKey.generate()
    var wrong = try request(key)
    wrong.secret = JoinToken.make(pins: token.pins, addresses: token.addresses).secretText
    #expect(try service.join(wrong, store: &store, nowNs: nowNs) == .failure(.unknownToken))
    wrong = try request(key)
    wrong.tokenID = JoinToken.make(pins: token.pins, addresses: token.addresses).id
    #expect(try service.join(wrong, store: &store, nowNs: nowNs) == .failure(.unknownToken))
    for (id, secret) in [
      ("", ""), ("'; drop table", token.secretText), (token.id, "short"), (token.id, token.secretText + "A"),
    ] {
      wrong.tokenID = id
      wrong.secret = secret
      #expect(try service.join(wrong, store: &store, nowNs: nowNs) == .failure(.unknownToken))
    }
    #expect(
      try service.join(request(key), store: &store, nowNs: nowNs + 3_600_000_000_000) == .failure(.tokenExpired))
    #expect(store.certificates.isEmpty)
  }

  @Test func `A bad signing request does not spend the token`() throws {
    var store = store()
    var bad = try request(PrivateKey.generate())
    let good = bad
    for request in [[], [UInt8](repeating: 0, count: 5000), Array(good.signingRequest.dropLast())] {
      bad.signingRequest = request
      guard case .failure(.badRequest) = try service.join(bad, store: &store, nowNs: nowNs) else {
        Issue.record("accepted")
        continue
      }
    }
    bad = good
    bad.hostName = String(repeating: "x", count: 256)
    #expect(throws: EnrolmentRefusal.self) { try service.join(bad, store: &store, nowNs: nowNs).get() }
    #expect(throws: Never.self) { try service.join(good, store: &store, nowNs: nowNs).get() }
  }

  @Test func `Old and new certificate are good until the new one is first used`() throws {
    var store = store()
    let old = try joined(&store)
    try store.certificateUsed(old.fingerprint, nowNs: nowNs)
    let later = nowNs + 20 * dayNs
    let key = try PrivateKey.generate()
    let reply = try service.renew(renewal(key), certificate: old, store: &store, nowNs: later).get()
    let new = try Certificate.decode(pem: reply.certificateChain)[0]
    let host = try #require(old.hostID)
    #expect(new.hostID == host)
    #expect(try admission(old, &store, at: later) == .admitted(host, hostName: "trainer-1", isFirstUse: false))
    #expect(try admission(new, &store, at: later) == .admitted(host, hostName: "trainer-1", isFirstUse: true))
    try store.certificateUsed(new.fingerprint, nowNs: later)
    #expect(try admission(old, &store, at: later) == .refused(.unknown))
    #expect(try admission(new, &store, at: later) == .admitted(host, hostName: "trainer-1", isFirstUse: false))
    #expect(
      try service.renew(renewal(PrivateKey.generate()), certificate: old, store: &store, nowNs: later)
        == .failure(.identity(.unknown)))
  }

  @Test func `A renewal needs a new key`() throws {
    var store = store()
    let key = try PrivateKey.generate()
    let reply = try service.join(request(key), store: &store, nowNs: nowNs).get()
    let certificate = try Certificate.decode(pem: reply.certificateChain)[0]
    #expect(
      try service.renew(renewal(key), certificate: certificate, store: &store, nowNs: nowNs)
        == .failure(.badRequest("a renewal needs a new key")))
  }

  @Test func `An expired certificate is good for a renewal during thirty days, and that is noted`() throws {
    var store = store()
    let certificate = try joined(&store)
    let host = try #require(certificate.hostID)
    #expect(
      try admission(certificate, &store, at: certificate.notAfterNs - 1)
        == .admitted(host, hostName: "trainer-1", isFirstUse: true))
    #expect(try admission(certificate, &store, at: certificate.notAfterNs) == .renewalOnly(host, hostName: "trainer-1"))
    let late = certificate.notAfterNs + 29 * dayNs
    let reply = try service.renew(renewal(PrivateKey.generate()), certificate: certificate, store: &store, nowNs: late)
      .get()
    let fingerprint = try Certificate.decode(pem: reply.certificateChain)[0].fingerprint
    #expect(store.certificates[fingerprint]?.record.reason == .lateRenewal)
    let over = certificate.notAfterNs + 30 * dayNs
    #expect(try admission(certificate, &store, at: over) == .refused(.expired))
    #expect(
      try service.renew(renewal(PrivateKey.generate()), certificate: certificate, store: &store, nowNs: over)
        == .failure(.identity(.expired)))
  }

  @Test func `A revoked host neither reports nor renews, also when it was revoked meanwhile`() throws {
    var store = store()
    let certificate = try joined(&store)
    let host = try #require(certificate.hostID)
    store.revoked.insert(host)
    #expect(try admission(certificate, &store) == .refused(.revoked))
    #expect(
      try service.renew(renewal(PrivateKey.generate()), certificate: certificate, store: &store, nowNs: nowNs)
        == .failure(.identity(.revoked)))
    #expect(try store.admit(store.certificates[certificate.fingerprint]!.record) == false)
  }

  @Test func `A certificate of the authority that the allow-list lacks is unknown`() throws {
    var store = store()
    let stray = try authority.agentCertificate(
      publicKey: PrivateKey.generate().publicKey, hostID: HostID(high: 1, low: 2), nowNs: nowNs)
    #expect(try admission(stray.certificate, &store) == .refused(.unknown))
    let known = try joined(&store)
    let standing = try #require(try store.standing(ofCertificate: known.fingerprint))
    #expect(Admission.judge(stray.certificate, standing: standing, nowNs: nowNs) == .refused(.unknown))
  }

  @Test func `A certificate from the future means a wrong clock`() throws {
    var store = store()
    let certificate = try joined(&store)
    #expect(try admission(certificate, &store, at: certificate.notBeforeNs - 1) == .refused(.clock))
  }

  @Test func `An expired authority says so instead of signing`() throws {
    var store = store()
    let end = authority.issuing.notAfterNs
    store.tokens[token.id]?.expiresNs = .max
    guard case .failure(.cannotSign) = try service.join(request(PrivateKey.generate()), store: &store, nowNs: end)
    else {
      Issue.record("signed by an expired authority")
      return
    }
  }

  @Test func `Every refusal has a status and a sentence without secrets`() throws {
    let refusals: [EnrolmentRefusal] =
      [.badRequest("x"), .unknownToken, .tokenExpired, .tokenUsed, .cannotSign("y")]
      + IdentityRefusal.allCases.map { .identity($0) }
    for refusal in refusals {
      #expect((1...16).contains(refusal.statusCode))
      #expect(!refusal.description.isEmpty && !refusal.description.contains(token.secretText))
    }
    #expect(IdentityRefusal(statusMessage: EnrolmentRefusal.identity(.revoked).description) == .revoked)
  }
}
