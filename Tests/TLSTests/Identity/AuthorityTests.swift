import Files
import FleetModel
import Foundation
import Testing

@testable import TLS

private let dayNs: Int64 = 86_400_000_000_000
private let nowNs: Int64 = 1_800_000_000_000_000_000

@Suite(.timeLimit(.minutes(10))) struct AuthorityTests {
  private let command: OpenSSLCommand
  private let authority: CertificateAuthority

  init() throws {
    command = try OpenSSLCommand()
    authority = try CertificateAuthority.create(directory: command.directory, nowNs: nowNs)
  }

  private func host() -> HostID { HostID(bytes: HostFiles.randomBytes(16))! }

  @Test func `The openssl program accepts the authority, a server and an agent`() throws {
    defer { command.remove() }
    let key = try PrivateKey.generate()
    let agent = try authority.agentCertificate(publicKey: key.publicKey, hostID: host(), nowNs: nowNs)
    let server = try authority.serverCertificate(
      names: ["collector.example"], addresses: ["127.0.0.1", "::1"], nowNs: nowNs)
    try command.write("agent.pem", agent.chainPEM)
    try command.write("server.pem", server.issued.chainPEM)
    let time = String(nowNs / 1_000_000_000)
    try command.succeed(
      "verify", "-x509_strict", "-attime", time, "-purpose", "sslclient", "-CAfile", "ca/root.pem", "-untrusted",
      "ca/issuing.pem", "agent.pem")
    try command.succeed(
      "verify", "-x509_strict", "-attime", time, "-purpose", "sslserver", "-verify_hostname", "collector.example",
      "-CAfile", "ca/root.pem",
      "-untrusted", "ca/issuing.pem", "server.pem")
    let wrong = try command.run(
      "verify", "-attime", time, "-purpose", "sslserver", "-CAfile", "ca/root.pem", "-untrusted", "ca/issuing.pem",
      "agent.pem")
    #expect(wrong.status != 0)
  }

  @Test func `The openssl program prints the fields that were meant`() throws {
    defer { command.remove() }
    let key = try PrivateKey.generate()
    let id = host()
    let issued = try authority.agentCertificate(publicKey: key.publicKey, hostID: id, nowNs: nowNs)
    try command.write("agent.pem", issued.chainPEM)
    let text = try command.succeed("x509", "-in", "agent.pem", "-noout", "-text")
    #expect(text.contains("URI:signalbox://agent/\(id)"))
    #expect(text.contains("TLS Web Client Authentication"))
    #expect(!text.contains("TLS Web Server Authentication"))
    #expect(text.contains("CA:FALSE"))
    #expect(text.contains("NIST CURVE: P-256"))
    let root = try command.succeed("x509", "-in", "ca/root.pem", "-noout", "-text")
    #expect(root.contains("CA:TRUE, pathlen:1"))
    let issuing = try command.succeed("x509", "-in", "ca/issuing.pem", "-noout", "-text")
    #expect(issuing.contains("CA:TRUE, pathlen:0"))
    #expect(issuing.contains("Certificate Sign, CRL Sign"))
    let fingerprint = try command.succeed("x509", "-in", "agent.pem", "-noout", "-fingerprint", "-sha256")
    let expected = issued.certificate.fingerprint.map { Hex.text($0).uppercased() }.joined(separator: ":")
    #expect(fingerprint.contains(expected))
    let serial = try command.succeed("x509", "-in", "agent.pem", "-noout", "-serial")
    #expect(serial.lowercased().contains("serial=\(issued.certificate.serialHex)"))
  }

  @Test func `A certificate's fields are read back`() throws {
    defer { command.remove() }
    let key = try PrivateKey.generate()
    let id = host()
    let issued = try authority.agentCertificate(publicKey: key.publicKey, hostID: id, nowNs: nowNs)
    let read = try Certificate.decode(pem: [UInt8](issued.chainPEM.utf8))
    #expect(read == [issued.certificate, authority.issuing])
    #expect(read[0].hostID == id)
    #expect(read[0].keyPin == (try key.publicKey.pin))
    #expect(read[0].notBeforeNs == nowNs - 300_000_000_000)
    #expect(read[0].notAfterNs == nowNs + 30 * dayNs)
    #expect(read[1].hostID == nil)
    #expect(authority.root.notAfterNs == nowNs + 3_650 * dayNs)
    #expect(authority.issuing.notAfterNs == nowNs + 730 * dayNs)
    let server = try authority.serverCertificate(names: ["a.b", "c"], addresses: [], nowNs: nowNs).issued.certificate
    #expect(server.dnsNames == ["a.b", "c"])
    #expect(server.hostID == nil)
  }

  @Test func `The pin is the SHA-256 of the root's key as openssl writes it`() throws {
    defer { command.remove() }
    let text = try command.succeed("x509", "-in", "ca/root.pem", "-noout", "-pubkey")
    let block = try #require(try PEM.decode([UInt8](text.utf8)).first)
    #expect(block.label == "PUBLIC KEY")
    #expect(Digest.sha256(block.der) == authority.pin)
  }

  @Test func `Keys belong to their owner alone`() throws {
    defer { command.remove() }
    for name in ["ca/root.key", "ca/issuing.key"] {
      #expect(try FileStatus.of(path: command.path(name)).mode & 0o777 == 0o600)
    }
    try command.succeed("pkey", "-in", "ca/issuing.key", "-noout", "-check")
  }

  @Test func `An authority is loaded without its root's key, and never replaced`() throws {
    defer { command.remove() }
    try HostFiles.remove(command.path("ca/root.key"))
    let loaded = try CertificateAuthority.load(directory: command.directory)
    #expect(loaded.pin == authority.pin)
    let issued = try loaded.agentCertificate(publicKey: PrivateKey.generate().publicKey, hostID: host(), nowNs: nowNs)
    _ = try AgentChain.verify(
      derChain: [issued.certificate.der, loaded.issuing.der], roots: [authority.root], nowNs: nowNs)
    #expect { try CertificateAuthority.create(directory: command.directory, nowNs: nowNs) } throws: {
      ($0 as? IdentityError)?.code == .alreadyExists
    }
  }

  @Test func `An authority is exported and imported whole, and a renewal without its root's key`() throws {
    defer { command.remove() }
    let text = try CertificateAuthority.export(directory: command.directory, includingRootKey: true)
    let second = command.path("second")
    try CertificateAuthority.importing(Array(text.utf8), directory: second)
    for name in ["root.pem", "issuing.pem", "issuing.key", "root.key"] {
      #expect(try HostFiles.read("\(second)/ca/\(name)") == HostFiles.read(command.path("ca/\(name)")), "\(name)")
    }
    #expect(try FileStatus.of(path: second + "/ca").mode & 0o777 == 0o700)
    #expect(try FileStatus.of(path: second + "/ca/issuing.key").mode & 0o777 == 0o600)
    #expect { try CertificateAuthority.importing(Array(text.utf8), directory: second) } throws: {
      ($0 as? IdentityError)?.code == .alreadyExists
    }
    let renewed = try CertificateAuthority.renewIssuing(directory: command.directory, nowNs: nowNs + 400 * dayNs)
    let shared = try CertificateAuthority.export(directory: command.directory, includingRootKey: false)
    #expect(try PEM.decode(Array(shared.utf8)).count == 3)
    try CertificateAuthority.importingRenewal(Array(shared.utf8), directory: second)
    #expect(try CertificateAuthority.load(directory: second).issuing == renewed.issuing)
    let third = command.path("third")
    try CertificateAuthority.importing(Array(shared.utf8), directory: third)
    #expect(!CertificateAuthority.hasRootKey(directory: third))
    #expect(renewed.isRenewalDue(nowNs: nowNs + 900 * dayNs) && !renewed.isRenewalDue(nowNs: nowNs + 800 * dayNs))
  }

  @Test func `What is no whole authority, and another fleet's renewal, is refused`() throws {
    defer { command.remove() }
    let other = command.path("other")
    try HostFiles.makeDirectory(other)
    _ = try CertificateAuthority.create(directory: other, nowNs: nowNs + 10 * dayNs)
    let foreign = try CertificateAuthority.export(directory: other, includingRootKey: true)
    #expect { try CertificateAuthority.importingRenewal(Array(foreign.utf8), directory: command.directory) } throws: {
      ($0 as? IdentityError)?.code == .mismatchedPair
    }
    let own = authority.root.pem + authority.issuing.pem
    for text in ["", own, own + String(foreign.suffix(from: foreign.range(of: "-----BEGIN PRIVATE")!.lowerBound))] {
      #expect(throws: IdentityError.self) {
        try CertificateAuthority.importing(Array(text.utf8), directory: command.path("third"))
      }
    }
    #expect(try !FileStatus.exists(command.path("third/ca")))
  }

  @Test func `A wrong, readable, missing or cut file of the authority is named`() throws {
    defer { command.remove() }
    func code() -> IdentityError.Code? {
      do {
        _ = try CertificateAuthority.load(directory: command.directory)
        return nil
      } catch { return error.code }
    }
    let key = try command.read("ca/issuing.key")
    let certificate = try command.read("ca/issuing.pem")
    try HostFiles.replace(command.path("ca/issuing.key"), with: try command.read("ca/root.key"))
    #expect(code() == .mismatchedPair)
    try HostFiles.replace(command.path("ca/issuing.key"), with: Array(key.prefix(key.count / 2)))
    #expect(code() == .truncated)
    try HostFiles.replace(command.path("ca/issuing.key"), with: [])
    #expect(code() == .truncated)
    try HostFiles.replace(command.path("ca/issuing.key"), with: key, mode: 0o640)
    #expect(code() == .permissions)
    try HostFiles.replace(command.path("ca/issuing.key"), with: key)
    #expect(code() == nil)
    try HostFiles.replace(command.path("ca/issuing.pem"), with: Array(certificate.prefix(300)))
    #expect(code() == .truncated)
    try HostFiles.remove(command.path("ca/issuing.pem"))
    #expect(code() == .notFound)
  }

  @Test func `A renewed issuing CA keeps its key, so that old certificates stay valid`() throws {
    defer { command.remove() }
    let issued = try authority.agentCertificate(
      publicKey: PrivateKey.generate().publicKey, hostID: host(), nowNs: nowNs)
    let renewed = try CertificateAuthority.renewIssuing(directory: command.directory, nowNs: nowNs + 10 * dayNs)
    #expect(renewed.issuing.keyPin == authority.issuing.keyPin)
    #expect(renewed.issuing.notAfterNs == authority.issuing.notAfterNs + 10 * dayNs)
    _ = try AgentChain.verify(
      derChain: [issued.certificate.der, renewed.issuing.der], roots: [authority.root], nowNs: nowNs + 11 * dayNs)
    #expect(try CertificateAuthority.load(directory: command.directory).issuing == renewed.issuing)
  }

  @Test func `A certificate never outlives the CA that signs it`() throws {
    defer { command.remove() }
    let late = authority.issuing.notAfterNs - dayNs
    let issued = try authority.agentCertificate(publicKey: PrivateKey.generate().publicKey, hostID: host(), nowNs: late)
    #expect(issued.certificate.notAfterNs == authority.issuing.notAfterNs)
    #expect {
      try authority.agentCertificate(
        publicKey: PrivateKey.generate().publicKey, hostID: host(), nowNs: authority.issuing.notAfterNs)
    } throws: { ($0 as? IdentityError)?.code == .expired }
  }

  @Test(arguments: ["a,DNS:evil.example", "a\nb", "", "a b", "email:x@y"])
  func `A server's name cannot smuggle in another`(name: String) {
    defer { command.remove() }
    #expect(throws: IdentityError.self) { try authority.serverCertificate(names: [name], addresses: [], nowNs: nowNs) }
  }

  @Test func `Serial numbers are random and positive`() throws {
    defer { command.remove() }
    let key = try PrivateKey.generate().publicKey
    let serials = try (0..<20).map { _ in
      try authority.agentCertificate(publicKey: key, hostID: host(), nowNs: nowNs).certificate.serialHex
    }
    #expect(Set(serials).count == 20)
    #expect(serials.allSatisfy { $0.count == 32 && $0.first! >= "4" && $0.first! <= "7" })
  }
}
