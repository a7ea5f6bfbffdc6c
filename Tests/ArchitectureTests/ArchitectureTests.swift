import Foundation
import Testing

/// SwiftPM does not stop an undeclared import of a C module, nor a program's file from taking up pointers: this does.
@Suite struct ArchitectureTests {
  /// What each target may import. An import goes inward only.
  static let allowed: [String: Set<String>] = [
    "FleetModel": [],
    "Incidents": ["FleetModel"],
    "RPC": [],
    "Files": ["CLinux", "Glibc"],
    "EventLoop": ["CLinux", "Glibc", "Files", "Synchronization"],
    "Schema": ["CSchema", "CProtobufC", "FleetModel", "Glibc"],
    "TLS": ["COpenSSL", "FleetModel", "Files", "Glibc"],
    "HTTP2": ["CNGHTTP2", "Glibc"],
    "NVML": ["CNVML", "FleetModel"],
    "SQLite": ["CSQLite"],
    "Outbound": ["CCurl", "Glibc"],
    "Compression": ["CZlib"],
    "Postgres": ["CLibPQ", "Files", "Glibc"],
    "Rules": ["FleetModel", "Files"],
    "RuleFiles": ["Rules", "FleetModel", "Files", "Yams"],
    "Transport": ["Files", "EventLoop", "TLS", "HTTP2", "RPC", "Synchronization"],
    "Store": ["Postgres", "FleetModel", "Incidents"],
    "Paging": ["Rules", "FleetModel", "Incidents", "Files", "TLS", "Store", "Outbound", "SiteConfiguration"],
    "SiteConfiguration": ["FleetModel", "Incidents", "Files", "EventLoop", "Store", "Rules", "RuleFiles"],
    "Agent": ["FleetModel", "Schema", "Files", "EventLoop", "TLS", "RPC", "Transport", "NVML", "SQLite"],
    "Collector": [
      "FleetModel", "Schema", "Files", "EventLoop", "TLS", "RPC", "Transport", "Store", "Postgres", "Rules",
      "RuleFiles", "Logging", "Synchronization", "Paging", "Outbound", "Incidents",
      "SiteConfiguration",
    ],
    "Simulation": [
      "FleetModel", "Files", "Glibc", "Schema", "Store", "Agent", "Collector", "Incidents", "Paging",
      "SiteConfiguration",
    ],
    "Answers": ["FleetModel", "Incidents", "Store"],
    "Enrolment": ["FleetModel", "Store", "TLS"],
    "SQLParser": ["CPGQuery"],
    "SQLGuard": ["SQLParser", "FleetModel", "Store", "FoundationEssentials"],
    "Console": [
      "Answers", "FleetModel", "Incidents", "Files", "EventLoop", "TLS", "Postgres", "Store", "SQLGuard", "Enrolment",
      "Outbound", "Logging",
      "Foundation", "Compression",
      "Hummingbird", "HummingbirdCore", "HummingbirdHTTP2", "HTTPTypes", "NIOCore", "NIOSSL", "NIOTLS",
      "NIOPosix", "NIOHTTP1", "NIOWebSocket", "NIOHTTP2", "NIOHPACK", "NIOHTTPTypes", "NIOHTTPTypesHTTP1",
      "ServiceLifecycle",
      "Synchronization",
    ],
    "Commands": [
      "Answers", "FleetModel", "Incidents", "Files", "EventLoop", "TLS", "Postgres", "Store", "Rules", "RuleFiles",
      "SiteConfiguration", "Outbound", "SQLGuard", "Enrolment", "Synchronization",
      "ArgumentParser",
    ],
    "signalbox": ["Commands"],
    "signalbox-agent": ["Agent"],
    "signalbox-collector": ["Collector", "EventLoop", "Files", "FleetModel", "Postgres", "Logging", "ArgumentParser"],
    "signalbox-console": ["Console", "EventLoop", "Files", "FleetModel", "Postgres", "Logging", "ArgumentParser"],
    "signalbox-simulate": ["Simulation"],
  ]

  /// Only these touch pointers.
  static let wrappers: Set<String> = [
    "Schema", "TLS", "EventLoop", "HTTP2", "Postgres", "Files", "NVML", "SQLite", "Outbound",
    "Compression", "SQLParser",
  ]

  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  static func swiftFiles(of target: String) throws -> [URL] { swiftFiles(below: "Sources/\(target)") }

  static func swiftFiles(below directory: String) -> [URL] {
    let all = FileManager.default.enumerator(
      at: root.appendingPathComponent(directory), includingPropertiesForKeys: nil)
    return (all?.allObjects as? [URL] ?? []).filter { $0.pathExtension == "swift" }
  }

  /// Everything that is built and is no test.
  static func programFiles() throws -> [URL] {
    swiftFiles(below: "Sources") + swiftFiles(below: "Benchmarks")
  }

  /// The file's lines without comments; "//" in a string ends a line as well.
  static func code(of file: URL) throws -> [Substring] {
    let text = try String(contentsOf: file, encoding: .utf8)
    return text.split(separator: "\n", omittingEmptySubsequences: false).map {
      $0.prefix(upTo: $0.range(of: "//")?.lowerBound ?? $0.endIndex)
    }
  }

  static func targets() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: root.appendingPathComponent("Sources").path)
      .filter { try !swiftFiles(of: $0).isEmpty }
  }

  @Test func everyTargetImportsOnlyWhatItsRingAllows() throws {
    for target in try Self.targets() {
      let allowed = try #require(Self.allowed[target], "\(target) is not on the allow-list")
      for file in try Self.swiftFiles(of: target) {
        for module in try Self.imports(of: file) where !allowed.contains(module) {
          Issue.record("\(target)/\(file.lastPathComponent) imports \(module)")
        }
      }
    }
  }

  @Test func onlyTheWrapperRingUsesUnsafeCode() throws {
    for target in try Self.targets() where !Self.wrappers.contains(target) {
      for file in try Self.swiftFiles(of: target) {
        for (number, code) in try Self.code(of: file).enumerated() {
          if code.contains(/\bunsafe\b|Unsafe\w*Pointer|OpaquePointer|Unmanaged/) {
            Issue.record("\(target)/\(file.lastPathComponent):\(number + 1) uses unsafe code")
          }
        }
      }
    }
  }

  /// Both sides take version and paths from one page, so that they cannot differ.
  @Test(
    arguments: [
      (#""[^"]*(signalbox\.v\d|/(Collector|Enrolment)/)[^"]*""#, "Schema/Protocol.swift"),
      (#""fenced by a newer"#, "Schema/Protocol.swift"), (#""application/grpc"#, "RPC/RPCHeaders.swift"),
      (#"protocolVersion\b[^"\n]*= *[1-9]"#, nil),
      // An agent's frames: the simulation and the benchmarks send what the agent does.
      (#"Wire\.encode\((\w+, spooled:|(AgentFrame)?\.(hello|batch)\()"#, "Agent/Uplink/OutgoingFrame+Encoding.swift"),
    ] as [(String, String?)])
  func whatBothSidesAgreeOnStandsOnce(literal: String, page: String?) throws {
    let pattern = try Regex(literal)
    var isOnPage = page == nil
    for file in try Self.programFiles() {
      for (number, code) in try Self.code(of: file).enumerated() where code.contains(pattern) {
        let isPage = page.map { file.path.hasSuffix("Sources/\($0)") } ?? false
        isOnPage = isOnPage || isPage
        if !isPage { Issue.record("\(file.lastPathComponent):\(number + 1) writes it anew: \(code)") }
      }
    }
    #expect(isOnPage, "\(page ?? "") does not hold it")
  }

  @Test func onlyTheStoreHoldsSQL() throws {
    let statement = try Regex(
      ##""\s*(?i:select .+ from |insert into |update [\w.]+ set |delete from |(create|alter|drop) (table|view|index|role|database) |with \w+ as \()"##
    )
    let directories = try Self.targets().filter { $0 != "Store" && $0 != "Postgres" }.map { "Sources/\($0)" }
    for directory in directories + ["Benchmarks"] {
      // What probes ask of other programs' databases is no statement on this one.
      for file in Self.swiftFiles(below: directory) where file.lastPathComponent != "ForeignQueries.swift" {
        let text = try String(contentsOf: file, encoding: .utf8)
        if text.contains(statement) { Issue.record("\(directory): \(file.lastPathComponent) holds an SQL statement") }
      }
    }
  }

  /// A target that `Tests/run.sh` does not name is never run by it.
  @Test func everyTestTargetIsRun() throws {
    let tests = Self.root.appendingPathComponent("Tests")
    let script = try String(contentsOf: tests.appendingPathComponent("run.sh"), encoding: .utf8)
    let targets = try FileManager.default.contentsOfDirectory(atPath: tests.path).filter { $0.hasSuffix("Tests") }
    #expect(targets.count > 15)
    for target in targets { #expect(script.contains(target), "Tests/run.sh does not run \(target)") }
  }

  @Test func noSourceFileIsLongerThanSixHundredLines() throws {
    for target in try Self.targets() {
      for file in try Self.swiftFiles(of: target) {
        let lines = try String(contentsOf: file, encoding: .utf8).split(
          separator: "\n", omittingEmptySubsequences: false)
        if lines.count > 600 { Issue.record("\(target)/\(file.lastPathComponent) has \(lines.count) lines") }
      }
    }
  }

  private static func imports(of file: URL) throws -> [String] {
    let text = try String(contentsOf: file, encoding: .utf8)
    let pattern =
      /^(?:@testable )?(?:package |internal |private |public |fileprivate )?import (?:struct |class |enum |func |var )?(\w+)/
      .anchorsMatchLineEndings()
    return text.matches(of: pattern).map { String($0.output.1) }
  }
}
