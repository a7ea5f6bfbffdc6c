import Files
import FleetModel
import Foundation
import Schema
import TLS
import Testing

@testable import Agent

private let nowNs: Int64 = 1_800_000_000_000_000_000
private let dayNs: Int64 = 86_400_000_000_000

/// Stops at the n-th step, as a kill would.
private final class Kill: @unchecked Sendable {
  struct Killed: Error {}
  private let lock = NSLock()
  private var left: Int
  private(set) var wasReached = false
  init(at step: Int) { left = step }

  func step(_ name: String) throws(IdentityError) {
    lock.lock()
    defer { lock.unlock() }
    left -= 1
    if left == 0 {
      wasReached = true
      throw IdentityError(.file, "killed at: \(name)")
    }
  }
}

@Suite(.timeLimit(.minutes(10))) struct IdentityDirectoryTests {
  private let directory = "/tmp/signalbox-identity-" + UUID().uuidString
  private let authority: CertificateAuthority
  private let host = HostID(high: 0x1234, low: 0x5678)
  private let collectors = [CollectorAddress(host: "collector.example", port: 4317)]

  init() throws {
    try HostFiles.makeDirectory(directory)
    authority = try CertificateAuthority.create(directory: directory, nowNs: nowNs)
  }

  private func remove() { try? FileManager.default.removeItem(atPath: directory) }

  private func reply(_ key: PrivateKey, at timeNs: Int64 = nowNs) throws -> CertificateReply {
    let issued = try authority.agentCertificate(publicKey: key.publicKey, hostID: host, nowNs: timeNs)
    var reply = CertificateReply()
    reply.hostID = host
    reply.hostName = "trainer-1"
    reply.certificateChain = [UInt8](issued.chainPEM.utf8)
    reply.certificateAuthority = [UInt8](authority.trustPEM.utf8)
    reply.serverNs = timeNs
    return reply
  }

  /// A whole join or renewal, as the agent does it.
  private func renew(_ identity: IdentityDirectory) throws {
    let key = try identity.prepareKey()
    try identity.accept(try reply(key), pins: [authority.pin], collectors: collectors)
    try identity.retirePrevious()
  }

  @Test func `A joined host finds its identity again`() throws {
    defer { remove() }
    let identity = IdentityDirectory(stateDirectory: directory)
    #expect(try identity.load() == nil)
    try renew(identity)
    let loaded = try #require(try identity.load())
    #expect(loaded.hostID == host)
    #expect(loaded.hostName == "trainer-1")
    #expect(loaded.collectors == collectors)
    #expect(loaded.roots == [authority.root])
    #expect(loaded.intermediates == [authority.issuing])
    #expect(loaded.generation == 1)
    #expect(try loaded.key.publicKey.pin == loaded.certificate.keyPin)
    #expect(try FileStatus.of(path: loaded.keyPath).mode & 0o777 == 0o600)
    #expect(try FileStatus.of(path: identity.path).mode & 0o777 == 0o700)
  }

  @Test func `A running agent sees by the version that another process has joined anew`() throws {
    defer { remove() }
    let identity = IdentityDirectory(stateDirectory: directory)
    #expect(identity.version == nil)
    try renew(identity)
    let first = try #require(try identity.load())
    #expect(first.version != nil && identity.version == first.version)
    try renew(IdentityDirectory(stateDirectory: directory))
    #expect(identity.version != first.version)
    #expect(try identity.load()?.version == identity.version)
  }

  @Test func `New addresses of collectors replace the old ones, and nothing else`() throws {
    defer { remove() }
    let identity = IdentityDirectory(stateDirectory: directory)
    let key = try identity.prepareKey()
    let token = "abcdefghijkl"
    let first = try identity.accept(try reply(key), pins: [authority.pin], collectors: collectors, token: token)
    let other = [CollectorAddress(host: "new.example", port: 1), CollectorAddress(host: "192.0.2.1", port: 2)]
    let changed = try identity.replaceCollectors(other)
    #expect(changed.collectors == other)
    #expect(try identity.load()?.collectors == other)
    #expect((changed.hostName, changed.generation, changed.tokenID) == ("trainer-1", first.generation, token))
    #expect(changed.certificate == first.certificate)
  }

  @Test func `The list that a collector announces replaces the old one, but for the address in use`() {
    let inUse = CollectorAddress(host: "old", port: 1)
    #expect(
      CollectorList.merged(["new:1", "0", "new:1", "other:2"], inUse: inUse).map(\.description) == [
        "new:1", "other:2", "old:1",
      ])
    #expect(CollectorList.merged(["new:1", "old:1"], inUse: inUse).map(\.description) == ["new:1", "old:1"])
    #expect(CollectorList.merged([], inUse: inUse).isEmpty)
    #expect(CollectorList.merged((1...50).map { "h:\($0)" }, inUse: inUse).count == JoinToken.addressesMax + 1)
  }

  @Test func `A renewal has a new key, and the old one is removed`() throws {
    defer { remove() }
    let identity = IdentityDirectory(stateDirectory: directory)
    try renew(identity)
    let old = try #require(try identity.load())
    try renew(identity)
    let new = try #require(try identity.load())
    #expect(new.generation == 2)
    #expect(new.certificate.keyPin != old.certificate.keyPin)
    #expect(!FileManager.default.fileExists(atPath: old.keyPath))
  }

  @Test func `A join killed at any step can be run again, with the same key once it is on disk`() throws {
    defer { remove() }
    var steps = 0
    while true {
      steps += 1
      let state = "\(directory)/join-\(steps)"
      let kill = Kill(at: steps)
      let dying = IdentityDirectory(stateDirectory: state) { name throws(IdentityError) in try kill.step(name) }
      _ = try? renew(dying)
      let identity = IdentityDirectory(stateDirectory: state)
      let left = try? KeyFiles.privateKey(state + "/identity/1/key.pem")
      if try identity.load() == nil {
        let key = try identity.prepareKey()
        if let left { #expect(try key.publicKey == left.publicKey) }
        try renew(identity)
      }
      #expect(try identity.load()?.hostID == host, "killed at step \(steps)")
      if !kill.wasReached { break }
    }
    #expect(steps > 8)
  }

  @Test func `A renewal killed at any step leaves a matching pair, the old one or the new one`() throws {
    defer { remove() }
    var steps = 0
    while true {
      steps += 1
      let state = "\(directory)/renew-\(steps)"
      try renew(IdentityDirectory(stateDirectory: state))
      let kill = Kill(at: steps)
      let dying = IdentityDirectory(stateDirectory: state) { name throws(IdentityError) in try kill.step(name) }
      _ = try? renew(dying)
      let identity = IdentityDirectory(stateDirectory: state)
      let loaded = try #require(try identity.load(), "killed at step \(steps)")
      #expect([1, 2].contains(loaded.generation))
      #expect(try loaded.key.publicKey.pin == loaded.certificate.keyPin)
      try renew(identity)
      #expect(try identity.load()?.generation == loaded.generation + 1)
      if !kill.wasReached { break }
    }
    #expect(steps > 8)
  }

  @Test func `Torn files of an interrupted write are written anew`() throws {
    defer { remove() }
    let identity = IdentityDirectory(stateDirectory: directory)
    let pending = identity.path + "/1"
    try HostFiles.makeDirectory(pending)
    for name in ["key.pem", "key.pem.new", "certificate.pem.new", "authority.pem", "host.new"] {
      try HostFiles.replace("\(pending)/\(name)", with: [UInt8]("-----BEGIN PRIVATE KEY-----\nMIGH".utf8), mode: 0o644)
    }
    try HostFiles.replace(identity.path + "/current.new", with: [])
    try renew(identity)
    let loaded = try #require(try identity.load())
    #expect(try FileStatus.of(path: loaded.keyPath).mode & 0o777 == 0o600)
  }

  @Test(arguments: ["key.pem", "certificate.pem", "authority.pem", "host"])
  func `A damaged identity is named, and never taken for none`(name: String) throws {
    defer { remove() }
    let identity = IdentityDirectory(stateDirectory: directory)
    try renew(identity)
    let path = "\(identity.path)/1/\(name)"
    let whole = try HostFiles.read(path)
    for count in [0, 1, whole.count / 2] {
      try HostFiles.replace(path, with: Array(whole.prefix(count)))
      #expect(throws: IdentityError.self, "\(count) bytes") { try identity.load() }
    }
    try HostFiles.remove(path)
    #expect(throws: IdentityError.self) { try identity.load() }
  }

  @Test func `A key that others can read is refused`() throws {
    defer { remove() }
    let identity = IdentityDirectory(stateDirectory: directory)
    try renew(identity)
    let path = identity.path + "/1/key.pem"
    try HostFiles.replace(path, with: try HostFiles.read(path), mode: 0o644)
    #expect { try identity.load() } throws: { ($0 as? IdentityError)?.code == .permissions }
  }

  @Test func `An answer that is not for this host's key and fleet changes nothing`() throws {
    defer { remove() }
    let identity = IdentityDirectory(stateDirectory: directory)
    let key = try identity.prepareKey()
    let good = try reply(key)
    let other = try CertificateAuthority.create(directory: directory + "/other", nowNs: nowNs)
    func code(_ reply: CertificateReply) -> IdentityError.Code? {
      do {
        try identity.accept(reply, pins: [authority.pin], collectors: collectors)
        return nil
      } catch { return error.code }
    }
    #expect(code(try reply(PrivateKey.generate())) == .mismatchedPair)
    var wrong = good
    wrong.hostID = HostID(high: 1, low: 1)
    #expect(code(wrong) == .nameMismatch)
    wrong = good
    wrong.certificateAuthority = [UInt8](other.trustPEM.utf8)
    #expect(code(wrong) == .pinMismatch)
    wrong = good
    wrong.certificateChain = [UInt8](
      try other.agentCertificate(publicKey: key.publicKey, hostID: host, nowNs: nowNs).chainPEM.utf8)
    #expect(code(wrong) == .untrusted)
    wrong = good
    wrong.certificateChain.removeLast(40)
    #expect(code(wrong) == .truncated)
    wrong = good
    wrong.hostName = "a\nname=b"
    #expect(code(wrong) == .malformed)
    wrong = good
    wrong.certificateChain = []
    #expect(code(wrong) == .truncated)
    #expect(try identity.load() == nil)
    #expect(code(good) == nil)
  }

  @Test func `An answer may bring a second root beside the trusted one`() throws {
    defer { remove() }
    let identity = IdentityDirectory(stateDirectory: directory)
    let next = try CertificateAuthority.create(directory: directory + "/next", nowNs: nowNs)
    var reply = try reply(identity.prepareKey())
    reply.certificateAuthority += [UInt8](next.trustPEM.utf8)
    let accepted = try identity.accept(reply, pins: [authority.pin], collectors: collectors)
    #expect(accepted.roots == [authority.root, next.root])
  }

  @Test func `A clock that disagrees is told from one that agrees`() throws {
    defer { remove() }
    let certificate = try Certificate.decode(pem: try reply(PrivateKey.generate()).certificateChain)[0]
    func judge(_ offsetNs: Int64, server: Int64 = nowNs) -> ClockAgreement {
      ClockAgreement.judge(localNs: server + offsetNs, serverNs: server, certificate: certificate)
    }
    #expect(judge(0) == .agrees)
    #expect(judge(299_000_000_000) == .agrees)
    #expect(judge(-299_000_000_000) == .agrees)
    #expect(judge(-dayNs) == .behind(seconds: 86_400))
    #expect(judge(31 * dayNs) == .ahead(seconds: 31 * 86_400))
    // Little difference, but at the certificate's very end.
    #expect(judge(2_000_000_000, server: certificate.notAfterNs - 1_000_000_000) == .ahead(seconds: 2))
    #expect(ClockAgreement.judge(localNs: .max, serverNs: .min, certificate: nil).message != nil)
    #expect(ClockAgreement.agrees.message == nil)
  }
}
