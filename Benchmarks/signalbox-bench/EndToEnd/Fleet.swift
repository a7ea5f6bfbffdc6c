internal import EventLoop
internal import Files
internal import FleetModel
internal import Postgres
internal import TLS
internal import TestSupport
internal import Transport

/// Simulated agents of one bench: real certificates, real connections, all on the bench's loop.
final class Fleet {
  private let bench: Bench
  private(set) var agents: [SimulatedAgent] = []
  /// Handshakes at once: a collector takes few of one address at a time and lets the rest wait.
  private static let connectingMax = 32

  /// Makes `count` hosts with a certificate each and puts them on the allow-list.
  init(_ bench: Bench, count: Int, name: String) throws {
    self.bench = bench
    let authority = try CertificateAuthority.load(directory: bench.stateDirectory)
    let key = try PrivateKey.generate()
    let keyPEM = Array(try key.pem().utf8)
    let roots = Array(authority.trustPEM.utf8)
    let publicKey = try key.publicKey
    var fingerprints: [String] = []
    var expires: [Int64] = []
    for number in 0..<count {
      let host = HostID(high: UInt64.random(in: 1...UInt64.max), low: UInt64(number))
      let issued = try authority.agentCertificate(publicKey: publicKey, hostID: host, nowNs: Clock.wallNs())
      let credentials = TLSCredentials(chainPEM: Array(issued.chainPEM.utf8), keyPEM: keyPEM)
      agents.append(
        SimulatedAgent(
          host: host,
          tls: {
            try TLSContext.client(credentials, trust: .authorities(pem: roots), server: .host(bench.address.host))
          }))
      fingerprints.append(Hex.text(issued.certificate.fingerprint))
      expires.append(issued.certificate.notAfterNs / 1000)
    }
    try register(name, fingerprints, expires)
  }

  private func register(_ name: String, _ fingerprints: [String], _ expires: [Int64]) throws {
    let connection = try bench.connection()
    defer { connection.close() }
    try FilledTables.register(
      agents.map(\.host), named: name, fingerprints: fingerprints, expiresUs: expires, on: connection)
  }

  /// Connects the first `count` agents that are not connected yet, and waits until each has its Welcome.
  func connect(_ count: Int) throws {
    let missing = agents.prefix(count).filter { !$0.isWelcome }
    var next = 0
    let done = try bench.wait(seconds: 180) {
      while next < missing.count, missing[..<next].count(where: { !$0.isWelcome }) < Self.connectingMax {
        try missing[next].connect(bench.loop, bench.address)
        next += 1
      }
      // The allow-list may not be read again yet.
      for agent in missing[..<next] where agent.isClosed { try agent.connect(bench.loop, bench.address) }
      return next == missing.count && missing.allSatisfy(\.isWelcome)
    }
    if !done {
      throw BenchFailure(
        "\(missing.count(where: { !$0.isWelcome })) of \(count) agents were not welcomed: \(agents.compactMap(\.problem).last ?? "")"
      )
    }
  }

  func close() throws {
    for agent in agents { agent.close() }
    try bench.pause(ms: 500)
  }
}
