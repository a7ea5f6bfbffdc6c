import EventLoop
import Files
import FleetModel
import Foundation
import TLS

@testable import Agent

/// A real `signalbox-agent probe --checks`, and servers that it asks.
final class CheckBench {
  let directory: String
  let loop: EventLoop
  let runner: CheckRunner
  private let servers = Process()
  private let input = Pipe()
  private(set) var ports: [String: Int] = [:]

  /// - Parameters:
  ///   - allow: words of the command line beside the directory, which is allowed.
  ///   - environment: of the process that asks.
  init(allow: [String] = [], environment: [String] = [], withServers: Bool = true) throws {
    directory = "/tmp/sampling-check-\(UUID().uuidString.prefix(8))"
    try HostFiles.makeDirectory(directory, mode: 0o755)
    loop = try EventLoop()
    runner = CheckRunner(
      loop: loop, program: Self.agent, arguments: ["probe", "--checks", "--allow", directory] + allow,
      environment: environment + ["PATH=" + (Machine.environment("PATH") ?? "/usr/bin:/bin")])
    if withServers { try startServers() }
  }

  deinit {
    servers.endNow()
    try? FileManager.default.removeItem(atPath: directory)
  }

  /// Beside the program that runs the tests.
  static var agent: String {
    let own = (try? HostFiles.readLink("/proc/self/exe")) ?? ""
    let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? own
    return HostFiles.directory(of: bundle) + "/signalbox-agent"
  }

  private func startServers() throws {
    let dayNs: Int64 = 86_400_000_000_000
    try writeCertificate("good", nowNs: Clock.wallNs())
    try writeCertificate("expired", nowNs: Clock.wallNs() - 100 * dayNs)
    let output = Pipe()
    servers.executableURL = URL(filePath: "/usr/bin/env")
    servers.arguments = ["python3", FixtureHost.directory("probes").appending(path: "servers.py").path(), directory]
    servers.standardInput = input
    servers.standardOutput = output
    try servers.run()
    var line = Data()
    while !line.contains(10) {
      let more = output.fileHandleForReading.availableData
      if more.isEmpty { break }
      line += more
    }
    ports = try JSONDecoder().decode([String: Int].self, from: line)
  }

  private func writeCertificate(_ name: String, nowNs: Int64) throws {
    let authority = try CertificateAuthority.create(directory: directory + "/ca-" + name, nowNs: nowNs)
    let (key, issued) = try authority.serverCertificate(names: ["localhost"], addresses: ["127.0.0.1"], nowNs: nowNs)
    try write(name + ".pem", issued.chainPEM)
    try write(name + ".key", try key.pem())
  }

  func write(_ name: String, _ text: String) throws {
    let path = directory + "/" + name
    try FileManager.default.createDirectory(
      atPath: HostFiles.directory(of: path), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: URL(filePath: path))
  }

  /// Sets a file's last change to so many seconds ago.
  func age(_ name: String, _ seconds: Double) throws {
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSinceNow: -seconds)], ofItemAtPath: directory + "/" + name)
  }

  func address(_ server: String) -> String { "127.0.0.1:\(ports[server] ?? 0)" }
  func url(_ path: String, _ server: String = "http", scheme: String = "http") -> String {
    "\(scheme)://\(address(server))\(path)"
  }

  /// Asks each probe once.
  /// - Returns: all results by name; the suite's limit ends a wait in vain.
  func ask(_ probes: [ProbeSetting]) throws -> [String: ProbeResult] {
    var results: [String: ProbeResult] = [:]
    let wanted = Set(probes.map(\.resultName))
    runner.setProbes(probes)
    while !wanted.isSubset(of: results.keys) {
      for result in runner.takeRecords().probes where results[result.name] == nil { results[result.name] = result }
      if !wanted.isSubset(of: results.keys) { try loop.turn(maximumWaitNs: 100_000_000) }
    }
    runner.setProbes([])
    return results
  }

  func ask(_ probe: ProbeSetting) throws -> [String: ProbeResult] { try ask([probe]) }

  func close() throws {
    runner.close()
    while !runner.processIDs.isEmpty { try loop.turn(maximumWaitNs: 100_000_000) }
  }
}

extension ProbeSetting {
  /// With a short deadline and a long interval: asked once.
  static func once(
    _ kind: ProbeKind, _ name: String, _ target: String = "", timeoutMs: Int64 = 20_000
  ) -> ProbeSetting {
    var probe = ProbeSetting(kind, name, target: target)
    probe.everyNs = 3_600_000_000_000
    probe.timeoutNs = timeoutMs * 1_000_000
    return probe
  }
}

extension Foundation.Process {
  /// Ends a helper of a test. Not by the end of its input: another process that was started meanwhile may hold that open.
  func endNow() {
    guard isRunning else { return }
    kill(processIdentifier, SIGKILL)
    while isRunning { usleep(2000) }
  }
}
