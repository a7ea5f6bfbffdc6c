import FleetModel
import Foundation
import Schema
import Testing

/// The schema against Google's protobuf for Python, which reads the same .proto files.
@Suite(.timeLimit(.minutes(10))) struct PeerTests {
  @Test("Python reads every message that Swift writes, finds no unknown field, and Swift reads Python's copy of it")
  func swiftToPython() throws {
    let folder = try Scratch()
    var random = RandomModel(seed: 2_025)
    var copies: [String: (Span<UInt8>) throws -> Bool] = [:]
    func write(_ name: String, _ bytes: [UInt8], _ isSame: @escaping (Span<UInt8>) throws -> Bool) throws {
      try folder.write(name + ".in", bytes)
      copies[name] = isSame
    }
    for number in 0..<50 {
      let agent = random.agentFrame()
      try write("AgentFrame.\(number)", encoded { Wire.encode(agent, into: &$0) }) {
        try Wire.decodeAgentFrame($0) == agent
      }
      let collector = random.collectorFrame()
      try write("CollectorFrame.\(number)", encoded { Wire.encode(collector, into: &$0) }) {
        try Wire.decodeCollectorFrame($0) == collector
      }
      let records = random.records()
      try write("Records.\(number)", encoded { Wire.encode(records, into: &$0) }) {
        try Wire.decodeRecords($0) == records
      }
      let join = random.joinRequest()
      try write("JoinRequest.\(number)", encoded { Wire.encode(join, into: &$0) }) {
        try Wire.decodeJoinRequest($0) == join
      }
      let renew = RenewRequest(signingRequest: random.bytes(number))
      try write("RenewRequest.\(number)", encoded { Wire.encode(renew, into: &$0) }) {
        try Wire.decodeRenewRequest($0) == renew
      }
      let reply = random.certificateReply()
      try write("CertificateReply.\(number)", encoded { Wire.encode(reply, into: &$0) }) {
        try Wire.decodeCertificateReply($0) == reply
      }
    }
    for status in HealthCheckResponse.ServingStatus.allCases {
      let response = HealthCheckResponse(status: status)
      try write("HealthCheckResponse.\(status.rawValue)", encoded { Wire.encode(response, into: &$0) }) {
        try Wire.decodeHealthCheckResponse($0) == response
      }
    }
    try folder.python("check")
    for (name, isSame) in copies {
      let copy = try folder.read(name + ".out")
      let same = try isSame(copy.span)
      #expect(same, "\(name)")
    }
  }

  @Test("Swift reads every message that Python writes and writes the same one", arguments: 1...3)
  func pythonToSwift(seed: Int) throws {
    let folder = try Scratch()
    try folder.python("make", "\(seed)", "40")
    for name in try folder.names() {
      let bytes = try folder.read(name)
      try folder.write(String(name.dropLast(3)) + ".out", Self.passedThrough(name, bytes))
    }
    try folder.python("compare")
  }

  private static func passedThrough(_ name: String, _ input: [UInt8]) throws -> [UInt8] {
    let bytes = input.span
    var copy: [UInt8] = []
    switch name.prefix(while: { $0 != "." }) {
    case "AgentFrame": Wire.encode(try Wire.decodeAgentFrame(bytes), into: &copy)
    case "CollectorFrame": Wire.encode(try Wire.decodeCollectorFrame(bytes), into: &copy)
    case "Records": Wire.encode(try Wire.decodeRecords(bytes), into: &copy)
    case "JoinRequest": Wire.encode(try Wire.decodeJoinRequest(bytes), into: &copy)
    case "RenewRequest": Wire.encode(try Wire.decodeRenewRequest(bytes), into: &copy)
    case "CertificateReply": Wire.encode(try Wire.decodeCertificateReply(bytes), into: &copy)
    case "HealthCheckRequest": Wire.encode(try Wire.decodeHealthCheckRequest(bytes), into: &copy)
    case "HealthCheckResponse": Wire.encode(try Wire.decodeHealthCheckResponse(bytes), into: &copy)
    default: Issue.record("unknown message \(name)")
    }
    return copy
  }

  @Test("the generated C is what protoc-c makes of proto/")
  func generatedCodeIsCurrent() throws {
    let folder = try Scratch()
    let root = Scratch.root
    let protos = ["signalbox/v1/report", "signalbox/v1/enrolment", "grpc/health/v1/health"]
    try folder.run(
      "/usr/bin/env",
      ["protoc-c", "--proto_path=\(root)/proto", "--c_out=\(folder.path)"] + protos.map { "\(root)/proto/\($0).proto" })
    for proto in protos {
      for end in [".pb-c.c", ".pb-c.h"] {
        let committed = try String(contentsOfFile: "\(root)/Sources/CSchema/\(proto)\(end)", encoding: .utf8)
        let made = try String(contentsOfFile: "\(folder.path)/\(proto)\(end)", encoding: .utf8)
        #expect(committed == made, "\(proto)\(end) is not current: run `make proto`")
      }
    }
  }
}

/// A folder of its own, and programs run in it.
final class Scratch {
  static let root = String(#filePath.prefix(upTo: #filePath.range(of: "/Tests/SchemaTests/")!.lowerBound))
  let path = NSTemporaryDirectory() + "signalbox-schema-" + UUID().uuidString

  init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
  deinit { try? FileManager.default.removeItem(atPath: path) }

  func write(_ name: String, _ bytes: [UInt8]) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
  }
  func read(_ name: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)"))) }
  func names() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path).filter { $0.hasSuffix(".in") }
  }

  /// peer.py with the schema's descriptors, by the virtual environment that the set-up makes.
  func python(_ mode: String, _ arguments: String...) throws {
    let descriptors = "\(path)/descriptors"
    try run(
      "/usr/bin/env",
      [
        "protoc", "--proto_path=\(Self.root)/proto", "--descriptor_set_out=\(descriptors)", "signalbox/v1/report.proto",
        "signalbox/v1/enrolment.proto", "grpc/health/v1/health.proto",
      ])
    let environment = ProcessInfo.processInfo.environment["SIGNALBOX_VENV"] ?? "\(Self.root)/.build/venv"
    try run(
      "\(environment)/bin/python",
      ["\(Self.root)/Tests/Fixtures/schema/peer.py", descriptors, mode, path] + arguments)
  }

  func run(_ program: String, _ arguments: [String]) throws {
    let log = "\(path)/log"
    try write("log", [])
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    let output = try FileHandle(forWritingTo: URL(fileURLWithPath: log))
    process.standardOutput = output
    process.standardError = output
    try process.run()
    process.waitUntilExit()
    let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
    #expect(process.terminationStatus == 0, "\(program) \(arguments.joined(separator: " ")): \(text.prefix(4000))")
  }
}
