import Files
import FleetModel
import Glibc
import Testing

@testable import TLS

/// The authority's certificates in real handshakes, over a pair of connected sockets.
@Suite(.timeLimit(.minutes(10))) struct JoinHandshakeTests {
  private let command: OpenSSLCommand
  private let authority: CertificateAuthority
  private let nowNs = Clock.wallNs()

  init() throws {
    command = try OpenSSLCommand()
    authority = try CertificateAuthority.create(directory: command.directory, nowNs: nowNs)
  }

  private func credentials(_ authority: CertificateAuthority, extraPEM: String = "") throws -> TLSCredentials {
    let made = try authority.serverCertificate(names: ["localhost"], addresses: ["127.0.0.1"], nowNs: nowNs)
    return TLSCredentials(
      chainPEM: [UInt8]((made.issued.chainPEM + extraPEM).utf8), keyPEM: [UInt8](try made.key.pem().utf8))
  }

  /// - Returns: whether the client trusts the server, and whom the server sees.
  private func shake(_ server: TLSContext, _ client: TLSContext) throws -> (isTrusted: Bool, peer: TLSPeer?) {
    var sockets: [Int32] = [-1, -1]
    // Two descriptors are written into the array.
    #expect(unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0, &sockets) == 0)
    defer { for socket in sockets { close(socket) } }
    var serving = try TLSSession.make(server, descriptor: sockets[0])
    var dialling = try TLSSession.make(client, descriptor: sockets[1])
    var clientEnd: TLSProgress = .wantRead
    var serverEnd: TLSProgress = .wantRead
    for _ in 0..<20 {
      if clientEnd == .wantRead { clientEnd = dialling.handshake() }
      if serverEnd == .wantRead { serverEnd = serving.handshake() }
    }
    return (clientEnd == .bytes(0), serverEnd == .bytes(0) ? serving.peer : nil)
  }

  @Test func `A host with a token trusts its collector in the handshake`() throws {
    defer { command.remove() }
    let server = try TLSContext.server(credentials(authority), trust: [UInt8](authority.trustPEM.utf8))
    let client = try TLSContext.client(nil, trust: .pins([authority.pin]), server: .host("127.0.0.1"))
    #expect(try shake(server, client).isTrusted)
  }

  @Test func `A host with a token ends the handshake with anyone else`() throws {
    defer { command.remove() }
    let other = try OpenSSLCommand()
    defer { other.remove() }
    let stranger = try CertificateAuthority.create(directory: other.directory, nowNs: nowNs)
    for extraPEM in ["", authority.root.pem, authority.issuing.pem + authority.root.pem] {
      let server = try TLSContext.server(
        credentials(stranger, extraPEM: extraPEM), trust: [UInt8](stranger.trustPEM.utf8))
      let client = try TLSContext.client(nil, trust: .pins([authority.pin]), server: .host("127.0.0.1"))
      #expect(try !shake(server, client).isTrusted)
    }
    let server = try TLSContext.server(credentials(authority), trust: [UInt8](authority.trustPEM.utf8))
    let elsewhere = try TLSContext.client(nil, trust: .pins([authority.pin]), server: .host("127.0.0.2"))
    #expect(try !shake(server, elsewhere).isTrusted)
  }

  @Test func `An agent's certificate is recognised in the handshake by host and fingerprint`() throws {
    defer { command.remove() }
    let key = try PrivateKey.generate()
    let host = HostID(high: 3, low: 4)
    let issued = try authority.agentCertificate(publicKey: key.publicKey, hostID: host, nowNs: nowNs)
    let trust = [UInt8](authority.trustPEM.utf8)
    let server = try TLSContext.server(credentials(authority), trust: trust)
    let client = try TLSContext.client(
      TLSCredentials(chainPEM: [UInt8](issued.chainPEM.utf8), keyPEM: [UInt8](key.pem().utf8)),
      trust: .authorities(pem: trust), server: .host("localhost"))
    let (isTrusted, peer) = try shake(server, client)
    #expect(isTrusted)
    #expect(peer?.fingerprint == issued.certificate.fingerprint)
    #expect(peer?.uris == ["signalbox://agent/\(host)"])
  }

  @Test func `The collector's own certificate is no agent's`() throws {
    defer { command.remove() }
    let trust = [UInt8](authority.trustPEM.utf8)
    let server = try TLSContext.server(credentials(authority), trust: trust)
    let client = try TLSContext.client(
      credentials(authority), trust: .authorities(pem: trust), server: .host("localhost"))
    #expect(try shake(server, client).peer == nil)
  }
}
