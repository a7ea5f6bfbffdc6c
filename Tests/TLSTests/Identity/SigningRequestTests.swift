import FleetModel
import Testing

@testable import TLS

@Suite(.timeLimit(.minutes(10))) struct SigningRequestTests {
  private let command: OpenSSLCommand
  init() throws { command = try OpenSSLCommand() }

  private func code(_ der: [UInt8]) -> IdentityError.Code? {
    do {
      _ = try SigningRequest.publicKey(der: der)
      return nil
    } catch { return error.code }
  }

  /// A request made by the openssl program.
  private func foreign(_ arguments: String...) throws -> [UInt8] {
    try command.succeed("genpkey", "-out", "k.pem", "-algorithm", arguments[0], "-pkeyopt", arguments[1])
    try command.succeed(
      "req", "-new", "-key", "k.pem", "-outform", "DER", "-out", "r.der", "-subj", "/CN=root/O=Admins", "-addext",
      "subjectAltName=URI:signalbox://agent/00000000-0000-0000-0000-000000000001", "-addext",
      "basicConstraints=critical,CA:TRUE")
    return try command.read("r.der")
  }

  @Test func `A request gives back its key, and openssl accepts it`() throws {
    defer { command.remove() }
    let key = try PrivateKey.generate()
    let der = try SigningRequest.make(key: key)
    #expect(try SigningRequest.publicKey(der: der) == key.publicKey)
    try command.write("r.pem", PEM.encode("CERTIFICATE REQUEST", der))
    try command.succeed("req", "-in", "r.pem", "-noout", "-verify")
  }

  @Test func `Nothing but the key is taken from a request`() throws {
    defer { command.remove() }
    let key = try SigningRequest.publicKey(der: foreign("EC", "ec_paramgen_curve:P-256"))
    let authority = try CertificateAuthority.create(directory: command.directory, nowNs: 1_800_000_000_000_000_000)
    let id = HostID(high: 7, low: 9)
    let issued = try authority.agentCertificate(publicKey: key, hostID: id, nowNs: 1_800_000_000_000_000_000)
    #expect(issued.certificate.hostID == id)
    #expect(issued.certificate.subject == "/CN=\(id)")
    try command.write("agent.pem", issued.chainPEM)
    let text = try command.succeed("x509", "-in", "agent.pem", "-noout", "-text")
    #expect(!text.contains("CA:TRUE"))
    #expect(!text.contains("Admins"))
    #expect(!text.contains("00000000-0000-0000-0000-000000000001"))
  }

  @Test(arguments: [
    ("RSA", "rsa_keygen_bits:2048"), ("EC", "ec_paramgen_curve:P-384"), ("EC", "ec_paramgen_curve:secp256k1"),
  ])
  func `A key of another kind is refused`(algorithm: String, option: String) throws {
    defer { command.remove() }
    #expect(code(try foreign(algorithm, option)) == .wrongKeyType)
    #expect { try PrivateKey.decode(pem: command.read("k.pem")) } throws: {
      ($0 as? IdentityError)?.code == .wrongKeyType
    }
  }

  @Test func `A key with its curve spelled out is refused`() throws {
    defer { command.remove() }
    try command.succeed(
      "genpkey", "-out", "k.pem", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt",
      "ec_param_enc:explicit")
    try command.succeed("req", "-new", "-key", "k.pem", "-outform", "DER", "-out", "r.der", "-subj", "/CN=x")
    #expect(code(try command.read("r.der")) == .wrongKeyType)
  }

  @Test func `A request without possession of its key is refused`() throws {
    defer { command.remove() }
    let mine = try SigningRequest.make(key: PrivateKey.generate())
    let others = try PrivateKey.generate().publicKey.der
    let start = try #require(mine.indices.first { mine[$0...].starts(with: others.prefix(27)) })
    var forged = mine
    forged.replaceSubrange(start..<start + others.count, with: others)
    #expect(code(forged) == .badSignature)
  }

  @Test func `A request with any byte changed or missing never gives another key`() throws {
    defer { command.remove() }
    let der = try SigningRequest.make(key: PrivateKey.generate())
    for index in der.indices {
      var changed = der
      changed[index] ^= 0x01
      #expect(code(changed) != nil, "byte \(index)")
      #expect(code(Array(der[..<index])) == .malformed)
    }
    #expect(code(der + [0]) == .malformed)
    #expect(code([UInt8](repeating: 0x30, count: SigningRequest.bytesMax + 1)) == .tooLarge)
    #expect(code([]) == .malformed)
  }

  @Test func `A private key is read from its own file and from openssl's`() throws {
    defer { command.remove() }
    let key = try PrivateKey.generate()
    let text = try key.pem()
    #expect(try PrivateKey.decode(pem: [UInt8](text.utf8)).publicKey == key.publicKey)
    try command.write("key.pem", text)
    try command.succeed("pkey", "-in", "key.pem", "-noout", "-check")
    try command.succeed("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "sec1.pem")
    _ = try PrivateKey.decode(pem: command.read("sec1.pem"))
    for count in 0..<(text.utf8.count - 1) {
      #expect(throws: IdentityError.self) { try PrivateKey.decode(pem: Array(text.utf8.prefix(count))) }
    }
  }
}
