import Files
import FleetModel
import Testing

@testable import TLS

private let dayNs: Int64 = 86_400_000_000_000
private let nowNs: Int64 = 1_800_000_000_000_000_000

@Suite(.timeLimit(.minutes(10))) struct ChainTests {
  private let command: OpenSSLCommand
  private let authority: CertificateAuthority
  private let serverChain: [[UInt8]]

  init() throws {
    command = try OpenSSLCommand()
    authority = try CertificateAuthority.create(directory: command.directory, nowNs: nowNs)
    serverChain = try Self.server(authority)
  }

  private static func server(_ authority: CertificateAuthority) throws -> [[UInt8]] {
    let issued = try authority.serverCertificate(names: ["collector.example"], addresses: ["127.0.0.1"], nowNs: nowNs)
      .issued
    return try Certificate.decode(pem: [UInt8](issued.chainPEM.utf8)).map(\.der)
  }

  private func joinCode(
    _ chain: [[UInt8]], pin: [UInt8]? = nil, host: String = "collector.example", at time: Int64 = nowNs
  ) -> IdentityError.Code? {
    do {
      try PinnedChain.verify(derChain: chain, pins: [pin ?? authority.pin], hostName: host, nowNs: time)
      return nil
    } catch { return error.code }
  }

  private func agentCode(_ chain: [[UInt8]], at time: Int64 = nowNs) -> IdentityError.Code? {
    do {
      _ = try AgentChain.verify(derChain: chain, roots: [authority.root], nowNs: time)
      return nil
    } catch { return error.code }
  }

  @Test func `A collector with the pinned authority is trusted, by name and by address`() throws {
    defer { command.remove() }
    #expect(joinCode(serverChain) == nil)
    #expect(joinCode(serverChain, host: "127.0.0.1") == nil)
    let found = try PinnedChain.verify(
      derChain: serverChain, pins: [[UInt8](repeating: 0, count: 32), authority.pin], hostName: "127.0.0.1",
      nowNs: nowNs)
    #expect(found == authority.root)
  }

  @Test func `A pin of the issuing CA is enough, one of the server itself is not`() throws {
    defer { command.remove() }
    #expect(joinCode(Array(serverChain.prefix(2)), pin: authority.issuing.keyPin) == nil)
    #expect(joinCode(serverChain, pin: try Certificate(der: serverChain[0]).keyPin) == .pinMismatch)
  }

  @Test func `Another fleet's collector is refused`() throws {
    defer { command.remove() }
    let other = try OpenSSLCommand()
    defer { other.remove() }
    let stranger = try CertificateAuthority.create(directory: other.directory, nowNs: nowNs)
    let chain = try Self.server(stranger)
    #expect(joinCode(chain) == .pinMismatch)
    // The man in the middle adds the real root, which is no secret, and the real issuing CA.
    #expect(joinCode(chain + [authority.root.der]) == .untrusted)
    #expect(joinCode([chain[0], authority.issuing.der, authority.root.der]) == .untrusted)
    #expect(joinCode([chain[0], chain[1], authority.issuing.der, authority.root.der]) == .untrusted)
  }

  @Test func `An agent of the same fleet cannot stand for its collector`() throws {
    defer { command.remove() }
    let issued = try authority.agentCertificate(
      publicKey: PrivateKey.generate().publicKey, hostID: HostID(high: 1, low: 1), nowNs: nowNs)
    let chain = [issued.certificate.der, authority.issuing.der, authority.root.der]
    #expect(joinCode(chain) == .untrusted || joinCode(chain) == .nameMismatch)
    #expect(agentCode(serverChain) == .untrusted)
  }

  @Test func `A leaf cannot sign another leaf`() throws {
    defer { command.remove() }
    let key = try PrivateKey.generate()
    let issued = try authority.agentCertificate(publicKey: key.publicKey, hostID: HostID(high: 1, low: 1), nowNs: nowNs)
    let evil = try CertificateBuilder(
      commonName: "x", publicKey: PrivateKey.generate().publicKey, notBefore: nowNs / 1_000_000_000 - 10,
      notAfter: nowNs / 1_000_000_000 + 1000,
      extensions: [
        .init(id: 85 /* NID_subject_alt_name */, value: "URI:signalbox://agent/00000000-0000-0000-0000-000000000002"),
        .init(id: 126 /* NID_ext_key_usage */, value: "clientAuth"),
      ]
    ).signed(by: key, issuer: issued.certificate)
    #expect(evil.hostID != nil)
    #expect(agentCode([evil.der, issued.certificate.der, authority.issuing.der]) == .untrusted)
  }

  @Test(arguments: ["other.example", "collector.example.evil", "xcollector.example", "127.0.0.2", "", "::1"])
  func `A collector is refused under a name that is not its own`(host: String) {
    defer { command.remove() }
    #expect(joinCode(serverChain, host: host) != nil)
  }

  @Test func `A wrong clock is told apart from a wrong certificate`() {
    defer { command.remove() }
    #expect(joinCode(serverChain, at: nowNs - dayNs) == .notYetValid)
    #expect(joinCode(serverChain, at: nowNs + 91 * dayNs) == .expired)
    #expect(joinCode(serverChain, at: nowNs - 299_000_000_000) == nil)
  }

  @Test func `An incomplete, empty, long or damaged chain is refused`() {
    defer { command.remove() }
    #expect(joinCode([]) == .pinMismatch)
    #expect(joinCode([serverChain[0], serverChain[2]]) == .untrusted)
    #expect(joinCode(Array(repeating: serverChain[2], count: 9)) == .tooLarge)
    #expect(joinCode([serverChain[0], [1, 2, 3]]) == .malformed)
    #expect(joinCode([serverChain[0], [UInt8](repeating: 0, count: Certificate.bytesMax + 1)]) == .tooLarge)
    #expect(agentCode([]) == .untrusted)
  }

  @Test func `No single changed bit of a server's certificate is accepted`() {
    defer { command.remove() }
    for index in serverChain[0].indices {
      var changed = serverChain
      changed[0][index] ^= 0x10
      #expect(joinCode(changed) != nil, "byte \(index)")
    }
  }

  @Test func `An agent's chain is recognised whether or not it is still valid`() throws {
    defer { command.remove() }
    let issued = try authority.agentCertificate(
      publicKey: PrivateKey.generate().publicKey, hostID: HostID(high: 1, low: 1), nowNs: nowNs, lifeSeconds: 60)
    let chain = [issued.certificate.der, authority.issuing.der]
    #expect(agentCode(chain) == nil)
    #expect(agentCode(chain, at: nowNs + 20 * dayNs) == nil)
    #expect(agentCode(chain, at: nowNs - dayNs) == nil)
    #expect(agentCode([chain[0]]) == .untrusted)
  }

  @Test func `A certificate with two host names names no host`() throws {
    defer { command.remove() }
    let uri = "URI:signalbox://agent/00000000-0000-0000-0000-00000000000"
    func make(_ names: String) throws -> Certificate {
      let key = try PrivateKey.generate()
      return try CertificateBuilder(
        commonName: "x", publicKey: key.publicKey, notBefore: 0, notAfter: 1000,
        extensions: [.init(id: 85, value: names)]
      ).signed(by: key, issuer: nil)
    }
    #expect(try make(uri + "1").hostID == HostID(high: 0, low: 1))
    #expect(try make("\(uri)1,\(uri)2").hostID == nil)
    #expect(try make(uri).hostID == nil)
    #expect(try make("URI:signalbox://collector/00000000-0000-0000-0000-000000000001").hostID == nil)
  }
}
