import EventLoop
import Files
import FleetModel
import Foundation
import Logging
import TLS
import Testing

@testable import Collector

private let nowNs: Int64 = 1_800_000_000_000_000_000
private let dayNs: Int64 = 86_400_000_000_000

@Suite struct AuthorityChoiceTests {
  private func choice(own: String?, fleet: String?, hosts: Int = 3, allowsNew: Bool = false) -> AuthorityChoice {
    AuthorityChoice.make(ownPin: own, fleetPin: fleet, activeHosts: hosts, allowsNew: allowsNew, stateDirectory: "/s")
  }

  @Test func `An authority is made where there is no fleet, and kept where it is the fleet's`() {
    #expect(choice(own: nil, fleet: nil, hosts: 0) == .create)
    #expect(choice(own: "a", fleet: nil, hosts: 0) == .use)
    #expect(choice(own: "a", fleet: nil) == .use)
    #expect(choice(own: "a", fleet: "a") == .use)
    #expect(choice(own: "a", fleet: "a", allowsNew: true) == .use)
  }

  @Test func `A lost or a foreign authority is refused with what to do, unless a new one is wanted`() {
    for (own, fleet, hosts) in [(nil, "a", 3), (nil, nil, 1), (nil, "a", 0), ("b", "a", 3)] as [(String?, String?, Int)]
    {
      guard case .refuse(let sentence) = choice(own: own, fleet: fleet, hosts: hosts) else {
        Issue.record("not refused: \(own ?? "none") \(fleet ?? "none")")
        continue
      }
      #expect(sentence.contains("signalbox ca import FILE --state-dir /s") && sentence.contains("--new-authority"))
    }
    #expect(choice(own: nil, fleet: "a", allowsNew: true) == .createAndReplace)
    #expect(choice(own: "b", fleet: "a", allowsNew: true) == .replace)
  }
}

@Suite(.timeLimit(.minutes(10))) struct ServerCertificateTests {
  private let directory = "/tmp/signalbox-server-" + UUID().uuidString
  private let authority: CertificateAuthority

  init() throws {
    try HostFiles.makeDirectory(directory)
    authority = try CertificateAuthority.create(directory: directory, nowNs: nowNs)
  }

  private func remove() { try? FileManager.default.removeItem(atPath: directory) }

  private func certificate(_ own: [String], _ fleet: [String] = []) throws -> ServerCertificate {
    try ServerCertificate(own: own, fleet: fleet, authority: authority, nowNs: nowNs)
  }

  @Test func `It is due at two thirds of its life, and when the clock is set back to before it`() throws {
    defer { remove() }
    let certificate = try certificate(["a"])
    #expect(!certificate.isDue(nowNs: nowNs))
    #expect(!certificate.isDue(nowNs: nowNs + 59 * dayNs))
    #expect(certificate.isDue(nowNs: nowNs + 60 * dayNs))
    #expect(certificate.isDue(nowNs: nowNs + 92 * dayNs))
    #expect(certificate.isDue(nowNs: nowNs - dayNs))
  }

  @Test func `It holds the collector's own names first, then those that hosts may know, and no wildcard`() throws {
    defer { remove() }
    let certificate = try certificate(["new.example", "127.0.0.1", "::1"], ["old.example", "10.0.0.1", "new.example"])
    #expect(certificate.names == ["new.example", "127.0.0.1", "::1", "old.example", "10.0.0.1"])
    let chain = try Certificate.decode(pem: Array(certificate.chainPEM.utf8))
    for name in certificate.names {
      try CertificateChain.verify(chain, trusted: [authority.root], purpose: .server(host: name), nowNs: nowNs)
    }
    #expect(certificate.lacks(["third.example"]) && !certificate.lacks(["old.example", "no name"]))
    let full = try self.certificate(["own"], (0..<40).map { "n\($0)" })
    #expect(full.names.count == 32 && full.names[0] == "own" && full.leftOut.count == 9)
    #expect(!full.lacks(["n39"]))
  }

  private func options(_ stateDirectory: String = "/s") -> CollectorOptions {
    var options = CollectorOptions(
      stateDirectory: stateDirectory, listen: SocketAddress(host: "0.0.0.0", port: 7443),
      metrics: SocketAddress(host: "127.0.0.1", port: 0))
    options.advertise = ["collector.example:7443"]
    return options
  }

  @Test func `A wildcard is listened on, never announced or certified`() {
    defer { remove() }
    var options = options()
    #expect(options.advertised(port: 7443) == ["collector.example:7443"])
    options.advertise = []
    #expect(options.advertised(port: 7443) == ["\(Machine.hostName()):7443"])
    #expect(!options.ownNames.contains("0.0.0.0"))
    options.listen = SocketAddress(host: "192.0.2.7", port: 0)
    #expect(options.advertised(port: 7443) == ["192.0.2.7:7443"])
  }

  /// A collector's identity begins at this host's time, so this authority does too.
  private func identity(_ directory: String, nowNs: Int64) throws -> CollectorIdentity {
    try HostFiles.makeDirectory(directory)
    return try CollectorIdentity(
      authority: CertificateAuthority.create(directory: directory, nowNs: nowNs), options: options(directory),
      announced: AnnouncedCollectors(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  }

  @Test func `On the clock the server's certificate and the issuing CA are renewed`() throws {
    defer { remove() }
    let now = Clock.wallNs()
    let identity = try identity(directory + "/live", nowNs: now)
    let (first, end, pin) = (identity.server.chainPEM, identity.authority.issuing.notAfterNs, identity.authority.pin)
    var change = identity.check(nowNs: now)
    #expect(!change.server && !change.authority)
    change = identity.check(nowNs: now + 61 * dayNs)
    #expect(change.server && !change.authority && identity.server.chainPEM != first)
    #expect(identity.server.notAfterNs > now + 150 * dayNs)
    // Two thirds of its two years.
    change = identity.check(nowNs: now + 490 * dayNs)
    #expect(change.authority && change.server)
    #expect(identity.authority.issuing.notAfterNs >= end + 489 * dayNs && identity.authority.pin == pin)
  }

  @Test func `Without the root's key the end of the issuing CA is logged two months before it`() throws {
    defer { remove() }
    let now = Clock.wallNs()
    let identity = try identity(directory + "/live", nowNs: now)
    try HostFiles.remove(directory + "/live/ca/root.key")
    let end = identity.authority.issuing.notAfterNs
    #expect(!identity.check(nowNs: end - 100 * dayNs).authority)
    #expect(identity.endSentence(end - 61 * dayNs) == nil)
    #expect(identity.endSentence(end - 30 * dayNs)?.contains("ends in 30 days") == true)
    #expect(identity.endSentence(end)?.contains("has ended") == true)
    #expect(identity.endSteps.contains { $0.contains("signalbox ca renew --state-dir \(directory)/live") })
  }

  @Test func `An authority that was renewed on disk is taken over without a signal`() throws {
    defer { remove() }
    let now = Clock.wallNs()
    let identity = try identity(directory + "/live", nowNs: now)
    let renewed = try CertificateAuthority.renewIssuing(directory: directory + "/live", nowNs: now)
    let change = identity.check(nowNs: now)
    #expect(change.authority && change.server)
    #expect(identity.authority.issuing == renewed.issuing)
    #expect(!identity.check(nowNs: now).server)
  }
}

@Suite struct OpenConnectionTests {
  @Test func `A connection ends a minute after its certificate`() {
    #expect(!Admission.endsConnection(notAfterSeconds: 1000, nowSeconds: 999))
    #expect(!Admission.endsConnection(notAfterSeconds: 1000, nowSeconds: 1060))
    #expect(Admission.endsConnection(notAfterSeconds: 1000, nowSeconds: 1061))
    #expect(!Admission.endsConnection(notAfterSeconds: .max, nowSeconds: .max))
  }
}
